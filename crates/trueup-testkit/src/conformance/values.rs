//! Cases about values: every class, its extremes, and what a careless format would mix up.

use super::extremes::{HELD, TEXTS, extremes};
use super::stage::Stage;
use super::{Case, Need};
use crate::owned::Owned;
use crate::record;
use crate::records::schema;
use trueup_core::endpoint::Outcome;
use trueup_core::types::Type;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "extreme values come back exactly",
        needs: &[],
        run: extremes_come_back,
    },
    Case {
        name: "values beyond the type are rejected",
        needs: &[Need::Typed],
        run: beyond_is_rejected,
    },
    Case {
        name: "null is no empty text",
        needs: &[],
        run: null_is_no_text,
    },
    Case {
        name: "long texts and bytes",
        needs: &[],
        run: long_values,
    },
    Case {
        name: "texts that look like syntax",
        needs: &[],
        run: syntax_in_texts,
    },
    Case {
        name: "every character",
        needs: &[],
        run: every_character,
    },
];

fn extremes_come_back(stage: &mut Stage<'_>) {
    for &ty in HELD {
        if !stage.fixture.holds(ty) {
            continue;
        }
        stage.fixture.reset();
        let wanted = schema("values")
            .int("id")
            .field("v", ty)
            .key(["id"])
            .build();
        let mut made = stage.make(wanted.clone());
        let values = [vec![Owned::Null], extremes(ty)].concat();
        let records: Vec<Vec<Owned>> = (0..)
            .map(Owned::Int)
            .zip(values)
            .map(|(id, value)| vec![id, value])
            .collect();
        let writing = made.writing(1).inserts(&records);
        let outcomes = made.apply(&writing).outcomes;
        let mut held = Vec::new();
        for (record, outcome) in records.into_iter().zip(outcomes) {
            if stage.fixture.refuses(ty, &record[1]) {
                let rejected = matches!(outcome, Outcome::Rejected { blocked: false, .. });
                assert!(rejected, "{ty}: {:?} is rejected: {outcome:?}", record[1]);
            } else {
                let applied = matches!(outcome, Outcome::Applied(_));
                assert!(applied, "{ty}: {:?} is applied: {outcome:?}", record[1]);
                held.push(record);
            }
        }
        stage.expect(&wanted, &held);
    }
}

/// Makes a value that does not fit.
type Beyond = fn() -> Owned;

/// A value just beyond each limited type: never cut, never rounded.
const BEYOND: &[(Type, Beyond)] = &[
    (Type::Text { chars_max: Some(3) }, || "abcd".into()),
    (Type::Bytes { bytes_max: Some(3) }, || {
        Owned::Bytes(vec![1; 4])
    }),
    (
        Type::Int {
            bits: 8,
            signed: true,
        },
        || 128_i64.into(),
    ),
    (
        Type::Int {
            bits: 16,
            signed: true,
        },
        || 32_768_i64.into(),
    ),
    (
        Type::Int {
            bits: 32,
            signed: true,
        },
        || (-2_147_483_649_i64).into(),
    ),
    (
        Type::Int {
            bits: 32,
            signed: false,
        },
        || (-1_i64).into(),
    ),
    (
        Type::Decimal {
            size: Some((10, 2)),
        },
        || Owned::decimal("100000000.00"),
    ),
    (
        Type::Decimal {
            size: Some((10, 2)),
        },
        || Owned::decimal("0.001"),
    ),
    (Type::Float { bits: 32 }, || 1e300.into()),
];

fn beyond_is_rejected(stage: &mut Stage<'_>) {
    for (ty, value) in BEYOND {
        if !stage.fixture.holds(*ty) {
            continue;
        }
        stage.fixture.reset();
        let wanted = schema("values")
            .int("id")
            .field("v", *ty)
            .key(["id"])
            .build();
        let mut made = stage.make(wanted.clone());
        let fits = extremes(*ty)
            .into_iter()
            .next()
            .expect("every type has a value");
        let records = [
            record![1, fits.value()],
            record![2, value().value()],
            record![3, fits.value()],
        ];
        let writing = made.writing(1).inserts(&records);
        let outcomes = made.apply(&writing).outcomes;
        let rejected = matches!(outcomes[1], Outcome::Rejected { blocked: false, .. });
        assert!(
            rejected,
            "{ty}: {:?} is rejected: {:?}",
            value(),
            outcomes[1]
        );
        stage.expect(&wanted, &[records[0].clone(), records[2].clone()]);
    }
}

