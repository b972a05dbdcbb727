//! Counters: what each side added since they met is added up.
//!
//! A counter's value is not compared with the base: "delta against the base" is wrong after crashes in every variant
//! that was explored, and two equal values may hide two equal sales. Each side keeps, beside the field and in the same
//! transaction, the total it received ([`Total`]); what it contributed itself follows. The sum of both contributions
//! is the value, and telling a side the other's contribution twice changes nothing.
//!
//! Only whole numbers count. Anything else in a counter field (NULL, a decimal) is treated as an ordinary value.

use super::{Known, Pick};
use crate::observation::{Fields, Seen, Total};
use crate::policy::{Policy, Rules};
use crate::side::{Side, Sides};
use crate::value::Value;

/// What became of a counter field.
pub(super) enum Exchange<'a> {
    /// It holds no numbers: an ordinary field.
    Not,
    /// What each side contributed is not known, or the sum does not fit: a person has to say.
    Open,
    /// The value, and the totals where they are new.
    Done {
        /// The value's origin.
        pick: Pick<'a>,
        /// What both sides must have received afterwards.
        totals: Option<Sides<Total>>,
    },
}

/// Works out a counter that is on both sides; `first` where no base speaks of the record.
pub(super) fn exchange<'a>(
    field: usize,
    record: &Sides<Known<'a>>,
    changed: Sides<bool>,
    first: bool,
) -> Exchange<'a> {
    let value = |side: Side| {
        record[side]
            .seen
            .fields
            .map(|fields| fields.record().value(field))
    };
    let (Some(Value::Int(source)), Some(Value::Int(target))) =
        (value(Side::Source), value(Side::Target))
    else {
        return Exchange::Not;
    };
    let values = Sides::new(source, target);
    let kept = Sides::by(|side| total(&record[side].seen, field));
    let Some(totals) = enrolled(kept) else {
        // Not enrolled. Equal values that nobody changed since the base, or that meet for the first time, are the
        // number to start from; anything else is a guess about who counted what.
        let quiet = !changed.source && !changed.target;
        return if source == target && (quiet || (first && kept == Sides::default())) {
            Exchange::Done {
                pick: Pick::Same,
                totals: enrol(Value::Int(source)),
            }
        } else {
            Exchange::Open
        };
    };
    let Some((sum, after)) = sum(values, totals) else {
        return Exchange::Open;
    };
    let pick = match (sum == source, sum == target) {
        (true, true) => Pick::Same,
        (true, false) => Pick::Side(Side::Source),
        (false, true) => Pick::Side(Side::Target),
        (false, false) => Pick::Sum(sum),
    };
    Exchange::Done {
        pick,
        totals: (kept != after.map(Some)).then_some(after),
    }
}

/// Returns the totals with which `value` is a start for both sides; `None` where it is no whole number.
pub(super) fn enrol(value: Value<'_>) -> Option<Sides<Total>> {
    match value {
        Value::Int(initial) => {
            let total = Total {
                initial,
                applied: 0,
            };
            Some(Sides::new(total, total))
        }
        _ => None,
    }
}

/// Returns the totals that a record needs when `holder`'s is copied to the side that has none: the copy has received
/// all that the holder contributed, so that it contributes what the holder had received.
pub(super) fn on_insert(
    holder: Side,
    seen: &Seen<'_>,
    fields: Fields<'_>,
    rules: &Rules,
) -> Vec<(usize, Sides<Total>)> {
    if !rules.counters() {
        return Vec::new();
    }
    let counters = (0..fields.record().width()).filter(|&field| rules.of(field) == Policy::Counter);
    let totals = counters.filter_map(|field| {
        let value = fields.record().value(field);
        let copied = match (value, total(seen, field)) {
            (Value::Int(number), Some(here)) => here.contribution(number).map(|applied| {
                Sides::at(
                    holder,
                    here,
                    Total {
                        initial: here.initial,
                        applied,
                    },
                )
            }),
            _ => None,
        };
        copied
            .or_else(|| enrol(value))
            .map(|totals| (field, totals))
    });
    totals.collect()
}

fn total(seen: &Seen<'_>, field: usize) -> Option<Total> {
    seen.totals
        .iter()
        .find(|(index, _)| *index == field)
        .map(|&(_, total)| total)
}

/// Returns both totals where they belong together. A side that lost a crash race while being enrolled has none yet:
/// as long as the other has received nothing, it starts from the same number.
fn enrolled(kept: Sides<Option<Total>>) -> Option<Sides<Total>> {
    match (kept.source, kept.target) {
        (Some(source), Some(target)) if source.initial == target.initial => {
            Some(Sides::new(source, target))
        }
        (Some(total), None) | (None, Some(total)) if total.applied == 0 => {
            Some(Sides::new(total, total))
        }
        _ => None,
    }
}

/// Adds both contributions to the number both started from; `None` when a number leaves 64 bits.
fn sum(values: Sides<i64>, totals: Sides<Total>) -> Option<(i64, Sides<Total>)> {
    let source = totals.source.contribution(values.source)?;
    let target = totals.target.contribution(values.target)?;
    let initial = totals.source.initial;
    let sum = i128::from(initial) + i128::from(source) + i128::from(target);
    let after = Sides::new(
        Total {
            initial,
            applied: target,
        },
        Total {
            initial,
            applied: source,
        },
    );
    i64::try_from(sum).ok().map(|sum| (sum, after))
}
