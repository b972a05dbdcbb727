//! Casts: a case file, and what must hold for every value and type.

use super::*;
use crate::samples::{self, CASES, Owned, encoded};
use proptest::prelude::*;

/// Casts and returns the only value pushed.
fn cast(value: Value<'_>, to: Type) -> Result<Batch, Misfit> {
    let mut batch = Batch::new(1);
    match push(value, to, &mut batch) {
        Ok(()) => {
            assert_eq!(batch.len(), 1, "one value makes one cell");
            Ok(batch)
        }
        Err(misfit) => {
            assert_eq!(batch.bytes(), 0, "a misfit pushes nothing");
            Err(misfit)
        }
    }
}

#[test]
fn cases() {
    samples::check_cases("cast.txt", |case| {
        let (value, to) = case
            .rsplit_once(" as ")
            .expect("a case reads: value as type");
        let owned = samples::parse(value);
        match cast(owned.value(), samples::parse_type(to)) {
            Ok(batch) => samples::show(samples::only(&batch).value(0)),
            Err(misfit) => format!("misfit {}", misfit.name()),
        }
    });
}

fn any_type() -> impl Strategy<Value = Type> {
    let bits = prop::sample::select(vec![8, 16, 24, 32, 64]);
    prop_oneof![
        Just(Type::Any),
        Just(Type::Bool),
        (bits, any::<bool>()).prop_map(|(bits, signed)| Type::Int { bits, signed }),
        prop::sample::select(vec![32, 64]).prop_map(|bits| Type::Float { bits }),
        prop::option::of((1_u16..40, -3_i16..10)).prop_map(|size| Type::Decimal { size }),
        prop::option::of(0_u32..40).prop_map(|chars_max| Type::Text { chars_max }),
        prop::option::of(0_u32..40).prop_map(|bytes_max| Type::Bytes { bytes_max }),
        prop::sample::select(vec![
            Type::Date,
            Type::Time,
            Type::Timestamp,
            Type::Instant,
            Type::Uuid,
            Type::Json,
        ]),
    ]
}

fn number() -> impl Strategy<Value = Owned> {
    prop::sample::select(vec![
        Type::INT,
        Type::FLOAT,
        Type::DECIMAL,
        Type::Int {
            bits: 64,
            signed: false,
        },
    ])
    .prop_flat_map(samples::of_type)
}

