//! One connection: a client, the driver that moves its bytes, and the runtime both live on.
//!
//! Invariant: every session has the same settings, whatever the user, the database or the environment say, so that
//! a value has one form only. Calls block; the driver runs while a call waits. It deliberately does not reconnect:
//! a broken connection stays broken, and its owner decides what that means.

use super::config::Settings;
use super::cut::{Bare, Cut, Within};
use super::error;
use crate::tls::{self, SslMode};
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslNegotiation;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use trueup_core::{Error, Kind, Result};

/// How long a dead peer can go unnoticed.
pub(super) const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
pub(super) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
pub(super) const KEEPALIVE_RETRIES: u32 = 3;
pub(super) const TCP_USER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait for the goodbye to be sent.
const GOODBYE: Duration = Duration::from_millis(200);
/// How long to wait until a cancellation is sent.
const CANCEL: Duration = Duration::from_secs(5);
/// The oldest server whose catalogue is understood.
const VERSION_MIN: i32 = 120_000;

/// What every session is set to. A setting that the server does not know is left out.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("client_encoding", "UTF8"),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "iso_8601"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("standard_conforming_strings", "on"),
    ("row_security", "on"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
    ("lock_timeout", "60s"),
    ("synchronize_seqscans", "off"),
];

/// A connection to a server.
pub(super) struct Connection {
    // Dropped in this order: the client says goodbye, the runtime closes the socket.
    client: Option<Client>,
    driver: Option<JoinHandle<()>>,
    runtime: Runtime,
    /// Whether answers may no longer belong to what was asked.
    given_up: AtomicBool,
    way: Way,
}

/// How the server was reached, and can be once more.
#[derive(Clone)]
enum Way {
    Socket(PathBuf),
    Bare,
    Tls(MakeRustlsConnect),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and fixes the session's settings.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(Kind::Unavailable, "cannot start a runtime").hint("the system has no room for another thread or file; see its limits (ulimit -a), then run again").cause(error)
        })?;
        let (client, driver, way) = runtime.block_on(dial(settings))?;
        let connection = Self {
            client: Some(client),
            driver: Some(driver),
            runtime,
            given_up: AtomicBool::new(false),
            way,
        };
        connection.settle()?;
        Ok(connection)
    }

    /// Waits for what `work` does with the client.
    pub(super) fn wait<'a, F: Future>(
        &'a self,
        work: impl FnOnce(&'a Client) -> F,
    ) -> Result<F::Output> {
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| Error::bug("the connection is used after its end"))?;
        Ok(self.runtime.block_on(work(client)))
    }

    /// Waits for a future that does not need the client (a stream it has returned).
    pub(super) fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    /// Runs statements without results, in one message.
    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.wait(|client| client.batch_execute(sql))?
            .map_err(|foreign| error::translate(&foreign))
    }

    /// Runs a statement and returns its records.
    pub(super) fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.wait(|client| client.query(sql, parameters))?
            .map_err(|foreign| error::translate(&foreign))
    }

    /// Whether TLS protects it.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.way, Way::Tls(_))
    }

    /// Asks the server to cancel the statement under way; `false` when it could not be asked.
    pub(super) fn cancel(&self) -> bool {
        let Some(token) = self.client.as_ref().map(Client::cancel_token) else {
            return false;
        };
        let way = self.way.clone();
        let ask = async {
            match way {
                Way::Tls(tls) => token.cancel_query(tls).await.ok(),
                Way::Bare => token.cancel_query(Bare).await.ok(),
                Way::Socket(path) => {
                    let socket = UnixStream::connect(path).await.ok()?;
                    token.cancel_query_raw(socket, NoTls).await.ok()
                }
            }
        };
        // The timer needs the runtime, and so is made inside it.
        let asked = self
            .runtime
            .block_on(async { tokio::time::timeout(CANCEL, ask).await });
        matches!(asked, Ok(Some(())))
    }

    /// Whether the connection is known to be broken.
    pub(super) fn is_closed(&self) -> bool {
        self.given_up.load(Ordering::Relaxed) || self.client.as_ref().is_none_or(Client::is_closed)
    }

    /// Declares the connection broken: its next answer may be that to an earlier question.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn settle(&self) -> Result<()> {
        // First of all: the user's own limit may be short.
        self.execute("SET statement_timeout = 0")?;
        let version: i32 = column(
            &self.one("SELECT current_setting('server_version_num')::int4")?,
            0,
        )?;
        if version < VERSION_MIN {
            return Err(
                Error::config(format!("the server is too old: version={version}"))
                    .hint("PostgreSQL 12 is the oldest that can be used"),
            );
        }
        let (names, values): (Vec<&str>, Vec<&str>) = SETTINGS.iter().copied().unzip();
        let sql = "SELECT set_config(s.name, v.value, false) \
                   FROM unnest($1::text[], $2::text[]) AS v(name, value) JOIN pg_settings s ON s.name = v.name";
        self.query(sql, &[&names, &values])?;
        Ok(())
    }

    /// Runs a statement that returns one record.
    pub(super) fn one(&self, sql: &str) -> Result<Row> {
        let rows = self.query(sql, &[])?;
        rows.into_iter().next().ok_or_else(|| {
            Error::corrupt("the server returned nothing where one record is certain")
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.client.take());
        if let Some(driver) = self.driver.take() {
            // A server that does not listen any more is left to find out by itself.
            let goodbye = self
                .runtime
                .block_on(async { tokio::time::timeout(GOODBYE, driver).await });
            drop(goodbye);
        }
    }
}

