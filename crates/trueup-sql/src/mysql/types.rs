//! How the server's types meet ours.
//!
//! Invariant: a type is read in its exact binary form, or as the text the server makes of it. What a type cannot hold
//! by our own rules (a date of zeros, a time beyond a day, the number 7 in a `tinyint(1)`) is delivered as a value of
//! another class: it passes to a field of the same native type, and no cast takes it for something else.

use trueup_core::extremes::Extremes;
use trueup_core::types::Type;

/// How the values of a column are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// `tinyint(1)`.
    Bool,
    Int,
    Year,
    Bit,
    Float4,
    Float8,
    Decimal,
    Text,
    /// `char(n)`: the server strips the blanks at the end.
    Padded,
    /// `enum`.
    Label,
    /// `set`.
    Labels,
    Bytes,
    /// `binary(n)`: the server pads with zeros.
    Fixed,
    Date,
    Time,
    /// `datetime`.
    Timestamp,
    /// `timestamp`.
    Instant,
    Uuid,
    Json,
    /// Everything else that is a text to the outside.
    Cast,
    /// Shapes in the server's own bytes.
    Spatial,
}

/// What a column allows. Values beyond it are refused, because the server would round, cut or pad them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    None,
    /// At most this many characters.
    Chars(u32),
    /// At most this many bytes.
    Bytes(u32),
    /// Exactly this many bytes.
    Exactly(u32),
    /// Digits in all, and behind the point.
    Digits(u16, i16),
    /// Digits of a second's fraction.
    Fraction(u8),
    /// JSON whose numbers the server reads as 64-bit integers and doubles (MySQL's own type).
    Numbers,
    /// Bits of a whole number, and whether there are negative ones.
    Bits(u8, bool),
}

/// A type as the catalogue names it, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Native {
    /// What we call it: `varchar(10)`, `int unsigned`, `enum('a','b')`.
    pub(super) name: String,
    pub(super) wire: Wire,
    pub(super) limit: Limit,
    pub(super) ty: Type,
    /// Of `enum` and `set`.
    pub(super) labels: Vec<String>,
}

/// Takes a column's type apart as `information_schema` spells it. A type that is not known is a text, or bytes where
/// it has no character set.
pub(super) fn native(column_type: &str, is_json: bool) -> Native {
    let lower = column_type.to_ascii_lowercase();
    let base_end = lower.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let base = lower.get(..base_end.unwrap_or(lower.len())).unwrap_or("");
    let unsigned = lower.contains(" unsigned") && !matches!(base, "enum" | "set");
    let sizes = sizes(&lower);
    let (wire, limit, ty) = understood(base, &sizes, unsigned, is_json);
    let (mut name, mut labels) = (base.to_owned(), Vec::new());
    match wire {
        Wire::Label | Wire::Labels => {
            name = column_type.to_owned();
            labels = parse_labels(column_type).unwrap_or_default();
        }
        Wire::Json => "json".clone_into(&mut name),
        Wire::Bool => name.push_str("(1)"),
        // The display width means nothing, and newer servers do not show it.
        Wire::Int | Wire::Year => {}
        _ if !sizes.is_empty() => {
            let list: Vec<String> = sizes.iter().map(u32::to_string).collect();
            name.push_str(&format!("({})", list.join(",")));
        }
        _ => {}
    }
    if unsigned {
        name.push_str(" unsigned");
    }
    Native {
        name,
        wire,
        limit,
        ty,
        labels,
    }
}

/// The numbers in parentheses.
fn sizes(lower: &str) -> Vec<u32> {
    let inner = lower
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let numbers = inner.map(|(inner, _)| inner.split(',').map(|text| text.trim().parse().ok()));
    numbers
        .and_then(Iterator::collect::<Option<Vec<u32>>>)
        .unwrap_or_default()
}

