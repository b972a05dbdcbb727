//! Settles what is to be done: pairs collections, reads both shapes, designs what is missing, builds the mappings.

use crate::check;
use crate::expression::record;
use crate::link::{CollectionSpec, Link, World};
use crate::progress::Step;
use crate::scan::{Reading, Role, Translation};
use crate::state::Stage;
use crate::structure::{Builder, is_ours};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::endpoint::{Design, Endpoint};
use trueup_core::extremes::Extremes;
use trueup_core::guard::Guard;
use trueup_core::mapping::{Formula, Mapping, Rules};
use trueup_core::schema::{Field, Schema};
use trueup_core::side::Side;
use trueup_core::structure::Construction;
use trueup_core::types::Type;
use trueup_core::{Error, Result};

/// One collection, ready to be read.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) source: Schema,
    pub(crate) target: Schema,
    pub(crate) mapping: Mapping,
    /// Set when the target has no such collection yet.
    pub(crate) create: Option<Design>,
    /// Set when it is created, or was created by this link and is not built upon yet.
    pub(crate) construction: Option<Construction>,
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
            ascending: false,
            part: None,
            sieved: false,
        }
    }
}

/// Prepares the link's collections, in an order in which a target's references point backwards where that is
/// possible. `pending` are the target's collections under construction.
pub(crate) fn prepare(
    link: &mut Link,
    pending: &BTreeMap<String, Stage>,
) -> Result<Vec<Collection>> {
    refuse_ends(link)?;
    let specs = specs(link)?;
    refuse_shared_targets(&specs)?;
    let met: Result<Vec<Met>> = specs.iter().map(|spec| meet(link, spec)).collect();
    let met = met?;
    let mut builder = Builder::new(met.iter(), pending);
    let mut collections = Vec::new();
    for one in met {
        collections.push(prepare_one(link, one, &mut builder)?);
    }
    Ok(parents_first(collections))
}

