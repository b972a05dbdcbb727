//! `trueup explain`: what a kind of error means, and what to do. The pages are those of `docs/errors`, in the program.

use crate::output;
use trueup_core::{Kind, Result};

const EXAMPLES: &str = "\
Examples:
  trueup explain guard
  trueup explain

The kind of an error stands at the beginning of its line: error[guard].";

/// Every kind with its page.
const PAGES: &[(Kind, &str)] = &[
    (Kind::Config, include_str!("../../../docs/errors/config.md")),
    (Kind::Auth, include_str!("../../../docs/errors/auth.md")),
    (
        Kind::Unavailable,
        include_str!("../../../docs/errors/unavailable.md"),
    ),
    (
        Kind::Throttled,
        include_str!("../../../docs/errors/throttled.md"),
    ),
    (Kind::Stale, include_str!("../../../docs/errors/stale.md")),
    (
        Kind::Rejected,
        include_str!("../../../docs/errors/rejected.md"),
    ),
    (
        Kind::Corrupt,
        include_str!("../../../docs/errors/corrupt.md"),
    ),
    (Kind::Guard, include_str!("../../../docs/errors/guard.md")),
    (
        Kind::Interrupted,
        include_str!("../../../docs/errors/interrupted.md"),
    ),
    (Kind::Bug, include_str!("../../../docs/errors/bug.md")),
];

/// What `explain` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The kind; without it, all kinds are listed
    #[arg(value_name = "KIND", value_parser = kinds())]
    kind: Option<String>,
}

fn kinds() -> clap::builder::PossibleValuesParser {
    PAGES
        .iter()
        .map(|(kind, _)| kind.name())
        .collect::<Vec<_>>()
        .into()
}

/// Runs the command and returns the exit code.
pub(crate) fn explain(args: &Args) -> Result<u8> {
    let wanted = |kind: Kind| {
        args.kind
            .as_deref()
            .is_none_or(|wanted| wanted == kind.name())
    };
    let pages = PAGES.iter().filter(|(kind, _)| wanted(*kind));
    if args.kind.is_some() {
        for (_, page) in pages {
            output::page(&read(page))?;
        }
        return Ok(0);
    }
    for (kind, page) in pages {
        let short = page.lines().nth(2).unwrap_or_default();
        output::page(&format!("{:<12} {}\n", kind.name(), plain(short)))?;
    }
    output::page("\ntrueup explain KIND says what to do\n")?;
    Ok(0)
}

/// A page as a terminal shows it: headings bold, links as their text, code without its marks.
fn read(page: &str) -> String {
    let mut out = String::new();
    for line in page.lines() {
        match line.trim_start_matches('#') {
            heading if heading.len() < line.len() => {
                out.push_str(&output::heading(heading.trim_start()));
            }
            _ if line.starts_with("```") => continue,
            _ => out.push_str(&plain(line)),
        }
        out.push('\n');
    }
    out
}

/// Takes the marks out of a line: `[text](address)` becomes `text`.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let link = after
            .split_once("](")
            .filter(|(text, _)| !text.contains('['));
        let link = link.and_then(|(text, after)| Some((text, after.split_once(')')?.1)));
        match link {
            Some((text, after)) => {
                out.push_str(text);
                rest = after;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_without_its_marks() {
        for (line, expected) in [
            ("plain", "plain"),
            ("a [link](to.md#x) and `code`", "a link and code"),
            ("error[guard]: [a](b)", "error[guard]: a"),
            ("[open", "[open"),
            ("[a](b", "[a](b"),
        ] {
            assert_eq!(plain(line), expected);
        }
        assert!(read("# guard\n\n```text\nx\n```\n").ends_with("\n\nx\n"));
    }

    #[test]
    fn every_page_is_that_of_its_kind() {
        for (kind, page) in PAGES {
            let title = format!("# {}\n", kind.name());
            assert!(page.starts_with(&title), "{title}");
        }
    }
}
