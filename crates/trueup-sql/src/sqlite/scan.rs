//! Reads a consistent view.
//!
//! The snapshot's connection lives on a thread of its own: SQLite's cursors borrow their connection, a scan outlives
//! the call that made it, and decoding then runs beside the reader's work. Batches come back over a channel of depth
//! [`BATCHES_AHEAD`], so a slow reader holds the scan back and memory stays bounded.

use super::connect::Place;
use super::error::translate;
use super::quote;
use super::sieve::Said;
use crate::sieve::condition;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::io::{Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Order, Position, Scan, ScanRequest, Snapshot};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How many batches a scan may be ahead of its reader.
const BATCHES_AHEAD: usize = 2;

/// Opens a read transaction on the file.
pub(super) fn snapshot(place: &Place) -> Result<Box<dyn Snapshot>> {
    let connection = place.read()?;
    begin(&connection).map_err(|cause| translate(cause, "begin a read"))?;
    let position = position(place);
    let (requests, inbox) = sync_channel(1);
    let worker = std::thread::Builder::new()
        .name("sqlite-scan".into())
        .spawn(move || serve(&connection, &inbox))
        .map_err(|cause| Error::bug("a thread could not be started").cause(cause))?;
    Ok(Box::new(SqliteSnapshot {
        position,
        requests: Some(requests),
        worker: Some(worker),
    }))
}

fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")?;
    // The transaction takes its view at the first read, not at BEGIN.
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
}

/// The header's change counter and the size of the write-ahead log: together they move with every commit.
fn position(place: &Place) -> Position {
    let counter = || -> std::io::Result<u32> {
        let mut file = std::fs::File::open(place.path())?;
        file.seek(SeekFrom::Start(24))?;
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    };
    let mut wal = place.path().as_os_str().to_owned();
    wal.push("-wal");
    let wal_bytes = std::fs::metadata(wal).map_or(0, |meta| meta.len());
    Position(format!(
        "change={} wal_bytes={wal_bytes}",
        counter().unwrap_or(0)
    ))
}

struct SqliteSnapshot {
    position: Position,
    requests: Option<SyncSender<Request>>,
    worker: Option<JoinHandle<()>>,
}

/// What the worker is asked.
enum Request {
    /// One number.
    Ask {
        sql: String,
        answer: SyncSender<Result<i64>>,
    },
    /// A scan.
    Scan(ScanTask),
}

/// A scan as the worker carries it out.
struct ScanTask {
    sql: String,
    width: usize,
    records_max: usize,
    bytes_max: usize,
    batches: SyncSender<Result<Batch>>,
}

impl SqliteSnapshot {
    fn send(&self, request: Request) -> Result<()> {
        self.requests
            .as_ref()
            .ok_or_else(gone)?
            .send(request)
            .map_err(|_| gone())
    }

    fn ask(&self, sql: String) -> Result<i64> {
        let (answer, inbox) = sync_channel(1);
        self.send(Request::Ask { sql, answer })?;
        inbox.recv().map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::bug("the scanning thread is gone")
}

impl Snapshot for SqliteSnapshot {
    fn position(&self) -> Position {
        self.position.clone()
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        let Some(probe) = order_probe(request) else {
            return Ok(false);
        };
        // BINARY compares the stored bytes, which in a UTF-16 file do not order as UTF-8 does.
        let encoding = "SELECT encoding = 'UTF-8' FROM pragma_encoding";
        Ok(self.ask(encoding.to_owned())? == 1 && self.ask(probe)? == 0)
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        let table = quote(&schema.collection);
        Ok(self.ask(format!("SELECT EXISTS (SELECT 1 FROM {table})"))? == 0)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let (batches, inbox) = sync_channel(BATCHES_AHEAD);
        self.send(Request::Scan(ScanTask {
            sql: select(request),
            width: request.fields.len(),
            records_max: request.batch_records_max.max(1),
            bytes_max: request.batch_bytes_max,
            batches,
        }))?;
        Ok(Box::new(SqliteScan { inbox }))
    }
}

impl Drop for SqliteSnapshot {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(worker) = self.worker.take() {
            // A panic there has been reported already as a scan that ended early.
            drop(worker.join());
        }
    }
}

