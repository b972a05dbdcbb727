//! Looks at a link before its first run: what each endpoint can do, which rights are missing, how each field fares.
//!
//! It asks what a run asks before it reads its first record, by the same functions, and goes on where a run stops, so
//! that everything wrong is said at once. Invariant: nothing is written, no record is read (files say their shape only
//! by their content), and where this finds nothing wrong, a run's preparation succeeds.

mod guarantees;
mod report;
#[cfg(test)]
mod tests;

pub use guarantees::{Promise, Standing, meaning};
pub use report::{CheckReport, CollectionCheck, EndCheck, FieldCheck, Held, Problem};

use crate::connect::{self, Tried};
use crate::link::{CollectionSpec, Link};
use crate::sieve;
use crate::state::Store;
use crate::structure::Building;
use crate::two_way;
use std::collections::BTreeMap;
use trueup_core::endpoint::Endpoint;
use trueup_core::mapping::{Rules, Survey, SurveyedField};
use trueup_core::rights::{Missing, Wanted};
use trueup_core::schema::{Field, Schema};
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Kind, Result};

/// Checks `link` as if it were about to run. `store` says what earlier runs left to be built, where there is one.
///
/// # Errors
/// When an endpoint cannot be asked. Whatever else is wrong stands in the report.
pub fn check(link: &mut Link, store: Option<&Store>) -> Result<CheckReport> {
    link.mode.write = true;
    let pending = store.map_or(Ok(BTreeMap::new()), |store| {
        store.under_construction(&link.id())
    })?;
    let trial = if link.two_way.is_some() {
        two_way::attempt(link)?
    } else {
        connect::attempt(link, &pending)?
    };
    let mut collections = Vec::new();
    let mut hidden = false;
    for tried in &trial.collections {
        let (check, partial) = collection(link, tried)?;
        collections.push(check);
        hidden |= partial;
    }
    let two_way = link.two_way.is_some();
    let mut source = Vec::new();
    if link.collections.is_empty() {
        source.push(Wanted::List);
    }
    source.extend(wants(&collections, Side::Source, two_way));
    let target = wants(&collections, Side::Target, true);
    let source = end(link.source.as_mut(), Side::Source, &source, two_way)?;
    let mut target = end(link.target.as_mut(), Side::Target, &target, two_way)?;
    let created = collections.iter().any(|one| one.create.is_some());
    let missed = crate::report::not_created(&source.about, &target.about, created);
    target.notes.extend(missed.filter(|_| two_way));
    let constructions = trial.collections.into_iter();
    let constructions = constructions.filter_map(|tried| tried.construction);
    let structure = Building::of(link, constructions)?.planned();
    let about = Sides::new(&source.about, &target.about);
    Ok(CheckReport {
        link: link.name(),
        two_way,
        promises: guarantees::promises(&about, two_way, hidden),
        source,
        target: Some(target),
        collections,
        structure,
        problems: trial.problems.iter().map(Problem::from).collect(),
    })
}

/// Checks one endpoint as a source: that its collections can be read and have keys.
///
/// # Errors
/// When the endpoint cannot be asked.
pub fn alone(endpoint: &mut dyn Endpoint, named: &[CollectionSpec]) -> Result<CheckReport> {
    let mut problems = Vec::new();
    let mut wanted = Vec::new();
    let mut specs = named.to_vec();
    if specs.is_empty() {
        wanted.push(Wanted::List);
        match endpoint.collections() {
            Ok(names) => specs.extend(names.into_iter().map(CollectionSpec::plain)),
            Err(error) if lasts(&error) => problems.push(Problem::from(&error)),
            Err(error) => return Err(error),
        }
        if specs.is_empty() && problems.is_empty() {
            // A place that does not exist has no collections either; reading it says so.
            let read = endpoint.snapshot().map(drop);
            let error = read.err().unwrap_or_else(|| {
                Error::config("there is no collection").hint("check the address")
            });
            problems.push(Problem::from(&error));
        }
    }
    let mut collections = Vec::new();
    for spec in &specs {
        wanted.push(Wanted::Read(spec.source.clone()));
        collections.push(one_alone(endpoint, spec)?);
    }
    let source = end(endpoint, Side::Source, &wanted, false)?;
    Ok(CheckReport {
        link: source.about.address.clone(),
        two_way: false,
        source,
        target: None,
        promises: Vec::new(),
        collections,
        structure: None,
        problems,
    })
}

