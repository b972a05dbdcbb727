//! `docs/reference/type-lattice.md`, made from the code it describes: what the core says about types, and what the real
//! endpoints create for each other's.

use crate::support;
use std::fmt::Write as _;
use std::fs;
use std::iter;
use std::path::Path;
use trueup_core::endpoint::{Claim, Context, Endpoint};
use trueup_core::lattice;
use trueup_core::schema::{Field, Schema};
use trueup_sql::{csv, mysql, parquet, postgres, sqlite};
use trueup_testkit::servers::mariadb;

const DOCUMENT: &str = "docs/reference/type-lattice.md";

const HEAD: &str = "\
# Types, and how they meet

This page is made from the code by a test. `trueup check` says the same about the fields of a link.

A field's values are read as they are stored and cast to the type of the other side, one by one. How two types fit is known
before the first value moves:

- **exact**: every value fits and comes back as it was;
- **exact within range**: values that fit arrive exactly; a record with one that does not is parked, with the reason;
- **lossy**: values lose something; nothing does that unless the user agrees, field by field;
- **refused**: no value fits; the link does not start.

Nothing is ever rounded or cut to fit. Two fields of the same native type exchange values unread.

## Between trueup's types

From the source's type, down, to the target's, across.

";

const LIMITS: &str = "\
## Values at the ends of a type

An engine may hold less than a type has, or more. Between engines that differ in this a field fits *exactly within range*, and what
follows says which values do; any other is parked. A test sends the values at the borders of every type from each engine to each
other and back. What it finds parked, pair by pair, stands in `crates/trueup/tests/it/snapshots/pairs`, and nothing is parked of
a field that is called exact.

| | |
|---|---|
| MySQL, MariaDB do not hold | NaN and infinities, in decimals too; dates outside the years 1 to 9999; infinite dates; a `timestamp` outside 1970 to 2038; some UUIDs of unusual variants |
| MySQL, MariaDB hold, and others do not | dates of zeros, times below zero or beyond a day, numbers other than 0 and 1 in `tinyint(1)` |
| PostgreSQL does not hold | the zero byte in a text |
| PostgreSQL holds, and others do not | timestamps after the year 294246 |
| SQLite does not hold | NaN as a float |
| SQLite holds, and others do not | values of other classes than the declared one, texts that are not valid UTF-8 |
| JSON Lines do not hold | NaN and infinities as numbers, a JSON `null` that is not NULL, bytes in a field without a type |
| nobody takes from another engine | JSON with a name twice in one object, or nested too deep: engines disagree about what it means |

A fit says nothing of what a table that is there already forbids by itself: checks, references, a `char(n)` that keeps no blanks at
the end, fewer digits of a second than the source has. A value that it would refuse or change is parked, too.

The class of a value in an untyped column of SQLite (the number 1, the text `1`) is kept in SQLite and in JSON Lines. Elsewhere such
a column is one of texts.

";

const TABLES: &str = "\
## Between engines

What each engine's types become when trueup creates the collection elsewhere: the type that is created, how values fit on their
way there, and how they fit on their way back in a link that goes both ways. A type that is not listed travels as the text its
engine makes of it.

";

const POSTGRES: [&str; 27] = [
    "smallint",
    "integer",
    "bigint",
    "oid",
    "boolean",
    "real",
    "double precision",
    "numeric",
    "numeric(10,2)",
    "text",
    "varchar(40)",
    "char(10)",
    "bytea",
    "date",
    "time",
    "time with time zone",
    "timestamp",
    "timestamp with time zone",
    "interval",
    "uuid",
    "json",
    "jsonb",
    "inet",
    "money",
    "xml",
    "integer[]",
    "int4range",
];

const MARIADB: [&str; 32] = [
    "tinyint(1)",
    "tinyint",
    "smallint unsigned",
    "mediumint",
    "int",
    "int unsigned",
    "bigint",
    "bigint unsigned",
    "bit(1)",
    "bit(64)",
    "year",
    "float",
    "double",
    "decimal(10,2)",
    "decimal(65,30)",
    "char(10)",
    "varchar(40)",
    "text",
    "longtext",
    "binary(16)",
    "varbinary(40)",
    "blob",
    "longblob",
    "enum('a','b')",
    "set('a','b')",
    "date",
    "time(6)",
    "datetime(6)",
    "timestamp(6) NULL",
    "uuid",
    "json",
    "inet6",
];

const SQLITE: [&str; 19] = [
    "INTEGER",
    "BIGINT",
    "REAL",
    "TEXT",
    "VARCHAR(40)",
    "BLOB",
    "BOOLEAN",
    "NUMERIC",
    "DECIMAL(10,2)",
    "DECIMAL_TEXT",
    "DECIMAL_TEXT(10,2)",
    "DATE",
    "TIME",
    "DATETIME",
    "TIMESTAMPTZ",
    "UUID",
    "JSON",
    "ANY",
    "",
];

/// The types of which a Parquet file is made here; what others write beside them is in the guide.
const PARQUET: [&str; 24] = [
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "decimal(10,2)",
    "decimal(38,10)",
    "decimal(76,0)",
    "decimal",
    "text",
    "text(40)",
    "bytes",
    "date",
    "time",
    "timestamp",
    "instant",
    "uuid",
    "json",
];

/// What a column of a file can look like.
const CSV: [(&str, &str); 8] = [
    ("whole", "12"),
    ("decimal", "1.50"),
    ("truth", "true"),
    ("day", "2024-02-29"),
    ("moment", "2024-02-29 12:34:56"),
    ("instant", "2024-02-29T12:34:56Z"),
    ("uuid", "7f2c4a0e-8f4b-4c8e-9d0a-0c1d2e3f4a5b"),
    ("text", "some words"),
];

