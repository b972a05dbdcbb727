//! Where to connect, as whom, and how safely: a URL, the environment, and the client's option file.
//!
//! Invariant: the password is in [`Secret`] from the first moment on, and nothing prints it. The parameters are an
//! allow-list: an unknown one is an error, never passed on. `sslmode` has the words and meanings of PostgreSQL.

use super::options;
use crate::address::{Url, bracketed, encoded, filled, number, one_host, unknown_parameter};
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
        let (host, port) = (bracketed(&self.host), self.port);
        format!("{scheme}://{user}@{host}:{port}/{database}")
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
    let mode = match (mode, &roots) {
        (Some(word), _) => SslMode::named(word)?,
        (None, Roots::System) => SslMode::VerifyFull,
        (None, Roots::File(_)) => SslMode::VerifyCa,
        (None, Roots::None) => SslMode::Prefer,
    };
    let mode = match &roots {
        Roots::File(_) if mode == SslMode::Require => SslMode::VerifyCa,
        _ => mode.with(&roots)?,
    };
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
    let url = Url::parse(rest)?;
    let parameters = url.parameters();
    let mut given = Given {
        scheme,
        user: url.user,
        password: url.password,
        host: url.host,
        port: url.port,
        database: url.database,
        ..Given::default()
    };
    for parameter in parameters {
        let (name, value) = parameter?;
        given.set(&name, value, context)?;
    }
    one_host(given.host.as_ref())?;
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
            _ => return Err(unknown_parameter(name, PARAMETERS)),
        };
        *slot = filled(value);
        Ok(())
    }
}
