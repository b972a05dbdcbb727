//! Short words for tests that read and write files of records.

use trueup_core::Result;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    Applied, Claim, Endpoint, Mark, Op, Order, ScanRequest, Writer, Writes,
};
use trueup_core::schema::Schema;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::owned::Owned;

pub(crate) fn claim(endpoint: &mut dyn Endpoint) -> Box<dyn Writer> {
    let claim = Claim {
        link: "link".to_owned(),
        incarnation: "one".to_owned(),
    };
    endpoint.writer(&claim).unwrap()
}

/// Reads a whole collection, its values as they are wanted; `None` wants them as they are declared or were inferred.
pub(crate) fn read(
    endpoint: &mut dyn Endpoint,
    collection: &str,
    wanted: Option<&[Type]>,
) -> Result<Vec<Vec<Owned>>> {
    let schema = endpoint.schema(collection)?.unwrap();
    let fields: Vec<usize> = (0..schema.fields.len()).collect();
    let own: Vec<Type> = schema.fields.iter().map(|field| field.ty).collect();
    let mut snapshot = endpoint.snapshot()?;
    let mut scan = snapshot.scan(&ScanRequest {
        schema: &schema,
        fields: &fields,
        wanted: wanted.unwrap_or(&own),
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
            return Ok(rows);
        }
        for record in batch.records() {
            rows.push(record.values().map(Owned::from).collect());
        }
    }
}

/// Writes values of the fields called `names`, the first of them the key, and finishes.
pub(crate) fn write<'v>(
    endpoint: &mut dyn Endpoint,
    schema: &Schema,
    names: &[&str],
    records: &[(Op, impl AsRef<[Value<'v>]>)],
    load: bool,
) -> Result<Applied> {
    let mut writer = claim(endpoint);
    let fields = names.iter().map(|name| schema.index_of(name).unwrap());
    let fields: Vec<usize> = fields.collect();
    let mut values = Batch::new(names.len());
    for (_, record) in records {
        record.as_ref().iter().for_each(|&value| values.push(value));
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
