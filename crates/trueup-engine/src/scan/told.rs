//! Who is told which records: those that are being sorted belong to one step, the sorted ones to the next.

use super::Reading;
use crate::progress::Step;
use trueup_core::Result;
use trueup_core::diff::Stream;
use trueup_core::keyed::Keyed;

impl Reading<'_> {
    /// The same for the step that puts it in key order.
    pub(super) fn sorting(&self) -> Reading<'_> {
        Reading {
            name: self.name,
            title: self.title,
            schema: self.schema,
            translation: self.translation,
            world: self.world,
            step: self.step.map(|_| Step::Sort),
            ascending: self.ascending,
            part: None,
            sieved: self.sieved,
        }
    }

    /// Passes a stream of sorted records on, and tells listeners of them.
    pub(crate) fn told<'s, S: Stream>(&'s self, sorted: S) -> Told<'s, S> {
        Told {
            reading: self,
            sorted,
        }
    }
}

/// Sorted records on their way to compare. Made by [`Reading::told`].
pub(crate) struct Told<'s, S> {
    reading: &'s Reading<'s>,
    sorted: S,
}

impl<S: Stream> Stream for Told<'_, S> {
    fn next(&mut self) -> Result<Option<Keyed>> {
        let next = self.sorted.next()?;
        self.reading.tick(next.as_ref().map_or(0, Keyed::len));
        Ok(next)
    }
}
