//! PostgreSQL's types and the values at their borders.

use super::judge::Kind;
use super::places::Maker;
use super::random;
use crate::support::Dice;

/// Types of the user, which other engines do not have.
pub(super) const BEFORE: &str = "\
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s, \"fine\"', ' ', ''); \
    CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE > -1000000); \
    CREATE TYPE spot AS (x integer, label text)";

pub(super) fn quote(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn hex(dice: &mut Dice, max: u64) -> String {
    format!("\\x{}", super::judge::hex(&random::bytes(dice, max)))
}

const MOMENTS: [&str; 12] = [
    "1970-01-01 00:00:00",
    "1970-01-01 00:00:00.000001",
    "1969-12-31 23:59:59.999999",
    "0001-01-01 00:00:00",
    "0001-12-31 23:59:59.999999 BC",
    "9999-12-31 23:59:59.999999",
    "10000-01-01 00:00:00",
    "2038-01-19 03:14:07.999999",
    "2038-01-19 03:14:08",
    "294276-12-31 23:59:59.999999",
    "4713-11-24 00:00:00 BC",
    "infinity",
];

const JSON: [&str; 16] = [
    "null",
    "true",
    "\"\"",
    "\"null\"",
    "0",
    "-0",
    "1.0",
    "1.50",
    "1e5",
    "1e400",
    "123456789012345678901234567890.5",
    "[]",
    "{}",
    "[[[[1]]]]",
    "{\"b\": 1, \"a\": {\"\": null}}",
    "\"\\u00e9 \\\\ \\\" \\/ \\ud83d\\ude00\"",
];

pub(super) fn tables(make: &mut Maker<'_>) {
    numbers(make);
    decimals(make);
    texts(make);
    raw(make);
    times(make);
    others(make);
}

fn numbers(make: &mut Maker<'_>) {
    let whole = |low: i128, high: i128| move |dice: &mut Dice| random::int(dice, low, high);
    let range = |bits: u32| (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
    for (name, bits) in [("smallint", 16), ("integer", 32), ("bigint", 64)] {
        let (low, high) = range(bits);
        let borders = [low, low + 1, -1, 0, 1, high - 1, high].map(|n| n.to_string());
        make.table(name, Kind::Number, &borders, whole(low, high));
    }
    make.table(
        "oid",
        Kind::Number,
        &["0", "1", "4294967295"],
        whole(0, u32::MAX.into()),
    );
    make.table("boolean", Kind::Bool, &["t", "f"], |dice| {
        dice.below(2).to_string()
    });
    let floats = [
        "0",
        "-0",
        "0.1",
        "1e15",
        "1e16",
        "1e22",
        "NaN",
        "Infinity",
        "-Infinity",
        "16777217",
    ];
    let single = ["3.4028235e38", "1.17549435e-38", "1e-45", "1e-5"];
    let double = [
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "5e-324",
        "9007199254740993",
        "0.30000000000000004",
    ];
    make.table(
        "real",
        Kind::Narrow,
        &[&floats[..], &single].concat(),
        random::narrow,
    );
    make.table(
        "double precision",
        Kind::Float,
        &[&floats[..], &double].concat(),
        random::float,
    );
}

fn decimals(make: &mut Maker<'_>) {
    let long = [
        format!("-{}.{}", "9".repeat(400), "123456789".repeat(40)),
        format!("0.{}1", "0".repeat(999)),
    ];
    let huge = format!("1{}", "0".repeat(1000));
    let sixty = [
        format!("{}.{}", "9".repeat(35), "9".repeat(30)),
        format!("-{}.5", "9".repeat(36)),
    ];
    let mut free = vec![
        "0",
        "1.00",
        "1",
        "-0.5",
        "100",
        "NaN",
        "Infinity",
        "-Infinity",
        "0.1",
        "-0",
        "1e-30",
        "1e-31",
    ];
    free.extend(long.iter().chain(&sixty).chain([&huge]).map(String::as_str));
    make.table("numeric", Kind::Number, &free, |dice| {
        random::decimal(dice, 70, 35)
    });
    let sized = [
        "0",
        "0.00",
        "99999999.99",
        "-99999999.99",
        "0.01",
        "-1",
        "NaN",
    ];
    make.table("numeric(10,2)", Kind::Number, &sized, |dice| {
        random::decimal(dice, 8, 2)
    });
    make.table(
        "numeric(38,38)",
        Kind::Number,
        &["0", "0.5", "-1e-38", "NaN"],
        |dice| format!("0.{}", random::int(dice, 0, i128::from(u64::MAX))),
    );
    make.table(
        "numeric(20,0)",
        Kind::Number,
        &["18446744073709551615", "99999999999999999999", "-1"],
        |dice| random::int(dice, i128::from(i64::MIN), i128::from(u64::MAX)),
    );
    make.table(
        "cents",
        Kind::Number,
        &["9999999999.99", "-999999.99"],
        |dice| random::decimal(dice, 5, 2),
    );
    make.table(
        "money",
        Kind::Any,
        &["92233720368547758.07", "-92233720368547758.08", "0"],
        |dice| random::decimal(dice, 12, 2),
    );
}

fn texts(make: &mut Maker<'_>) {
    let (five, last) = ("x".repeat(70_000), "\u{10ffff}".repeat(40));
    let mut odd: Vec<&str> = vec![
        "",
        " ",
        "  both ends  ",
        "NULL",
        "null",
        "NA",
        "\\N",
        "\\.",
        "0",
        "1.0",
        "true",
        "{}",
        "\\x41",
    ];
    odd.extend([
        "\n",
        "\r",
        "line\r\nline",
        "\u{feff}mark",
        "=1+1",
        "\"",
        "a,b",
        "e\u{301}",
        "é",
        "\u{1}\u{7f}\u{85}",
    ]);
    make.table(
        "text",
        Kind::Text,
        &[&odd[..], &[five.as_str()]].concat(),
        |dice| random::text(dice, 100),
    );
    make.table(
        "varchar(40)",
        Kind::Text,
        &[&odd[..], &[last.as_str()]].concat(),
        |dice| random::text(dice, 40),
    );
    make.table(
        "char(10)",
        Kind::Text,
        &["", " ", "a", "a         ", " a", "\t", "äöüäöüäöüä"],
        |dice| random::text(dice, 10),
    );
    make.table("\"char\"", Kind::Text, &["", "a", " ", "\\"], |dice| {
        random::int(dice, 0, 9)
    });
    make.table("name", Kind::Text, &["", "pg_class", "é"], |dice| {
        random::text(dice, 12)
    });
}

fn raw(make: &mut Maker<'_>) {
    let all: Vec<u8> = (0..=255).collect();
    let all = format!("\\x{}", super::judge::hex(&all));
    make.table(
        "bytea",
        Kind::Bytes,
        &["\\x", "\\x00", "\\x5c", "\\x78", "\\xfffe00", all.as_str()],
        |dice| hex(dice, 40),
    );
    make.table(
        "mood",
        Kind::Text,
        &["sad", "it's, \"fine\"", " ", ""],
        |dice| ["sad", "ok"][usize::from(dice.below(2) == 0)].to_owned(),
    );
    make.table("xml", Kind::Text, &["<a>1</a>", "a<b/>c", ""], |dice| {
        format!("<a>{}</a>", random::int(dice, 0, 99))
    });
}

fn times(make: &mut Maker<'_>) {
    let days = [
        "1970-01-01",
        "0001-01-01",
        "0001-12-31 BC",
        "0044-03-15 BC",
        "4713-11-24 BC",
        "9999-12-31",
        "10000-01-01",
        "5874897-12-31",
        "1582-10-10",
        "2000-02-29",
        "infinity",
        "-infinity",
    ];
    make.table("date", Kind::Date, &days, random::date);
    make.table(
        "time",
        Kind::Time,
        &["00:00:00", "24:00:00", "23:59:59.999999", "00:00:00.000001"],
        |dice| random::time(dice, 6),
    );
    make.table(
        "time(3)",
        Kind::Time,
        &["00:00:00", "24:00:00", "23:59:59.999"],
        |dice| random::time(dice, 3),
    );
    let zoned = ["00:00:00+00", "24:00:00-15:59:59", "23:59:59.999999+15:59"];
    make.table("timetz", Kind::Any, &zoned, |dice| {
        format!("{}+02", random::time(dice, 6))
    });
    make.table(
        "timestamp",
        Kind::Moment,
        &[&MOMENTS[..], &["-infinity"]].concat(),
        |dice| random::timestamp(dice, 6),
    );
    make.table("timestamp(0)", Kind::Moment, &MOMENTS[..1], |dice| {
        random::timestamp(dice, 0)
    });
    make.table(
        "timestamptz",
        Kind::Moment,
        &[&MOMENTS[..], &["-infinity"]].concat(),
        |dice| random::timestamp(dice, 6),
    );
    let spans = [
        "0",
        "-1 mon +1 day -00:00:01",
        "178000000 years",
        "-178000000 years",
        "25:00:00",
        "00:00:00.000001",
        "1 year",
    ];
    make.table("interval", Kind::Any, &spans, |dice| {
        format!("{} days {}", dice.below(99), random::time(dice, 6))
    });
}

fn others(make: &mut Maker<'_>) {
    let ids = [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ];
    make.table("uuid", Kind::Uuid, &ids, random::uuid);
    let own = ["{\"a\": 1, \"a\": 2}", "\"\\u0000\"", " [1 , 2]\n"];
    make.table("json", Kind::Json, &[&JSON[..], &own].concat(), |dice| {
        random::json(dice, 3)
    });
    make.table("jsonb", Kind::Json, &JSON, |dice| random::json(dice, 3));
    let whole = |dice: &mut Dice| random::int(dice, -9, 9);
    make.table(
        "integer[]",
        Kind::Any,
        &["{}", "{NULL,1}", "[0:1]={1,2}", "{{1,2},{3,4}}"],
        move |dice| format!("{{{}}}", whole(dice)),
    );
    make.table(
        "text[]",
        Kind::Any,
        &["{}", "{\"\",NULL,\"NULL\",\"a,b\",\"\\\"\"}"],
        move |dice| format!("{{{}}}", whole(dice)),
    );
    make.table(
        "int4range",
        Kind::Any,
        &["empty", "(,)", "[1,5)", "(,7)"],
        |dice| format!("[{},99]", dice.below(50)),
    );
    make.table(
        "spot",
        Kind::Any,
        &["(,)", "(1,\"a,\\\"b\")"],
        move |dice| format!("({},x)", whole(dice)),
    );
    make.table(
        "inet",
        Kind::Any,
        &["0.0.0.0/0", "::/0", "::ffff:1.2.3.4", "10.1.2.3/8"],
        |dice| format!("10.0.0.{}", dice.below(256)),
    );
    make.table("cidr", Kind::Any, &["10.0.0.0/8", "::/0"], |dice| {
        format!("10.0.{}.0/24", dice.below(256))
    });
    make.table("macaddr", Kind::Any, &["00:00:00:00:00:00"], |dice| {
        format!("08:00:2b:01:02:{:02x}", dice.below(256))
    });
    make.table("bit(5)", Kind::Any, &["00000", "11111"], |dice| {
        format!("{:05b}", dice.below(32))
    });
    make.table("varbit", Kind::Any, &["", "0", "1"], |dice| {
        format!("{:b}", dice.below(1 << 40))
    });
    make.table(
        "point",
        Kind::Any,
        &["(0,0)", "(1e300,-Infinity)", "(0.1,NaN)"],
        move |dice| format!("({},{})", random::float(dice), whole(dice)),
    );
    make.table("tsvector", Kind::Any, &["", "'a':1A 'b''c':2,3"], |dice| {
        format!("'w{}'", dice.below(99))
    });
}
