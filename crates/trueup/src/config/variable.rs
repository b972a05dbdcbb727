//! `${NAME}` and `${NAME:-default}` in a text: values of the environment.
//!
//! Invariant: what a variable holds goes into the result and nowhere else; a complaint has the variable's name. A text is
//! replaced once: a dollar sign in a value is a dollar sign.

use std::ops::Range;

/// Looks up a variable of the environment.
pub(crate) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A text with its variables replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// The text.
    pub(super) text: String,
    /// Where values stand in it, and where their variables stood.
    pub(super) values: Vec<(Range<usize>, Range<usize>)>,
}

/// What is wrong with a variable: where, what, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) what: String,
    pub(super) help: &'static str,
}

const WRITE: &str = "write ${NAME} for a variable of the environment, and $$ for a dollar sign";

/// Replaces the variables of `text`.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn expand(text: &str, env: &Lookup<'_>) -> Result<Expanded, Vec<Wrong>> {
    let mut out = Expanded {
        text: String::new(),
        values: Vec::new(),
    };
    let mut wrong = Vec::new();
    let mut done = 0;
    while let Some(at) = text[done..].find('$').map(|at| done + at) {
        out.text.push_str(&text[done..at]);
        let rest = &text[at..];
        if rest.starts_with("$$") {
            out.text.push('$');
            done = at + 2;
            continue;
        }
        let inner = rest
            .strip_prefix("${")
            .and_then(|rest| rest.split_once('}'));
        let Some((inner, _)) = inner else {
            let span = at..at + 1;
            let what = "this dollar sign begins no variable".to_owned();
            wrong.push(Wrong {
                span,
                what,
                help: WRITE,
            });
            done = at + 1;
            continue;
        };
        done = at + inner.len() + "${}".len();
        match value(inner, env) {
            Ok(value) => {
                let start = out.text.len();
                out.text.push_str(&value);
                out.values.push((start..out.text.len(), at..done));
            }
            Err((what, help)) => wrong.push(Wrong {
                span: at..done,
                what,
                help,
            }),
        }
    }
    out.text.push_str(&text[done..]);
    if wrong.is_empty() {
        Ok(out)
    } else {
        Err(wrong)
    }
}

fn value(inner: &str, env: &Lookup<'_>) -> Result<String, (String, &'static str)> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if !is_name(name) {
        return Err(("this is no name of a variable".to_owned(), WRITE));
    }
    let found = env(name).filter(|found| default.is_none() || !found.is_empty());
    found.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        let help = "set it, or give it a default: ${NAME:-default}";
        (format!("{name} is not set in the environment"), help)
    })
}

/// Tells whether a variable can be called so.
pub(super) fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|ch: char| ch.is_ascii_alphabetic() || ch == '_');
    starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
