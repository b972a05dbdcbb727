//! Reads shapes from the catalogue.
//!
//! Invariant: a [`Table`] names exactly one table, by schema and name, and its columns stand in the order of the
//! [`Schema`] made from it. A plain collection name follows the session's search path, as it does for the user.
//! Views and foreign tables are not collections: they have no key to agree on.

use super::connect::{Connection, column};
use super::quote::{IDENT_BYTES_MAX, ident};
use super::types::{self, Limit, Wire};
use trueup_core::schema::{Field, Reference, Schema};
use trueup_core::{Error, Kind, Result};

/// The schema that holds our control tables.
pub(super) const CONTROL: &str = "trueup";

/// Which schemas hold no collections, as SQL over `n.nspname`.
pub(super) const ORDINARY: &str =
    "n.nspname <> 'trueup' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

/// What a column is beyond its [`Field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) wire: Wire,
    pub(super) limit: Limit,
    /// The base type without modifier, as SQL spells it: what staged values are cast to.
    pub(super) cast: String,
    pub(super) nullable: bool,
    /// Whether the server fills it when an insert leaves it out.
    pub(super) filled: bool,
    /// Travels as text, and its type has a modifier of its own.
    pub(super) modified: bool,
    /// `GENERATED ALWAYS AS IDENTITY`.
    pub(super) always: bool,
    /// Whether its own order is that of the bytes (collation `"C"`).
    pub(super) bytewise: bool,
    pub(super) equality: Equality,
}

/// What a column's own `=` makes of values that are different to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equality {
    /// Different values are different there, too.
    Exact,
    /// Different spellings may be one value: `1 day` and `24:00:00`, `{1.0}` and `{1}`.
    Spelling,
    /// Different texts may be one value: `citext`, a nondeterministic collation.
    Folding,
}

/// A unique index on plain columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unique {
    pub(super) columns: Vec<usize>,
    pub(super) primary: bool,
    /// Checked at once, so that an upsert can rely on it.
    pub(super) immediate: bool,
    pub(super) name: String,
}

/// A table as the catalogue has it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    oid: u32,
    namespace: String,
    name: String,
    /// Whether other tables inherit from it, so that it must be addressed alone.
    only: bool,
    /// Whether policies decide which records this user sees and writes; COPY refuses to write such a table.
    pub(super) row_security: bool,
    pub(super) schema: Schema,
    pub(super) columns: Vec<Column>,
    pub(super) uniques: Vec<Unique>,
}

impl Table {
    /// The table's full name, quoted.
    pub(super) fn sql(&self) -> String {
        format!("{}.{}", ident(&self.namespace), ident(&self.name))
    }

    /// The table's full name for reading and changing records: without those of tables that inherit from it.
    pub(super) fn sql_only(&self) -> String {
        if self.only {
            format!("ONLY {}", self.sql())
        } else {
            self.sql()
        }
    }

    pub(super) fn oid(&self) -> u32 {
        self.oid
    }

    /// Locks the table against new triggers and references.
    pub(super) fn lock(&self) -> String {
        format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", self.sql_only())
    }

    /// Locks the table, and asks whether a record of it (or of its partitions)
    /// can be removed without anything else happening.
    pub(super) fn rewrite(&self) -> (String, String) {
        let oid = self.oid;
        let question = format!(
            "WITH rel AS (SELECT {oid}::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree({oid}::oid::regclass)) \
             SELECT NOT EXISTS (SELECT FROM pg_trigger g JOIN rel ON g.tgrelid = rel.oid WHERE NOT g.tgisinternal) \
             AND NOT EXISTS (SELECT FROM pg_rewrite w JOIN rel ON w.ev_class = rel.oid) \
             AND NOT EXISTS (SELECT FROM pg_constraint r JOIN rel ON r.confrelid = rel.oid \
               WHERE r.contype = 'f' AND r.confdeltype IN ('c', 'n', 'd'))"
        );
        (self.lock(), question)
    }

    /// Whether an upsert of `fields` can rely on a unique index on exactly the columns of `key`, positions among them, and
    /// leaves out nothing that an insert needs.
    pub(super) fn has_arbiter(&self, fields: &[usize], key: &[usize]) -> bool {
        let mut wanted: Vec<usize> = key
            .iter()
            .filter_map(|&at| fields.get(at).copied())
            .collect();
        wanted.sort_unstable();
        let is_key = |unique: &Unique| {
            let mut columns = unique.columns.clone();
            columns.sort_unstable();
            unique.immediate && columns == wanted
        };
        let mut columns = self.columns.iter().enumerate();
        columns.all(|(at, column)| column.filled || fields.contains(&at))
            && self.uniques.iter().any(is_key)
    }

