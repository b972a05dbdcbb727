//! How Parquet's types meet ours.
//!
//! Invariant: a column that is made here holds every value of the wanted type exactly, or values that it does not hold are
//! refused one by one: never rounded, cut, or moved to another zone. What Parquet has no type for (a decimal without a
//! size, a length) is written as the nearest type that holds it, and [`meta`] says the rest.

use super::Footer;
use super::decimal::{DIGITS_MAX, bytes as decimal_bytes};
use super::meta;
use crate::file::format::COLUMNS_MAX;
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::{
    ConvertedType, DecimalType, IntType, LogicalType, Repetition, TimeType,
    TimeUnit as ParquetUnit, TimestampType, Type as Physical,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::schema::types::{SchemaDescriptor, Type as Node, TypePtr};
use std::sync::Arc;
use trueup_core::extremes::Extremes;
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// Which of our classes the bytes of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// What the column's type says.
    Plain,
    Text,
    Json,
    Decimal,
    Uuid,
}

/// One column of a file.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(super) field: Field,
    /// How it is read and written.
    pub(super) held: DataType,
    pub(super) class: Class,
    /// Why no new state of the file can be written while it is in it.
    pub(super) fixed: Option<&'static str>,
}

/// The columns of a schema.
pub(super) struct Found {
    pub(super) columns: Vec<Column>,
    pub(super) notes: Vec<String>,
}

const NESTED: &str = "it is nested";
const NANOSECONDS: &str = "it is of the old type INT96";
const WIDE: &str = "its decimals are held in other bytes than are written here";
const SPANS: &str = "it is of the type INTERVAL";
const TYPELESS: &str = "it holds nothing but NULL";

/// Finds out how the columns of a file are held. `entries` are those of its footer.
pub(super) fn columns(
    schema: &SchemaDescriptor,
    entries: &[KeyValue],
) -> std::result::Result<Found, ParquetError> {
    let arrow = parquet_to_arrow_schema(schema, None)?;
    let roots = schema.root_schema().get_fields();
    let (mut columns, mut notes) = (Vec::with_capacity(roots.len()), Vec::new());
    for (root, arrow) in roots.iter().zip(arrow.fields()) {
        let column = column(root, arrow.data_type(), arrow.is_nullable(), entries);
        let name = root.name();
        if let Some(why) = column.fixed {
            let native = &column.field.native;
            notes.push(match why {
                NESTED => format!(
                    "{name} is nested ({native}) and read as JSON text; the file can be a source, and is not changed"
                ),
                _ => format!("{name} is {native}: {why}; the file can be a source, and is not changed"),
            });
        }
        columns.push(column);
    }
    Ok(Found { columns, notes })
}

fn column(root: &TypePtr, arrow: &DataType, nullable: bool, entries: &[KeyValue]) -> Column {
    let name = root.name();
    let (mut ty, mut class, mut fixed) = (Type::Json, Class::Plain, Some(NESTED));
    let mut held = arrow.clone();
    if root.is_primitive() {
        (ty, class) = (primitive(root, arrow), class_of(root));
        ty = match class {
            Class::Json => Type::Json,
            Class::Uuid => Type::Uuid,
            Class::Text => Type::TEXT,
            Class::Plain | Class::Decimal => ty,
        };
        held = match arrow {
            DataType::Utf8 => DataType::Utf8View,
            DataType::Binary if class == Class::Text => DataType::Utf8View,
            DataType::Binary => DataType::BinaryView,
            other => other.clone(),
        };
        fixed = why_fixed(root, arrow);
    }
    fixed = unread(root).or(fixed);
    let mut native = format!("parquet:{}", native(root, arrow));
    if let Some(own) = meta::ty(entries, name).filter(|own| narrows(*own, ty, class)) {
        if matches!(own, Type::Decimal { .. }) {
            class = Class::Decimal;
        }
        ty = own;
        native.push_str(&format!(" as {own}"));
    }
    if let Some(origin) = meta::origin(entries, name, ty) {
        native.push_str(&format!(" as {origin}"));
    }
    Column {
        field: Field {
            nullable,
            extremes: extremes(ty),
            ..Field::new(name, ty, native)
        },
        held,
        class,
        fixed,
    }
}

