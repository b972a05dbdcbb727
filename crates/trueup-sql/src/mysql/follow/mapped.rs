//! The columns of a table as the log has them, and which of the catalogue's they are.
//!
//! Invariant: a value is read only when the log's column and the catalogue's have been found to be the same one: by name
//! where the log has names, else by place, with as many columns as the catalogue and types that agree.

use super::charset::Charset;
use super::decimal;
use crate::mysql::decode::misfit;
use crate::mysql::schema::{Column, Table, named};
use crate::mysql::session::Connection;
use crate::mysql::types::{Limit, Wire};
use crate::mysql::wire::{Parts, broken};
use std::io;
use trueup_core::{Error, Result};

/// The protocol's numbers for types, as the log uses them.
pub(super) mod kind {
    pub(in super::super) const TINY: u8 = 1;
    pub(in super::super) const SHORT: u8 = 2;
    pub(in super::super) const LONG: u8 = 3;
    pub(in super::super) const FLOAT: u8 = 4;
    pub(in super::super) const DOUBLE: u8 = 5;
    pub(in super::super) const NULL: u8 = 6;
    pub(in super::super) const TIMESTAMP: u8 = 7;
    pub(in super::super) const LONGLONG: u8 = 8;
    pub(in super::super) const INT24: u8 = 9;
    pub(in super::super) const DATE: u8 = 10;
    pub(in super::super) const TIME: u8 = 11;
    pub(in super::super) const DATETIME: u8 = 12;
    pub(in super::super) const YEAR: u8 = 13;
    pub(in super::super) const NEWDATE: u8 = 14;
    pub(in super::super) const VARCHAR: u8 = 15;
    pub(in super::super) const BIT: u8 = 16;
    pub(in super::super) const TIMESTAMP2: u8 = 17;
    pub(in super::super) const DATETIME2: u8 = 18;
    pub(in super::super) const TIME2: u8 = 19;
    pub(in super::super) const BLOB_COMPRESSED: u8 = 140;
    pub(in super::super) const VARCHAR_COMPRESSED: u8 = 141;
    pub(in super::super) const DECIMAL: u8 = 246;
    pub(in super::super) const ENUM: u8 = 247;
    pub(in super::super) const SET: u8 = 248;
    pub(in super::super) const BLOB: u8 = 252;
    pub(in super::super) const VAR_STRING: u8 = 253;
    pub(in super::super) const STRING: u8 = 254;
    pub(in super::super) const GEOMETRY: u8 = 255;
}

/// Where the names of the columns stand behind a table's description.
const NAMES: u64 = 4;
/// The most columns a table has.
const COLUMNS_MAX: usize = 4_096;

/// In which form a column's values stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) kind: u8,
    /// Lengths, digits: it depends on the kind.
    pub(super) meta: (u8, u8),
}

impl Form {
    /// Takes a value's bytes.
    pub(super) fn take<'a>(self, parts: &mut Parts<'a>) -> io::Result<&'a [u8]> {
        let (low, high) = (usize::from(self.meta.0), usize::from(self.meta.1));
        let len = match self.kind {
            kind::TIMESTAMP2 | kind::DATETIME2 | kind::TIME2 if low > 6 => return Err(misfit()),
            kind::NULL => 0,
            kind::TINY | kind::YEAR => 1,
            kind::SHORT => 2,
            kind::INT24 | kind::DATE | kind::NEWDATE | kind::TIME => 3,
            kind::LONG | kind::FLOAT | kind::TIMESTAMP => 4,
            kind::LONGLONG | kind::DOUBLE | kind::DATETIME => 8,
            kind::TIMESTAMP2 => 4 + fraction_bytes(low),
            kind::DATETIME2 => 5 + fraction_bytes(low),
            kind::TIME2 => 3 + fraction_bytes(low),
            kind::DECIMAL => decimal::bytes(low, high).ok_or_else(misfit)?,
            kind::BIT => high + usize::from(low > 0),
            kind::ENUM | kind::SET => low,
            kind::STRING | kind::VARCHAR | kind::VAR_STRING | kind::VARCHAR_COMPRESSED => {
                let wide = if low | high << 8 > 255 { 2 } else { 1 };
                usize::try_from(parts.int(wide)?).map_err(|_| misfit())?
            }
            kind::BLOB | kind::GEOMETRY | kind::BLOB_COMPRESSED if (1..=4).contains(&low) => {
                usize::try_from(parts.int(low)?).map_err(|_| misfit())?
            }
            _ => return Err(broken("a column of the log has an unknown type")),
        };
        parts.take(len)
    }
}

