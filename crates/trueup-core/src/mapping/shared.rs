//! The translation of a collection that is written from both sides.
//!
//! Records of either side become records of one shared shape, and only those are compared, merged and remembered.
//! Invariant: a shared record that [`Shared::map`] passed can be written on either side, and reads back there as the
//! same shared record; one that could not, or whose key this side spells in another way than we would write it, is
//! parked and never decided about. Otherwise a value would change by travelling there and back, and a side that
//! nobody touched would look changed.
//!
//! It deliberately knows no authority: nothing here depends on which side is called source, but the order of fields
//! and, where the sides disagree, the key. Constants, filters and casts have no way back and are refused.

mod build;

pub(super) use build::{alone, met_twice, refuse_json_key, refuse_one_way};

use super::{Rules, mapped_key, name_misfit, seal_present, seal_unknown};
use crate::batch::{Batch, Record};
use crate::cast;
use crate::decimal;
use crate::encode;
use crate::error;
use crate::keyed::Keyed;
use crate::park::{NULL_KEY, Parked, write_key_field};
use crate::schema::Schema;
use crate::side::{Side, Sides};
use crate::text;
use crate::types::Type;
use crate::value::Value;
use std::fmt::Write as _;

/// The translation of a collection that is written from both sides.
#[derive(Clone, Debug)]
pub struct Shared {
    fields: Vec<SharedField>,
    types: Vec<Type>,
    key: Vec<usize>,
    indices: Sides<Vec<usize>>,
    notes: Vec<String>,
}

/// One field of the shared shape.
#[derive(Clone, Debug)]
struct SharedField {
    names: Sides<String>,
    /// The shared type.
    ty: Type,
    /// The shared type, or the declared one where values pass unread.
    meaning: Type,
    /// What the sides' values are, where those pass unread.
    unread: Option<String>,
    /// The type in which each side is written.
    held: Sides<Type>,
    /// Where not every value of the shared type can be written.
    narrow: Sides<bool>,
    /// What was declared, where anything may stand.
    mixed: Sides<Option<Type>>,
    /// Where NULL is allowed.
    nullable: Sides<bool>,
    /// Whether the field belongs to the key.
    key: bool,
}

impl Shared {
    /// Works out the translation between `source` and `target`, in both directions.
    ///
    /// # Errors
    /// `Config`, naming the collection and field, when a field has no counterpart, a type is refused in either
    /// direction, a rule has no way back, there is no key, or a side identifies records by another one.
    pub fn build(source: &Schema, target: &Schema, rules: &Rules) -> error::Result<Self> {
        let place = format!("collection={}", source.collection);
        build::build(source, target, rules).map_err(|error| error.at(place))
    }

    /// Returns the fields' names on `side`, in the shared order.
    pub fn names(&self, side: Side) -> Vec<&str> {
        self.fields
            .iter()
            .map(|field| field.names[side].as_str())
            .collect()
    }

    /// Returns the shared types.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Returns the type that the field at `position` was declared with: the shared one, or, where values pass unread,
    /// what they mean. SQLite keeps a decimal as a text, and whoever asks for the larger one must read it first.
    pub fn meaning(&self, position: usize) -> Type {
        self.fields[position].meaning
    }

    /// Returns the key as positions in the shared order.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Returns the key of a record of the shared shape as plans show it, with the names of `side`.
    pub fn key_text(&self, side: Side, record: Record<'_>) -> String {
        let mut text = String::new();
        for (position, name) in self.key_names(side) {
            write_key_field(name, Some(record.value(position)), &mut text);
        }
        text
    }

    fn key_names(&self, side: Side) -> impl Iterator<Item = (usize, &str)> {
        let key = self.key.iter();
        key.map(move |&at| (at, self.fields[at].names[side].as_str()))
    }

    /// Returns the fields to scan and write on `side`, as indices into its schema, in the shared order.
    pub fn fields(&self, side: Side) -> &[usize] {
        &self.indices[side]
    }

    /// Returns the type that each field scanned on `side` will be cast to.
    pub fn scan_types(&self, _side: Side) -> &[Type] {
        &self.types
    }

