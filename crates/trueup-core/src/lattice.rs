//! The type lattice: what can go wrong between two types, said before the first value moves.
//!
//! `check` and `plan` show it; [`cast`](crate::cast) enforces it value by value. Invariant, held by a property test:
//! between an [`Exact`](Fit::Exact) pair no value is a misfit and every value casts back to an equal one; between a
//! [`Refused`](Fit::Refused) pair no value but NULL passes.
//!
//! It deliberately looks at types only. Whether NULL is allowed, whether a field is generated, and which fields meet
//! is the mapping's business.

use crate::extremes::Extremes;
use crate::schema::{Field, Holds};
use crate::types::Type;
use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

#[cfg(test)]
pub(crate) mod tests;

/// How the values of one type fit another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Every value fits, and comes back as it was.
    Exact,
    /// Some values fit, exactly; the others are parked. Says which ones fit.
    WithinRange(&'static str),
    /// Every value fits but these, which only the source can hold; they are parked.
    Without(Extremes),
    /// Values fit only by losing something. No cast does that; a conversion that does needs the user's consent, field
    /// by field.
    Lossy(&'static str),
    /// No value fits. Says why.
    Refused(&'static str),
}

impl Fit {
    /// Returns the name that `check` and `plan` show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::WithinRange(_) | Self::Without(_) => "exact within range",
            Self::Lossy(_) => "lossy",
            Self::Refused(_) => "refused",
        }
    }

    /// Returns what the reader should know beyond the name.
    pub fn note(self) -> Option<Cow<'static, str>> {
        match self {
            Self::Exact => None,
            Self::Without(extremes) => Some(extremes.note().into()),
            Self::WithinRange(note) | Self::Lossy(note) | Self::Refused(note) => Some(note.into()),
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.note() {
            Some(note) => write!(f, ": {note}"),
            None => Ok(()),
        }
    }
}

const CHECKED: &str = "values are checked one by one";
const DIGITS: &str = "numbers whose digits the type holds";
const LENGTH: &str = "values that are short enough";
const SPELLED: &str = "texts that spell a value of the type";
const NO_CAST: &str = "no value of the one type means one of the other";
const NO_ZONE: &str = "only one of the types has a time zone, and none is assumed";

/// Says how the values of `from` fit `to`. Fields of equal native type exchange values unread. An inferred type is a
/// guess about texts, so texts are what is cast.
pub fn fit(from: &Field, to: &Field) -> Fit {
    let known = |field: &Field| if field.inferred { Type::TEXT } else { field.ty };
    let alike = from.native == to.native && !narrows(from, to);
    let fit = match alike {
        true => Fit::Exact,
        false => types(known(from), known(to)),
    };
    let missing = missing(from, to, alike);
    if fit == Fit::Exact && !missing.is_none() {
        return Fit::Without(missing);
    }
    fit
}

/// Returns what the source can hold and the target cannot. Between `alike` fields values pass unread, and only one that
/// cannot be read at all does not.
fn missing(from: &Field, to: &Field, alike: bool) -> Extremes {
    if alike {
        return from.extremes & Extremes::LAST_YEARS;
    }
    let held = if from.inferred {
        Extremes::of(Type::TEXT)
    } else {
        from.extremes
    };
    let met = meet(from, to);
    // What only some engines have is read by nobody else, and passes unread or not at all.
    // What the texts of a field may be does not hang on what they are made of.
    let spelled = match met {
        Type::Text { .. } => Extremes::FREE_TEXTS,
        _ => Extremes::NONE,
    };
    ((held | spelled) & Extremes::that_matter(met)) - (to.extremes & Extremes::COMMON)
}

/// Tells whether only `from` lets values of another class stand there: those are no values of `to`.
fn narrows(from: &Field, to: &Field) -> bool {
    from.holds != Holds::Typed && to.holds == Holds::Typed
}

/// Returns the type in which the values of two fields are compared: [`Type::Any`] when both hold the same native
/// type and values pass unread; otherwise the target's, unless that is a guess or says nothing, then the source's.
pub fn meet(source: &Field, target: &Field) -> Type {
    let alike = source.native == target.native && !narrows(source, target);
    let guessed = |field: &Field, holds| field.inferred && field.holds == holds;
    if alike && !source.inferred && !target.inferred {
        Type::Any
    } else if source.ty == Type::Any && guessed(target, Holds::Spelled) {
        // A text says nothing of the class of what it spells.
        Type::TEXT
    } else if guessed(source, Holds::Marked) && source.ty == Type::Json && target.ty == Type::Any {
        // Each value of several classes stays what it is.
        Type::Any
    } else if target.ty == Type::Any || target.inferred {
        source.ty
    } else {
        target.ty
    }
}

