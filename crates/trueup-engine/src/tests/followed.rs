//! Following the log of a world in memory into another one, whatever breaks.

use super::*;
use crate::follow::{Followed, follow};
use proptest::prelude::*;
use std::cell::Cell;
use trueup_core::error::{Error, Kind};
use trueup_testkit::faults::Step;

/// What ends a log that has nothing more to tell.
fn ended(result: Result<Followed>) -> Result<()> {
    match result {
        Err(error) if error.kind() == Kind::Interrupted => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::bug("nobody asked it to stop")),
    }
}

impl Pair {
    /// Follows until the log has nothing more to tell, and returns how often the sides were compared.
    fn follow(&self) -> Result<u32> {
        self.source_faults.end_when_idle();
        let compared = Cell::new(0);
        let mut copied = |_: &Report| {
            compared.set(compared.get() + 1);
            Ok(())
        };
        let followed = follow(
            &mut self.link(),
            &mut self.store(),
            &self.stage.world(),
            &mut copied,
        );
        ended(followed).map(|()| compared.get())
    }

    fn following() -> Self {
        let mut pair = Self::planes(&fleet(1, 6), &[]);
        pair.mode.delete = true;
        pair
    }

    fn assert_followed(&self) {
        assert_eq!(self.follow().unwrap(), 0);
        self.assert_same("planes");
    }
}

fn plane(id: i64, model: &str) -> Vec<Owned> {
    vec![id.into(), model.into()]
}

/// Puts a plane into the source, whether there is one with its number or not.
fn put(pair: &Pair, id: i64, model: &str) {
    pair.source.insert("planes", &plane(id, model));
}

#[test]
fn what_changes_after_the_copy_is_written_and_nothing_is_copied_again() {
    let pair = Pair::following();
    assert_eq!(pair.follow().unwrap(), 1);
    pair.assert_same("planes");
    let before = pair.target.log().len();
    put(&pair, 9, "new");
    put(&pair, 2, "changed");
    pair.source.delete("planes", &[3.into()]);
    pair.assert_followed();
    assert_eq!(pair.written(before).len(), 3);
    // And again: nothing is written twice.
    let before = pair.target.log().len();
    let told = pair.source_faults.called(Step::Told);
    pair.assert_followed();
    assert_eq!(pair.written(before).len(), 0);
    // Nor told twice: the marker says what is there.
    let told = pair.source_faults.called(Step::Told) - told;
    assert_eq!(told, trueup_testkit::faults::IDLE_CALLS);
    assert_eq!(pair.source.acknowledged(), pair.source.position());
}

#[test]
fn records_stay_where_deletes_are_not_asked_for() {
    let mut pair = Pair::following();
    pair.mode.delete = false;
    pair.follow().unwrap();
    pair.source.delete("planes", &[3.into()]);
    put(&pair, 2, "changed");
    pair.follow().unwrap();
    assert!(pair.target.record("planes", &[3.into()]).is_some());
    assert_eq!(
        pair.target.record("planes", &[2.into()]),
        Some(plane(2, "changed"))
    );
}

/// The step at which everything breaks once.
#[test]
fn whatever_breaks_it_goes_on_where_the_marker_says() {
    let steps = [
        Step::Follow,
        Step::Told,
        Step::Transaction,
        Step::Write,
        Step::Commit,
        Step::Committed,
        Step::Writer,
        Step::Marker,
    ];
    for step in steps {
        for source in [true, false] {
            let pair = Pair::following();
            pair.follow().unwrap();
            for id in 1..5 {
                put(&pair, id, "changed");
            }
            let faults = if source {
                &pair.source_faults
            } else {
                &pair.target_faults
            };
            faults.fail(step, 2);
            assert_eq!(pair.follow().unwrap(), 0, "{step:?}");
            pair.assert_same("planes");
            let before = pair.target.log().len();
            pair.assert_followed();
            assert_eq!(pair.written(before).len(), 0, "{step:?}");
        }
    }
}

#[test]
fn a_lost_log_is_repaired_by_comparing() {
    let pair = Pair::following();
    pair.follow().unwrap();
    put(&pair, 1, "unheard");
    pair.source.delete("planes", &[2.into()]);
    pair.source.forget_log();
    let before = pair.target.log().len();
    assert_eq!(pair.follow().unwrap(), 1);
    pair.assert_same("planes");
    assert_eq!(
        pair.written(before).len(),
        2,
        "only what differs is written"
    );
}

#[test]
fn a_restored_side_is_repaired_by_comparing() {
    for source in [true, false] {
        let pair = Pair::following();
        pair.follow().unwrap();
        let side = if source { &pair.source } else { &pair.target };
        let backup = side.backup();
        for id in 1..4 {
            put(&pair, id, "later");
        }
        pair.follow().unwrap();
        side.restore(&backup);
        if !source {
            // Nobody keeps what was said to be durable.
            pair.source.forget_log();
        }
        assert_eq!(pair.follow().unwrap(), 1, "source={source}");
        pair.assert_same("planes");
    }
}

#[test]
fn a_target_written_under_another_state_file_is_compared() {
    let mut pair = Pair::following();
    pair.follow().unwrap();
    put(&pair, 1, "unheard");
    pair.state = "another";
    assert_eq!(pair.follow().unwrap(), 1);
    pair.assert_same("planes");
    pair.state = "state";
    put(&pair, 2, "unheard");
    assert_eq!(pair.follow().unwrap(), 1);
    pair.assert_same("planes");
}

