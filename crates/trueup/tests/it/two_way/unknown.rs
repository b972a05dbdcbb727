//! A record that cannot be told: nothing is done about it, and nothing is concluded from it.

use super::scene::Scene;
use crate::support;

const ITEMS: &str = "CREATE TABLE items (id BIGINT PRIMARY KEY, qty BIGINT);
    INSERT INTO items VALUES (1, 10), (2, 20), (3, 30), (4, 40);";
const RULE: [&str; 2] = ["--on-conflict", "source"];

impl Scene {
    /// Insists on what the sides hold, in the order of the key.
    #[track_caller]
    fn expect_items(&self, sqlite: &str, postgres: &str) {
        let database = rusqlite::Connection::open(self.at().join("side.db")).unwrap();
        let sql =
            "SELECT group_concat(id || '=' || qty, ' ') FROM (SELECT * FROM items ORDER BY id)";
        let held: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(held, sqlite);
        let sql = "SELECT string_agg(id || '=' || qty, ' ' ORDER BY id) FROM items";
        assert_eq!(self.database.sql(sql).unwrap(), postgres);
    }
}

#[test]
fn a_record_that_cannot_be_told_is_left_alone_on_both_sides() {
    let scene = Scene::new(ITEMS, &RULE);
    // What SQLite takes for a number's field and no number's type holds.
    scene.sqlite("UPDATE items SET qty = 'many' WHERE id IN (1, 2, 3); UPDATE items SET qty = 41 WHERE id = 4");
    scene.postgres("UPDATE items SET qty = 11 WHERE id = 1; DELETE FROM items WHERE id = 2");
    for _ in 0..2 {
        let output = scene.sync().expect(1);
        assert_eq!(output.collection("items")["parked"], 3, "{output}");
        assert_eq!(output.collection("items")["deleted"], 0, "{output}");
        scene.expect_items("1=many 2=many 3=many 4=41", "1=11 3=30 4=41");
    }
    // Once it can be told again, what was agreed on before still counts.
    scene.sqlite(
        "UPDATE items SET qty = 10 * id WHERE id IN (1, 2); DELETE FROM items WHERE id = 3",
    );
    scene.sync().expect(0);
    scene.expect_items("1=11 4=41", "1=11 4=41");
}

/// Both sides are joined while a record cannot be told: that must not be taken for agreed absence later.
#[test]
fn a_record_that_could_not_be_told_at_first_is_not_deleted_later() {
    let scene = Scene::new(ITEMS, &RULE);
    std::fs::remove_file(scene.at().join(support::STATE)).unwrap();
    scene.sqlite("UPDATE items SET qty = 'many' WHERE id = 1");
    scene.sync().expect(1);
    scene.sqlite("DELETE FROM items WHERE id = 1");
    scene.sync().expect(0);
    scene.expect_items("1=10 2=20 3=30 4=40", "1=10 2=20 3=30 4=40");
}
