//! Edits made while a run is under way: what people write then is there afterwards, or somebody who had seen it replaced
//! it, or it is on record.

use super::kills::{Ledger, Measured};
use super::shape::{RULES, System};
use super::world::{World, server};
use crate::stopped::Stopped;
use crate::support::{Dice, attempt};
use std::process::Child;
use std::sync::Arc;
use trueup_testkit::servers::postgres::Server;

const EDITS: usize = 24;
/// Edits of one writer in the middle of a run.
const EDITS_WITHIN: usize = 8;
/// How often somebody writes while a run goes on that is not stopped.
const WRITES_MAX: usize = 16;
/// Runs after which the sides must have settled.
const RUNS_MAX: usize = 2;

/// How the edits meet the run.
#[derive(Clone, Debug)]
enum Meeting {
    /// The run is stopped at a failpoint's n-th pass, and goes on afterwards.
    Stopped(String, u64),
    /// The run is stopped there, and never goes on.
    Killed(String, u64),
    /// Somebody writes for as long as the run takes.
    Racing,
}

/// Edits both sides, except where the run holds a lock. Returns how many edits were made.
fn edit(world: &mut World, count: usize) -> usize {
    let mut made = 0;
    for system in System::BOTH {
        let edits = world.edits(system, count);
        if world.write(system, &edits) {
            made += edits.len();
        }
    }
    made
}

fn race(world: &mut World, mut child: Child) -> usize {
    let mut made = 0;
    for _ in 0..WRITES_MAX {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        made += edit(world, 2);
    }
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(matches!(ended.status.code(), Some(0 | 1 | 3)), "{said}");
    made
}

/// Lets a run and edits meet; returns how many edits were made in the middle of it.
fn meet(world: &mut World, meeting: &Meeting, ledger: &mut Ledger) -> usize {
    let at = match meeting {
        Meeting::Stopped(name, pass) | Meeting::Killed(name, pass) => format!("{name}:{pass}"),
        Meeting::Racing => {
            let child = world.command().spawn();
            return race(world, child);
        }
    };
    let Ok(stopped) = Stopped::or_ended(&at, world.command()) else {
        return 0;
    };
    let made = edit(world, EDITS_WITHIN);
    if matches!(meeting, Meeting::Killed(..)) {
        stopped.kill();
        ledger.kills += 1;
    } else {
        let output = stopped.go_on();
        assert!(matches!(output.code, Some(0 | 1 | 3)), "{output}");
    }
    made
}

/// Runs until a run ends well.
fn settle(world: &mut World) {
    for _ in 1..RUNS_MAX {
        let output = world.command().run();
        if matches!(output.code, Some(0 | 1)) {
            break;
        }
        assert_eq!(output.code, Some(3), "{output}");
    }
    world.settle();
    world.trace();
}

/// The life of one world in which people write all the time. Returns how many edits were made in the middle of runs.
pub(super) fn live(
    server: &Arc<Server>,
    seed: u64,
    lives: usize,
    measured: &Measured,
    ledger: &mut Ledger,
) -> usize {
    let mut dice = Dice(seed);
    let rules = RULES[dice.below(RULES.len() as u64) as usize];
    let mut world = World::new(server, seed, rules, true);
    let mut made = 0;
    world.editor.turn();
    for life in 0..lives {
        let names: Vec<(&String, &u64)> = measured.passes.iter().collect();
        let (name, count) = names[dice.below(names.len() as u64) as usize];
        let (name, pass) = (name.clone(), 1 + dice.below(*count));
        let meeting = match dice.below(8) {
            0..4 => Meeting::Stopped(name, pass),
            4..6 => Meeting::Killed(name, pass),
            _ => Meeting::Racing,
        };
        attempt(&format!("rules={rules:?} life={life} {meeting:?}"), || {
            if life > 0 {
                world.edit(EDITS);
            }
            made += meet(&mut world, &meeting, ledger);
            settle(&mut world);
            if dice.below(4) == 0 {
                world.expect_idle();
            }
        });
    }
    ledger.runs += world.runs;
    ledger.conflicts += world.conflicts;
    made
}

#[test]
fn two_way_while_edited() {
    let (server, seed) = (server(), Dice::seed());
    let measured = Measured::usual(&server);
    let (mut ledger, mut made) = (Ledger::default(), 0);
    for index in 0..4 {
        let seed = seed.wrapping_add(index);
        attempt(&format!("TRUEUP_SEED={seed}"), || {
            made += live(&server, seed, 5, &measured, &mut ledger);
        });
    }
    assert!(
        made > 60,
        "only {made} edits were made in the middle of runs"
    );
}
