//! Settles what a two-way run is about: the sides in canonical order, the collections, the shared shapes, the rules.
//!
//! Inside, `source` is the endpoint whose identity sorts first, whatever the user calls it: base, seals and intents
//! belong to the unordered pair, so `sync A B` and `sync B A` must find the same ones. Only what people read or wrote
//! (names in errors, policies, reports) is turned the user's way, by [`Joint::user`] and [`Rules::mirrored`].

use super::config::{ConflictRule, PolicySpec, TwoWay};
use crate::connect;
use crate::link::{CollectionSpec, Link, World};
use crate::progress::Step;
use crate::scan::{Reading, Translation};
use trueup_core::endpoint::{Class, Design, Endpoint};
use trueup_core::mapping::{self, Shared};
use trueup_core::policy::{OnDelete, Policy, Rules, StampFrom};
use trueup_core::schema::Schema;
use trueup_core::side::{Side, Sides};
use trueup_core::{Error, Result};

/// A collection of a two-way link, ready to be read and written on both sides.
#[derive(Debug)]
pub(super) struct Joint {
    pub(super) schema: Sides<Schema>,
    pub(super) shared: Shared,
    /// Set on the side that has no such collection yet.
    pub(super) create: Sides<Option<Design>>,
    pub(super) rules: Rules,
    /// What the user calls each side.
    pub(super) user: Sides<Side>,
}

impl Joint {
    /// Returns the collection's names.
    pub(super) fn names(&self) -> Sides<String> {
        self.schema.as_ref().map(|schema| schema.collection.clone())
    }

    /// Returns the name of the partition whose markers the collection's batches write on `side`.
    pub(super) fn partition(&self, side: Side) -> &str {
        &self.schema[side].collection
    }

    /// Returns the key's field whose largest value is wanted, because fresh keys continue from it.
    pub(super) fn counted(&self) -> Option<usize> {
        None
    }

    /// Returns one side as something to be read.
    pub(super) fn reading<'a>(
        &'a self,
        side: Side,
        step: Step,
        world: &'a World<'a>,
    ) -> Reading<'a> {
        Reading {
            name: self.user[side].name(),
            schema: &self.schema[side],
            translation: Translation::Shared(side, &self.shared),
            world,
            step: Some(step),
        }
    }
}

/// Tells whether the link's sides have to change places to be in canonical order.
pub(super) fn is_turned(link: &Link) -> bool {
    link.source.about().identity > link.target.about().identity
}

/// Prepares the collections of a link whose sides are in canonical order already; `turned` says that the user named
/// them the other way round.
pub(super) fn prepare(link: &mut Link, two_way: &TwoWay, turned: bool) -> Result<Vec<Joint>> {
    let user = Sides::by(|side| if turned { side.other() } else { side });
    refuse_ends(link, &user)?;
    let specs = specs(link, &user)?;
    refuse_strangers(two_way, &specs)?;
    let mut joints = Vec::new();
    for spec in &specs {
        joints.push(prepare_one(link, two_way, spec, &user)?);
    }
    Ok(parents_first(joints))
}

fn endpoint(link: &mut Link, side: Side) -> &mut dyn Endpoint {
    match side {
        Side::Source => link.source.as_mut(),
        Side::Target => link.target.as_mut(),
    }
}

fn refuse_ends(link: &Link, user: &Sides<Side>) -> Result<()> {
    let about = Sides::new(link.source.about(), link.target.about());
    if about.source.identity == about.target.identity {
        return Err(Error::config("source and target are the same endpoint")
            .hint("name two different places"));
    }
    for side in Side::BOTH {
        let (name, about) = (user[side], &about[side]);
        let able = about.capabilities;
        if about.class != Class::Transactional || !able.write || !able.marker || !able.check {
            return Err(Error::config(format!(
                "{name}: {} is of class {}; a link that goes both ways needs class T on both sides",
                about.address,
                about.class.letter()
            ))
            .hint(
                "use SQLite or PostgreSQL, with the right to create the control tables; what is missing stands in the \
                 notes of a one-way run",
            ));
        }
    }
    Ok(())
}

