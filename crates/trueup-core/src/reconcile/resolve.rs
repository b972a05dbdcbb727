//! What a policy says about one field that both sides changed.
//!
//! Every rule is symmetric in the sides, but for the two that name one. `None` means that nobody decides: the
//! conflict stays open. No rule reads a clock or guesses: values that do not compare are not compared.

use super::Pick;
use super::decision::Pair;
use crate::batch::Batch;
use crate::cast;
use crate::conflict::Resolution;
use crate::decimal;
use crate::json;
use crate::observation::{Stamp, field_digest};
use crate::policy::{Answer, Answers, Policy, Rules, StampFrom};
use crate::side::{Side, Sides};
use crate::types::Type;
use crate::value::Value;
use std::cmp::Ordering;

/// Decides one field.
pub(super) fn resolve<'a>(
    field: usize,
    pair: &Pair<'a>,
    stamps: &Sides<Option<Stamp>>,
    rules: &Rules,
    answers: &Answers<'a>,
) -> Option<(Pick<'a>, Resolution)> {
    match rules.of(field) {
        Policy::Source => won(Side::Source),
        Policy::Target => won(Side::Target),
        Policy::KeepBoth(side) => Some((Pick::Side(side), Resolution::KeepBoth)),
        Policy::Newest => won(newest(pair, stamps, rules)?),
        Policy::Max => won(extreme(
            pair.values(field),
            rules.meaning_of(field),
            Ordering::Greater,
        )?),
        Policy::Min => won(extreme(
            pair.values(field),
            rules.meaning_of(field),
            Ordering::Less,
        )?),
        Policy::SetUnion => union(field, pair),
        Policy::Merge | Policy::Expression => answered(field, pair, answers.of(field)),
        // A counter without totals, or one that is no number.
        Policy::Manual | Policy::Counter => None,
    }
}

fn won<'a>(side: Side) -> Option<(Pick<'a>, Resolution)> {
    Some((Pick::Side(side), Resolution::Side(side)))
}

/// Returns the side that was written last; nobody's on a tie, without both stamps, and where they do not compare.
fn newest(pair: &Pair<'_>, stamps: &Sides<Option<Stamp>>, rules: &Rules) -> Option<Side> {
    let order = match rules.stamp()? {
        StampFrom::Endpoint => stamps.source?.cmp(&stamps.target?),
        StampFrom::Field(field) => {
            let values = pair.values(field);
            compare_as(rules.meaning_of(field), values.source, values.target)?
        }
    };
    match order {
        Ordering::Greater => Some(Side::Source),
        Ordering::Less => Some(Side::Target),
        Ordering::Equal => None,
    }
}

/// Returns the side whose value lies in direction `wanted`. A value beats NULL either way: NULL is the lack of one.
fn extreme(values: Sides<Value<'_>>, meaning: Type, wanted: Ordering) -> Option<Side> {
    match (values.source, values.target) {
        (Value::Null, Value::Null) => None,
        (Value::Null, _) => Some(Side::Target),
        (_, Value::Null) => Some(Side::Source),
        (source, target) => match compare_as(meaning, source, target)? {
            Ordering::Equal => None,
            order if order == wanted => Some(Side::Source),
            _ => Some(Side::Target),
        },
    }
}

/// Orders two values by what they mean; `None` where one does not mean anything of that type.
fn compare_as(meaning: Type, a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    if meaning == Type::Any || a.is_null() || b.is_null() {
        return compare(a, b);
    }
    let mut meant = Batch::new(2);
    cast::push(a, meaning, &mut meant).ok()?;
    cast::push(b, meaning, &mut meant).ok()?;
    let meant = meant.record(0);
    compare(meant.value(0), meant.value(1))
}

