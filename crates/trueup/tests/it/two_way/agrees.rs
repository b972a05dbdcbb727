//! Nothing dies here: both sides are edited, a run follows, and both must hold what the reference says.

use super::shape::RULES;
use super::world::{World, server};
use crate::support::{Dice, attempt};
use std::fs;

const ROUNDS: usize = 4;
const EDITS: usize = 30;

#[test]
fn two_way_agrees() {
    let (server, seed) = (server(), Dice::seed());
    for (index, rules) in RULES.into_iter().enumerate() {
        attempt(&format!("TRUEUP_SEED={seed} rules={index}"), || {
            let mut world = World::new(&server, seed.wrapping_add(index as u64), rules, false);
            world.look();
            world.settle();
            world.judge(false);
            for round in 0..ROUNDS {
                world.edit(EDITS);
                // The same two sides named the other way round are the same link.
                world.swapped ^= round % 2 == 1;
                world.look();
                world.settle();
                world.judge(false);
                if round % 2 == 0 {
                    idle(&mut world);
                }
            }
        });
    }
}

/// Nothing was edited: nothing is written, not even with the sides named the other way round.
fn idle(world: &mut World) {
    for _ in 0..2 {
        world.look();
        world.expect_idle();
        world.judge(false);
        world.swapped ^= true;
    }
}

#[test]
fn a_plan_writes_nothing() {
    let mut world = World::new(&server(), 1, RULES[0], false);
    world.look();
    world.settle();
    world.judge(false);
    world.edit(EDITS);
    world.look();
    let before = [
        fs::read(world.file()).unwrap(),
        fs::read(world.state()).unwrap(),
    ];
    let planned = world.command().arguments(["--dry-run"]).run().expect(1);
    assert!(planned.json()["plan"].is_array(), "{planned}");
    let after = [
        fs::read(world.file()).unwrap(),
        fs::read(world.state()).unwrap(),
    ];
    assert!(before == after, "something was written\n{planned}");
    world.settle();
    world.judge(false);
}
