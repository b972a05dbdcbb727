//! What is read is what is stored; the trap numbers are those of the study of databases.

use super::*;
use trueup_core::cast;

/// Reads the only record of a table as text, without its key.
fn only(columns: &str, values: &str) -> Vec<String> {
    let (_database, mut endpoint) = fresh(&format!(
        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t VALUES (1, {values})"
    ));
    let (read, ordered) = scan(endpoint.as_mut(), "t");
    assert!(ordered);
    let record = read.record(0);
    let values = record.values().skip(1).map(|value| format!("{value:?}"));
    values.collect()
}

#[test]
fn trap_30_floats_are_read_as_they_are_stored() {
    assert_eq!(
        only("a float, b float, c double", "16777216, 0.1, 0.1"),
        [
            "Float(16777216.0)",
            "Float(0.10000000149011612)",
            "Float(0.1)"
        ]
    );
}

#[test]
fn trap_31_what_no_calendar_has_is_a_text_and_fits_no_date() {
    let found = only(
        "a date, b date, c datetime(3), d time(1), e time, f year, g enum('a'), h set('x','y')",
        "0, '2024-02-00', '0000-00-00', '-838:59:59.5', '24:00:00', 0, 'none', 'y,x,y'",
    );
    let expected = [
        "Text(\"0000-00-00\")",
        "Text(\"2024-02-00\")",
        "Text(\"0000-00-00 00:00:00\")",
        "Text(\"-838:59:59.500000\")",
        "Time(86400000000)",
        "Int(0)",
        "Text(\"\")",
        "Text(\"x,y\")",
    ];
    assert_eq!(found, expected);
    for (text, ty) in [
        ("0000-00-00", Type::Date),
        ("2024-02-00", Type::Date),
        ("0000-00-00 00:00:00", Type::Timestamp),
        ("-838:59:59.500000", Type::Time),
    ] {
        assert!(!cast::fits(Value::Text(text), ty), "{text}");
    }
}

#[test]
fn trap_32_large_numbers_and_truths_that_are_none() {
    let columns = "a bigint unsigned, b bigint unsigned, c decimal(65,30), d bit(64), e bool, f tinyint(1), g bit(1), \
                   h tinyint unsigned, i mediumint";
    let values = "18446744073709551615, 9223372036854775807, '-99999999999999999999999999999999999.5', \
                  18446744073709551615, 1, 7, 1, 255, -8388608";
    let expected = [
        "Decimal(\"18446744073709551615\")",
        "Int(9223372036854775807)",
        "Decimal(\"-99999999999999999999999999999999999.500000000000000000000000000000\")",
        "Decimal(\"18446744073709551615\")",
        "Bool(true)",
        "Int(7)",
        "Int(1)",
        "Int(255)",
        "Int(-8388608)",
    ];
    assert_eq!(only(columns, values), expected);
}

#[test]
fn trap_33_a_timestamp_is_an_instant_and_a_datetime_is_not() {
    let found = only(
        "a timestamp(6) NULL, b datetime(6)",
        "'2024-02-29 12:00:00.000001', '2024-02-29 12:00:00.000001'",
    );
    let us = 1_709_208_000_000_001_i64;
    assert_eq!(
        found,
        [format!("Instant({us})"), format!("Timestamp({us})")]
    );
}

#[test]
fn trap_34_every_character_set_becomes_unicode() {
    let columns = "a varchar(9) CHARACTER SET latin1, b char(9) CHARACTER SET cp1251, c varchar(9) CHARACTER SET ucs2, \
                   d binary(4), e char(4)";
    let found = only(columns, "'äß€', 'Ж', '日本', 'ab', 'ab  '");
    let expected = [
        "Text(\"äß€\")",
        "Text(\"Ж\")",
        "Text(\"日本\")",
        "Bytes([97, 98, 0, 0])",
        "Text(\"ab\")",
    ];
    assert_eq!(found, expected);
}

#[test]
fn trap_35_json_keeps_its_text() {
    let found = only(
        "a json, b longtext, c uuid, d inet6",
        "'{\"b\": 1.50, \"a\":[]}', '{}', '7F2C4A0E-8f4b-4c8e-9d0a-0c1d2e3f4a5b', '::1'",
    );
    assert_eq!(found[0], "Json(\"{\\\"b\\\": 1.50, \\\"a\\\":[]}\")");
    assert_eq!(found[1], "Text(\"{}\")");
    assert!(
        found[2].starts_with("Uuid([127, 44, 74, 14,"),
        "{}",
        found[2]
    );
    assert_eq!(found[3], "Text(\"::1\")");
}

