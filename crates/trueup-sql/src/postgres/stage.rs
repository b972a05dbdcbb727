//! The statements of a batch; [`Encoded`] is the bytes that go with them.
//!
//! Records travel by COPY into a temporary table, and from there in a few set-based statements into the target. The
//! statements depend on the shape only and are made once. Pure: nothing here talks to a server.

mod bag;
mod encoded;

pub(super) use encoded::Encoded;

use super::quote::{ident, idents};
use super::scan::delivered;
use super::schema::{Column, Equality, Table};
use super::types::Wire;
use trueup_core::endpoint::Op;
use trueup_core::{Error, Result};

/// What [`Statements::all`] answers where a field's modifier changed a value.
pub(super) const CHANGED: &str = "1";

/// What to do with a staged record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Replace it, or insert it where it is missing.
    Put = 0,
    /// Insert it; it was seen to be missing.
    Insert = 1,
    /// Replace it; it is locked.
    Replace = 2,
    /// Remove it.
    Delete = 3,
}

impl From<Op> for Act {
    fn from(op: Op) -> Self {
        match op {
            Op::Insert | Op::Update => Self::Put,
            Op::Delete => Self::Delete,
        }
    }
}

/// Loads the columns called `names` of a table.
pub(super) fn copy_into<'a>(table: &Table, names: impl Iterator<Item = &'a str>) -> String {
    let names = idents(names);
    format!("COPY {} ({names}) FROM STDIN (FORMAT binary)", table.sql())
}

/// The statements for one shape of batch.
#[derive(Debug)]
pub(super) struct Statements {
    /// The temporary table, in full: no table of the user can be meant.
    pub(super) stage: String,
    /// Makes the temporary table.
    pub(super) create: String,
    /// Loads the temporary table.
    pub(super) copy_stage: String,
    /// Loads the target itself; `None` when a field has no binary form, or the table's policies do not let COPY in.
    pub(super) copy_target: Option<String>,
    /// Locks and reads the records that stand at the target, with their number in the batch first.
    pub(super) current: String,
    /// Removes, then replaces, then inserts. Each statement reports how many records it touched.
    pub(super) write: [Option<String>; 3],
    /// Finds records whose value the field's own modifier changed; `None` where no field can.
    pub(super) changed: Option<String>,
    /// Reads all records `t` with their places, the table's first.
    pub(super) places: String,
    /// Begins the removal of records `t`.
    pub(super) remove: String,
    /// Finds records that conditional writes did not put, or did not remove.
    withheld: String,
    /// Finds staged records that stand at the target, value for value.
    pub(super) same: String,
    pub(super) removal: Removal,
    /// Locks the table, and asks whether records may be removed and inserted anew without a trace; `None` where a
    /// batch does not write them whole, or a key may stand for several.
    pub(super) rewrite: Option<(String, String)>,
    /// Whether `write` touches each put record exactly once or fails, unless something suppresses it.
    pub(super) counts: bool,
    /// The unique index that says the same about the key as we do, where there is one.
    pub(super) key_index: Option<String>,
    pub(super) columns: Vec<Column>,
}

/// The server's own limit, less the two columns of ours in the temporary table.
const FIELDS_MAX: usize = 1600 - 2;

fn check_room(count: usize) -> Result<()> {
    if count <= FIELDS_MAX {
        return Ok(());
    }
    Err(Error::config(format!(
        "too many fields to be written at once: fields={count} fields_max={FIELDS_MAX}"
    ))
    .hint("leave fields out with drop in a configuration file"))
}