fn understood(base: &str, sizes: &[u32], unsigned: bool, is_json: bool) -> (Wire, Limit, Type) {
    let first = sizes.first().copied();
    let int = |bits| {
        let signed = !unsigned;
        let ty = Type::Int { bits, signed };
        (Wire::Int, Limit::Bits(bits, signed), ty)
    };
    let chars = |wire, n: u32| (wire, Limit::Chars(n), Type::Text { chars_max: Some(n) });
    let text = |n: u32| {
        (
            Wire::Text,
            Limit::Bytes(n),
            Type::Text { chars_max: Some(n) },
        )
    };
    let bytes = |wire, limit, n: u32| (wire, limit, Type::Bytes { bytes_max: Some(n) });
    let blob = |n| bytes(Wire::Bytes, Limit::Bytes(n), n);
    let fraction = Limit::Fraction(first.and_then(|n| u8::try_from(n).ok()).unwrap_or(0));
    match base {
        "tinyint" if first == Some(1) && !unsigned => {
            (Wire::Bool, Limit::Bits(8, true), Type::Bool)
        }
        "tinyint" => int(8),
        "smallint" => int(16),
        "mediumint" => int(24),
        "int" => int(32),
        "bigint" => int(64),
        "year" => (
            Wire::Year,
            Limit::None,
            Type::Int {
                bits: 16,
                signed: false,
            },
        ),
        "bit" => bit(first.unwrap_or(1)),
        "float" => (Wire::Float4, fixed(sizes), Type::Float { bits: 32 }),
        "double" => (Wire::Float8, fixed(sizes), Type::FLOAT),
        "decimal" => decimal(sizes),
        "char" => chars(Wire::Padded, first.unwrap_or(1)),
        "varchar" => chars(Wire::Text, first.unwrap_or(0)),
        "json" => (Wire::Json, Limit::Numbers, Type::Json),
        "longtext" if is_json => (Wire::Json, Limit::None, Type::Json),
        "tinytext" => text(255),
        "text" => text(65_535),
        "mediumtext" => text(16_777_215),
        "longtext" => (Wire::Text, Limit::None, Type::TEXT),
        "enum" => (Wire::Label, Limit::None, Type::TEXT),
        "set" => (Wire::Labels, Limit::None, Type::TEXT),
        "binary" => {
            let n = first.unwrap_or(1);
            bytes(Wire::Fixed, Limit::Exactly(n), n)
        }
        "varbinary" => blob(first.unwrap_or(0)),
        "tinyblob" => blob(255),
        "blob" => blob(65_535),
        "mediumblob" => blob(16_777_215),
        "longblob" => (Wire::Bytes, Limit::None, Type::BYTES),
        "date" => (Wire::Date, Limit::None, Type::Date),
        "time" => (Wire::Time, fraction, Type::Time),
        "datetime" => (Wire::Timestamp, fraction, Type::Timestamp),
        "timestamp" => (Wire::Instant, fraction, Type::Instant),
        "uuid" => (Wire::Uuid, Limit::None, Type::Uuid),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" | "vector" => {
            (Wire::Spatial, Limit::None, Type::BYTES)
        }
        _ => (Wire::Cast, Limit::None, Type::TEXT),
    }
}

fn bit(bits: u32) -> (Wire, Limit, Type) {
    let bits = u8::try_from(bits).unwrap_or(64);
    let room = match bits {
        0..=8 => 8,
        9..=16 => 16,
        17..=24 => 24,
        25..=32 => 32,
        _ => 64,
    };
    let ty = Type::Int {
        bits: room,
        signed: false,
    };
    (Wire::Bit, Limit::Bits(bits, false), ty)
}

/// Of `float(m,d)`, which rounds.
fn fixed(sizes: &[u32]) -> Limit {
    match sizes {
        [digits, scale] => Limit::Digits(
            u16::try_from(*digits).unwrap_or(u16::MAX),
            i16::try_from(*scale).unwrap_or(i16::MAX),
        ),
        _ => Limit::None,
    }
}

fn decimal(sizes: &[u32]) -> (Wire, Limit, Type) {
    let digits = sizes.first().and_then(|n| u16::try_from(*n).ok());
    let scale = sizes.get(1).and_then(|n| i16::try_from(*n).ok());
    let size = (digits.unwrap_or(10), scale.unwrap_or(0));
    let ty = Type::Decimal { size: Some(size) };
    (Wire::Decimal, Limit::Digits(size.0, size.1), ty)
}

