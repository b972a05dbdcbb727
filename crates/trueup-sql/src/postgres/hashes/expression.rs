//! The expressions that hash a record and deal it out.
//!
//! Invariant: the hash of a record is no sum of hashes of its values. If it were, two records that exchange a value would
//! have the same sum as before, and they may share a bucket. So each value goes into the next one's seed, and the last step
//! always mixes. It deliberately does not use the server's hash of a whole record, which is such a sum.

use super::super::quote::ident;
use super::super::scan::delivered;
use super::super::schema::{Column, Table};
use super::super::types::Wire;
use trueup_core::endpoint::{Order, ScanRequest};
use trueup_core::hashes::Hashing;
use trueup_core::{Error, Result};

/// So many records with neighbouring whole numbers as keys share a bucket: 2 to the power of this. They mostly lie
/// together, and the server then finds the bucket where it was a moment ago.
const BLOCK_BITS: u32 = 3;

/// From here on a timestamp is beyond what a scan delivers, or soon.
const TOO_LATE: &str = "294247-01-01";

/// How a column's values go into a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Bool,
    Int4,
    Int8,
    Float,
    /// Its text.
    Text,
    Date,
    Uuid,
    /// The bytes it travels in, which this function makes; `None` where it is bytes.
    Sent(Option<&'static str>),
}

impl Input {
    /// Finds out how; `None` where a scan may refuse a value that the server is content with.
    fn of(wire: Wire) -> Option<Self> {
        Some(match wire {
            Wire::Bool => Self::Bool,
            Wire::Int2 | Wire::Int4 => Self::Int4,
            Wire::Int8 | Wire::Oid => Self::Int8,
            Wire::Float4 | Wire::Float8 => Self::Float,
            // The server's texts of one JSON value differ more often than ours do; never the other way round.
            Wire::Text | Wire::Padded | Wire::Cast | Wire::Json | Wire::Jsonb => Self::Text,
            Wire::Date => Self::Date,
            Wire::Uuid => Self::Uuid,
            Wire::Bytes => Self::Sent(None),
            Wire::Numeric => Self::Sent(Some("numeric_send")),
            Wire::Time => Self::Sent(Some("time_send")),
            Wire::Timestamp => Self::Sent(Some("timestamp_send")),
            Wire::Instant => Self::Sent(Some("timestamptz_send")),
            Wire::Char => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float => "float8",
            Self::Text => "text",
            Self::Date => "date",
            Self::Uuid => "uuid",
            Self::Sent(None) => "bytea",
            Self::Sent(Some(function)) => function,
        }
    }
}

/// The fields of a request, and how each is hashed.
pub(super) struct Hashed<'t> {
    fields: Vec<(&'t Column, Input)>,
    key: Vec<usize>,
}

impl<'t> Hashed<'t> {
    /// Finds out how the fields of `request` are hashed; `None` where one of them cannot be.
    pub(super) fn of(table: &'t Table, request: &ScanRequest<'_>) -> Result<Option<Self>> {
        let unknown =
            || Error::bug("hashes are asked for of a field that the schema does not have");
        let Order::Key(key) = request.order else {
            return Err(Error::bug("hashes are asked for without a key"));
        };
        let mut fields = Vec::new();
        for &at in request.fields {
            let column = table.columns.get(at).ok_or_else(unknown)?;
            let Some(input) = Input::of(column.wire) else {
                return Ok(None);
            };
            fields.push((column, input));
        }
        if key.is_empty() || key.iter().any(|&at| at >= fields.len()) {
            return Err(unknown());
        }
        let key = key.to_vec();
        Ok(Some(Self { fields, key }))
    }

    /// Says how the fields are hashed, and which of them are the key.
    pub(super) fn kinds(&self) -> String {
        let names = self.fields.iter().map(|(_, input)| input.name());
        let key = self.key.iter().map(usize::to_string);
        format!(
            "block={BLOCK_BITS} key={} fields={}",
            key.collect::<Vec<_>>().join(","),
            names.collect::<Vec<_>>().join(",")
        )
    }

    /// The query for every bucket's number, count and sum.
    ///
    /// The inner query stays one of its own (that is what `OFFSET 0` is for): each hash is computed once, and the server
    /// does not believe that there are as many buckets as records, and sorts them.
    pub(super) fn fold(&self, table: &Table, hashing: &Hashing) -> String {
        format!(
            "SELECT bucket::int4, count(*)::int4, (sum((hash >> 32)::int4) << 32) # sum(hashint8(hash)) \
             FROM (SELECT {} AS bucket, {} AS hash FROM {} OFFSET 0) AS hashed GROUP BY bucket",
            self.bucket(hashing.buckets),
            self.record(hashing),
            table.sql_only()
        )
    }

