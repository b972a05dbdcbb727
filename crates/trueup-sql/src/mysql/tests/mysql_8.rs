//! What is MySQL's alone, played from bytes: no MySQL server can be had where these tests run.
//!
//! The other end speaks as MySQL 8.4 does by its documents: logs in by `caching_sha2_password`, sends texts in
//! `utf8mb4_0900_ai_ci`, marks no end of columns, and has numbers of its own for what it refuses.

use super::super::config::Settings;
use super::super::connect::refused;
use super::super::decode;
use super::super::error::reason;
use super::super::schema::{Column, Table};
use super::super::session::{Column as Form, Connection};
use super::super::types::{Limit, Wire, is_bytewise, native};
use super::super::wire::{Stream, Wire as Packets};
use super::super::write;
use super::*;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;
use trueup_core::endpoint::{Mark, Outcome, Writes};
use trueup_core::schema::Field;
use trueup_core::{Kind, Result};

/// `utf8mb4_0900_ai_ci`, which no MariaDB has.
const COLLATION: u8 = 255;
/// A status with autocommit, and one with `NO_BACKSLASH_ESCAPES`.
const STATUS: [u8; 2] = [0x02, 0x02];

/// How the server answers the first proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// It knows the password already.
    Fast,
    /// It does not, and wants the password itself.
    Full,
    /// It wants the older method.
    Other,
}

/// What the server says to a statement.
enum Reply {
    Done(u8),
    Rows(Vec<Vec<&'static str>>),
    Refused(u16, &'static str),
}

/// Everything that the client said after its login, and the proof that it sent last.
struct Heard {
    proof: Vec<u8>,
    statements: Vec<String>,
}

fn ok(affected: u8) -> Vec<u8> {
    [&[0, affected, 0], &STATUS[..], &[0, 0]].concat()
}

fn greet(packets: &mut Packets, login: Login) -> Vec<u8> {
    let mut hello = b"\x0a8.4.3\0\x2a\0\0\0abcdefgh\0\xff\xff".to_vec();
    hello.extend([COLLATION, 2, 0, 0xff, 0xdf, 21]);
    hello.extend([0; 10]);
    hello.extend(b"ijklmnopqrst\0caching_sha2_password\0");
    packets.begin();
    packets.send(&hello).unwrap();
    let mut proof = packets.packet().unwrap().to_vec();
    match login {
        Login::Fast => packets.send(&[1, 3]).unwrap(),
        Login::Full => {
            packets.send(&[1, 4]).unwrap();
            let Ok(password) = packets.packet() else {
                return Vec::new();
            };
            proof = password.to_vec();
        }
        Login::Other => {
            let other = b"\xfemysql_native_password\0tsrqponmlkjihgfedcba\0";
            packets.send(other).unwrap();
            proof = packets.packet().unwrap().to_vec();
        }
    }
    packets.send(&ok(0)).unwrap();
    proof
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(u8::try_from(bytes.len()).unwrap());
    out.extend(bytes);
}

fn say(packets: &mut Packets, reply: Reply) {
    match reply {
        Reply::Done(affected) => packets.send(&ok(affected)).unwrap(),
        Reply::Refused(code, message) => {
            let mut bytes = vec![0xff];
            bytes.extend(code.to_le_bytes());
            bytes.extend(b"#HY000");
            bytes.extend(message.as_bytes());
            packets.send(&bytes).unwrap();
        }
        Reply::Rows(rows) => {
            let width = rows.first().map_or(1, Vec::len);
            packets.send(&[u8::try_from(width).unwrap()]).unwrap();
            for _ in 0..width {
                let mut column = Vec::new();
                for part in [&b"def"[..], b"", b"", b"", b"c", b""] {
                    text(part, &mut column);
                }
                column.extend([12, COLLATION, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0]);
                packets.send(&column).unwrap();
            }
            for row in rows {
                let mut record = Vec::new();
                row.iter()
                    .for_each(|value| text(value.as_bytes(), &mut record));
                packets.send(&record).unwrap();
            }
            let end = [&[0xfe, 0, 0], &STATUS[..], &[0, 0]].concat();
            packets.send(&end).unwrap();
        }
    }
}

fn settle(statement: &str) -> Option<Reply> {
    if statement.starts_with("SELECT VERSION()") {
        return Some(Reply::Rows(vec![vec!["8.4.3", "67108864", "1"]]));
    }
    if statement.starts_with("SHOW SESSION VARIABLES") {
        return Some(Reply::Rows(vec![
            vec!["sql_mode", "NO_BACKSLASH_ESCAPES"],
            vec!["transaction_isolation", "READ-COMMITTED"],
        ]));
    }
    let session = statement.starts_with("SET ");
    session.then_some(Reply::Done(0))
}

fn serve(stream: Stream, login: Login, reply: fn(&str) -> Reply) -> Heard {
    let mut packets = Packets::new(stream);
    let proof = greet(&mut packets, login);
    let mut statements = Vec::new();
    loop {
        packets.begin();
        let statement = match packets.packet() {
            Ok([3, statement @ ..]) => String::from_utf8_lossy(statement).into_owned(),
            _ => return Heard { proof, statements },
        };
        let answer = settle(&statement).unwrap_or_else(|| reply(&statement));
        statements.push(statement);
        say(&mut packets, answer);
    }
}

/// Connects over a socket, and returns what the server will have heard.
fn connected(login: Login, reply: fn(&str) -> Reply) -> (Result<Connection>, JoinHandle<Heard>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(Stream::Unix(stream), login, reply)
    });
    let url = format!("mysql://app:secret@/shop?socket={}", path.display());
    let settings = Settings::parse(&url, &Context::empty()).unwrap();
    (Connection::open(&settings), server)
}

