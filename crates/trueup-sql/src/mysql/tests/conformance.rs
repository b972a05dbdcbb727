//! The conformance suite against a real server; its password is the canary.

use crate::mysql::connect;
use std::sync::Arc;
use trueup_core::endpoint::{Context, Endpoint};
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::conformance::{Fixture, run};
use trueup_testkit::owned::Owned;
use trueup_testkit::servers::mariadb::{Database, Options, PASSWORD, Server, shared};

struct OnServer {
    server: Arc<Server>,
    database: Database,
    /// What stands behind the database's name in the URL.
    options: &'static str,
}

impl Fixture for OnServer {
    fn name(&self) -> &str {
        "mariadb"
    }

    fn reset(&mut self) {
        self.database = self.server.fresh_database().unwrap();
    }

    fn open(&mut self) -> Box<dyn Endpoint> {
        let url = format!("{}{}", self.database.url(), self.options);
        connect(&url, Context::empty()).unwrap()
    }

    fn holds(&self, ty: Type) -> bool {
        // The server has no type for any value, and no decimal of any size: these are created as something else.
        !matches!(ty, Type::Any | Type::Decimal { size: None })
    }

    fn refuses(&self, ty: Type, value: &Owned) -> bool {
        const YEAR_1: i64 = -62_135_596_800_000_000;
        const YEAR_10_000: i64 = 253_402_300_800_000_000;
        match (ty, value.value()) {
            (Type::Float { .. }, Value::Float(v)) => !v.is_finite(),
            (Type::Date, Value::Date(v)) => !(-719_162..=2_932_896).contains(&v),
            (Type::Timestamp, Value::Timestamp(v)) => !(YEAR_1..YEAR_10_000).contains(&v),
            (Type::Instant, Value::Instant(v)) => !(1_000_000..=2_147_483_647_999_999).contains(&v),
            _ => false,
        }
    }

    fn holds_name(&self, name: &str) -> bool {
        // The server keeps names in three bytes a character, and no blank at the end.
        name.chars().all(|c| u32::from(c) <= 0xffff) && !name.ends_with(' ')
    }

    fn canary(&self) -> Option<&str> {
        Some(PASSWORD)
    }
}

fn conforms_on(server: Arc<Server>, options: &'static str) {
    let database = server.fresh_database().unwrap();
    let report = run(&mut OnServer {
        server,
        database,
        options,
    });
    assert!(report.skipped_but_hashes().is_empty(), "{report}");
}

#[test]
fn conforms() {
    conforms_on(shared().unwrap(), "?sslmode=require");
}

/// On a server that allows no `LOAD DATA LOCAL` and only small packets, logs for replicas, and is set otherwise than a
/// session has to be.
#[test]
fn conforms_without_local_infile() {
    let options = Options {
        settings: [
            "local-infile=OFF",
            "max-allowed-packet=4M",
            "log-bin",
            "sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH",
            "default-time-zone=+05:00",
        ]
        .map(str::to_owned)
        .into(),
        tls: false,
    };
    conforms_on(Arc::new(Server::start(options).unwrap()), "");
}
