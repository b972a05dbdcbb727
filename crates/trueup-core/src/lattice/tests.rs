//! The lattice against the casts it speaks about.

use super::*;
use crate::batch::Batch;
use crate::cast;
use crate::samples::{self, Owned, encoded};
use proptest::prelude::*;

/// How many values each pair of types is tried with.
const VALUES: u32 = 24;

/// The types whose pairs are tried.
pub(crate) fn all_types() -> Vec<Type> {
    let mut types = SHOWN.to_vec();
    for bits in [8, 16, 24, 32, 64] {
        types.extend([true, false].map(|signed| Type::Int { bits, signed }));
    }
    types.extend(
        [
            (3, 0),
            (10, 0),
            (20, 0),
            (25, 4),
            (3, -2),
            (6, -2),
            (3, 5),
            (2, 5),
            (400, 350),
        ]
        .map(|size| Type::Decimal { size: Some(size) }),
    );
    types.extend([0, 5, 16, 36, 82].map(|max| Type::Text {
        chars_max: Some(max),
    }));
    types.push(Type::Bytes { bytes_max: Some(3) });
    types
}

fn casts(owned: &Owned, to: Type) -> Option<Batch> {
    let mut batch = Batch::new(1);
    cast::push(owned.value(), to, &mut batch)
        .ok()
        .map(|()| batch)
}

#[test]
fn the_lattice_speaks_the_truth_about_casts() {
    for from in all_types() {
        for to in all_types() {
            let fit = types(from, to);
            let checked = samples::try_values(from, VALUES, |owned| {
                let result = casts(&owned, to);
                match fit {
                    Fit::Exact => {
                        prop_assert!(result.is_some(), "misfit: {:?}", owned);
                        let mut back = Batch::new(1);
                        let there = result.as_ref().map(|batch| samples::only(batch).value(0));
                        let came_back =
                            cast::push(there.unwrap_or(crate::value::Value::Null), from, &mut back);
                        prop_assert_eq!(came_back, Ok(()), "{:?}", owned);
                        prop_assert_eq!(
                            encoded(samples::only(&back).value(0)),
                            encoded(owned.value())
                        );
                    }
                    Fit::Refused(_) => prop_assert!(result.is_none(), "passed: {:?}", owned),
                    Fit::WithinRange(_) | Fit::Without(_) | Fit::Lossy(_) => {}
                }
                Ok(())
            });
            if let Err(failure) = checked {
                panic!("{from} to {to} is {fit}: {failure}");
            }
        }
    }
}

#[test]
fn no_pair_is_lossy() {
    for from in all_types() {
        for to in all_types() {
            assert!(!matches!(types(from, to), Fit::Lossy(_)), "{from} to {to}");
            assert!(from != to || types(from, to) == Fit::Exact, "{from}");
        }
    }
}

fn field(ty: Type, native: &str, inferred: bool) -> Field {
    Field {
        inferred,
        ..Field::new("f", ty, native)
    }
}

#[test]
fn what_may_hold_anything_is_read_for_what_may_not() {
    let strict = field(Type::INT, "sqlite:INTEGER", false);
    let mixed = Field {
        holds: Holds::Mixed,
        ..strict.clone()
    };
    for (source, target, expected) in [
        (&mixed, &strict, Type::INT),
        (&mixed, &mixed, Type::Any),
        (&strict, &mixed, Type::Any),
    ] {
        assert_eq!(fit(source, target), Fit::Exact);
        assert_eq!(meet(source, target), expected);
    }
}

#[test]
fn equal_native_types_pass_unread() {
    let source = field(Type::TEXT, "postgres:tsvector", false);
    let target = field(Type::TEXT, "postgres:tsvector", false);
    assert_eq!(fit(&source, &target), Fit::Exact);
    assert_eq!(meet(&source, &target), Type::Any);
}

#[test]
fn what_only_the_source_can_hold_is_told() {
    let with = |ty, native: &str, extremes| Field {
        extremes,
        ..field(ty, native, false)
    };
    let (nan, days) = (Extremes::NAN, Extremes::FAR_DAYS);
    let none = Extremes::NONE;
    let without = Fit::Without;
    for (ty, from, other, to, expected) in [
        (Type::FLOAT, nan, Type::FLOAT, nan, Fit::Exact),
        (Type::FLOAT, nan, Type::FLOAT, none, without(nan)),
        (Type::FLOAT, none, Type::FLOAT, nan, Fit::Exact),
        // As a text it is one like others.
        (
            Type::FLOAT,
            nan,
            Type::TEXT,
            Extremes::of(Type::TEXT),
            Fit::Exact,
        ),
        (
            Type::TEXT,
            none,
            Type::TEXT,
            none,
            without(Extremes::FREE_TEXTS),
        ),
        (Type::Date, days, Type::Date, none, without(days)),
        (Type::Date, days, Type::Any, none, without(days)),
        // What only some engines have is read by none of another kind.
        (
            Type::Time,
            Extremes::SPANS,
            Type::Time,
            Extremes::SPANS,
            without(Extremes::SPANS),
        ),
        (Type::INT, none, Type::INT, none, Fit::Exact),
    ] {
        let (from, to) = (with(ty, "a:x", from), with(other, "b:x", to));
        assert_eq!(fit(&from, &to), expected, "{from:?} {to:?}");
    }
    // Between equal types values pass unread, but one that cannot be read at all.
    let late = Extremes::LAST_YEARS | Extremes::NO_DAYS;
    let alike = with(Type::Timestamp, "a:x", late);
    assert_eq!(fit(&alike, &alike), without(Extremes::LAST_YEARS));
}

