use super::{Fixture, Report, attempt, cases, run};
use crate::memory::{Hashed, Memory, Sabotage};
use trueup_core::endpoint::Endpoint;
use trueup_core::types::Type;

struct InMemory {
    memory: Memory,
    sabotage: Sabotage,
    hashed: Hashed,
}

impl InMemory {
    fn new(sabotage: Sabotage) -> Self {
        Self {
            memory: Memory::new("conformance"),
            sabotage,
            hashed: Hashed::Honest,
        }
    }
}

impl Fixture for InMemory {
    fn name(&self) -> &str {
        "memory"
    }

    fn reset(&mut self) {
        self.memory = Memory::new("conformance");
        self.memory.sabotage(self.sabotage);
        self.memory.hash_like(self.hashed);
    }

    fn open(&mut self) -> Box<dyn Endpoint> {
        self.memory.boxed()
    }

    fn holds(&self, _ty: Type) -> bool {
        true
    }

    fn hashes(&self) -> bool {
        true
    }

    fn canary(&self) -> Option<&str> {
        Some("no such secret")
    }
}

fn failed(report: &Report) -> Vec<&'static str> {
    report.failed.iter().map(|(name, _)| *name).collect()
}

#[test]
fn memory_passes_every_case() {
    let report = run(&mut InMemory::new(Sabotage::default()));
    assert_eq!(report.passed.len(), cases().len(), "{report}");
}

#[test]
fn names_of_cases_are_unique() {
    let mut names: Vec<_> = cases().iter().map(|case| case.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn suite_notices_a_missing_marker() {
    let sabotage = Sabotage {
        no_marker: true,
        ..Sabotage::default()
    };
    let report = attempt(&mut InMemory::new(sabotage));
    let expected = [
        "every record rejected still is a batch",
        "marker comes back exactly",
        "marker per partition and link",
        "empty batch writes its marker",
        "marker survives the connection",
        "marker stored alone is read by the next claim",
        "marker stored alone touches no other",
        "fenced writer marks nothing",
        "second claim fences the first",
        "marker holds the rejected writes too",
        "marker holds the stale list",
        "marker of a bag says what was refused",
        "writers of one epoch write side by side",
    ];
    assert_eq!(failed(&report), expected);
}

#[test]
fn suite_notices_a_missing_epoch_check() {
    let sabotage = Sabotage {
        no_epoch_check: true,
        ..Sabotage::default()
    };
    let report = attempt(&mut InMemory::new(sabotage));
    assert_eq!(
        failed(&report),
        [
            "fenced writer marks nothing",
            "second claim fences the first",
            "fenced writer creates nothing",
            "a claim fences every writer of an epoch",
        ]
    );
}

#[test]
fn suite_notices_a_missing_condition() {
    let sabotage = Sabotage {
        no_check: true,
        ..Sabotage::default()
    };
    let report = attempt(&mut InMemory::new(sabotage));
    let expected = [
        "stale writes are left out",
        "marker holds the rejected writes too",
        "marker holds the stale list",
        "condition sees what a scan delivers",
        "conditional writes with fields in any order",
    ];
    assert_eq!(failed(&report), expected);
}

#[test]
fn suite_notices_weak_hashes() {
    let failed_with = |hashed| {
        let mut fixture = InMemory::new(Sabotage::default());
        fixture.hashed = hashed;
        failed(&attempt(&mut fixture))
    };
    let (apart, who) = (
        "hashes tell values apart",
        "hashes tell who has which value",
    );
    assert_eq!(failed_with(Hashed::KeysOnly), [apart, who]);
    assert_eq!(failed_with(Hashed::Sums), [who]);
}
