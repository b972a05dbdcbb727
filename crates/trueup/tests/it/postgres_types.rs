//! PostgreSQL's breadth: every type it has, in both versions that there are here, by the tool from outside.
//!
//! What is compared is what `psql` shows of each value, so that nothing of ours can hide a difference.

use crate::support::{self, Output, Trueup};
use trueup_testkit::servers::postgres::{Database, FETCHED, shared};

const STRUCTURE: &str = include_str!("postgres_types/structure.sql");
const RECORDS: &str = include_str!("postgres_types/records.sql");
const EMPTY: &str = include_str!("postgres_types/empty.sql");

/// Two tables have no primary key.
const KEYS: [&str; 4] = ["--key", "nokey=all", "--key", "notnullu=a"];

fn eighteen() -> Database {
    let server = shared(Some(FETCHED)).expect("PostgreSQL 18 can be started");
    server.fresh_database().expect("a database can be made")
}

/// A database with what `sql` makes.
fn database(sql: &str) -> Database {
    let database = support::database();
    database.sql(sql).unwrap();
    database
}

/// Every value of every table, as text.
fn values(database: &Database) -> String {
    let list = "SELECT c.oid::regclass::text || E'\\x01' || (SELECT string_agg(format('%I::text', a.attname), ', ' \
                  ORDER BY a.attnum) FROM pg_attribute a \
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) \
                  || E'\\x01' || (c.relkind = 'r')::text || E'\\x02' \
                FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
                AND NOT c.relispartition ORDER BY c.relname COLLATE \"C\"";
    let mut sql =
        "SET timezone = 'UTC'; SET extra_float_digits = 3; SET intervalstyle = 'postgres';\n"
            .to_owned();
    for table in database.sql(list).unwrap().split('\u{2}') {
        let [name, columns, alone] = table.split('\u{1}').collect::<Vec<_>>()[..] else {
            continue;
        };
        let name = name.trim_start_matches('\n');
        let only = if alone == "true" { "ONLY " } else { "" };
        sql.push_str(&format!(
            "SELECT '== {}'; SELECT ROW({columns})::text COLLATE \"C\" FROM {only}{name} ORDER BY 1;\n",
            name.replace('\'', "''")
        ));
    }
    database.sql(&sql).unwrap()
}

#[track_caller]
fn expect_equal(one: &Database, other: &Database) {
    let (one, other) = (values(one), values(other));
    assert!(one.lines().count() > 100, "{one}");
    let differing = one.lines().zip(other.lines()).find(|(a, b)| a != b);
    assert!(one == other, "{differing:?}");
}

fn sync(source: &Database, target: &Database, options: &[&str]) -> Output {
    let folder = support::folder();
    let run = Trueup::new(folder.path()).sync([&source.url(), &target.url()]);
    let keys: &[&str] = if options.contains(&"--collections") {
        &[]
    } else {
        &KEYS
    };
    run.arguments(keys).arguments(options).run()
}

#[test]
fn traps_13_to_20_every_type_goes_to_18_and_back() {
    let source = database(&format!("{STRUCTURE}{RECORDS}"));
    let (there, back) = (eighteen(), database(STRUCTURE));
    there.sql(STRUCTURE).unwrap();
    sync(&source, &there, &[]).expect(0);
    expect_equal(&source, &there);
    sync(&there, &back, &[]).expect(0);
    expect_equal(&source, &back);

    // The same by replacing and deleting.
    back.sql(EMPTY).unwrap();
    assert!(values(&source) != values(&back));
    sync(&there, &back, &[]).expect(0);
    expect_equal(&source, &back);
    there.sql(EMPTY).unwrap();
    sync(&there, &back, &["--delete", "--yes"]).expect(0);
    expect_equal(&there, &back);
}

#[test]
fn trap_18_tables_are_created_with_the_types_that_the_other_server_knows() {
    let source = database(&format!("{STRUCTURE}{RECORDS}"));
    let target = eighteen();
    let done = sync(&source, &target, &[]).expect(0);
    expect_equal(&source, &target);
    for note in [
        "enums: target: the target does not know these types, and fields are created as what their values are read as: \
         m mood as text (create",
        " dc doc as json, ",
    ] {
        assert!(done.stdout.contains(note), "{done}");
    }
    let types = "SELECT string_agg(format_type(atttypid, atttypmod), '|' ORDER BY attnum) \
                 FROM pg_attribute WHERE attrelid = 'rangs'::regclass AND attnum > 0";
    assert_eq!(
        target.sql(types).unwrap(),
        "integer|int4range|numrange|daterange|tsrange|tstzrange|int8range|text|int4multirange|nummultirange|tstzmultirange"
    );
}

