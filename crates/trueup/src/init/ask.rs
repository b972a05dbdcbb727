//! Asks a person for what the command line left open.
//!
//! Pure but for the two functions it is given, so that a test can play the person. An answer that makes no sense is asked
//! for again, a few times.

use super::Wish;
use super::compose::seen;
use super::look::Look;
use crate::args::BAG;
use crate::output;
use crate::registry::{self, Address};
use std::path::PathBuf;
use trueup_core::{Error, Result};

/// The answer that leaves a collection out for now.
const LATER: &str = "-";
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

/// Asks which fields identify a record of a collection; `None` when that is to be decided later. `bag` tells whether
/// the link can do without.
pub(super) fn key(
    collection: &str,
    look: &Look,
    bag: bool,
    listen: &mut Listen<'_>,
    say: &mut Say<'_>,
) -> Result<Option<Vec<String>>> {
    let name = output::safe(collection);
    let seen = seen(look).map_or_else(String::new, |seen| format!(": {seen}"));
    say(&format!("{name} has no key{seen}\n"));
    let default = look.likely();
    let shown = default.map_or_else(
        || LATER.to_owned(),
        |fields| output::safe(&fields.join(",")),
    );
    let all = if bag {
        format!("{BAG}: none, equal records are counted; ")
    } else {
        String::new()
    };
    let question =
        format!("Which fields identify a record of {name}? ({all}{LATER}: decide later) [{shown}]");
    let mut asking = Asking { listen, say };
    asking.until(&question, |answer| match answer {
        "" => Ok(default.cloned()),
        LATER => Ok(None),
        BAG if bag => Ok(Some(vec![BAG.to_owned()])),
        answer => {
            let fields = answer.split(',').map(|field| field.trim().to_owned());
            let fields: Vec<String> = fields.collect();
            match fields.iter().find(|field| !look.fields.contains(field)) {
                None => Ok(Some(fields)),
                Some(stray) => Err(format!(
                    "there is no field {}; it has: {}",
                    output::safe(stray),
                    output::safe(&look.fields.join(", "))
                )),
            }
        }
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
