use super::*;
use trueup_engine::Step;

fn tick(collection: &str, step: Step, records: u64, total: Option<u64>) -> Tick<'_> {
    Tick {
        collection,
        step,
        side: None,
        records,
        total,
    }
}

fn texts(said: &[Said]) -> Vec<String> {
    said.iter().map(ToString::to_string).collect()
}

#[test]
fn lines_come_every_two_seconds_and_at_the_end_of_a_step() {
    let mut steps = Steps::new(0);
    let none: Vec<String> = Vec::new();
    let mut say = |tick, now_ms| texts(&steps.tick(tick, now_ms));
    assert_eq!(say(tick("a", Step::Compare, 1000, None), 1000), none);
    assert_eq!(
        say(tick("a", Step::Compare, 1000, None), 2000),
        ["a: compare 2000 records of both sides read, 1000/s"]
    );
    assert_eq!(say(tick("a", Step::Compare, 500, None), 3000), none);
    assert_eq!(
        say(tick("a", Step::Apply, 10, Some(100)), 3500),
        ["a: compare done, 2500 records of both sides read in 3.0 s, 833/s"]
    );
    assert_eq!(
        say(tick("a", Step::Apply, 10, Some(100)), 5000),
        ["a: apply 20 of 100 records written, 10/s, 8 s left"]
    );
    assert_eq!(
        texts(&steps.end(7000)),
        ["a: apply done, 20 records written in 4.0 s, 5/s"]
    );
    assert_eq!(texts(&steps.end(7000)), none);
}

#[test]
fn collections_that_are_loaded_at_once_end_when_they_are_done() {
    let mut steps = Steps::new(0);
    let none: Vec<String> = Vec::new();
    for name in ["a", "b"] {
        steps.loading(name);
    }
    let mut say =
        |name, records, now_ms| texts(&steps.tick(tick(name, Step::Apply, records, None), now_ms));
    assert_eq!(say("a", 100, 500), none);
    assert_eq!(say("b", 100, 1000), none);
    assert_eq!(say("a", 100, 2000), ["a: apply 200 records written, 100/s"]);
    assert_eq!(say("b", 100, 3000), none);
    assert_eq!(
        texts(&steps.loaded("a")),
        ["a: apply done, 200 records written in 2.0 s, 100/s"]
    );
    assert_eq!(
        texts(&steps.tick(tick("b", Step::Apply, 50, None), 3500)),
        none
    );
    assert_eq!(
        texts(&steps.loaded("b")),
        ["b: apply done, 250 records written in 3.0 s, 83/s"]
    );
    assert_eq!(texts(&steps.end(4000)), none);
}

#[test]
fn what_is_expected_is_said_to_be_about_right_and_not_at_all_where_it_was_too_little() {
    let mut steps = Steps::new(0);
    steps.expect("a", Step::Compare, 3000);
    steps.expect("b", Step::Compare, 1);
    assert_eq!(
        texts(&steps.tick(tick("a", Step::Compare, 1000, None), 2000)),
        ["a: compare 1000 of about 3000 records of both sides read, 500/s, 4 s left"]
    );
    assert_eq!(
        texts(&steps.tick(tick("a", Step::Compare, 2001, None), 4000)),
        ["a: compare 3001 records of both sides read, 750/s"]
    );
    assert_eq!(
        texts(&steps.tick(tick("a", Step::Verify, 1, None), 6000)),
        [
            "a: compare done, 3001 records of both sides read in 4.0 s, 750/s",
            "a: verify 1 records of both sides read, 0/s"
        ]
    );
}

#[test]
fn a_clock_that_moves_back_and_no_time_at_all_do_no_harm() {
    let mut steps = Steps::new(1000);
    let said = steps.tick(tick("a", Step::Sort, u64::MAX, Some(1)), 0);
    assert!(said.is_empty());
    assert_eq!(texts(&steps.end(0)).len(), 1);
}

#[test]
fn an_interrupted_run_says_what_is_there_to_stay() {
    let listener = Listener::new("a -> b");
    let said = || durable(&lock(&listener.written));
    assert_eq!(said(), "nothing was written");
    listener.wrote("a", 5, false);
    assert_eq!(said(), "written, not known to be durable: a 5");
    listener.wrote("b", 7, true);
    assert_eq!(
        said(),
        "written and durable: b 7; not known to be durable: a 5"
    );
    listener.lasts("a");
    listener.lasts("c");
    listener.wrote("a", 1, true);
    assert_eq!(said(), "written and durable: a 6, b 7");
}

#[test]
fn each_side_is_counted_by_itself_when_a_step_ends() {
    let mut steps = Steps::new(0);
    let mut say = |side, step, records, now_ms| {
        let tick = Tick {
            side,
            ..tick("a", step, records, None)
        };
        texts(&steps.tick(tick, now_ms))
    };
    let (source, target) = (Some("source"), Some("target"));
    assert!(say(source, Step::Sort, 24, 1000).is_empty());
    assert_eq!(
        say(source, Step::Compare, 24, 1500),
        ["a: sort done, 24 source records read in 1.0 s, 24/s"]
    );
    assert_eq!(
        say(target, Step::Compare, 25, 2000),
        ["a: compare 49 records of both sides read, 49/s"]
    );
    assert_eq!(
        say(None, Step::Apply, 1, 2000),
        ["a: compare done, 24 source and 25 target records read in 1.0 s, 49/s"]
    );
}

#[test]
fn a_bar_never_shows_more_than_its_total() {
    let screen =
        indicatif::MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden());
    let bars = Bars::new(screen);
    let seen = |records, total| {
        bars.tick(tick("a", Step::Compare, records, None), total);
        bars.place()
    };
    assert_eq!(seen(3, Some(5)), Some((3, Some(5))));
    assert_eq!(seen(5, Some(5)), Some((8, None)), "nobody knows any more");
    assert_eq!(seen(5, Some(5)), Some((13, None)));
    bars.clear();
    assert_eq!(seen(8, Some(5)), Some((8, None)), "from the start");
}
