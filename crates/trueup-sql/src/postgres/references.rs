//! Finds the records that refer to some that are to be removed, through foreign keys with an action of their own.
//!
//! `CASCADE`, `SET NULL` and `SET DEFAULT` delete and rewrite records that no plan holds. Where each write is decided on
//! what was seen, they are therefore treated as `RESTRICT`. `NO ACTION` and `RESTRICT` are left to the server.
//!
//! Invariant: asked in a statement of its own after the records were locked (`FOR UPDATE`, which waits for whoever is
//! about to refer to them, and makes all others wait), the answer holds until the batch ends.

use super::connect::{Connection, column};
use super::schema::spelled;
use super::stage::Removal;
use trueup_core::Result;

/// The foreign keys to a table that have an action on delete.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Finds one that holds a staged record, by its number; `None` where there are none.
    question: Option<String>,
    /// Why the record stays, by that number.
    reasons: Vec<String>,
}

/// A key between partitioned tables is there once for each partition; the one of the whole tables says it all.
const KEYS: &str = "\
    WITH rel AS (SELECT $1::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid::regclass)), \
    keys AS (SELECT r.* FROM pg_constraint r JOIN rel ON rel.oid = r.confrelid \
      WHERE r.contype = 'f' AND r.confdeltype IN ('c', 'n', 'd')) \
    SELECT n.nspname::text, c.relname::text, n.nspname IS NOT DISTINCT FROM current_schema(), \
    CASE r.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END, \
    CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', n.nspname, c.relname), \
    (SELECT string_agg(format('t.%I OPERATOR(%I.%s) c.%I', p.attname, s.nspname, o.oprname, f.attname), ' AND ') \
      FROM unnest(r.confkey, r.conkey, r.conpfeqop) AS k(p, f, op) \
      JOIN pg_attribute p ON p.attrelid = r.confrelid AND p.attnum = k.p \
      JOIN pg_attribute f ON f.attrelid = r.conrelid AND f.attnum = k.f \
      JOIN pg_operator o ON o.oid = k.op JOIN pg_namespace s ON s.oid = o.oprnamespace), \
    r.conrelid IN (SELECT oid FROM rel), \
    has_schema_privilege(n.oid, 'USAGE') AND NOT row_security_active(r.conrelid) \
    AND (SELECT bool_and(has_column_privilege(r.conrelid, f, 'SELECT')) FROM unnest(r.conkey) AS f) \
    AND (SELECT bool_and(has_column_privilege(r.confrelid, p, 'SELECT')) FROM unnest(r.confkey) AS p) \
    FROM keys r JOIN pg_class c ON c.oid = r.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE NOT EXISTS (SELECT FROM keys q WHERE q.oid = r.conparentid) \
    ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", r.conname COLLATE \"C\"";

impl References {
    /// Reads them, and locks the table so that they stay.
    pub(super) fn read(connection: &Connection, removal: &Removal) -> Result<Self> {
        connection.execute(&removal.lock)?;
        let mut reasons = Vec::new();
        let mut questions = Vec::new();
        for (number, row) in connection.query(KEYS, &[&removal.oid])?.iter().enumerate() {
            let (namespace, name): (String, String) = (column(row, 0)?, column(row, 1)?);
            let table = spelled(&namespace, &name, column(row, 2)?);
            let (action, child): (String, String) = (column(row, 3)?, column(row, 4)?);
            let (pairs, own): (String, bool) = (column(row, 5)?, column(row, 6)?);
            let readable: bool = column(row, 7)?;
            let Removal {
                from, acts, stays, ..
            } = removal;
            // Those that go with it do not hold it, and the statement removes all of them at once.
            let stays = if own {
                format!(" AND {stays}")
            } else {
                String::new()
            };
            // Who cannot look has to take it for granted.
            let child = if readable {
                format!(" JOIN {child} AS c ON {pairs}{stays}")
            } else {
                String::new()
            };
            questions.push(format!(
                "(SELECT {number}::int4 FROM {from}{child} WHERE {acts} LIMIT 1)"
            ));
            let doubt = if readable {
                ""
            } else {
                " (this user cannot read it)"
            };
            let table = table.escape_debug();
            reasons.push(format!(
                "still referenced: table={table} on_delete={action}{doubt}"
            ));
        }
        let any = questions.join(" UNION ALL ");
        let question =
            (!questions.is_empty()).then(|| format!("SELECT n FROM ({any}) AS held(n) LIMIT 1"));
        Ok(Self { question, reasons })
    }

    /// Tells what holds one of the staged records that are to be removed.
    pub(super) fn held(&self, connection: &Connection, deletes: bool) -> Result<Option<String>> {
        let Some(question) = self.question.as_ref().filter(|_| deletes) else {
            return Ok(None);
        };
        let rows = connection.query(question, &[])?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let number: i32 = column(row, 0)?;
        let reason = usize::try_from(number)
            .ok()
            .and_then(|at| self.reasons.get(at));
        Ok(Some(reason.cloned().unwrap_or_default()))
    }
}
