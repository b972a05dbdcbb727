//! What a server logs is told as it was done; the trap numbers are those of the study of databases.

use super::*;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use trueup_core::Kind;
use trueup_core::endpoint::Position;
use trueup_core::follow::{Changes, FollowRequest, Followed, Log, Opened, Told};
use trueup_testkit::servers::mariadb::{Options, Server};

/// How often it is waited a second for something that was done before.
const WAITS_MAX: usize = 60;

/// The server with a log that the tests share.
pub(super) fn logging() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut slot = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = slot.upgrade() {
        return server;
    }
    let server = Arc::new(logging_with(&[]));
    *slot = Arc::downgrade(&server);
    server
}

/// A server with a log, and these settings.
pub(super) fn logging_with(settings: &[&str]) -> Server {
    let ours = [
        "log-bin=bin",
        "binlog-format=ROW",
        "server-id=7",
        "max-binlog-size=1G",
    ];
    let settings = ours.iter().chain(settings).map(|&one| one.to_owned());
    Server::start(Options {
        settings: settings.collect(),
        tls: false,
    })
    .unwrap()
}

/// A database with what `sql` makes in it.
pub(super) struct Given {
    pub(super) database: Database,
    pub(super) endpoint: Box<dyn Endpoint>,
}

impl Given {
    pub(super) fn new(sql: &str) -> Self {
        Self::on(&logging(), sql)
    }

    pub(super) fn on(server: &Arc<Server>, sql: &str) -> Self {
        let database = server.fresh_database().unwrap();
        database.sql(sql).unwrap();
        let endpoint = connect(&database.url(), Context::empty()).unwrap();
        Self { database, endpoint }
    }

    pub(super) fn sql(&self, sql: &str) {
        self.database.sql(sql).unwrap();
    }

    pub(super) fn open(
        &mut self,
        names: &[&str],
        from: Option<&Position>,
    ) -> trueup_core::Result<Opened> {
        let schemas: Vec<Schema> = names
            .iter()
            .map(|name| schema(self.endpoint.as_mut(), name))
            .collect();
        let fields: Vec<Vec<usize>> = schemas
            .iter()
            .map(|schema| (0..schema.fields.len()).collect())
            .collect();
        let collections = schemas
            .iter()
            .zip(&fields)
            .map(|(schema, fields)| Followed {
                schema,
                fields,
                key: &schema.key,
            });
        let collections: Vec<Followed<'_>> = collections.collect();
        self.endpoint.follow(&FollowRequest {
            link: "a to b",
            collections: &collections,
            from,
            changes_max: 3,
            bytes_max: 1 << 20,
        })
    }

    pub(super) fn follow(&mut self, names: &[&str]) -> Reading {
        self.follow_from(names, None)
    }

    pub(super) fn follow_from(&mut self, names: &[&str], from: Option<&Position>) -> Reading {
        match self.open(names, from).unwrap() {
            Opened::Log(log) => Reading::new(log),
            Opened::Lost(reason) => panic!("{reason}"),
        }
    }
}

/// A log being read.
pub(super) struct Reading {
    pub(super) log: Box<dyn Log>,
    pub(super) piece: Changes,
    /// Behind the last commit.
    pub(super) position: Position,
}

impl Reading {
    fn new(log: Box<dyn Log>) -> Self {
        let position = log.start();
        Self {
            log,
            piece: Changes::default(),
            position,
        }
    }

    /// What comes next that is something.
    pub(super) fn next(&mut self) -> trueup_core::Result<Told> {
        for _ in 0..WAITS_MAX {
            match self.log.next(&mut self.piece, Duration::from_secs(1))? {
                Told::Nothing | Told::Quiet(_) => {}
                Told::Commit { position, at_us } => {
                    self.position = position.clone();
                    return Ok(Told::Commit { position, at_us });
                }
                told => return Ok(told),
            }
        }
        panic!("nothing is told");
    }

