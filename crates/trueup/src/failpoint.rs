//! `TRUEUP_FAILPOINT`: makes the process die, stop, fail or tell at a named place, so that tests can see what is left.
//!
//! Invariant: without the variable nothing happens. It is meant for tests, and for whoever wants to see for
//! themselves that a killed run is continued.

use crate::output;
use rustix::process::{Signal, getpid, kill_process};
use std::sync::atomic::{AtomicU64, Ordering};
use trueup_core::failpoint::Failpoints;
use trueup_core::{Error, Kind, Result};

/// The variable: `name`, `name:n` for the n-th time it is passed, `name:n:action`. The name `*` is every place.
pub(crate) const VARIABLE: &str = "TRUEUP_FAILPOINT";

/// What happens at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    /// The process kills itself, as a power cut would.
    Kill,
    /// The process stops itself until somebody lets it go on.
    Stop,
    /// The step fails as if the connection had broken there.
    Fail,
    /// The name is told on standard error, there and at every later pass.
    Tell,
}

/// Makes the failpoints that `wanted` asks for.
///
/// # Errors
/// `Config` when it does not read.
pub(crate) fn armed(wanted: Option<&str>) -> Result<Failpoints> {
    let Some((armed, at, action)) = wanted.map(parse).transpose()? else {
        return Ok(Failpoints::none());
    };
    let passed = AtomicU64::new(0);
    Ok(Failpoints::new(move |name| {
        if name != armed && armed != "*" {
            return Ok(());
        }
        let pass = passed.fetch_add(1, Ordering::Relaxed) + 1;
        match action {
            Action::Kill if pass == at => signal(Signal::KILL),
            Action::Stop if pass == at => signal(Signal::STOP),
            Action::Fail if pass == at => {
                let lost = format!("failpoint={name} broke the connection");
                Err(Error::new(Kind::Unavailable, lost).hint("a test wanted it so"))
            }
            Action::Tell if pass >= at => {
                output::progress(&format!("failpoint={name}"));
                Ok(())
            }
            Action::Kill | Action::Stop | Action::Fail | Action::Tell => Ok(()),
        }
    }))
}

fn signal(signal: Signal) -> Result<()> {
    kill_process(getpid(), signal)
        .map_err(|cause| Error::bug("cannot send a signal to the own process").cause(cause))
}

fn parse(text: &str) -> Result<(String, u64, Action)> {
    let mut parts = text.splitn(3, ':');
    let name = parts.next().unwrap_or_default();
    let at = parts.next().unwrap_or("1").parse();
    let action = match parts.next() {
        None | Some("kill") => Some(Action::Kill),
        Some("stop") => Some(Action::Stop),
        Some("fail") => Some(Action::Fail),
        Some("tell") => Some(Action::Tell),
        Some(_) => None,
    };
    match (at, action) {
        (Ok(at @ 1..), Some(action)) if !name.is_empty() => Ok((name.to_owned(), at, action)),
        _ => Err(Error::config(format!("{VARIABLE} does not read"))
            .hint("write name, name:n, or name:n:action with kill, stop, fail or tell")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_variable_says() {
        let kill = |name: &str, at| Some((name.to_owned(), at, Action::Kill));
        let cases = [
            ("a.b", kill("a.b", 1)),
            ("a.b:3", kill("a.b", 3)),
            ("a.b:3:kill", kill("a.b", 3)),
            ("*:3:stop", Some(("*".to_owned(), 3, Action::Stop))),
            ("*:1:tell", Some(("*".to_owned(), 1, Action::Tell))),
            ("", None),
            (":1", None),
            ("a.b:", None),
            ("a.b:0", None),
            ("a.b:-1", None),
            ("a.b:1:", None),
            ("a.b:1:burn", None),
            ("a.b:1:kill:2", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }
}
