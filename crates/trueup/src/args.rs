//! The arguments: what may be said, and how the small languages in it (keys, collections, limits) are read.
//!
//! Invariant: an option that is accepted has an effect. Each command's own options stand beside the command; what
//! `sync` and `diff` share stands here.

mod state_file;

pub(crate) use state_file::{StateFile, name_state};

use crate::pattern::{self, Word};
use crate::spec::{Named, Place, Spec};
use crate::terminal;
use crate::{check, completions, config, conflicts, diff, explain, forget, history, init, man};
use crate::{output, parked, registry, run, status, sync, two_way, verify};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::str::FromStr;
use trueup_core::guard::Guard;
use trueup_core::{Error, Kind, Result};
use trueup_engine::Mode;

/// What `--workers` may be at most.
pub(crate) const WORKERS_MAX: usize = 64;

/// What `--batch-records` may be at most.
pub(crate) const BATCH_RECORDS_MAX: usize = 100_000;

const EXAMPLES: &str = "\
Examples:
  trueup sync csv:shop sqlite:shop.db --key customers=id --key orders=id
  trueup sync sqlite:shop.db postgres://app@db1/shop --dry-run
  trueup sync sqlite:shop.db postgres://app@db1/shop --collections orders --delete
  trueup check sqlite:shop.db postgres://app@db1/shop
  trueup diff sqlite:shop.db#orders postgres://app@db1/shop#orders --json
  trueup sync sqlite:shop.db sqlite:till.db --two-way --on-conflict newest --stamp changed
  trueup conflicts list --open
  trueup history

Exit codes:
  0 equal   1 differences, open conflicts or parked records remain   2 wrong usage or configuration
  3 an endpoint failed, or the run was interrupted   4 a guard stopped the plan
  5 verification failed, or a defect in trueup";

/// Makes two places hold the same data, and proves it.
#[derive(Debug, Parser)]
#[command(name = "trueup", version, after_help = EXAMPLES, styles = output::HELP)]
struct Cli {
    #[command(flatten)]
    terminal: terminal::Options,

    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Makes the target agree with the source, then verifies
    Sync(sync::Args),
    /// Runs the links of a configuration file
    Run(run::Args),
    /// Proves that the sides of configured links agree; writes nothing
    Verify(verify::Args),
    /// Compares; writes nothing
    Diff(diff::Args),
    /// Says what a sync would need and promise; writes nothing
    Check(check::Args),
    /// Writes a configuration file for two places
    Init(init::Args),
    /// Lists past runs and their certificates
    History(history::Args),
    /// Says how every link stands, and what needs a person
    Status(status::Args),
    /// Lists, shows and resolves the conflicts of two-way links
    Conflicts(conflicts::Args),
    /// Lists, shows and tries again records that were put aside
    Parked(parked::Args),
    /// Forgets a link that is no longer used, or was mistyped
    Forget(forget::Args),
    /// Explains a kind of error: what it means, and what to do
    Explain(explain::Args),
    /// Prints the script that lets a shell complete commands and options
    Completions(completions::Args),
    /// Prints the manual page, or writes one for every command
    Man(man::Args),
    /// Prints the JSON Schema of configuration files, for editors
    Schema,
}

impl Command {
    /// Tells whether the result is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Sync(args) => args.json,
            Self::Run(args) => args.json,
            Self::Verify(args) => args.json,
            Self::Diff(args) => args.json,
            Self::Check(args) => args.json,
            Self::History(args) => args.json,
            Self::Status(args) => args.json,
            Self::Conflicts(args) => args.json(),
            Self::Parked(args) => args.json(),
            Self::Init(_) | Self::Forget(_) | Self::Schema => false,
            Self::Explain(_) | Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

/// What became of the arguments.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// They name a command.
    Command(Box<Command>),
    /// The user wants to read this: help, or the version.
    Help(String),
    /// They do not read, and this says why.
    Wrong {
        /// For people.
        complaint: String,
        /// Whether JSON was asked for, as far as one can tell.
        json: bool,
    },
}

/// Returns the definition of the command line, for what is made from it.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

/// Reads the arguments, the program's name first, and how the terminal is to be used.
pub(crate) fn parse(arguments: &[OsString]) -> (terminal::Options, Parsed) {
    let mut told = match Cli::try_parse_from(arguments) {
        Ok(cli) => return (cli.terminal, Parsed::Command(Box::new(cli.command))),
        Err(told) => told,
    };
    suggest(&mut told, arguments);
    let parsed = if told.use_stderr() {
        Parsed::Wrong {
            complaint: without_passwords(told.render().to_string(), arguments),
            json: arguments.iter().any(|argument| argument == "--json"),
        }
    } else {
        Parsed::Help(told.render().ansi().to_string())
    };
    (terminal::Options::guess(arguments), parsed)
}

