//! Works out how a table comes to be here with its structure: the statement that creates it, and what follows the load.
//!
//! Invariant: what is asked for is in the statement, in a step, or told to be lost. Texts in another engine's words never
//! become part of a statement. Comments belong to the statement: a column's can be changed only by saying all of it again.

use super::design::{self, Shape};
use super::quote::{IDENT_CHARS_MAX, bytes, ident, idents, text};
use super::schema::NATIVE;
use super::session::Connection;
use super::structure::ENGINE;
use crate::definition::unnamed;
use crate::draft::Draft;
use std::collections::BTreeSet;
use trueup_core::Result;
use trueup_core::schema::{Field, Schema};
use trueup_core::structure::{
    Construction, DefaultValue, Extras, ForeignKey, Index, Literal, Plain, Rule, StepKind,
    Structure, derived, plain,
};
use trueup_core::types::Type;

/// The most characters of a comment: of a column, of a table.
const COMMENT_CHARS_MAX: usize = 1024;
const TABLE_COMMENT_CHARS_MAX: usize = 2048;
/// How many bytes an index may take, and a character.
const INDEX_BYTES_MAX: u32 = 3072;
const CHAR_BYTES_MAX: u32 = 4;
/// How many characters of a text without limit are indexed.
const PREFIX_CHARS: u32 = 191;

/// Works it out. `taken` are names of this link's other foreign keys.
pub(super) fn construct(
    connection: &Connection,
    wanted: &Schema,
    structure: &Structure,
    taken: &mut BTreeSet<String>,
) -> Result<Construction> {
    // Fields of a foreign key are indexed too, and have to be short enough.
    let mut sized = wanted.clone();
    let place = |name: &String| wanted.index_of(name);
    let keys = structure.references.iter();
    let keys = keys.filter_map(|key| key.fields.iter().map(place).collect::<Option<Vec<usize>>>());
    sized.uniques.extend(keys);
    let Shape {
        mut schema,
        collation,
    } = design::shape(connection, &sized)?;
    schema.uniques.clear();
    let others = foreign_keys(connection, &wanted.collection)?;
    let mut plan = Plan {
        mariadb: connection.server.mariadb,
        draft: Draft::new(structure, ENGINE),
    };
    let mut clauses = Vec::new();
    let key = schema.key.clone();
    for (at, field) in schema.fields.iter_mut().enumerate() {
        clauses.push(plan.clause(field, key.contains(&at), key.first() == Some(&at)));
    }
    for index in &structure.indexes {
        plan.index(index, &schema);
    }
    plan.checks();
    for key in &structure.references {
        plan.foreign_key(key, &others, taken);
    }
    let mut statement = design::statement(&schema, collation, &clauses);
    if let Some(comment) = plan.comment(structure.comment.as_ref(), None, TABLE_COMMENT_CHARS_MAX) {
        statement.push_str(&comment);
    }
    Ok(plan.draft.finish(schema, statement))
}

/// The foreign keys of other tables: in a database each name stands for one.
fn foreign_keys(connection: &Connection, collection: &str) -> Result<BTreeSet<String>> {
    let sql = format!(
        "SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME <> {}",
        text(collection)
    );
    let rows = connection.query(&sql)?;
    rows.iter().map(|row| row.text(0)).collect()
}

struct Plan<'a> {
    mariadb: bool,
    draft: Draft<'a>,
}

