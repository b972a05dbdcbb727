//! The calendar against counted days, known days, and itself.

use super::*;
use crate::samples::CASES;
use proptest::prelude::*;

fn spelled(format: impl Fn(&mut String)) -> String {
    let mut text = String::new();
    format(&mut text);
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES * 4))]

    #[test]
    fn dates_come_back(days in prop_oneof![any::<i32>(), -800_000..800_000]) {
        let text = spelled(|out| format_date(days, out));
        prop_assert_eq!(parse_date(&text), Some(days), "{}", text);
    }

    #[test]
    fn times_come_back(time in prop_oneof![0..=DAY_US, (0..=86_400_i64).prop_map(|s| s * SECOND_US)]) {
        let text = spelled(|out| format_time(time, out));
        prop_assert_eq!(parse_time(&text), Some(time), "{}", text);
    }

    #[test]
    fn timestamps_and_instants_come_back(
        time in prop_oneof![any::<i64>(), -90_000_000_000_000_000_i64..90_000_000_000_000_000]
    ) {
        let text = spelled(|out| format_timestamp(time, out));
        prop_assert_eq!(parse_timestamp(&text), Some(time), "{}", text);
        let text = spelled(|out| format_instant(time, out));
        prop_assert_eq!(parse_instant(&text), Some(time), "{}", text);
    }

    #[test]
    fn days_follow_each_other(start in any::<i32>()) {
        let later = start.saturating_add(1);
        let ((year, month, day), next) = (civil(start), civil(later));
        let expected = [(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)];
        prop_assert!(start == later || expected.contains(&next), "{:?} then {:?}", civil(start), next);
    }

    #[test]
    fn hostile_texts_do_no_harm(text in "[-0-9:.TZ+ BC]{0,30}") {
        let _date = parse_date(&text);
        let _time = parse_time(&text);
        let _timestamp = parse_timestamp(&text);
        let _instant = parse_instant(&text);
    }
}

/// Counts day by day from 1970 with nothing but the rule for leap years.
#[test]
fn counted_days() {
    let leap = |year: i32| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let months = |year| {
        [
            31,
            if leap(year) { 29 } else { 28 },
            31,
            30,
            31,
            30,
            31,
            31,
            30,
            31,
            30,
            31,
        ]
    };
    let mut count = 0;
    for year in 1970..2500 {
        for (month, len) in (1..).zip(months(year)) {
            for day in 1..=len {
                assert_eq!(days(year, month, day), Some(count), "{year}-{month}-{day}");
                assert_eq!(civil(count), (year, month, day));
                count += 1;
            }
        }
    }
    count = 0;
    for year in (-900..1970).rev() {
        for (month, len) in (1..=12).zip(months(year)).rev() {
            for day in (1..=len).rev() {
                count -= 1;
                assert_eq!(days(year, month, day), Some(count), "{year}-{month}-{day}");
                assert_eq!(civil(count), (year, month, day));
            }
        }
    }
}

#[test]
fn known_days() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("2000-02-29", 11_016),
        ("0001-01-01", -719_162),
        ("0001-12-31 BC", -719_163),
        ("9999-12-31", 2_932_896),
        // Julian day 0, where PostgreSQL's dates begin, and where they end.
        ("4714-11-24 BC", -2_440_588),
        ("5874897-12-31", 2_145_042_905),
        ("infinity", i32::MAX),
        ("-infinity", i32::MIN),
    ] {
        assert_eq!(parse_date(text), Some(days), "{text}");
        assert_eq!(spelled(|out| format_date(days, out)), text);
    }
    assert_eq!(
        spelled(|out| format_date(i32::MAX - 1, out)),
        "5881580-07-10"
    );
    assert_eq!(
        spelled(|out| format_date(i32::MIN + 1, out)),
        "5877642-06-24 BC"
    );
}

#[test]
fn refused_dates() {
    for text in [
        "",
        "2013",
        "2013-02-29",
        "1900-02-29",
        "2013-13-01",
        "2013-00-01",
        "2013-01-00",
        "2013-04-31",
        "2013-1-1",
        "13-01-01",
        "0000-01-01",
        "0000-01-01 BC",
        "-2013-01-01",
        "2013-01-01 ",
        " 2013-01-01",
        "2013-01-01 AD",
        "2013-01-01BC",
        "2013/01/01",
        "20130101",
        "99999999-01-01",
        "9999999-01-01",
        "5881580-07-11",
        "5877642-06-23 BC",
        "Infinity",
        "2013-01-01 00:00:00",
        "２013-01-01",
    ] {
        assert_eq!(parse_date(text), None, "{text}");
    }
}

