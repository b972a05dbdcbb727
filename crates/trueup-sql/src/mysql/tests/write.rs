//! What is written is what was given, or refused; the trap numbers are those of the study of databases.

use super::*;

const FOLDING: &str = "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v int)";

#[test]
fn trap_28_keys_that_only_the_server_takes_for_one_are_refused_and_never_merged() {
    let (database, mut endpoint) = fresh(&format!("{FOLDING}; INSERT INTO t VALUES ('a', 1)"));
    let given = Given::new("t", &["k", "v"]);
    let insert = |key| (Op::Insert, vec![Value::Text(key), Value::Int(2)]);
    let records = [
        insert("A"),
        insert("á"),
        insert("a "),
        insert("b"),
        insert("B"),
    ];
    for load in [false, true] {
        let given = Given {
            load,
            ..Given::new("t", &["k", "v"])
        };
        let outcomes = given.outcomes(endpoint.as_mut(), &records);
        let refused: Vec<bool> = outcomes
            .iter()
            .map(|outcome| {
                outcome.contains("constraint=PRIMARY") && outcome.contains("blocked: true")
            })
            .collect();
        assert_eq!(refused, [true, true, true, false, true], "{outcomes:?}");
        assert_eq!(
            database.sql("SELECT * FROM t ORDER BY k").unwrap(),
            "a\t1\nb\t2"
        );
    }
    // Neither does a delete or an update of the one touch the other.
    let records = [
        (Op::Delete, vec![Value::Text("A"), Value::Null]),
        (Op::Delete, vec![Value::Text("a "), Value::Null]),
    ];
    assert_eq!(
        given.outcomes(endpoint.as_mut(), &records),
        [APPLIED, APPLIED]
    );
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY k").unwrap(),
        "a\t1\nb\t2"
    );
    // A change of case is a change of the key.
    let records = [
        insert("A"),
        (Op::Delete, vec![Value::Text("a"), Value::Null]),
    ];
    assert_eq!(
        given.outcomes(endpoint.as_mut(), &records),
        [APPLIED, APPLIED]
    );
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY k").unwrap(),
        "A\t2\nb\t2"
    );
}

#[test]
fn trap_37_an_insert_rewrites_no_other_record() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, mail varchar(9) UNIQUE, v int); INSERT INTO t VALUES (1, 'x', 1)",
    );
    let record = (
        Op::Insert,
        vec![Value::Int(2), Value::Text("x"), Value::Int(2)],
    );
    for load in [false, true] {
        let given = Given {
            load,
            ..Given::new("t", &["id", "mail", "v"])
        };
        let outcomes = given.outcomes(endpoint.as_mut(), std::slice::from_ref(&record));
        assert!(outcomes[0].contains("constraint=mail"), "{outcomes:?}");
        assert_eq!(database.sql("SELECT * FROM t").unwrap(), "1\tx\t1");
    }
}

#[test]
fn trap_5_unique_values_change_hands_within_a_batch() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); \
         INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, 40)",
    );
    let given = Given::new("t", &["id", "u"]);
    // A swap, a chain, and a value of one who goes.
    let record = |op, id, u| (op, vec![Value::Int(id), Value::Int(u)]);
    let records = [
        record(Op::Update, 1, 20),
        record(Op::Update, 2, 10),
        record(Op::Insert, 5, 30),
        record(Op::Update, 3, 40),
        record(Op::Delete, 4, 0),
    ];
    assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED; 5]);
    assert_eq!(
        database.sql("SELECT * FROM t ORDER BY id").unwrap(),
        "1\t20\n2\t10\n3\t40\n5\t30"
    );
}

