//! Conditional writes do what was asked for and nothing else: no cascade, no trigger that keeps quiet.

use super::*;
use crate::postgres::config::Settings;
use crate::postgres::connect::Connection;
use trueup_core::batch::Record;

/// Expects what it finds.
struct Always;

impl Check for Always {
    fn holds(&self, _: usize, _: Option<Record<'_>>) -> bool {
        true
    }

    fn position(&self, _: &[usize]) -> Vec<u8> {
        Vec::new()
    }
}

fn given<'a>(fields: &'a [&'a str]) -> Given<'a> {
    Given {
        check: Some(&Always),
        ..Given::new("t", fields)
    }
}

fn delete(id: i64) -> (Op, Vec<Value<'static>>) {
    (Op::Delete, vec![Value::Int(id)])
}

fn held(table: &str, action: &str) -> String {
    format!(
        "Rejected {{ reason: \"still referenced: table={table} on_delete={action}\", blocked: true }}"
    )
}

const PLAIN: &str =
    "CREATE TABLE t (id int PRIMARY KEY, name varchar(9) UNIQUE, UNIQUE (name, id)); ";
const PARTS: &str = "CREATE TABLE t (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); \
                 CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (2); \
                 CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (2) TO (9); ";

/// Parents, the child's name, its making, and its record.
const CASES: &[(&str, &str, &str, &str)] = &[
    (
        PLAIN,
        "c",
        "CREATE TABLE c (p int REFERENCES t ON DELETE CASCADE)",
        "1",
    ),
    (
        PLAIN,
        "c",
        "CREATE TABLE c (p bigint REFERENCES t ON DELETE SET NULL)",
        "1",
    ),
    (
        PLAIN,
        "c",
        "CREATE TABLE c (p int DEFAULT 2 REFERENCES t ON DELETE SET DEFAULT)",
        "1",
    ),
    (
        PLAIN,
        "c",
        "CREATE TABLE c (p text REFERENCES t (name) ON DELETE CASCADE)",
        "'a'",
    ),
    (
        PLAIN,
        "c",
        "CREATE TABLE c (a text, b int, FOREIGN KEY (a, b) REFERENCES t (name, id) ON DELETE CASCADE)",
        "'a', 1",
    ),
    (
        PLAIN,
        "s.odd \"name",
        "CREATE SCHEMA s; CREATE TABLE s.\"odd \"\"name\" (\"a \"\" b\" int REFERENCES t ON DELETE CASCADE)",
        "1",
    ),
    (
        PLAIN,
        "c",
        "CREATE TABLE c (p int REFERENCES t ON DELETE CASCADE) PARTITION BY LIST (p); \
             CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1); CREATE TABLE c2 PARTITION OF c DEFAULT",
        "1",
    ),
    (
        PARTS,
        "c",
        "CREATE TABLE c (p int REFERENCES t ON DELETE CASCADE)",
        "1",
    ),
    (
        PARTS,
        "c",
        "CREATE TABLE c (p int REFERENCES t1 ON DELETE CASCADE)",
        "1",
    ),
];

/// Two parents, 1 and 2; one child, of 1.
#[test]
fn a_record_that_others_hang_on_is_not_deleted() {
    for &(parent, child, shape, values) in CASES {
        let name = match child.split_once('.') {
            Some((schema, name)) => format!("{schema}.\"{}\"", name.replace('"', "\"\"")),
            None => child.to_owned(),
        };
        let (database, mut endpoint) = fresh(&format!(
            "{parent} INSERT INTO t VALUES (1, 'a'), (2, 'b'); {shape}; INSERT INTO {name} VALUES ({values})"
        ));
        let deletes = [delete(1), delete(2), delete(3)];
        let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &deletes);
        let actions = ["CASCADE", "SET NULL", "SET DEFAULT"];
        let action = actions
            .iter()
            .find(|action| shape.contains(&format!("DELETE {action}")));
        // Shown twice: once as a name in the reason, once as text in the outcome.
        let shown = child.escape_debug().to_string().escape_debug().to_string();
        assert_eq!(
            outcomes,
            [held(&shown, action.unwrap()).as_str(), APPLIED, APPLIED],
            "{shape}"
        );
        let state =
            format!("SELECT (SELECT string_agg(id::text, ',') FROM t), count(*) FROM {name}");
        assert_eq!(database.sql(&state).unwrap(), "1|1", "{shape}");
        database.sql(&format!("DELETE FROM {name}")).unwrap();
        let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &deletes[..1]);
        assert_eq!(outcomes, [APPLIED], "{shape}");
    }
}

#[test]
fn an_unconditional_delete_cascades() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); \
         CREATE TABLE c (p int REFERENCES t ON DELETE CASCADE); INSERT INTO c VALUES (1)",
    );
    let outcomes = Given::new("t", &["id"]).outcomes(endpoint.as_mut(), &[delete(1)]);
    assert_eq!(outcomes, [APPLIED]);
    assert_eq!(database.sql("SELECT count(*) FROM c").unwrap(), "0");
}

