//! Following a real server, started by the test kit. Numbers are those of the trap list in the docs.

mod changes;
mod hostile;
mod identity;
mod opening;
mod places;
mod rights;
mod shapes;
mod values;
mod visible;

use crate::postgres::config::Settings;
use crate::postgres::connect;
use crate::postgres::connect::Connection;
use crate::server::given::{schema, shown};
use std::time::Duration;
use trueup_core::endpoint::{Context, Endpoint, Position};
use trueup_core::follow::{Change, Changes, FollowRequest, Followed, Log, Opened, Told};
use trueup_core::schema::Schema;
use trueup_testkit::servers::postgres::{Database, shared};

/// How long a test waits for what has to come: for ever, to anyone who watches.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database of its own with what `sql` makes in it, and an endpoint connected to it.
fn fresh(sql: &str) -> (Database, Box<dyn Endpoint>) {
    let database = shared(None).unwrap().fresh_database().unwrap();
    database.sql(sql).unwrap();
    let endpoint = connect(&database.url(), Context::empty()).unwrap();
    (database, endpoint)
}

/// What a test follows: all fields of some collections, by their keys.
struct Following {
    link: String,
    schemas: Vec<Schema>,
    fields: Vec<Vec<usize>>,
    changes_max: usize,
    bytes_max: usize,
}

impl Following {
    fn new(database: &Database, endpoint: &mut dyn Endpoint, collections: &[&str]) -> Self {
        let schemas = collections.iter().map(|name| schema(endpoint, name));
        let schemas = schemas.collect::<Vec<_>>();
        let fields = schemas
            .iter()
            .map(|schema| (0..schema.fields.len()).collect());
        Self {
            // Slots belong to the server, and tests share it.
            link: database.name().to_owned(),
            fields: fields.collect(),
            schemas,
            changes_max: 1000,
            bytes_max: 1 << 20,
        }
    }

    fn open(
        &self,
        endpoint: &mut dyn Endpoint,
        from: Option<&Position>,
    ) -> trueup_core::Result<Opened> {
        let collections = self.schemas.iter().zip(&self.fields);
        let collections = collections.map(|(schema, fields)| Followed {
            schema,
            fields,
            key: &schema.key,
        });
        let collections = collections.collect::<Vec<_>>();
        endpoint.follow(&FollowRequest {
            link: &self.link,
            collections: &collections,
            from,
            changes_max: self.changes_max,
            bytes_max: self.bytes_max,
        })
    }

    fn log(&self, endpoint: &mut dyn Endpoint, from: Option<&Position>) -> Box<dyn Log> {
        match self.open(endpoint, from).unwrap() {
            Opened::Log(log) => log,
            Opened::Lost(reason) => panic!("lost: {reason}"),
        }
    }

    /// Opens and tells why that is not possible.
    fn lost(&self, endpoint: &mut dyn Endpoint, from: &Position) -> String {
        match self.open(endpoint, Some(from)).unwrap() {
            Opened::Lost(reason) => reason,
            Opened::Log(log) => panic!("opened at {}", log.start()),
        }
    }
}

/// Tells what comes next, and is no news of a quiet log.
fn told(log: &mut dyn Log, piece: &mut Changes) -> Told {
    loop {
        *piece = Changes::default();
        match log.next(piece, PATIENCE).unwrap() {
            Told::Quiet(_) => {}
            Told::Nothing => panic!("nothing came"),
            other => return other,
        }
    }
}

/// Tells `commits` transactions, a line for each change and each end. Returns where to go on.
fn tell(log: &mut dyn Log, commits: usize) -> (Vec<String>, Position) {
    let (mut lines, mut last) = (Vec::new(), log.start());
    let mut piece = Changes::default();
    let mut left = commits;
    while left > 0 {
        match told(log, &mut piece) {
            Told::Changes(at) => lines.extend(spelled(at, &piece)),
            Told::Commit { position, at_us } => {
                assert!(at_us.is_some());
                lines.push("commit".to_owned());
                last = position;
                left -= 1;
            }
            Told::Truncated(which) => lines.push(format!("truncated {which:?}")),
            Told::Reshaped(at) => {
                lines.push(format!("reshaped {at}"));
                break;
            }
            Told::Quiet(_) | Told::Nothing => {}
        }
    }
    (lines, last)
}

fn spelled(at: usize, piece: &Changes) -> Vec<String> {
    let mut records = shown(&piece.records).into_iter();
    let line = |change: &Change| {
        let mine = records.by_ref().take(change.records());
        format!("{at} {change:?} {}", mine.collect::<Vec<_>>().join(" -> "))
    };
    piece.changes.iter().map(line).collect()
}

/// Asks until the answer is the wanted one: a condition that is sure to come, at the pace of the server.
fn until(database: &Database, sql: &str, wanted: &str) {
    loop {
        let answer = database
            .sql(&format!("SELECT pg_sleep(0.02)::text; {sql}"))
            .unwrap();
        if answer.trim() == wanted {
            return;
        }
    }
}

/// A session of an application, for transactions that stay open.
fn session(database: &Database) -> Connection {
    Connection::open(&Settings::parse(&database.url(), &Context::empty()).unwrap()).unwrap()
}
