//! Writes said as SQL, for the `sqlite3` program.
//!
//! Invariant: each literal is stored as the very value that a bound parameter would be. Two things keep it from being
//! plain: how a decimal is read as a double differs between versions, so a double of many digits is said as a product
//! of numbers that every version reads exactly; and the program drops carriage returns at ends of lines, so control
//! characters are said by their numbers.

use super::bind::{affinity_of, bind};
use super::quote;
use crate::hex::hex;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::fmt::Write as _;
use trueup_core::endpoint::Op;
use trueup_core::script::{Script, Statement};
use trueup_core::{Error, Kind, Result};

/// So many pieces of text are joined at most: the depth of an expression has a limit.
const PIECES_MAX: usize = 100;

/// Doubles below this many digits are read exactly by every version.
const PLAIN_DIGITS_MAX: usize = 15;

/// 2^52: as a double it is read exactly, and multiplying by it is exact.
const STEP: &str = "4503599627370496.0";
const STEP_BITS: i32 = 52;

#[derive(Debug)]
pub(super) struct SqliteScript;

impl Script for SqliteScript {
    fn begin(&self) -> String {
        "-- run it with: sqlite3 -bail FILE < SCRIPT\n\
         BEGIN IMMEDIATE;\n\
         PRAGMA defer_foreign_keys = ON;\n"
            .to_owned()
    }

    fn comment(&self, text: &str) -> String {
        let text = text.replace(char::is_control, " ");
        format!("-- {text}\n")
    }

    fn statement(&self, write: &Statement<'_>) -> Result<String> {
        let table = quote(&write.schema.collection);
        let all = 0..write.fields.len();
        Ok(match write.op {
            Op::Insert => {
                let names: Vec<String> = all.clone().map(|at| name(write, at)).collect();
                let values: Result<Vec<String>> = all.map(|at| literal(write, at)).collect();
                format!(
                    "INSERT OR ABORT INTO {table} ({}) VALUES ({});\n",
                    names.join(", "),
                    values?.join(", ")
                )
            }
            Op::Update => {
                let sets = write.changed.iter();
                let sets: Result<Vec<String>> = sets
                    .map(|&at| Ok(format!("{} = {}", name(write, at), literal(write, at)?)))
                    .collect();
                let sets = sets?.join(", ");
                format!(
                    "UPDATE OR ABORT {table} SET {sets} WHERE {};\n",
                    key_is(write)?
                )
            }
            Op::Delete => format!("DELETE FROM {table} WHERE {};\n", key_is(write)?),
        })
    }

    fn end(&self) -> String {
        "COMMIT;\n".to_owned()
    }
}

fn name(write: &Statement<'_>, at: usize) -> String {
    quote(&write.schema.fields[write.fields[at]].name)
}

/// As the writer finds a record: by its index, and by its bytes.
fn key_is(write: &Statement<'_>) -> Result<String> {
    let terms = write.key.iter().map(|&at| {
        let (name, literal) = (name(write, at), literal(write, at)?);
        // A collation is about texts.
        Ok(if literal.contains('\'') {
            format!("{name} IS {literal} AND {name} COLLATE BINARY IS {literal}")
        } else {
            format!("{name} IS {literal}")
        })
    });
    Ok(terms.collect::<Result<Vec<String>>>()?.join(" AND "))
}

fn literal(write: &Statement<'_>, at: usize) -> Result<String> {
    let field = &write.schema.fields[write.fields[at]];
    let mut text = String::new();
    let stored = match bind(write.record.value(at), affinity_of(field), &mut text) {
        Ok(ToSqlOutput::Borrowed(stored)) => stored,
        Ok(_) => return Err(Error::bug("a bound value is not borrowed")),
        Err(reason) => {
            let (collection, field) = (&write.schema.collection, &field.name);
            return Err(Error::new(
                Kind::Rejected,
                format!("collection={collection} field={field}: {reason}"),
            )
            .hint(
                "no script can say this record; change the mapping, or let trueup sync park it",
            ));
        }
    };
    Ok(match stored {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => real(number),
        ValueRef::Blob(bytes) => format!("x'{}'", hex(bytes)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => said(text),
            Err(_) => cast(bytes),
        },
    })
}

fn said(text: &str) -> String {
    let awkward = |ch: char| ch.is_control() && ch != '\n' && ch != '\t';
    if text.matches(awkward).count() * 2 > PIECES_MAX {
        return cast(text.as_bytes());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(awkward) {
        let (plain, tail) = rest.split_at(at);
        let mut chars = tail.chars();
        let number = chars.next().map_or(0, u32::from);
        write!(out, "{} || char({number}) || ", quoted(plain)).expect("a String takes all");
        rest = chars.as_str();
    }
    out.push_str(&quoted(rest));
    if out.len() > rest.len() + 2 && out.contains(" || char(") {
        out = format!("({out})");
    }
    out
}

/// Says a text.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn cast(bytes: &[u8]) -> String {
    format!("CAST(x'{}' AS TEXT)", hex(bytes))
}

/// Says a double. NaN does not come here: it cannot be stored.
fn real(number: f64) -> String {
    if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        return format!("{sign}9.0e999");
    }
    let plain = format!("{number:?}");
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    if !plain.contains('e') && digits <= PLAIN_DIGITS_MAX {
        return plain;
    }
    let bits = number.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, mut power) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction | 1 << 52, exponent - 1075),
    };
    let sign = if number.is_sign_negative() { "-" } else { "" };
    // Below 2^53, so it has at most 16 digits and is exact, also where the reader only knows 64-bit integers.
    let mut out = format!("({sign}CAST({mantissa} AS REAL)");
    let operator = if power < 0 { '/' } else { '*' };
    while power.abs() >= STEP_BITS {
        write!(out, " {operator} {STEP}").expect("a String takes all");
        power -= STEP_BITS * power.signum();
    }
    let rest = 1_u64 << power.unsigned_abs();
    if rest > 1 {
        write!(out, " {operator} {rest}.0").expect("a String takes all");
    }
    out.push(')');
    out
}

#[cfg(test)]
mod tests;