fn nothing(statement: &str) -> Reply {
    panic!("nobody asked for {statement}");
}

#[test]
fn logins_of_mysql_8_are_answered_as_the_server_wants() {
    for (login, proof) in [
        (Login::Fast, None),
        (Login::Full, Some(&b"secret\0"[..])),
        (Login::Other, Some(&b""[..])),
    ] {
        let (connection, server) = connected(login, nothing);
        let connection = connection.unwrap();
        assert!(!connection.server.mariadb);
        assert_eq!(connection.server.number, (8, 4));
        assert!(connection.server.local_infile);
        drop(connection);
        let heard = server.join().unwrap();
        match (login, proof) {
            (Login::Full, Some(proof)) => assert_eq!(heard.proof, proof),
            // Twenty bytes that are not the password.
            (Login::Other, _) => assert_eq!(heard.proof.len(), 20),
            _ => assert!(!heard.proof.windows(6).any(|part| part == b"secret")),
        }
    }
}

#[test]
fn the_password_itself_is_not_sent_where_anybody_can_listen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(Stream::Tcp(stream), Login::Full, nothing)
    });
    let url = format!("mysql://app:secret@127.0.0.1:{port}/shop?sslmode=disable");
    let settings = Settings::parse(&url, &Context::empty()).unwrap();
    let error = Connection::open(&settings).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert!(
        error
            .advice()
            .is_some_and(|hint| hint.contains("sslmode=require"))
    );
    assert_eq!(server.join().unwrap().proof, b"");
}

#[test]
fn a_session_is_set_whatever_the_server_has() {
    let (connection, server) = connected(Login::Fast, nothing);
    drop(connection.unwrap());
    let said = server.join().unwrap().statements.pop().unwrap();
    assert!(said.starts_with("SET SESSION "));
    assert!(said.contains("sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO"));
    assert!(said.contains("transaction_isolation = 'REPEATABLE-READ'"));
    assert!(!said.contains("NO_BACKSLASH_ESCAPES"));
    // What it did not name, it does not know.
    assert!(!said.contains(" tx_isolation"));
}

fn table() -> Table {
    let field = Field::new("id", Type::INT, "mysql:int");
    Table {
        schema: Schema {
            collection: "t".to_owned(),
            fields: vec![field],
            key: vec![0],
            ..Schema::default()
        },
        columns: vec![Column {
            name: "id".to_owned(),
            wire: Wire::Int,
            limit: Limit::Bits(32, true),
            nullable: false,
            labels: Vec::new(),
            bytewise: false,
            folding: false,
        }],
        engine: "InnoDB".to_owned(),
        triggers: false,
    }
}

/// The variable said that files of the client's are allowed; the server forbids them when one is to be read.
#[test]
fn a_load_that_may_read_no_file_goes_on_by_statements() {
    fn reply(statement: &str) -> Reply {
        if statement.starts_with("LOAD DATA") {
            let message = "Loading local data is disabled; this must be enabled on both sides";
            return Reply::Refused(3948, message);
        }
        Reply::Done(if statement.starts_with("INSERT") {
            2
        } else {
            0
        })
    }
    let (connection, server) = connected(Login::Fast, reply);
    let connection = connection.unwrap();
    let table = table();
    let mut records = Batch::new(1);
    records.push(Value::Int(1));
    records.push(Value::Int(2));
    let mark = Mark {
        partition: "t".to_owned(),
        batch: 1,
        position: Vec::new(),
    };
    let writes = Writes {
        schema: &table.schema,
        fields: &[0],
        key: &[0],
        ops: &[Op::Insert, Op::Insert],
        records: &records,
        mark: &mark,
        load: true,
        check: None,
        bag: None,
    };
    let outcomes = write::records(&connection, &table, &writes).unwrap();
    assert_eq!(outcomes, [Outcome::Applied(None), Outcome::Applied(None)]);
    drop(connection);
    let statements = server.join().unwrap().statements;
    let written = statements.iter().find(|said| said.starts_with("INSERT"));
    let expected = "INSERT INTO `t` (`id`) VALUES (1), (2)";
    assert_eq!(written.map(String::as_str), Some(expected));
    assert!(!statements.iter().any(|said| said.contains("FOR UPDATE")));
}

#[test]
fn refusals_of_mysql_8_are_named() {
    for (packet, expected) in [
        (
            &b"\xff\xeb\x0e#HY000Check constraint 'orders_chk_1' is violated."[..],
            "check constraint is violated: error=3819 constraint=orders_chk_1",
        ),
        (
            b"\xff\x26\x04#23000Duplicate entry 'secret' for key 'orders.PRIMARY'",
            "unique constraint is violated: error=1062 constraint=PRIMARY",
        ),
        (
            b"\xff\x7e\x05#22001Data too long for column 'note' at row 1",
            "value is too long for the field: error=1406 field=note",
        ),
    ] {
        assert_eq!(reason(&refused(packet)), expected);
    }
}

#[test]
fn json_of_a_type_of_its_own_is_read() {
    let forms = [Form {
        kind: 245,
        unsigned: false,
    }];
    let mut batch = Batch::new(1);
    let packet = b"\0\0\x08{\"a\": 1}";
    decode::record(
        &[Wire::Json],
        &forms,
        packet,
        &mut String::new(),
        &mut batch,
    )
    .unwrap();
    assert_eq!(batch.record(0).value(0), Value::Json("{\"a\": 1}"));
    assert_eq!(native("json", true).limit, Limit::Numbers);
}

#[test]
fn collations_of_mysql_8_fold_but_for_the_binary_one() {
    assert!(!is_bytewise("utf8mb4_0900_ai_ci"));
    assert!(!is_bytewise("utf8mb4_0900_as_cs"));
    assert!(is_bytewise("utf8mb4_0900_bin"));
}
