//! The benchmark still runs, and its own checks hold. How fast anything was is nobody's business here.

use crate::support::{binary, folder, root};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn every_job_of_the_benchmark_runs_small() {
    let folder = folder();
    // Under root, the servers run under another account.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let figures = folder.path().join("figures.json");
    let output = Command::new(root().join("bench/run"))
        .args(["--rows", "2000", "--pairs", "1", "--no-rivals", "--trueup"])
        .arg(binary())
        .arg("--work")
        .arg(folder.path())
        .arg("--json")
        .arg(&figures)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bench/run failed:\n{said}");
    let text = fs::read_to_string(&figures).unwrap();
    let figures: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lines = figures["results"].as_array().unwrap();
    let jobs: Vec<_> = lines.iter().map(|line| line["job"].as_str()).collect();
    for job in [
        "csv-sqlite",
        "sqlite-sqlite",
        "pg-pg",
        "compare-pg",
        "csv-pg",
        "pg-sqlite",
        "pg-mariadb",
        "mariadb-pg",
        "compare-pg-mariadb",
    ] {
        assert!(jobs.contains(&Some(job)), "no figures of {job}");
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "figures.json")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// What it says when what it needs cannot be fetched: there is no network then, and nothing to be tested.
const LEFT_OUT: i32 = 77;

#[test]
fn tpch_goes_round_small() {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let output = Command::new(root().join("bench/tpch"))
        .args(["0.01", "--trueup"])
        .arg(binary())
        .arg("--work")
        .arg(folder.path())
        .output()
        .unwrap();
    if output.status.code() == Some(LEFT_OUT) {
        return;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bench/tpch failed:\n{said}");
    let told = String::from_utf8_lossy(&output.stdout);
    let same = |line: &&str| line.ends_with("the same in all four places");
    assert_eq!(told.lines().filter(same).count(), 8, "{told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
