//! The decision: what to do about one key, given the base, both sides and the rules.
//!
//! Pure and total: same input, same decision; every input has one. Why nothing is lost is argued where each branch
//! begins, and holds because of four invariants. (1) A side is only overwritten when its content is what the base
//! says, that is, has been seen by the other side's writers, or after a conflict naming the overwritten fields.
//! (2) A record is only deleted when a *known* base says that it had been agreed on. (3) An unknown observation leads to
//! no action and moves no base. (4) A base moves to what the sides hold after the writes, never to what was intended.
//!
//! It deliberately does not know one-way links (the source is the authority there, and no base is kept), does not check
//! that the world stood still (each write is conditional on what was observed), and evaluates no expression.

mod counter;
mod decision;
mod merge;
mod resolve;
#[cfg(test)]
mod tests;

pub use decision::{BaseMove, Content, Decision, Pick, Wait, Write};

use crate::base::{Base, FieldDigest, Present};
use crate::conflict::{ConflictKind, FieldRuling, Resolution, Ruling};
use crate::digest::Digest;
use crate::observation::{Observation, Seen};
use crate::policy::{Answers, OnDelete, Rules};
use crate::side::{Side, Sides};

/// Decides about one key.
///
/// `answers` are what expressions and merge programs said about it; [`Answers::NONE`] leaves such conflicts open. What
/// the caller owes: record the conflict, make the writes, each conditional on what was observed, and only then move
/// the base. Calling it again after any crash in between is safe.
pub fn reconcile<'a>(
    base: &'a Base,
    seen: &Sides<Observation<'a>>,
    rules: &Rules,
    answers: &Answers<'a>,
) -> Decision<'a> {
    let source = match known(base, seen, Side::Source) {
        Ok(state) => state,
        Err(wait) => return Decision::waiting(wait),
    };
    let target = match known(base, seen, Side::Target) {
        Ok(state) => state,
        Err(wait) => return Decision::waiting(wait),
    };
    match (source, target) {
        // Both sides lack it, whatever the base was: they agree already.
        (None, None) if *base == Base::Absent => Decision::nothing(),
        (None, None) => Decision::moving(BaseMove::Absent),
        (Some(source), Some(target)) => both(base, Sides::new(source, target), rules, answers),
        (Some(record), None) => alone(base, Side::Source, record, rules),
        (None, Some(record)) => alone(base, Side::Target, record, rules),
    }
}

/// A record that is there, compared with its side's half of the base.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    seen: Seen<'a>,
    /// Whether it is not the record the base speaks of; true where the base speaks of none.
    changed: bool,
    /// Whether its version is not the base's, though its content may be.
    moved: bool,
    digest: Option<Digest>,
    digests: Option<&'a [FieldDigest]>,
}

/// Works out what is known about `side`: `None` is "there is no record". An error says why nothing can be decided; an
/// unknown observation ends here, so that no branch below ever meets one.
fn known<'a>(
    base: &'a Base,
    seen: &Sides<Observation<'a>>,
    side: Side,
) -> Result<Option<Known<'a>>, Wait> {
    let seen = match seen[side] {
        Observation::Unknown(_) => return Err(Wait::Unknown(side)),
        Observation::Absent => return Ok(None),
        Observation::Present(seen) => seen,
    };
    let digests = seen.fields.map(|fields| fields.digests());
    let Some(present) = base.present() else {
        return match (seen.digest, digests) {
            (None, None) => Err(Wait::Read(side)),
            (digest, digests) => Ok(Some(Known {
                seen,
                changed: true,
                moved: true,
                digest,
                digests,
            })),
        };
    };
    let moved = seen.version.is_some() && seen.version != present.version(side);
    let changed = match (seen.digest, digests) {
        (Some(digest), _) => digest != present.digest(side),
        (None, Some(digests)) => digests != present.fields(side),
        // Nothing but the version was looked at: the same version is the same record.
        (None, None) if seen.version.is_some() && !moved => false,
        (None, None) => return Err(Wait::Read(side)),
    };
    // The record's own come first: they fit its values, whatever was stored.
    let own = Some(present.fields(side)).filter(|own| !changed && !own.is_empty());
    Ok(Some(Known {
        seen,
        changed,
        moved,
        digest: if changed {
            seen.digest
        } else {
            Some(present.digest(side))
        },
        digests: digests.or(own),
    }))
}

