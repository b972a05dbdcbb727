//! Collections without a key: equal records count, and no fault makes one more or one less of them.

use super::Pair;
use crate::link::CollectionSpec;
use std::collections::BTreeMap;
use trueup_core::Kind;
use trueup_core::mapping::Rules;
use trueup_testkit::faults::{Fault, Faults, Step, When};
use trueup_testkit::memory::Memory;
use trueup_testkit::records::{schema, sorted};
use trueup_testkit::{Owned, record};

/// Two worlds with lines, two records a batch, a sort that spills.
fn bags(source: &[Vec<Owned>], target: &[Vec<Owned>]) -> Pair {
    let lines = || schema("lines").text("line").int("count").build();
    let mut pair = Pair::new();
    pair.source.create(lines());
    pair.target.create(lines());
    pair.source.insert_all("lines", source);
    pair.target.insert_all("lines", target);
    pair.stage.limits.batch_records_max = 2;
    pair.stage.limits.sort_bytes_max = 200;
    pair.mode.lift_guard = true;
    pair.specs = vec![CollectionSpec {
        source: "lines".to_owned(),
        target: "lines".to_owned(),
        rules: Rules {
            bag: true,
            ..Rules::default()
        },
        ..CollectionSpec::default()
    }];
    pair
}

fn found(pair: &Pair) -> Vec<Vec<Owned>> {
    sorted(pair.target.records("lines"))
}

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn lines(&mut self) -> Vec<Vec<Owned>> {
        let kinds = [
            record!["a", 1],
            record!["a", 2],
            record![None::<i64>, 1],
            record!["b", None::<i64>],
        ];
        (0..self.below(9))
            .map(|_| kinds[self.below(4) as usize].clone())
            .collect()
    }
}

/// Counts naively what a run must leave: all of the source's, and, unless it deletes, what the target has beyond.
fn wanted(source: &[Vec<Owned>], target: &[Vec<Owned>], delete: bool) -> Vec<Vec<Owned>> {
    let mut wanted = source.to_vec();
    if !delete {
        let mut rest = source.to_vec();
        for record in target {
            match rest.iter().position(|one| one == record) {
                Some(at) => drop(rest.swap_remove(at)),
                None => wanted.push(record.clone()),
            }
        }
    }
    sorted(wanted)
}

#[test]
fn multisets_agree_whatever_is_lost() {
    for seed in 0..120 {
        let mut dice = Dice(seed);
        let (source, target) = (dice.lines(), dice.lines());
        let mut pair = bags(&source, &target);
        pair.mode.delete = dice.below(2) == 0;
        let fault = match dice.below(4) {
            0 => Some(Fault::FailBefore),
            1 => Some(Fault::FailAfterWrite),
            2 => Some(Fault::Late),
            _ => None,
        };
        if let Some(fault) = fault {
            pair.target_faults
                .plan(When::Batch(1 + dice.below(3)), fault);
            let script = pair.target_faults.clone();
            let at = [Step::Writer, Step::Marker, Step::Apply][dice.below(3) as usize];
            pair.target_faults.on_call(move |step| {
                if step == at {
                    drop(script.land());
                }
            });
        }
        let report = pair.run().unwrap();
        assert_eq!(report.exit_code(), 0, "seed={seed} {report:?}");
        let wanted = wanted(&source, &target, pair.mode.delete);
        assert_eq!(found(&pair), wanted, "seed={seed}");
        let before = pair.target.log().len();
        assert_eq!(pair.run().unwrap().exit_code(), 0, "seed={seed}");
        assert!(pair.written(before).is_empty(), "seed={seed}");
        let equal = pair.diff().unwrap().equal;
        assert_eq!(equal, wanted == sorted(source.clone()), "seed={seed}");
    }
}

#[test]
fn diff_counts_copies_and_knows_no_changed_record() {
    let source = [record!["a", 1], record!["a", 1], record!["b", 1]];
    let target = [record!["a", 1], record!["c", 1], record!["c", 1]];
    let report = bags(&source, &target).diff().unwrap();
    let one = &report.collections[0];
    let found = (one.only_source, one.only_target, one.changed, one.unchanged);
    assert_eq!(found, (2, 2, 0, 1));
}