    /// The next `commits` transactions, and what comes before the last of them, a line for each change.
    pub(super) fn told(&mut self, commits: usize) -> Vec<String> {
        let (mut lines, mut seen) = (Vec::new(), 0);
        while seen < commits {
            match self.next().unwrap() {
                Told::Changes(of) => self.lines(of, &mut lines),
                Told::Commit { .. } => {
                    seen += 1;
                    lines.push("commit".to_owned());
                }
                other => lines.push(format!("{other:?}")),
            }
        }
        lines
    }

    fn lines(&self, of: usize, lines: &mut Vec<String>) {
        let records = shown(&self.piece.records);
        let mut records = records.iter();
        for change in &self.piece.changes {
            let of_change: Vec<&str> = records
                .by_ref()
                .take(change.records())
                .map(String::as_str)
                .collect();
            lines.push(format!("{of} {change:?} {}", of_change.join(" -> ")));
        }
        assert_eq!(records.next(), None);
    }
}

#[test]
fn changes_are_told_in_their_transactions() {
    let mut given = Given::new(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(9)); CREATE TABLE u (id int PRIMARY KEY); \
         CREATE TABLE other (id int); INSERT INTO t VALUES (1, 'old')",
    );
    let mut log = given.follow(&["t", "u"]);
    given.sql(
        "INSERT INTO t VALUES (2, 'a'), (3, NULL), (4, ''), (5, 'e'); INSERT INTO other VALUES (1); \
         BEGIN; UPDATE t SET v = 'b' WHERE id = 1; INSERT INTO u VALUES (7); DELETE FROM t WHERE id = 2; COMMIT; \
         BEGIN; INSERT INTO u VALUES (8); ROLLBACK; \
         UPDATE t SET id = 30 WHERE id = 3; TRUNCATE TABLE u; TRUNCATE other",
    );
    assert_eq!(
        log.told(4),
        [
            "0 Insert Int(2) Text(\"a\")",
            "0 Insert Int(3) Null",
            "0 Insert Int(4) Text(\"\")",
            "0 Insert Int(5) Text(\"e\")",
            "commit",
            "0 Update Int(1) Text(\"b\")",
            "1 Insert Int(7)",
            "0 Delete Int(2) Unchanged",
            "commit",
            "0 Rekey Int(3) Unchanged -> Int(30) Null",
            "commit",
            "Truncated([1])",
            "commit",
        ]
    );
}

#[test]
fn a_position_leads_on() {
    let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY)");
    let mut log = given.follow(&["t"]);
    let start = log.position.clone();
    given.sql("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
    log.told(2);
    let position = log.position.clone();
    drop(log);
    let mut log = given.follow_from(&["t"], Some(&position));
    assert_eq!(log.log.start(), position);
    assert_eq!(log.told(1), ["0 Insert Int(3)", "commit"]);
    let mut log = given.follow_from(&["t"], Some(&start));
    assert_eq!(log.told(3).len(), 6);
    let backlog = log.log.backlog().unwrap();
    assert!(backlog.untold_bytes.is_some());
}

/// The keys that a snapshot delivers.
fn keys(given: &mut Given) -> (Position, BTreeSet<String>) {
    let schema = schema(given.endpoint.as_mut(), "t");
    let mut snapshot = given.endpoint.snapshot().unwrap();
    let request = ScanRequest {
        schema: &schema,
        fields: &[0],
        wanted: &[Type::Any],
        order: Order::Natural,
        after: None,
        sieve: &[],
        batch_records_max: 1 << 20,
        batch_bytes_max: 1 << 24,
    };
    let mut scan = snapshot.scan(&request).unwrap();
    let mut batch = Batch::new(1);
    scan.next(&mut batch).unwrap();
    drop(scan);
    (snapshot.position(), shown(&batch).into_iter().collect())
}

