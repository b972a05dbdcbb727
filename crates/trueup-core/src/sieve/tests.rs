use super::{Sieve, decided, fields};
use crate::filter::{Compare, Term};
use crate::schema::{Field, Schema};
use crate::types::Type;
use crate::value::Value;

fn schema(sieves: &[(&str, Type, Sieve)]) -> Schema {
    let field = |&(name, ty, sieve): &(&str, Type, Sieve)| Field {
        sieve,
        ..Field::new(name, ty, "memory")
    };
    Schema {
        collection: "goods".into(),
        fields: sieves.iter().map(field).collect(),
        ..Schema::default()
    }
}

fn names(terms: &[Term], schema: &Schema) -> Vec<String> {
    let decided = decided(terms, schema);
    decided.iter().map(|term| term.field().to_owned()).collect()
}

#[test]
fn each_term_travels_as_far_as_its_field_allows() {
    let (less, equal) = (Compare::Less, Compare::Equal);
    let cases: &[(Sieve, Compare, Value<'_>, bool)] = &[
        (Sieve::Order, less, Value::Int(5), true),
        (Sieve::Order, equal, Value::Int(5), true),
        (Sieve::Equal, less, Value::Int(5), false),
        (Sieve::Equal, equal, Value::Int(5), true),
        (Sieve::Equal, Compare::NotEqual, Value::Int(5), true),
        (Sieve::Open, equal, Value::Int(5), false),
        (Sieve::Open, equal, Value::Null, true),
        (Sieve::Blind, equal, Value::Null, false),
        (Sieve::Blind, equal, Value::Int(5), false),
    ];
    for &(sieve, compare, constant, travels) in cases {
        let schema = schema(&[("qty", Type::INT, sieve)]);
        let term = Term::new("qty", Type::INT, compare, constant).unwrap();
        let told = !names(&[term], &schema).is_empty();
        assert_eq!(told, travels, "{sieve:?} {compare:?} {constant:?}");
    }
}

#[test]
fn constants_that_an_endpoint_may_read_in_its_own_way_stay_here() {
    let year_10000 = 2_932_897;
    let cases: &[(Type, Value<'_>, bool)] = &[
        (Type::FLOAT, Value::Float(1.5), false),
        (Type::TEXT, Value::Text("a"), true),
        (Type::TEXT, Value::Text("a\0"), false),
        (Type::Date, Value::Date(0), true),
        (Type::Date, Value::Date(year_10000), false),
        (Type::Date, Value::Date(year_10000 - 1), true),
        (Type::Date, Value::Date(-719_163), false),
        (Type::Date, Value::Date(-719_162), true),
        (Type::Date, Value::Date(i32::MAX), false),
        (Type::Timestamp, Value::Timestamp(i64::MAX), false),
        (Type::Instant, Value::Instant(0), true),
        (Type::DECIMAL, Value::Decimal("1.50"), true),
        (Type::DECIMAL, Value::Decimal("-Infinity"), false),
    ];
    for &(ty, constant, travels) in cases {
        let schema = schema(&[("f", ty, Sieve::Order)]);
        let term = Term::new("f", ty, Compare::AtLeast, constant).unwrap();
        assert_eq!(!names(&[term], &schema).is_empty(), travels, "{constant:?}");
    }
}

#[test]
fn one_field_that_tells_nothing_keeps_all_terms_here() {
    let term = |name| Term::new(name, Type::INT, Compare::Less, Value::Int(1)).unwrap();
    let terms = [term("a"), term("b"), term("a")];
    let open = schema(&[
        ("a", Type::INT, Sieve::Order),
        ("b", Type::INT, Sieve::Open),
    ]);
    assert_eq!(names(&terms, &open), ["a", "a"]);
    assert_eq!(fields(&terms, &open), [0, 1]);
    let blind = schema(&[
        ("a", Type::INT, Sieve::Order),
        ("b", Type::INT, Sieve::Blind),
    ]);
    assert!(names(&terms, &blind).is_empty());
    let missing = schema(&[("a", Type::INT, Sieve::Order)]);
    assert!(names(&terms, &missing).is_empty());
}
