//! What must be true of every decision.

use super::world::{Look, Memory, World};
use crate::base::FieldDigest;
use crate::conflict::{ConflictKind, Ruling};
use crate::observation::field_digest;
use crate::policy::{Answer, Answers, Policy, Rules};
use crate::reconcile::{BaseMove, Decision, Wait, Write};
use crate::side::Side;

/// Whether the two sides' halves of the base are spelled alike.
fn plain(world: &World) -> bool {
    match &world.base {
        Memory::Present(recs) => recs.source == recs.target,
        Memory::Unknown | Memory::Absent => true,
    }
}

fn digest(world: &World, side: Side, field: usize) -> Option<FieldDigest> {
    world
        .rec(side)
        .map(|rec| field_digest(rec[field].view(), &mut Vec::new()))
}

/// What `side` holds, as far as equality goes.
fn digests(world: &World, side: Side) -> Option<Vec<FieldDigest>> {
    let rec = world.rec(side)?;
    Some(
        rec.iter()
            .map(|val| field_digest(val.view(), &mut Vec::new()))
            .collect(),
    )
}

/// Checks every law on one world; `decides` says that the rules leave nothing open.
pub(super) fn check(world: &World, rules: &Rules, answers: &Answers<'_>, decides: bool) {
    let context = || format!("{world:#?}\n{rules:?}\n{answers:?}");
    let decision = world.decide(rules, answers, |decision, seen| {
        assert_eq!(decision.value(Side::Source, usize::MAX, seen), None);
        waits(world, decision);
        conservative(world, decision, &context);
        let next = world.after(decision, seen, &Side::BOTH, decision.base);
        nothing_lost(world, &next, decision, rules, &context);
        let open = decision.conflict.as_ref().is_some_and(Ruling::is_open);
        if open {
            assert!(!decides, "left open: {}", context());
            assert!(
                !decision.writes() && decision.base == BaseMove::Keep,
                "{}",
                context()
            );
        } else if decision.wait.is_none() && plain(world) {
            let ends = Side::BOTH.map(|side| digests(&next, side));
            assert_eq!(
                ends[0],
                ends[1],
                "the sides differ: {decision:?} {}",
                context()
            );
        }
        next.decide(rules, answers, |again, _| {
            assert!(
                !again.writes(),
                "not idempotent: {decision:?} then {again:?} {}",
                context()
            );
            assert_eq!(
                again.base,
                BaseMove::Keep,
                "{decision:?} then {again:?} {}",
                context()
            );
            assert_eq!(
                again.conflict.is_some(),
                open,
                "{decision:?} then {again:?} {}",
                context()
            );
        });
        if decision.two_step() && plain(world) {
            for first in Side::BOTH {
                let between = world.after(decision, seen, &[first], Decision::base_between(first));
                between.decide(rules, answers, |rest, seen| {
                    assert_eq!(rest.conflict, None, "{rest:?} {}", context());
                    assert_eq!(rest.write[first], Write::Nothing, "{rest:?} {}", context());
                    let end = between.after(rest, seen, &Side::BOTH, rest.base);
                    for side in Side::BOTH {
                        assert_eq!(digests(&end, side), digests(&next, side), "{}", context());
                    }
                    end.decide(rules, answers, |again, _| {
                        assert!(!again.writes(), "{}", context());
                    });
                });
            }
        }
        // Owned: compared with other decisions below.
        format!("{:?}", decision.mirrored())
    });
    symmetric(world, rules, answers, &decision, &context);
    unread_is_unchanged(world, rules, answers, &context);
}

fn waits(world: &World, decision: &Decision<'_>) {
    let unknown = |side: Side| world.look[side] == Look::Unknown;
    if unknown(Side::Source) || unknown(Side::Target) {
        assert!(matches!(
            decision.wait,
            Some(Wait::Unknown(_) | Wait::Read(_))
        ));
    }
    if decision.wait.is_some() {
        let nothing = Decision {
            wait: decision.wait,
            ..Decision::nothing()
        };
        assert_eq!(*decision, nothing);
    }
}

