//! Works out how a table comes to be here with its structure: the statement that creates it, and what follows the load.
//!
//! Invariant: what is asked for is in the statement, in a step, or told to be lost. Foreign keys and checks are part of the
//! statement, as SQLite has no other place for them; while the table is under construction they are not enforced on foreign
//! keys ([`apply`](super::apply)), and the last step looks whether all of them hold.

use super::design::{self, Shape};
use super::error::translate;
use super::quote;
use super::script::quoted;
use super::structure::{ENGINE, NOW};
use crate::definition::unnamed;
use crate::draft::Draft;
use crate::hex::hex;
use rusqlite::Connection;
use std::collections::BTreeSet;
use trueup_core::Result;
use trueup_core::schema::{Field, Schema};
use trueup_core::structure::{
    Construction, DefaultValue, Extras, ForeignKey, Index, Literal, Lost, Plain, StepKind,
    Structure, derived, plain,
};
use trueup_core::types::Type;

/// SQLite has no limit on names; nobody reads longer ones.
const NAME_BYTES_MAX: usize = 200;

/// Works it out. `taken` are names of this link's other indexes.
pub(super) fn construct(
    connection: Option<&Connection>,
    wanted: &Schema,
    structure: &Structure,
    taken: &mut BTreeSet<String>,
) -> Result<Construction> {
    let Shape {
        mut schema,
        declared,
    } = design::shape(wanted)?;
    let others = match connection {
        Some(connection) => others(connection, &wanted.collection)?,
        None => BTreeSet::new(),
    };
    let mut plan = Plan {
        table: quote(&wanted.collection),
        draft: Draft::new(structure, ENGINE),
    };
    let key = schema.key.clone();
    let mut clauses = Vec::new();
    let mut counted = false;
    for (at, (field, declared)) in schema.fields.iter_mut().zip(&declared).enumerate() {
        let alone = key == [at];
        let clause = plan.clause(field, declared, key.contains(&at), alone);
        counted |= clause.starts_with(design::COUNTED);
        clauses.push(clause);
    }
    let mut tail = plan.checks();
    for key in &structure.references {
        tail.push(plan.foreign_key(key));
    }
    for index in &structure.indexes {
        plan.index(index, &others, taken);
    }
    if !structure.references.is_empty() {
        let statement = format!("PRAGMA foreign_key_check({})", plan.table);
        let name = unnamed(&wanted.collection, std::iter::empty(), "fkeys");
        plan.draft.step(StepKind::ForeignKey, name, statement);
    }
    plan.comments();
    schema.uniques.clear();
    let statement = design::statement(&schema, &declared, &clauses, &tail, !counted);
    Ok(plan.draft.finish(schema, statement))
}

/// The names of tables, and of other tables' indexes.
fn others(connection: &Connection, collection: &str) -> Result<BTreeSet<String>> {
    let list = || -> rusqlite::Result<BTreeSet<String>> {
        let mut names = connection.prepare(
            "SELECT lower(name) FROM sqlite_master WHERE tbl_name <> ?1 COLLATE NOCASE OR type <> 'index'",
        )?;
        names.query_map([collection], |row| row.get(0))?.collect()
    };
    list().map_err(|cause| translate(cause, "list names"))
}

struct Plan<'a> {
    table: String,
    draft: Draft<'a>,
}

