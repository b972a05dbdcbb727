//! Builds around the records, once they are there.

use super::Applier;
use crate::structure::{Building, Refused, StructureReport};
use trueup_core::Result;
use trueup_core::structure::Built;

impl Applier<'_> {
    /// Puts on record, durably, which collections are under construction, and tells the target. Called before any of
    /// them is created.
    pub(crate) fn construct(&mut self, building: &Building) -> Result<()> {
        if building.collections.is_empty() {
            return Ok(());
        }
        self.store.construct(self.link, &building.collections)?;
        self.constructing.clone_from(&building.collections);
        self.writer.constructing(&self.constructing);
        Ok(())
    }

    /// Takes the steps. What one of them meets does not keep the others from being taken; the collections are built when
    /// none was refused.
    pub(crate) fn build(&mut self, building: Building) -> Result<Option<StructureReport>> {
        if building.collections.is_empty() {
            return Ok(None);
        }
        self.world.failpoints.pass("engine.loaded")?;
        let mut report = StructureReport {
            lost: building.lost,
            ..StructureReport::default()
        };
        for step in &building.steps {
            self.world.check_stop()?;
            let built = self.writer.build(step);
            match built.map_err(|error| error.at("target"))? {
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
            self.world.failpoints.pass("engine.built")?;
        }
        self.world.failpoints.pass("engine.built")?;
        if report.refused.is_empty() {
            self.store.constructed(self.link)?;
        }
        Ok((report != StructureReport::default()).then_some(report))
    }
}
