//! A report as the history keeps it: JSON.
//!
//! `format` grows with every change that an old reader would misread. A document of another version, or one that is
//! damaged, reads as none: the history then shows the run without its report. `codec/golden.json` is the contract.

use crate::certificate::{Certificate, count, digest_from, fold, list, text, texts};
use crate::compare::Hashed;
use crate::report::{CollectionReport, Report};
use crate::selection::Selected;
use crate::structure;
use serde_json::{Value, json};
use trueup_core::digest::{Digest, Fold};
use trueup_core::park::Parked;
use trueup_core::plan::Counts;

/// The version of the document.
const FORMAT: u64 = 1;

/// Returns the report as JSON text.
pub(super) fn encode(report: &Report) -> String {
    let collections: Vec<Value> = report.collections.iter().map(collection_to_json).collect();
    let mut document = json!({
        "format": FORMAT,
        "link": report.link,
        "equal": report.equal,
        "collections": collections,
        "certificate": report.certificate.as_ref().map(Certificate::to_json),
        "notes": report.notes,
    });
    if let Some(structure) = &report.structure {
        document["structure"] = structure::to_json(structure);
    }
    document.to_string()
}

/// Reads a report back.
pub(super) fn decode(document: &str) -> Option<Report> {
    let document: Value = serde_json::from_str(document).ok()?;
    if count(&document, "format")? != FORMAT {
        return None;
    }
    let certificate = match document.get("certificate")? {
        Value::Null => None,
        found => Some(Certificate::from_json(found)?),
    };
    Some(Report {
        link: text(&document, "link")?,
        equal: document.get("equal")?.as_bool()?,
        collections: list(&document, "collections", collection_from_json)?,
        structure: match document.get("structure") {
            None => None,
            Some(found) => Some(structure::from_json(found)?),
        },
        certificate,
        notes: texts(&document, "notes")?,
    })
}

fn collection_to_json(collection: &CollectionReport) -> Value {
    let parked: Vec<Value> = collection.parked.iter().map(parked_to_json).collect();
    let digest = |fold: Fold| (collection.unread == 0).then(|| fold.to_string());
    let mut document = json!({
        "source": collection.source,
        "target": collection.target,
        "source_records": collection.source_fold.count,
        "target_records": collection.target_fold.count,
        "digest_source": digest(collection.source_fold),
        "digest_target": digest(collection.target_fold),
        "inserted": collection.inserted,
        "updated": collection.updated,
        "deleted": collection.deleted,
        "to_source": counts_to_json(collection.to_source),
        "to_target": counts_to_json(collection.to_target),
        "conflicts": collection.conflicts,
        "open_conflicts": collection.open_conflicts,
        "unchanged": collection.unchanged,
        "only_source": collection.only_source,
        "only_target": collection.only_target,
        "changed": collection.changed,
        "parked": parked,
        "notes": collection.notes,
    });
    if collection.unread > 0 {
        document["unread"] = collection.unread.into();
    }
    if let Some(hashed) = &collection.hashed {
        let Hashed {
            buckets,
            differing,
            unread,
        } = *hashed;
        document["hashed"] = json!({"buckets": buckets, "differing": differing, "unread": unread});
    }
    // Only runs that carried out a part have it: an older reader does not miss what it does not know.
    if let Some(selected) = &collection.selected {
        document["selected"] = selected_to_json(selected);
    }
    document
}

fn collection_from_json(document: &Value) -> Option<CollectionReport> {
    let unread = count(document, "unread").unwrap_or(0);
    let fold = |records, digest| {
        if unread == 0 {
            return fold(document, records, digest);
        }
        let (sum, count) = (0, count(document, records)?);
        Some(Fold { sum, count })
    };
    Some(CollectionReport {
        source: text(document, "source")?,
        target: text(document, "target")?,
        source_fold: fold("source_records", "digest_source")?,
        target_fold: fold("target_records", "digest_target")?,
        inserted: count(document, "inserted")?,
        updated: count(document, "updated")?,
        deleted: count(document, "deleted")?,
        to_source: counts_from_json(document, "to_source"),
        to_target: counts_from_json(document, "to_target"),
        conflicts: count(document, "conflicts").unwrap_or(0),
        open_conflicts: count(document, "open_conflicts").unwrap_or(0),
        unchanged: count(document, "unchanged")?,
        only_source: count(document, "only_source")?,
        only_target: count(document, "only_target")?,
        changed: count(document, "changed")?,
        parked: list(document, "parked", parked_from_json)?,
        unread,
        hashed: document.get("hashed").and_then(hashed_from_json),
        selected: match document.get("selected") {
            None => None,
            Some(found) => Some(selected_from_json(found)?),
        },
        notes: texts(document, "notes")?,
    })
}

fn hashed_from_json(document: &Value) -> Option<Hashed> {
    let small = |name| count(document, name).and_then(|n| u32::try_from(n).ok());
    Some(Hashed {
        buckets: small("buckets")?,
        differing: small("differing")?,
        unread: count(document, "unread")?,
    })
}

fn selected_to_json(selected: &Selected) -> Value {
    let keys: Vec<String> = selected
        .changed_keys
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "left": selected.left,
        "changed": selected.changed,
        "settled": selected.settled,
        "changed_keys": keys,
    })
}

fn selected_from_json(document: &Value) -> Option<Selected> {
    let keys = texts(document, "changed_keys")?;
    let keys = keys.iter().map(|key| digest_from(key).map(Digest));
    Some(Selected {
        left: count(document, "left")?,
        changed: count(document, "changed")?,
        settled: count(document, "settled")?,
        changed_keys: keys.collect::<Option<Vec<_>>>()?,
        changed_texts: Vec::new(),
    })
}

fn counts_to_json(counts: Counts) -> Value {
    json!([counts.inserts, counts.updates, counts.deletes])
}

/// Reports of the first release had no counts per side: they read as none.
fn counts_from_json(document: &Value, name: &str) -> Counts {
    let at = |index: usize| {
        let counts = document.get(name);
        counts.and_then(|counts| counts.get(index)?.as_u64())
    };
    Counts {
        inserts: at(0).unwrap_or(0),
        updates: at(1).unwrap_or(0),
        deletes: at(2).unwrap_or(0),
    }
}

fn parked_to_json(parked: &Parked) -> Value {
    json!({
        "key": parked.key.to_string(),
        "field": parked.field,
        "reason": parked.reason,
    })
}

fn parked_from_json(document: &Value) -> Option<Parked> {
    let field = match document.get("field")? {
        Value::Null => None,
        found => Some(found.as_str()?.to_owned()),
    };
    Some(Parked {
        key: Digest(digest_from(document.get("key")?.as_str()?)?),
        field,
        reason: text(document, "reason")?,
        // A history says what happened, not to whom: that stands among the parked records, as long as they are.
        ..Parked::default()
    })
}

#[cfg(test)]
pub(super) mod tests;
