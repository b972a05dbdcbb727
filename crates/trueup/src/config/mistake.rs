//! What is wrong with a configuration file: all of it, each with its place, drawn as a compiler would.
//!
//! Invariant: no secret is shown. Every line that is drawn went through [`mask`] before, and a mistake's own text names
//! keys and words, never what a variable or a file holds.

use super::mask::mask;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;
use std::path::Path;
use trueup_core::{Error, Kind};

/// How many mistakes are shown.
const SHOWN_MAX: usize = 20;
/// How wide a drawn line may be.
const WIDTH: usize = 120;

/// One mistake.
#[derive(Clone, Debug)]
struct Mistake {
    span: Range<usize>,
    what: String,
    help: Option<String>,
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes a mistake at `span`.
    pub(super) fn add(&mut self, span: Range<usize>, what: impl Into<String>) {
        let what = what.into();
        self.0.push(Mistake {
            span,
            what,
            help: None,
        });
    }

    /// Notes a mistake, and what to do about it.
    pub(super) fn add_with_help(
        &mut self,
        span: Range<usize>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(span, what);
        if let Some(last) = self.0.last_mut() {
            last.help = Some(help.into());
        }
    }

    /// Notes that `name` is none of `known`; `what` says which kind of thing is missing.
    pub(super) fn add_unknown<'a>(
        &mut self,
        span: Range<usize>,
        what: impl Into<String>,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) {
        let known: Vec<&str> = known.collect();
        match nearest(name, &known) {
            Some(near) => self.add_with_help(span, what, format!("did you mean {near}?")),
            None if known.is_empty() => self.add(span, what),
            None => self.add_with_help(span, what, format!("write one of: {}", known.join(", "))),
        }
    }

    /// Tells whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the error that shows all of them, in the order of the file.
    pub(super) fn error(mut self, path: &Path, text: &str) -> Error {
        self.0.sort_by_key(|one| (one.span.start, one.span.end));
        let count = match self.0.len() {
            1 => "a mistake".to_owned(),
            many => format!("{many} mistakes"),
        };
        let path = path.display().to_string();
        let mut message = format!("there is {count} in file={path}");
        if self.0.len() > 1 {
            message = format!("there are {count} in file={path}");
        }
        let masked = mask(text);
        for one in self.0.iter().take(SHOWN_MAX) {
            message.push('\n');
            message.push_str(&draw(one, &path, &masked));
        }
        if self.0.len() > SHOWN_MAX {
            message.push_str(&format!("\n... and {} more", self.0.len() - SHOWN_MAX));
        }
        Error::new(Kind::Config, message)
    }
}

/// Draws one mistake: place, line, mark.
fn draw(one: &Mistake, path: &str, masked: &super::mask::Masked) -> String {
    let span = first_line(&masked.text, masked.span(&one.span));
    let mark = AnnotationKind::Primary.span(span).label(&one.what);
    let snippet = Snippet::source(&masked.text).path(path).annotation(mark);
    let mut group = Group::with_level(Level::ERROR).element(snippet);
    if let Some(help) = &one.help {
        group = group.element(Level::HELP.message(help));
    }
    let drawn = Renderer::plain().term_width(WIDTH).render(&[group]);
    let lines = drawn.lines().map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}

/// Cuts a mark at the end of its first line: a table of many lines is not shown whole.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let line = text.get(span.clone()).unwrap_or_default();
    match line.find(['\n', '\r']) {
        Some(end) => span.start..span.start + end,
        None => span,
    }
}

/// Finds the one of `known` that `name` was most likely meant to be.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // A third of the letters may be wrong.
    let allowed = (name.chars().count() / 3).max(1);
    let name = name.to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&name, &other.to_lowercase());
    let near = known.iter().map(|other| (distance(other), *other));
    let near = near.filter(|(distance, _)| *distance <= allowed);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}
