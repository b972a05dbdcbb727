//! Where to connect, as whom, and how safely: a URL, the environment, and the client's option file.
//!
//! Invariant: the password is in [`Secret`] from the first moment on, and nothing prints it. The parameters are an
//! allow-list: an unknown one is an error, never passed on. `sslmode` has the words and meanings of PostgreSQL.

use super::options;
use crate::address::{decoded, encoded, filled, host_and_port, number};
use crate::secret::{Secret, secret};
use crate::tls::{Roots, SslMode};
use std::path::Path;
use std::time::Duration;
use trueup_core::endpoint::Context;
use trueup_core::{Error, Result};

/// Everything needed to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// What the URL begins with: `mysql` or `mariadb`.
    pub(super) scheme: &'static str,
    /// A host name, an address, or the path of a socket.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Secret>,
    pub(super) ssl_mode: SslMode,
    pub(super) roots: Roots,
    pub(super) connect_timeout: Duration,
    pub(super) notes: Vec<String>,
}

const PORT: u16 = 3306;
const CONNECT_TIMEOUT_S: u64 = 15;
const SOCKET: &str = "/run/mysqld/mysqld.sock";
const PARAMETERS: &str = "connect_timeout host password port socket sslmode sslrootcert user";

/// What the URL says, before the environment fills the gaps.
#[derive(Default)]
struct Given {
    scheme: &'static str,
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    database: Option<String>,
    password: Option<Secret>,
    ssl_mode: Option<String>,
    roots: Option<String>,
    connect_timeout: Option<String>,
}

impl Settings {
    /// Reads a URL, and what it leaves open from the environment and `~/.my.cnf`.
    ///
    /// # Errors
    /// `Config` when the URL or a file named there makes no sense; never shows the password.
    pub(super) fn parse(url: &str, context: &Context) -> Result<Self> {
        let given = parse_url(url, context)?;
        let env = |name: &str| (context.env)(name).filter(|value| !value.is_empty());
        let mut notes = Vec::new();
        let file = options::read(env("HOME").as_deref(), &mut notes)?;
        let user = given.user.or(file.user);
        let user = user.or_else(|| env("USER")).or_else(|| env("LOGNAME"));
        let user = user.ok_or_else(|| {
            Error::config("the URL names no user").hint("write mysql://user@host/database")
        })?;
        let host = given.host.or_else(|| env("MYSQL_HOST")).or(file.host);
        let port = given.port.or_else(|| env("MYSQL_TCP_PORT")).or(file.port);
        let database = given.database.ok_or_else(|| {
            Error::config("the URL names no database").hint("write mysql://user@host/database")
        })?;
        let password = given.password.or_else(|| env("MYSQL_PWD").map(Secret));
        let (ssl_mode, roots) = protection(given.ssl_mode.as_deref(), given.roots)?;
        let timeout = number(given.connect_timeout, CONNECT_TIMEOUT_S, "connect_timeout")?;
        Ok(Self {
            scheme: given.scheme,
            host: host.unwrap_or_else(default_host),
            port: number(port, PORT, "port")?,
            user,
            database,
            password: password.or(file.password),
            ssl_mode,
            roots,
            connect_timeout: Duration::from_secs(timeout.max(2)),
            notes,
        })
    }

    /// Whether the host is a socket.
    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// Whether the host is this machine, by the names it usually has.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// The address for people, without the password.
    pub(super) fn address(&self) -> String {
        let (user, database) = (encoded(&self.user), encoded(&self.database));
        let scheme = self.scheme;
        if self.is_socket() {
            let socket = encoded(&self.host);
            return format!("{scheme}://{user}@/{database}?socket={socket}");
        }
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{scheme}://{user}@{host}:{}/{database}", self.port)
    }

    /// Where the server is, however it was spelled.
    pub(super) fn place(&self) -> String {
        if self.is_socket() {
            let path = Path::new(&self.host);
            let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            return format!("socket={}", path.display());
        }
        let host = if self.is_loopback() {
            "localhost".to_owned()
        } else {
            self.host.to_lowercase()
        };
        format!("host={host} port={}", self.port)
    }
}

fn default_host() -> String {
    if Path::new(SOCKET).exists() {
        SOCKET.to_owned()
    } else {
        "localhost".to_owned()
    }
}

fn protection(mode: Option<&str>, roots: Option<String>) -> Result<(SslMode, Roots)> {
    let roots = match roots {
        Some(name) if name == "system" => Roots::System,
        Some(path) => Roots::File(path.into()),
        None => Roots::None,
    };
    let mode = match mode {
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        Some("prefer") => SslMode::Prefer,
        Some("require") if matches!(roots, Roots::File(_)) => SslMode::VerifyCa,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        None if roots == Roots::System => SslMode::VerifyFull,
        None if roots != Roots::None => SslMode::VerifyCa,
        None => SslMode::Prefer,
        Some(other) => {
            return Err(
                Error::config(format!("unknown sslmode: value={}", other.escape_debug()))
                    .hint("use disable, allow, prefer, require, verify-ca or verify-full"),
            );
        }
    };
    if roots == Roots::System && mode != SslMode::VerifyFull {
        return Err(Error::config("sslrootcert=system needs sslmode=verify-full")
            .hint("anyone can get a certificate that the system trusts; only the host name tells them apart"));
    }
    Ok((mode, roots))
}

fn parse_url(url: &str, context: &Context) -> Result<Given> {
    let (scheme, rest) = match (url.strip_prefix("mysql://"), url.strip_prefix("mariadb://")) {
        (Some(rest), _) => ("mysql", rest),
        (None, Some(rest)) => ("mariadb", rest),
        (None, None) => {
            return Err(Error::config("not a MySQL or MariaDB URL")
                .hint("write mysql://user@host:port/database"));
        }
    };
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, None), |(a, p)| (a, Some(p)));
    let mut given = Given {
        scheme,
        ..Given::default()
    };
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = user
                .split_once(':')
                .map_or((user, None), |(u, p)| (u, Some(p)));
            given.user = filled(decoded(user)?);
            let password = password.map(decoded).transpose()?;
            given.password = password.and_then(filled).map(Secret);
            hosts
        }
        None => authority,
    };
    let (host, port) = host_and_port(hosts)?;
    given.host = filled(decoded(host)?);
    given.port = port.map(str::to_owned);
    given.database = path.map(decoded).transpose()?.and_then(filled);
    let pairs = query.unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        given.set(&decoded(name)?, decoded(value)?, context)?;
    }
    if given.host.as_ref().is_some_and(|host| host.contains(',')) {
        return Err(Error::config("the URL names several hosts")
            .hint("name the one to use; trueup does not choose"));
    }
    Ok(given)
}

impl Given {
    fn set(&mut self, name: &str, value: String, context: &Context) -> Result<()> {
        let slot = match name {
            "connect_timeout" => &mut self.connect_timeout,
            "host" => &mut self.host,
            "port" => &mut self.port,
            "socket" if !value.starts_with('/') => {
                return Err(Error::config("the socket is not an absolute path")
                    .hint("write socket=/run/mysqld/mysqld.sock"));
            }
            "socket" => &mut self.host,
            "sslmode" => &mut self.ssl_mode,
            "sslrootcert" => &mut self.roots,
            "user" => &mut self.user,
            "password" => {
                self.password = Some(secret(value, context)?);
                return Ok(());
            }
            _ => {
                return Err(Error::config(format!(
                    "unknown parameter in the URL: name={}",
                    name.escape_debug()
                ))
                .hint(format!("known are {PARAMETERS}")));
            }
        };
        *slot = filled(value);
        Ok(())
    }
}
