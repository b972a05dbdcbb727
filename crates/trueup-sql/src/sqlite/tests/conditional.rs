//! Conditional writes do what was asked for and nothing else: no cascade, no trigger that keeps quiet.

use super::*;
use trueup_core::batch::Record;
use trueup_core::endpoint::Check;

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

/// Writes records of all fields to table t, in one batch.
fn apply(
    endpoint: &mut dyn Endpoint,
    key: &[usize],
    check: Option<&dyn Check>,
    given: &[(Op, Vec<Value<'_>>)],
) -> Vec<Outcome> {
    let schema = endpoint.schema("t").unwrap().unwrap();
    let mut records = Batch::new(given[0].1.len());
    given
        .iter()
        .flat_map(|(_, values)| values)
        .for_each(|&value| records.push(value));
    let fields: Vec<usize> = (0..given[0].1.len()).collect();
    let ops: Vec<Op> = given.iter().map(|(op, _)| *op).collect();
    let mark = Mark {
        partition: "t".into(),
        batch: 1,
        position: Vec::new(),
    };
    let writes = Writes {
        schema: &schema,
        fields: &fields,
        key,
        ops: &ops,
        records: &records,
        mark: &mark,
        load: false,
        check,
        bag: None,
    };
    let mut writer = endpoint.writer(&claim()).unwrap();
    writer.apply(&writes).unwrap().outcomes
}

fn int(value: i64) -> Value<'static> {
    Value::Int(value)
}

fn delete(values: &[i64]) -> (Op, Vec<Value<'static>>) {
    (Op::Delete, values.iter().map(|&value| int(value)).collect())
}

fn one(raw: &Connection, sql: &str) -> String {
    raw.query_row(sql, [], |row| row.get::<_, Option<String>>(0))
        .unwrap()
        .unwrap_or_default()
}

fn held(table: &str, action: &str) -> Outcome {
    Outcome::Rejected {
        reason: format!("still referenced: table={table} on_delete={action}"),
        blocked: true,
    }
}

fn suppressed() -> Outcome {
    Outcome::Rejected {
        reason: "a trigger suppressed the write".to_owned(),
        blocked: false,
    }
}

const APPLIED: Outcome = Outcome::Applied(None);

/// Two parents, 1 and 2; one child, of 1.
#[test]
fn a_record_that_others_hang_on_is_not_deleted() {
    let cases = [
        (
            "c",
            "(id INT, p INTEGER REFERENCES t ON DELETE CASCADE)",
            "1, 1",
        ),
        (
            "c",
            "(id INT, p INTEGER REFERENCES T (ID) ON DELETE SET NULL)",
            "1, 1",
        ),
        (
            "c",
            "(id INT, p INTEGER DEFAULT 2 REFERENCES t ON DELETE SET DEFAULT)",
            "1, 1",
        ),
        // Another field than the key, compared as that field compares: letters of either case, text and number.
        (
            "c",
            "(id INT, p TEXT REFERENCES t (name) ON DELETE CASCADE)",
            "1, 'A'",
        ),
        (
            "c",
            "(id INT, p INT REFERENCES t (number) ON DELETE CASCADE)",
            "1, 10",
        ),
        // Two fields, in the other order than they stand.
        (
            "c",
            "(a TEXT, b INT, FOREIGN KEY (a, b) REFERENCES t (name, id) ON DELETE CASCADE)",
            "'a', 1",
        ),
        // The second key of a table, and names that need quotes.
        (
            "odd \"name",
            "(\"a \"\" b\" INT REFERENCES t ON DELETE CASCADE, x INT REFERENCES t)",
            "1, NULL",
        ),
    ];
    for (child, shape, values) in cases {
        let quoted = quote(child);
        let (_folder, mut endpoint, raw) = file(&format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, number TEXT UNIQUE,
                             UNIQUE (name, id));
             INSERT INTO t VALUES (1, 'a', '10'), (2, 'b', '20');
             CREATE TABLE {quoted} {shape};
             INSERT INTO {quoted} VALUES ({values});"
        ));
        let deletes = [delete(&[1]), delete(&[2]), delete(&[3])];
        let outcomes = apply(endpoint.as_mut(), &[0], Some(&Always), &deletes);
        let action = ["CASCADE", "SET NULL", "SET DEFAULT"];
        let action = action
            .iter()
            .find(|action| shape.contains(&format!("DELETE {action}")));
        let expected = [
            held(&child.escape_debug().to_string(), action.unwrap()),
            APPLIED,
            Outcome::Unchanged,
        ];
        assert_eq!(outcomes, expected, "{shape}");
        let state =
            format!("SELECT (SELECT group_concat(id) FROM t) || ' ' || count(*) FROM {quoted}");
        assert_eq!(one(&raw, &state), "1 1", "{shape}");
        // Without a condition the cascade is obeyed, as for any program. Without the child nothing stands in the way.
        raw.execute_batch(&format!("DELETE FROM {quoted}")).unwrap();
        let outcomes = apply(endpoint.as_mut(), &[0], Some(&Always), &deletes[..1]);
        assert_eq!(outcomes, [APPLIED], "{shape}");
    }
}

