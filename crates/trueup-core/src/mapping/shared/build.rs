//! Settles the translation of a two-way link, once per collection and run: everything that names and types can tell.

use super::{Shared, SharedField};
use crate::error::{Error, Result};
use crate::lattice::{self, Fit};
use crate::mapping::Rules;
use crate::mapping::build::{key_names, key_positions, permit, refuse_other_key, renamed};
use crate::schema::{Field, Schema};
use crate::side::{Side, Sides};
use crate::types::Type;

pub(super) fn build(source: &Schema, target: &Schema, rules: &Rules) -> Result<Shared> {
    refuse_one_way(rules)?;
    let mut notes = Vec::new();
    let mut pairs = pair(source, target, rules, &mut notes)?;
    pairs.sort_by(|a, b| {
        source.fields[a.source]
            .name
            .cmp(&source.fields[b.source].name)
    });
    let indices = Sides::by(|side| pairs.iter().map(|pair| pair[side]).collect::<Vec<_>>());
    let mut fields = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        let ends = Sides::new(&source.fields[pair.source], &target.fields[pair.target]);
        fields.push(meet(&ends, rules)?);
    }
    let names = key_names(source, target, rules, false)?;
    let known: Vec<&str> = fields
        .iter()
        .map(|field| field.names.target.as_str())
        .collect();
    let key = key_positions(&names, &known)?;
    for (side, schema) in Side::BOTH.into_iter().zip([source, target]) {
        let ours = key.iter().map(|&position| indices[side][position]);
        refuse_other_key(ours.collect(), schema, &names, "one side")?;
    }
    for &position in &key {
        let pair = &pairs[position];
        refuse_json_key(&source.fields[pair.source], &target.fields[pair.target])?;
        fields[position].key = true;
    }
    Ok(Shared {
        types: fields.iter().map(|field| field.ty).collect(),
        fields,
        key,
        indices,
        notes,
    })
}

pub(in crate::mapping) fn refuse_one_way(rules: &Rules) -> Result<()> {
    if rules.bag {
        return Err(Error::config(
            "a link that goes both ways needs a key, and `all` is none: nothing tells which of two records changed",
        )
        .hint("name the fields that identify a record, or run the link in one direction"));
    }
    let rule = if !rules.constants.is_empty() {
        "constant"
    } else if !rules.computed.is_empty() {
        "expression"
    } else if rules.filter.is_some() {
        "filter"
    } else if !rules.cast.is_empty() {
        "cast"
    } else {
        return Ok(());
    };
    Err(
        Error::config(format!("rule={rule} is not for two-way links yet"))
            .hint("take the rule away, or run the link in one direction"),
    )
}

/// A JSON text can be spelled in many ways, and a key must have one.
pub(in crate::mapping) fn refuse_json_key(source: &Field, target: &Field) -> Result<()> {
    if lattice::common(source, target) != Type::Json {
        return Ok(());
    }
    Err(Error::config(format!(
        "key field={} is a JSON text, which can be spelled in many ways",
        source.name
    ))
    .hint("choose other fields that identify a record with --key"))
}

/// Finds the fields that both sides have, as indices.
fn pair(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    notes: &mut Vec<String>,
) -> Result<Vec<Sides<usize>>> {
    let at_source = |field: &Field| rules.drop.contains(&field.name);
    // A name means the source's field where it has one, else the target's.
    let at_target =
        |field: &Field| rules.drop.contains(&field.name) && source.index_of(&field.name).is_none();
    let mut pairs = Vec::new();
    let mut met = vec![false; target.fields.len()];
    let mut left_out: Vec<bool> = target.fields.iter().map(at_target).collect();
    for (index, field) in source.fields.iter().enumerate() {
        let at = target.index_of(renamed(&field.name, rules));
        match at {
            Some(at) if at_source(field) => left_out[at] = true,
            None if at_source(field) => {}
            Some(at) if at_target(&target.fields[at]) => {}
            None => alone(field, target, notes)?,
            Some(at) if met[at] => return Err(met_twice(&target.fields[at])),
            Some(at) => {
                met[at] = true;
                if field.generated || target.fields[at].generated {
                    notes.push(computed(field));
                } else {
                    pairs.push(Sides::new(index, at));
                }
            }
        }
    }
    for (at, field) in target.fields.iter().enumerate() {
        if !met[at] && !left_out[at] {
            alone(field, source, notes)?;
        }
    }
    Ok(pairs)
}

/// A field that only one side has must be one that nobody writes.
pub(in crate::mapping) fn alone(
    field: &Field,
    other: &Schema,
    notes: &mut Vec<String>,
) -> Result<()> {
    if field.generated {
        notes.push(computed(field));
        return Ok(());
    }
    let known: Vec<&str> = other
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    Err(Error::config(format!(
        "field={} exists on one side only: type={}",
        field.name, field.native
    ))
    .hint(format!(
        "the other side has: {}; rename or drop the field, or add it there",
        known.join(", ")
    )))
}

pub(in crate::mapping) fn met_twice(field: &Field) -> Error {
    Error::config(format!("two fields are mapped to field={}", field.name))
        .hint("rename or drop one of them")
}

fn computed(field: &Field) -> String {
    format!(
        "field {} is computed by an endpoint: neither written nor compared",
        field.name
    )
}

fn meet(ends: &Sides<&Field>, rules: &Rules) -> Result<SharedField> {
    let names = ends.map(|field| field.name.clone());
    let agreed = rules.lossy.contains(&names.source) || rules.lossy.contains(&names.target);
    for side in Side::BOTH {
        permit(&names[side], ends[side], ends[side.other()], agreed)?;
    }
    let ty = lattice::common(ends.source, ends.target);
    let same = ends.source.native == ends.target.native;
    let held = ends.map(|field| {
        if ty == Type::Any {
            Type::Any
        } else if field.inferred {
            Type::TEXT
        } else {
            field.ty
        }
    });
    Ok(SharedField {
        names,
        ty,
        meaning: if same && ty == Type::Any {
            ends.source.ty
        } else {
            ty
        },
        unread: (ty == Type::Any && same).then(|| ends.source.native.clone()),
        held,
        narrow: held.map(|held| lattice::types(ty, held) != Fit::Exact),
        mixed: ends.map(Field::mixed),
        nullable: ends.map(|field| field.nullable),
        key: false,
    })
}