/// Names the option that was most likely meant, where clap finds none: it counts letters that stand in their places, and
/// in a short word none may.
fn suggest(told: &mut clap::Error, arguments: &[OsString]) {
    let Some(ContextValue::String(wrong)) = told.get(ContextKind::InvalidArg).cloned() else {
        return;
    };
    if told.kind() != ErrorKind::UnknownArgument || told.get(ContextKind::SuggestedArg).is_some() {
        return;
    }
    // It advises to pass it as a value, which no command has a use for.
    told.remove(ContextKind::Suggested);
    let mut command = definition();
    command.build();
    let mut command = &command;
    for word in arguments.iter().skip(1).filter_map(|word| word.to_str()) {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let names = command.get_arguments().filter_map(clap::Arg::get_long);
    let names: Vec<&str> = names.collect();
    let Some(near) = wrong
        .strip_prefix("--")
        .and_then(|wrong| config::nearest(wrong, &names))
    else {
        return;
    };
    let near = format!("--{near}");
    told.insert(ContextKind::SuggestedArg, ContextValue::String(near));
}

/// An interrupted run goes on by the same command: says it, word for word.
pub(crate) fn how_to_go_on(error: Error, arguments: &[OsString]) -> Error {
    if error.kind() != Kind::Interrupted {
        return error;
    }
    match again(arguments) {
        Some(line) => error.hint(format!("nothing is lost; this goes on: {line}")),
        None => error,
    }
}

/// Returns the command line as it can be typed again; `None` when it holds a password or is not text.
fn again(arguments: &[OsString]) -> Option<String> {
    let words: Option<Vec<&str>> = arguments.iter().skip(1).map(|word| word.to_str()).collect();
    let line = std::iter::once("trueup".to_owned())
        .chain(words?.into_iter().map(quoted))
        .collect::<Vec<_>>()
        .join(" ");
    (without_passwords(line.clone(), arguments) == line).then_some(line)
}

/// Quotes a word for a shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |ch: char| ch.is_ascii_alphanumeric() || "-_./:=,@%+#".contains(ch);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('#') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Takes the passwords of all addresses out of a complaint, which may quote any argument.
fn without_passwords(mut complaint: String, arguments: &[OsString]) -> String {
    for argument in arguments {
        let argument = argument.to_string_lossy();
        let user = argument
            .split_once("://")
            .and_then(|(_, rest)| rest.rsplit_once('@'));
        let in_user = user.and_then(|(user, _)| user.split_once(':'));
        let option = argument.split_once("password=");
        let in_option = option.and_then(|(_, rest)| rest.split('&').next());
        for secret in [in_user.map(|(_, password)| password), in_option]
            .into_iter()
            .flatten()
        {
            if !secret.is_empty() {
                complaint = complaint.replace(secret, "***");
            }
        }
    }
    complaint
}

/// Says what a place is for, and what addresses look like.
pub(crate) fn places(what: &str) -> String {
    format!("{what}: {}", registry::examples())
}

/// The two sides, and which collections of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Sides {
    /// Where the records come from.
    #[arg(help = places("Where the records come from; written only by `sync --two-way`"))]
    pub(crate) source: String,

    /// Where they go
    pub(crate) target: String,

    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// Which collections of two sides take part, by which keys, and which of their records.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Choice {
    /// Only these collections, otherwise all that the source has; `a=b` where the target calls it `b`; `a*`: those that match; `!a*`: not those
    #[arg(long, value_name = "a,b", value_delimiter = ',')]
    pub(crate) collections: Vec<CollectionRule>,

    /// Collection `c` has the key `f,g`; may be repeated; `f,g` suffices for a single collection; `all`: no key, equal
    /// records count
    #[arg(long = "key", value_name = "c=f,g")]
    pub(crate) keys: Vec<KeyRule>,

    /// Of collection `c`, only the source's records for which this CEL expression holds; may be repeated; the expression suffices for a single collection
    #[arg(long = "where", value_name = "c=CEL")]
    pub(crate) filters: Vec<FilterRule>,
}

impl Choice {
    /// Refuses a choice beside links of a configuration file, which say so themselves.
    ///
    /// # Errors
    /// `Config` when anything was chosen.
    pub(crate) fn refuse(&self) -> Result<()> {
        if self.collections.is_empty() && self.keys.is_empty() && self.filters.is_empty() {
            return Ok(());
        }
        Err(
            Error::config("a link of a configuration file takes its options from there")
                .hint("write them into the file, or name the link as SOURCE TARGET"),
        )
    }
}

