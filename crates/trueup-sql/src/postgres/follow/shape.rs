//! What is followed of a table, and where the log's messages hold it.
//!
//! Invariant: a record is told in the fields that were asked for, with the values that a scan delivers, or not at all: a
//! table whose changes do not say which record they are about is refused before its changes are asked for.

use super::message::{Datum, Form, Old, Relation, Tuples};
use super::text::{self, Scratch, Spelling};
use crate::postgres::connect::{Connection, column};
use crate::postgres::decode::{self, BATCH_BYTES_MAX, Slot};
use crate::postgres::scan::described;
use crate::postgres::schema::Table;
use crate::postgres::types::Wire;
use trueup_core::batch::Batch;
use trueup_core::follow::Followed;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// A followed table.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) collection: String,
    pub(super) table: Table,
    fields: Vec<Field>,
    /// The key, as positions in `fields`; all of them in a bag.
    key: Vec<usize>,
    pub(super) bag: bool,
    /// Whether a field is asked for that the server generates.
    pub(super) generated: bool,
}

#[derive(Debug)]
struct Field {
    slot: Slot,
    typid: u32,
    typmod: i32,
    spelling: Spelling,
    /// Whether its binary form is one that can be read.
    binary: bool,
}

/// Where a relation's messages hold the fields of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// The column of each field.
    columns: Vec<usize>,
    /// How many columns a record has.
    width: usize,
}

/// The catalogue's columns: domains are followed to the type below them.
const COLUMNS: &str = "\
    WITH RECURSIVE base(attnum, typid) AS ( \
      SELECT attnum, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
      UNION ALL \
      SELECT b.attnum, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd') \
    SELECT a.attname::text, a.atttypid, a.atttypmod, a.attgenerated::text, \
           t.typtype = 'e' OR t.typname = 'citext', t.oid = 869, \
           t.oid NOT IN (650, 869) AND EXISTS (SELECT FROM pg_cast k \
             WHERE k.castsource = t.oid AND k.casttarget = 25 AND k.castmethod = 'f') \
    FROM pg_attribute a JOIN base b USING (attnum) JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd' \
    WHERE a.attrelid = $1 ORDER BY a.attnum";

impl Shape {
    /// Looks a collection up, and makes sure that its changes can be told.
    pub(super) fn new(
        connection: &Connection,
        wanted: &Followed<'_>,
        version: i32,
    ) -> Result<Self> {
        let table = described(connection, &wanted.schema.collection)?;
        table.agree(wanted.schema)?;
        let collection = table.schema.collection.clone();
        let rows = connection.query(COLUMNS, &[&table.oid()])?;
        let mut shape = Self {
            collection,
            fields: Vec::new(),
            key: wanted.key.to_vec(),
            bag: wanted.key.is_empty(),
            generated: false,
            table,
        };
        for &at in wanted.fields {
            let (Some(row), Some(known)) = (rows.get(at), shape.table.columns.get(at)) else {
                return Err(Error::bug(
                    "a field is followed that the schema does not have",
                ));
            };
            let slot = Slot {
                name: known.name.clone(),
                wire: known.wire,
            };
            let generated: String = column(row, 3)?;
            if !generated.is_empty() {
                shape.generated = true;
                shape.allow_generated(&slot.name, &generated, version)?;
            }
            let cast = slot.wire == Wire::Cast;
            if cast && column(row, 6)? {
                return Err(shape.refused("a type has a cast to text of its own", &slot.name));
            }
            let spelling = if column(row, 5)? {
                Spelling::Prefix
            } else {
                Spelling::Own
            };
            shape.fields.push(Field {
                binary: !cast || column(row, 4)?,
                slot,
                typid: column(row, 1)?,
                typmod: column(row, 2)?,
                spelling,
            });
        }
        if shape.bag {
            shape.key = (0..shape.fields.len()).collect();
        }
        Ok(shape)
    }

    fn allow_generated(&self, name: &str, kind: &str, version: i32) -> Result<()> {
        let why = match kind {
            "s" if version >= 180_000 => return Ok(()),
            "s" => "a generated field is not in the log before PostgreSQL 18",
            _ => "a field that is generated when it is read is not in the log",
        };
        Err(self.refused(why, name))
    }

    fn refused(&self, why: &str, field: &str) -> Error {
        Error::config(format!(
            "{why}: collection={} field={}",
            self.collection.escape_debug(),
            field.escape_debug()
        ))
        .hint("leave the field out of the mapping")
    }

    /// How many fields a record has.
    pub(super) fn width(&self) -> usize {
        self.fields.len()
    }

    /// Whether all fields can be read in their binary form.
    pub(super) fn binary(&self) -> bool {
        self.fields.iter().all(|field| field.binary)
    }

    /// The key's fields by name.
    pub(super) fn key_names(&self) -> Vec<&str> {
        let fields = self.key.iter().filter_map(|&at| self.fields.get(at));
        fields.map(|field| field.slot.name.as_str()).collect()
    }

