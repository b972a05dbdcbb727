//! The endpoint against a real server, started by the test kit.

mod access;
mod bytes;
mod conformance;
mod follow;
mod follow_refused;
mod follow_shape;
mod follow_values;
mod mysql_8;
mod rights;
mod scan;
mod structure;
mod transact;
mod write;

use super::connect;
use crate::server::given::{APPLIED, Given, claim, scan, schema, shown};
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{Check, Context, Endpoint, Op, Order, ScanRequest};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::servers::mariadb::{Database, shared};

/// A database of its own with what `sql` makes in it, and an endpoint connected to it.
fn fresh(sql: &str) -> (Database, Box<dyn Endpoint>) {
    let database = shared().unwrap().fresh_database().unwrap();
    database.sql(sql).unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}
