use super::*;

fn tick(collection: &str, step: Step, records: u64, total: Option<u64>) -> Tick<'_> {
    Tick {
        collection,
        step,
        records,
        total,
    }
}

#[test]
fn lines_come_every_two_seconds_and_at_the_end_of_a_step() {
    let mut lines = Lines::new(0);
    let none: Vec<String> = Vec::new();
    assert_eq!(lines.tick(tick("a", Step::Compare, 1000, None), 1000), none);
    assert_eq!(
        lines.tick(tick("a", Step::Compare, 1000, None), 2000),
        ["a: compare 2000 records read, 1000/s"]
    );
    assert_eq!(lines.tick(tick("a", Step::Compare, 500, None), 3000), none);
    assert_eq!(
        lines.tick(tick("a", Step::Apply, 10, Some(100)), 3500),
        ["a: compare done, 2500 records read, 833/s"]
    );
    assert_eq!(
        lines.tick(tick("a", Step::Apply, 10, Some(100)), 5000),
        ["a: apply 20 of 100 records written, 10/s, 8 s left"]
    );
    assert_eq!(lines.end(7000), ["a: apply done, 20 records written, 5/s"]);
    assert_eq!(lines.end(7000), none);
}

#[test]
fn a_clock_that_moves_back_and_no_time_at_all_do_no_harm() {
    let mut lines = Lines::new(1000);
    assert!(
        lines
            .tick(tick("a", Step::Sort, u64::MAX, Some(1)), 0)
            .is_empty()
    );
    assert_eq!(lines.end(0).len(), 1);
}
