//! Where to connect, as whom, and how safely: a URL, the environment, and the files that libpq reads.
//!
//! Invariant: the password is in [`Secret`] from the first moment on, and nothing prints it. The parameters are an
//! allow-list: an unknown one is an error, never passed on. `sslmode` means what it means to libpq.

use super::pgpass;
use crate::address::{Url, bracketed, encoded, filled, number, one_host, unknown_parameter};
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
        let (host, port) = (bracketed(&self.host), self.port);
        format!("postgres://{user}@{host}:{port}/{database}")
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
    let mode = match mode.or_else(|| env("PGSSLMODE")) {
        Some(word) => SslMode::named(&word)?,
        None if roots == Roots::System => SslMode::VerifyFull,
        None => SslMode::Prefer,
    };
    let mode = match &roots {
        // As in libpq: a root file makes `require` verify, and the system's roots allow nothing weaker than full.
        Roots::File(path) if mode == SslMode::Require && path.exists() => SslMode::VerifyCa,
        _ => mode.with(&roots)?,
    };
    Ok((mode, roots))
}

fn parse_url(url: &str, context: &Context) -> Result<Given> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| {
        Error::config("not a PostgreSQL URL").hint("write postgres://user@host:port/database")
    })?;
    let url = Url::parse(rest)?;
    let parameters = url.parameters();
    let mut given = Given {
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
            _ => return Err(unknown_parameter(name, PARAMETERS)),
        };
        *slot = filled(value);
        Ok(())
    }
}