#[test]
fn where_two_fields_meet() {
    let declared = |ty| field(ty, "sqlite:x", false);
    let guessed = |ty| field(ty, "csv:text", true);
    for (source, target, expected) in [
        (
            declared(Type::Date),
            field(Type::TEXT, "sqlite:y", false),
            Type::TEXT,
        ),
        (
            declared(Type::Date),
            field(Type::Any, "sqlite:y", false),
            Type::Date,
        ),
        (declared(Type::Date), guessed(Type::INT), Type::Date),
        (guessed(Type::INT), declared(Type::Date), Type::Date),
        (
            guessed(Type::INT),
            field(Type::Any, "sqlite:y", false),
            Type::INT,
        ),
        (guessed(Type::INT), guessed(Type::Date), Type::INT),
        (
            declared(Type::Any),
            field(Type::Any, "sqlite:y", false),
            Type::Any,
        ),
    ] {
        assert_eq!(meet(&source, &target), expected, "{source:?} {target:?}");
    }
}

#[test]
fn the_common_type_is_the_narrower_whichever_is_named_first() {
    for (a, b, expected) in [
        ("text", "timestamp", "timestamp"),
        ("text", "json", "json"),
        ("int64", "int32", "int32"),
        ("int64", "uint32", "uint32"),
        ("int64", "bool", "bool"),
        ("float64", "float32", "float32"),
        ("decimal", "float64", "float64"),
        ("decimal", "decimal(10,2)", "decimal(10,2)"),
        ("text", "text(10)", "text(10)"),
        ("any", "uuid", "uuid"),
        ("any", "any", "any"),
        ("int32", "int32", "int32"),
        // Neither is narrower; a text is never taken.
        ("text(5)", "int32", "int32"),
        ("text(5)", "bytes", "bytes"),
        ("text(5)", "uuid", "uuid"),
        ("date", "timestamp", "date"),
        ("int64", "uint64", "int64"),
        ("int64", "float64", "float64"),
    ] {
        let [a, b] = [a, b].map(samples::parse_type);
        let [one, other] = [field(a, "sqlite:x", false), field(b, "postgres:x", false)];
        let expected = samples::parse_type(expected);
        assert_eq!(common(&one, &other), expected, "{a} {b}");
        assert_eq!(common(&other, &one), expected, "{b} {a}");
    }
}

#[test]
fn the_common_type_of_equal_natives_and_of_guesses() {
    let declared = field(Type::INT, "sqlite:INTEGER", false);
    let text = field(Type::TEXT, "postgres:text", false);
    let guess = field(Type::Date, "csv:text", true);
    assert_eq!(common(&declared, &declared), Type::Any);
    assert_eq!(common(&guess, &text), Type::TEXT);
    assert_eq!(common(&text, &guess), Type::TEXT);
    assert_eq!(common(&guess, &guess), Type::Any);
}

#[test]
fn the_common_type_is_one_of_the_two_and_symmetric() {
    for a in all_types() {
        for b in all_types() {
            let [one, other] = [field(a, "sqlite:x", false), field(b, "postgres:x", false)];
            let common = common(&one, &other);
            assert_eq!(common, super::common(&other, &one), "{a} {b}");
            assert!(common == a || common == b, "{a} {b}: {common}");
            for wider in [a, b] {
                let narrower =
                    |ty| types(ty, wider) == Fit::Exact && types(wider, ty) != Fit::Exact;
                let says_nothing = wider == Type::Any && (a != Type::Any || b != Type::Any);
                let other = if wider == a { b } else { a };
                assert!(
                    common != wider || !(narrower(other) || says_nothing),
                    "{a} {b}: {common}"
                );
            }
        }
    }
}

#[test]
fn a_guess_is_a_text() {
    // A file says what it can spell, whatever the guess.
    let guess = Field {
        extremes: Extremes::COMMON,
        ..field(Type::INT, "csv:text", true)
    };
    let date = field(Type::Date, "postgres:date", false);
    assert_eq!(fit(&guess, &date), Fit::WithinRange(SPELLED));
    assert_eq!(fit(&date, &guess), Fit::Exact);
    assert_eq!(
        fit(&field(Type::INT, "postgres:int8", false), &date),
        Fit::Refused(NO_CAST)
    );
}

#[test]
fn the_matrix_is_a_table() {
    let matrix = matrix();
    let widths: Vec<usize> = matrix
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.matches('|').count())
        .collect();
    assert_eq!(widths, vec![SHOWN.len() + 2; SHOWN.len() + 2]);
    assert!(matrix.contains("1. exact within range"));
}
