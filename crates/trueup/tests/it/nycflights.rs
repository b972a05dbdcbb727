//! Real data through every endpoint: 336,776 flights and what belongs to them, from CSV to SQLite to PostgreSQL and back.

use crate::support::{self, NYCFLIGHTS_KEYS, Output, Trueup, expect_same};
use std::fs;
use std::path::Path;

/// What the example data holds.
const RECORDS: [(&str, u64); 5] = [
    ("airlines", 16),
    ("airports", 1458),
    ("flights", 336_776),
    ("planes", 3322),
    ("weather", 26_115),
];

/// Puts the five files into `folder/flights` and returns the source's address: `NA` is null.
fn csv_source(folder: &Path) -> &'static str {
    let data = support::nycflights();
    fs::create_dir(folder.join("nyc")).expect("the test's folder can be written");
    for (name, _) in RECORDS {
        let file = format!("{name}.csv");
        fs::copy(data.join(&file), folder.join("nyc").join(&file)).expect("a file can be copied");
    }
    "csv:nyc?null=NA"
}

/// Insists that the run wrote everything and that its certificate is clean.
#[track_caller]
fn expect_whole(output: &Output) {
    let report = output.json();
    assert_eq!(report["equal"], true, "{output}");
    let collections = report["collections"]
        .as_array()
        .expect("there are collections");
    let proofs = &report["certificate"]["collections"];
    let proofs = proofs.as_array().expect("there is a certificate");
    assert_eq!((collections.len(), proofs.len()), (5, 5), "{output}");
    for (index, (name, records)) in RECORDS.into_iter().enumerate() {
        let (one, proof) = (&collections[index], &proofs[index]);
        assert_eq!(one["name"], name, "{output}");
        assert_eq!(proof["source"], name, "{output}");
        for counted in [
            &one["inserted"],
            &proof["source_records"],
            &proof["target_records"],
        ] {
            assert_eq!(*counted, records, "{name}\n{output}");
        }
        let rest =
            ["updated", "deleted", "unchanged", "conflicts", "parked"].map(|rest| &one[rest]);
        assert!(rest.iter().all(|rest| **rest == 0), "{name}\n{output}");
        let wrong = ["only_target", "wrong", "parked"].map(|wrong| &proof[wrong]);
        assert!(wrong.iter().all(|wrong| **wrong == 0), "{name}\n{output}");
        assert_eq!(
            proof["digest_source"], proof["digest_target"],
            "{name}\n{output}"
        );
    }
}

#[test]
fn nycflights_round_trip() {
    let folder = support::folder();
    let folder = folder.path();
    let database = support::database();
    let source = csv_source(folder);
    let postgres = database.url();
    let independent = format!("postgres:{}", database.name());

    let arguments = [source, "sqlite:first.db", "--json"];
    let first = Trueup::new(folder)
        .sync(arguments)
        .arguments(NYCFLIGHTS_KEYS)
        .run()
        .expect(0);
    expect_whole(&first);
    expect_same(folder, "csv:nyc", "sqlite:first.db");

    // From here on each side has primary keys of its own.
    let arguments = ["sqlite:first.db", &postgres, "--json"];
    expect_whole(&Trueup::new(folder).sync(arguments).run().expect(0));
    expect_same(folder, "sqlite:first.db", &independent);

    let arguments = [&postgres, "sqlite:last.db", "--json"];
    expect_whole(&Trueup::new(folder).sync(arguments).run().expect(0));
    expect_same(folder, &independent, "sqlite:last.db");

    let diff = Trueup::new(folder)
        .diff(["sqlite:first.db", "sqlite:last.db"])
        .run()
        .expect(0);
    assert!(diff.stdout.ends_with("\nequal\n"), "{diff}");
    expect_same(folder, "csv:nyc", "sqlite:last.db");
}

#[test]
fn a_source_without_keys_is_refused_with_the_way_out() {
    let folder = support::folder();
    let folder = folder.path();
    let source = csv_source(folder);
    let refused = Trueup::new(folder)
        .sync([source, "sqlite:none.db"])
        .run()
        .expect(2);
    assert!(refused.stderr.contains("error[config]: "), "{refused}");
    assert!(refused.stderr.contains("hint: "), "{refused}");
    assert!(refused.stderr.contains("--key airlines="), "{refused}");
    assert_eq!(refused.stdout, "", "{refused}");
    assert!(
        !folder.join("none.db").exists(),
        "the target was created\n{refused}"
    );
}

#[test]
fn a_key_that_is_not_unique_is_refused_before_the_first_write() {
    let folder = support::folder();
    let folder = folder.path();
    let source = csv_source(folder);
    let key = "weather=year,month,day,hour,origin";
    let arguments = [
        source,
        "sqlite:none.db",
        "--collections",
        "weather",
        "--key",
        key,
    ];
    let refused = Trueup::new(folder).sync(arguments).run().expect(2);
    assert!(
        refused.stderr.contains("the key is not unique"),
        "{refused}"
    );
    assert!(refused.stderr.contains("--key "), "{refused}");
    assert!(
        !folder.join("none.db").exists(),
        "the target was created\n{refused}"
    );

    // A target with other contents stays as it is, byte for byte.
    support::sqlite(
        &folder.join("old.db"),
        "CREATE TABLE other (a INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)",
    );
    let before = fs::read(folder.join("old.db")).expect("the file is there");
    let arguments = [
        source,
        "sqlite:old.db",
        "--collections",
        "weather",
        "--key",
        key,
    ];
    let refused = Trueup::new(folder).sync(arguments).run().expect(2);
    let after = fs::read(folder.join("old.db")).expect("the file is there");
    assert!(before == after, "the target was touched\n{refused}");
}

#[test]
fn the_independent_script_finds_a_single_wrong_value() {
    let folder = support::folder();
    let folder = folder.path();
    let table = "CREATE TABLE t (a INTEGER PRIMARY KEY, b DECIMAL_TEXT, c TEXT); INSERT INTO t VALUES (1, '1.10', 'x'), (2, NULL, 'NA')";
    support::sqlite(&folder.join("one.db"), table);
    support::sqlite(&folder.join("other.db"), table);
    assert_eq!(
        support::independent(folder, "sqlite:one.db", "sqlite:other.db"),
        Ok(())
    );
    // The same number, spelled otherwise.
    support::sqlite(
        &folder.join("other.db"),
        "UPDATE t SET b = '1.1' WHERE a = 1",
    );
    assert_eq!(
        support::independent(folder, "sqlite:one.db", "sqlite:other.db"),
        Ok(())
    );
    for change in [
        "UPDATE t SET b = '1.11' WHERE a = 1",
        "UPDATE t SET c = 'y' WHERE a = 1",
        "UPDATE t SET c = NULL WHERE a = 1",
        "DELETE FROM t WHERE a = 1",
        "INSERT INTO t VALUES (3, '1', 'x')",
        "CREATE TABLE u (a INTEGER PRIMARY KEY)",
        "ALTER TABLE t ADD COLUMN d TEXT",
    ] {
        fs::copy(folder.join("one.db"), folder.join("other.db")).expect("a file can be copied");
        support::sqlite(&folder.join("other.db"), change);
        let said = support::independent(folder, "sqlite:one.db", "sqlite:other.db");
        assert!(said.is_err(), "{change}: not found");
    }
}
