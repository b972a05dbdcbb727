//! Writes said as SQL, for the programs `mariadb` and `mysql`.
//!
//! Invariant: each literal is the one that a batch would write, refused by the same rules. No literal holds a line break
//! or a backslash, so that no program on the way can take a part of one for a command of its own.

use super::quote::{ident, idents};
use super::schema::{self, Column, NATIVE};
use super::types;
use super::write::is;
use super::{Mysql, encode};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use trueup_core::endpoint::Op;
use trueup_core::schema::Schema;
use trueup_core::script::{Script, Statement};
use trueup_core::{Error, Kind, Result};

/// The columns of a collection.
type Columns = Rc<Vec<Column>>;

/// Says writes to the tables of one database.
pub(super) struct MysqlScript<'a> {
    endpoint: &'a Mysql,
    /// The tables asked for so far.
    tables: RefCell<BTreeMap<String, Columns>>,
}

impl<'a> MysqlScript<'a> {
    pub(super) fn new(endpoint: &'a Mysql) -> Self {
        Self {
            endpoint,
            tables: RefCell::default(),
        }
    }

    fn columns(&self, schema: &Schema) -> Result<Columns> {
        if let Some(known) = self.tables.borrow().get(&schema.collection) {
            return Ok(Rc::clone(known));
        }
        let found = self
            .endpoint
            .ask(|connection| schema::describe(connection, &schema.collection))?;
        let columns = Rc::new(match found {
            Some(table) => table.columns,
            None => designed(schema),
        });
        let mut tables = self.tables.borrow_mut();
        tables.insert(schema.collection.clone(), Rc::clone(&columns));
        Ok(columns)
    }
}

/// The columns of a collection that is yet to be created.
fn designed(schema: &Schema) -> Vec<Column> {
    let column = |field: &trueup_core::schema::Field| {
        let native = field.native.strip_prefix(NATIVE).unwrap_or("longtext");
        let native = types::native(native, native == "json");
        Column {
            name: field.name.clone(),
            wire: native.wire,
            limit: native.limit,
            nullable: field.nullable,
            labels: native.labels,
            bytewise: true,
            folding: false,
        }
    };
    schema.fields.iter().map(column).collect()
}

impl Script for MysqlScript<'_> {
    fn begin(&self) -> String {
        "-- run it with: mariadb --default-character-set=utf8mb4 DATABASE < SCRIPT (or: mysql ...)\n\
         SET NAMES utf8mb4;\n\
         SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';\n\
         SET SESSION time_zone = '+00:00';\n\
         START TRANSACTION;\n"
            .to_owned()
    }

    fn comment(&self, text: &str) -> String {
        let text = text.replace(char::is_control, " ");
        format!("-- {text}\n")
    }

    fn statement(&self, write: &Statement<'_>) -> Result<String> {
        let columns = self.columns(write.schema)?;
        let said = Said {
            write,
            columns: &columns,
        };
        let collection = write.schema.collection.escape_debug();
        said.statement()
            .map_err(|error| error.at(format!("collection={collection}")))
    }

    fn end(&self) -> String {
        "COMMIT;\n".to_owned()
    }
}

/// One write on its way to a statement.
struct Said<'a> {
    write: &'a Statement<'a>,
    columns: &'a [Column],
}

impl Said<'_> {
    fn statement(&self) -> Result<String> {
        let table = ident(&self.write.schema.collection);
        let all = 0..self.write.fields.len();
        Ok(match self.write.op {
            Op::Insert => {
                let columns: Result<Vec<&Column>> = all.clone().map(|at| self.column(at)).collect();
                let names = idents(columns?.iter().map(|column| column.name.as_str()));
                let values: Result<Vec<String>> = all.map(|at| self.literal(at)).collect();
                let values = values?.join(", ");
                format!("INSERT INTO {table} ({names}) VALUES ({values});\n")
            }
            Op::Update => {
                let sets = self.write.changed.iter().map(|&at| {
                    let name = ident(&self.column(at)?.name);
                    Ok(format!("{name} = {}", self.literal(at)?))
                });
                let sets = sets.collect::<Result<Vec<String>>>()?.join(", ");
                format!("UPDATE {table} SET {sets} WHERE {};\n", self.key_is()?)
            }
            Op::Delete => format!("DELETE FROM {table} WHERE {};\n", self.key_is()?),
        })
    }

    fn column(&self, at: usize) -> Result<&Column> {
        let field = self.write.fields.get(at);
        let column = field.and_then(|&field| self.columns.get(field));
        column.ok_or_else(|| Error::bug("a statement names a field that is not there"))
    }

    fn key_is(&self) -> Result<String> {
        let terms = self.write.key.iter().map(|&at| {
            // Refused here, and not found nowhere.
            self.literal(at)?;
            Ok(is(self.column(at)?, self.write.record.value(at), ""))
        });
        Ok(terms.collect::<Result<Vec<String>>>()?.join(" AND "))
    }

    fn literal(&self, at: usize) -> Result<String> {
        let mut out = String::new();
        encode::push(self.column(at)?, self.write.record.value(at), &mut out).map_err(
            |refusal| {
                Error::new(Kind::Rejected, refusal.0).hint(
                    "no script can say this record; change the mapping, or let trueup sync park it",
                )
            },
        )?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
