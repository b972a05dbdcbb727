//! What lies around a two-way link: other links, other shapes, references between tables, a side that was emptied.

use super::scene::Scene;
use super::shape::{MANUAL, RULES, System};
use super::world::{World, server};
use crate::stopped::Stopped;
use crate::support::{Dice, Trueup, attempt};

const PEOPLE: &str = "CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT);
    INSERT INTO people VALUES (1, 'a'), (2, 'b'), (3, 'c');";
const NAMES: &str = "SELECT coalesce((SELECT name FROM people WHERE id = 1), '-') || \
    coalesce((SELECT name FROM people WHERE id = 2), '-') || coalesce((SELECT name FROM people WHERE id = 3), '-')";

#[test]
fn a_one_way_run_in_between_is_like_any_writer() {
    let (server, seed) = (server(), Dice::seed());
    attempt(&format!("TRUEUP_SEED={seed}"), || {
        let mut world = World::new(&server, seed, RULES[1], false);
        world.look();
        world.settle();
        world.judge(false);
        world.edit(24);
        let run = Trueup::new(world.folder.path()).sync(world.addresses());
        run.arguments(["--quiet", "--delete", "--yes"])
            .run()
            .expect(0);
        world.edit(8);
        world.look();
        world.settle();
        world.judge(false);
    });
}

/// Two people, each with a state of their own: each finds what the other's run left, and joins.
#[test]
fn another_state_file_joins_and_loses_nothing() {
    let (server, seed) = (server(), Dice::seed());
    attempt(&format!("TRUEUP_SEED={seed}"), || {
        let mut world = World::new(&server, seed, MANUAL, true);
        let other = world.folder.path().join("other.db");
        for _ in 0..3 {
            world.edit(16);
            world.settle();
            // The files change places: the next run knows nothing of this one.
            let held = std::fs::read(world.state()).unwrap();
            if other.exists() {
                std::fs::rename(&other, world.state()).unwrap();
            } else {
                std::fs::remove_file(world.state()).unwrap();
            }
            std::fs::write(&other, held).unwrap();
        }
        world.settle();
        for system in System::BOTH {
            world.trace_at(system);
        }
        world.expect_idle();
    });
}

/// A run is stopped, another engine with a state of its own does its work meanwhile, and the first goes on.
#[test]
fn an_old_engine_is_refused_and_nothing_is_lost() {
    let (server, seed) = (server(), Dice::seed());
    for failpoint in [
        "two-way.planned",
        "two-way.sealed",
        "two-way.intended",
        "two-way.applied",
    ] {
        attempt(&format!("TRUEUP_SEED={seed} {failpoint}"), || {
            let mut world = World::new(&server, seed, MANUAL, true);
            world.settle();
            world.edit(16);
            let first = Stopped::at(failpoint, world.command());
            world.edit(8);
            let run = Trueup::new(world.folder.path()).arguments(["sync"]);
            let run =
                run.arguments(world.addresses())
                    .arguments(["--two-way", "--state", "other.db"]);
            let second = run.run();
            assert!(matches!(second.code, Some(0 | 1)), "{second}");
            let refused = first.go_on().expect(3);
            assert!(refused.stderr.contains("error[stale]"), "{refused}");
            world.settle();
            for system in System::BOTH {
                world.trace_at(system);
            }
            world.expect_idle();
        });
    }
}

/// A side is gone with everything in it: nothing is deleted at the other.
#[test]
fn a_side_that_is_gone_deletes_nothing() {
    let scene = Scene::new(PEOPLE, &[]);
    std::fs::remove_file(scene.at().join("side.db")).unwrap();
    let output = scene.sync();
    assert!(matches!(output.code, Some(0 | 2)), "{output}");
    assert_eq!(scene.database.sql(NAMES).unwrap(), "abc", "{output}");

    let scene = Scene::new(PEOPLE, &[]);
    let name = scene.database.name();
    for sql in [
        format!("DROP DATABASE {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name}"),
    ] {
        scene.database.server().sql("postgres", &sql).unwrap();
    }
    scene.sync().expect(0);
    scene.expect(NAMES, "abc");
}

#[test]
fn another_collection_keeps_the_base() {
    let cities = "CREATE TABLE cities (id BIGINT PRIMARY KEY, name TEXT); INSERT INTO cities VALUES (1, 'x');";
    let scene = Scene::new(PEOPLE, &[]);
    scene.both(cities);
    scene.sqlite("DELETE FROM people WHERE id = 1");
    scene.postgres("DELETE FROM people WHERE id = 2; INSERT INTO cities VALUES (2, 'y')");
    scene.sync().expect(0);
    scene.expect(NAMES, "--c");
    scene.expect("SELECT CAST(count(*) AS text) FROM cities", "2");
}

#[test]
fn another_shape_joins_and_deletes_nothing() {
    let scene = Scene::new(PEOPLE, &[]);
    scene.both("ALTER TABLE people ADD COLUMN city TEXT");
    scene.sqlite("DELETE FROM people WHERE id = 1; UPDATE people SET city = 'here' WHERE id = 2");
    // The two differ, and nobody knows any more which of them is new.
    scene.sync().expect(1);
    scene.expect(NAMES, "abc");
    let open = scene.list(&["--open"]);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(
        (&open[0]["kind"], &open[0]["key"]["id"]),
        (&"join".into(), &2.into())
    );

    let output = {
        scene.sqlite("ALTER TABLE people ADD COLUMN only_here TEXT");
        scene.sync().expect(2)
    };
    assert!(output.stderr.contains("only_here"), "{output}");
    scene.expect(NAMES, "abc");
}

