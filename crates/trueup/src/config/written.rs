//! The expressions of a link and where the file has them: what is wrong with one is found only when the fields are known,
//! and is shown at its place like every other mistake.
//!
//! An error carries the text of the expression and a place in it. The same text may stand at several places: the names in
//! the error's message tell them apart, and where they do not, the first one is meant.

use super::document::{Entry, Table, Text};
use super::mistake::Mistakes;
use super::{Config, Link};
use crate::two_way;
use std::ops::Range;
use trueup_core::{Error, Passage};
use trueup_engine::PolicySpec;
use trueup_engine::check::{CheckReport, Problem};

/// One expression in the file.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The source's name of the collection that it is for; `None` for those of the whole link.
    collection: Option<String>,
    /// The field that it is for.
    field: Option<String>,
    /// The expression.
    text: String,
    /// How many bytes of the value come before it.
    before: usize,
    /// The value in the file, with its quotes.
    span: Range<usize>,
}

/// Lists the expressions of a link's table.
pub(super) fn expressions(table: &Table<'_>) -> Vec<Written> {
    let mut found = Vec::new();
    found.extend(table.text("on_conflict").and_then(|text| rule(&text)));
    for entry in table.entries("collections") {
        let Entry::Table(table) = entry else { continue };
        let of_fields = table.names("on_conflict_fields").into_iter();
        let rules = of_fields.filter_map(|(field, text)| Some(rule(&text)?.of_field(&field)));
        let mut here: Vec<Written> = rules.collect();
        here.extend(table.text("on_conflict").and_then(|text| rule(&text)));
        here.extend(table.text("where").map(|text| whole(&text)));
        let computed = table.names("fields").into_iter();
        here.extend(computed.map(|(field, text)| whole(&text).of_field(&field)));
        let name = table.text("source").map(|name| name.text.to_owned());
        found.extend(here.into_iter().map(|one| Written {
            collection: name.clone(),
            ..one
        }));
    }
    found
}

/// A rule for conflicts, if it is an expression.
fn rule(text: &Text<'_>) -> Option<Written> {
    let Some(PolicySpec::Expression(expression)) = two_way::policy(text.text) else {
        return None;
    };
    // It is the end of the text, but for spaces.
    let before = text.text.trim_end().len().checked_sub(expression.len())?;
    Some(Written {
        before,
        text: expression,
        ..whole(text)
    })
}

fn whole(text: &Text<'_>) -> Written {
    Written {
        collection: None,
        field: None,
        text: text.text.to_owned(),
        before: 0,
        span: text.span.clone(),
    }
}

impl Written {
    fn of_field(self, field: &Text<'_>) -> Self {
        Self {
            field: Some(field.text.to_owned()),
            ..self
        }
    }

    /// Tells how well an error's message fits: whether it speaks of the collection and the field.
    fn fits(&self, message: &str) -> (bool, bool) {
        let names = |what: &str, name: &Option<String>| {
            let fact = name.as_ref().map(|name| format!("{what}={name}"));
            fact.is_some_and(|fact| message.contains(&fact))
        };
        (
            names("collection", &self.collection),
            names("field", &self.field),
        )
    }

    /// Returns where in the file the passage is wrong: the word there, or the whole value where it is spelled so that the
    /// place cannot be found.
    fn place(&self, passage: &Passage, file: &str) -> Range<usize> {
        let is_word = |ch: char| ch.is_alphanumeric() || ch == '_';
        let rest = passage.text.get(passage.at..).unwrap_or_default();
        // Of a field, the parser names the dot before it.
        let field = rest
            .strip_prefix('.')
            .filter(|rest| rest.starts_with(is_word));
        let at = passage.at + usize::from(field.is_some());
        let rest = field.unwrap_or(rest);
        let word = rest.find(|ch| !is_word(ch)).unwrap_or(rest.len());
        let width = word.max(rest.chars().next().map_or(0, char::len_utf8));
        let raw = file.get(self.span.clone()).unwrap_or_default();
        let start = self.before + at;
        let found = spelled(raw, start).zip(spelled(raw, start + width));
        found.map_or(self.span.clone(), |(from, to)| {
            self.span.start + from..self.span.start + to.max(from)
        })
    }
}