#[test]
fn trap_29_a_key_whose_order_follows_a_language_is_not_called_ordered() {
    for (key, expected) in [
        ("int", true),
        ("bigint unsigned", true),
        ("decimal(9,2)", true),
        ("varbinary(9)", true),
        ("date", true),
        ("varchar(9) COLLATE utf8mb4_nopad_bin", true),
        // Compares as if blanks stood at the end: 'a\t' before 'a'.
        ("varchar(9) COLLATE utf8mb4_bin", false),
        ("varchar(9) COLLATE utf8mb4_general_ci", false),
        (
            "varchar(9) CHARACTER SET latin1 COLLATE latin1_nopad_bin",
            false,
        ),
        ("enum('b','a')", false),
        ("uuid", false),
    ] {
        let (_database, mut endpoint) = fresh(&format!("CREATE TABLE t (k {key} PRIMARY KEY)"));
        let (_, ordered) = scan(endpoint.as_mut(), "t");
        assert_eq!(ordered, expected, "{key}");
    }
}

#[test]
fn shapes_are_read_whole() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE parent (id int PRIMARY KEY); \
         CREATE TABLE t (a int NOT NULL, b varchar(5) NOT NULL, c int, d int AS (a + 1), e int AS (a + 2) STORED, \
         PRIMARY KEY (b, a), UNIQUE (c), UNIQUE u2 (c, a), INDEX (c), UNIQUE u3 (b(2)), \
         FOREIGN KEY (c) REFERENCES parent (id) ON DELETE CASCADE); \
         CREATE TRIGGER fires BEFORE INSERT ON t FOR EACH ROW SET NEW.c = NEW.c; \
         CREATE VIEW v AS SELECT * FROM t; CREATE SEQUENCE s",
    );
    assert_eq!(endpoint.collections().unwrap(), ["parent", "t"]);
    assert_eq!(endpoint.schema("v").unwrap(), None);
    assert_eq!(endpoint.schema("T").unwrap(), None);
    assert_eq!(schema(endpoint.as_mut(), "parent").cascades, ["t"]);
    let schema = schema(endpoint.as_mut(), "t");
    assert!(schema.cascades.is_empty());
    assert_eq!(schema.key_names(), ["b", "a"]);
    assert_eq!(schema.uniques, [vec![2], vec![2, 0]]);
    let generated: Vec<bool> = schema.fields.iter().map(|field| field.generated).collect();
    assert_eq!(generated, [false, false, false, true, true]);
    assert_eq!(schema.references.len(), 1);
    assert_eq!(schema.references[0].collection, "parent");
    assert!(schema.references[0].cascades);
    let notes = schema.notes.join("\n");
    assert!(
        notes.contains("triggers will fire when it is written: fires"),
        "{notes}"
    );
    assert!(
        notes.contains("the key takes different texts for one"),
        "{notes}"
    );
}

#[test]
fn a_scan_that_is_dropped_leaves_the_snapshot_usable() {
    let (_database, mut endpoint) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY, v longtext); \
         INSERT INTO t SELECT seq, REPEAT('x', 100000) FROM seq_1_to_300",
    );
    let schema = schema(endpoint.as_mut(), "t");
    let mut snapshot = endpoint.snapshot().unwrap();
    for fields in [vec![0, 1], vec![0, 1], vec![0]] {
        let wanted = vec![Type::Any; fields.len()];
        let request = ScanRequest {
            schema: &schema,
            fields: &fields,
            wanted: &wanted,
            order: Order::Natural,
            after: None,
            sieve: &[],
            batch_records_max: 1,
            batch_bytes_max: 1 << 20,
        };
        let mut scan = snapshot.scan(&request).unwrap();
        let mut batch = Batch::new(fields.len());
        assert!(scan.next(&mut batch).unwrap());
        assert_eq!(batch.len(), 1);
    }
    assert!(!snapshot.is_empty(&schema).unwrap());
}
