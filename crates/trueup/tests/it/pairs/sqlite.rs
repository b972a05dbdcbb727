//! What SQLite declares, and what may stand there.

use super::judge::{Kind, hex};
use super::places::Maker;
use super::random;
use crate::support::Dice;

fn quoted(text: &str) -> String {
    format!("CAST(X'{}' AS TEXT)", hex(text.as_bytes()))
}

fn bytes(dice: &mut Dice) -> String {
    format!("X'{}'", hex(&random::bytes(dice, 40)))
}

fn plain(text: &str) -> String {
    format!("'{text}'")
}

const WHOLE: [&str; 7] = [
    "-9223372036854775808",
    "-1",
    "0",
    "1",
    "9007199254740993",
    "9223372036854775806",
    "9223372036854775807",
];
const FLOATS: [&str; 12] = [
    "0.0",
    "-0.0",
    "0.1",
    "1e15",
    "1e16",
    "9e999",
    "-9e999",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "0.1+0.2",
    "9007199254740994.0",
];
const TEXTS: [&str; 20] = [
    "",
    " ",
    "  both ends  ",
    "NULL",
    "\\N",
    "\\.",
    "0",
    "1.0",
    "true",
    "{}",
    "\\x41",
    "\n",
    "\r",
    "a\0b",
    "\0",
    "\u{feff}mark",
    "e\u{301}",
    "\u{10ffff}",
    "'",
    "a,b",
];

fn whole(dice: &mut Dice) -> String {
    random::int(dice, i64::MIN.into(), i64::MAX.into())
}

/// The types that a strict table may have.
pub(super) fn strict(make: &mut Maker<'_>) {
    make.table("INTEGER", Kind::Number, &WHOLE, whole);
    make.table("INT", Kind::Number, &WHOLE, whole);
    make.table("REAL", Kind::Float, &FLOATS, random::float);
    let texts: Vec<String> = TEXTS.iter().map(|text| quoted(text)).collect();
    make.table("TEXT", Kind::Text, &texts, |dice| {
        quoted(&random::text(dice, 60))
    });
    make.table("BLOB", Kind::Bytes, &["X''", "X'00'", "X'ff41'"], bytes);
    let mixed = [
        "1",
        "1.0",
        "'1'",
        "X'31'",
        "'true'",
        "9223372036854775807",
        "1e300",
        "''",
        "X''",
    ];
    make.table("ANY", Kind::Any, &mixed, any);
}

fn any(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => whole(dice),
        1 => random::float(dice),
        2 => quoted(&random::text(dice, 20)),
        _ => bytes(dice),
    }
}

/// All others.
pub(super) fn tables(make: &mut Maker<'_>) {
    strict(make);
    loose(make);
    times(make);
    others(make);
}

fn loose(make: &mut Maker<'_>) {
    // Between two tables that are not strict, invalid texts pass too (trap 49).
    make.table(
        "CLOB",
        Kind::Text,
        &["CAST(X'ff41' AS TEXT)", "CAST(X'c0af' AS TEXT)"],
        |dice| quoted(&random::text(dice, 60)),
    );
    // Values of another class than declared stay what they are (trap 45).
    let strays = ["'text'", "X'31'", "1.5", "''"];
    make.table("BIGINT", Kind::Any, &[&WHOLE[..], &strays].concat(), whole);
    make.table(
        "VARCHAR(40)",
        Kind::Text,
        &["'a longer text than forty characters, which SQLite allows'"],
        |dice| quoted(&random::text(dice, 60)),
    );
    make.table(
        "BOOLEAN",
        Kind::Bool,
        &["0", "1", "2", "'true'", "-1"],
        |dice| dice.below(2).to_string(),
    );
    make.table(
        "NUMERIC",
        Kind::Number,
        &[
            "0",
            "1.5",
            "9223372036854775807",
            "9223372036854775808",
            "1e300",
            "'1.10'",
        ],
        whole,
    );
    make.table(
        "DECIMAL_TEXT",
        Kind::Number,
        &[
            "'1.10'",
            "'-0'",
            "'123456789012345678901234567890.123456789'",
        ],
        |dice| plain(&random::decimal(dice, 60, 30)),
    );
    make.table(
        "DECIMAL_TEXT(10,2)",
        Kind::Number,
        &["'99999999.99'", "'0.01'"],
        |dice| plain(&random::decimal(dice, 8, 2)),
    );
}

fn times(make: &mut Maker<'_>) {
    let days = [
        "'1970-01-01'",
        "'0001-01-01'",
        "'9999-12-31'",
        "'2024-02-30'",
        "0",
        "'infinity'",
        "'0044-03-15 BC'",
    ];
    make.table("DATE", Kind::Any, &days, |dice| plain(&random::date(dice)));
    make.table(
        "TIME",
        Kind::Time,
        &["'00:00:00'", "'24:00:00'", "'23:59:59.999999'"],
        |dice| plain(&random::time(dice, 6)),
    );
    let moments = [
        "'1970-01-01 00:00:00'",
        "'9999-12-31 23:59:59.999999'",
        "'2024-02-29T12:00:00'",
        "0",
    ];
    make.table("DATETIME", Kind::Moment, &moments, |dice| {
        plain(&random::timestamp(dice, 6))
    });
    make.table(
        "TIMESTAMPTZ",
        Kind::Moment,
        &["'1970-01-01T00:00:00Z'", "'2024-02-29 12:00:00+02:00'"],
        |dice| {
            plain(&format!(
                "{}Z",
                random::timestamp(dice, 6).replace(' ', "T")
            ))
        },
    );
}

fn others(make: &mut Maker<'_>) {
    make.table(
        "UUID",
        Kind::Uuid,
        &["'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
        |dice| plain(&random::uuid(dice)),
    );
    let json = [
        "null",
        "1e400",
        "{\"a\": 1, \"a\": 2}",
        "\"\\u0000\"",
        "[1, 2.50]",
        "no json",
    ];
    let json: Vec<String> = json.iter().map(|text| quoted(text)).collect();
    make.table("JSON_TEXT", Kind::Json, &json, |dice| {
        quoted(&random::json(dice, 3))
    });
    make.table(
        "",
        Kind::Any,
        &["1", "1.0", "'1'", "X'31'", "''", "X''"],
        any,
    );
}
