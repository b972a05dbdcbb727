use super::*;

fn setting() -> Setting {
    Setting {
        collections: vec!["a", "b"],
        keys: 4,
        two_way: false,
        stamp: true,
        narrow: true,
        rates: Rates::default()
            .with(Act::Write, 300)
            .with(Act::BackUp, 50)
            .with(Act::PutBack, 50),
        lose_stale_list: false,
        trace: true,
    }
}

fn steps(seed: u64) -> (u64, u64, Vec<String>) {
    let sim = Sim::new(seed, setting());
    sim.populate();
    let run = sim.start(false);
    for _ in 0..50 {
        sim.pass(run, "place").unwrap();
    }
    sim.end(run, "well");
    assert!(sim.violations().is_empty());
    sim.trace()
}

#[test]
fn one_seed_gives_one_trace_and_another_gives_another() {
    assert_eq!(steps(1), steps(1));
    assert_ne!(steps(1).0, steps(2).0);
}

#[test]
fn engine_that_is_over_takes_no_step() {
    let sim = Sim::new(1, setting());
    let run = sim.start(false);
    sim.end(run, "well");
    assert!(sim.pass(run, "place").is_err());
    assert!(sim.violations()[0].starts_with("G6"));
}

#[test]
fn crash_is_a_panic_that_nobody_hears() {
    let rates = Rates::default().with(Act::Crash, 999);
    let sim = Sim::new(1, Setting { rates, ..setting() });
    let run = sim.start(false);
    let died = panic::catch_unwind(panic::AssertUnwindSafe(|| sim.pass(run, "place")));
    assert!(died.unwrap_err().is::<Crash>());
    assert_eq!(sim.happened()[&Act::Crash], 1);
}
