//! Places in the log, and what a snapshot holds of it.

use crate::postgres::follow::place::{Lsn, Place, Seen, left, parse, position};
use trueup_core::Kind;
use trueup_core::endpoint::Position;

#[test]
fn places_are_spelled_as_the_server_spells_them() {
    for text in ["0/0", "0/1", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
        let lsn = Lsn::parse(text).unwrap();
        assert_eq!(lsn.to_string(), text);
        let place = Place { timeline: 7, lsn };
        let position = position("postgres system=1 database=a lsn=b", place);
        assert_eq!(
            parse(&position),
            Some(("postgres system=1 database=a lsn=b", place))
        );
    }
    for text in ["", "/", "0", "g/0", "0/100000000", "-1/0", "0/0/0"] {
        assert_eq!(Lsn::parse(text), None, "{text}");
    }
    assert!(Lsn::parse("1/0").unwrap() > Lsn::parse("0/FFFFFFFF").unwrap());
}

fn seen(list: &str) -> Seen {
    Seen::parse("me", &Position(format!("me lsn=0/1 snapshot={list}"))).unwrap()
}

/// Numbers of transactions wrap around after four thousand million; a snapshot's do not.
#[test]
fn trap_21_what_a_snapshot_holds() {
    for (list, held, missing) in [
        (
            "10:20:12,15",
            &[9, 10, 11, 13, 19][..],
            &[12, 15, 20, 21][..],
        ),
        ("20:20:", &[19, 3], &[20, 21, 1 << 31]),
        // The second round begins at 4294967296.
        (
            "4294967290:4294967300:4294967295,4294967298",
            &[4_294_967_289, 4_294_967_294, 0, 1, 3],
            &[4_294_967_295, 2, 4, 5],
        ),
        ("3:3:", &[4_294_967_295], &[3, 4]),
    ] {
        let seen = seen(list);
        for &xid in held {
            assert!(seen.holds(xid), "{list} {xid}");
        }
        for &xid in missing {
            assert!(!seen.holds(xid), "{list} {xid}");
        }
    }
}

#[test]
fn only_snapshots_of_the_source_say_what_they_hold() {
    for text in [
        "",
        "me lsn=0/1",
        "you lsn=0/1 snapshot=1:2:",
        "me lsn=0/1 snapshot=1:2",
        "me lsn=0/1 snapshot=1:x:",
        "me lsn=0/1 snapshot=1:2:a",
    ] {
        let error = Seen::parse("me", &Position(text.to_owned())).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{text}");
    }
}

#[test]
fn a_history_says_where_a_timeline_was_left() {
    let history = "1\t0/3000000\tno recovery target specified\n\n2\t1/5000000\tx\n";
    assert_eq!(left(history, 1), Some(Lsn(0x300_0000)));
    assert_eq!(left(history, 2), Some(Lsn(0x1_0500_0000)));
    assert_eq!(left(history, 3), None);
    assert_eq!(left("", 1), None);
}