impl Config {
    /// Shows an error of a link's expression at its place in the file; any other one is left as it is.
    pub(crate) fn point(&self, link: &Link, error: Error) -> Error {
        let found = self.drawn(link, error.message(), error.wrong_passage(), error.advice());
        found.unwrap_or(error)
    }

    /// Does so in what a check found.
    pub(crate) fn point_all(&self, link: &Link, report: &mut CheckReport) {
        let point = |collection: Option<&str>, problem: &mut Problem| {
            let message = match collection {
                Some(collection) => format!("collection={collection}: {}", problem.message),
                None => problem.message.clone(),
            };
            let passage = problem.passage.as_ref();
            if let Some(error) = self.drawn(link, &message, passage, problem.hint.as_deref()) {
                (problem.message, problem.hint) = (error.message().to_owned(), None);
            }
        };
        for problem in &mut report.problems {
            point(None, problem);
        }
        for one in &mut report.collections {
            for problem in &mut one.problems {
                point(Some(&one.names.source), problem);
            }
            let fields = one.fields.iter_mut();
            for problem in fields.filter_map(|field| field.problem.as_mut()) {
                point(Some(&one.names.source), problem);
            }
        }
    }

    fn drawn(
        &self,
        link: &Link,
        message: &str,
        passage: Option<&Passage>,
        hint: Option<&str>,
    ) -> Option<Error> {
        let passage = passage?;
        let same = link.expressions.iter();
        let same = same.filter(|one| one.text == passage.text).rev();
        let one = same.max_by_key(|one| one.fits(message))?;
        let file = &self.text.0;
        let span = one.place(passage, file);
        let mut mistakes = Mistakes::default();
        match hint {
            Some(hint) => mistakes.add_with_help(span, &passage.what, hint),
            None => mistakes.add(span, &passage.what),
        }
        Some(mistakes.error(&self.path, file))
    }
}

/// Returns where byte `at` of what a TOML string says stands in how it is spelled; `None` where that cannot be told.
fn spelled(raw: &str, at: usize) -> Option<usize> {
    let quotes = [r#"""""#, "'''", "\"", "'"];
    let quote = quotes.into_iter().find(|quote| raw.starts_with(quote))?;
    let mut place = quote.len();
    let newline = |text: &str| ["\r\n", "\n"].into_iter().find(|end| text.starts_with(end));
    if quote.len() == 3 {
        // A line end right after the quotes is no part of it.
        place += newline(raw.get(place..)?).map_or(0, str::len);
    }
    let (escapes, mut said) = (quote.starts_with('"'), 0);
    while said < at {
        let rest = raw.get(place..)?;
        let (taken, says) = match rest.strip_prefix('\\').filter(|_| escapes) {
            Some(rest) => escaped(rest)?,
            None => {
                let ch = rest.chars().next()?;
                (ch.len_utf8(), ch.len_utf8())
            }
        };
        place += taken;
        said += says;
    }
    let rest = raw.get(place..)?;
    if let Some((taken, 0)) = rest
        .strip_prefix('\\')
        .filter(|_| escapes)
        .and_then(escaped)
    {
        place += taken;
    }
    (said == at).then_some(place)
}

/// How long the escape is of which `rest` is all but the backslash, and how long what it says.
fn escaped(rest: &str) -> Option<(usize, usize)> {
    let first = rest.chars().next()?;
    let digits = match first {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // A backslash at the end of a line takes the space with it up to the next word.
        ch if ch.is_whitespace() => {
            let word = rest.trim_start().len();
            return Some((1 + rest.len() - word, 0));
        }
        _ => return Some((2, 1)),
    };
    let code = u32::from_str_radix(rest.get(1..=digits)?, 16).ok()?;
    Some((2 + digits, char::from_u32(code)?.len_utf8()))
}

#[cfg(test)]
mod tests;
