//! The certificate for people: what was found on both sides, and which fields' values might not have fitted.

use super::{escape, moment, name, records, say};
use crate::output::style::{BAD, HEADING, WAITS, count, paint};
use trueup_engine::{Certificate, CollectionProof};

/// How many characters of a position are shown.
const POSITION_SHOWN_MAX: usize = 80;

/// The certificate alone.
pub(in crate::output) fn alone(certificate: &Certificate) -> String {
    let mut out = String::new();
    write(certificate, &mut out);
    out
}

/// Appends the certificate.
pub(super) fn write(proof: &Certificate, out: &mut String) {
    write_as("certificate", proof, out);
}

/// Appends what a certificate says, under another heading.
pub(super) fn write_as(heading: &str, proof: &Certificate, out: &mut String) {
    say(out, format_args!("{}", paint(HEADING, heading)));
    let plain = |out: &mut String, label: &str, text: &str| {
        say(out, format_args!("  {label:<9}{}", escape::line(text)));
    };
    plain(out, "link", &proof.link);
    plain(out, "issued", &moment(proof.issued_ms));
    plain(out, "version", &proof.version);
    plain(out, "digests", &proof.algorithm);
    for (label, side) in [("source", &proof.source), ("target", &proof.target)] {
        plain(out, label, &side.address);
        plain(out, "", &format!("position {}", shortened(&side.position)));
    }
    for one in &proof.collections {
        write_proof(one, out);
    }
    for note in &proof.notes {
        plain(out, "note", note);
    }
}

fn write_proof(proof: &CollectionProof, out: &mut String) {
    say(
        out,
        format_args!("  collection {}", name(&proof.source, &proof.target)),
    );
    let (source, target) = (proof.source_fold, proof.target_fold);
    if let Some(how) = &proof.hashed {
        let records = records(source.count);
        let how = escape::line(how);
        say(
            out,
            format_args!("    {records} on both sides, not read: {how} agree"),
        );
    } else if source == target {
        let records = records(source.count);
        say(
            out,
            format_args!("    {records} on both sides, digest {source}"),
        );
    } else {
        for (label, fold) in [("source", source), ("target", target)] {
            let records = records(fold.count);
            say(out, format_args!("    {label} {records}, digest {fold}"));
        }
    }
    if proof.only_target + proof.wrong + proof.parked + proof.open > 0 {
        let open = match proof.open {
            0 => String::new(),
            open => format!(", in open conflict {}", count(BAD, "", open)),
        };
        say(
            out,
            format_args!(
                "    only at the target {}, wrong {}, parked {}{open}",
                proof.only_target,
                count(BAD, "", proof.wrong),
                count(WAITS, "", proof.parked)
            ),
        );
    }
    write_rules(&proof.rules, out);
}

/// A folder's position names each file: the whole stands in the JSON form.
fn shortened(position: &str) -> String {
    match position.char_indices().nth(POSITION_SHOWN_MAX) {
        Some((end, _)) => format!("{} ...", &position[..end]),
        None => position.to_owned(),
    }
}

/// Counts the fields whose every value fits, and names the others, those of one rule together. All of them stand in
/// the JSON form.
fn write_rules(rules: &[String], out: &mut String) {
    let mut exact = 0_usize;
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in rules {
        let (field, types) = rule.split_once(": ").unwrap_or(("", rule));
        let arrow = [" -> ", " <-> "]
            .into_iter()
            .find_map(|arrow| types.split_once(arrow));
        let target = arrow.map_or(types, |(_, target)| target);
        let fit = target.split_once(" (").map_or(target, |(_, fit)| fit);
        let fit = fit.strip_suffix(')').unwrap_or(fit);
        // Both ways: fields of one type, whatever that is.
        if fit == "exact" || fit == "as any" {
            exact += 1;
        } else if let Some((_, fields)) = groups.iter_mut().find(|(known, _)| *known == fit) {
            fields.push(field);
        } else {
            groups.push((fit, vec![field]));
        }
    }
    let count = |count: usize| {
        if count == 1 {
            "1 field".to_owned()
        } else {
            format!("{count} fields")
        }
    };
    if exact > 0 {
        say(out, format_args!("    {} exact", count(exact)));
    }
    for (fit, fields) in groups {
        let names = escape::line(&fields.join(", "));
        say(
            out,
            format_args!("    {} {}: {names}", count(fields.len()), escape::line(fit)),
        );
    }
}
