//! Parked records as JSON.

use super::{line, moment};
use serde::Serialize;
use trueup_core::Result;
use trueup_engine::state::ParkedRecord;

#[derive(Serialize)]
struct ParkedJson<'a> {
    id: i64,
    link: &'a str,
    link_id: &'a str,
    collection: &'a str,
    key: String,
    key_text: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
    field: Option<&'a str>,
    reason: &'a str,
    since: Option<String>,
    first_run: Option<i64>,
    run: i64,
}

/// One array.
pub(in crate::output) fn list(records: &[ParkedRecord]) -> Result<String> {
    line(&records.iter().map(mirror).collect::<Vec<_>>())
}

fn mirror(one: &ParkedRecord) -> ParkedJson<'_> {
    let place = one.parked.place.as_ref();
    ParkedJson {
        id: one.id,
        link: &one.link_name,
        link_id: &one.link,
        collection: &one.collection,
        key: one.parked.key.to_string(),
        key_text: one.parked.key_text.as_deref(),
        file: place.map(|place| &*place.file),
        line: place.map(|place| place.line),
        field: one.parked.field.as_deref(),
        reason: &one.parked.reason,
        since: one.first_ms.map(moment),
        first_run: one.first_run.map(|run| run.0),
        run: one.run.0,
    }
}
