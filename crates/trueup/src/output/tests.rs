mod past;

use super::style::plain;
use super::*;
use trueup_core::digest::{Digest, Fold};
use trueup_core::park::{Parked, Place};
use trueup_core::plan::Counts;
use trueup_engine::state::RunId;
use trueup_engine::{CollectionProof, CollectionReport, SideProof};

fn fold(sum: u128, count: u64) -> Fold {
    Fold { sum, count }
}

fn counts(inserts: u64, updates: u64, deletes: u64) -> Counts {
    Counts {
        inserts,
        updates,
        deletes,
    }
}

fn collection() -> CollectionReport {
    CollectionReport {
        source: "orders".to_owned(),
        target: "purchases".to_owned(),
        source_fold: fold(0xab, 25),
        target_fold: fold(0xcd, 28),
        inserted: 1,
        updated: 2,
        deleted: 0,
        to_target: counts(1, 2, 0),
        unchanged: 22,
        only_source: 1,
        only_target: 3,
        changed: 2,
        parked: Vec::new(),
        notes: vec!["field total is computed by the target".to_owned()],
        ..CollectionReport::default()
    }
}

fn certificate_of() -> Certificate {
    Certificate {
        link: "csv:shop -> sqlite:shop.db".to_owned(),
        issued_ms: 1_700_000_000_123,
        version: "0.1.0".to_owned(),
        algorithm: "xxh3-128-sum/1".to_owned(),
        source: SideProof {
            address: "csv:shop".to_owned(),
            position: "p1".to_owned(),
        },
        target: SideProof {
            address: "sqlite:shop.db".to_owned(),
            position: "p2".to_owned(),
        },
        collections: vec![CollectionProof {
            source: "orders".to_owned(),
            target: "purchases".to_owned(),
            source_fold: fold(0xab, 25),
            target_fold: fold(0xcd, 128),
            only_target: 3,
            wrong: 0,
            parked: 0,
            open: 0,
            hashed: None,
            rules: vec!["id: csv:text -> sqlite:INTEGER (exact)".to_owned()],
        }],
        notes: vec!["a note".to_owned()],
    }
}

pub(super) fn report() -> Report {
    Report {
        structure: None,
        link: "csv:shop -> sqlite:shop.db".to_owned(),
        equal: true,
        collections: vec![collection()],
        certificate: Some(certificate_of()),
        notes: vec!["source: a general note".to_owned()],
    }
}

pub(super) fn parked(field: Option<&str>) -> Parked {
    Parked {
        key: Digest(7),
        field: field.map(str::to_owned),
        reason: "out of range".to_owned(),
        ..Parked::default()
    }
}

const CERTIFICATE_JSON: &str = concat!(
    r#"{"link":"csv:shop -> sqlite:shop.db","issued":"2023-11-14T22:13:20.123Z","version":"0.1.0","#,
    r#""algorithm":"xxh3-128-sum/1","source":{"address":"csv:shop","position":"p1"},"#,
    r#""target":{"address":"sqlite:shop.db","position":"p2"},"collections":[{"source":"orders","#,
    r#""target":"purchases","source_records":25,"target_records":128,"#,
    r#""digest_source":"000000000000000000000000000000ab","digest_target":"000000000000000000000000000000cd","#,
    r#""only_target":3,"wrong":0,"parked":0,"open":0,"rules":["id: csv:text -> sqlite:INTEGER (exact)"]}],"#,
    r#""notes":["a note"]}"#,
);

const COLLECTIONS_JSON: &str = concat!(
    r#"[{"name":"orders","source_records":25,"target_records":28,"inserted":1,"updated":2,"deleted":0,"#,
    r#""to_source":{"inserted":0,"updated":0,"deleted":0},"to_target":{"inserted":1,"updated":2,"deleted":0},"#,
    r#""unchanged":22,"conflicts":0,"open_conflicts":0,"parked":0,"only_source":1,"only_target":3,"changed":2,"#,
    r#""digest_source":"000000000000000000000000000000ab","digest_target":"000000000000000000000000000000cd"}]"#,
);

