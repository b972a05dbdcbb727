//! Casting a value to a type: exactly, or not at all.
//!
//! The one place where a value changes class. Invariant: what [`push`] pushes is of the class the type's fields hold
//! ([`fits`]), means the same as what came in, and nothing was rounded, cut, or assumed (a time zone, a calendar, an
//! encoding). What does not fit is a [`Misfit`] and is parked by the caller.
//!
//! It deliberately has no lossy mode. `lattice` says beforehand which pairs of types can meet misfits.

use crate::batch::{Batch, Content, SliceKind};
use crate::json;
use crate::text;
use crate::types::Type;
use crate::value::Value;
use std::fmt;

mod number;
mod parse;
#[cfg(test)]
mod tests;

/// Why a value does not fit a type. Holds the value's class, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// No value of this class fits the type.
    WrongClass(&'static str),
    /// Too large or too small for the type.
    OutOfRange(&'static str),
    /// More characters or bytes than the type allows.
    TooLong(&'static str),
    /// The type could hold only an approximation.
    NotExact(&'static str),
    /// The text does not spell a value of the type.
    Syntax(&'static str),
    /// One has a time zone and the other has none, and none is assumed.
    Zone(&'static str),
    /// JSON with a key twice in one object.
    DuplicateKey(&'static str),
    /// JSON nested deeper than [`json::DEPTH_MAX`].
    TooDeep(&'static str),
}

impl Misfit {
    /// Returns the class of the value that did not fit.
    pub fn class(self) -> &'static str {
        match self {
            Self::WrongClass(class)
            | Self::OutOfRange(class)
            | Self::TooLong(class)
            | Self::NotExact(class)
            | Self::Syntax(class)
            | Self::Zone(class)
            | Self::DuplicateKey(class)
            | Self::TooDeep(class) => class,
        }
    }

    /// Returns the reason as it stands in records of parked values.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongClass(_) => "wrong_class",
            Self::OutOfRange(_) => "out_of_range",
            Self::TooLong(_) => "too_long",
            Self::NotExact(_) => "not_exact",
            Self::Syntax(_) => "syntax",
            Self::Zone(_) => "zone",
            Self::DuplicateKey(_) => "duplicate_key",
            Self::TooDeep(_) => "too_deep",
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongClass(_) => "the type holds no values of this class",
            Self::OutOfRange(_) => "the value is out of the type's range",
            Self::TooLong(_) => "the value is longer than the type allows",
            Self::NotExact(_) => "the type cannot hold the value exactly",
            Self::Syntax(_) => "the text does not spell a value of the type",
            Self::Zone(_) => "only one side has a time zone, and none is assumed",
            Self::DuplicateKey(_) => "a JSON object has a key twice",
            Self::TooDeep(_) => "the JSON text nests too deep",
        })?;
        write!(f, ": class={}", self.class())
    }
}

impl std::error::Error for Misfit {}

/// Casts `value` to `to` and pushes the result as one cell. NULL and unchanged values fit every type; every value
/// fits [`Type::Any`]. A value that fits as it stands is copied once and nothing is allocated.
///
/// # Errors
/// Says why the value does not fit; nothing was pushed.
#[inline]
pub fn push(value: Value<'_>, to: Type, into: &mut Batch) -> Result<(), Misfit> {
    if fits(value, to) {
        into.push(value);
        return Ok(());
    }
    convert(value, to, into)
}

/// Tells whether `value` is one of `to` as it stands, so that a cast would not change it.
#[inline]
pub fn fits(value: Value<'_>, to: Type) -> bool {
    fits_content(value.into(), to)
}

/// As [`fits`], of a value whose text need not be looked at.
#[inline]
pub(crate) fn fits_content(content: Content<'_>, to: Type) -> bool {
    match content {
        Content::Value(value) => fits_plain(value, to),
        Content::Slice(kind, bytes) => fits_slice(kind, bytes, to),
    }
}

#[inline]
fn fits_plain(value: Value<'_>, to: Type) -> bool {
    match (value, to) {
        (Value::Null | Value::Unchanged, _)
        | (_, Type::Any)
        | (Value::Bool(_), Type::Bool)
        | (
            Value::Int(_),
            Type::Int {
                bits: 64,
                signed: true,
            },
        )
        | (Value::Float(_), Type::Float { bits: 64 })
        | (Value::Date(_), Type::Date)
        | (Value::Time(_), Type::Time)
        | (Value::Timestamp(_), Type::Timestamp)
        | (Value::Instant(_), Type::Instant) => true,
        (Value::Int(v), Type::Int { bits, signed }) => number::in_range(v.into(), bits, signed),
        (Value::Float(v), Type::Float { bits: 32 }) => v.is_nan() || f64::from(v as f32) == v,
        _ => false,
    }
}

#[inline]
fn fits_slice(kind: SliceKind, bytes: &[u8], to: Type) -> bool {
    // Characters are counted by their first bytes.
    let chars = || bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
    match (kind, to) {
        (_, Type::Any)
        | (SliceKind::Decimal, Type::Decimal { size: None })
        | (SliceKind::Text, Type::Text { chars_max: None })
        | (SliceKind::Bytes, Type::Bytes { bytes_max: None })
        | (SliceKind::Uuid, Type::Uuid) => true,
        // Engines disagree about some texts of theirs: one keeps a key that comes twice, another drops it unasked.
        (SliceKind::Json, Type::Json) => json::check_of(bytes).is_ok(),
        (SliceKind::Decimal, Type::Decimal { size: Some(size) }) => {
            number::sized(bytes, size).is_ok()
        }
        (
            SliceKind::Text,
            Type::Text {
                chars_max: Some(max),
            },
        ) => bytes.len() <= max as usize || chars() <= max as usize,
        (
            SliceKind::Bytes,
            Type::Bytes {
                bytes_max: Some(max),
            },
        ) => bytes.len() <= max as usize,
        _ => false,
    }
}

/// Tells whether `value` is a text where bytes are `declared`, or bytes where no bytes are: a field of [`Holds::Mixed`] may
/// hold both, and cast to `to` one would be taken for what the other spells.
///
/// [`Holds::Mixed`]: crate::schema::Holds::Mixed
pub fn is_stray(value: Value<'_>, declared: Type, to: Type) -> bool {
    let is_bytes = |ty| matches!(ty, Type::Bytes { .. });
    match value {
        _ if to == Type::Any => false,
        Value::Bytes(_) if declared == Type::Any => !is_bytes(to),
        Value::Bytes(_) => !is_bytes(declared),
        Value::Text(_) | Value::InvalidText(_) if declared == Type::Any => is_bytes(to),
        Value::Text(_) | Value::InvalidText(_) => is_bytes(declared),
        _ => false,
    }
}

/// As [`push`], of a value found where `declared` is meant and anything may stand; `None` where nothing else can.
///
/// # Errors
/// As [`push`]; a value that [`is_stray`] is of the wrong class.
#[inline]
pub(crate) fn push_found(
    value: Value<'_>,
    declared: Option<Type>,
    to: Type,
    into: &mut Batch,
) -> Result<(), Misfit> {
    if declared.is_some_and(|declared| is_stray(value, declared, to)) {
        return Err(Misfit::WrongClass(value.class()));
    }
    push(value, to, into)
}

/// Casts what does not fit as it stands.
fn convert(value: Value<'_>, to: Type, into: &mut Batch) -> Result<(), Misfit> {
    let class = value.class();
    match to {
        Type::Any => {
            into.push(value);
            Ok(())
        }
        Type::Text { chars_max } => to_text(value, chars_max, into),
        Type::Int { bits, signed } => number::to_int(value, bits, signed, into),
        Type::Float { bits } => number::to_float(value, bits, into),
        Type::Decimal { size } => number::to_decimal(value, size, into),
        Type::Bool => {
            into.push(Value::Bool(to_bool(value)?));
            Ok(())
        }
        Type::Bytes { bytes_max } => to_bytes(value, bytes_max, into),
        Type::Uuid => match value {
            Value::Text(v) => {
                into.push(Value::Uuid(&parse::uuid(v).ok_or(Misfit::Syntax(class))?));
                Ok(())
            }
            _ => Err(Misfit::WrongClass(class)),
        },
        Type::Json => match value {
            Value::Text(v) | Value::Json(v) => {
                json::check(v).map_err(|invalid| match invalid {
                    json::Invalid::Syntax => Misfit::Syntax(class),
                    json::Invalid::TooDeep => Misfit::TooDeep(class),
                    json::Invalid::DuplicateKey => Misfit::DuplicateKey(class),
                    json::Invalid::Exponent => Misfit::OutOfRange(class),
                })?;
                into.push(Value::Json(v));
                Ok(())
            }
            _ => Err(Misfit::WrongClass(class)),
        },
        Type::Date | Type::Time | Type::Timestamp | Type::Instant => {
            into.push(parse::to_temporal(value, to)?);
            Ok(())
        }
    }
}

fn to_text(value: Value<'_>, chars_max: Option<u32>, into: &mut Batch) -> Result<(), Misfit> {
    let class = value.class();
    let allowed = |chars: usize| chars_max.is_none_or(|max| chars <= max as usize);
    if let Value::Json(v) | Value::Decimal(v) | Value::Text(v) = value {
        if !allowed(v.len()) && !allowed(v.chars().count()) {
            return Err(Misfit::TooLong(class));
        }
        into.push(Value::Text(v));
        return Ok(());
    }
    let mut spelled = String::new();
    if !text::write(value, &mut spelled) {
        return Err(Misfit::WrongClass(class));
    }
    // Everything but the classes above is spelled in ASCII.
    if !allowed(spelled.len()) {
        return Err(Misfit::TooLong(class));
    }
    into.push(Value::Text(&spelled));
    Ok(())
}

fn to_bool(value: Value<'_>) -> Result<bool, Misfit> {
    let class = value.class();
    match value {
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        Value::Int(_) => Err(Misfit::OutOfRange(class)),
        Value::Text(v) => parse::boolean(v).ok_or(Misfit::Syntax(class)),
        _ => Err(Misfit::WrongClass(class)),
    }
}

fn to_bytes(value: Value<'_>, bytes_max: Option<u32>, into: &mut Batch) -> Result<(), Misfit> {
    let class = value.class();
    let allowed = |bytes: usize| bytes_max.is_none_or(|max| bytes <= max as usize);
    match value {
        Value::Bytes(_) => Err(Misfit::TooLong(class)),
        Value::Text(v) => {
            let bytes = parse::bytes(v).ok_or(Misfit::Syntax(class))?;
            if !allowed(bytes.len()) {
                return Err(Misfit::TooLong(class));
            }
            into.push(Value::Bytes(&bytes));
            Ok(())
        }
        _ => Err(Misfit::WrongClass(class)),
    }
}