    /// Finds the fields in a relation; `None` when it has another shape.
    pub(super) fn places(&self, relation: &Relation) -> Option<Places> {
        let known = &self.table.schema;
        let columns = &relation.columns;
        if columns
            .iter()
            .any(|one| known.index_of(&one.name).is_none())
        {
            return None;
        }
        let found = self.fields.iter().map(|field| {
            columns.iter().position(|one| {
                one.name == field.slot.name
                    && one.typid == field.typid
                    && one.typmod == field.typmod
            })
        });
        Some(Places {
            columns: found.collect::<Option<_>>()?,
            width: columns.len(),
        })
    }

    /// Whether an update kept the key.
    pub(super) fn same_key(&self, places: &Places, tuples: &Tuples, message: &[u8]) -> bool {
        self.key.iter().all(|&at| {
            let column = places.columns.get(at).copied().unwrap_or(usize::MAX);
            let (Some(old), Some(new)) = (tuples.old.get(column), tuples.new.get(column)) else {
                return false;
            };
            new.form == Form::Unchanged
                || (new.form == old.form && new.bytes(message) == old.bytes(message))
        })
    }

    /// Appends the record as it was before.
    pub(super) fn before(
        &self,
        places: &Places,
        (tuples, old): (&Tuples, Old),
        message: &[u8],
        scratch: &mut Scratch,
        into: &mut Batch,
    ) -> Result<()> {
        self.fits(places, &tuples.old)?;
        for (at, field) in self.fields.iter().enumerate() {
            let datum = datum(places, at, &tuples.old);
            // Beyond the replica identity, which is never NULL, nothing is known.
            if old == Old::Key && datum.is_some_and(|datum| datum.form == Form::Null) {
                if self.key.contains(&at) {
                    return Err(self.unnamed(field));
                }
                into.push(Value::Unchanged);
                continue;
            }
            field.push(datum, message, scratch, into)?;
        }
        Ok(())
    }

    /// Appends the record as it is now; what was not sent is taken from the record as it was, where that is known.
    pub(super) fn after(
        &self,
        places: &Places,
        (tuples, old): (&Tuples, Option<Old>),
        message: &[u8],
        scratch: &mut Scratch,
        into: &mut Batch,
    ) -> Result<()> {
        self.fits(places, &tuples.new)?;
        for (at, field) in self.fields.iter().enumerate() {
            let mut found = datum(places, at, &tuples.new);
            if found.is_some_and(|datum| datum.form == Form::Unchanged) {
                // Of a key's columns alone, a value that was too large to be sent again is not NULL.
                let before = datum(places, at, &tuples.old);
                let known = before.filter(|it| old == Some(Old::Whole) || it.form != Form::Null);
                found = known.or(found);
                if self.key.contains(&at) && known.is_none_or(|it| it.form == Form::Unchanged) {
                    return Err(self.unnamed(field));
                }
            }
            field.push(found, message, scratch, into)?;
        }
        Ok(())
    }

    fn unnamed(&self, field: &Field) -> Error {
        Error::config(format!(
            "a change does not say which record it is about: collection={} field={}",
            self.collection.escape_debug(),
            field.slot.name.escape_debug()
        ))
        .hint("ALTER TABLE ... REPLICA IDENTITY FULL makes the log say it")
    }

    fn fits(&self, places: &Places, tuple: &[Datum]) -> Result<()> {
        if tuple.len() == places.width {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "a record of the log has another number of fields than its table: collection={}",
            self.collection.escape_debug()
        ))
        .hint("the server or something between does not speak PostgreSQL's protocol"))
    }
}

fn datum(places: &Places, at: usize, tuple: &[Datum]) -> Option<Datum> {
    tuple.get(*places.columns.get(at)?).copied()
}

impl Field {
    fn push(
        &self,
        datum: Option<Datum>,
        message: &[u8],
        scratch: &mut Scratch,
        into: &mut Batch,
    ) -> Result<()> {
        let misfit = || {
            let name = self.slot.name.escape_debug();
            Error::corrupt(format!(
                "a value of the log does not fit its type: field={name}"
            ))
            .hint("the server or something between does not speak PostgreSQL's protocol")
        };
        let datum = datum.ok_or_else(misfit)?;
        let bytes = datum.bytes(message);
        if into.bytes() + bytes.len() > BATCH_BYTES_MAX {
            return Err(
                Error::corrupt("a record of the log is longer than can be held")
                    .hint("leave its largest fields out of the mapping"),
            );
        }
        match datum.form {
            Form::Null => into.push(Value::Null),
            Form::Unchanged => into.push(Value::Unchanged),
            Form::Text => text::value(self.slot.wire, self.spelling, bytes, scratch, into)
                .ok_or_else(misfit)?,
            Form::Binary if !self.binary => return Err(misfit()),
            Form::Binary => {
                let bytes = match self.slot.wire {
                    Wire::Padded => text::unpadded(bytes),
                    _ => bytes,
                };
                decode::value(&self.slot, bytes, &mut scratch.text, into)?;
            }
        }
        Ok(())
    }
}