fn null_is_no_text(stage: &mut Stage<'_>) {
    let wanted = schema("texts")
        .int("id")
        .text("a")
        .text("b")
        .key(["id"])
        .build();
    let mut made = stage.make(wanted.clone());
    let values = [
        Owned::Null,
        "".into(),
        "NULL".into(),
        "null".into(),
        "NA".into(),
        "\\N".into(),
    ];
    let pair = |(id, index): (i64, usize)| {
        vec![
            id.into(),
            values[index % 6].clone(),
            values[index / 6].clone(),
        ]
    };
    let records: Vec<Vec<Owned>> = (0..).zip(0..36).map(pair).collect();
    made.insert(1, &records);
    stage.expect(&wanted, &records);
}

fn long_values(stage: &mut Stage<'_>) {
    const MIB: usize = 1 << 20;
    let bytes = stage.fixture.holds(Type::BYTES);
    let ty = if bytes { Type::BYTES } else { Type::TEXT };
    let wanted = schema("long")
        .int("id")
        .text("text")
        .field("b", ty)
        .key(["id"])
        .build();
    let mut made = stage.make(wanted.clone());
    let tall = "日".repeat(MIB / 3);
    let blob = |len: usize| {
        let content = (0..len).map(|i| if bytes { i as u8 } else { b'x' });
        if bytes {
            Owned::Bytes(content.collect())
        } else {
            "x".repeat(len).into()
        }
    };
    let records = [
        vec![1_i64.into(), "x".repeat(MIB).into(), blob(MIB)],
        vec![2_i64.into(), tall.into(), Owned::Null],
        vec![3_i64.into(), "\"\n,".repeat(MIB / 3).into(), blob(1)],
        vec![4_i64.into(), "".into(), blob(0)],
    ];
    made.insert(1, &records);
    stage.expect(&wanted, &records);
}

fn syntax_in_texts(stage: &mut Stage<'_>) {
    // In every place: as a key, beside others, first and last of the record.
    let wanted = schema("texts")
        .text("k")
        .int("n")
        .text("v")
        .key(["k"])
        .build();
    let mut made = stage.make(wanted.clone());
    let record = |(index, &text): (i64, &&str)| {
        vec![
            text.into(),
            index.into(),
            TEXTS[TEXTS.len() - 1 - index as usize].into(),
        ]
    };
    let mut records: Vec<Vec<Owned>> = (0..).zip(TEXTS).map(record).collect();
    made.insert(1, &records);
    stage.expect(&wanted, &records);
    records
        .iter_mut()
        .for_each(|record| record[1] = (-1_i64).into());
    let update = records
        .iter()
        .fold(made.writing(2), |writing, record| writing.update(record));
    made.apply_all(&update);
    stage.expect(&wanted, &records);
    let delete = records.iter().fold(made.writing(3), |writing, record| {
        writing.delete(&record[..1])
    });
    made.apply_all(&delete);
    stage.expect(&wanted, &[]);
}

fn every_character(stage: &mut Stage<'_>) {
    // Without U+0000, which no PostgreSQL text holds. Sampled above the basic plane.
    let wanted = schema("texts").int("id").text("v").key(["id"]).build();
    let mut made = stage.make(wanted.clone());
    let basic = (1..0x1_0000).filter_map(char::from_u32);
    let above = (0x1_0000..=0x10_ffff)
        .step_by(97)
        .filter_map(char::from_u32);
    let all: Vec<char> = basic.chain(above).chain(['\u{10ffff}']).collect();
    let record =
        |(id, chars): (i64, &[char])| vec![id.into(), chars.iter().collect::<String>().into()];
    let records: Vec<Vec<Owned>> = (0..).zip(all.chunks(256)).map(record).collect();
    made.insert(1, &records);
    stage.expect(&wanted, &records);
}
