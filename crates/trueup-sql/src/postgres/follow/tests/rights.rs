//! Who may follow: roles, logins, encryption.

use super::*;
use crate::postgres::follow::binding;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use trueup_core::Kind;
use trueup_testkit::servers::postgres::PASSWORD;

/// The database's address for another role, by its socket or by TCP.
fn url(database: &Database, role: &str) -> String {
    let rest = database.url();
    let rest = rest.strip_prefix("postgres://postgres:").unwrap();
    format!("postgres://{role}:{rest}")
}

fn role(database: &Database, suffix: &str, rights: &str) -> String {
    let role = format!("{}_{suffix}", database.name());
    database
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' {rights}"
        ))
        .unwrap();
    role
}

/// The least that a role needs: to replicate and to read; its tables' owner makes the publication.
#[test]
fn the_least_role_follows_what_an_owner_published() {
    let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let least = role(&database, "least", "REPLICATION");
    database
        .sql(&format!("GRANT SELECT ON t TO {least}"))
        .unwrap();
    let mut endpoint = connect(&url(&database, &least), Context::empty()).unwrap();
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let error = following.open(endpoint.as_mut(), None).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    let advice = error.advice().unwrap();
    let statement = advice.split_once(": ").unwrap().1;
    database.sql(statement).unwrap();
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (1)").unwrap();
    let (lines, last) = tell(log.as_mut(), 1);
    assert_eq!(lines, ["0 Insert Int(1)", "commit"]);
    // A snapshot's position names the server as this role knows it.
    let snapshot = endpoint.snapshot().unwrap().position();
    assert!(log.seen(&snapshot).unwrap());
    log.durable(&last);
    drop(log);
    drop(following.log(endpoint.as_mut(), Some(&last)));
    endpoint.unfollow(&following.link).unwrap();
    drop(endpoint);
    database
        .sql(&format!("DROP OWNED BY {least}; DROP ROLE {least}"))
        .unwrap();
}

#[test]
fn a_role_that_may_not_replicate_is_told_what_it_lacks() {
    let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let plain = role(&database, "plain", "");
    database
        .sql(&format!("GRANT SELECT ON t TO {plain}"))
        .unwrap();
    let mut endpoint = connect(&url(&database, &plain), Context::empty()).unwrap();
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let error = following.open(endpoint.as_mut(), None).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    assert!(error.advice().unwrap().contains("REPLICATION"), "{error}");
    drop(endpoint);
    database
        .sql(&format!("DROP OWNED BY {plain}; DROP ROLE {plain}"))
        .unwrap();
}

const GUIDE: &str = include_str!("../../../../../../docs/guide/postgres.md");

/// The role that the guide gives for a source that is followed, and what lets it make the publication itself.
#[test]
fn the_role_of_the_guide_follows() {
    let (database, _) = fresh("");
    let own = format!("{}_follower", database.name());
    let owner = role(&database, "owner", "");
    let blocks = GUIDE.split("```sql\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").unwrap().0);
    let made = blocks.filter(|block| block.contains("trueup_follower"));
    let made = made.collect::<Vec<_>>();
    assert_eq!(made.len(), 2);
    let made = made
        .concat()
        .replace("trueup_follower", &own)
        .replace("shop_owner", &owner)
        .replace("DATABASE shop", &format!("DATABASE {}", database.name()));
    let name = database.name();
    database
        .sql(&format!(
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC; \
             CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO {owner}; {made}; \
             ALTER ROLE {own} PASSWORD '{PASSWORD}'"
        ))
        .unwrap();
    let mut endpoint = connect(&url(&database, &own), Context::empty()).unwrap();
    let following = Following::new(&database, endpoint.as_mut(), &["t"]);
    let mut log = following.log(endpoint.as_mut(), None);
    database.sql("INSERT INTO t VALUES (1)").unwrap();
    let (lines, _) = tell(log.as_mut(), 1);
    assert_eq!(lines, ["0 Insert Int(1)", "commit"]);
    drop(log);
    endpoint.unfollow(&following.link).unwrap();
    drop(endpoint);
    database
        .sql(&format!(
            "DROP OWNED BY {own}, {owner} CASCADE; DROP ROLE {own}, {owner}"
        ))
        .unwrap();
}

/// A login is bound to the connection that it is made over, by the certificate's own digest.
#[test]
fn logins_are_bound_to_certificates_that_allow_it() {
    let (database, _) = fresh("");
    let authority = database.server().authority();
    if authority.exists() {
        let der = CertificateDer::from_pem_file(authority).unwrap();
        assert!(binding::choose(Some(&der), true).1);
        assert!(!binding::choose(Some(&der), false).1);
        for len in 0..der.len() {
            let part = der.get(..len).unwrap();
            assert!(!binding::choose(Some(part), true).1, "{len}");
        }
    }
    assert!(!binding::choose(None, true).1);
    assert!(!binding::choose(Some(&[0x30, 0x84, 255, 255, 255, 255, 0]), true).1);
}

/// The replication connection is made as every other one is: socket, TCP, TLS with a bound login.
#[test]
fn connects_as_every_other_connection() {
    let (database, _) = fresh("CREATE TABLE t (id int PRIMARY KEY)");
    let server = database.server();
    let socket = format!(
        "{}?host={}",
        database.url(),
        server.socket_folder().display()
    );
    let mut urls = vec![
        socket,
        format!("{}?sslmode=disable", database.url()),
        format!("{}?sslmode=allow", database.url()),
        format!("{}?sslmode=prefer", database.url()),
    ];
    if server.authority().exists() {
        let named = database.url().replacen("127.0.0.1", "localhost", 1);
        let authority = server.authority();
        urls.push(format!(
            "{named}?sslmode=verify-full&sslrootcert={}",
            authority.display()
        ));
        urls.push(format!("{}?sslmode=require", database.url()));
    }
    for url in urls {
        let mut endpoint = connect(&url, Context::empty()).unwrap();
        let following = Following::new(&database, endpoint.as_mut(), &["t"]);
        let mut log = following.log(endpoint.as_mut(), None);
        database
            .sql("DELETE FROM t; INSERT INTO t VALUES (1)")
            .unwrap();
        let (lines, _) = tell(log.as_mut(), 1);
        assert_eq!(lines.last().unwrap(), "commit", "{url}");
    }
}