/// Reads a column of a catalogue's record.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T> {
    row.try_get(index).map_err(|_| {
        Error::corrupt(format!(
            "the catalogue's answer has another shape than expected: column={index}"
        ))
        .hint("the server may not be PostgreSQL, or be a newer version than trueup knows")
    })
}

/// A client, its driver, and how they reached the server.
type Dialled = (Client, JoinHandle<()>, Way);

async fn dial(settings: &Settings) -> Result<Dialled> {
    if settings.is_socket() {
        return through_socket(settings).await;
    }
    if settings.ssl_mode == SslMode::Disable {
        return plain(settings).await;
    }
    match settings.ssl_mode {
        SslMode::Allow => match plain(settings).await {
            Err(error) if error.kind() == Kind::Auth => secured(settings).await.map_err(|_| error),
            other => other,
        },
        SslMode::Prefer => match secured(settings).await {
            // The server speaks no TLS, or none we speak, or lets this user in without only.
            Ok(done) => Ok(done),
            Err(first) => plain(settings).await.map_err(|second| {
                // What the server answers says more than that it speaks no TLS.
                if first.kind() == Kind::Unavailable {
                    second
                } else {
                    first
                }
            }),
        },
        _ => secured(settings).await,
    }
}

fn driver_settings(settings: &Settings) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config
        .host(&settings.host)
        .port(settings.port)
        .user(&settings.user)
        .dbname(&settings.database);
    config
        .application_name(&settings.application)
        .connect_timeout(settings.connect_timeout);
    config
        .keepalives(true)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL);
    config
        .keepalives_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(TCP_USER_TIMEOUT);
    if let Some(password) = &settings.password {
        config.password(&password.0);
    }
    if let Some(options) = &settings.options {
        config.options(options);
    }
    config
}

async fn through_socket(settings: &Settings) -> Result<Dialled> {
    let mut config = driver_settings(settings);
    config.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let path = PathBuf::from(&settings.host).join(format!(".s.PGSQL.{}", settings.port));
    let socket = async {
        let socket = UnixStream::connect(&path).await.map_err(|cause| {
            Error::new(Kind::Unavailable, "cannot connect to the server")
                .hint("check the socket's folder and the port, and that the server runs")
                .cause(cause)
        })?;
        let connected = config.connect_raw(Cut::bare(socket), NoTls).await;
        connected.map_err(|foreign| error::connecting(&foreign))
    };
    let (client, connection) = in_time(settings, socket).await?;
    let driver = tokio::spawn(async { connection.await.unwrap_or_default() });
    Ok((client, driver, Way::Socket(path)))
}

async fn plain(settings: &Settings) -> Result<Dialled> {
    let mut config = driver_settings(settings);
    // Nothing is negotiated: the server is told at once who we are.
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    config.ssl_negotiation(SslNegotiation::Direct);
    let dialled = async {
        let connected = config.connect(Bare).await;
        connected.map_err(|foreign| error::connecting(&foreign))
    };
    let (client, connection) = in_time(settings, dialled).await?;
    let driver = tokio::spawn(async { connection.await.unwrap_or_default() });
    Ok((client, driver, Way::Bare))
}

async fn secured(settings: &Settings) -> Result<Dialled> {
    let mut config = driver_settings(settings);
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    let tls = MakeRustlsConnect::new(tls::client(settings.ssl_mode, &settings.roots)?);
    let dialled = async {
        let connected = config.connect(Within(tls.clone())).await;
        connected.map_err(|foreign| error::connecting(&foreign))
    };
    let (client, connection) = in_time(settings, dialled).await?;
    let driver = tokio::spawn(async { connection.await.unwrap_or_default() });
    Ok((client, driver, Way::Tls(tls)))
}

/// Waits for a connection no longer than the user wants to.
async fn in_time<T>(settings: &Settings, dialled: impl Future<Output = Result<T>>) -> Result<T> {
    let dialled = tokio::time::timeout(settings.connect_timeout, Box::pin(dialled)).await;
    dialled.map_err(|_| timed_out())?
}

pub(super) fn timed_out() -> Error {
    Error::new(Kind::Unavailable, "the server did not answer in time")
        .hint("check host, port and firewall, or raise connect_timeout in the URL")
}
