//! Settles what is to be done: pairs collections, reads both shapes, designs what is missing, builds the mappings.

use crate::check;
use crate::link::{CollectionSpec, Link, World};
use crate::progress::Step;
use crate::scan::{Reading, Role, Translation};
use std::collections::BTreeSet;
use trueup_core::endpoint::{Design, Endpoint};
use trueup_core::guard::Guard;
use trueup_core::mapping::Mapping;
use trueup_core::schema::{Field, Schema};
use trueup_core::side::Side;
use trueup_core::{Error, Result};

/// One collection, ready to be read.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) source: Schema,
    pub(crate) target: Schema,
    pub(crate) mapping: Mapping,
    /// Set when the target has no such collection yet.
    pub(crate) create: Option<Design>,
    /// Set where another limit than the link's says when to stop.
    pub(crate) guard: Option<Guard>,
}

impl Collection {
    /// Returns one side as something to be read; `step` is told of progress.
    pub(crate) fn reading<'a>(
        &'a self,
        role: Role,
        step: Option<Step>,
        world: &'a World<'a>,
    ) -> Reading<'a> {
        Reading {
            name: role.name(),
            title: &self.source.collection,
            schema: match role {
                Role::Source => &self.source,
                Role::Target => &self.target,
            },
            translation: Translation::OneWay(role, &self.mapping),
            world,
            step,
        }
    }
}

/// Prepares the link's collections, in an order in which a target's references point backwards where that is
/// possible.
pub(crate) fn prepare(link: &mut Link) -> Result<Vec<Collection>> {
    refuse_ends(link)?;
    let specs = specs(link)?;
    refuse_shared_targets(&specs)?;
    let mut collections = Vec::new();
    for spec in &specs {
        collections.push(prepare_one(link, spec)?);
    }
    Ok(parents_first(collections))
}

/// A collection of which the preparation was tried.
pub(crate) struct Tried {
    /// What it is, source and target as the user calls them.
    pub(crate) spec: CollectionSpec,
    /// Where it will be created, and the statement.
    pub(crate) create: Option<(Side, String)>,
    /// Why it cannot be prepared.
    pub(crate) error: Option<Error>,
}

/// What came of trying to prepare a link.
#[derive(Default)]
pub(crate) struct Trial {
    pub(crate) collections: Vec<Tried>,
    /// What is wrong with the link as a whole.
    pub(crate) problems: Vec<Error>,
}

