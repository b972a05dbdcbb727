//! From what was said to a link: connects both sides and settles which collection meets which, under which key.
//!
//! Invariant: a key or a name that concerns nothing is an error, because it is a typing mistake that would otherwise
//! change what is compared. Whether fields and types fit is the engine's business.

mod chosen;

use crate::args::{FilterRule, KeyRule, is_bag};
use crate::registry::Address;
use crate::spec::{Named, Spec};
use crate::two_way;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::side::Sides;
use trueup_core::{Error, Result};
use trueup_engine::{CollectionSpec, Link, TwoWay};

/// How many names a hint lists.
const NAMES_SHOWN_MAX: usize = 10;

/// Connects both sides and makes the link.
///
/// # Errors
/// `Config` when what was said contradicts itself or names what is not there; what the endpoints say.
pub(crate) fn open(spec: &Spec, context: &Context) -> Result<Link> {
    let addresses = (
        Address::parse(&spec.source.address).map_err(|error| error.at("source"))?,
        Address::parse(&spec.target.address).map_err(|error| error.at("target"))?,
    );
    if addresses.0.standard && addresses.1.standard && !spec.mode.write {
        return Err(Error::config("source and target are both standard input")
            .hint("it can be read once; put one of them into a file"));
    }
    chosen::check(spec)?;
    let given = named(spec, &spec.collections, &addresses.0, &addresses.1)?;
    let keys = Keys::new(&spec.keys, as_all(spec, given.as_deref()))?;

    let source_keys = keys.of_source(given.as_deref());
    let target_keys = keys.of_target(given.as_deref());
    let mut source = addresses
        .0
        .connect("source", &source_keys, spec.source.context(context))?;
    let connect = if spec.mode.write {
        Address::connect_output
    } else {
        Address::connect
    };
    let target_context = spec.target.context(context);
    let mut target = connect(&addresses.1, "target", &target_keys, target_context)?;

    let mut given = given;
    if !spec.patterns.is_empty() {
        let both = spec.two_way.is_some().then_some(target.as_mut());
        let chosen = chosen::chosen(spec, source.as_mut(), both)?;
        given = named(spec, &chosen, &addresses.0, &addresses.1)?;
    }
    let mut collections = specs(given, &keys, &addresses.1, source.as_mut())?;
    filter(&mut collections, &spec.filters, source.as_mut())?;
    let two_way = match &spec.two_way {
        Some(stated) => Some(rules(stated, &collections, source.as_mut())?),
        None => None,
    };
    Ok(Link {
        source,
        target,
        places: Sides::new(addresses.0.lasting(), addresses.1.lasting()),
        collections,
        mode: spec.mode,
        guard: spec.guard,
        two_way,
        said: None,
    })
}

/// Connects the source alone, and settles which of its collections are meant; none means all.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_alone(
    spec: &Spec,
    context: &Context,
) -> Result<(Box<dyn Endpoint>, Vec<CollectionSpec>)> {
    let address = Address::parse(&spec.source.address)?;
    chosen::check(spec)?;
    let mut given = named(spec, &spec.collections, &address, &address)?;
    let keys = Keys::new(&spec.keys, as_all(spec, given.as_deref()))?;
    let mut endpoint = address.connect(
        "source",
        &keys.of_source(given.as_deref()),
        spec.source.context(context),
    )?;
    if !spec.patterns.is_empty() {
        let chosen = chosen::chosen(spec, endpoint.as_mut(), None)?;
        given = named(spec, &chosen, &address, &address)?;
    }
    let collections = specs(given, &keys, &address, endpoint.as_mut())?;
    Ok((endpoint, collections))
}

/// The rules of a link that goes both ways; the source is asked for its names only if they need them.
fn rules(
    stated: &two_way::Stated,
    collections: &[CollectionSpec],
    source: &mut dyn Endpoint,
) -> Result<TwoWay> {
    if collections.is_empty() && stated.needs_names() {
        let names = source.collections().map_err(|error| error.at("source"))?;
        return Ok(stated.settle(&names));
    }
    let names: Vec<String> = collections.iter().map(|one| one.source.clone()).collect();
    Ok(stated.settle(&names))
}

