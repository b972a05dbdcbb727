//! What stands at the target under the keys of a batch, and what therefore is to be done.
//!
//! Invariant: a record that was found stays locked until the batch ends, so that nobody changes it, and nobody comes to
//! refer to it, between the decision and the write. What the server takes for the same key and we do not (`a` and `A`
//! under most collations) is not found: the insert then meets it, and is refused.

use super::super::encode;
use super::super::quote::ident;
use super::super::references::References;
use super::super::scan::{Source, select};
use super::super::types::Wire;
use super::{Act, Part, STATEMENT_BYTES, STATEMENT_RECORDS_MAX, Work, is};
use std::collections::BTreeMap;
use trueup_core::Result;
use trueup_core::batch::{Batch, Record};
use trueup_core::encode as canonical;
use trueup_core::endpoint::{Op, Outcome};
use trueup_core::value::Value;

/// What stands at the target, by the canonical bytes of the key.
struct Standing {
    /// Where each record lies, and how many there are of the key.
    places: BTreeMap<Vec<u8>, (usize, usize)>,
    records: Batch,
}

impl Work<'_> {
    /// Reads and locks what stands there, asks whether each write still holds, and returns what is to be done.
    pub(super) fn decide(&mut self, part: &[(usize, Op)]) -> Result<Part> {
        let checked = self.writes.check.is_some();
        if checked && part.iter().any(|(_, op)| *op == Op::Delete) {
            self.references = References::read(self.connection, self.table)?;
        }
        let standing = self.standing(part, checked)?;
        let mut acts = Vec::with_capacity(part.len());
        let mut key = Vec::new();
        for &(index, op) in part {
            self.push_key(self.writes.records.record(index), self.writes.key, &mut key);
            let found = standing.places.get(&key);
            if let Some(check) = self.writes.check {
                let current = found.map(|&(at, _)| standing.records.record(at));
                // Of several there is no "the" record to be asked about.
                let several = found.is_some_and(|&(_, count)| count > 1);
                if several || !check.holds(index, current) {
                    self.settle(index, Outcome::Stale);
                    continue;
                }
            }
            match (op, found) {
                (Op::Delete, None) => self.settle(index, Outcome::Applied(None)),
                (Op::Delete, Some(_)) => self.remove(index, &mut acts)?,
                (_, None) => acts.push((index, Act::Insert)),
                // Nothing but the key: that it is there was seen under the lock.
                (_, Some(_)) if self.columns.len() == self.writes.key.len() => {
                    self.settle(index, Outcome::Applied(None));
                }
                (_, Some(_)) => acts.push((index, Act::Replace)),
            }
        }
        Ok(acts)
    }

    /// Plans a removal, unless others would lose by it who were not looked at.
    fn remove(&mut self, index: usize, acts: &mut Part) -> Result<()> {
        let record = self.writes.records.record(index);
        let key = self.key_is(record, "t.");
        let own = self.key_is(record, "c.");
        match self.references.held(self.connection, &key, &own)? {
            Some(reason) => self.reject(index, reason, true),
            None => acts.push((index, Act::Delete)),
        }
        Ok(())
    }

    /// Tells whether a record with exactly this key stands there.
    pub(super) fn stands(&self, index: usize) -> Result<bool> {
        let standing = self.standing(&[(index, Op::Update)], false)?;
        Ok(!standing.places.is_empty())
    }

    /// Reads and locks the records that have the keys of these writes: whole, or their keys only.
    fn standing(&self, part: &[(usize, Op)], whole: bool) -> Result<Standing> {
        let delivered: Vec<usize> = if whole {
            (0..self.columns.len()).collect()
        } else {
            self.writes.key.to_vec()
        };
        let columns: Vec<_> = delivered
            .iter()
            .filter_map(|&at| self.columns.get(at).copied())
            .collect();
        let key: Vec<usize> = if whole {
            self.writes.key.to_vec()
        } else {
            (0..columns.len()).collect()
        };
        let wires: Vec<Wire> = columns.iter().map(|column| column.wire).collect();
        let mut standing = Standing {
            places: BTreeMap::new(),
            records: Batch::new(columns.len()),
        };
        let head = select(&columns, self.table);
        let mut wanted = BTreeMap::new();
        let mut bytes = Vec::new();
        for &(index, _) in part {
            self.push_key(
                self.writes.records.record(index),
                self.writes.key,
                &mut bytes,
            );
            wanted.insert(bytes.clone(), ());
        }
        let mut rest = part;
        while !rest.is_empty() {
            let (condition, taken) = self.any_of(rest);
            rest = rest.get(taken..).unwrap_or_default();
            let sql = format!("{head} WHERE {condition} FOR UPDATE");
            let mut source = Source::open(self.connection, &sql, wires.clone())?;
            while source.next(&mut standing.records)? {
                let at = standing.records.len() - 1;
                self.push_key(standing.records.record(at), &key, &mut bytes);
                if !wanted.contains_key(&bytes) {
                    standing.records.pop_record();
                    continue;
                }
                let place = standing.places.entry(bytes.clone()).or_insert((at, 0));
                place.1 += 1;
            }
        }
        Ok(standing)
    }

    /// The condition that finds the first of these by their keys, as loosely as an index does, and how many these are.
    fn any_of(&self, part: &[(usize, Op)]) -> (String, usize) {
        let limit = STATEMENT_BYTES.min(self.connection.server.packet_bytes_max / 2);
        let single = match self.writes.key {
            [at] => self.columns.get(*at),
            _ => None,
        };
        let mut terms = String::new();
        let mut taken = 0;
        for &(index, _) in part.iter().take(STATEMENT_RECORDS_MAX) {
            let record = self.writes.records.record(index);
            let start = terms.len();
            match single {
                Some(_) if taken > 0 => terms.push_str(", "),
                None if taken > 0 => terms.push_str(" OR "),
                _ => {}
            }
            match single {
                Some(column) => {
                    self.push_value(column, record.value(self.writes.key[0]), &mut terms);
                }
                None => terms.push_str(&format!("({})", self.key_like(record))),
            }
            if taken > 0 && terms.len() > limit {
                terms.truncate(start);
                break;
            }
            taken += 1;
        }
        let condition = match single {
            Some(column) => format!("{} IN ({terms})", ident(&column.name)),
            None => terms,
        };
        (condition, taken)
    }

    /// The condition that finds a record by its key as the server compares.
    fn key_like(&self, record: Record<'_>) -> String {
        let terms = self.writes.key.iter().filter_map(|&at| {
            let column = self.columns.get(at)?;
            let value = record.value(at);
            let mut literal = String::new();
            Some(match encode::push(column, value, &mut literal) {
                Ok(()) if !value.is_null() => format!("{} = {literal}", ident(&column.name)),
                _ => is(column, value, ""),
            })
        });
        terms.collect::<Vec<_>>().join(" AND ")
    }

    /// Puts the canonical bytes of a record's key into `into`.
    fn push_key(&self, record: Record<'_>, key: &[usize], into: &mut Vec<u8>) {
        into.clear();
        for (&at, &own) in key.iter().zip(self.writes.key) {
            let exact =
                matches!(self.columns.get(own), Some(column) if column.wire == Wire::Decimal);
            match record.value(at) {
                Value::Int(number) if exact => {
                    canonical::key(Value::Decimal(&number.to_string()), into);
                }
                value => canonical::key(value, into),
            }
        }
    }
}