#[test]
fn an_unconditional_delete_cascades() {
    let (_folder, mut endpoint, raw) = file(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);
         CREATE TABLE c (p INTEGER REFERENCES t ON DELETE CASCADE); INSERT INTO c VALUES (1);",
    );
    let outcomes = apply(endpoint.as_mut(), &[0], None, &[delete(&[1])]);
    assert_eq!(outcomes, [APPLIED]);
    assert_eq!(one(&raw, "SELECT count(*) || '' FROM c"), "0");
}

/// A primary key of two fields that stand the other way round in the table, referred to without naming them.
#[test]
fn a_composite_primary_key_is_found_by_its_order() {
    let (_folder, mut endpoint, raw) = file(
        "CREATE TABLE t (a INT, b INT, PRIMARY KEY (b, a)); INSERT INTO t VALUES (1, 2), (2, 1);
         CREATE TABLE c (y INT, x INT, FOREIGN KEY (y, x) REFERENCES t ON DELETE CASCADE);
         INSERT INTO c VALUES (2, 1);",
    );
    let deletes = [delete(&[2, 1]), delete(&[1, 2])];
    let outcomes = apply(endpoint.as_mut(), &[1, 0], Some(&Always), &deletes);
    assert_eq!(outcomes, [APPLIED, held("c", "CASCADE")]);
    assert_eq!(one(&raw, "SELECT count(*) || '' FROM c"), "1");
}

#[test]
fn a_tree_is_deleted_whole_or_from_its_leaves() {
    let tree = "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES t ON DELETE CASCADE);
                INSERT INTO t VALUES (0, 0);
                WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30)
                INSERT INTO t SELECT n, n - 1 FROM n;";
    let all: Vec<_> = (0..=30).map(|id| delete(&[id])).collect();
    for backwards in [false, true] {
        let (_folder, mut endpoint, raw) = file(tree);
        let mut deletes = all.clone();
        if backwards {
            deletes.reverse();
        }
        let outcomes = apply(endpoint.as_mut(), &[0], Some(&Always), &deletes);
        assert!(
            outcomes.iter().all(|outcome| *outcome == APPLIED),
            "{outcomes:?}"
        );
        assert_eq!(one(&raw, "SELECT group_concat(id) FROM t"), "");
    }
    // One in the middle is not to go: neither do those above it.
    let (_folder, mut endpoint, raw) = file(tree);
    let deletes: Vec<_> = all
        .into_iter()
        .filter(|(_, key)| key[0] != int(3))
        .collect();
    let outcomes = apply(endpoint.as_mut(), &[0], Some(&Always), &deletes);
    assert!(
        outcomes[..3]
            .iter()
            .all(|outcome| *outcome == held("t", "CASCADE"))
    );
    assert_eq!(
        one(
            &raw,
            "SELECT group_concat(id) FROM (SELECT id FROM t ORDER BY id)"
        ),
        "0,1,2,3"
    );
}

