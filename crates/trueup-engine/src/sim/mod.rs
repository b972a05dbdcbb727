//! The simulator: the shipped `run`, in a world where everything goes wrong, judged by a model of its own.
//!
//! A seed is a [`case::Case`]: what is linked, what can happen and how often. The driver lets engines run in it, first
//! in trouble and then in peace, and the auditor holds what came of it against the guarantees. Every seed is one
//! sequence of steps, without threads, and so replays: `TRUEUP_SIM_SEED=n cargo test -p trueup-engine sim::replay`
//! prints the steps of seed `n`. `TRUEUP_SIM_SEEDS` says how many seeds are tried.

mod audit;
mod case;
mod driver;
mod sabotage;
mod states;

use case::{Case, Flaw};
use driver::{Verdict, simulate};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_testkit::sim::Act;

/// How many seeds are tried unless the environment says otherwise.
const SEEDS: u64 = 20_000;

/// Of so many seeds, one is run twice.
const TWICE: u64 = 100;

/// After so many failing seeds no further one is tried.
const FAILURES_MAX: usize = 5;

#[test]
fn every_seed_keeps_the_guarantees() {
    let seeds = number("TRUEUP_SIM_SEEDS").unwrap_or(SEEDS);
    let found = search(0..seeds, Flaw::None, FAILURES_MAX);
    assert!(found.failed.is_empty(), "{}", told(&found.failed));
    for act in Act::ALL.into_iter().filter(|_| seeds >= SEEDS) {
        let times = found.happened.get(&act).copied().unwrap_or(0);
        assert!(times >= seeds / 50, "{act:?} happened {times} times only");
    }
}

#[test]
fn replay() {
    let Some(seed) = number("TRUEUP_SIM_SEED") else {
        return;
    };
    let mut case = Case::of(seed, Flaw::None);
    case.setting.trace = true;
    let verdict = simulate(&case);
    let text = format!("{case:#?}\n{}", verdict.lines.join("\n"));
    assert!(
        verdict.violations.is_empty(),
        "{text}\n{}",
        told(&[(seed, verdict)])
    );
    assert!(number("TRUEUP_SIM_SHOW").is_none(), "{text}");
}

/// What trying seeds came to.
#[derive(Debug, Default)]
struct Found {
    failed: Vec<(u64, Verdict)>,
    happened: BTreeMap<Act, u64>,
    steps: u64,
}

impl Found {
    fn take(&mut self, seed: u64, verdict: Verdict) {
        self.steps += verdict.steps;
        for (act, times) in &verdict.happened {
            *self.happened.entry(*act).or_default() += times;
        }
        if !verdict.violations.is_empty() {
            self.failed.push((seed, verdict));
        }
    }
}

/// Tries seeds on all processors and returns those that fail, at most about `failures_max`.
fn search(seeds: std::ops::Range<u64>, flaw: Flaw, failures_max: usize) -> Found {
    let (next, found) = (AtomicU64::new(seeds.start), Mutex::new(Found::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || found.lock().unwrap().failed.len() >= failures_max {
                return;
            }
            let case = Case::of(seed, flaw);
            let mut verdict = simulate(&case);
            if seed % TWICE == 0 && simulate(&case).hash != verdict.hash {
                verdict
                    .violations
                    .push(String::from("the seed gave two traces"));
            }
            found.lock().unwrap().take(seed, verdict);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut found = found.into_inner().unwrap();
    found.failed.sort_by_key(|(seed, _)| *seed);
    found
}

fn told(failed: &[(u64, Verdict)]) -> String {
    let mut text = String::new();
    for (seed, verdict) in failed {
        text.push_str(&format!(
            "\nTRUEUP_SIM_SEED={seed} cargo test -p trueup-engine sim::replay\n  {}\n",
            verdict.violations.join("\n  ")
        ));
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person says which seed, or how many"
)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
