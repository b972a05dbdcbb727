//! Settles the translation, once per collection and run: every name and type is checked here, and nothing is left to
//! be found out while records flow.

use super::{MappedField, Mapping, Origin, Rules};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::lattice::{self, Fit};
use crate::schema::{Field, Schema};
use crate::types::Type;

pub(super) fn build(source: &Schema, target: &Schema, rules: &Rules) -> Result<Mapping> {
    let mut notes = Vec::new();
    let pairs = pair(source, target, rules, &mut notes)?;
    let mut mapping = Mapping {
        fields: Vec::new(),
        key: Vec::new(),
        source_fields: Vec::new(),
        source_types: Vec::new(),
        target_fields: Vec::new(),
        types: Vec::new(),
        filter: None,
        notes,
    };
    for (target_index, from) in pairs.into_iter().enumerate() {
        let Some(from) = from else { continue };
        let field = meet(&from, source, &target.fields[target_index], rules)?;
        let origin = match from {
            Supply::Constant(text) => Origin::Constant(text),
            Supply::Field(index) => {
                mapping.source_fields.push(index);
                mapping.source_types.push(field.ty);
                Origin::Field(mapping.source_fields.len() - 1)
            }
        };
        mapping.target_fields.push(target_index);
        mapping.types.push(field.ty);
        mapping.fields.push(MappedField {
            origin,
            target: target_index,
            ..field
        });
    }
    mapping.key = choose_key(source, target, rules, &mapping.fields)?;
    if let Some(filter) = &rules.filter {
        mapping.filter = Some(bind_filter(filter, source, &mut mapping)?);
    }
    Ok(mapping)
}

/// Where a target field's value comes from, before scan positions are known.
enum Supply {
    Field(usize),
    Constant(String),
}

/// Finds for each target field what supplies it.
fn pair(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    notes: &mut Vec<String>,
) -> Result<Vec<Option<Supply>>> {
    let mut pairs: Vec<Option<Supply>> = target.fields.iter().map(|_| None).collect();
    for (index, field) in source.fields.iter().enumerate() {
        if rules.drop.contains(&field.name) {
            continue;
        }
        let renamed = rules.rename.iter().find(|(from, _)| *from == field.name);
        let name = renamed.map_or(&field.name, |(_, to)| to);
        let at = target
            .index_of(name)
            .ok_or_else(|| no_counterpart(&field.name, name, target))?;
        if target.fields[at].generated {
            notes.push(format!(
                "field {name} is computed by the target: neither written nor compared"
            ));
        } else {
            pairs[at] = Some(Supply::Field(index));
        }
    }
    for (name, text) in &rules.constants {
        let at = target
            .index_of(name)
            .ok_or_else(|| no_counterpart(name, name, target))?;
        pairs[at] = Some(Supply::Constant(text.clone()));
    }
    for (field, from) in target.fields.iter().zip(&pairs) {
        if from.is_none() && !field.generated {
            notes.push(format!(
                "field {} exists only at the target: left alone",
                field.name
            ));
        }
    }
    Ok(pairs)
}

fn no_counterpart(from: &str, to: &str, target: &Schema) -> Error {
    let known: Vec<&str> = target
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    Error::config(format!(
        "field={from} has no counterpart {to} at the target"
    ))
    .hint(format!(
        "the target has: {}; rename or drop the field",
        known.join(", ")
    ))
}

