//! The protocol as designed: nothing is lost, nothing returns, nothing is called a conflict that is none.

use super::model::{Class, Protocol, Restore, Setting};
use super::search::{Report, Until, search};
use crate::policy::{OnDelete, Policy};
use crate::side::{Side, Sides};

const VERSIONED: Sides<Class> = Sides {
    source: Class::Versioned,
    target: Class::Versioned,
};

#[expect(
    clippy::print_stdout,
    reason = "the counts are what a person wants to see"
)]
fn explore(name: &str, setting: Setting) -> Report {
    let report = search(&mut Protocol::new(setting), Until::Everything);
    println!("{name}: {report:?}");
    assert_eq!(report.violations(), 0, "{name}: {report:#?}");
    report
}

#[test]
fn every_policy() {
    for policy in Policy::ALL {
        if policy == Policy::Counter || policy == Policy::Expression {
            continue;
        }
        for on_delete in [OnDelete::Keep, OnDelete::Wins] {
            explore(
                &format!("{policy} {on_delete}"),
                Setting {
                    on_delete,
                    ..Setting::new(policy)
                },
            );
        }
    }
}

#[test]
fn versioned() {
    for policy in [Policy::Source, Policy::Merge, Policy::Manual] {
        explore(
            &format!("versioned {policy}"),
            Setting {
                class: VERSIONED,
                ..Setting::new(policy)
            },
        );
    }
}
#[test]
fn deep() {
    explore(
        "deep T",
        Setting {
            writes: 4,
            crashes: 2,
            ..Setting::new(Policy::Merge)
        },
    );
    explore(
        "deep V",
        Setting {
            class: VERSIONED,
            writes: 4,
            crashes: 2,
            ..Setting::new(Policy::Merge)
        },
    );
}
#[test]
fn filtered() {
    explore(
        "filter",
        Setting {
            filter: true,
            ..Setting::new(Policy::Source)
        },
    );
}
#[test]
fn state_put_back() {
    explore(
        "state",
        Setting {
            restore: Restore::State,
            writes: 2,
            ..Setting::new(Policy::Source)
        },
    );
}
#[test]
fn store_put_back() {
    explore(
        "store",
        Setting {
            restore: Restore::Store(Side::Source),
            writes: 2,
            ..Setting::new(Policy::Source)
        },
    );
    explore(
        "store",
        Setting {
            restore: Restore::Store(Side::Target),
            writes: 2,
            ..Setting::new(Policy::Source)
        },
    );
}
#[test]
fn two_engines() {
    explore(
        "two engines",
        Setting {
            engines: 2,
            runs: 3,
            writes: 2,
            crashes: 0,
            ..Setting::new(Policy::Source)
        },
    );
}

#[test]
fn mixed() {
    explore(
        "T to V",
        Setting {
            class: Sides::new(Class::Transactional, Class::Versioned),
            ..Setting::new(Policy::Merge)
        },
    );
    explore(
        "V to T",
        Setting {
            class: Sides::new(Class::Versioned, Class::Transactional),
            ..Setting::new(Policy::Source)
        },
    );
}
#[test]
fn target_first() {
    explore(
        "target first",
        Setting {
            first: Side::Target,
            second: Some(Policy::Target),
            ..Setting::new(Policy::Source)
        },
    );
}
#[test]
fn versioned_state() {
    explore(
        "V state",
        Setting {
            class: VERSIONED,
            restore: Restore::State,
            writes: 2,
            ..Setting::new(Policy::Source)
        },
    );
    explore(
        "V store",
        Setting {
            class: VERSIONED,
            restore: Restore::Store(Side::Target),
            writes: 2,
            ..Setting::new(Policy::Source)
        },
    );
}