/// A collection of which the preparation was tried.
pub(crate) struct Tried {
    /// What it is, source and target as the user calls them.
    pub(crate) spec: CollectionSpec,
    /// Where it will be created, and the statement.
    pub(crate) create: Option<(Side, String)>,
    /// How it is built upon then.
    pub(crate) construction: Option<Construction>,
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
pub(crate) fn attempt(link: &mut Link, pending: &BTreeMap<String, Stage>) -> Result<Trial> {
    let mut trial = Trial::default();
    trial.take(refuse_ends(link))?;
    let found = specs(link);
    let specs = trial.take(found)?.unwrap_or_default();
    trial.take(refuse_shared_targets(&specs))?;
    let mut tried = Vec::new();
    for spec in specs {
        let met = meet(link, &spec);
        tried.push((spec, met));
    }
    let known = tried.iter().filter_map(|(_, met)| met.as_ref().ok());
    let mut builder = Builder::new(known, pending);
    for (spec, met) in tried {
        let (one, error) = match met.and_then(|met| prepare_one(link, met, &mut builder)) {
            Ok(one) => (Some(one), None),
            Err(error) if check::lasts(&error) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let (create, construction) = one.map_or((None, None), |one| (one.create, one.construction));
        trial.collections.push(Tried {
            spec,
            create: create.map(|design| (Side::Target, design.statement)),
            construction,
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
        return Err(nothing_to_read(link));
    }
    Ok(names.into_iter().map(CollectionSpec::plain).collect())
}

/// Says that the source is there and empty, and whether the sides may have been named the wrong way round.
fn nothing_to_read(link: &mut Link) -> Error {
    let (source, target) = (link.source.about().address, link.target.about().address);
    let others = link.target.collections().unwrap_or_default();
    let error = Error::config(format!("source: there is no collection to read: {source}"));
    error.hint(match others.len() {
        0 => "it is there and has neither table nor file to read; check the address".to_owned(),
        1 => format!("check the address; {target} has 1 collection: is it the other way round?"),
        more => {
            format!(
                "check the address; {target} has {more} collections: is it the other way round?"
            )
        }
    })
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

/// A collection as both sides have it now.
pub(crate) struct Met {
    pub(crate) source: Schema,
    /// The target's name for it.
    pub(crate) target: String,
    found: Option<Schema>,
    pub(crate) rules: Rules,
    guard: Option<Guard>,
}

fn meet(link: &mut Link, spec: &CollectionSpec) -> Result<Met> {
    let source = link
        .source
        .schema(&spec.source)
        .map_err(|error| error.at("source"))?
        .ok_or_else(|| no_such_collection(link.source.as_mut(), &spec.source))?;
    refuse_shapeless(&source)?;
    let found = link
        .target
        .schema(&spec.target)
        .map_err(|error| error.at("target"))?;
    let rules = rules(&source, spec)?;
    Ok(Met {
        source,
        target: spec.target.clone(),
        found: found.filter(|schema| !schema.fields.is_empty()),
        rules,
        guard: spec.guard,
    })
}

fn prepare_one(link: &mut Link, met: Met, builder: &mut Builder<'_>) -> Result<Collection> {
    let Met {
        source,
        target,
        found,
        rules,
        guard,
    } = met;
    let mut construction = None;
    let stage = builder.stage(&target);
    if found.is_none() || stage.is_some() {
        let wanted = wanted(&source, &rules, &target)?;
        let made = builder.construct(link, (&source, &rules), &wanted, found.as_ref())?;
        construction = Some(made).filter(|made| is_ours(made, found.as_ref(), stage));
    }
    let (target, create) = match (found, &construction) {
        (None, Some(construction)) => {
            let design = construction.design.clone();
            (design.schema.clone(), Some(design))
        }
        (found, _) => (found.unwrap_or_default(), None),
    };
    let mapping = Mapping::build(&source, &target, &rules)?;
    Ok(Collection {
        source,
        target,
        mapping,
        create,
        construction,
        guard,
    })
}

/// Refuses a source whose shape nothing says: an emptied file is not taken for an empty collection.
pub(crate) fn refuse_shapeless(source: &Schema) -> Result<()> {
    if !source.fields.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "source: collection {} has no fields: it holds no record that says them",
        source.collection
    ))
    .hint("an emptied or cut file is not taken for an empty collection; nothing was written"))
}

pub(crate) fn no_such_collection(source: &mut dyn Endpoint, name: &str) -> Error {
    let known = match source.collections() {
        // The place itself is missing, which says more.
        Err(error) if check::lasts(&error) => return error.at("source"),
        known => known.unwrap_or_default(),
    };
    let shown: Vec<&str> = known.iter().take(10).map(String::as_str).collect();
    let hint = if shown.is_empty() {
        "the source has no collections; check the address".to_owned()
    } else {
        format!("the source has: {}", shown.join(", "))
    };
    Error::config(format!("source: there is no collection called {name}")).hint(hint)
}

/// The collection's rules, its expressions checked against the source's shape.
fn rules(source: &Schema, spec: &CollectionSpec) -> Result<Rules> {
    let (rules, wrong) = rules_so_far(source, spec);
    wrong.into_iter().next().map_or(Ok(rules), Err)
}

/// The collection's rules, and what is wrong with its expressions; NULL stands for each that is.
pub(crate) fn rules_so_far(source: &Schema, spec: &CollectionSpec) -> (Rules, Vec<Error>) {
    let mut rules = spec.rules.clone();
    let mut wrong = Vec::new();
    let collection = &source.collection;
    for (name, text) in &spec.computed {
        let formula = record::formula(text, source).unwrap_or_else(|error| {
            wrong.push(error.at(format!("collection={collection} field={name}")));
            Formula::Constant(None, Type::Any)
        });
        rules.computed.push((name.clone(), formula));
    }
    if let Some(text) = &spec.filter {
        match record::filter(text, source) {
            Ok(filter) => rules.filter = Some(filter),
            Err(error) => wrong.push(error.at(format!("collection={collection} filter"))),
        }
    }
    (rules, wrong)
}

/// The shape a missing target collection should get: the source's, renamed, with what is computed and the link's key.
pub(crate) fn wanted(source: &Schema, rules: &Rules, target: &str) -> Result<Schema> {
    let renamed = |name: &str| {
        let rule = rules.rename.iter().find(|(from, _)| from == name);
        rule.map_or(name, |(_, to)| to).to_owned()
    };
    let named: Vec<String> = if rules.key.is_empty() {
        source.key_names().into_iter().map(renamed).collect()
    } else {
        rules.key.iter().map(|name| renamed(name)).collect()
    };
    let named = if rules.bag { Vec::new() } else { named };
    if named.is_empty() && !rules.bag {
        let name = &source.collection;
        return Err(Error::config(format!(
            "collection={name}: no key: the source declares none"
        ))
        .hint(format!(
            "name the fields that identify a record: --key {name}=field,field (in a file, key = [\"field\"]); or count equal records: --key {name}=all"
        )));
    }
    let mut schema = Schema {
        collection: target.to_owned(),
        ..Schema::default()
    };
    for field in &source.fields {
        if !rules.drop.contains(&field.name) {
            let name = renamed(&field.name);
            schema.fields.push(wanted_field(field, &name, rules));
        }
    }
    let supplied = supplied(source, rules)?;
    // A constraint on what the source holds says nothing of what is computed in its place.
    let uniques = source.uniques.iter().filter_map(|unique| {
        let names = unique.iter().map(|&at| renamed(&source.fields[at].name));
        let places = names.map(|name| {
            let computed = supplied.iter().any(|field| field.name == name);
            schema.index_of(&name).filter(|_| !computed)
        });
        places.collect::<Option<Vec<usize>>>()
    });
    // In a bag nothing identifies a record: a key or unique constraint would refuse the second of two equal ones.
    if !rules.bag {
        schema.uniques = uniques.collect();
    }
    for field in supplied {
        match schema.index_of(&field.name) {
            Some(at) => schema.fields[at] = field,
            None => schema.fields.push(field),
        }
    }
    let key = named.iter().map(|name| key_place(source, &schema, name));
    schema.key = key.collect::<Result<_>>()?;
    for &index in &schema.key {
        schema.fields[index].nullable = false;
    }
    Ok(schema)
}

fn wanted_field(field: &Field, name: &str, rules: &Rules) -> Field {
    let mut wanted = field.clone();
    if let Some((_, ty)) = rules.cast.iter().find(|(from, _)| *from == field.name) {
        wanted.ty = *ty;
        wanted.extremes = Extremes::of(*ty);
        wanted.native = format!("cast:{ty}");
    }
    name.clone_into(&mut wanted.name);
    wanted.generated = false;
    // That no NULL was seen so far is no promise of the source's.
    wanted.nullable |= wanted.inferred;
    wanted
}

/// The fields that constants and expressions supply.
fn supplied(source: &Schema, rules: &Rules) -> Result<Vec<Field>> {
    let constants = rules
        .constants
        .iter()
        .map(|(name, _)| Ok(Field::new(name, Type::TEXT, "constant")));
    let computed = rules.computed.iter().map(|(name, formula)| {
        Ok(match formula {
            Formula::Field { name: from, via } => {
                let field = &source.fields[index_of(source, from)?];
                match via.as_slice() {
                    [.., ty] if *ty != field.ty => Field::new(name, *ty, format!("cast:{ty}")),
                    _ => wanted_field(field, name, &Rules::default()),
                }
            }
            Formula::Constant(_, ty) => Field::new(name, *ty, "constant"),
            Formula::Expression(computed) => {
                let ty = computed.ty();
                Field::new(name, ty, format!("expression:{ty}"))
            }
        })
    });
    constants.chain(computed).collect()
}

/// Finds a field of the key in the target's shape.
fn key_place(source: &Schema, target: &Schema, name: &str) -> Result<usize> {
    if let Some(place) = target.index_of(name) {
        return Ok(place);
    }
    index_of(source, name)?;
    Err(Error::config(format!(
        "collection={}: a key field is dropped",
        source.collection
    ))
    .hint("keep the fields of the key, or name another key"))
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