#[test]
fn the_json_of_a_run_is_the_contract() {
    let expected = format!(
        r#"{{"link":"csv:shop -> sqlite:shop.db","equal":true,"collections":{COLLECTIONS_JSON},"certificate":{CERTIFICATE_JSON}}}"#
    );
    assert_eq!(
        json::report(&report(), None).unwrap(),
        format!("{expected}\n")
    );
}

#[test]
fn the_json_of_a_dry_run_has_a_plan_and_no_certificate() {
    let dry = Report {
        certificate: None,
        equal: false,
        ..report()
    };
    let expected = format!(
        r#"{{"link":"csv:shop -> sqlite:shop.db","equal":false,"collections":{COLLECTIONS_JSON},"certificate":null,"plan":[{{"op":"insert"}},{{"op":"delete"}}]}}"#
    );
    assert_eq!(
        json::report(&dry, Some("{\"op\":\"insert\"}\n{\"op\":\"delete\"}\n")).unwrap(),
        format!("{expected}\n")
    );
}

#[test]
fn the_json_of_the_history_and_of_an_error() {
    let past = PastRun {
        run: RunId(7),
        link: "a -> b".to_owned(),
        started_ms: 0,
        ended_ms: None,
        exit: None,
        error: None,
        hint: None,
        report: None,
    };
    assert_eq!(
        json::runs(&[past]).unwrap(),
        concat!(
            r#"[{"run":7,"link":"a -> b","started":"1970-01-01T00:00:00.000Z","ended":null,"exit":null,"#,
            r#""error":null,"equal":null,"collections":[],"certificate":null}]"#,
            "\n"
        )
    );
    assert_eq!(
        json::failure("config", "no \u{1b}[31m\"x\"", None, None),
        "{\"error\":{\"kind\":\"config\",\"message\":\"no \\u001b[31m\\\"x\\\"\",\"hint\":null}}\n"
    );
}

const BOTH_WAYS: Way = Way {
    two_way: true,
    delete: false,
    in_file: false,
};

#[test]
fn a_sync_is_shown_whole() {
    let expected = "\
csv:shop -> sqlite:shop.db

collection           source  target  inserted  updated  deleted  unchanged  parked
orders -> purchases      25      28         1        2        0         22       0

notes
  source: a general note
  orders -> purchases: field total is computed by the target
  orders -> purchases: 3 records that only the target has were left; --delete removes them

certificate
  link     csv:shop -> sqlite:shop.db
  issued   2023-11-14T22:13:20.123Z
  version  0.1.0
  digests  xxh3-128-sum/1
  source   csv:shop
           position p1
  target   sqlite:shop.db
           position p2
  collection orders -> purchases
    source 25 records, digest 000000000000000000000000000000ab
    target 128 records, digest 000000000000000000000000000000cd
    only at the target 3, wrong 0, parked 0
    1 field exact
  note     a note

equal
";
    assert_eq!(plain(&text::synced(&report(), Way::default())), expected);
}

/// A report of a link that goes both ways: one conflict was decided, one was not.
fn both_ways() -> Report {
    let mut found = report();
    found.link = "sqlite:a.db <-> sqlite:b.db".to_owned();
    found.notes.clear();
    found.certificate = None;
    found.equal = false;
    let one = &mut found.collections[0];
    one.notes.clear();
    (one.inserted, one.updated, one.deleted) = (5, 7, 9);
    (one.to_source, one.to_target) = (counts(1, 2, 3), counts(4, 5, 6));
    (one.conflicts, one.open_conflicts) = (2, 1);
    found
}

#[test]
fn a_sync_both_ways_shows_what_was_written_to_which_side() {
    let expected = "\
sqlite:a.db <-> sqlite:b.db

collection           source  target  to source  to target  unchanged  conflicts  open  parked
orders -> purchases      25      28  +1 ~2 -3   +4 ~5 -6          22          2     1       0
(+ inserted, ~ updated, - deleted)

conflicts: 2, 1 of them open
  trueup conflicts list --open shows them

open conflicts remain
";
    let mut found = both_ways();
    assert_eq!(plain(&text::synced(&found, BOTH_WAYS)), expected);
    found.collections[0].parked = vec![parked(None)];
    let shown = plain(&text::synced(&found, BOTH_WAYS));
    assert!(shown.ends_with("\nopen conflicts and parked records remain\n"));
    // What each side alone has is carried over or deleted, never left alone.
    assert!(!shown.contains("--delete"), "{shown}");
}

