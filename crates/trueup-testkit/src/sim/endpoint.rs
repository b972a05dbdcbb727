//! An engine's connection to a side of the simulated world.
//!
//! A connection that broke stays broken for the writer, scan or snapshot it happened to; the endpoint itself connects
//! again by the next call, as the contract has it.

use super::late::{self, Late, Said, Sent};
use super::runs::Author;
use super::{Act, Reading, RunId, Sim, fault};
use crate::faults::subset::{OwnedWrites, apply_without, key_of};
use crate::owned::Owned;
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::endpoint::{
    About, Applied, Check, Claim, Design, Endpoint, Mark, Marker, Outcome, Position, Scan,
    ScanRequest, Snapshot, Writer, Writes,
};
use trueup_core::error::{Error, Kind, Result};
use trueup_core::hashes::{Bucket, Chosen, Hashes, Hashing, Offer};
use trueup_core::schema::Schema;
use trueup_core::side::Side;

/// Connects `run` to `side`.
pub(super) fn open(sim: &Sim, run: RunId, side: Side) -> Box<dyn Endpoint> {
    let mut inner = sim.lock();
    inner.connections.push(0);
    let line = Line {
        sim: sim.clone(),
        run,
        side,
        connection: inner.connections.len() - 1,
        generation: inner.hosts[side].generation,
    };
    let memory = inner.hosts[side].memory.boxed();
    drop(inner);
    Box::new(SimEndpoint { line, memory })
}

/// Who is connected to what.
#[derive(Clone)]
struct Line {
    sim: Sim,
    run: RunId,
    side: Side,
    connection: usize,
    generation: u32,
}

impl Line {
    fn step(&self, call: &str) -> Result<()> {
        self.sim.step(self.run, Some(self.side), call)
    }

    /// As [`Line::step`], where the connection is bound to the machine it was made to.
    fn bound(&self, call: &str) -> Result<()> {
        self.step(call)?;
        if self.sim.lock().hosts[self.side].generation == self.generation {
            return Ok(());
        }
        Err(fault(Kind::Unavailable, "the machine was replaced"))
    }

    /// Takes in what this connection has committed.
    fn observe(&self) {
        let mut inner = self.sim.lock();
        let by = Author {
            run: self.run,
            seen: inner.runs[self.run.0].seen.clone(),
        };
        let moment = inner.observe(self.side, Some(&by));
        inner.connections[self.connection] = moment;
    }

    /// What can happen after a commit, before anybody learns of it.
    fn after(&self, call: &'static str) -> Result<()> {
        self.sim.step(self.run, None, call)
    }

    fn happens(&self, act: Act) -> bool {
        self.sim.lock().happens(act)
    }
}

struct SimEndpoint {
    line: Line,
    memory: Box<dyn Endpoint>,
}

impl Endpoint for SimEndpoint {
    fn about(&self) -> About {
        self.memory.about()
    }

    fn collections(&mut self) -> Result<Vec<String>> {
        self.line.step("collections")?;
        self.memory.collections()
    }

    fn schema(&mut self, collection: &str) -> Result<Option<Schema>> {
        self.line.step("schema")?;
        self.memory.schema(collection)
    }

    fn design(&self, wanted: &Schema) -> Result<Design> {
        self.memory.design(wanted)
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        self.line.step("snapshot")?;
        let (side, run) = (self.line.side, self.line.run);
        let mut inner = self.line.sim.lock();
        let own = inner.connections[self.line.connection];
        let host = &inner.hosts[side];
        let (mut moment, last) = (host.moments.len() - 1, host.moments.len() - 1);
        let first = own.max(host.horizon).min(last);
        if first < last && inner.happens(Act::Delay) {
            moment = first + inner.script.random.below(last - first + 1);
            inner.note(|| format!("it sees what was {} commits ago", last - moment));
        }
        let host = &mut inner.hosts[side];
        host.horizon = moment;
        let seen = host.moments[moment].clone();
        let generation = host.generation;
        let names = inner.setting.collections.clone();
        let keys = |name: &&str| {
            let records = seen.view.records(name);
            records.iter().map(|record| super::key_of(record)).collect()
        };
        let keys = names.iter().map(keys).collect();
        let of = &mut inner.runs[run.0];
        of.readings[side].push(Reading {
            keys,
            ..Reading::default()
        });
        of.seen[side] = Some(Arc::clone(&seen.ghosts));
        inner.connections[self.line.connection] = moment;
        inner.excuse_joined(run);
        Ok(Box::new(SimSnapshot {
            line: Line {
                generation,
                ..self.line.clone()
            },
            view: seen.view.snapshot(),
        }))
    }

