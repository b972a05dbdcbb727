//! Both ways, when a side, the state or a collection is not what it was: nothing is lost and nothing deleted.

use super::two_way::{crew, joined, people, remove, set};
use trueup_core::Kind;
use trueup_core::policy::Policy;
use trueup_core::schema::Schema;
use trueup_core::side::Side;
use trueup_testkit::Owned;
use trueup_testkit::record;

#[test]
fn restored_side_loses_nothing_and_deletes_nothing() {
    let pair = joined(Policy::Manual, &crew());
    let backup = pair.target.backup();
    set(&pair.source, 1, "name", "anna");
    pair.target.insert("people", &record![4, "dan", "d@x"]);
    remove(&pair.source, 3);
    pair.settle();
    pair.target.restore(&backup);
    let report = pair.run().unwrap();
    // The restored side's old name meets the new one: a join conflict. The deleted record is back: nothing says that
    // the backup was not restored for it.
    assert_eq!(report.exit_code(), 1);
    assert_eq!(report.collections[0].deleted, 0);
    assert_eq!(pair.conflicts().last().unwrap().kind.name(), "join");
    let names: Vec<_> = pair
        .source
        .records("people")
        .iter()
        .map(|r| r[0].clone())
        .collect();
    assert_eq!(names, [1.into(), 2.into(), 3.into(), 4.into()]);
    assert!(!report.notes.is_empty());
}

/// Only the seal tells: since that moment the side was read, and no batch was written to it.
#[test]
fn side_put_back_to_before_it_was_read_is_noticed() {
    let pair = joined(Policy::Manual, &crew());
    let backup = pair.target.backup();
    pair.target.insert("people", &record![4, "dan", "d@x"]);
    pair.settle();
    pair.target.restore(&backup);
    let report = pair.settle();
    assert_eq!(report.collections[0].deleted, 0);
    assert_eq!(pair.source.records("people").len(), 4);
    assert!(!report.notes.is_empty());
}

#[test]
fn lost_state_joins_again() {
    let mut pair = joined(Policy::Manual, &crew());
    remove(&pair.source, 1);
    pair.state = "another";
    let report = pair.settle();
    assert_eq!(report.collections[0].deleted, 0);
    assert_eq!(pair.source.records("people"), crew());
}

/// Dropping a table deletes no record of it: not below the guard's limits either.
#[test]
fn dropped_collection_is_joined_again() {
    for side in Side::BOTH {
        let pair = joined(Policy::Manual, &crew());
        let (dropped, left) = match side {
            Side::Source => (&pair.source, &pair.target),
            Side::Target => (&pair.target, &pair.source),
        };
        dropped.drop_collection("people");
        let (plan, _) = pair.plan().unwrap();
        assert!(!plan.contains("delete id"), "{plan}");
        let report = pair.settle();
        assert_eq!((report.collections[0].deleted, report.notes.len()), (0, 1));
        assert_eq!(left.records("people"), crew());
    }
}

/// An edit at the other side does not make an emptied one less suspicious.
#[test]
fn emptied_side_is_noticed_although_the_other_was_edited() {
    let records: Vec<Vec<Owned>> = (0..20_i64).map(|id| record![id, "n", "m"]).collect();
    let pair = joined(Policy::Manual, &records);
    pair.target.clear("people");
    set(&pair.source, 3, "name", "edited");
    assert_eq!(pair.run().unwrap_err().kind(), Kind::Guard);
    assert_eq!(pair.source.records("people").len(), 20);
}

/// Row level security: what this user may not see was not deleted.
#[test]
fn side_that_may_hide_records_is_refused() {
    let pair = joined(Policy::Manual, &crew());
    pair.target.drop_collection("people");
    pair.target.create(Schema {
        partial: true,
        ..people()
    });
    let error = pair.run().unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(error.to_string().starts_with("target: "), "{error}");
    assert_eq!(pair.source.records("people"), crew());
}
