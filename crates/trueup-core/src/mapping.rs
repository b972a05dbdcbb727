//! The translation between two shapes: which source field becomes which target field, in which type.
//!
//! Built once per collection and run, when every name and type is checked; then used for each record of both sides.
//! After it, a record of either side is a list of values in the same types and order, and only then are records
//! compared. A source value that does not fit its target type is never rounded or cut: its record is parked.
//! Expressions are not here; they come with the configuration file.

mod build;
mod shared;
mod survey;

pub use shared::Shared;
pub use survey::{Survey, SurveyedField};

use crate::batch::{Batch, Record};
use crate::cast;
use crate::digest::Digest;
use crate::encode;
use crate::error;
use crate::filter::Filter;
use crate::keyed::{Keyed, Standing};
use crate::lattice::Fit;
use crate::park::Parked;
use crate::schema::Schema;
use crate::types::Type;
use crate::value::Value;

/// What the user wants to be different from "same names, same key".
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The key, as source field names; empty means the source's own key, else the target's.
    pub key: Vec<String>,
    /// Whether the collection is a bag: no key identifies a record, equal ones count.
    pub bag: bool,
    /// Source field name to target field name.
    pub rename: Vec<(String, String)>,
    /// Target fields that get one fixed value, given as text in the target field's type.
    pub constants: Vec<(String, String)>,
    /// Source fields whose values are taken as this type before they meet the target's.
    pub cast: Vec<(String, Type)>,
    /// Source fields that are left out.
    pub drop: Vec<String>,
    /// Only source records for which this holds take part; the others are unknown, not absent.
    pub filter: Option<Filter>,
    /// Target fields whose lossy translation the user has agreed to.
    pub lossy: Vec<String>,
}

/// Where a mapped field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    Field(usize),
    Constant(String),
}

/// One field of the mapped record.
#[derive(Clone, Debug)]
pub struct MappedField {
    /// The target's name for it.
    pub name: String,
    /// The type in which both sides are compared.
    pub ty: Type,
    /// How the source's values fit the target.
    pub fit: Fit,
    /// The type the source's value is taken as first, where a rule says so.
    via: Option<Type>,
    origin: Origin,
    target: usize,
}

/// The translation of one collection.
#[derive(Clone, Debug)]
pub struct Mapping {
    fields: Vec<MappedField>,
    key: Vec<usize>,
    source_fields: Vec<usize>,
    source_types: Vec<Type>,
    target_fields: Vec<usize>,
    types: Vec<Type>,
    filter: Option<(Filter, Vec<usize>)>,
    notes: Vec<String>,
}

impl Mapping {
    /// Works out the translation from `source` to `target`.
    ///
    /// # Errors
    /// `Config`, naming the collection and field, when a field has no counterpart, a type is refused, the target
    /// needs a value that nothing supplies, or there is no key.
    pub fn build(source: &Schema, target: &Schema, rules: &Rules) -> error::Result<Self> {
        let place = format!("collection={}", source.collection);
        build::build(source, target, rules).map_err(|error| error.at(place))
    }

    /// Returns the mapped fields, in the target's order.
    pub fn fields(&self) -> &[MappedField] {
        &self.fields
    }

    /// Returns the key as positions among the mapped fields.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Returns the source fields to scan.
    pub fn source_fields(&self) -> &[usize] {
        &self.source_fields
    }

    /// Returns the type each scanned source field is cast to.
    pub fn source_types(&self) -> &[Type] {
        &self.source_types
    }

    /// Returns the source's key as positions among [`Mapping::source_fields`]; `None` when a key field is not a
    /// plain source field, so that the source cannot order by it.
    pub fn source_key(&self) -> Option<Vec<usize>> {
        self.key
            .iter()
            .map(|&position| match self.fields[position].origin {
                Origin::Field(scanned) if self.fields[position].via.is_none() => Some(scanned),
                Origin::Field(_) | Origin::Constant(_) => None,
            })
            .collect()
    }

    /// Returns the field of the source's schema that supplies the mapped field at `position`, and the type its values
    /// are taken as first where a rule says so; `None` when a constant supplies it.
    pub fn supply(&self, position: usize) -> Option<(usize, Option<Type>)> {
        let field = &self.fields[position];
        match field.origin {
            Origin::Field(scanned) => Some((self.source_fields[scanned], field.via)),
            Origin::Constant(_) => None,
        }
    }

    /// Returns the target fields to scan and write, as indices into its schema.
    pub fn target_fields(&self) -> &[usize] {
        &self.target_fields
    }

    /// Returns the types of the mapped fields.
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Returns what the user should know: fields left alone, and the like.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Maps the scanned source records of `raw` and appends them to `out`. Records that do not fit are appended as
    /// unknown where their key fits, and are described in `parked`.
    pub fn map_source(
        &self,
        raw: &Batch,
        out: &mut Keyed,
        parked: &mut Vec<Parked>,
        scratch: &mut Vec<u8>,
    ) {
        for record in raw.records() {
            if self.hidden(record, scratch) {
                self.push_unknown(record, out);
                continue;
            }
            match self.push_source(record, out) {
                Ok(()) => seal_present(&self.key, out, scratch),
                Err(misfit) => {
                    parked.push(Parked {
                        key: self.misfit_key(record, scratch),
                        field: Some(misfit.0),
                        reason: misfit.1,
                    });
                    self.push_unknown(record, out);
                }
            }
        }
    }

