//! The certificate: what was proven, about which data, by what means.
//!
//! Verify issues it at the end of a run; it is printed, and kept in the history. It holds counts, digests, positions
//! and type rules, and no record's value. It is not signed: it proves something to who trusts the machine it was
//! issued on.

mod codec;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use codec::{count, digest_from, fold, list, text, texts};
use trueup_core::digest::Fold;

/// One side of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideProof {
    /// The endpoint's address, without secrets.
    pub address: String,
    /// Where in its history it was read.
    pub position: String,
}

/// What was proven of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionProof {
    /// The source's name for it.
    pub source: String,
    /// The target's name for it.
    pub target: String,
    /// Count and digest of the source's records.
    pub source_fold: Fold,
    /// Count and digest of the target's records.
    pub target_fold: Fold,
    /// Records that only the target has.
    pub only_target: u64,
    /// Records that only the source has, or that differ: 0 in a clean proof.
    pub wrong: u64,
    /// Source records left out because they are parked.
    pub parked: u64,
    /// Keys left out because they are in open conflict; counted here and not as parked.
    pub open: u64,
    /// How the servers hashed the records, where the proof rests on that. The folds' sums are then the sums of these hashes,
    /// not of digests.
    pub hashed: Option<String>,
    /// The type rules in force: `field: source type -> target type (exact)`.
    pub rules: Vec<String>,
}

/// Proof that two endpoints hold the same data, or what they lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The link.
    pub link: String,
    /// When it was issued, in milliseconds since 1970 UTC.
    pub issued_ms: i64,
    /// The version of trueup that issued it.
    pub version: String,
    /// The digest algorithm ([`trueup_core::digest::ALGORITHM`]).
    pub algorithm: String,
    /// The source.
    pub source: SideProof,
    /// The target.
    pub target: SideProof,
    /// Per collection.
    pub collections: Vec<CollectionProof>,
    /// What the reader should know: a lower class, a restored target, a field left out.
    pub notes: Vec<String>,
}

impl Certificate {
    /// Tells whether every collection was found as the run's mode wants it.
    pub fn is_clean(&self) -> bool {
        self.collections
            .iter()
            .all(|proof| proof.wrong == 0 && proof.parked == 0 && proof.open == 0)
    }
}