#[test]
fn trap_6_and_36_a_conditional_delete_takes_no_others_with_it() {
    struct Always;
    impl Check for Always {
        fn holds(&self, _: usize, _: Option<Record<'_>>) -> bool {
            true
        }
        fn position(&self, _: &[usize]) -> Vec<u8> {
            Vec::new()
        }
    }
    let (database, mut endpoint) = fresh(
        "CREATE TABLE p (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES p (id) ON DELETE CASCADE); \
         CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL); \
         INSERT INTO p VALUES (1, NULL), (2, 1), (3, 3), (4, NULL); INSERT INTO c VALUES (1, 4)",
    );
    let delete = |id| (Op::Delete, vec![Value::Int(id), Value::Null]);
    let given = Given {
        check: Some(&Always),
        ..Given::new("p", &["id", "up"])
    };
    let outcomes = given.outcomes(endpoint.as_mut(), &[delete(1), delete(3), delete(4)]);
    assert!(
        outcomes[0].contains("still referenced: table=p on_delete=CASCADE"),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[1], APPLIED);
    assert!(
        outcomes[2].contains("still referenced: table=c on_delete=SET NULL"),
        "{outcomes:?}"
    );
    assert_eq!(
        database.sql("SELECT id FROM p ORDER BY id").unwrap(),
        "1\n2\n4"
    );
    // Without a condition the actions take place.
    let given = Given::new("p", &["id", "up"]);
    assert_eq!(given.outcomes(endpoint.as_mut(), &[delete(1)]), [APPLIED]);
    assert_eq!(database.sql("SELECT id FROM p ORDER BY id").unwrap(), "4");
}

#[test]
fn trap_31_values_of_the_same_native_type_are_carried_whatever_they_are() {
    let (database, mut endpoint) = fresh(
        "SET sql_mode = ''; CREATE TABLE s (id int PRIMARY KEY, d date, t time(1), m datetime, b bool); \
         CREATE TABLE t LIKE s; INSERT INTO s VALUES (1, '0000-00-00', '-100:00:00.5', '2024-00-00 10:00:00', 7)",
    );
    let (read, _) = scan(endpoint.as_mut(), "s");
    let values: Vec<Value<'_>> = read.record(0).values().collect();
    for load in [false, true] {
        database.sql("DELETE FROM t").unwrap();
        let given = Given {
            load,
            ..Given::new("t", &["id", "d", "t", "m", "b"])
        };
        let outcomes = given.outcomes(endpoint.as_mut(), &[(Op::Insert, values.clone())]);
        assert_eq!(outcomes, [APPLIED]);
        let same = "SELECT COUNT(*) FROM s JOIN t USING (id, d, t, m, b)";
        assert_eq!(database.sql(same).unwrap(), "1");
    }
}

#[test]
fn trap_34_a_text_that_the_character_set_lacks_is_refused() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY, v varchar(9) CHARACTER SET latin1)");
    for load in [false, true] {
        database.sql("DELETE FROM t").unwrap();
        let given = Given {
            load,
            ..Given::new("t", &["id", "v"])
        };
        let insert = |id, text| (Op::Insert, vec![Value::Int(id), Value::Text(text)]);
        let outcomes = given.outcomes(endpoint.as_mut(), &[insert(1, "ä"), insert(2, "日")]);
        assert_eq!(outcomes[0], APPLIED);
        assert!(outcomes[1].contains("field=v"), "{outcomes:?}");
        assert_eq!(database.sql("SELECT id, HEX(v) FROM t").unwrap(), "1\tE4");
    }
}

#[test]
fn a_table_without_transactions_is_no_target() {
    let (_database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY) ENGINE=Aria");
    let notes = schema(endpoint.as_mut(), "t").notes.join("\n");
    assert!(notes.contains("engine=Aria knows no snapshots"), "{notes}");
    let mut writer = endpoint.writer(&claim()).unwrap();
    let records = [(Op::Insert, vec![Value::Int(1)])];
    let error = Given::new("t", &["id"])
        .apply(endpoint.as_mut(), writer.as_mut(), &records)
        .unwrap_err();
    assert_eq!(error.kind(), trueup_core::Kind::Config);
    assert!(error.message().contains("engine=Aria"), "{error:?}");
}

