//! Links of a configuration file: which endpoints, which collections, which rules.
//!
//! Invariant: a rule that would have no effect, or no way back on a link that goes both ways, is a mistake. Whether
//! collections and fields exist is not known before the endpoints are connected.

use super::document::{Entry, Table, Text, TextsOr};
use super::mistake::Mistakes;
use super::written::expressions;
use super::{Endpoint, Link};
use crate::args::DeletesMax;
use crate::compare::Compare;
use crate::pattern::{self, Word};
use crate::spec::{Named, Spec};
use crate::two_way;
use clap::ValueEnum as _;
use trueup_core::guard::Guard;
use trueup_core::mapping::Rules;
use trueup_core::policy::OnDelete;
use trueup_core::types::Type;
use trueup_engine::{Comparison, ConflictRule, Limits, Mode, PolicySpec};

/// What only a link that goes both ways can be told; the same keys in its collections.
const BOTH_WAYS: [&str; 4] = ["on_conflict", "on_conflict_fields", "on_delete", "stamp"];
/// What only a link that goes one way can be told of its collections: there is no way back.
const ONE_WAY: [&str; 4] = ["where", "constants", "cast", "fields"];
/// Words for other times, which the file has a place for already.
const LATER: [&str; 3] = ["every", "cron", "on"];
/// The word for a link that follows its source's log.
const CONTINUOUS: &str = "continuous";

/// Reads one link; `None` when it cannot be made. `declared` are the names of all endpoints, those with mistakes included.
pub(super) fn read(
    name: &Text<'_>,
    table: &Table<'_>,
    declared: &[&str],
    endpoints: &[Endpoint],
    mistakes: &mut Mistakes,
) -> Option<Link> {
    let both = table
        .text("direction")
        .is_some_and(|one| one.text == "both");
    let continuous = is_continuous(table, both, mistakes);
    check_direction(table, both, mistakes);
    let source = end(table, "source", declared, mistakes);
    let target = end(table, "target", declared, mistakes);
    if let (Some(source), Some(target)) = (&source, &target)
        && source.text == target.text
    {
        let what = "source and target are the same endpoint";
        mistakes.add(target.span.clone(), what);
    }
    let mut stated = two_way::Stated::default();
    let rules = &mut stated.rules;
    if let Some(policy) = policy(table, mistakes) {
        rules.default = policy;
    }
    rules
        .on_delete
        .extend(on_delete(table).map(|rule| (None, rule)));
    let stamp = table.text("stamp");
    rules
        .stamps
        .extend(stamp.map(|field| (None, field.text.to_owned())));
    let collections = collections(table, both, &mut stated, mistakes);
    let (patterns, exclude) = patterns(table, mistakes);
    let batch_records = table.number("batch_records");
    let workers = table.number("workers");
    let find = |name: Text<'_>| endpoints.iter().find(|one| one.name == name.text);
    let (source, target) = (find(source?)?, find(target?)?);
    Some(Link {
        name: name.text.to_owned(),
        source: source.name.clone(),
        target: target.name.clone(),
        spec: Spec {
            source: source.place.clone(),
            target: target.place.clone(),
            collections,
            patterns,
            exclude,
            keys: Vec::new(),
            filters: Vec::new(),
            two_way: both.then_some(stated),
            mode: Mode {
                write: true,
                count_all: false,
                delete: table.flag("delete").unwrap_or(false),
                verify: table.flag("verify").unwrap_or(true),
                lift_guard: false,
                compare: compare(table),
            },
            guard: guard(table).unwrap_or_default(),
            batch_records: batch_records.unwrap_or(Limits::default().batch_records_max),
            workers,
        },
        expressions: expressions(table),
        continuous,
    })
}

/// The endpoint at one end of a link, if there is one of that name.
fn end<'a>(
    table: &Table<'a>,
    key: &str,
    declared: &[&str],
    mistakes: &mut Mistakes,
) -> Option<Text<'a>> {
    let name = table.text(key)?;
    if declared.contains(&name.text) {
        return Some(name);
    }
    let known = declared.iter().copied();
    mistakes.add_unknown(
        name.span.clone(),
        "there is no endpoint of this name",
        name.text,
        known,
    );
    None
}

/// Whether the link follows its source's log.
fn is_continuous(table: &Table<'_>, both: bool, mistakes: &mut Mistakes) -> bool {
    let Some(when) = table.text("when").filter(|when| when.text != "once") else {
        return false;
    };
    if when.text == CONTINUOUS {
        if both {
            let what = "a link that goes both ways does not follow a log yet";
            mistakes.add_with_help(
                when.span,
                what,
                "write \"once\", and let a timer run: trueup run",
            );
        }
        return true;
    }
    let first = when.text.split([' ', ':']).next().unwrap_or_default();
    if LATER.contains(&first) {
        mistakes.add_with_help(
            when.span,
            "a link runs once, when it is told to, or all the time; not yet now and then by itself",
            "write \"once\", and let a timer run: trueup run; or \"continuous\"",
        );
    } else {
        let help = "write \"once\" or \"continuous\"";
        mistakes.add_with_help(when.span, "this is no time to run", help);
    }
    false
}

