//! How the server is reached, and what happens when it is not.

use super::*;
use crate::mysql::config::Settings;
use crate::mysql::connect::dial;
use crate::tls::SslMode;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use trueup_core::Kind;
use trueup_testkit::servers::mariadb::{PASSWORD, PASSWORD_ENCODED, USER};

fn with(variables: &'static [(&'static str, &'static str)]) -> Context {
    Context {
        env: Arc::new(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }),
        ..Context::empty()
    }
}

#[test]
fn urls_say_where_and_as_whom() {
    for (url, address) in [
        ("mysql://ann@db/shop", "mysql://ann@db:3306/shop"),
        ("mariadb://ann:x@db:1/s%20p", "mariadb://ann@db:1/s%20p"),
        ("mysql://ann@[::1]:2/shop", "mysql://ann@[::1]:2/shop"),
        (
            "mysql://ann@/shop?socket=/run/s",
            "mysql://ann@/shop?socket=/run/s",
        ),
        ("mysql://ann@/shop?host=db&port=7", "mysql://ann@db:7/shop"),
    ] {
        let settings = Settings::parse(url, &Context::empty()).unwrap();
        assert_eq!(settings.address(), address);
    }
    let settings = Settings::parse("mysql://h/d", &with(&[("USER", "bob"), ("MYSQL_PWD", "x")]));
    let settings = settings.unwrap();
    assert_eq!(
        (settings.user.as_str(), settings.password.is_some()),
        ("bob", true)
    );
    assert_eq!(settings.ssl_mode, SslMode::Prefer);
    for url in [
        "mysql://ann@db",
        "mysql://db/shop",
        "mysql://ann@a,b/shop",
        "mysql://ann@db/shop?colour=red",
        "mysql://ann@db/shop?sslmode=maybe",
        "mysql://ann@db/shop?socket=relative",
        "mysql://ann@db/shop?sslmode=require&sslrootcert=system",
        "mysql://ann:%zz@db/shop",
        "postgres://ann@db/shop",
    ] {
        let error = Settings::parse(url, &Context::empty()).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{url}");
        assert!(error.advice().is_some(), "{url}");
    }
}

#[test]
fn the_same_server_is_the_same_however_it_is_spelled() {
    let (database, endpoint) = fresh("SELECT 1");
    let (port, name) = (database.server().port(), database.name());
    let url =
        format!("mariadb://{USER}:{PASSWORD_ENCODED}@localhost:{port}/{name}?sslmode=disable");
    let other = connect(&url, Context::empty()).unwrap();
    assert_eq!(endpoint.about().identity, other.about().identity);
    let socket = database.server().socket();
    let url = format!(
        "mysql://{USER}:{PASSWORD_ENCODED}@/{name}?socket={}",
        socket.display()
    );
    let mut local = connect(&url, Context::empty()).unwrap();
    assert_eq!(local.collections().unwrap(), Vec::<String>::new());
}

#[test]
fn tls_is_as_strict_as_it_is_asked_to_be() {
    let (database, _) = fresh("SELECT 1");
    let server = database.server();
    let (port, name, root) = (server.port(), database.name(), server.authority());
    let root = root.display();
    let url = |host: &str, rest: &str| {
        format!("mysql://{USER}:{PASSWORD_ENCODED}@{host}:{port}/{name}?{rest}")
    };
    let connects = |host, rest: String| connect(&url(host, &rest), Context::empty());
    for (host, rest) in [
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}")),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={root}"),
        ),
    ] {
        let mut endpoint = connects(host, rest).unwrap();
        assert_eq!(endpoint.collections().unwrap(), Vec::<String>::new());
    }
    for (host, rest) in [
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={root}"),
        ),
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", "sslrootcert=system".to_owned()),
    ] {
        let error = connects(host, rest).err().unwrap();
        assert!(!format!("{error:?}").contains(PASSWORD));
    }
}

#[test]
fn who_is_not_let_in_is_told_so_without_a_secret() {
    let (database, _) = fresh("SELECT 1");
    let (port, name) = (database.server().port(), database.name());
    for (url, kind) in [
        (
            format!("mysql://{USER}:canary-wrong@127.0.0.1:{port}/{name}"),
            Kind::Auth,
        ),
        (
            format!("mysql://nobody@127.0.0.1:{port}/{name}"),
            Kind::Auth,
        ),
        (format!("{}x", database.url()), Kind::Config),
        (
            format!("mysql://{USER}@127.0.0.1:1/{name}"),
            Kind::Unavailable,
        ),
    ] {
        let error = connect(&url, Context::empty()).err().unwrap();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert!(error.advice().is_some());
    }
}

/// A server of one connection that speaks MySQL 8's greeting and, to what it then gets, the given answer. Returns what
/// it got, packet by packet.
fn scripted(answer: &'static [u8]) -> (String, std::thread::JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut number = 0;
        let mut send = |stream: &mut TcpStream, payload: &[u8]| {
            let len = u8::try_from(payload.len()).unwrap();
            stream.write_all(&[len, 0, 0, number]).unwrap();
            stream.write_all(payload).unwrap();
            number += 2;
        };
        let mut greeting =
            b"\x0a8.0.36\0\x2a\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15".to_vec();
        greeting.extend([0; 10]);
        greeting.extend(b"ijklmnopqrst\0caching_sha2_password\0");
        send(&mut stream, &greeting);
        let mut got = Vec::new();
        let mut head = [0; 4];
        while stream.read_exact(&mut head).is_ok() {
            let mut packet = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
            stream.read_exact(&mut packet).unwrap();
            got.push(packet);
            send(&mut stream, answer);
        }
        got
    });
    let url = format!("mysql://ann:secret@127.0.0.1:{port}/shop?sslmode=disable");
    (url, serving)
}

#[test]
fn logins_of_mysql_8_without_tls_never_show_the_password() {
    let holds = |packets: &[Vec<u8>], text: &[u8]| {
        let mut windows = packets.iter().flat_map(|packet| packet.windows(text.len()));
        windows.any(|window| window == text)
    };
    // The server does not know the proof and wants the password itself.
    let (url, serving) = scripted(b"\x01\x04");
    let settings = Settings::parse(&url, &Context::empty()).unwrap();
    let error = dial(&settings).err().unwrap();
    assert_eq!(error.kind(), Kind::Auth, "{error:?}");
    assert!(
        error.advice().unwrap().contains("sslmode=require"),
        "{error:?}"
    );
    let got = serving.join().unwrap();
    assert!(holds(&got, b"caching_sha2_password") && holds(&got, b"shop"));
    assert!(!holds(&got, b"secret"));
    // It asks for the password in clear, or for what nobody knows.
    for (answer, words) in [
        (
            b"\xfemysql_clear_password\0".as_slice(),
            "does not protect it",
        ),
        (b"\xfesomething_else\0abc\0", "method=something_else"),
    ] {
        let (url, serving) = scripted(answer);
        let settings = Settings::parse(&url, &Context::empty()).unwrap();
        let error = dial(&settings).err().unwrap();
        assert_eq!(error.kind(), Kind::Auth, "{error:?}");
        assert!(error.message().contains(words), "{error:?}");
        assert!(!holds(&serving.join().unwrap(), b"secret"));
    }
}
