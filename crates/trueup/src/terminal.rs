//! What the user says once, for every command, about what is shown; and what the terminal can show.
//!
//! It is kept for the whole process, because standard output and standard error are: a panic, a signal and a thread
//! that reads all write there, and none of them can be handed a setting. Set once, before the first word; nothing about
//! the data follows from it.

use crate::world;
use clap::ValueEnum;
use indicatif::MultiProgress;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// What may be said about the terminal, before or after the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "What is shown")]
pub(crate) struct Options {
    /// Colour: on a terminal, always, or never; NO_COLOR and CLICOLOR_FORCE count where this is not said
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        hide_possible_values = true,
        default_value = "auto",
        hide_default_value = true,
        help = "Colour: auto (on a terminal), always or never"
    )]
    pub(crate) color: When,

    /// Show results and errors, and nothing else
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say what is done at each step, and when
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,

    /// Standard error as text, or as one JSON object a line
    #[arg(
        long,
        global = true,
        value_name = "FORM",
        hide_possible_values = true,
        default_value = "text",
        hide_default_value = true,
        help = "Standard error as text, or as json: one object a line"
    )]
    pub(crate) log: Form,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// As the environment says, else on a terminal.
    #[default]
    Auto,
    /// Also in files and pipes.
    Always,
    /// Not at all.
    Never,
}

/// What standard error looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Options {
    /// Reads what concerns the terminal from arguments that may be wrong otherwise: that is to be said in the form and
    /// the colour that was asked for.
    pub(crate) fn guess(arguments: &[OsString]) -> Self {
        let mut options = Self::default();
        let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
        for (index, word) in words.iter().enumerate() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (*word, words.get(index + 1).copied()),
            };
            match (name, value) {
                ("--color", Some(value)) => {
                    options.color = When::from_str(value, false).unwrap_or_default();
                }
                ("--log", Some(value)) => {
                    options.log = Form::from_str(value, false).unwrap_or_default();
                }
                _ => {}
            }
        }
        options
    }
}

/// How this process speaks.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    /// Whether results are coloured.
    pub(crate) color_out: bool,
    /// Whether notes and errors are coloured.
    pub(crate) color_err: bool,
    /// Results and errors only.
    pub(crate) quiet: bool,
    /// Every step.
    pub(crate) verbose: bool,
    /// Standard error as JSON.
    pub(crate) json: bool,
    /// Whether standard error is a terminal.
    pub(crate) watched: bool,
    /// How many columns standard output has, where it is a terminal.
    pub(crate) width: Option<usize>,
    /// How many columns standard error has, where it is a terminal.
    pub(crate) width_err: Option<usize>,
    /// Where bars are drawn; `None` where there are none.
    pub(crate) screen: Option<MultiProgress>,
    /// When the process began.
    pub(crate) started_ms: i64,
    /// The link that is under way.
    link: Mutex<Option<String>>,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Settles how this process speaks. Only the first call counts.
pub(crate) fn set(options: Options) {
    TERMINAL.get_or_init(|| Terminal::new(options));
}

/// Returns how this process speaks; plainly, where nothing was settled.
pub(crate) fn get() -> &'static Terminal {
    TERMINAL.get_or_init(Terminal::default)
}

impl Terminal {
    fn new(options: Options) -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let bars = err.is_terminal()
            && !options.quiet
            && options.log == Form::Text
            && world::variable("TERM").is_none_or(|term| term != "dumb");
        Self {
            color_out: colored(options.color, &world::variable, out.is_terminal()),
            color_err: colored(options.color, &world::variable, err.is_terminal()),
            quiet: options.quiet,
            verbose: options.verbose,
            json: options.log == Form::Json,
            watched: err.is_terminal(),
            width: columns(&out),
            width_err: columns(&err),
            screen: bars.then(MultiProgress::new),
            started_ms: world::now_ms(),
            link: Mutex::new(None),
        }
    }

    /// Says which link the next words are about.
    pub(crate) fn begin(&self, link: &str) {
        *self.locked() = Some(link.to_owned());
    }

    /// Returns which link is under way.
    pub(crate) fn link(&self) -> Option<String> {
        self.locked().clone()
    }

    /// Does `print` while no bar is on the screen. It must not call this again.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.screen {
            Some(screen) => screen.suspend(print),
            None => print(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<String>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether a stream is coloured: what was said goes before the environment (<https://no-color.org>,
/// <https://bixense.com/clicolors>), and that before what the stream is.
fn colored(when: When, env: &dyn Fn(&str) -> Option<String>, is_terminal: bool) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR").is_some() => false,
        When::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        When::Auto => is_terminal && set("TERM").is_some_and(|term| term != "dumb"),
    }
}

fn columns(out: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

#[cfg(test)]
mod tests;
