//! Asks a person for what the command line left open.
//!
//! Pure but for the two functions it is given, so that a test can play the person. An answer that makes no sense is asked
//! for again, a few times.

use super::Wish;
use crate::registry::{self, Address};
use std::path::PathBuf;
use trueup_core::{Error, Result};

/// How often one question is asked.
const TRIES: usize = 3;

/// Reads a line without its end; `None` when there is no more.
type Listen<'a> = dyn FnMut() -> Result<Option<String>> + 'a;
/// Shows a text and stays on its line.
type Say<'a> = dyn FnMut(&str) + 'a;

/// Asks for places, direction and file; `known` has the defaults of the last two.
pub(super) fn wish(known: &Wish, listen: &mut Listen<'_>, say: &mut Say<'_>) -> Result<Wish> {
    let mut asking = Asking { listen, say };
    (asking.say)(&format!("{}\n", registry::known()));
    let source = asking.place("Where do the records come from?")?;
    let target = asking.place("Where do they go?")?;
    let two_way = asking.yes("Do changes go both ways?", known.two_way)?;
    let default = known.out.display().to_string();
    let out = asking.line(&format!("Which file shall be written? [{default}]"))?;
    let out = if out.is_empty() {
        known.out.clone()
    } else {
        PathBuf::from(out)
    };
    Ok(Wish {
        source,
        target,
        two_way,
        out,
    })
}

struct Asking<'a, 'b> {
    listen: &'a mut Listen<'b>,
    say: &'a mut Say<'b>,
}

impl Asking<'_, '_> {
    fn line(&mut self, question: &str) -> Result<String> {
        (self.say)(&format!("{question} "));
        let line = (self.listen)()?;
        let line = line.ok_or_else(|| {
            Error::config("the questions were not answered")
                .hint("for example: trueup init csv:shop sqlite:shop.db")
        })?;
        Ok(line.trim().to_owned())
    }

    fn place(&mut self, question: &str) -> Result<String> {
        self.until(question, |answer| match Address::parse(answer) {
            Ok(_) => Ok(answer.to_owned()),
            Err(error) => Err(error.message().to_owned()),
        })
    }

    fn yes(&mut self, question: &str, default: bool) -> Result<bool> {
        let shown = if default { "[Y/n]" } else { "[y/N]" };
        self.until(&format!("{question} {shown}"), |answer| {
            match answer.to_ascii_lowercase().as_str() {
                "" => Ok(default),
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("write y or n".to_owned()),
            }
        })
    }

    fn until<T>(&mut self, question: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T> {
        for _ in 0..TRIES {
            match read(&self.line(question)?) {
                Ok(answer) => return Ok(answer),
                Err(complaint) => (self.say)(&format!("  {complaint}\n")),
            }
        }
        Err(Error::config("a question was not answered")
            .hint("for example: trueup init csv:shop sqlite:shop.db"))
    }
}
