//! Keys that the server orders or compares in its own way.

use super::*;
use crate::postgres::config::Settings;
use crate::postgres::connect::{Connection, column};
use crate::postgres::scan::{Query, described};

/// The server's plan for an ordered scan of all fields, as it stands in EXPLAIN.
fn plan(database: &Database, schema: &Schema) -> String {
    let settings = Settings::parse(&database.url(), &Context::empty()).unwrap();
    let connection = Connection::open(&settings).unwrap();
    let fields = (0..schema.fields.len()).collect::<Vec<_>>();
    let wanted = vec![Type::TEXT; fields.len()];
    let request = ScanRequest {
        schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Key(&schema.key),
        after: None,
        sieve: &[],
        batch_records_max: 1,
        batch_bytes_max: 1,
    };
    let table = described(&connection, &schema.collection).unwrap();
    let query = Query::new(&table, &request).unwrap();
    assert!(query.ordered);
    let rows = connection.query(&format!("EXPLAIN {}", query.sql), &[]);
    let lines = rows.unwrap();
    let lines = lines
        .iter()
        .map(|row| column::<String>(row, 0).unwrap())
        .collect::<Vec<_>>();
    lines.join("\n")
}

#[test]
fn trap_29_a_created_text_key_is_read_along_its_index() {
    let (database, mut endpoint) = fresh("");
    let mut wanted = trueup_testkit::records::schema("t")
        .field("b", Type::Text { chars_max: Some(9) })
        .text("v")
        .text("a")
        .key(["a", "b"])
        .build();
    let design = endpoint.design(&wanted).unwrap();
    assert!(
        design
            .statement
            .contains("\"b\" character varying(9) COLLATE \"C\" NOT NULL")
            && design.statement.contains("\"v\" text,"),
        "{}",
        design.statement
    );
    let mut writer = endpoint.writer(&claim()).unwrap();
    for _ in 0..2 {
        writer.create(&design).unwrap();
    }
    let fill = "INSERT INTO t SELECT lpad(g::text, 9, '0'), 'v', lpad(g::text, 9, '0') \
                FROM generate_series(1, 20000) g; ANALYZE t";
    database.sql(fill).unwrap();
    let found = plan(&database, &schema(endpoint.as_mut(), "t"));
    assert!(
        found.contains("Index Scan using t_pkey") && !found.contains("Sort"),
        "{found}"
    );
    // The negative control: with the database's own collation the server has to sort.
    wanted.collection = "u".to_owned();
    let plain = endpoint.design(&wanted).unwrap().statement;
    database.sql(&plain.replace(" COLLATE \"C\"", "")).unwrap();
    database
        .sql(&fill.replace(" t ", " u ").replace("ANALYZE t", "ANALYZE u"))
        .unwrap();
    let found = plan(&database, &schema(endpoint.as_mut(), "u"));
    assert!(found.contains("Sort"), "{found}");
}

/// Fields whose unique index takes `a` and `A` for one.
const FOLDING: &[&str] = &[
    "citext",
    "text COLLATE folding",
    "varchar(9) COLLATE folding",
];

fn folding(ty: &str) -> (Database, Box<dyn Endpoint>) {
    fresh(&format!(
        "CREATE EXTENSION citext; \
         CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
         CREATE TABLE t (k {ty} PRIMARY KEY, v text); INSERT INTO t VALUES ('a', 'first')"
    ))
}

#[test]
fn keys_that_fold_merge_no_two_records() {
    for ty in FOLDING {
        let (database, mut endpoint) = folding(ty);
        let notes = schema(endpoint.as_mut(), "t").notes;
        assert!(
            notes.iter().any(|note| note.contains("field=k")),
            "{notes:?}"
        );
        for load in [false, true] {
            let given = Given {
                load,
                ..Given::new("t", &["k", "v"])
            };
            let records = [
                (Op::Insert, vec![Value::Text("A"), Value::Text("second")]),
                (Op::Insert, vec![Value::Text("b"), Value::Text("other")]),
            ];
            let outcomes = given.outcomes(endpoint.as_mut(), &records);
            assert!(
                outcomes[0].contains("blocked: true") && outcomes[1] == APPLIED,
                "{ty}: {outcomes:?}"
            );
        }
        let given = Given::new("t", &["k", "v"]);
        let records = [
            (Op::Update, vec![Value::Text("a"), Value::Text("new")]),
            (Op::Delete, vec![Value::Text("B"), Value::Null]),
        ];
        assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED; 2]);
        assert_eq!(
            database.sql("SELECT * FROM t ORDER BY v").unwrap(),
            "a|new\nb|other",
            "{ty}"
        );
        // Another spelling comes in when the one before it goes.
        let records = [
            (Op::Insert, vec![Value::Text("A"), Value::Text("second")]),
            (Op::Delete, vec![Value::Text("a"), Value::Null]),
        ];
        assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED; 2]);
        assert_eq!(
            database.sql("SELECT * FROM t ORDER BY v").unwrap(),
            "b|other\nA|second"
        );
    }
}

#[test]
fn keys_of_two_spellings_merge_no_two_records() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (k interval PRIMARY KEY, v text); INSERT INTO t VALUES ('1 day', 'first')",
    );
    let records = [
        (
            Op::Insert,
            vec![Value::Text("PT24H"), Value::Text("second")],
        ),
        (Op::Update, vec![Value::Text("P1D"), Value::Text("new")]),
        (Op::Insert, vec![Value::Text("PT1H"), Value::Text("other")]),
    ];
    let outcomes = Given::new("t", &["k", "v"]).outcomes(endpoint.as_mut(), &records);
    assert!(outcomes[0].contains("blocked: true"), "{outcomes:?}");
    assert_eq!(outcomes[1..], [APPLIED; 2]);
    assert_eq!(
        database.sql("SELECT v FROM t ORDER BY v").unwrap(),
        "new\nother"
    );
}

#[test]
fn a_folding_key_that_is_in_the_way_is_not_stale() {
    /// Every record is expected to be missing.
    struct Missing;

    impl Check for Missing {
        fn holds(&self, _: usize, current: Option<trueup_core::batch::Record<'_>>) -> bool {
            current.is_none()
        }

        fn position(&self, _: &[usize]) -> Vec<u8> {
            Vec::new()
        }
    }

    let (_database, mut endpoint) = folding("citext");
    let given = Given {
        check: Some(&Missing),
        ..Given::new("t", &["k", "v"])
    };
    let records = [(Op::Insert, vec![Value::Text("A"), Value::Null])];
    let outcomes = given.outcomes(endpoint.as_mut(), &records);
    // Observing it again would find nothing again.
    assert!(outcomes[0].contains("blocked: true"), "{outcomes:?}");
}
