//! MariaDB's types and the values at their borders.

use super::judge::{Kind, hex};
use super::places::Maker;
use super::random;
use crate::support::Dice;

/// A text as a statement spells it, whatever is in it.
fn quoted(text: &str) -> String {
    match text {
        "" => "''".to_owned(),
        text => format!("CONVERT(X'{}' USING utf8mb4)", hex(text.as_bytes())),
    }
}

fn bytes(bytes: &[u8]) -> String {
    format!("X'{}'", hex(bytes))
}

fn plain(text: &str) -> String {
    format!("'{text}'")
}

pub(super) fn tables(make: &mut Maker<'_>) {
    numbers(make);
    floats(make);
    texts(make);
    raw(make);
    times(make);
    others(make);
}

fn numbers(make: &mut Maker<'_>) {
    for (name, bits) in [
        ("tinyint", 8),
        ("smallint", 16),
        ("mediumint", 24),
        ("int", 32),
        ("bigint", 64),
    ] {
        let (low, high) = (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
        let borders = [low, low + 1, -1, 0, 1, high - 1, high].map(|n| n.to_string());
        make.table(name, Kind::Number, &borders, move |dice| {
            random::int(dice, low, high)
        });
        let (unsigned, high) = (format!("{name} unsigned"), (1_i128 << bits) - 1);
        let borders = [0, 1, high / 2, high / 2 + 1, high - 1, high].map(|n| n.to_string());
        make.table(&unsigned, Kind::Number, &borders, move |dice| {
            random::int(dice, 0, high)
        });
    }
    make.table(
        "tinyint(1)",
        Kind::Bool,
        &["0", "1", "2", "-1", "127", "-128"],
        |dice| dice.below(2).to_string(),
    );
    make.table("bit(1)", Kind::Number, &["b'0'", "b'1'"], |dice| {
        format!("b'{}'", dice.below(2))
    });
    let all = format!("b'{}'", "1".repeat(64));
    make.table("bit(64)", Kind::Number, &["b'0'", all.as_str()], |dice| {
        format!("b'{:b}'", dice.below(u64::MAX))
    });
    make.table("year", Kind::Number, &["0", "1901", "2155"], |dice| {
        random::int(dice, 1901, 2155)
    });
}

fn floats(make: &mut Maker<'_>) {
    let floats = ["0", "-0.0", "0.1", "1e15", "1e16", "16777216", "16777217"];
    let single = ["3.4028234e38", "1.17549435e-38", "1e-45"];
    let double = [
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "5e-324",
        "9007199254740993",
        "0.30000000000000004",
    ];
    make.table(
        "float",
        Kind::Narrow,
        &[&floats[..], &single].concat(),
        random::narrow,
    );
    make.table(
        "double",
        Kind::Float,
        &[&floats[..], &double].concat(),
        random::float,
    );
    make.table(
        "decimal(10,2)",
        Kind::Number,
        &["0", "99999999.99", "-99999999.99", "0.01", "-0.00"],
        |dice| random::decimal(dice, 8, 2),
    );
    let large = format!("{}.{}", "9".repeat(35), "9".repeat(30));
    let small = format!("-0.{}1", "0".repeat(29));
    make.table(
        "decimal(65,30)",
        Kind::Number,
        &["0", large.as_str(), small.as_str()],
        |dice| random::decimal(dice, 35, 30),
    );
    let whole = "9".repeat(65);
    make.table(
        "decimal(65,0)",
        Kind::Number,
        &["0", whole.as_str()],
        |dice| random::decimal(dice, 60, 0),
    );
}

fn texts(make: &mut Maker<'_>) {
    let odd = [
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
        "é",
        "\u{1}\u{7f}\u{85}",
        "\u{10ffff}",
        "'",
        "\"",
        "a,b",
    ];
    let odd: Vec<String> = odd.iter().map(|text| quoted(text)).collect();
    let long = format!("REPEAT({}, 20000)", quoted("é"));
    let (mut text, mut longest) = (odd.clone(), odd.clone());
    text.push(long.clone());
    longest.push(long);
    make.table("char(10)", Kind::Text, &odd, |dice| {
        quoted(&random::text(dice, 10))
    });
    make.table("varchar(40)", Kind::Text, &odd, |dice| {
        quoted(&random::text(dice, 40))
    });
    make.table("tinytext", Kind::Text, &odd, |dice| {
        quoted(&random::text(dice, 40))
    });
    make.table("text", Kind::Text, &text, |dice| {
        quoted(&random::text(dice, 40))
    });
    make.table("longtext", Kind::Text, &longest, |dice| {
        quoted(&random::text(dice, 40))
    });
    let latin: Vec<String> = ["", "é", "ÿ ", "€"]
        .iter()
        .map(|text| quoted(text))
        .collect();
    make.table(
        "varchar(40) CHARACTER SET latin1",
        Kind::Text,
        &latin,
        |dice| quoted(&random::latin(dice, 40)),
    );
    make.table(
        "varchar(40) CHARACTER SET utf16",
        Kind::Text,
        &odd,
        |dice| quoted(&random::text(dice, 40)),
    );
}

fn raw(make: &mut Maker<'_>) {
    let odd = ["X''", "X'00'", "X'20'", "X'5c'", "X'fffe00'"];
    make.table("binary(5)", Kind::Bytes, &odd, |dice| {
        bytes(&random::bytes(dice, 5))
    });
    make.table("varbinary(40)", Kind::Bytes, &odd, |dice| {
        bytes(&random::bytes(dice, 40))
    });
    let all: Vec<u8> = (0..=255).collect();
    let all = bytes(&all);
    make.table(
        "blob",
        Kind::Bytes,
        &[&odd[..], &[all.as_str()]].concat(),
        |dice| bytes(&random::bytes(dice, 40)),
    );
    make.table("longblob", Kind::Bytes, &odd, |dice| {
        bytes(&random::bytes(dice, 40))
    });
    let labels = ["'a'", "'B'", "''''", "'a,b'", "'nothing like it'"];
    make.table("enum('a','B','''','a,b','')", Kind::Text, &labels, |dice| {
        ["'a'", "'B'"][usize::from(dice.below(2) == 0)].to_owned()
    });
    make.table(
        "set('a','b','c d')",
        Kind::Text,
        &["''", "'a,b,c d'", "'b'"],
        |dice| dice.below(8).to_string(),
    );
}

fn times(make: &mut Maker<'_>) {
    let days = [
        "'1970-01-01'",
        "'0001-01-01'",
        "'0000-01-01'",
        "'9999-12-31'",
        "'2000-02-29'",
        "'0000-00-00'",
        "'2024-00-00'",
        "'2024-02-00'",
    ];
    make.table("date", Kind::Date, &days, |dice| plain(&random::date(dice)));
    let spans = [
        "'00:00:00'",
        "'24:00:00'",
        "'23:59:59.999999'",
        "'-00:00:00.000001'",
        "'838:59:59.999999'",
        "'-838:59:59'",
        "'100:00:00.5'",
    ];
    make.table("time(6)", Kind::Time, &spans, |dice| {
        plain(&random::time(dice, 6))
    });
    make.table("time", Kind::Time, &spans[..2], |dice| {
        plain(&random::time(dice, 0))
    });
    let moments = [
        "'1970-01-01'",
        "'0001-01-01'",
        "'9999-12-31 23:59:59.999999'",
        "'0000-00-00'",
        "'2024-00-01 10:00:00'",
        "'2000-01-01 00:00:00.000001'",
    ];
    make.table("datetime(6)", Kind::Moment, &moments, |dice| {
        plain(&random::timestamp(dice, 6))
    });
    make.table("datetime", Kind::Moment, &moments[..3], |dice| {
        plain(&random::timestamp(dice, 0))
    });
    let stamps = [
        "'1970-01-01 00:00:01'",
        "'2038-01-19 03:14:07.999999'",
        "'0000-00-00'",
        "'2001-09-09 01:46:40.000001'",
    ];
    let stamp = |dice: &mut Dice| {
        format!(
            "FROM_UNIXTIME({}.{:06})",
            1 + dice.below(0x7fff_fffe),
            dice.below(1_000_000)
        )
    };
    make.table("timestamp(6) NULL", Kind::Moment, &stamps, stamp);
}

fn others(make: &mut Maker<'_>) {
    let ids = [
        "'00000000-0000-0000-0000-000000000000'",
        "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ];
    make.table("uuid", Kind::Uuid, &ids, |dice| plain(&random::uuid(dice)));
    let json = [
        "null",
        "true",
        "\"\"",
        "0",
        "-0",
        "1.50",
        "1e5",
        "1e400",
        "123456789012345678901234567890.5",
        "[]",
        " {} ",
        "{\"a\": 1, \"a\": 2}",
        "\"\\u0000\"",
        "{\"b\": 1, \"a\": {\"\": null}}",
    ];
    let json: Vec<String> = json.iter().map(|text| quoted(text)).collect();
    make.table("json", Kind::Json, &json, |dice| {
        quoted(&random::json(dice, 3))
    });
    make.table("inet6", Kind::Any, &["'::'", "'::ffff:1.2.3.4'"], |dice| {
        format!("'::{:x}'", 1 + dice.below(0xffff))
    });
    make.table(
        "point",
        Kind::Bytes,
        &["POINT(0, 0)", "POINT(1e300, -0.1)"],
        |dice| format!("POINT({}, 1)", random::float(dice)),
    );
}
