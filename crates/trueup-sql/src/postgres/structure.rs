//! Reads what a table has besides its columns and key from the catalogue.
//!
//! Invariant: texts are the server's own, made while `pg_catalog` and the user's search path decide which names stand
//! alone. What depends on a function, type or sequence that no link carries is lost here already, so that no statement
//! is made that can only fail.

pub(super) mod apart;

use super::connect::{Connection, column};
use super::schema::{resolve, spelled};
use super::types;
use crate::definition::default_cast;
use tokio_postgres::Row;
use trueup_core::Result;
use trueup_core::structure::{
    Check, DefaultValue, Extras, ForeignKey, Generated, Identity, Index, IndexField, Rule,
    Structure,
};
use trueup_core::types::Type;

/// In whose words texts are.
pub(super) const ENGINE: &str = "postgres";

/// Names what an object needs and no link carries. To be completed with the catalogue and the object.
macro_rules! needs {
    ($class:literal, $object:literal) => {
        concat!(
            "(SELECT string_agg(DISTINCT pg_describe_object(x.refclassid, x.refobjid, 0), ', ') FROM pg_depend x ",
            "WHERE x.classid = '",
            $class,
            "'::regclass AND x.objid = ",
            $object,
            " AND (x.refclassid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass) ",
            "OR x.refclassid = 'pg_class'::regclass AND x.refobjid <> $1 ",
            "AND EXISTS (SELECT FROM pg_class s WHERE s.oid = x.refobjid AND s.relkind = 'S')))"
        )
    };
}

/// Reads the structure of `collection`.
pub(super) fn structure(connection: &Connection, collection: &str) -> Result<Structure> {
    let Some(table) = resolve(connection, collection)? else {
        return Ok(Structure::default());
    };
    let oid = table.oid();
    let mut out = Structure {
        engine: ENGINE,
        collection: table.schema.collection.clone(),
        ..Structure::default()
    };
    let comment = connection.query("SELECT obj_description($1, 'pg_class')", &[&oid])?;
    out.comment = comment.first().map_or(Ok(None), |row| column(row, 0))?;
    read_fields(connection, oid, &mut out)?;
    read_indexes(connection, oid, &mut out)?;
    read_references(connection, oid, &mut out)?;
    read_checks(connection, oid, &mut out)?;
    read_lost(connection, oid, &mut out)?;
    Ok(out)
}

/// A sequence is a column's own where it goes with it; then the default that asks it is an identity in other words.
const FIELDS: &str = concat!(
    "WITH RECURSIVE base(attnum, typid, typmod) AS ( \
       SELECT attnum, atttypid, atttypmod FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped \
       UNION ALL SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod = -1 THEN t.typtypmod ELSE b.typmod END \
       FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd') \
     SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text, \
     col_description(a.attrelid, a.attnum), b.typid, b.typmod, q.seqincrement, \
     CASE WHEN has_sequence_privilege(q.seqrelid, 'SELECT, USAGE') \
       THEN coalesce(pg_sequence_last_value(q.seqrelid) + q.seqincrement, q.seqstart) END, ",
    needs!("pg_attrdef", "d.oid"),
    ", CASE WHEN a.attcollation <> y.typcollation AND a.attcollation <> 950 \
       THEN a.attcollation::regcollation::text END, \
     a.attidentity <> '' OR EXISTS (SELECT FROM pg_depend u WHERE u.classid = 'pg_attrdef'::regclass AND u.objid = d.oid \
       AND u.refclassid = 'pg_class'::regclass AND u.refobjid = q.seqrelid), \
     ARRAY[format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, -1), format_type(b.typid, b.typmod), \
       format_type(b.typid, -1)], \
     concat_ws(', ', \
       CASE WHEN q.seqmin NOT IN (-9223372036854775808, -2147483648, -32768) \
         AND NOT (q.seqincrement > 0 AND q.seqmin = 1) THEN 'MINVALUE' END, \
       CASE WHEN q.seqmax NOT IN (9223372036854775807, 2147483647, 32767) \
         AND NOT (q.seqincrement < 0 AND q.seqmax = -1) THEN 'MAXVALUE' END, \
       CASE WHEN q.seqstart <> CASE WHEN q.seqincrement > 0 THEN 1 ELSE -1 END THEN 'START' END, \
       CASE WHEN q.seqcache <> 1 THEN 'CACHE' END, CASE WHEN q.seqcycle THEN 'CYCLE' END) \
     FROM pg_attribute a JOIN base b USING (attnum) JOIN pg_type t ON t.oid = b.typid AND t.typtype <> 'd' \
     JOIN pg_type y ON y.oid = a.atttypid \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     LEFT JOIN LATERAL (SELECT s.* FROM pg_depend o JOIN pg_sequence s ON s.seqrelid = o.objid \
       WHERE o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid \
       AND o.refobjsubid = a.attnum AND o.deptype IN ('a', 'i') ORDER BY o.objid LIMIT 1) q ON true \
     WHERE a.attrelid = $1 ORDER BY a.attnum"
);

