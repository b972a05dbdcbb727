//! A writer who knows nothing of trueup: inserts, updates, deletes and puts back records at random.
//!
//! Invariant: the same dice make the same edits. An edit is valid in both systems and does nothing where it does not
//! apply (a record that is there already, or not any more). On request each edit is written down with the record as its
//! writer saw it and as it was left.

use super::shape::{COLLECTIONS, Collection};
use crate::support::Dice;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Map, Value, json};
use std::path::Path;
use trueup_testkit::servers::postgres::Database;

/// One write.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    collection: &'static Collection,
    /// The record's key, as a condition.
    at: String,
    statement: String,
}

/// Makes edits.
#[derive(Debug)]
pub(super) struct Editor {
    pub(super) dice: Dice,
    /// The last one given out: no value that tells its writer is used twice.
    token: u64,
    /// Records that many edits are about, so that the two sides meet.
    hot: Vec<(&'static Collection, Vec<String>)>,
}

impl Editor {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            token: 0,
            hot: Vec::new(),
        }
    }

    /// Chooses anew the records that many edits are about.
    pub(super) fn turn(&mut self) {
        self.hot.clear();
        for collection in &COLLECTIONS {
            for _ in 0..4 {
                let key = self.key(collection);
                self.hot.push((collection, key));
            }
        }
    }

    /// Makes `count` edits for a side, and no edit of a collection that is not there.
    pub(super) fn edits(&mut self, count: usize, there: impl Fn(&Collection) -> bool) -> Vec<Edit> {
        let mut edits = Vec::new();
        while edits.len() < count {
            let (collection, key) = self.place();
            if there(collection) {
                edits.push(self.edit(collection, &key));
            }
        }
        edits
    }

    /// Makes inserts into all collections that are there.
    pub(super) fn inserts(
        &mut self,
        each: usize,
        there: impl Fn(&Collection) -> bool,
    ) -> Vec<Edit> {
        let mut edits = Vec::new();
        for collection in COLLECTIONS.iter().filter(|collection| there(collection)) {
            for _ in 0..each {
                let key = self.key(collection);
                edits.push(self.insert(collection, &key));
            }
        }
        edits
    }

    fn place(&mut self) -> (&'static Collection, Vec<String>) {
        if !self.hot.is_empty() && self.dice.below(5) < 3 {
            let at = self.dice.below(self.hot.len() as u64) as usize;
            return self.hot[at].clone();
        }
        let collection = &COLLECTIONS[self.dice.below(COLLECTIONS.len() as u64) as usize];
        (collection, self.key(collection))
    }

    fn key(&mut self, collection: &Collection) -> Vec<String> {
        let kinds = collection.key.iter();
        kinds
            .map(|(_, kind)| kind.literal(&mut self.dice, 0))
            .collect()
    }

    fn edit(&mut self, collection: &'static Collection, key: &[String]) -> Edit {
        match self.dice.below(20) {
            0..4 => self.delete(collection, key),
            4..9 => self.insert(collection, key),
            9 => self.update(collection, key, |name, _| name.to_owned()),
            10..15 => {
                let only = self.dice.below(collection.fields.len() as u64) as usize;
                self.update(collection, key, |name, at| {
                    if at == only {
                        String::new()
                    } else {
                        name.to_owned()
                    }
                })
            }
            _ => {
                let mask = self.dice.below(1 << collection.fields.len());
                self.update(collection, key, |name, at| {
                    if mask >> at & 1 == 1 {
                        String::new()
                    } else {
                        name.to_owned()
                    }
                })
            }
        }
    }

    fn insert(&mut self, collection: &'static Collection, key: &[String]) -> Edit {
        let fresh = collection.fields.iter().map(|(_, kind)| {
            self.token += 1;
            kind.literal(&mut self.dice, self.token)
        });
        let values: Vec<String> = key.iter().cloned().chain(fresh).collect();
        let names: Vec<&str> = collection.all().map(|(name, _)| name).collect();
        let statement = format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
            collection.name,
            names.join(", "),
            values.join(", ")
        );
        Edit {
            collection,
            at: condition(collection, key),
            statement,
        }
    }

    /// Sets every field to what `value` says of its name and place; a new value where that is empty.
    fn update(
        &mut self,
        collection: &'static Collection,
        key: &[String],
        value: impl Fn(&str, usize) -> String,
    ) -> Edit {
        let mut set = Vec::new();
        for (index, (name, kind)) in collection.fields.iter().enumerate() {
            let mut value = value(name, index);
            if value.is_empty() {
                self.token += 1;
                value = kind.literal(&mut self.dice, self.token);
            }
            set.push(format!("{name} = {value}"));
        }
        let at = condition(collection, key);
        let statement = format!(
            "UPDATE {} SET {} WHERE {at}",
            collection.name,
            set.join(", ")
        );
        Edit {
            collection,
            at,
            statement,
        }
    }

    fn delete(&mut self, collection: &'static Collection, key: &[String]) -> Edit {
        let at = condition(collection, key);
        let statement = format!("DELETE FROM {} WHERE {at}", collection.name);
        Edit {
            collection,
            at,
            statement,
        }
    }
}