/// Says what is in a column, or in a part of it, that has no exact value here.
fn unread(node: &TypePtr) -> Option<&'static str> {
    if !node.is_primitive() {
        return node.get_fields().iter().find_map(unread);
    }
    if node.get_basic_info().converted_type() == ConvertedType::INTERVAL {
        return Some(SPANS);
    }
    (node.get_physical_type() == Physical::INT96).then_some(NANOSECONDS)
}

/// Says why a column cannot be written as it is.
fn why_fixed(root: &TypePtr, arrow: &DataType) -> Option<&'static str> {
    let (DataType::Decimal128(digits, _) | DataType::Decimal256(digits, _)) = arrow else {
        return (*arrow == DataType::Null).then_some(TYPELESS);
    };
    let wide = match root.as_ref() {
        Node::PrimitiveType {
            physical_type: Physical::FIXED_LEN_BYTE_ARRAY,
            type_length,
            ..
        } => *type_length != decimal_bytes(*digits),
        _ => root.get_physical_type() == Physical::BYTE_ARRAY,
    };
    wide.then_some(WIDE)
}

/// Tells whether an entry's type is one that is held as a column of `ty`.
fn narrows(own: Type, ty: Type, class: Class) -> bool {
    match (own, ty) {
        (
            Type::Text { chars_max: Some(_) } | Type::Decimal { .. },
            Type::Text { chars_max: None },
        ) => class == Class::Text,
        (Type::Bytes { bytes_max: Some(_) }, Type::Bytes { bytes_max: None }) => true,
        (
            Type::Int { bits: 24, signed },
            Type::Int {
                bits: 32,
                signed: held,
            },
        ) => signed == held,
        _ => false,
    }
}

fn class_of(root: &TypePtr) -> Class {
    let info = root.get_basic_info();
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::Uuid), _) => Class::Uuid,
        (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Class::Json,
        (Some(LogicalType::String | LogicalType::Enum), _)
        | (None, ConvertedType::UTF8 | ConvertedType::ENUM) => Class::Text,
        _ => Class::Plain,
    }
}

/// Our type for a column that has no parts.
fn primitive(root: &TypePtr, arrow: &DataType) -> Type {
    let int = |bits, signed| Type::Int { bits, signed };
    match arrow {
        DataType::Boolean => Type::Bool,
        DataType::Int8 => int(8, true),
        DataType::Int16 => int(16, true),
        DataType::Int32 => int(32, true),
        DataType::Int64 => Type::INT,
        DataType::UInt8 => int(8, false),
        DataType::UInt16 => int(16, false),
        DataType::UInt32 => int(32, false),
        DataType::UInt64 => int(64, false),
        DataType::Float16 | DataType::Float32 => Type::Float { bits: 32 },
        DataType::Float64 => Type::FLOAT,
        DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale) => {
            Type::Decimal {
                size: Some((u16::from(*digits), i16::from(*scale))),
            }
        }
        DataType::FixedSizeBinary(bytes) => Type::Bytes {
            bytes_max: u32::try_from(*bytes).ok(),
        },
        DataType::Binary => Type::BYTES,
        DataType::Date32 => Type::Date,
        DataType::Time32(_) | DataType::Time64(_) => Type::Time,
        DataType::Timestamp(_, None) => Type::Timestamp,
        DataType::Timestamp(_, Some(_)) => Type::Instant,
        // Texts, and columns in which nothing but NULL can stand. (INTERVAL is refused by `refused`.)
        _ => {
            debug_assert!(root.is_primitive());
            Type::TEXT
        }
    }
}

/// The name of a column's type, for people and for telling two apart.
fn native(root: &TypePtr, arrow: &DataType) -> String {
    let utc = |zone: &Option<Arc<str>>| if zone.is_some() { "utc" } else { "local" };
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "millis",
        TimeUnit::Microsecond => "micros",
        TimeUnit::Nanosecond => "nanos",
    };
    if !root.is_primitive() {
        return match arrow {
            DataType::Struct(_) => "struct",
            DataType::Map(..) => "map",
            _ => "list",
        }
        .to_owned();
    }
    if root.get_physical_type() == Physical::INT96 {
        return "int96".to_owned();
    }
    match (arrow, class_of(root)) {
        (DataType::Timestamp(of, zone), _) => format!("timestamp({},{})", unit(of), utc(zone)),
        (DataType::Time32(of) | DataType::Time64(of), _) => format!("time({})", unit(of)),
        (DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale), _) => {
            format!("decimal({digits},{scale})")
        }
        (_, Class::Uuid) => "uuid".to_owned(),
        (_, Class::Json) => "json".to_owned(),
        (DataType::FixedSizeBinary(bytes), _) => format!("fixed({bytes})"),
        (DataType::Binary, Class::Text) => "enum".to_owned(),
        (DataType::Utf8, _) => "string".to_owned(),
        (other, _) => other.to_string().to_ascii_lowercase(),
    }
}