fn number_type() -> impl Strategy<Value = Type> {
    let bits = prop::sample::select(vec![8, 16, 24, 32, 64]);
    prop_oneof![
        (bits, any::<bool>()).prop_map(|(bits, signed)| Type::Int { bits, signed }),
        Just(Type::FLOAT),
        prop::option::of((1_u16..40, -3_i16..10)).prop_map(|size| Type::Decimal { size }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES * 4))]

    #[test]
    fn a_cast_value_fits_and_stays(owned in samples::any_value(), to in any_type()) {
        if let Ok(batch) = cast(owned.value(), to) {
            let result = samples::only(&batch).value(0);
            let again = cast(result, to);
            prop_assert!(again.is_ok(), "{:?} as {} gave a misfit", owned, to);
            prop_assert_eq!(encoded(samples::only(&again.unwrap()).value(0)), encoded(result));
        }
    }

    #[test]
    fn what_fits_passes_unchanged(owned in samples::any_value(), to in any_type()) {
        if fits(owned.value(), to) {
            let batch = cast(owned.value(), to).unwrap();
            prop_assert_eq!(samples::show_raw(samples::only(&batch).value(0)), samples::show_raw(owned.value()));
        }
    }

    #[test]
    fn text_reads_back(owned in samples::any_value()) {
        let Some(ty) = samples::type_of(&owned) else { return Ok(()); };
        let text = cast(owned.value(), Type::TEXT).unwrap();
        let back = cast(samples::only(&text).value(0), ty).unwrap();
        prop_assert_eq!(encoded(samples::only(&back).value(0)), encoded(owned.value()));
    }

    #[test]
    fn numbers_keep_their_value(owned in number(), to in number_type()) {
        // Whatever two numeric classes a value passes through, its decimal stays the same.
        let (Ok(before), Ok(batch)) = (cast(owned.value(), Type::DECIMAL), cast(owned.value(), to)) else {
            return Ok(());
        };
        let result = samples::only(&batch).value(0);
        match (owned.value(), result) {
            // A whole number and a double compare as such: the shortest decimal of 2^63 ends in zeros.
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => {
                prop_assert_eq!(i128::from(a), b as i128);
            }
            (Value::Float(a), Value::Decimal(b)) if matches!(to, Type::Int { .. }) => {
                prop_assert_eq!(a as i128, b.parse::<i128>().unwrap());
            }
            _ => {
                let after = cast(result, Type::DECIMAL).unwrap();
                prop_assert_eq!(
                    encoded(samples::only(&before).value(0)), encoded(samples::only(&after).value(0))
                );
            }
        }
    }

    #[test]
    fn printed_floats_are_read(v in samples::float(), digits in 16_usize..30) {
        prop_assume!(v.is_finite());
        let text = format!("{v:.digits$e}");
        let batch = cast(Value::Text(&text), Type::FLOAT);
        prop_assert!(batch.is_ok(), "{}", text);
        prop_assert_eq!(encoded(samples::only(&batch.unwrap()).value(0)), encoded(Value::Float(v)));
        let single = v as f32;
        prop_assume!(single.is_finite());
        let text = format!("{single:.8e}");
        let batch = cast(Value::Text(&text), Type::Float { bits: 32 });
        prop_assert!(batch.is_ok(), "{}", text);
        prop_assert_eq!(encoded(samples::only(&batch.unwrap()).value(0)), encoded(Value::Float(single.into())));
    }

    #[test]
    fn short_decimals_fit_floats(digits in -999_999_999_999_999_i64..=999_999_999_999_999, zeros in 0..290_usize) {
        // Before or behind the point, with the zeros that put them there.
        let (sign, count) = (if digits < 0 { "-" } else { "" }, digits.unsigned_abs());
        for text in [format!("{digits}{}", "0".repeat(zeros)), format!("{sign}0.{}{count}", "0".repeat(zeros))] {
            let float = cast(Value::Decimal(&text), Type::FLOAT);
            prop_assert!(float.is_ok(), "{}", text);
            let back = cast(samples::only(&float.unwrap()).value(0), Type::DECIMAL).unwrap();
            prop_assert_eq!(encoded(samples::only(&back).value(0)), encoded(Value::Decimal(&text)));
        }
    }

    #[test]
    fn short_decimals_fit_single_floats(digits in -999_999_i32..=999_999, zeros in 0..31_usize) {
        let (sign, count) = (if digits < 0 { "-" } else { "" }, digits.unsigned_abs());
        for text in [format!("{digits}{}", "0".repeat(zeros)), format!("{sign}0.{}{count}", "0".repeat(zeros))] {
            let float = cast(Value::Decimal(&text), Type::Float { bits: 32 });
            prop_assert!(float.is_ok(), "{}", text);
            let Value::Float(v) = samples::only(&float.unwrap()).value(0) else { panic!("no float") };
            let shortest = (v as f32).to_string();
            prop_assert_eq!(encoded(Value::Decimal(&shortest)), encoded(Value::Decimal(&text)));
        }
    }

    #[test]
    fn hostile_texts_do_no_harm(text in samples::text(), to in any_type()) {
        let _result = cast(Value::Text(&text), to);
        let _result = cast(Value::Decimal(&text), to);
    }
}

#[test]
fn a_misfit_never_shows_the_value() {
    let misfit = cast(Value::Text("secret"), Type::INT).expect_err("not a number");
    assert_eq!(misfit, Misfit::Syntax("text"));
    assert_eq!(
        misfit.to_string(),
        "the text does not spell a value of the type: class=text"
    );
}

#[test]
fn megabytes_of_digits_are_refused_quickly() {
    let digits = "1".repeat(1 << 20);
    let zeros = "0".repeat(1 << 20);
    for text in [
        digits.clone(),
        format!("0.{zeros}1"),
        format!("1e{digits}"),
        format!("{digits}e-{digits}"),
    ] {
        assert!(cast(Value::Text(&text), Type::INT).is_err());
        assert!(cast(Value::Text(&text), Type::FLOAT).is_err());
    }
    assert!(cast(Value::Text(&format!("5.{zeros}")), Type::FLOAT).is_ok());
}

#[test]
fn a_text_among_bytes_is_a_stray_and_so_are_bytes_among_texts() {
    let (text, bytes) = (Value::Text("\\x41"), Value::Bytes(b"A"));
    for (declared, to, strays) in [
        (Type::TEXT, Type::TEXT, [false, true]),
        (Type::TEXT, Type::BYTES, [false, true]),
        (Type::BYTES, Type::TEXT, [true, false]),
        (Type::BYTES, Type::BYTES, [true, false]),
        (Type::INT, Type::INT, [false, true]),
        (Type::Any, Type::TEXT, [false, true]),
        (Type::Any, Type::BYTES, [true, false]),
        (Type::TEXT, Type::Any, [false, false]),
        (Type::BYTES, Type::Any, [false, false]),
    ] {
        let found = [text, bytes].map(|value| is_stray(value, declared, to));
        assert_eq!(found, strays, "{declared} {to}");
    }
    assert!(!is_stray(Value::Null, Type::TEXT, Type::TEXT));
    assert!(!is_stray(Value::Int(1), Type::TEXT, Type::TEXT));
}
