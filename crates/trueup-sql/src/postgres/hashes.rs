//! Hashes that the server makes of its records, so that equal ones need not be read.
//!
//! Invariant: two records that are different to us have different input to the hash. The server's own hash of a type is
//! not made for that: it only has to be equal for equal values, so that of `bigint` and of timestamps looks at 32 bits,
//! that of `numeric` not at the sign, that of `jsonb` not at where a nested array ends. Here each value goes in whole, as a
//! number of its width, as its text, or as the bytes it travels in. It deliberately uses nothing that a user would have
//! to be granted, and nothing that a server since version 12 does not have.

mod expression;

use self::expression::Hashed;
use super::connect::{Connection, column};
use super::decode::{Room, Slot};
use super::scan::{CopySource, PostgresSnapshot, described, end_scan};
use super::schema::Table;
use super::types::Wire;
use crate::hex::hex;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Scan, ScanRequest};
use trueup_core::hashes::{Bucket, Chosen, Hashes, Hashing, Offer};
use trueup_core::value::Value;
use trueup_core::{Error, Kind, Result};

/// Changes whenever the same record gets another hash, or another bucket.
const DIALECT: &str = "postgres/1";

/// What hashing and sorting may use of the server's memory before it uses its disk. The buckets, at their most, take
/// some 70 MB.
const SETTINGS: &str = "SET LOCAL work_mem = '96MB'; SET LOCAL enable_sort = off";

/// What the sort of the records that are read may use.
const SORT_SETTINGS: &str = "SET LOCAL work_mem = '32MB'";

/// Some hashes as this server makes them: another version or machine may make others.
const PROBE: &str = "SELECT current_setting('server_encoding'), concat_ws(' ', \
    hashtextextended('trueup' COLLATE \"C\", 1), hashint4extended(2, 3), hashint8extended(4, 5), \
    hashfloat8extended(6.5, 7), uuid_hash_extended('00000000-0000-0000-0000-000000000008', 9), \
    hash_array_extended(ARRAY['\\x0a'::bytea, NULL], 11), encode(numeric_send(-12.5), 'hex'), \
    encode(timestamp_send('2013-01-01'), 'hex'))";

impl Hashes for PostgresSnapshot {
    fn offer(&mut self, request: &ScanRequest<'_>) -> Result<Option<Offer>> {
        let connection = self.connection();
        let table = described(connection, &request.schema.collection)?;
        let Some(hashed) = Hashed::of(&table, request)? else {
            return Ok(None);
        };
        let Some(probe) = probe(connection)? else {
            return Ok(None);
        };
        let bytes = size(connection, &table)?;
        let dialect = format!("{DIALECT} {} probe={probe}", hashed.kinds());
        Ok(Some(Offer { dialect, bytes }))
    }

    fn fold(&mut self, request: &ScanRequest<'_>, hashing: &Hashing) -> Result<Vec<Bucket>> {
        let connection = self.connection();
        let table = described(connection, &request.schema.collection)?;
        table.agree(request.schema)?;
        let sql = sure(Hashed::of(&table, request)?)?.fold(&table, hashing);
        connection.execute("SAVEPOINT trueup_scan")?;
        let folded = connection
            .execute(SETTINGS)
            .and_then(|()| read_buckets(connection, &sql, hashing));
        end_scan(connection);
        folded
    }

    fn scan<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        hashing: &Hashing,
        chosen: &Chosen,
    ) -> Result<Box<dyn Scan + 'a>> {
        let table = described(self.connection(), &request.schema.collection)?;
        let bits = hex(chosen.bits());
        let bucket = sure(Hashed::of(&table, request)?)?.bucket(hashing.buckets);
        let filter = format!("get_bit('\\x{bits}'::bytea, {bucket}::int4) = 1");
        self.scan_where(request, Some(&filter), SORT_SETTINGS)
    }
}

fn sure(hashed: Option<Hashed<'_>>) -> Result<Hashed<'_>> {
    hashed.ok_or_else(|| Error::bug("hashes are asked for that were not offered"))
}

/// Asks for the server's encoding and for samples of its hashes; `None` where it cannot make them, or keeps texts that we
/// might not be able to read.
fn probe(connection: &Connection) -> Result<Option<String>> {
    connection.execute("SAVEPOINT trueup_scan")?;
    let row = connection.one(PROBE);
    end_scan(connection);
    let row = match row {
        Err(error) if error.kind() == Kind::Unavailable => return Err(error),
        Err(_) => return Ok(None),
        Ok(row) => row,
    };
    let (encoding, samples): (String, String) = (column(&row, 0)?, column(&row, 1)?);
    Ok((encoding == "UTF8").then_some(samples))
}

/// Asks how many bytes the table has, without what lies apart from it.
fn size(connection: &Connection, table: &Table) -> Result<u64> {
    let oid = table.oid();
    let sql = format!(
        "SELECT coalesce(sum(pg_relation_size(r.oid)), 0)::int8 \
         FROM (SELECT {oid}::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree({oid}::oid::regclass)) r"
    );
    let bytes: i64 = column(&connection.one(&sql)?, 0)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

fn read_buckets(connection: &Connection, sql: &str, hashing: &Hashing) -> Result<Vec<Bucket>> {
    let slot = |name: &str, wire| Slot {
        name: name.to_owned(),
        wire,
    };
    let slots = vec![
        slot("bucket", Wire::Int4),
        slot("count", Wire::Int4),
        slot("sum", Wire::Int8),
    ];
    let width = slots.len();
    let room = Room {
        records_max: 10_000,
        bytes_max: 1 << 20,
    };
    let mut source = CopySource::open(connection, sql, slots)?;
    let mut buckets = vec![Bucket::default(); hashing.buckets as usize];
    let mut rows = Batch::new(width);
    loop {
        rows.reset(width);
        let more = source.fill(&mut rows, room)?;
        for row in rows.records() {
            place(row, &mut buckets).ok_or_else(|| {
                Error::corrupt("the server's hashes are not what was asked for")
                    .hint("run again with --compare stream, and please report it")
            })?;
        }
        if !more {
            return Ok(buckets);
        }
    }
}

/// Puts one bucket where it belongs; `None` when there is no such one, or it came before.
fn place(row: Record<'_>, buckets: &mut [Bucket]) -> Option<()> {
    let mut numbers = row.values().map(|value| match value {
        Value::Int(v) => Some(v),
        _ => None,
    });
    let mut next = || numbers.next().flatten();
    let (at, count, sum) = (next()?, next()?, next()?);
    let slot = buckets.get_mut(usize::try_from(at).ok()?)?;
    if slot.count > 0 {
        return None;
    }
    *slot = Bucket {
        count: u64::try_from(count).ok()?,
        sum: sum.cast_unsigned(),
    };
    Some(())
}
