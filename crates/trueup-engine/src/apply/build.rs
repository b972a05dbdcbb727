//! Builds around the records, once they are there.

use super::Applier;
use crate::state::Stage;
use crate::structure::{Building, Refused, StructureReport};
use std::collections::BTreeMap;
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
        self.store.construct(self.link, &one)
    }

    /// Takes the steps. What one of them meets does not keep the others from being taken; the collections are built when
    /// none was refused, and the link has no other one under construction.
    pub(crate) fn build(&mut self, mut building: Building) -> Result<Option<StructureReport>> {
        if building.collections.is_empty() {
            return Ok(None);
        }
        self.world.failpoints.pass("engine.loaded")?;
        let mut report = StructureReport {
            lost: building.lost,
            ..StructureReport::default()
        };
        self.build_keys(&mut building.steps, &mut report)?;
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
            self.store.constructed(self.link, &building.met)?;
        }
        Ok((report != StructureReport::default()).then_some(report))
    }
}
