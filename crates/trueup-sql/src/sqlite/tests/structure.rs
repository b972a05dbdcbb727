//! Structure from one file to another: it means the same there, and nothing else happens.

use super::*;
use std::collections::BTreeSet;
use trueup_core::structure::{Built, Construction, Step, StepKind};

/// Builds table t of a file made by `source` in a file made by `target`.
fn carry(source: &str, target: &str) -> (tempfile::TempDir, Connection, Construction, Vec<Built>) {
    let (_folder, mut endpoint, _raw) = file(source);
    let wanted = endpoint.schema("t").unwrap().unwrap();
    let structure = endpoint.structure("t").unwrap();
    let (folder, mut endpoint, raw) = file(target);
    let made = endpoint.construct(&wanted, &structure, &mut BTreeSet::new());
    let made = made.unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    writer.create(&made.design).unwrap();
    let built = made.steps.iter().map(|step| writer.build(step).unwrap());
    let built = built.collect();
    (folder, raw, made, built)
}

fn counts(raw: &Connection, sql: &str) -> i64 {
    raw.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn comments_in_definitions_hide_and_run_nothing() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INT DEFAULT (1 -- one\n) CHECK (a > 0 -- positive\n), \
                  g INT -- x\n GENERATED ALWAYS AS (a + 1 -- more\n), h \"INT), i\", j DECIMAL(5 /* ) */, 2), \
                  CHECK (a <> 5 -- x\n), CHECK (1 /*\n)); DROP TABLE victim; -- */)); \
                  CREATE INDEX part ON t (a) WHERE a > 3 -- )";
    let (_folder, raw, made, built) = carry(source, "CREATE TABLE victim (id)");
    assert_eq!(built, [Built::Done]);
    let victims = "SELECT count(*) FROM sqlite_master WHERE name = 'victim'";
    assert_eq!(counts(&raw, victims), 1);
    raw.execute("INSERT INTO t (id) VALUES (1)", []).unwrap();
    assert_eq!(counts(&raw, "SELECT a + g FROM t"), 3);
    for refused in [0, 5] {
        let insert = raw.execute("INSERT INTO t (id, a) VALUES (2, ?1)", [refused]);
        assert!(insert.is_err(), "{refused}");
    }
    assert_eq!(made.lost, []);
    let types = "SELECT count(*) FROM pragma_table_xinfo('t') WHERE (name, type) IN \
                 (('h', 'INT), I'), ('j', 'DECIMAL(5 /* ) */, 2)'))";
    assert_eq!(counts(&raw, types), 2);
}

#[test]
fn a_second_statement_is_never_run() {
    let (_folder, mut endpoint, raw) = file("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let mut writer = endpoint.writer(&claim()).unwrap();
    let step = Step {
        kind: StepKind::Index,
        collection: "t".to_owned(),
        name: "i".to_owned(),
        statement: "CREATE INDEX i ON t (id); DROP TABLE t".to_owned(),
    };
    let built = writer.build(&step).unwrap();
    assert!(matches!(built, Built::Refused { .. }), "{built:?}");
    let schema = Schema {
        collection: "u".to_owned(),
        ..Schema::default()
    };
    let statement = "CREATE TABLE u (id); DROP TABLE t".to_owned();
    writer.create(&Design { schema, statement }).unwrap_err();
    let objects = "SELECT count(*) FROM sqlite_master WHERE name IN ('t', 'u', 'i')";
    assert_eq!(counts(&raw, objects), 1);
}

#[test]
fn defaults_and_references_of_the_same_engine_mean_the_same() {
    let parent = "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);";
    let source = "CREATE TABLE t (ID INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT DEFAULT \"abc\", b DEFAULT abc, \
                  c INT DEFAULT 'none', d BOOLEAN DEFAULT 'true', e REFERENCES P(ID)); \
                  INSERT INTO t (id) VALUES (41)";
    let (_folder, raw, made, built) = carry(&format!("{parent}{source}"), parent);
    assert_eq!(made.lost, []);
    assert_eq!(built, [Built::Done, Built::Done]);
    assert!(made.design.statement.contains("REFERENCES \"p\" (\"id\")"));
    raw.execute("INSERT INTO t (e) VALUES (1)", []).unwrap();
    let same = "SELECT count(*) FROM t WHERE id = 42 AND a = 'abc' AND b = 'abc' AND c = 'none' AND d = 'true'";
    assert_eq!(counts(&raw, same), 1);
}

#[test]
fn what_only_sqlite_says_of_conflicts_and_row_ids_is_told_to_be_lost() {
    let source = "CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE ON CONFLICT REPLACE, \
                  c INT NOT NULL ON CONFLICT ABORT, UNIQUE (b, c) ON CONFLICT IGNORE) WITHOUT ROWID";
    let (_folder, _raw, made, _) = carry(source, "");
    let lost = made.lost.iter().map(|lost| (&*lost.kind, &*lost.name));
    assert_eq!(
        lost.collect::<Vec<_>>(),
        [
            ("without rowid", "t"),
            ("conflict clause", "t.b"),
            ("conflict clause", "t.unique"),
        ]
    );
}

#[test]
fn an_index_of_the_same_name_hides_no_other_step() {
    let (_folder, mut endpoint, _raw) = file(
        "PRAGMA foreign_keys = OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES t (id)); CREATE INDEX t_fkeys ON t (p); \
         INSERT INTO t VALUES (1, 2)",
    );
    let mut writer = endpoint.writer(&claim()).unwrap();
    let step = Step {
        kind: StepKind::ForeignKey,
        collection: "t".to_owned(),
        name: "t_fkeys".to_owned(),
        statement: "PRAGMA foreign_key_check(\"t\")".to_owned(),
    };
    let built = writer.build(&step).unwrap();
    assert!(matches!(built, Built::Refused { .. }), "{built:?}");
}

#[test]
fn a_table_under_construction_lets_in_what_has_no_parent_yet_and_keeps_parents() {
    let (_folder, mut endpoint, raw) = file(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES t (id)); INSERT INTO t VALUES (1, NULL), (2, 1)",
    );
    let schema = endpoint.schema("t").unwrap().unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    writer.constructing(&BTreeSet::from(["t".to_owned()]));
    for (batch, op, id, applied) in [(1, Op::Insert, 3, true), (2, Op::Delete, 1, false)] {
        let mut records = Batch::new(2);
        records.push(Value::Int(id));
        records.push(Value::Int(9));
        let mark = Mark {
            partition: "t".into(),
            batch,
            position: Vec::new(),
        };
        let writes = Writes {
            schema: &schema,
            fields: &[0, 1],
            key: &[0],
            ops: &[op],
            records: &records,
            mark: &mark,
            load: false,
            check: None,
            bag: None,
        };
        let outcomes = writer.apply(&writes).unwrap().outcomes;
        let found = matches!(outcomes.as_slice(), [Outcome::Applied(_)]);
        assert_eq!(found, applied, "{op:?} {outcomes:?}");
    }
    assert_eq!(counts(&raw, "SELECT count(*) FROM t"), 3);
}
