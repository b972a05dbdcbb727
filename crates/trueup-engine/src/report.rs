//! What a run did, for people, scripts and the history.

use crate::apply::Written;
use crate::certificate::Certificate;
use crate::compare::{Compared, Hashed};
use crate::link::Link;
use crate::selection::Selected;
use crate::sieve::{Hidden, filtered};
use crate::structure::StructureReport;
use trueup_core::Kind;
use trueup_core::digest::Fold;
use trueup_core::endpoint::{About, Class};
use trueup_core::park::Parked;
use trueup_core::plan::Counts;
use trueup_core::schema::Schema;

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
    /// Records inserted, on both sides together (by `diff`: none).
    pub inserted: u64,
    /// Records updated, on both sides together.
    pub updated: u64,
    /// Records deleted, on both sides together.
    pub deleted: u64,
    /// Of these, what was written to the source; nothing, unless the link goes both ways.
    pub to_source: Counts,
    /// Of these, what was written to the target.
    pub to_target: Counts,
    /// Conflicts that this run met, decided and open ones.
    pub conflicts: u64,
    /// Conflicts that nobody has decided yet.
    pub open_conflicts: u64,
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
    /// What hashes said, where records were compared by them.
    pub hashed: Option<Hashed>,
    /// How many records of each side were counted without being read. Where it is not 0, the folds' sums say nothing.
    pub unread: u64,
    /// What was chosen of the plan, where a run did not carry out all of it.
    pub selected: Option<Selected>,
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
    /// What was built around the records of collections that were created, or is to be built.
    pub structure: Option<StructureReport>,
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

    /// Returns the number of steps of a construction that the target refused.
    pub fn unbuilt(&self) -> u64 {
        let structure = self.structure.as_ref();
        structure.map_or(0, |structure| structure.refused.len() as u64)
    }

    /// Returns the number of conflicts that nobody has decided yet.
    pub fn open_conflicts(&self) -> u64 {
        self.collections.iter().map(|one| one.open_conflicts).sum()
    }

    /// Returns the number of differences that were left because they were not chosen, or changed since they were.
    pub fn stayed(&self) -> u64 {
        let selected = self
            .collections
            .iter()
            .filter_map(|one| one.selected.as_ref());
        selected.map(Selected::stayed).sum()
    }

    /// Returns the contract's exit code: 0 agreed, 1 differences, open conflicts, parked records or unbuilt indexes and
    /// constraints remain, 5
    /// verification failed.
    pub fn exit_code(&self) -> u8 {
        let failed = |proof: &Certificate| proof.collections.iter().any(|c| c.wrong > 0);
        match &self.certificate {
            Some(certificate) if failed(certificate) => 5,
            _ if self.equal && self.parked() + self.open_conflicts() + self.unbuilt() == 0 => 0,
            _ => 1,
        }
    }
}

/// Sums up what was compared and, where it was, written. Nothing is proven yet.
pub(crate) fn report(link: &Link, compared: &[Compared], written: Option<&[Written]>) -> Report {
    let target = link.target.about();
    let mut notes = [link.source.about().notes, target.notes.clone()].concat();
    if target.class == Class::Blind {
        notes.push("target is of class B: batches carry no marker there".to_owned());
    }
    let collections = compared.iter().enumerate();
    let collections = collections
        .map(|(index, one)| {
            one.report(
                written.and_then(|written| written.get(index)),
                link.mode.delete,
            )
        })
        .collect();
    Report {
        link: link.name(),
        collections,
        notes,
        ..Report::default()
    }
}

/// Says what a collection that is created does not get of what its source has, where a source can have it.
pub(crate) fn not_created(source: &About, target: &About, created: bool) -> Option<String> {
    let databases = source.capabilities.typed && target.capabilities.typed;
    let note = "what is created has the source's fields, key and unique constraints; its foreign keys, other indexes and \
                defaults are not created";
    (created && databases).then(|| note.to_owned())
}

/// Says which other records go or change with those that are deleted from a collection.
pub(crate) fn cascading(target: &Schema) -> Option<String> {
    if target.cascades.is_empty() {
        return None;
    }
    Some(format!(
        "target: a record that is deleted takes others with it, or changes them, by foreign keys of: {}, and what refers to \
         those in turn (the plan does not list them for that, and the guard does not count them)",
        target.cascades.join(", ")
    ))
}

impl Compared {
    fn report(&self, written: Option<&Written>, delete: bool) -> CollectionReport {
        let counts = written.map(|written| written.counts).unwrap_or_default();
        let mut parked = self.parked.clone();
        parked.extend(
            written
                .into_iter()
                .flat_map(|written| written.parked.iter().cloned()),
        );
        let mut notes = self.collection.mapping.notes().to_vec();
        if self.collection.mapping.is_bag() {
            notes.push("compared as a bag: no key, equal records are counted".to_owned());
        }
        if self.held_back > 0 {
            notes.push(format!(
                "deletes held back count={}: a record of the source does not fit, and in a bag it may equal any of them",
                self.held_back
            ));
        }
        if delete && self.plan.counts.deletes > 0 {
            notes.extend(cascading(&self.collection.target));
        }
        // What is only planned to be loaded has not been read yet.
        notes.extend(self.hashed.as_ref().map(Hashed::note));
        let load = self.plan.load.as_ref();
        let read = written.is_some() || load.is_none_or(|load| load.records.is_some());
        let filter = self.collection.mapping.filter();
        let hidden = match &self.sieve {
            Some(part) => Hidden::HeldBack(part.clone()),
            None if read => Hidden::Counted(self.hidden),
            None => Hidden::Unread,
        };
        notes.extend(filter.map(|filter| filtered(filter, &hidden)));
        notes.extend(
            self.collection
                .target
                .notes
                .iter()
                .map(|note| format!("target: {note}")),
        );
        notes.extend(
            self.collection
                .source
                .notes
                .iter()
                .map(|note| format!("source: {note}")),
        );
        // A sum of some records' digests is no digest of the collection.
        let whole = |fold: Fold| match self.totals.unread {
            0 => fold,
            _ => Fold { sum: 0, ..fold },
        };
        CollectionReport {
            source: self.plan.source.clone(),
            target: self.plan.target.clone(),
            source_fold: whole(self.totals.source),
            target_fold: whole(self.totals.target),
            inserted: counts.inserts,
            updated: counts.updates,
            deleted: counts.deletes,
            to_target: counts,
            unchanged: self.differences.same,
            only_source: self.differences.only_source,
            only_target: self.differences.only_target,
            changed: self.differences.changed,
            parked,
            selected: self.selected.clone(),
            hashed: self.hashed.clone(),
            unread: self.totals.unread,
            notes,
            ..CollectionReport::default()
        }
    }
}

/// Maps an error's kind to the contract's exit code.
pub fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Config => 2,
        Kind::Auth
        | Kind::Unavailable
        | Kind::Throttled
        | Kind::Stale
        | Kind::Rejected
        | Kind::Corrupt
        | Kind::Interrupted => 3,
        Kind::Guard => 4,
        Kind::Bug => 5,
    }
}
