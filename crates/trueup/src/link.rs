//! From arguments to a link: connects both sides and settles which collection meets which, under which key.
//!
//! Invariant: a key or a name that concerns nothing is an error, because it is a typing mistake that would otherwise
//! change what is compared. Whether fields and types fit is the engine's business.

use crate::args::{CollectionRule, KeyRule, Sides};
use crate::registry::Address;
use crate::two_way;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::guard::Guard;
use trueup_core::mapping::Rules;
use trueup_core::{Error, Result};
use trueup_engine::{CollectionSpec, Link, Mode};

/// How many names a hint lists.
const NAMES_SHOWN_MAX: usize = 10;

/// A collection's two names: source, target.
type Pair = (String, String);

/// Connects both sides and makes the link.
///
/// # Errors
/// `Config` when the arguments contradict each other or name what is not there; what the endpoints say.
pub(crate) fn open(
    sides: &Sides,
    two_way: Option<&two_way::Options>,
    mode: Mode,
    guard: Guard,
    context: &Context,
) -> Result<Link> {
    let addresses = (
        Address::parse(&sides.source).map_err(|error| error.at("source"))?,
        Address::parse(&sides.target).map_err(|error| error.at("target"))?,
    );
    let named = pairs(&sides.collections, &addresses.0, &addresses.1)?;
    let keys = Keys::new(&sides.keys, named.as_deref())?;

    let source_keys = keys.by_collection.clone();
    let target_keys: Vec<(String, Vec<String>)> = source_keys
        .iter()
        .map(|(source, fields)| (target_name(named.as_deref(), source), fields.clone()))
        .collect();
    let mut source = addresses
        .0
        .connect("source", &source_keys, context.clone())?;
    let target = addresses
        .1
        .connect("target", &target_keys, context.clone())?;

    let collections = specs(named, &keys, &addresses.1, source.as_mut())?;
    let two_way = match two_way {
        Some(options) => options.rules(&names(options, &collections, source.as_mut())?)?,
        None => None,
    };
    Ok(Link {
        source,
        target,
        collections,
        mode,
        guard,
        two_way,
    })
}

/// Connects one side alone, and settles which of its collections are meant; none means all.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_alone(
    address: &str,
    collections: &[CollectionRule],
    keys: &[KeyRule],
    context: &Context,
) -> Result<(Box<dyn Endpoint>, Vec<CollectionSpec>)> {
    let address = Address::parse(address)?;
    let named = pairs(collections, &address, &address)?;
    let keys = Keys::new(keys, named.as_deref())?;
    let mut endpoint = address.connect("source", &keys.by_collection, context.clone())?;
    let collections = specs(named, &keys, &address, endpoint.as_mut())?;
    Ok((endpoint, collections))
}

/// The source's names for the collections, as far as the rules need them.
fn names(
    options: &two_way::Options,
    collections: &[CollectionSpec],
    source: &mut dyn Endpoint,
) -> Result<Vec<String>> {
    if collections.is_empty() && options.needs_names() {
        return source.collections().map_err(|error| error.at("source"));
    }
    Ok(collections.iter().map(|one| one.source.clone()).collect())
}

/// Settles the collections as far as the arguments name them; `None` means that the source must be asked.
fn pairs(
    rules: &[CollectionRule],
    source: &Address,
    target: &Address,
) -> Result<Option<Vec<Pair>>> {
    if rules.is_empty() {
        let Some(from) = source.collection.as_ref().or(source.only.as_ref()) else {
            return Ok(None);
        };
        let to = target.collection.as_ref().or(target.only.as_ref());
        return Ok(Some(vec![(from.clone(), to.unwrap_or(from).clone())]));
    }
    if source.collection.is_some() || target.collection.is_some() {
        return Err(
            Error::config("collections are named twice: after # and with --collections")
                .hint("write source=target in --collections where the names differ"),
        );
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for rule in rules {
        let usual = target.only.as_ref().filter(|_| rules.len() == 1);
        let to = rule.target.as_ref().or(usual).unwrap_or(&rule.source);
        if pairs.iter().any(|(_, taken)| taken == to) {
            return Err(Error::config(format!(
                "--collections names the target's collection {to} twice"
            )));
        }
        pairs.push((rule.source.clone(), to.clone()));
    }
    Ok(Some(pairs))
}

/// The keys of the command line.
#[derive(Debug, Default)]
struct Keys {
    by_collection: Vec<(String, Vec<String>)>,
    /// The key of the only collection, as long as its name is not known.
    bare: Option<Vec<String>>,
}

impl Keys {
    fn new(rules: &[KeyRule], pairs: Option<&[Pair]>) -> Result<Self> {
        let mut keys = Self::default();
        for rule in rules {
            match (&rule.collection, pairs) {
                (Some(collection), _) => keys.add(collection, &rule.fields)?,
                (None, Some([(only, _)])) => keys.add(only, &rule.fields)?,
                (None, Some(_)) => return Err(which_collection(&rule.fields)),
                (None, None) if keys.bare.is_some() => return Err(which_collection(&rule.fields)),
                (None, None) => keys.bare = Some(rule.fields.clone()),
            }
        }
        Ok(keys)
    }

    fn add(&mut self, collection: &str, fields: &[String]) -> Result<()> {
        if self.of(collection).is_some() {
            return Err(Error::config(format!(
                "--key names the collection {collection} twice"
            )));
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
}

fn which_collection(fields: &[String]) -> Error {
    let fields = fields.join(",");
    Error::config(format!(
        "--key {fields} does not say to which collection it belongs"
    ))
    .hint(format!("write --key COLLECTION={fields}"))
}

fn target_name(pairs: Option<&[Pair]>, source: &str) -> String {
    let mut pairs = pairs.unwrap_or_default().iter();
    let found = pairs.find(|(name, _)| name == source);
    found.map_or(source, |(_, target)| target).to_owned()
}

/// Makes the engine's list. The source is asked only if a name or a key leaves something open.
fn specs(
    named: Option<Vec<Pair>>,
    keys: &Keys,
    target: &Address,
    source: &mut dyn Endpoint,
) -> Result<Vec<CollectionSpec>> {
    let only_target = target.collection.as_ref().or(target.only.as_ref());
    let settled = |name: &str| {
        let mut pairs = named.iter().flatten();
        pairs.any(|(source, _)| source == name)
    };
    let open = keys.by_collection.iter().find(|(name, _)| !settled(name));
    let ask = open.is_some() || keys.bare.is_some() || (named.is_none() && only_target.is_some());
    if !ask {
        return Ok(named
            .into_iter()
            .flatten()
            .map(|pair| spec(pair, keys))
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
    if let Some(pairs) = named {
        return Ok(pairs.into_iter().map(|pair| spec(pair, keys)).collect());
    }
    match (known.as_slice(), only_target) {
        ([], _) => Err(Error::config("source: there is no collection to read").hint(list(&known))),
        ([one], to) => {
            let mut spec = spec((one.clone(), to.unwrap_or(one).clone()), keys);
            if let Some(fields) = &keys.bare {
                spec.rules.key.clone_from(fields);
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
                let same = |name: String| spec((name.clone(), name), keys);
                Ok(known.into_iter().map(same).collect())
            }
        },
    }
}

fn spec((source, target): Pair, keys: &Keys) -> CollectionSpec {
    let key = keys.of(&source).cloned().unwrap_or_default();
    CollectionSpec {
        source,
        target,
        rules: Rules {
            key,
            ..Rules::default()
        },
        ..CollectionSpec::default()
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
