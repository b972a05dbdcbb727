//! The publication of a link: the tables whose changes are told.
//!
//! Invariant: a table joins only after its replica identity was found to be enough: the server would otherwise refuse the
//! application's own updates. Whatever is changed waits for a lock only shortly. Tables that join are told completely
//! from the first transaction that the next snapshot does not hold: opening waits for those that were under way. The
//! publication remembers in its comment which tables it told, so that one that was taken out, or made anew, is noticed.

use super::shape::Shape;
use super::slot::settle;
use crate::postgres::connect::{Connection, column};
use crate::postgres::error::translate;
use crate::postgres::quote::{ident, literal};
use std::collections::BTreeSet;
use trueup_core::{Error, Kind, Result};

/// How long a lock at the source is waited for: whoever comes after us in the queue waits too.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '3s'";
/// What the comment begins with; the numbers of the tables follow.
const MEMORY: &str = "kept by trueup; tables=";
/// What it ends with while transactions may be under way that began before a table joined.
const JOINING: &str = " joining";

/// What the publication remembers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Memory {
    tables: BTreeSet<u32>,
    joining: bool,
}

impl Memory {
    /// Reads a comment; what somebody else wrote there is no memory.
    fn parse(comment: &str) -> Self {
        let Some(list) = comment.strip_prefix(MEMORY) else {
            return Self::default();
        };
        let joining = list.ends_with(JOINING);
        let list = list.strip_suffix(JOINING).unwrap_or(list);
        let tables = list.split(',').filter_map(|oid| oid.parse().ok());
        Self {
            tables: tables.collect(),
            joining,
        }
    }

    /// The statement that writes it down.
    fn statement(&self, name: &str) -> String {
        let list = self.tables.iter().map(u32::to_string);
        let list = list.collect::<Vec<_>>().join(",");
        let mark = if self.joining { JOINING } else { "" };
        let text = literal(&format!("{MEMORY}{list}{mark}"));
        format!("COMMENT ON PUBLICATION {} IS {text}", ident(name))
    }
}

/// A publication as it stands.
struct Found {
    oid: u32,
    /// Whether this user may change it.
    own: bool,
    all_tables: bool,
    memory: Memory,
    /// The tables that it tells.
    told: BTreeSet<u32>,
}

/// Brings the publication to tell these tables, and waits for what was under way when some joined. Returns why the log
/// cannot be taken up (`resumes`) after all: changes of a table were not told for a while.
pub(super) fn publish(
    connection: &Connection,
    name: &str,
    shapes: &[Shape],
    resumes: bool,
) -> Result<Option<String>> {
    let wanted = shapes.iter().map(|shape| shape.table.oid());
    let mut memory = Memory {
        tables: wanted.collect(),
        joining: false,
    };
    let generated = shapes.iter().any(|shape| shape.generated);
    let Some(found) = find(connection, name)? else {
        let mut options = "publish_via_partition_root = true".to_owned();
        if generated {
            options.push_str(", publish_generated_columns = stored");
        }
        let tables = tables(shapes.iter());
        let create = format!(
            "CREATE PUBLICATION {}{tables} WITH ({options})",
            ident(name)
        );
        change(connection, name, shapes, &[create, memory.statement(name)])?;
        return Ok(None);
    };
    if resumes && let Some(reason) = gap(connection, &found, shapes)? {
        return Ok(Some(reason));
    }
    let surplus = surplus(connection, name, &found, &memory.tables)?;
    let missing = shapes
        .iter()
        .filter(|shape| !found.told.contains(&shape.table.oid()))
        .map(|shape| shape.table.sql_only())
        .collect::<Vec<_>>();
    let quoted = ident(name);
    let mut statements = Vec::new();
    if !missing.is_empty() {
        let tables = missing.join(", ");
        statements.push(format!("ALTER PUBLICATION {quoted} ADD TABLE {tables}"));
    }
    if found.own && !found.all_tables && !surplus.is_empty() {
        let tables = surplus.join(", ");
        statements.push(format!("ALTER PUBLICATION {quoted} DROP TABLE {tables}"));
    }
    if found.own && generated {
        statements.push(format!(
            "ALTER PUBLICATION {quoted} SET (publish_generated_columns = stored)"
        ));
    }
    memory.joining = !missing.is_empty() || found.memory.joining;
    if found.own && memory != found.memory {
        statements.push(memory.statement(name));
    }
    if !statements.is_empty() {
        change(connection, name, shapes, &statements)?;
    }
    if memory.joining {
        settle(connection)?;
        memory.joining = false;
        change(connection, name, shapes, &[memory.statement(name)])?;
    }
    Ok(None)
}