#[test]
fn times() {
    for (text, time) in [
        ("00:00:00", 0),
        ("05:00", 18_000_000_000),
        ("23:59:59.999999", DAY_US - 1),
        ("24:00:00", DAY_US),
        ("00:00:00.5", 500_000),
        ("00:00:00.000001000", 1),
    ] {
        assert_eq!(parse_time(text), Some(time), "{text}");
    }
    for text in [
        "",
        "5:00",
        "24:00:00.000001",
        "24:00:01",
        "25:00",
        "23:60",
        "23:59:60",
        "00:00:00.",
        "00:00:00.0000001",
        "00:00:00 ",
        "00",
        "00:00:0",
        "00:00:00Z",
        "-00:00",
    ] {
        assert_eq!(parse_time(text), None, "{text}");
    }
    assert_eq!(spelled(|out| format_time(500_100, out)), "00:00:00.5001");
    assert_eq!(spelled(|out| format_time(-1, out)), "-00:00:00.000001");
    assert_eq!(
        spelled(|out| format_time(i64::MIN, out)),
        "-2562047788:00:54.775808"
    );
}

#[test]
fn timestamps() {
    for (text, expected) in [
        ("2013-01-01 05:00:00", "2013-01-01 05:00:00"),
        ("2013-01-01T05:00:00.123456", "2013-01-01 05:00:00.123456"),
        ("2013-01-01 05:00", "2013-01-01 05:00:00"),
        ("2013-12-31 24:00:00", "2014-01-01 00:00:00"),
        ("0044-03-15 12:00:00.10 BC", "0044-03-15 12:00:00.1 BC"),
        ("12013-01-01 00:00:00", "12013-01-01 00:00:00"),
        ("1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"),
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
    ] {
        let time = parse_timestamp(text).unwrap();
        assert_eq!(spelled(|out| format_timestamp(time, out)), expected);
    }
    assert_eq!(parse_timestamp("1969-12-31 23:59:59.999999"), Some(-1));
    for text in [
        "2013-01-01",
        "2013-01-01 05:00:00Z",
        "2013-01-01 05:00:00+00",
        "2013-01-01  05:00",
        "294247-01-10 04:00:54.775807",
        "999999-01-01 00:00",
        "2013-01-01t05:00",
        "2013-01-01 BC 05:00",
    ] {
        assert_eq!(parse_timestamp(text), None, "{text}");
    }
    assert_eq!(
        parse_timestamp("294247-01-10 04:00:54.775806"),
        Some(i64::MAX - 1)
    );
}

#[test]
fn instants() {
    for (text, expected) in [
        ("2013-01-01 05:00:00Z", "2013-01-01 05:00:00+00:00"),
        ("2013-01-01T05:00:00+00", "2013-01-01 05:00:00+00:00"),
        ("2013-01-01 05:00:00+02:30", "2013-01-01 02:30:00+00:00"),
        ("2013-01-01 05:00:00-0330", "2013-01-01 08:30:00+00:00"),
        ("2013-01-01 05:00:00+00:53:28", "2013-01-01 04:06:32+00:00"),
        ("0044-03-15 00:00:00+01 BC", "0044-03-14 23:00:00+00:00 BC"),
        ("0001-01-01 00:00:00+01", "0001-12-31 23:00:00+00:00 BC"),
        ("infinity", "infinity"),
    ] {
        let time = parse_instant(text).unwrap();
        assert_eq!(spelled(|out| format_instant(time, out)), expected);
    }
    for text in [
        "2013-01-01 05:00:00",
        "2013-01-01 05:00:00+2",
        "2013-01-01 05:00:00+24",
        "2013-01-01 05:00:00+02:60",
        "2013-01-01 05:00:00 +02",
        "2013-01-01Z",
        "2013-01-01 05:00:00+02:",
        "2013-01-01 05:00:00z",
        "2013-01-01 05:00:00 UTC",
        "2013-01-01 05:00:00ZZ",
    ] {
        assert_eq!(parse_instant(text), None, "{text}");
    }
}

/// An independent witness: another engine's texts and counts.
#[test]
fn as_postgresql_counts() {
    crate::samples::check_cases("calendar.txt", |case| {
        let (class, text) = case.split_once(' ').unwrap();
        let mut back = String::new();
        let count = match class {
            "date" => {
                let days = parse_date(text).unwrap();
                format_date(days, &mut back);
                i64::from(days)
            }
            "timestamp" => {
                let time = parse_timestamp(text).unwrap();
                format_timestamp(time, &mut back);
                time
            }
            // Shown in the session's zone there, in UTC here: only the count is compared.
            _ => return parse_instant(text).unwrap().to_string(),
        };
        assert_eq!(back, text);
        count.to_string()
    });
}
