//! A structure report as the history keeps it.

use super::{Refused, StructureReport};
use crate::certificate::{count, list, text};
use serde_json::{Value, json};
use trueup_core::structure::Lost;

/// Returns it as JSON. What is planned is not kept: a run that planned only is not on record.
pub(crate) fn to_json(report: &StructureReport) -> Value {
    let refused: Vec<Value> = report
        .refused
        .iter()
        .map(|one| {
            json!({
                "kind": one.kind,
                "collection": one.collection,
                "name": one.name,
                "reason": one.reason,
                "hint": one.hint,
            })
        })
        .collect();
    let lost: Vec<Value> = report
        .lost
        .iter()
        .map(|one| json!({"kind": one.kind, "name": one.name, "why": one.why}))
        .collect();
    json!({"built": report.built, "there": report.there, "refused": refused, "lost": lost})
}

/// Reads it back.
pub(crate) fn from_json(document: &Value) -> Option<StructureReport> {
    Some(StructureReport {
        planned: Vec::new(),
        built: count(document, "built")?,
        there: count(document, "there")?,
        refused: list(document, "refused", |one| {
            Some(Refused {
                kind: text(one, "kind")?,
                collection: text(one, "collection")?,
                name: text(one, "name")?,
                reason: text(one, "reason")?,
                hint: text(one, "hint"),
            })
        })?,
        lost: list(document, "lost", |one| {
            Some(Lost {
                kind: text(one, "kind")?,
                name: text(one, "name")?,
                why: text(one, "why")?,
            })
        })?,
    })
}
