//! Memory stays bounded, whatever the number of records, and a long value takes three times its size at most.
//!
//! `TRUEUP_MEMORY_RECORDS` says how many records are copied; the bound does not depend on it.

use crate::support;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
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
    let resident = resident_kib(
        folder.path(),
        &["csv:narrow.csv?key=id", "sqlite:target.db"],
    );
    assert!(
        resident < RESIDENT_KIB_MAX,
        "{resident} KiB for {records} records, where {RESIDENT_KIB_MAX} must do"
    );
}

/// Synchronises, and returns the largest resident size on the way.
#[track_caller]
fn resident_kib(folder: &Path, places: &[&str]) -> u64 {
    let mut command = Command::new("python3");
    command.args(["-c", WATCH]).arg(support::binary());
    command.arg("sync").args(places);
    command.args(["--state", "state.db", "--quiet"]);
    command.current_dir(folder);
    command.env("HOME", folder).env("TMPDIR", folder);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complaint}");
    told.lines().last().unwrap().parse().unwrap()
}

/// How long a long value is.
const LONG_KIB: u64 = 100 << 10;

/// Makes a table of short values, and of long ones in a column, between the others.
fn table(column: &str, longs: u64) -> String {
    // A digest has 32 letters.
    let long = format!("repeat(md5(n::text), {})", (LONG_KIB << 10) / 32);
    let long = match column {
        "words" => format!("{long}, NULL"),
        _ => format!("NULL, convert_to({long}, 'UTF8')"),
    };
    format!(
        "DROP TABLE IF EXISTS long; CREATE TABLE long (id int PRIMARY KEY, words text, content bytea); \
         ALTER TABLE long ALTER words SET STORAGE EXTERNAL, ALTER content SET STORAGE EXTERNAL; \
         INSERT INTO long SELECT n, md5(n::text), md5(n::text)::bytea FROM generate_series(1, 5000) n; \
         INSERT INTO long SELECT 2000 - n, {long} FROM generate_series(1, {longs}) n \
         ON CONFLICT (id) DO UPDATE SET words = excluded.words, content = excluded.content"
    )
}

/// What stands at the target before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Into {
    New,
    /// An empty table that is not quite like the source's, so that records are taken apart.
    OtherType,
    /// The records of the last run.
    Old,
}

#[test]
fn a_long_value_takes_three_times_its_size() {
    let folder = support::folder();
    let source = support::database();
    let mut target = support::database();
    let mut sync = |column, longs, into: Into| {
        source.sql(&table(column, longs)).unwrap();
        if into != Into::Old {
            target = support::database();
        }
        if into == Into::OtherType {
            let made = "CREATE TABLE long (id int PRIMARY KEY, words varchar, content bytea)";
            target.sql(made).unwrap();
        }
        resident_kib(folder.path(), &[&source.url(), &target.url()])
    };
    let base = sync("words", 0, Into::New);
    for (column, longs, into) in [
        ("content", 1, Into::New),
        ("words", 1, Into::New),
        ("content", 1, Into::Old),
        ("words", 4, Into::OtherType),
    ] {
        let resident = sync(column, longs, into);
        // Two measurements of the same differ a little.
        let (more, most) = (resident.saturating_sub(base), 3 * LONG_KIB + LONG_KIB / 20);
        assert!(
            more <= most,
            "{more} KiB more with {longs} long ones in {column}, into {into:?}; {most} must do"
        );
    }
}
