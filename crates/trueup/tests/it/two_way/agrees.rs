//! Nothing dies here: both sides are edited, a run follows, and both must hold what the reference says.

use super::shape::{RULES, SOURCE};
use super::world::{World, server};
use crate::support::{self, Dice, attempt};
use std::fs;

const ROUNDS: usize = 3;
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
                if round == index % ROUNDS {
                    idle(&mut world);
                }
            }
        });
    }
}

/// Nothing was edited: nothing is written, not even with the sides named the other way round.
fn idle(world: &mut World) {
    for _ in 0..2 {
        world.expect_idle();
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

/// What would go unnoticed if the judge were blind.
#[test]
fn a_wrong_end_is_noticed() {
    let server = server();
    let spoil: [fn(&World); 4] = [
        |world| {
            support::sqlite(
                &world.file(),
                "DELETE FROM items WHERE id IN (SELECT min(id) FROM items)",
            );
        },
        |world| {
            let sql = "UPDATE stock SET qty = -1 WHERE sku IN (SELECT min(sku) FROM stock)";
            world.database.sql(sql).unwrap();
        },
        |world| {
            for sql in [
                "INSERT INTO kept (id) VALUES (99)",
                "INSERT INTO made (id) VALUES (99)",
            ] {
                support::sqlite(&world.file(), sql);
                world.database.sql(sql).unwrap();
            }
        },
        |world| fs::write(world.folder.path().join("conflicts.json"), "[]").unwrap(),
    ];
    for (index, spoil) in spoil.into_iter().enumerate() {
        let mut world = World::new(&server, 1, SOURCE, false);
        world.look();
        world.settle();
        spoil(&world);
        assert!(world.judged(false).is_err(), "case {index} was not noticed");
    }
    let mut world = World::new(&server, 2, SOURCE, true);
    world.settle();
    world.trace();
    fs::write(world.folder.path().join("conflicts.json"), "[]").unwrap();
    assert!(world.traced().is_err(), "the losers of conflicts were lost");
}
