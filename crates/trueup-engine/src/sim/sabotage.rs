//! The simulator sees: with a protection taken away, it fails.

use super::case::Flaw;
use super::search;

/// How many seeds may pass before the lack of a protection shows.
const SEEDS_MAX: u64 = 2_000;

#[track_caller]
fn is_caught(flaw: Flaw) {
    let found = search(0..SEEDS_MAX, flaw, 1);
    assert!(!found.failed.is_empty(), "{flaw:?}: nobody noticed");
}

#[test]
fn missing_marker_is_caught() {
    is_caught(Flaw::Marker);
}

#[test]
fn missing_epoch_check_is_caught() {
    is_caught(Flaw::Epoch);
}

#[test]
fn missing_compare_and_set_is_caught() {
    is_caught(Flaw::Check);
}

#[test]
fn missing_list_of_stale_writes_is_caught() {
    is_caught(Flaw::StaleList);
}
