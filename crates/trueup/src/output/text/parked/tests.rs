//! Parked records in the report of a run.

use crate::output::style::plain;
use crate::output::tests::{parked, report};
use crate::output::text;
use trueup_core::park::Place;

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