fn compare(table: &Table<'_>) -> Comparison {
    let word = table.text("compare");
    let compare = word.and_then(|word| Compare::from_str(word.text, false).ok());
    compare.map_or(Comparison::Auto, Compare::way)
}

/// Finds rules for the other kind of link.
fn check_direction(table: &Table<'_>, both: bool, mistakes: &mut Mistakes) {
    let refused: &[&str] = if both {
        &["delete", "compare", "workers"]
    } else {
        &["on_conflict", "on_delete", "stamp"]
    };
    for key in refused {
        let Some(span) = table.place(key) else {
            continue;
        };
        match both {
            true => mistakes.add_with_help(span, both_anyway(key), "take it out"),
            false => mistakes.add_with_help(span, ONLY_BOTH, WRITE_BOTH),
        }
    }
}

/// What a link that goes both ways does without being told.
fn both_anyway(key: &str) -> &'static str {
    match key {
        "compare" => "a link that goes both ways reads every record anyway",
        "workers" => "a link that goes both ways writes one batch after the other",
        _ => "a link that goes both ways carries deletes over anyway",
    }
}

const ONLY_BOTH: &str = "only a link that goes both ways has conflicts";
const WRITE_BOTH: &str = "write direction = \"both\" in the link, or take it out";

/// The patterns among the collections, and what is taken from them.
fn patterns(table: &Table<'_>, mistakes: &mut Mistakes) -> (Vec<String>, Vec<String>) {
    let (mut patterns, mut taken) = (Vec::new(), Vec::new());
    let mut exclude: Vec<Text<'_>> = Vec::new();
    let mut names = 0;
    for entry in table.entries("collections") {
        let Entry::Text(text) = entry else {
            names += 1;
            continue;
        };
        match Word::read(text.text) {
            Word::Name(_) => names += 1,
            Word::Pattern(pattern) => patterns.push(pattern.to_owned()),
            Word::Exclusion("") => mistakes.add_with_help(
                text.span,
                "this excludes nothing",
                "write a name or a pattern after the !",
            ),
            Word::Exclusion(_) => exclude.push(text),
        }
    }
    if let (Some(first), true, 1..) = (exclude.first(), patterns.is_empty(), names) {
        mistakes.add_with_help(
            first.span.clone(),
            "the other collections are named in full: there is nothing to exclude",
            "an exclusion takes from what patterns choose: write a pattern too, or \"*\" for all",
        );
    }
    taken.extend(exclude.iter().map(|text| text.text[1..].to_owned()));
    if let Some(span) = table.place("exclude")
        && table.has("collections")
    {
        let what = "collections are named already";
        let help = "take one of collections and exclude out; in collections, \"!NAME\" excludes";
        mistakes.add_with_help(span, what, help);
    }
    taken.extend(texts(table, "exclude"));
    if names == 0 && patterns.is_empty() && !taken.is_empty() {
        patterns.push(pattern::ALL.to_owned());
    }
    (patterns, taken)
}

fn texts(table: &Table<'_>, key: &str) -> Vec<String> {
    let texts = table.texts(key).into_iter();
    texts.map(|text| text.text.to_owned()).collect()
}

fn names(table: &Table<'_>, key: &str) -> Vec<(String, String)> {
    let pairs = table.names(key).into_iter();
    pairs
        .map(|(name, value)| (name.text.to_owned(), value.text.to_owned()))
        .collect()
}

fn guard(table: &Table<'_>) -> Option<Guard> {
    table
        .table("guard")?
        .share("deletes_max")
        .map(DeletesMax::guard)
}

fn on_delete(table: &Table<'_>) -> Option<OnDelete> {
    table.text("on_delete")?.text.parse().ok()
}

fn policy(table: &Table<'_>, mistakes: &mut Mistakes) -> Option<PolicySpec> {
    policy_of(&table.text("on_conflict")?, mistakes)
}

fn policy_of(text: &Text<'_>, mistakes: &mut Mistakes) -> Option<PolicySpec> {
    let policy = two_way::policy(text.text);
    match &policy {
        Some(PolicySpec::Expression(expression)) if expression.is_empty() => {
            mistakes.add(text.span.clone(), "there is no expression after cel:");
        }
        Some(_) => {}
        None => {
            let known = two_way::policies().into_iter();
            let what = "there is no such rule for conflicts";
            mistakes.add_unknown(text.span.clone(), what, text.text, known);
        }
    }
    policy
}