impl Plan<'_> {
    fn step(&mut self, kind: StepKind, name: String, change: &str) {
        let table = ident(&self.draft.structure.collection);
        let statement = format!("ALTER TABLE {table} {change}");
        self.draft.step(kind, name, statement);
    }

    /// What stands behind the field's type; `None` where it is nothing special.
    fn clause(&mut self, field: &mut Field, in_key: bool, leads: bool) -> Option<String> {
        let structure = self.draft.structure;
        let extras = structure.extras(&field.name)?;
        let comment = self.comment(
            extras.comment.as_ref(),
            Some(&field.name),
            COMMENT_CHARS_MAX,
        );
        let clause = self.value(field, extras, in_key, leads);
        if clause.is_none() && comment.is_none() {
            return None;
        }
        let clause = clause.unwrap_or_else(|| design::unfilled(field));
        Some(clause + comment.as_deref().unwrap_or(""))
    }

    fn comment(
        &mut self,
        comment: Option<&String>,
        field: Option<&str>,
        max: usize,
    ) -> Option<String> {
        let comment = comment?;
        if comment.chars().count() > max {
            let name = field.unwrap_or("(the collection)");
            self.draft.lose(
                "comment",
                name,
                format!("it is longer than {max} characters"),
            );
            return None;
        }
        Some(format!(" COMMENT {}", text(comment)))
    }

    fn value(
        &mut self,
        field: &mut Field,
        extras: &Extras,
        in_key: bool,
        leads: bool,
    ) -> Option<String> {
        if let Some(generated) = &extras.generated {
            let stored = generated.stored;
            let clause = (self.draft).generated(&field.name, generated, in_key, stored)?;
            if !field.nullable {
                self.draft
                    .lose("not null", &field.name, "the field is computed");
            }
            (field.generated, field.nullable) = (true, true);
            return Some(clause);
        }
        if let Some(identity) = extras.identity {
            let whole = matches!(field.ty, Type::Int { .. });
            if !whole || !leads || identity.increment != 1 {
                let why = "only a whole number that comes first in the key counts up here, by 1";
                self.draft.lose("identity", &field.name, why);
                return None;
            }
            if let Some(next) = identity.next.filter(|&next| next > 1) {
                let change = format!("AUTO_INCREMENT = {next}");
                self.step(StepKind::Next, field.name.clone(), &change);
            }
            return Some(" NOT NULL AUTO_INCREMENT".to_owned());
        }
        let Some(sql) = self.default(extras.default.as_ref()?, field) else {
            self.draft.lose_words("default", &field.name);
            return None;
        };
        let null = if field.nullable { "NULL" } else { "NOT NULL" };
        Some(format!(" {null} DEFAULT {sql}"))
    }

    /// A default in the server's words; `None` where it has none for it.
    fn default(&self, default: &DefaultValue, field: &Field) -> Option<String> {
        let native = field.native.strip_prefix(NATIVE).unwrap_or("");
        let sql = match default {
            DefaultValue::Other(text) => return self.draft.same.then(|| format!("({text})")),
            // SQLite has no time zone: its present time is UTC's, whatever a session here is set to.
            DefaultValue::Now
                if self.draft.structure.engine == "sqlite" && field.ty != Type::Instant =>
            {
                return match field.ty {
                    Type::Date => Some("(utc_date())".to_owned()),
                    Type::Time => Some("(utc_time(6))".to_owned()),
                    Type::Timestamp => Some("(utc_timestamp(6))".to_owned()),
                    _ => None,
                };
            }
            DefaultValue::Now => {
                return match field.ty {
                    Type::Date => Some("(curdate())".to_owned()),
                    Type::Time => Some("(curtime(6))".to_owned()),
                    Type::Timestamp | Type::Instant => {
                        let digits = native.split_once('(').map_or("", |(_, digits)| digits);
                        let digits = digits.trim_end_matches(')');
                        Some(format!(
                            "CURRENT_TIMESTAMP({})",
                            if digits.is_empty() { "0" } else { digits }
                        ))
                    }
                    _ => None,
                };
            }
            DefaultValue::Literal(Literal::Text(value)) if self.draft.same => text(value),
            DefaultValue::Literal(value) => match plain(value, field.ty)? {
                Plain::Bool(value) => u8::from(value).to_string(),
                Plain::Number(number) => number,
                Plain::Text(value) if field.ty == Type::Instant => {
                    text(value.strip_suffix("+00:00")?)
                }
                Plain::Text(value) => text(&value),
                Plain::Bytes(value) => bytes(&value),
            },
        };
        // MySQL takes a long field's default as an expression only.
        let long = ["text", "blob", "json"];
        let bracket = !self.mariadb && long.iter().any(|name| native.contains(name));
        Some(if bracket { format!("({sql})") } else { sql })
    }

    fn index(&mut self, index: &Index, schema: &Schema) {
        let what = if index.unique { "key" } else { "idx" };
        let fields = index.fields.iter().map(|field| field.name.as_str());
        let plain_name = unnamed(&self.draft.structure.collection, fields, what);
        let wish = index.name.as_deref().unwrap_or(&plain_name);
        let method = index.verbatim.as_deref().filter(|_| self.draft.same);
        let why = match &index.beyond {
            Some(why) if method.is_none() => Some(why.clone()),
            None if !self.draft.same && index.fields.iter().any(|field| field.prefix.is_some()) => {
                Some("it is on the beginning of a field".to_owned())
            }
            _ => None,
        };
        if let Some(why) = why {
            self.draft.lose("index", wish, why);
            return;
        }
        let known: BTreeSet<String> = self
            .draft
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect();
        let free = |name: &str| !known.contains(name) && !name.eq_ignore_ascii_case("primary");
        let name = derived(
            wish,
            &self.draft.structure.collection,
            IDENT_CHARS_MAX,
            free,
        );
        let count = u32::try_from(index.fields.len().max(1)).unwrap_or(u32::MAX);
        let mut columns = Vec::new();
        for field in &index.fields {
            let known = schema.fields.iter().find(|known| known.name == field.name);
            let prefix = match (field.prefix, known, method) {
                (Some(prefix), _, _) => Some(prefix),
                (None, Some(known), None) if !index.unique => prefix(known, count),
                _ => None,
            };
            let cut = prefix.map_or(String::new(), |prefix| format!("({prefix})"));
            let order = if field.descending { " DESC" } else { "" };
            columns.push(format!("{}{cut}{order}", ident(&field.name)));
        }
        let (kind, word) = match (index.unique, method) {
            (true, _) => (StepKind::Unique, "UNIQUE ".to_owned()),
            (false, Some(method)) => (StepKind::Index, format!("{method} ")),
            (false, None) => (StepKind::Index, String::new()),
        };
        let change = format!("ADD {word}INDEX {} ({})", ident(&name), columns.join(", "));
        self.step(kind, name, &change);
    }

    fn checks(&mut self) {
        for check in &self.draft.structure.checks {
            let name = check.name.clone().unwrap_or_default();
            if self.draft.same {
                let change = format!(
                    "ADD CONSTRAINT {} CHECK ({})",
                    ident(&name),
                    check.expression
                );
                self.step(StepKind::Check, name, &change);
            } else {
                self.draft.lose_words("check", &name);
            }
        }
    }

    fn foreign_key(
        &mut self,
        key: &ForeignKey,
        others: &BTreeSet<String>,
        taken: &mut BTreeSet<String>,
    ) {
        let fields = || key.fields.iter().map(String::as_str);
        let plain_name = unnamed(&self.draft.structure.collection, fields(), "fkey");
        let wish = key.name.as_deref().unwrap_or(&plain_name);
        let free = |name: &str| !others.contains(name) && !taken.contains(name);
        let name = derived(
            wish,
            &self.draft.structure.collection,
            IDENT_CHARS_MAX,
            free,
        );
        taken.insert(name.clone());
        if key.deferrable.is_some() {
            let why = "it is checked with each statement, not at the end of a transaction";
            self.draft.lose("deferred check", &name, why);
        }
        if key.full && key.fields.len() > 1 {
            let why = "a reference that is NULL in some of its fields is not refused";
            self.draft.lose("full match", &name, why);
        }
        let mut rules = [key.on_delete, key.on_update];
        for rule in rules.iter_mut().filter(|rule| **rule == Rule::SetDefault) {
            *rule = Rule::NoAction;
            self.draft.lose(
                "set default",
                &name,
                "the server refuses the change instead",
            );
        }
        let [on_delete, on_update] = rules.map(Rule::sql);
        let change = format!(
            "ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {on_delete} ON UPDATE {on_update}",
            ident(&name),
            idents(fields()),
            ident(&key.collection),
            idents(key.referred.iter().map(String::as_str))
        );
        self.step(StepKind::ForeignKey, name, &change);
    }
}