    /// Returns what the user should know: fields left alone, and the like.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Maps the records of `raw`, scanned on `side`, and appends them to `out`. A record that does not fit the shared
    /// shape, or could not be written on both sides, is appended as unknown where its key fits, and is described in
    /// `parked`.
    pub fn map(
        &self,
        side: Side,
        raw: &Batch,
        out: &mut Keyed,
        parked: &mut Vec<Parked>,
        scratch: &mut Vec<u8>,
    ) {
        for (index, record) in raw.records().enumerate() {
            match self.take(side, record, out.open().0) {
                Ok(()) => seal_present(&self.key, out, scratch),
                Err((field, reason)) => {
                    let named = self.key_names(side);
                    let (key, text) = name_misfit(named, scratch, |position, into| {
                        let value = record.value(position);
                        let shared = self.fields[position].share(side, value, into);
                        shared.map_err(|_| vec![value])
                    });
                    parked.push(Parked {
                        key,
                        key_text: Some(text),
                        place: raw.place(index),
                        field: Some(field),
                        reason,
                    });
                    let key = mapped_key(&self.key, |position, into| {
                        self.fields[position].share(side, record.value(position), into)
                    });
                    if let Some(key) = key {
                        seal_unknown(&key, self.fields.len(), out);
                    }
                }
            }
        }
    }

    /// Appends the shared `record` as it is to be written on `side`: each value in that side's type. Of a record that
    /// is to be deleted, fields outside the key may be NULL.
    ///
    /// # Errors
    /// The field's name on `side`, and why it cannot hold the value; nothing stays pushed then.
    pub fn write(
        &self,
        side: Side,
        record: Record<'_>,
        into: &mut Batch,
    ) -> Result<(), (String, String)> {
        let mut spelled = String::new();
        for (field, value) in self.fields.iter().zip(record.values()) {
            let value = field.settled(value, &mut spelled);
            let written = if field.narrow[side] {
                field.comes_back(side, value, into)
            } else {
                cast::push(value, field.held[side], into).map_err(|misfit| misfit.to_string())
            };
            if let Err(reason) = written {
                into.drop_partial();
                return Err((field.names[side].clone(), reason));
            }
        }
        Ok(())
    }

    /// Appends the shared form of a record that stands on `side` (fields in the shared order, in the side's own
    /// types); `None`, and nothing pushed, when [`Shared::map`] would park it.
    pub fn read(&self, side: Side, record: Record<'_>, into: &mut Batch) -> Option<()> {
        self.take(side, record, into).ok()
    }

    /// Returns names and types of the shared shape and its key as one line: what the digests of its records mean.
    /// The same from both ends where names are equal on both sides and both declare the same key.
    pub fn shape(&self) -> String {
        let mut shape = format!("v{}", encode::VERSION);
        let mut add = |text: std::fmt::Arguments<'_>| {
            shape
                .write_fmt(text)
                .expect("a String takes every character");
        };
        for field in &self.fields {
            let Sides { source, target } = &field.names;
            add(format_args!(" {source:?}"));
            if source != target {
                add(format_args!("={target:?}"));
            }
            add(format_args!(":{}", field.ty));
            if let Some(native) = &field.unread {
                add(format_args!("({native:?})"));
            }
        }
        add(format_args!(" key"));
        for &position in &self.key {
            add(format_args!(" {:?}", self.fields[position].names.source));
        }
        shape
    }

    /// Pushes the shared values of a record of `side`; on a misfit nothing stays pushed.
    fn take(
        &self,
        side: Side,
        record: Record<'_>,
        into: &mut Batch,
    ) -> Result<(), (String, String)> {
        for (field, value) in self.fields.iter().zip(record.values()) {
            if let Err(reason) = field.take(side, value, into) {
                into.drop_partial();
                return Err((field.names[side].clone(), reason));
            }
        }
        Ok(())
    }
}

impl SharedField {
    /// Casts a value of `side` to the shared type, and asks no more.
    fn share(&self, side: Side, value: Value<'_>, into: &mut Batch) -> Result<(), cast::Misfit> {
        cast::push_found(value, self.mixed[side], self.ty, into)
    }

