//! Text (stub until the value layer is merged).
use crate::value::Value;
/// Writes.
pub fn write(value: Value<'_>, out: &mut String) -> bool {
    match value {
        Value::Int(v) => out.push_str(&v.to_string()),
        Value::Float(v) => out.push_str(&v.to_string()),
        Value::Text(t) | Value::Decimal(t) | Value::Json(t) => out.push_str(t),
        Value::Bool(b) => out.push_str(if b { "true" } else { "false" }),
        _ => return false,
    }
    true
}
