//! Casts (stub until the value layer is merged).
use crate::{batch::Batch, types::Type, value::Value};
/// Why a value does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit;
impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("does not fit")
    }
}
/// Casts and pushes.
pub fn push(value: Value<'_>, to: Type, into: &mut Batch) -> Result<(), Misfit> {
    match (value, to) {
        (Value::Text(t), Type::Int { .. }) => into.push(Value::Int(t.parse().map_err(|_| Misfit)?)),
        (Value::Text(t), Type::Float { .. }) => {
            into.push(Value::Float(t.parse().map_err(|_| Misfit)?))
        }
        (Value::Text(t), Type::Decimal { .. }) => into.push(Value::Decimal(t)),
        _ => into.push(value),
    }
    Ok(())
}