    /// The number of a record's bucket.
    pub(super) fn bucket(&self, buckets: u32) -> String {
        let mut dealt = "0".to_owned();
        let last = self.key.last().copied();
        for &at in &self.key {
            let Some(&(column, input)) = self.fields.get(at) else {
                continue;
            };
            let seed = format!("{dealt}::int8");
            let name = ident(&column.name);
            let hash = match input {
                Input::Int4 | Input::Int8 if Some(at) == last => {
                    format!("hashint8extended({name}::int8 >> {BLOCK_BITS}, {seed})")
                }
                // Here 1.0 and 1.00 have to be one value.
                Input::Sent(Some("numeric_send")) => {
                    format!("hash_numeric_extended({name}, {seed})")
                }
                Input::Sent(_) => array(&[sent(column, input, 0)], &seed),
                Input::Bool => format!("hashint4extended({name}::int4, {seed})"),
                _ => scalar(column, input, &seed),
            };
            dealt = if column.nullable {
                format!("coalesce({hash}, 1)")
            } else {
                hash
            };
        }
        format!("({dealt} & {})", buckets.saturating_sub(1))
    }

    /// The hash of a record.
    fn record(&self, hashing: &Hashing) -> String {
        let numbers = Numbers(hashing.seed);
        let nullable = |at: usize| hashing.nullable.get(at).copied().unwrap_or(true);
        let mut hash = numbers.literal(0);
        let (mut bytes, mut chained) = (Vec::new(), Vec::new());
        for (at, &(column, input)) in self.fields.iter().enumerate() {
            let one = |n: u64| numbers.literal(3 * at as u64 + n + 1);
            let name = ident(&column.name);
            match input {
                Input::Bool => {
                    let (yes, no, null) = (one(0), one(1), one(2));
                    hash = format!(
                        "({hash} # CASE WHEN {name} THEN {yes} WHEN NOT {name} THEN {no} ELSE {null} END)"
                    );
                }
                Input::Sent(_) => bytes.push(sent(column, input, hashing.salt)),
                _ if nullable(at) => {
                    let (value, null) = (scalar(column, input, &one(0)), one(1));
                    hash = format!("({hash} # coalesce({value}, {null}))");
                }
                _ => chained.push((column, input)),
            }
        }
        if !bytes.is_empty() {
            hash = array(&bytes, &hash);
        }
        for &(column, input) in &chained {
            hash = scalar(column, input, &hash);
        }
        if chained.is_empty() {
            // An array's hash is a sum of its elements'.
            hash = format!("hashint4extended(1, {hash})");
        }
        hash
    }
}

/// Numbers that look random, made of one.
struct Numbers(u64);

impl Numbers {
    /// The n-th of them, as the server reads it. The steps of SplitMix64.
    fn literal(&self, n: u64) -> String {
        let step = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0.wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        format!("'{}'::int8", (z ^ (z >> 31)).cast_signed())
    }
}

/// The hash of a value that has one, begun with `seed`.
fn scalar(column: &Column, input: Input, seed: &str) -> String {
    let name = ident(&column.name);
    match input {
        Input::Int4 => format!("hashint4extended({name}, {seed})"),
        // That of the type itself takes the two halves for one number of 32 bits.
        Input::Int8 => format!("hashint4extended(1, {name}::int8 # {seed})"),
        Input::Float => format!("hashfloat8extended({name}, {seed})"),
        Input::Uuid => format!("uuid_hash_extended({name}, {seed})"),
        Input::Date => format!(
            "hashint4extended(CASE WHEN isfinite({name}) THEN {name} - '2000-01-01'::date \
             WHEN {name} > '2000-01-01'::date THEN 2147483647 WHEN {name} IS NOT NULL THEN -2147483648 END, {seed})"
        ),
        Input::Text | Input::Bool | Input::Sent(_) => {
            let text = match column.wire {
                Wire::Json | Wire::Jsonb => format!("{name}::text"),
                _ => delivered("", column),
            };
            format!("hashtextextended({text} COLLATE \"C\", {seed})")
        }
    }
}

/// A value as the bytes it travels in. One that a scan would refuse is `salt` instead.
fn sent(column: &Column, input: Input, salt: u64) -> String {
    let name = ident(&column.name);
    let Input::Sent(Some(function)) = input else {
        return name;
    };
    match column.wire {
        Wire::Timestamp | Wire::Instant => {
            let ty = &column.cast;
            format!(
                "CASE WHEN {name} >= '{TOO_LATE}'::{ty} AND {name} < 'infinity' THEN '\\x{salt:016x}'::bytea \
                 ELSE {function}({name}) END"
            )
        }
        _ => format!("{function}({name})"),
    }
}

fn array(elements: &[String], seed: &str) -> String {
    format!(
        "hash_array_extended(ARRAY[{}], {seed})",
        elements.join(", ")
    )
}
