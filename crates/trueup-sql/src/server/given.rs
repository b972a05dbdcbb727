//! What the tests of these endpoints do alike: read all, write some records, show both as text.

pub(crate) mod transaction;

use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Check, Claim, Endpoint, Mark, Op, Order, ScanRequest, Writer, Writes,
};
use trueup_core::schema::Schema;
use trueup_core::value::Value;

pub(crate) fn claim() -> Claim {
    Claim {
        link: "a to b".to_owned(),
        incarnation: "one".to_owned(),
    }
}

pub(crate) fn schema(endpoint: &mut dyn Endpoint, collection: &str) -> Schema {
    endpoint.schema(collection).unwrap().unwrap()
}

/// Reads all fields in key order, and whether the order was delivered.
pub(crate) fn scan(endpoint: &mut dyn Endpoint, collection: &str) -> (Batch, bool) {
    let schema = schema(endpoint, collection);
    let key = schema.key.clone();
    scan_by(endpoint, &schema, Order::Key(&key))
}

pub(crate) fn scan_by(
    endpoint: &mut dyn Endpoint,
    schema: &Schema,
    order: Order<'_>,
) -> (Batch, bool) {
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
        sieve: &[],
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
pub(crate) fn shown(batch: &Batch) -> Vec<String> {
    let line = |record: trueup_core::batch::Record<'_>| {
        record
            .values()
            .map(|value| format!("{value:?}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    batch.records().map(line).collect()
}

/// What is written, and how.
pub(crate) struct Given<'a> {
    pub(crate) collection: &'a str,
    pub(crate) fields: &'a [&'a str],
    pub(crate) key: &'a [usize],
    pub(crate) load: bool,
    pub(crate) batch: u64,
    pub(crate) check: Option<&'a dyn Check>,
}

impl<'a> Given<'a> {
    pub(crate) fn new(collection: &'a str, fields: &'a [&'a str]) -> Self {
        Self {
            collection,
            fields,
            key: &[0],
            load: false,
            batch: 1,
            check: None,
        }
    }

    pub(crate) fn apply(
        &self,
        endpoint: &mut dyn Endpoint,
        writer: &mut dyn Writer,
        records: &[(Op, Vec<Value<'_>>)],
    ) -> trueup_core::Result<Applied> {
        self.apply_as(&schema(endpoint, self.collection), writer, records)
    }

    /// As [`Given::apply`], to what is known to have this shape.
    pub(crate) fn apply_as(
        &self,
        schema: &Schema,
        writer: &mut dyn Writer,
        records: &[(Op, Vec<Value<'_>>)],
    ) -> trueup_core::Result<Applied> {
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
            schema,
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
    pub(crate) fn outcomes(
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

pub(crate) const APPLIED: &str = "Applied(None)";