fn condition(collection: &Collection, key: &[String]) -> String {
    let parts = collection.key.iter().zip(key);
    let parts: Vec<String> = parts
        .map(|((name, _), value)| format!("{name} = {value}"))
        .collect();
    parts.join(" AND ")
}

/// Makes the edits in one transaction, unless somebody is in the way. Returns what was written, as the lines of a
/// journal.
pub(super) fn edit_sqlite(file: &Path, edits: &[Edit]) -> Option<Vec<Value>> {
    let mut database = Connection::open(file).unwrap();
    database.busy_timeout(std::time::Duration::ZERO).unwrap();
    let busy = |error: &rusqlite::Error| {
        let code = error.sqlite_error_code();
        assert_eq!(code, Some(rusqlite::ErrorCode::DatabaseBusy), "{error}");
    };
    let begun = database.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.inspect_err(busy).ok()?;
    let mut written = Vec::new();
    for edit in edits {
        let before = record(&transaction, edit);
        transaction.execute_batch(&edit.statement).unwrap();
        written.push(line("sqlite", edit, &before, &record(&transaction, edit)));
    }
    transaction.commit().inspect_err(busy).ok()?;
    Some(written)
}

fn line(side: &str, edit: &Edit, before: &Value, after: &Value) -> Value {
    json!({"side": side, "collection": edit.collection.name, "before": before, "after": after})
}

fn record(database: &Connection, edit: &Edit) -> Value {
    let sql = format!("SELECT * FROM {} WHERE {}", edit.collection.name, edit.at);
    let mut query = database.prepare(&sql).unwrap();
    let names: Vec<String> = query.column_names().map(str::to_owned).collect();
    let mut rows = query.query([]).unwrap();
    let Some(row) = rows.next().unwrap() else {
        return Value::Null;
    };
    let value = |index| match row.get_ref(index).unwrap() {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => value.into(),
        ValueRef::Real(value) => value.into(),
        ValueRef::Text(value) => std::str::from_utf8(value).unwrap().into(),
        ValueRef::Blob(_) => panic!("no field holds bytes"),
    };
    let fields = names.into_iter().enumerate();
    fields
        .map(|(index, name)| (name, value(index)))
        .collect::<Map<_, _>>()
        .into()
}

/// As [`edit_sqlite`], in PostgreSQL.
pub(super) fn edit_postgres(database: &Database, edits: &[Edit]) -> Option<Vec<Value>> {
    // Whoever is stopped in the middle of a transaction would be waited for without end. And what is written down as
    // seen must be what the write itself met, also where there was no record.
    let begin = "SET lock_timeout = '50ms'; BEGIN ISOLATION LEVEL REPEATABLE READ;\n";
    let mut script = begin.to_owned();
    for edit in edits {
        let table = edit.collection.name;
        let seen = format!(
            "SELECT coalesce((SELECT row_to_json(t)::text FROM {table} t WHERE {} FOR UPDATE), 'null');\n",
            edit.at
        );
        script.extend([&seen, &edit.statement, ";\n", &seen]);
    }
    script.push_str("COMMIT;\n");
    let said = match database.sql(&script) {
        Ok(said) => said,
        Err(error) => {
            let error = error.to_string();
            let in_the_way = ["lock timeout", "could not serialize access"];
            assert!(
                in_the_way.iter().any(|words| error.contains(words)),
                "{error}"
            );
            return None;
        }
    };
    let mut lines = said.split('\n').map(|line| {
        let read = serde_json::from_str::<Value>(line);
        read.unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    let mut written = Vec::new();
    for edit in edits {
        let (before, after) = (lines.next().unwrap(), lines.next().unwrap());
        written.push(line("postgres", edit, &before, &after));
    }
    Some(written)
}
