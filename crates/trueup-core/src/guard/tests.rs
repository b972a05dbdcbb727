//! Cases: records at the target, planned inserts and deletes, stopped or not.

use super::*;
use crate::plan::Counts;

fn plan(target_records: u64, inserts: u64, deletes: u64) -> CollectionPlan {
    CollectionPlan {
        source: "a".into(),
        target: "a".into(),
        fields: vec!["id".into()],
        key: vec![0],
        create: None,
        load: None,
        counts: Counts {
            inserts,
            updates: 0,
            deletes,
        },
        target_records,
        left_alone: 0,
        parked: 0,
    }
}

#[test]
fn stops_what_looks_like_an_accident_and_nothing_else() {
    for (records, inserts, deletes, stopped, why) in [
        (10, 0, 10, false, "a collection of ten may be emptied"),
        (11, 0, 11, true, "a collection of eleven may not"),
        (
            11,
            11,
            11,
            false,
            "a full exchange of eleven empties nothing",
        ),
        (1000, 0, 100, false, "a hundred deletes are always allowed"),
        (1000, 0, 200, false, "exactly 20 % is allowed"),
        (1000, 0, 201, true, "more than 20 % is not"),
        (400, 0, 101, true, "25 % and more than a hundred"),
        (100, 0, 99, false, "99 % but fewer than a hundred and one"),
        (0, 0, 0, false, "an empty plan on an empty target"),
    ] {
        let judged = Guard::default().judge(&plan(records, inserts, deletes));
        assert_eq!(judged.is_err(), stopped, "{why}");
        if let Err(error) = judged {
            assert_eq!(error.kind(), Kind::Guard);
        }
    }
}