#[test]
fn a_tree_is_deleted_whole_or_from_its_leaves() {
    let tree = "CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES t ON DELETE CASCADE); \
                INSERT INTO t VALUES (0, 0); INSERT INTO t SELECT n, n - 1 FROM generate_series(1, 30) n";
    let all: Vec<_> = (0..=30).map(delete).collect();
    for backwards in [false, true] {
        let (database, mut endpoint) = fresh(tree);
        let mut deletes = all.clone();
        if backwards {
            deletes.reverse();
        }
        let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &deletes);
        assert!(
            outcomes.iter().all(|outcome| outcome == APPLIED),
            "{outcomes:?}"
        );
        assert_eq!(database.sql("SELECT count(*) FROM t").unwrap(), "0");
    }
    // One in the middle is not to go: neither do those above it.
    let (database, mut endpoint) = fresh(tree);
    let deletes: Vec<_> = all
        .into_iter()
        .filter(|(_, key)| key[0] != Value::Int(3))
        .collect();
    let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &deletes);
    assert!(
        outcomes[..3]
            .iter()
            .all(|outcome| *outcome == held("t", "CASCADE")),
        "{outcomes:?}"
    );
    let left = database
        .sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t")
        .unwrap();
    assert_eq!(left, "0,1,2,3");
}

/// What a trigger does on the way, and how the write ends.
#[test]
fn what_a_trigger_suppresses_is_refused_and_leaves_no_trace() {
    let put = |op, id, v| (op, vec![Value::Int(id), Value::Text(v)]);
    let remove = (Op::Delete, vec![Value::Int(1), Value::Null]);
    let cases = [
        (
            "BEFORE INSERT",
            "RETURN NULL",
            put(Op::Insert, 3, "c"),
            "suppressed",
        ),
        (
            "BEFORE UPDATE",
            "RETURN NULL",
            put(Op::Update, 1, "c"),
            "suppressed",
        ),
        (
            "BEFORE UPDATE",
            "RETURN NULL",
            put(Op::Insert, 1, "A"),
            "suppressed",
        ),
        (
            "BEFORE UPDATE",
            "RETURN NULL",
            put(Op::Update, 1, "a"),
            "Unchanged",
        ),
        ("BEFORE DELETE", "RETURN NULL", remove.clone(), "suppressed"),
        // Marked as deleted instead; taken back.
        (
            "BEFORE DELETE",
            "UPDATE t SET gone = 1 WHERE id = OLD.id; RETURN NULL",
            remove.clone(),
            "suppressed",
        ),
        (
            "AFTER INSERT",
            "DELETE FROM t WHERE id = NEW.id; RETURN NULL",
            put(Op::Insert, 3, "c"),
            "suppressed",
        ),
        ("AFTER DELETE", "RETURN NULL", remove, APPLIED),
    ];
    for (when, what, write, expected) in cases {
        let (database, mut endpoint) = fresh(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, v text, gone int DEFAULT 0); \
             INSERT INTO t VALUES (1, 'a'), (2, 'b'); \
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {what}; END'; \
             CREATE TRIGGER f {when} ON t FOR EACH ROW EXECUTE FUNCTION f()"
        ));
        let outcomes = given(&["id", "v"]).outcomes(endpoint.as_mut(), &[write]);
        let refused = outcomes[0].contains("blocked: false");
        assert!(
            outcomes[0].contains(expected),
            "{when} {what}: {outcomes:?}"
        );
        assert_eq!(
            refused,
            expected == "suppressed",
            "{when} {what}: {outcomes:?}"
        );
        let state = database.sql("SELECT string_agg(id || v || gone, ',' ORDER BY id) FROM t");
        let left = if expected == APPLIED {
            "2b0"
        } else {
            "1a0,2b0"
        };
        assert_eq!(state.unwrap(), left, "{when} {what}");
    }
}

#[test]
fn a_record_of_nothing_but_its_key_is_suppressed_too() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); \
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    );
    let put = |id| (Op::Insert, vec![Value::Int(id)]);
    let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &[put(1), put(2)]);
    assert_eq!(outcomes[0], APPLIED);
    assert!(outcomes[1].contains("suppressed"), "{outcomes:?}");
}

/// The child is on its way, and not yet there, when the delete is decided.
#[test]
fn a_child_that_comes_meanwhile_holds_its_parent() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); \
         CREATE TABLE c (p int REFERENCES t ON DELETE CASCADE)",
    );
    let settings = Settings::parse(&database.url(), &Context::empty()).unwrap();
    let other = Connection::open(&settings).unwrap();
    other.execute("BEGIN; INSERT INTO c VALUES (1)").unwrap();
    let outcomes = std::thread::scope(|scope| {
        let deleting =
            scope.spawn(|| given(&["id"]).outcomes(endpoint.as_mut(), &[delete(1), delete(2)]));
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while database.sql(waiting).unwrap() != "1" && !deleting.is_finished() {}
        other.execute("COMMIT").unwrap();
        deleting.join().unwrap()
    });
    assert_eq!(outcomes, [held("c", "CASCADE").as_str(), APPLIED]);
    assert_eq!(database.sql("SELECT * FROM c").unwrap(), "1");
}

#[test]
fn a_child_that_nobody_can_see_is_taken_for_granted() {
    let (database, _) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); \
         CREATE TABLE c (p int REFERENCES t ON DELETE CASCADE)",
    );
    let (role, url) = access::role(&database, "SELECT, INSERT, UPDATE, DELETE");
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &[delete(1)]);
    assert!(
        outcomes[0].contains("table=c") && outcomes[0].contains("cannot read"),
        "{outcomes:?}"
    );
    database
        .sql(&format!("GRANT SELECT ON c TO {role}"))
        .unwrap();
    let outcomes = given(&["id"]).outcomes(endpoint.as_mut(), &[delete(1)]);
    assert_eq!(outcomes, [APPLIED]);
    drop(endpoint);
    database
        .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .unwrap();
}
