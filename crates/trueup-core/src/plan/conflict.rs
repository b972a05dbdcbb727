//! The conflicts that a plan meets: not writes, but what people want to know before they let it write.
//!
//! As of actions, the key and the names of fields are shown, and no other value of a record.

use super::json::key_of;
use super::{CollectionPlan, write_key_value};
use crate::batch::Record;
use crate::conflict::{FieldRuling, Ruling};
use crate::policy::Policy;
use serde_json::{Value as Json, json};

/// What the rule for deletes is called, which is no policy.
const ON_DELETE: &str = "on-delete";

/// One conflict, as the readers of a plan see it.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a> {
    /// How it is decided, fields by their position in the plan.
    pub ruling: &'a Ruling,
    /// The record of either side: they have the same key.
    pub record: Record<'a>,
    /// Its number, where it is on record already.
    pub number: Option<i64>,
    /// Why the rules leave it open, where they can say; no values.
    pub reason: Option<&'a str>,
}

impl CollectionPlan {
    /// Writes the line of one conflict: how it ends, its key, what met what, and the fields with the rules that were asked.
    pub fn write_conflict(&self, met: &Met<'_>, out: &mut String) {
        out.push_str("  ");
        out.push_str(met.ruling.resolution.name());
        for &position in &self.key {
            out.push(' ');
            out.push_str(&self.fields[position]);
            out.push('=');
            write_key_value(met.record.value(position), out);
        }
        let mut fact = |name: &str, value: &str| {
            if !value.is_empty() {
                for part in [" ", name, "=", value] {
                    out.push_str(part);
                }
            }
        };
        fact("fields", &self.names(met.ruling).join(","));
        fact("kind", met.ruling.kind.name());
        fact("rule", &rules(met.ruling).join(","));
        fact(
            "conflict",
            &met.number
                .map_or_else(String::new, |number| number.to_string()),
        );
        if let Some(reason) = met.reason {
            out.push_str(": ");
            // One line, whatever the reason quotes.
            out.push_str(&reason.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        out.push('\n');
    }

    /// Returns one conflict: how it ends, its key, what met what, and the fields with the rules that were asked.
    pub fn conflict_json(&self, met: &Met<'_>) -> Json {
        json!({
            "collection": self.target,
            "conflict": met.ruling.kind.name(),
            "decision": met.ruling.resolution.name(),
            "key": key_of(self, met.record),
            "fields": self.names(met.ruling),
            "rules": rules(met.ruling),
            "id": met.number,
            "reason": met.reason,
        })
    }

    /// The names of the fields in conflict.
    fn names(&self, ruling: &Ruling) -> Vec<&str> {
        let name = |one: &FieldRuling| self.fields.get(one.field).map(String::as_str);
        ruling.fields.iter().filter_map(name).collect()
    }
}

/// The rules that were asked, each once, in the order of the fields.
fn rules(ruling: &Ruling) -> Vec<&'static str> {
    let mut rules = Vec::new();
    for one in &ruling.fields {
        let rule = one.policy.map_or(ON_DELETE, Policy::name);
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}
