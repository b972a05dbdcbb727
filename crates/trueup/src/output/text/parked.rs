//! Parked records for people. A key is shown by its digest: what it says is nobody's business here.

use super::{dash, escape, moment, row, say, table};
use trueup_engine::state::ParkedRecord;

/// All of them, one a line.
pub(in crate::output) fn list(records: &[ParkedRecord]) -> String {
    if records.is_empty() {
        return "nothing is parked\n".to_owned();
    }
    let mut rows = vec![row(&[
        "id",
        "since",
        "collection",
        "key",
        "field",
        "reason",
        "link",
    ])];
    for one in records {
        let field = one.parked.field.as_deref();
        rows.push(vec![
            one.id.to_string(),
            one.first_ms.map_or_else(dash, moment),
            escape::line(&one.collection),
            one.parked.key.to_string(),
            field.map_or_else(dash, escape::line),
            escape::line(&one.parked.reason),
            escape::line(&one.link_name),
        ]);
    }
    let mut out = String::new();
    table(&rows, &[0], &mut out);
    say(
        &mut out,
        format_args!("\ntrueup parked retry SOURCE TARGET tries them again, and nothing else"),
    );
    out
}

/// Each in full.
pub(in crate::output) fn show(records: &[ParkedRecord]) -> String {
    let mut out = String::new();
    for (index, one) in records.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let field = one.parked.field.as_deref();
        let first = one.first_run.map_or_else(dash, |run| run.0.to_string());
        for (label, text) in [
            ("id", one.id.to_string()),
            ("link", escape::line(&one.link_name)),
            ("collection", escape::line(&one.collection)),
            ("key", one.parked.key.to_string()),
            ("field", field.map_or_else(dash, escape::line)),
            ("reason", escape::line(&one.parked.reason)),
            ("since", one.first_ms.map_or_else(dash, moment)),
            ("first run", first),
            ("last run", one.run.0.to_string()),
        ] {
            say(&mut out, format_args!("{label:<12}{text}"));
        }
    }
    out
}
