//! Settles what a two-way run is about: the sides in canonical order, the collections, the shared shapes, the rules.
//!
//! Inside, `source` is the endpoint whose identity sorts first, whatever the user calls it: base, seals and intents
//! belong to the unordered pair, so `sync A B` and `sync B A` must find the same ones. Only what people read or wrote
//! (names in errors, policies, reports) is turned the user's way, by [`Joint::user`] and [`Rules::mirrored`].

use super::asked::Asked;
use super::config::{ConflictRule, PolicySpec, TwoWay};
use super::fresh_key::FreshKey;
use super::kept::Merging;
use crate::connect;
use crate::link::{CollectionSpec, Link, World};
use crate::progress::Step;
use crate::scan::{Reading, Translation};
use trueup_core::endpoint::{Class, Design, Endpoint};
use trueup_core::mapping::{self, Shared};
use trueup_core::policy::{OnDelete, Policy, Rules, StampFrom};
use trueup_core::schema::Schema;
use trueup_core::side::{Side, Sides};
use trueup_core::types::Type;
use trueup_core::{Error, Kind, Result};

/// A collection of a two-way link, ready to be read and written on both sides.
#[derive(Debug)]
pub(super) struct Joint {
    /// As the user named it.
    pub(super) spec: CollectionSpec,
    pub(super) schema: Sides<Schema>,
    pub(super) shared: Shared,
    /// Set on the side that has no such collection yet.
    pub(super) create: Sides<Option<Design>>,
    pub(super) rules: Rules,
    /// The expressions among the rules.
    pub(super) asked: Asked,
    /// How a record that keep-both keeps beside the other gets a key of its own.
    pub(super) fresh: Option<FreshKey>,
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

    /// Returns what listeners call the collection: the name that the user's source has for it.
    pub(super) fn title(&self) -> &str {
        self.partition(self.user[Side::Source])
    }

    /// Returns the key's field whose largest value is wanted, because fresh keys continue from it.
    pub(super) fn counted(&self) -> Option<usize> {
        let fresh = self.fresh.as_ref().filter(|fresh| fresh.counts());
        fresh.map(FreshKey::field)
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
            title: self.title(),
            schema: &self.schema[side],
            translation: Translation::Shared(side, &self.shared),
            world,
            ascending: false,
            part: None,
            sieved: false,
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

pub(super) fn refuse_ends(link: &Link, user: &Sides<Side>) -> Result<()> {
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
                "use SQLite, PostgreSQL or MySQL/MariaDB, with the right to create the control tables; what is missing stands in the \
                 notes of a one-way run",
            ));
        }
    }
    Ok(())
}

/// The collections with their names in canonical order: those that were named, else all that either side has.
pub(super) fn specs(link: &mut Link, user: &Sides<Side>) -> Result<Vec<CollectionSpec>> {
    let turned = user.source == Side::Target;
    if !link.collections.is_empty() {
        let specs = link.collections.iter();
        return specs.map(|spec| in_order(spec, turned)).collect();
    }
    // The user's source first, as elsewhere; then what only the target has: neither side is the smaller one.
    let mut names: Vec<String> = Vec::new();
    for name in Side::BOTH {
        let found = endpoint(link, user[name]).collections();
        let found = found.map_err(|error| error.at(name.name()))?;
        if found.is_empty() && name == Side::Source {
            // A place that does not exist has no collections either; reading it says so. A missing target is made.
            let read = endpoint(link, user[name]).snapshot().map(drop);
            read.map_err(|error| error.at(name.name()))?;
        }
        for one in found {
            if !names.contains(&one) {
                names.push(one);
            }
        }
    }
    if names.is_empty() {
        let (one, other) = (
            endpoint(link, user.source).about().address,
            endpoint(link, user.target).about().address,
        );
        return Err(
            Error::config(format!("neither side has a collection: {one}, {other}")).hint(
                "check the addresses; a table on one side is enough, it is made on the other",
            ),
        );
    }
    Ok(names.into_iter().map(CollectionSpec::plain).collect())
}

pub(super) fn in_order(spec: &CollectionSpec, turned: bool) -> Result<CollectionSpec> {
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
        ..spec.clone()
    })
}

