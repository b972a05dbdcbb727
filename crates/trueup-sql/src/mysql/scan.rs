//! Reads a collection: binary records inside one consistent snapshot.
//!
//! Invariant: everything read through one [`MysqlSnapshot`] is of one moment, as far as the table's engine knows
//! snapshots (a note says where it does not). No writer waits for it; what it costs the server is that old row
//! versions stay until it is dropped.

use super::decode;
use super::encode;
use super::error;
use super::quote::ident;
use super::schema::{Column, Table, described};
use super::session::{Connection, Rows};
use super::sieve::Said;
use super::types::{self, Wire};
use crate::sieve::condition;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Order, Position, Scan, ScanRequest, Snapshot};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_core::{Error, Result};

/// How often a snapshot is opened anew until nothing was written while it was.
const QUIET_ATTEMPTS_MAX: usize = 5;
/// What moves with every write, whether there is a log for replicas or not.
const WRITTEN: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN \
    ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn', 'Innodb_os_log_written', 'Innodb_rows_inserted', \
    'Innodb_rows_updated', 'Innodb_rows_deleted')";
/// The place in the log for replicas at which this very snapshot stands (MariaDB).
const LOGGED: &str = "SHOW STATUS WHERE Variable_name IN \
    ('Binlog_snapshot_file', 'Binlog_snapshot_position')";

/// A consistent view of a database.
#[derive(Debug)]
pub(super) struct MysqlSnapshot {
    connection: Connection,
    position: Position,
}

impl MysqlSnapshot {
    /// Begins the transaction and takes its position.
    pub(super) fn open(connection: Connection, identity: &str) -> Result<Self> {
        let mut position = String::new();
        for _ in 0..QUIET_ATTEMPTS_MAX {
            let before = status(&connection, WRITTEN)?;
            connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
            let logged = status(&connection, LOGGED)?;
            if !logged.is_empty() {
                position = logged;
                break;
            }
            let after = status(&connection, WRITTEN)?;
            if before == after {
                position = after;
                break;
            }
            // Somebody writes: two snapshots of this time may differ, and so must their positions.
            position = format!("{before} to {after} session={}", connection.thread());
        }
        Ok(Self {
            connection,
            position: Position(format!("{identity} {position}")),
        })
    }
}

fn status(connection: &Connection, sql: &str) -> Result<String> {
    let mut shown = Vec::new();
    for row in connection.query(sql)? {
        let (name, value) = (row.text(0)?.to_lowercase(), row.text(1)?);
        if name == "binlog_snapshot_file" && value.is_empty() {
            return Ok(String::new());
        }
        shown.push(format!("{name}={value}"));
    }
    // Where the server says how far its log goes, that is enough.
    if let Some(one) = shown.iter().find(|one| one.contains("lsn_current")) {
        return Ok(one.clone());
    }
    Ok(shown.join(" "))
}

impl Snapshot for MysqlSnapshot {
    fn position(&self) -> Position {
        self.position.clone()
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        let table = described(&self.connection, &request.schema.collection)?;
        Ok(Query::new(&table, request)?.ordered)
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        let table = described(&self.connection, &schema.collection)?;
        let sql = format!("SELECT 1 FROM {} LIMIT 1", table.sql());
        Ok(self.connection.query(&sql)?.is_empty())
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        let table = described(&self.connection, &request.schema.collection)?;
        table.agree(request.schema)?;
        let Query { sql, wires, .. } = Query::new(&table, request)?;
        let source = Source::open(&self.connection, &sql, wires)?;
        Ok(Box::new(MysqlScan {
            source,
            records_max: request.batch_records_max.max(1),
            bytes_max: request.batch_bytes_max.max(1),
        }))
    }
}

/// A query and what it delivers.
struct Query {
    sql: String,
    wires: Vec<Wire>,
    ordered: bool,
}

