//! How records are to be compared, as it is said on the command line and in a file.

use trueup_engine::Comparison;

/// `auto`, `stream` or `hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Compare {
    Auto,
    Stream,
    Hash,
}

impl Compare {
    /// Returns what the engine calls it.
    pub(crate) fn way(self) -> Comparison {
        match self {
            Self::Auto => Comparison::Auto,
            Self::Stream => Comparison::Stream,
            Self::Hash => Comparison::Hash,
        }
    }
}
