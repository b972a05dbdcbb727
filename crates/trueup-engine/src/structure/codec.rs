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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_back_as_it_was() {
        let refused = |hint: Option<&str>| Refused {
            kind: "unique".to_owned(),
            collection: "planes".to_owned(),
            name: "once".to_owned(),
            reason: "twice".to_owned(),
            hint: hint.map(str::to_owned),
        };
        let report = StructureReport {
            planned: Vec::new(),
            built: 3,
            there: 2,
            refused: vec![refused(None), refused(Some("mend it"))],
            lost: vec![Lost::new("view", "v", "write it anew")],
        };
        assert_eq!(from_json(&to_json(&report)), Some(report));
        assert_eq!(from_json(&json!({"built": 1})), None);
    }
}