impl Statements {
    /// The statements for a batch of these fields and this key; `number` tells its temporary table from those of other shapes.
    pub(super) fn new(
        table: &Table,
        fields: &[usize],
        key: &[usize],
        number: usize,
    ) -> Result<Self> {
        check_room(fields.len())?;
        let stage = format!("pg_temp.trueup_stage_{number}");
        let columns: Option<Vec<Column>> = fields
            .iter()
            .map(|&at| table.columns.get(at).cloned())
            .collect();
        let columns = columns
            .ok_or_else(|| Error::bug("a batch names a field that the schema does not have"))?;
        let key_columns: Option<Vec<(usize, &Column)>> =
            key.iter().map(|&at| Some((at, columns.get(at)?))).collect();
        let key_columns =
            key_columns.ok_or_else(|| Error::bug("a batch has no key among its fields"))?;
        let bag = key.is_empty();
        let parts = Parts {
            table,
            columns: &columns,
            matched: matched_as(&key_columns, "t"),
            key,
            stage: &stage,
        };
        // The index behind a key whose own `=` is not ours would make one record of two: an upsert through it would
        // replace another record than the one that is meant.
        let exact = key_columns
            .iter()
            .all(|(_, column)| column.equality == Equality::Exact);
        let index = parts.key_index(fields).filter(|_| exact && !bag);
        // With an index to rely on, one statement inserts or replaces; but it refuses records that leave out a
        // field which only an insert needs, even where they exist.
        let complete = table
            .columns
            .iter()
            .enumerate()
            .all(|(at, c)| c.filled || fields.contains(&at));
        let arbiter = index.filter(|unique| unique.immediate && complete);
        let counts = columns.len() > key.len();
        let whole = table
            .schema
            .fields
            .iter()
            .enumerate()
            .all(|(at, field)| field.generated || fields.contains(&at));
        let single = index.is_some() && key_columns.iter().all(|(_, column)| !column.nullable);
        Ok(Self {
            create: create(&columns, &stage),
            copy_stage: format!("COPY {stage} FROM STDIN (FORMAT binary)"),
            copy_target: parts.copy_target(),
            current: parts.current(),
            write: if bag {
                [None, None, Some(parts.add())]
            } else {
                [
                    Some(parts.delete()),
                    parts.replace(arbiter.is_some()),
                    Some(parts.insert(arbiter.is_some())),
                ]
            },
            changed: if bag {
                parts.changed_by_cast(fields)
            } else {
                parts.changed()
            },
            places: parts.places(),
            remove: format!("DELETE FROM {} AS t", table.sql_only()),
            withheld: parts.withheld(),
            same: parts.same(),
            removal: parts.removal(&key_columns),
            rewrite: (whole && single).then(|| table.rewrite()),
            counts,
            key_index: index.map(|unique| unique.name.clone()),
            columns: columns.clone(),
            stage,
        })
    }

    /// All that writes what is staged, in one message.
    pub(super) fn all(&self, checked: bool) -> String {
        let statements = self.write.iter().flatten().chain(&self.changed);
        let mut sql = statements.map(|sql| format!("{sql}; ")).collect::<String>();
        // Deferred constraints speak now, while the savepoint can still take the blame.
        sql.push_str("SET CONSTRAINTS ALL IMMEDIATE");
        if checked {
            sql.push_str("; ");
            sql.push_str(&self.withheld);
        }
        sql
    }
}

/// What it takes to ask who refers to the staged records that are to be removed.
#[derive(Debug)]
pub(super) struct Removal {
    pub(super) oid: u32,
    /// Keeps the references to the table as they are.
    pub(super) lock: String,
    /// The records `t` that are to be removed, as the beginning of a list of joins.
    pub(super) from: String,
    /// Narrows the stage `s` to them.
    pub(super) acts: &'static str,
    /// That a record `c` of the same table is not removed with them.
    pub(super) stays: String,
}

struct Parts<'a> {
    table: &'a Table,
    columns: &'a [Column],
    matched: String,
    key: &'a [usize],
    stage: &'a str,
}

