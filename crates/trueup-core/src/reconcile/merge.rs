//! The field-by-field merge of two records of one key.
//!
//! Every field goes through the same table as a whole record does: equal, changed on one side, or in conflict. What both
//! sides changed goes to the field's policy; where one conflict stays open nothing is written at all, so that no reader
//! meets a record that is half one side's and half a question.

use super::decision::Pair;
use super::{BaseMove, Content, Decision, Known, Pick, Wait, Write, counter, resolve, settled};
use crate::base::{Base, FieldDigest};
use crate::conflict::{ConflictKind, FieldRuling, Resolution, Ruling};
use crate::observation::Total;
use crate::policy::{Answers, Policy, Rules};
use crate::side::{Side, Sides};

/// The merge so far.
#[derive(Default)]
struct Merge<'a> {
    picks: Vec<Pick<'a>>,
    rulings: Vec<FieldRuling>,
    totals: Vec<(usize, Sides<Total>)>,
    /// Whether a field that both sides left alone is spelled differently on each.
    respelled: bool,
}

/// Decides where both sides have a record and the whole records did not settle it.
pub(super) fn merge<'a>(
    base: &'a Base,
    record: Sides<Known<'a>>,
    rules: &Rules,
    answers: &Answers<'a>,
) -> Decision<'a> {
    for side in Side::BOTH {
        // An unchanged record's digests may come from the base; its values are needed for a sum, and for a record that
        // was not read there are only its digests.
        let known = record[side];
        if known.digests.is_none()
            || (known.seen.fields.is_none() && (known.changed || rules.counters()))
        {
            return Decision::waiting(Wait::Read(side));
        }
    }
    let digests = record
        .as_ref()
        .map(|known| known.digests.unwrap_or_default());
    let width = digests.source.len();
    if width != digests.target.len() {
        // The two records have not gone through one mapping. Nothing is known about any field: leave both alone.
        let width = width.max(digests.target.len());
        return frozen(
            base,
            (0..width)
                .map(|field| open(field, Some(rules.of(field))))
                .collect(),
        );
    }
    let mut merge = Merge {
        picks: Vec::with_capacity(width),
        ..Merge::default()
    };
    for field in 0..width {
        merge.field(field, base, &record, &digests, rules, answers);
    }
    merge.finish(base, &record)
}

impl<'a> Merge<'a> {
    /// Picks one field's value.
    fn field(
        &mut self,
        field: usize,
        base: &Base,
        record: &Sides<Known<'a>>,
        digests: &Sides<&[FieldDigest]>,
        rules: &Rules,
        answers: &Answers<'a>,
    ) {
        let now = digests.map(|digests| digests[field]);
        let changed = Sides::by(|side| changed(base, record, side, field, now[side]));
        let policy = rules.of(field);
        if policy == Policy::Counter {
            match counter::exchange(field, record, changed, base.present().is_none()) {
                counter::Exchange::Not => {}
                counter::Exchange::Open => {
                    return self.conflict(open(field, Some(policy)), Pick::Same);
                }
                counter::Exchange::Done { pick, totals } => {
                    self.totals.extend(totals.map(|totals| (field, totals)));
                    return self.picks.push(pick);
                }
            }
        }
        let pick = match (changed.source, changed.target) {
            // Known: the same value on both sides.
            _ if now.source == now.target => Pick::Same,
            // Known: neither side changed it; one of them spells it its own way.
            (false, false) => {
                self.respelled = true;
                Pick::Same
            }
            // Known: one side still holds the agreed value, which the other's writer had seen and replaced.
            (true, false) => Pick::Side(Side::Source),
            (false, true) => Pick::Side(Side::Target),
            // Known: neither writer had seen the other's value. Whatever is picked, the field is named.
            (true, true) => {
                let pair = record.source.seen.fields.zip(record.target.seen.fields);
                let pair = pair.map(|(source, target)| Pair(Sides::new(source, target)));
                let stamps = record.as_ref().map(|known| known.seen.stamp);
                let picked =
                    pair.and_then(|pair| resolve::resolve(field, &pair, &stamps, rules, answers));
                let (pick, resolution) = picked.unwrap_or((Pick::Same, Resolution::Open));
                return self.conflict(
                    FieldRuling {
                        field,
                        policy: Some(policy),
                        resolution,
                    },
                    pick,
                );
            }
        };
        // A counter that was no number before or is none now starts again.
        if let (Policy::Counter, Pick::Side(from)) = (policy, &pick) {
            let fields = record[*from].seen.fields;
            let start = fields.and_then(|fields| counter::enrol(fields.record().value(field)));
            self.totals.extend(start.map(|totals| (field, totals)));
        }
        self.picks.push(pick);
    }

