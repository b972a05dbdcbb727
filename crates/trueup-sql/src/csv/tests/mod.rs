//! Tests of the CSV endpoint, and what they share: a folder, and short words for reading and writing in it.

mod apply;
mod config;
mod conformance;
mod crash;
mod infer;
mod parse;
mod replace;
mod rights;
mod round_trip;
mod scan;

use super::config::{self as address, Options};
use crate::file::Files;
use crate::file::apply::Seen;
use crate::file::disk::{Disk, Local};
use crate::file::format::Format;
use crate::file::given::claim;
use crate::file::pack::Packing;
use crate::file::place::Place;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Context, Endpoint, Mark, Op, Order, ScanRequest, Snapshot, Writer, Writes,
};
use trueup_core::failpoint::Failpoints;
use trueup_core::schema::{Field, Schema};
use trueup_core::types::Type;
use trueup_core::value::Value;

/// A folder that goes away with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with(name: &str, content: &str) -> Self {
        let folder = Self::new();
        folder.put(name, content);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Every name in the folder, hidden ones too.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The endpoint of the folder, or of a file in it, with options.
    fn open(&self, rest: &str) -> Box<dyn Endpoint> {
        let address = format!("csv:{}", self.path(rest).display());
        super::connect(&address, &[], Context::empty()).unwrap()
    }

    /// The endpoint on a disk of the test's making.
    fn on(&self, disk: Arc<dyn Disk>, failpoints: Failpoints) -> Files<Options> {
        let (path, options) = address::parse(&self.path("?key=id").display().to_string()).unwrap();
        Files {
            address: "csv:test".to_owned(),
            place: Place::new(path, Options::ENDINGS, Packing::None).unwrap(),
            format: Arc::new(options),
            keys: BTreeMap::new(),
            context: Context {
                failpoints,
                ..Context::empty()
            },
            shapes: BTreeMap::new(),
            unchecked: false,
            seen: Seen::default(),
            disk,
        }
    }

    fn plain(&self) -> Files<Options> {
        self.on(Arc::new(Local), Failpoints::none())
    }
}

/// Reads a whole collection.
fn read(endpoint: &mut dyn Endpoint, collection: &str) -> Vec<Vec<Option<String>>> {
    let schema = endpoint.schema(collection).unwrap().unwrap();
    let mut snapshot = endpoint.snapshot().unwrap();
    try_read(snapshot.as_mut(), &schema).unwrap()
}

fn try_read(snapshot: &mut dyn Snapshot, schema: &Schema) -> Result<Vec<Vec<Option<String>>>> {
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let wanted: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    let mut scan = snapshot.scan(&ScanRequest {
        schema,
        fields: &fields,
        wanted: &wanted,
        order: Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: 2,
        batch_bytes_max: 1 << 20,
    })?;
    let (mut batch, mut rows) = (Batch::new(fields.len()), Vec::new());
    loop {
        batch.reset(fields.len());
        if !scan.next(&mut batch)? {
            assert!(batch.is_empty());
            return Ok(rows);
        }
        assert!((1..=2).contains(&batch.len()));
        for record in batch.records() {
            let texts = record.values().map(|value| match value {
                Value::Null => None,
                Value::Text(text) => Some(text.to_owned()),
                other => panic!("a class that CSV has not: {}", other.class()),
            });
            rows.push(texts.collect());
        }
    }
}

/// Writes records; the first `key` values of each are its key.
fn write(
    writer: &mut dyn Writer,
    schema: &Schema,
    names: &[&str],
    records: &[(Op, &[Value<'_>])],
    batch: u64,
    load: bool,
) -> Result<Applied> {
    let fields: Vec<usize> = names
        .iter()
        .map(|name| schema.index_of(name).unwrap())
        .collect();
    let key = schema
        .key
        .iter()
        .map(|key| fields.iter().position(|field| field == key).unwrap());
    let key: Vec<usize> = key.collect();
    let mut values = Batch::new(names.len());
    for (_, record) in records {
        record.iter().for_each(|&value| values.push(value));
    }
    let ops: Vec<Op> = records.iter().map(|(op, _)| *op).collect();
    writer.apply(&Writes {
        schema,
        fields: &fields,
        key: &key,
        ops: &ops,
        records: &values,
        mark: &Mark {
            partition: schema.collection.clone(),
            batch,
            position: Vec::new(),
        },
        load,
        check: None,
        bag: None,
    })
}

/// A schema of text fields, the first of which is the key.
fn text_schema(name: &str, fields: &[&str]) -> Schema {
    Schema {
        collection: name.to_owned(),
        fields: fields
            .iter()
            .map(|field| Field::new(*field, Type::TEXT, "other:text"))
            .collect(),
        key: vec![0],
        ..Schema::default()
    }
}
