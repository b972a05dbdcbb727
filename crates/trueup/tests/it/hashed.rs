//! Comparing by the servers' own hashes, from outside: it finds what reading finds, and reads less.

use crate::cli::check;
use crate::support::{self, Output, Trueup};
use std::fs;
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

/// How many records are alike on both sides at first.
const RECORDS: u64 = 20_000;

/// Orders with fields of several types, the same on each call.
fn orders(database: &Database) {
    let sql = format!(
        "CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric(12,2), paid boolean, at timestamptz, doc jsonb);
         INSERT INTO orders SELECT i, CASE WHEN i % 7 > 0 THEN 'note ' || i END, i / 100.0, i % 2 = 0,
             timestamptz '2024-01-01Z' + i * interval '1 minute', jsonb_build_object('n', i)
         FROM generate_series(1, {RECORDS}) i"
    );
    database.sql(&sql).unwrap();
}

fn diff(folder: &Path, sides: [&str; 2], options: &[&str]) -> Output {
    let run = Trueup::new(folder).diff(sides).arguments(["--quiet"]);
    run.arguments(options).run()
}

#[test]
fn hashes_find_what_reading_finds() {
    let folder = support::folder();
    let folder = folder.path();
    let (one, other) = (support::database(), support::database());
    orders(&one);
    orders(&other);
    let (source, target) = (one.url(), other.url());
    let compare = |options: &[&str]| diff(folder, [&source, &target], options);
    let same = compare(&["--compare", "hash", "--json"]).expect(0);
    let same = same.collection("orders");
    assert_eq!(same["unchanged"], RECORDS);
    assert_eq!(same["hashed"]["differing"], 0);
    assert_eq!(same["hashed"]["unread"], RECORDS);
    assert!(same["digest_source"].is_null() && same["digest_target"].is_null());

    other
        .sql(
            "UPDATE orders SET total = -total WHERE id = 77;
             UPDATE orders SET doc = '{\"n\": [500]}', note = NULL WHERE id = 500;
             DELETE FROM orders WHERE id IN (3, 19999);
             INSERT INTO orders (id, note) VALUES (4294967297, 'note 1')",
        )
        .unwrap();
    let list = |way: &str| {
        compare(&["--compare", way, "--out", "-", "--show-values"])
            .expect(1)
            .stdout
    };
    let read = list("stream");
    assert_eq!(read.lines().count(), 1 + 5, "{read}");
    assert_eq!(list("hash"), read);
    let found = compare(&["--compare", "hash", "--json"]).expect(1);
    let found = found.collection("orders");
    let differing = found["hashed"]["differing"].as_u64().unwrap();
    assert!((1..=5).contains(&differing), "{found}");
    let unread = found["hashed"]["unread"].as_u64().unwrap();
    assert!((RECORDS / 2..RECORDS).contains(&unread), "{found}");
    assert_eq!(found["unchanged"], RECORDS - 4);

    let sync = Trueup::new(folder).sync([&source, &target]);
    let sync = sync.arguments(["--delete", "--compare", "hash", "--json"]);
    let done = sync.run().expect(0);
    assert_eq!(done.json()["equal"], true);
    let orders = done.collection("orders");
    assert_eq!(orders["hashed"]["unread"], unread);
    // Verify hashed them too, and the certificate says so.
    assert!(orders["digest_source"].is_null(), "{orders}");
    let proof = &done.json()["certificate"]["collections"][0];
    let how = proof["hashed"].as_str().unwrap();
    assert!(
        how.starts_with("64-bit hashes of the servers' own"),
        "{proof}"
    );
    assert_eq!(proof["digest_source"], proof["digest_target"]);
    let place = |database: &Database| format!("postgres:{}", database.name());
    support::expect_same(folder, &place(&one), &place(&other));
}

#[test]
fn a_proof_by_hashes_finds_a_planted_record_and_reads_it() {
    let folder = support::folder();
    let folder = folder.path();
    let (one, other) = (support::database(), support::database());
    orders(&one);
    let file = format!(
        "[endpoint.a]\nurl = \"{}\"\n[endpoint.b]\nurl = \"{}\"\n\
         [link.ab]\nsource = \"a\"\ntarget = \"b\"\ncompare = \"hash\"",
        one.url(),
        other.url()
    );
    fs::write(folder.join("trueup.toml"), file).unwrap();
    let trueup = |arguments: &[&str]| Trueup::new(folder).arguments(arguments);
    trueup(&["run", "ab", "--quiet"]).run().expect(0);
    let loaded = other.sql("SELECT count(*) FROM orders").unwrap();
    assert_eq!(loaded.trim(), RECORDS.to_string());
    let text = trueup(&["verify", "ab"]).run().expect(0).stdout;
    let said = "20000 records on both sides, not read: 64-bit hashes of the servers' own, in ";
    assert!(text.contains(said), "{text}");
    for planted in [
        "UPDATE orders SET total = -total WHERE id = 4711",
        "UPDATE orders SET total = abs(total); UPDATE orders SET note = '' WHERE id = 7",
        "UPDATE orders SET note = NULL WHERE id = 7; DELETE FROM orders WHERE id = 1",
    ] {
        other.sql(planted).unwrap();
        let text = trueup(&["verify", "ab"]).run().expect(1).stdout;
        assert!(text.contains("wrong 1, parked 0"), "{planted}: {text}");
        assert!(!text.contains("not read"), "{planted}: {text}");
    }
}

#[test]
fn hashes_are_refused_where_they_cannot_be_had() {
    let folder = support::folder();
    let folder = folder.path();
    let database = support::database();
    orders(&database);
    // An empty side is planned as a load, and nothing is compared.
    let table = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO orders VALUES (1, 'note 1')";
    support::sqlite(&folder.join("shop.db"), table);
    let url = database.url();
    let refused = diff(folder, ["sqlite:shop.db", &url], &["--compare", "hash"]).expect(2);
    let said = refused.stderr.as_str();
    assert!(said.contains("cannot be compared by hashes"), "{said}");
    // The same two places without the demand: read, and no word of hashes.
    let read = diff(
        folder,
        ["sqlite:shop.db", &url],
        &["--json", "--collections", "orders"],
    );
    assert!(!read.stdout.contains("hashed"), "{read}");
    let file = format!(
        "[endpoint.a]\nurl = \"{url}\"\n[endpoint.b]\nurl = \"sqlite:shop.db\"\n\
         [link.ab]\nsource = \"a\"\ntarget = \"b\"\ncompare = \"hash\"\n\
         collections = [{{ source = \"orders\", drop = [\"total\", \"paid\", \"at\", \"doc\"] }}]"
    );
    fs::write(folder.join("trueup.toml"), file).unwrap();
    let link = |options: &[&str]| {
        let run = Trueup::new(folder).arguments(["diff", "ab", "--quiet"]);
        run.arguments(options).run()
    };
    check("diff-hash-refused", &link(&[]).expect(2));
    link(&["--compare", "stream"]).expect(1);
}
