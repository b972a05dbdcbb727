//! The one error type: what went wrong, where, and what to do about it.
//!
//! Invariant: an error never holds a record's value. It names endpoints, collections, fields, positions, counts
//! and digests of keys, nothing else; which records it is about stands apart, in [`Error::report`]. Foreign errors are translated once, in the `error.rs` of the endpoint that
//! met them; retry is decided by [`Kind`] in one layer, the engine.

use std::error::Error as StdError;
use std::fmt;

/// The result of anything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error. Decides the exit code and whether a retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The command line, a URL, a mapping or a schema is wrong. Retrying cannot help.
    Config,
    /// The endpoint refused who we are or what we may do.
    Auth,
    /// The endpoint cannot be reached, or the connection broke. What was sent may or may not have been applied.
    Unavailable,
    /// The endpoint asked us to slow down.
    Throttled,
    /// The world moved: the epoch was raised by another engine, or a file changed under us.
    Stale,
    /// The endpoint refused the data or is out of room.
    Rejected,
    /// Stored bytes do not mean what they should: a torn file, an unknown version, a stream out of order.
    Corrupt,
    /// A guard stopped the plan. Nothing was written.
    Guard,
    /// The run was asked to stop, and stopped between two batches.
    Interrupted,
    /// An invariant of trueup does not hold.
    Bug,
}

impl Kind {
    /// Returns the kind's name as it stands in logs, JSON and `docs/errors`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Stale => "stale",
            Self::Rejected => "rejected",
            Self::Corrupt => "corrupt",
            Self::Guard => "guard",
            Self::Interrupted => "interrupted",
            Self::Bug => "bug",
        }
    }
}

/// A text that somebody wrote, and where it is wrong: so that who knows where the text came from can show the place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The text: configuration, and never a record's value.
    pub text: String,
    /// The byte at which it is wrong; its length, where something is missing at the end.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

/// An error with a kind, a message (lower case, facts as `key=value`), advice, and a cause.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    passage: Option<Passage>,
    report: Option<String>,
}

impl Error {
    /// Makes an error of `kind`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            hint: None,
            source: None,
            passage: None,
            report: None,
        }))
    }

    /// Makes a [`Kind::Config`] error.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// Makes a [`Kind::Bug`] error: an invariant that should have been impossible to break.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
            .hint("this is a defect in trueup; nothing further was written; please report it")
    }

    /// Makes a [`Kind::Corrupt`] error.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    /// Adds advice: what the reader should do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the cause. Its text is shown after ours, so it must not hold a record's value.
    #[must_use]
    pub fn cause(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says which text is wrong, and where. The message says so too, for who does not know where the text stands.
    #[must_use]
    pub fn passage(mut self, passage: Passage) -> Self {
        self.0.passage = Some(passage);
        self
    }

    /// Adds lines that name the records it is about, by their keys, as plans do. They belong to the report that the user
    /// reads, and to nothing that is kept or sent on: not to the text of the error, a log or the history.
    #[must_use]
    pub fn report(mut self, lines: impl Into<String>) -> Self {
        self.0.report = Some(lines.into());
        self
    }

    /// Puts `place` (for example `endpoint=target collection=planes`) before the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the message without hint and cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the text that is wrong, where it is one that somebody wrote.
    pub fn wrong_passage(&self) -> Option<&Passage> {
        self.0.passage.as_ref()
    }

    /// Returns the advice, where there is any.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns what [`Error::report`] added: for the user's eyes only.
    pub fn reported(&self) -> Option<&str> {
        self.0.report.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.name(), self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| {
            let source: &(dyn StdError + 'static) = source;
            source
        })
    }
}