/// Decides where only `holder` has a record.
fn alone<'a>(base: &Base, holder: Side, record: Known<'a>, rules: &Rules) -> Decision<'a> {
    match base {
        // Known: one side has a record, the other has none, and whether it ever had one is not known. Copying can at
        // worst bring back what somebody deleted; deleting could destroy what nobody else has. So: union.
        Base::Unknown => insert(holder, record, rules),
        // Known: nobody had it when the sides agreed last, and the other side still lacks it. It is new.
        Base::Absent => insert(holder, record, rules),
        Base::Present(present) => {
            if record.changed {
                delete_update(present, holder, record, rules)
            } else {
                // Known: the record that the other side deleted is the very one the holder still has. Who deleted it
                // had seen this content, so nothing unseen is lost.
                Decision::delete(holder)
            }
        }
    }
}

/// Decides where `holder` changed a record that the other side deleted.
///
/// Known: who deleted it had not seen the holder's content. So keeping is the default whatever the policy, and deleting
/// on request needs the content on record first.
fn delete_update<'a>(
    present: &Present,
    holder: Side,
    record: Known<'a>,
    rules: &Rules,
) -> Decision<'a> {
    let Some(fields) = record.seen.fields else {
        return Decision::waiting(Wait::Read(holder));
    };
    let (decision, resolution) = match rules.on_delete() {
        OnDelete::Keep => (insert(holder, record, rules), Resolution::Side(holder)),
        OnDelete::Wins if !fields.whole() => return Decision::waiting(Wait::Read(holder)),
        OnDelete::Wins => (Decision::delete(holder), Resolution::Delete),
    };
    if decision.wait.is_some() {
        return decision;
    }
    let before = present.fields(holder);
    let changed = fields
        .digests()
        .iter()
        .enumerate()
        .filter(|(field, digest)| {
            // Without the base's field digests any field may be the changed one.
            before.len() != fields.digests().len() || before.get(*field) != Some(digest)
        });
    let fields = changed
        .map(|(field, _)| FieldRuling {
            field,
            policy: None,
            resolution,
        })
        .collect();
    let conflict = Ruling {
        kind: ConflictKind::DeleteUpdate,
        fields,
        resolution,
    };
    Decision {
        conflict: Some(conflict),
        ..decision
    }
}

/// Copies the record to the side that has none. Overwrites nothing.
fn insert<'a>(holder: Side, record: Known<'a>, rules: &Rules) -> Decision<'a> {
    match record.seen.fields {
        // A value that did not travel cannot be inserted elsewhere.
        Some(fields) if fields.whole() => Decision {
            totals: counter::on_insert(holder, &record.seen, fields, rules),
            ..Decision::carry(holder, Write::Insert)
        },
        Some(_) | None => Decision::waiting(Wait::Read(holder)),
    }
}

/// Decides where both sides have a record.
fn both<'a>(
    base: &'a Base,
    record: Sides<Known<'a>>,
    rules: &Rules,
    answers: &Answers<'a>,
) -> Decision<'a> {
    let changed = record.as_ref().map(|known| known.changed);
    if !changed.source && !changed.target && !rules.counters() {
        // Known: both sides hold what they agreed on. At most a version token moved. Of a counter this is not known: its
        // number may have gone down and up again while an exchange died before the base moved, and a version that
        // is made of the content (an ETag may be) shows no trace of it.
        return settled(&record);
    }
    // A side that rewrites what it is given must not have its spelling carried to the other side, and a counter's equal
    // values may hide two equal sales: both are told apart field by field only.
    let by_record = !rules.counters() && base.present().is_none_or(Present::same_on_both);
    if by_record {
        let equal = match (record.source.digest, record.target.digest) {
            (Some(source), Some(target)) => Some(source == target),
            (Some(_), None) | (None, Some(_) | None) => {
                match (record.source.digests, record.target.digests) {
                    (Some(source), Some(target)) => Some(source == target),
                    (Some(_), None) | (None, Some(_) | None) => None,
                }
            }
        };
        if equal == Some(true) {
            // Known: the same content on both sides, whoever wrote it. Writing could change nothing.
            return settled(&record);
        }
        for side in Side::BOTH {
            if changed[side] && !changed[side.other()] {
                // Known: the other side still holds what both agreed on, and this side's writer had seen that. The
                // overwritten content is superseded, not lost.
                return if record[side].seen.fields.is_some() {
                    Decision::carry(side, Write::Update)
                } else {
                    Decision::waiting(Wait::Read(side))
                };
            }
        }
    }
    merge::merge(base, record, rules, answers)
}

/// Both sides hold what they should. Moves the base only where that says something new.
fn settled<'a>(record: &Sides<Known<'a>>) -> Decision<'a> {
    let news = |known: &Known<'_>| known.changed || known.moved;
    if news(&record.source) || news(&record.target) {
        Decision::moving(BaseMove::Agreed)
    } else {
        Decision::nothing()
    }
}