/// Says why a column cannot be read at all.
pub(super) fn refused(column: &Column) -> Option<&'static str> {
    match column.fixed? {
        SPANS => {
            Some("INTERVAL has months, days and milliseconds, and no type here holds the three")
        }
        NANOSECONDS => {
            Some("INT96 has no exact meaning beyond the years 1677 to 2262, and is deprecated")
        }
        _ => None,
    }
}

/// Checks whether a new file can have these fields.
pub(super) fn admit(wanted: &Schema) -> Result<()> {
    let count = wanted.fields.len();
    if count > COLUMNS_MAX {
        return Err(
            Error::config(format!("{count} fields: a file has at most {COLUMNS_MAX}"))
                .hint("drop fields, or split the collection"),
        );
    }
    Ok(())
}

/// Which of the values at the ends of its type a column can hold: its decimals are finite.
fn extremes(ty: Type) -> Extremes {
    match ty {
        Type::Decimal { size } if held_decimal(size).is_some() => Extremes::NONE,
        _ => Extremes::of(ty),
    }
}

/// Works out the field of a new file.
pub(super) fn design(wanted: &Field) -> (Field, Option<String>) {
    let (mut ty, mut note) = (wanted.ty, None);
    match wanted.ty {
        Type::Any => {
            ty = Type::TEXT;
            note = Some("has no type of its own, and is written as text");
        }
        Type::Decimal { size } if held_decimal(size).is_none() => {
            note = Some(
                "is a decimal of more digits than Parquet has, or of any number of them: it is written as text, which this program reads as the decimal",
            );
        }
        _ => {}
    }
    let field = Field {
        ty,
        native: String::new(),
        generated: false,
        inferred: false,
        holds: trueup_core::schema::Holds::Typed,
        extremes: extremes(ty),
        sieve: trueup_core::sieve::Sieve::Blind,
        ..wanted.clone()
    };
    let native = node(&field).map_or_else(
        |_| String::new(),
        |(node, typed)| {
            let node = Arc::new(node);
            let held = arrow(&node);
            let own = if typed {
                String::new()
            } else {
                format!(" as {ty}")
            };
            let origin = meta::origin_of(&wanted.native).filter(|_| ty == wanted.ty);
            let origin = origin.map_or_else(String::new, |origin| format!(" as {origin}"));
            format!("parquet:{}{own}{origin}", native(&node, &held))
        },
    );
    let note = note.map(|note| format!("{} {note}", wanted.name));
    (Field { native, ..field }, note)
}

fn arrow(node: &TypePtr) -> DataType {
    let root = Node::group_type_builder("schema").with_fields(vec![Arc::clone(node)]);
    let schema = root
        .build()
        .map(|root| SchemaDescriptor::new(Arc::new(root)));
    let arrow = schema.and_then(|schema| parquet_to_arrow_schema(&schema, None));
    arrow.map_or(DataType::Null, |arrow| {
        let first = arrow.fields().first();
        first.map_or(DataType::Null, |field| field.data_type().clone())
    })
}

/// The digits and the scale of a decimal that Parquet holds.
fn held_decimal(size: Option<(u16, i16)>) -> Option<(u8, u8)> {
    let (digits, scale) = size?;
    let scale = u16::try_from(scale).ok()?;
    if digits == 0 || digits > DIGITS_MAX || scale > digits {
        return None;
    }
    Some((u8::try_from(digits).ok()?, u8::try_from(scale).ok()?))
}

