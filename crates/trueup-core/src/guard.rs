//! The check that stops a suspicious plan before its first write.
//!
//! What it is for: an unmounted folder, a truncated file, an application that returns an empty page. Each looks like
//! "everything was deleted". Judged per collection, on deletes only: inserts and updates destroy no record.

use crate::error::{Error, Kind, Result};
use crate::plan::CollectionPlan;

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Stop above this share of the target's records, in percent...
    pub deletes_percent_max: u8,
    /// ...if that is also more than this many records.
    pub deletes_max: u64,
    /// Stop when a collection of more than this many records would be emptied.
    pub emptied_max: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            deletes_percent_max: 20,
            deletes_max: 100,
            emptied_max: 10,
        }
    }
}

impl Guard {
    /// Judges one collection's plan.
    ///
    /// # Errors
    /// `Guard` when the plan looks like an accident. Nothing has been written then.
    pub fn judge(&self, plan: &CollectionPlan) -> Result<()> {
        let deletes = plan.counts.deletes;
        let records = plan.target_records;
        let collection = &plan.target;
        if deletes == records && records > self.emptied_max && plan.counts.inserts == 0 {
            return Err(stop(format!(
                "collection={collection}: the plan deletes all {records} records of the target"
            )));
        }
        let share = u128::from(deletes) * 100;
        let limit = u128::from(records) * u128::from(self.deletes_percent_max);
        if deletes > self.deletes_max && share > limit {
            let most = match self.deletes_percent_max {
                0 => self.deletes_max.to_string(),
                percent => format!("{percent} %"),
            };
            return Err(stop(format!(
                "collection={collection}: the plan deletes {deletes} of {records} records, more than {most}"
            )));
        }
        Ok(())
    }
}

fn stop(message: String) -> Error {
    Error::new(Kind::Guard, message).hint(
        "nothing was written; look at the source and at --dry-run; if the deletes are meant, add --yes",
    )
}

#[cfg(test)]
mod tests;