#[test]
fn trap_18_xml_keeps_its_text() {
    let structure = "CREATE TABLE xmls (id int PRIMARY KEY, x xml, xa xml[])";
    let source = database(&format!(
        "{structure}; INSERT INTO xmls VALUES (1, '<a b=\"c\">é &amp; <!-- x --></a>', NULL), (2, 'text <a/>', NULL),
           (3, '<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>', NULL), (4, '', array['<a/>', '<b>\"</b>']::xml[]),
           (5, '<?xml version=\"1.0\" standalone=\"yes\"?><a>é</a>', NULL)"
    ));
    let target = database(structure);
    sync(&source, &target, &["--collections", "xmls"]).expect(0);
    let texts = "SELECT id, x::text, xa::text FROM xmls ORDER BY id";
    assert_eq!(source.sql(texts).unwrap(), target.sql(texts).unwrap());
}

/// What the type `json` keeps and others would change or refuse is put aside, not changed.
#[test]
fn trap_19_json_that_jsonb_would_change_is_parked() {
    let source = database(
        "CREATE TABLE docs (id int PRIMARY KEY, doc json);
         INSERT INTO docs VALUES (1, '{\"a\":1,\"a\":2}'), (2, '\"\\u0000\"'), (3, ' [1.0, {\"b\":1, \"a\":null}]'),
           (4, NULL), (5, 'null')",
    );
    let target = database("CREATE TABLE docs (id int PRIMARY KEY, doc jsonb)");
    let folder = support::folder();
    let run = |to: &str| {
        Trueup::new(folder.path())
            .sync([source.url().as_str(), to])
            .run()
    };
    let done = run(&target.url()).expect(1);
    assert!(
        done.stdout.contains("a JSON object has a key twice"),
        "{done}"
    );
    let rest = target
        .sql("SELECT id, doc, doc IS NULL FROM docs ORDER BY id")
        .unwrap();
    assert_eq!(rest, "3|[1.0, {\"a\": null, \"b\": 1}]|f\n4||t\n5|null|f");
    let done = run("sqlite:docs.db").expect(1);
    assert!(
        done.stdout.contains("a JSON object has a key twice"),
        "{done}"
    );
}

#[test]
fn trap_14_and_18_what_cannot_be_held_is_parked() {
    let structure = "CREATE TABLE odd (id int PRIMARY KEY, at timestamp, c \"char\")";
    let source = database(&format!(
        "{structure}; INSERT INTO odd VALUES (1, '294276-12-31 23:59:59.999999', 'a'),
           (2, NULL, '\\301'), (3, '294246-12-31', 'b'), (4, '4713-01-01 BC', '')"
    ));
    let target = eighteen();
    target.sql(structure).unwrap();
    let done = sync(&source, &target, &["--collections", "odd"]).expect(1);
    assert!(done.stdout.contains("parked: 2"), "{done}");
    let rest = "SELECT * FROM odd ORDER BY id";
    assert_eq!(
        target.sql(rest).unwrap(),
        "3|294246-12-31 00:00:00|b\n4|4713-01-01 00:00:00 BC|"
    );
}

/// Two domains of one name with different rules: a server would round without a word.
#[test]
fn trap_18_a_domain_of_the_same_name_rounds_nothing() {
    let table = "CREATE TABLE prices (id int PRIMARY KEY, price amount, at moment)";
    let source = database(&format!(
        "CREATE DOMAIN amount AS numeric(12,4); CREATE DOMAIN moment AS timestamptz; {table};
         INSERT INTO prices VALUES (1, 1.2345, NULL), (2, 1.50, '2024-01-01Z'), (3, 0, '2024-01-01 00:00:00.000001Z')"
    ));
    let target = eighteen();
    let domains = "CREATE DOMAIN amount AS numeric(12,2); CREATE DOMAIN moment AS timestamptz(3)";
    target.sql(&format!("{domains}; {table}")).unwrap();
    let done = sync(&source, &target, &["--collections", "prices"]).expect(1);
    assert!(done.stdout.contains("parked: 2"), "{done}");
    let rest = target.sql("SELECT id, price FROM prices").unwrap();
    assert_eq!(rest, "2|1.50");
}