/// Tells whether an error is a finding: it would be the same again. Others say nothing about what was asked.
pub(crate) fn lasts(error: &Error) -> bool {
    match error.kind() {
        Kind::Config | Kind::Auth | Kind::Rejected | Kind::Corrupt | Kind::Guard | Kind::Stale => {
            true
        }
        Kind::Unavailable | Kind::Throttled | Kind::Interrupted | Kind::Bug => false,
    }
}

fn one_alone(endpoint: &mut dyn Endpoint, spec: &CollectionSpec) -> Result<CollectionCheck> {
    let mut check = CollectionCheck {
        names: Sides::new(spec.source.clone(), spec.source.clone()),
        ..CollectionCheck::default()
    };
    let schema = match endpoint.schema(&spec.source) {
        Ok(Some(schema)) => schema,
        Ok(None) => {
            let error = connect::no_such_collection(endpoint, &spec.source);
            check.problems.push(Problem::from(&error));
            return Ok(check);
        }
        Err(error) if lasts(&error) => {
            check.problems.push(Problem::from(&error));
            return Ok(check);
        }
        Err(error) => return Err(error),
    };
    let key = if spec.rules.key.is_empty() {
        schema.key_names().into_iter().map(str::to_owned).collect()
    } else {
        spec.rules.key.clone()
    };
    let (rules, wrong) = connect::rules_so_far(&schema, spec);
    let wanted = connect::wanted(&schema, &rules, &spec.target);
    for error in wrong.iter().chain(wanted.as_ref().err()) {
        check.problems.push(problem(error, &spec.source));
    }
    check.fields = schema
        .fields
        .iter()
        .map(|field| FieldCheck {
            held: Sides::new(Some(held(field)), None),
            note: field.generated.then(|| "computed".to_owned()),
            ..FieldCheck::default()
        })
        .collect();
    check.keys.source = Some(own(&schema));
    check.notes.clone_from(&schema.notes);
    check.key = key;
    Ok(check)
}

/// What a link wants of one side.
fn wants(collections: &[CollectionCheck], side: Side, writes: bool) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for one in collections {
        let name = one.names[side].clone();
        wanted.push(if !writes {
            Wanted::Read(name)
        } else if one.keys[side].is_some() {
            Wanted::Write(name)
        } else {
            Wanted::Create(name)
        });
    }
    if writes {
        wanted.push(Wanted::Control);
    }
    wanted
}

/// Asks an endpoint who it is and what is missing.
fn end(
    endpoint: &mut dyn Endpoint,
    side: Side,
    wanted: &[Wanted],
    two_way: bool,
) -> Result<EndCheck> {
    let about = endpoint.about();
    let rights = endpoint
        .rights(wanted)
        .map_err(|error| error.at(side.name()))?;
    // One way, a target without control tables will do, with fewer guarantees.
    let needed = |one: &Missing| two_way || one.wanted != Wanted::Control;
    let (missing, weaker) = rights.missing.into_iter().partition(needed);
    Ok(EndCheck {
        notes: [about.notes.clone(), rights.notes].concat(),
        about,
        missing,
        weaker,
    })
}

/// Checks one collection, and tells whether records of it may be hidden from this user.
fn collection(link: &mut Link, tried: &Tried) -> Result<(CollectionCheck, bool)> {
    let spec = &tried.spec;
    let names = Sides::new(spec.source.clone(), spec.target.clone());
    let found = Sides::new(
        shape(link.source.as_mut(), &spec.source)?,
        shape(link.target.as_mut(), &spec.target)?,
    );
    let two_way = link.two_way.is_some();
    let mut check = CollectionCheck {
        keys: found.as_ref().map(|schema| schema.as_ref().map(own)),
        create: tried.create.clone(),
        names,
        ..CollectionCheck::default()
    };
    for side in Side::BOTH {
        let notes = found[side].iter().flat_map(|schema| &schema.notes);
        check
            .notes
            .extend(notes.map(|note| format!("{side}: {note}")));
    }
    if !two_way {
        let cascading = found.target.as_ref().and_then(crate::report::cascading);
        check.notes.extend(cascading);
    }
    let partial = found
        .source
        .iter()
        .chain(&found.target)
        .any(|schema| schema.partial);
    let mut keyed = true;
    let mut design = |endpoint: &dyn Endpoint, other: &Schema, spec: &CollectionSpec| {
        let (schema, complete) = designed(endpoint, other, spec)?;
        keyed = complete;
        Some(schema)
    };
    let shapes = match (found.source, found.target) {
        (Some(source), None) => {
            let target = design(link.target.as_ref(), &source, spec);
            Sides::new(Some(source), target)
        }
        (None, Some(target)) if two_way => {
            let source = design(link.source.as_ref(), &target, &two_way::reversed(spec));
            Sides::new(source, Some(target))
        }
        (source, target) => Sides::new(source, target),
    };
    match (&shapes.source, &shapes.target) {
        (Some(source), Some(target)) => survey(&mut check, source, target, spec, two_way),
        (Some(only), None) => check.fields = alone_on(Side::Source, only),
        (None, Some(only)) => check.fields = alone_on(Side::Target, only),
        (None, None) => {}
    }
    if !keyed {
        // That there is no key keeps it from being created, and is said by that.
        check.problems.clear();
    }
    if let (Some(source), false) = (&shapes.source, two_way) {
        // The first of them has stopped the preparation; the others are wrong all the same.
        let (rules, wrong) = connect::rules_so_far(source, spec);
        check.notes.extend(sieve::outlook(source, &rules));
        let wrong = wrong.iter().map(|error| problem(error, &spec.source));
        check.problems.extend(wrong);
    }
    if let Some(error) = &tried.error {
        let stopped = problem(error, &spec.source);
        if check
            .all_problems()
            .all(|known| known.message != stopped.message)
        {
            check.problems.insert(0, stopped);
        }
    }
    Ok((check, partial))
}

