//! The protocol as designed: nothing is lost, nothing returns, nothing is called a conflict that is none.
//!
//! The floors under the numbers of states add up to more than five million: a model that has shrunk by mistake proves
//! nothing.

use super::model::{Class, Protocol, Restore, Setting};
use super::search::{Until, search};
use crate::policy::{OnDelete, Policy};
use crate::side::{Side, Sides};

const VERSIONED: Sides<Class> = Sides {
    source: Class::Versioned,
    target: Class::Versioned,
};

/// Explores all of `setting`; returns how many states there are.
#[expect(
    clippy::print_stdout,
    reason = "the counts are what a person wants to see"
)]
fn explore(setting: Setting) -> usize {
    let report = search(&mut Protocol::new(setting), Until::Everything);
    println!("{setting:?}: {report:?}");
    assert_eq!(report.violations(), 0, "{setting:?}: {report:#?}");
    // One pass carries out a decision, a merged record's second write included.
    assert!(report.passes <= 2, "{setting:?}: {report:#?}");
    assert_ne!(report.conflicts, 0, "{setting:?}: {report:#?}");
    report.states
}

#[test]
fn every_policy() {
    let states: usize = [OnDelete::Keep, OnDelete::Wins]
        .into_iter()
        .flat_map(|on_delete| Policy::ALL.map(|policy| (policy, on_delete)))
        // Counters have a model of their own; an expression is answered as a merge is.
        .filter(|(policy, _)| !matches!(policy, Policy::Counter | Policy::Expression))
        .map(|(policy, on_delete)| {
            explore(Setting {
                on_delete,
                ..Setting::new(policy)
            })
        })
        .sum();
    assert!(states > 1_400_000, "{states}");
}

#[test]
fn a_policy_for_each_field_and_the_target_written_first() {
    let states = explore(Setting {
        first: Side::Target,
        second: Some(Policy::Target),
        ..Setting::new(Policy::Source)
    });
    assert!(states > 70_000, "{states}");
}

#[test]
fn four_writes_and_two_crashes() {
    let states = explore(Setting {
        writes: 4,
        crashes: 2,
        ..Setting::new(Policy::Merge)
    });
    assert!(states > 2_000_000, "{states}");
}

#[test]
fn versioned_stores() {
    let states: usize = [Policy::Source, Policy::Merge, Policy::Manual]
        .map(|policy| {
            explore(Setting {
                class: VERSIONED,
                ..Setting::new(policy)
            })
        })
        .iter()
        .sum();
    assert!(states > 400_000, "{states}");
}

#[test]
fn one_store_of_each_class() {
    for class in [
        Sides::new(Class::Transactional, Class::Versioned),
        Sides::new(Class::Versioned, Class::Transactional),
    ] {
        let states = explore(Setting {
            class,
            ..Setting::new(Policy::Merge)
        });
        assert!(states > 60_000, "{states}");
    }
}

#[test]
fn records_that_leave_the_filter() {
    let states = explore(Setting {
        filter: true,
        ..Setting::new(Policy::Source)
    });
    assert!(states > 90_000, "{states}");
}

#[test]
fn a_state_store_that_is_put_back_or_lost() {
    for (class, crashes) in [(Setting::new(Policy::Source).class, 1), (VERSIONED, 0)] {
        let states = explore(Setting {
            class,
            crashes,
            restore: Restore::State,
            writes: 2,
            ..Setting::new(Policy::Source)
        });
        assert!(states > 200_000, "{states}");
    }
}

#[test]
fn a_store_that_is_put_back() {
    let transactional = Setting::new(Policy::Source).class;
    for (class, crashes, side) in [
        (transactional, 0, Side::Source),
        (transactional, 1, Side::Target),
        (VERSIONED, 0, Side::Target),
    ] {
        let states = explore(Setting {
            class,
            crashes,
            restore: Restore::Store(side),
            writes: 2,
            ..Setting::new(Policy::Source)
        });
        assert!(states > 100_000, "{states}");
    }
}

#[test]
fn two_engines_at_once() {
    let states = explore(Setting {
        engines: 2,
        runs: 3,
        writes: 2,
        crashes: 0,
        ..Setting::new(Policy::Source)
    });
    assert!(states > 300_000, "{states}");
}
