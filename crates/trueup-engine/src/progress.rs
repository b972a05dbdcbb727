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
    /// Records done since the last tick of this step.
    pub records: u64,
    /// How many there will be in all, where that is known.
    pub total: Option<u64>,
}

/// Listens. Called from several threads, at most once per batch.
pub trait Progress: Send + Sync {
    /// Some records were done.
    fn tick(&self, tick: Tick<'_>);

    /// Something the user should know, in one line.
    fn note(&self, text: &str);
}
