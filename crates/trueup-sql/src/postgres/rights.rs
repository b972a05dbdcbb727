//! Asks the server what this user may do, and words the grants of what is missing.
//!
//! Invariant: every answer is the server's own (`has_table_privilege` and its kin), so that membership of roles,
//! ownership, `PUBLIC` and superusers count as they do when the statement runs; nothing is tried out. The statements
//! name the user of this session, and can be run as they stand by whoever may grant.
//!
//! It deliberately knows no policies: row level security hides records instead of refusing them, and is told with the
//! collection's shape.

use super::connect::{Connection, column};
use super::quote::ident;
use super::schema::{self, CONTROL, ORDINARY};
use trueup_core::Result;
use trueup_core::rights::{Remedy, Rights, Wanted};

/// The epochs and the markers.
const CONTROL_TABLES_TOTAL: usize = 2;
/// How many names a note lists.
const NAMES_SHOWN_MAX: usize = 10;
/// What writing takes: a batch is merged by all of them, whatever it holds.
const WRITING: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// Tells what is missing.
pub(super) fn rights(connection: &Connection, wanted: &[Wanted]) -> Result<Rights> {
    let row = connection.one("SELECT current_user::text, current_database()::text")?;
    let mut asking = Asking {
        connection,
        user: column(&row, 0)?,
        database: column(&row, 1)?,
        rights: Rights::default(),
    };
    for one in wanted {
        match one {
            Wanted::List => asking.list(one)?,
            Wanted::Read(name) => asking.table(one, name, &["SELECT"])?,
            Wanted::Write(name) => {
                asking.table(one, name, &WRITING)?;
                asking.temporary(one)?;
            }
            Wanted::Create(name) => {
                asking.create(one, name)?;
                asking.temporary(one)?;
            }
            Wanted::Control => asking.control(one)?,
        }
    }
    Ok(asking.rights)
}

/// Whether a table, or each of its columns, may be touched. DELETE is not granted by columns.
const ON_TABLE: &str = "\
    has_table_privilege($1::oid, 'PRIVILEGE') OR COALESCE((\
      SELECT bool_and(has_column_privilege($1::oid, a.attnum, 'PRIVILEGE')) FROM pg_attribute a \
      WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped), false)";

/// The first schema of the search path that exists, also when this user may not use it.
const FIRST_SCHEMA: &str = "\
    SELECT n.nspname::text FROM unnest(string_to_array(current_setting('search_path'), ',')) WITH ORDINALITY AS p(name, at) \
    JOIN pg_namespace n ON n.nspname = CASE btrim(p.name) WHEN '\"$user\"' THEN current_user::text \
      ELSE replace(btrim(btrim(p.name), '\"'), '\"\"', '\"') END \
    ORDER BY p.at LIMIT 1";

/// The state of the control tables, as far as this user can use them.
const CONTROL_TABLES: &str = "\
    SELECT to_regnamespace('trueup') IS NOT NULL, \
      COALESCE(has_schema_privilege(to_regnamespace('trueup'), 'USAGE'), false), \
      COALESCE(has_schema_privilege(to_regnamespace('trueup'), 'CREATE'), false), \
      has_database_privilege(current_database(), 'CREATE'), \
      ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = to_regnamespace('trueup') \
        AND c.relname IN ('epoch', 'marker') ORDER BY 1), \
      ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = to_regnamespace('trueup') \
        AND c.relname IN ('epoch', 'marker') AND NOT (has_table_privilege(c.oid, 'SELECT') \
          AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')) ORDER BY 1)";

struct Asking<'a> {
    connection: &'a Connection,
    user: String,
    database: String,
    rights: Rights,
}

