//! The journey under faults: every test drives the public `run`, `diff` and `plan` between two worlds in memory.
//!
//! Each run gets fresh endpoints and a freshly opened state file, as a new process would have them.

mod bags;
mod basics;
mod crash;
mod engines;
mod expressions;
mod followed;
mod guarded;
mod hashed;
mod limits;
mod listed;
mod planned;
mod reading;
mod refused;
mod restored;
mod several;
mod twisted;
mod two_way;
mod two_way_answers;
mod two_way_merge;
mod two_way_restored;
mod two_way_rules;
mod unknown;
mod verified;

use crate::link::{CollectionSpec, Comparison, Link, Mode};
use crate::report::{CollectionReport, Report};
use crate::run;
use crate::state::{LinkId, Store};
use crate::testing::Stage;
use crate::two_way::TwoWay;
use trueup_core::Result;
use trueup_core::endpoint::Endpoint;
use trueup_core::guard::Guard;
use trueup_core::plan::Form;
use trueup_core::schema::Schema;
use trueup_testkit::Owned;
use trueup_testkit::faults::Faults;
use trueup_testkit::memory::{Change, Memory};
use trueup_testkit::records::schema;

/// Two worlds, a script of faults for each, and what a run needs besides.
pub(super) struct Pair {
    pub(super) source: Memory,
    pub(super) target: Memory,
    pub(super) source_faults: Faults,
    pub(super) target_faults: Faults,
    pub(super) stage: Stage,
    pub(super) mode: Mode,
    pub(super) specs: Vec<CollectionSpec>,
    /// Set for a link that goes both ways.
    pub(super) two_way: Option<TwoWay>,
    /// The name of the state file, and the incarnation it gets when it is made.
    pub(super) state: &'static str,
}

/// The shape that most tests use.
pub(super) fn planes() -> Schema {
    schema("planes").int("id").text("model").key(["id"]).build()
}

impl Pair {
    /// Two worlds without collections.
    pub(super) fn new() -> Self {
        Self {
            source: Memory::new("source"),
            target: Memory::new("target"),
            source_faults: Faults::new(),
            target_faults: Faults::new(),
            stage: Stage::new(),
            mode: Mode {
                write: true,
                count_all: false,
                delete: false,
                verify: true,
                lift_guard: false,
                compare: Comparison::Auto,
            },
            specs: Vec::new(),
            two_way: None,
            state: "state",
        }
    }

    /// Planes on both sides with these records, two to a batch.
    pub(super) fn planes(source: &[Vec<Owned>], target: &[Vec<Owned>]) -> Self {
        let mut pair = Self::new();
        pair.source.create(planes());
        pair.target.create(planes());
        pair.source.insert_all("planes", source);
        pair.target.insert_all("planes", target);
        pair.stage.limits.batch_records_max = 2;
        pair
    }

    pub(super) fn link(&self) -> Link {
        let source = self.source_faults.wrap(self.source.boxed());
        self.link_of(source, self.target_faults.wrap(self.target.boxed()))
    }

    pub(super) fn link_of(&self, source: Box<dyn Endpoint>, target: Box<dyn Endpoint>) -> Link {
        Link {
            source,
            target,
            places: trueup_core::side::Sides::default(),
            collections: self.specs.clone(),
            mode: self.mode,
            guard: Guard::default(),
            two_way: self.two_way.clone(),
            said: None,
        }
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.stage.folder().join(self.state), self.state).unwrap()
    }

    pub(super) fn run(&self) -> Result<Report> {
        run::run(&mut self.link(), &mut self.store(), &self.stage.world())
    }

    pub(super) fn diff(&self) -> Result<Report> {
        run::diff(&mut self.link(), &self.stage.world())
    }

    pub(super) fn plan(&self) -> Result<(String, Report)> {
        let mut text = String::new();
        let mut out = |lines: &str| {
            text.push_str(lines);
            Ok(())
        };
        let report = run::plan(
            &mut self.link(),
            Some(&self.store()),
            &self.stage.world(),
            Form::Text,
            &mut out,
        )?;
        Ok((text, report))
    }

    pub(super) fn id(&self) -> LinkId {
        self.link().id()
    }

    /// The last batch the state file knows of.
    pub(super) fn batch(&self, partition: &str) -> u64 {
        self.store().batch(&self.id(), partition).unwrap()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.target.epoch(&self.id().durable)
    }

    /// What was written to the target behind `from`, an earlier length of its log.
    pub(super) fn written(&self, from: usize) -> Vec<Change> {
        self.target.log().split_off(from)
    }

    /// Asserts that both worlds hold the same records of `collection`.
    pub(super) fn assert_same(&self, collection: &str) {
        let (source, target) = (
            self.source.records(collection),
            self.target.records(collection),
        );
        assert_eq!(source, target, "collection={collection}");
    }

    /// Asserts that a run ends well, leaves both sides equal, and that the next one writes nothing.
    pub(super) fn assert_converges(&self) {
        let report = self.run().unwrap();
        assert_eq!(report.exit_code(), 0, "{report:?}");
        assert!(report.certificate.unwrap().is_clean());
        self.assert_same("planes");
        let before = (self.target.log(), self.epoch());
        assert_eq!(self.run().unwrap().exit_code(), 0);
        assert_eq!((self.target.log(), self.epoch()), before);
    }
}

/// Inserted, updated, deleted, unchanged, parked, only at the target.
pub(super) fn counts(report: &CollectionReport) -> [u64; 6] {
    [
        report.inserted,
        report.updated,
        report.deleted,
        report.unchanged,
        report.parked.len() as u64,
        report.only_target,
    ]
}

/// Planes `from..to`, whose model tells their number.
pub(super) fn fleet(from: i64, to: i64) -> Vec<Vec<Owned>> {
    (from..to)
        .map(|id| vec![id.into(), format!("model {id}").into()])
        .collect()
}
