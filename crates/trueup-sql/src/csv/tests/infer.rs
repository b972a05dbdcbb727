//! Types guessed from values.

use crate::file::infer::Column;

/// The type of a column of these values; `NULL` is one.
fn ty(values: &str) -> String {
    let mut column = Column::default();
    for value in values.split('|').filter(|value| !value.is_empty()) {
        let value = if value == "EMPTY" { "" } else { value };
        column.see(value, value != "NULL", "NULL", 1);
        if value == "NULL" {
            column.see(value, false, "NULL", 1);
        }
    }
    column.ty().to_string()
}

/// Values of a column, and the type it gets.
const TYPES: &[(&str, &str)] = &[
    ("1|-5|0|9223372036854775807|-9223372036854775808", "int64"),
    ("007", "text"),
    ("1|007", "text"),
    ("+1", "text"),
    ("-0", "text"),
    ("-", "text"),
    ("1 ", "text"),
    ("0x10", "text"),
    ("1_000", "text"),
    ("9223372036854775808", "decimal"),
    ("-9223372036854775809|1", "decimal"),
    ("1.5|2", "decimal"),
    ("0.10|-0.5", "decimal"),
    ("007.5", "text"),
    (".5", "text"),
    ("5.", "text"),
    ("1.2.3", "text"),
    ("1e5", "float64"),
    ("1.5E-3|2|0.25", "float64"),
    ("1e5|123456789012345678", "text"),
    ("1e5|0.1234567890123456789", "text"),
    ("1e999", "text"),
    ("1e-999", "text"),
    ("0e5", "float64"),
    ("1e", "text"),
    ("1e+", "text"),
    ("NaN", "text"),
    ("inf", "text"),
    ("true|false", "bool"),
    ("True", "text"),
    ("t", "text"),
    ("true|1", "text"),
    ("2024-02-29|1900-01-01", "date"),
    ("2023-02-29", "text"),
    ("1900-02-29", "text"),
    ("2000-02-29", "date"),
    ("2024-13-01", "text"),
    ("2024-00-10", "text"),
    ("2024-01-32", "text"),
    ("0000-01-01", "text"),
    ("2024-1-1", "text"),
    ("01/02/2024", "text"),
    (
        "2024-01-01 00:00:00|2024-01-01T23:59:59.123456",
        "timestamp",
    ),
    ("2024-01-01 00:00:00.1234567", "text"),
    ("2024-01-01 24:00:00", "text"),
    ("2024-01-01 00:00:60", "text"),
    ("2024-01-01 00:00", "text"),
    ("2024-01-01 00:00:00.", "text"),
    ("2024-01-01|2024-01-01 00:00:00", "text"),
    (
        "2013-01-01T10:00:00Z|2013-01-01 10:00:00.5+01:30",
        "instant",
    ),
    ("2013-01-01T10:00:00-08|2013-01-01T10:00:00+0530", "instant"),
    ("2013-01-01T10:00:00Z|2013-01-01T10:00:00", "text"),
    ("2013-01-01T10:00:00+1", "text"),
    (
        "f47ac10b-58cc-4372-a567-0e02b2c3d479|0AAAAAAA-58cc-4372-a567-0e02b2c3d479",
        "uuid",
    ),
    ("f47ac10b-58cc-4372-a567-0e02b2c3d47", "text"),
    ("f47ac10b58cc4372a5670e02b2c3d479", "text"),
    ("1|EMPTY", "text"),
    ("NA|1", "text"),
    ("", "text"),
];

#[test]
fn a_type_is_what_every_value_fits_exactly() {
    for (values, expected) in TYPES {
        assert_eq!(ty(values), *expected, "{values}");
    }
}

type Told = Option<(&'static str, u64, u64, u64)>;

/// Values of a column, line by line, and what is said of the few that are not like the others: type, how many, of how
/// many, first line.
const ODD: &[(&str, Told)] = &[
    ("1|2|x", Some(("int64", 1, 3, 3))),
    ("x|1.5|NULL|2", Some(("decimal", 1, 3, 1))),
    ("1|2.5|3e5|n/a|n/a", Some(("float64", 2, 5, 4))),
    ("true|false|yes", Some(("bool", 1, 3, 3))),
    ("2024-01-01|2024-01-02|2024-13-01", Some(("date", 1, 3, 3))),
    (
        "2024-01-01|2024-01-01 10:00:00|2024-01-01 11:00:00",
        Some(("timestamp", 1, 3, 1)),
    ),
    ("1|2|3|4|5|6|7|8|9|a|b", Some(("int64", 2, 11, 10))),
    ("1|2|3|4|5|6|7|8|9|a|b|c", None),
    ("1|x", None),
    ("1|2|3", None),
    ("x|y|z", None),
    // Numbers of which no one type holds all exactly.
    ("1e5|12345678901234567890|3|4|x", None),
];

#[test]
fn few_values_that_are_not_like_the_others_are_told() {
    for (values, expected) in ODD {
        let mut column = Column::default();
        for (value, line) in values.split('|').zip(1..) {
            column.see(value, false, "NULL", line);
        }
        let odd = column.odd();
        let odd = odd.map(|odd| (odd.ty.to_string(), odd.count, odd.values, odd.line));
        let expected = expected.map(|(ty, count, of, line)| (ty.to_owned(), count, of, line));
        assert_eq!(odd, expected, "{values}");
    }
}

#[test]
fn null_makes_nullable_and_nothing_else() {
    let mut column = Column::default();
    column.see("NA", false, "NA", 1);
    column.see("7", false, "NA", 1);
    assert_eq!(
        (column.ty().to_string().as_str(), column.nullable),
        ("int64", true)
    );
    column.see("NA", true, "NA", 1);
    assert_eq!(column.ty().to_string(), "text", "a quoted marker is a text");
    let mut column = Column::default();
    column.see("", true, "", 1);
    assert!(!column.nullable, "a quoted empty field is a text");
}

/// What is inferred, the core must be able to cast: or a later value would surprise after all.
#[test]
fn what_is_inferred_can_be_cast() {
    use trueup_core::batch::Batch;
    use trueup_core::value::Value;
    let values = [
        "1",
        "-5",
        "0",
        "-9223372036854775808",
        "9223372036854775808",
        "0.10",
        "-0.0",
        "1e5",
        "1.5E-3",
        "-2e+10",
        "0e5",
        "5e-324",
        "true",
        "false",
        "2024-02-29",
        "9999-12-31",
        "0001-01-01",
        "2024-01-01 00:00:00",
        "2024-01-01T23:59:59.1",
        "2013-01-01T10:00:00Z",
        "2013-01-01 10:00:00.5+01:30",
        "2013-01-01T10:00:00-08",
        "2013-01-01T10:00:00+0530",
        "2013-01-01T10:00:00-15:59",
        "F47AC10B-58cc-4372-a567-0e02b2c3d479",
    ];
    for value in values {
        let mut column = Column::default();
        column.see(value, false, "", 1);
        assert_ne!(column.ty().to_string(), "text", "{value}");
        let cast = trueup_core::cast::push(Value::Text(value), column.ty(), &mut Batch::new(1));
        assert!(cast.is_ok(), "{value} as {}: {cast:?}", column.ty());
    }
}
