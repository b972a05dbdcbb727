//! Writes the records of one batch, inside the batch's transaction.
//!
//! Invariant: every record ends with an outcome, and a refused one leaves no trace: each attempt is a savepoint,
//! and a part that fails is halved until the refused records stand alone. Order within the batch is kept, and
//! records that others stood in the way of are tried again once those are written.

mod bag;
mod condition;

use super::connect::{Connection, column};
use super::error;
use super::references::References;
use super::stage::{Act, CHANGED, Encoded, Statements};
use super::stream::{COPY_BYTES, Stream, copy_in};
use bytes::Bytes;
use tokio_postgres::SimpleQueryMessage;
use trueup_core::endpoint::{Op, Outcome, Writes};
use trueup_core::{Error, Result};

/// How often records that others stood in the way of are tried again within their batch.
const BLOCKED_ROUNDS_MAX: usize = 8;

/// Why some records could not be written together.
#[derive(Debug)]
struct Failure {
    reason: String,
    blocked: bool,
    /// The violated constraint.
    constraint: Option<String>,
}

type Attempt = std::result::Result<Outcome, Failure>;

/// Writes the records of a batch and returns their outcomes. A refused record is an outcome, not an error. `None`, with
/// nothing written, where the table is `keyless` so far and the records cannot be loaded as they are. `dirty` says that the
/// temporary table holds records of an earlier batch of the same transaction.
pub(super) fn records(
    connection: &Connection,
    statements: &Statements,
    writes: &Writes<'_>,
    (keyless, dirty): (bool, bool),
) -> Result<Option<Vec<Outcome>>> {
    let mut work = Work {
        connection,
        statements,
        encoded: Encoded::default(),
        outcomes: vec![Outcome::Unknown; writes.ops.len()],
        dirty,
        checked: writes.check.is_some(),
        references: References::default(),
    };
    let loaded = writes.load && work.load(writes)?;
    if !loaded && keyless {
        return Ok(None);
    }
    if !loaded {
        work.run(writes)?;
    }
    Ok(Some(work.outcomes))
}

/// One batch being written.
struct Work<'a> {
    connection: &'a Connection,
    statements: &'a Statements,
    encoded: Encoded,
    outcomes: Vec<Outcome>,
    /// Whether the temporary table holds records of an earlier attempt.
    dirty: bool,
    checked: bool,
    /// Who would notice a removal; asked before a conditional one.
    references: References,
}

