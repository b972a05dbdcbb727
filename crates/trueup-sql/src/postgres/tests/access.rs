//! Connecting: URLs, passwords, TLS, rights.

use super::*;
use crate::postgres::config::Settings;
use crate::tls::SslMode;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use trueup_core::Kind;
use trueup_core::endpoint::Class;
use trueup_testkit::servers::postgres::{PASSWORD, Server};

fn with_env(pairs: &[(&str, &str)]) -> Context {
    let map = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect::<BTreeMap<_, _>>();
    Context {
        env: Arc::new(move |name| map.get(name).cloned()),
        ..Context::empty()
    }
}

fn parsed(url: &str, env: &[(&str, &str)]) -> Settings {
    Settings::parse(url, &with_env(env)).unwrap()
}

#[test]
fn urls_are_read_as_libpq_reads_them() {
    let env = [
        ("PGUSER", "eve"),
        ("PGHOST", "db9"),
        ("PGPORT", "7000"),
        ("PGDATABASE", "other"),
        ("HOME", "/nowhere"),
    ];
    for (url, expected) in [
        ("postgres://u:p%40w@h:6000/d", "postgres://u@h:6000/d"),
        ("postgresql://u@h/d", "postgres://u@h:7000/d"),
        ("postgres://", "postgres://eve@db9:7000/other"),
        ("postgres://h", "postgres://eve@h:7000/other"),
        ("postgres://[::1]:1/d", "postgres://eve@[::1]:1/d"),
        (
            "postgres://a%20b@/d?host=/run/pg&port=1",
            "postgres://a%20b@/d?host=/run/pg&port=1",
        ),
        ("postgres://u@h/d?user=x&dbname=y", "postgres://x@h:7000/y"),
    ] {
        assert_eq!(parsed(url, &env).address(), expected, "{url}");
    }
    for url in [
        "mysql://h",
        "postgres://u@h:x/d",
        "postgres://u@h:99999/d",
        "postgres://u@a,b/d",
        "postgres://u@h/d?passfile=x",
        "postgres://u@h/d?sslmode=maybe",
        "postgres://u@h/d?sslmode=require&sslrootcert=system",
        "postgres://u:%zz-canary@h/d",
        "postgres://u@h/d?password=env:UNSET",
        "postgres://h/d?connect_timeout=x",
    ] {
        let error = Settings::parse(url, &with_env(&[("USER", "u")])).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{url}");
        assert!(!format!("{error:?}").contains("canary"));
    }
    let error = Settings::parse("postgres://h/d", &Context::empty()).unwrap_err();
    assert!(error.message().contains("no user"));
}

#[test]
fn sslmode_means_what_it_means_to_libpq() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap().to_owned();
    let mode = |query: &str, env: &[(&str, &str)]| {
        parsed(&format!("postgres://u@h/d?{query}"), env).ssl_mode
    };
    assert_eq!(mode("", &[]), SslMode::Prefer);
    assert_eq!(
        mode("", &[("PGSSLMODE", "verify-full")]),
        SslMode::VerifyFull
    );
    assert_eq!(
        mode("sslmode=require", &[("HOME", &home)]),
        SslMode::Require
    );
    assert_eq!(mode("sslrootcert=system", &[]), SslMode::VerifyFull);
    std::fs::create_dir(folder.path().join(".postgresql")).unwrap();
    std::fs::write(folder.path().join(".postgresql/root.crt"), "x").unwrap();
    assert_eq!(
        mode("sslmode=require", &[("HOME", &home)]),
        SslMode::VerifyCa
    );
}

#[test]
fn passwords_come_from_url_environment_or_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pgpass");
    let lines = "# comment\nh:1:d:u:wrong port\n*:5432:d:u:a:b\\\\c\n*:*:*:*:last\n";
    std::fs::write(&path, lines).unwrap();
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    let pgpass = path.to_str().unwrap();
    let file = format!("postgres://u@h/d?password=file:{pgpass}");
    let of = |url: &str, env: &[(&str, &str)]| parsed(url, env).password.map(|secret| secret.0);
    let env = [("PGPASSFILE", pgpass), ("SECRET", "from env")];
    for (url, expected) in [
        ("postgres://u:url@h/d", "url"),
        ("postgres://u@h/d?password=env:SECRET", "from env"),
        ("postgres://u@h/d", "a:b\\c"),
        ("postgres://v@h/d", "last"),
        (file.as_str(), lines.trim_end()),
    ] {
        assert_eq!(of(url, &env).as_deref(), Some(expected), "{url}");
    }
    assert_eq!(
        of(
            "postgres://u@h/d",
            &[("PGPASSWORD", "pw"), ("PGPASSFILE", pgpass)]
        )
        .as_deref(),
        Some("pw")
    );
    mode(0o640);
    let settings = parsed("postgres://u@h/d", &env);
    assert!(settings.password.is_none() && settings.notes[0].contains("ignored"));
    assert!(Settings::parse(&file, &Context::empty()).is_err());
    assert!(!format!("{:?}", parsed("postgres://u:canary@h/d", &[])).contains("canary"));
}

