//! What became of writes.

use super::Version;

/// What became of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the record's new version where the endpoint has one.
    Applied(Option<Version>),
    /// Nothing to do: it was so already.
    Unchanged,
    /// The record is not the one the write expected: observe it again, decide again.
    Stale,
    /// Refused for this record alone, and will be again: a constraint, a type, a size. Names, never values.
    Rejected {
        /// Why, for people.
        reason: String,
        /// Whether another record stands in the way (a unique value, a foreign key), so that trying again after
        /// the other writes may help.
        blocked: bool,
    },
    /// Nobody knows: the answer was lost. Found out by reading, never by a blind retry.
    Unknown,
}

/// Returns the indices of the writes that left no trace: stale or rejected.
pub fn left_out(outcomes: &[Outcome]) -> Vec<usize> {
    let traceless = |outcome: &Outcome| match outcome {
        Outcome::Stale | Outcome::Rejected { .. } => true,
        Outcome::Applied(_) | Outcome::Unchanged | Outcome::Unknown => false,
    };
    let all = outcomes.iter().enumerate();
    all.filter(|(_, outcome)| traceless(outcome))
        .map(|(index, _)| index)
        .collect()
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// One outcome per write, in order.
    pub outcomes: Vec<Outcome>,
    /// Whether the batch is durable already; otherwise it is after [`super::Writer::finish`].
    pub durable: bool,
}
