//! The conformance suite, plain.

use super::Folder;
use trueup_core::endpoint::Endpoint;
use trueup_core::types::Type;
use trueup_testkit::conformance::{Fixture, cases, run};
use trueup_testkit::owned::Owned;

const SKIPS: &[(&str, &str)] = &[(
    "created names are reported",
    "a file without records says no names to anybody who did not create it",
)];

struct InFolder(Folder);

impl Fixture for InFolder {
    fn name(&self) -> &str {
        "jsonl"
    }

    fn reset(&mut self) {
        self.0 = Folder::new();
    }

    fn open(&mut self) -> Box<dyn Endpoint> {
        self.0.open("")
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
    let report = run(&mut InFolder(Folder::new()));
    assert_eq!(report.passed, expected, "{report}");
}