fn refusal(url: &str, context: Context) -> trueup_core::Error {
    let error = connect(url, context).map(|_| ()).unwrap_err();
    let shown = format!("{error:?}");
    assert!(
        !shown.contains(PASSWORD) && !shown.contains("canary"),
        "{shown}"
    );
    error
}

#[test]
fn a_wrong_password_is_an_auth_error_without_the_password() {
    let (database, endpoint) = fresh("");
    let port = database.server().port();
    let name = database.name();
    let error = refusal(
        &format!("postgres://postgres:canary-wrong@127.0.0.1:{port}/{name}"),
        Context::empty(),
    );
    assert_eq!(error.kind(), Kind::Auth);
    let error = refusal(
        &format!("postgres://postgres@127.0.0.1:{port}/{name}"),
        Context::empty(),
    );
    assert_eq!(error.kind(), Kind::Auth, "{error:?}");
    let error = refusal(&format!("{}x", database.url()), Context::empty());
    assert_eq!(error.kind(), Kind::Config);
    let error = refusal("postgres://postgres:canary@127.0.0.1:1/x", Context::empty());
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(!endpoint.about().address.contains(PASSWORD));
    assert!(endpoint.about().identity.contains("system="));
    assert_eq!(endpoint.about().class, Class::Transactional);
    assert_eq!(
        database
            .sql("SELECT to_regnamespace('trueup') IS NULL")
            .unwrap(),
        "t"
    );
}

#[test]
fn a_socket_works_and_the_application_has_a_name() {
    let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let server = database.server();
    let url = format!(
        "postgres://postgres@/{}?host={}&port={}",
        database.name(),
        server.socket_folder().display(),
        server.port()
    );
    let mut endpoint = connect(&url, with_env(&[("PGPASSWORD", PASSWORD)])).unwrap();
    assert_eq!(endpoint.collections().unwrap(), ["t"]);
    let sql = format!(
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = '{}' AND application_name <> 'psql'",
        database.name()
    );
    assert_eq!(server.sql("postgres", &sql).unwrap(), "trueup");
}

/// Whether the session that `query` makes is encrypted, or why there is none.
fn encrypted(server: &Arc<Server>, host: &str, query: &str) -> Result<bool, Kind> {
    let url = server.url("postgres").replace("127.0.0.1", host);
    let endpoint =
        connect(&format!("{url}?{query}"), Context::empty()).map_err(|error| error.kind())?;
    let sql = "SELECT bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tls-test'";
    let answer = server.sql("postgres", sql).unwrap();
    drop(endpoint);
    Ok(answer == "t")
}

#[test]
fn tls_is_used_and_verified_as_asked() {
    let options = trueup_testkit::servers::postgres::Options {
        tls: true,
        ..Default::default()
    };
    let server = Arc::new(Server::start(options).unwrap());
    let ca = server.authority();
    let ca = ca.display();
    let server_certificate = server.socket_folder().join("ca.key");
    let wrong = server_certificate.display();
    for (host, query, expected) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), Ok(false)),
        ("127.0.0.1", "sslmode=allow".to_owned(), Ok(false)),
        ("127.0.0.1", "sslmode=prefer".to_owned(), Ok(true)),
        ("127.0.0.1", "sslmode=require".to_owned(), Ok(true)),
        (
            "127.0.0.1",
            format!("sslmode=verify-ca&sslrootcert={ca}"),
            Ok(true),
        ),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            Err(Kind::Unavailable),
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={ca}"),
            Ok(true),
        ),
        (
            "localhost",
            "sslrootcert=system".to_owned(),
            Err(Kind::Unavailable),
        ),
        (
            "localhost",
            "sslmode=verify-full".to_owned(),
            Err(Kind::Config),
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={wrong}"),
            Err(Kind::Config),
        ),
    ] {
        let query = format!("{query}&application_name=tls-test");
        assert_eq!(encrypted(&server, host, &query), expected, "{host} {query}");
    }
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_required() {
    let server = Arc::new(Server::start(Default::default()).unwrap());
    for (query, expected) in [
        ("sslmode=prefer", Ok(false)),
        ("sslmode=require", Err(Kind::Unavailable)),
    ] {
        let query = format!("{query}&application_name=tls-test");
        assert_eq!(encrypted(&server, "127.0.0.1", &query), expected, "{query}");
    }
    // That there is no TLS is not what is wrong here.
    let place = format!("127.0.0.1:{}", server.port());
    for (user, database, expected) in [
        ("postgres:canary-wrong", "postgres", Kind::Auth),
        ("postgres", "postgres", Kind::Auth),
        (&format!("postgres:{PASSWORD}"), "missing", Kind::Config),
    ] {
        let url = format!("postgres://{user}@{place}/{database}");
        assert_eq!(
            refusal(&url, Context::empty()).kind(),
            expected,
            "{database}"
        );
    }
}

