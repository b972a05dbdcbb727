//! Works out how a table comes to be here with its structure: the statement that creates it, and what follows the load.
//!
//! Invariant: what is asked for is in the statement, in a step, or told to be lost. Texts in another engine's words never
//! become part of a statement.

use super::connect::{Connection, column};
use super::design::{self, Shape};
use super::probe::{self, Worded};
use super::quote::{IDENT_BYTES_MAX, ident, idents, literal};
use super::structure::ENGINE;
use crate::definition::unnamed;
use crate::draft::Draft;
use crate::hex::hex;
use std::collections::BTreeSet;
use trueup_core::Result;
use trueup_core::schema::{Field, Schema};
use trueup_core::structure::{
    Construction, DefaultValue, Extras, ForeignKey, Index, IndexField, Literal, Plain, StepKind,
    Structure, derived, plain,
};
use trueup_core::types::Type;

/// Works it out. `taken` are names of this link's other indexes.
pub(super) fn construct(
    connection: &Connection,
    wanted: &Schema,
    structure: &Structure,
    taken: &mut BTreeSet<String>,
) -> Result<Construction> {
    let Shape { table, mut schema } = design::shape(connection, wanted)?;
    let others = others(connection, &wanted.collection)?;
    let mut plan = Plan {
        table,
        draft: Draft::new(structure, ENGINE),
    };
    let virtuals = column::<i32>(
        &connection.one("SELECT current_setting('server_version_num')::int4")?,
        0,
    )? >= 180_000;
    let mut clauses = Vec::new();
    for at in 0..schema.fields.len() {
        let in_key = schema.key.contains(&at);
        if let Some(field) = schema.fields.get_mut(at) {
            clauses.push(plan.clause(field, in_key, virtuals));
        }
    }
    plan.leave_out_refused(connection, &mut schema, &mut clauses)?;
    let key = unnamed(&wanted.collection, std::iter::empty(), "pkey");
    let key_after = structure.key_after && !schema.key.is_empty();
    if key_after {
        let statement = design::key_statement(&plan.table, &schema);
        plan.draft.step(StepKind::Key, key.clone(), statement);
    }
    taken.insert(key);
    for index in &structure.indexes {
        plan.index(index, &others, taken);
    }
    plan.checks();
    for key in &structure.references {
        let parent = design::table_name(connection, &key.collection)?;
        plan.foreign_key(key, &parent);
    }
    plan.comments();
    schema.uniques.clear();
    let statement = design::statement(&plan.table, &schema, &clauses, !key_after);
    Ok(plan.draft.finish(schema, statement))
}

/// The names that tables, indexes and the like of the same schema have, without those of this table.
fn others(connection: &Connection, collection: &str) -> Result<BTreeSet<String>> {
    let sql = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = \
               coalesce((SELECT oid FROM pg_namespace WHERE nspname = $1), to_regnamespace(quote_ident(current_schema()))) \
               AND c.relname <> $2 AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
                 WHERE i.indexrelid = c.oid AND t.relname = $2)";
    let (namespace, name) = match collection.split_once('.') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, collection),
    };
    let rows = connection.query(sql, &[&namespace, &name])?;
    rows.iter().map(|row| column(row, 0)).collect()
}

struct Plan<'a> {
    table: String,
    draft: Draft<'a>,
}

