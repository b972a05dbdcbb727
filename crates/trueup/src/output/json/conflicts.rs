//! Conflicts as JSON, values included.

use super::{line, moment};
use crate::conflict::{Conflict, Taken};
use crate::record::Fields;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use trueup_core::Result;
use trueup_core::policy::Policy;

#[derive(Serialize)]
struct ConflictJson<'a> {
    id: i64,
    link: &'a str,
    collection: &'a str,
    key: Record<'a>,
    kind: &'static str,
    fields: Vec<&'a str>,
    source: Option<Record<'a>>,
    target: Option<Record<'a>>,
    decision: &'a str,
    run: i64,
    at: String,
    rules: Vec<RuleJson<'a>>,
    answer: Option<AnswerJson<'a>>,
    note: Option<&'a str>,
    decided_by: Option<&'static str>,
    chosen: Option<Record<'a>>,
    lapsed: bool,
}

#[derive(Serialize)]
struct RuleJson<'a> {
    field: &'a str,
    policy: Option<&'static str>,
    decision: &'static str,
}

#[derive(Serialize)]
struct AnswerJson<'a> {
    take: &'static str,
    record: Option<Record<'a>>,
}

/// An object that keeps the order of the fields.
pub(super) struct Record<'a>(pub(super) &'a Fields);

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// One object for a conflict.
pub(in crate::output) fn show(conflict: &Conflict) -> Result<String> {
    line(&mirror(conflict))
}

fn mirror(one: &Conflict) -> ConflictJson<'_> {
    ConflictJson {
        id: one.id,
        link: &one.link,
        collection: &one.collection.source,
        key: Record(&one.key),
        kind: one.kind.name(),
        fields: one.fields.iter().map(|field| field.name.as_str()).collect(),
        source: one.records.source.as_ref().map(Record),
        target: one.records.target.as_ref().map(Record),
        decision: &one.decision,
        run: one.run,
        at: moment(one.at_ms),
        rules: one
            .fields
            .iter()
            .map(|field| RuleJson {
                field: &field.name,
                policy: field.policy.map(Policy::name),
                decision: field.decision.name(),
            })
            .collect(),
        answer: one.answer.as_ref().map(|taken| AnswerJson {
            take: taken.name(),
            record: match taken {
                Taken::Side(_) => None,
                Taken::Record(fields) => Some(Record(fields)),
            },
        }),
        note: one.note.as_deref(),
        decided_by: match (one.is_decided(), one.by_person) {
            (false, _) => None,
            (true, false) => Some("rule"),
            (true, true) => Some("person"),
        },
        chosen: one.chosen.as_ref().map(Record),
        lapsed: one.lapsed,
    }
}
