//! Tells who runs a one-way link that a two-way link writes the same target: each undoes the other's work.
//!
//! That is no error: a link without deletes may be meant to feed one side. It deliberately sees only the links that this
//! state knows; those of one configuration file are looked at when it is read.

use crate::link::Link;
use crate::report::Report;
use crate::state::Store;
use trueup_core::Result;
use trueup_core::side::Side;

/// Adds a note to each collection whose records at the target a two-way link writes too.
pub(crate) fn note(link: &Link, store: &Store, report: &mut Report) -> Result<()> {
    let target = link.target.about().identity;
    let deletes = match link.mode.delete {
        true => " and deletes what its source does not have",
        false => " and inserts again what was deleted there",
    };
    for (_, ends, collections) in store.two_way_links()? {
        let sides = Side::BOTH.into_iter();
        for side in sides.filter(|&side| ends.identity[side] == target) {
            let other = &ends.address[side.other()];
            for one in &mut report.collections {
                if collections.iter().any(|names| names[side] == one.target) {
                    one.notes.push(format!(
                        "a link both ways with {other} writes the target too: this link puts back what differs from its \
                         source{deletes}, and the other one carries that on"
                    ));
                }
            }
        }
    }
    Ok(())
}
