//! The file as a tree of tables, checked against the keys that there are.
//!
//! Invariant: what [`Table`] gives out has the kind that the key's description asks for. What does not is reported once,
//! here, and is absent afterwards; so that one walk finds all mistakes, and none twice.

use super::keys::{self, Key, Kind, Section};
use super::mistake::Mistakes;
use crate::args::DeletesMax;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// A value of the file with its place.
type Value<'a> = toml::Spanned<DeValue<'a>>;

/// A text of the file and its place.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) span: Range<usize>,
}

/// A list of texts, or the word that stands for all.
#[derive(Debug)]
pub(super) enum TextsOr<'a> {
    /// The word.
    Word,
    /// The texts.
    Texts(Vec<Text<'a>>),
}

/// An element of a list of texts and tables.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    /// A text.
    Text(Text<'a>),
    /// A table.
    Table(Table<'a>),
}

/// A table that was checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    section: &'static Section,
}

/// Checks the whole file, and gives it out.
pub(super) fn file<'a>(entries: &'a DeTable<'a>, mistakes: &mut Mistakes) -> Table<'a> {
    check(entries, 0..0, &keys::FILE, mistakes);
    Table {
        entries,
        section: &keys::FILE,
    }
}

/// Checks `entries` against `section`, everything in it included. `span` is the place for what is missing.
fn check(
    entries: &DeTable<'_>,
    span: Range<usize>,
    section: &'static Section,
    mistakes: &mut Mistakes,
) {
    let mut known = entries.iter().collect::<Vec<_>>();
    known.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in known {
        match section.key(name.get_ref()) {
            Some(key) => check_value(key.kind, value, name.span(), mistakes),
            None => mistakes.add_unknown(
                name.span(),
                format!("{} has no such key", section.name),
                name.get_ref(),
                section.names(),
            ),
        }
    }
    for key in section.keys.iter().filter(|key| key.required) {
        if !entries.contains_key(key.name) {
            let what = format!("{} needs {}", section.name, key.name);
            mistakes.add_with_help(span.clone(), what, key.about);
        }
    }
}

/// Checks one value. `name` is the place of the key before it.
fn check_value(kind: Kind, value: &Value<'_>, name: Range<usize>, mistakes: &mut Mistakes) {
    let fits = match (kind, value.get_ref()) {
        (Kind::Table(section), DeValue::Table(entries)) => {
            check(entries, name, section, mistakes);
            true
        }
        (Kind::Tables(section), DeValue::Table(tables)) => {
            check_tables(section, tables, mistakes);
            true
        }
        (Kind::Names, DeValue::Table(entries)) => {
            for value in entries.values() {
                if !is_text(value) {
                    mistakes.add(value.span(), "write a text");
                }
            }
            true
        }
        (Kind::Entries(section), DeValue::Array(list)) => {
            for value in list {
                match value.get_ref() {
                    DeValue::Table(entries) => check(entries, value.span(), section, mistakes),
                    _ if is_text(value) => {}
                    _ => mistakes.add(value.span(), "write a name, or a table"),
                }
            }
            true
        }
        (Kind::Texts | Kind::TextsOr(_), DeValue::Array(list)) => {
            for value in list.iter().filter(|value| !is_text(value)) {
                mistakes.add(value.span(), "write a text");
            }
            true
        }
        (Kind::Word(words), DeValue::String(text)) if !words.contains(&text.as_ref()) => {
            let words = words.iter().copied();
            mistakes.add_unknown(
                value.span(),
                "this is none of the words for it",
                text,
                words,
            );
            true
        }
        _ => is_of(kind, value),
    };
    if !fits {
        let empty = matches!(value.get_ref(), DeValue::String(text) if text.is_empty());
        let what = match empty {
            true => "there is nothing in this text".to_owned(),
            false => wanted(kind),
        };
        mistakes.add(value.span(), what);
    }
}

