//! How a missing table is created.

use super::decl;
use super::quote;
use super::schema::CONTROL_PREFIX;
use trueup_core::endpoint::Design;
use trueup_core::schema::{Field, Holds, Schema};
use trueup_core::{Error, Result};

/// SQLite's default limit on columns of a table.
const FIELDS_MAX: usize = 2000;

/// What stands behind the type of a key that hands out its own numbers; no other key is declared then.
pub(super) const COUNTED: &str = " PRIMARY KEY AUTOINCREMENT";

/// Words that end a type and begin something else.
const CLAUSES: &[&str] = &[
    "AS",
    "CHECK",
    "COLLATE",
    "CONSTRAINT",
    "DEFAULT",
    "GENERATED",
    "NOT",
    "NULL",
    "ON",
    "PRIMARY",
    "REFERENCES",
    "UNIQUE",
];

/// A table that is to be created: its fields, and how their types are declared.
pub(super) struct Shape {
    pub(super) schema: Schema,
    pub(super) declared: Vec<String>,
}

pub(super) fn design(wanted: &Schema) -> Result<Design> {
    let Shape { schema, declared } = shape(wanted)?;
    let statement = statement(&schema, &declared, &[], &[], true);
    Ok(Design { schema, statement })
}

/// Works out the fields' types.
pub(super) fn shape(wanted: &Schema) -> Result<Shape> {
    let name = &wanted.collection;
    check_names(wanted).map_err(|error| error.at(format!("collection={name}")))?;
    let mut schema = Schema {
        collection: name.clone(),
        key: wanted.key.clone(),
        uniques: wanted.uniques.clone(),
        ..Schema::default()
    };
    let mut types = Vec::new();
    for (index, field) in wanted.fields.iter().enumerate() {
        let declared = match field.native.strip_prefix("sqlite:") {
            Some(native) => native.to_owned(),
            None => decl::declare(field.ty),
        };
        let native = format!("sqlite:{}", declared.to_ascii_uppercase());
        let mut designed = Field::new(&field.name, decl::type_of(&declared), native);
        // SQLite allows NULL in a primary key unless it is told not to (trap 46).
        designed.nullable = field.nullable && !wanted.key.contains(&index);
        designed.holds = Holds::Mixed;
        designed.extremes = decl::extremes(designed.ty, false);
        schema.fields.push(designed);
        types.push(spelled(declared));
    }
    Ok(Shape {
        schema,
        declared: types,
    })
}

/// A type as it is declared again. The catalogue keeps a type in quotes without them: what is more than words and a size goes
/// back into quotes, as it would be read as more of the statement.
fn spelled(declared: String) -> String {
    let (words, size) = match declared.split_once('(') {
        Some((words, rest)) => (words, rest.strip_suffix(')').unwrap_or("?")),
        None => (declared.as_str(), "0"),
    };
    let sized = size.starts_with(|c: char| c.is_ascii_digit())
        && size.chars().all(|c| c.is_ascii_digit() || ", ".contains(c));
    let plain = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !CLAUSES
                .iter()
                .any(|clause| word.eq_ignore_ascii_case(clause))
    };
    let named = declared.is_empty() || !words.trim().is_empty();
    if sized && named && words.split_ascii_whitespace().all(plain) {
        declared
    } else {
        quote(&declared)
    }
}

/// The statement that creates it. `clauses` stand behind the types, where there are some; `tail` follows the fields; the key
/// is declared unless a clause does that.
pub(super) fn statement(
    schema: &Schema,
    declared: &[String],
    clauses: &[String],
    tail: &[String],
    key: bool,
) -> String {
    let mut lines = Vec::new();
    for (at, (field, declared)) in schema.fields.iter().zip(declared).enumerate() {
        let clause = clauses.get(at).map_or("", String::as_str);
        let not_null = if field.nullable { "" } else { " NOT NULL" };
        let space = if declared.is_empty() { "" } else { " " };
        lines.push(format!(
            "{}{space}{declared}{clause}{not_null}",
            quote(&field.name)
        ));
    }
    let list = |fields: &[usize]| {
        let fields = fields.iter().filter_map(|&at| schema.fields.get(at));
        let names: Vec<String> = fields.map(|field| quote(&field.name)).collect();
        names.join(", ")
    };
    if key && !schema.key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", list(&schema.key)));
    }
    let uniques = schema.uniques.iter();
    lines.extend(uniques.map(|unique| format!("UNIQUE ({})", list(unique))));
    lines.extend(tail.iter().cloned());
    let name = quote(&schema.collection);
    format!("CREATE TABLE {name} ({})", lines.join(", "))
}

fn check_names(wanted: &Schema) -> Result<()> {
    let name = &wanted.collection;
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || lower.starts_with("sqlite_") || lower.starts_with(CONTROL_PREFIX) {
        return Err(Error::config("SQLite does not allow this name for a table")
            .hint("map the collection to another name"));
    }
    if wanted.fields.is_empty() || wanted.fields.len() > FIELDS_MAX {
        return Err(Error::config(format!(
            "{} fields: SQLite needs 1 to {FIELDS_MAX}",
            wanted.fields.len()
        ))
        .hint("drop fields, or split the collection"));
    }
    let mut seen: Vec<String> = Vec::new();
    for field in &wanted.fields {
        let folded = field.name.to_ascii_lowercase();
        if field.name.contains('\0') || name.contains('\0') {
            return Err(Error::config("a name holds a zero byte").hint("rename the field"));
        }
        if seen.contains(&folded) {
            return Err(Error::config(format!(
                "field={}: SQLite takes it for another field, as it does not tell upper from lower case",
                field.name
            ))
            .hint("rename one of the two"));
        }
        seen.push(folded);
    }
    Ok(())
}