fn read_fields(connection: &Connection, oid: u32, out: &mut Structure) -> Result<()> {
    for row in &connection.query(FIELDS, &[&oid])? {
        let name: String = column(row, 0)?;
        let text: Option<String> = column(row, 1)?;
        let (identity, generated): (String, String) = (column(row, 2)?, column(row, 3)?);
        let ty = types::core(column(row, 5)?, column(row, 6)?);
        let needs: Option<String> = column(row, 9)?;
        if let Some(collation) = column::<Option<String>>(row, 10)? {
            let why = format!("it is {collation}, and the server's own order is used");
            out.lose("collation", &name, why);
        }
        let numbered = column::<Option<i64>>(row, 7)?.filter(|_| column(row, 11).unwrap_or(false));
        let mut extras = Extras {
            comment: column(row, 4)?,
            field: name.clone(),
            ..Extras::default()
        };
        if let Some(increment) = numbered {
            let options: String = column(row, 13)?;
            if !options.is_empty() {
                let why = format!("the server's own are used: {options}");
                out.lose("sequence options", &name, why);
            }
            extras.identity = Some(Identity {
                always: identity == "a",
                implied: false,
                increment,
                next: column::<Option<i64>>(row, 8)?.map(i128::from),
            });
        } else if !generated.is_empty() {
            let expression = text.unwrap_or_default();
            match needs {
                Some(needs) => out.lose("generated field", &name, needed(&needs)),
                None => {
                    extras.generated = Some(Generated {
                        expression,
                        stored: generated == "s",
                    });
                }
            }
        } else if let Some(text) = text {
            let own: Vec<String> = column(row, 12)?;
            extras.default = read_default(&name, (&text, ty, &own), needs, out);
        }
        out.fields.push(extras);
    }
    Ok(())
}

fn read_default(
    name: &str,
    (text, ty, own): (&str, Type, &[String]),
    needs: Option<String>,
    out: &mut Structure,
) -> Option<DefaultValue> {
    let default = default_cast(text, ty, own)?;
    if let (DefaultValue::Other(_), Some(needs)) = (&default, needs) {
        out.lose("default", name, needed(&needs));
        return None;
    }
    Some(default)
}

fn needed(needs: &str) -> String {
    format!("it uses {needs}, which is not carried")
}

/// Options: 1 is descending, 2 is NULL first; 0 and 3 are what one gets unasked.
const INDEXES: &str = concat!(
    "SELECT c.relname::text, i.indisunique, r.contype::text, i.indisvalid, m.amname::text, i.indpred IS NOT NULL, \
     i.indexprs IS NOT NULL, i.indnatts > i.indnkeyatts, \
     (SELECT coalesce(array_agg(a.attname::text ORDER BY k.n), '{}') FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n) \
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n <= i.indnkeyatts), \
     i.indoption::int2[], \
     EXISTS (SELECT FROM unnest(i.indclass::oid[]) o JOIN pg_opclass p ON p.oid = o WHERE NOT p.opcdefault), \
     EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) k(attnum, l) JOIN pg_attribute a \
       ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.l <> 0 AND k.l <> a.attcollation), \
     coalesce((to_jsonb(i)->>'indnullsnotdistinct')::bool, false), coalesce(r.condeferrable, false), \
     pg_get_constraintdef(r.oid), pg_get_indexdef(i.indexrelid), \
     format('CREATE %sINDEX %I ON %s%I.%I USING ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, \
       CASE c.relkind WHEN 'I' THEN 'ONLY ' ELSE '' END, n.nspname, t.relname), ",
    needs!("pg_class", "i.indexrelid"),
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid \
     JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_am m ON m.oid = c.relam \
     LEFT JOIN pg_constraint r ON r.conindid = i.indexrelid AND r.conrelid = i.indrelid AND r.contype IN ('u', 'x') \
     WHERE i.indrelid = $1 AND NOT i.indisprimary ORDER BY c.relname COLLATE \"C\""
);

