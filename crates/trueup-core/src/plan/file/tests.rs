//! What is written reads back, byte for byte as pinned here, and nothing else reads as a plan.

use super::*;
use crate::batch::Batch;
use crate::error::Kind;
use crate::plan::Counts;
use crate::value::Value;

fn plan() -> CollectionPlan {
    CollectionPlan {
        source: "a".into(),
        target: "b".into(),
        fields: vec!["id".into(), "model".into()],
        key: vec![0],
        create: None,
        load: None,
        counts: Counts {
            inserts: 0,
            updates: 1,
            deletes: 0,
        },
        target_records: 4,
        left_alone: 0,
        parked: 0,
    }
}

fn header() -> Header {
    Header {
        link: "00ff".into(),
        name: "a -> b".into(),
        created: "2026-01-02".into(),
        delete: true,
    }
}

/// The contract: these bytes are read by later releases.
const GOLDEN: [&str; 4] = [
    r#"{"trueup_plan":1,"created":"2026-01-02","delete":true,"digests":"xxh3-128-sum/1","keys":1,"link":"00ff","name":"a -> b"}"#,
    r#"{"collection":"b","create":null,"deletes":0,"fields":["id","model"],"fingerprint":"00000000000000000000000000000005","inserts":0,"key":["id"],"source":"a","source_digest":"00000000000000000000000000000001","source_records":3,"target_digest":"00000000000000000000000000000002","target_records":4,"updates":1}"#,
    r#"{"after":"00000000000000000000000000000009","before":"00000000000000000000000000000007","collection":"b","fields":["model"],"id":"108000000000000007","key":{"id":7},"op":"update"}"#,
    r#"{"end":true}"#,
];

fn written() -> [String; 4] {
    let mut batch = Batch::new(2);
    batch.push(Value::Int(7));
    batch.push(Value::Text("secret"));
    let action = Decoded {
        op: Op::Update,
        before: Some(Digest(7)),
        after: Some(Digest(9)),
        changed: vec![1],
    };
    let mut key = Vec::new();
    encode::key(Value::Int(7), &mut key);
    let told = |records, digest| Told { records, digest };
    [
        header().write(),
        write_head(&plan(), Digest(5), [told(3, 1), told(4, 2)]),
        write_action(&plan(), &action, batch.record(0), &key),
        write_end(),
    ]
}

#[test]
fn a_plan_file_is_pinned_and_reads_back() {
    for (line, golden) in written().iter().zip(GOLDEN) {
        assert_eq!(line, &format!("{golden}\n"));
    }
    let [first, head, action, end] = GOLDEN.map(|line| read(line).unwrap());
    assert_eq!(first, Line::Header(header()));
    let expected = Head {
        collection: "b".into(),
        fingerprint: Digest(5),
        create: false,
    };
    assert_eq!(head, Line::Head(expected));
    let mut key = Vec::new();
    encode::key(Value::Int(7), &mut key);
    let expected = Planned {
        collection: "b".into(),
        op: Op::Update,
        key,
        before: Some(Digest(7)),
        after: Some(Digest(9)),
    };
    assert_eq!(action, Line::Action(expected));
    assert_eq!(end, Line::End);
}

#[test]
fn what_is_no_plan_is_refused() {
    let [first, head, action, end] = GOLDEN;
    let cases = [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"end":false}"#.to_owned(),
        action.replace("update", "upsert"),
        action.replace("update", "insert"),
        action.replace("update", "delete"),
        action.replace("1080", "108"),
        action.replace("1080", "10G0"),
        action.replace("1080", "10é0"),
        action.replace(r#""after":"000"#, r#""after":"+00"#),
        action.replace(r#""after":"000"#, r#""after":"00"#),
        action.replace(r#""collection":"b""#, r#""collection":3"#),
        head.replace(r#""create":null,"#, ""),
        head.replace("0005", "00x5"),
        first.replace("\"trueup_plan\":1", "\"trueup_plan\":2"),
        first.replace("\"keys\":1", "\"keys\":2"),
        first.replace("xxh3", "xxh4"),
        first.replace("true,", "1,"),
        end.replace('}', ""),
    ];
    for line in cases {
        let error = read(&line).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{line}");
    }
    // Every cut of every line.
    for line in GOLDEN {
        for len in (0..line.len()).filter(|&len| line.is_char_boundary(len)) {
            assert!(read(&line[..len]).is_err(), "{}", &line[..len]);
        }
    }
}

#[test]
fn what_only_people_read_may_be_anything() {
    let action = GOLDEN[2].replace(r#"{"id":7}"#, "null");
    assert_eq!(read(&action).unwrap(), read(GOLDEN[2]).unwrap());
}