/// Reads a shape. What is wrong with it has stopped the preparation too, and is said by that.
fn shape(endpoint: &mut dyn Endpoint, name: &str) -> Result<Option<Schema>> {
    match endpoint.schema(name) {
        Err(error) if lasts(&error) => Ok(None),
        other => other,
    }
}

/// Works out the types of a collection that is missing, and whether it can be created: without a key it cannot, and the
/// types would be these all the same.
fn designed(
    endpoint: &dyn Endpoint,
    other: &Schema,
    spec: &CollectionSpec,
) -> Option<(Schema, bool)> {
    let (rules, _) = connect::rules_so_far(other, spec);
    let design = |rules: &Rules| {
        let wanted = connect::wanted(other, rules, &spec.target).ok()?;
        Some(endpoint.design(&wanted).ok()?.schema)
    };
    if let Some(schema) = design(&rules) {
        return Some((schema, true));
    }
    let mut keyed = rules.clone();
    let kept = other.fields.iter().map(|field| &field.name);
    let kept = kept.filter(|name| !spec.rules.drop.contains(name));
    keyed.key = kept.cloned().collect();
    let mut schema = design(&keyed)?;
    schema.key.clear();
    for field in &mut schema.fields {
        field.nullable = true;
    }
    Some((schema, false))
}

fn survey(
    check: &mut CollectionCheck,
    source: &Schema,
    target: &Schema,
    spec: &CollectionSpec,
    two_way: bool,
) {
    let survey = if two_way {
        Survey::two_way(source, target, &spec.rules)
    } else {
        let (rules, _) = connect::rules_so_far(source, spec);
        Survey::one_way(source, target, &rules)
    };
    check.key = survey.key;
    check.problems = survey.problems.iter().map(Problem::from).collect();
    let held_at = |schema: &Schema, at: Option<usize>| at.map(|at| held(&schema.fields[at]));
    let fields = survey
        .fields
        .into_iter()
        .map(|one: SurveyedField| FieldCheck {
            held: Sides::new(held_at(source, one.source), held_at(target, one.target)),
            fit: one.fit,
            back: one.back,
            note: one.note,
            problem: one.problem.as_ref().map(Problem::from),
        });
    check.fields = fields.collect();
}

fn alone_on(side: Side, schema: &Schema) -> Vec<FieldCheck> {
    let fields = schema.fields.iter().map(|field| FieldCheck {
        held: Sides::at(side, Some(held(field)), None),
        ..FieldCheck::default()
    });
    fields.collect()
}

fn held(field: &Field) -> Held {
    Held {
        name: field.name.clone(),
        native: if field.inferred {
            format!("{} that reads as {}", field.native, field.ty)
        } else {
            field.native.clone()
        },
    }
}

fn own(schema: &Schema) -> Vec<String> {
    schema.key_names().into_iter().map(str::to_owned).collect()
}

/// An error as a problem of a collection, whose name need not be said again.
fn problem(error: &Error, collection: &str) -> Problem {
    let mut problem = Problem::from(error);
    let place = format!("collection={collection}: ");
    if let Some(rest) = problem.message.strip_prefix(&place) {
        problem.message = rest.to_owned();
    }
    problem
}