#[test]
fn a_collection_with_another_shape_is_compared_again() {
    let pair = Pair::following();
    pair.follow().unwrap();
    put(&pair, 1, "before");
    let wider = schema("planes")
        .int("id")
        .text("model")
        .text("seats")
        .key(["id"])
        .build();
    pair.source.reshape(&wider);
    let refused = pair.follow().unwrap_err();
    assert_eq!(refused.kind(), Kind::Config, "{refused}");
    pair.target.reshape(&wider);
    let record = [plane(2, "after"), vec!["180".into()]].concat();
    pair.source.insert("planes", &record);
    pair.follow().unwrap();
    pair.assert_same("planes");
}

#[test]
fn a_refused_record_is_parked_and_the_rest_flows() {
    let pair = Pair::following();
    pair.follow().unwrap();
    pair.target_faults.refuse_key("planes", &[2.into()]);
    put(&pair, 2, "poison");
    put(&pair, 3, "fine");
    pair.follow().unwrap();
    assert_eq!(
        pair.target.record("planes", &[3.into()]),
        Some(plane(3, "fine"))
    );
    let parked = pair.store().parked(&pair.id(), "planes").unwrap();
    assert_eq!(parked.len(), 1);
    pair.target_faults.accept_all();
    put(&pair, 2, "mended");
    pair.assert_followed();
    assert_eq!(pair.store().parked(&pair.id(), "planes").unwrap(), []);
}

/// Planes with two more fields, told in part where they did not change.
fn told_in_part() -> Pair {
    let mut pair = Pair::following();
    let wide = schema("planes")
        .int("id")
        .text("model")
        .text("big")
        .key(["id"])
        .build();
    (pair.source, pair.target) = (Memory::new("source"), Memory::new("target"));
    pair.source.create(wide.clone());
    pair.target.create(wide);
    for id in 1..4 {
        pair.source.insert("planes", &wide_plane(id, "old", "old"));
    }
    pair.source.tell_in_part();
    pair.follow().unwrap();
    pair
}

fn wide_plane(id: i64, model: &str, big: &str) -> Vec<Owned> {
    vec![id.into(), model.into(), big.into()]
}

#[test]
fn a_part_of_a_record_is_not_written_over_a_version_that_is_parked() {
    for together in [true, false] {
        let pair = told_in_part();
        pair.target_faults.refuse_key("planes", &[2.into()]);
        pair.source
            .insert("planes", &wide_plane(2, "newer", "newer"));
        if !together {
            pair.follow().unwrap();
            pair.target_faults.accept_all();
        }
        pair.source
            .insert("planes", &wide_plane(2, "newest", "newer"));
        pair.follow().unwrap();
        pair.target_faults.accept_all();
        let parked = || pair.store().parked(&pair.id(), "planes").unwrap().len();
        assert_eq!(parked(), 1, "together={together}");
        let standing = pair.target.record("planes", &[2.into()]);
        assert_eq!(standing, Some(wide_plane(2, "old", "old")));
        pair.source
            .insert("planes", &wide_plane(2, "whole", "whole"));
        pair.assert_followed();
        assert_eq!(parked(), 0);
    }
}

#[test]
fn another_meaning_of_the_link_is_compared() {
    let mut pair = Pair::following();
    pair.mode.delete = false;
    pair.follow().unwrap();
    pair.source.delete("planes", &[3.into()]);
    pair.follow().unwrap();
    assert!(pair.target.record("planes", &[3.into()]).is_some());
    pair.mode.delete = true;
    assert_eq!(pair.follow().unwrap(), 1);
    pair.assert_same("planes");
}

/// What the source does while it is followed.
#[derive(Clone, Debug)]
enum Act {
    Put(i64, u8),
    Delete(i64),
    Rekey(i64, i64),
    Break(Step),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let steps = prop::sample::select(vec![Step::Told, Step::Write, Step::Commit, Step::Committed]);
    let act = prop_oneof![
        4 => (1i64..6, any::<u8>()).prop_map(|(id, value)| Act::Put(id, value)),
        2 => (1i64..6).prop_map(Act::Delete),
        2 => (1i64..6, 1i64..6).prop_map(|(from, to)| Act::Rekey(from, to)),
        1 => steps.prop_map(Act::Break),
    ];
    proptest::collection::vec(act, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_sides_agree_whatever_happened(acts in acts(), in_part in any::<bool>(), cut in 1usize..4) {
        let mut pair = Pair::following();
        let wide = schema("planes").int("id").text("model").text("big").key(["id"]).build();
        pair.source = Memory::new("source");
        pair.target = Memory::new("target");
        pair.source.create(wide.clone());
        pair.target.create(wide);
        pair.stage.limits.batch_records_max = cut;
        if in_part {
            pair.source.tell_in_part();
        }
        pair.follow().unwrap();
        for act in acts {
            match act {
                Act::Put(id, value) => {
                    let big = pair.source.record("planes", &[id.into()]).map(|record| record[2].clone());
                    let big = big.unwrap_or_else(|| format!("big {id}").as_str().into());
                    let record = vec![id.into(), value.to_string().as_str().into(), big];
                    pair.source.insert("planes", &record);
                }
                Act::Delete(id) => {
                    pair.source.delete("planes", &[id.into()]);
                }
                Act::Rekey(from, to) => {
                    if pair.source.record("planes", &[to.into()]).is_none() {
                        pair.source.update("planes", &[from.into()], &[("id", to.into())]);
                    }
                }
                Act::Break(step) => {
                    let faults = if step == Step::Told { &pair.source_faults } else { &pair.target_faults };
                    faults.fail(step, 1);
                    prop_assert_eq!(pair.follow().unwrap(), 0);
                }
            }
        }
        prop_assert_eq!(pair.follow().unwrap(), 0);
        prop_assert_eq!(pair.source.records("planes"), pair.target.records("planes"));
    }
}
