//! The values that both sides agreed on, for the fields that are merged.
//!
//! A base entry holds digests; a merge needs what both sides' edits began with. A collection with a rule that merges
//! therefore keeps, beside each entry, the values of the record that the entry is about. Invariant: a kept value is used
//! only while its digest is that of the entry, so a merge never begins with anything that was not agreed on.
//!
//! It deliberately keeps nothing that is not merged anyway: values of other classes, what is too large, records that the
//! two sides spell differently, and anything at all of a collection without such a rule.

use super::expression::Verdict;
use super::merge_text::{JSON_BYTES_MAX, TEXT_BYTES_MAX, merge_values};
use crate::state::encode_record;
use trueup_core::base::{Base, Present};
use trueup_core::batch::{Batch, Record};
use trueup_core::conflict::{ConflictKind, FieldRuling, Ruling};
use trueup_core::mapping::Shared;
use trueup_core::observation::field_digest;
use trueup_core::policy::{Policy, Rules};
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;
use trueup_core::value::Value;

#[cfg(test)]
mod tests;

/// A base entry as it is to be stored, with the values of the record that it is about, where they are kept.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub(super) base: Base,
    pub(super) kept: Option<Vec<u8>>,
}

impl Agreed {
    /// An entry without values.
    pub(super) fn bare(base: Base) -> Self {
        Self { base, kept: None }
    }

    /// An entry about `record`, whose values are kept if `keeps` and if both sides hold that very record.
    pub(super) fn on(present: Present, record: Option<Record<'_>>, keeps: bool) -> Self {
        let record = record.filter(|_| keeps && present.same_on_both());
        Self {
            base: Base::Present(present),
            kept: record.map(keep),
        }
    }
}

/// Returns the stored form of what is kept of a record: its texts and JSON; what did not travel stands for the rest.
fn keep(record: Record<'_>) -> Vec<u8> {
    let mut kept = Batch::new(record.width());
    for value in record.values() {
        kept.push(match value {
            Value::Text(text) if text.len() <= TEXT_BYTES_MAX => value,
            Value::Json(text) if text.len() <= JSON_BYTES_MAX => value,
            Value::Null => value,
            _ => Value::Unchanged,
        });
    }
    encode_record(kept.record(0))
}

/// The fields of a collection whose rule is to merge them.
#[derive(Debug, Default)]
pub(super) struct Merging {
    fields: Vec<Merged>,
}

#[derive(Debug)]
struct Merged {
    field: usize,
    /// The type of the values that are read and written.
    ty: Type,
    /// What they mean.
    meaning: Type,
}

impl Merged {
    fn merges(&self) -> bool {
        matches!(self.meaning, Type::Text { .. } | Type::Json | Type::Any)
    }
}

impl Merging {
    /// Finds them. The key's fields are the same on both sides.
    pub(super) fn of(rules: &Rules, shared: &Shared) -> Self {
        let types = shared.types().iter().enumerate();
        let fields = types.filter(|(field, _)| {
            rules.of(*field) == Policy::Merge && !shared.key().contains(field)
        });
        let fields = fields.map(|(field, ty)| Merged {
            field,
            ty: *ty,
            meaning: shared.meaning(field),
        });
        Self {
            fields: fields.collect(),
        }
    }

    /// Tells whether the base keeps values.
    pub(super) fn keeps(&self) -> bool {
        self.fields.iter().any(Merged::merges)
    }

    /// Tells whether `ruling` leaves a field to be merged, for which it takes the values that were kept.
    pub(super) fn asks(&self, ruling: &Ruling) -> bool {
        self.left(ruling).any(Merged::merges)
    }

    /// Merges the fields that `ruling` leaves to it. `agreed` is what was kept, and `entry` what it has to be.
    pub(super) fn ask(
        &self,
        ruling: &Ruling,
        records: &Sides<Option<Record<'_>>>,
        agreed: Option<(&Batch, &Present)>,
    ) -> Vec<(usize, Verdict)> {
        let (Some(source), Some(target)) = (records.source, records.target) else {
            return Vec::new();
        };
        let of = |merged: &Merged| {
            let base = agreed.and_then(|(kept, present)| value_of(kept, present, merged.field));
            let values = Sides::new(source.value(merged.field), target.value(merged.field));
            if base.is_none() && ruling.kind == ConflictKind::UpdateUpdate && merged.merges() {
                let note = "the value that both sides agreed on is not kept";
                return (merged.field, Verdict::Open(Some(note.to_owned())));
            }
            (merged.field, merged.merge(base, values))
        };
        self.left(ruling).map(of).collect()
    }

    fn left<'a>(&'a self, ruling: &'a Ruling) -> impl Iterator<Item = &'a Merged> {
        let left = |one: &FieldRuling| one.policy == Some(Policy::Merge);
        let fields = ruling.fields.iter().filter(move |one| left(one));
        fields.filter_map(|one| self.fields.iter().find(|m| m.field == one.field))
    }
}

impl Merged {
    fn merge(&self, base: Option<Value<'_>>, values: Sides<Value<'_>>) -> Verdict {
        if !self.merges() {
            return Verdict::Open(Some("only texts and JSON objects are merged".to_owned()));
        }
        // Where values pass unread, JSON may be a text, and has to be one afterwards.
        let spelled = matches!(values.source, Value::Text(_));
        if self.ty != Type::Any || self.meaning != Type::Json || !spelled {
            return merge_values(base, &values, self.meaning);
        }
        let verdict = merge_values(base.map(as_json), &values.map(as_json), Type::Json);
        let Verdict::Value(merged) = verdict else {
            return verdict;
        };
        let mut text = Batch::new(1);
        text.push(match merged.record(0).value(0) {
            Value::Json(merged) => Value::Text(merged),
            other => other,
        });
        Verdict::Value(text)
    }
}

fn as_json(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(text) => Value::Json(text),
        other => other,
    }
}

/// Returns the kept value of `field`, provided that it is the one that both sides agreed on.
fn value_of<'k>(kept: &'k Batch, present: &Present, field: usize) -> Option<Value<'k>> {
    let agreed = present.fields(Side::Source).get(field)?;
    let record = kept.record(0);
    let value = (field < record.width()).then(|| record.value(field))?;
    let same = value != Value::Unchanged && field_digest(value, &mut Vec::new()) == *agreed;
    same.then_some(value)
}
