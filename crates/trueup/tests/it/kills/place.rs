//! The databases of servers that the trials begin and end with.

use super::{COLLECTIONS, System};
use crate::support;
use trueup_testkit::servers::{mariadb, postgres};

/// Logs every write to the target's largest collection.
const LOG_POSTGRES: &str = "\
    CREATE SCHEMA log; CREATE TABLE log.written (key text); \
    CREATE FUNCTION log.log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      INSERT INTO log.written VALUES (coalesce(new.flight, old.flight)); RETURN NULL; END $$; \
    CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON flights FOR EACH ROW EXECUTE FUNCTION log.log();";

/// As above; the table's name makes it no collection.
const LOG_MARIADB: &str = "\
    CREATE TABLE _trueup_written (k int); \
    CREATE TRIGGER log_insert AFTER INSERT ON flights FOR EACH ROW INSERT INTO _trueup_written VALUES (NEW.flight); \
    CREATE TRIGGER log_update AFTER UPDATE ON flights FOR EACH ROW INSERT INTO _trueup_written VALUES (NEW.flight); \
    CREATE TRIGGER log_delete AFTER DELETE ON flights FOR EACH ROW INSERT INTO _trueup_written VALUES (OLD.flight);";

/// A database of a server.
pub(super) enum Place {
    Postgres(postgres::Database),
    Mariadb(mariadb::Database),
}

impl Place {
    /// An empty one of each kind.
    pub(super) fn each() -> [Self; 2] {
        [
            Self::Postgres(support::database()),
            Self::Mariadb(support::mariadb()),
        ]
    }

    /// An empty one, where the system is a server.
    pub(super) fn of(system: System) -> Option<Self> {
        match system {
            System::Postgres => Some(Self::Postgres(support::database())),
            System::Mariadb => Some(Self::Mariadb(support::mariadb())),
            System::Csv | System::Jsonl | System::Sqlite => None,
        }
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::Postgres(database) => database.url(),
            Self::Mariadb(database) => database.url(),
        }
    }

    /// Its name for the independent script.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Postgres(database) => format!("postgres:{}", database.name()),
            Self::Mariadb(database) => format!("mariadb:{}", database.name()),
        }
    }

    pub(super) fn sql(&self, sql: &str) -> std::io::Result<String> {
        match self {
            Self::Postgres(database) => database.sql(sql),
            Self::Mariadb(database) => database.sql(sql),
        }
    }

    /// Begins to count the writes. In MariaDB, a copy has no triggers: it begins when it is one.
    pub(super) fn log(&self) {
        if let Self::Postgres(database) = self {
            database.sql(LOG_POSTGRES).unwrap();
        }
    }

    /// How many writes were counted.
    pub(super) fn logged(&self) -> u64 {
        let sql = match self {
            Self::Postgres(_) => "SELECT count(*) FROM log.written",
            Self::Mariadb(_) => "SELECT count(*) FROM _trueup_written",
        };
        self.sql(sql).unwrap().parse().unwrap()
    }

    /// Becomes a copy of the one of its kind.
    pub(super) fn become_copy_of(&self, older: &[Self; 2]) {
        match (self, older) {
            (Self::Postgres(made), [Self::Postgres(older), _]) => {
                let (name, template) = (made.name(), older.name());
                let sql =
                    format!("DROP DATABASE {name};\nCREATE DATABASE {name} TEMPLATE {template}");
                made.server().sql("postgres", &sql).unwrap();
            }
            (Self::Mariadb(made), [_, Self::Mariadb(older)]) => {
                let older = older.name();
                let copies = COLLECTIONS.map(|name| {
                    format!("CREATE TABLE {name} LIKE {older}.{name}; INSERT INTO {name} SELECT * FROM {older}.{name};")
                });
                made.sql(&copies.join("\n")).unwrap();
                made.sql(LOG_MARIADB).unwrap();
            }
            _ => panic!("the places stand in another order"),
        }
    }
}