struct SqliteScan {
    inbox: Receiver<Result<Batch>>,
}

impl Scan for SqliteScan {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        match self.inbox.recv() {
            Ok(Ok(batch)) if batch.is_empty() => Ok(false),
            Ok(Ok(batch)) => {
                *into = batch;
                Ok(true)
            }
            Ok(Err(error)) => Err(error),
            // The worker always sends an empty batch at the end: without one, the scan is not complete.
            Err(_) => Err(Error::bug("the scanning thread ended early")),
        }
    }
}

fn select(request: &ScanRequest<'_>) -> String {
    let names: Vec<String> = request
        .fields
        .iter()
        .map(|&field| quote(&request.schema.fields[field].name))
        .collect();
    let columns = if names.is_empty() {
        "NULL".to_owned()
    } else {
        names.join(", ")
    };
    let mut sql = format!(
        "SELECT {columns} FROM {}",
        quote(&request.schema.collection)
    );
    if let Some(condition) = condition(request, &Said(request.schema)) {
        sql = format!("{sql} WHERE {condition}");
    }
    if let Order::Key(key) = request.order {
        let terms: Vec<String> = key
            .iter()
            .map(|&position| format!("{} COLLATE BINARY", names[position]))
            .collect();
        sql = format!("{sql} ORDER BY {}", terms.join(", "));
    }
    sql
}

/// A query that finds a record whose key is not of the one storage class in which SQLite's order is the canonical
/// order of the wanted type; `None` when no such class exists.
fn order_probe(request: &ScanRequest<'_>) -> Option<String> {
    let Order::Key(key) = request.order else {
        return None;
    };
    let mut terms = Vec::new();
    for &position in key {
        let field = &request.schema.fields[request.fields[position]];
        let class = match (
            request.wanted.get(position).copied().unwrap_or(Type::Any),
            field.ty,
        ) {
            (Type::Int { .. }, _) | (Type::Any, Type::Int { .. }) => "integer",
            (Type::Float { .. }, _) | (Type::Any, Type::Float { .. }) => "real",
            (Type::Text { .. }, _) | (Type::Any, Type::Text { .. }) => "text",
            (Type::Bytes { .. }, _) | (Type::Any, Type::Bytes { .. }) => "blob",
            _ => return None,
        };
        terms.push(format!("typeof({}) <> '{class}'", quote(&field.name)));
    }
    Some(format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        quote(&request.schema.collection),
        terms.join(" OR ")
    ))
}

fn serve(connection: &Connection, inbox: &Receiver<Request>) {
    for request in inbox {
        // A reader that is gone needs neither answer nor end.
        match request {
            Request::Ask { sql, answer } => {
                let number = connection.query_row(&sql, [], |row| row.get(0));
                drop(answer.send(number.map_err(|cause| translate(cause, "ask"))));
            }
            Request::Scan(task) => {
                let end = match stream(connection, &task) {
                    Ok(true) => Ok(Batch::new(task.width)),
                    Ok(false) => continue,
                    Err(cause) => Err(translate(cause, "scan")),
                };
                drop(task.batches.send(end));
            }
        }
    }
}

/// Sends all batches; `false` when the reader went away.
fn stream(connection: &Connection, request: &ScanTask) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(&request.sql)?;
    let mut rows = statement.query([])?;
    let mut batch = Batch::new(request.width);
    while let Some(row) = rows.next()? {
        for column in 0..request.width {
            batch.push(value_of(row.get_ref(column)?));
        }
        if batch.len() >= request.records_max || batch.bytes() >= request.bytes_max {
            let full = std::mem::replace(&mut batch, Batch::new(request.width));
            if request.batches.send(Ok(full)).is_err() {
                return Ok(false);
            }
        }
    }
    Ok(batch.is_empty() || request.batches.send(Ok(batch)).is_ok())
}

/// Reads a stored value as it is (traps 45 and 49).
pub(super) fn value_of(stored: ValueRef<'_>) -> Value<'_> {
    match stored {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Float(v),
        ValueRef::Blob(v) => Value::Bytes(v),
        ValueRef::Text(v) => std::str::from_utf8(v).map_or(Value::InvalidText(v), Value::Text),
    }
}
