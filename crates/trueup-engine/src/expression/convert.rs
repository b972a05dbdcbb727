//! Values on their way into an expression and out of it. Nothing is rounded: what has no exact place is refused.

use super::exact::Exact;
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use std::collections::HashMap;
use trueup_core::batch::Batch;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{cast, json};

/// Returns the bytes that a value brings into an evaluation.
pub(crate) fn weight(value: Value<'_>) -> usize {
    match value {
        Value::Text(v) | Value::Json(v) | Value::Decimal(v) => v.len(),
        Value::Bytes(v) | Value::InvalidText(v) | Value::Uuid(v) => v.len(),
        _ => size_of::<i64>(),
    }
}

/// Makes a field's value one of the expression's. Text and bytes are borrowed.
///
/// # Errors
/// Says why there is none that means the same.
pub(crate) fn value(value: Value<'_>) -> Result<Box<dyn Val + '_>, &'static str> {
    Ok(match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(v) => Box::new(CelBool::from(v)),
        Value::Int(v) => Box::new(CelInt::from(v)),
        Value::Float(v) => Box::new(CelDouble::from(v)),
        Value::Text(v) => Box::new(CelString::from(v)),
        Value::Bytes(v) => Box::new(CelBytes::from(v)),
        Value::Json(v) => return from_json(v),
        Value::Unchanged => return Err("a value was not read"),
        Value::InvalidText(_) => return Err("text that is not valid UTF-8"),
        Value::Decimal(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::Instant(_)
        | Value::Uuid(_) => Box::new(Exact::of(value).ok_or("a malformed value")?),
    })
}

/// Takes JSON apart where CEL's numbers hold all of its, and no key occurs twice.
fn from_json(text: &str) -> Result<Box<dyn Val + '_>, &'static str> {
    let parsed: serde_json::Value =
        serde_json::from_str(text).map_err(|_| "JSON that cannot be read, or nests too deep")?;
    let canonical = |text: &str| {
        let mut bytes = Vec::new();
        json::canonical(text, &mut bytes);
        bytes
    };
    if canonical(text) != canonical(&parsed.to_string()) {
        return Err("JSON with a number that no double holds, or with a key twice");
    }
    Ok(match parsed {
        serde_json::Value::Null => Box::new(Exact::JsonNull),
        other => node(other),
    })
}

/// The parser has bounded the nesting.
fn node(value: serde_json::Value) -> Box<dyn Val> {
    match value {
        serde_json::Value::Null => Box::new(CelNull),
        serde_json::Value::Bool(v) => Box::new(CelBool::from(v)),
        serde_json::Value::Number(v) => match (v.as_i64(), v.as_u64(), v.as_f64()) {
            (Some(v), ..) => Box::new(CelInt::from(v)),
            (None, Some(v), _) => Box::new(CelUInt::from(v)),
            (None, None, v) => Box::new(CelDouble::from(v.unwrap_or(f64::NAN))),
        },
        serde_json::Value::String(v) => Box::new(CelString::from(v)),
        serde_json::Value::Array(v) => {
            let elements: Vec<Box<dyn Val>> = v.into_iter().map(node).collect();
            Box::new(CelList::from(elements))
        }
        serde_json::Value::Object(v) => {
            let members: HashMap<CelMapKey<'static>, Box<dyn Val>> = v
                .into_iter()
                .map(|(key, value)| (CelMapKey::from(key), node(value)))
                .collect();
            Box::new(CelMap::from(members))
        }
    }
}

/// Pushes an expression's value as one of type `to`: exactly, or not at all.
///
/// # Errors
/// Says why it does not fit; nothing was pushed.
pub(crate) fn push(value: &dyn Val, to: Type, into: &mut Batch) -> Result<(), String> {
    if value.downcast_ref::<CelNull>().is_some() {
        into.push(Value::Null);
        return Ok(());
    }
    if to == Type::Json {
        let class = || format!("no JSON says the same: class={}", value.get_type().name());
        let text = match value.downcast_ref::<Exact>() {
            Some(Exact::JsonNull) => "null".to_owned(),
            _ => to_json(value, 0).ok_or_else(class)?.to_string(),
        };
        into.push(Value::Json(&text));
        return Ok(());
    }
    let wide: String;
    let plain = if let Some(v) = value.downcast_ref::<CelBool>() {
        Value::Bool(*v.inner())
    } else if let Some(v) = value.downcast_ref::<CelInt>() {
        Value::Int(*v.inner())
    } else if let Some(v) = value.downcast_ref::<CelUInt>() {
        if let Ok(v) = i64::try_from(*v.inner()) {
            Value::Int(v)
        } else {
            wide = v.inner().to_string();
            Value::Decimal(&wide)
        }
    } else if let Some(v) = value.downcast_ref::<CelDouble>() {
        Value::Float(*v.inner())
    } else if let Some(v) = value.downcast_ref::<CelString<'_>>() {
        Value::Text(v.inner())
    } else if let Some(v) = value.downcast_ref::<CelBytes<'_>>() {
        Value::Bytes(v.inner())
    } else if let Some(v) = value.downcast_ref::<Exact>() {
        v.value()
    } else {
        let class = value.get_type().name();
        return Err(format!("only JSON holds such a value: class={class}"));
    };
    cast::push(plain, to, into).map_err(|misfit| misfit.to_string())
}

/// How deep a result may nest: JSON that was read nests 128 deep, and an expression adds at most its own nesting.
const RESULT_DEPTH_MAX: usize = 256;

fn to_json(value: &dyn Val, depth: usize) -> Option<serde_json::Value> {
    if depth > RESULT_DEPTH_MAX {
        return None;
    }
    let number = |v: f64| serde_json::Number::from_f64(v).map(serde_json::Value::Number);
    if value.downcast_ref::<CelNull>().is_some() {
        Some(serde_json::Value::Null)
    } else if let Some(v) = value.downcast_ref::<CelBool>() {
        Some((*v.inner()).into())
    } else if let Some(v) = value.downcast_ref::<CelInt>() {
        Some((*v.inner()).into())
    } else if let Some(v) = value.downcast_ref::<CelUInt>() {
        Some((*v.inner()).into())
    } else if let Some(v) = value.downcast_ref::<CelDouble>() {
        number(*v.inner())
    } else if let Some(v) = value.downcast_ref::<CelString<'_>>() {
        Some(v.inner().into())
    } else if let Some(v) = value.downcast_ref::<CelList<'_>>() {
        let elements = v.inner().iter();
        elements
            .map(|element| to_json(element.as_ref(), depth + 1))
            .collect()
    } else if let Some(v) = value.downcast_ref::<CelMap<'_>>() {
        let mut object = serde_json::Map::new();
        for (key, value) in v.inner() {
            let CelMapKey::String(key) = key else {
                return None;
            };
            object.insert(key.inner().to_owned(), to_json(value.as_ref(), depth + 1)?);
        }
        Some(serde_json::Value::Object(object))
    } else {
        None
    }
}
