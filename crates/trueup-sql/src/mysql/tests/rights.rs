//! What a user lacks, and that the statements which are named give it.

use super::*;
use trueup_core::endpoint::Class;
use trueup_core::rights::{Remedy, Wanted};

/// A database of its own, and a user who may log in and nothing else there.
struct Poor {
    database: Database,
    user: String,
}

impl Poor {
    fn new(sql: &str) -> Self {
        let database = shared().unwrap().fresh_database().unwrap();
        let user = format!("poor{}", database.name());
        database
            .sql(&format!(
                "{sql}; CREATE TABLE door (id int PRIMARY KEY); \
                 CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'secret'; \
                 GRANT SELECT ON door TO {user}@'127.0.0.1'"
            ))
            .unwrap();
        Self { database, user }
    }

    fn connect(&self) -> Box<dyn Endpoint> {
        let (port, name) = (self.database.server().port(), self.database.name());
        let url = format!("mysql://{}:secret@127.0.0.1:{port}/{name}", self.user);
        connect(&url, Context::empty()).unwrap()
    }

    fn missing(&self, wanted: &[Wanted]) -> Vec<String> {
        let missing = self.connect().rights(wanted).unwrap().missing;
        let database = format!("`{}`", self.database.name());
        let shown = missing
            .into_iter()
            .map(|one| one.right.replace(&database, "DATABASE"));
        shown.collect()
    }

    /// Runs what is named, and insists that nothing is missing then.
    fn obey(&self, wanted: &[Wanted]) {
        for one in self.connect().rights(wanted).unwrap().missing {
            let Remedy::Statement(sql) = one.remedy else {
                panic!("no statement for {}", one.right)
            };
            self.database.sql(&sql).unwrap();
        }
        assert_eq!(self.missing(wanted), Vec::<String>::new());
    }
}

impl Drop for Poor {
    fn drop(&mut self) {
        let sql = format!("DROP USER {}@'127.0.0.1'", self.user);
        self.database.sql(&sql).unwrap();
    }
}

#[test]
fn the_grants_that_are_named_are_enough_and_no_more_is_asked() {
    let poor = Poor::new("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)");
    let name = || "t".to_owned();
    assert_eq!(poor.missing(&[Wanted::List]), Vec::<String>::new());
    assert_eq!(
        poor.missing(&[Wanted::Read(name())]),
        ["SELECT on table DATABASE.`t`"]
    );
    assert_eq!(poor.connect().collections().unwrap(), ["door"]);
    poor.obey(&[Wanted::Read(name())]);
    let (read, _) = scan(poor.connect().as_mut(), "t");
    assert_eq!(shown(&read), ["Int(1) Int(1)"]);
    let all = [
        Wanted::Write(name()),
        Wanted::Create("new".to_owned()),
        Wanted::Control,
    ];
    let making = |name: &str| format!("CREATE, SELECT, INSERT, UPDATE on table DATABASE.`{name}`");
    assert_eq!(
        poor.missing(&all),
        [
            "INSERT, UPDATE, DELETE on table DATABASE.`t`",
            "CREATE, ALTER, REFERENCES, SELECT, INSERT, UPDATE, DELETE on table DATABASE.`new`",
            &making("_trueup_epoch"),
            &making("_trueup_marker"),
        ]
    );
    assert_eq!(poor.connect().about().class, Class::Blind);
    poor.obey(&all);
    let mut endpoint = poor.connect();
    assert_eq!(endpoint.about().class, Class::Transactional);
    let records = [
        (Op::Insert, vec![Value::Int(2), Value::Int(2)]),
        (Op::Update, vec![Value::Int(1), Value::Int(9)]),
    ];
    for load in [false, true] {
        let given = Given {
            load,
            ..Given::new("t", &["id", "v"])
        };
        assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED; 2]);
    }
    let wanted = Schema {
        collection: "new".to_owned(),
        ..schema(endpoint.as_mut(), "t")
    };
    let design = endpoint.design(&wanted).unwrap();
    let mut writer = endpoint.writer(&claim()).unwrap();
    writer.create(&design).unwrap();
}