/// Reads the collections; the rules they have for themselves are added to `stated`.
fn collections(
    table: &Table<'_>,
    both: bool,
    stated: &mut two_way::Stated,
    mistakes: &mut Mistakes,
) -> Vec<Named> {
    if table.has("collections") && table.entries("collections").is_empty() {
        let span = table.place("collections").unwrap_or_default();
        let help = "name some, or take the key out: then all collections of the source take part";
        mistakes.add_with_help(span, "there is no collection in the list", help);
    }
    let mut found: Vec<Named> = Vec::new();
    for entry in table.entries("collections") {
        let (named, span) = match &entry {
            Entry::Text(name) if Word::read(name.text) != Word::Name(name.text) => continue,
            Entry::Text(name) => {
                let named = Named {
                    source: name.text.to_owned(),
                    ..Named::default()
                };
                (named, name.span.clone())
            }
            Entry::Table(table) => {
                let Some(source) = table.text("source") else {
                    continue;
                };
                let named = named(source.text, table, both, stated, mistakes);
                let name = table.text("target").unwrap_or(source);
                (named, name.span)
            }
        };
        let target = |one: &Named| one.target.clone().unwrap_or(one.source.clone());
        if found.iter().any(|one| target(one) == target(&named)) {
            mistakes.add(span, "another collection is written to the same one");
        } else if both && found.iter().any(|one| one.source == named.source) {
            mistakes.add(span, "a link that goes both ways has each collection once");
        }
        found.push(named);
    }
    found
}

fn named(
    source: &str,
    table: &Table<'_>,
    both: bool,
    stated: &mut two_way::Stated,
    mistakes: &mut Mistakes,
) -> Named {
    for (keys, what, help) in [
        (
            &ONE_WAY,
            "this has no way back",
            "take it out, or write direction = \"forward\"",
        ),
        (&BOTH_WAYS, ONLY_BOTH, WRITE_BOTH),
    ] {
        if both == (keys == &ONE_WAY) {
            for span in keys.iter().filter_map(|key| table.place(key)) {
                mistakes.add_with_help(span, what, help);
            }
        }
    }
    conflicts(source, table, stated, mistakes);
    Named {
        source: source.to_owned(),
        target: table.text("target").map(|name| name.text.to_owned()),
        rules: rules(table, both, mistakes),
        computed: names(table, "fields"),
        filter: table.text("where").map(|text| text.text.to_owned()),
        guard: guard(table),
    }
}

/// The rules for conflicts that one collection has for itself.
fn conflicts(
    source: &str,
    table: &Table<'_>,
    stated: &mut two_way::Stated,
    mistakes: &mut Mistakes,
) {
    let collection = Some(source.to_owned());
    let rules = &mut stated.rules;
    if let Some(policy) = policy(table, mistakes) {
        rules.rules.push(ConflictRule {
            collection: collection.clone(),
            field: None,
            policy,
        });
    }
    for (field, text) in table.names("on_conflict_fields") {
        if let Some(policy) = policy_of(&text, mistakes) {
            rules.rules.push(ConflictRule {
                collection: collection.clone(),
                field: Some(field.text.to_owned()),
                policy,
            });
        }
    }
    if let Some(rule) = on_delete(table) {
        rules.on_delete.push((collection.clone(), rule));
    }
    if let Some(field) = table.text("stamp") {
        rules.stamps.push((collection, field.text.to_owned()));
    }
}

fn rules(table: &Table<'_>, both: bool, mistakes: &mut Mistakes) -> Rules {
    let mut rules = Rules {
        rename: names(table, "rename"),
        constants: names(table, "constants"),
        drop: texts(table, "drop"),
        lossy: texts(table, "lossy"),
        ..Rules::default()
    };
    match table.texts_or("key") {
        None => {}
        Some(TextsOr::Word) => {
            rules.bag = true;
            if both {
                let span = table.place("key").unwrap_or_default();
                let what = "a link that goes both ways needs fields that identify a record";
                mistakes.add(span, what);
            }
        }
        Some(TextsOr::Texts(fields)) => {
            if fields.is_empty() {
                let span = table.place("key").unwrap_or_default();
                mistakes.add_with_help(
                    span,
                    "a key has at least one field",
                    "take it out, or write \"all\"",
                );
            }
            rules.key = fields.iter().map(|field| field.text.to_owned()).collect();
        }
    }
    for (field, text) in table.names("cast") {
        match text.text.parse::<Type>() {
            Ok(ty) => rules.cast.push((field.text.to_owned(), ty)),
            Err(error) => {
                let help = error.advice().unwrap_or_default().to_owned();
                mistakes.add_with_help(text.span, "there is no such type", help);
            }
        }
    }
    check_targets(table, mistakes);
    rules
}

/// Finds target fields that get their value in two ways.
fn check_targets(table: &Table<'_>, mistakes: &mut Mistakes) {
    let mut given: Vec<&str> = Vec::new();
    let renamed = table.names("rename").into_iter().map(|(_, to)| to);
    let named = ["constants", "fields"].map(|key| table.names(key));
    let named = named.into_iter().flatten().map(|(field, _)| field);
    for field in renamed.chain(named) {
        if given.contains(&field.text) {
            mistakes.add(field.span, "this field gets a value already");
        }
        given.push(field.text);
    }
    let renamed = table.names("rename");
    for field in table.texts("drop") {
        if renamed.iter().any(|(from, _)| from.text == field.text) {
            mistakes.add(field.span, "this field is renamed, and dropped");
        }
    }
}
