//! Writes said as SQL, for `psql`.
//!
//! Invariant: each value is a quoted text, which the column's own type reads back exactly: the server's text forms are
//! exact, and what a column would round or cut is refused by the same rules that hold for writing. Every name is
//! quoted; control characters and backslashes are escaped, so that no program on the way can take them for its own.

use super::quote::{ident, idents};
use super::schema::{self, Column, Equality, Table};
use super::{Postgres, encode};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;
use trueup_core::endpoint::Op;
use trueup_core::script::{Script, Statement};
use trueup_core::text;
use trueup_core::value::Value;
use trueup_core::{Error, Kind, Result};

/// Says writes to the tables of one database.
pub(super) struct PostgresScript<'a> {
    endpoint: &'a Postgres,
    /// The tables asked for so far; `None` for one that is yet to be created.
    tables: RefCell<BTreeMap<String, Option<Rc<Table>>>>,
}

impl<'a> PostgresScript<'a> {
    pub(super) fn new(endpoint: &'a Postgres) -> Self {
        Self {
            endpoint,
            tables: RefCell::default(),
        }
    }

    fn table(&self, collection: &str) -> Result<Option<Rc<Table>>> {
        if let Some(known) = self.tables.borrow().get(collection) {
            return Ok(known.clone());
        }
        let found = self
            .endpoint
            .ask(|connection| schema::describe(connection, collection))?;
        let found = found.map(Rc::new);
        let mut tables = self.tables.borrow_mut();
        tables.insert(collection.to_owned(), found.clone());
        Ok(found)
    }
}

impl Script for PostgresScript<'_> {
    fn begin(&self) -> String {
        "-- run it with: psql -v ON_ERROR_STOP=1 -f SCRIPT DATABASE\n\
         BEGIN;\n\
         SET LOCAL client_encoding = 'UTF8';\n\
         SET LOCAL standard_conforming_strings = on;\n\
         SET LOCAL DateStyle = 'ISO, YMD';\n\
         SET LOCAL TimeZone = 'UTC';\n\
         SET LOCAL IntervalStyle = 'iso_8601';\n\
         SET LOCAL lc_monetary = 'C';\n\
         SET CONSTRAINTS ALL DEFERRED;\n"
            .to_owned()
    }

    fn comment(&self, text: &str) -> String {
        let text = text.replace(char::is_control, " ");
        format!("-- {text}\n")
    }

    fn statement(&self, write: &Statement<'_>) -> Result<String> {
        let collection = &write.schema.collection;
        let table = self.table(collection)?;
        let said = Said {
            write,
            table: table.as_deref(),
        };
        said.statement()
            .map_err(|error| error.at(format!("collection={}", collection.escape_debug())))
    }

    fn end(&self) -> String {
        "COMMIT;\n".to_owned()
    }
}

/// One write on its way to a statement.
struct Said<'a> {
    write: &'a Statement<'a>,
    table: Option<&'a Table>,
}

impl Said<'_> {
    fn statement(&self) -> Result<String> {
        let Statement { op, changed, .. } = *self.write;
        Ok(match op {
            Op::Insert => {
                let all = 0..self.write.fields.len();
                let names = idents(all.clone().map(|at| self.name(at)));
                let values: Result<Vec<String>> = all.clone().map(|at| self.literal(at)).collect();
                // A table that the script creates may hand out numbers; without effect where it does not.
                let always = self.table.is_none()
                    || all
                        .filter_map(|at| self.column(at))
                        .any(|column| column.always);
                let overriding = if always {
                    "OVERRIDING SYSTEM VALUE "
                } else {
                    ""
                };
                format!(
                    "INSERT INTO {} ({names}) {overriding}VALUES ({});\n",
                    self.target(false),
                    values?.join(", ")
                )
            }
            Op::Update => {
                let sets: Result<Vec<String>> = changed
                    .iter()
                    .map(|&at| Ok(format!("{} = {}", ident(self.name(at)), self.literal(at)?)))
                    .collect();
                let sets = sets?.join(", ");
                format!(
                    "UPDATE {} SET {sets} WHERE {};\n",
                    self.target(true),
                    self.key_is()?
                )
            }
            Op::Delete => format!(
                "DELETE FROM {} WHERE {};\n",
                self.target(true),
                self.key_is()?
            ),
        })
    }

    fn target(&self, only: bool) -> String {
        match self.table {
            Some(table) if only => table.sql_only(),
            Some(table) => table.sql(),
            None => match self.write.schema.collection.split_once('.') {
                Some((namespace, name)) => format!("{}.{}", ident(namespace), ident(name)),
                None => ident(&self.write.schema.collection),
            },
        }
    }

    fn name(&self, at: usize) -> &str {
        let field = self.write.fields.get(at);
        let field = field.and_then(|&field| self.write.schema.fields.get(field));
        field.map_or("", |field| &field.name)
    }

    fn column(&self, at: usize) -> Option<&Column> {
        let field = *self.write.fields.get(at)?;
        self.table?.columns.get(field)
    }

    /// As the writer finds a record: where the column's own `=` is loose, the texts' bytes decide.
    fn key_is(&self) -> Result<String> {
        let terms = self.write.key.iter().map(|&at| {
            let (name, literal) = (ident(self.name(at)), self.literal(at)?);
            let text = matches!(self.write.record.value(at), Value::Text(_));
            let column = self.column(at);
            let exact = column.map_or(!text, |column| column.equality == Equality::Exact);
            Ok(if exact {
                format!("{name} = {literal}")
            } else {
                format!("{name} = {literal} AND {name}::text = {literal} COLLATE \"C\"")
            })
        });
        Ok(terms.collect::<Result<Vec<String>>>()?.join(" AND "))
    }

    fn literal(&self, at: usize) -> Result<String> {
        let value = self.write.record.value(at);
        let refused = |why: &str| {
            let field = self.name(at).escape_debug();
            Error::new(Kind::Rejected, format!("{why}: field={field}")).hint(
                "no script can say this record; change the mapping, or let trueup sync park it",
            )
        };
        if let Some(column) = self.column(at) {
            if column.modified && !value.is_null() {
                return Err(refused("the field's type may round without a word"));
            }
            encode::value(column, value, &mut Vec::new())
                .map_err(|refusal| Error::new(Kind::Rejected, refusal.0))?;
        }
        let mut plain = String::new();
        match value {
            Value::Null => Ok("NULL".to_owned()),
            Value::Int(number) if i32::try_from(number).is_ok() => Ok(number.to_string()),
            Value::Bool(truth) => Ok(truth.to_string()),
            _ if !text::write(value, &mut plain) => Err(refused("the value has no exact text")),
            _ if plain.contains('\0') => Err(refused("text holds a zero byte")),
            _ => Ok(quoted(&plain)),
        }
    }
}

fn quoted(text: &str) -> String {
    let awkward = |ch: char| ch.is_control() || ch == '\\';
    if !text.contains(awkward) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut out = "E'".to_owned();
    for ch in text.chars() {
        match ch {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ch if ch.is_control() => {
                write!(out, "\\u{:04x}", u32::from(ch)).expect("a String takes all");
            }
            ch => out.push(ch),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests;
