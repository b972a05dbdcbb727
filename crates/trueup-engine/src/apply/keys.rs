//! Builds the keys that follow the records: before all other steps, and before anything reads by them.

use super::Applier;
use crate::keys::is_new;
use crate::structure::StructureReport;
use trueup_core::Result;
use trueup_core::structure::{Step, StepKind};

impl Applier<'_> {
    /// Takes the steps that build keys out of `steps`, and takes them. A key that is refused ends the run: what is without
    /// one can neither be verified nor written to again, and the next run builds it before all else.
    pub(super) fn build_keys(
        &mut self,
        steps: &mut Vec<Step>,
        report: &mut StructureReport,
    ) -> Result<()> {
        let (keys, others) = std::mem::take(steps)
            .into_iter()
            .partition(|step| step.kind == StepKind::Key);
        *steps = others;
        let keys: Vec<Step> = keys;
        for (step, built) in keys.iter().zip(self.take_steps(&keys)?) {
            if is_new(step, built)? {
                report.built += 1;
            } else {
                report.there += 1;
            }
        }
        Ok(())
    }
}