fn read_indexes(connection: &Connection, oid: u32, out: &mut Structure) -> Result<()> {
    for row in &connection.query(INDEXES, &[&oid])? {
        let name: String = column(row, 0)?;
        if !column::<bool>(row, 3)? {
            out.lose("index", &name, "it is not valid at the source either");
            continue;
        }
        if let Some(needs) = column::<Option<String>>(row, 17)? {
            out.lose("index", &name, needed(&needs));
            continue;
        }
        out.indexes.push(index(row, name)?);
    }
    Ok(())
}

fn index(row: &Row, name: String) -> Result<Index> {
    let kind: Option<String> = column(row, 2)?;
    let method: String = column(row, 4)?;
    let beyond = [
        (
            kind.as_deref() == Some("x"),
            "it is an exclusion constraint",
        ),
        (column(row, 5)?, "it is on some of the records only"),
        (column(row, 6)?, "it is on an expression"),
        (column(row, 10)?, "it has an operator class of its own"),
        (column(row, 11)?, "it has a collation of its own"),
        (column(row, 12)?, "NULL is equal to NULL there"),
    ];
    let beyond = beyond.iter().find(|(is, _)| *is).map(|(_, why)| *why);
    let beyond = match beyond {
        Some(why) => Some(why.to_owned()),
        None if method == "btree" => None,
        None => Some(format!("its method is {method}")),
    };
    let options: Vec<i16> = column(row, 9)?;
    let names: Vec<String> = column(row, 8)?;
    let unasked = options.iter().all(|option| matches!(option, 0 | 3));
    let special = beyond.is_some() || !unasked || column(row, 7)? || column(row, 13)?;
    let verbatim = if !special {
        None
    } else if kind.is_some() {
        column(row, 14)?
    } else {
        let (whole, before): (String, String) = (column(row, 15)?, column(row, 16)?);
        whole.strip_prefix(&before).map(str::to_owned)
    };
    let fields = names
        .into_iter()
        .zip(&options)
        .map(|(name, option)| IndexField {
            descending: option & 1 == 1,
            ..IndexField::of(name)
        });
    Ok(Index {
        name: Some(name),
        fields: if beyond.is_some() {
            Vec::new()
        } else {
            fields.collect()
        },
        unique: column(row, 1)?,
        constraint: kind.is_some(),
        verbatim,
        beyond,
    })
}

/// One to a table in partitions has parts of its own, which are not asked for. A partition's is a part of the whole table's,
/// and is.
const REFERENCES: &str = "\
    SELECT r.conname::text, (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(r.conkey) WITH ORDINALITY k(attnum, n) \
      JOIN pg_attribute a ON a.attrelid = r.conrelid AND a.attnum = k.attnum), \
    n.nspname::text, c.relname::text, n.nspname IS NOT DISTINCT FROM current_schema(), \
    (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(r.confkey) WITH ORDINALITY k(attnum, n) \
      JOIN pg_attribute a ON a.attrelid = r.confrelid AND a.attnum = k.attnum), \
    r.confdeltype::text, r.confupdtype::text, r.confmatchtype = 'f', r.condeferrable, r.condeferred, NOT r.convalidated, \
    coalesce(jsonb_typeof(to_jsonb(r)->'confdelsetcols') = 'array', false), \
    coalesce((to_jsonb(r)->>'conenforced')::bool, true), coalesce((to_jsonb(r)->>'conperiod')::bool, false) \
    FROM pg_constraint r JOIN pg_class c ON c.oid = r.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE r.conrelid = $1 AND r.contype = 'f' \
    AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = r.conparentid AND p.conrelid = r.conrelid) ORDER BY r.conname COLLATE \"C\"";