/// Gives the collections the filters that were given apart from them. The source is asked for its names if none is
/// known.
fn filter(
    collections: &mut Vec<CollectionSpec>,
    rules: &[FilterRule],
    source: &mut dyn Endpoint,
) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    if collections.is_empty() {
        let names = source.collections().map_err(|error| error.at("source"))?;
        collections.extend(names.into_iter().map(plain));
    }
    let known: Vec<String> = collections.iter().map(|one| one.source.clone()).collect();
    for rule in rules {
        let found = match (&rule.collection, collections.as_mut_slice()) {
            (None, [only]) => only,
            (None, _) => {
                return Err(
                    Error::config("--where does not say to which collection it belongs")
                        .hint(format!("write --where 'COLLECTION={}'", rule.text)),
                );
            }
            (Some(name), all) => {
                all.iter_mut()
                    .find(|one| one.source == *name)
                    .ok_or_else(|| {
                        Error::config(format!(
                            "--where names the collection {name}, which takes no part"
                        ))
                        .hint(list(&known))
                    })?
            }
        };
        if found.filter.is_some() {
            let name = &found.source;
            return Err(
                Error::config(format!("--where names the collection {name} twice"))
                    .hint("join the two with &&"),
            );
        }
        found.filter = Some(rule.text.clone());
    }
    Ok(())
}

/// A collection of which only the name is known.
fn plain(name: String) -> CollectionSpec {
    CollectionSpec {
        source: name.clone(),
        target: name,
        ..CollectionSpec::default()
    }
}

/// What was named, unless patterns choose more: then nobody knows yet how many collections there are.
fn as_all<'a>(spec: &Spec, named: Option<&'a [Settled]>) -> Option<&'a [Settled]> {
    named.filter(|_| spec.patterns.is_empty())
}

/// Settles the collections as far as they are named; `None` means that the source must be asked.
fn named(
    spec: &Spec,
    given: &[Named],
    source: &Address,
    target: &Address,
) -> Result<Option<Vec<Settled>>> {
    if given.is_empty() && spec.patterns.is_empty() {
        let Some(from) = source.collection.as_ref().or(source.only.as_ref()) else {
            return Ok(None);
        };
        let to = target.collection.as_ref().or(target.only.as_ref());
        let one = Named {
            source: from.clone(),
            ..Named::default()
        };
        return Ok(Some(vec![one.into_spec(to.unwrap_or(from).clone())]));
    }
    if source.collection.is_some() || target.collection.is_some() {
        return Err(
            Error::config("collections are named twice: after # and with --collections")
                .hint("write source=target in --collections where the names differ"),
        );
    }
    let mut settled: Vec<Settled> = Vec::new();
    for one in given {
        let usual = target.only.as_ref().filter(|_| given.len() == 1);
        let to = one.target.as_ref().or(usual).unwrap_or(&one.source);
        if settled.iter().any(|taken| taken.target == *to) {
            return Err(Error::config(format!(
                "--collections names the target's collection {to} twice"
            ))
            .hint("each collection of the target gets the records of one of the source's"));
        }
        settled.push(one.clone().into_spec(to.clone()));
    }
    Ok(Some(settled))
}

/// A collection whose names on both sides are known.
type Settled = CollectionSpec;

/// The keys that were given apart from the collections.
#[derive(Debug, Default)]
struct Keys {
    by_collection: Vec<(String, Vec<String>)>,
    /// The key of the only collection, as long as its name is not known.
    bare: Option<Vec<String>>,
}

impl Keys {
    fn new(rules: &[KeyRule], named: Option<&[Settled]>) -> Result<Self> {
        let mut keys = Self::default();
        for rule in rules {
            match (&rule.collection, named) {
                (Some(collection), _) => keys.add(collection, &rule.fields)?,
                (None, Some([only])) => keys.add(&only.source, &rule.fields)?,
                (None, Some(_)) => return Err(which_collection(&rule.fields)),
                (None, None) if keys.bare.is_some() => return Err(which_collection(&rule.fields)),
                (None, None) => keys.bare = Some(rule.fields.clone()),
            }
        }
        Ok(keys)
    }

    fn add(&mut self, collection: &str, fields: &[String]) -> Result<()> {
        if self.of(collection).is_some() {
            return Err(
                Error::config(format!("--key names the collection {collection} twice"))
                    .hint("give all fields of the key at once: --key collection=field,field"),
            );
        }
        self.by_collection
            .push((collection.to_owned(), fields.to_vec()));
        Ok(())
    }

    fn of(&self, collection: &str) -> Option<&Vec<String>> {
        let found = self
            .by_collection
            .iter()
            .find(|(name, _)| name == collection);
        found.map(|(_, fields)| fields)
    }

