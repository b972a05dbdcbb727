//! What a run tells while it is under way.

/// A step of the journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reading a side and putting it in key order.
    Sort,
    /// Reading both sides and comparing.
    Compare,
    /// Writing.
    Apply,
    /// Reading both sides again.
    Verify,
}

impl Step {
    /// Returns the step's name, as in the documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sort => "sort",
            Self::Compare => "compare",
            Self::Apply => "apply",
            Self::Verify => "verify",
        }
    }
}

/// How far a step of one collection is.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// The collection.
    pub collection: &'a str,
    /// The step.
    pub step: Step,
    /// What the user calls the side whose records they are, where a step is about one side at a time.
    pub side: Option<&'static str>,
    /// Records done since the last tick of this step.
    pub records: u64,
    /// How many there will be in all, where that is known.
    pub total: Option<u64>,
}

/// Something that happened on the way, for whoever wants to know more than how far it is. Names and counts, never a
/// record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A step of a collection will concern about so many records.
    Expected {
        /// The collection.
        collection: &'a str,
        /// The step.
        step: Step,
        /// The records of both sides, where both are read.
        records: u64,
    },
    /// The shape of one side is known.
    Shape {
        /// What the user calls the side.
        side: &'static str,
        /// The collection, as this side calls it.
        collection: &'a str,
        /// How many fields it has.
        fields: usize,
        /// Whether it has yet to be created.
        missing: bool,
    },
    /// It is settled who puts the records of one side in key order.
    Order {
        /// What the user calls the side.
        side: &'static str,
        /// The collection, as this side calls it.
        collection: &'a str,
        /// Whether the endpoint does; otherwise they are sorted here, on disk, unless all are to be loaded as they come.
        by_endpoint: bool,
    },
    /// One side was sorted.
    Sorted {
        /// What the user calls the side.
        side: &'static str,
        /// The collection, as this side calls it.
        collection: &'a str,
        /// How many records it has.
        records: u64,
    },
    /// Both sides were hashed.
    Hashed {
        /// The collection.
        collection: &'a str,
        /// How many buckets the records were dealt into.
        buckets: u32,
        /// In how many the sides differ.
        differing: u32,
        /// Records of one side that need not be read.
        unread: u64,
    },
    /// A collection is loaded, and others may be at the same time.
    Loading {
        /// The collection.
        collection: &'a str,
    },
    /// All records of such a collection were written.
    Loaded {
        /// The collection.
        collection: &'a str,
    },
    /// A batch was applied.
    Batch {
        /// The collection.
        collection: &'a str,
        /// How many writes it has.
        records: u64,
        /// Whether it survives a power cut from here on.
        durable: bool,
    },
    /// All batches of a collection survive a power cut from here on.
    Durable {
        /// The collection.
        collection: &'a str,
    },
}

/// Listens. Called from several threads, at most once per batch.
pub trait Progress: Send + Sync {
    /// Some records were done.
    fn tick(&self, tick: Tick<'_>);

    /// Something happened; most listeners do not care.
    fn event(&self, _event: Event<'_>) {}

    /// Something the user should know, in one line.
    fn note(&self, text: &str);
}
