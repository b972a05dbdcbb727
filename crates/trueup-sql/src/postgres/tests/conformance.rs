//! The conformance suite against a real server; its password is the canary.

use super::connect;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::types::Type;
use trueup_testkit::conformance::{Fixture, run};
use trueup_testkit::servers::postgres::{Database, PASSWORD, shared};

struct OnServer(Database);

fn empty() -> Database {
    shared(None).unwrap().fresh_database().unwrap()
}

impl Fixture for OnServer {
    fn name(&self) -> &str {
        "postgres"
    }

    fn reset(&mut self) {
        self.0 = empty();
    }

    fn open(&mut self) -> Box<dyn Endpoint> {
        connect(&self.0.url(), Context::empty()).unwrap()
    }

    fn holds(&self, ty: Type) -> bool {
        // The server has no type for any value, no narrower integer than 16 bits, none without a sign, and no limit
        // for bytes: these are created as something wider.
        !matches!(
            ty,
            Type::Any
                | Type::Int { bits: 8, .. }
                | Type::Int { signed: false, .. }
                | Type::Bytes { bytes_max: Some(_) }
        )
    }

    fn hashes(&self) -> bool {
        true
    }

    fn canary(&self) -> Option<&str> {
        Some(PASSWORD)
    }
}

#[test]
fn conforms() {
    let report = run(&mut OnServer(empty()));
    assert!(report.skipped.is_empty(), "{report}");
}