/// Reads the labels of `enum('a','it''s')`; `None` when the text is not exactly that.
pub(super) fn parse_labels(column_type: &str) -> Option<Vec<String>> {
    let (_, rest) = column_type.split_once('(')?;
    let mut rest = rest.strip_suffix(')')?;
    let mut labels = Vec::new();
    loop {
        rest = rest.strip_prefix('\'')?;
        let mut label = String::new();
        loop {
            let (at, _) = rest.char_indices().find(|(_, c)| *c == '\'')?;
            label.push_str(rest.get(..at)?);
            rest = rest.get(at + 1..)?;
            match rest.strip_prefix('\'') {
                Some(after) => {
                    label.push('\'');
                    rest = after;
                }
                None => break,
            }
        }
        labels.push(label);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(labels),
            None => return None,
        }
    }
}

/// Whether a type may stand in a statement as it is named: a word the server knows, numbers, and nothing else.
pub(super) fn is_known(name: &str, mariadb: bool) -> bool {
    let parsed = native(name, name == "json");
    if parsed.name != name {
        return false;
    }
    match parsed.wire {
        Wire::Label | Wire::Labels => {
            let labels = parse_labels(name).unwrap_or_default();
            let head = name.starts_with("enum(") || name.starts_with("set(");
            head && !labels.is_empty() && !name.contains('\\')
        }
        Wire::Uuid => mariadb,
        Wire::Cast => mariadb && matches!(name, "inet4" | "inet6"),
        Wire::Spatial => !name.starts_with("vector"),
        _ => true,
    }
}

/// Whether ordering a key by the server's own order is ordering by the canonical encoding, once the values have been
/// cast to `wanted`. A text is where its collation goes by the bytes.
pub(super) fn ordered(wire: Wire, bytewise: bool, wanted: Type) -> bool {
    match wire {
        Wire::Int | Wire::Year | Wire::Bit => {
            matches!(wanted, Type::Int { .. } | Type::Decimal { .. } | Type::Any)
        }
        Wire::Float4 | Wire::Float8 => matches!(wanted, Type::Float { .. } | Type::Any),
        Wire::Decimal => matches!(wanted, Type::Decimal { .. } | Type::Any),
        Wire::Text | Wire::Padded => bytewise && matches!(wanted, Type::Text { .. } | Type::Any),
        Wire::Bytes | Wire::Fixed => matches!(wanted, Type::Bytes { .. } | Type::Any),
        // Dates of zeros and times beyond a day are values of another class, which sort elsewhere; cast, they fit not
        // at all.
        Wire::Date => wanted == Type::Date,
        Wire::Time => wanted == Type::Time,
        Wire::Timestamp => wanted == Type::Timestamp,
        Wire::Instant => wanted == Type::Instant,
        Wire::Bool
        | Wire::Label
        | Wire::Labels
        | Wire::Uuid
        | Wire::Json
        | Wire::Cast
        | Wire::Spatial => false,
    }
}

/// Whether a collation orders and compares by the bytes of the text in UTF-8, blanks at the end included.
pub(super) fn is_bytewise(collation: &str) -> bool {
    matches!(
        collation,
        "utf8mb4_nopad_bin"
            | "utf8mb3_nopad_bin"
            | "utf8_nopad_bin"
            | "ascii_nopad_bin"
            | "utf8mb4_0900_bin"
    )
}

/// Which of the values at the ends of its type a column can hold.
pub(super) fn extremes(native: &Native) -> Extremes {
    let common = Extremes::of(native.ty);
    match native.wire {
        Wire::Bool => Extremes::OTHER_TRUTHS,
        Wire::Date | Wire::Timestamp | Wire::Instant => Extremes::NO_DAYS,
        Wire::Time => Extremes::SPANS,
        Wire::Json => common | Extremes::ODD_JSON,
        Wire::Text | Wire::Padded | Wire::Bytes | Wire::Fixed => common,
        // Labels and addresses, and numbers that are all finite.
        Wire::Label
        | Wire::Labels
        | Wire::Cast
        | Wire::Int
        | Wire::Year
        | Wire::Bit
        | Wire::Float4
        | Wire::Float8
        | Wire::Decimal
        | Wire::Uuid
        | Wire::Spatial => Extremes::NONE,
    }
}
