//! Asks the server what this user may do, and words the grants of what is missing.
//!
//! Invariant: the answer comes from the grants that hold in this session (`SHOW GRANTS`, with the roles that are switched
//! on); nothing is tried out. The statements name the user of this session, and can be run as they stand by whoever
//! may grant.
//!
//! It deliberately takes a grant on some columns for one on the table where reading is asked: what the user may not see
//! is not in the shape either.

use super::control::{TABLES, existing};
use super::quote::ident;
use super::schema;
use super::session::Connection;
use trueup_core::Result;
use trueup_core::rights::{Remedy, Rights, Wanted};

const READING: [&str; 1] = ["SELECT"];
const WRITING: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// Indexes and constraints follow the load, and a foreign key takes a right on the table that it refers to.
const CREATING: [&str; 7] = [
    "CREATE",
    "ALTER",
    "REFERENCES",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
];
const CONTROLLING: [&str; 3] = ["SELECT", "INSERT", "UPDATE"];
const MAKING: [&str; 4] = ["CREATE", "SELECT", "INSERT", "UPDATE"];

/// Tells what is missing.
pub(super) fn rights(connection: &Connection, wanted: &[Wanted]) -> Result<Rights> {
    let mut asking = Asking::new(connection)?;
    let mut rights = Rights::default();
    for one in wanted {
        match one {
            Wanted::List => {
                let may = asking.lacking("", &READING).is_empty();
                if !may && schema::collections(connection)?.is_empty() {
                    asking.lack(&mut rights, one, None, &READING);
                }
            }
            Wanted::Read(name) => asking.table(&mut rights, one, name, &READING),
            Wanted::Write(name) => asking.table(&mut rights, one, name, &WRITING),
            Wanted::Create(name) => asking.table(&mut rights, one, name, &CREATING),
            Wanted::Control => {
                for (name, missing) in asking.control()? {
                    asking.lack(&mut rights, one, Some(name), &missing);
                }
            }
        }
    }
    Ok(rights)
}

/// The rights that keeping the control tables takes and this user does not have, by table.
pub(super) fn control(connection: &Connection) -> Result<Vec<(&'static str, Vec<&'static str>)>> {
    Asking::new(connection)?.control()
}

struct Asking<'a> {
    connection: &'a Connection,
    user: String,
    database: String,
    grants: Vec<Grant>,
}