fn meet(from: &Supply, source: &Schema, target: &Field, rules: &Rules) -> Result<MappedField> {
    let (mut field, via) = match from {
        Supply::Constant(_) => (Field::new(&target.name, Type::TEXT, "constant"), None),
        Supply::Field(index) => {
            let field = source.fields[*index].clone();
            let via = rules
                .cast
                .iter()
                .find(|(name, _)| *name == field.name)
                .map(|&(_, ty)| ty);
            (field, via)
        }
    };
    if let Some(ty) = via {
        field.ty = ty;
        field.native = format!("cast:{ty}");
        field.inferred = false;
    }
    let fit = lattice::fit(&field, target);
    let refused = match fit {
        Fit::Refused(note) => Some((
            note,
            "map the field to one of another type, cast it, or drop it",
        )),
        Fit::Lossy(note) if !rules.lossy.contains(&target.name) => Some((
            note,
            "agree to the loss for this field, or map it to one of another type",
        )),
        Fit::Exact | Fit::WithinRange(_) | Fit::Lossy(_) => None,
    };
    if let Some((note, hint)) = refused {
        return Err(Error::config(format!(
            "field={}: {} does not translate to {}: {note}",
            target.name, field.native, target.native
        ))
        .hint(hint));
    }
    let ty = lattice::meet(&field, target);
    Ok(MappedField {
        name: target.name.clone(),
        ty,
        fit,
        via,
        origin: Origin::Constant(String::new()),
        target: 0,
    })
}

fn choose_key(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    fields: &[MappedField],
) -> Result<Vec<usize>> {
    let position_of = |name: &str| fields.iter().position(|field| field.name == name);
    let renamed = |name: &str| {
        let rule = rules.rename.iter().find(|(from, _)| from == name);
        rule.map_or_else(|| name.to_owned(), |(_, to)| to.clone())
    };
    let names: Vec<String> = if !rules.key.is_empty() {
        rules.key.iter().map(|name| renamed(name)).collect()
    } else if !source.key.is_empty() {
        source.key_names().into_iter().map(renamed).collect()
    } else {
        target.key_names().into_iter().map(str::to_owned).collect()
    };
    if names.is_empty() {
        return Err(
            Error::config("no key: neither side declares one").hint(format!(
                "name the fields that identify a record: --key {}=field,field",
                source.collection
            )),
        );
    }
    let mut key = Vec::new();
    for name in &names {
        let position = position_of(name).ok_or_else(|| {
            let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            Error::config(format!("key field={name} does not exist"))
                .hint(format!("the mapped fields are: {}", known.join(", ")))
        })?;
        key.push(position);
    }
    refuse_other_key(&key, target, fields, &names)?;
    Ok(key)
}

/// A target whose own key is another one would accept two of our records as one, or one as two.
fn refuse_other_key(
    key: &[usize],
    target: &Schema,
    fields: &[MappedField],
    names: &[String],
) -> Result<()> {
    let mut ours: Vec<usize> = key
        .iter()
        .map(|&position| fields[position].target)
        .collect();
    ours.sort_unstable();
    ours.dedup();
    if ours.len() != key.len() {
        return Err(Error::config(format!(
            "the key {} names a field twice",
            names.join(",")
        )));
    }
    let same = |constraint: &Vec<usize>| {
        let mut theirs = constraint.clone();
        theirs.sort_unstable();
        theirs == ours
    };
    if target.key.is_empty() || same(&target.key) || target.uniques.iter().any(same) {
        return Ok(());
    }
    Err(Error::config(format!(
        "the link's key is {} but the target identifies records by {}",
        names.join(","),
        target.key_names().join(",")
    ))
    .hint("use the target's key with --key, or add a unique constraint on the link's key there"))
}

fn bind_filter(
    filter: &Filter,
    source: &Schema,
    mapping: &mut Mapping,
) -> Result<(Filter, Vec<usize>)> {
    let mut positions = Vec::new();
    for name in filter.fields() {
        let index = source.index_of(name).ok_or_else(|| {
            Error::config(format!(
                "the filter names field={name}, which the source does not have"
            ))
        })?;
        let scanned = mapping
            .source_fields
            .iter()
            .position(|&field| field == index);
        let scanned = scanned.unwrap_or_else(|| {
            mapping.source_fields.push(index);
            mapping.source_types.push(Type::Any);
            mapping.source_fields.len() - 1
        });
        positions.push(scanned);
    }
    Ok((filter.clone(), positions))
}
