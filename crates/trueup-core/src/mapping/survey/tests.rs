//! That a survey and a mapping agree on what is wrong, over shapes and rules of all kinds.

use super::*;
use crate::mapping::{Mapping, Shared};
use crate::types::Type;
use proptest::prelude::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn ty() -> impl Strategy<Value = Type> {
    prop_oneof![
        Just(Type::INT),
        Just(Type::TEXT),
        Just(Type::Date),
        Just(Type::Instant),
        Just(Type::Json),
        Just(Type::Any),
        Just(Type::BYTES),
    ]
}

fn field(name: &'static str) -> impl Strategy<Value = Field> {
    (
        ty(),
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
    )
        .prop_map(move |(ty, nullable, generated, inferred)| Field {
            nullable,
            generated,
            inferred,
            ..Field::new(name, ty, format!("x:{ty}"))
        })
}

fn schema() -> impl Strategy<Value = Schema> {
    let names = prop::sample::subsequence(NAMES.to_vec(), 1..=4);
    let fields = names.prop_flat_map(|names| names.into_iter().map(field).collect::<Vec<_>>());
    (
        fields,
        prop::collection::vec(0_usize..4, 0..3),
        prop::collection::vec(0_usize..4, 0..2),
    )
        .prop_map(|(fields, key, unique)| {
            let len = fields.len();
            let within = |places: Vec<usize>| {
                let mut seen = Vec::new();
                for place in places.into_iter().map(|place| place % len) {
                    if !seen.contains(&place) {
                        seen.push(place);
                    }
                }
                seen
            };
            let unique = within(unique);
            Schema {
                collection: "t".to_owned(),
                fields,
                key: within(key),
                uniques: if unique.is_empty() {
                    Vec::new()
                } else {
                    vec![unique]
                },
                ..Schema::default()
            }
        })
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned)
}

fn few<T: Strategy>(what: T) -> impl Strategy<Value = Vec<T::Value>>
where
    T::Value: Clone + std::fmt::Debug,
{
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(what, 1..3)]
}

fn rules() -> impl Strategy<Value = Rules> {
    let constants = few((name(), Just("1".to_owned())));
    let casts = few((name(), ty()));
    (
        few(name()),
        few((name(), name())),
        constants,
        casts,
        few(name()),
        few(name()),
    )
        .prop_map(|(key, rename, constants, cast, drop, lossy)| Rules {
            key,
            rename,
            constants,
            cast,
            drop,
            lossy,
            ..Rules::default()
        })
}

/// Every complaint, the one of building first, where there is one.
fn complaints(survey: &Survey) -> Vec<String> {
    let of_fields = survey
        .fields
        .iter()
        .filter_map(|field| field.problem.as_ref());
    of_fields
        .chain(&survey.problems)
        .map(ToString::to_string)
        .collect()
}

fn agrees(built: Result<(), Error>, survey: &Survey) -> Result<(), TestCaseError> {
    prop_assert_eq!(
        survey.is_broken(),
        built.is_err(),
        "{:?} {:?}",
        built,
        survey
    );
    if let Err(error) = built {
        let said = error
            .message()
            .strip_prefix("collection=t: ")
            .unwrap_or_default();
        let all = complaints(survey);
        prop_assert!(
            all.iter().any(|one| one == said),
            "{} is none of {:?}",
            said,
            all
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn survey_and_mapping_agree(source in schema(), target in schema(), rules in rules()) {
        let built = Mapping::build(&source, &target, &rules).map(drop);
        agrees(built, &Survey::one_way(&source, &target, &rules))?;
    }

    #[test]
    fn survey_and_shared_agree(source in schema(), target in schema(), rules in rules()) {
        let built = Shared::build(&source, &target, &rules).map(drop);
        agrees(built, &Survey::two_way(&source, &target, &rules))?;
    }
}

#[test]
fn survey_goes_on_after_the_first_problem() {
    let held = |name: &str, ty: Type| Field::new(name, ty, format!("x:{ty}"));
    let source = Schema {
        collection: "t".to_owned(),
        fields: vec![
            held("a", Type::Date),
            held("b", Type::INT),
            held("c", Type::Uuid),
        ],
        ..Schema::default()
    };
    let target = Schema {
        collection: "t".to_owned(),
        fields: vec![
            held("a", Type::Instant),
            held("c", Type::INT),
            held("d", Type::TEXT),
        ],
        ..Schema::default()
    };
    let survey = Survey::one_way(&source, &target, &Rules::default());
    assert_eq!(
        complaints(&survey),
        [
            "field=a: x:date does not translate to x:instant: only one of the types has a time zone, and none is assumed",
            "field=b has no counterpart b at the target",
            "field=c: x:uuid does not translate to x:int64: no value of the one type means one of the other",
            "no key: neither side declares one",
        ]
    );
    assert_eq!(
        survey.fields[3].note.as_deref(),
        Some("only at the target: left alone")
    );
}