/// A rule for a collection that the link does not have is a typing mistake.
pub(super) fn refuse_strangers(two_way: &TwoWay, specs: &[CollectionSpec]) -> Result<()> {
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

/// An expression has no way back: nobody can say which fields of the source make the value that the target got.
fn refuse_expressions(spec: &CollectionSpec, user: &Sides<Side>) -> Result<()> {
    let collection = match user.source {
        Side::Source => &spec.source,
        Side::Target => &spec.target,
    };
    let refused = |what: &str, hint: &str| {
        let at = format!("collection={collection}");
        let error = Error::config(format!("{what}, and the link goes both ways"));
        Err(error.hint(hint).at(at))
    };
    if let Some((field, _)) = spec.computed.first() {
        return refused(
            &format!("field={field} is computed by an expression"),
            "what is computed has no way back; leave the field out, or run the link in one direction",
        );
    }
    if spec.filter.is_some() {
        return refused(
            "only a part of the records is to take part",
            "leave the filter out, or run the link in one direction: a record that leaves the part would have to leave both sides",
        );
    }
    Ok(())
}

pub(super) fn prepare_one(
    link: &mut Link,
    two_way: &TwoWay,
    spec: &CollectionSpec,
    user: &Sides<Side>,
) -> Result<Joint> {
    refuse_expressions(spec, user)?;
    let (schema, create) = shapes(link, spec, user)?;
    let shared = Shared::build(&schema.source, &schema.target, &spec.rules)?;
    let collection = Sides::by(|side| schema[user[side]].collection.clone());
    let place = format!("collection={}", collection.source);
    let types = held_types(&schema, &shared);
    let said = Said::new(two_way, &collection, shared.names(user[Side::Source]));
    let settled = said.and_then(|said| {
        let meanings = (0..shared.types().len()).map(|field| shared.meaning(field));
        let rules = said.rules()?.meaning(meanings.collect());
        let fields: Vec<_> = said.fields.iter().map(|(at, rule)| (*at, *rule)).collect();
        let asked = Asked::compile(said.whole, &fields, &said.names, &types, shared.key())?;
        let asked = asked.merging(Merging::of(&rules, &shared), &said.names);
        let fresh = match rules.policy() {
            Policy::KeepBoth(_) => Some(FreshKey::choose(
                &collection.source,
                &said.names,
                &types,
                shared.key(),
            )?),
            _ => None,
        };
        Ok((rules, asked, fresh))
    });
    let (rules, asked, fresh) = settled.map_err(|error| error.at(place))?;
    let turned = user.source == Side::Target;
    Ok(Joint {
        spec: in_order(spec, turned)?,
        schema,
        shared,
        create,
        rules: if turned { rules.mirrored() } else { rules },
        asked,
        fresh,
        user: *user,
    })
}

/// The shape of a collection on each side, and how one that is missing would be created after the other.
type Shapes = (Sides<Schema>, Sides<Option<Design>>);

/// Reads both shapes.
fn shapes(link: &mut Link, spec: &CollectionSpec, user: &Sides<Side>) -> Result<Shapes> {
    let names = Sides::new(spec.source.clone(), spec.target.clone());
    let mut found = Sides::new(None, None);
    for side in Side::BOTH {
        let schema = endpoint(link, side).schema(&names[side]);
        found[side] = schema.map_err(|error| error.at(user[side].name()))?;
    }
    for side in Side::BOTH {
        if found[side]
            .as_ref()
            .is_some_and(|schema: &Schema| schema.partial)
        {
            return Err(hidden(user[side], &names[side]));
        }
    }
    let mut create = Sides::new(None, None);
    let schemas = match (found.source, found.target) {
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
    Ok((schemas, create))
}

/// What is hidden from one side must not be taken for deleted there.
fn hidden(side: Side, collection: &str) -> Error {
    Error::new(
        Kind::Auth,
        format!("{side}: collection={collection}: records may be hidden from this user by row level security"),
    )
    .hint("a record that is hidden would be taken for deleted; use a user with BYPASSRLS, or the table's owner")
}

/// The types of the shared shape's fields, as far as the sides declare any.
fn held_types(schema: &Sides<Schema>, shared: &Shared) -> Vec<Type> {
    let types = shared.types().iter().enumerate();
    types
        .map(|(position, ty)| match ty {
            Type::Any => schema.source.fields[shared.fields(Side::Source)[position]].ty,
            ty => *ty,
        })
        .collect()
}

/// Works out how the collection is created on `side`, after the shape that the other side has.
fn design(
    link: &mut Link,
    side: Side,
    other: &Schema,
    spec: &CollectionSpec,
    user: &Sides<Side>,
) -> Result<Design> {
    let wanted = connect::wanted(other, &spec.rules, &spec.target)?;
    let design = endpoint(link, side).design(&wanted);
    design.map_err(|error| error.at(user[side].name()))
}

/// What the user said about one collection. Names are those of the user's source.
struct Said<'a> {
    names: Vec<&'a str>,
    whole: &'a PolicySpec,
    fields: Vec<(usize, &'a ConflictRule)>,
    on_delete: OnDelete,
    stamp: Option<StampFrom>,
}

impl<'a> Said<'a> {
    /// Gathers it: a rule for this collection before one for all, and of two equal ones the later.
    fn new(two_way: &'a TwoWay, collection: &Sides<String>, names: Vec<&'a str>) -> Result<Self> {
        let names_us = |name: &Option<String>| {
            let name = name.as_deref();
            name.map(|name| name == collection.source || name == collection.target)
        };
        let rules = || {
            two_way
                .rules
                .iter()
                .filter(|rule| names_us(&rule.collection) != Some(false))
        };
        let place_of = |field: &str| {
            let place = names.iter().position(|name| *name == field);
            place.ok_or_else(|| no_field(field, &names))
        };
        let whole = rules().filter(|rule| rule.field.is_none());
        let whole = whole.max_by_key(|rule| rule.collection.is_some());
        let mut fields: Vec<(usize, &ConflictRule)> = Vec::new();
        for rule in rules() {
            let Some(field) = &rule.field else { continue };
            let place = match place_of(field) {
                Ok(place) => place,
                Err(error) if rule.collection.is_some() => return Err(error),
                Err(_) => continue,
            };
            fields.retain(|(other, before)| {
                *other != place || before.collection.is_some() && rule.collection.is_none()
            });
            if !fields.iter().any(|(other, _)| *other == place) {
                fields.push((place, rule));
            }
        }
        let deletes = two_way
            .on_delete
            .iter()
            .filter(|(name, _)| names_us(name) != Some(false));
        let on_delete = deletes.max_by_key(|(name, _)| name.is_some());
        let stamps = two_way
            .stamps
            .iter()
            .filter(|(name, _)| names_us(name) != Some(false));
        let stamp = stamps.max_by_key(|(name, _)| name.is_some());
        let stamp = stamp.map(|(_, field)| place_of(field)).transpose()?;
        Ok(Self {
            whole: whole.map_or(&two_way.default, |rule| &rule.policy),
            fields,
            on_delete: on_delete.map(|(_, rule)| *rule).unwrap_or_default(),
            stamp: stamp.map(StampFrom::Field),
            names,
        })
    }

    fn rules(&self) -> Result<Rules> {
        let fields = self.fields.iter();
        let fields: Vec<_> = fields
            .map(|(field, rule)| (*field, policy(&rule.policy)))
            .collect();
        let one =
            |wanted: &dyn Fn(Policy) -> bool| fields.iter().find(|(_, policy)| wanted(*policy));
        if let Some((field, policy)) = one(&|policy| matches!(policy, Policy::KeepBoth(_))) {
            return Err(Error::config(format!(
                "field={}: the policy {policy} is for whole records",
                self.names[*field]
            ))
            .hint("give it to the collection"));
        }
        let newest =
            policy(self.whole) == Policy::Newest || one(&|p| p == Policy::Newest).is_some();
        if newest && self.stamp.is_none() {
            return Err(Error::config("the policy newest needs a stamp")
                .hint("name the field that says when a record was changed last: --stamp FIELD (in a file, stamp = \"FIELD\")"));
        }
        if let Some((field, _)) = one(&|policy| policy == Policy::Counter) {
            return Err(Error::config(format!(
                "field={}: the policy counter needs totals that this release does not keep",
                self.names[*field]
            ))
            .hint("use max or an expression, or decide by hand"));
        }
        Rules::new(
            self.names.len(),
            policy(self.whole),
            &fields,
            self.on_delete,
            self.stamp,
        )
    }
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
            let own = &child.schema[side];
            let name = &parent.schema[side].collection;
            let mut references = own.references.iter();
            own.collection != *name && references.any(|r| r.collection == *name)
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