impl Trial {
    /// Takes a step's result, and an error as a finding.
    ///
    /// # Errors
    /// Those that say nothing about what was tried.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if check::lasts(&error) => {
                self.problems.push(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Does what [`prepare`] does, and goes on where that stops.
pub(crate) fn attempt(link: &mut Link) -> Result<Trial> {
    let mut trial = Trial::default();
    trial.take(refuse_ends(link))?;
    let found = specs(link);
    let specs = trial.take(found)?.unwrap_or_default();
    trial.take(refuse_shared_targets(&specs))?;
    for spec in specs {
        let (create, error) = match prepare_one(link, &spec) {
            Ok(one) => (one.create.map(|design| design.statement), None),
            Err(error) if check::lasts(&error) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        trial.collections.push(Tried {
            spec,
            create: create.map(|statement| (Side::Target, statement)),
            error,
        });
    }
    Ok(trial)
}

fn refuse_ends(link: &Link) -> Result<()> {
    let (source, target) = (link.source.about(), link.target.about());
    if source.identity == target.identity {
        return Err(Error::config("source and target are the same endpoint")
            .hint("name two different places"));
    }
    if link.mode.write && !target.capabilities.write {
        let address = target.address;
        return Err(
            Error::config(format!("target: {address} cannot be written"))
                .hint("name a target that can be written; for this one, trueup diff compares"),
        );
    }
    Ok(())
}

fn specs(link: &mut Link) -> Result<Vec<CollectionSpec>> {
    if !link.collections.is_empty() {
        return Ok(link.collections.clone());
    }
    let names = link
        .source
        .collections()
        .map_err(|error| error.at("source"))?;
    if names.is_empty() {
        // A place that does not exist has no collections either; reading it says so.
        drop(link.source.snapshot().map_err(|error| error.at("source"))?);
        return Err(Error::config("source: there is no collection to read")
            .hint("check the address; name one with --collections"));
    }
    Ok(names.into_iter().map(CollectionSpec::plain).collect())
}

/// Two collections that write to the same one would undo each other, and each delete what the other wrote.
fn refuse_shared_targets(specs: &[CollectionSpec]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match specs.iter().find(|spec| !seen.insert(&spec.target)) {
        None => Ok(()),
        Some(spec) => Err(Error::config(format!(
            "target: two collections of the source are to be written to {}",
            spec.target
        ))
        .hint("give each its own target collection")),
    }
}

fn prepare_one(link: &mut Link, spec: &CollectionSpec) -> Result<Collection> {
    let source = link
        .source
        .schema(&spec.source)
        .map_err(|error| error.at("source"))?
        .ok_or_else(|| no_such_collection(link.source.as_mut(), &spec.source))?;
    let found = link
        .target
        .schema(&spec.target)
        .map_err(|error| error.at("target"))?;
    let (target, create) = match found {
        Some(schema) => (schema, None),
        None => {
            let wanted = wanted(&source, spec)?;
            let design = link
                .target
                .design(&wanted)
                .map_err(|error| error.at("target"))?;
            (design.schema.clone(), Some(design))
        }
    };
    let mapping = Mapping::build(&source, &target, &spec.rules)?;
    Ok(Collection {
        source,
        target,
        mapping,
        create,
        guard: spec.guard,
    })
}

pub(crate) fn no_such_collection(source: &mut dyn Endpoint, name: &str) -> Error {
    let known = source.collections().unwrap_or_default();
    let shown: Vec<&str> = known.iter().take(10).map(String::as_str).collect();
    let hint = if shown.is_empty() {
        "the source has no collections; check the address".to_owned()
    } else {
        format!("the source has: {}", shown.join(", "))
    };
    Error::config(format!("source: there is no collection called {name}")).hint(hint)
}

/// The shape a missing target collection should get: the source's, renamed, with the link's key.
pub(crate) fn wanted(source: &Schema, spec: &CollectionSpec) -> Result<Schema> {
    let rules = &spec.rules;
    let kept: Vec<usize> = (0..source.fields.len())
        .filter(|&index| !rules.drop.contains(&source.fields[index].name))
        .collect();
    let place_of = |index: usize| kept.iter().position(|&kept| kept == index);
    let named = |names: &[String]| -> Result<Vec<usize>> {
        names.iter().map(|name| index_of(source, name)).collect()
    };
    let key = if rules.key.is_empty() {
        source.key.clone()
    } else {
        named(&rules.key)?
    };
    if key.is_empty() {
        let name = &source.collection;
        return Err(Error::config(format!(
            "collection={name}: no key: the source declares none"
        ))
        .hint(format!(
            "name the fields that identify a record: --key {name}=field,field"
        )));
    }
    let places = |fields: &[usize]| fields.iter().map(|&index| place_of(index)).collect();
    let mut schema = Schema {
        collection: spec.target.clone(),
        ..Schema::default()
    };
    for &index in &kept {
        schema.fields.push(wanted_field(source, index, spec));
    }
    for (name, _) in &rules.constants {
        schema
            .fields
            .push(Field::new(name, trueup_core::types::Type::TEXT, "constant"));
    }
    let dropped = || {
        Error::config(format!(
            "collection={}: a key field is dropped",
            source.collection
        ))
        .hint("keep the fields of the key, or name another key")
    };
    let indices: Option<Vec<usize>> = places(&key);
    schema.key = indices.ok_or_else(dropped)?;
    for &index in &schema.key {
        schema.fields[index].nullable = false;
    }
    schema.uniques = source
        .uniques
        .iter()
        .filter_map(|unique| places(unique))
        .collect();
    Ok(schema)
}

fn wanted_field(source: &Schema, index: usize, spec: &CollectionSpec) -> Field {
    let mut field = source.fields[index].clone();
    if let Some((_, ty)) = spec.rules.cast.iter().find(|(name, _)| *name == field.name) {
        field.ty = *ty;
        field.native = format!("cast:{ty}");
    }
    if let Some((_, to)) = spec
        .rules
        .rename
        .iter()
        .find(|(from, _)| *from == field.name)
    {
        field.name.clone_from(to);
    }
    field.generated = false;
    // That no NULL was seen so far is no promise of the source's.
    field.nullable |= field.inferred;
    field
}

fn index_of(schema: &Schema, name: &str) -> Result<usize> {
    schema.index_of(name).ok_or_else(|| {
        let known: Vec<&str> = schema
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        Error::config(format!(
            "collection={}: key field={name} does not exist",
            schema.collection
        ))
        .hint(format!("its fields are: {}", known.join(", ")))
    })
}

/// Orders collections so that one is written after those it refers to. Where references form a circle the given
/// order stays; records refused for a missing parent are tried again after the others.
fn parents_first(collections: Vec<Collection>) -> Vec<Collection> {
    let mut waiting = collections;
    let mut ordered: Vec<Collection> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting.iter().position(|child| {
            let parents = child.target.references.iter().map(|r| &r.collection);
            parents
                .filter(|parent| **parent != child.target.collection)
                .all(|parent| {
                    !waiting
                        .iter()
                        .any(|other| other.target.collection == *parent)
                })
        });
        ordered.push(waiting.remove(free.unwrap_or(0)));
    }
    ordered
}
