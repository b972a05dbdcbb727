//! Lattice (stub until the value layer is merged).
use crate::{schema::Field, types::Type};
/// How a field fits another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every value.
    Exact,
    /// Values within a range.
    WithinRange(&'static str),
    /// Loses.
    Lossy(&'static str),
    /// Never.
    Refused(&'static str),
}
/// How every value of `from` fits `to`.
pub fn fit(_from: &Field, _to: &Field) -> Fit {
    Fit::Exact
}
/// The type both are compared in.
pub fn meet(source: &Field, target: &Field) -> Type {
    if source.native == target.native && !source.inferred && !target.inferred {
        return Type::Any;
    }
    if target.inferred || target.ty == Type::Any {
        source.ty
    } else {
        target.ty
    }
}
