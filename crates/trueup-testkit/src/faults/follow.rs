//! The log and the transaction under a script.

use super::subset::key_of;
use super::{Faults, IDLE_CALLS, Step, failure};
use std::time::Duration;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{Mark, Outcome, Position, Writes};
use trueup_core::error::{Kind, Result};
use trueup_core::follow::{Backlog, Changes, Log, Told, Transaction};
use trueup_core::schema::Schema;

/// Puts a log under a script.
pub(super) fn log(faults: Faults, inner: Box<dyn Log>) -> Box<dyn Log> {
    Box::new(FaultyLog {
        faults,
        inner,
        idle: 0,
    })
}

/// Puts a transaction under a script.
pub(super) fn transaction<'a>(
    faults: Faults,
    inner: Box<dyn Transaction + 'a>,
) -> Box<dyn Transaction + 'a> {
    Box::new(FaultyTransaction { faults, inner })
}

struct FaultyLog {
    faults: Faults,
    inner: Box<dyn Log>,
    idle: u32,
}

impl Log for FaultyLog {
    fn start(&self) -> Position {
        self.inner.start()
    }

    fn next(&mut self, piece: &mut Changes, wait: Duration) -> Result<Told> {
        self.faults.pass(Step::Told)?;
        let told = self.inner.next(piece, wait)?;
        self.idle = if told == Told::Nothing {
            self.idle + 1
        } else {
            0
        };
        if u64::from(self.idle) >= IDLE_CALLS && self.faults.lock().idle_ends {
            return Err(failure(Kind::Interrupted, Step::Told));
        }
        Ok(told)
    }

    fn seen(&self, snapshot: &Position) -> Result<bool> {
        self.inner.seen(snapshot)
    }

    fn durable(&mut self, position: &Position) {
        self.inner.durable(position);
    }

    fn backlog(&mut self) -> Result<Backlog> {
        self.inner.backlog()
    }
}

struct FaultyTransaction<'a> {
    faults: Faults,
    inner: Box<dyn Transaction + 'a>,
}

impl Transaction for FaultyTransaction<'_> {
    fn write(&mut self, writes: &Writes<'_>) -> Result<Vec<Outcome>> {
        self.faults.pass(Step::Write)?;
        let refused = |index: usize| {
            let script = self.faults.lock();
            let key = key_of(writes, index);
            let mut all = script.refused.iter();
            all.any(|(c, k)| *c == writes.schema.collection && *k == key)
        };
        // One by one: what is refused leaves no trace.
        let mut outcomes = Vec::new();
        for index in 0..writes.ops.len() {
            if refused(index) {
                outcomes.push(Outcome::Rejected {
                    reason: "the script refuses it".to_owned(),
                    blocked: false,
                });
                continue;
            }
            let mut records = Batch::new(writes.records.width());
            records.push_record(writes.records.record(index));
            let one = Writes {
                ops: &writes.ops[index..=index],
                records: &records,
                ..*writes
            };
            outcomes.extend(self.inner.write(&one)?);
        }
        Ok(outcomes)
    }

    fn amend(&mut self, writes: &Writes<'_>, before: Option<&Batch>) -> Result<Vec<Outcome>> {
        self.faults.pass(Step::Write)?;
        self.inner.amend(writes, before)
    }

    fn clear(&mut self, schema: &Schema) -> Result<()> {
        self.faults.pass(Step::Write)?;
        self.inner.clear(schema)
    }

    fn commit(self: Box<Self>, mark: &Mark) -> Result<()> {
        self.faults.pass(Step::Commit)?;
        self.inner.commit(mark)?;
        // The answer to a commit may be lost after it was carried out.
        self.faults
            .pass(Step::Committed)
            .map(drop)
            .map_err(|_| failure(Kind::Unavailable, Step::Committed))
    }
}
