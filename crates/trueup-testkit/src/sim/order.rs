//! Judges that a one-way link's target follows its source, record by record, and never goes back in time.
//!
//! A model of its own: of each record, the states it had at the source, in order. What is written to the target must be
//! one of them, and no earlier one than what the link wrote there before.

use super::lineage::Place;
use crate::owned::Owned;
use std::collections::BTreeMap;

/// A record's state; `None`: it is not there.
type State = Option<Vec<Owned>>;

/// The states of every record at the source, and how far the target is.
#[derive(Debug, Default)]
pub(super) struct Order {
    states: BTreeMap<Place, Vec<State>>,
    reached: BTreeMap<Place, usize>,
}

impl Order {
    /// The source changed.
    pub(super) fn source(&mut self, place: Place, after: Option<&[Owned]>) {
        let states = self.states.entry(place).or_insert_with(|| vec![None]);
        states.push(after.map(<[Owned]>::to_vec));
    }

    /// The link wrote to the target.
    pub(super) fn target(&mut self, place: Place, after: Option<&[Owned]>) -> Result<(), String> {
        let states = self.states.entry(place).or_insert_with(|| vec![None]);
        let reached = self.reached.entry(place).or_default();
        let found = (*reached..states.len()).find(|&index| states[index].as_deref() == after);
        match found {
            Some(index) => {
                *reached = index;
                Ok(())
            }
            None if states.iter().any(|state| state.as_deref() == after) => {
                Err("an earlier state came back to the target".to_owned())
            }
            None => Err("what was written never stood at the source".to_owned()),
        }
    }

    /// The target was put back: how far it is, is anybody's guess.
    pub(super) fn target_put_back(&mut self) {
        self.reached.clear();
    }
}