/// The collections with their names in canonical order: those that were named, else all that the user's source has.
fn specs(link: &mut Link, user: &Sides<Side>) -> Result<Vec<CollectionSpec>> {
    let turned = user.source == Side::Target;
    if !link.collections.is_empty() {
        let specs = link.collections.iter();
        return specs.map(|spec| in_order(spec, turned)).collect();
    }
    let side = user[Side::Source];
    let names = endpoint(link, side).collections();
    let names = names.map_err(|error| error.at("source"))?;
    if names.is_empty() {
        let other = endpoint(link, side.other()).collections();
        let hint = match other.map_err(|error| error.at("target"))?.is_empty() {
            true => "check the address",
            false => {
                "the target has some: name the sides the other way round, or name one with --collections"
            }
        };
        return Err(Error::config("source: there is no collection to read").hint(hint));
    }
    let plain = |name: String| CollectionSpec {
        source: name.clone(),
        target: name,
        ..CollectionSpec::default()
    };
    Ok(names.into_iter().map(plain).collect())
}

fn in_order(spec: &CollectionSpec, turned: bool) -> Result<CollectionSpec> {
    let rules = &spec.rules;
    if !turned {
        return Ok(spec.clone());
    }
    let renamed = |name: &String| {
        let rule = rules.rename.iter().find(|(from, _)| from == name);
        rule.map_or_else(|| name.clone(), |(_, to)| to.clone())
    };
    Ok(CollectionSpec {
        source: spec.target.clone(),
        target: spec.source.clone(),
        rules: mapping::Rules {
            key: rules.key.iter().map(renamed).collect(),
            rename: rules
                .rename
                .iter()
                .map(|(from, to)| (to.clone(), from.clone()))
                .collect(),
            ..rules.clone()
        },
    })
}

/// A rule for a collection that the link does not have is a typing mistake.
fn refuse_strangers(two_way: &TwoWay, specs: &[CollectionSpec]) -> Result<()> {
    let rules = two_way.rules.iter().map(|rule| &rule.collection);
    let deletes = two_way.on_delete.iter().map(|(collection, _)| collection);
    let stamps = two_way.stamps.iter().map(|(collection, _)| collection);
    let stranger = rules.chain(deletes).chain(stamps).flatten().find(|name| {
        !specs
            .iter()
            .any(|s| s.source == **name || s.target == **name)
    });
    match stranger {
        None => Ok(()),
        Some(name) => {
            let known: Vec<&str> = specs.iter().map(|spec| spec.source.as_str()).collect();
            Err(Error::config(format!(
                "a rule is for collection={name}, which the link does not have"
            ))
            .hint(format!("it has: {}", known.join(", "))))
        }
    }
}

fn prepare_one(
    link: &mut Link,
    two_way: &TwoWay,
    spec: &CollectionSpec,
    user: &Sides<Side>,
) -> Result<Joint> {
    let names = Sides::new(spec.source.clone(), spec.target.clone());
    let mut found = Sides::new(None, None);
    for side in Side::BOTH {
        let schema = endpoint(link, side).schema(&names[side]);
        found[side] = schema.map_err(|error| error.at(user[side].name()))?;
    }
    let mut create = Sides::new(None, None);
    let schema = match (found.source, found.target) {
        (Some(source), Some(target)) => Sides::new(source, target),
        (Some(source), None) => {
            let design = design(link, Side::Target, &source, spec, user)?;
            let target = design.schema.clone();
            create.target = Some(design);
            Sides::new(source, target)
        }
        (None, Some(target)) => {
            let back = in_order(spec, true)?;
            let design = design(link, Side::Source, &target, &back, user)?;
            let source = design.schema.clone();
            create.source = Some(design);
            Sides::new(source, target)
        }
        (None, None) => {
            let name = &names[user[Side::Source]];
            return Err(connect::no_such_collection(
                endpoint(link, user[Side::Source]),
                name,
            ));
        }
    };
    let shared = Shared::build(&schema.source, &schema.target, &spec.rules)?;
    let names = |side: Side| shared.names(user[side]);
    let called = [names(Side::Source), names(Side::Target)];
    let collection = Sides::by(|side| schema[user[side]].collection.clone());
    let rules = rules(two_way, &collection, &called[0])
        .map_err(|error| error.at(format!("collection={}", collection.source)))?;
    let rules = if user.source == Side::Target {
        rules.mirrored()
    } else {
        rules
    };
    Ok(Joint {
        schema,
        shared,
        create,
        rules,
        user: *user,
    })
}

