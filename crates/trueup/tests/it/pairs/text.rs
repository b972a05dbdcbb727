//! What files hold: texts that look like something.

use super::judge::Kind;
use super::places::Maker;
use super::random;
use crate::support::Dice;

const DAYS: [&str; 4] = ["1970-01-01", "0001-01-01", "9999-12-31", "2000-02-29"];
const WORDS: [&str; 18] = [
    "",
    " ",
    "  both ends  ",
    "NULL",
    "\\N",
    "\\.",
    "0",
    "007",
    "1.0",
    "true",
    "{}",
    "\n",
    "\r\n",
    "\u{feff}mark",
    "e\u{301}",
    "\u{10ffff}",
    "\"",
    "a,b",
];

fn whole(dice: &mut Dice) -> String {
    random::int(dice, i64::MIN.into(), i64::MAX.into())
}

/// A field of CSV; every text is in quotes, so that only a missing value is nothing.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

pub(super) fn csv(make: &mut Maker<'_>) {
    make.table(
        "whole",
        Kind::Number,
        &["-9223372036854775808", "9223372036854775807", "0", "-1"],
        whole,
    );
    make.table(
        "large",
        Kind::Number,
        &[
            "18446744073709551615",
            "123456789012345678901234567890",
            "0",
        ],
        whole,
    );
    make.table(
        "decimal",
        Kind::Number,
        &["0.10", "-0.5", "12345678901234567890.1234567890", "0"],
        |dice| random::decimal(dice, 40, 20),
    );
    make.table("zeros", Kind::Text, &["007", "0", "00"], |dice| {
        format!("{:05}", dice.below(99_999))
    });
    make.table(
        "signs",
        Kind::Text,
        &["+5", "5", " 5", "5 ", "-0", ".5", "5."],
        |dice| dice.below(99).to_string(),
    );
    make.table(
        "exponents",
        Kind::Text,
        &["1e5", "1E5", "1e400", "NaN", "Infinity", "0x10"],
        random::float,
    );
    make.table("truth", Kind::Bool, &["true", "false"], |dice| {
        ["true", "false"][usize::from(dice.below(2) == 0)].to_owned()
    });
    times(make);
    let words: Vec<String> = WORDS.iter().map(|text| quoted(text)).collect();
    make.table("words", Kind::Text, &words, |dice| {
        quoted(&random::text(dice, 60))
    });
}

fn times(make: &mut Maker<'_>) {
    make.table("day", Kind::Date, &DAYS, random::date);
    make.table(
        "no_day",
        Kind::Text,
        &["2024-02-30", "2024-2-3", "10000-01-01", "infinity"],
        random::date,
    );
    make.table(
        "clock",
        Kind::Time,
        &["00:00:00", "23:59:59.999999"],
        |dice| random::time(dice, 6),
    );
    make.table(
        "moment",
        Kind::Moment,
        &["1970-01-01 00:00:00", "9999-12-31 23:59:59.999999"],
        |dice| random::timestamp(dice, 6),
    );
    make.table("instant", Kind::Moment, &["1970-01-01T00:00:00Z"], |dice| {
        format!("{}Z", random::timestamp(dice, 6).replace(' ', "T"))
    });
    make.table(
        "zone",
        Kind::Moment,
        &["2024-02-29T12:00:00+02:00", "2024-02-29T12:00:00Z"],
        |dice| format!("{}+02:00", random::timestamp(dice, 6).replace(' ', "T")),
    );
    make.table(
        "id_text",
        Kind::Uuid,
        &["ffffffff-ffff-ffff-ffff-ffffffffffff"],
        random::uuid,
    );
}

pub(super) fn jsonl(make: &mut Maker<'_>) {
    make.table(
        "whole",
        Kind::Number,
        &["-9223372036854775808", "9223372036854775807", "0", "-0"],
        whole,
    );
    make.table(
        "decimal",
        Kind::Number,
        &["0.10", "-0.5", "12345678901234567890.1234567890"],
        |dice| random::decimal(dice, 40, 20),
    );
    make.table(
        "float",
        Kind::Float,
        &["1e5", "1.7976931348623157e308", "5e-324", "0.1", "-0.0"],
        random::float,
    );
    make.table(
        "beyond",
        Kind::Json,
        &["1e400", "-1e-400", "1E+2", "1.0"],
        random::float,
    );
    make.table("truth", Kind::Bool, &["true", "false"], |dice| {
        ["true", "false"][usize::from(dice.below(2) == 0)].to_owned()
    });
    let text = |text: &str| serde_json::to_string(text).unwrap();
    let days: Vec<String> = DAYS.iter().map(|day| text(day)).collect();
    make.table("day", Kind::Date, &days, move |dice| {
        text(&random::date(dice))
    });
    make.table(
        "moment",
        Kind::Moment,
        &["\"1970-01-01 00:00:00\""],
        move |dice| text(&random::timestamp(dice, 6)),
    );
    make.table(
        "id_text",
        Kind::Uuid,
        &["\"ffffffff-ffff-ffff-ffff-ffffffffffff\""],
        move |dice| text(&random::uuid(dice)),
    );
    let mut words: Vec<String> = WORDS.iter().map(|word| text(word)).collect();
    words.extend([
        "\"a\\u0000b\"".to_owned(),
        "\"\\ud83d\\ude00\\/\"".to_owned(),
    ]);
    make.table("words", Kind::Text, &words, move |dice| {
        text(&random::text(dice, 60))
    });
    let trees = [
        "{}",
        "[]",
        "{\"b\":1,\"a\":[1,2.50,1e400]}",
        "\"\"",
        "1.50",
        "true",
        "\"\\u0000\"",
    ];
    make.table("trees", Kind::Json, &trees, |dice| random::json(dice, 3));
}
