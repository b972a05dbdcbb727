//! Memory stays bounded, whatever the number of records.
//!
//! `TRUEUP_MEMORY_RECORDS` says how many records are copied; the bound does not depend on it.

use crate::support;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::Command;

/// What a run may hold in memory at most.
const RESIDENT_KIB_MAX: u64 = 256 << 10;
const RECORDS: u64 = 1_000_000;

/// Runs its arguments, and tells the largest resident size of the child in KiB.
const WATCH: &str = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); \
                     print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)";

#[test]
fn many_records_take_little_memory() {
    let given = support::variable("TRUEUP_MEMORY_RECORDS");
    let records = given.map_or(RECORDS, |given| given.parse().unwrap());
    let folder = support::folder();
    let mut file = BufWriter::new(File::create(folder.path().join("narrow.csv")).unwrap());
    file.write_all(b"id,name\n").unwrap();
    let mut line = String::new();
    for number in 0..records {
        line.clear();
        // In no order, so that the records have to be sorted.
        let id = (number * 7919) % records.next_multiple_of(7919).saturating_add(1);
        writeln!(line, "{id},name {number}").unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    file.into_inner().unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", WATCH]).arg(support::binary());
    command.args(["sync", "csv:narrow.csv?key=id", "sqlite:target.db"]);
    command.args(["--state", "state.db", "--quiet"]);
    command.current_dir(folder.path());
    command
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complaint}");
    let resident: u64 = told.lines().last().unwrap().parse().unwrap();
    assert!(
        resident < RESIDENT_KIB_MAX,
        "{resident} KiB for {records} records, where {RESIDENT_KIB_MAX} must do"
    );
}
