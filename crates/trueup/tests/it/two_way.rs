//! Two-way links between real systems, end to end: whatever people write on both sides, whenever anything dies, both
//! sides end as an independent reference says, and every conflict is on record.
//!
//! The reference (`expected.py`, `lineage.py`) is written from the documents, and shares no line with the tool. Seeds
//! are told when something fails; `TRUEUP_SEED` plays one again. `./soak` runs the same for as long as told.

mod agrees;
mod around;
mod edited;
mod editor;
mod kills;
mod resolved;
mod restored;
mod scene;
mod shape;
mod soak;
mod star;
mod unknown;
mod world;

use crate::support;
use std::process::Command;

#[test]
fn the_reference_is_right() {
    let folder = support::root().join("crates/trueup/tests/it/two_way");
    let mut command = Command::new("python3");
    command.args(["-B", "tests.py"]).current_dir(folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