#[test]
fn without_rights_the_class_drops_and_the_error_names_the_grant() {
    let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let name = database.name();
    let role = format!("plain_{name}");
    database
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT SELECT ON t TO {role}"
        ))
        .unwrap();
    let url = format!(
        "postgres://{role}:pw@127.0.0.1:{}/{name}",
        database.server().port()
    );
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    let about = endpoint.about();
    assert_eq!(
        (about.class, about.capabilities.marker),
        (Class::Blind, false)
    );
    assert!(about.notes.join(" ").contains("class B"));
    assert_eq!(shown(&scan(endpoint.as_mut(), "t").0), ["Int(1)"]);
    let given = Given::new("t", &["id"]);
    let records = vec![(Op::Insert, vec![Value::Int(2)])];
    let mut writer = endpoint.writer(&claim()).unwrap();
    let error = given
        .apply(endpoint.as_mut(), writer.as_mut(), &records)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(error.advice().unwrap().contains("INSERT"), "{error:?}");
    let error = writer.mark(&seal()).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    drop(writer);
    // With rights on the table alone, batches are written without a marker.
    database
        .sql(&format!("GRANT INSERT, UPDATE, DELETE ON t TO {role}"))
        .unwrap();
    assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED]);
    assert_eq!(
        database
            .sql("SELECT to_regnamespace('trueup') IS NULL")
            .unwrap(),
        "t"
    );
    // Prepared control tables raise the class again.
    let mut owner = connect(&database.url(), Context::empty()).unwrap();
    drop(owner.writer(&claim()).unwrap());
    database
        .sql(&format!("GRANT USAGE ON SCHEMA trueup TO {role}; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA trueup TO {role}"))
        .unwrap();
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    assert_eq!(endpoint.about().class, Class::Transactional);
    assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED]);
    drop(endpoint);
    database
        .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .unwrap();
}

#[test]
fn row_security_that_hides_records_is_a_loud_note() {
    let (database, _) =
        fresh("CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY");
    let name = database.name();
    let role = format!("hidden_{name}");
    database
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT SELECT ON t TO {role}"
        ))
        .unwrap();
    let url = format!(
        "postgres://{role}:pw@127.0.0.1:{}/{name}",
        database.server().port()
    );
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    assert!(schema(endpoint.as_mut(), "t").notes[0].contains("WARNING"));
    drop(endpoint);
    database
        .sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .unwrap();
}

/// A role that may do `rights` on the table `t`, and its URL.
pub(super) fn role(database: &Database, rights: &str) -> (String, String) {
    let (name, port) = (database.name(), database.server().port());
    let role = format!("role_{name}");
    database
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'pw'; GRANT {rights} ON t TO {role}"
        ))
        .unwrap();
    let url = format!("postgres://{role}:pw@127.0.0.1:{port}/{name}");
    (role, url)
}

#[test]
fn a_load_that_may_not_insert_says_so_and_not_that_the_server_went_away() {
    let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let (role, url) = role(&database, "SELECT");
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    let given = Given {
        load: true,
        ..Given::new("t", &["id"])
    };
    let mut writer = endpoint.writer(&claim()).unwrap();
    let records = vec![(Op::Insert, vec![Value::Int(2)])];
    let error = given
        .apply(endpoint.as_mut(), writer.as_mut(), &records)
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error:?}");
    assert!(error.advice().unwrap().contains("INSERT"), "{error:?}");
    drop((writer, endpoint));
    let tidy = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    database.sql(&tidy).unwrap();
}

#[test]
fn a_load_under_row_security_goes_the_other_way() {
    let (database, _) = fresh(
        "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY small ON t USING (id < 10)",
    );
    let (role, url) = role(&database, "SELECT, INSERT, UPDATE, DELETE");
    let mut endpoint = connect(&url, Context::empty()).unwrap();
    let given = Given {
        load: true,
        ..Given::new("t", &["id"])
    };
    let records = vec![(Op::Insert, vec![Value::Int(2)])];
    assert_eq!(given.outcomes(endpoint.as_mut(), &records), [APPLIED]);
    drop(endpoint);
    let tidy = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    database.sql(&tidy).unwrap();
}