impl Plan<'_> {
    /// What stands behind the field's type, and what follows for it.
    fn clause(&mut self, field: &mut Field, in_key: bool, virtuals: bool) -> String {
        let structure = self.draft.structure;
        let Some(extras) = structure.extras(&field.name) else {
            return String::new();
        };
        if let Some(generated) = &extras.generated {
            let stored = generated.stored || !virtuals;
            let clause = self.draft.generated(&field.name, generated, in_key, stored);
            field.generated |= clause.is_some();
            return clause.unwrap_or_default();
        }
        if let Some(clause) = self.identity(field, extras) {
            return clause;
        }
        let Some(default) = &extras.default else {
            return String::new();
        };
        match default_sql(default, field, self.draft.structure.engine) {
            Some(sql) => format!(" DEFAULT {sql}"),
            None => {
                self.draft.lose_words("default", &field.name);
                String::new()
            }
        }
    }

    /// Leaves out what is said in the server's own words and refused by it, and tells so.
    fn leave_out_refused(
        &mut self,
        connection: &Connection,
        schema: &mut Schema,
        clauses: &mut [String],
    ) -> Result<()> {
        let structure = self.draft.structure;
        let fields = schema.fields.iter().zip(clauses.iter());
        let worded = fields.map(|(field, clause)| {
            let default = structure.extras(&field.name);
            let default = default.and_then(|extras| extras.default.as_ref());
            let words = matches!(default, Some(DefaultValue::Other(_))) || field.generated;
            Worded {
                field,
                clause,
                words: words && !clause.is_empty(),
            }
        });
        for (at, why) in probe::refused(connection, &worded.collect::<Vec<_>>())? {
            let (Some(field), Some(clause)) = (schema.fields.get_mut(at), clauses.get_mut(at))
            else {
                continue;
            };
            clause.clear();
            if std::mem::take(&mut field.generated) {
                let why = format!("{why}; it is filled with the source's values");
                self.draft.lose("generated field", &field.name, why);
            } else {
                self.draft.lose("default", &field.name, why);
            }
        }
        Ok(())
    }

    fn identity(&mut self, field: &mut Field, extras: &Extras) -> Option<String> {
        let identity = extras.identity?;
        let native = field.native.strip_prefix("postgres:").unwrap_or("");
        if !matches!(native, "smallint" | "integer" | "bigint") {
            let why = format!("a field of type {native} hands out no numbers");
            self.draft.lose("identity", &field.name, why);
            return Some(String::new());
        }
        field.nullable = false;
        let (name, column) = (ident(&field.name), literal(&field.name));
        let next = identity.next.unwrap_or(1);
        let statement = next_number(&self.table, (&name, &column), identity.increment, next);
        self.draft
            .step(StepKind::Next, field.name.clone(), statement);
        let when = if identity.always {
            "ALWAYS"
        } else {
            "BY DEFAULT"
        };
        let by = match identity.increment {
            1 => String::new(),
            by => format!(" (INCREMENT BY {by})"),
        };
        Some(format!(" GENERATED {when} AS IDENTITY{by}"))
    }

    fn index(&mut self, index: &Index, others: &BTreeSet<String>, taken: &mut BTreeSet<String>) {
        let what = if index.unique { "key" } else { "idx" };
        let fields = index.fields.iter().map(|field| field.name.as_str());
        let collection = self.draft.structure.collection.clone();
        let plain_name = unnamed(&collection, fields, what);
        let name = index.name.as_deref().unwrap_or(&plain_name);
        let verbatim = index.verbatim.as_deref().filter(|_| self.draft.same);
        if verbatim.is_none() {
            let cut = index.fields.iter().any(|field| field.prefix.is_some());
            let why = match &index.beyond {
                Some(why) => Some(why.clone()),
                None if cut => Some("it is on the beginning of a field".to_owned()),
                None => None,
            };
            if let Some(why) = why {
                self.draft.lose("index", name, why);
                return;
            }
        }
        let free = |name: &str| !others.contains(name) && !taken.contains(name);
        let short = collection.rsplit('.').next().unwrap_or("");
        let name = derived(name, short, IDENT_BYTES_MAX, free);
        taken.insert(name.clone());
        let (table, quoted) = (&self.table, ident(&name));
        let descends = index.fields.iter().any(|field| field.descending);
        let statement = match verbatim {
            Some(text) if index.constraint => {
                format!("ALTER TABLE {table} ADD CONSTRAINT {quoted} {text}")
            }
            Some(text) => {
                let unique = if index.unique { "UNIQUE " } else { "" };
                format!("CREATE {unique}INDEX {quoted} ON {table} USING {text}")
            }
            None if index.constraint && index.unique && !descends => {
                let names = idents(index.fields.iter().map(|field| field.name.as_str()));
                format!("ALTER TABLE {table} ADD CONSTRAINT {quoted} UNIQUE ({names})")
            }
            None => {
                let unique = if index.unique { "UNIQUE " } else { "" };
                format!(
                    "CREATE {unique}INDEX {quoted} ON {table} ({})",
                    columns(&index.fields)
                )
            }
        };
        let kind = if index.unique || index.constraint {
            StepKind::Unique
        } else {
            StepKind::Index
        };
        self.draft.step(kind, name, statement);
    }

    fn checks(&mut self) {
        for (number, check) in self.draft.structure.checks.iter().enumerate() {
            let name = match &check.name {
                Some(name) => name.clone(),
                None => format!("{}_check{}", self.draft.structure.collection, number + 1),
            };
            if self.draft.same {
                let statement = format!(
                    "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({})",
                    self.table,
                    ident(&name),
                    check.expression
                );
                self.draft.step(StepKind::Check, name, statement);
            } else {
                self.draft.lose_words("check", &name);
            }
        }
    }

    fn foreign_key(&mut self, key: &ForeignKey, parent: &str) {
        let fields = || key.fields.iter().map(String::as_str);
        let plain_name = unnamed(&self.draft.structure.collection, fields(), "fkey");
        let wish = key.name.as_deref().unwrap_or(&plain_name);
        let constraints = self
            .draft
            .steps
            .iter()
            .filter(|step| step.kind != StepKind::Next);
        let known: BTreeSet<String> = constraints.map(|step| step.name.clone()).collect();
        let name = derived(
            wish,
            &self.draft.structure.collection,
            IDENT_BYTES_MAX,
            |name| !known.contains(name),
        );
        let mut sql = format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {parent}",
            self.table,
            ident(&name),
            idents(fields())
        );
        if !key.referred.is_empty() {
            sql.push_str(&format!(
                " ({})",
                idents(key.referred.iter().map(String::as_str))
            ));
        }
        if key.full {
            sql.push_str(" MATCH FULL");
        }
        sql.push_str(&format!(
            " ON DELETE {} ON UPDATE {}",
            key.on_delete.sql(),
            key.on_update.sql()
        ));
        match key.deferrable {
            Some(true) => sql.push_str(" DEFERRABLE INITIALLY DEFERRED"),
            Some(false) => sql.push_str(" DEFERRABLE"),
            None => {}
        }
        if key.unchecked {
            sql.push_str(" NOT VALID");
        }
        self.draft.step(StepKind::ForeignKey, name, sql);
    }

    fn comments(&mut self) {
        let table = self.table.clone();
        if let Some(comment) = &self.draft.structure.comment {
            let statement = format!("COMMENT ON TABLE {table} IS {}", literal(comment));
            self.draft.step(
                StepKind::Comment,
                self.draft.structure.collection.clone(),
                statement,
            );
        }
        for extras in &self.draft.structure.fields {
            if let Some(comment) = &extras.comment {
                let column = ident(&extras.field);
                let statement =
                    format!("COMMENT ON COLUMN {table}.{column} IS {}", literal(comment));
                self.draft
                    .step(StepKind::Comment, extras.field.clone(), statement);
            }
        }
    }
}

