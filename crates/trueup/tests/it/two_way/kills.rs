//! Kills the tool in the middle of a two-way run, or the server under it, and runs the same command again.
//!
//! Invariant: however a run dies, the next one ends well, and both sides and the conflicts on record are what the
//! reference says, as if nothing had died. Every failpoint that a two-way run passes is covered, in a first run and in
//! a later one.

use super::shape::RULES;
use super::world::{World, server};
use crate::stopped::Stopped;
use crate::support::{self, Dice, attempt};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use trueup_testkit::servers::postgres::Server;

const EDITS: usize = 24;
/// How often a place is tried anew where a run happened not to pass it.
const TRIES_MAX: usize = 4;
const MOMENTS: u64 = 28;

/// How a run dies.
#[derive(Clone, Debug)]
pub(super) enum Death {
    /// By its own hand, at a failpoint's n-th pass.
    Failpoint(String, u64),
    /// After this part of the time that a run takes, in thousandths.
    Moment(u32),
    /// Not at all: the connection breaks at a failpoint's n-th pass, and the answer is lost.
    Broken(String, u64),
    /// The server dies while the run is stopped at a failpoint, and is back when it goes on.
    ServerAt(String, u64),
    /// The server dies after this part of the time that a run takes, in thousandths.
    ServerMoment(u32),
}

/// What has been done, for the ledger.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ledger {
    pub(super) seeds: u64,
    pub(super) kills: u64,
    pub(super) server_kills: u64,
    pub(super) runs: u64,
    pub(super) conflicts: u64,
    pub(super) differences: u64,
}

impl Ledger {
    pub(super) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.kills += other.kills;
        self.server_kills += other.server_kills;
        self.runs += other.runs;
        self.conflicts += other.conflicts;
        self.differences += other.differences;
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "soak seeds={} kills={} server_kills={} runs={} conflicts={} differences={}",
            self.seeds, self.kills, self.server_kills, self.runs, self.conflicts, self.differences
        )
    }
}

/// What an uninterrupted run passed, and how long it took.
#[derive(Clone, Debug, Default)]
pub(super) struct Measured {
    pub(super) passes: BTreeMap<String, u64>,
    took: Duration,
}

impl Measured {
    /// What a run usually passes: the same for every seed, so that a seed chooses the same deaths wherever it is used.
    pub(super) fn usual(server: &Arc<Server>) -> Self {
        let mut world = World::new(server, 0, RULES[0], false);
        Self::of(&mut world);
        world.edit(EDITS);
        Self::of(&mut world)
    }

    /// Runs uninterrupted, judges, and tells what was passed.
    #[expect(
        clippy::disallowed_methods,
        reason = "the length of a run bounds when to kill; nothing is asserted on it"
    )]
    pub(super) fn of(world: &mut World) -> Self {
        world.look();
        let begun = std::time::Instant::now();
        let output = world.command().env("TRUEUP_FAILPOINT", "*:1:tell").run();
        let took = begun.elapsed();
        assert!(matches!(output.code, Some(0 | 1)), "{output}");
        let names = output
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix("failpoint="));
        let mut passes = BTreeMap::new();
        for name in names {
            *passes.entry(name.to_owned()).or_insert(0) += 1;
        }
        world.list_conflicts();
        world.judge(false);
        Self { passes, took }
    }

    fn pick(&self, dice: &mut Dice) -> (String, u64) {
        let at = dice.below(self.passes.len() as u64) as usize;
        let (name, count) = self.passes.iter().nth(at).unwrap();
        (name.clone(), 1 + dice.below(*count))
    }

    /// Chooses how a run is to die.
    pub(super) fn death(&self, dice: &mut Dice) -> Death {
        let part = dice.below(1000) as u32;
        match dice.below(14) {
            0..5 => Death::Moment(part),
            5..9 => {
                let (name, pass) = self.pick(dice);
                Death::Failpoint(name, pass)
            }
            9 | 10 => {
                let (name, pass) = self.pick(dice);
                Death::ServerAt(name, pass)
            }
            11 | 12 => {
                let (name, pass) = self.pick(dice);
                Death::Broken(name, pass)
            }
            _ => Death::ServerMoment(part),
        }
    }
}

/// Runs, and lets the run die; tells whether it did.
fn strike(world: &mut World, death: &Death, took: Duration, ledger: &mut Ledger) -> bool {
    let hit = match death {
        Death::Failpoint(name, pass) => {
            let armed = format!("{name}:{pass}");
            let child = world.command().env("TRUEUP_FAILPOINT", armed).spawn();
            let ended = child.wait_with_output().unwrap();
            ended.status.signal() == Some(Signal::KILL.as_raw())
        }
        Death::Moment(part) => {
            let mut child = world.command().spawn();
            pause(took, *part);
            child.kill().unwrap();
            child.wait_with_output().unwrap().status.signal().is_some()
        }
        Death::Broken(name, pass) => {
            let armed = format!("{name}:{pass}:fail");
            let output = world.command().env("TRUEUP_FAILPOINT", armed).run();
            assert!(matches!(output.code, Some(0 | 1 | 3)), "{output}");
            output.stderr.contains("broke the connection")
        }
        Death::ServerAt(name, pass) => {
            match Stopped::or_ended(&format!("{name}:{pass}"), world.command()) {
                Ok(stopped) => {
                    world.database.server().restart().unwrap();
                    let output = stopped.go_on();
                    assert!(matches!(output.code, Some(0 | 1 | 3)), "{output}");
                    true
                }
                Err(_) => false,
            }
        }
        Death::ServerMoment(part) => {
            let child = world.command().spawn();
            pause(took, *part);
            world.database.server().restart().unwrap();
            let ended = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(matches!(ended.status.code(), Some(0 | 1 | 3)), "{said}");
            ended.status.code() == Some(3)
        }
    };
    match death {
        Death::Failpoint(..) | Death::Moment(_) => ledger.kills += u64::from(hit),
        Death::ServerAt(..) | Death::ServerMoment(_) => ledger.server_kills += u64::from(hit),
        Death::Broken(..) => {}
    }
    hit
}

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of the kill is random; whatever it is, the same must hold"
)]
fn pause(took: Duration, part: u32) {
    std::thread::sleep(took * part / 1000);
}

