//! The endpoint against a real server, started by the test kit.

mod access;
mod apply;
mod bytes;
mod conditional;
mod conformance;
mod design;
mod hashes;
mod keys;
mod overtaken;
mod rights;
mod scan;
mod swap;

use super::connect;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Check, Claim, Context, Endpoint, Mark, Op, Order, ScanRequest, Snapshot, Writer,
    Writes,
};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::servers::postgres::{Database, shared};

/// A database of its own with what `sql` makes in it, and an endpoint connected to it.
fn fresh(sql: &str) -> (Database, Box<dyn Endpoint>) {
    let database = shared(None).unwrap().fresh_database().unwrap();
    database.sql(sql).unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}

fn claim() -> Claim {
    Claim {
        link: "a to b".to_owned(),
        incarnation: "one".to_owned(),
    }
}

fn schema(endpoint: &mut dyn Endpoint, collection: &str) -> Schema {
    endpoint.schema(collection).unwrap().unwrap()
}

/// Reads all fields in key order, and whether the order was delivered.
fn scan(endpoint: &mut dyn Endpoint, collection: &str) -> (Batch, bool) {
    let schema = schema(endpoint, collection);
    let key = schema.key.clone();
    scan_by(endpoint, &schema, Order::Key(&key))
}

fn scan_by(endpoint: &mut dyn Endpoint, schema: &Schema, order: Order<'_>) -> (Batch, bool) {
    let fields = (0..schema.fields.len()).collect::<Vec<_>>();
    let wanted = schema
        .fields
        .iter()
        .map(|field| field.ty)
        .collect::<Vec<_>>();
    let request = ScanRequest {
        schema,
        fields: &fields,
        wanted: &wanted,
        order,
        after: None,
        batch_records_max: 3,
        batch_bytes_max: 1 << 20,
    };
    let mut snapshot = endpoint.snapshot().unwrap();
    let ordered = snapshot.ordered(&request).unwrap();
    let mut scan = snapshot.scan(&request).unwrap();
    let mut all = Batch::new(fields.len());
    let mut batch = Batch::default();
    loop {
        batch.reset(fields.len());
        if !scan.next(&mut batch).unwrap() {
            break;
        }
        assert!(batch.len() <= 3);
        batch.records().for_each(|record| all.push_record(record));
    }
    (all, ordered)
}

/// The records as text that can be compared and read: one line each.
fn shown(batch: &Batch) -> Vec<String> {
    let line = |record: trueup_core::batch::Record<'_>| {
        record
            .values()
            .map(|value| format!("{value:?}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    batch.records().map(line).collect()
}

/// A marker of no collection.
fn seal() -> Mark {
    Mark {
        partition: String::new(),
        batch: 1,
        position: vec![7],
    }
}

/// What is written, and how.
struct Given<'a> {
    collection: &'a str,
    fields: &'a [&'a str],
    key: &'a [usize],
    load: bool,
    batch: u64,
    check: Option<&'a dyn Check>,
}

impl<'a> Given<'a> {
    fn new(collection: &'a str, fields: &'a [&'a str]) -> Self {
        Self {
            collection,
            fields,
            key: &[0],
            load: false,
            batch: 1,
            check: None,
        }
    }

    fn apply(
        &self,
        endpoint: &mut dyn Endpoint,
        writer: &mut dyn Writer,
        records: &[(Op, Vec<Value<'_>>)],
    ) -> trueup_core::Result<Applied> {
        let schema = schema(endpoint, self.collection);
        let fields = self
            .fields
            .iter()
            .map(|name| schema.index_of(name).unwrap())
            .collect::<Vec<_>>();
        let mut batch = Batch::new(fields.len());
        records
            .iter()
            .flat_map(|(_, values)| values)
            .for_each(|value| batch.push(*value));
        let ops = records.iter().map(|(op, _)| *op).collect::<Vec<_>>();
        let mark = Mark {
            partition: self.collection.to_owned(),
            batch: self.batch,
            position: vec![7],
        };
        writer.apply(&Writes {
            schema: &schema,
            fields: &fields,
            key: self.key,
            ops: &ops,
            records: &batch,
            mark: &mark,
            load: self.load,
            check: self.check,
            bag: None,
        })
    }

    /// Applies with a new writer, and returns the outcomes as text.
    fn outcomes(
        &self,
        endpoint: &mut dyn Endpoint,
        records: &[(Op, Vec<Value<'_>>)],
    ) -> Vec<String> {
        let mut writer = endpoint.writer(&claim()).unwrap();
        let applied = self.apply(endpoint, writer.as_mut(), records).unwrap();
        assert!(applied.durable);
        applied
            .outcomes
            .iter()
            .map(|outcome| format!("{outcome:?}"))
            .collect()
    }
}

const APPLIED: &str = "Applied(None)";
