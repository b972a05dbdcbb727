//! The conformance suite, in the plain dialect, in one that has nothing in common with it, and packed.

use super::Folder;
use trueup_core::endpoint::Endpoint;
use trueup_core::types::Type;
use trueup_testkit::conformance::{Fixture, cases, run};

struct InFolder {
    folder: Folder,
    options: &'static str,
}

impl Fixture for InFolder {
    fn name(&self) -> &str {
        match self.options {
            "" => "csv",
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
        // Text only: a value of no type cannot be told from its text.
        ty != Type::Any
    }

    fn reports_keys(&self) -> bool {
        // A file does not say what its key is.
        false
    }
}

#[test]
fn conforms() {
    // A file has no types, no constraints, no marker, no order and no key of its own: what needs nothing runs.
    let expected: Vec<&str> = cases()
        .iter()
        .filter(|case| case.needs.is_empty())
        .map(|case| case.name)
        .collect();
    for (options, ending) in [
        ("", ".csv"),
        ("?delimiter=;&quote='&null=NA", ".csv"),
        ("?compress=gz", ".csv.gz"),
        ("?compress=zst&delimiter=tab", ".csv.zst"),
    ] {
        let mut place = InFolder {
            folder: Folder::new(),
            options,
        };
        let report = run(&mut place);
        assert_eq!(report.passed, expected, "{options}: {report}");
        let names = place.folder.names();
        let packed = names.iter().all(|name| name.ends_with(ending));
        assert!(packed && !names.is_empty(), "{options}: {names:?}");
    }
}
