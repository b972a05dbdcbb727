//! Translates the server's errors into ours, here and nowhere else.
//!
//! Invariant: no text that the server wrote about *data* passes. Its messages quote values, so only the number, our own
//! words for it, and the names of keys, constraints and columns are kept. The server's own words are shown only while
//! connecting, when no record has been seen yet.

use std::io;
use trueup_core::{Error, Kind};

/// What the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: u16,
    pub(super) message: String,
}

/// Why there is no answer, or a bad one.
#[derive(Debug)]
pub(super) enum Foreign {
    Server(Refused),
    Lost(io::Error),
}

impl From<io::Error> for Foreign {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// Translates an error of a statement.
pub(super) fn translate(foreign: &Foreign) -> Error {
    match foreign {
        Foreign::Server(refused) => from_server(refused),
        Foreign::Lost(error) => lost(error),
    }
}

/// Translates an error met while connecting.
pub(super) fn connecting(foreign: &Foreign) -> Error {
    let Foreign::Server(refused) = foreign else {
        return translate(foreign);
    };
    let said = refused.message.escape_debug();
    let error = from_server(refused);
    let hint = error.advice().unwrap_or("see the server's log").to_owned();
    Error::new(
        error.kind(),
        format!("{}: server says \"{said}\"", error.message()),
    )
    .hint(hint)
}

/// The connection broke. Its words come from sockets, TLS and our own reader, and hold no data.
pub(super) fn lost(error: &io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed it".to_owned(),
        _ => error.to_string(),
    };
    Error::new(
        Kind::Unavailable,
        format!("connection to the server failed: {what}"),
    )
    .hint("check that the server runs and can be reached, then run again: nothing is lost by it")
}

fn from_server(refused: &Refused) -> Error {
    let (kind, hint) = verdict(refused.code);
    Error::new(kind, format!("the server refused: {}", reason(refused))).hint(hint)
}

