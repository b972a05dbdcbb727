//! The translation between two shapes: which source field becomes which target field, in which type.
//!
//! Built once per collection and run, when every name and type is checked; then used for each record of both sides.
//! After it, a record of either side is a list of values in the same types and order, and only then are records
//! compared. A source value that does not fit its target type is never rounded or cut: its record is parked.
//! What computes a field by an expression is handed in as a [`Compute`].

pub mod bag;
mod build;
mod computed;
mod field;
mod name;
mod near;
mod shared;
mod survey;

pub use computed::{Compute, Formula};
pub use shared::Shared;
pub use survey::{Survey, SurveyedField};

use crate::batch::{Batch, Content, Record, SliceKind};
use crate::cast;
use crate::digest::Digest;
use crate::encode;
use crate::error;
use crate::filter::Filter;
use crate::keyed::{Keyed, Standing};
use crate::lattice::Fit;
use crate::park::{NULL_KEY, Parked};
use crate::schema::Schema;
use crate::side::Sides;
use crate::types::Type;
use crate::value::Value;
use name::name_misfit;
use std::sync::Arc;

/// What the user wants to be different from "same names, same key".
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The key, as source field names; empty means the source's own key, else the target's.
    pub key: Vec<String>,
    /// Whether the collection is a bag: no key identifies a record, equal ones count. Then there is no key.
    pub bag: bool,
    /// Source field name to target field name.
    pub rename: Vec<(String, String)>,
    /// Target fields that get one fixed value, given as text in the target field's type.
    pub constants: Vec<(String, String)>,
    /// Target fields that are computed from fields of the source.
    pub computed: Vec<(String, Formula)>,
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
#[derive(Clone, Debug)]
enum Origin {
    /// A scanned field.
    Field(usize),
    /// The text of a value that is the same for all records; `None` is NULL.
    Constant(Option<String>),
    /// Computed from these scanned fields.
    Computed(Arc<dyn Compute>, Vec<usize>),
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
    /// The types the source's value is taken as first, one after the other, where a rule says so.
    via: Vec<Type>,
    /// What was declared, of each side where anything may stand.
    mixed: Sides<Option<Type>>,
    /// Whether the target spells values of any class, but has no bytes: they would come back as texts.
    spelled: bool,
    origin: Origin,
    target: usize,
}

/// The translation of one collection.
#[derive(Clone, Debug)]
pub struct Mapping {
    fields: Vec<MappedField>,
    key: Vec<usize>,
    bag: bool,
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