/// Works out how the collection is created on `side`, after the shape that the other side has.
fn design(
    link: &mut Link,
    side: Side,
    other: &Schema,
    spec: &CollectionSpec,
    user: &Sides<Side>,
) -> Result<Design> {
    let wanted = connect::wanted(other, spec)?;
    let design = endpoint(link, side).design(&wanted);
    design.map_err(|error| error.at(user[side].name()))
}

/// Gathers what the user said about one collection; `fields` are the user's source's names in the shared order.
fn rules(two_way: &TwoWay, collection: &Sides<String>, fields: &[&str]) -> Result<Rules> {
    let ours = |name: &Option<String>| {
        let name = name.as_ref();
        name.is_none_or(|name| *name == collection.source || *name == collection.target)
    };
    let narrowest = |of: &dyn Fn(&ConflictRule) -> bool| {
        let fitting = two_way
            .rules
            .iter()
            .filter(|rule| ours(&rule.collection) && of(rule));
        // Of two equal ones the later: max_by_key returns the last of equals.
        fitting.max_by_key(|rule| rule.collection.is_some())
    };
    let whole =
        narrowest(&|rule| rule.field.is_none()).map_or(&two_way.default, |rule| &rule.policy);
    let mut of_fields = Vec::new();
    for (index, name) in fields.iter().enumerate() {
        let rule = narrowest(&|rule| rule.field.as_deref() == Some(*name));
        if let Some(rule) = rule {
            of_fields.push((index, policy(&rule.policy)));
        }
    }
    let mut named = two_way
        .rules
        .iter()
        .filter(|rule| rule.collection.is_some() && ours(&rule.collection));
    if let Some(field) =
        named.find_map(|rule| rule.field.as_deref().filter(|name| !fields.contains(name)))
    {
        return Err(no_field(field, fields));
    }
    let narrowest = |rules: &[(Option<String>, OnDelete)]| {
        let fitting = rules.iter().filter(|(name, _)| ours(name));
        fitting
            .max_by_key(|(name, _)| name.is_some())
            .map(|(_, rule)| *rule)
    };
    let on_delete = narrowest(&two_way.on_delete).unwrap_or_default();
    let stamps = two_way.stamps.iter().filter(|(name, _)| ours(name));
    let stamp = match stamps.max_by_key(|(name, _)| name.is_some()) {
        None => None,
        Some((_, field)) => Some(StampFrom::Field(
            fields
                .iter()
                .position(|name| name == field)
                .ok_or_else(|| no_field(field, fields))?,
        )),
    };
    Rules::new(fields.len(), policy(whole), &of_fields, on_delete, stamp)
}

fn policy(spec: &PolicySpec) -> Policy {
    match spec {
        PolicySpec::Named(policy) => *policy,
        PolicySpec::Expression(_) => Policy::Expression,
    }
}

fn no_field(field: &str, fields: &[&str]) -> Error {
    Error::config(format!("a rule is for field={field}, which does not exist"))
        .hint(format!("the fields are: {}", fields.join(", ")))
}

/// Orders collections so that a parent comes before its children, on both sides. Where references form a circle the
/// given order stays.
fn parents_first(joints: Vec<Joint>) -> Vec<Joint> {
    let refers = |child: &Joint, parent: &Joint| {
        Side::BOTH.into_iter().any(|side| {
            let own = &child.schema[side].collection;
            let name = &parent.schema[side].collection;
            own != name
                && child.schema[side]
                    .references
                    .iter()
                    .any(|r| r.collection == *name)
        })
    };
    let mut waiting = joints;
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting
            .iter()
            .position(|child| !waiting.iter().any(|parent| refers(child, parent)));
        ordered.push(waiting.remove(free.unwrap_or(0)));
    }
    ordered
}
