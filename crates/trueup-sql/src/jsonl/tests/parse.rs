//! The parser: cases, and properties.

use super::Folder;
use crate::file::format::{Records, Row};
use crate::jsonl::read::Reader;
use proptest::prelude::*;
use std::io::Read;
use std::path::Path;
use trueup_core::types::Type;
use trueup_core::{Error, Kind};

/// Reads everything: each record as its fields, in the columns' order, with their classes.
fn parse(input: impl Read + Send, open_end: bool) -> Result<Vec<String>, Error> {
    let mut reader = Reader::new(input, Path::new("case.jsonl"), open_end)?;
    let mut rows = Vec::new();
    loop {
        let width = reader.names().len();
        let Some(row) = reader.next_row()? else {
            return Ok(rows);
        };
        let mut columns = Vec::new();
        row.see(&mut columns);
        let fields = (0..columns.len().max(width)).map(|index| {
            let value = row.value(index, Type::TEXT);
            let mut text = String::new();
            trueup_core::text::write(value, &mut text);
            format!("{} {text}", value.class())
        });
        rows.push(fields.collect::<Vec<_>>().join("|"));
    }
}

/// Delivers one byte at a time, so that every place is once the end of what is known.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(0);
        };
        into[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

#[test]
fn records_are_read() {
    for (input, expected) in [
        ("", vec![]),
        ("{}\n", vec![""]),
        ("{\"a\":1,\"b\":\"x\"}\n", vec!["int 1|text x"]),
        // White space, CRLF, another order, a member that is missing, one that is new.
        (
            " { \"a\" : 1 , \"b\":2}\t\r\n{\"b\":3,\"a\":4}\r\n{\"c\":true}\n",
            vec!["int 1|int 2", "int 4|int 3", "null |null |bool true"],
        ),
        (
            "{\"a\":null,\"b\":false,\"c\":1.50,\"d\":12345678901234567890}\n",
            vec!["null |bool false|decimal 1.50|decimal 12345678901234567890"],
        ),
        (
            "{\"a\":\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\"}\n",
            vec!["text ä\"\\/\u{8}\u{c}\n\r\t😀"],
        ),
        (
            "{\"a\":[1, {\"b\":\"]\"}],\"c\":{}}\n",
            vec!["json [1, {\"b\":\"]\"}]|json {}"],
        ),
        ("{\"\\u0061\":1}\n{\"a\":2}\n", vec!["int 1", "int 2"]),
        (
            "{\"a\":1e3,\"b\":1e999999}\n",
            vec!["decimal 1000|json 1e999999"],
        ),
        ("{\"\":1}\n", vec!["int 1"]),
    ] {
        assert_eq!(
            parse(input.as_bytes(), false).unwrap(),
            expected,
            "{input:?}"
        );
        assert_eq!(
            parse(Drip(input.as_bytes()), false).unwrap(),
            expected,
            "{input:?}"
        );
    }
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let cases: [(&[u8], &str, u64, u64); 31] = [
        (b"\xef\xbb\xbf{}\n", "byte order mark", 1, 1),
        (b"{}\n\n{}\n", "blank line", 2, 1),
        (b"{}\n  \r\n", "blank line", 2, 1),
        (b"{}", "the last line has no line end", 1, 1),
        (b"{}\n{\"a\":1", "the last line has no line end", 2, 1),
        (b"[1]\n", "line is not an object", 1, 1),
        (b"  7\n", "line is not an object", 1, 3),
        (b"null\n", "line is not an object", 1, 1),
        (b"{\"a\":1}{}\n", "text behind the object", 1, 8),
        (b"{\"a\":1} x\n", "text behind the object", 1, 9),
        (b"{\"a\":1,}\n", "no member name", 1, 8),
        (b"{a:1}\n", "no member name", 1, 2),
        (b"{\"a\" 1}\n", "no colon", 1, 6),
        (b"{\"a\":}\n", "not a value of JSON", 1, 6),
        (b"{\"a\":1 2}\n", "neither comma", 1, 8),
        (b"{\"a\":01}\n", "neither comma", 1, 7),
        (b"{\"a\":1.}\n", "not a number", 1, 6),
        (b"{\"a\":+1}\n", "not a value of JSON", 1, 6),
        (b"{\"a\":NaN}\n", "not a value of JSON", 1, 6),
        (b"{\"a\":-Infinity}\n", "not a number", 1, 6),
        (b"{\"a\":tru}\n", "not a value of JSON", 1, 6),
        (b"{\"a\":'x'}\n", "not a value of JSON", 1, 6),
        (b"{\"a\":1,\"a\":2}\n", "member name occurs twice", 1, 8),
        (
            "{\"ä\":1,\"\\u00e4\":2}\n".as_bytes(),
            "member name occurs twice",
            1,
            8,
        ),
        (
            b"{\"a\":{\"b\":1,\"b\":2}}\n",
            "a key that occurs twice",
            1,
            6,
        ),
        (b"{\"a\":[1,]}\n", "not valid JSON", 1, 6),
        (b"{\"a\":\"\\ud800x\"}\n", "lone surrogate", 1, 7),
        (b"{\"a\":[\"\\udc00\"]}\n", "lone surrogate", 1, 8),
        (b"{\"a\":\"\\x41\"}\n", "unknown escape", 1, 7),
        (b"{}\n{\"a\":\"\t\"}\n", "control character", 2, 7),
        (b"{\"a\":\"\xc3\xa4\xff\"}\n", "invalid UTF-8", 1, 8),
    ];
    for (input, words, line, column) in cases {
        let shown = String::from_utf8_lossy(input);
        for result in [parse(input, false), parse(Drip(input), false)] {
            let error = result.expect_err(&shown);
            assert_eq!(error.kind(), Kind::Corrupt, "{shown:?}");
            let message = error.message();
            assert!(message.contains(words), "{shown:?}: {message}");
            let place = format!("file=case.jsonl line={line} column={column}");
            assert!(message.ends_with(&place), "{shown:?}: {message}");
            assert!(error.advice().is_some(), "{shown:?} has no hint");
        }
    }
}

#[test]
fn an_open_end_is_accepted_where_it_is_said() {
    assert_eq!(parse("{\"a\":1}".as_bytes(), true).unwrap(), ["int 1"]);
    let error = parse("{\"a\":1".as_bytes(), true).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
}

#[test]
fn nesting_and_columns_have_limits() {
    let deep = format!("{{\"a\":{}{}}}\n", "[".repeat(600), "]".repeat(600));
    let error = parse(deep.as_bytes(), false).unwrap_err();
    assert!(error.message().contains("nested too deep"), "{error}");
    let names: Vec<String> = (0..10_001).map(|n| format!("\"{n}\":1")).collect();
    let wide = format!("{{{}}}\n", names.join(","));
    let error = parse(wide.as_bytes(), false).unwrap_err();
    assert!(
        error.message().contains("more columns than the limit"),
        "{error}"
    );
}

#[test]
fn a_line_longer_than_the_buffer_is_read() {
    let long = "x".repeat(3 << 20);
    let rows = parse(
        format!("{{\"a\":\"{long}\"}}\n{{\"a\":1}}\n").as_bytes(),
        false,
    )
    .unwrap();
    assert_eq!((rows[0].len(), rows[1].as_str()), (long.len() + 5, "int 1"));
}

#[test]
fn an_error_shows_no_value() {
    let folder = Folder::with(
        "x.jsonl",
        "{\"id\":1,\"pin\":\"hunter2\",\"pin\":\"hunter2\"}\n",
    );
    let error = folder.open("").schema("x").unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(
        prop_oneof![
            Just(b"{\"a\":".to_vec()), Just(b"}\n".to_vec()), Just(b"\"".to_vec()), Just(b"\\u".to_vec()),
            Just(b"d800".to_vec()), Just(b"[".to_vec()), Just(b"]".to_vec()), Just(b"1e".to_vec()),
            Just(b",".to_vec()), Just(b"\\".to_vec()), any::<u8>().prop_map(|byte| vec![byte]),
        ], 0..40)
    ) {
        let bytes = bytes.concat();
        let whole = parse(bytes.as_slice(), true).map_err(|e| format!("{e:?}"));
        let drip = parse(Drip(&bytes), true).map_err(|e| format!("{e:?}"));
        prop_assert_eq!(whole, drip);
    }
}