impl Parts<'_> {
    /// The unique index on exactly the key's columns.
    fn key_index(&self, fields: &[usize]) -> Option<&super::schema::Unique> {
        let mut wanted: Vec<usize> = self
            .key
            .iter()
            .filter_map(|&at| fields.get(at).copied())
            .collect();
        wanted.sort_unstable();
        let fits = |columns: &[usize]| {
            let mut columns = columns.to_vec();
            columns.sort_unstable();
            columns == wanted
        };
        self.table
            .uniques
            .iter()
            .filter(|unique| fits(&unique.columns))
            .max_by_key(|unique| unique.immediate)
    }

    fn names(&self) -> String {
        idents(self.columns.iter().map(|column| column.name.as_str()))
    }

    fn others(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns
            .iter()
            .enumerate()
            .filter(|(at, _)| !self.key.contains(at))
    }

    fn copy_target(&self) -> Option<String> {
        let binary = self.columns.iter().all(|column| column.wire != Wire::Cast);
        let names = self.columns.iter().map(|column| column.name.as_str());
        (binary && !self.table.row_security).then(|| copy_into(self.table, names))
    }

    fn list(&self) -> String {
        let list = self.columns.iter().map(|column| delivered("t.", column));
        list.collect::<Vec<_>>().join(", ")
    }

    fn current(&self) -> String {
        let stage = self.stage;
        let list = self.list();
        let (target, matched) = (self.table.sql_only(), &self.matched);
        format!(
            "SELECT s.n, {list} FROM {stage} s JOIN {target} AS t ON {matched} ORDER BY s.n FOR UPDATE OF t"
        )
    }

    fn delete(&self) -> String {
        let stage = self.stage;
        let (target, matched) = (self.table.sql_only(), &self.matched);
        format!("DELETE FROM {target} AS t USING {stage} s WHERE s.act = 3 AND {matched}")
    }

    fn removal(&self, key: &[(usize, &Column)]) -> Removal {
        let stage = self.stage;
        let (target, matched) = (self.table.sql_only(), &self.matched);
        let child = matched_as(key, "c");
        Removal {
            oid: self.table.oid(),
            lock: self.table.lock(),
            from: format!("{stage} s JOIN {target} AS t ON {matched}"),
            acts: "s.act = 3",
            stays: format!("NOT EXISTS (SELECT FROM {stage} s WHERE s.act = 3 AND {child})"),
        }
    }

    /// A count does not tell a removal that was withheld from one that had nothing to remove.
    fn withheld(&self) -> String {
        let stage = self.stage;
        let (target, matched) = (self.table.sql_only(), &self.matched);
        format!(
            "SELECT 2 FROM {stage} s LEFT JOIN {target} AS t ON {matched} \
             WHERE (s.act = 3) = (t.tableoid IS NOT NULL) LIMIT 1"
        )
    }

    fn same(&self) -> String {
        let stage = self.stage;
        let same = self.others().map(|(at, column)| {
            let (name, value) = (ident(&column.name), staged(at, column));
            let native = column.equality == Equality::Exact
                && !matches!(column.wire, Wire::Cast | Wire::Json);
            if native {
                format!(" AND t.{name} IS NOT DISTINCT FROM {value}")
            } else {
                format!(" AND t.{name}::text COLLATE \"C\" IS NOT DISTINCT FROM ({value})::text COLLATE \"C\"")
            }
        });
        let same = same.collect::<String>();
        let (target, matched) = (self.table.sql_only(), &self.matched);
        format!("SELECT 1 FROM {stage} s JOIN {target} AS t ON {matched}{same} LIMIT 1")
    }

    /// Types that travel as text may have modifiers that round without a word: `interval(0)`, `numeric(5,2)[]`.
    fn changed(&self) -> Option<String> {
        let stage = self.stage;
        let modified = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.modified);
        let differs = modified.map(|(at, column)| {
            let (name, value) = (ident(&column.name), staged(at, column));
            format!("t.{name}::text IS DISTINCT FROM ({value})::text")
        });
        let differs = differs.collect::<Vec<_>>().join(" OR ");
        let (target, matched) = (self.table.sql_only(), &self.matched);
        (!differs.is_empty()).then(|| {
            format!("SELECT {CHANGED} FROM {stage} s JOIN {target} AS t ON {matched} WHERE s.act <> 3 AND ({differs}) LIMIT 1")
        })
    }

    /// `None` where there is nothing but the key.
    fn replace(&self, arbiter: bool) -> Option<String> {
        let stage = self.stage;
        let sets = self
            .others()
            .map(|(at, column)| format!("{} = {}", ident(&column.name), staged(at, column)));
        let sets = sets.collect::<Vec<_>>().join(", ");
        let (target, matched) = (self.table.sql_only(), &self.matched);
        let acts = if arbiter {
            "s.act = 2"
        } else {
            "s.act IN (0, 2)"
        };
        (!sets.is_empty()).then(|| {
            format!("UPDATE {target} AS t SET {sets} FROM {stage} s WHERE {acts} AND {matched}")
        })
    }

    fn insert_head(&self) -> String {
        let stage = self.stage;
        let values = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| staged(at, column));
        let values = values.collect::<Vec<_>>().join(", ");
        let overriding = self.columns.iter().any(|column| column.always);
        let overriding = if overriding {
            "OVERRIDING SYSTEM VALUE "
        } else {
            ""
        };
        let (table, names) = (self.table.sql(), self.names());
        format!("INSERT INTO {table} ({names}) {overriding}SELECT {values} FROM {stage} s")
    }

    fn insert(&self, arbiter: bool) -> String {
        let head = self.insert_head();
        if !arbiter {
            let (target, matched) = (self.table.sql_only(), &self.matched);
            return format!(
                "{head} WHERE s.act = 1 OR s.act = 0 AND NOT EXISTS (SELECT FROM {target} AS t WHERE {matched}) \
                 ORDER BY s.n"
            );
        }
        let key = idents(
            self.key
                .iter()
                .filter_map(|&at| Some(self.columns.get(at)?.name.as_str())),
        );
        let sets = self.others().map(|(_, column)| {
            let name = ident(&column.name);
            format!("{name} = excluded.{name}")
        });
        let sets = sets.collect::<Vec<_>>().join(", ");
        let action = if sets.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {sets}")
        };
        // What was seen to be missing is only ever inserted: there was nothing to lock, so that somebody may have been
        // quicker, and that record is not ours to replace.
        format!(
            "{head} WHERE s.act = 1 ORDER BY s.n; \
             {head} WHERE s.act = 0 ORDER BY s.n ON CONFLICT ({key}) DO {action}"
        )
    }
}

