//! Parcels: the records of a binary COPY as they are, from one server to another.
//!
//! Invariant: the form names every type in full, and is named only where each one travels as its type's own bytes, in
//! databases whose texts are UTF-8. Where a record begins and ends is read all the same, and so is what PostgreSQL can hold and
//! we cannot: the far ends of its times.

use super::connect::{Connection, column};
use super::decode::{Reader, Room, Slot};
use super::encode;
use super::error;
use super::part;
use super::scan::{CopySource, described, end_scan};
use super::schema::{Column, Table};
use super::stream::{COPY_BYTES, copy_in};
use super::types::Wire;
use bytes::Bytes;
use std::iter;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Part, ScanRequest};
use trueup_core::parcel::{Parcel, Parcels};
use trueup_core::schema::Schema;
use trueup_core::{Error, Result};

/// Names the form of `fields`, if there is one.
pub(super) fn form(
    connection: &Connection,
    table: &Table,
    fields: &[usize],
) -> Result<Option<String>> {
    let Some(columns) = columns(table, fields) else {
        return Ok(None);
    };
    let own = |column: &&Column| !matches!(column.wire, Wire::Cast | Wire::Padded | Wire::Char);
    if table.row_security || !columns.iter().all(own) {
        return Ok(None);
    }
    let encoding: String = column(
        &connection.one("SELECT current_setting('server_encoding')")?,
        0,
    )?;
    if encoding != "UTF8" {
        return Ok(None);
    }
    // What the type comes down to is named beside it: a domain may have another base, or another scale, over there.
    let natives = fields.iter().zip(&columns).filter_map(|(&at, column)| {
        let native = &table.schema.fields.get(at)?.native;
        Some(format!("{native:?} {:?} {:?}", column.wire, column.limit))
    });
    let natives: Vec<String> = natives.collect();
    Ok(Some(format!("postgres COPY binary {}", natives.join(" "))))
}

fn columns<'a>(table: &'a Table, fields: &[usize]) -> Option<Vec<&'a Column>> {
    fields.iter().map(|&at| table.columns.get(at)).collect()
}

fn slots(columns: &[&Column]) -> Vec<Slot> {
    let slot = |column: &&Column| Slot {
        name: column.name.clone(),
        wire: column.wire,
    };
    columns.iter().map(slot).collect()
}

/// A COPY being read in parcels.
pub(super) struct PostgresParcels<'a> {
    source: CopySource<'a>,
    room: Room,
}

impl<'a> PostgresParcels<'a> {
    /// Starts the COPY, in the snapshot's transaction.
    pub(super) fn open(
        connection: &'a Connection,
        request: &ScanRequest<'_>,
        part: Option<Part>,
    ) -> Result<Self> {
        let table = described(connection, &request.schema.collection)?;
        table.agree(request.schema)?;
        let columns = columns(&table, request.fields).ok_or_else(|| {
            Error::bug("parcels are asked for of a field that the schema does not have")
        })?;
        let mut sql = super::scan::select(&columns, &table);
        if let Some(part) = part {
            sql.push_str(&part::filter(part));
        }
        connection.execute("SAVEPOINT trueup_scan")?;
        let source = CopySource::open(connection, &sql, slots(&columns));
        let source = source.inspect_err(|_| end_scan(connection))?;
        let room = Room {
            records_max: request.batch_records_max.max(1),
            bytes_max: request.batch_bytes_max.max(1),
        };
        Ok(Self { source, room })
    }
}

impl Parcels for PostgresParcels<'_> {
    fn next(&mut self, into: &mut Parcel) -> Result<bool> {
        self.source.pass(into, self.room)?;
        Ok(into.records > 0)
    }
}

impl Drop for PostgresParcels<'_> {
    fn drop(&mut self) {
        self.source.end();
    }
}

/// How parcels get into a table.
#[derive(Debug)]
pub(super) struct Route {
    collection: String,
    fields: Vec<usize>,
    sql: String,
    slots: Vec<Slot>,
}

impl Route {
    pub(super) fn new(connection: &Connection, schema: &Schema, fields: &[usize]) -> Result<Self> {
        let table = described(connection, &schema.collection)?;
        table.agree(schema)?;
        let columns = columns(&table, fields)
            .ok_or_else(|| Error::bug("a parcel is for a field that the schema does not have"))?;
        Ok(Self {
            collection: schema.collection.clone(),
            fields: fields.to_vec(),
            sql: super::stage::copy_into(&table, columns.iter().map(|column| column.name.as_str())),
            slots: slots(&columns),
        })
    }

    pub(super) fn leads_to(&self, schema: &Schema, fields: &[usize]) -> bool {
        self.collection == schema.collection && self.fields == fields
    }

    /// Sends the records; `false` when the server did not take each of them as it is.
    ///
    /// # Errors
    /// Those that concern no record: the connection broke, the server has no room.
    pub(super) fn send(&self, connection: &Connection, parcel: &Parcel) -> Result<bool> {
        let (mut header, mut trailer) = (Vec::new(), Vec::new());
        encode::begin(&mut header);
        encode::end(&mut trailer);
        let mut pieces = iter::once(Bytes::from(header))
            .chain(parcel.bytes.chunks(COPY_BYTES).map(Bytes::copy_from_slice))
            .chain(iter::once(Bytes::from(trailer)));
        let mut copied = copy_in(connection, &self.sql, || Ok(pieces.next()))?;
        // What a constraint would say at the commit, it says here, where it concerns the parcel alone.
        let at_once = "SET CONSTRAINTS ALL IMMEDIATE";
        if let Ok(taken) = copied {
            let checked = connection.wait(|client| client.batch_execute(at_once))?;
            copied = checked.map(|()| taken);
        }
        match copied {
            Ok(copied) => Ok(copied == Some(parcel.records as u64)),
            Err(foreign) if error::data(&foreign).is_some() => Ok(false),
            Err(foreign) => Err(error::translate(&foreign)),
        }
    }

    /// Appends the records to `into`, as a scan would have delivered them.
    pub(super) fn open(&self, parcel: &Parcel, into: &mut Batch) -> Result<()> {
        let all = Room {
            records_max: usize::MAX,
            bytes_max: usize::MAX,
        };
        let before = into.len();
        let used = Reader::inside(self.slots.clone()).read(&parcel.bytes, into, all)?;
        if used == parcel.bytes.len() && into.len() - before == parcel.records {
            return Ok(());
        }
        Err(Error::bug(
            "a parcel does not hold the records that it is said to hold",
        ))
    }
}
