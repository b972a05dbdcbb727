//! What the worlds cannot show: half-read records, moved versions, shapes that do not fit.

use crate::base::{Base, FieldDigest, Held, Present};
use crate::batch::Batch;
use crate::conflict::{Conflict, Resolution};
use crate::digest::Digest;
use crate::endpoint::Version;
use crate::error::Kind;
use crate::observation::{Fields, Observation, Reason, Seen};
use crate::policy::{Answers, OnDelete, Policy, Rules, StampFrom};
use crate::reconcile::{BaseMove, Decision, Wait, Write, reconcile};
use crate::side::{Side, Sides};
use crate::value::Value;

fn rules() -> Rules {
    Rules::new(2, Policy::Source, &[], OnDelete::Keep, None).unwrap()
}

fn base(fields: &[FieldDigest]) -> Base {
    let held = || Held {
        digest: Digest(1),
        fields,
        version: Some(Version([1].into())),
    };
    Base::Present(Present::new(Sides::new(held(), held()), 7))
}

fn digest_only(digest: u128) -> Observation<'static> {
    Observation::Present(Seen {
        digest: Some(Digest(digest)),
        ..Seen::default()
    })
}

fn decide<'a>(base: &'a Base, source: Observation<'a>, target: Observation<'a>) -> Decision<'a> {
    reconcile(base, &Sides::new(source, target), &rules(), &Answers::NONE)
}

#[test]
fn digests_alone_settle_what_is_equal_and_ask_for_what_is_not() {
    let base = base(&[FieldDigest(1), FieldDigest(2)]);
    assert_eq!(
        decide(&base, digest_only(1), digest_only(1)),
        Decision::nothing()
    );
    assert_eq!(
        decide(&base, digest_only(2), digest_only(2)).base,
        BaseMove::Agreed
    );
    assert_eq!(
        decide(&base, digest_only(2), digest_only(1)).wait,
        Some(Wait::Read(Side::Source))
    );
    assert_eq!(
        decide(&base, digest_only(1), digest_only(2)).wait,
        Some(Wait::Read(Side::Target))
    );
    assert_eq!(
        decide(&base, digest_only(2), digest_only(3)).wait,
        Some(Wait::Read(Side::Source))
    );
    let absent = Observation::Absent;
    assert_eq!(
        decide(&base, digest_only(1), absent).write.source,
        Write::Delete
    );
    assert_eq!(
        decide(&base, digest_only(2), absent).wait,
        Some(Wait::Read(Side::Source))
    );
    assert_eq!(
        decide(&Base::Absent, digest_only(2), absent).wait,
        Some(Wait::Read(Side::Source))
    );
}

#[test]
fn a_version_that_moved_without_the_content_moves_the_base() {
    let base = base(&[]);
    let version = Version([2].into());
    let moved = Observation::Present(Seen {
        version: Some(&version),
        digest: Some(Digest(1)),
        ..Seen::default()
    });
    assert_eq!(
        decide(&base, moved, digest_only(1)),
        Decision::moving(BaseMove::Agreed)
    );
    let unread = Observation::Present(Seen {
        version: Some(&version),
        ..Seen::default()
    });
    assert_eq!(
        decide(&base, unread, digest_only(1)).wait,
        Some(Wait::Read(Side::Source))
    );
}

#[test]
fn records_of_different_width_are_left_alone() {
    let (mut one, mut two) = (Batch::new(1), Batch::new(2));
    one.push(Value::Int(1));
    two.push(Value::Int(1));
    two.push(Value::Int(2));
    let digests = [FieldDigest(1), FieldDigest(2)];
    let seen = |digest| Seen {
        digest: Some(Digest(digest)),
        ..Seen::default()
    };
    let source = Seen {
        fields: Some(Fields::new(one.record(0), &digests[..1]).unwrap()),
        ..seen(5)
    };
    let target = Seen {
        fields: Some(Fields::new(two.record(0), &digests).unwrap()),
        ..seen(6)
    };
    for base in [Base::Unknown, Base::Absent, base(&digests)] {
        let decision = decide(
            &base,
            Observation::Present(source),
            Observation::Present(target),
        );
        assert!(!decision.writes());
        assert_eq!(decision.conflict.unwrap().resolution, Resolution::Open);
    }
    assert_eq!(
        Fields::new(one.record(0), &digests).unwrap_err().kind(),
        Kind::Bug
    );
}