const LOUD: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE, gone INT);
                    INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0);";

fn table(raw: &Connection) -> String {
    one(
        raw,
        "SELECT group_concat(id || v || gone) FROM (SELECT * FROM t ORDER BY id)",
    )
}

#[test]
fn what_a_trigger_suppresses_is_refused_and_leaves_no_trace() {
    let put = |op, id, v| (op, vec![int(id), Value::Text(v), int(0)]);
    let remove = (Op::Delete, vec![int(1), Value::Null, Value::Null]);
    let cases = [
        (
            "BEFORE INSERT",
            "RAISE(IGNORE)",
            put(Op::Insert, 3, "c"),
            suppressed(),
        ),
        (
            "BEFORE UPDATE",
            "RAISE(IGNORE)",
            put(Op::Update, 1, "c"),
            suppressed(),
        ),
        (
            "BEFORE UPDATE",
            "RAISE(IGNORE)",
            put(Op::Insert, 1, "A"),
            suppressed(),
        ),
        (
            "BEFORE UPDATE",
            "RAISE(IGNORE)",
            put(Op::Update, 1, "a"),
            Outcome::Unchanged,
        ),
        (
            "BEFORE DELETE",
            "RAISE(IGNORE)",
            remove.clone(),
            suppressed(),
        ),
        // Marked as deleted instead; taken back.
        (
            "BEFORE DELETE",
            "1; UPDATE t SET gone = 1 WHERE id = OLD.id; SELECT RAISE(IGNORE)",
            remove.clone(),
            suppressed(),
        ),
        (
            "AFTER DELETE",
            "1; INSERT INTO t VALUES (OLD.id, OLD.v, 1)",
            remove.clone(),
            suppressed(),
        ),
        (
            "AFTER INSERT",
            "1; DELETE FROM t WHERE id = NEW.id",
            put(Op::Insert, 3, "c"),
            suppressed(),
        ),
        // Not of the table that is written.
        ("AFTER UPDATE", "1", remove, APPLIED),
    ];
    for (when, what, write, expected) in cases {
        let (_folder, mut endpoint, raw) = file(&format!(
            "{LOUD} CREATE TRIGGER f {when} ON t BEGIN SELECT {what}; END;"
        ));
        let outcomes = apply(endpoint.as_mut(), &[0], Some(&Always), &[write]);
        let gone = expected == APPLIED;
        assert_eq!(outcomes, [expected], "{when} {what}");
        assert_eq!(
            table(&raw),
            if gone { "2b0" } else { "1a0,2b0" },
            "{when} {what}"
        );
    }
}

/// A trigger that changes what is written is a writer of its own: the write stands.
#[test]
fn what_a_trigger_changes_is_written() {
    let (_folder, mut endpoint, raw) = file(&format!(
        "{LOUD} CREATE TRIGGER f AFTER UPDATE OF v ON t BEGIN UPDATE t SET gone = 7 WHERE id = NEW.id; END;"
    ));
    let update = (Op::Update, vec![int(1), Value::Text("c"), int(0)]);
    let outcomes = apply(endpoint.as_mut(), &[0], Some(&Always), &[update]);
    assert_eq!(outcomes, [APPLIED]);
    assert_eq!(table(&raw), "1c7,2b0");
}

#[test]
fn a_record_of_nothing_but_its_key_is_there_or_not() {
    let (_folder, mut endpoint, _raw) =
        file("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
    let put = |op, id| (op, vec![int(id)]);
    let given = [put(Op::Insert, 1), put(Op::Insert, 2), put(Op::Update, 2)];
    for (write, expected) in
        given
            .into_iter()
            .zip([Outcome::Unchanged, APPLIED, Outcome::Unchanged])
    {
        assert_eq!(
            apply(endpoint.as_mut(), &[0], Some(&Always), &[write]),
            [expected]
        );
    }
}
