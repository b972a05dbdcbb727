use super::{By, Memory, Sabotage};
use crate::owned::Owned;
use crate::record;
use crate::records::{Writing, schema};
use trueup_core::endpoint::{Claim, Endpoint, Op, Outcome};
use trueup_core::error::Kind;

fn orders() -> Memory {
    let memory = Memory::new("orders");
    memory.create(
        schema("orders")
            .int("id")
            .text("name")
            .key(["id"])
            .unique(["name"]),
    );
    memory
}

fn claim() -> Claim {
    Claim {
        link: "link".to_owned(),
        incarnation: "i".to_owned(),
    }
}

#[test]
fn outsider_inserts_updates_and_deletes_and_the_log_says_so() {
    let memory = orders();
    memory.insert("orders", &record![1, "one"]);
    assert!(memory.update("orders", &record![1], &[("name", "uno".into())]));
    assert!(!memory.update("orders", &record![2], &[("name", "due".into())]));
    assert_eq!(memory.records("orders"), vec![record![1, "uno"]]);
    assert!(memory.delete("orders", &record![1]));
    assert!(!memory.delete("orders", &record![1]));
    let ops: Vec<Op> = memory.log().iter().map(|change| change.op).collect();
    assert_eq!(ops, [Op::Insert, Op::Update, Op::Delete]);
    assert!(memory.log().iter().all(|change| change.by == By::Outsider));
}

#[test]
fn world_outlives_its_clients_and_counts_applications() {
    let memory = orders();
    let mut endpoint = memory.open();
    let schema = endpoint.schema("orders").unwrap().unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    let writing = Writing::new(&schema, 7).insert(&record![1, "one"]);
    for _ in 0..2 {
        let applied = writing.apply(writer.as_mut()).unwrap();
        assert!(applied.durable);
    }
    drop((writer, endpoint));
    assert_eq!(memory.records("orders"), vec![record![1, "one"]]);
    assert_eq!(memory.applied("link", "orders", 7), 2);
    assert_eq!(
        memory.log().len(),
        1,
        "the second application changed nothing"
    );
    assert_eq!(memory.marker("link", "orders").unwrap().batch, 7);
}

#[test]
fn backup_restores_content_epochs_and_markers() {
    let memory = orders();
    let backup = memory.backup();
    let mut endpoint = memory.open();
    let schema = endpoint.schema("orders").unwrap().unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    Writing::new(&schema, 1)
        .insert(&record![1, "one"])
        .apply(writer.as_mut())
        .unwrap();
    memory.restore(&backup);
    assert_eq!(memory.records("orders"), Vec::<Vec<Owned>>::new());
    assert_eq!(memory.marker("link", "orders"), None);
    assert_eq!(memory.epoch("link"), 0);
}

#[test]
fn sabotage_takes_away_one_protection_each() {
    let memory = orders();
    let mut endpoint = memory.open();
    let schema = endpoint.schema("orders").unwrap().unwrap();
    let mut old = endpoint.writer(&claim()).unwrap();
    let mut new = endpoint.writer(&claim()).unwrap();
    let writing = Writing::new(&schema, 1).insert(&record![1, "one"]);
    assert_eq!(writing.apply(old.as_mut()).unwrap_err().kind(), Kind::Stale);
    memory.sabotage(Sabotage {
        no_epoch_check: true,
        ..Sabotage::default()
    });
    writing.apply(old.as_mut()).unwrap();
    assert_eq!(memory.marker("link", "orders").unwrap().epoch, 1);
    memory.sabotage(Sabotage {
        no_marker: true,
        ..Sabotage::default()
    });
    Writing::new(&schema, 2).apply(new.as_mut()).unwrap();
    assert_eq!(memory.marker("link", "orders").unwrap().batch, 1);
}

#[test]
fn unique_value_is_free_again_once_its_record_is_gone() {
    let memory = orders();
    memory.insert("orders", &record![1, "one"]);
    let mut endpoint = memory.open();
    let schema = endpoint.schema("orders").unwrap().unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    let taken = Writing::new(&schema, 1).insert(&record![2, "one"]);
    let outcomes = taken.apply(writer.as_mut()).unwrap().outcomes;
    assert!(
        matches!(&outcomes[0], Outcome::Rejected { blocked: true, .. }),
        "{outcomes:?}"
    );
    memory.delete("orders", &record![1]);
    let outcomes = taken.apply(writer.as_mut()).unwrap().outcomes;
    assert_eq!(outcomes, [Outcome::Applied(None)]);
}
