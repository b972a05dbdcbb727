//! What a value is, as its engine's own client prints it: the second opinion.
//!
//! It deliberately uses nothing of the tool.

use std::fmt;

/// What the values of a table mean, so that two engines' spellings can be held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Equal numbers are equal however they are spelled.
    Number,
    /// Bit for bit, but that both zeros are equal and there is one NaN.
    Float,
    /// The same of 32 bits.
    Narrow,
    Text,
    Bytes,
    Bool,
    Date,
    Time,
    /// A date and time, with a zone or without.
    Moment,
    Uuid,
    /// The same tree; numbers are equal however they are spelled.
    Json,
    /// Each value says its own class (SQLite); elsewhere it is a text.
    Any,
}

/// A value as a client prints it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(Vec<u8>),
    /// Printed by a client that tells bytes from texts.
    Bytes(Vec<u8>),
    /// Likewise a number.
    Number(String),
    /// A value of a file of JSON.
    Json(Json),
}

impl fmt::Debug for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("NULL"),
            Self::Text(bytes) => write!(out, "text {:.80?}", String::from_utf8_lossy(bytes)),
            Self::Bytes(bytes) => write!(out, "bytes {:.80}", hex(bytes)),
            Self::Number(text) => write!(out, "number {text}"),
            Self::Json(tree) => write!(out, "json {:.80}", tree.normal()),
        }
    }
}

/// Tells whether two clients print the same value. Where no other engine lay on the way, also the class of each is the same.
pub(super) fn same(kind: Kind, one: &Cell, other: &Cell, classes: bool) -> bool {
    match (one, other) {
        _ if classes && kind == Kind::Any => one == other,
        // What CSV made a text stays one.
        (Cell::Json(_), Cell::Json(Json::Text(text))) if kind == Kind::Json && one != other => {
            normal(kind, one) == normal(kind, &Cell::Text(text.clone().into_bytes()))
        }
        (Cell::Null, Cell::Null) => true,
        (Cell::Null, _) | (_, Cell::Null) => false,
        _ => normal(kind, one) == normal(kind, other),
    }
}

fn normal(kind: Kind, cell: &Cell) -> String {
    if let (Kind::Json, Cell::Json(tree)) = (kind, cell) {
        return tree.normal();
    }
    let text = match cell {
        Cell::Null => unreachable!("told apart before"),
        Cell::Bytes(bytes) => return format!("\\x{}", hex(bytes)),
        Cell::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return format!("not UTF-8: {}", hex(bytes)),
        },
        Cell::Number(text) if kind == Kind::Any => number(text),
        Cell::Number(text) | Cell::Json(Json::Number(text) | Json::Text(text)) => text.clone(),
        Cell::Json(tree) => tree.normal(),
    };
    match kind {
        Kind::Number => number(&text),
        Kind::Float => float(&text, |text| text.parse::<f64>().map(f64::to_bits).ok()),
        Kind::Narrow => float(&text, |text| {
            text.parse::<f32>().map(|v| u64::from(v.to_bits())).ok()
        }),
        Kind::Any if text.parse::<f64>().is_ok() => number(&text),
        Kind::Text | Kind::Date | Kind::Any => text,
        Kind::Bytes => text.to_lowercase(),
        Kind::Bool => match text.as_str() {
            "t" | "true" | "1" => "true".to_owned(),
            "f" | "false" | "0" => "false".to_owned(),
            other => format!("no bool: {other}"),
        },
        Kind::Time => fraction(&text),
        Kind::Moment => moment(&text),
        Kind::Uuid => text.to_lowercase(),
        Kind::Json => match Json::read(&text) {
            Some(tree) => tree.normal(),
            None => format!("no JSON: {text}"),
        },
    }
}

/// A number's digits without those that say nothing, and where the point stands.
pub(super) fn number(text: &str) -> String {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i64>() else {
        return text.to_owned();
    };
    let digits = format!("{whole}{behind}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_lowercase();
    }
    let kept = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - kept.len()).unwrap();
    let power = exponent - i64::try_from(behind.len()).unwrap() + zeros;
    match kept.trim_start_matches('0') {
        "" => "0".to_owned(),
        kept => format!("{}{kept}e{power}", if negative { "-" } else { "" }),
    }
}