    /// The keys of the source's collections, wherever they were given.
    fn of_source(&self, named: Option<&[Settled]>) -> Vec<(String, Vec<String>)> {
        let with_key = named
            .unwrap_or_default()
            .iter()
            .filter(|one| !one.rules.key.is_empty());
        let own = with_key.map(|one| (one.source.clone(), one.rules.key.clone()));
        let apart = self.by_collection.iter();
        let apart = apart.filter(|(_, fields)| !is_bag(fields)).cloned();
        apart.chain(own).collect()
    }

    /// The same keys under the names that the target has for collections and fields.
    fn of_target(&self, named: Option<&[Settled]>) -> Vec<(String, Vec<String>)> {
        let named = named.unwrap_or_default();
        let translated = |(source, fields): (String, Vec<String>)| {
            let Some(one) = named.iter().find(|one| one.source == source) else {
                return (source, fields);
            };
            let renamed = |field: String| {
                let mut rename = one.rules.rename.iter();
                let found = rename.find(|(from, _)| *from == field);
                found.map_or(field, |(_, to)| to.clone())
            };
            (
                one.target.clone(),
                fields.into_iter().map(renamed).collect(),
            )
        };
        let keys = self.of_source(Some(named)).into_iter();
        keys.map(translated).collect()
    }
}

fn which_collection(fields: &[String]) -> Error {
    let fields = fields.join(",");
    Error::config(format!(
        "--key {fields} does not say to which collection it belongs"
    ))
    .hint(format!("write --key COLLECTION={fields}"))
}

/// Makes the engine's list. The source is asked only if a name or a key leaves something open.
fn specs(
    named: Option<Vec<Settled>>,
    keys: &Keys,
    target: &Address,
    source: &mut dyn Endpoint,
) -> Result<Vec<CollectionSpec>> {
    let only_target = target.collection.as_ref().or(target.only.as_ref());
    let settled = |name: &str| {
        let mut named = named.iter().flatten();
        named.any(|one| one.source == name)
    };
    let open = keys.by_collection.iter().find(|(name, _)| !settled(name));
    let ask = open.is_some() || keys.bare.is_some() || (named.is_none() && only_target.is_some());
    if !ask {
        return Ok(named
            .into_iter()
            .flatten()
            .map(|one| with_key(one, keys))
            .collect());
    }
    let known = source.collections().map_err(|error| error.at("source"))?;
    let stray = keys.by_collection.iter().map(|(name, _)| name);
    if let Some(stray) = stray
        .filter(|name| !settled(name))
        .find(|name| !known.contains(name))
    {
        return Err(Error::config(format!(
            "--key names the collection {stray}, which the source does not have"
        ))
        .hint(list(&known)));
    }
    if let Some(named) = named {
        let mut all: Vec<CollectionSpec> =
            named.into_iter().map(|one| with_key(one, keys)).collect();
        match (all.as_mut_slice(), &keys.bare) {
            ([only], Some(fields)) => set_key(only, fields),
            (_, Some(fields)) => return Err(which_collection(fields)),
            (_, None) => {}
        }
        return Ok(all);
    }
    match (known.as_slice(), only_target) {
        ([], _) => Err(Error::config("source: there is no collection to read").hint(list(&known))),
        ([one], to) => {
            let mut spec = with_key(plain(one.clone()), keys);
            spec.target.clone_from(to.unwrap_or(one));
            if let Some(fields) = &keys.bare {
                set_key(&mut spec, fields);
            }
            Ok(vec![spec])
        }
        (_, Some(to)) => Err(Error::config(format!(
            "the target is the one collection {to}, and the source has {}",
            known.len()
        ))
        .hint(format!("name one after #; {}", list(&known)))),
        (_, None) => match &keys.bare {
            Some(fields) => Err(which_collection(fields)),
            None => {
                let same = |name: String| with_key(plain(name), keys);
                Ok(known.into_iter().map(same).collect())
            }
        },
    }
}

/// Adds the key that was given apart from the collection.
fn with_key(mut one: CollectionSpec, keys: &Keys) -> CollectionSpec {
    if let Some(fields) = keys.of(&one.source) {
        set_key(&mut one, fields);
    }
    one
}

fn set_key(one: &mut CollectionSpec, fields: &[String]) {
    if is_bag(fields) {
        one.rules.bag = true;
    } else {
        one.rules.key = fields.to_vec();
    }
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        return "the source has no collections; check the address".to_owned();
    }
    let shown: Vec<&str> = known
        .iter()
        .take(NAMES_SHOWN_MAX)
        .map(String::as_str)
        .collect();
    let more = if known.len() > shown.len() {
        ", ..."
    } else {
        ""
    };
    format!("the source has: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