    /// Maps the scanned target records of `raw` and appends them to `out`. A value that does not fit the type of
    /// the comparison stays as it is: it is then simply different.
    pub fn map_target(&self, raw: &Batch, out: &mut Keyed, scratch: &mut Vec<u8>) {
        for record in raw.records() {
            for (value, &ty) in record.values().zip(&self.types) {
                let records = out.open().0;
                if cast::push(value, ty, records).is_err() {
                    records.push(value);
                }
            }
            seal_present(&self.key, out, scratch);
        }
    }

    fn hidden(&self, record: Record<'_>, scratch: &mut Vec<u8>) -> bool {
        self.filter
            .as_ref()
            .is_some_and(|(filter, fields)| !filter.holds(&|i| record.value(fields[i]), scratch))
    }

    /// Pushes the mapped values; on a misfit nothing stays pushed.
    fn push_source(&self, record: Record<'_>, out: &mut Keyed) -> Result<(), (String, String)> {
        for (position, field) in self.fields.iter().enumerate() {
            let value = field.value(record);
            let refused = if value.is_null() && self.key.contains(&position) {
                Some("the key is null".to_owned())
            } else {
                field
                    .push(value, out.open().0)
                    .err()
                    .map(|misfit| format!("{misfit} type={}", field.ty))
            };
            if let Some(reason) = refused {
                out.open().0.drop_partial();
                return Err((field.name.clone(), reason));
            }
        }
        Ok(())
    }

    fn push_unknown(&self, record: Record<'_>, out: &mut Keyed) {
        let key = mapped_key(&self.key, |position, into| {
            let field = &self.fields[position];
            field.push(field.value(record), into)
        });
        if let Some(key) = key {
            seal_unknown(&key, self.fields.len(), out);
        }
    }

    fn misfit_key(&self, record: Record<'_>, scratch: &mut Vec<u8>) -> Digest {
        name_misfit(&self.key, scratch, |position, into| {
            let field = &self.fields[position];
            let value = field.value(record);
            field.push(value, into).map_err(|_| value)
        })
    }
}

/// Maps the key's values by `push`, as one record; `None` when the key cannot be said: one value is null or does not fit.
fn mapped_key(
    key: &[usize],
    mut push: impl FnMut(usize, &mut Batch) -> Result<(), cast::Misfit>,
) -> Option<Batch> {
    let mut probe = Batch::new(key.len());
    for &position in key {
        push(position, &mut probe).ok()?;
    }
    let whole = probe.record(0).values().all(|value| !value.is_null());
    whole.then_some(probe)
}

/// Appends an entry that says only "this key exists". Where the key cannot be said, no record of the other side can
/// have it either, so leaving the entry out cannot make one look deleted.
fn seal_unknown(key: &Batch, width: usize, out: &mut Keyed) {
    let (records, keys) = out.open();
    for value in key.record(0).values() {
        encode::key(value, keys);
    }
    for _ in 0..width {
        records.push(Value::Null);
    }
    out.seal(Standing::Unknown);
}

/// The digest that names a parked record: of its mapped key, with the raw value where `push` gives that back.
fn name_misfit<'a>(
    key: &[usize],
    scratch: &mut Vec<u8>,
    mut push: impl FnMut(usize, &mut Batch) -> Result<(), Value<'a>>,
) -> Digest {
    scratch.clear();
    for &position in key {
        let mut probe = Batch::new(1);
        match push(position, &mut probe) {
            Ok(()) => encode::key(probe.record(0).value(0), scratch),
            Err(raw) => encode::key(raw, scratch),
        }
    }
    key_digest(scratch)
}

/// Digests a canonical key, for messages and for names that may not show the key itself.
pub fn key_digest(key: &[u8]) -> Digest {
    Digest::of(key)
}

fn seal_present(key: &[usize], out: &mut Keyed, scratch: &mut Vec<u8>) {
    let (records, keys) = out.open();
    let record = records.record(records.len() - 1);
    for &position in key {
        encode::key(record.value(position), keys);
    }
    let digest = encode::digest(record, scratch);
    out.seal(Standing::Present(digest));
}

impl MappedField {
    fn value<'a>(&'a self, record: Record<'a>) -> Value<'a> {
        match &self.origin {
            Origin::Field(scanned) => record.value(*scanned),
            Origin::Constant(text) => Value::Text(text),
        }
    }

    fn push(&self, value: Value<'_>, into: &mut Batch) -> Result<(), cast::Misfit> {
        let Some(via) = self.via else {
            return cast::push(value, self.ty, into);
        };
        let mut first = Batch::new(1);
        cast::push(value, via, &mut first)?;
        cast::push(first.record(0).value(0), self.ty, into)
    }
}

#[cfg(test)]
mod tests;
