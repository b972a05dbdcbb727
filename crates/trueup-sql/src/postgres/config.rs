//! Where to connect, as whom, and how safely: a URL, the environment, and the files that libpq reads.
//!
//! Invariant: the password is in [`Secret`] from the first moment on, and nothing prints it. The parameters are an
//! allow-list: an unknown one is an error, never passed on. `sslmode` means what it means to libpq.

use super::pgpass;
use crate::address::{decoded, encoded, filled, host_and_port, number};
use crate::secret::{Secret, secret};
use crate::tls::{Roots, SslMode};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trueup_core::endpoint::Context;
use trueup_core::{Error, Result};

/// Everything needed to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// A host name, an address, or the folder of a socket.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) password: Option<Secret>,
    pub(super) ssl_mode: SslMode,
    pub(super) roots: Roots,
    pub(super) application: String,
    pub(super) options: Option<String>,
    pub(super) connect_timeout: Duration,
    pub(super) notes: Vec<String>,
}

const PORT: u16 = 5432;
const CONNECT_TIMEOUT_S: u64 = 15;
const PARAMETERS: &str =
    "application_name connect_timeout dbname host options password port sslmode sslrootcert user";

/// What the URL says, before the environment fills the gaps.
#[derive(Default)]
struct Given {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    database: Option<String>,
    password: Option<Secret>,
    ssl_mode: Option<String>,
    roots: Option<String>,
    application: Option<String>,
    options: Option<String>,
    connect_timeout: Option<String>,
}

impl Settings {
    /// Reads a URL, and what it leaves open from the environment as libpq would.
    ///
    /// # Errors
    /// `Config` when the URL, the environment or a file named there makes no sense; never shows the password.
    pub(super) fn parse(url: &str, context: &Context) -> Result<Self> {
        let given = parse_url(url, context)?;
        let env = |name: &str| (context.env)(name).filter(|value| !value.is_empty());
        let user = given
            .user
            .or_else(|| env("PGUSER"))
            .or_else(|| env("USER"))
            .or_else(|| env("LOGNAME"));
        let user = user.ok_or_else(|| {
            Error::config("the URL names no user")
                .hint("write postgres://user@host/database, or set PGUSER")
        })?;
        let host = given
            .host
            .or_else(|| env("PGHOST"))
            .unwrap_or_else(default_host);
        let port = number(given.port.or_else(|| env("PGPORT")), PORT, "port")?;
        let database = given
            .database
            .or_else(|| env("PGDATABASE"))
            .unwrap_or_else(|| user.clone());
        let (ssl_mode, roots) = protection(given.ssl_mode, given.roots, &env)?;
        let timeout = given.connect_timeout.or_else(|| env("PGCONNECT_TIMEOUT"));
        let timeout = number(timeout, CONNECT_TIMEOUT_S, "connect_timeout")?;
        let mut settings = Self {
            host,
            port,
            user,
            database,
            password: given.password.or_else(|| env("PGPASSWORD").map(Secret)),
            ssl_mode,
            roots,
            application: given.application.unwrap_or_else(|| "trueup".to_owned()),
            options: given.options.or_else(|| env("PGOPTIONS")),
            connect_timeout: Duration::from_secs(timeout.max(2)),
            notes: Vec::new(),
        };
        settings.look_up_password(&env)?;
        Ok(settings)
    }

    /// Whether the host is a socket's folder.
    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// The address for people, without the password.
    pub(super) fn address(&self) -> String {
        let (user, database) = (encoded(&self.user), encoded(&self.database));
        if self.is_socket() {
            return format!(
                "postgres://{user}@/{database}?host={}&port={}",
                encoded(&self.host),
                self.port
            );
        }
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("postgres://{user}@{host}:{}/{database}", self.port)
    }

    fn look_up_password(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<()> {
        if self.password.is_some() {
            return Ok(());
        }
        let home = || env("HOME").map(|home| Path::new(&home).join(".pgpass"));
        let Some(path) = env("PGPASSFILE").map(PathBuf::from).or_else(home) else {
            return Ok(());
        };
        match pgpass::look_up(&path, self)? {
            pgpass::Found::Password(password) => self.password = Some(password),
            pgpass::Found::Unsafe => self.notes.push(format!(
                "password file ignored because others can read it: path={} (chmod 600)",
                path.display()
            )),
            pgpass::Found::Nothing => {}
        }
        Ok(())
    }
}

fn default_host() -> String {
    let folder = "/var/run/postgresql";
    if Path::new(folder).is_dir() {
        folder.to_owned()
    } else {
        "localhost".to_owned()
    }
}

fn protection(
    mode: Option<String>,
    roots: Option<String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(SslMode, Roots)> {
    let roots = roots.or_else(|| env("PGSSLROOTCERT"));
    let default = env("HOME").map(|home| Path::new(&home).join(".postgresql/root.crt"));
    let roots = match roots {
        Some(name) if name == "system" => Roots::System,
        Some(path) => Roots::File(path.into()),
        None => default
            .filter(|path| path.exists())
            .map_or(Roots::None, Roots::File),
    };
    let mode = mode.or_else(|| env("PGSSLMODE"));
    let mode = match mode.as_deref() {
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        Some("prefer") => SslMode::Prefer,
        // As in libpq: a root file makes `require` verify, and the system's roots allow nothing weaker than full.
        Some("require") if matches!(&roots, Roots::File(path) if path.exists()) => {
            SslMode::VerifyCa
        }
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        None if roots == Roots::System => SslMode::VerifyFull,
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
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| {
        Error::config("not a PostgreSQL URL").hint("write postgres://user@host:port/database")
    })?;
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, None), |(a, p)| (a, Some(p)));
    let mut given = Given::default();
    let hosts = match authority.rsplit_once('@') {
        Some((user, hosts)) => {
            let (user, password) = user
                .split_once(':')
                .map_or((user, None), |(u, p)| (u, Some(p)));
            given.user = filled(decoded(user)?);
            given.password = password
                .map(decoded)
                .transpose()?
                .and_then(filled)
                .map(Secret);
            hosts
        }
        None => authority,
    };
    let (host, port) = host_and_port(hosts)?;
    given.host = filled(decoded(host)?);
    given.port = port.map(str::to_owned);
    given.database = path.map(decoded).transpose()?.and_then(filled);
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
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
            "application_name" => &mut self.application,
            "connect_timeout" => &mut self.connect_timeout,
            "dbname" => &mut self.database,
            "host" => &mut self.host,
            "options" => &mut self.options,
            "port" => &mut self.port,
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