/// Makes the column of a field, and tells whether it says the field's type.
fn node(field: &Field) -> std::result::Result<(Node, bool), ParquetError> {
    let int = |bits: i8, is_signed| {
        LogicalType::Integer(IntType {
            bit_width: bits,
            is_signed,
        })
    };
    let unit = ParquetUnit::MICROS;
    let zoned = |is_adjusted_to_u_t_c| {
        LogicalType::Timestamp(TimestampType {
            is_adjusted_to_u_t_c,
            unit,
        })
    };
    let mut typed = true;
    let (physical, logical) = match field.ty {
        Type::Bool => (Physical::BOOLEAN, None),
        Type::Int { bits: 64, signed } => (Physical::INT64, (!signed).then(|| int(64, false))),
        Type::Int { bits, signed } => {
            typed = bits != 24;
            let bits = i8::try_from(bits).unwrap_or(32);
            let bits = if typed { bits } else { 32 };
            let logical = (bits != 32 || !signed).then(|| int(bits, signed));
            (Physical::INT32, logical)
        }
        Type::Float { bits: 32 } => (Physical::FLOAT, None),
        Type::Float { .. } => (Physical::DOUBLE, None),
        Type::Decimal { size } => match held_decimal(size) {
            Some((digits, scale)) => return decimal(field, digits, scale),
            None => {
                typed = false;
                (Physical::BYTE_ARRAY, Some(LogicalType::String))
            }
        },
        Type::Any => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Type::Text { chars_max } => {
            typed = chars_max.is_none();
            (Physical::BYTE_ARRAY, Some(LogicalType::String))
        }
        Type::Bytes { bytes_max } => {
            typed = bytes_max.is_none();
            (Physical::BYTE_ARRAY, None)
        }
        Type::Date => (Physical::INT32, Some(LogicalType::Date)),
        Type::Time => {
            let time = TimeType {
                is_adjusted_to_u_t_c: false,
                unit,
            };
            (Physical::INT64, Some(LogicalType::Time(time)))
        }
        Type::Timestamp => (Physical::INT64, Some(zoned(false))),
        Type::Instant => (Physical::INT64, Some(zoned(true))),
        Type::Uuid => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)),
        Type::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
    };
    let built = Node::primitive_type_builder(&field.name, physical)
        .with_repetition(repetition(field))
        .with_logical_type(logical)
        .with_length(if physical == Physical::FIXED_LEN_BYTE_ARRAY {
            16
        } else {
            -1
        });
    Ok((built.build()?, typed))
}

fn repetition(field: &Field) -> Repetition {
    if field.nullable {
        Repetition::OPTIONAL
    } else {
        Repetition::REQUIRED
    }
}

fn decimal(
    field: &Field,
    digits: u8,
    scale: u8,
) -> std::result::Result<(Node, bool), ParquetError> {
    let (precision, scale) = (i32::from(digits), i32::from(scale));
    let (physical, bytes) = match digits {
        0..=9 => (Physical::INT32, -1),
        10..=18 => (Physical::INT64, -1),
        _ => (Physical::FIXED_LEN_BYTE_ARRAY, decimal_bytes(digits)),
    };
    let built = Node::primitive_type_builder(&field.name, physical)
        .with_repetition(repetition(field))
        .with_logical_type(Some(LogicalType::Decimal(DecimalType { scale, precision })))
        .with_length(bytes)
        .with_precision(precision)
        .with_scale(scale);
    Ok((built.build()?, true))
}

/// Works out the footer of a new file.
pub(super) fn footer(designed: &Schema) -> Result<Footer> {
    made(designed).map_err(|error| {
        Error::config(format!(
            "the fields cannot be columns of a Parquet file collection={}",
            designed.collection
        ))
        .hint("map the fields to others")
        .cause(error)
    })
}

fn made(designed: &Schema) -> std::result::Result<Footer, ParquetError> {
    let (mut nodes, mut typed) = (Vec::new(), Vec::new());
    for field in &designed.fields {
        let (node, says) = node(field)?;
        nodes.push(Arc::new(node));
        typed.push(says);
    }
    let root = Node::group_type_builder("schema")
        .with_fields(nodes)
        .build()?;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let entries = meta::entries(designed, |index| typed.get(index) == Some(&true));
    let names = designed.fields.iter().map(|field| field.name.clone());
    let columns = columns(&schema, &entries)?.columns;
    Ok(Footer {
        names: names.collect(),
        schema,
        columns: columns.into(),
        entries,
    })
}
