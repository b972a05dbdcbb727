//! The endpoint against a real server, started by the test kit.

mod access;
mod bytes;
mod conformance;
mod rights;
mod scan;
mod write;

use super::connect;
use trueup_core::batch::{Batch, Record};
use trueup_core::endpoint::{
    Applied, Check, Claim, Context, Endpoint, Mark, Op, Order, ScanRequest, Writer, Writes,
};
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
    let fields = (0..schema.fields.len()).collect::<Vec<_>>();
    let wanted: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    let request = ScanRequest {
        schema: &schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Key(&schema.key),
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
    let line = |record: Record<'_>| {
        let values = record.values().map(|value| format!("{value:?}"));
        values.collect::<Vec<_>>().join(" ")
    };
    batch.records().map(line).collect()
}

/// What is written, and how.
struct Given<'a> {
    collection: &'a str,
    fields: &'a [&'a str],
    load: bool,
    check: Option<&'a dyn Check>,
}

impl<'a> Given<'a> {
    /// The first field is the key.
    fn new(collection: &'a str, fields: &'a [&'a str]) -> Self {
        Self {
            collection,
            fields,
            load: false,
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
            .map(|name| schema.index_of(name).unwrap());
        let fields = fields.collect::<Vec<_>>();
        let mut batch = Batch::new(fields.len());
        records
            .iter()
            .flat_map(|(_, values)| values)
            .for_each(|value| batch.push(*value));
        let ops = records.iter().map(|(op, _)| *op).collect::<Vec<_>>();
        let mark = Mark {
            partition: self.collection.to_owned(),
            batch: 1,
            position: vec![7],
        };
        writer.apply(&Writes {
            schema: &schema,
            fields: &fields,
            key: &[0],
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
        let outcomes = applied.outcomes.iter();
        outcomes.map(|outcome| format!("{outcome:?}")).collect()
    }
}

const APPLIED: &str = "Applied(None)";
