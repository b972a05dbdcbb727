//! Tests of the JSON Lines endpoint; what it shares with CSV is tested there.

mod conformance;
mod number;
mod packed;
mod parse;
mod round_trip;
mod types;
mod update;

use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Claim, Context, Endpoint, Mark, Op, Order, ScanRequest, Writer, Writes,
};
use trueup_core::schema::Schema;
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

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The endpoint of the folder, or of a file in it, with options.
    fn open(&self, rest: &str) -> Box<dyn Endpoint> {
        let address = format!("jsonl:{}", self.path(rest).display());
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

/// Reads a whole collection, its values as they are wanted; `None` wants them as they were inferred.
fn read(
    endpoint: &mut dyn Endpoint,
    collection: &str,
    wanted: Option<&[Type]>,
) -> Result<Vec<Vec<Owned>>> {
    let schema = endpoint.schema(collection)?.unwrap();
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let inferred: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    let mut snapshot = endpoint.snapshot()?;
    let mut scan = snapshot.scan(&ScanRequest {
        schema: &schema,
        fields: &fields,
        wanted: wanted.unwrap_or(&inferred),
        order: Order::Natural,
        after: None,
        batch_records_max: 2,
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

/// Writes values of the fields called `names`, and finishes.
fn write(
    endpoint: &mut dyn Endpoint,
    schema: &Schema,
    names: &[&str],
    records: &[(Op, &[Value<'_>])],
    load: bool,
) -> Result<Applied> {
    let mut writer = claim(endpoint);
    let fields: Vec<usize> = names
        .iter()
        .map(|name| schema.index_of(name).unwrap())
        .collect();
    let mut values = Batch::new(names.len());
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
