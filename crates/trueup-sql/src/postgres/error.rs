//! Translates PostgreSQL's errors into ours, here and nowhere else.
//!
//! Invariant: no text that the server wrote about *data* passes. Its messages and details quote values, so only the
//! SQLSTATE, our own words for it, and the names of constraints, columns and tables are kept. The server's own
//! words are shown only while connecting, when no record has been seen yet.

use tokio_postgres::error::{DbError, Severity};
use trueup_core::{Error, Kind};

type Foreign = tokio_postgres::Error;

/// Translates an error of a statement.
pub(super) fn translate(foreign: &Foreign) -> Error {
    match foreign.as_db_error() {
        // The server ended the session with it. During a commit, nobody knows how that ended.
        Some(db) if !matches!(db.parsed_severity(), None | Some(Severity::Error)) => {
            unavailable(&format!("the server ended the session: {}", reason(db)))
        }
        Some(db) => from_server(db),
        // No answer from the server: the connection broke, in one way or another.
        None => unavailable(&transport(foreign)),
    }
}

/// Translates an error met while connecting as `user`.
pub(super) fn connecting(foreign: &Foreign) -> Error {
    let Some(db) = foreign.as_db_error() else {
        let text = transport(foreign);
        if text.contains("password missing") || text.contains("authentication error") {
            return Error::new(Kind::Auth, format!("not allowed in: {text}")).hint(
                "set the password with PGPASSWORD, .pgpass, or password=env:NAME in the URL",
            );
        }
        return unavailable(&text);
    };
    let said = db.message().escape_debug();
    let error = from_server(db);
    let hint = error.advice().unwrap_or("see the server's log").to_owned();
    Error::new(
        error.kind(),
        format!("{}: server says \"{said}\"", error.message()),
    )
    .hint(hint)
}

fn unavailable(what: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        format!("connection to the server failed: {what}"),
    )
    .hint("check that the server runs and can be reached, then run again: nothing is lost by it")
}

/// The causes of a transport error. They come from sockets, TLS and the driver, and hold no data.
fn transport(foreign: &Foreign) -> String {
    let mut text = foreign.to_string();
    let mut cause = std::error::Error::source(foreign);
    while let Some(inner) = cause {
        let next = inner.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = inner.source();
    }
    text
}

fn from_server(db: &DbError) -> Error {
    let code = db.code().code();
    let (kind, hint) = verdict(code);
    Error::new(kind, format!("the server refused: {}", reason(db))).hint(hint)
}

/// Translates an error of which only the SQLSTATE is known.
pub(super) fn from_code(code: &str) -> Error {
    let (kind, hint) = verdict(code);
    let shown = code.escape_debug();
    Error::new(
        kind,
        format!("the server refused: {}: sqlstate={shown}", meaning(code)),
    )
    .hint(hint)
}

/// Says that the connection broke.
pub(super) fn lost_connection(what: &str) -> Error {
    unavailable(what)
}

/// What the caller can do about a SQLSTATE.
fn verdict(code: &str) -> (Kind, &'static str) {
    match code {
        "28P01" | "28000" => (
            Kind::Auth,
            "check user and password, and that pg_hba.conf lets this host in",
        ),
        "42501" => (
            Kind::Auth,
            "grant what is missing: SELECT on a source; SELECT, INSERT, UPDATE, DELETE on a target, and TEMPORARY on its database; CREATE on the database, or USAGE on schema trueup and all rights on its tables",
        ),
        "3D000" => (
            Kind::Config,
            "the database does not exist; check its name, or create it",
        ),
        "25006" => (
            Kind::Config,
            "the server or the user's settings allow reading only; connect to the primary",
        ),
        "53100" => (
            Kind::Rejected,
            "the server's disk is full; make room and run again",
        ),
        "53300" => (
            Kind::Throttled,
            "the server has no connection left; close some, or raise max_connections",
        ),
        "55P03" | "40001" | "40P01" => (
            Kind::Unavailable,
            "another session held the records; run again",
        ),
        "57014" => (Kind::Unavailable, "the statement was cancelled; run again"),
        _ if code.starts_with("53") => (
            Kind::Rejected,
            "the server is out of resources; make room and run again",
        ),
        _ if code.starts_with("57P") || code.starts_with("08") => (
            Kind::Unavailable,
            "the server stopped or broke the connection; run again when it is back",
        ),
        _ if code.starts_with("58") || code.starts_with("XX") => (
            Kind::Corrupt,
            "the server reports damage or a failing disk; see its log before running again",
        ),
        _ if data_code(code) => (
            Kind::Rejected,
            "the record does not fit the target; see its constraints",
        ),
        _ => (
            Kind::Config,
            "the statement does not fit the database's shape; check the mapping and the server's log",
        ),
    }
}

/// The SQLSTATE that refuses the data and not the statement: one record's fault, to be found by halving.
pub(super) fn data(foreign: &Foreign) -> Option<&DbError> {
    foreign
        .as_db_error()
        .filter(|db| data_code(db.code().code()))
}

fn data_code(code: &str) -> bool {
    ["22", "23", "54", "44", "P0"]
        .iter()
        .any(|class| code.starts_with(class))
        || matches!(
            code,
            "42804" | "42846" | "21000" | "27000" | "38000" | "39000"
        )
}

/// Whether another record stands in the way.
pub(super) fn blocked(db: &DbError) -> bool {
    matches!(db.code().code(), "23505" | "23503" | "23P01")
}

/// Our words for a server's error: code, meaning and names.
pub(super) fn reason(db: &DbError) -> String {
    let code = db.code().code();
    let mut text = format!("{}: sqlstate={code}", meaning(code));
    let names = [
        ("constraint", db.constraint()),
        ("field", db.column()),
        ("collection", db.table()),
        ("type", db.datatype()),
    ];
    for (what, name) in names {
        if let Some(name) = name {
            text.push_str(&format!(" {what}={}", name.escape_debug()));
        }
    }
    text
}

fn meaning(code: &str) -> &'static str {
    match code {
        "22001" => "text is too long for the field",
        "22003" => "number is out of range",
        "22007" | "22008" => "date or time is out of range",
        "22021" | "22P05" => "text cannot be held in the database's encoding",
        "22P02" | "22P03" => "value is not one of the field's type",
        "22030" | "22032" => "JSON is not valid",
        "23502" => "field may not be null",
        "23503" => "foreign key is violated",
        "23505" => "unique constraint is violated",
        "23514" => "check constraint is violated",
        "23P01" => "exclusion constraint is violated",
        "28P01" | "28000" => "login refused",
        "3D000" => "no such database",
        "3F000" => "no such schema",
        "42501" => "permission denied",
        "42703" => "no such field",
        "42P01" => "no such collection",
        "42804" | "42846" => "types do not fit",
        "428C9" => "field is generated by the server and cannot be written",
        "42883" => "type has no such operator",
        "53100" => "disk full",
        "53200" => "out of memory",
        "53300" => "too many connections",
        "54000" => "record is too large for an index or a page",
        "55P03" => "lock not available in time",
        "57014" => "statement cancelled",
        "57P01" => "server is shutting down",
        "57P03" => "server is starting up",
        "40001" | "40P01" => "transaction lost against another",
        "25006" => "server is read-only",
        _ if code.starts_with("22") => "value is not valid",
        _ if code.starts_with("23") => "constraint is violated",
        _ if code.starts_with("P0") => "a trigger or function refused the record",
        _ => "error",
    }
}