    fn epoch(&mut self, link: &str) -> Result<Option<u64>> {
        self.line.step("epoch")?;
        self.memory.epoch(link)
    }

    fn writer(&mut self, claim: &Claim) -> Result<Box<dyn Writer>> {
        self.line.step("claim")?;
        let writer = self.memory.writer(claim)?;
        self.line.observe();
        let mut inner = self.line.sim.lock();
        inner.claims += 1;
        let serial = inner.claims;
        let host = &mut inner.hosts[self.line.side];
        host.claims.insert(claim.link.clone(), serial);
        let generation = host.generation;
        drop(inner);
        if self.line.happens(Act::LoseReply) {
            return Err(fault(Kind::Unavailable, "the reply was lost"));
        }
        self.line.after("claimed")?;
        Ok(Box::new(SimWriter {
            line: Line {
                generation,
                ..self.line.clone()
            },
            link: claim.link.clone(),
            serial,
            epoch: writer.epoch(),
            writer: Some(writer),
        }))
    }

    fn sweep(&mut self) -> Result<()> {
        self.line.step("sweep")
    }
}

struct SimSnapshot {
    line: Line,
    view: Box<dyn Snapshot>,
}

impl Snapshot for SimSnapshot {
    fn position(&self) -> Position {
        self.view.position()
    }

    fn ordered(&mut self, request: &ScanRequest<'_>) -> Result<bool> {
        self.line.bound("ordered")?;
        self.view.ordered(request)
    }

    fn keeps_order(&self) -> bool {
        self.view.keeps_order()
    }

    fn is_empty(&mut self, schema: &Schema) -> Result<bool> {
        self.line.bound("is_empty")?;
        self.view.is_empty(schema)
    }

    fn scan<'a>(&'a mut self, request: &ScanRequest<'_>) -> Result<Box<dyn Scan + 'a>> {
        self.line.bound("scan")?;
        let scan = self.view.scan(request)?;
        Ok(Box::new(SimScan {
            line: self.line.clone(),
            scan: Some(scan),
        }))
    }

    fn hashes(&mut self) -> Option<&mut dyn Hashes> {
        self.view.hashes()?;
        Some(self)
    }
}

impl Hashes for SimSnapshot {
    fn offer(&mut self, request: &ScanRequest<'_>) -> Result<Option<Offer>> {
        self.line.bound("offer")?;
        self.inner()?.offer(request)
    }

    fn fold(&mut self, request: &ScanRequest<'_>, hashing: &Hashing) -> Result<Vec<Bucket>> {
        self.line.bound("fold")?;
        self.inner()?.fold(request, hashing)
    }

    fn scan<'a>(
        &'a mut self,
        request: &ScanRequest<'_>,
        hashing: &Hashing,
        chosen: &Chosen,
    ) -> Result<Box<dyn Scan + 'a>> {
        self.line.bound("scan")?;
        let line = self.line.clone();
        let scan = self.inner()?.scan(request, hashing, chosen)?;
        Ok(Box::new(SimScan {
            line,
            scan: Some(scan),
        }))
    }
}

impl SimSnapshot {
    fn inner(&mut self) -> Result<&mut dyn Hashes> {
        let hashes = self.view.hashes();
        hashes.ok_or_else(|| Error::bug("hashes are asked for that were not offered"))
    }
}

struct SimScan<'a> {
    line: Line,
    scan: Option<Box<dyn Scan + 'a>>,
}

impl Scan for SimScan<'_> {
    fn next(&mut self, into: &mut Batch) -> Result<bool> {
        if let Err(error) = self.line.bound("next") {
            self.scan = None;
            return Err(error);
        }
        match &mut self.scan {
            Some(scan) => scan.next(into),
            None => Err(fault(Kind::Unavailable, "the scan broke before")),
        }
    }
}

struct SimWriter {
    line: Line,
    link: String,
    serial: u64,
    epoch: u64,
    /// Gone once the connection broke.
    writer: Option<Box<dyn Writer>>,
}

impl SimWriter {
    fn call(&mut self, call: &str) -> Result<&mut dyn Writer> {
        if let Err(error) = self.line.bound(call) {
            if error.kind() == Kind::Unavailable {
                self.writer = None;
            }
            return Err(error);
        }
        match &mut self.writer {
            Some(writer) => Ok(writer.as_mut()),
            None => Err(fault(Kind::Unavailable, "the connection broke before")),
        }
    }

    /// What follows a commit.
    fn committed(&mut self, call: &'static str) -> Result<()> {
        let (side, run) = (self.line.side, self.line.run);
        let mut inner = self.line.sim.lock();
        inner.committed(side, &self.link, self.serial);
        inner.runs[run.0].writes += 1;
        drop(inner);
        self.line.observe();
        if self.line.happens(Act::LoseReply) {
            return self.broken("the reply was lost");
        }
        self.line.after(call)
    }

