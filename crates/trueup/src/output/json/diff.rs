//! Differences as JSON Lines: a header, then an object for each. Values are spelled as those of conflicts.

use super::conflicts::Record;
use super::line;
use crate::record::Fields;
use serde::Serialize;
use trueup_core::Result;
use trueup_core::batch;
use trueup_core::plan;
use trueup_engine::{Found, Shape, spelled};

/// The version of the file.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct HeaderJson<'a> {
    trueup_diff: u32,
    link: &'a str,
    collections: Vec<ShapeJson<'a>>,
}

#[derive(Serialize)]
struct ShapeJson<'a> {
    source: &'a str,
    target: &'a str,
    key: Vec<&'a str>,
    fields: &'a [String],
}

#[derive(Serialize)]
struct DifferenceJson<'a> {
    collection: &'a str,
    kind: &'static str,
    key: Record<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    fields: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Record<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Record<'a>>,
}

/// The first line: what is compared.
pub(in crate::output) fn header(link: &str, shapes: &[Shape]) -> Result<String> {
    let collections = shapes.iter().map(|shape| ShapeJson {
        source: &shape.source,
        target: &shape.target,
        key: names(shape, &shape.key),
        fields: &shape.fields,
    });
    line(&HeaderJson {
        trueup_diff: VERSION,
        link,
        collections: collections.collect(),
    })
}

/// One difference; with `values`, both records. A record of a bag has its digest for a name.
pub(in crate::output) fn difference(
    shape: &Shape,
    found: &Found<'_>,
    values: bool,
) -> Result<String> {
    let (kind, changed) = match (found.source, found.target) {
        (Some(source), Some(target)) => ("changed", plan::changed(source, target)),
        (Some(_), None) => ("only_source", Vec::new()),
        (None, _) => ("only_target", Vec::new()),
    };
    let all: Vec<usize> = (0..shape.fields.len()).collect();
    let either = found.source.or(found.target);
    let key = either.map_or_else(Fields::new, |record| fields(shape, record, &shape.key));
    let record = |record: batch::Record<'_>| fields(shape, record, &all);
    let source = found.source.filter(|_| values).map(record);
    let target = found.target.filter(|_| values).map(record);
    line(&DifferenceJson {
        collection: &shape.source,
        kind,
        key: Record(&key),
        record: shape.key.is_empty().then(|| found.digest.to_string()),
        fields: names(shape, &changed),
        source: source.as_ref().map(Record),
        target: target.as_ref().map(Record),
    })
}

fn names<'a>(shape: &'a Shape, positions: &[usize]) -> Vec<&'a str> {
    let name = |&at: &usize| shape.fields.get(at).map(String::as_str);
    positions.iter().filter_map(name).collect()
}

fn fields(shape: &Shape, record: batch::Record<'_>, positions: &[usize]) -> Fields {
    let field = |&at: &usize| Some((shape.fields.get(at)?.clone(), spelled(record.value(at))));
    positions.iter().filter_map(field).collect()
}
