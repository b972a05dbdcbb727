//! Settles the translation, once per collection and run: every name and type is checked here, and nothing is left to
//! be found out while records flow.

use super::near;
use super::{Compute, Formula, MappedField, Mapping, Origin, Rules};
use crate::batch::Batch;
use crate::cast;
use crate::error::{Error, Result};
use crate::lattice::{self, Fit};
use crate::schema::{Field, Holds, Schema};
use crate::side::Sides;
use crate::types::Type;
use crate::value::Value;
use std::sync::Arc;

pub(super) fn build(source: &Schema, target: &Schema, rules: &Rules) -> Result<Mapping> {
    let mut notes = Vec::new();
    let mut wrong = |_, error| Err(error);
    refuse_strangers(source, target, rules, &mut wrong)?;
    let pairs = pair(source, target, rules, &mut notes, &mut wrong)?;
    let mut mapping = Mapping {
        fields: Vec::new(),
        key: Vec::new(),
        bag: rules.bag,
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
            Supply::Constant(text, _) => Origin::Constant(text),
            Supply::Field(index, _) => Origin::Field(scan(index, field.ty, &mut mapping)),
            Supply::Computed(_) => field.origin,
        };
        mapping.target_fields.push(target_index);
        mapping.types.push(field.ty);
        mapping.fields.push(MappedField {
            origin,
            target: target_index,
            ..field
        });
    }
    // What else is read comes behind what is mapped, in one scan.
    for at in 0..mapping.fields.len() {
        if let Origin::Computed(computed, _) = &mapping.fields[at].origin {
            let computed = Arc::clone(computed);
            let read = bind(computed.fields(), source, &mut mapping)?;
            mapping.fields[at].origin = Origin::Computed(computed, read);
        }
    }
    if rules.bag {
        refuse_key_of_bag(rules, &mapping)?;
    } else {
        mapping.key = choose_key(source, target, rules, &mapping.fields)?;
    }
    if let Some(filter) = &rules.filter {
        let read = bind(&filter.fields(), source, &mut mapping)?;
        mapping.filter = Some((filter.clone(), read));
    }
    Ok(mapping)
}

/// Adds a field to the scan.
fn scan(index: usize, ty: Type, mapping: &mut Mapping) -> usize {
    mapping.source_fields.push(index);
    mapping.source_types.push(ty);
    mapping.source_fields.len() - 1
}

/// Finds the named fields in the scan, and adds those that are not in it yet.
fn bind<N: AsRef<str>>(names: &[N], source: &Schema, mapping: &mut Mapping) -> Result<Vec<usize>> {
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let index = position("the source", source, name.as_ref())?;
        let scanned = mapping.source_fields.iter().position(|&f| f == index);
        places.push(scanned.unwrap_or_else(|| scan(index, Type::Any, mapping)));
    }
    Ok(places)
}

/// Which field something is wrong with, as indices.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) source: Option<usize>,
    pub(super) target: Option<usize>,
}

/// Takes what is wrong: building ends with it, a survey goes on.
pub(super) type Wrong<'w> = dyn FnMut(Place, Error) -> Result<()> + 'w;

/// A rule for a field that does not exist is a typing mistake, and would otherwise be no rule at all.
pub(super) fn refuse_strangers(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    wrong: &mut Wrong<'_>,
) -> Result<()> {
    let of_others = || {
        let renamed = rules.rename.iter().map(|(from, _)| from);
        renamed.chain(rules.cast.iter().map(|(from, _)| from))
    };
    for name in of_others().chain(&rules.drop) {
        if let Err(error) = position("the source", source, name) {
            wrong(Place::default(), error)?;
        }
    }
    for name in &rules.lossy {
        if let Err(error) = position("the target", target, name) {
            wrong(Place::default(), error)?;
        }
    }
    if let Some(name) = of_others().find(|name| rules.drop.contains(name)) {
        let error = Error::config(format!(
            "field={name} is dropped, and another rule is for it"
        ));
        wrong(Place::default(), error.hint("take one of the rules away"))?;
    }
    Ok(())
}

pub(super) fn position(side: &str, schema: &Schema, name: &str) -> Result<usize> {
    schema.index_of(name).ok_or_else(|| {
        let known = schema.fields.iter().map(|field| field.name.as_str());
        let known: Vec<&str> = known.collect();
        Error::config(format!(
            "a rule names field={name}, which {side} does not have"
        ))
        .hint(format!("it has: {}", known.join(", ")))
    })
}