fn check_tables(section: &'static Section, tables: &DeTable<'_>, mistakes: &mut Mistakes) {
    for (name, value) in tables {
        if !is_name(name.get_ref()) {
            mistakes.add(
                name.span(),
                "a name is of letters, digits, - and _, and begins with a letter or digit",
            );
        }
        match value.get_ref() {
            DeValue::Table(entries) => check(entries, name.span(), section, mistakes),
            _ => mistakes.add(value.span(), format!("{} is a table", section.name)),
        }
    }
}

/// Tells whether something may be called so: names stand on command lines, beside options and files.
pub(super) fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|ch: char| ch.is_ascii_alphanumeric());
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    starts && name.bytes().all(inner)
}

fn is_text(value: &Value<'_>) -> bool {
    matches!(value.get_ref(), DeValue::String(text) if !text.is_empty())
}

/// Tells whether a value that is no table fits.
fn is_of(kind: Kind, value: &Value<'_>) -> bool {
    match (kind, value.get_ref()) {
        (Kind::Text | Kind::Word(_), _) => is_text(value),
        (Kind::Flag, DeValue::Boolean(_)) => true,
        (Kind::Number(min, max), _) => {
            number(value).is_some_and(|number| (min..=max).contains(&number))
        }
        (Kind::Share, _) => share(value).is_some(),
        (Kind::TextsOr(word), DeValue::String(text)) => text == word,
        _ => false,
    }
}

fn number(value: &Value<'_>) -> Option<i64> {
    match value.get_ref() {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

fn share(value: &Value<'_>) -> Option<DeletesMax> {
    match value.get_ref() {
        DeValue::String(text) if text.ends_with('%') => text.parse().ok(),
        DeValue::Integer(_) => {
            let number = u64::try_from(number(value)?).ok()?;
            Some(DeletesMax::Records(number))
        }
        _ => None,
    }
}

/// Says what a value has to be.
fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "write a text".to_owned(),
        Kind::Word(words) => format!("write one of: {}", words.join(", ")),
        Kind::Flag => "write true or false".to_owned(),
        Kind::Number(min, max) => format!("write a whole number from {min} to {max}"),
        Kind::Share => "write a share such as \"20%\", or a number of records".to_owned(),
        Kind::Texts => "write a list of texts: [\"a\", \"b\"]".to_owned(),
        Kind::TextsOr(word) => format!("write a list of texts, or \"{word}\""),
        Kind::Names => "write a table: { name = \"text\" }".to_owned(),
        Kind::Table(_) => "write a table: { ... }".to_owned(),
        Kind::Tables(section) => format!("write a table for each: [{}.NAME]", word_of(section)),
        Kind::Entries(_) => "write a list of names and tables".to_owned(),
    }
}

/// The last word of a section's name.
fn word_of(section: &Section) -> &'static str {
    section.name.rsplit(' ').next().unwrap_or(section.name)
}

