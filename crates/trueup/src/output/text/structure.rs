//! What was built around the records, what was refused, and what a target does not get.

use super::{escape, say};
use crate::output::style::{ADVICE, BAD, HEADING, WAITS, paint};
use crate::output::wrap::wrap;
use crate::terminal;
use trueup_core::structure::Lost;
use trueup_engine::StructureReport;

/// How far in the further lines of a statement or reason begin.
const INDENT: usize = 6;

/// What a run did.
pub(super) fn write(structure: Option<&StructureReport>, out: &mut String) {
    let Some(structure) = structure else {
        return;
    };
    let (built, there) = (structure.built, structure.there);
    if built + there > 0 || !structure.refused.is_empty() {
        let word = paint(HEADING, "built after the load:");
        let already = match there {
            0 => String::new(),
            some => format!(", {some} were there already"),
        };
        say(out, format_args!("\n{word} {built}{already}"));
    }
    for one in &structure.refused {
        let word = paint(BAD, "refused");
        let place = format!("{} {} of {}", one.kind, one.name, one.collection);
        let (place, reason) = (escape::line(&place), escape::line(&one.reason));
        say(out, format_args!("  {word} {place}: {reason}"));
        if let Some(hint) = &one.hint {
            let word = paint(ADVICE, "hint:");
            say(out, format_args!("    {word} {}", escape::line(hint)));
        }
    }
    lost(&structure.lost, out);
}

/// What a check found: what would be built.
pub(super) fn planned(structure: Option<&StructureReport>, out: &mut String) {
    let Some(structure) = structure else {
        return;
    };
    if !structure.planned.is_empty() {
        let word = paint(HEADING, "built after the load:");
        say(out, format_args!("{word} {}", structure.planned.len()));
    }
    for step in &structure.planned {
        let line = format!("  {}", escape::line(&step.statement));
        let line = wrap(&line, terminal::get().width, INDENT);
        say(out, format_args!("{line}"));
    }
    lost(&structure.lost, out);
    if *structure != StructureReport::default() {
        out.push('\n');
    }
}

fn lost(lost: &[Lost], out: &mut String) {
    if lost.is_empty() {
        return;
    }
    let word = paint(WAITS, "not carried:");
    say(out, format_args!("\n{word} {}", lost.len()));
    for Lost { kind, name, why } in lost {
        let line = format!("  {kind} {}: {}", escape::line(name), escape::line(why));
        let line = wrap(&line, terminal::get().width, INDENT);
        say(out, format_args!("{line}"));
    }
}
