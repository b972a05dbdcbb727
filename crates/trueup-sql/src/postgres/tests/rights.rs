//! What a user lacks, and that the statements which are named give it.

use super::*;
use trueup_core::rights::{Remedy, Wanted};

/// A database of its own, and a role that may log in and nothing else.
pub(super) struct Poor {
    database: Database,
    role: String,
}

impl Poor {
    /// `sql` makes what is there.
    pub(super) fn new(sql: &str) -> Self {
        let database = shared(None).unwrap().fresh_database().unwrap();
        let role = format!("Poor \"{}\"", database.name());
        let quoted = role.replace('"', "\"\"");
        let name = database.name();
        database
            .sql(&format!(
                "CREATE ROLE \"{quoted}\" LOGIN PASSWORD 'secret'; \
                 REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC; {sql}"
            ))
            .unwrap();
        Self { database, role }
    }

    pub(super) fn connect(&self) -> Box<dyn Endpoint> {
        let (port, name) = (self.database.server().port(), self.database.name());
        let user = self.role.replace(' ', "%20").replace('"', "%22");
        let url = format!("postgres://{user}:secret@127.0.0.1:{port}/{name}");
        connect(&url, Context::empty()).unwrap()
    }

    /// The missing rights, with the database's and the user's names replaced.
    fn missing(&self, wanted: &[Wanted]) -> Vec<(String, String)> {
        let rights = self.connect().rights(wanted).unwrap();
        let user = self.role.replace('"', "\"\"");
        let missing = rights.missing.into_iter();
        let plain = |text: &str| {
            text.replace(&format!("\"{user}\""), "USER")
                .replace(&format!("\"{}\"", self.database.name()), "DATABASE")
        };
        missing
            .map(|one| match one.remedy {
                Remedy::Statement(sql) => (plain(&one.right), plain(&sql)),
                Remedy::Advice(advice) => (plain(&one.right), advice),
            })
            .collect()
    }

    /// Runs what is named, and insists that nothing is missing then.
    fn obey(&self, wanted: &[Wanted]) {
        for one in self.connect().rights(wanted).unwrap().missing {
            let Remedy::Statement(sql) = one.remedy else {
                panic!("no statement for {}", one.right)
            };
            self.database.sql(&sql).unwrap();
        }
        assert_eq!(self.missing(wanted), []);
    }
}

fn read(name: &str) -> Wanted {
    Wanted::Read(name.to_owned())
}

fn write(name: &str) -> Wanted {
    Wanted::Write(name.to_owned())
}

fn create(name: &str) -> Wanted {
    Wanted::Create(name.to_owned())
}

/// The right, and the statement that gives it.
type Grant = (&'static str, &'static str);

const TEMPORARY: Grant = (
    "TEMPORARY on database DATABASE",
    "GRANT TEMPORARY ON DATABASE DATABASE TO USER",
);

#[track_caller]
fn check(sql: &str, wanted: Wanted, expected: &[Grant]) {
    let poor = Poor::new(sql);
    let wanted = [wanted];
    let missing = poor.missing(&wanted);
    let missing: Vec<(&str, &str)> = missing
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(missing, expected, "{wanted:?}");
    poor.obey(&wanted);
}

#[test]
fn reading_has_its_rights_and_they_are_enough() {
    let there = "CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA s; CREATE TABLE s.u (id int PRIMARY KEY)";
    let plain = (
        "SELECT on table \"public\".\"t\"",
        "GRANT SELECT ON \"public\".\"t\" TO USER",
    );
    check(there, read("t"), &[plain]);
    let odd = (
        "SELECT on table \"public\".\"Odd \"\"name\"\"\"",
        "GRANT SELECT ON \"public\".\"Odd \"\"name\"\"\" TO USER",
    );
    check(
        "CREATE TABLE \"Odd \"\"name\"\"\" (id int)",
        read("Odd \"name\""),
        &[odd],
    );
    let usage = (
        "USAGE on schema \"s\"",
        "GRANT USAGE ON SCHEMA \"s\" TO USER",
    );
    let select = (
        "SELECT on table \"s\".\"u\"",
        "GRANT SELECT ON \"s\".\"u\" TO USER",
    );
    check(there, read("s.u"), &[usage, select]);
    check(there, Wanted::List, &[]);
}