fn float(text: &str, bits: impl Fn(&str) -> Option<u64>) -> String {
    match number(text).as_str() {
        "0" => "0".to_owned(),
        "nan" => "nan".to_owned(),
        _ => bits(text).map_or_else(|| format!("no float: {text}"), |bits| bits.to_string()),
    }
}

/// Without zeros at the end of a second's fraction.
fn fraction(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

fn moment(text: &str) -> String {
    let (text, era) = match text.strip_suffix(" BC") {
        Some(text) => (text, " BC"),
        None => (text, ""),
    };
    if let Some((text, minutes)) = zoned(text) {
        return format!("{}{era}", shifted(&text.replace('T', " "), minutes));
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let text = text.strip_suffix("+00").unwrap_or(text);
    format!("{}{era}", fraction(&text.replace('T', " ")))
}

/// Takes `+02:00` off the end, as minutes.
fn zoned(text: &str) -> Option<(&str, i64)> {
    let (text, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
    Some((text, sign * minutes))
}

/// A moment so many minutes ahead of UTC, in UTC. A zone without a difference leaves a year that it does not know alone.
fn shifted(text: &str, minutes: i64) -> String {
    let read = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let parts = (
        read(0, 4),
        read(5, 7),
        read(8, 10),
        read(11, 13),
        read(14, 16),
    );
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute)) = parts else {
        return fraction(text);
    };
    if minutes == 0 {
        return fraction(text);
    }
    let total = hour * 60 + minute - minutes;
    let (hour, minute) = (total.rem_euclid(1440) / 60, total.rem_euclid(60));
    let (year, month, day) = match total.div_euclid(1440) {
        0 => (year, month, day),
        -1 if day > 1 => (year, month, day - 1),
        -1 if month > 1 => (year, month - 1, last_day(year, month - 1)),
        -1 => (year - 1, 12, 31),
        1 if day < last_day(year, month) => (year, month, day + 1),
        1 if month < 12 => (year, month + 1, 1),
        _ => (year + 1, 1, 1),
    };
    let rest = &text[16..];
    fraction(&format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}{rest}"
    ))
}

fn last_day(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A tree of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Word(String),
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads a whole text.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let tree = Self::tree(&mut rest)?;
        rest.is_empty().then_some(tree)
    }

    fn tree(rest: &mut &str) -> Option<Self> {
        let tree = match rest.chars().next()? {
            '{' => Self::Object(Self::members(rest)?),
            '[' => {
                let mut list = Vec::new();
                *rest = rest[1..].trim_start();
                while !rest.starts_with(']') {
                    list.push(Self::tree(rest)?);
                    *rest = rest.strip_prefix(',').map_or(*rest, str::trim_start);
                }
                *rest = &rest[1..];
                Self::List(list)
            }
            '"' => Self::Text(Self::text(rest)?),
            _ => {
                let end =
                    rest.find(|c: char| c == ',' || c == ']' || c == '}' || c.is_whitespace());
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                *rest = after;
                match word {
                    "" => return None,
                    "true" | "false" | "null" => Self::Word(word.to_owned()),
                    _ => Self::Number(word.to_owned()),
                }
            }
        };
        *rest = rest.trim_start();
        Some(tree)
    }

    fn members(rest: &mut &str) -> Option<Vec<(String, Self)>> {
        let mut members = Vec::new();
        *rest = rest[1..].trim_start();
        while !rest.starts_with('}') {
            let name = Self::text(rest)?;
            *rest = rest.trim_start().strip_prefix(':')?.trim_start();
            members.push((name, Self::tree(rest)?));
            *rest = rest.strip_prefix(',').map_or(*rest, str::trim_start);
        }
        *rest = &rest[1..];
        Some(members)
    }

    fn text(rest: &mut &str) -> Option<String> {
        let mut end = 1;
        let bytes = rest.as_bytes();
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let (text, after) = rest.split_at(end + 1);
        *rest = after;
        serde_json::from_str(text).ok()
    }

    fn normal(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Number(text) => number(text),
            Self::Text(text) => format!("{text:?}"),
            Self::List(list) => {
                let list: Vec<String> = list.iter().map(Self::normal).collect();
                format!("[{}]", list.join(","))
            }
            Self::Object(members) => {
                let normal = |(name, tree): &(String, Self)| format!("{name:?}:{}", tree.normal());
                let mut members: Vec<String> = members.iter().map(normal).collect();
                members.sort();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}