/// Where a target field's value comes from, before scan positions are known.
pub(super) enum Supply {
    /// A field of the source, and the types its values are taken as first.
    Field(usize, Vec<Type>),
    /// A constant, and the type that its text spells a value of.
    Constant(Option<String>, Type),
    Computed(Arc<dyn Compute>),
}

/// Finds for each target field what supplies it.
pub(super) fn pair(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    notes: &mut Vec<String>,
    wrong: &mut Wrong<'_>,
) -> Result<Vec<Option<Supply>>> {
    let mut pairs: Vec<Option<Supply>> = target.fields.iter().map(|_| None).collect();
    for (name, text) in &rules.constants {
        let supply = Supply::Constant(Some(text.clone()), Type::TEXT);
        say(target, name, name, supply, &mut pairs, wrong)?;
    }
    for (name, formula) in &rules.computed {
        let supply = match formula {
            Formula::Field { name, via } => match position("the source", source, name) {
                Ok(index) => Supply::Field(index, via.clone()),
                Err(error) => {
                    wrong(Place::default(), error)?;
                    continue;
                }
            },
            Formula::Constant(text, ty) => Supply::Constant(text.clone(), *ty),
            Formula::Expression(computed) => Supply::Computed(Arc::clone(computed)),
        };
        say(target, name, name, supply, &mut pairs, wrong)?;
    }
    for (from, to) in &rules.rename {
        if let Some(index) = source.index_of(from) {
            let supply = Supply::Field(index, cast_of(from, rules));
            say(target, from, to, supply, &mut pairs, wrong)?;
        }
    }
    same_names(source, target, rules, &mut pairs, notes, wrong)?;
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

/// Lets a rule of its own supply the target's field `to`.
fn say(
    target: &Schema,
    from: &str,
    to: &str,
    supply: Supply,
    pairs: &mut [Option<Supply>],
    wrong: &mut Wrong<'_>,
) -> Result<()> {
    let mut place = Place {
        target: target.index_of(to),
        ..Place::default()
    };
    if let Supply::Field(index, _) = supply {
        place.source = Some(index);
    }
    let Some(at) = place.target else {
        return wrong(place, no_counterpart(from, to, target));
    };
    if pairs[at].is_some() {
        let error = Error::config(format!("two rules supply field={to}"));
        return wrong(place, error.hint("take one of them away"));
    }
    if target.fields[at].generated {
        let error = Error::config(format!(
            "field={to} is computed by the target itself, and a rule supplies it"
        ));
        return wrong(place, error.hint("take the rule away"));
    }
    pairs[at] = Some(supply);
    Ok(())
}

/// Pairs what no rule supplies with the source's field of the same name.
fn same_names(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    pairs: &mut [Option<Supply>],
    notes: &mut Vec<String>,
    wrong: &mut Wrong<'_>,
) -> Result<()> {
    for (index, field) in source.fields.iter().enumerate() {
        let name = field.name.as_str();
        if rules.drop.iter().any(|drop| drop == name)
            || rules.rename.iter().any(|(from, _)| from == name)
        {
            continue;
        }
        match target.index_of(name) {
            Some(at) if pairs[at].is_some() => {
                notes.push(format!(
                    "field {name} is supplied by a rule, not by the source's field of that name"
                ));
            }
            Some(at) if target.fields[at].generated => notes.push(format!(
                "field {name} is computed by the target: neither written nor compared"
            )),
            Some(at) => pairs[at] = Some(Supply::Field(index, cast_of(name, rules))),
            None if is_read(name, rules) => {
                notes.push(format!("field {name} is only read by expressions"));
            }
            None => {
                let place = Place {
                    source: Some(index),
                    target: None,
                };
                wrong(place, no_counterpart(name, name, target))?;
            }
        }
    }
    Ok(())
}

fn cast_of(name: &str, rules: &Rules) -> Vec<Type> {
    let rule = rules.cast.iter().find(|(from, _)| from == name);
    rule.map(|&(_, ty)| ty).into_iter().collect()
}

/// Tells whether a field that has no counterpart finds its way into one that is computed.
pub(super) fn is_read(name: &str, rules: &Rules) -> bool {
    rules.computed.iter().any(|(_, formula)| match formula {
        Formula::Field { name: read, .. } => read == name,
        Formula::Constant(..) => false,
        Formula::Expression(computed) => computed.fields().iter().any(|read| read == name),
    })
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
        "{}the target has: {}; add the field there, or say in trueup.toml (trueup init writes one) what becomes of it: \
         rename = {{ {from} = \"FIELD\" }} or drop = [\"{from}\"]",
        near::meant(to, &known),
        known.join(", ")
    ))
}