impl Asking<'_> {
    /// Notes a missing privilege on an object: `on` is its kind and name in a grant, `shown` the same for people.
    fn lack(&mut self, wanted: &Wanted, privileges: &[&str], on: &str, shown: &str) {
        let privileges = privileges.join(", ");
        let user = ident(&self.user);
        self.rights.lack(
            wanted,
            format!("{privileges} on {shown}"),
            Remedy::Statement(format!("GRANT {privileges} ON {on} TO {user}")),
        );
    }

    fn lack_on_schema(&mut self, wanted: &Wanted, privileges: &[&str], name: &str) {
        let quoted = ident(name);
        let (on, shown) = (format!("SCHEMA {quoted}"), format!("schema {quoted}"));
        self.lack(wanted, privileges, &on, &shown);
    }

    fn lack_on_database(&mut self, wanted: &Wanted, privileges: &[&str]) {
        let quoted = ident(&self.database);
        let (on, shown) = (format!("DATABASE {quoted}"), format!("database {quoted}"));
        self.lack(wanted, privileges, &on, &shown);
    }

    /// A schema that this user may not use hides its tables. That matters where nothing else is to be seen.
    fn list(&mut self, wanted: &Wanted) -> Result<()> {
        let sql = format!(
            "SELECT n.nspname::text FROM pg_namespace n WHERE {ORDINARY} \
             AND NOT has_schema_privilege(n.oid, 'USAGE') \
             AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')) \
             ORDER BY n.nspname COLLATE \"C\""
        );
        let mut hidden = Vec::new();
        for row in self.connection.query(&sql, &[])? {
            hidden.push(column::<String>(&row, 0)?);
        }
        // Where a session looks unless it is told otherwise.
        let usual = |name: &&String| *name == "public" || **name == self.user;
        let usual: Vec<String> = hidden.iter().filter(usual).cloned().collect();
        if !usual.is_empty() && schema::collections(self.connection)?.is_empty() {
            for name in &usual {
                self.lack_on_schema(wanted, &["USAGE"], name);
            }
        } else if !hidden.is_empty() {
            let shown = hidden.iter().take(NAMES_SHOWN_MAX).map(|name| ident(name));
            let (shown, total) = (shown.collect::<Vec<_>>().join(", "), hidden.len());
            let note = format!(
                "this user may not use schemas that hold tables: total={total} schemas={shown}"
            );
            self.rights.notes.push(note);
        }
        Ok(())
    }

    fn table(&mut self, wanted: &Wanted, name: &str, privileges: &[&'static str]) -> Result<()> {
        let found = match schema::resolve(self.connection, name)? {
            Some(table) => vec![table.oid()],
            None => self.hidden(name)?,
        };
        for oid in found {
            self.one_table(wanted, oid, privileges)?;
        }
        Ok(())
    }

    /// Finds tables that would be called `name`, were their schema not closed to this user.
    fn hidden(&self, name: &str) -> Result<Vec<u32>> {
        let sql = format!(
            "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = $1 AND c.relkind IN ('r', 'p') AND {ORDINARY} \
             AND NOT has_schema_privilege(n.oid, 'USAGE') AND n.nspname IN ('public', current_user) \
             ORDER BY n.nspname COLLATE \"C\""
        );
        let rows = self.connection.query(&sql, &[&name])?;
        rows.iter().map(|row| column(row, 0)).collect()
    }

    /// A privilege on every column is as good as one on the table, but for deletes.
    fn one_table(&mut self, wanted: &Wanted, oid: u32, privileges: &[&'static str]) -> Result<()> {
        let place = "SELECT n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'USAGE') \
                     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1";
        let rows = self.connection.query(place, &[&oid])?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let (namespace, name): (String, String) = (column(row, 0)?, column(row, 1)?);
        if !column::<bool>(row, 2)? {
            self.lack_on_schema(wanted, &["USAGE"], &namespace);
        }
        let mut missing = Vec::new();
        for &privilege in privileges {
            let sql = if privilege == "DELETE" {
                "SELECT has_table_privilege($1::oid, 'DELETE')".to_owned()
            } else {
                format!("SELECT {}", ON_TABLE.replace("PRIVILEGE", privilege))
            };
            let rows = self.connection.query(&sql, &[&oid])?;
            let granted = rows.first().map(|row| column::<bool>(row, 0));
            if !granted.transpose()?.unwrap_or(false) {
                missing.push(privilege);
            }
        }
        if !missing.is_empty() {
            let quoted = format!("{}.{}", ident(&namespace), ident(&name));
            let shown = format!("table {quoted}");
            self.lack(wanted, &missing, &quoted, &shown);
        }
        Ok(())
    }

    /// Statements are staged in a temporary table.
    fn temporary(&mut self, wanted: &Wanted) -> Result<()> {
        let sql = "SELECT has_database_privilege(current_database(), 'TEMPORARY')";
        if !column::<bool>(&self.connection.one(sql)?, 0)? {
            self.lack_on_database(wanted, &["TEMPORARY"]);
        }
        Ok(())
    }

    /// A table is created where its name says, else in the first schema of the search path.
    fn create(&mut self, wanted: &Wanted, name: &str) -> Result<()> {
        let place = match name.split_once('.') {
            Some((namespace, _)) => Some(namespace.to_owned()),
            None => {
                let rows = self.connection.query(FIRST_SCHEMA, &[])?;
                rows.first().map(|row| column(row, 0)).transpose()?
            }
        };
        let Some(place) = place else {
            let advice = "create a schema that the user's search_path names";
            let right = "a schema to create tables in";
            self.rights
                .lack(wanted, right, Remedy::Advice(advice.to_owned()));
            return Ok(());
        };
        let sql = "SELECT has_schema_privilege(oid, 'USAGE'), has_schema_privilege(oid, 'CREATE') \
                   FROM pg_namespace WHERE nspname = $1";
        let rows = self.connection.query(sql, &[&place])?;
        let Some(row) = rows.first() else {
            // That there is none of this name is said by the design.
            return Ok(());
        };
        let privileges = ["USAGE", "CREATE"];
        let missing = lacking(row, &privileges)?;
        if !missing.is_empty() {
            self.lack_on_schema(wanted, &missing, &place);
        }
        Ok(())
    }

    /// The same question as [`super::control::possible`], with an answer for each part of it.
    fn control(&mut self, wanted: &Wanted) -> Result<()> {
        let row = self.connection.one(CONTROL_TABLES)?;
        if !column::<bool>(&row, 0)? {
            if !column::<bool>(&row, 3)? {
                self.lack_on_database(wanted, &["CREATE"]);
            }
            return Ok(());
        }
        let there: Vec<String> = column(&row, 4)?;
        let closed: Vec<String> = column(&row, 5)?;
        let (usage, create): (bool, bool) = (column(&row, 1)?, column(&row, 2)?);
        let mut on_schema = Vec::new();
        if !usage {
            on_schema.push("USAGE");
        }
        if !create && there.len() < CONTROL_TABLES_TOTAL {
            on_schema.push("CREATE");
        }
        if !on_schema.is_empty() {
            self.lack_on_schema(wanted, &on_schema, CONTROL);
        }
        for name in closed {
            let quoted = format!("{}.{}", ident(CONTROL), ident(&name));
            let shown = format!("table {quoted}");
            self.lack(wanted, &["SELECT", "INSERT", "UPDATE"], &quoted, &shown);
        }
        Ok(())
    }
}

/// The privileges whose columns, in the same order, say no.
fn lacking<'p>(row: &tokio_postgres::Row, privileges: &[&'p str]) -> Result<Vec<&'p str>> {
    let mut missing = Vec::new();
    for (at, privilege) in privileges.iter().enumerate() {
        if !column::<bool>(row, at)? {
            missing.push(*privilege);
        }
    }
    Ok(missing)
}
