//! Whatever the limits, the modes and the records: the target becomes what a naive model says, and so do the counts.

use super::{Pair, counts};
use crate::link::CollectionSpec;
use proptest::collection::btree_map;
use proptest::prelude::*;
use std::collections::BTreeMap;
use trueup_core::mapping::Rules;
use trueup_core::schema::Schema;
use trueup_testkit::Owned;

/// Planes by their number.
type Fleet = BTreeMap<i64, Option<String>>;

fn fleets(max: usize) -> impl Strategy<Value = (Fleet, Fleet)> {
    let model = prop::option::of(prop::sample::select(vec![
        "",
        "a",
        "b",
        "a much longer model",
    ]));
    let one = btree_map(
        -20..20_i64,
        model.prop_map(|m| m.map(str::to_owned)),
        0..max,
    );
    (one.clone(), one)
}

fn records(fleet: &Fleet) -> Vec<Vec<Owned>> {
    let record = |(&id, model): (&i64, &Option<String>)| vec![id.into(), model.clone().into()];
    fleet.iter().map(record).collect()
}

/// A case: what is limited, what is allowed.
#[derive(Clone, Debug)]
struct Setting {
    batch_records_max: usize,
    batch_bytes_max: usize,
    batches_ahead: usize,
    sort_bytes_max: usize,
    delete: bool,
    verify: bool,
    ordered: bool,
}

fn settings() -> impl Strategy<Value = Setting> {
    let bytes = || prop::sample::select(vec![1_usize, 64, 1 << 20]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (1..5_usize, bytes(), 0..3_usize, bytes(), flags).prop_map(
        |(batch_records_max, batch_bytes_max, batches_ahead, sort_bytes_max, flags)| Setting {
            batch_records_max,
            batch_bytes_max,
            batches_ahead,
            sort_bytes_max,
            delete: flags.0,
            verify: flags.1,
            ordered: flags.2,
        },
    )
}

fn pair(source: &Fleet, target: &Fleet, setting: &Setting) -> Pair {
    let mut pair = Pair::new();
    let mut shape: Schema = super::planes();
    if !setting.ordered {
        // Without a key of its own a collection cannot promise an order.
        shape.key.clear();
        let key = vec!["id".to_owned()];
        pair.specs = vec![CollectionSpec {
            source: "planes".to_owned(),
            target: "planes".to_owned(),
            rules: Rules {
                key,
                ..Rules::default()
            },
            ..CollectionSpec::default()
        }];
    }
    pair.source.create(shape.clone());
    pair.target.create(shape);
    pair.source.insert_all("planes", &records(source));
    pair.target.insert_all("planes", &records(target));
    let limits = &mut pair.stage.limits;
    limits.batch_records_max = setting.batch_records_max;
    limits.batch_bytes_max = setting.batch_bytes_max;
    limits.batches_ahead = setting.batches_ahead;
    limits.sort_bytes_max = setting.sort_bytes_max;
    pair.mode.delete = setting.delete;
    pair.mode.verify = setting.verify;
    pair.mode.lift_guard = true;
    pair
}

fn check(source: &Fleet, target: &Fleet, setting: &Setting) {
    let pair = pair(source, target, setting);
    let only_source = source.keys().filter(|id| !target.contains_key(id)).count() as u64;
    let only_target = target.keys().filter(|id| !source.contains_key(id)).count() as u64;
    let same = |(id, model): &(&i64, &Option<String>)| target.get(id) == Some(model);
    let unchanged = source.iter().filter(same).count() as u64;
    let changed = source.len() as u64 - only_source - unchanged;
    let mut want = source.clone();
    if !setting.delete {
        let theirs = target.iter().filter(|(id, _)| !source.contains_key(id));
        want.extend(theirs.map(|(id, model)| (*id, model.clone())));
    }
    let found = pair.diff().unwrap();
    let one = &found.collections[0];
    assert_eq!(
        (one.only_source, one.only_target, one.changed, one.unchanged),
        (only_source, only_target, changed, unchanged)
    );
    assert_eq!(found.equal, source == target);
    let report = pair.run().unwrap();
    let deleted = if setting.delete { only_target } else { 0 };
    assert_eq!(
        counts(&report.collections[0]),
        [only_source, changed, deleted, unchanged, 0, only_target]
    );
    assert_eq!((report.equal, report.exit_code()), (true, 0));
    assert_eq!(report.certificate.is_some(), setting.verify);
    let mut got = pair.target.records("planes");
    got.sort();
    assert_eq!(got, records(&want));
    let count = report.collections[0].source_fold.count;
    assert_eq!(count, source.len() as u64);
    let before = pair.target.position();
    assert_eq!(pair.run().unwrap().exit_code(), 0);
    assert_eq!(
        pair.target.position(),
        before,
        "the second run writes nothing"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn target_becomes_what_a_naive_model_says(
        (source, target) in fleets(30),
        setting in settings(),
    ) {
        check(&source, &target, &setting);
    }
}

#[test]
fn more_runs_than_are_merged_at_once_are_sorted_all_the_same() {
    let fleet = |from: i64| -> Fleet { (from..from + 400).map(|id| (id, None)).collect() };
    let setting = Setting {
        batch_records_max: 3,
        batch_bytes_max: 1 << 20,
        batches_ahead: 1,
        sort_bytes_max: 1,
        delete: true,
        verify: true,
        ordered: false,
    };
    check(&fleet(0), &fleet(100), &setting);
    check(&fleet(0), &Fleet::new(), &setting);
}
