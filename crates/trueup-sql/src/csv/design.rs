//! How a missing file would be created: a header, and nothing else.
//!
//! A file keeps text only, so every type can be held and none is enforced; what stays of a wanted schema is the
//! names, the types as a declaration for the run, and the key.

use super::place::Place;
use trueup_core::endpoint::Design;
use trueup_core::schema::{Field, Schema};
use trueup_core::{Error, Result};

/// The longest file stem: a file name is at most 255 bytes, and the temporary file beside it has a longer one.
const NAME_BYTES_MAX: usize = 200;

/// The native type of every field.
pub(super) const NATIVE: &str = "csv:text";

/// Works out the schema of the new file.
pub(super) fn design(wanted: &Schema, place: &Place, header: bool) -> Result<Design> {
    let name = &wanted.collection;
    if let Place::File(stem, path) = place
        && stem != name
    {
        return Err(Error::config(format!("the address is one file, of another name collection={name} file={}", path.display()))
            .hint("name the directory to write several collections, or map the collection to the file's stem"));
    }
    if name.len() > NAME_BYTES_MAX || place.file(name).is_none() {
        return Err(Error::config(format!(
            "collection name cannot be a file's collection={name}"
        ))
        .hint("map it to a name without slashes and leading dots, of at most 200 bytes"));
    }
    if !header {
        return Err(Error::config(format!(
            "a new file needs a header collection={name} option=header"
        ))
        .hint("leave ?header=false out"));
    }
    for (index, field) in wanted.fields.iter().enumerate() {
        let field_name = &field.name;
        if field_name.is_empty() || field_name.contains('\r') {
            return Err(Error::config(format!(
                "field name cannot stand in a header collection={name} field={}",
                index + 1
            ))
            .hint("rename the field in the mapping"));
        }
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
                .hint("a CSV file needs at least one field: do not drop them all"),
        );
    }
    let fields = wanted.fields.iter().map(|field| Field {
        native: NATIVE.to_owned(),
        nullable: true,
        generated: false,
        inferred: true,
        ..field.clone()
    });
    let schema = Schema {
        collection: name.clone(),
        fields: fields.collect(),
        key: wanted.key.clone(),
        ..Schema::default()
    };
    Ok(Design {
        schema,
        statement: String::new(),
    })
}