    /// Casts a value of `side` to the shared type, if it could then be written on both sides.
    fn take(&self, side: Side, raw: Value<'_>, into: &mut Batch) -> Result<(), String> {
        if raw.is_null() {
            if self.key {
                return Err(NULL_KEY.to_owned());
            }
            if !self.nullable[side.other()] {
                return Err("null, which the other side does not allow".to_owned());
            }
        }
        let as_it_is = |ty| cast::fits(raw, ty);
        let one_spelling = self.ty == Type::Any || !matches!(raw, Value::Decimal(_));
        let plain = !self.key || (one_spelling && as_it_is(self.ty) && as_it_is(self.held[side]));
        if plain && !self.narrow.source && !self.narrow.target {
            return self
                .share(side, raw, into)
                .map_err(|misfit| self.misfit(misfit));
        }
        let mut shared = Batch::new(1);
        self.share(side, raw, &mut shared)
            .map_err(|misfit| self.misfit(misfit))?;
        let mut spelled = String::new();
        let value = self.settled(shared.record(0).value(0), &mut spelled);
        for end in Side::BOTH.into_iter().filter(|&end| self.narrow[end]) {
            self.comes_back(end, value, &mut Batch::new(1))
                .map_err(|reason| {
                    let whose = if end == side { "this" } else { "the other" };
                    format!("{whose} side could not be given it: {reason}")
                })?;
        }
        if !plain && !self.stands_as_written(side, raw, value) {
            return Err(format!(
                "the key is spelled in another way than it would be written: class={} type={}",
                raw.class(),
                self.held[side]
            ));
        }
        into.push(value);
        Ok(())
    }

    /// Spells a key in one way, whichever side it comes from: a side that keeps decimals as texts finds `1.5` and not
    /// `1.50`. Other classes that meet as a type of ours have one spelling, but JSON, which no key may hold.
    fn settled<'v>(&self, value: Value<'v>, spelled: &'v mut String) -> Value<'v> {
        match value {
            Value::Decimal(text) if self.key && self.ty != Type::Any => {
                spelled.clear();
                decimal::shortest(text, spelled);
                Value::Decimal(spelled)
            }
            _ => value,
        }
    }

    fn misfit(&self, misfit: cast::Misfit) -> String {
        format!("{misfit} type={}", self.ty)
    }

    /// Casts a shared value to the type of `side`, if it would be read there as the same value again.
    fn comes_back(&self, side: Side, value: Value<'_>, into: &mut Batch) -> Result<(), String> {
        let held = self.held[side];
        let failed = |misfit: cast::Misfit| format!("{misfit} type={held}");
        let (mut there, mut back) = (Batch::new(1), Batch::new(1));
        cast::push(value, held, &mut there).map_err(failed)?;
        let written = there.record(0).value(0);
        let same = self.share(side, written, &mut back).is_ok()
            && encoded(back.record(0).value(0)) == encoded(value);
        if !same {
            return Err(format!(
                "the value would be read as another one: class={} type={held}",
                value.class()
            ));
        }
        into.push(written);
        Ok(())
    }

    /// Tells whether a condition on the key as we write it finds the key as it stands: an update or delete by a key
    /// that is spelled in another way would find nothing.
    fn stands_as_written(&self, side: Side, raw: Value<'_>, value: Value<'_>) -> bool {
        let mut there = Batch::new(1);
        if cast::push(value, self.held[side], &mut there).is_err() {
            return false;
        }
        let written = there.record(0).value(0);
        if encoded(raw) == encoded(written) {
            return true;
        }
        // A side without a type of its own keeps the text of one, a number for a truth value, and compares numbers of
        // all classes by size.
        match (raw, written) {
            (Value::Int(raw), Value::Bool(written)) => raw == i64::from(written),
            (
                Value::Text(_),
                Value::Date(_)
                | Value::Time(_)
                | Value::Timestamp(_)
                | Value::Instant(_)
                | Value::Uuid(_)
                | Value::Decimal(_),
            )
            | (
                Value::Int(_) | Value::Float(_) | Value::Decimal(_),
                Value::Int(_) | Value::Float(_) | Value::Decimal(_),
            ) => {
                let (mut one, mut other) = (String::new(), String::new());
                text::write(raw, &mut one) && text::write(written, &mut other) && one == other
            }
            _ => false,
        }
    }
}

fn encoded(value: Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::value(value, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
