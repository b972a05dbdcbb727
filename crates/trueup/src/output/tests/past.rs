//! Past runs, and what one run says it left.

use super::*;

#[test]
fn the_history_is_a_table_with_errors_below() {
    let past = |run, ended_ms, exit, error: Option<&str>, report| PastRun {
        run: RunId(run),
        link: "a -> b".to_owned(),
        started_ms: 1_700_000_000_000,
        ended_ms,
        exit,
        error: error.map(str::to_owned),
        hint: None,
        report,
    };
    let end = Some(1_700_000_001_250);
    let runs = [
        past(12, None, None, None, None),
        past(11, end, Some(3), Some("unavailable: no\u{7}"), None),
        past(10, end, Some(3), Some("interrupted: stopped"), None),
        past(9, end, Some(0), None, Some(report())),
    ];
    let expected = "\
run  started                   seconds  exit  result             link
 12  2023-11-14T22:13:20.000Z        -     -  running or killed  a -> b
 11  2023-11-14T22:13:20.000Z      1.2     3  failed             a -> b
 10  2023-11-14T22:13:20.000Z      1.2     3  interrupted        a -> b
  9  2023-11-14T22:13:20.000Z      1.2     0  equal              a -> b
run 11: unavailable: no\\u{7}
run 10: interrupted: stopped
";
    assert_eq!(plain(&text::runs(&runs)), expected);
    assert_eq!(plain(&text::runs(&[])), "no runs yet\n");
}

#[test]
fn what_was_to_be_deleted_and_stayed_is_no_advice_to_delete() {
    let shown = |delete, in_file| {
        let way = Way {
            two_way: false,
            delete,
            in_file,
        };
        plain(&text::synced(&report(), way))
    };
    assert!(shown(false, false).contains("were left; --delete removes them\n"));
    assert!(shown(false, true).contains("were left; delete = true removes them\n"));
    assert!(shown(true, false).contains("3 records that only the target has were left\n"));
}
