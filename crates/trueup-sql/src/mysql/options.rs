//! The client's option file, `~/.my.cnf`: user, password, host and port of the section `[client]`.
//!
//! Invariant: a file that others can read is not used, and a note says so. It deliberately follows no `!include` and
//! reads no file of the system.

use crate::secret::{Secret, read as read_file, unreadable};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use trueup_core::Result;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
}

/// Reads the file of the user whose home this is; none where there is no file.
///
/// # Errors
/// `Config` when the file is there and cannot be read.
pub(super) fn read(home: Option<&str>, notes: &mut Vec<String>) -> Result<Options> {
    let Some(home) = home else {
        return Ok(Options::default());
    };
    let path = Path::new(home).join(".my.cnf");
    let metadata = match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(Options::default()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Options::default()),
        Err(error) => return Err(unreadable(&path, error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let shown = path.display();
        notes.push(format!(
            "option file ignored because others can read it: path={shown} (chmod 600)"
        ));
        return Ok(Options::default());
    }
    Ok(parse(&read_file(&path, metadata.len())?))
}

fn parse(text: &str) -> Options {
    let mut options = Options::default();
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.strip_suffix(']').unwrap_or(section);
            ours = matches!(section, "client" | "client-mariadb" | "client-server");
        }
        if !ours || line.starts_with(['#', ';', '[', '!']) {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let value = unquoted(value.trim());
        match name.trim().replace('_', "-").as_str() {
            "user" => options.user = Some(value),
            "password" => options.password = Some(Secret(value)),
            "host" => options.host = Some(value),
            "port" => options.port = Some(value),
            _ => {}
        }
    }
    options
}

/// Takes the quotes off and undoes the escapes that the clients know.
fn unquoted(value: &str) -> String {
    let quoted = ['"', '\''].iter().find_map(|&quote| {
        let inner = value.strip_prefix(quote)?;
        inner.strip_suffix(quote)
    });
    let mut out = String::new();
    let mut chars = quoted.unwrap_or(value).chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('s') => out.push(' '),
            Some(other @ ('\\' | '"' | '\'')) => out.push(other),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_section_counts() {
        let text = "[mysqld]\npassword=no\n[client]\n# note\nuser = ann\npassword=\"a b\\\\c#\"\nport=3307\nssl-ca=x\n\
                    [mysql]\nhost=no\n";
        let options = parse(text);
        assert_eq!(options.user.as_deref(), Some("ann"));
        assert_eq!(options.password, Some(Secret("a b\\c#".to_owned())));
        assert_eq!(options.port.as_deref(), Some("3307"));
        assert_eq!(options.host, None);
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".my.cnf");
        std::fs::write(&path, "[client]\nuser=ann\n").unwrap();
        for (mode, user, notes_total) in [(0o644, None, 1), (0o600, Some("ann"), 0)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let mut notes = Vec::new();
            let options = read(home.path().to_str(), &mut notes).unwrap();
            assert_eq!(options.user.as_deref(), user);
            assert_eq!(notes.len(), notes_total);
        }
    }
}
