//! Reads a collection: binary COPY inside one read-only snapshot.
//!
//! Invariant: everything read through one [`PostgresSnapshot`] is of one moment, and the position was taken in it.
//! The snapshot takes no lock that a writer waits for; what it costs the server is that old row versions stay until
//! it is dropped.

use super::Place;
use super::connect::{Connection, column};
use super::decode::{Reader, Room, Slot};
use super::error;
use super::parcel::{self, PostgresParcels};
use super::part;
use super::quote::ident;
use super::schema::{self, Column, Table};
use super::types::{self, Wire};
use crate::hex::hex;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::pin::Pin;
use std::time::Duration;
use tokio_postgres::CopyOutStream;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Order, Part, Position, Scan, ScanRequest, Snapshot};
use trueup_core::hashes::Hashes;
use trueup_core::parcel::{Parcel, Parcels};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Kind, Result};

/// The most bytes of an unfinished record that are kept: the server's own limit for one, with room.
const CARRY_BYTES_MAX: usize = 2 << 30;

/// How long the rest of a dropped scan is read before it is cancelled.
const PATIENCE: Duration = Duration::from_millis(50);
/// Waits for a cancellation that is under way, as long as one can reasonably be.
const CANCEL_ME: &str = "SELECT pg_sleep(2)";

/// A consistent view of a database.
#[derive(Debug)]
pub(super) struct PostgresSnapshot {
    pub(super) connection: Connection,
    pub(super) position: Position,
    pub(super) place: Place,
    /// What the server calls this view, once another session was to have it too.
    pub(super) exported: Option<String>,
}

impl Snapshot for PostgresSnapshot {
    fn position(&self) -> Position {
        self.position.clone()
    }

    fn another(&mut self) -> Result<Option<Box<dyn Snapshot>>> {
        let another = self.shared()?;
        Ok(another.map(|another| -> Box<dyn Snapshot> { Box::new(another) }))
    }

    fn parts(&mut self, schema: &Schema, bytes_min: u64, parts_max: usize) -> Result<Vec<Part>> {
        let table = described(&self.connection, &schema.collection)?;
        part::parts(&self.connection, &table, bytes_min, parts_max)
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        let table = described(&self.connection, &request.schema.collection)?;
        Ok(Query::new(&table, request)?.ordered)
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        let table = described(&self.connection, &schema.collection)?;
        let sql = format!("SELECT NOT EXISTS (SELECT FROM {})", table.sql_only());
        column(&self.connection.one(&sql)?, 0)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        self.scan_where(request, None, "")
    }

    fn form(&mut self, request: &ScanRequest<'_>) -> Result<Option<String>> {
        let table = described(&self.connection, &request.schema.collection)?;
        parcel::form(&self.connection, &table, request.fields)
    }

    fn parcels<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        part: Option<Part>,
    ) -> Result<Box<dyn Parcels + 'a>> {
        let parcels = PostgresParcels::open(&self.connection, request, part)?;
        Ok(Box::new(parcels))
    }

    fn hashes(&mut self) -> Option<&mut dyn Hashes> {
        Some(self)
    }
}

impl PostgresSnapshot {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Scans what `filter` lets through, under `settings` that end with the scan.
    pub(super) fn scan_where<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        filter: Option<&str>,
        settings: &str,
    ) -> Result<Box<dyn Scan + 'a>> {
        let table = described(&self.connection, &request.schema.collection)?;
        table.agree(request.schema)?;
        let query = Query::filtered(&table, request, filter)?;
        query.set_bounds(&self.connection)?;
        let room = Room {
            records_max: request.batch_records_max.max(1),
            bytes_max: request.batch_bytes_max.max(1),
        };
        let Query { sql, slots, .. } = query;
        // What a scan does, also one that fails or is cancelled, ends with its savepoint; the snapshot goes on.
        let begun = self
            .connection
            .execute(&format!("SAVEPOINT trueup_scan; {settings}"));
        match begun.and_then(|()| CopySource::open(&self.connection, &sql, slots)) {
            Ok(source) => Ok(Box::new(PostgresScan { source, room })),
            Err(error) => {
                end_scan(&self.connection);
                Err(error)
            }
        }
    }
}