impl Work<'_> {
    fn run(&mut self, writes: &Writes<'_>) -> Result<()> {
        self.encoded = Encoded::new(writes, &self.statements.columns);
        let mut part = Vec::with_capacity(writes.ops.len());
        for (index, &op) in writes.ops.iter().enumerate() {
            match self.encoded.refusal(index) {
                Some(refusal) => {
                    self.settle(
                        index,
                        Outcome::Rejected {
                            reason: refusal.0.clone(),
                            blocked: false,
                        },
                    );
                }
                None => part.push((index, Act::from(op))),
            }
        }
        if let Some(check) = writes.check {
            part = self.check(&part, check)?;
        } else if let Some(bag) = writes.bag {
            part = self.remove_equal(part, writes, bag)?;
        }
        let blocked = self.halve(part, Self::write)?;
        self.unblock(blocked)
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(index) {
            *slot = outcome;
        }
    }

    /// Tries a part; halves it while it fails; settles what stands alone. Returns the records that others block.
    fn halve(
        &mut self,
        part: Vec<(usize, Act)>,
        attempt: impl Fn(&mut Self, &[(usize, Act)]) -> Result<Attempt>,
    ) -> Result<Vec<(usize, Act)>> {
        let mut blocked = Vec::new();
        let mut waiting = vec![part];
        while let Some(mut part) = waiting.pop() {
            if part.is_empty() {
                continue;
            }
            match (attempt(self, &part)?, part.as_slice()) {
                (Ok(outcome), _) => part
                    .iter()
                    .for_each(|&(index, _)| self.settle(index, outcome.clone())),
                (Err(failure), &[(index, act)]) => {
                    let outcome = self.refused(act, failure);
                    // A stale one is not in anybody's way: tried again, it would replace what nobody has looked at.
                    if matches!(outcome, Outcome::Rejected { blocked: true, .. }) {
                        blocked.push((index, act));
                    }
                    self.settle(index, outcome);
                }
                (Err(_), _) => {
                    let second = part.split_off(part.len() / 2);
                    // The first half goes first: order may matter.
                    waiting.push(second);
                    waiting.push(part);
                }
            }
        }
        Ok(blocked)
    }

    fn refused(&self, act: Act, failure: Failure) -> Outcome {
        // The record was missing when it was checked, and is there now.
        let overtaken =
            self.checked && act == Act::Insert && failure.constraint == self.statements.key_index;
        if overtaken && failure.constraint.is_some() {
            return Outcome::Stale;
        }
        Outcome::Rejected {
            reason: failure.reason,
            blocked: failure.blocked,
        }
    }

    /// Tries blocked records again, now that others are written, from either end in turn: a chain of values handed
    /// from record to record resolves in one round in one of the two orders.
    fn unblock(&mut self, mut blocked: Vec<(usize, Act)>) -> Result<()> {
        let mut idle = 0;
        for _ in 0..BLOCKED_ROUNDS_MAX {
            if blocked.is_empty() || idle == 2 {
                break;
            }
            let before = blocked.len();
            blocked.reverse();
            blocked = self.halve(blocked, Self::write)?;
            idle = if blocked.len() == before { idle + 1 } else { 0 };
        }
        self.swap(blocked)
    }

    /// Writes records that hold what each other wants (A takes B's unique value and B takes A's): removes them all
    /// and inserts them anew. Nothing is lost by it: it is one transaction, each record is written whole, and
    /// nothing of the target's own hangs on the removal (asked under the lock that keeps it so). A record that
    /// stays refused keeps its old state, and so may block others: then the rest is tried without it.
    fn swap(&mut self, mut blocked: Vec<(usize, Act)>) -> Result<()> {
        blocked.retain(|&(_, act)| act != Act::Delete);
        for _ in 0..BLOCKED_ROUNDS_MAX {
            let Some((lock, question)) = &self.statements.rewrite else {
                return Ok(());
            };
            if blocked.len() < 2 {
                return Ok(());
            }
            self.connection.execute("SAVEPOINT trueup_swap")?;
            self.connection.execute(lock)?;
            let allowed = column(&self.connection.one(question)?, 0)?;
            let before = (self.outcomes.clone(), self.dirty);
            if allowed && self.rewrite(&blocked)? {
                return self.connection.execute("RELEASE trueup_swap");
            }
            self.connection
                .execute("ROLLBACK TO trueup_swap; RELEASE trueup_swap")?;
            let count = blocked.len();
            blocked.retain(|&(index, _)| self.outcomes.get(index) == Some(&Outcome::Applied(None)));
            (self.outcomes, self.dirty) = before;
            if !allowed || blocked.len() == count {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Removes records and inserts them anew, and tells whether all went in.
    fn rewrite(&mut self, part: &[(usize, Act)]) -> Result<bool> {
        let all = |act| {
            part.iter()
                .map(|&(index, _)| (index, act))
                .collect::<Vec<_>>()
        };
        // What was missing when it was checked is somebody else's if it is there now.
        let checked = self.checked;
        let ours = part
            .iter()
            .filter(|(_, act)| !(checked && *act == Act::Insert));
        let removed: Vec<_> = ours.map(|&(index, _)| (index, Act::Delete)).collect();
        if self.write(&removed)?.is_err() {
            return Ok(false);
        }
        self.halve(all(Act::Insert), Self::write)?;
        let applied =
            |&(index, _): &(usize, Act)| self.outcomes.get(index) == Some(&Outcome::Applied(None));
        Ok(part.iter().all(applied))
    }

    /// Runs `statements` inside a savepoint; a refusal of the data undoes them and is returned.
    fn guarded(
        &mut self,
        statements: impl FnOnce(&mut Self) -> std::result::Result<Attempt, Refused>,
    ) -> Result<Attempt> {
        self.connection
            .execute("SAVEPOINT trueup; SET CONSTRAINTS ALL DEFERRED")?;
        let was_dirty = self.dirty;
        let failure = match statements(self) {
            Ok(Ok(outcome)) => {
                self.connection.execute("RELEASE trueup")?;
                return Ok(Ok(outcome));
            }
            Ok(Err(failure)) => failure,
            Err(Refused::Other(error)) => return Err(error),
            Err(Refused::Server(foreign)) => match error::data(&foreign) {
                Some(db) => Failure {
                    reason: error::reason(db),
                    blocked: error::blocked(db),
                    constraint: db.constraint().map(str::to_owned),
                },
                None => return Err(error::translate(&foreign)),
            },
        };
        self.connection
            .execute("ROLLBACK TO trueup; RELEASE trueup")?;
        self.dirty = was_dirty;
        Ok(Err(failure))
    }

    /// Fills the temporary table with these records and no others.
    fn stage(&mut self, part: &[(usize, Act)]) -> std::result::Result<(), Refused> {
        if self.dirty {
            let truncate = format!("TRUNCATE {}", self.statements.stage);
            self.connection.execute(&truncate)?;
        }
        self.dirty = true;
        let mut staged = self.encoded.staged(part);
        let next = || Ok(staged.next(COPY_BYTES).map(Bytes::from));
        let copied = copy_in(self.connection, &self.statements.copy_stage, next)?;
        copied.map(drop).map_err(Refused::Server)
    }

    /// Writes some records, all or none.
    fn write(&mut self, part: &[(usize, Act)]) -> Result<Attempt> {
        self.guarded(|work| {
            work.stage(part)?;
            let deletes = part.iter().any(|(_, act)| *act == Act::Delete);
            if let Some(reason) = work.references.held(work.connection, deletes)? {
                return Ok(Err(Failure {
                    reason,
                    blocked: true,
                    constraint: None,
                }));
            }
            let sql = work.statements.all(work.checked);
            let answers = work
                .connection
                .wait(|client| client.simple_query(&sql))?
                .map_err(Refused::Server)?;
            let (mut touched, mut withheld) = (0, false);
            // The first statement deletes, and what it finds missing is no loss.
            let mut deleted = work.statements.write[0].is_none();
            for answer in &answers {
                match answer {
                    SimpleQueryMessage::Row(row) if row.get(0) == Some(CHANGED) => {
                        return Ok(Err(changed()));
                    }
                    SimpleQueryMessage::Row(_) => withheld = true,
                    SimpleQueryMessage::CommandComplete(count) if deleted && !withheld => {
                        touched += *count;
                    }
                    SimpleQueryMessage::CommandComplete(_) => deleted = true,
                    _ => {}
                }
            }
            let expected = part.iter().filter(|(_, act)| *act != Act::Delete).count() as u64;
            withheld |= work.statements.counts && touched < expected;
            match part {
                _ if !withheld => Ok(Ok(Outcome::Applied(None))),
                // A trigger that withholds what changes nothing does no harm.
                [_] if !deletes && work.is_as_wanted()? => Ok(Ok(Outcome::Unchanged)),
                _ => Ok(Err(suppressed())),
            }
        })
    }

    /// Tells whether the staged record stands at the target, value for value.
    fn is_as_wanted(&self) -> Result<bool> {
        let rows = self.connection.query(&self.statements.same, &[])?;
        Ok(!rows.is_empty())
    }

    /// Loads new records straight into the target, encoding them while the server takes them in; `false` when it has to
    /// be done the other way: a record is refused, here or there, or may have to replace another.
    fn load(&mut self, writes: &Writes<'_>) -> Result<bool> {
        let Some(sql) = self.statements.copy_target.as_deref() else {
            return Ok(false);
        };
        let plain = writes.check.is_none() && !writes.ops.contains(&Op::Delete);
        if !plain || writes.ops.is_empty() {
            return Ok(false);
        }
        self.connection
            .execute("SAVEPOINT trueup; SET CONSTRAINTS ALL DEFERRED")?;
        let loaded = self.stream(sql, writes).and_then(|whole| {
            if whole {
                self.connection
                    .execute("SET CONSTRAINTS ALL IMMEDIATE; RELEASE trueup")?;
            }
            Ok(whole)
        });
        match loaded {
            Ok(true) => {
                self.outcomes.fill(Outcome::Applied(None));
                return Ok(true);
            }
            Ok(false) => {}
            // Refused for one record or for all: the staged way finds out, and says why.
            Err(_) if !self.connection.is_closed() => {}
            Err(refused) => return Err(refused.into()),
        }
        self.connection
            .execute("ROLLBACK TO trueup; RELEASE trueup")?;
        Ok(false)
    }

    /// Sends every record of a batch; `false` when one has no binary form, and none is kept then.
    fn stream(&self, sql: &str, writes: &Writes<'_>) -> std::result::Result<bool, Refused> {
        let mut stream = Stream::new(writes.records, &self.statements.columns);
        let next = || Ok(stream.next(COPY_BYTES)?.map(Bytes::from));
        let copied = copy_in(self.connection, sql, next)?;
        let copied = copied.map_err(Refused::Server)?;
        Ok(copied == Some(writes.ops.len() as u64))
    }
}

/// Why statements ended early.
enum Refused {
    Server(tokio_postgres::Error),
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Server(foreign) => error::translate(&foreign),
            Refused::Other(error) => error,
        }
    }
}

fn changed() -> Failure {
    let reason = "the field's type would change the value".to_owned();
    Failure {
        reason,
        blocked: false,
        constraint: None,
    }
}

fn suppressed() -> Failure {
    let reason = "a trigger or rule of the target suppressed the write".to_owned();
    Failure {
        reason,
        blocked: false,
        constraint: None,
    }
}
