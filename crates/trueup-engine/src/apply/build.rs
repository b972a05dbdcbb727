//! Builds around the records, once they are there: what does not get in each other's way at the same time.

use super::Applier;
use super::queue::Queue;
use crate::state::Stage;
use crate::structure::{Building, Refused, StructureReport};
use std::collections::{BTreeMap, BTreeSet};
use trueup_core::Result;
use trueup_core::structure::{Built, Step, StepKind};

impl Applier<'_> {
    /// Puts on record, durably, which collections are under construction, and tells the target. Called before any of
    /// them is created.
    pub(crate) fn construct(&mut self, building: &Building) -> Result<()> {
        if building.collections.is_empty() {
            return Ok(());
        }
        self.claimed()
            .store
            .construct(self.link, &building.collections)?;
        self.constructing = building.collections.keys().cloned().collect();
        self.writer.constructing(&self.constructing);
        Ok(())
    }

    /// Puts on record that a collection under construction is this link's: it was created now.
    pub(super) fn created(&mut self, collection: &str) -> Result<()> {
        if !self.constructing.contains(collection) {
            return Ok(());
        }
        let one = BTreeMap::from([(collection.to_owned(), Stage::Created)]);
        self.claimed().store.construct(self.link, &one)
    }

    /// Takes the steps. What one of them meets does not keep the others from being taken; the collections are built when
    /// none was refused, and the link has no other one under construction.
    pub(crate) fn build(&mut self, building: Building) -> Result<Option<StructureReport>> {
        if building.collections.is_empty() {
            return Ok(None);
        }
        self.world.failpoints.pass("engine.loaded")?;
        let mut report = StructureReport {
            lost: building.lost,
            ..StructureReport::default()
        };
        for (step, built) in building.steps.iter().zip(self.take_steps(&building.steps)?) {
            match built {
                Built::Done => report.built += 1,
                Built::There => report.there += 1,
                Built::Refused { reason, hint } => report.refused.push(Refused {
                    kind: step.kind.name().to_owned(),
                    collection: step.collection.clone(),
                    name: step.name.clone(),
                    reason,
                    hint,
                }),
            }
        }
        self.world.failpoints.pass("engine.built")?;
        if report.refused.is_empty() {
            self.claimed().store.constructed(self.link, &building.met)?;
        }
        Ok((report != StructureReport::default()).then_some(report))
    }

    /// Takes all steps, one kind after the other, and returns what became of each.
    fn take_steps(&mut self, steps: &[Step]) -> Result<Vec<Built>> {
        let kinds: Vec<&[Step]> = steps.chunk_by(|one, next| one.kind == next.kind).collect();
        let strands = kinds.iter().map(|steps| self.strands(steps).len());
        let wanted = self.world.limits.workers.min(strands.max().unwrap_or(0));
        let mut others = Vec::new();
        for number in 2..=wanted {
            let Some(other) = self.another(number, wanted, &BTreeSet::new())? else {
                break;
            };
            others.push(other);
        }
        let mut all = Vec::new();
        for steps in kinds {
            let queue = Queue::new(self.strands(steps), &self.halted, |_| 0);
            std::thread::scope(|scope| {
                for other in &mut others {
                    let queue = &queue;
                    scope.spawn(move || queue.work(|strand| other.strand(strand)));
                }
                queue.work(|strand| self.strand(strand));
            });
            all.extend(queue.finish()?.into_iter().flatten());
        }
        Ok(all)
    }

    /// Splits steps of one kind into strands that may be taken at the same time. A foreign key locks two collections, and which
    /// of them first is the endpoint's business: two at once may wait for each other.
    fn strands<'s>(&self, steps: &'s [Step]) -> Vec<&'s [Step]> {
        let together = |one: &Step, next: &Step| match one.kind {
            StepKind::ForeignKey => true,
            kind => one.collection == next.collection && !self.writer.builds_together(kind),
        };
        steps.chunk_by(together).collect()
    }

    /// Takes steps one after the other.
    fn strand(&mut self, steps: &[Step]) -> Result<Vec<Built>> {
        let take = |step| {
            self.check_stop()?;
            let built = self.writer.build(step);
            let built = built.map_err(|error| error.at("target"))?;
            self.world.failpoints.pass("engine.built")?;
            Ok(built)
        };
        steps.iter().map(take).collect()
    }
}
