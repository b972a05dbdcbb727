//! All worlds of two fields and three values, under every policy.

use super::laws::check;
use super::world::{Look, Memory, Rec, Val, World};
use crate::observation::{Stamp, Total};
use crate::policy::{Answers, OnDelete, Policy, Rules, StampFrom};
use crate::side::{Side, Sides};

fn ints() -> Vec<Val> {
    (0..3).map(Val::Int).collect()
}

fn sets() -> Vec<Val> {
    [r#"["a"]"#, r#"["b"]"#, r#"["a","b"]"#]
        .map(|text| Val::Json(text.into()))
        .into()
}

fn recs(domain: &[Val]) -> Vec<Rec> {
    let pairs = domain
        .iter()
        .flat_map(|a| domain.iter().map(|b| vec![a.clone(), b.clone()]));
    pairs.collect()
}

fn worlds(domain: &[Val], mut each: impl FnMut(&World)) -> usize {
    let recs = recs(domain);
    let mut looks = vec![Look::Unknown, Look::Absent, Look::Unread];
    looks.extend(recs.iter().cloned().map(Look::Is));
    let mut bases = vec![Memory::Unknown, Memory::Absent];
    bases.extend(
        recs.iter()
            .map(|rec| Memory::Present(Sides::new(rec.clone(), rec.clone()))),
    );
    let mut count = 0;
    for base in &bases {
        for source in &looks {
            for target in &looks {
                each(&World::new(base.clone(), source.clone(), target.clone()));
                count += 1;
            }
        }
    }
    count
}

/// The rules to try, with whether they decide everything.
fn rules() -> Vec<(Rules, bool)> {
    let stamp = Some(StampFrom::Field(1));
    let records = Policy::ALL
        .into_iter()
        .filter(|policy| *policy != Policy::Counter);
    let mut all = Vec::new();
    for on_delete in [OnDelete::Keep, OnDelete::Wins] {
        for policy in records.clone() {
            all.push((policy, vec![], on_delete));
        }
        for field in Policy::ALL
            .into_iter()
            .filter(|policy| !matches!(policy, Policy::KeepBoth(_)))
        {
            all.push((Policy::Manual, vec![(0, field)], on_delete));
            all.push((Policy::Source, vec![(0, field)], on_delete));
            all.push((Policy::KeepBoth(Side::Target), vec![(0, field)], on_delete));
        }
    }
    let decides = |policy: Policy| match policy {
        Policy::Source
        | Policy::Target
        | Policy::KeepBoth(_)
        | Policy::Max
        | Policy::Min
        | Policy::Expression
        | Policy::Merge => true,
        Policy::Newest | Policy::Manual | Policy::Counter | Policy::SetUnion => false,
    };
    all.into_iter()
        .map(|(policy, fields, on_delete)| {
            let both = decides(policy) && fields.iter().all(|&(_, policy)| decides(policy));
            (
                Rules::new(2, policy, &fields, on_delete, stamp).unwrap(),
                both,
            )
        })
        .collect()
}

#[test]
fn every_law_holds_in_every_small_world() {
    let answers = Answers {
        record: Some(Side::Target),
        fields: &[],
    };
    let rules = rules();
    let count = worlds(&ints(), |world| {
        for (rules, decides) in &rules {
            check(world, rules, &answers, *decides);
        }
    });
    assert_eq!(count, 11 * 12 * 12);
}

#[test]
fn every_law_holds_for_sets() {
    for policy in [Policy::SetUnion, Policy::Manual] {
        let rules = Rules::new(2, policy, &[(0, Policy::SetUnion)], OnDelete::Keep, None).unwrap();
        worlds(&sets(), |world| {
            check(world, &rules, &Answers::NONE, policy == Policy::SetUnion);
        });
    }
}

#[test]
fn every_law_holds_where_a_side_spells_its_own_way() {
    let recs = recs(&[Val::Int(0), Val::Int(1)]);
    let looks: Vec<_> = recs
        .iter()
        .cloned()
        .map(Look::Is)
        .chain([Look::Absent, Look::Unread])
        .collect();
    for policy in [
        Policy::Source,
        Policy::Manual,
        Policy::KeepBoth(Side::Source),
    ] {
        let rules = Rules::new(2, policy, &[], OnDelete::Keep, None).unwrap();
        for (mine, theirs) in recs.iter().flat_map(|a| recs.iter().map(move |b| (a, b))) {
            let base = Memory::Present(Sides::new(mine.clone(), theirs.clone()));
            for (source, target) in looks.iter().flat_map(|a| looks.iter().map(move |b| (a, b))) {
                let world = World::new(base.clone(), source.clone(), target.clone());
                check(&world, &rules, &Answers::NONE, false);
            }
        }
    }
}

#[test]
fn every_law_holds_for_stamps_from_the_endpoint() {
    let rules = Rules::new(
        2,
        Policy::Newest,
        &[],
        OnDelete::Keep,
        Some(StampFrom::Endpoint),
    )
    .unwrap();
    let stamps = [
        None,
        Some(Stamp { time: 1, writer: 0 }),
        Some(Stamp { time: 2, writer: 0 }),
    ];
    worlds(&[Val::Int(0), Val::Int(1)], |world| {
        for source in stamps {
            for target in stamps {
                let mut world = world.clone();
                world.stamp = Sides::new(source, target);
                let ordered = source.is_some() && target.is_some() && source != target;
                check(&world, &rules, &Answers::NONE, ordered);
            }
        }
    });
}

#[test]
fn counters_with_totals_decide_and_settle() {
    let rules = Rules::new(
        1,
        Policy::Manual,
        &[(0, Policy::Counter)],
        OnDelete::Keep,
        None,
    )
    .unwrap();
    let looks: Vec<_> = (0..3).map(|v| Look::Is(vec![Val::Int(v)])).collect();
    let total = |initial, applied| vec![(0, Total { initial, applied })];
    // Without a base nothing is unchanged, so every pair of totals may meet every pair of values.
    for base in [Memory::Unknown, Memory::Absent] {
        for (source, target) in looks.iter().flat_map(|a| looks.iter().map(move |b| (a, b))) {
            for (a, b) in (-1..2).flat_map(|a| (-1..2).map(move |b| (a, b))) {
                let mut world = World::new(base.clone(), source.clone(), target.clone());
                world.totals = Sides::new(total(1, a), total(1, b));
                check(&world, &rules, &Answers::NONE, true);
            }
        }
    }
}

/// Three places change a field each; whatever order they meet the hub in, the end is the same.
#[test]
fn merges_of_different_fields_commute_and_associate() {
    let rules = Rules::new(3, Policy::Manual, &[], OnDelete::Keep, None).unwrap();
    let old = vec![Val::Int(0); 3];
    let edited = |field: usize| {
        let mut rec = old.clone();
        rec[field] = Val::Int(9);
        rec
    };
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut hub = old.clone();
        for field in order {
            let base = Memory::Present(Sides::new(old.clone(), old.clone()));
            let world = World::new(base, Look::Is(hub), Look::Is(edited(field)));
            hub = world.decide(&rules, &Answers::NONE, |decision, seen| {
                assert_eq!(decision.conflict, None);
                let next = world.after(decision, seen, &Side::BOTH, decision.base);
                assert_eq!(next.rec(Side::Source), next.rec(Side::Target));
                next.rec(Side::Source).unwrap().clone()
            });
        }
        assert_eq!(hub, vec![Val::Int(9); 3]);
    }
}