impl Plan<'_> {
    /// What stands behind the field's type.
    fn clause(&mut self, field: &mut Field, declared: &str, in_key: bool, alone: bool) -> String {
        let structure = self.draft.structure;
        let Some(extras) = structure.extras(&field.name) else {
            return String::new();
        };
        if let Some(generated) = &extras.generated {
            let stored = generated.stored;
            let clause = self.draft.generated(&field.name, generated, in_key, stored);
            field.generated |= clause.is_some();
            return clause.unwrap_or_default();
        }
        if extras.identity.is_some() {
            return self.identity(field, extras, declared, alone);
        }
        let Some(default) = &extras.default else {
            return String::new();
        };
        match default_sql(default, field, self.draft.same) {
            Some(sql) => format!(" DEFAULT {sql}"),
            None => {
                self.draft.lose_words("default", &field.name);
                String::new()
            }
        }
    }

    fn identity(&mut self, field: &Field, extras: &Extras, declared: &str, alone: bool) -> String {
        let Some(identity) = extras.identity else {
            return String::new();
        };
        if !alone || !declared.eq_ignore_ascii_case("integer") || identity.increment != 1 {
            let why = "only a whole number that is all of the key counts up here, by 1";
            self.draft.lose("identity", &field.name, why);
            return String::new();
        }
        if identity.implied && self.draft.same {
            return String::new();
        }
        if let Some(next) = identity.next.filter(|&next| next > 1) {
            let (name, last) = (quoted(&self.draft.structure.collection), next - 1);
            let statement = format!(
                "INSERT OR REPLACE INTO sqlite_sequence (rowid, name, seq) \
                 SELECT min(rowid), {name}, max({last}, coalesce(max(seq), 0)) FROM sqlite_sequence WHERE name = {name}"
            );
            self.draft
                .step(StepKind::Next, field.name.clone(), statement);
        }
        design::COUNTED.to_owned()
    }

    fn checks(&mut self) -> Vec<String> {
        let structure = self.draft.structure;
        let mut lines = Vec::new();
        for check in &structure.checks {
            if self.draft.same {
                let name = check.name.as_ref();
                let name =
                    name.map_or(String::new(), |name| format!("CONSTRAINT {} ", quote(name)));
                lines.push(format!("{name}CHECK ({})", check.expression));
            } else {
                let name = check.name.clone().unwrap_or_default();
                self.draft.lose_words("check", &name);
            }
        }
        lines
    }

    fn foreign_key(&mut self, key: &ForeignKey) -> String {
        let list = |names: &[String]| {
            let names = names.iter().map(|name| quote(name));
            names.collect::<Vec<_>>().join(", ")
        };
        let name = key.name.as_ref();
        if key.full && key.fields.len() > 1 {
            let why = "a reference that is NULL in some of its fields is not refused";
            let name = name.cloned().unwrap_or_default();
            self.draft.lose("full match", &name, why);
        }
        let name = name.map_or(String::new(), |name| format!("CONSTRAINT {} ", quote(name)));
        let referred = match key.referred.is_empty() {
            true => String::new(),
            false => format!(" ({})", list(&key.referred)),
        };
        let deferrable = match key.deferrable {
            Some(true) => " DEFERRABLE INITIALLY DEFERRED",
            Some(false) => " DEFERRABLE INITIALLY IMMEDIATE",
            None => "",
        };
        format!(
            "{name}FOREIGN KEY ({}) REFERENCES {}{referred} ON DELETE {} ON UPDATE {}{deferrable}",
            list(&key.fields),
            quote(&key.collection),
            key.on_delete.sql(),
            key.on_update.sql()
        )
    }

    fn index(&mut self, index: &Index, others: &BTreeSet<String>, taken: &mut BTreeSet<String>) {
        let what = if index.unique { "key" } else { "idx" };
        let fields = index.fields.iter().map(|field| field.name.as_str());
        let collection = self.draft.structure.collection.clone();
        let plain_name = unnamed(&collection, fields, what);
        let wish = index.name.as_deref().unwrap_or(&plain_name);
        let verbatim = index.verbatim.as_deref().filter(|_| self.draft.same);
        let cut = index.fields.iter().any(|field| field.prefix.is_some());
        let why = match (&index.beyond, verbatim) {
            (Some(why), None) => Some(why.clone()),
            (None, _) if cut => Some("it is on the beginning of a field".to_owned()),
            _ => None,
        };
        if let Some(why) = why {
            self.draft.lose("index", wish, why);
            return;
        }
        let free = |name: &str| {
            let lower = name.to_ascii_lowercase();
            !others.contains(&lower) && !taken.contains(&lower) && !lower.starts_with("sqlite_")
        };
        let name = derived(wish, &collection, NAME_BYTES_MAX, free);
        taken.insert(name.to_ascii_lowercase());
        let columns = match verbatim {
            Some(tail) => tail.to_owned(),
            None => {
                let columns = index.fields.iter().map(|field| {
                    let order = if field.descending { " DESC" } else { "" };
                    format!("{}{order}", quote(&field.name))
                });
                format!("({})", columns.collect::<Vec<_>>().join(", "))
            }
        };
        let (kind, unique) = match index.unique {
            true => (StepKind::Unique, "UNIQUE "),
            false => (StepKind::Index, ""),
        };
        let statement = format!(
            "CREATE {unique}INDEX {} ON {} {columns}",
            quote(&name),
            self.table
        );
        self.draft.step(kind, name, statement);
    }

    fn comments(&mut self) {
        let structure = self.draft.structure;
        let why = "SQLite keeps no comments";
        if structure.comment.is_some() {
            self.draft
                .lost
                .push(Lost::new("comment", structure.collection.clone(), why));
        }
        for extras in &structure.fields {
            if extras.comment.is_some() {
                self.draft.lose("comment", &extras.field, why);
            }
        }
    }
}

/// A default as such a value is stored here; `None` where SQLite has no words for it.
fn default_sql(default: &DefaultValue, field: &Field, same: bool) -> Option<String> {
    match default {
        DefaultValue::Other(text) => same.then(|| format!("({text})")),
        DefaultValue::Now => match field.ty {
            Type::Date => Some("CURRENT_DATE".to_owned()),
            Type::Time => Some("CURRENT_TIME".to_owned()),
            Type::Timestamp => Some("CURRENT_TIMESTAMP".to_owned()),
            Type::Instant => Some(format!("({NOW})")),
            _ => None,
        },
        // What does not fit the field's type is stored as it is, as at the source.
        DefaultValue::Literal(value) if same => Some(match value {
            Literal::Bool(value) => u8::from(*value).to_string(),
            Literal::Number(number) => number.clone(),
            Literal::Text(value) => quoted(value),
        }),
        DefaultValue::Literal(value) => Some(match plain(value, field.ty)? {
            Plain::Bool(value) => u8::from(value).to_string(),
            Plain::Number(number) if matches!(field.ty, Type::Decimal { .. }) => quoted(&number),
            Plain::Number(number) => number,
            Plain::Text(value) => quoted(&value),
            Plain::Bytes(bytes) => {
                format!("x'{}'", hex(&bytes))
            }
        }),
    }
}

#[cfg(test)]
mod tests;