/// How many bytes the digits of a second's fraction take.
pub(super) fn fraction_bytes(digits: usize) -> usize {
    digits.div_ceil(2)
}

/// A table as an event describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) forms: Vec<Form>,
    /// Empty where the log has none.
    pub(super) names: Vec<String>,
}

/// What a description begins with, and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) number: u64,
    pub(super) database: String,
    pub(super) table: String,
    pub(super) rest: &'a [u8],
}

impl<'a> Head<'a> {
    pub(super) fn read(body: &'a [u8]) -> io::Result<Self> {
        let mut parts = Parts::new(body);
        let number = parts.int(6)?;
        parts.take(2)?;
        let mut name = || {
            let len = usize::try_from(parts.int(1)?).unwrap_or(0);
            let name = String::from_utf8_lossy(parts.take(len)?).into_owned();
            parts.take(1)?;
            io::Result::Ok(name)
        };
        Ok(Self {
            number,
            database: name()?,
            table: name()?,
            rest: parts.rest(),
        })
    }
}

impl Map {
    /// Reads what comes after the names.
    pub(super) fn read(rest: &[u8]) -> io::Result<Self> {
        let mut parts = Parts::new(rest);
        let count = parts
            .length()?
            .and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|&count| count <= COLUMNS_MAX);
        let count = count.ok_or_else(|| broken("a table of the log has too many columns"))?;
        let kinds = parts.take(count)?;
        let mut metas = Parts::new(parts.bytes()?.unwrap_or_default());
        let forms = kinds.iter().map(|&kind| form(kind, &mut metas));
        let forms = forms.collect::<io::Result<Vec<Form>>>()?;
        parts.take(count.div_ceil(8))?;
        let mut names = Vec::new();
        while !parts.rest().is_empty() {
            let what = parts.int(1)?;
            let said = parts.bytes()?.unwrap_or_default();
            if what == NAMES {
                let mut said = Parts::new(said);
                while !said.rest().is_empty() {
                    let name = said.bytes()?.unwrap_or_default();
                    names.push(String::from_utf8_lossy(name).into_owned());
                }
            }
        }
        if !names.is_empty() && names.len() != count {
            return Err(broken("a table of the log has not a name for each column"));
        }
        Ok(Self { forms, names })
    }
}

fn form(number: u8, metas: &mut Parts<'_>) -> io::Result<Form> {
    let count = match number {
        kind::FLOAT | kind::DOUBLE | 245 | 249..=252 | kind::GEOMETRY => 1,
        kind::TIMESTAMP2 | kind::DATETIME2 | kind::TIME2 | kind::BLOB_COMPRESSED => 1,
        kind::VARCHAR | kind::BIT | kind::VARCHAR_COMPRESSED | 246..=248 => 2,
        kind::VAR_STRING | kind::STRING => 2,
        _ => 0,
    };
    let said = metas.take(count)?;
    let at = |at: usize| said.get(at).copied().unwrap_or(0);
    let meta = (at(0), at(1));
    Ok(match number {
        // What the first byte says is the real type, and a long one's length stands in two of its bits.
        kind::STRING if meta.0 & 0x30 == 0x30 => match meta.0 {
            kind::ENUM | kind::SET => Form {
                kind: meta.0,
                meta: (meta.1, 0),
            },
            _ => Form {
                kind: kind::STRING,
                meta: (meta.1, 0),
            },
        },
        kind::STRING => Form {
            kind: kind::STRING,
            meta: (meta.1, (meta.0 & 0x30 ^ 0x30) >> 4),
        },
        249..=251 => Form {
            kind: kind::BLOB,
            meta,
        },
        _ => Form { kind: number, meta },
    })
}

/// A column of the catalogue, with all that its values in the log take.
#[derive(Clone, Debug)]
pub(super) struct Laid {
    pub(super) column: Column,
    pub(super) unsigned: bool,
    pub(super) charset: Charset,
    /// As the catalogue spells it, to see whether it changed.
    pub(super) declared: String,
}

