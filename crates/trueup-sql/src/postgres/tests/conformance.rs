//! The conformance suite against a real server; its password is the canary.

use super::connect;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::types::Type;
use trueup_testkit::conformance::{Fixture, run};
use trueup_testkit::servers::postgres::{Database, FETCHED, PASSWORD, shared};

struct OnServer(Database, Option<u32>);

fn on(version: Option<u32>) -> OnServer {
    let server = shared(version).unwrap();
    OnServer(server.fresh_database().unwrap(), version)
}

impl Fixture for OnServer {
    fn name(&self) -> &str {
        "postgres"
    }

    fn reset(&mut self) {
        *self = on(self.1);
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
    let report = run(&mut on(None));
    assert!(report.skipped.is_empty(), "{report}");
}

#[test]
fn conforms_on_18() {
    let report = run(&mut on(Some(FETCHED)));
    assert!(report.skipped.is_empty(), "{report}");
}
