//! The endpoint against a real server, started by the test kit.

mod access;
mod allocations;
mod apply;
mod bytes;
mod conditional;
mod conformance;
mod design;
mod hashes;
mod key_after;
mod keys;
mod overtaken;
mod parcels;
mod rights;
mod scan;
mod several;
mod structure;
mod swap;
mod transact;

use super::connect;
use super::types::Wire;
use crate::server::given::{APPLIED, Given, claim, scan, scan_by, schema, shown};
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Check, Context, Endpoint, Mark, Op, Order, ScanRequest, Snapshot};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::servers::postgres::{Database, shared};

/// Every form in which values travel.
pub(in crate::postgres) const WIRES: [Wire; 20] = [
    Wire::Bool,
    Wire::Int2,
    Wire::Int4,
    Wire::Int8,
    Wire::Oid,
    Wire::Float4,
    Wire::Float8,
    Wire::Numeric,
    Wire::Text,
    Wire::Padded,
    Wire::Char,
    Wire::Bytes,
    Wire::Date,
    Wire::Time,
    Wire::Timestamp,
    Wire::Instant,
    Wire::Uuid,
    Wire::Json,
    Wire::Jsonb,
    Wire::Cast,
];

/// A database of its own with what `sql` makes in it, and an endpoint connected to it.
fn fresh(sql: &str) -> (Database, Box<dyn Endpoint>) {
    let database = shared(None).unwrap().fresh_database().unwrap();
    database.sql(sql).unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}

/// A marker of no collection.
fn seal() -> Mark {
    Mark {
        partition: String::new(),
        batch: 1,
        position: vec![7],
    }
}