/// Orders two values of one class; `None` where the class has no order that means something, or a value is missing.
fn compare(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
        (Value::Int(a), Value::Int(b))
        | (Value::Time(a), Value::Time(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::Instant(a), Value::Instant(b)) => Some(a.cmp(&b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(&b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(&b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(number(a)?.cmp(&number(b)?)),
        _ => None,
    }
}

/// Returns bytes that order as the decimal does; `None` for what is no number.
fn number(text: &str) -> Option<Vec<u8>> {
    let parts = decimal::parts(text).filter(|parts| *parts != decimal::Parts::NaN)?;
    let mut bytes = Vec::new();
    decimal::encode(parts, &mut bytes);
    Some(bytes)
}

/// Takes the caller's answer. A value that one side holds already is that side's.
fn answered<'a>(
    field: usize,
    pair: &Pair<'a>,
    answer: Answer<'a>,
) -> Option<(Pick<'a>, Resolution)> {
    let value = match answer {
        Answer::Open | Answer::Value(Value::Unchanged) => return None,
        Answer::Side(side) => return won(side),
        Answer::Value(value) => value,
    };
    holder(pair, field, value).map_or(Some((Pick::Given(value), Resolution::Merge)), won)
}

/// Returns the side that holds `value` already.
fn holder(pair: &Pair<'_>, field: usize, value: Value<'_>) -> Option<Side> {
    let digest = field_digest(value, &mut Vec::new());
    let held = pair.digests(field);
    Side::BOTH.into_iter().find(|&side| held[side] == digest)
}

/// Unites two JSON arrays: each element once, in the order of the canonical texts. Without the base's values a removal
/// cannot be told from an element that was never there, so removing against changing brings the element back, as
/// delete against update does.
fn union<'a>(field: usize, pair: &Pair<'a>) -> Option<(Pick<'a>, Resolution)> {
    let values = pair.values(field);
    let (Value::Json(source), Value::Json(target)) = (values.source, values.target) else {
        return None;
    };
    let (source, target) = (elements(source)?, elements(target)?);
    let within = |part: &[Element<'_>], whole: &[Element<'_>]| {
        part.iter().all(|a| {
            whole
                .binary_search_by(|b| b.canonical.cmp(&a.canonical))
                .is_ok()
        })
    };
    match (within(&source, &target), within(&target, &source)) {
        (true, false) => return won(Side::Target),
        (false, true) => return won(Side::Source),
        (true, true) | (false, false) => {}
    }
    let mut all = [source, target].concat();
    sort(&mut all);
    let texts: Vec<&str> = all.iter().map(|element| element.text).collect();
    Some((
        Pick::Union(format!("[{}]", texts.join(","))),
        Resolution::Merge,
    ))
}

#[derive(Clone)]
struct Element<'a> {
    /// As it was written: numbers keep all their digits.
    text: &'a str,
    canonical: Vec<u8>,
}

fn sort(elements: &mut Vec<Element<'_>>) {
    // The text breaks ties, so that of two spellings of one value the same one stays whichever side it came from.
    elements.sort_by(|a, b| {
        a.canonical
            .cmp(&b.canonical)
            .then_with(|| a.text.cmp(b.text))
    });
    elements.dedup_by(|a, b| a.canonical == b.canonical);
}

/// Splits a JSON array into the texts of its elements; `None` for anything that is no array.
fn elements(text: &str) -> Option<Vec<Element<'_>>> {
    let array = serde_json::from_str::<serde_json::Value>(text).ok()?;
    if array.as_array()?.is_empty() {
        return Some(Vec::new());
    }
    // It is a well-formed array: what lies between its brackets is split at the commas outside strings and brackets.
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let (mut depth, mut quoted, mut escaped, mut start) = (0_usize, false, false, 0);
    let mut texts = Vec::new();
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                texts.push(inner.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    texts.push(inner.get(start..)?);
    let mut elements = texts
        .into_iter()
        .map(|text| {
            let text = text.trim();
            let mut canonical = Vec::new();
            json::canonical(text, &mut canonical);
            Element { text, canonical }
        })
        .collect();
    sort(&mut elements);
    Some(elements)
}