fn conservative(world: &World, decision: &Decision<'_>, context: &dyn Fn() -> String) {
    world.after_each(decision, |side, write, same| match write {
        Write::Nothing => {}
        Write::Delete => {
            assert!(
                matches!(world.base, Memory::Present(_)),
                "deleted unasked: {}",
                context()
            );
            assert!(world.rec(side).is_some());
        }
        Write::Insert => assert_eq!(world.look[side], Look::Absent),
        Write::Update => {
            assert!(world.rec(side).is_some());
            assert!(!same, "wrote what was there: {decision:?} {}", context());
        }
    });
}

impl World {
    fn after_each(&self, decision: &Decision<'_>, mut each: impl FnMut(Side, Write, bool)) {
        for side in Side::BOTH {
            let mine = self.rec(side);
            let same = match (&decision.content, mine) {
                (crate::reconcile::Content::Of(from), Some(mine)) => {
                    self.rec(*from).is_some_and(|theirs| {
                        theirs.len() == mine.len()
                            && (0..mine.len())
                                .all(|f| digest(self, *from, f) == digest(self, side, f))
                    })
                }
                (crate::reconcile::Content::Fields(picks), Some(_)) => {
                    picks.iter().all(|pick| pick.held_by(side))
                }
                _ => false,
            };
            each(side, decision.write[side], same);
        }
    }
}

/// No value that changed since the base disappears without a conflict that names its field.
fn nothing_lost(
    world: &World,
    next: &World,
    decision: &Decision<'_>,
    rules: &Rules,
    context: &dyn Fn() -> String,
) {
    for side in Side::BOTH {
        let Some(rec) = world.rec(side) else { continue };
        for field in 0..rec.len() {
            let now = digest(world, side, field);
            let changed = match &world.base {
                Memory::Present(recs) => {
                    now != Some(field_digest(recs[side][field].view(), &mut Vec::new()))
                }
                Memory::Unknown | Memory::Absent => true,
            };
            let kept = Side::BOTH.iter().any(|&on| digest(next, on, field) == now);
            if !changed || kept || rules.of(field) == Policy::Counter {
                continue;
            }
            let ruling = decision.conflict.as_ref();
            let named = ruling.is_some_and(|r| r.fields.iter().any(|f| f.field == field));
            assert!(
                named,
                "field {field} of the {side} vanished: {decision:?} {}",
                context()
            );
        }
        let gone = Side::BOTH.iter().all(|&on| next.rec(on).is_none());
        if let (true, Some(ruling)) = (gone, &decision.conflict) {
            assert_eq!(ruling.kind, ConflictKind::DeleteUpdate);
        }
    }
}

fn symmetric(
    world: &World,
    rules: &Rules,
    answers: &Answers<'_>,
    mirrored: &str,
    context: &dyn Fn() -> String,
) {
    let fields: Vec<_> = answers
        .fields
        .iter()
        .map(|&(field, answer)| match answer {
            Answer::Side(side) => (field, Answer::Side(side.other())),
            Answer::Value(_) | Answer::Open => (field, answer),
        })
        .collect();
    let swapped = Answers {
        record: answers.record.map(Side::other),
        fields: &fields,
    };
    world
        .swapped()
        .decide(&rules.mirrored(), &swapped, |decision, _| {
            // Where both sides keep us waiting, either may be named.
            if decision.wait.is_none() {
                assert_eq!(
                    format!("{decision:?}"),
                    mirrored,
                    "not symmetric: {}",
                    context()
                );
            }
        });
}

/// Not reading an unchanged record leads to the same decision, or to reading it.
fn unread_is_unchanged(
    world: &World,
    rules: &Rules,
    answers: &Answers<'_>,
    context: &dyn Fn() -> String,
) {
    let mut full = world.clone();
    for side in Side::BOTH {
        if let (Look::Unread, Some(rec)) = (&world.look[side], world.rec(side)) {
            full.look[side] = Look::Is(rec.clone());
        }
    }
    if full != *world {
        world.decide(rules, answers, |light, _| {
            if light.wait.is_none() {
                full.decide(rules, answers, |read, _| {
                    assert_eq!(read, light, "{}", context());
                });
            }
        });
    }
}