/// Sets the first number that is free: behind the largest there is, not before the source's own next one, and never before
/// what was handed out already: the step may be taken again when the table is in use.
fn next_number(table: &str, (name, column): (&str, &str), increment: i64, next: i128) -> String {
    let sequence = format!("pg_get_serial_sequence({}, {column})", literal(table));
    let last = format!("pg_sequence_last_value({sequence}::regclass)");
    // Handed out, so that everybody can ask for it; but nothing comes before the first.
    if increment < 0 {
        format!(
            "SELECT setval({sequence}, LEAST(n + 1, -1)::bigint, n < -1) \
             FROM (SELECT LEAST(min({name}) - 1, {next}, {last} - 1) AS n FROM {table}) AS first"
        )
    } else {
        format!(
            "SELECT setval({sequence}, GREATEST(n - 1, 1)::bigint, n > 1) \
             FROM (SELECT GREATEST(max({name}) + 1, {next}, {last} + 1) AS n FROM {table}) AS first"
        )
    }
}

fn columns(fields: &[IndexField]) -> String {
    let columns = fields.iter().map(|field| {
        let order = if field.descending { " DESC" } else { "" };
        format!("{}{order}", ident(&field.name))
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// A default in PostgreSQL's words; `None` where it has none for it.
fn default_sql(default: &DefaultValue, field: &Field, engine: &str) -> Option<String> {
    let same = engine == ENGINE;
    let raw = |value: &Literal| match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Number(text) => text.clone(),
        Literal::Text(text) => literal(text),
    };
    match default {
        DefaultValue::Other(text) => same.then(|| format!("({text})")),
        // SQLite has no time zone: its present time is UTC's, whatever a session here is set to.
        DefaultValue::Now if engine == "sqlite" => match field.ty {
            Type::Date => Some("((now() AT TIME ZONE 'UTC')::date)".to_owned()),
            Type::Time => Some("((now() AT TIME ZONE 'UTC')::time)".to_owned()),
            Type::Timestamp => Some("(now() AT TIME ZONE 'UTC')".to_owned()),
            Type::Instant => Some("CURRENT_TIMESTAMP".to_owned()),
            _ => None,
        },
        DefaultValue::Now => match field.ty {
            Type::Date => Some("CURRENT_DATE".to_owned()),
            Type::Time => Some("LOCALTIME".to_owned()),
            Type::Timestamp | Type::Instant => Some("CURRENT_TIMESTAMP".to_owned()),
            _ => None,
        },
        DefaultValue::Literal(value) if same => Some(raw(value)),
        DefaultValue::Literal(value) => Some(match plain(value, field.ty)? {
            Plain::Bool(value) => value.to_string(),
            Plain::Number(text) => text,
            Plain::Text(text) => literal(&text),
            Plain::Bytes(bytes) => {
                format!("'\\x{}'::bytea", hex(&bytes))
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_said_in_the_servers_words_or_not_at_all() {
        let number = |text: &str| DefaultValue::Literal(Literal::Number(text.to_owned()));
        let text = |text: &str| DefaultValue::Literal(Literal::Text(text.to_owned()));
        let other = || DefaultValue::Other("md5('a')".to_owned());
        let utc = default_sql(
            &DefaultValue::Now,
            &Field::new("a", Type::Timestamp, "postgres:x"),
            "sqlite",
        );
        assert_eq!(utc.as_deref(), Some("(now() AT TIME ZONE 'UTC')"));
        for (default, ty, same, expected) in [
            (number("1"), Type::Bool, false, Some("true")),
            (number("1"), Type::INT, false, Some("1")),
            (number("1.5"), Type::INT, false, None),
            (text("it's"), Type::TEXT, false, Some("'it''s'")),
            (text("infinity"), Type::Date, true, Some("'infinity'")),
            (text("2024-02-30"), Type::Date, false, None),
            (DefaultValue::Now, Type::Date, false, Some("CURRENT_DATE")),
            (
                DefaultValue::Now,
                Type::Instant,
                false,
                Some("CURRENT_TIMESTAMP"),
            ),
            (DefaultValue::Now, Type::TEXT, false, None),
            (other(), Type::TEXT, true, Some("(md5('a'))")),
            (other(), Type::TEXT, false, None),
        ] {
            let field = Field::new("a", ty, "postgres:x");
            let found = default_sql(&default, &field, if same { ENGINE } else { "mysql" });
            assert_eq!(found.as_deref(), expected, "{default:?} {ty} {same}");
        }
    }
}
