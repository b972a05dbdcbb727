//! What a run did, for people, scripts and the history.

use crate::certificate::Certificate;
use trueup_core::digest::Fold;
use trueup_core::park::Parked;

/// What a run did to one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionReport {
    /// The source's name for it.
    pub source: String,
    /// The target's name for it.
    pub target: String,
    /// The source's records and digest, as last read.
    pub source_fold: Fold,
    /// The target's records and digest, as last read.
    pub target_fold: Fold,
    /// Records inserted (by `diff`: none).
    pub inserted: u64,
    /// Records updated.
    pub updated: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Records found equal.
    pub unchanged: u64,
    /// Records that only the source had when they were compared.
    pub only_source: u64,
    /// Records that only the target had when they were compared.
    pub only_target: u64,
    /// Records that differed when they were compared.
    pub changed: u64,
    /// Records put aside.
    pub parked: Vec<Parked>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The link.
    pub link: String,
    /// Whether the two sides agree under the run's mode.
    pub equal: bool,
    /// Per collection.
    pub collections: Vec<CollectionReport>,
    /// The proof, where the run verified.
    pub certificate: Option<Certificate>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Report {
    /// Returns the number of parked records.
    pub fn parked(&self) -> u64 {
        self.collections
            .iter()
            .map(|collection| collection.parked.len() as u64)
            .sum()
    }

    /// Returns the contract's exit code: 0 agreed, 1 differences or parked records remain, 5 verification failed.
    pub fn exit_code(&self) -> u8 {
        let failed = |proof: &Certificate| proof.collections.iter().any(|c| c.wrong > 0);
        match &self.certificate {
            Some(certificate) if failed(certificate) => 5,
            _ if self.equal && self.parked() == 0 => 0,
            _ => 1,
        }
    }
}
