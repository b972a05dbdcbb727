//! A small two-way link whose records a test writes itself.

use crate::support::{self, Output, Trueup};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;
use trueup_testkit::servers::postgres::Database;

/// A SQLite file and a PostgreSQL database that were synchronised once.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) database: Database,
    options: Vec<&'static str>,
}

impl Scene {
    /// Makes the SQLite side of `sql`, and the other by a first run.
    pub(super) fn new(sql: &str, options: &[&'static str]) -> Self {
        let scene = Self {
            folder: support::folder(),
            database: support::database(),
            options: options.to_vec(),
        };
        scene.sqlite(sql);
        scene.sync().expect(0);
        scene
    }

    pub(super) fn at(&self) -> &Path {
        self.folder.path()
    }

    /// Runs SQL at the SQLite side.
    #[track_caller]
    pub(super) fn sqlite(&self, sql: &str) {
        support::sqlite(&self.at().join("side.db"), sql);
    }

    /// Runs SQL at the PostgreSQL side.
    #[track_caller]
    pub(super) fn postgres(&self, sql: &str) {
        self.database.sql(sql).unwrap();
    }

    /// Runs SQL at both sides.
    #[track_caller]
    pub(super) fn both(&self, sql: &str) {
        self.sqlite(sql);
        self.postgres(sql);
    }

    /// The command under test, about to run.
    pub(super) fn command(&self) -> Trueup {
        let sides = ["sqlite:side.db", &self.database.url(), "--two-way"];
        let run = Trueup::new(self.at()).sync(sides);
        run.arguments(["--json", "--quiet"])
            .arguments(&self.options)
    }

    pub(super) fn sync(&self) -> Output {
        self.command().run()
    }

    /// The conflicts on record.
    pub(super) fn list(&self, options: &[&str]) -> Vec<Value> {
        let list = Trueup::new(self.at()).state("conflicts", ["list", "--json"]);
        let listed = list.arguments(options).run().expect(0).json();
        listed.as_array().unwrap().clone()
    }

    /// What each side answers to a query of one text, nothing where there is no record.
    pub(super) fn held(&self, sql: &str) -> [String; 2] {
        let database = rusqlite::Connection::open(self.at().join("side.db")).unwrap();
        let sqlite = database.query_row(sql, [], |row| row.get::<_, Option<String>>(0));
        let sqlite = match sqlite {
            Ok(text) => text.unwrap_or_default(),
            Err(rusqlite::Error::QueryReturnedNoRows) => String::new(),
            Err(error) => panic!("{error}: {sql}"),
        };
        [sqlite, self.database.sql(sql).unwrap()]
    }

    /// Insists on what both sides answer to a query of one text.
    #[track_caller]
    pub(super) fn expect(&self, sql: &str, expected: &str) {
        assert_eq!(self.held(sql), [expected, expected], "{sql}");
    }
}