    /// Returns the key as positions among the mapped fields; empty in a bag.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Tells whether the collection is compared as a bag.
    pub fn is_bag(&self) -> bool {
        self.bag
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
                Origin::Field(scanned) if self.fields[position].via.is_empty() => Some(scanned),
                Origin::Field(_) | Origin::Constant(_) | Origin::Computed(..) => None,
            })
            .collect()
    }

    /// Returns the field of the source's schema that supplies the mapped field at `position`, and the type its values
    /// are taken as first where a rule says so; `None` when a constant or an expression supplies it.
    pub fn supply(&self, position: usize) -> Option<(usize, Option<Type>)> {
        let field = &self.fields[position];
        match field.origin {
            Origin::Field(scanned) => {
                Some((self.source_fields[scanned], field.via.last().copied()))
            }
            Origin::Constant(_) | Origin::Computed(..) => None,
        }
    }

    /// Returns the expression that supplies the mapped field at `position`, where one does.
    pub fn expression(&self, position: usize) -> Option<&str> {
        match &self.fields[position].origin {
            Origin::Computed(computed, _) => Some(computed.text()),
            Origin::Field(_) | Origin::Constant(_) => None,
        }
    }

    /// Returns the filter as the user wrote it.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_ref().map(|(filter, _)| filter.text())
    }

    /// Returns the stack that mapping the source's records takes, in bytes, where that is more than any thread has to
    /// spare; else 0.
    pub fn stack_bytes(&self) -> usize {
        let filter = self.filter.as_ref().map(|(filter, _)| filter.stack_bytes());
        let computed = self.fields.iter().map(|field| match &field.origin {
            Origin::Computed(computed, _) => computed.stack_bytes(),
            Origin::Field(_) | Origin::Constant(_) => 0,
        });
        computed.chain(filter).max().unwrap_or(0)
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
    /// unknown where their key fits, and are described in `parked`. Those that do not pass the filter are appended as
    /// unknown too; returns their number.
    pub fn map_source(
        &self,
        raw: &Batch,
        out: &mut Keyed,
        parked: &mut Vec<Parked>,
        scratch: &mut Vec<u8>,
    ) -> u64 {
        let mut hidden = 0;
        for (index, record) in raw.records().enumerate() {
            let taken = match self.passes(record, scratch) {
                Ok(true) => self.push_source(record, out.open().0),
                Ok(false) => {
                    hidden += 1;
                    self.push_unknown(record, out, scratch);
                    continue;
                }
                Err(reason) => Err((None, reason)),
            };
            match taken {
                Ok(()) => self.seal(out, scratch),
                Err((field, reason)) => {
                    let (key, key_text) = self.misfit_key(record, scratch);
                    parked.push(Parked {
                        key,
                        key_text,
                        place: raw.place(index),
                        field,
                        reason,
                    });
                    self.push_unknown(record, out, scratch);
                }
            }
        }
        hidden
    }

    /// As [`Mapping::map_source`] into an empty `out`; where nothing has to change, the records of `raw` are taken over
    /// instead of copied, and `raw` is left empty.
    pub fn take_source(
        &self,
        raw: &mut Batch,
        out: &mut Keyed,
        parked: &mut Vec<Parked>,
        scratch: &mut Vec<u8>,
    ) -> u64 {
        let fits = |raw: &Batch| fit_as_they_are(raw, &self.types, &self.key, cast::fits_content);
        if !self.bag && self.is_straight() && fits(raw) {
            adopt(raw, &self.key, out, scratch);
            return 0;
        }
        self.map_source(raw, out, parked, scratch)
    }

    /// Maps the key alone of a scanned source record of which nothing else counts: returns the mapped record, its other fields
    /// NULL, and appends the canonical key to `key`. `None` where the key does not fit: no record of the target can have
    /// it.
    pub fn map_key(&self, raw: Record<'_>, key: &mut Vec<u8>) -> Option<Batch> {
        let mapped = mapped_key(&self.key, |position, into| {
            self.fields[position].push(raw, into)
        })?;
        let mut out = Batch::new(self.fields.len());
        for position in 0..self.fields.len() {
            let place = self.key.iter().position(|&at| at == position);
            out.push(place.map_or(Value::Null, |place| mapped.record(0).value(place)));
        }
        for value in mapped.record(0).values() {
            encode::key(value, key);
        }
        Some(out)
    }

    /// As [`Mapping::map_target`] into an empty `out`, but taking over as [`Mapping::take_source`] does.
    pub fn take_target(&self, raw: &mut Batch, out: &mut Keyed, scratch: &mut Vec<u8>) {
        // JSON without a canonical form stays as it is here, and need not be looked for.
        let fits = |content: Content<'_>, ty| {
            let json = matches!(content, Content::Slice(SliceKind::Json, _)) && ty == Type::Json;
            json || cast::fits_content(content, ty)
        };
        if !self.bag && fit_as_they_are(raw, &self.types, &[], fits) {
            adopt(raw, &self.key, out, scratch);
        } else {
            self.map_target(raw, out, scratch);
        }
    }

    /// Tells whether both sides' records are compared as they are scanned, field by field in one order: nothing is filtered,
    /// computed or cast by a rule, and there is a key.
    pub fn is_identity(&self) -> bool {
        !self.bag && self.is_straight()
    }

    /// Whether a mapped record is the scanned one, value for value, if all its values fit.
    fn is_straight(&self) -> bool {
        let same = |(position, field): (usize, &MappedField)| {
            matches!(field.origin, Origin::Field(at) if at == position)
                && field.via.is_empty()
                && !field.hides_strays()
        };
        self.filter.is_none()
            && self.fields.len() == self.source_fields.len()
            && self.fields.iter().enumerate().all(same)
    }

    /// Maps the scanned target records of `raw` and appends them to `out`. A value that does not fit the type of
    /// the comparison stays as it is: it is then simply different.
    pub fn map_target(&self, raw: &Batch, out: &mut Keyed, scratch: &mut Vec<u8>) {
        for record in raw.records() {
            self.push_target(record, out.open().0);
            self.seal(out, scratch);
        }
    }

    fn push_target(&self, raw: Record<'_>, into: &mut Batch) {
        for (value, field) in raw.values().zip(&self.fields) {
            if cast::push_found(value, field.mixed.target, field.ty, into).is_err() {
                into.push(value);
            }
        }
    }

    /// Completes the entry whose values have been pushed.
    fn seal(&self, out: &mut Keyed, scratch: &mut Vec<u8>) {
        if !self.bag {
            return seal_present(&self.key, out, scratch);
        }
        let (records, keys) = out.open();
        let record = records.record(records.len() - 1);
        let digest = bag::push(record, keys, scratch);
        out.seal(Standing::Present(digest));
    }

    fn passes(&self, record: Record<'_>, scratch: &mut Vec<u8>) -> Result<bool, String> {
        match &self.filter {
            None => Ok(true),
            Some((filter, fields)) => filter.passes(&|i| record.value(fields[i]), scratch),
        }
    }

    /// Pushes the mapped values; on a misfit nothing stays pushed, and the field and the reason are told.
    fn push_source(
        &self,
        record: Record<'_>,
        records: &mut Batch,
    ) -> Result<(), (Option<String>, String)> {
        for (position, field) in self.fields.iter().enumerate() {
            let reason = match field.push(record, records) {
                Ok(()) if records.ends_with_null() && self.key.contains(&position) => {
                    if position + 1 == self.fields.len() {
                        records.pop_record();
                    }
                    NULL_KEY.to_owned()
                }
                Ok(()) => continue,
                Err(Misfit::Cast(misfit)) => format!("{misfit} type={}", field.ty),
                Err(Misfit::Computed(reason)) => reason,
            };
            records.drop_partial();
            return Err((Some(field.name.clone()), reason));
        }
        Ok(())
    }

    fn push_unknown(&self, record: Record<'_>, out: &mut Keyed, scratch: &mut Vec<u8>) {
        if self.bag {
            return self.push_unknown_of_bag(record, out, scratch);
        }
        let key = mapped_key(&self.key, |position, into| {
            self.fields[position].push(record, into)
        });
        if let Some(key) = key {
            seal_unknown(&key, self.fields.len(), out);
        }
    }

    fn misfit_key(&self, record: Record<'_>, scratch: &mut Vec<u8>) -> (Digest, Option<String>) {
        let all: Vec<usize> = (0..self.fields.len()).collect();
        let named = if self.bag { &all } else { &self.key };
        let named = named
            .iter()
            .map(|&position| (position, self.fields[position].name.as_str()));
        let (digest, text) = name_misfit(named, scratch, |position, into| {
            let field = &self.fields[position];
            let pushed = field.push(record, into);
            pushed.map_err(|_| field.raw(record))
        });
        (digest, (!self.bag).then_some(text))
    }
}