/// Finds a collection that was there a moment ago.
pub(super) fn described(connection: &Connection, collection: &str) -> Result<Table> {
    schema::describe(connection, collection)?.ok_or_else(|| {
        let name = collection.escape_debug();
        Error::config(format!("no such collection: collection={name}"))
            .hint("check its name, and that this user may use its schema")
    })
}

/// A query and what it delivers.
pub(super) struct Query {
    pub(super) sql: String,
    slots: Vec<Slot>,
    pub(super) ordered: bool,
    /// The key of the last record already read, as text for [`BOUND`].
    bounds: Vec<String>,
}

/// Where the bounds of a scan are kept: COPY takes no parameters, and values never become part of a statement.
const BOUND: &str = "trueup.bound_";

impl Query {
    pub(super) fn new(table: &Table, request: &ScanRequest<'_>) -> Result<Self> {
        Self::filtered(table, request, None)
    }

    /// As [`Query::new`], of the records that `filter` lets through.
    fn filtered(table: &Table, request: &ScanRequest<'_>, filter: Option<&str>) -> Result<Self> {
        let columns = request
            .fields
            .iter()
            .map(|&at| table.columns.get(at))
            .collect::<Option<Vec<_>>>();
        let columns = columns
            .ok_or_else(|| Error::bug("a scan asks for a field that the schema does not have"))?;
        let mut sql = select(&columns, table);
        let mut word = "WHERE";
        if let Some(filter) = filter {
            sql.push_str(&format!(" WHERE {filter}"));
            word = "AND";
        }
        let slots = columns
            .iter()
            .map(|c| Slot {
                name: c.name.clone(),
                wire: c.wire,
            })
            .collect();
        let Order::Key(key) = request.order else {
            return Ok(Self {
                sql,
                slots,
                ordered: false,
                bounds: Vec::new(),
            });
        };
        let keyed = key.iter().map(|&at| {
            Some((
                *columns.get(at)?,
                request.wanted.get(at).copied().unwrap_or(Type::Any),
            ))
        });
        let keyed: Option<Vec<(&Column, Type)>> = keyed.collect();
        let keyed = keyed
            .ok_or_else(|| Error::bug("a scan's order names a field that it does not deliver"))?;
        let ordered = !keyed.is_empty()
            && keyed
                .iter()
                .all(|(column, wanted)| types::ordered(column.wire, *wanted));
        let mut bounds = Vec::new();
        if ordered {
            let names: Vec<String> = keyed.iter().map(|(column, _)| sort_key(column)).collect();
            if let Some(found) = request.after.and_then(|after| bound(&keyed, after)) {
                let limits = keyed
                    .iter()
                    .enumerate()
                    .map(|(n, (column, _))| bound_sql(n, column));
                let limits = limits.collect::<Vec<_>>().join(", ");
                sql.push_str(&format!(" {word} ({}) > ({limits})", names.join(", ")));
                bounds = found;
            }
            sql.push_str(&order_by(&keyed, &names));
        }
        Ok(Self {
            sql,
            slots,
            ordered,
            bounds,
        })
    }

    fn set_bounds(&self, connection: &Connection) -> Result<()> {
        for (n, bound) in self.bounds.iter().enumerate() {
            connection.query(
                "SELECT set_config($1, $2, true)",
                &[&format!("{BOUND}{n}"), bound],
            )?;
        }
        Ok(())
    }
}

fn order_by(keyed: &[(&Column, Type)], names: &[String]) -> String {
    let order = keyed.iter().zip(names).map(|((column, _), name)| {
        // The canonical order has NULL first; where there is none, saying so would cost the index.
        if column.nullable {
            format!("{name} NULLS FIRST")
        } else {
            name.clone()
        }
    });
    format!(" ORDER BY {}", order.collect::<Vec<_>>().join(", "))
}