#[test]
fn plan_shows_digests_and_copies_and_no_value() {
    let secret = record!["a secret", 1];
    let pair = bags(
        &[secret.clone(), secret.clone(), secret],
        &[record!["b", 1]],
    );
    let (text, _) = pair.plan().unwrap();
    assert!(text.contains(" copies=3\n"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn commit_of_a_killed_run_does_not_land_between_compare_and_claim() {
    let source = vec![record!["a", 1]; 5];
    let pair = bags(&source, &[record!["a", 1]]);
    pair.target_faults.plan(When::Batch(1), Fault::Late);
    // No way back: the run ends with its first batch in flight.
    let script = pair.target_faults.clone();
    pair.target_faults.on_call(move |step| {
        if step == Step::Apply {
            script.fail(Step::Writer, 9);
        }
    });
    assert_eq!(pair.run().unwrap_err().kind(), Kind::Unavailable);
    // A new process: the commit lands, if it can, once the target's snapshot stands.
    let flight = pair.target_faults.clone();
    let mut next = bags(&[], &[]);
    next.source = pair.source.clone();
    next.target = pair.target.clone();
    next.stage = pair.stage;
    next.target_faults.on_call(move |step| {
        if step == Step::Scan {
            drop(flight.land());
        }
    });
    assert_eq!(next.run().unwrap().exit_code(), 0);
    assert_eq!(found(&next), source);
}

/// Run after run, each by a process of its own, in a world where others edit both sides, answers are lost, runs end with
/// a commit in flight, and commits land when they like: a run that says it ended well has left exact multiplicities.
#[test]
fn multisets_agree_after_every_run_that_ends_well() {
    let (mut well, mut broken) = (0, 0);
    for seed in 1_000..1_100 {
        let mut dice = Dice(seed);
        let mut pair = bags(&dice.lines(), &dice.lines());
        let mut flights: Vec<Faults> = Vec::new();
        for run in 0..5 {
            pair = next_process(pair);
            if dice.below(2) == 0 {
                edit(&pair.source, &mut dice);
            }
            if dice.below(4) == 0 {
                edit(&pair.target, &mut dice);
            }
            let calm = run == 4;
            trouble(&pair, &flights, &mut dice, calm);
            match pair.run() {
                Ok(report) => {
                    assert_eq!(report.exit_code(), 0, "seed={seed} run={run} {report:?}");
                    let wanted = sorted(pair.source.records("lines"));
                    assert_eq!(found(&pair), wanted, "seed={seed} run={run}");
                    well += 1;
                }
                Err(error) => {
                    assert!(!calm, "seed={seed} {error}");
                    assert_eq!(
                        error.kind(),
                        Kind::Unavailable,
                        "seed={seed} run={run} {error}"
                    );
                    broken += 1;
                }
            }
            flights.push(pair.target_faults.clone());
        }
    }
    assert!(well > 300 && broken > 20, "well={well} broken={broken}");
}

/// The same world, for a process that knows only what is in the state file.
fn next_process(before: Pair) -> Pair {
    let mut next = bags(&[], &[]);
    next.source = before.source;
    next.target = before.target;
    next.stage = before.stage;
    next.mode.delete = true;
    next
}

/// Somebody else's records take the place of a side's.
fn edit(side: &Memory, dice: &mut Dice) {
    side.clear("lines");
    side.insert_all("lines", &dice.lines());
}

/// Draws what goes wrong in a run. Whatever is in flight from earlier ones may land at any of its steps.
fn trouble(pair: &Pair, flights: &[Faults], dice: &mut Dice, calm: bool) {
    let script = pair.target_faults.clone();
    let faults = [
        Fault::FailBefore,
        Fault::FailAfterWrite,
        Fault::Late,
        Fault::Late,
    ];
    if !calm && dice.below(4) > 0 {
        let fault = faults[dice.below(4) as usize].clone();
        script.plan(When::Batch(1 + dice.below(3)), fault);
    }
    // The process dies after its first batch: nothing answers it any more.
    let dies = !calm && dice.below(2) == 0;
    let land_at = [Step::Writer, Step::Marker, Step::Apply, Step::Scan][dice.below(4) as usize];
    let (flights, own) = (flights.to_vec(), script.clone());
    script.on_call(move |step| {
        if step == land_at {
            for flight in &flights {
                drop(flight.land());
            }
        }
        if dies && step == Step::Apply {
            own.fail(Step::Writer, 9);
        }
    });
}

#[test]
fn record_that_does_not_fit_holds_deletes_back() {
    let mut pair = bags(&[record!["a", 1]], &[record!["a", 1], record!["x", 9]]);
    // A count that does not fit the target: it could be any record there.
    pair.source
        .create(schema("lines").text("line").text("count").build());
    let source = [record!["a", "1"], record!["b", "many"]];
    pair.source.insert_all("lines", &source);
    pair.specs[0].rules.lossy = vec!["count".to_owned()];
    pair.mode.delete = true;
    let report = pair.run().unwrap();
    let one = &report.collections[0];
    assert_eq!((one.deleted, one.parked.len()), (0, 1), "{one:?}");
    let told = one
        .notes
        .iter()
        .any(|note| note.starts_with("deletes held back count=1"));
    assert!(told, "{:?}", one.notes);
    assert_eq!(report.exit_code(), 1);
    assert_eq!(report.certificate.unwrap().collections[0].wrong, 0);
    assert_eq!(pair.target.records("lines").len(), 2);
}

#[test]
fn refused_copies_are_parked_even_when_the_answer_is_lost() {
    for lost in [false, true] {
        let pair = bags(&[record!["a", 1], record!["a", 1], record!["b", 2]], &[]);
        let shape = schema("lines").text("line").int("count").key(["line"]);
        pair.target.create(shape.build());
        if lost {
            pair.target_faults
                .plan(When::Batch(1), Fault::FailAfterWrite);
        }
        let report = pair.run().unwrap();
        let one = &report.collections[0];
        assert_eq!(
            (one.inserted, one.parked.len()),
            (2, 1),
            "lost={lost} {one:?}"
        );
        assert!(one.parked[0].reason.contains("key(line)"), "{one:?}");
        assert_eq!(report.exit_code(), 1);
    }
}

#[test]
fn a_missing_target_is_created_without_a_key() {
    let source = vec![record!["a", 1]; 3];
    let pair = bags(&source, &[]);
    pair.source.create(
        schema("lines")
            .text("line")
            .int("count")
            .key(["line", "count"])
            .build(),
    );
    pair.source.insert("lines", &source[0]);
    pair.target.drop_collection("lines");
    assert_eq!(pair.run().unwrap().exit_code(), 0);
    assert_eq!(pair.target.schema("lines").unwrap().key, [0; 0]);
    assert_eq!(found(&pair), source[..1]);
}

#[test]
fn both_ways_a_bag_is_refused() {
    let mut pair = bags(&[], &[]);
    pair.two_way = Some(crate::two_way::TwoWay::default());
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("needs a key"), "{error}");
}

#[test]
fn many_equal_records_are_counted_in_bounded_memory() {
    let source = vec![record!["same", 1]; 3_000];
    let mut pair = bags(&source, &source[..1_000]);
    pair.stage.limits.batch_records_max = 500;
    pair.stage.limits.sort_bytes_max = 4_096;
    assert_eq!(pair.run().unwrap().collections[0].inserted, 2_000);
    let counted: BTreeMap<_, usize> =
        found(&pair)
            .into_iter()
            .fold(BTreeMap::new(), |mut counted, record| {
                *counted.entry(format!("{record:?}")).or_default() += 1;
                counted
            });
    assert_eq!(counted.into_values().collect::<Vec<_>>(), [3_000]);
}
