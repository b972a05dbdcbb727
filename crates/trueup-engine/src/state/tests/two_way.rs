//! The two-way part as a run uses it: seals, base, intents, conflicts, answers.

use super::*;
use trueup_core::base::{Base, FieldDigest, Held, Present};
use trueup_core::batch::Batch;
use trueup_core::conflict::{Conflict, ConflictKind, FieldRuling, Resolution, Ruling};
use trueup_core::policy::Policy;
use trueup_core::side::{Side, Sides};
use trueup_core::value::Value;

mod conflicts;
mod copies;
mod crash;
mod damage;
mod journey;
mod kept;
mod refused;

fn ends() -> Ends {
    Ends {
        identity: Sides::new("file:a".to_owned(), "pg:b".to_owned()),
        address: Sides::new("sqlite:a.db".to_owned(), "postgres://b/shop".to_owned()),
    }
}

fn token(number: u8) -> Token {
    Token([number; 16])
}

fn names() -> Sides<String> {
    Sides::new("planes".to_owned(), "aircraft".to_owned())
}

fn fields() -> Sides<Vec<String>> {
    let list = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    Sides::new(list(["id", "name"]), list(["id", "label"]))
}

const SHAPE: &str = "id int64, name text; key id";

/// An entry whose digest is `number` on both sides.
fn agreed(number: u64) -> Base {
    let fields = [FieldDigest(number), FieldDigest(number)];
    let held = || Held {
        digest: Digest(number.into()),
        fields: &fields,
        version: None,
    };
    Base::Present(Present::new(Sides::by(|_| held()), 1))
}

fn record(id: i64, name: &str) -> Batch {
    let mut batch = Batch::new(2);
    batch.push(Value::Int(id));
    batch.push(Value::Text(name));
    batch
}

fn ruling(kind: ConflictKind, resolution: Resolution) -> Ruling {
    Ruling {
        kind,
        fields: vec![FieldRuling {
            field: 1,
            policy: Some(Policy::Manual),
            resolution,
        }],
        resolution,
    }
}

/// A conflict about the key, with the names that the sides gave it.
fn conflict(key: &str, resolution: Resolution, source: &str, target: &str) -> Conflict {
    let records = Sides::new(record(1, source), record(1, target));
    Conflict::new(
        "planes",
        key.as_bytes(),
        ruling(ConflictKind::UpdateUpdate, resolution),
        records.as_ref().map(|batch| Some(batch.record(0))),
    )
}

fn item(key: &str, base: Base) -> Pending {
    Pending {
        key: key.into(),
        base,
        kept: None,
        conflict: None,
    }
}

fn moved(key: impl Into<Vec<u8>>, base: Base) -> Move {
    Move {
        key: key.into(),
        base,
        kept: None,
    }
}

fn deciding(key: &str, base: Base, result: Option<Digest>) -> Pending {
    let decided = conflict(key, Resolution::Side(Side::Source), "ours", "theirs");
    Pending {
        conflict: Some(DecidedConflict {
            conflict: decided,
            result,
            record: None,
        }),
        ..item(key, base)
    }
}

/// The values of a record, as they are kept.
fn values(name: &str) -> Option<Vec<u8>> {
    Some(encode_record(record(1, name).record(0)))
}

fn all(store: &Store, collection: CollectionId) -> Vec<(String, Base)> {
    let entries = store.base(collection, None, usize::MAX).unwrap();
    let text = |entry: BaseEntry| (String::from_utf8(entry.key).unwrap(), entry.base);
    entries.into_iter().map(text).collect()
}

fn entry(key: &str, base: Base) -> (String, Base) {
    (key.to_owned(), base)
}

/// A store with a run under way and one collection opened.
struct Scene {
    store: Store,
    link: LinkId,
    run: RunId,
    planes: CollectionId,
}

impl Scene {
    fn new(store: Store) -> Self {
        Self::again(store, 1_000)
    }

    fn again(mut store: Store, now_ms: i64) -> Self {
        let link = link("pair");
        let run = store.begin(&link, now_ms).unwrap();
        store.pair(&link, &ends(), false).unwrap();
        let (row, changed) = store
            .collection(&link, &names(), SHAPE, &fields(), &[0])
            .unwrap();
        assert!(!changed);
        Self {
            store,
            link,
            run,
            planes: row.id,
        }
    }

    fn in_memory() -> Self {
        Self::new(Store::in_memory("ours").unwrap())
    }

    fn row(&mut self) -> CollectionRow {
        self.store
            .collection(&self.link, &names(), SHAPE, &fields(), &[0])
            .unwrap()
            .0
    }

    fn pair(&mut self) -> Pair {
        self.store.pair(&self.link, &ends(), false).unwrap()
    }

    fn intend(&mut self, side: Side, number: u8, items: Vec<Pending>) -> Result<Intent> {
        let (run, planes) = (self.run, self.planes);
        self.store
            .intend(&self.link, run, planes, side, token(number), items)
    }

    fn open(&mut self, conflict: &Conflict, now_ms: i64) -> Result<()> {
        self.store
            .open_conflict(&self.link, self.run, self.planes, conflict, None, now_ms)
    }

    fn conflicts(&self) -> Vec<PastConflict> {
        self.store.conflicts(&ConflictFilter::default()).unwrap()
    }

    /// Number and decision of every conflict that is listed.
    fn decisions(&self) -> Vec<(i64, String)> {
        let both = |conflict: PastConflict| (conflict.id.0, conflict.decision);
        self.conflicts().into_iter().map(both).collect()
    }
}

/// Begins a run and leaves a batch of `count` conflicts on its way.
pub(super) fn intend(store: Store, count: usize) -> Store {
    let mut scene = Scene::new(store);
    let item = |index| deciding(&format!("key-{index}"), agreed(index as u64), None);
    let items = (0..count).map(item).collect();
    scene.intend(Side::Target, 1, items).unwrap();
    scene.store
}

/// How many conflicts are listed.
pub(super) fn listed(store: &Store) -> usize {
    store.conflicts(&ConflictFilter::default()).unwrap().len()
}

/// Carries out in a run of its own what [`intend`] left, and tells how many conflicts are listed then.
pub(super) fn finalise(store: Store) -> usize {
    let mut scene = Scene::again(store, 2_000);
    assert!(scene.store.was_interrupted(&scene.link).unwrap());
    let (link, planes) = (scene.link.clone(), scene.planes);
    let intent = scene.row().intents.target.expect("it was left");
    scene
        .store
        .finalise(&link, planes, Side::Target, &intent, &|_| true)
        .unwrap();
    listed(&scene.store)
}
