//! The laws on wider, random records, and counters under random crashes.

use super::laws::check;
use super::world::{Look, Memory, Val, World};
use crate::observation::Stamp;
use crate::policy::{Answer, Answers, OnDelete, Policy, Rules, StampFrom};
use crate::reconcile::{BaseMove, Decision};
use crate::side::{Side, Sides};
use proptest::collection::vec;
use proptest::prelude::*;

fn val() -> impl Strategy<Value = Val> {
    prop_oneof![
        Just(Val::Null),
        (-2_i64..3).prop_map(Val::Int),
        prop::sample::select(vec!["1.0", "1.00", "-2.5", "NaN"])
            .prop_map(|text| Val::Decimal(text.into())),
        "[ab]{0,2}".prop_map(Val::Text),
        prop::sample::select(vec![
            r#"["a"]"#,
            r#"["b", "a"]"#,
            "[]",
            "{}",
            "7",
            r#"["a,]"]"#
        ])
        .prop_map(|text| Val::Json(text.into())),
    ]
}

/// The base's record with some fields changed, or no record, or nothing known.
fn look(width: usize) -> impl Strategy<Value = (u8, Vec<Option<Val>>)> {
    (0_u8..8, vec(prop::option::weighted(0.4, val()), width))
}

fn seen(look: &(u8, Vec<Option<Val>>), base: &Memory, ground: &[Val]) -> Look {
    let (state, edits) = look;
    match (state, base) {
        (0, _) => Look::Absent,
        (1, _) => Look::Unknown,
        (2, Memory::Present(_)) => Look::Unread,
        _ => {
            let edited = edits.iter().zip(ground);
            Look::Is(
                edited
                    .map(|(edit, old)| edit.as_ref().unwrap_or(old).clone())
                    .collect(),
            )
        }
    }
}

prop_compose! {
    fn situation()(width in 1_usize..9)(
        ground in vec(val(), width),
        base in 0_u8..6,
        looks in (look(width), look(width)),
        stamps in (prop::option::of(0_i64..3), prop::option::of(0_i64..3)),
        policy in prop::sample::select(Policy::ALL.to_vec()),
        fields in vec(prop::option::weighted(0.3, prop::sample::select(Policy::ALL.to_vec())), width),
        wins in any::<bool>(),
        stamp in prop::option::of(0..width),
        answers in vec(prop::option::of((val(), 0_u8..3)), width),
    ) -> (World, Rules, Vec<(usize, Val, u8)>) {
        let base = match base {
            0 => Memory::Unknown,
            1 => Memory::Absent,
            _ => Memory::Present(Sides::new(ground.clone(), ground.clone())),
        };
        let (source, target) = (seen(&looks.0, &base, &ground), seen(&looks.1, &base, &ground));
        let mut world = World::new(base, source, target);
        let stamped = |time: Option<i64>| time.map(|time| Stamp { time, writer: 0 });
        world.stamp = Sides::new(stamped(stamps.0), stamped(stamps.1));
        let record = if policy == Policy::Counter { Policy::Manual } else { policy };
        let of_field: Vec<_> = fields.iter().enumerate().filter_map(|(field, policy)| {
            policy.filter(|policy| !matches!(policy, Policy::KeepBoth(_))).map(|policy| (field, policy))
        }).collect();
        let on_delete = if wins { OnDelete::Wins } else { OnDelete::Keep };
        let stamp = Some(stamp.map_or(StampFrom::Endpoint, StampFrom::Field));
        let rules = Rules::new(fields.len(), record, &of_field, on_delete, stamp).unwrap();
        let answers = answers.into_iter().enumerate()
            .filter_map(|(field, answer)| answer.map(|(val, kind)| (field, val, kind)));
        (world, rules, answers.collect())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_law_holds_in_random_worlds((world, rules, answers) in situation()) {
        let fields: Vec<_> = answers.iter().map(|(field, val, kind)| (*field, match kind {
            0 => Answer::Side(Side::Source),
            1 => Answer::Open,
            _ => Answer::Value(val.view()),
        })).collect();
        check(&world, &rules, &Answers { record: None, fields: &fields }, false);
    }

    /// Sales on both sides, exchanges that die after the first write or before the base moves: no sale is lost or
    /// counted twice.
    #[test]
    fn counters_are_exact_under_any_crash(steps in vec((0_u8..5, any::<bool>(), -3_i64..4), 0..24)) {
        let rules = Rules::new(1, Policy::Manual, &[(0, Policy::Counter)], OnDelete::Keep, None).unwrap();
        let start = Look::Is(vec![Val::Int(100)]);
        let mut world = World::new(Memory::Unknown, start.clone(), Look::Absent);
        world = exchange(&world, &rules, &Side::BOTH, None);
        let mut expected = 100;
        for (kind, on_source, amount) in steps {
            let side = if on_source { Side::Source } else { Side::Target };
            match kind {
                0 | 1 => {
                    if let Look::Is(rec) = &mut world.look[side]
                        && let Val::Int(value) = &mut rec[0]
                    {
                        *value += amount;
                        expected += amount;
                    }
                }
                2 => world = exchange(&world, &rules, &[side], Some(BaseMove::Keep)),
                3 => world = exchange(&world, &rules, &Side::BOTH, Some(BaseMove::Keep)),
                _ => world = exchange(&world, &rules, &[side], Some(Decision::base_between(side))),
            }
        }
        world = exchange(&world, &rules, &Side::BOTH, None);
        let end = Look::Is(vec![Val::Int(expected)]);
        prop_assert_eq!(world.look, Sides::new(end.clone(), end));
    }
}

/// One exchange that reaches `sides` and moves the base as `base` says, or as the decision does.
fn exchange(world: &World, rules: &Rules, sides: &[Side], base: Option<BaseMove>) -> World {
    world.decide(rules, &Answers::NONE, |decision, seen| {
        assert_eq!(
            (decision.conflict.as_ref(), decision.wait),
            (None, None),
            "{world:?}"
        );
        world.after(decision, seen, sides, base.unwrap_or(decision.base))
    })
}
