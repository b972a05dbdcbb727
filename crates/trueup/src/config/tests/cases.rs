//! The case files in `cases/config`: each block is a sentence, a file, and how its mistakes are shown.
#![expect(
    clippy::disallowed_methods,
    reason = "case files are read and rewritten here"
)]

use super::parsed;
use std::path::Path;

const CASES_MIN: usize = 20;

#[test]
fn mistakes_are_shown_where_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let update = std::env::var_os("TRUEUP_UPDATE_CASES").is_some();
    let (mut cases, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let blocks: Vec<&str> = text.trim_end().split("\n\n").collect();
        let now: Vec<String> = blocks.iter().map(|block| rerun(block)).collect();
        cases += now.len();
        if update {
            std::fs::write(&file, now.join("\n\n") + "\n").unwrap();
        }
        for (old, now) in blocks.iter().zip(&now).filter(|(old, now)| *old != now) {
            wrong.push(format!(
                "--- {}\n{old}\n--- is now\n{now}\n",
                file.display()
            ));
        }
    }
    assert!(update || wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= CASES_MIN, "only {cases} cases");
}

/// One block with its expectation made anew.
fn rerun(block: &str) -> String {
    let given = block.split("\n=>").next().unwrap_or(block);
    let shown = match parsed(&format!("{given}\n")) {
        Ok(_) => "there is no mistake".to_owned(),
        Err(error) => error.message().to_owned(),
    };
    assert!(
        !shown.contains("s3cret") && !shown.contains("canary"),
        "{shown}"
    );
    format!("{given}\n=>\n{shown}")
}