#[test]
fn writing_has_its_rights_and_they_are_enough() {
    let there = "CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA s";
    let all = (
        "SELECT, INSERT, UPDATE, DELETE on table \"public\".\"t\"",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON \"public\".\"t\" TO USER",
    );
    check(there, write("t"), &[all, TEMPORARY]);
    let here = (
        "CREATE on schema \"public\"",
        "GRANT CREATE ON SCHEMA \"public\" TO USER",
    );
    check(there, create("new"), &[here, TEMPORARY]);
    let elsewhere = (
        "USAGE, CREATE on schema \"s\"",
        "GRANT USAGE, CREATE ON SCHEMA \"s\" TO USER",
    );
    check(there, create("s.new"), &[elsewhere, TEMPORARY]);
    let control = (
        "CREATE on database DATABASE",
        "GRANT CREATE ON DATABASE DATABASE TO USER",
    );
    check(there, Wanted::Control, &[control]);
}

#[test]
fn closed_schema_is_told_even_though_it_hides_its_tables() {
    let poor =
        Poor::new("CREATE TABLE t (id int PRIMARY KEY); REVOKE ALL ON SCHEMA public FROM PUBLIC");
    assert_eq!(poor.connect().collections().unwrap(), [""; 0]);
    let usage = (
        "USAGE on schema \"public\"".to_owned(),
        "GRANT USAGE ON SCHEMA \"public\" TO USER".to_owned(),
    );
    for wanted in [Wanted::List, read("t")] {
        assert_eq!(poor.missing(&[wanted])[0], usage);
    }
    assert_eq!(
        poor.missing(&[create("new")])[0].1,
        "GRANT USAGE, CREATE ON SCHEMA \"public\" TO USER"
    );
    poor.obey(&[Wanted::List, read("t"), create("new")]);
    assert_eq!(poor.connect().collections().unwrap(), ["t"]);
}

#[test]
fn other_closed_schemas_are_a_note() {
    let poor = Poor::new(
        "CREATE SCHEMA s; CREATE TABLE s.u (id int); CREATE TABLE t (id int); GRANT SELECT ON t TO PUBLIC",
    );
    let rights = poor.connect().rights(&[Wanted::List]).unwrap();
    assert_eq!(rights.missing, []);
    assert_eq!(
        rights.notes,
        ["this user may not use schemas that hold tables: total=1 schemas=\"s\""]
    );
}

#[test]
fn rights_on_each_column_are_as_good_as_on_the_table() {
    let poor = Poor::new(
        "CREATE TABLE t (id int PRIMARY KEY, name text, gone int); ALTER TABLE t DROP COLUMN gone; \
         GRANT SELECT (id, name), INSERT (id), UPDATE (id, name) ON t TO PUBLIC",
    );
    assert_eq!(poor.missing(&[read("t")]), []);
    assert_eq!(
        poor.missing(&[write("t")])[0].0,
        "INSERT, DELETE on table \"public\".\"t\""
    );
}

#[test]
fn control_tables_that_are_there_are_looked_at_one_by_one() {
    let create = "CREATE SCHEMA trueup; \
        CREATE TABLE trueup.epoch (link text PRIMARY KEY, epoch bigint NOT NULL, incarnation text NOT NULL)";
    let marker = "CREATE TABLE trueup.marker (link text NOT NULL, partition text NOT NULL, incarnation text NOT NULL, \
        batch bigint NOT NULL, position bytea NOT NULL, epoch bigint NOT NULL, PRIMARY KEY (link, partition))";
    let poor = Poor::new(create);
    let granted = |poor: &Poor| -> Vec<String> {
        let missing = poor.missing(&[Wanted::Control]);
        missing.into_iter().map(|(_, sql)| sql).collect()
    };
    assert_eq!(
        granted(&poor),
        [
            "GRANT USAGE, CREATE ON SCHEMA \"trueup\" TO USER",
            "GRANT SELECT, INSERT, UPDATE ON \"trueup\".\"epoch\" TO USER",
        ]
    );
    poor.database.sql(marker).unwrap();
    assert_eq!(
        granted(&poor),
        [
            "GRANT USAGE ON SCHEMA \"trueup\" TO USER",
            "GRANT SELECT, INSERT, UPDATE ON \"trueup\".\"epoch\" TO USER",
            "GRANT SELECT, INSERT, UPDATE ON \"trueup\".\"marker\" TO USER",
        ]
    );
    assert_eq!(poor.connect().about().class.letter(), "B");
    poor.obey(&[Wanted::Control]);
    assert_eq!(poor.connect().about().class.letter(), "T");
}

#[test]
fn superuser_lacks_nothing_and_nothing_is_written() {
    let (database, mut endpoint) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let before = "SELECT count(*), pg_current_wal_insert_lsn() IS NOT NULL FROM pg_class";
    let was = database.sql(before).unwrap();
    let wanted = [
        Wanted::List,
        read("t"),
        write("t"),
        create("new"),
        Wanted::Control,
        read("none"),
    ];
    assert_eq!(
        endpoint.rights(&wanted).unwrap(),
        trueup_core::rights::Rights::default()
    );
    assert_eq!(database.sql(before).unwrap(), was);
}
