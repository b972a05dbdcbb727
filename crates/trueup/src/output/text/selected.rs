//! What a run that carries out a part of a plan left, for people.

use super::{compared_rows, escape, name, notes, parked, records, say, table};
use std::path::Path;
use trueup_engine::Report;

/// How many keys of changed records are listed for each collection.
const KEYS_SHOWN_MAX: usize = 10;

/// Lists what was left, and why.
pub(super) fn write(report: &Report, out: &mut String) {
    let mut lines = Vec::new();
    for one in &report.collections {
        let Some(selected) = &one.selected else {
            continue;
        };
        let name = name(&one.source, &one.target);
        if selected.changed > 0 {
            let changed = records(selected.changed);
            lines.push(format!("{name}: {changed} changed since the plan was made"));
            let texts = selected.changed_texts.iter().map(Some);
            let texts = texts.chain(std::iter::repeat(None));
            let shown = selected.changed_keys.iter().zip(texts).take(KEYS_SHOWN_MAX);
            lines.extend(shown.map(|(digest, text)| match text {
                Some(text) if !text.is_empty() => format!("  {}", escape::line(text)),
                _ => format!("  key={digest}"),
            }));
            let more = selected.changed.saturating_sub(KEYS_SHOWN_MAX as u64);
            if more > 0 {
                lines.push(format!("  ... and {more} more"));
            }
        }
        if selected.left > 0 {
            let left = records(selected.left);
            lines.push(format!("{name}: {left} that nobody chose"));
        }
        if selected.settled > 0 {
            let settled = records(selected.settled);
            lines.push(format!(
                "{name}: {settled} of the plan, where nothing is left to do"
            ));
        }
    }
    if lines.is_empty() {
        return;
    }
    say(out, format_args!("\nleft as they are"));
    for line in lines {
        say(out, format_args!("  {line}"));
    }
}

/// What was compared, and where the plan is.
pub(in crate::output) fn plan_written(report: &Report, path: &Path) -> String {
    let mut out = String::new();
    table(&compared_rows(report), &[], &mut out);
    parked(report, &mut out);
    notes(report, None, &mut out);
    let path = escape::line(&path.display().to_string());
    let word = if report.equal {
        "nothing to write"
    } else {
        "nothing was written"
    };
    say(&mut out, format_args!("{word}; the plan is in {path}"));
    out
}