#[test]
fn triggers_checks_and_references_refuse_single_records() {
    let (database, mut endpoint) = fresh(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1); \
         CREATE TABLE t (id int PRIMARY KEY, p int, n int CHECK (n > 0), FOREIGN KEY fk (p) REFERENCES p (id));\nDELIMITER //\n\
         CREATE TRIGGER refuses BEFORE INSERT ON t FOR EACH ROW \
         IF NEW.id = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'secret'; END IF //",
    );
    let insert = |id, p, n| {
        (
            Op::Insert,
            vec![Value::Int(id), Value::Int(p), Value::Int(n)],
        )
    };
    let records = [
        insert(1, 1, 1),
        insert(2, 9, 1),
        insert(3, 1, 0),
        insert(13, 1, 1),
    ];
    let outcomes = Given::new("t", &["id", "p", "n"]).outcomes(endpoint.as_mut(), &records);
    assert_eq!(outcomes[0], APPLIED);
    for (outcome, words) in outcomes[1..].iter().zip([
        "foreign key is violated: error=1452",
        "check constraint is violated: error=4025",
        "a trigger or procedure refused the record: error=1644",
    ]) {
        assert!(outcome.contains(words), "{outcome}");
        assert!(!outcome.contains("secret"), "{outcome}");
    }
    assert_eq!(database.sql("SELECT id FROM t").unwrap(), "1");
}

#[test]
fn a_value_longer_than_a_packet_is_refused_alone() {
    let (database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY, v longtext)");
    let long = "x".repeat(20 << 20);
    let records = [
        (Op::Insert, vec![Value::Int(1), Value::Text(&long)]),
        (Op::Insert, vec![Value::Int(2), Value::Text("short")]),
    ];
    let outcomes = Given::new("t", &["id", "v"]).outcomes(endpoint.as_mut(), &records);
    assert!(
        outcomes[0].contains("max_allowed_packet"),
        "{}",
        &outcomes[0][..200]
    );
    assert_eq!(outcomes[1], APPLIED);
    assert_eq!(database.sql("SELECT * FROM t").unwrap(), "2\tshort");
}

#[test]
fn records_that_are_nothing_but_a_key() {
    let (database, mut endpoint) =
        fresh("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let record = |op, id| (op, vec![Value::Int(id)]);
    let records = [
        record(Op::Update, 1),
        record(Op::Insert, 2),
        record(Op::Insert, 1),
    ];
    let outcomes = Given::new("t", &["id"]).outcomes(endpoint.as_mut(), &records[..2]);
    assert_eq!(outcomes, [APPLIED; 2]);
    let outcomes = Given::new("t", &["id"]).outcomes(endpoint.as_mut(), &records[2..]);
    assert_eq!(outcomes, [APPLIED]);
    assert_eq!(database.sql("SELECT id FROM t").unwrap(), "1\n2");
}

#[test]
fn a_uuid_that_the_server_does_not_take_is_refused_by_name() {
    let sql = "CREATE TABLE t (k int PRIMARY KEY, u uuid)";
    let (database, mut endpoint) = fresh(sql);
    let insert = |key, uuid| (Op::Insert, vec![Value::Int(key), Value::Uuid(uuid)]);
    let (hash, random) = ([0x9a; 8], [0x4a; 8]);
    let [hash, random] = [(hash, 0x12), (random, 0x8a)].map(|(front, variant)| {
        let mut uuid = [variant; 16];
        uuid[..8].copy_from_slice(&front);
        uuid
    });
    for load in [false, true] {
        let given = Given {
            load,
            ..Given::new("t", &["k", "u"])
        };
        let outcomes = given.outcomes(endpoint.as_mut(), &[insert(1, &hash), insert(2, &random)]);
        let reason = "UUID is none that the server's type takes: error=1292 field=u";
        assert!(outcomes[0].contains(reason), "{outcomes:?}");
        assert_eq!(outcomes[1], APPLIED);
        let kept = database.sql("SELECT k, u FROM t").unwrap();
        assert_eq!(kept, "2\t4a4a4a4a-4a4a-4a4a-8a8a-8a8a8a8a8a8a");
    }
}