#[test]
fn a_quiet_sync_both_ways_explains_no_signs() {
    let mut found = both_ways();
    let one = &mut found.collections[0];
    (one.to_source, one.to_target) = (counts(0, 0, 0), counts(0, 0, 0));
    (one.conflicts, one.open_conflicts) = (0, 0);
    found.equal = true;
    let shown = plain(&text::synced(&found, BOTH_WAYS));
    assert!(
        !shown.contains("inserted") && !shown.contains("conflicts:"),
        "{shown}"
    );
    assert_eq!(shown.lines().last(), Some("written, not verified"));
    found.collections[0].conflicts = 3;
    let expected = "\nconflicts: 3, 0 of them open\n  trueup conflicts list shows them\n";
    assert!(plain(&text::synced(&found, BOTH_WAYS)).contains(expected));
    let dry = plain(&text::planned(&found));
    assert!(dry.starts_with("\nconflicts: 3, 0 of them open\n") && !dry.contains("shows them"));
}

#[test]
fn the_json_of_a_sync_both_ways_counts_each_side() {
    let shown = json::report(&both_ways(), None).unwrap();
    let expected = concat!(
        r#""inserted":5,"updated":7,"deleted":9,"to_source":{"inserted":1,"updated":2,"deleted":3},"#,
        r#""to_target":{"inserted":4,"updated":5,"deleted":6},"unchanged":22,"conflicts":2,"open_conflicts":1,"parked":0"#
    );
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn a_proof_is_short_and_names_only_the_fields_that_may_refuse_a_value() {
    let mut found = certificate_of();
    let proof = &mut found.collections[0];
    proof.target_fold = proof.source_fold;
    proof.only_target = 0;
    proof.rules = [
        "a: x:int8 -> y:INTEGER (exact)",
        "b: x:text -> y:DECIMAL(10,2) (exact within range: why (or not))",
        "c: x:text -> y:DATE (exact within range: why (or not))",
        "d: x:float -> y:INTEGER (lossy: rounds)",
        "e: x:INTEGER <-> y:INTEGER (as any)",
        "f: x:int8 <-> y:INTEGER (as int64)",
    ]
    .map(str::to_owned)
    .to_vec();
    found.source.position = "p".repeat(200);
    let shown = plain(&text::certificate::alone(&found));
    let expected = "
    25 records on both sides, digest 000000000000000000000000000000ab
    2 fields exact
    2 fields exact within range: why (or not): b, c
    1 field lossy: rounds: d
    1 field as int64: f
";
    assert!(shown.contains(expected), "{shown}");
    assert!(
        shown.contains("position pppp") && shown.contains("pp ...\n"),
        "{shown}"
    );
}

#[test]
fn a_compare_is_one_line_a_collection() {
    let mut found = report();
    found.certificate = None;
    found.equal = false;
    found.notes.clear();
    found.collections[0].notes.clear();
    let mut other = found.collections[0].clone();
    (other.source, other.target) = ("a".to_owned(), "a".to_owned());
    other.unchanged = 1_000;
    found.collections.push(other);
    let expected = "\
orders -> purchases  +1  -3  ~2  =22
a                    +1  -3  ~2  =1000
different
";
    assert_eq!(plain(&text::compared(&found)), expected);
    found.equal = true;
    assert!(plain(&text::compared(&found)).ends_with("\nequal\n"));
}

#[test]
fn the_last_line_and_the_exit_code_say_the_same() {
    let clean = report();
    let unverified = Report {
        certificate: None,
        ..report()
    };
    let different = Report {
        equal: false,
        ..report()
    };
    let mut wrong = report();
    wrong.certificate.as_mut().unwrap().collections[0].wrong = 1;
    for (found, word, code) in [
        (clean, "equal", 0),
        (unverified, "written, not verified", 0),
        (different, "different", 1),
        (wrong, "verification failed", 5),
    ] {
        assert_eq!(found.exit_code(), code, "{word}");
        assert_eq!(
            plain(&text::synced(&found, Way::default())).lines().last(),
            Some(word)
        );
    }
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    for (text, line, lines) in [
        (
            "plain Ünïcode 漢字",
            "plain Ünïcode 漢字",
            "plain Ünïcode 漢字",
        ),
        ("a\nb", "a\\nb", "a\nb"),
        ("\u{1b}[2J", "\\u{1b}[2J", "\\u{1b}[2J"),
        ("\u{9b}31m", "\\u{9b}31m", "\\u{9b}31m"),
        ("a\r\u{7f}\0", "a\\r\\u{7f}\\u{0}", "a\\r\\u{7f}\\u{0}"),
        ("\u{202e}cod", "\\u{202e}cod", "\\u{202e}cod"),
    ] {
        assert_eq!(escape::line(text), line);
        assert_eq!(escape::lines(text), lines);
    }
}

#[test]
fn hostile_names_are_escaped_everywhere() {
    let bad = || "x\u{1b}]0;y\u{7}".to_owned();
    let mut found = report();
    found.link = bad();
    found.notes = vec![bad()];
    let one = &mut found.collections[0];
    (one.source, one.target, one.notes) = (bad(), bad(), vec![bad()]);
    one.parked = vec![Parked {
        key: Digest(1),
        key_text: Some(bad()),
        place: Some(Place {
            file: bad().into(),
            line: 1,
        }),
        field: Some(bad()),
        reason: bad(),
    }];
    let proof = found.certificate.as_mut().unwrap();
    proof.link = bad();
    proof.notes = vec![bad()];
    (proof.source.address, proof.source.position) = (bad(), bad());
    (proof.collections[0].source, proof.collections[0].rules) = (bad(), vec![bad()]);
    let past = PastRun {
        run: RunId(1),
        link: bad(),
        started_ms: 0,
        ended_ms: Some(1),
        exit: Some(3),
        error: Some(bad()),
        hint: None,
        report: None,
    };
    let error = Error::config(bad()).hint(bad()).cause(bad());
    for shown in [
        plain(&text::synced(&found, Way::default())),
        plain(&text::compared(&found)),
        plain(&text::planned(&found)),
        plain(&text::runs(&[past])),
        plain(&describe(&error)),
    ] {
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
        assert!(shown.contains("x\\u{1b}]0;y\\u{7}"), "{shown:?}");
    }
}

#[test]
fn an_error_says_what_why_and_what_to_do() {
    let cause = Error::config("inner").cause(io::Error::other("innermost"));
    let error = Error::new(Kind::Unavailable, "no\nconnection")
        .cause(cause)
        .hint("try again");
    assert_eq!(
        plain(&describe(&error)),
        "error[unavailable]: no\n  | connection\n  because: inner\n  because: innermost\n  hint: try again\n"
    );
    assert_eq!(plain(&describe(&Error::config("x"))), "error[config]: x\n");
}

#[test]
fn moments_have_one_width() {
    for (ms, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_120, "2023-11-14T22:13:20.120Z"),
        (1_700_000_000_001, "2023-11-14T22:13:20.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (i64::MAX, "infinity"),
    ] {
        assert_eq!(moment(ms), expected);
    }
}

#[test]
fn a_complaint_loses_its_usage_in_json() {
    let complaint = "error: these are missing:\n  <TARGET>\n\nUsage: trueup diff\n";
    assert_eq!(first_paragraph(complaint), "these are missing: <TARGET>");
}

struct Broken(ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_went_away_is_no_error_and_a_full_disk_is_one() {
    write(&mut Broken(ErrorKind::BrokenPipe), b"x").unwrap();
    let error = write(&mut Broken(ErrorKind::StorageFull), b"x").unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}
