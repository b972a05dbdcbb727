//! How a missing file would be created: what stands around its records, and nothing else.
//!
//! A file of lines enforces nothing, and every type can be spelled in it; what stays of a wanted schema is the names,
//! the types as a declaration for the run, and the key.

use super::format::Format;
use super::place::Place;
use trueup_core::endpoint::Design;
use trueup_core::schema::{Field, Schema};
use trueup_core::{Error, Result};

/// The longest file stem: a file name is at most 255 bytes, and the temporary file beside it has a longer one.
const NAME_BYTES_MAX: usize = 200;

/// Works out the schema of the new file.
pub(crate) fn design<F: Format>(wanted: &Schema, place: &Place, format: &F) -> Result<Design> {
    let name = &wanted.collection;
    check_name(name, place)?;
    format.admit(wanted)?;
    for (index, field) in wanted.fields.iter().enumerate() {
        let field_name = &field.name;
        if wanted.fields[..index]
            .iter()
            .any(|other| other.name == *field_name)
        {
            return Err(Error::config(format!(
                "duplicate field name collection={name} field={field_name}"
            ))
            .hint("rename the field in the mapping"));
        }
    }
    if wanted.fields.is_empty() {
        return Err(
            Error::config(format!("collection has no fields collection={name}"))
                .hint("a file needs at least one field: do not drop them all"),
        );
    }
    let (mut fields, mut notes) = (Vec::with_capacity(wanted.fields.len()), Vec::new());
    for (index, field) in wanted.fields.iter().enumerate() {
        let (field, note) = format.field(&Field {
            nullable: field.nullable && !wanted.key.contains(&index),
            ..field.clone()
        })?;
        fields.push(field);
        notes.extend(note);
    }
    let schema = Schema {
        collection: name.clone(),
        fields,
        key: wanted.key.clone(),
        notes,
        ..Schema::default()
    };
    Ok(Design {
        schema,
        statement: String::new(),
    })
}

fn check_name(name: &str, place: &Place) -> Result<()> {
    if let Place::File(stem, path) = place
        && stem != name
    {
        return Err(Error::config(format!("the address is one file, of another name collection={name} file={}", path.display()))
            .hint("name the directory to write several collections, or map the collection to the file's stem"));
    }
    if let Place::Standard(standard) = place {
        return standard.find(name).map(drop);
    }
    if name.len() > NAME_BYTES_MAX || place.file(name).is_none() {
        return Err(Error::config(format!(
            "collection name cannot be a file's collection={name}"
        ))
        .hint("map it to a name without slashes and leading dots, of at most 200 bytes"));
    }
    Ok(())
}
