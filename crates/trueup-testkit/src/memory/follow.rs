//! The change log of a world in memory, told as a source tells its own.
//!
//! Each commit is a transaction. It is as unhelpful as the contract allows: values that an update did not change are told
//! as unchanged when a test asks for that, pieces are cut wherever they may be, and a world that was restored has lost
//! what came after.

use super::{Change, Memory};
use crate::owned::Owned;
use std::time::Duration;
use trueup_core::endpoint::{Op, Position};
use trueup_core::error::{Error, Result};
use trueup_core::follow::{self, Backlog, Changes, FollowRequest, Log, Opened, Told};
use trueup_core::value::Value;

/// A collection that is followed.
#[derive(Debug)]
struct Followed {
    collection: String,
    fields: Vec<usize>,
    key: Vec<usize>,
    shape: trueup_core::schema::Schema,
}

#[derive(Debug)]
struct MemoryLog {
    memory: Memory,
    followed: Vec<Followed>,
    start: Position,
    /// The change that is told next, by its place in the world's log.
    next: usize,
    /// The transaction that is being told.
    open: Option<Position>,
    changes_max: usize,
}

/// Opens the log from the wanted position on.
pub(super) fn open(memory: &Memory, request: &FollowRequest<'_>) -> Result<Opened> {
    let world = memory.lock();
    let start = request.from.cloned().unwrap_or_else(|| world.position());
    let at = number(&start)?;
    if at > world.position || at < world.forgotten {
        return Ok(Opened::Lost("the log does not reach there".to_owned()));
    }
    let behind = |change: &Change| number(&change.position).is_ok_and(|one| one > at);
    let told = world.log.iter().skip(world.past).position(behind);
    let next = told.map_or(world.log.len(), |told| world.past + told);
    drop(world);
    let followed = request.collections.iter().map(|one| Followed {
        collection: one.schema.collection.clone(),
        fields: one.fields.to_vec(),
        key: one.key.to_vec(),
        shape: one.schema.clone(),
    });
    Ok(Opened::Log(Box::new(MemoryLog {
        memory: memory.clone(),
        followed: followed.collect(),
        start,
        next,
        open: None,
        changes_max: request.changes_max,
    })))
}

/// The number in a position of a world in memory.
fn number(position: &Position) -> Result<u64> {
    let number = position
        .0
        .strip_prefix("memory:")
        .and_then(|number| number.parse().ok());
    number.ok_or_else(|| {
        Error::config("the position is not one of a world in memory").hint("begin without one")
    })
}

impl MemoryLog {
    fn record(
        &self,
        one: &Followed,
        record: &[Owned],
        before: Option<&[Owned]>,
        into: &mut Changes,
    ) {
        let lazy = self.memory.lock().lazy;
        for (place, &field) in one.fields.iter().enumerate() {
            let same = before.is_some_and(|before| before[field] == record[field]);
            let left_out = lazy && same && !one.key.contains(&place);
            into.records.push(if left_out {
                Value::Unchanged
            } else {
                record[field].value()
            });
        }
    }

    fn tell(&self, one: &Followed, change: &Change, into: &mut Changes) {
        let key = |record: &[Owned]| -> Vec<Owned> {
            let fields = one.key.iter().map(|&place| one.fields[place]);
            fields.map(|field| record[field].clone()).collect()
        };
        match (change.op, &change.before, &change.after) {
            (Op::Delete, Some(before), _) => {
                into.changes.push(follow::Change::Delete);
                self.record(one, before, None, into);
            }
            (_, Some(before), Some(after)) if key(before) != key(after) => {
                into.changes.push(follow::Change::Rekey);
                self.record(one, before, None, into);
                self.record(one, after, Some(before), into);
            }
            (_, Some(before), Some(after)) => {
                into.changes.push(follow::Change::Update);
                self.record(one, after, Some(before), into);
            }
            (_, None, Some(after)) => {
                into.changes.push(follow::Change::Insert);
                self.record(one, after, None, into);
            }
            (_, _, None) => {}
        }
    }
}

impl Log for MemoryLog {
    fn start(&self) -> Position {
        self.start.clone()
    }

    fn next(&mut self, piece: &mut Changes, _wait: Duration) -> Result<Told> {
        loop {
            let change = self.memory.lock().log.get(self.next).cloned();
            let same = change
                .as_ref()
                .is_some_and(|change| Some(&change.position) == self.open.as_ref());
            if !same && let Some(position) = self.open.take() {
                return Ok(Told::Commit {
                    position,
                    at_us: Some(0),
                });
            }
            let Some(change) = change else {
                return Ok(Told::Nothing);
            };
            let at = self
                .followed
                .iter()
                .position(|one| one.collection == change.collection);
            let Some(at) = at else {
                self.next += 1;
                continue;
            };
            let one = &self.followed[at];
            let record = change.after.as_ref().or(change.before.as_ref());
            let fits = record.is_some_and(|record| record.len() == one.shape.fields.len());
            if !fits || self.memory.schema(&one.collection).as_ref() != Some(&one.shape) {
                return Ok(Told::Reshaped(at));
            }
            piece.reset(one.fields.len());
            let mut more = self.next;
            while piece.changes.len() < self.changes_max.max(1) {
                let next = self.memory.lock().log.get(more).cloned();
                let Some(next) = next else { break };
                if next.position != change.position || next.collection != change.collection {
                    break;
                }
                self.tell(one, &next, piece);
                more += 1;
            }
            self.next = more;
            self.open = Some(change.position);
            return Ok(Told::Changes(at));
        }
    }

    fn seen(&self, snapshot: &Position) -> Result<bool> {
        let Some(open) = &self.open else {
            return Err(Error::bug("no transaction is being told"));
        };
        Ok(number(open)? <= number(snapshot)?)
    }

    fn durable(&mut self, position: &Position) {
        if let Ok(at) = number(position) {
            let mut world = self.memory.lock();
            world.acknowledged = world.acknowledged.max(at);
        }
    }

    fn backlog(&mut self) -> Result<Backlog> {
        let world = self.memory.lock();
        Ok(Backlog {
            kept_bytes: Some(world.position - world.acknowledged.min(world.position)),
            untold_bytes: None,
        })
    }
}