impl<'a> Asking<'a> {
    fn new(connection: &'a Connection) -> Result<Self> {
        let row = connection.one("SELECT CURRENT_USER(), DATABASE()")?;
        let account = row.text(0)?;
        let (user, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
        let user = format!("{}@{}", ident(user), ident(host));
        let database = row.text(1)?;
        let mut grants = Vec::new();
        for row in connection.query(&show(connection)?)? {
            grants.extend(Grant::parse(&row.text(0)?));
        }
        Ok(Self {
            connection,
            user,
            database,
            grants,
        })
    }

    /// Which of these are not granted on a table; on all of the database where none is named.
    fn lacking(&self, table: &str, privileges: &[&'static str]) -> Vec<&'static str> {
        let may = |privilege: &&str| {
            let mut grants = self.grants.iter();
            !grants.any(|grant| grant.gives(privilege, &self.database, table))
        };
        privileges.iter().copied().filter(may).collect()
    }

    fn table(
        &mut self,
        rights: &mut Rights,
        wanted: &Wanted,
        name: &str,
        privileges: &[&'static str],
    ) {
        let missing = self.lacking(name, privileges);
        if !missing.is_empty() {
            self.lack(rights, wanted, Some(name), &missing);
        }
    }

    fn lack(&self, rights: &mut Rights, wanted: &Wanted, table: Option<&str>, missing: &[&str]) {
        let privileges = missing.join(", ");
        let (on, shown) = match table {
            Some(table) => {
                let on = format!("{}.{}", ident(&self.database), ident(table));
                (on.clone(), format!("table {on}"))
            }
            None => {
                // In such a grant the name is a pattern.
                let pattern = self.database.replace('_', "\\_").replace('%', "\\%");
                let shown = format!("database {}", ident(&self.database));
                (format!("{}.*", ident(&pattern)), shown)
            }
        };
        rights.lack(
            wanted,
            format!("{privileges} on {shown}"),
            Remedy::Statement(format!("GRANT {privileges} ON {on} TO {}", self.user)),
        );
    }

    fn control(&self) -> Result<Vec<(&'static str, Vec<&'static str>)>> {
        let there = existing(self.connection)?;
        let lacking = TABLES.into_iter().map(|name| {
            let made = there.iter().any(|other| other == name);
            let needed: &[&'static str] = if made { &CONTROLLING } else { &MAKING };
            (name, self.lacking(name, needed))
        });
        Ok(lacking.filter(|(_, missing)| !missing.is_empty()).collect())
    }
}

/// The statement that lists the grants, those of roles included.
fn show(connection: &Connection) -> Result<String> {
    if connection.server.mariadb || connection.server.number < (8, 0) {
        return Ok("SHOW GRANTS".to_owned());
    }
    let role = connection.one("SELECT CURRENT_ROLE()")?.text(0)?;
    Ok(if role == "NONE" {
        "SHOW GRANTS".to_owned()
    } else {
        format!("SHOW GRANTS FOR CURRENT_USER() USING {role}")
    })
}

/// One line of `SHOW GRANTS`.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    /// In capitals, without the columns they may be limited to.
    privileges: Vec<(String, bool)>,
    /// A pattern; `None` is every database.
    database: Option<String>,
    /// `None` is every table.
    table: Option<String>,
}

impl Grant {
    /// Takes a line apart; `None` when it grants nothing on tables (a role, a proxy, a procedure).
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("GRANT ")?;
        let on = outside(rest, " ON ")?;
        let (list, rest) = (rest.get(..on)?, rest.get(on + 4..)?);
        let object = rest.get(..outside(rest, " TO ")?)?;
        let (database, table) = match outside(object, ".") {
            Some(dot) => (object.get(..dot)?, object.get(dot + 1..)?),
            None => return None,
        };
        let name = |text: &str| match text {
            "*" => Some(None),
            _ => {
                let inner = text.strip_prefix('`')?.strip_suffix('`')?;
                Some(Some(inner.replace("``", "`")))
            }
        };
        let mut privileges = Vec::new();
        let mut rest = list;
        loop {
            let end = outside(rest, ",").unwrap_or(rest.len());
            let one = rest.get(..end)?.trim();
            let (name, columns) = match one.split_once(" (") {
                Some((name, _)) => (name, true),
                None => (one, false),
            };
            privileges.push((name.to_ascii_uppercase(), columns));
            match rest.get(end + 1..) {
                Some(more) => rest = more,
                None => break,
            }
        }
        Some(Self {
            privileges,
            database: name(database)?,
            table: name(table)?,
        })
    }

    fn gives(&self, privilege: &str, database: &str, table: &str) -> bool {
        let place = match (&self.database, &self.table) {
            (None, _) => true,
            (Some(pattern), None) => like(pattern, database),
            (Some(name), Some(own)) => name == database && own == table,
        };
        place
            && self.privileges.iter().any(|(own, columns)| {
                let all = own == "ALL PRIVILEGES" || own == "ALL";
                all || own == privilege && (!columns || privilege == "SELECT")
            })
    }
}

/// Finds a text outside of quotes and parentheses.
fn outside(text: &str, wanted: &str) -> Option<usize> {
    let (mut quoted, mut depth) = (None, 0_u32);
    for (at, c) in text.char_indices() {
        match (quoted, c) {
            (None, _)
                if depth == 0 && text.get(at..).is_some_and(|rest| rest.starts_with(wanted)) =>
            {
                return Some(at);
            }
            (None, '`' | '\'' | '"') => quoted = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (Some(quote), _) if c == quote => quoted = None,
            _ => {}
        }
    }
    None
}

/// Whether a name fits a pattern with `%`, `_` and backslashes.
fn like(pattern: &str, name: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut rest = name.chars();
    while let Some(c) = pattern.next() {
        match c {
            '%' => {
                let tail = pattern.as_str();
                let name = rest.as_str();
                let mut starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
                return starts.any(|at| like(tail, name.get(at..).unwrap_or_default()));
            }
            '_' => {
                if rest.next().is_none() {
                    return false;
                }
            }
            '\\' => {
                if pattern.next() != rest.next() {
                    return false;
                }
            }
            c => {
                if rest.next() != Some(c) {
                    return false;
                }
            }
        }
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_the_server_shows_them() {
        let user = "TO `u`@`%`";
        let cases = [
            (
                "GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION",
                "DELETE",
                true,
            ),
            ("GRANT SELECT, INSERT ON `shop`.* ", "INSERT", true),
            ("GRANT SELECT, INSERT ON `shop`.* ", "DELETE", false),
            ("GRANT SELECT ON `sh%`.* ", "SELECT", true),
            ("GRANT SELECT ON `sh\\_p`.* ", "SELECT", false),
            ("GRANT SELECT ON `sh_p`.* ", "SELECT", true),
            ("GRANT SELECT ON `sh_p`.`orders` ", "SELECT", false),
            (
                "GRANT SELECT (`a`, `b`), UPDATE (`a`) ON `shop`.`orders` ",
                "SELECT",
                true,
            ),
            (
                "GRANT SELECT (`a`, `b`), UPDATE (`a`) ON `shop`.`orders` ",
                "UPDATE",
                false,
            ),
            ("GRANT SELECT ON `shop`.`a ON b` ", "SELECT", false),
            ("GRANT USAGE ON *.* ", "SELECT", false),
            ("GRANT `role` ", "SELECT", false),
            ("GRANT PROXY ON ''@'%' ", "SELECT", false),
            ("GRANT EXECUTE ON PROCEDURE `shop`.`p` ", "EXECUTE", false),
        ];
        for (line, privilege, expected) in cases {
            let line = format!("{line}{user}");
            let grant = Grant::parse(&line);
            let gives = grant.is_some_and(|grant| grant.gives(privilege, "shop", "orders"));
            assert_eq!(gives, expected, "{line}");
        }
    }
}