impl Sides {
    /// Describes the link between the two, with what the command's own options say.
    pub(crate) fn spec(
        &self,
        two_way: Option<two_way::Stated>,
        mode: Mode,
        guard: Guard,
        batch_records: usize,
    ) -> Spec {
        let (mut collections, mut patterns, mut exclude) = (Vec::new(), Vec::new(), Vec::new());
        for rule in &self.choice.collections {
            match rule.word() {
                Word::Name(_) => collections.push(Named {
                    source: rule.source.clone(),
                    target: rule.target.clone(),
                    ..Named::default()
                }),
                Word::Pattern(text) => patterns.push(text.to_owned()),
                Word::Exclusion(text) => exclude.push(text.to_owned()),
            }
        }
        if collections.is_empty() && patterns.is_empty() && !exclude.is_empty() {
            patterns.push(pattern::ALL.to_owned());
        }
        Spec {
            source: Place::at(&self.source),
            target: Place::at(&self.target),
            collections,
            patterns,
            exclude,
            keys: self.choice.keys.clone(),
            filters: self.choice.filters.clone(),
            two_way,
            mode,
            guard,
            batch_records,
            workers: None,
        }
    }
}

/// `name`, `source=target`, a pattern, or one after `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CollectionRule {
    /// The source's name for it.
    pub(crate) source: String,
    /// The target's name for it, where one was given.
    pub(crate) target: Option<String>,
}

impl CollectionRule {
    /// What it means. Beside a name for the target the source's is a name, whatever signs are in it.
    fn word(&self) -> Word<'_> {
        match self.target {
            Some(_) => Word::Name(&self.source),
            None => Word::read(&self.source),
        }
    }
}

impl FromStr for CollectionRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (source, target) = match text.split_once('=') {
            Some((source, target)) => (source, Some(target)),
            None => (text, None),
        };
        if source.is_empty() || target == Some("") {
            return Err("write a collection's name, or source=target".to_owned());
        }
        Ok(Self {
            source: source.to_owned(),
            target: target.map(str::to_owned),
        })
    }
}

/// `collection=field,field`, or `field,field`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRule {
    /// The source's name for the collection; `None` means the only one there is.
    pub(crate) collection: Option<String>,
    /// The key's fields, in order; [`BAG`] for a collection without a key.
    pub(crate) fields: Vec<String>,
}

/// The word that stands in the place of a key's fields: no field identifies a record, equal ones count.
pub(crate) const BAG: &str = "all";

/// Tells whether a key's fields say that there is no key.
pub(crate) fn is_bag(fields: &[String]) -> bool {
    matches!(fields, [only] if only == BAG)
}

impl FromStr for KeyRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (collection, fields) = match text.split_once('=') {
            Some((collection, fields)) => (Some(collection), fields),
            None => (None, text),
        };
        let fields: Vec<String> = fields.split(',').map(str::to_owned).collect();
        if collection == Some("") || fields.iter().any(String::is_empty) {
            return Err("write collection=field,field".to_owned());
        }
        Ok(Self {
            collection: collection.map(str::to_owned),
            fields,
        })
    }
}

/// `collection=expression`, or `expression`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterRule {
    /// The source's name for the collection; `None` means the only one there is.
    pub(crate) collection: Option<String>,
    /// The expression.
    pub(crate) text: String,
}

impl FromStr for FilterRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (collection, text) = match text.split_once('=') {
            Some((collection, rest)) if is_name(collection) && !rest.starts_with('=') => {
                (Some(collection.trim()), rest)
            }
            _ => (None, text),
        };
        if collection == Some("") || text.trim().is_empty() {
            return Err("write collection=expression, for example orders=qty > 0".to_owned());
        }
        Ok(Self {
            collection: collection.map(str::to_owned),
            text: text.to_owned(),
        })
    }
}

/// Tells a name before an equals sign from the beginning of an expression with one in it.
fn is_name(text: &str) -> bool {
    !text.contains(|ch: char| "\"'()[]{}<>!&|?:+*%,".contains(ch))
}

/// How many deletes the guard lets pass: a share of the target's records, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeletesMax {
    /// `20%`: this share, and never fewer than the guard's own number.
    Percent(u8),
    /// `500`: this number, whatever the share.
    Records(u64),
}

impl DeletesMax {
    /// Returns the guard with this limit.
    pub(crate) fn guard(self) -> Guard {
        let usual = Guard::default();
        match self {
            Self::Percent(percent) => Guard {
                deletes_percent_max: percent,
                ..usual
            },
            Self::Records(records) => Guard {
                deletes_max: records,
                deletes_percent_max: 0,
                ..usual
            },
        }
    }
}

impl FromStr for DeletesMax {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a share such as 20%, or a number of records".to_owned();
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim_end().parse() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                Ok(_) | Err(_) => Err(wrong()),
            },
            None => text.parse().map(Self::Records).map_err(|_| wrong()),
        }
    }
}

#[cfg(test)]
mod tests;
