//! Diff against a naive model, and its refusals.

use super::*;
use crate::digest::Digest;
use crate::encode;
use crate::value::Value;
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Batches(Vec<Keyed>);

impl Stream for Batches {
    fn next(&mut self) -> Result<Option<Keyed>> {
        Ok(if self.0.is_empty() {
            None
        } else {
            Some(self.0.remove(0))
        })
    }
}

/// Records as (key, value); a negative value stands for an unknown record.
fn stream(records: &[(i64, i64)], per_batch: usize) -> Batches {
    let batches = records.chunks(per_batch).map(|chunk| {
        let mut keyed = Keyed::new(1);
        for &(key, value) in chunk {
            let (batch, keys) = keyed.open();
            batch.push(Value::Int(value));
            encode::key(Value::Int(key), keys);
            keyed.seal(if value < 0 {
                Standing::Unknown
            } else {
                Standing::Present(Digest(value as u128))
            });
        }
        keyed
    });
    Batches(batches.collect())
}

fn compare(source: Batches, target: Batches) -> Result<(Vec<String>, Totals)> {
    let (mut source, mut target) = (source, target);
    let mut seen = Vec::new();
    let totals = diff(
        &mut Cursor::new("source", &mut source)?,
        &mut Cursor::new("target", &mut target)?,
        &mut |difference| {
            seen.push(match difference {
                Difference::Same(_) => "=".to_owned(),
                Difference::OnlySource(s) => format!("+{:?}", s.record.value(0)),
                Difference::OnlyTarget(t) => format!("-{:?}", t.record.value(0)),
                Difference::Changed { source, target } => {
                    format!("{:?}>{:?}", source.record.value(0), target.record.value(0))
                }
                Difference::Unknown { target, .. } => format!("?{}", target.is_some()),
            });
            Ok(Flow::Continue)
        },
    )?;
    Ok((seen, totals))
}

fn naive(source: &BTreeMap<i64, i64>, target: &BTreeMap<i64, i64>) -> Vec<String> {
    let mut keys: Vec<i64> = source.keys().chain(target.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let say = |key| match (source.get(&key), target.get(&key)) {
        (Some(s), t) if *s < 0 => format!("?{}", t.is_some()),
        (Some(s), Some(t)) if s == t => "=".to_owned(),
        (Some(s), Some(t)) => format!("Int({s})>Int({t})"),
        (Some(s), None) => format!("+Int({s})"),
        (None, Some(t)) => format!("-Int({t})"),
        (None, None) => unreachable!(),
    };
    keys.into_iter().map(say).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn equals_the_naive_model(
        source in proptest::collection::btree_map(-20i64..20, -1i64..4, 0..30),
        target in proptest::collection::btree_map(-20i64..20, 0i64..4, 0..30),
        per_batch in 1usize..7,
    ) {
        let list = |map: &BTreeMap<i64, i64>| map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>();
        let (seen, totals) =
            compare(stream(&list(&source), per_batch), stream(&list(&target), 3)).unwrap();
        prop_assert_eq!(seen, naive(&source, &target));
        let known = source.values().filter(|value| **value >= 0).count() as u64;
        prop_assert_eq!(totals.source.count, known);
        prop_assert_eq!(totals.unknown, source.len() as u64 - known);
        prop_assert_eq!(totals.target.count, target.len() as u64);
    }
}

#[test]
fn a_key_that_occurs_twice_is_a_configuration_error() {
    let error = compare(stream(&[(1, 1), (1, 2)], 1), stream(&[], 1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.message().contains("not unique"), "{error}");
}

#[test]
fn a_stream_out_of_order_is_refused_not_misread() {
    let error = compare(stream(&[(1, 1)], 1), stream(&[(3, 1), (2, 1)], 2)).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
}