/// Returns the type that two fields share when either may be written from the other, whichever is named first:
/// [`Type::Any`] when both hold the same native type and values pass unread; otherwise the narrower of the two, whose
/// values all fit the other exactly. Where neither is narrower any choice is right that is always the same, but a
/// text is the last to be taken: it spells values of other types in more ways than it gets back. A guess says nothing.
pub fn common(a: &Field, b: &Field) -> Type {
    if a.native == b.native && !a.inferred && !b.inferred {
        return Type::Any;
    }
    let known = |field: &Field| if field.inferred { Type::Any } else { field.ty };
    let (a, b) = (known(a), known(b));
    let rank = |ty: Type| (matches!(ty, Type::Text { .. }), ty.to_string());
    match (types(a, b) == Fit::Exact, types(b, a) == Fit::Exact) {
        (true, false) => a,
        (false, true) => b,
        _ if rank(a) <= rank(b) => a,
        _ => b,
    }
}

/// Says how the values of one type fit another.
pub fn types(from: Type, to: Type) -> Fit {
    match (from, to) {
        (_, Type::Any) => Fit::Exact,
        (Type::Any, _) => Fit::WithinRange(CHECKED),
        (Type::Text { chars_max: from }, Type::Text { chars_max: to }) => length(from, to),
        (Type::Bytes { bytes_max: from }, Type::Bytes { bytes_max: to }) => length(from, to),
        (_, Type::Text { chars_max: to }) => length(text_chars_max(from), to),
        (Type::Text { .. }, _) => Fit::WithinRange(SPELLED),
        (Type::Bool, _) => from_bool(to),
        (Type::Int { bits, signed }, _) => from_int(bits, signed, to),
        (Type::Float { bits }, _) => from_float(bits, to),
        (Type::Decimal { size }, _) => from_decimal(size, to),
        (Type::Date, Type::Timestamp) => Fit::WithinRange("dates from 290308 BC to 294247"),
        (Type::Timestamp, Type::Date) => Fit::WithinRange("timestamps at midnight"),
        (Type::Date | Type::Timestamp, Type::Instant)
        | (Type::Instant, Type::Date | Type::Timestamp) => Fit::Refused(NO_ZONE),
        (Type::Date, Type::Date)
        | (Type::Time, Type::Time)
        | (Type::Timestamp, Type::Timestamp)
        | (Type::Instant, Type::Instant)
        | (Type::Uuid, Type::Uuid)
        | (Type::Json, Type::Json) => Fit::Exact,
        (
            Type::Bytes { .. }
            | Type::Date
            | Type::Time
            | Type::Timestamp
            | Type::Instant
            | Type::Uuid
            | Type::Json,
            _,
        ) => Fit::Refused(NO_CAST),
    }
}

fn exact_if(exact: bool, note: &'static str) -> Fit {
    if exact {
        Fit::Exact
    } else {
        Fit::WithinRange(note)
    }
}

/// Compares lengths; `None` is no limit.
fn length(from: Option<u32>, to: Option<u32>) -> Fit {
    let exact = match (from, to) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(from), Some(to)) => from <= to,
    };
    exact_if(exact, LENGTH)
}

/// Returns the characters of the longest text of a type's values; `None` when there is no such limit.
fn text_chars_max(ty: Type) -> Option<u32> {
    match ty {
        Type::Bool => Some(5),
        Type::Int { bits, signed } => Some(int_digits(bits) + u32::from(signed)),
        Type::Float { .. } => Some(24),
        Type::Date => Some(16),
        Type::Time => Some(15),
        Type::Timestamp => Some(32),
        Type::Instant => Some(38),
        Type::Uuid => Some(36),
        Type::Bytes { bytes_max } => bytes_max?.checked_mul(2)?.checked_add(2),
        Type::Text { chars_max } => chars_max,
        Type::Any | Type::Decimal { .. } | Type::Json => None,
    }
}

/// Returns the digits of the largest whole number of `bits`.
fn int_digits(bits: u8) -> u32 {
    match bits {
        0..=8 => 3,
        9..=16 => 5,
        17..=24 => 8,
        25..=32 => 10,
        _ => 20,
    }
}

fn from_bool(to: Type) -> Fit {
    match to {
        Type::Bool | Type::Int { .. } => Fit::Exact,
        _ => Fit::Refused(NO_CAST),
    }
}

