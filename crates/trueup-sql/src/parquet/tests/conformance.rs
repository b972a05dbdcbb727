//! The conformance suite, with each compression that is written.

use super::Folder;
use trueup_core::endpoint::Endpoint;
use trueup_core::types::Type;
use trueup_testkit::conformance::{Fixture, Need, cases, run};
use trueup_testkit::owned::Owned;

struct InFolder {
    folder: Folder,
    options: &'static str,
}

impl Fixture for InFolder {
    fn name(&self) -> &str {
        match self.options {
            "" => "parquet",
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
        // What has no type is written as text.
        ty != Type::Any
    }

    fn reports_keys(&self) -> bool {
        // The key, but no other unique fields.
        false
    }

    fn refuses(&self, ty: Type, value: &Owned) -> bool {
        match value {
            Owned::Date(days) => matches!(*days, i32::MIN | i32::MAX),
            Owned::Timestamp(us) | Owned::Instant(us) => matches!(*us, i64::MIN | i64::MAX),
            Owned::Time(us) => *us == 86_400_000_000,
            Owned::Decimal(text) => {
                ty != Type::DECIMAL && (text == "NaN" || text.ends_with("Infinity"))
            }
            _ => false,
        }
    }
}

#[test]
fn conforms() {
    // A file enforces nothing, keeps no marker and no order; it says its types.
    let met = [Need::Write, Need::Create, Need::Typed];
    let expected: Vec<&str> = cases()
        .iter()
        .filter(|case| case.needs.iter().all(|need| met.contains(need)))
        .map(|case| case.name)
        .collect();
    for options in ["", "?compress=zstd", "?compress=none"] {
        let mut place = InFolder {
            folder: Folder::new(),
            options,
        };
        let report = run(&mut place);
        assert_eq!(report.passed, expected, "{options}: {report}");
    }
}