/// What the caller can do about an error number.
fn verdict(code: u16) -> (Kind, &'static str) {
    match code {
        1045 | 1698 | 1130 | 1862 | 3118 | 4151 => (
            Kind::Auth,
            "check user and password, and that the user may come from this host",
        ),
        3159 => (
            Kind::Auth,
            "the server lets nobody in without TLS; use sslmode=require or better",
        ),
        1044 | 1142 | 1143 | 1227 | 1370 | 1419 => (
            Kind::Auth,
            "grant what is missing: SELECT on a source; SELECT, INSERT, UPDATE, DELETE, CREATE on a target",
        ),
        1049 => (
            Kind::Config,
            "the database does not exist; check its name, or create it",
        ),
        1290 | 1792 | 1836 | 3100 => (
            Kind::Config,
            "the server or the transaction allows reading only; connect to the primary",
        ),
        1040 | 1203 | 1226 => (
            Kind::Throttled,
            "the server has no connection left; close some, or raise max_connections",
        ),
        1205 | 1213 | 1020 | 1412 | 3572 => (
            Kind::Unavailable,
            "another session held or changed what was used; run again",
        ),
        1317 | 1969 | 3024 => (Kind::Unavailable, "the statement was cancelled; run again"),
        1053 | 1077 | 1079 | 1152..=1161 | 1927 | 1094 | 3169 => (
            Kind::Unavailable,
            "the server stopped or broke the connection; run again when it is back",
        ),
        1021 | 1037 | 1038 | 1041 | 1114 | 3 => (
            Kind::Rejected,
            "the server is out of room; make some and run again",
        ),
        1034 | 1035 | 1194 | 1195 | 1712 | 1877 | 126 | 127 => (
            Kind::Corrupt,
            "the server reports a damaged table; see its log before running again",
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

/// Whether the data is refused and not the statement: one record's fault.
pub(super) fn is_data(refused: &Refused) -> bool {
    data_code(refused.code)
}

fn data_code(code: u16) -> bool {
    matches!(
        code,
        1022 | 1048
            | 1062
            | 1118
            | 1138
            | 1153
            | 1169
            | 1172
            | 1216
            | 1217
            | 1264
            | 1265
            | 1292
            | 1300
            | 1301
            | 1364
            | 1365
            | 1366
            | 1367
            | 1406
            | 1411
            | 1416
            | 1441
            | 1451
            | 1452
            | 1526
            | 1557
            | 1586
            | 1644
            | 1690
            | 1761
            | 1762
            | 1859
            | 3140
            | 3141
            | 3144
            | 3156
            | 3819
            | 4025
            | 4037
            | 4038
            | 4078
    )
}

/// Whether files of the client's are forbidden; some servers say so of any statement that they do not allow.
pub(super) fn is_no_local_file(refused: &Refused) -> bool {
    matches!(refused.code, 1148 | 3948 | 4166)
}

/// Whether another record stands in the way.
pub(super) fn is_blocked(refused: &Refused) -> bool {
    matches!(
        refused.code,
        1022 | 1062 | 1169 | 1216 | 1217 | 1451 | 1452 | 1557 | 1586 | 1761 | 1762 | 1859
    )
}

/// How the message begins that has the number of a bad date, and is about a UUID.
const NO_UUID: &str = "Incorrect uuid value";

/// Our words for a server's error: number, meaning and names.
pub(super) fn reason(refused: &Refused) -> String {
    let code = refused.code;
    let meaning = match code {
        1292 if refused.message.starts_with(NO_UUID) => "UUID is none that the server's type takes",
        _ => meaning(code),
    };
    let mut text = format!("{meaning}: error={code}");
    if let Some((what, name)) = named(refused) {
        text.push_str(&format!(" {what}={}", name.escape_debug()));
    }
    text
}

/// The name of what was violated. Values stand before it in the message, so the last mention counts.
pub(super) fn named(refused: &Refused) -> Option<(&'static str, &str)> {
    let message = refused.message.as_str();
    let after = |what: &str| {
        message
            .rfind(what)
            .and_then(|at| message.get(at + what.len()..))
    };
    let until = |text: &str, end: char| text.find(end);
    match refused.code {
        1062 | 1586 | 1859 => {
            let name = after("for key '")?;
            let name = name.strip_suffix('\'').unwrap_or(name);
            // MySQL puts the table's name before it.
            Some(("constraint", name.rsplit('.').next().unwrap_or(name)))
        }
        1048 | 1364 => {
            let at = message.find('\'')?;
            let rest = message.get(at + 1..)?;
            Some(("field", rest.get(..rest.rfind('\'')?)?))
        }
        1264 | 1265 | 1406 => {
            let rest = after("for column '")?;
            Some(("field", rest.get(..until(rest, '\'')?)?))
        }
        1292 | 1366 => {
            let rest = after("for column ")?;
            let rest = rest.get(..rest.find(" at row").unwrap_or(rest.len()))?;
            let name = rest.rsplit('.').next().unwrap_or(rest);
            Some(("field", name.trim_matches(['`', '\''])))
        }
        1451 | 1452 | 4025 => {
            let rest = message.split_once("CONSTRAINT `").map(|(_, rest)| rest)?;
            Some(("constraint", rest.get(..until(rest, '`')?)?))
        }
        3819 => {
            let rest = message.strip_prefix("Check constraint '")?;
            Some(("constraint", rest.get(..rest.rfind('\'')?)?))
        }
        _ => None,
    }
}

fn meaning(code: u16) -> &'static str {
    match code {
        1022 | 1062 | 1169 | 1586 | 1859 => "unique constraint is violated",
        1040 | 1203 => "too many connections",
        1044 | 1142 | 1143 | 1227 | 1370 => "permission denied",
        1045 | 1698 => "login refused",
        1130 => "this host may not connect",
        1048 => "field may not be null",
        1049 => "no such database",
        1054 => "no such field",
        1146 => "no such collection",
        1118 => "record is too large",
        1153 => "value is longer than max_allowed_packet",
        1205 => "lock not available in time",
        1412 => "the collection's shape changed after the snapshot",
        1213 => "transaction lost against another",
        1216 | 1217 | 1451 | 1452 | 1761 | 1762 => "foreign key is violated",
        1264 | 1690 => "number is out of range",
        1265 => "value is not one of the field's type",
        1292 => "date or time is out of range",
        1290 => "server is read-only",
        1317 => "statement cancelled",
        1364 => "field has no default and was left out",
        1366 | 1300 | 3988 => "text cannot be held in the field's character set",
        1406 => "value is too long for the field",
        1441 => "date or time is out of range",
        1644 => "a trigger or procedure refused the record",
        1792 => "transaction is read-only",
        3140 | 3141 | 3144 | 3156 => "JSON is not valid",
        3819 | 4025 => "check constraint is violated",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pass_and_values_do_not() {
        let cases = [
            (
                1062,
                "Duplicate entry 'for key 'x'' for key 'PRIMARY'",
                "unique constraint is violated: error=1062 constraint=PRIMARY",
            ),
            (
                1062,
                "Duplicate entry 'v' for key 't.u_name'",
                "unique constraint is violated: error=1062 constraint=u_name",
            ),
            (
                1048,
                "Column 'name' cannot be null",
                "field may not be null: error=1048 field=name",
            ),
            (
                1406,
                "Data too long for column 'v' at row 1",
                "value is too long for the field: error=1406 field=v",
            ),
            (
                1366,
                "Incorrect string value: 'for column' for column `d`.`t`.`v` at row 1",
                "text cannot be held in the field's character set: error=1366 field=v",
            ),
            (
                1452,
                "Cannot add or update a child row: a foreign key constraint fails (`d`.`c`, CONSTRAINT `fk` FOREIGN KEY (`p`))",
                "foreign key is violated: error=1452 constraint=fk",
            ),
            (
                1062,
                "Duplicate entry 'v' for key 'orders.PRIMARY'",
                "unique constraint is violated: error=1062 constraint=PRIMARY",
            ),
            (
                3819,
                "Check constraint 'orders_chk_1' is violated.",
                "check constraint is violated: error=3819 constraint=orders_chk_1",
            ),
            (
                1292,
                "Incorrect uuid value: '6512bd43-d9ca-a6e0-2c99-0b0a82652dca' for column `d`.`t`.`v` at row 1",
                "UUID is none that the server's type takes: error=1292 field=v",
            ),
            (
                1292,
                "Incorrect datetime value: 'secret' for column `d`.`t`.`v` at row 1",
                "date or time is out of range: error=1292 field=v",
            ),
            (
                1366,
                "Incorrect value: 'secret'",
                "text cannot be held in the field's character set: error=1366",
            ),
            (9999, "secret", "error: error=9999"),
        ];
        for (code, message, expected) in cases {
            let refused = Refused {
                code,
                message: message.to_owned(),
            };
            assert_eq!(reason(&refused), expected);
        }
    }
}