/// Why a mapped field has no value.
enum Misfit {
    /// The source's value does not fit.
    Cast(cast::Misfit),
    /// The expression has none.
    Computed(String),
}

impl From<cast::Misfit> for Misfit {
    fn from(misfit: cast::Misfit) -> Self {
        Self::Cast(misfit)
    }
}

/// Whether every value is one of its type as it stands, and no value of `key` is NULL.
fn fit_as_they_are(
    raw: &Batch,
    types: &[Type],
    key: &[usize],
    fits: impl Fn(Content<'_>, Type) -> bool,
) -> bool {
    raw.records().all(|record| {
        record
            .contents()
            .zip(types)
            .all(|(content, &ty)| fits(content, ty))
            && !key.iter().any(|&position| record.is_null(position))
    })
}

fn adopt(raw: &mut Batch, key: &[usize], out: &mut Keyed, scratch: &mut Vec<u8>) {
    let next = raw.successor();
    out.adopt(std::mem::replace(raw, next), |record, keys| {
        for &position in key {
            encode::key_content(record.content(position), keys);
        }
        encode::digest(record, scratch)
    });
}

/// Maps the key's values by `push`, as one record; `None` when the key cannot be said: one value is null or does not fit.
fn mapped_key<E>(
    key: &[usize],
    mut push: impl FnMut(usize, &mut Batch) -> Result<(), E>,
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

/// Digests a canonical key, for messages and for names that may not show the key itself.
pub fn key_digest(key: &[u8]) -> Digest {
    Digest::of(key)
}

fn seal_present(key: &[usize], out: &mut Keyed, scratch: &mut Vec<u8>) {
    let (records, keys) = out.open();
    let record = records.record(records.len() - 1);
    for &position in key {
        encode::key_content(record.content(position), keys);
    }
    let digest = encode::digest(record, scratch);
    out.seal(Standing::Present(digest));
}

#[cfg(test)]
mod tests;
