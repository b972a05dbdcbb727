//! Records that hold what each other wants.

use super::*;

/// Hands values round: record `n` takes the value of the next one, the last that of the first.
fn rotation(count: i64) -> Vec<(Op, Vec<Value<'static>>)> {
    (0..count)
        .map(|n| {
            let values = vec![Value::Int(n), Value::Int((n + 1) % count)];
            (Op::Update, values)
        })
        .collect()
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE); \
                     INSERT INTO t SELECT g, g FROM generate_series(0, 2) g;";

fn state(database: &Database) -> String {
    let sql = "SELECT string_agg(id || '=' || coalesce(v::text, '-'), ' ' ORDER BY id) FROM t";
    database.sql(sql).unwrap()
}

#[test]
fn trap_54_values_are_swapped_and_rotated() {
    for (count, expected) in [(2, "0=1 1=0 2=2"), (3, "0=1 1=2 2=0")] {
        for check in [None, Some(&Always as &dyn Check)] {
            let (database, mut endpoint) = fresh(TABLE);
            let given = Given {
                check,
                ..Given::new("t", &["id", "v"])
            };
            let mut records = rotation(count);
            for _ in 0..2 {
                let outcomes = given.outcomes(endpoint.as_mut(), &records);
                assert_eq!(outcomes, vec![APPLIED; records.len()]);
                assert_eq!(state(&database), expected);
                records.reverse();
            }
        }
    }
}

/// Holds for every record.
struct Always;

impl Check for Always {
    fn holds(&self, _: usize, _: Option<trueup_core::batch::Record<'_>>) -> bool {
        true
    }

    fn position(&self, _: &[usize]) -> Vec<u8> {
        Vec::new()
    }
}

#[test]
fn trap_54_what_is_blocked_for_good_does_not_stop_a_swap() {
    let (database, mut endpoint) = fresh(&format!("{TABLE} INSERT INTO t VALUES (7, 7)"));
    let mut records = rotation(2);
    // Another record of the target holds it, and keeps it.
    records.push((Op::Update, vec![Value::Int(2), Value::Int(7)]));
    records.push((Op::Insert, vec![Value::Int(9), Value::Int(7)]));
    let outcomes = Given::new("t", &["id", "v"]).outcomes(endpoint.as_mut(), &records);
    assert_eq!(outcomes[..2], [APPLIED; 2]);
    assert!(
        outcomes[2..]
            .iter()
            .all(|outcome| outcome.contains("blocked: true")),
        "{outcomes:?}"
    );
    assert_eq!(state(&database), "0=1 1=0 2=2 7=7");
}

#[test]
fn trap_54_a_swap_is_refused_where_a_removal_would_show() {
    for (more, names) in [
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'; \
             CREATE TRIGGER f AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()",
            &["id", "v"][..],
        ),
        (
            "CREATE TABLE u (t int REFERENCES t ON DELETE CASCADE); INSERT INTO u VALUES (0)",
            &["id", "v"],
        ),
        (
            "CREATE TABLE u (t int REFERENCES t ON DELETE SET NULL); INSERT INTO u VALUES (0)",
            &["id", "v"],
        ),
        (
            "CREATE TABLE u (t int REFERENCES t); INSERT INTO u VALUES (0)",
            &["id", "v"],
        ),
        (
            "CREATE TABLE log (id int); CREATE RULE r AS ON DELETE TO t DO ALSO INSERT INTO log VALUES (old.id)",
            &["id", "v"],
        ),
        ("ALTER TABLE t ADD own text DEFAULT 'kept'", &["id", "v"]),
    ] {
        let (database, mut endpoint) = fresh(&format!("{TABLE} {more}"));
        let outcomes = Given::new("t", names).outcomes(endpoint.as_mut(), &rotation(2));
        assert!(
            outcomes
                .iter()
                .all(|outcome| outcome.contains("blocked: true")),
            "{more}: {outcomes:?}"
        );
        assert_eq!(state(&database), "0=0 1=1 2=2", "{more}");
    }
}
