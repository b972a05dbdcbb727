//! Parked records in the report of a run.

use crate::output::style::plain;
use crate::output::tests::{parked, report};
use crate::output::text;
use crate::parked::Again;
use trueup_core::park::Place;
use trueup_engine::state::{ParkedRecord, RunId};

#[test]
fn parked_records_are_listed_up_to_ten() {
    let mut found = report();
    found.equal = false;
    found.collections[0].parked = vec![parked(Some("qty")); 12];
    found.collections[0].parked[0] = parked(None);
    let shown = plain(&text::synced(&found, crate::output::Way::default()));
    let lines: Vec<&str> = shown.lines().filter(|line| line.contains("key=")).collect();
    assert_eq!(lines.len(), 10);
    let key = "00000000000000000000000000000007";
    assert_eq!(
        lines[0],
        format!("  orders -> purchases key={key}: out of range")
    );
    assert_eq!(
        lines[1],
        format!("  orders -> purchases key={key} field=qty: out of range")
    );
    found.collections[0].parked[0].key_text = Some("id=3 region='north'".to_owned());
    found.collections[0].parked[0].place = Some(Place {
        file: "shop/orders.csv".into(),
        line: 17,
    });
    assert!(
        plain(&text::synced(&found, crate::output::Way::default())).contains(
            "  orders -> purchases id=3 region='north' file=shop/orders.csv line=17: out of range\n"
        )
    );
    assert!(shown.contains("\nparked: 12\n") && shown.contains("\n  ... and 2 more\n"));
    assert!(shown.ends_with("\nparked records remain\n"));
}

fn record(link: &str, reason: &str) -> ParkedRecord {
    let mut parked = parked(Some("id"));
    reason.clone_into(&mut parked.reason);
    ParkedRecord {
        id: 1,
        link: link.to_owned(),
        link_name: format!("{link}:a -> {link}:b"),
        collection: "orders".to_owned(),
        parked,
        run: RunId(1),
        said: None,
        first_run: None,
        first_ms: None,
    }
}

#[test]
fn what_is_said_to_do_fits_the_reason_and_the_link() {
    let command = || Again::Command("trueup parked retry a b".to_owned());
    for (reason, again, expected) in [
        (
            "the key is null",
            Again::NextRun,
            "\ngive the record a key at its source; the link's next run tries it again\n",
        ),
        (
            "out of range",
            Again::NextRun,
            "leave it out; the link's next run tries it again\n",
        ),
        (
            "out of range",
            Again::WithOptions("trueup parked retry a b".to_owned()),
            "was run with (--key and the like):\n  trueup parked retry a b\n",
        ),
    ] {
        let shown = text::parked::show(&[record("x", reason)], &[again]);
        assert!(plain(&shown).ends_with(expected), "{shown}");
    }
    let (one, other) = (record("x", "late"), record("y", "late"));
    for (records, again, expected) in [
        (
            [one.clone(), one.clone()],
            [command(), command()],
            "to try them again, and nothing else:\n  trueup parked retry a b\n",
        ),
        (
            [one.clone(), other.clone()],
            [command(), Again::NextRun],
            "trueup parked show ID has the command that tries a record again, or says that a run of its link does\n",
        ),
        (
            [one, other],
            [Again::NextRun, Again::NextRun],
            "each run of its link tries a record again\n",
        ),
    ] {
        let shown = text::parked::list(&records, &again);
        assert!(
            plain(&shown).ends_with(&format!("\n\n{expected}")),
            "{shown}"
        );
    }
}
