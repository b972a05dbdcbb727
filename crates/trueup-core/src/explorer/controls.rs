//! The negative controls: leave one step out, and the search must notice. Each names what it must find.

use super::model::{Class, Flaw, Protocol, Restore, Setting};
use super::search::{Report, Until, search};
use crate::policy::Policy;
use crate::side::Side;

/// Searches to the first violation.
fn caught(flaw: Flaw, setting: Setting) -> Report {
    let report = search(
        &mut Protocol::new(Setting { flaw, ..setting }),
        Until::Violation,
    );
    println!("{flaw:?}: {report:?}");
    report
}

#[test]
fn base_saved_after_apply() {
    let report = caught(Flaw::BaseAfterApply, Setting::new(Policy::Source));
    assert_ne!(report.returned, 0);
}

#[test]
fn conflict_logged_after_apply() {
    let report = caught(Flaw::LogAfterApply, Setting::new(Policy::Source));
    assert_ne!(report.lost, 0);
}

#[test]
fn no_compare_and_set() {
    let report = caught(Flaw::NoCompareAndSet, Setting::new(Policy::Source));
    assert_ne!(report.lost, 0);
}

#[test]
fn base_read_again_after_apply() {
    let report = caught(Flaw::BaseReread, Setting::new(Policy::Source));
    assert_ne!(report.lost, 0);
}

#[test]
fn values_compared_only() {
    let report = caught(Flaw::ValuesOnly, Setting::new(Policy::Source));
    assert_ne!(report.returned, 0);
}

#[test]
fn newest_wins_without_base() {
    let report = caught(Flaw::NewestWithoutBase, Setting::new(Policy::Newest));
    assert_ne!(report.lost, 0);
}

fn two_engines() -> Setting {
    Setting {
        engines: 2,
        writes: 2,
        crashes: 0,
        ..Setting::new(Policy::Source)
    }
}

#[test]
fn two_engines_without_epoch() {
    let report = caught(Flaw::NoEpoch, two_engines());
    assert_ne!(report.violations(), 0);
}

#[test]
fn epoch_checked_by_a_plain_read() {
    let report = caught(Flaw::EpochPlainRead, two_engines());
    assert_ne!(report.violations(), 0);
}

#[test]
fn stale_list_overwritten() {
    let report = caught(Flaw::StaleOverwritten, Setting::new(Policy::Source));
    assert_ne!(report.lost, 0);
}

#[test]
fn marker_without_incarnation() {
    let setting = Setting {
        restore: Restore::State,
        ..Setting::new(Policy::Source)
    };
    let report = caught(Flaw::NoIncarnation, setting);
    assert_ne!(report.lost, 0);
}

#[test]
fn merged_value_written_to_both_sides_at_once() {
    let setting = Setting {
        ..Setting::new(Policy::Merge)
    };
    let report = caught(Flaw::BothAtOnce, setting);
    assert_ne!(report.violations(), 0);
}

#[test]
fn filter_leaving_treated_as_delete() {
    let setting = Setting {
        filter: true,
        ..Setting::new(Policy::Source)
    };
    let report = caught(Flaw::FilterAsDelete, setting);
    assert_ne!(report.lost, 0);
}

#[test]
fn a_store_put_back_to_before_it_was_read() {
    let setting = Setting {
        restore: Restore::Store(Side::Target),
        ..Setting::new(Policy::Source)
    };
    let report = caught(Flaw::NoSeal, setting);
    assert_ne!(report.lost, 0);
}

#[test]
fn versions_that_do_not_tell_one_absence_from_another() {
    let setting = Setting {
        class: Class::Versioned,
        ..Setting::new(Policy::Source)
    };
    let report = caught(Flaw::AbsentHasNoVersion, setting);
    assert_ne!(report.returned, 0);
}