    fn conflict(&mut self, ruling: FieldRuling, pick: Pick<'a>) {
        self.rulings.push(ruling);
        self.picks.push(pick);
    }

    /// Makes the decision of the picks.
    fn finish(self, base: &Base, record: &Sides<Known<'a>>) -> Decision<'a> {
        if self
            .rulings
            .iter()
            .any(|ruling| ruling.resolution == Resolution::Open)
        {
            return frozen(base, self.rulings);
        }
        let write = Sides::by(|side| {
            if self.picks.iter().all(|pick| pick.held_by(side)) {
                Write::Nothing
            } else {
                Write::Update
            }
        });
        let copy =
            self.rulings
                .iter()
                .find_map(|ruling| match (ruling.policy, ruling.resolution) {
                    (Some(Policy::KeepBoth(side)), Resolution::KeepBoth) => Some(side.other()),
                    _ => None,
                });
        for side in Side::BOTH {
            // What is copied elsewhere must be whole; what is written in part must be known in full.
            let fields = record[side].seen.fields;
            let lacks_copy = copy == Some(side) && !fields.is_some_and(|fields| fields.whole());
            if lacks_copy || (write[side] == Write::Update && fields.is_none()) {
                return Decision::waiting(Wait::Read(side));
            }
        }
        let content = match (write.source, write.target) {
            (Write::Nothing, Write::Nothing) => Content::Nothing,
            // All the values come from one side: its whole record says the same, without a list.
            (Write::Nothing, _) if !self.respelled => Content::Of(Side::Source),
            (_, Write::Nothing) if !self.respelled => Content::Of(Side::Target),
            _ => Content::Fields(self.picks),
        };
        let moves = if content == Content::Nothing {
            settled(record).base
        } else {
            BaseMove::Agreed
        };
        let conflict = (!self.rulings.is_empty()).then(|| ruling(base, self.rulings));
        Decision {
            write,
            content,
            copy,
            totals: self.totals,
            base: moves,
            conflict,
            wait: None,
        }
    }
}

/// Tells whether `side` changed `field` since the base. What is not known counts as changed: that can only make a
/// conflict where there was none, never hide one.
fn changed(
    base: &Base,
    record: &Sides<Known<'_>>,
    side: Side,
    field: usize,
    now: FieldDigest,
) -> bool {
    if !record[side].changed {
        return false;
    }
    let before = base.present().map(|present| present.fields(side));
    let width = record[side].digests.map(<[_]>::len);
    // Field digests of another number of fields are of another shape of the record.
    let before = before.filter(|before| Some(before.len()) == width);
    before.and_then(|before| before.get(field)) != Some(&now)
}

fn open(field: usize, policy: Option<Policy>) -> FieldRuling {
    FieldRuling {
        field,
        policy,
        resolution: Resolution::Open,
    }
}

/// Leaves both sides and the base as they are, until a person decides or the sides agree by themselves. Nothing is lost
/// because nothing is written; the unmoved base makes the next look see the same conflict, or what became of it.
fn frozen<'a>(base: &Base, rulings: Vec<FieldRuling>) -> Decision<'a> {
    let rulings = rulings
        .into_iter()
        .map(|ruling| open(ruling.field, ruling.policy))
        .collect();
    Decision {
        conflict: Some(ruling(base, rulings)),
        ..Decision::nothing()
    }
}

/// Sums up the fields' rulings.
fn ruling(base: &Base, fields: Vec<FieldRuling>) -> Ruling {
    let kind = match base {
        Base::Unknown => ConflictKind::Join,
        Base::Absent => ConflictKind::InsertInsert,
        Base::Present(_) => ConflictKind::UpdateUpdate,
    };
    let all = |wanted: Resolution| fields.iter().all(|ruling| ruling.resolution == wanted);
    let any = |wanted: Resolution| fields.iter().any(|ruling| ruling.resolution == wanted);
    let resolution = if any(Resolution::Open) {
        Resolution::Open
    } else if any(Resolution::KeepBoth) {
        Resolution::KeepBoth
    } else if all(Resolution::Side(Side::Source)) {
        Resolution::Side(Side::Source)
    } else if all(Resolution::Side(Side::Target)) {
        Resolution::Side(Side::Target)
    } else {
        Resolution::Merge
    };
    Ruling {
        kind,
        fields,
        resolution,
    }
}
