//! Who runs a server: PostgreSQL and MariaDB refuse to run as root.

use std::io;

/// Whom the server runs as when we are root.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Whom to run the server as: ourselves, unless we are root; then `wanted`, where there is such a user.
pub(super) fn account(wanted: &str) -> io::Result<Option<Account>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let effective = uid.and_then(|ids| ids.split_whitespace().nth(1));
    if effective != Some("0") {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    for wanted in [wanted, "nobody"] {
        let entry = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        for fields in entry {
            if let [name, _, uid, gid, ..] = fields.as_slice()
                && *name == wanted
                && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
            {
                return Ok(Some(Account { uid, gid }));
            }
        }
    }
    Err(io::Error::other(
        "running as root, and there is no user like nobody to run a server as",
    ))
}
