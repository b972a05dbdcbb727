//! What has parts (lists, structs, maps) as JSON text: a list is an array, a struct an object, a map an object where its
//! keys are texts and else an array of pairs. Numbers keep every digit; what JSON has no notation for is text.

use super::column::Cells;
use super::types::{Class, Column};
use crate::jsonl::quote;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_schema::DataType;
use std::collections::BTreeSet;
use trueup_core::schema::Field;
use trueup_core::text;
use trueup_core::types::Type;
use trueup_core::value::Value;

/// Why there is no JSON for a value.
pub(super) enum Unsaid {
    /// A part of it is of a type that is not known here.
    Type,
    /// A part of it is out of range, or no text: its record is parked.
    Value,
}

/// Appends the value of record `row`.
pub(super) fn write(array: &ArrayRef, row: usize, out: &mut String) -> Result<(), Unsaid> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::List(_) => items(
            &array.as_list_opt::<i32>().ok_or(Unsaid::Type)?.value(row),
            out,
        ),
        DataType::LargeList(_) => items(
            &array.as_list_opt::<i64>().ok_or(Unsaid::Type)?.value(row),
            out,
        ),
        DataType::FixedSizeList(..) => items(
            &array
                .as_fixed_size_list_opt()
                .ok_or(Unsaid::Type)?
                .value(row),
            out,
        ),
        DataType::Struct(_) => {
            let parts = array.as_struct_opt().ok_or(Unsaid::Type)?;
            out.push('{');
            for (index, (field, part)) in parts.fields().iter().zip(parts.columns()).enumerate() {
                name(index, field.name(), out);
                write(part, row, out)?;
            }
            out.push('}');
            Ok(())
        }
        DataType::Map(..) => pairs(array, row, out),
        _ => leaf(array, row, out),
    }
}

fn name(index: usize, name: &str, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
    quoted(name, out);
    out.push(':');
}

fn quoted(text: &str, out: &mut String) {
    let mut bytes = Vec::new();
    quote(text, &mut bytes);
    out.push_str(&String::from_utf8_lossy(&bytes));
}

fn items(items: &ArrayRef, out: &mut String) -> Result<(), Unsaid> {
    out.push('[');
    for row in 0..items.len() {
        if row > 0 {
            out.push(',');
        }
        write(items, row, out)?;
    }
    out.push(']');
    Ok(())
}

fn pairs(array: &ArrayRef, row: usize, out: &mut String) -> Result<(), Unsaid> {
    let entries = array.as_map_opt().ok_or(Unsaid::Type)?.value(row);
    let (keys, values) = (
        entries.columns().first().ok_or(Unsaid::Type)?,
        entries.columns().get(1).ok_or(Unsaid::Type)?,
    );
    let texts = keys
        .as_string_opt::<i32>()
        .map(|keys| BinaryArray::from(keys.clone()));
    let texts: Option<Vec<String>> = match texts {
        None => None,
        Some(texts) => {
            let all = (0..keys.len()).map(|at| text_at(&texts, at));
            Some(all.collect::<Option<_>>().ok_or(Unsaid::Value)?)
        }
    };
    // A key that stands twice is no object that readers agree on.
    let texts = texts.filter(|texts| {
        let unique: BTreeSet<&String> = texts.iter().collect();
        unique.len() == texts.len()
    });
    out.push(if texts.is_some() { '{' } else { '[' });
    for at in 0..keys.len() {
        match &texts {
            Some(texts) => {
                name(at, texts.get(at).ok_or(Unsaid::Type)?, out);
                write(values, at, out)?;
            }
            None => {
                out.push_str(if at > 0 { ",[" } else { "[" });
                write(keys, at, out)?;
                out.push(',');
                write(values, at, out)?;
                out.push(']');
            }
        }
    }
    out.push(if texts.is_some() { '}' } else { ']' });
    Ok(())
}

/// The text of a key.
fn text_at(texts: &BinaryArray, at: usize) -> Option<String> {
    String::from_utf8(texts.value(at).to_vec()).ok()
}

fn leaf(array: &ArrayRef, row: usize, out: &mut String) -> Result<(), Unsaid> {
    let one = array.slice(row, 1);
    let column = Column {
        field: Field::new("", Type::Any, ""),
        held: array.data_type().clone(),
        class: Class::Plain,
        fixed: None,
    };
    if matches!(
        one.data_type(),
        DataType::Interval(_) | DataType::Dictionary(..)
    ) {
        return Err(Unsaid::Type);
    }
    let cells = Cells::new(&one, &column).ok_or(Unsaid::Type)?;
    let value = cells.value(0);
    match value {
        Value::Null | Value::Unchanged => out.push_str("null"),
        Value::Float(number) if !number.is_finite() => {
            let mut spelled = String::new();
            text::write(value, &mut spelled);
            quoted(&spelled, out);
        }
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Decimal(_) => {
            text::write(value, out);
        }
        Value::Text(text) => quoted(text, out),
        Value::InvalidText(_) => return Err(Unsaid::Value),
        _ => {
            let mut spelled = String::new();
            text::write(value, &mut spelled);
            quoted(&spelled, out);
        }
    }
    Ok(())
}