fn create(columns: &[Column], stage: &str) -> String {
    let list = columns.iter().enumerate().map(|(at, column)| {
        let ty = if column.wire == Wire::Cast {
            "text"
        } else {
            &column.cast
        };
        format!(", c{at} {ty}")
    });
    let list = list.collect::<String>();
    format!(
        "DROP TABLE IF EXISTS {stage}; \
         CREATE TEMPORARY TABLE {stage} (n int4 NOT NULL, act int4 NOT NULL{list}) ON COMMIT DELETE ROWS"
    )
}

/// A staged value in its column's type. Modifiers and domains are left to the assignment, which refuses what does
/// not fit, where an explicit cast would cut it.
fn staged(at: usize, column: &Column) -> String {
    if column.wire == Wire::Cast {
        format!("s.c{at}::{}", column.cast)
    } else {
        format!("s.c{at}")
    }
}

/// Finds the record of `table` with the staged key. Where the column's own `=` is loose, it finds the record by its index, and
/// the texts' bytes decide.
fn matched_as(key: &[(usize, &Column)], table: &str) -> String {
    if key.is_empty() {
        // A bag: nothing is found by a key.
        return "FALSE".to_owned();
    }
    let conditions = key.iter().map(|(at, column)| {
        let (name, value) = (ident(&column.name), staged(*at, column));
        let equals = if column.nullable {
            "IS NOT DISTINCT FROM"
        } else {
            "="
        };
        let own = format!("{table}.{name} {equals} {value}");
        match column.equality {
            Equality::Exact => own,
            Equality::Spelling | Equality::Folding => {
                format!("{own} AND {table}.{name}::text {equals} ({value})::text COLLATE \"C\"")
            }
        }
    });
    conditions.collect::<Vec<_>>().join(" AND ")
}