pub(super) fn select(columns: &[&Column], table: &Table) -> String {
    let list = columns
        .iter()
        .map(|column| delivered("", column))
        .collect::<Vec<_>>()
        .join(", ");
    format!("SELECT {list} FROM {}", table.sql_only())
}

/// How a column is read; `prefix` names its table.
pub(super) fn delivered(prefix: &str, column: &Column) -> String {
    let name = ident(&column.name);
    match column.wire {
        // The cast also strips the blanks that pad a char(n).
        Wire::Cast | Wire::Padded => format!("{prefix}{name}::text"),
        _ => format!("{prefix}{name}"),
    }
}

/// What a key column is sorted by.
fn sort_key(column: &Column) -> String {
    let read = delivered("", column);
    match column.wire {
        // Said only where it is not so already: some servers would not see that an index of that order fits.
        Wire::Text if column.bytewise => read,
        Wire::Text | Wire::Padded | Wire::Cast => format!("{read} COLLATE \"C\""),
        _ => read,
    }
}

fn bound_sql(n: usize, column: &Column) -> String {
    let cast = match column.wire {
        Wire::Cast | Wire::Padded => "text",
        _ => &column.cast,
    };
    format!("current_setting('{BOUND}{n}')::{cast}")
}

/// The bound as texts the server reads back exactly; `None` where that is not easy, and the caller drops the rest.
fn bound(keyed: &[(&Column, Type)], after: Record<'_>) -> Option<Vec<String>> {
    if after.width() != keyed.len() || keyed.iter().any(|(column, _)| column.nullable) {
        return None;
    }
    keyed
        .iter()
        .zip(after.values())
        .map(|((column, _), value)| bound_text(column.wire, value))
        .collect()
}

fn bound_text(wire: Wire, value: Value<'_>) -> Option<String> {
    match (wire, value) {
        (Wire::Int2 | Wire::Int4 | Wire::Int8 | Wire::Oid, Value::Int(v)) => Some(v.to_string()),
        (Wire::Numeric, Value::Decimal(v)) => Some(v.to_owned()),
        (Wire::Text | Wire::Padded | Wire::Cast, Value::Text(v)) => {
            (!v.contains('\0')).then(|| v.to_owned())
        }
        (Wire::Uuid, Value::Uuid(v)) => Some(hex(v)),
        (Wire::Bytes, Value::Bytes(v)) => Some(format!("\\x{}", hex(v))),
        _ => None,
    }
}

/// A COPY being read, record by record.
pub(super) struct CopySource<'a> {
    connection: &'a Connection,
    stream: Pin<Box<CopyOutStream>>,
    reader: Reader,
    rest: Bytes,
    /// Whether there is no more to be had; asking again is not allowed.
    done: bool,
    /// Whether the server said so, and is not sending any more.
    ended: bool,
}

impl<'a> CopySource<'a> {
    /// Starts `COPY ... TO STDOUT` of what `query` returns.
    pub(super) fn open(connection: &'a Connection, query: &str, slots: Vec<Slot>) -> Result<Self> {
        let sql = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let stream = connection.wait(|client| client.copy_out(&sql))?;
        let stream = Box::pin(stream.map_err(|foreign| error::translate(&foreign))?);
        let reader = Reader::new(slots);
        Ok(Self {
            connection,
            stream,
            reader,
            rest: Bytes::new(),
            done: false,
            ended: false,
        })
    }

    /// Appends records until there is no room, and tells whether more may come.
    pub(super) fn fill(&mut self, into: &mut Batch, room: Room) -> Result<bool> {
        self.take(|reader, input| {
            let used = reader.read(input, into, room)?;
            let full = into.len() >= room.records_max || into.bytes() >= room.bytes_max;
            Ok((used, full && !reader.is_midway()))
        })
    }

