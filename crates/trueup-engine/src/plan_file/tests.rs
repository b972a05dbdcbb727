//! A plan file is taken whole or not at all.

use super::*;
use crate::testing::Stage;

const HEADER: &str = r#"{"created":"","delete":false,"digests":"xxh3-128-sum/1","keys":1,"link":"l","name":"n","trueup_plan":1}"#;
const HEAD: &str =
    r#"{"collection":"a","create":null,"fingerprint":"00000000000000000000000000000005"}"#;
const OTHER: &str =
    r#"{"collection":"b","create":null,"fingerprint":"00000000000000000000000000000005"}"#;
const ONE: &str = r#"{"op":"delete","collection":"a","id":"01","before":"00000000000000000000000000000005","after":null}"#;
const TWO: &str = r#"{"op":"delete","collection":"a","id":"02","before":"00000000000000000000000000000005","after":null}"#;
const END: &str = r#"{"end":true}"#;

fn read(bytes: &[u8]) -> Result<PlanFile> {
    let stage = Stage::new();
    PlanFile::read(&mut &*bytes, &stage.world())
}

#[test]
fn lines_may_be_taken_out_but_not_moved_repeated_or_lost() {
    for (lines, expected) in [
        (&[HEADER, HEAD, ONE, TWO, OTHER, END][..], ""),
        (&[HEADER, HEAD, TWO, END], ""),
        (&[HEADER, OTHER, HEAD, ONE, END], ""),
        (&[HEADER, END], ""),
        (&[], "line=1: this is no plan: it is empty"),
        (&[HEAD, END], "line=1: this is no plan: it does not begin"),
        (&[HEADER, HEAD, ONE], "line=4: the plan is cut"),
        (&[HEADER, HEADER, END], "line=2: a second header"),
        (
            &[HEADER, HEAD, HEAD, END],
            "line=3: collection=a is there twice",
        ),
        (
            &[HEADER, ONE, END],
            "line=2: an action for collection=a does not",
        ),
        (
            &[HEADER, OTHER, ONE, END],
            "line=3: an action for collection=a",
        ),
        (
            &[HEADER, HEAD, OTHER, ONE, END],
            "line=4: an action for collection=a",
        ),
        (
            &[HEADER, HEAD, TWO, ONE, END],
            "line=4: the actions are not in the order",
        ),
        (
            &[HEADER, HEAD, ONE, ONE, END],
            "line=4: the actions are not in the order",
        ),
        (&[HEADER, END, HEAD], "line=3: something follows the end"),
        (&[HEADER, "", END], "line=2: column=0: this is not JSON"),
        (
            &[HEADER, "{\"end\":}", END],
            "line=2: column=8: this is not JSON",
        ),
    ] {
        let text = lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        match read(text.as_bytes()) {
            Ok(_) => assert_eq!(expected, "", "{text}"),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Config, "{text}");
                assert!(
                    !expected.is_empty() && error.message().starts_with(expected),
                    "{error:?}"
                );
            }
        }
    }
}

#[test]
fn a_plan_cut_anywhere_is_refused() {
    let text = [HEADER, HEAD, ONE, TWO, END].join("\n");
    assert!(
        read(text.as_bytes()).is_ok(),
        "the last line break does not matter"
    );
    for len in 0..text.len() {
        assert!(read(&text.as_bytes()[..len]).is_err(), "length {len}");
    }
}

#[test]
fn line_ends_of_other_systems_are_taken_and_other_bytes_refused() {
    let text = [HEADER, HEAD, END].join("\r\n");
    assert!(read(text.as_bytes()).is_ok());
    let error = read(b"{\"trueup\xff\":1}\n").unwrap_err();
    assert_eq!(error.message(), "line=1: column=9: this is not UTF-8");
}