impl<'a> Table<'a> {
    fn key(&self, name: &str) -> Option<&'static Key> {
        let key = self.section.key(name);
        debug_assert!(key.is_some(), "the key {name} is described");
        key
    }

    /// Returns the value of a key if it is one of its kind.
    fn value(&self, name: &str) -> Option<&'a Value<'a>> {
        let kind = self.key(name)?.kind;
        let value = self.entries.get(name)?;
        let whole = matches!(
            (kind, value.get_ref()),
            (
                Kind::Table(_) | Kind::Tables(_) | Kind::Names,
                DeValue::Table(_)
            ) | (
                Kind::Entries(_) | Kind::Texts | Kind::TextsOr(_),
                DeValue::Array(_)
            )
        );
        (whole || is_of(kind, value)).then_some(value)
    }

    /// Tells whether the key is there, whatever it says.
    pub(super) fn has(&self, name: &str) -> bool {
        self.key(name).is_some() && self.entries.contains_key(name)
    }

    /// Returns where the key stands.
    pub(super) fn place(&self, name: &str) -> Option<Range<usize>> {
        let (key, _) = self.entries.get_key_value(name)?;
        Some(key.span())
    }

    /// Returns a text.
    pub(super) fn text(&self, name: &str) -> Option<Text<'a>> {
        text(self.value(name)?)
    }

    /// Returns a yes or no.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)?.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns a number.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        usize::try_from(number(self.value(name)?)?).ok()
    }

    /// Returns a share or a number.
    pub(super) fn share(&self, name: &str) -> Option<DeletesMax> {
        share(self.value(name)?)
    }

    /// Returns a list of texts; empty where there is none.
    pub(super) fn texts(&self, name: &str) -> Vec<Text<'a>> {
        match self.value(name).map(toml::Spanned::get_ref) {
            Some(DeValue::Array(list)) => list.iter().filter_map(text).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns a list of texts, or the word for all.
    pub(super) fn texts_or(&self, name: &str) -> Option<TextsOr<'a>> {
        match self.value(name)?.get_ref() {
            DeValue::String(_) => Some(TextsOr::Word),
            _ => Some(TextsOr::Texts(self.texts(name))),
        }
    }

    /// Returns a table from names to texts, in the order of the file.
    pub(super) fn names(&self, name: &str) -> Vec<(Text<'a>, Text<'a>)> {
        let Some(DeValue::Table(entries)) = self.value(name).map(toml::Spanned::get_ref) else {
            return Vec::new();
        };
        let pair = |(name, value): (&'a toml::Spanned<_>, &'a Value<'a>)| {
            Some((key_text(name), text(value)?))
        };
        let mut pairs: Vec<_> = entries.iter().filter_map(pair).collect();
        pairs.sort_by_key(|(name, _)| name.span.start);
        pairs
    }

    /// Returns a table.
    pub(super) fn table(&self, name: &str) -> Option<Self> {
        let Kind::Table(section) = self.key(name)?.kind else {
            return None;
        };
        Self::of(section, self.value(name)?)
    }

    /// Returns the tables of a key with their names, in the order of the file.
    pub(super) fn tables(&self, name: &str) -> Vec<(Text<'a>, Self)> {
        let kind = self.key(name).map(|key| key.kind);
        let value = self.value(name).map(toml::Spanned::get_ref);
        let (Some(Kind::Tables(section)), Some(DeValue::Table(tables))) = (kind, value) else {
            return Vec::new();
        };
        let table = |(name, value): (&'a toml::Spanned<_>, &'a Value<'a>)| {
            Some((key_text(name), Self::of(section, value)?))
        };
        let mut tables: Vec<_> = tables.iter().filter_map(table).collect();
        tables.sort_by_key(|(name, _)| name.span.start);
        tables
    }

    /// Returns a list of texts and tables.
    pub(super) fn entries(&self, name: &str) -> Vec<Entry<'a>> {
        let kind = self.key(name).map(|key| key.kind);
        let value = self.value(name).map(toml::Spanned::get_ref);
        let (Some(Kind::Entries(section)), Some(DeValue::Array(list))) = (kind, value) else {
            return Vec::new();
        };
        let entry = |value: &'a Value<'a>| match text(value) {
            Some(text) => Some(Entry::Text(text)),
            None => Self::of(section, value).map(Entry::Table),
        };
        list.iter().filter_map(entry).collect()
    }

    fn of(section: &'static Section, value: &'a Value<'a>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Self { entries, section }),
            _ => None,
        }
    }
}

fn text<'a>(value: &'a Value<'a>) -> Option<Text<'a>> {
    match value.get_ref() {
        DeValue::String(text) if !text.is_empty() => Some(Text {
            text,
            span: value.span(),
        }),
        _ => None,
    }
}

fn key_text<'a>(name: &'a toml::Spanned<toml::de::DeString<'a>>) -> Text<'a> {
    Text {
        text: name.get_ref(),
        span: name.span(),
    }
}