impl Query {
    fn new(table: &Table, request: &ScanRequest<'_>) -> Result<Self> {
        let columns = request.fields.iter().map(|&at| table.columns.get(at));
        let columns = columns
            .collect::<Option<Vec<&Column>>>()
            .ok_or_else(|| Error::bug("a scan asks for a field that the schema does not have"))?;
        let wires = columns.iter().map(|column| column.wire).collect();
        let mut query = Self {
            sql: select(&columns, table),
            wires,
            ordered: false,
        };
        let sieve = condition(request, &Said(table));
        let Order::Key(key) = request.order else {
            query.filter([sieve]);
            return Ok(query);
        };
        let keyed = key.iter().map(|&at| {
            let wanted = request.wanted.get(at).copied().unwrap_or(Type::Any);
            Some((*columns.get(at)?, wanted))
        });
        let keyed: Option<Vec<(&Column, Type)>> = keyed.collect();
        let keyed = keyed
            .ok_or_else(|| Error::bug("a scan's order names a field that it does not deliver"))?;
        let fits = |(column, wanted): &(&Column, Type)| {
            types::ordered(column.wire, column.bytewise, *wanted)
        };
        query.ordered = !keyed.is_empty() && keyed.iter().all(fits);
        if query.ordered {
            query.order(table, request, key, &keyed, sieve);
        } else {
            query.filter([sieve]);
        }
        Ok(query)
    }

    fn filter<const N: usize>(&mut self, conditions: [Option<String>; N]) {
        let mut word = "WHERE";
        for condition in conditions.into_iter().flatten() {
            self.sql.push_str(&format!(" {word} ({condition})"));
            word = "AND";
        }
    }

    fn order(
        &mut self,
        table: &Table,
        request: &ScanRequest<'_>,
        key: &[usize],
        keyed: &[(&Column, Type)],
        sieve: Option<String>,
    ) {
        let primary = key.iter().filter_map(|&at| request.fields.get(at));
        if !table.schema.key.is_empty() && primary.eq(&table.schema.key) {
            // The table lies in this order; some versions would sort it all the same.
            self.sql.push_str(" FORCE INDEX (PRIMARY)");
        }
        let bound = request.after.and_then(|after| bound(keyed, after));
        self.filter([sieve, bound]);
        let names = keyed.iter().map(|(column, _)| ident(&column.name));
        let names = names.collect::<Vec<_>>().join(", ");
        self.sql.push_str(&format!(" ORDER BY {names}"));
    }
}

/// Reads these columns of all records.
pub(super) fn select(columns: &[&Column], table: &Table) -> String {
    let list = columns.iter().map(|column| ident(&column.name));
    let list = list.collect::<Vec<_>>().join(", ");
    format!("SELECT {list} FROM {}", table.sql())
}

/// The condition of what comes after a key: `a >= 1 AND (a > 1 OR (b > 2))`. `None` where that is not easy, and the
/// caller drops the rest.
fn bound(keyed: &[(&Column, Type)], after: Record<'_>) -> Option<String> {
    let mut condition: Option<String> = None;
    if after.width() != keyed.len() {
        return None;
    }
    for (at, (column, _)) in keyed.iter().enumerate().rev() {
        let value = after.value(at);
        let plain = matches!(
            value,
            Value::Int(_) | Value::Decimal(_) | Value::Text(_) | Value::Bytes(_)
        );
        if column.nullable || !plain {
            return None;
        }
        let mut literal = String::new();
        encode::push(column, value, &mut literal).ok()?;
        let name = ident(&column.name);
        condition = Some(match condition {
            None => format!("{name} > {literal}"),
            Some(rest) => {
                format!("{name} >= {literal} AND ({name} > {literal} OR ({rest}))")
            }
        });
    }
    condition
}

/// Records being read.
pub(super) struct Source<'a> {
    rows: Rows<'a>,
    wires: Vec<Wire>,
    scratch: String,
}

impl<'a> Source<'a> {
    pub(super) fn open(connection: &'a Connection, sql: &str, wires: Vec<Wire>) -> Result<Self> {
        let rows = connection.stream(sql);
        let rows = rows.map_err(|foreign| error::translate(&foreign))?;
        if rows.columns().len() != wires.len() {
            return Err(Error::bug(
                "a query delivers another number of fields than asked for",
            ));
        }
        Ok(Self {
            rows,
            wires,
            scratch: String::new(),
        })
    }

    /// Appends the next record; `false` after the last.
    pub(super) fn next(&mut self, into: &mut Batch) -> Result<bool> {
        let Self {
            rows,
            wires,
            scratch,
        } = self;
        let read =
            rows.next(|forms, packet| decode::record(wires, forms, packet, scratch, into))?;
        Ok(read.is_some())
    }
}

struct MysqlScan<'a> {
    source: Source<'a>,
    records_max: usize,
    bytes_max: usize,
}

impl Scan for MysqlScan<'_> {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        while into.len() < self.records_max && into.bytes() < self.bytes_max {
            if !self.source.next(into)? {
                break;
            }
        }
        Ok(!into.is_empty())
    }
}