fn read_references(connection: &Connection, oid: u32, out: &mut Structure) -> Result<()> {
    for row in &connection.query(REFERENCES, &[&oid])? {
        let (namespace, name): (String, String) = (column(row, 2)?, column(row, 3)?);
        let rule = |at| -> Result<Rule> {
            Ok(match column::<String>(row, at)?.as_str() {
                "r" => Rule::Restrict,
                "c" => Rule::Cascade,
                "n" => Rule::SetNull,
                "d" => Rule::SetDefault,
                _ => Rule::NoAction,
            })
        };
        let (deferrable, deferred): (bool, bool) = (column(row, 9)?, column(row, 10)?);
        let own: String = column(row, 0)?;
        let (enforced, period): (bool, bool) = (column(row, 13)?, column(row, 14)?);
        if let Some(why) = not_carried(enforced, period) {
            out.lose("foreign key", &own, why);
            continue;
        }
        let mut on_delete = rule(6)?;
        if column(row, 12)? {
            // To empty all of them would take values that the source keeps.
            let why = "it sets some of the fields only; the server refuses to delete instead";
            out.lose("on delete", &own, why);
            on_delete = Rule::NoAction;
        }
        out.references.push(ForeignKey {
            name: Some(own),
            fields: column(row, 1)?,
            collection: spelled(&namespace, &name, column(row, 4)?),
            referred: column(row, 5)?,
            on_delete,
            on_update: rule(7)?,
            full: column(row, 8)?,
            deferrable: deferrable.then_some(deferred),
            unchecked: column(row, 11)?,
        });
    }
    Ok(())
}

/// Why a foreign key cannot be carried.
fn not_carried(enforced: bool, period: bool) -> Option<&'static str> {
    match (enforced, period) {
        (false, _) => Some(NOT_ENFORCED),
        (true, true) => Some("it is on periods"),
        (true, false) => None,
    }
}

const NOT_ENFORCED: &str = "it is not enforced at the source either";

const CHECKS: &str = concat!(
    "SELECT r.conname::text, pg_get_expr(r.conbin, r.conrelid), ",
    needs!("pg_constraint", "r.oid"),
    ", coalesce((to_jsonb(r)->>'conenforced')::bool, true), r.convalidated, r.connoinherit \
     FROM pg_constraint r WHERE r.conrelid = $1 AND r.contype = 'c' ORDER BY r.conname COLLATE \"C\""
);

fn read_checks(connection: &Connection, oid: u32, out: &mut Structure) -> Result<()> {
    for row in &connection.query(CHECKS, &[&oid])? {
        let (name, expression): (String, String) = (column(row, 0)?, column(row, 1)?);
        let (enforced, validated): (bool, bool) = (column(row, 3)?, column(row, 4)?);
        if let Some(needs) = column::<Option<String>>(row, 2)? {
            out.lose("check", &name, needed(&needs));
            continue;
        }
        if !enforced || !validated {
            let why = "the records at the source were never checked";
            out.lose("check", &name, if enforced { why } else { NOT_ENFORCED });
            continue;
        }
        if column(row, 5)? {
            out.lose("no inherit", &name, "it is for all heirs of the table");
        }
        out.checks.push(Check {
            name: Some(name),
            expression,
        });
    }
    Ok(())
}

const LOST: &str = "\
    SELECT 'trigger', g.tgname::text, 'write it anew where it is needed' \
      FROM pg_trigger g WHERE g.tgrelid = $1 AND NOT g.tgisinternal \
    UNION ALL SELECT 'policy', p.polname::text, 'rights are not carried' FROM pg_policy p WHERE p.polrelid = $1 \
    UNION ALL SELECT 'rule', w.rulename::text, 'write it anew where it is needed' FROM pg_rewrite w WHERE w.ev_class = $1 \
    UNION ALL SELECT 'statistics', s.stxname::text, 'the server can make them anew' FROM pg_statistic_ext s WHERE s.stxrelid = $1 \
    UNION ALL SELECT 'partitions', c.relname::text, 'all its records go into one table' \
      FROM pg_class c WHERE c.oid = $1 AND c.relkind = 'p' \
    UNION ALL SELECT 'inheritance', c.relname::text, 'it is created as a table of its own' \
      FROM pg_class c WHERE c.oid = $1 AND NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid) \
    ORDER BY 1, 2";

fn read_lost(connection: &Connection, oid: u32, out: &mut Structure) -> Result<()> {
    for row in &connection.query(LOST, &[&oid])? {
        let (kind, name, why): (String, String, String) =
            (column(row, 0)?, column(row, 1)?, column(row, 2)?);
        out.lose(&kind, &name, why);
    }
    Ok(())
}