/// What supplies a field, as a field that meets it, and the types its values are taken as first.
pub(super) fn supplied(from: &Supply, source: &Schema, name: &str) -> (Field, Vec<Type>) {
    match from {
        Supply::Constant(_, ty) => {
            let via = if *ty == Type::TEXT { vec![] } else { vec![*ty] };
            (Field::new(name, *ty, "constant"), via)
        }
        Supply::Computed(computed) => {
            let ty = computed.ty();
            (Field::new(name, ty, format!("expression:{ty}")), Vec::new())
        }
        Supply::Field(index, via) => {
            let mut field = source.fields[*index].clone();
            if let Some(&ty) = via.last() {
                field.ty = ty;
                field.native = format!("cast:{ty}");
                field.inferred = false;
            }
            (field, via.clone())
        }
    }
}

pub(super) fn meet(
    from: &Supply,
    source: &Schema,
    target: &Field,
    rules: &Rules,
) -> Result<MappedField> {
    let (field, via) = supplied(from, source, &target.name);
    let origin = match from {
        Supply::Field(..) => Origin::Field(0),
        Supply::Constant(..) => Origin::Constant(None),
        Supply::Computed(computed) => Origin::Computed(Arc::clone(computed), Vec::new()),
    };
    let agreed = rules.lossy.contains(&target.name);
    let fit = permit(&target.name, &field, target, agreed)?;
    let ty = lattice::meet(&field, target);
    if let Supply::Constant(Some(text), of) = from {
        spells(text, *of, ty, &target.name)?;
    }
    Ok(MappedField {
        name: target.name.clone(),
        ty,
        fit,
        mixed: Sides {
            source: field.mixed(),
            target: target.mixed(),
        },
        spelled: ty == Type::Any && field.native != target.native && target.holds == Holds::Marked,
        via,
        origin,
        target: 0,
    })
}

/// A constant that does not fit would park every record.
fn spells(text: &str, of: Type, ty: Type, name: &str) -> Result<()> {
    let (mut value, mut held) = (Batch::new(1), Batch::new(1));
    cast::push(Value::Text(text), of, &mut value)
        .and_then(|()| cast::push(value.record(0).value(0), ty, &mut held))
        .map_err(|misfit| {
            Error::config(format!(
                "field={name}: the constant does not fit: {misfit} type={ty}"
            ))
            .hint("write a value of the target field's type")
        })
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
        Fit::Exact | Fit::WithinRange(_) | Fit::Without(_) | Fit::Lossy(_) => return Ok(fit),
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
    let names = key_names(source, target, rules, true)?;
    let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let key = key_positions(&names, &known)?;
    let ours = key.iter().map(|&position| fields[position].target);
    refuse_other_key(ours.collect(), target, &names, "the target")?;
    Ok(key)
}

fn refuse_key_of_bag(rules: &Rules, mapping: &Mapping) -> Result<()> {
    if !rules.key.is_empty() {
        return Err(Error::config("a bag has no key, and one is named")
            .hint("name the key's fields, or `all`, and not both"));
    }
    if mapping.fields.is_empty() {
        return Err(
            Error::config("no field takes part, so that all records would be equal")
                .hint("map at least one field to one of the target"),
        );
    }
    Ok(())
}

/// Returns the target's name of a source field.
pub(super) fn renamed<'r>(name: &'r str, rules: &'r Rules) -> &'r str {
    let rule = rules.rename.iter().find(|(from, _)| from == name);
    rule.map_or(name, |(_, to)| to)
}

/// Chooses the link's key, in the target's names: what the rules say, else the source's own, else the target's. `bag`
/// tells whether the link can do without one.
pub(super) fn key_names(
    source: &Schema,
    target: &Schema,
    rules: &Rules,
    bag: bool,
) -> Result<Vec<String>> {
    let at_target = |name: &str| renamed(name, rules).to_owned();
    let names: Vec<String> = if !rules.key.is_empty() {
        rules.key.iter().map(|name| at_target(name)).collect()
    } else if !source.key.is_empty() {
        source.key_names().into_iter().map(at_target).collect()
    } else {
        target.key_names().into_iter().map(str::to_owned).collect()
    };
    if names.is_empty() {
        let name = &source.collection;
        let counted = if bag {
            format!("; or count equal records: --key {name}=all")
        } else {
            String::new()
        };
        return Err(
            Error::config("no key: neither side declares one").hint(format!(
                "name the fields that identify a record: --key {name}=field,field (in a file, key = [\"field\"]){counted}"
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