#[test]
fn without_the_bases_field_digests_every_differing_field_is_in_conflict() {
    let mut batch = Batch::new(2);
    for v in [1, 2, 1, 3] {
        batch.push(Value::Int(v));
    }
    let digests = [
        [FieldDigest(1), FieldDigest(2)],
        [FieldDigest(1), FieldDigest(3)],
    ];
    let seen = |index: usize| {
        Observation::Present(Seen {
            digest: Some(Digest(10 + index as u128)),
            fields: Some(Fields::new(batch.record(index), &digests[index]).unwrap()),
            ..Seen::default()
        })
    };
    // The base's digests are of another shape of the record: that its second field was 2 says nothing.
    let shape = base(&[FieldDigest(1), FieldDigest(2), FieldDigest(9)]);
    assert!(decide(&shape, seen(0), seen(1)).conflict.is_some());
    let base = base(&[]);
    let decision = decide(&base, seen(0), seen(1));
    let ruling = decision.conflict.unwrap();
    assert_eq!(
        ruling.fields.iter().map(|f| f.field).collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(decision.write, Sides::new(Write::Nothing, Write::Update));
    let sides = Sides::new(Some(batch.record(0)), None);
    let conflict = Conflict::new("orders", b"key", ruling, sides);
    assert_eq!(
        conflict.record(Side::Source).unwrap().value(1),
        Value::Int(2)
    );
    assert!(conflict.record(Side::Target).is_none());
}

#[test]
fn unknown_is_named_with_its_reason() {
    let names = [
        Reason::Failed,
        Reason::Incomplete,
        Reason::Filtered,
        Reason::Unrepresentable,
    ];
    let base = base(&[]);
    for reason in names {
        assert!(!reason.name().is_empty());
        let decision = decide(&base, Observation::Absent, Observation::Unknown(reason));
        assert_eq!(decision, Decision::waiting(Wait::Unknown(Side::Target)));
    }
}

#[test]
fn policies_are_read_back_by_their_names() {
    for policy in Policy::ALL {
        assert_eq!(policy.to_string().parse::<Policy>().unwrap(), policy);
        assert_eq!(policy.mirrored().mirrored(), policy);
    }
    for rule in [OnDelete::Keep, OnDelete::Wins] {
        assert_eq!(rule.to_string().parse::<OnDelete>().unwrap(), rule);
    }
    let error = "newset".parse::<Policy>().unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.advice().unwrap().contains("newest"));
    assert_eq!(
        "keeps".parse::<OnDelete>().unwrap_err().kind(),
        Kind::Config
    );
}

#[test]
fn rules_that_cannot_work_are_configuration_errors() {
    let keep = OnDelete::Keep;
    let stamp = |field| Some(StampFrom::Field(field));
    let wrong = [
        Rules::new(2, Policy::Newest, &[], keep, None),
        Rules::new(2, Policy::Manual, &[(0, Policy::Newest)], keep, None),
        Rules::new(2, Policy::Newest, &[], keep, stamp(2)),
        Rules::new(2, Policy::Manual, &[(2, Policy::Max)], keep, None),
        Rules::new(
            2,
            Policy::Manual,
            &[(0, Policy::Max), (0, Policy::Min)],
            keep,
            None,
        ),
        Rules::new(2, Policy::Counter, &[], keep, None),
        Rules::new(
            2,
            Policy::Manual,
            &[(0, Policy::KeepBoth(Side::Source))],
            keep,
            None,
        ),
    ];
    for rules in wrong {
        let error = rules.unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.advice().is_some(), "{error:?}");
    }
    assert!(Rules::new(2, Policy::Newest, &[(0, Policy::Max)], keep, stamp(1)).is_ok());
}