/// Lets a run die, runs again, and judges. Tells whether the run died.
fn die(world: &mut World, death: &Death, took: Duration, ledger: &mut Ledger) -> bool {
    world.look();
    let hit = strike(world, death, took, ledger);
    world.settle();
    world.judge(false);
    hit
}

/// The life of one world: a first run that dies, and then one after the other. Some die more than once.
pub(super) fn live(
    server: &Arc<Server>,
    seed: u64,
    lives: usize,
    measured: &Measured,
    ledger: &mut Ledger,
) {
    let mut dice = Dice(seed);
    let rules = RULES[dice.below(RULES.len() as u64) as usize];
    let mut world = World::new(server, seed, rules, false);
    for life in 0..lives {
        let what = format!("rules={rules:?} life={life}");
        if life > 0 {
            world.edit(EDITS);
        }
        world.swapped ^= dice.below(4) == 0;
        world.look();
        for _ in 0..1 + dice.below(8) / 6 {
            let death = measured.death(&mut dice);
            attempt(&format!("{what} {death:?}"), || {
                strike(&mut world, &death, measured.took, ledger);
            });
        }
        attempt(&what, || {
            world.settle();
            world.judge(false);
            if dice.below(4) == 0 {
                world.expect_idle();
            }
        });
    }
    ledger.runs += world.runs;
    ledger.conflicts += world.conflicts;
}

/// The failpoints that the code of two-way runs has of its own.
fn named() -> BTreeSet<String> {
    let folder = support::root().join("crates/trueup-engine/src/two_way");
    let mut names = BTreeSet::new();
    collect(&folder, &mut names);
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if !path.display().to_string().contains("tests") {
            let text = fs::read_to_string(path).unwrap();
            let passes = text.split(".pass(\"").skip(1);
            names.extend(passes.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}

#[test]
fn two_way_survives_kills_at_every_failpoint() {
    let (server, seed) = (server(), Dice::seed());
    let (mut dice, mut ledger) = (Dice(seed), Ledger::default());
    let mut world = World::new(&server, seed, RULES[3], false);
    let first = Measured::of(&mut world);
    world.edit(EDITS);
    let later = Measured::of(&mut world);
    for (name, count) in &later.passes {
        let mut pass = 1 + dice.below(*count);
        let what = format!("TRUEUP_SEED={seed} {name}:{pass}");
        attempt(&what, || {
            let tries = (0..TRIES_MAX).find(|_| {
                world.edit(EDITS);
                let death = Death::Failpoint(name.clone(), std::mem::replace(&mut pass, 1));
                die(&mut world, &death, later.took, &mut ledger)
            });
            assert!(tries.is_some(), "the failpoint is not passed any more");
        });
    }
    for (index, (name, count)) in first.passes.iter().enumerate() {
        let pass = 1 + dice.below(*count);
        attempt(
            &format!("TRUEUP_SEED={seed} first run, {name}:{pass}"),
            || {
                let death = Death::Failpoint(name.clone(), pass);
                let mut dies_in = |seed, rules| {
                    let mut world = World::new(&server, seed, rules, false);
                    die(&mut world, &death, first.took, &mut ledger)
                };
                // Another world need not come by there; the one that was measured does.
                let another = seed.wrapping_add(index as u64);
                assert!(
                    dies_in(another, RULES[index % RULES.len()]) || dies_in(seed, RULES[3]),
                    "the failpoint is not passed any more"
                );
            },
        );
    }
    let passed: BTreeSet<String> = first
        .passes
        .into_keys()
        .chain(later.passes.into_keys())
        .collect();
    let missed: Vec<String> = named().difference(&passed).cloned().collect();
    assert!(missed.is_empty(), "no run passes {missed:?}");
}

#[test]
fn two_way_survives_kills_at_random_moments() {
    let (server, seed) = (server(), Dice::seed());
    let (measured, mut ledger) = (Measured::usual(&server), Ledger::default());
    while ledger.kills + ledger.server_kills < MOMENTS || ledger.server_kills < 5 {
        let seed = seed.wrapping_add(ledger.seeds);
        ledger.seeds += 1;
        attempt(&format!("TRUEUP_SEED={seed}"), || {
            live(&server, seed, 6, &measured, &mut ledger);
        });
    }
}
