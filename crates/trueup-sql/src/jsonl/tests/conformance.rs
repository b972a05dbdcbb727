//! The conformance suite, plain and packed.

use super::Folder;
use std::fs;
use trueup_core::endpoint::Endpoint;
use trueup_core::types::Type;
use trueup_testkit::conformance::{Fixture, cases, run};
use trueup_testkit::owned::Owned;

const SKIPS: &[(&str, &str)] = &[(
    "created names are reported",
    "a file without records says no names to anybody who did not create it",
)];

struct InFolder {
    folder: Folder,
    options: &'static str,
}

impl Fixture for InFolder {
    fn name(&self) -> &str {
        match self.options {
            "" => "jsonl",
            options => options,
        }
    }

    fn reset(&mut self) {
        self.folder = Folder::new();
    }

    fn open(&mut self) -> Box<dyn Endpoint> {
        self.folder.open(self.options)
    }

    fn holds(&self, ty: Type) -> bool {
        // Bytes are texts here, so a value of no type cannot be told from its text.
        ty != Type::Any
    }

    fn refuses(&self, _ty: Type, value: &Owned) -> bool {
        match value {
            Owned::Float(number) => !number.is_finite(),
            Owned::Decimal(text) => text == "NaN" || text.ends_with("Infinity"),
            Owned::Json(text) => text == "null",
            _ => false,
        }
    }

    fn reports_keys(&self) -> bool {
        // A file does not say what its key is.
        false
    }

    fn skips(&self) -> &[(&str, &str)] {
        SKIPS
    }
}

#[test]
fn conforms() {
    let skipped = |name: &str| SKIPS.iter().any(|(skipped, _)| *skipped == name);
    let expected: Vec<&str> = cases()
        .iter()
        .filter(|case| case.needs.is_empty() && !skipped(case.name))
        .map(|case| case.name)
        .collect();
    for (options, ending) in [
        ("", ".jsonl"),
        ("?compress=zst", ".jsonl.zst"),
        ("?compress=gz", ".jsonl.gz"),
    ] {
        let mut place = InFolder {
            folder: Folder::new(),
            options,
        };
        let report = run(&mut place);
        assert_eq!(report.passed, expected, "{options}: {report}");
        let files: Vec<_> = fs::read_dir(place.folder.path("")).unwrap().collect();
        let packed = |file: &std::io::Result<fs::DirEntry>| {
            let name = file.as_ref().unwrap().file_name();
            name.to_str().unwrap().ends_with(ending)
        };
        assert!(!files.is_empty() && files.iter().all(packed), "{files:?}");
    }
}