#[test]
fn a_side_that_was_emptied_stops_the_run() {
    let many: String = (1..=200)
        .map(|id| format!("INSERT INTO people VALUES ({id}, 'n');"))
        .collect();
    let table = "CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT);";
    let scene = Scene::new(&format!("BEGIN; {table}{many} COMMIT;"), &[]);
    let count = "SELECT CAST(count(*) AS text) FROM people";
    for empty in [
        Scene::sqlite as fn(&Scene, &str),
        Scene::postgres as fn(&Scene, &str),
    ] {
        empty(&scene, "DELETE FROM people");
        let before = scene.held(count);
        let output = scene.sync().expect(4);
        assert!(output.stderr.contains("--yes"), "{output}");
        assert_eq!(scene.held(count), before, "something was deleted");
        // The lost records come back where the state is forgotten, and not otherwise.
        std::fs::remove_file(scene.at().join("state.db")).unwrap();
        scene.sync().expect(0);
        scene.expect(count, "200");
    }
    scene.sqlite("DELETE FROM people WHERE id <= 150");
    scene.sync().expect(4);
    scene.command().arguments(["--yes"]).run().expect(0);
    scene.expect(count, "50");
}

const FAMILY: &str = "
    CREATE TABLE parents (id BIGINT PRIMARY KEY, name TEXT);
    CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT NOT NULL REFERENCES parents (id), name TEXT);";
const FAMILIES: &str = "INSERT INTO parents VALUES (1, 'p'), (2, 'p'), (3, 'p');
    INSERT INTO children VALUES (10, 1, 'c'), (20, 2, 'c');";
const LIVING: &str =
    "SELECT (SELECT count(*) FROM parents) || ' ' || (SELECT count(*) FROM children)";

fn family() -> Scene {
    let scene = Scene::new("CREATE TABLE others (id BIGINT PRIMARY KEY)", &[]);
    scene.both(FAMILY);
    scene.sqlite(FAMILIES);
    scene.sync().expect(0);
    scene.expect(LIVING, "3 2");
    scene
}

#[test]
fn parents_come_first_and_go_last_in_both_directions() {
    let scene = family();
    scene.sqlite(
        "INSERT INTO parents VALUES (4, 'new'); INSERT INTO children VALUES (40, 4, 'new')",
    );
    scene.sqlite("DELETE FROM children WHERE id = 10; DELETE FROM parents WHERE id = 1");
    scene.postgres(
        "INSERT INTO parents VALUES (5, 'new'); INSERT INTO children VALUES (50, 5, 'new')",
    );
    scene.postgres("DELETE FROM children WHERE id = 20; DELETE FROM parents WHERE id = 2");
    scene.sync().expect(0);
    scene.expect(LIVING, "3 2");
    scene.expect(
        "SELECT min(id) || ' ' || max(id) || ' ' || sum(id) FROM parents",
        "3 5 12",
    );
}

/// One side deletes a parent, the other gives it a child: neither may be carried, and neither is lost.
#[test]
fn a_child_of_a_parent_that_was_deleted_elsewhere_stays() {
    let scene = family();
    scene.sqlite("INSERT INTO children VALUES (30, 3, 'new')");
    scene.postgres("DELETE FROM parents WHERE id = 3");
    for _ in 0..2 {
        let output = scene.sync().expect(1);
        let parked = |name| output.collection(name)["parked"].as_u64().unwrap();
        assert_eq!(parked("parents") + parked("children"), 2, "{output}");
        assert_eq!(scene.held(LIVING), ["3 3", "2 2"]);
    }
    // Whoever puts the parent back lets both go on.
    scene.postgres("INSERT INTO parents VALUES (3, 'back')");
    scene.sync().expect(0);
    scene.expect(LIVING, "3 3");
    scene.expect("SELECT name FROM parents WHERE id = 3", "back");
}

/// Both sides take the same name for another record: neither can be carried, and neither is lost.
#[test]
fn a_name_that_both_sides_gave_to_another_record_stays_with_each() {
    let table = "CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT UNIQUE);";
    let scene = Scene::new("CREATE TABLE others (id BIGINT PRIMARY KEY)", &[]);
    scene.both(table);
    scene.sync().expect(0);
    scene.sqlite("INSERT INTO people VALUES (1, 'ann'), (2, 'bob')");
    scene.postgres("INSERT INTO people VALUES (3, 'ann'), (4, 'eve')");
    let all = "SELECT (SELECT count(*) FROM people) || ' ' || (SELECT sum(id) FROM people)";
    for _ in 0..2 {
        let output = scene.sync().expect(1);
        assert_eq!(output.collection("people")["parked"], 2, "{output}");
        assert_eq!(scene.held(all), ["3 7", "3 9"]);
    }
    scene.postgres("UPDATE people SET name = 'ann 2' WHERE id = 3");
    scene.sync().expect(0);
    scene.expect(all, "4 10");
}