/// How many characters of a field an index of `count` fields takes, where it cannot take all.
fn prefix(field: &Field, count: u32) -> Option<u32> {
    let native = field.native.strip_prefix(NATIVE).unwrap_or("");
    let share = INDEX_BYTES_MAX / count;
    let (bytes, each) = match field.ty {
        Type::Text { chars_max } => (
            chars_max.map(|n| n.saturating_mul(CHAR_BYTES_MAX)),
            CHAR_BYTES_MAX,
        ),
        Type::Bytes { bytes_max } => (bytes_max, 1),
        _ => return None,
    };
    let long = native.contains("text") || native.contains("blob");
    let cut = long || bytes.is_some_and(|bytes| bytes > share);
    cut.then(|| PREFIX_CHARS.min(share / each))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a default in a field of that type, on MariaDB or not, from the same engine or not.
    fn said(
        default: &DefaultValue,
        (ty, native): (Type, &str),
        (mariadb, same): (bool, bool),
    ) -> Option<String> {
        let structure = Structure::default();
        let plan = Plan {
            mariadb,
            draft: Draft::new(&structure, if same { "" } else { ENGINE }),
        };
        let field = Field::new("a", ty, format!("{NATIVE}{native}"));
        plan.default(default, &field)
    }

    #[test]
    fn literals_are_said_as_the_field_holds_them() {
        let instant = (Type::Instant, "timestamp(6)");
        let (long, short) = ((Type::TEXT, "longtext"), (Type::TEXT, "varchar(9)"));
        for (text, field, mariadb, expected) in [
            ("true", (Type::Bool, "tinyint(1)"), true, Some("1")),
            (
                "2024-01-01 00:00:00+00",
                instant,
                true,
                Some("'2024-01-01 00:00:00'"),
            ),
            ("a", long, true, Some("'a'")),
            ("a", long, false, Some("('a')")),
            ("a\\b", short, false, Some("_utf8mb4 x'615c62'")),
            ("x", (Type::Date, "date"), true, None),
        ] {
            let default = DefaultValue::Literal(Literal::Text(text.to_owned()));
            let found = said(&default, field, (mariadb, false));
            assert_eq!(found.as_deref(), expected, "{text} {field:?}");
        }
    }

    #[test]
    fn other_defaults_are_said_in_the_servers_words_or_not_at_all() {
        let now = DefaultValue::Now;
        let other = DefaultValue::Other("uuid()".to_owned());
        let text = (Type::TEXT, "varchar(36)");
        for (default, field, same, expected) in [
            (
                &now,
                (Type::Timestamp, "datetime(3)"),
                false,
                Some("CURRENT_TIMESTAMP(3)"),
            ),
            (
                &now,
                (Type::Timestamp, "datetime"),
                true,
                Some("CURRENT_TIMESTAMP(0)"),
            ),
            (&now, (Type::Date, "date"), false, Some("(curdate())")),
            (&now, text, true, None),
            (&other, text, false, None),
            (&other, text, true, Some("(uuid())")),
        ] {
            let found = said(default, field, (true, same));
            assert_eq!(found.as_deref(), expected, "{default:?} {field:?} {same}");
        }
    }

    #[test]
    fn sqlites_present_time_is_that_of_utc() {
        let structure = Structure {
            engine: "sqlite",
            ..Structure::default()
        };
        let plan = Plan {
            mariadb: true,
            draft: Draft::new(&structure, ENGINE),
        };
        for (ty, native, expected) in [
            (Type::Timestamp, "datetime(6)", "(utc_timestamp(6))"),
            (Type::Date, "date", "(utc_date())"),
            (Type::Instant, "timestamp(6)", "CURRENT_TIMESTAMP(6)"),
        ] {
            let field = Field::new("a", ty, format!("{NATIVE}{native}"));
            let found = plan.default(&DefaultValue::Now, &field);
            assert_eq!(found.as_deref(), Some(expected), "{ty}");
        }
    }

    #[test]
    fn an_index_takes_as_much_of_a_text_as_there_is_room_for() {
        let text = |chars_max| Type::Text { chars_max };
        for (ty, native, count, expected) in [
            (text(None), "longtext", 1, Some(191)),
            (text(None), "longtext", 8, Some(96)),
            (text(Some(100)), "varchar(100)", 1, None),
            (text(Some(500)), "varchar(500)", 2, Some(191)),
            (Type::INT, "bigint", 1, None),
        ] {
            let field = Field::new("a", ty, format!("{NATIVE}{native}"));
            assert_eq!(prefix(&field, count), expected, "{native} {count}");
        }
    }
}
