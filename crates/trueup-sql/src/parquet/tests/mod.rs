//! Tests of the Parquet endpoint; what it shares with CSV is tested there.

mod conformance;
mod foreign;
mod hostile;
mod round_trip;

use crate::file::given::{self, claim};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use trueup_core::Result;
use trueup_core::endpoint::{Applied, Context, Endpoint, Op};
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
    given::read(endpoint, collection, None)
}

/// Writes values of all fields, and finishes.
fn write(
    endpoint: &mut dyn Endpoint,
    schema: &Schema,
    records: &[(Op, Vec<Value<'_>>)],
    load: bool,
) -> Result<Applied> {
    let names = schema.fields.iter().map(|field| field.name.as_str());
    let names: Vec<&str> = names.collect();
    given::write(endpoint, schema, &names, records, load)
}
