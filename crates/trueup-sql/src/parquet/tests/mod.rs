//! Tests of the Parquet endpoint; what it shares with CSV is tested there.

mod conformance;
mod foreign;
mod hostile;
mod round_trip;

use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Claim, Context, Endpoint, Mark, Op, Order, ScanRequest, Writer, Writes,
};
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::owned::Owned;

/// A folder that goes away with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        fs::write(folder.path(name), content).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, rest: &str) -> Box<dyn Endpoint> {
        let address = format!("parquet:{}", self.path(rest).display());
        super::connect(&address, &[], Context::empty()).unwrap()
    }
}

fn claim(endpoint: &mut dyn Endpoint) -> Box<dyn Writer> {
    let claim = Claim {
        link: "link".to_owned(),
        incarnation: "one".to_owned(),
    };
    endpoint.writer(&claim).unwrap()
}

/// A schema of these fields, the first of them the key.
fn schema(fields: &[(&str, Type)]) -> Schema {
    let fields = fields.iter().map(|(name, ty)| Field::new(*name, *ty, ""));
    Schema {
        collection: "t".to_owned(),
        fields: fields.collect(),
        key: vec![0],
        ..Schema::default()
    }
}

/// Creates the collection `t` and returns its shape.
fn create(endpoint: &mut dyn Endpoint, wanted: &Schema) -> Result<Schema> {
    let design = endpoint.design(wanted)?;
    claim(endpoint).create(&design)?;
    endpoint.schema("t").map(Option::unwrap)
}

/// Reads a whole collection.
fn read(endpoint: &mut dyn Endpoint, collection: &str) -> Result<Vec<Vec<Owned>>> {
    let schema = endpoint.schema(collection)?.unwrap();
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let wanted: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    let mut snapshot = endpoint.snapshot()?;
    let mut scan = snapshot.scan(&ScanRequest {
        schema: &schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Natural,
        after: None,
        batch_records_max: 100,
        batch_bytes_max: 1 << 20,
    })?;
    let (mut batch, mut rows) = (Batch::new(fields.len()), Vec::new());
    loop {
        batch.reset(fields.len());
        if !scan.next(&mut batch)? {
            return Ok(rows);
        }
        for record in batch.records() {
            rows.push(record.values().map(Owned::from).collect());
        }
    }
}

/// Writes values of all fields, and finishes.
fn write(
    endpoint: &mut dyn Endpoint,
    schema: &Schema,
    records: &[(Op, Vec<Value<'_>>)],
    load: bool,
) -> Result<Applied> {
    let mut writer = claim(endpoint);
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let mut values = Batch::new(fields.len());
    for (_, record) in records {
        record.iter().for_each(|&value| values.push(value));
    }
    let ops: Vec<Op> = records.iter().map(|(op, _)| *op).collect();
    let applied = writer.apply(&Writes {
        schema,
        fields: &fields,
        key: &[0],
        ops: &ops,
        records: &values,
        mark: &Mark {
            partition: schema.collection.clone(),
            batch: 1,
            position: Vec::new(),
        },
        load,
        check: None,
        bag: None,
    })?;
    writer.finish(&schema.collection)?;
    Ok(applied)
}
