//! How the parked records of a link are tried again: the command, as it can be typed from any folder.
//!
//! It reads the state, and of configuration files the names and the state. Nothing is connected.

use crate::args::{Choice, StateFile, quoted};
use crate::known;
use crate::run::lasting;
use std::path::Path;
use trueup_core::Result;
use trueup_core::park::{NULL_KEY, Parked};
use trueup_engine::state::{ParkedRecord, Said, Store};

/// Stands in the name of a link that goes both ways.
const BOTH_WAYS: &str = " <-> ";
/// Stands in the name of a link that goes one way.
const ONE_WAY: &str = " -> ";

/// How parked records are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// By this command.
    Command(String),
    /// By this command, with options that the state does not know: an older version ran the link.
    WithOptions(String),
    /// By each run of the link, and by nothing else.
    NextRun,
}

/// Spells the options that say which collections take part and how, as [`Again::Command`] ends with them.
pub(crate) fn options(choice: &Choice) -> String {
    let mut words = Vec::new();
    let collections = choice.collections.iter().map(|rule| match &rule.target {
        Some(target) => format!("{}={target}", rule.source),
        None => rule.source.clone(),
    });
    let collections = collections.collect::<Vec<_>>().join(",");
    if !collections.is_empty() {
        words.push(format!("--collections {}", quoted(&collections)));
    }
    let of = |collection: &Option<String>, rest: &str| match collection {
        Some(collection) => quoted(&format!("{collection}={rest}")),
        None => quoted(rest),
    };
    for rule in &choice.keys {
        let rule = of(&rule.collection, &rule.fields.join(","));
        words.push(format!("--key {rule}"));
    }
    for rule in &choice.filters {
        // What follows the sign may begin with a minus.
        words.push(format!("--where={}", of(&rule.collection, &rule.text)));
    }
    words.join(" ")
}

/// How each of these records is tried again, which a state file has.
///
/// # Errors
/// What the store says.
pub(super) fn again(
    records: &[ParkedRecord],
    store: &Store,
    state: &StateFile,
) -> Result<Vec<Again>> {
    let state = state.file()?;
    let state = state.as_deref();
    // Mostly all are of one link: its file is read once.
    let mut asked: Vec<(&str, &str, &str, bool)> = Vec::new();
    let mut means = |file, name, link| {
        let known = asked
            .iter()
            .find(|one| (one.0, one.1, one.2) == (file, name, link));
        known.map(|known| known.3).unwrap_or_else(|| {
            let means = known::means(Path::new(file), name, link, store, state);
            asked.push((file, name, link, means));
            means
        })
    };
    Ok(records
        .iter()
        .map(|record| of(record, state, &mut means))
        .collect())
}

/// How one is; `means` tells whether a file still means a link by a name.
fn of<'r>(
    record: &'r ParkedRecord,
    state: Option<&Path>,
    means: &mut dyn FnMut(&'r str, &'r str, &'r str) -> bool,
) -> Again {
    // A record without a key of its own is one of a bag, of which no single record can be chosen.
    if record.link_name.contains(BOTH_WAYS) || is_of_its_key(&record.parked) {
        return Again::NextRun;
    }
    if let Some(Said::InFile { file, name }) = &record.said
        && means(file, name, &record.link)
    {
        let words = format!("--config {} {}", quoted(file), quoted(name));
        return Again::Command(format!("trueup parked retry {words}"));
    }
    let ends = record.link_name.split_once(ONE_WAY);
    let Some((source, target)) = ends.filter(|(_, target)| !target.contains(ONE_WAY)) else {
        return Again::NextRun;
    };
    let mut command = format!("trueup parked retry {} {}", quoted(source), quoted(target));
    let options = match &record.said {
        Some(Said::Options(options)) => Some(options),
        Some(Said::InFile { .. }) | None => None,
    };
    if let Some(options) = options.filter(|options| !options.is_empty()) {
        command.push(' ');
        command.push_str(options);
    }
    if let Some(state) = state {
        let path = lasting(state).unwrap_or_else(|| state.display().to_string());
        command.push_str(&format!(" --state {}", quoted(&path)));
    }
    match options {
        Some(_) => Again::Command(command),
        None => Again::WithOptions(command),
    }
}

/// Tells whether it is the key that does not fit, or is not there: mended, the record has another key, and whoever tries
/// the one that is parked does not find it.
fn is_of_its_key(parked: &Parked) -> bool {
    let Some(key) = &parked.key_text else {
        return true;
    };
    // Names of fields may have blanks in them: better once too often.
    let named = |field: &String| {
        key.starts_with(&format!("{field}=")) || key.contains(&format!(" {field}="))
    };
    parked.reason == NULL_KEY || parked.field.as_ref().is_some_and(named)
}
