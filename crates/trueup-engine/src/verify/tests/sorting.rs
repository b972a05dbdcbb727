//! The sorter of entries, and verification that needs it.

use super::super::entries::{Entry, Sorted, Sorter};
use super::*;
use trueup_core::keyed::Standing;

fn read(sorted: &mut Sorted) -> Vec<Entry> {
    let mut merge = sorted.read().unwrap();
    std::iter::from_fn(|| merge.next().unwrap()).collect()
}

fn sort(stage: &Stage, bytes_max: usize, entries: &[Entry]) -> Sorted {
    let mut sorter = Sorter::new(stage.folder().to_owned(), bytes_max);
    for &entry in entries {
        sorter.push(entry).unwrap();
    }
    sorter.finish()
}

fn entries(count: u64) -> Vec<Entry> {
    let entry = |n: u64| {
        let key = Digest::of(&n.to_le_bytes());
        Entry::new(key, Standing::Present(Digest(u128::from(n))))
    };
    (0..count).map(entry).collect()
}

#[test]
fn entries_come_back_as_they_were() {
    let (key, digest) = (Digest(u128::MAX - 5), Digest(1 << 100));
    for standing in [Standing::Present(digest), Standing::Unknown] {
        let entry = Entry::new(key, standing);
        assert_eq!((entry.key(), entry.standing()), (key, standing));
    }
}

#[test]
fn runs_of_every_number_are_merged_in_order_and_none_is_lost() {
    let stage = Stage::new();
    // Entries in all, entries in memory, runs on disk at the end: none, some, a level merged, many levels' worth.
    for (count, in_memory, runs) in [
        (0, 1, 0),
        (10, 100, 0),
        (100, 33, 3),
        (64, 1, 1),
        (65, 1, 2),
        (64 * 64 + 70, 1, 1 + 1 + 6),
    ] {
        let given = entries(count);
        let mut sorted = sort(&stage, in_memory * 33, &given);
        assert_eq!(sorted.runs(), runs, "count={count}");
        let mut expected = given;
        expected.sort_unstable();
        assert_eq!(read(&mut sorted), expected, "count={count}");
        assert_eq!(read(&mut sorted), expected, "a second time, count={count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn sorts_as_the_standard_library_does(
        given in proptest::collection::vec((0..20_u128, 0..3_u128), 0..200),
        in_memory in 1..20_usize,
    ) {
        let stage = Stage::new();
        let entry = |(key, digest): (u128, u128)| match digest {
            0 => Entry::new(Digest(key << 120), Standing::Unknown),
            _ => Entry::new(Digest(key << 120), Standing::Present(Digest(digest))),
        };
        let mut given: Vec<Entry> = given.into_iter().map(entry).collect();
        let mut sorted = sort(&stage, in_memory * 33, &given);
        given.sort_unstable();
        prop_assert_eq!(read(&mut sorted), given);
    }
}

#[test]
fn differences_beyond_memory_are_counted_from_disk() {
    let mut fixture = Fixture::planes();
    fixture.stage.limits.sort_bytes_max = 4 * 33 * 10;
    let records = |seats: i64| (0..3_000).map(|id| record![id, seats]).collect::<Vec<_>>();
    fixture.source.insert_all("planes", &records(1));
    fixture.target.insert_all("planes", &records(2));
    assert_eq!(counts(&fixture.verify().unwrap()), (3_000, 0, 0));
}

#[test]
fn no_temporary_file_keeps_a_name() {
    let mut fixture = Fixture::same(100);
    fixture.stage.limits.sort_bytes_max = 1;
    fixture.target.clear("planes");
    assert_eq!(fixture.verify().unwrap().wrong, 100);
    let left = std::fs::read_dir(fixture.stage.folder()).unwrap().count();
    assert_eq!(left, 0);
}
