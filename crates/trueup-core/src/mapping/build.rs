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
        let name = renamed(&field.name, rules);
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

pub(super) fn no_counterpart(from: &str, to: &str, target: &Schema) -> Error {
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
    let (field, via) = match from {
        Supply::Constant(_) => (constant_field(&target.name), None),
        Supply::Field(index) => supplied_as(&source.fields[*index], rules),
    };
    let agreed = rules.lossy.contains(&target.name);
    let fit = permit(&target.name, &field, target, agreed)?;
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

/// What a constant is before it is cast.
pub(super) fn constant_field(name: &str) -> Field {
    Field::new(name, Type::TEXT, "constant")
}

/// The source's field as the rules take it, and the type they name.
pub(super) fn supplied_as(field: &Field, rules: &Rules) -> (Field, Option<Type>) {
    let mut field = field.clone();
    let rule = rules.cast.iter().find(|(name, _)| *name == field.name);
    let via = rule.map(|&(_, ty)| ty);
    if let Some(ty) = via {
        field.ty = ty;
        field.native = format!("cast:{ty}");
        field.inferred = false;
    }
    (field, via)
}

/// Refuses a translation in which no value fits, or one that loses something nobody agreed to.
pub(super) fn permit(name: &str, from: &Field, to: &Field, agreed: bool) -> Result<Fit> {
    let fit = lattice::fit(from, to);
    let (note, hint) = match fit {
        Fit::Refused(note) => (
            note,
            "map the field to one of another type, cast it, or drop it",
        ),
        Fit::Lossy(note) if !agreed => (
            note,
            "agree to the loss for this field, or map it to one of another type",
        ),
        Fit::Exact | Fit::WithinRange(_) | Fit::Lossy(_) => return Ok(fit),
    };
    Err(Error::config(format!(
        "field={name}: {} does not translate to {}: {note}",
        from.native, to.native
    ))
    .hint(hint))
}

fn choose_key(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    fields: &[MappedField],
) -> Result<Vec<usize>> {
    let names = key_names(source, target, rules)?;
    let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let key = key_positions(&names, &known)?;
    let ours = key.iter().map(|&position| fields[position].target);
    refuse_other_key(ours.collect(), target, &names, "the target")?;
    Ok(key)
}

/// Returns the target's name of a source field.
pub(super) fn renamed<'r>(name: &'r str, rules: &'r Rules) -> &'r str {
    let rule = rules.rename.iter().find(|(from, _)| from == name);
    rule.map_or(name, |(_, to)| to)
}

/// Chooses the link's key, in the target's names: what the rules say, else the source's own, else the target's.
pub(super) fn key_names(source: &Schema, target: &Schema, rules: &Rules) -> Result<Vec<String>> {
    let at_target = |name: &str| renamed(name, rules).to_owned();
    let names: Vec<String> = if !rules.key.is_empty() {
        rules.key.iter().map(|name| at_target(name)).collect()
    } else if !source.key.is_empty() {
        source.key_names().into_iter().map(at_target).collect()
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
    Ok(names)
}

/// Finds the key's fields among the mapped ones.
pub(super) fn key_positions(names: &[String], known: &[&str]) -> Result<Vec<usize>> {
    let position_of = |name: &String| {
        let found = known.iter().position(|field| field == name);
        found.ok_or_else(|| {
            Error::config(format!("key field={name} does not exist"))
                .hint(format!("the mapped fields are: {}", known.join(", ")))
        })
    };
    names.iter().map(position_of).collect()
}

/// A side whose own key is another one would accept two of our records as one, or one as two. `ours` is the link's key
/// in its fields.
pub(super) fn refuse_other_key(
    mut ours: Vec<usize>,
    schema: &Schema,
    names: &[String],
    side: &str,
) -> Result<()> {
    let count = ours.len();
    ours.sort_unstable();
    ours.dedup();
    if ours.len() != count {
        return Err(
            Error::config(format!("the key {} names a field twice", names.join(",")))
                .hint("name each field of the key once"),
        );
    }
    let same = |constraint: &Vec<usize>| {
        let mut theirs = constraint.clone();
        theirs.sort_unstable();
        theirs == ours
    };
    if schema.key.is_empty() || same(&schema.key) || schema.uniques.iter().any(same) {
        return Ok(());
    }
    Err(Error::config(format!(
        "the link's key is {} but {side} identifies records by {}",
        names.join(","),
        schema.key_names().join(",")
    ))
    .hint("use that key with --key, or add a unique constraint on the link's key there"))
}

fn bind_filter(
    filter: &Filter,
    source: &Schema,
    mapping: &mut Mapping,
) -> Result<(Filter, Vec<usize>)> {
    let mut positions = Vec::new();
    for name in filter.fields() {
        let index = source.index_of(name).ok_or_else(|| stray_in_filter(name))?;
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

pub(super) fn stray_in_filter(name: &str) -> Error {
    Error::config(format!(
        "the filter names field={name}, which the source does not have"
    ))
    .hint("name a field of the source; trueup check lists what each side has")
}