fn table(engine: &str, types: &[&str]) -> String {
    let columns = types
        .iter()
        .enumerate()
        .map(|(at, ty)| format!("c{at} {ty}"));
    let columns: Vec<String> = columns.collect();
    let first = if engine == "sqlite" {
        "INTEGER PRIMARY KEY NOT NULL"
    } else {
        "bigint PRIMARY KEY"
    };
    format!("CREATE TABLE t (id {first}, {})", columns.join(", "))
}

fn shape(endpoint: &mut dyn Endpoint) -> Schema {
    let shape = endpoint.schema("t").expect("the shape can be read");
    shape.expect("the table was created")
}

/// One table: what each field after the key becomes.
fn write(source: (&str, &Schema), target: (&str, &dyn Endpoint), out: &mut String) {
    let (from, schema) = source;
    let (to, endpoint) = target;
    let mut wanted = schema.clone();
    wanted.uniques.clear();
    let design = endpoint.design(&wanted).expect("every type can be created");
    writeln!(out, "### {from} to {to}\n").expect("a String takes every character");
    writeln!(
        out,
        "| {from} | read as | {to} | there | back |\n|---|---|---|---|---|"
    )
    .expect("as above");
    for (field, made) in schema.fields.iter().zip(&design.schema.fields).skip(1) {
        let native = |native: &str| {
            let name = native.split_once(':').map_or(native, |(_, name)| name);
            if name.is_empty() {
                "(none)".to_owned()
            } else {
                format!("`{name}`")
            }
        };
        let (there, back) = (lattice::fit(field, made), lattice::fit(made, field));
        let read = if field.inferred {
            format!("{} (a guess)", field.ty)
        } else {
            field.ty.to_string()
        };
        let row = format!(
            "| {} | {read} | {} | {there} | {back} |",
            native(&field.native),
            native(&made.native)
        );
        writeln!(out, "{row}").expect("as above");
    }
    out.push('\n');
}

/// A Parquet file with a column of each type that is made here.
fn parquet(folder: &Path) -> Box<dyn Endpoint> {
    let path = format!("parquet:{}", folder.join("t.parquet").display());
    let mut endpoint = parquet::connect(&path, &[], Context::empty()).expect("the path is good");
    let types = iter::once("int64").chain(PARQUET).enumerate();
    let fields = types.map(|(at, ty)| {
        let ty = ty.parse().expect("it is a type");
        Field::new(format!("c{at}"), ty, "")
    });
    let wanted = Schema {
        collection: "t".to_owned(),
        fields: fields.collect(),
        key: vec![0],
        ..Schema::default()
    };
    let design = endpoint.design(&wanted).expect("every type can be made");
    let claim = Claim {
        link: "types".to_owned(),
        incarnation: "one".to_owned(),
    };
    let mut writer = endpoint.writer(&claim).expect("the folder can be written");
    writer.create(&design).expect("the file can be made");
    endpoint
}

fn document(folder: &Path) -> String {
    let context = Context::empty;
    let database = support::database();
    database
        .sql(&table("postgres", &POSTGRES))
        .expect("the table can be created");
    let mut postgres = postgres::connect(&database.url(), context()).expect("the server is there");
    support::sqlite(&folder.join("t.db"), &table("sqlite", &SQLITE));
    let path = format!("sqlite:{}", folder.join("t.db").display());
    let mut sqlite = sqlite::connect(&path, context()).expect("the file is there");
    let column = |take: fn(&(&'static str, &'static str)) -> &'static str| {
        CSV.iter().map(take).collect::<Vec<_>>().join(",")
    };
    let text = format!("id,{}\n1,{}\n", column(|one| one.0), column(|one| one.1));
    fs::write(folder.join("t.csv"), text).expect("the file can be written");
    let path = format!("csv:{}", folder.display());
    let keys = [("t".to_owned(), vec!["id".to_owned()])];
    let mut csv = csv::connect(&path, &keys, context()).expect("the folder is there");

    let server = mariadb::shared().expect("MariaDB starts");
    let database = server.fresh_database().expect("a database can be made");
    database
        .sql(&table("mariadb", &MARIADB))
        .expect("the table can be created");
    let mut mysql = mysql::connect(&database.url(), context()).expect("the server is there");

    let mut parquet = parquet(folder);
    let mut out = format!("{HEAD}{}\n{LIMITS}{TABLES}", lattice::matrix());
    let tables = [
        shape(postgres.as_mut()),
        shape(mysql.as_mut()),
        shape(sqlite.as_mut()),
        shape(csv.as_mut()),
        shape(parquet.as_mut()),
    ];
    let places: [(&str, &dyn Endpoint); 5] = [
        ("PostgreSQL", postgres.as_ref()),
        ("MariaDB", mysql.as_ref()),
        ("SQLite", sqlite.as_ref()),
        ("CSV", csv.as_ref()),
        ("Parquet", parquet.as_ref()),
    ];
    for (from, table) in places.iter().zip(&tables) {
        for to in places.iter().filter(|to| to.0 != from.0) {
            write((from.0, table), *to, &mut out);
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

#[test]
fn type_lattice_of_the_reference_is_the_code_s() {
    let folder = support::folder();
    let seen = document(folder.path());
    let path = support::root().join(DOCUMENT);
    if support::variable("TRUEUP_UPDATE_CASES").is_some() {
        fs::create_dir_all(path.parent().expect("it lies in a folder"))
            .expect("the repository can be written");
        fs::write(&path, &seen).expect("the repository can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        seen == expected,
        "{DOCUMENT} differs (TRUEUP_UPDATE_CASES=1 writes it anew)\n--- seen\n{seen}"
    );
}
