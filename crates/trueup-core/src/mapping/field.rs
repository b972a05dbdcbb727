//! The value of one mapped field: taken from the scanned record, a constant or an expression, and cast.

use super::{MappedField, Misfit, Origin};
use crate::batch::{Batch, Record};
use crate::cast;
use crate::types::Type;
use crate::value::Value;

impl MappedField {
    /// Pushes the field's value for a source record; on a misfit nothing stays pushed.
    pub(super) fn push(&self, record: Record<'_>, into: &mut Batch) -> Result<(), Misfit> {
        match &self.origin {
            Origin::Field(scanned) => self.cast(record.value(*scanned), into)?,
            Origin::Constant(text) => {
                let value = text.as_deref().map_or(Value::Null, Value::Text);
                self.cast(value, into)?;
            }
            Origin::Computed(computed, fields) => {
                let mut value = Batch::new(1);
                computed
                    .value(&|i| record.value(fields[i]), &mut value)
                    .map_err(Misfit::Computed)?;
                cast::push(value.record(0).value(0), self.ty, into)?;
            }
        }
        Ok(())
    }

    fn cast(&self, value: Value<'_>, into: &mut Batch) -> Result<(), cast::Misfit> {
        if self.spelled && matches!(value, Value::Bytes(_)) {
            return Err(cast::Misfit::WrongClass(value.class()));
        }
        match self.via.as_slice() {
            [] => cast::push_found(value, self.mixed.source, self.ty, into),
            via => cast_through(value, via, self.ty, into),
        }
    }

    /// Whether the source may hold bytes that fit as they stand, and are strays all the same.
    pub(super) fn hides_strays(&self) -> bool {
        let empty = Value::Bytes(&[]);
        let stray = |declared| cast::is_stray(empty, declared, self.ty);
        let may_stray = self.spelled || self.mixed.source.is_some_and(stray);
        cast::fits(empty, self.ty) && may_stray
    }

    /// The stored values that the field's value comes from.
    pub(super) fn raw<'r>(&self, record: Record<'r>) -> Vec<Value<'r>> {
        match &self.origin {
            Origin::Field(scanned) => vec![record.value(*scanned)],
            Origin::Constant(_) => Vec::new(),
            Origin::Computed(_, fields) => fields.iter().map(|&at| record.value(at)).collect(),
        }
    }
}

/// Takes a value as each type in turn, and pushes it as the last.
fn cast_through(
    value: Value<'_>,
    via: &[Type],
    ty: Type,
    into: &mut Batch,
) -> Result<(), cast::Misfit> {
    match via {
        [] => cast::push(value, ty, into),
        [first, rest @ ..] if cast::fits(value, *first) => cast_through(value, rest, ty, into),
        [first, rest @ ..] => {
            let mut held = Batch::new(1);
            cast::push(value, *first, &mut held)?;
            cast_through(held.record(0).value(0), rest, ty, into)
        }
    }
}
