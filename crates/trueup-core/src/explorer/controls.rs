//! The negative controls: leave one step out, and the search must notice. Each names what it must find.

use super::model::{Class, Flaw, Protocol, Restore, Setting};
use super::search::{Until, Verdict, search};
use crate::policy::Policy;
use crate::side::{Side, Sides};

/// Searches, with one outside write, two, and so on, until `wanted` is found.
#[expect(
    clippy::print_stdout,
    reason = "the shortest case is what a person wants to see"
)]
fn caught(flaw: Flaw, setting: Setting, wanted: fn(&Verdict) -> bool) {
    for writes in 1..=setting.writes {
        let setting = Setting {
            flaw,
            writes,
            ..setting
        };
        let report = search(&mut Protocol::new(setting), Until::Found(wanted));
        if let Some(trace) = report.trace {
            let states = report.states;
            return println!("{flaw:?}: writes={writes} states={states} {trace}");
        }
    }
    panic!("{flaw:?} was not noticed");
}

fn lost(verdict: &Verdict) -> bool {
    verdict.lost
}

fn returned(verdict: &Verdict) -> bool {
    verdict.returned
}

fn wrong(verdict: &Verdict) -> bool {
    verdict.lost || verdict.returned || verdict.false_conflict
}

#[test]
fn base_saved_after_apply() {
    caught(Flaw::BaseAfterApply, Setting::new(Policy::Source), returned);
}

#[test]
fn conflict_logged_after_apply() {
    caught(Flaw::LogAfterApply, Setting::new(Policy::Source), lost);
}

#[test]
fn no_compare_and_set() {
    caught(Flaw::NoCompareAndSet, Setting::new(Policy::Source), lost);
}

#[test]
fn base_read_again_after_apply() {
    caught(Flaw::BaseReread, Setting::new(Policy::Source), lost);
}

#[test]
fn values_compared_only() {
    caught(Flaw::ValuesOnly, Setting::new(Policy::Source), returned);
}

#[test]
fn newest_wins_without_base() {
    caught(Flaw::NewestWithoutBase, Setting::new(Policy::Newest), lost);
}

fn two_engines() -> Setting {
    Setting {
        engines: 2,
        runs: 3,
        writes: 2,
        crashes: 0,
        ..Setting::new(Policy::Source)
    }
}

#[test]
fn two_engines_without_epoch() {
    caught(Flaw::NoEpoch, two_engines(), lost);
}

#[test]
fn epoch_checked_by_a_plain_read() {
    caught(Flaw::EpochPlainRead, two_engines(), wrong);
}

#[test]
fn stale_list_overwritten() {
    caught(Flaw::StaleOverwritten, Setting::new(Policy::Source), lost);
}

#[test]
fn marker_without_incarnation() {
    let setting = Setting {
        restore: Restore::State,
        ..Setting::new(Policy::Source)
    };
    caught(Flaw::NoIncarnation, setting, lost);
}

#[test]
fn merged_value_written_to_both_sides_at_once() {
    let setting = Setting {
        ..Setting::new(Policy::Merge)
    };
    caught(Flaw::BothAtOnce, setting, lost);
}

#[test]
fn filter_leaving_treated_as_delete() {
    let setting = Setting {
        filter: true,
        ..Setting::new(Policy::Source)
    };
    caught(Flaw::FilterAsDelete, setting, lost);
}

#[test]
fn a_store_put_back_to_before_it_was_read() {
    let setting = Setting {
        restore: Restore::Store(Side::Target),
        ..Setting::new(Policy::Source)
    };
    caught(Flaw::NoSeal, setting, lost);
}

#[test]
fn versions_that_do_not_tell_one_absence_from_another() {
    let setting = Setting {
        class: Sides::new(Class::Versioned, Class::Versioned),
        ..Setting::new(Policy::Source)
    };
    caught(Flaw::AbsentHasNoVersion, setting, returned);
}

#[test]
fn the_copy_made_with_the_second_write() {
    let setting = Setting::new(Policy::KeepBoth(Side::Source));
    caught(Flaw::CopyLast, setting, lost);
}

/// Not a flaw but a limit: a conditional write that is still under way when its engine is given up for dead cannot be
/// shut out, because no epoch is checked with it.
#[test]
fn versioned_stores_cannot_shut_out_a_second_engine() {
    let setting = Setting {
        class: Sides::new(Class::Versioned, Class::Versioned),
        ..two_engines()
    };
    caught(Flaw::None, setting, wrong);
}

#[test]
fn versioned_stores_without_the_batch_in_the_marker_before_the_write() {
    let setting = Setting {
        class: Sides::new(Class::Versioned, Class::Versioned),
        restore: Restore::State,
        writes: 2,
        ..Setting::new(Policy::Source)
    };
    caught(Flaw::NoMarkBefore, setting, returned);
}

#[test]
fn versioned_stores_without_word_in_the_marker_after_the_write() {
    let setting = Setting {
        class: Sides::new(Class::Versioned, Class::Versioned),
        restore: Restore::Store(Side::Target),
        writes: 2,
        ..Setting::new(Policy::Source)
    };
    caught(Flaw::NoMarkAfter, setting, lost);
}