    /// As [`CopySource::fill`], unread.
    pub(super) fn pass(&mut self, into: &mut Parcel, room: Room) -> Result<bool> {
        self.take(|reader, input| {
            let used = reader.pass(input, into, room)?;
            let full = into.records >= room.records_max || into.bytes.len() >= room.bytes_max;
            Ok((used, full && !reader.is_midway()))
        })
    }

    /// Passes what arrives to `read`, which says how many bytes it used and whether it has enough.
    fn take(
        &mut self,
        read: impl FnMut(&mut Reader, &[u8]) -> Result<(usize, bool)>,
    ) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        let Self {
            connection,
            stream,
            reader,
            rest,
            ended,
            ..
        } = self;
        let more = connection.block_on(take(stream, ended, reader, rest, read));
        // After an error the stream is over, too.
        self.done = !matches!(more, Ok(true));
        more
    }
}

async fn take(
    stream: &mut Pin<Box<CopyOutStream>>,
    ended: &mut bool,
    reader: &mut Reader,
    rest: &mut Bytes,
    mut read: impl FnMut(&mut Reader, &[u8]) -> Result<(usize, bool)>,
) -> Result<bool> {
    loop {
        let (used, full) = read(reader, rest)?;
        bytes::Buf::advance(rest, used);
        if full && !reader.ended() {
            return Ok(true);
        }
        let chunk = stream.next().await;
        *ended = !matches!(chunk, Some(Ok(_)));
        match chunk {
            Some(Ok(chunk)) if reader.ended() && !chunk.is_empty() => {
                return Err(Error::corrupt(
                    "the server sends more after the end of a binary COPY",
                ));
            }
            Some(Ok(chunk)) if rest.is_empty() => *rest = chunk,
            Some(Ok(chunk)) => {
                if rest.len() + chunk.len() > CARRY_BYTES_MAX {
                    return Err(Error::corrupt(
                        "a record is longer than the server can hold",
                    ));
                }
                let mut joined = BytesMut::with_capacity(rest.len() + chunk.len());
                joined.extend_from_slice(rest);
                joined.extend_from_slice(&chunk);
                *rest = joined.freeze();
            }
            Some(Err(foreign)) => return Err(error::translate(&foreign)),
            None if reader.ended() && rest.is_empty() => return Ok(false),
            None => {
                return Err(Error::new(
                    Kind::Unavailable,
                    "the server's data ended in the middle of a record",
                )
                .hint("the connection broke; run again"));
            }
        }
    }
}

impl CopySource<'_> {
    /// Ends the scan that it is the source of.
    pub(super) fn end(&mut self) {
        self.stop();
        end_scan(self.connection);
    }

    /// Makes the server stop sending, and takes what is under way already. Without a way to cancel, everything is.
    fn stop(&mut self) {
        if self.ended || self.connection.is_closed() {
            return;
        }
        // What is nearly over is quicker read than cancelled.
        let patient = async { tokio::time::timeout(PATIENCE, drain(&mut self.stream)).await };
        let over = self.connection.block_on(patient).is_ok();
        let cancelled = !over && self.connection.cancel();
        let refused = !over && self.connection.block_on(drain(&mut self.stream));
        (self.done, self.ended) = (true, true);
        if cancelled && !refused {
            // It was sent whole before the cancellation arrived, which must not hit what comes next.
            drop(self.connection.execute(CANCEL_ME));
        }
    }
}

/// Reads and forgets the rest; tells whether the server broke it off.
async fn drain(stream: &mut Pin<Box<CopyOutStream>>) -> bool {
    loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => return true,
            None => return false,
        }
    }
}

/// Ends what a scan began. Where that fails, the next statement says so.
pub(super) fn end_scan(connection: &Connection) {
    drop(connection.execute("ROLLBACK TO trueup_scan; RELEASE trueup_scan"));
}

struct PostgresScan<'a> {
    source: CopySource<'a>,
    room: Room,
}

impl Drop for PostgresScan<'_> {
    fn drop(&mut self) {
        self.source.end();
    }
}

impl Scan for PostgresScan<'_> {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        self.source.fill(into, self.room)?;
        Ok(!into.is_empty())
    }
}
