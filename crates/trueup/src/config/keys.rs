//! The keys of a configuration file: names, kinds, defaults, what each is for.
//!
//! This table is the one description of the format. What a file may say is checked against it, the JSON Schema for
//! editors is made from it, and a test holds the guide's table against it. What the values mean together (an endpoint
//! that does not exist, a rule for a link that goes one way) is not here.

/// A table of the file.
#[derive(Debug)]
pub(super) struct Section {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// Its keys, in the order of the guide.
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// How it is written.
    pub(super) name: &'static str,
    /// What may stand after the equals sign.
    pub(super) kind: Kind,
    /// Whether it has to be there.
    pub(super) required: bool,
    /// What holds without it, as it would be written.
    pub(super) default: Option<&'static str>,
    /// What it is for: one sentence.
    pub(super) about: &'static str,
}

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A text that is not empty.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number between these.
    Number(i64, i64),
    /// A share such as `"20%"`, or a number of records.
    Share,
    /// A list of texts.
    Texts,
    /// A list of texts, or this word.
    TextsOr(&'static str),
    /// A table from names to texts.
    Names,
    /// A table with these keys.
    Table(&'static Section),
    /// A table of such tables, under names that the user chooses.
    Tables(&'static Section),
    /// A list of texts and of such tables.
    Entries(&'static Section),
}

impl Section {
    /// Finds a key.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Returns the names of all keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Key {
    const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            default: None,
            about,
        }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

/// How records are compared.
pub(super) const COMPARE: [&str; 3] = ["auto", "stream", "hash"];
/// The directions of a link: from source to target, and both.
pub(super) const DIRECTIONS: [&str; 2] = ["forward", "both"];
/// What a delete may mean.
pub(super) const ON_DELETE: [&str; 2] = ["keep", "wins"];
/// Stands for a key of all fields.
pub(super) const ALL: &str = "all";
/// How many sessions may load at the same time.
const WORKERS_MAX: i64 = crate::args::WORKERS_MAX as i64;
/// How many records may move together.
pub(super) const BATCH_RECORDS_MAX: i64 = crate::args::BATCH_RECORDS_MAX as i64;

/// The whole file.
pub(super) static FILE: Section = Section {
    name: "the file",
    keys: &[
        Key::new(
            "state",
            Kind::Text,
            "where runs, positions and history are kept",
        )
        .or("\"$XDG_STATE_HOME/trueup/state.db\""),
        Key::new(
            "endpoint",
            Kind::Tables(&ENDPOINT),
            "the places that hold data, by name",
        ),
        Key::new(
            "link",
            Kind::Tables(&LINK),
            "what is kept in agreement, by name",
        ),
    ],
};

/// `[endpoint.NAME]`.
pub(super) static ENDPOINT: Section = Section {
    name: "an endpoint",
    keys: &[
        Key::new(
            "url",
            Kind::Text,
            "the address, as on the command line, without #collection",
        )
        .required(),
        Key::new(
            "password",
            Kind::Text,
            "where the password is: \"env:NAME\" or \"file:PATH\"",
        ),
    ],
};

/// `[link.NAME]`.
pub(super) static LINK: Section = Section {
    name: "a link",
    keys: &[
        Key::new(
            "source",
            Kind::Text,
            "the endpoint that the records come from",
        )
        .required(),
        Key::new("target", Kind::Text, "the endpoint that they go to").required(),
        Key::new(
            "direction",
            Kind::Word(&DIRECTIONS),
            "from source to target, or both ways",
        )
        .or("\"forward\""),
        Key::new(
            "when",
            Kind::Text,
            "when it runs: each time it is told to, or (\"continuous\") until it is told to stop, as its source's log tells",
        )
        .or("\"once\""),
        Key::new(
            "collections",
            Kind::Entries(&COLLECTION),
            "the collections: names, patterns, or tables with more to say",
        )
        .or("all of the source"),
        Key::new(
            "exclude",
            Kind::Texts,
            "collections to leave out, by name or pattern, when all others are taken",
        )
        .or("[]"),
        Key::new(
            "delete",
            Kind::Flag,
            "delete records that the source does not have",
        )
        .or("false"),
        Key::new(
            "verify",
            Kind::Flag,
            "compare again afterwards, and issue a certificate",
        )
        .or("true"),
        Key::new(
            "compare",
            Kind::Word(&COMPARE),
            "by reading every record, or by hashes that the servers make",
        )
        .or("\"auto\""),
        Key::new(
            "on_conflict",
            Kind::Text,
            "what decides when both sides changed the same",
        )
        .or("\"manual\""),
        Key::new(
            "on_delete",
            Kind::Word(&ON_DELETE),
            "what happens when one side deleted what the other changed",
        )
        .or("\"keep\""),
        Key::new(
            "stamp",
            Kind::Text,
            "the field that says when a record was last changed",
        ),
        Key::new(
            "guard",
            Kind::Table(&GUARD),
            "when a plan is stopped before its first write",
        ),
        Key::new(
            "batch_records",
            Kind::Number(1, BATCH_RECORDS_MAX),
            "how many records move together at most",
        )
        .or("10000"),
        Key::new(
            "workers",
            Kind::Number(1, WORKERS_MAX),
            "how many sessions load and build at the same time at most",
        )
        .or("one for each processor, at most 4"),
    ],
};

/// A table among a link's `collections`.
pub(super) static COLLECTION: Section = Section {
    name: "a collection",
    keys: &[
        Key::new("source", Kind::Text, "what the source calls it").required(),
        Key::new("target", Kind::Text, "what the target calls it").or("the same"),
        Key::new(
            "key",
            Kind::TextsOr(ALL),
            "the fields that identify a record; \"all\": equal records count",
        )
        .or("the one that is declared"),
        Key::new(
            "where",
            Kind::Text,
            "only records of the source for which this expression holds",
        ),
        Key::new("rename", Kind::Names, "source field = target field"),
        Key::new("drop", Kind::Texts, "source fields to leave out"),
        Key::new(
            "constants",
            Kind::Names,
            "target field = a value that is always the same",
        ),
        Key::new(
            "cast",
            Kind::Names,
            "source field = the type its values are taken as",
        ),
        Key::new(
            "lossy",
            Kind::Texts,
            "target fields that may lose precision",
        ),
        Key::new(
            "fields",
            Kind::Names,
            "target field = an expression over the source's fields",
        ),
        Key::new("on_conflict", Kind::Text, "as for the link").or("the link's"),
        Key::new(
            "on_conflict_fields",
            Kind::Names,
            "source field = what decides there",
        ),
        Key::new("on_delete", Kind::Word(&ON_DELETE), "as for the link").or("the link's"),
        Key::new("stamp", Kind::Text, "as for the link").or("the link's"),
        Key::new("guard", Kind::Table(&GUARD), "as for the link").or("the link's"),
    ],
};

/// `guard = { ... }`.
pub(super) static GUARD: Section = Section {
    name: "a guard",
    keys: &[Key::new(
        "deletes_max",
        Kind::Share,
        "how many deletes pass: a share of the target's records, or a number",
    )
    .or("\"20%\"")],
};