fn find(connection: &Connection, name: &str) -> Result<Option<Found>> {
    let sql = "SELECT oid, puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot, \
               pg_has_role(pubowner, 'USAGE'), coalesce(obj_description(oid, 'pg_publication'), '') \
               FROM pg_publication WHERE pubname = $1::text::name";
    let rows = connection.query(sql, &[&name])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    if !column::<bool>(row, 2)? {
        return Err(Error::config(format!(
            "the publication does not tell all: name={name}"
        ))
        .hint(format!(
            "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
        )));
    }
    let mut told = BTreeSet::new();
    let sql = "SELECT relid FROM pg_get_publication_tables($1::text)";
    for row in connection.query(sql, &[&name])? {
        told.insert(column(&row, 0)?);
    }
    Ok(Some(Found {
        oid: column(row, 0)?,
        own: column(row, 3)?,
        all_tables: column(row, 1)?,
        memory: Memory::parse(&column::<String>(row, 4)?),
        told,
    }))
}

/// Says why something was not told that should have been.
fn gap(connection: &Connection, found: &Found, shapes: &[Shape]) -> Result<Option<String>> {
    let known = &found.memory.tables;
    let oid = |shape: &Shape| shape.table.oid();
    let mut taken = shapes.iter().filter(|shape| known.contains(&oid(shape)));
    if let Some(shape) = taken.find(|shape| !found.told.contains(&oid(shape))) {
        return Ok(Some(format!(
            "a table was taken out of the publication: collection={}",
            shape.collection.escape_debug()
        )));
    }
    let Some(new) = shapes.iter().find(|shape| !known.contains(&oid(shape))) else {
        return Ok(None);
    };
    // One that is gone may be the one that is new: dropped, and made anew under its name.
    let known = known.iter().copied().collect::<Vec<_>>();
    let sql = "SELECT FROM unnest($1::oid[]) AS k(oid) WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = k.oid)";
    if connection.query(sql, &[&known])?.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "a table was dropped, and another is followed: collection={}",
        new.collection.escape_debug()
    )))
}

/// Which tables the publication names besides the wanted ones, as SQL.
fn surplus(
    connection: &Connection,
    name: &str,
    found: &Found,
    wanted: &BTreeSet<u32>,
) -> Result<Vec<String>> {
    // From version 15 on a table can be told in part. The columns' names are asked for as such: before, there are none.
    let sql = "SELECT r.prrelid::regclass::text, r.prrelid, \
               to_jsonb(r) ->> 'prqual' IS NOT NULL OR to_jsonb(r) ->> 'prattrs' IS NOT NULL \
               FROM pg_publication_rel r WHERE r.prpubid = $1";
    let mut surplus = Vec::new();
    for row in connection.query(sql, &[&found.oid])? {
        let table: String = column(&row, 0)?;
        if !wanted.contains(&column(&row, 1)?) {
            surplus.push(table);
        } else if column(&row, 2)? {
            return Err(Error::config(format!(
                "the publication tells a table in part only: name={name} table={}",
                table.escape_debug()
            ))
            .hint(
                "take the table out of the publication, and in again without columns and condition",
            ));
        }
    }
    Ok(surplus)
}

fn tables<'a>(shapes: impl Iterator<Item = &'a Shape>) -> String {
    let list = shapes.map(|shape| shape.table.sql_only());
    let list = list.collect::<Vec<_>>().join(", ");
    if list.is_empty() {
        list
    } else {
        format!(" FOR TABLE {list}")
    }
}

/// Changes the publication in one transaction.
fn change(
    connection: &Connection,
    name: &str,
    shapes: &[Shape],
    statements: &[String],
) -> Result<()> {
    let sql = format!("BEGIN; {LOCK_TIMEOUT}; {}; COMMIT", statements.join("; "));
    let done = connection.wait(|client| client.batch_execute(&sql))?;
    let Err(foreign) = done else {
        return Ok(());
    };
    drop(connection.execute("ROLLBACK"));
    let error = translate(&foreign);
    if error.kind() != Kind::Auth {
        return Err(error);
    }
    let list = tables(shapes.iter());
    Err(Error::new(
        Kind::Auth,
        format!("the publication cannot be made by this user: name={name}"),
    )
    .hint(format!(
        "let the tables' owner make it: CREATE PUBLICATION {}{list} WITH (publish_via_partition_root = true)",
        ident(name)
    ))
    .cause(error))
}

/// Drops the publication, where it is this user's to drop; it makes nothing grow.
pub(super) fn unpublish(connection: &Connection, name: &str) -> Result<()> {
    let sql = "SELECT FROM pg_publication WHERE pubname = $1::text::name AND pg_has_role(pubowner, 'USAGE')";
    if connection.query(sql, &[&name])?.is_empty() {
        return Ok(());
    }
    change(
        connection,
        name,
        &[],
        &[format!("DROP PUBLICATION IF EXISTS {}", ident(name))],
    )
}