#[test]
fn a_snapshot_holds_exactly_the_transactions_that_it_is_said_to_hold() {
    const WRITERS: usize = 3;
    const COMMITS: usize = 150;
    let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY, v int) ENGINE=InnoDB");
    let mut log = given.follow(&["t"]);
    let server = Arc::clone(given.database.server());
    let name = given.database.name().to_owned();
    let mut snapshots = Vec::new();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, name) = (Arc::clone(&server), name.clone());
            scope.spawn(move || {
                let first = writer * 10_000;
                let commits = (0..COMMITS).map(|n| {
                    let (a, b) = (first + 2 * n, first + 2 * n + 1);
                    let flush = if n == COMMITS / 2 { "FLUSH BINARY LOGS;" } else { "" };
                    format!(
                        "BEGIN; INSERT INTO t VALUES ({a}, 1); INSERT INTO t VALUES ({b}, 2); COMMIT; {flush}\n"
                    )
                });
                server.sql(&name, &commits.collect::<String>()).unwrap();
            });
        }
        snapshots.extend((0..40).map(|_| keys(&mut given)));
    });
    snapshots.push(keys(&mut given));
    let mut held = vec![BTreeSet::new(); snapshots.len()];
    let mut commits = 0;
    while commits < WRITERS * COMMITS {
        match log.next().unwrap() {
            Told::Changes(0) => {
                for ((position, _), held) in snapshots.iter().zip(&mut held) {
                    if log.log.seen(position).unwrap() {
                        let records = log.piece.records.records();
                        held.extend(records.map(|record| format!("{:?}", record.value(0))));
                    }
                }
            }
            Told::Commit { .. } => commits += 1,
            other => panic!("{other:?}"),
        }
    }
    for ((position, found), held) in snapshots.iter().zip(&held) {
        assert_eq!(found, held, "{position}");
    }
    let alien = Position("mysql localhost:1 database=x".to_owned());
    assert_eq!(log.log.seen(&alien).unwrap_err().kind(), Kind::Config);
}

#[test]
fn what_concerns_nobody_moves_the_position_all_the_same() {
    let mut given =
        Given::new("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
    let mut log = given.follow(&["t"]);
    let start = log.position.clone();
    given.sql("INSERT INTO other VALUES (1)");
    let mut piece = Changes::default();
    let quiet = (0..WAITS_MAX).find_map(|_| {
        match log.log.next(&mut piece, Duration::from_secs(1)).unwrap() {
            Told::Quiet(position) => Some(position),
            told => {
                assert_eq!(told, Told::Nothing);
                None
            }
        }
    });
    let quiet = quiet.unwrap();
    assert_ne!(quiet, start);
    let mut log = given.follow_from(&["t"], Some(&quiet));
    given.sql("INSERT INTO t VALUES (2)");
    assert_eq!(log.told(1), ["0 Insert Int(2)", "commit"]);
}

#[test]
fn a_table_without_transactions_is_told_by_statements() {
    let mut given = Given::new("CREATE TABLE t (id int PRIMARY KEY) ENGINE=MyISAM");
    let mut log = given.follow(&["t"]);
    given.sql("INSERT INTO t VALUES (1), (2); DELETE FROM t WHERE id = 1");
    assert_eq!(
        log.told(2),
        [
            "0 Insert Int(1)",
            "0 Insert Int(2)",
            "commit",
            "0 Delete Int(1)",
            "commit"
        ]
    );
}

#[test]
fn a_server_that_dies_is_followed_again() {
    let server = Arc::new(logging_with(&[]));
    let mut given = Given::on(&server, "CREATE TABLE t (id int PRIMARY KEY)");
    let mut log = given.follow(&["t"]);
    given.sql("INSERT INTO t VALUES (1)");
    log.told(1);
    server.kill().unwrap();
    let error = log.next().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let position = log.position.clone();
    server.restart().unwrap();
    given.endpoint = connect(&given.database.url(), Context::empty()).unwrap();
    let mut log = given.follow_from(&["t"], Some(&position));
    given.sql("INSERT INTO t VALUES (2)");
    assert_eq!(log.told(1), ["0 Insert Int(2)", "commit"]);
}
