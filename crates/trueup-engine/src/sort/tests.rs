use super::{FAN_IN, Merge, RUNS_KEPT_MAX, Sorted, Sorter};
use crate::link::Limits;
use crate::spool::Spool;
use proptest::prelude::*;
use tempfile::TempDir;
use trueup_core::Result;
use trueup_core::codec::put_bytes;
use trueup_core::diff::Stream;
use trueup_core::digest::Digest;
use trueup_core::keyed::{Keyed, Standing};
use trueup_core::value::Value;

/// A key, and the text of its record; `None` for a record that is unknown.
type Line = (Vec<u8>, Option<String>);

fn keyed(lines: &[Line]) -> Keyed {
    let mut keyed = Keyed::new(2);
    for (key, text) in lines {
        let (records, keys) = keyed.open();
        keys.extend_from_slice(key);
        records.push(Value::Bytes(key));
        records.push(text.as_deref().map_or(Value::Null, Value::Text));
        keyed.seal(match text {
            Some(text) => Standing::Present(Digest::of(text.as_bytes())),
            None => Standing::Unknown,
        });
    }
    keyed
}

fn sorter(lines: &[Line], bytes_max: usize, folder: &TempDir) -> Sorter {
    let mut sorter = Sorter::new(folder.path().to_owned(), bytes_max, 2);
    for piece in lines.chunks(3) {
        sorter.push(&keyed(piece)).unwrap();
        assert!(sorter.levels.iter().all(|runs| runs.len() < FAN_IN));
    }
    sorter
}

fn sorted(lines: &[Line], bytes_max: usize, folder: &TempDir) -> Result<Sorted> {
    let sorter = sorter(lines, bytes_max, folder);
    let sorted = sorter.finish()?.expect("no key is repeated");
    assert!(sorted.runs.len() <= RUNS_KEPT_MAX);
    Ok(sorted)
}

fn read(sorted: &mut Sorted, records_max: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut stream = sorted.read(limits(records_max, usize::MAX)).unwrap();
    while let Some(keyed) = stream.next().unwrap() {
        assert!(!keyed.is_empty() && keyed.len() <= records_max);
        for entry in keyed.entries() {
            let text = match (entry.standing, entry.record.value(1)) {
                (Standing::Unknown, Value::Null) => None,
                (Standing::Present(digest), Value::Text(text)) => {
                    assert_eq!(entry.record.value(0), Value::Bytes(entry.key));
                    assert_eq!(digest, Digest::of(text.as_bytes()));
                    Some(text.to_owned())
                }
                other => panic!("{other:?}"),
            };
            lines.push((entry.key.to_owned(), text));
        }
    }
    lines
}

fn limits(batch_records_max: usize, batch_bytes_max: usize) -> Limits {
    Limits {
        batch_records_max,
        batch_bytes_max,
        ..Limits::default()
    }
}

/// `count` lines with different keys in no order.
fn mixed(count: u32) -> Vec<Line> {
    (0..count)
        .map(|n| {
            let key = n.wrapping_mul(2_654_435_761).to_be_bytes().to_vec();
            (key, (n % 5 != 0).then(|| format!("record {n}")))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_comes_back_in_key_order_whatever_the_budget(
        lines in prop::collection::btree_map(
            prop::collection::vec(any::<u8>(), 0..4),
            prop::option::of("[a-z]{0,9}"),
            0..60,
        ),
        seed in any::<u64>(),
        bytes_max in prop::sample::select(vec![1_usize, 100, 1_000, 1 << 20]),
        records_max in 1..9_usize,
    ) {
        let folder = TempDir::new().unwrap();
        let want: Vec<Line> = lines.into_iter().collect();
        let mut shuffled = want.clone();
        shuffled.sort_by_key(|(key, _)| {
            Digest::of(&[key.as_slice(), &seed.to_le_bytes()].concat())
        });
        let mut sorted = sorted(&shuffled, bytes_max, &folder).unwrap();
        prop_assert_eq!(sorted.len(), want.len() as u64);
        for _ in 0..2 {
            prop_assert_eq!(&read(&mut sorted, records_max), &want);
        }
    }
}

#[test]
fn more_runs_than_two_levels_hold_are_sorted() {
    let folder = TempDir::new().unwrap();
    let lines = mixed((FAN_IN * FAN_IN + FAN_IN + 3) as u32);
    let mut sorted = sorted(&lines, 1, &folder).unwrap();
    let mut want = lines;
    want.sort();
    assert_eq!(read(&mut sorted, 1_000), want);
}

#[test]
fn repeated_key_is_refused_wherever_its_two_records_lie() {
    for bytes_max in [1, 2_000, 1 << 20] {
        for (first, second) in [(1, 2), (1, 400), (199, 200), (399, 400)] {
            let folder = TempDir::new().unwrap();
            let mut lines = mixed(400);
            let copy = lines[first].clone();
            lines.insert(second, copy);
            let copies = lines[first].clone();
            lines.extend([copies, lines[303].clone(), lines[303].clone()]);
            let found = sorter(&lines, bytes_max, &folder).finish().unwrap();
            let found = found.expect_err("two keys are repeated");
            assert_eq!((found.keys, found.records, found.exact), (2, 6, 4));
            let examples = found.examples.iter();
            let examples = examples.map(|one| (one.records, one.exact, one.record.is_some()));
            assert_eq!(examples.collect::<Vec<_>>(), [(3, 2, true); 2]);
        }
    }
}

#[test]
fn of_equal_keys_the_earlier_runs_comes_first() {
    let folder = TempDir::new().unwrap();
    let run = |lines: &[(&str, &str)]| {
        let mut spool = Spool::new(folder.path());
        for (key, rest) in lines {
            let mut entry = Vec::new();
            put_bytes(key.as_bytes(), &mut entry);
            entry.extend_from_slice(rest.as_bytes());
            spool.push(&entry).unwrap();
        }
        spool.finish().unwrap()
    };
    let mut runs = [
        run(&[("a", "z1"), ("b", "z1"), ("b", "a1")]),
        run(&[("b", "m2"), ("c", "z2")]),
        run(&[("a", "a3"), ("b", "a3"), ("c", "a3")]),
    ];
    let mut merge = Merge::new(&mut runs).unwrap();
    let mut found = Vec::new();
    while let Some(entry) = merge.next().unwrap() {
        found.push(String::from_utf8_lossy(&entry[1..]).into_owned());
    }
    let want = ["az1", "aa3", "bz1", "ba1", "bm2", "ba3", "cz2", "ca3"];
    assert_eq!(found, want);
}

#[test]
fn batch_is_cut_by_records_or_by_bytes() {
    let folder = TempDir::new().unwrap();
    let mut sorted = sorted(&mixed(100), 500, &folder).unwrap();
    let mut sizes = |limits| {
        let mut stream = sorted.read(limits).unwrap();
        let mut sizes = Vec::new();
        while let Some(keyed) = stream.next().unwrap() {
            sizes.push(keyed.len());
        }
        sizes
    };
    assert_eq!(sizes(limits(30, usize::MAX)), [30, 30, 30, 10]);
    assert_eq!(sizes(limits(usize::MAX, 1)), [1; 100]);
}