    /// Makes sure that `seen` is still this table's shape.
    ///
    /// # Errors
    /// `Stale` when a field is gone or has another type.
    pub(super) fn agree(&self, seen: &Schema) -> Result<()> {
        let same = seen.fields.len() == self.schema.fields.len()
            && seen
                .fields
                .iter()
                .zip(&self.schema.fields)
                .all(|(a, b)| a.name == b.name && a.native == b.native);
        if same {
            return Ok(());
        }
        let name = self.schema.collection.escape_debug();
        Err(Error::new(
            Kind::Stale,
            format!("the collection's fields changed while it was in use: collection={name}"),
        )
        .hint("run again with the new shape"))
    }
}

/// Lists the collections: those of the current schema by their plain names, others as `schema.table`.
pub(super) fn collections(connection: &Connection) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text, n.nspname IS NOT DISTINCT FROM current_schema() \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND {ORDINARY} \
         AND has_schema_privilege(n.oid, 'USAGE') \
         ORDER BY 3 DESC, n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    );
    let mut names: Vec<String> = Vec::new();
    for row in connection.query(&sql, &[])? {
        let name = spelled(
            &column::<String>(&row, 0)?,
            &column::<String>(&row, 1)?,
            column(&row, 2)?,
        );
        // A table called "a.b" hides table b of schema a, because a plain name is looked up first.
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

pub(super) fn spelled(namespace: &str, table: &str, current: bool) -> String {
    if current {
        table.to_owned()
    } else {
        format!("{namespace}.{table}")
    }
}

/// Reads a table's shape; `None` when there is no collection of that name.
pub(super) fn describe(connection: &Connection, collection: &str) -> Result<Option<Table>> {
    let Some(mut table) = resolve(connection, collection)? else {
        return Ok(None);
    };
    let numbers = read_columns(connection, &mut table)?;
    read_uniques(connection, &mut table, &numbers)?;
    read_references(connection, &mut table)?;
    read_cascades(connection, &mut table)?;
    read_triggers(connection, &mut table)?;
    note_missing_key(&mut table);
    note_folding(&mut table);
    Ok(Some(table))
}

/// Finds the table: a plain name on the search path, else `schema.table` at each dot.
pub(super) fn resolve(connection: &Connection, collection: &str) -> Result<Option<Table>> {
    if let Some(found) = find(connection, None, collection)? {
        return Ok(Some(found));
    }
    for (dot, _) in collection.match_indices('.') {
        let (namespace, rest) = collection.split_at(dot);
        if let Some(found) = find(connection, Some(namespace), &rest[1..])? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn find(connection: &Connection, namespace: Option<&str>, name: &str) -> Result<Option<Table>> {
    let unfit = |name: &str| name.len() > IDENT_BYTES_MAX || name.contains('\0');
    if unfit(name) || namespace.is_some_and(unfit) {
        return Ok(None);
    }
    let sql = format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, n.nspname IS NOT DISTINCT FROM current_schema(), \
         c.relkind = 'p', c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid), \
         row_security_active(c.oid), c.relrowsecurity, c.relispartition \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = $1 AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {ORDINARY} \
         AND CASE WHEN $2::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = $2::text END"
    );
    let rows = connection.query(&sql, &[&name, &namespace])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let (namespace, name): (String, String) = (column(row, 1)?, column(row, 2)?);
    let mut schema = Schema {
        collection: spelled(&namespace, &name, column(row, 3)?),
        ..Schema::default()
    };
    let (partitioned, only): (bool, bool) = (column(row, 4)?, column(row, 5)?);
    if partitioned {
        schema
            .notes
            .push("partitioned: read and written through its root".to_owned());
    }
    if only {
        schema.notes.push(
            "other tables inherit from it: only its own records are read and written".to_owned(),
        );
    }
    let row_security = column(row, 6)?;
    schema.partial = row_security;
    if row_security {
        schema.notes.push(
            "WARNING: row level security is active for this user: records may be hidden, so a missing record \
             proves nothing; use a user with BYPASSRLS"
                .to_owned(),
        );
    } else if column::<bool>(row, 7)? {
        schema
            .notes
            .push("row level security is enabled, but does not restrict this user".to_owned());
    }
    if column::<bool>(row, 8)? {
        schema.notes.push("a partition of another table".to_owned());
    }
    let oid = column(row, 0)?;
    Ok(Some(Table {
        oid,
        namespace,
        name,
        only,
        row_security,
        schema,
        columns: Vec::new(),
        uniques: Vec::new(),
    }))
}

/// Domains are followed to the type below them; the outermost type modifier found counts. Collation 950 is `"C"`.
const COLUMNS: &str = "\
    WITH RECURSIVE base(attnum, typid, typmod, never_null) AS ( \
      SELECT attnum, atttypid, atttypmod, false FROM pg_attribute \
      WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
      UNION ALL \
      SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod = -1 THEN t.typtypmod ELSE b.typmod END, \
             b.never_null OR t.typnotnull \
      FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd') \
    SELECT a.attnum, a.attname::text, format_type(a.atttypid, a.atttypmod), NOT (a.attnotnull OR b.never_null), \
           a.attgenerated <> '', a.attidentity <> '', a.attidentity = 'a', a.atthasdef, b.typid, b.typmod, \
           format_type(b.typid, -1), a.attcollation = 950, t.typtype = 'e', \
           t.typname = 'citext' OR EXISTS (SELECT FROM pg_collation l \
             WHERE l.oid = a.attcollation AND NOT l.collisdeterministic) \
    FROM pg_attribute a JOIN base b USING (attnum) JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd' \
    WHERE a.attrelid = $1 ORDER BY a.attnum";

/// Reads the columns, and returns their numbers: indices and constraints speak of those, and they have gaps where
/// columns were dropped.
fn read_columns(connection: &Connection, table: &mut Table) -> Result<Vec<i16>> {
    let mut numbers: Vec<i16> = Vec::new();
    for row in connection.query(COLUMNS, &[&table.oid])? {
        numbers.push(column(&row, 0)?);
        let (name, native): (String, String) = (column(&row, 1)?, column(&row, 2)?);
        let (nullable, generated): (bool, bool) = (column(&row, 3)?, column(&row, 4)?);
        let (identity, always, default): (bool, bool, bool) =
            (column(&row, 5)?, column(&row, 6)?, column(&row, 7)?);
        let (oid, typmod): (u32, i32) = (column(&row, 8)?, column(&row, 9)?);
        if always {
            let shown = name.escape_debug();
            table.schema.notes.push(format!(
                "identity always: field={shown} (inserts override it; an update cannot change it)"
            ));
        }
        let ty = types::core(oid, typmod);
        table.schema.fields.push(Field {
            nullable,
            generated,
            ..Field::new(name.clone(), ty, format!("postgres:{native}"))
        });
        table.columns.push(Column {
            name,
            wire: types::wire(oid),
            modified: types::wire(oid) == Wire::Cast && typmod != -1,
            limit: types::limit(oid, typmod),
            cast: column(&row, 10)?,
            nullable,
            filled: nullable || identity || default || generated,
            always,
            bytewise: column(&row, 11)?,
            equality: equality(types::wire(oid), column(&row, 12)?, column(&row, 13)?),
        });
    }
    Ok(numbers)
}

fn equality(wire: Wire, is_enum: bool, folding: bool) -> Equality {
    match wire {
        _ if folding => Equality::Folding,
        Wire::Cast if !is_enum => Equality::Spelling,
        _ => Equality::Exact,
    }
}

fn read_uniques(connection: &Connection, table: &mut Table, numbers: &[i16]) -> Result<()> {
    let sql = "SELECT i.indkey::int2[], i.indnkeyatts, i.indisprimary, i.indimmediate, c.relname::text \
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
               WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
               ORDER BY i.indisprimary DESC, c.relname COLLATE \"C\"";
    for row in connection.query(sql, &[&table.oid])? {
        let keys: Vec<i16> = column(&row, 0)?;
        let count = usize::try_from(column::<i16>(&row, 1)?).unwrap_or(0);
        if let Some(columns) = positions(keys.get(..count).unwrap_or(&[]), numbers) {
            let (primary, immediate): (bool, bool) = (column(&row, 2)?, column(&row, 3)?);
            table.uniques.push(Unique {
                columns,
                primary,
                immediate,
                name: column(&row, 4)?,
            });
        }
    }
    for unique in &table.uniques {
        if unique.primary {
            table.schema.key.clone_from(&unique.columns);
        } else {
            table.schema.uniques.push(unique.columns.clone());
        }
    }
    Ok(())
}

/// Where the numbered columns stand; `None` when one is no column of ours.
fn positions(wanted: &[i16], numbers: &[i16]) -> Option<Vec<usize>> {
    wanted
        .iter()
        .map(|number| numbers.iter().position(|n| n == number))
        .collect()
}

fn read_references(connection: &Connection, table: &mut Table) -> Result<()> {
    let sql = "SELECT (SELECT array_agg(a.attname::text ORDER BY k.n) \
                 FROM unnest(r.conkey) WITH ORDINALITY k(attnum, n) \
                 JOIN pg_attribute a ON a.attrelid = r.conrelid AND a.attnum = k.attnum), \
               n.nspname::text, c.relname::text, n.nspname IS NOT DISTINCT FROM current_schema(), \
               r.confdeltype IN ('c', 'n', 'd') OR r.confupdtype IN ('c', 'n', 'd') \
               FROM pg_constraint r JOIN pg_class c ON c.oid = r.confrelid \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE r.conrelid = $1 AND r.contype = 'f' AND NOT c.relispartition \
               ORDER BY r.conname COLLATE \"C\"";
    for row in connection.query(sql, &[&table.oid])? {
        let names: Vec<String> = column(&row, 0)?;
        let fields = names
            .iter()
            .filter_map(|name| table.schema.index_of(name))
            .collect();
        let collection = spelled(
            &column::<String>(&row, 1)?,
            &column::<String>(&row, 2)?,
            column(&row, 3)?,
        );
        table.schema.references.push(Reference {
            fields,
            collection,
            cascades: column(&row, 4)?,
        });
    }
    Ok(())
}

/// Finds the tables whose foreign keys to this one have an action on delete. A partition's is its parent's too.
fn read_cascades(connection: &Connection, table: &mut Table) -> Result<()> {
    let sql = "SELECT DISTINCT n.nspname::text, c.relname::text, n.nspname IS NOT DISTINCT FROM current_schema() \
               FROM pg_constraint r JOIN pg_class c ON c.oid = r.conrelid \
               JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE r.confrelid = $1 AND r.contype = 'f' AND r.confdeltype IN ('c', 'n', 'd') \
               AND NOT c.relispartition ORDER BY 1, 2";
    for row in connection.query(sql, &[&table.oid])? {
        let (schema, name): (String, String) = (column(&row, 0)?, column(&row, 1)?);
        let collection = spelled(&schema, &name, column(&row, 2)?);
        table.schema.cascades.push(collection);
    }
    Ok(())
}

fn read_triggers(connection: &Connection, table: &mut Table) -> Result<()> {
    let sql = "SELECT tgname::text FROM pg_trigger \
               WHERE tgrelid = $1 AND NOT tgisinternal AND tgenabled IN ('O', 'A') ORDER BY tgname COLLATE \"C\"";
    for row in connection.query(sql, &[&table.oid])? {
        let name: String = column(&row, 0)?;
        table.schema.notes.push(format!(
            "trigger fires on writes: name={}",
            name.escape_debug()
        ));
    }
    Ok(())
}

/// Names the fields whose unique index takes different texts for one.
fn note_folding(table: &mut Table) {
    for (at, column) in table.columns.iter().enumerate() {
        let unique = table
            .uniques
            .iter()
            .any(|unique| unique.columns.contains(&at));
        if unique && column.equality == Equality::Folding {
            table.schema.notes.push(format!(
                "unique field takes texts for equal that are not: field={} (of two such records the second is refused; \
                 keys are compared by their bytes)",
                column.name.escape_debug()
            ));
        }
    }
}

fn note_missing_key(table: &mut Table) {
    if !table.schema.key.is_empty() {
        return;
    }
    let usable = table.uniques.iter().find(|unique| {
        unique
            .columns
            .iter()
            .all(|&at| table.columns.get(at).is_some_and(|column| !column.nullable))
    });
    if let Some(unique) = usable {
        let names = unique
            .columns
            .iter()
            .filter_map(|&at| table.columns.get(at));
        let names = names
            .map(|column| column.name.escape_debug().to_string())
            .collect::<Vec<_>>()
            .join(",");
        table.schema.notes.push(format!(
            "no primary key; fields={names} are unique and never null, and could be named as the key"
        ));
    }
}