    fn broken<T>(&mut self, why: &str) -> Result<T> {
        self.writer = None;
        self.line.sim.note(|| format!("  {why}"));
        Err(fault(Kind::Unavailable, why))
    }

    /// Leaves a batch in flight.
    fn late(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        let memory = self.line.sim.memory(self.line.side);
        let said = Said::of(writes, |index| {
            let record = memory.record(&writes.schema.collection, &key_of(writes, index))?;
            let fields = writes.fields.iter();
            Some(fields.map(|&field| record[field].clone()).collect())
        });
        self.send(Sent::Batch(Box::new(OwnedWrites::of(writes)), said))
    }

    /// Leaves a commit in flight: the connection it was sent over is gone.
    fn send<T>(&mut self, sent: Sent) -> Result<T> {
        let Some(writer) = self.writer.take() else {
            return self.broken("the connection broke before");
        };
        let mut inner = self.line.sim.lock();
        let by = Author {
            run: self.line.run,
            seen: inner.runs[self.line.run.0].seen.clone(),
        };
        inner.late.push(Late {
            by,
            side: self.line.side,
            writer,
            link: self.link.clone(),
            serial: self.serial,
            generation: self.line.generation,
            sent,
        });
        drop(inner);
        self.broken("the connection broke with a commit in flight")
    }

    /// Which writes the machine refuses.
    fn refused(&self, writes: &Writes<'_>) -> Vec<(usize, bool)> {
        let inner = self.line.sim.lock();
        let Some((collection, key, blocked)) = &inner.hosts[self.line.side].poison else {
            return Vec::new();
        };
        let poisoned = |&index: &usize| {
            writes.schema.collection == *collection && key_of(writes, index) == [Owned::Int(*key)]
        };
        let all = 0..writes.ops.len();
        all.filter(poisoned)
            .map(|index| (index, *blocked))
            .collect()
    }
}

impl Writer for SimWriter {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn marker(&mut self, partition: &str) -> Result<Option<Marker>> {
        self.call("marker")?.marker(partition)
    }

    fn create(&mut self, design: &Design) -> Result<()> {
        self.call("create")?.create(design)?;
        self.committed("created")
    }

    fn apply(&mut self, writes: &Writes<'_>) -> Result<Applied> {
        self.call("apply")?;
        if writes.ops.len() <= late::WRITES_MAX && self.line.happens(Act::Late) {
            return self.late(writes);
        }
        let refused = self.refused(writes);
        let forgetful = writes.check.map(|check| Forgetful { check });
        let lost = self.line.sim.lock().setting.lose_stale_list;
        let check = match &forgetful {
            Some(forgetful) if lost => {
                let check: &dyn Check = forgetful;
                Some(check)
            }
            _ => writes.check,
        };
        let writes = Writes { check, ..*writes };
        let writer = match &mut self.writer {
            Some(writer) => writer.as_mut(),
            None => return self.broken("the connection broke before"),
        };
        let applied = apply_without(writer, &writes, &refused)?;
        self.line.sim.note(|| tell(&writes, &applied.outcomes));
        self.committed("applied")?;
        Ok(applied)
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        self.call("mark")?;
        if self.line.happens(Act::Late) {
            return self.send(Sent::Mark(mark.clone()));
        }
        self.call("marking")?.mark(mark)?;
        self.committed("marked")
    }

    fn finish(&mut self, collection: &str) -> Result<()> {
        self.call("finish")?.finish(collection)
    }
}

/// A condition whose stale writes never reach the marker: one of the protections that a test takes away.
struct Forgetful<'a> {
    check: &'a dyn Check,
}

impl Check for Forgetful<'_> {
    fn holds(&self, index: usize, current: Option<trueup_core::batch::Record<'_>>) -> bool {
        self.check.holds(index, current)
    }

    fn position(&self, _stale: &[usize]) -> Vec<u8> {
        self.check.position(&[])
    }
}

fn tell(writes: &Writes<'_>, outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "  batch {} of {}:",
        writes.mark.batch, writes.mark.partition
    );
    for (index, outcome) in outcomes.iter().enumerate() {
        let what = match outcome {
            Outcome::Applied(_) => "applied",
            Outcome::Unchanged => "unchanged",
            Outcome::Stale => "stale",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Unknown => "unknown",
        };
        let (op, key) = (writes.ops[index], key_of(writes, index));
        text.push_str(&format!(" {op:?} {key:?} {what}"));
    }
    text
}
