//! Something is put back from an older copy: a side, the state, or all of it. Nothing may be lost by that, and nothing
//! deleted: what the sides agreed on is not known any more.

use super::shape::{MANUAL, RULES, Rules, System};
use super::world::{World, server};
use crate::support::{Dice, attempt};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use trueup_testkit::servers::postgres::Server;

const EDITS: usize = 24;
/// How often a run is to die at a place that a run may happen not to pass.
const TRIES_MAX: usize = 6;

/// A copy of one thing, made while nobody was at work.
enum Copy {
    File(PathBuf, Vec<u8>),
    Postgres(String),
}

impl Copy {
    fn of(world: &World, what: What) -> Self {
        match what {
            What::Sqlite => Self::file(world.file()),
            What::State => Self::file(world.state()),
            What::Postgres => {
                let name = world.database.name();
                let copy = format!("{name}_copy");
                rebuild(world, &copy, name);
                Self::Postgres(copy)
            }
        }
    }

    fn file(path: PathBuf) -> Self {
        // All that is in a log beside the file is carried into it first.
        let database = rusqlite::Connection::open(&path).unwrap();
        database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        drop(database);
        let content = fs::read(&path).unwrap();
        Self::File(path, content)
    }

    fn put_back(&self, world: &World) {
        match self {
            Self::File(path, content) => {
                for beside in ["-wal", "-shm", "-journal"] {
                    let mut name = path.clone().into_os_string();
                    name.push(beside);
                    drop(fs::remove_file(name));
                }
                fs::write(path, content).unwrap();
            }
            Self::Postgres(copy) => rebuild(world, world.database.name(), copy),
        }
    }
}

fn rebuild(world: &World, name: &str, template: &str) {
    let server = world.database.server();
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    for sql in [drop, create] {
        server.sql("postgres", &sql).unwrap();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Sqlite,
    Postgres,
    State,
}

/// A world after some rounds, and before them a copy of `what`.
fn aged(server: &Arc<Server>, seed: u64, rules: Rules, what: What) -> (World, Copy) {
    let mut world = World::new(server, seed, rules, false);
    round(&mut world, false);
    let copy = Copy::of(&world, what);
    for _ in 0..2 {
        world.edit(EDITS);
        round(&mut world, false);
    }
    (world, copy)
}

fn round(world: &mut World, forgotten: bool) {
    world.look();
    world.settle();
    world.judge(forgotten);
}

fn put_back(rules: Rules, what: What) {
    let (server, seed) = (server(), Dice::seed());
    attempt(&format!("TRUEUP_SEED={seed} {what:?}"), || {
        let (mut world, copy) = aged(&server, seed, rules, what);
        world.edit(EDITS);
        copy.put_back(&world);
        round(&mut world, true);
        world.expect_idle();
        world.edit(EDITS);
        round(&mut world, false);
    });
}

#[test]
fn a_restored_sqlite_side_loses_nothing() {
    put_back(MANUAL, What::Sqlite);
    put_back(RULES[3], What::Sqlite);
}

#[test]
fn a_restored_postgresql_side_loses_nothing() {
    put_back(MANUAL, What::Postgres);
    put_back(RULES[2], What::Postgres);
}

#[test]
fn a_restored_state_loses_nothing() {
    let (server, seed) = (server(), Dice::seed());
    attempt(&format!("TRUEUP_SEED={seed}"), || {
        let (mut world, copy) = aged(&server, seed, RULES[4], What::State);
        world.edit(EDITS);
        copy.put_back(&world);
        // What went on record since is gone with the file.
        fs::remove_file(world.folder.path().join("known.json")).unwrap();
        world.list_conflicts();
        world.know();
        round(&mut world, true);
        world.expect_idle();
    });
}

#[test]
fn a_lost_state_loses_nothing() {
    let (server, seed) = (server(), Dice::seed());
    for rules in [MANUAL, RULES[3]] {
        attempt(&format!("TRUEUP_SEED={seed} {rules:?}"), || {
            let (mut world, _) = aged(&server, seed, rules, What::State);
            world.edit(EDITS);
            fs::remove_file(world.state()).unwrap();
            fs::remove_file(world.folder.path().join("known.json")).unwrap();
            round(&mut world, true);
            world.expect_idle();
            world.edit(EDITS);
            round(&mut world, false);
        });
    }
}

/// A copy of what the state knows is no older copy: nothing was agreed on since.
#[test]
fn a_side_restored_before_anything_was_agreed_on_is_only_edited() {
    let (server, seed) = (server(), Dice::seed());
    for what in [What::Sqlite, What::Postgres] {
        attempt(&format!("TRUEUP_SEED={seed} {what:?}"), || {
            let mut world = World::new(&server, seed, MANUAL, false);
            round(&mut world, false);
            world.edit(EDITS);
            round(&mut world, false);
            let copy = Copy::of(&world, what);
            world.edit(EDITS);
            copy.put_back(&world);
            round(&mut world, false);
        });
    }
}

/// A run dies in the middle, and one side comes back from an older copy: what the run overwrote at the other one is
/// still on record.
#[test]
fn a_side_restored_after_a_killed_run_loses_nothing_at_the_other() {
    let (server, seed) = (server(), Dice::seed());
    let cases = [
        (What::Sqlite, System::Postgres, "postgres.after_commit:3"),
        (What::Postgres, System::Sqlite, "sqlite.after_commit:3"),
    ];
    for (index, (what, other, failpoint)) in cases.into_iter().enumerate() {
        attempt(&format!("TRUEUP_SEED={seed} {what:?} {failpoint}"), || {
            let rules = RULES[1 + index % (RULES.len() - 1)];
            let mut world = World::new(&server, seed.wrapping_add(index as u64), rules, true);
            world.settle();
            let copy = Copy::of(&world, what);
            for _ in 0..2 {
                world.edit(EDITS);
                world.settle();
            }
            let died = (0..TRIES_MAX).any(|_| {
                world.edit(EDITS);
                let run = world.command().env("TRUEUP_FAILPOINT", failpoint).run();
                run.code.is_none()
            });
            assert!(died, "the failpoint is not passed any more");
            copy.put_back(&world);
            world.settle();
            world.trace_at(other);
            world.expect_idle();
        });
    }
}