fn from_int(bits: u8, signed: bool, to: Type) -> Fit {
    match to {
        Type::Bool => Fit::WithinRange("the numbers 0 and 1"),
        Type::Int {
            bits: to_bits,
            signed: to_signed,
        } => {
            let exact = match (signed, to_signed) {
                (true, false) => false,
                (false, true) => bits < to_bits,
                (true, true) | (false, false) => bits <= to_bits,
            };
            exact_if(exact, "numbers in the type's range")
        }
        Type::Float { bits: float_bits } => {
            let mantissa = if float_bits == 32 { 24 } else { 53 };
            exact_if(
                bits <= mantissa,
                "whole numbers that the float holds exactly",
            )
        }
        Type::Decimal { size: None } => Fit::Exact,
        Type::Decimal {
            size: Some((precision, scale)),
        } => {
            let room = i64::from(precision) - i64::from(scale);
            exact_if(scale >= 0 && room >= i64::from(int_digits(bits)), DIGITS)
        }
        _ => Fit::Refused(NO_CAST),
    }
}

fn from_float(bits: u8, to: Type) -> Fit {
    match to {
        Type::Int { .. } => Fit::WithinRange("whole numbers in the type's range"),
        Type::Float { bits: to_bits } => exact_if(bits <= to_bits, "numbers that 32 bits hold"),
        Type::Decimal { size } => exact_if(size.is_none(), DIGITS),
        _ => Fit::Refused(NO_CAST),
    }
}

fn from_decimal(size: Option<(u16, i16)>, to: Type) -> Fit {
    match (size, to) {
        (_, Type::Int { .. }) => Fit::WithinRange("whole numbers in the type's range"),
        (_, Type::Float { .. }) => {
            Fit::WithinRange("numbers that are the shortest decimal of a float")
        }
        (_, Type::Decimal { size: None }) => Fit::Exact,
        (None, Type::Decimal { size: Some(_) }) => Fit::WithinRange(DIGITS),
        (
            Some((precision, scale)),
            Type::Decimal {
                size: Some((to_precision, to_scale)),
            },
        ) => {
            let room = i64::from(precision) - i64::from(scale);
            let to_room = i64::from(to_precision) - i64::from(to_scale);
            exact_if(scale <= to_scale && room <= to_room, DIGITS)
        }
        _ => Fit::Refused(NO_CAST),
    }
}

/// The types whose pairs the documentation shows.
const SHOWN: [Type; 19] = [
    Type::Any,
    Type::Bool,
    Type::Int {
        bits: 32,
        signed: true,
    },
    Type::INT,
    Type::Int {
        bits: 64,
        signed: false,
    },
    Type::Float { bits: 32 },
    Type::FLOAT,
    Type::DECIMAL,
    Type::Decimal {
        size: Some((10, 2)),
    },
    Type::TEXT,
    Type::Text {
        chars_max: Some(40),
    },
    Type::BYTES,
    Type::Bytes {
        bytes_max: Some(40),
    },
    Type::Date,
    Type::Time,
    Type::Timestamp,
    Type::Instant,
    Type::Uuid,
    Type::Json,
];

/// Returns a Markdown table of all pairs, for the documentation: the source's type down, the target's across; below
/// it what the numbers mean.
pub fn matrix() -> String {
    let mut notes: Vec<Fit> = Vec::new();
    let mut table = String::from("| from \\ to |");
    for to in SHOWN {
        table.push_str(&format!(" {to} |"));
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(SHOWN.len()));
    for from in SHOWN {
        table.push_str(&format!("\n| {from} |"));
        for to in SHOWN {
            table.push_str(&format!(" {} |", cell(types(from, to), &mut notes)));
        }
    }
    table.push_str("\n\n`=` exact; `r` exact within range; `l` lossy; `-` refused.\n\n");
    for (index, note) in notes.iter().enumerate() {
        writeln!(table, "{}. {note}", index + 1).expect("a String takes every character");
    }
    table
}

fn cell(fit: Fit, notes: &mut Vec<Fit>) -> String {
    let sign = match fit {
        Fit::Exact => return "=".to_owned(),
        Fit::WithinRange(_) | Fit::Without(_) => "r",
        Fit::Lossy(_) => "l",
        Fit::Refused(_) => "-",
    };
    let index = notes
        .iter()
        .position(|&known| known == fit)
        .unwrap_or_else(|| {
            notes.push(fit);
            notes.len() - 1
        });
    format!("{sign} {}", index + 1)
}
