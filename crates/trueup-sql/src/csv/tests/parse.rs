//! The parser: cases read from a file, and properties.

use crate::csv::config::{self, Options};
use crate::csv::read::Reader;
use proptest::prelude::*;
use std::io::Read;
use std::path::Path;
use trueup_core::Error;
use trueup_core::value::Value;

type Rows = Vec<Vec<Option<String>>>;

/// Reads everything; every record must be as wide as the first.
fn parse(input: impl Read, options: &Options) -> Result<Rows, Error> {
    let mut reader = Reader::new(input, Path::new("case.csv"), options)?;
    let mut rows = Rows::new();
    while let Some(row) = reader.next_row()? {
        let fields = (0..row.len()).map(|index| match row.value(index, &options.null) {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        });
        let fields: Vec<_> = fields.collect();
        let raw: Vec<&str> = (0..row.len()).map(|index| row.raw_field(index)).collect();
        let delimiter = char::from(options.delimiter).to_string();
        let line = row.raw();
        let line = line
            .strip_suffix("\r\n")
            .or(line.strip_suffix('\n'))
            .unwrap_or(line);
        assert_eq!(raw.join(&delimiter), line);
        let width = fields.len();
        rows.push(fields);
        reader.set_width(width);
    }
    Ok(rows)
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

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b'r') => bytes.push(b'\r'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'\\') => bytes.push(b'\\'),
            Some(b'x') => {
                let mut digit = || {
                    rest.next()
                        .and_then(|b| char::from(b).to_digit(16))
                        .expect("two digits")
                };
                bytes.push(u8::try_from(digit() * 16 + digit()).expect("a byte"));
            }
            other => panic!("unknown escape {other:?}"),
        }
    }
    bytes
}

fn expected(text: &str) -> Rows {
    let field = |field: &str| match field.trim() {
        "NULL" => None,
        text => {
            let text = text
                .strip_prefix('\'')
                .and_then(|text| text.strip_suffix('\''));
            Some(String::from_utf8(unescape(text.expect("text in quotes"))).expect("text"))
        }
    };
    let rows = text.split(" / ").filter(|row| !row.trim().is_empty());
    rows.map(|row| row.split(" | ").map(field).collect())
        .collect()
}

#[test]
fn cases() {
    let mut checked = 0;
    for case in include_str!("../cases/parse.txt").split("\ncase ").skip(1) {
        let (name, body) = case.split_once('\n').expect("a body");
        let line = |word: &str| body.lines().find_map(|line| line.strip_prefix(word));
        let options = line("opt ").map_or("csv:x".to_owned(), |opt| format!("csv:x?{opt}"));
        let (_, options) = config::parse(&options).expect("options");
        let input = unescape(line("in  ").expect("an input"));
        for result in [
            parse(input.as_slice(), &options),
            parse(Drip(&input), &options),
        ] {
            match (line("err "), result) {
                (Some(words), Err(error)) => {
                    let (number, words) = words.split_once(' ').unwrap_or((words, ""));
                    let message = error.message();
                    assert!(message.contains(words), "case {name}: {message}");
                    assert!(
                        message.ends_with(&format!("line={number}")),
                        "case {name}: {message}"
                    );
                    assert!(message.contains("file=case.csv"), "case {name}: {message}");
                    assert!(error.advice().is_some(), "case {name} has no hint");
                }
                (None, Ok(rows)) => {
                    assert_eq!(
                        rows,
                        expected(line("out ").unwrap_or_default()),
                        "case {name}"
                    );
                }
                (_, other) => panic!("case {name}: {other:?}"),
            }
        }
        checked += 1;
    }
    assert!(checked >= 35, "{checked} cases");
}

#[test]
fn cut_anywhere_is_an_error_or_ends_at_a_line_end() {
    let whole = "\"a\",\"b\"\r\n\"1\",\"x \"\"y\"\"\nz\"\r\n\"\",\"\"\"\"\n\"2\",\"ä\"\n";
    let all = parse(whole.as_bytes(), &Options::default()).expect("the whole");
    let mut accepted = 0;
    for cut in 0..whole.len() {
        let Ok(rows) = parse(&whole.as_bytes()[..cut], &Options::default()) else {
            continue;
        };
        assert!(cut == 0 || whole.as_bytes()[cut - 1] == b'\n', "cut={cut}");
        assert_eq!(rows, all[..rows.len()], "cut={cut}");
        accepted += 1;
    }
    assert_eq!(
        accepted, 4,
        "the empty prefix and those after three of four records"
    );
}

/// Repeats one record without end in sight, and counts what is taken.
struct Endless {
    record: &'static [u8],
    records: usize,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.records == 0 {
            return Ok(0);
        }
        let count = into.len().min(self.record.len() - self.at);
        into[..count].copy_from_slice(&self.record[self.at..self.at + count]);
        self.at += count;
        if self.at == self.record.len() {
            self.at = 0;
            self.records -= 1;
        }
        Ok(count)
    }
}

#[test]
fn a_large_file_is_streamed() {
    let input = Endless {
        record: b"1,\"some text, quoted\",2.5\n",
        records: 1_000_000,
        at: 0,
    };
    let mut reader =
        Reader::new(input, Path::new("large.csv"), &Options::default()).expect("a reader");
    let (mut rows, mut held) = (0, 0);
    while reader.next_row().expect("well-formed").is_some() {
        rows += 1;
        held = held.max(reader.held_bytes());
    }
    assert_eq!(rows, 1_000_000);
    assert!(held <= 1 << 20, "held {held} bytes of a file of 26 MB");
}

#[test]
fn a_record_longer_than_the_buffer_is_read() {
    let long = "x\"\"y,\n".repeat(700_000);
    let text = format!("1,\"{long}\"\n2,b\n");
    let rows = parse(text.as_bytes(), &Options::default()).expect("well-formed");
    assert_eq!(
        rows[0][1].as_deref(),
        Some(long.replace("\"\"", "\"").as_str())
    );
    assert_eq!(rows[1], [Some("2".to_owned()), Some("b".to_owned())]);
}

#[test]
fn limits_are_errors() {
    let open = Endless {
        record: b"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        records: 1,
        at: 0,
    };
    let endless = open.chain(std::io::repeat(b'a'));
    let error = parse(endless, &Options::default()).expect_err("no end");
    assert!(
        error.message().contains("field longer than the limit"),
        "{error}"
    );
    let error = parse(std::io::repeat(b','), &Options::default()).expect_err("no end");
    assert!(
        error.message().contains("more columns than the limit"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(
        prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..60)
    ) {
        let whole = parse(bytes.as_slice(), &Options::default()).map_err(|e| format!("{e:?}"));
        let drip = parse(Drip(&bytes), &Options::default()).map_err(|e| format!("{e:?}"));
        prop_assert_eq!(whole, drip);
    }
}
