//! Lists what belongs to no table, and that no link carries.

use super::super::connect::{Connection, column};
use super::super::schema::{ORDINARY, spelled};
use trueup_core::Result;
use trueup_core::structure::Lost;

/// What an extension brought is the extension's, which is listed itself.
pub(in super::super) fn apart(connection: &Connection) -> Result<Vec<Lost>> {
    let own = |class: &str, object: &str| {
        format!(
            "{ORDINARY} AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{class}'::regclass \
             AND e.objid = {object} AND e.deptype = 'e')"
        )
    };
    let (relation, function, kind) = (
        own("pg_class", "c.oid"),
        own("pg_proc", "p.oid"),
        own("pg_type", "t.oid"),
    );
    let sql = format!(
        "WITH found(kind, space, name, why) AS ( \
         SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END, \
           n.nspname::text, c.relname::text, 'write it anew where it is needed' \
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm', 'f') AND {relation} \
         UNION ALL SELECT 'sequence', n.nspname::text, c.relname::text, 'it belongs to no field' \
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {relation} \
           AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid \
             AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')) \
         UNION ALL SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, \
           n.nspname::text, p.proname::text, 'write it anew where it is needed' \
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {function} \
         UNION ALL SELECT 'type', n.nspname::text, t.typname::text, \
           'a field of it is created as text where the target has no type of that name' \
           FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {kind} AND (t.typtype IN ('d', 'e', 'r') \
           OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) \
         UNION ALL SELECT 'extension', NULL, extname::text, 'create it where it is needed' FROM pg_extension \
           WHERE extname <> 'plpgsql' \
         UNION ALL SELECT 'event trigger', NULL, evtname::text, 'write it anew where it is needed' FROM pg_event_trigger \
         UNION ALL SELECT 'large objects', NULL, count(*)::text, 'only tables are carried' \
           FROM pg_largeobject_metadata HAVING count(*) > 0) \
         SELECT DISTINCT kind, space, name, why, space IS NOT DISTINCT FROM current_schema() FROM found ORDER BY 1, 2, 3"
    );
    let rows = connection.query(&sql, &[])?;
    let lost = rows.iter().map(|row| {
        let (kind, space): (String, Option<String>) = (column(row, 0)?, column(row, 1)?);
        let (name, why): (String, String) = (column(row, 2)?, column(row, 3)?);
        let name = match space {
            Some(space) => spelled(&space, &name, column(row, 4)?),
            None => name,
        };
        Ok(Lost::new(&kind, name, why))
    });
    lost.collect()
}