/// One more column than the temporary table has room for.
#[test]
fn trap_60_tables_of_as_many_columns_as_can_be() {
    for (columns, code) in [(1598, 0), (1600, 2)] {
        let list: String = (1..columns).map(|n| format!(", c{n} int")).collect();
        let structure = format!("CREATE TABLE wide (id int PRIMARY KEY{list})");
        let last = columns - 1;
        let source = database(&format!(
            "{structure}; INSERT INTO wide (id, c{last}) VALUES (1, 7), (2, NULL)"
        ));
        let target = database(&format!(
            "{structure}; INSERT INTO wide (id, c{last}) VALUES (1, 6)"
        ));
        let done = sync(&source, &target, &["--collections", "wide"]).expect(code);
        let rest = target
            .sql(&format!("SELECT id, c{last} FROM wide ORDER BY id"))
            .unwrap();
        if code == 0 {
            assert_eq!(rest, "1|7\n2|");
        } else {
            assert!(
                done.stderr.contains("fields=1600 fields_max=1598"),
                "{done}"
            );
            assert_eq!(rest, "1|6");
        }
    }
}

/// Limits and settings of the database, or of the user, do not count for our sessions.
#[test]
fn trap_62_time_limits_of_the_database_do_not_break_a_run() {
    let structure =
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, iv interval, f float8, b bytea)";
    let source = database(&format!(
        "{structure}; INSERT INTO t SELECT i, timestamptz '2024-01-01Z' + i * interval '1s', i * interval '1.5s', 0.1 + i, \
         decode(lpad(to_hex(i), 8, '0'), 'hex') FROM generate_series(1, 20000) i"
    ));
    let target = database(structure);
    for database in [&source, &target] {
        let name = database.name();
        for setting in [
            "statement_timeout = '1ms'",
            "idle_in_transaction_session_timeout = '1ms'",
            "default_transaction_isolation = 'serializable'",
            "timezone = 'Asia/Kathmandu'",
            "datestyle = 'SQL, DMY'",
            "intervalstyle = 'sql_standard'",
            "extra_float_digits = -15",
            "bytea_output = 'escape'",
            "client_encoding = 'LATIN1'",
        ] {
            database
                .sql(&format!("ALTER DATABASE {name} SET {setting}"))
                .unwrap();
        }
    }
    sync(&source, &target, &["--collections", "t"]).expect(0);
    let digest =
        "SET statement_timeout = 0; SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM t";
    assert_eq!(source.sql(digest).unwrap(), target.sql(digest).unwrap());
}

/// Two versions that hash alike compare by hashes, and find what reading finds.
#[test]
fn hashes_of_two_versions_find_what_reading_finds() {
    let (source, target) = (database(&format!("{STRUCTURE}{RECORDS}")), eighteen());
    target.sql(&format!("{STRUCTURE}{RECORDS}")).unwrap();
    let folder = support::folder();
    let compare = |way: &str, code| {
        let sides = [source.url(), target.url()];
        let run = Trueup::new(folder.path()).diff([&sides[0], &sides[1]]);
        // Those with a key that the server can sort by, and without a field of type "char".
        let names = "arrs,bitz,comps,doms,exts,geos,jsons,nets,nums,rangs,search,texts,times,uu";
        let run = run.arguments(["--quiet", "--json", "--collections", names]);
        run.arguments(["--compare", way]).run().expect(code)
    };
    for way in ["stream", "hash"] {
        compare(way, 0);
    }
    target.sql(EMPTY).unwrap();
    let [read, hashed] = ["stream", "hash"].map(|way| compare(way, 1).json());
    for (read, hashed) in read["collections"]
        .as_array()
        .unwrap()
        .iter()
        .zip(hashed["collections"].as_array().unwrap())
    {
        assert!(hashed["hashed"]["differing"].as_u64() > Some(0), "{hashed}");
        for count in ["inserted", "updated", "deleted", "unchanged"] {
            assert_eq!(read[count], hashed[count], "{count} {hashed}");
        }
    }
}

#[test]
fn large_objects_are_told_and_not_carried() {
    let source = database("CREATE TABLE t (id int PRIMARY KEY, o oid)");
    source
        .sql("INSERT INTO t SELECT 1, lo_from_bytea(0, '\\x0102')")
        .unwrap();
    let target = database("");
    let done = sync(&source, &target, &["--collections", "t"]).expect(0);
    assert!(
        done.stdout
            .contains("large objects: they belong to no table and are not carried"),
        "{done}"
    );
    assert_eq!(
        target
            .sql("SELECT count(*) FROM pg_largeobject_metadata")
            .unwrap(),
        "0"
    );
}
