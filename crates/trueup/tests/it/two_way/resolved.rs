//! Conflicts that a person decides, and decisions that a person takes back.

use super::scene::Scene;
use crate::support::Trueup;
use serde_json::{Value, json};
use std::fs;

/// Two sides that agree on seven records.
fn scene(options: &[&'static str]) -> Scene {
    let table = "CREATE TABLE people (id BIGINT PRIMARY KEY, name TEXT, city TEXT);";
    let insert = |id| format!("INSERT INTO people VALUES ({id}, 'n{id}', 'c{id}');");
    let filled: String = (1..=7).map(insert).collect();
    Scene::new(&format!("{table}{filled}"), options)
}

fn record(id: u32) -> String {
    format!("SELECT name || '|' || city FROM people WHERE id = {id}")
}

impl Scene {
    /// Writes another name on each side.
    fn differ(&self, id: u32) {
        self.sqlite(&format!(
            "UPDATE people SET name = 'sqlite {id}' WHERE id = {id}"
        ));
        self.postgres(&format!(
            "UPDATE people SET name = 'postgres {id}' WHERE id = {id}"
        ));
    }

    /// The only conflict of a record.
    #[track_caller]
    fn conflict(&self, id: u32) -> Value {
        let mut of = self.list(&[]);
        of.retain(|one| one["key"]["id"] == id);
        assert_eq!(of.len(), 1, "{of:?}");
        of.remove(0)
    }

    #[track_caller]
    fn resolve(&self, id: u32, take: &str) {
        let number = self.conflict(id)["id"].to_string();
        let resolve =
            Trueup::new(self.at()).state("conflicts", ["resolve", &number, "--take", take]);
        resolve.run().expect(0);
    }

    /// Insists that a record is on both sides with this name and city, or on neither.
    #[track_caller]
    fn expect_record(&self, id: u32, expected: Option<(&str, &str)>) {
        let expected = expected.map_or(String::new(), |(name, city)| format!("{name}|{city}"));
        self.expect(&record(id), &expected);
    }
}

#[test]
fn a_person_decides_and_the_next_run_carries_it_out() {
    let scene = scene(&[]);
    for id in 1..=5 {
        scene.differ(id);
    }
    scene
        .sqlite("UPDATE people SET name = 'carried' WHERE id = 6; DELETE FROM people WHERE id = 7");
    scene.sync().expect(1);
    scene.expect_record(6, Some(("carried", "c6")));
    scene.expect_record(7, None);
    for id in 1..=5 {
        let both = [format!("sqlite {id}|c{id}"), format!("postgres {id}|c{id}")];
        assert_eq!(
            scene.held(&record(id)),
            both,
            "nothing is written before somebody decides"
        );
        let found = scene.conflict(id);
        assert_eq!(found["kind"], "update/update", "{found}");
        assert_eq!(found["fields"], json!(["name"]), "{found}");
        assert_eq!(found["decision"], "open", "{found}");
        assert_eq!(found["source"]["name"], format!("sqlite {id}"), "{found}");
        assert_eq!(found["target"]["name"], format!("postgres {id}"), "{found}");
    }
    let file = json!({"id": 3, "name": "both", "city": "third"});
    fs::write(scene.at().join("third.json"), file.to_string()).unwrap();
    scene.resolve(1, "source");
    scene.resolve(2, "target");
    scene.resolve(3, "third.json");
    scene.sqlite("UPDATE people SET name = 'alike' WHERE id = 5");
    scene.postgres("UPDATE people SET name = 'alike' WHERE id = 5");
    scene.sync().expect(1);
    scene.expect_record(1, Some(("sqlite 1", "c1")));
    scene.expect_record(2, Some(("postgres 2", "c2")));
    scene.expect_record(3, Some(("both", "third")));
    scene.expect_record(5, Some(("alike", "c5")));
    let open = scene.list(&["--open"]);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["key"]["id"], 4, "{open:?}");
    scene.resolve(4, "target");
    scene.sync().expect(0);
    scene.expect_record(4, Some(("postgres 4", "c4")));
    assert!(scene.list(&["--open"]).is_empty());
    assert_eq!(scene.list(&[]).len(), 5, "what is decided stays on record");
}

#[test]
fn a_decision_of_a_policy_is_taken_back() {
    let scene = scene(&["--on-conflict", "source", "--on-delete", "wins"]);
    for id in 1..=3 {
        scene.differ(id);
    }
    scene.sqlite("DELETE FROM people WHERE id = 4");
    scene.postgres("UPDATE people SET city = 'moved' WHERE id = 4");
    scene.sync().expect(0);
    for id in 1..=3 {
        scene.expect_record(id, Some((&format!("sqlite {id}"), &format!("c{id}"))));
        assert_eq!(scene.conflict(id)["decision"], "source");
    }
    scene.expect_record(4, None);
    assert_eq!(scene.conflict(4)["decision"], "delete");
    assert_eq!(scene.conflict(4)["source"], Value::Null);
    assert_eq!(scene.conflict(4)["target"]["city"], "moved");

    let file = json!({"id": 2, "name": "neither", "city": "c2"});
    fs::write(scene.at().join("second.json"), file.to_string()).unwrap();
    scene.resolve(1, "target");
    scene.resolve(2, "second.json");
    scene.resolve(4, "target");
    scene.sync().expect(0);
    scene.expect_record(1, Some(("postgres 1", "c1")));
    scene.expect_record(2, Some(("neither", "c2")));
    scene.expect_record(3, Some(("sqlite 3", "c3")));
    scene.expect_record(4, Some(("n4", "moved")));
    // And once more the other way.
    scene.resolve(1, "source");
    scene.resolve(4, "source");
    scene.sync().expect(0);
    scene.expect_record(1, Some(("sqlite 1", "c1")));
    scene.expect_record(4, None);
    let idle = scene.sync().expect(0);
    assert_eq!(idle.collection("people")["updated"], 0, "{idle}");
}
