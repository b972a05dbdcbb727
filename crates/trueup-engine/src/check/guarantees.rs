//! Which promises hold for a pair of endpoints, and why others do not.
//!
//! The words of the promises and the tests that hold them stand in `docs/guarantees.md`; this table repeats their
//! numbers and says them in a line each. A test holds the two together.

use trueup_core::endpoint::{About, Class};
use trueup_core::side::Sides;

/// Whether a promise holds for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it is written.
    Holds,
    /// As far as this says.
    Partly(&'static str),
    /// It does not, for this reason.
    Fails(&'static str),
}

/// A promise, and whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Its number in `docs/guarantees.md`.
    pub id: &'static str,
    /// What it says, in a line.
    pub text: &'static str,
    /// Whether it holds.
    pub standing: Standing,
}

/// Number, words, and whether it is about links that go both ways only.
const PROMISES: [(&str, &str, bool); 17] = [
    (
        "G1",
        "both sides become equal, by an independent comparison",
        false,
    ),
    ("G2", "no write that was observed is lost silently", false),
    ("G3", "what was deleted does not come back", true),
    (
        "G4",
        "repeating changes nothing; a second run plans no write",
        false,
    ),
    (
        "G5",
        "a checkpoint never stands before what is durable",
        false,
    ),
    ("G6", "a killed run is continued by the next one", false),
    ("G7", "an engine that was overtaken is refused", false),
    ("G8", "a record never goes back in time", false),
    ("G9", "a batch is applied whole or not at all", false),
    ("G11", "every record that was read is accounted for", false),
    (
        "G12",
        "a plan that deletes suspiciously much is stopped",
        false,
    ),
    (
        "G13",
        "a value arrives exactly, or its record is parked",
        false,
    ),
    ("G14", "what --dry-run prints is what is carried out", false),
    ("G15", "verify finds a single wrong record", false),
    (
        "G22",
        "nothing that trueup wrote comes back as a change",
        true,
    ),
    (
        "G23",
        "every conflict is on record, with both records",
        true,
    ),
    ("G25", "a ring of two-way links is refused", true),
];

/// Says what a class means, in a line.
pub fn meaning(class: Class) -> &'static str {
    match class {
        Class::Transactional => "writes and their marker commit together",
        Class::Conditional => "a write names what it replaces; there are no transactions",
        Class::Blind => "batches carry no marker, and nothing keeps another engine out",
    }
}

/// Judges every promise for a link. `hidden` says that a side does not show this user all of its records.
pub(super) fn promises(about: &Sides<&About>, two_way: bool, hidden: bool) -> Vec<Promise> {
    let written = if two_way {
        weaker(about.source.class, about.target.class)
    } else {
        about.target.class
    };
    let concerns = PROMISES.iter().filter(|(_, _, both)| two_way || !both);
    concerns
        .map(|&(id, text, _)| Promise {
            id,
            text,
            standing: standing(id, written, hidden),
        })
        .collect()
}

fn weaker(one: Class, other: Class) -> Class {
    match (one, other) {
        (Class::Blind, _) | (_, Class::Blind) => Class::Blind,
        (Class::Conditional, _) | (_, Class::Conditional) => Class::Conditional,
        (Class::Transactional, Class::Transactional) => Class::Transactional,
    }
}

fn standing(id: &str, written: Class, hidden: bool) -> Standing {
    match (id, written) {
        ("G1", _) if hidden => {
            Standing::Partly("for the records that row level security lets this user see")
        }
        ("G7", Class::Conditional) => Standing::Partly(
            "a file that changed since it was read is not replaced; there is no epoch",
        ),
        ("G9", Class::Conditional) => Standing::Partly("one file at a time, each replaced whole"),
        ("G7", Class::Blind) => Standing::Fails("the target keeps no epoch"),
        ("G8", Class::Blind) => {
            Standing::Partly("while a single engine runs the link; the target keeps no epoch")
        }
        ("G9", Class::Blind) => {
            Standing::Fails("the target keeps no marker that says whether a batch was applied")
        }
        _ => Standing::Holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the document, without those that are planned.
    fn documented() -> Vec<String> {
        let text = include_str!("../../../../docs/guarantees.md");
        let rows = text.lines().filter(|line| line.starts_with("| G"));
        let kept = rows.filter(|line| !line.ends_with("| planned |"));
        kept.filter_map(|line| line.split('|').nth(1))
            .map(|id| id.trim().to_owned())
            .collect()
    }

    #[test]
    fn table_and_document_know_the_same_promises() {
        let ours: Vec<&str> = PROMISES.iter().map(|(id, _, _)| *id).collect();
        assert_eq!(documented(), ours);
    }

    #[test]
    fn class_decides() {
        for (class, hidden, expected) in [
            (Class::Transactional, false, ""),
            (Class::Transactional, true, "G1"),
            (Class::Conditional, false, "G7 G9"),
            (Class::Blind, false, "G7 G8 G9"),
        ] {
            let less = PROMISES
                .iter()
                .filter(|(id, _, _)| standing(id, class, hidden) != Standing::Holds)
                .map(|(id, _, _)| *id);
            assert_eq!(less.collect::<Vec<_>>().join(" "), expected, "{class:?}");
        }
        assert_eq!(weaker(Class::Transactional, Class::Blind), Class::Blind);
        assert_eq!(
            weaker(Class::Conditional, Class::Transactional),
            Class::Conditional
        );
    }
}