/// Reads how the columns of a table are laid out; `None` when the table and its columns are not the same any more.
pub(super) fn layout(connection: &Connection, table: &Table) -> Result<Option<Vec<Laid>>> {
    let sql = format!(
        "SELECT COLUMN_NAME, COLUMN_TYPE, COALESCE(CHARACTER_SET_NAME, '') \
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND {} ORDER BY ORDINAL_POSITION",
        named("TABLE_NAME", &table.schema.collection)
    );
    let rows = connection.query(&sql)?;
    if rows.len() != table.columns.len() {
        return Ok(None);
    }
    let mut laid: Vec<Laid> = Vec::new();
    for (row, column) in rows.iter().zip(&table.columns) {
        let (name, declared, charset) = (row.text(0)?, row.text(1)?, row.text(2)?);
        if name != column.name {
            return Ok(None);
        }
        if declared.contains("/*M!100301 COMPRESSED*/") {
            return Err(Error::config(format!(
                "a compressed column cannot be followed: field={}",
                name.escape_debug()
            ))
            .hint("ALTER TABLE ... MODIFY it without COMPRESSED, or leave the collection out"));
        }
        let declared = format!("{declared} {charset}");
        let known = laid
            .iter()
            .find(|known| known.declared.ends_with(&format!(" {charset}")));
        let textual = matches!(
            column.wire,
            Wire::Text | Wire::Padded | Wire::Json | Wire::Label | Wire::Labels
        );
        let read = match (known, column.wire) {
            // Labels are those of the catalogue.
            (_, Wire::Label | Wire::Labels) => Charset::Utf8,
            (Some(known), Wire::Text | Wire::Padded | Wire::Json) => known.charset.clone(),
            _ if textual => Charset::of(connection, &charset, &name)?,
            _ => Charset::Utf8,
        };
        laid.push(Laid {
            unsigned: declared.to_ascii_lowercase().contains(" unsigned"),
            column: column.clone(),
            charset: read,
            declared,
        });
    }
    Ok(Some(laid))
}

impl Laid {
    /// Whether a column of this form can be this one.
    pub(super) fn agrees(&self, form: Form) -> bool {
        let Form { kind, meta } = form;
        let Column { wire, limit, .. } = &self.column;
        match wire {
            Wire::Bool => kind == kind::TINY,
            Wire::Int => match limit {
                Limit::Bits(8, _) => kind == kind::TINY,
                Limit::Bits(16, _) => kind == kind::SHORT,
                Limit::Bits(24, _) => kind == kind::INT24,
                Limit::Bits(32, _) => kind == kind::LONG,
                _ => kind == kind::LONGLONG,
            },
            Wire::Year => kind == kind::YEAR,
            Wire::Bit => {
                let bits = usize::from(meta.0) + 8 * usize::from(meta.1);
                kind == kind::BIT
                    && matches!(limit, Limit::Bits(own, _) if usize::from(*own) == bits)
            }
            Wire::Float4 => kind == kind::FLOAT,
            Wire::Float8 => kind == kind::DOUBLE,
            Wire::Decimal => {
                let size = Limit::Digits(meta.0.into(), meta.1.into());
                kind == kind::DECIMAL && *limit == size
            }
            Wire::Text | Wire::Bytes => match limit {
                Limit::Chars(_) => kind == kind::VARCHAR,
                _ => matches!(kind, kind::BLOB | kind::VARCHAR),
            },
            Wire::Json => kind == kind::BLOB,
            Wire::Padded | Wire::Fixed | Wire::Uuid | Wire::Cast => kind == kind::STRING,
            Wire::Label => kind == kind::ENUM,
            Wire::Labels => kind == kind::SET,
            Wire::Date => matches!(kind, kind::DATE | kind::NEWDATE),
            Wire::Time => kind == kind::TIME2 || self.whole(kind, kind::TIME),
            Wire::Timestamp => kind == kind::DATETIME2 || self.whole(kind, kind::DATETIME),
            Wire::Instant => kind == kind::TIMESTAMP2 || self.whole(kind, kind::TIMESTAMP),
            Wire::Spatial => matches!(kind, kind::GEOMETRY | kind::BLOB | kind::VARCHAR),
        }
    }

    /// The old forms are known for whole seconds only.
    fn whole(&self, kind: u8, old: u8) -> bool {
        kind == old && self.column.limit == Limit::Fraction(0)
    }
}
