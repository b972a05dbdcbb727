//! The base's meaning of a missing entry, and its stored bytes.

use super::*;
use crate::error::Kind;
use proptest::collection::vec;
use proptest::prelude::*;

fn entry(digests: Sides<u128>, fields: Sides<&[u64]>, versions: Sides<Option<&[u8]>>) -> Base {
    let own = fields.map(|fields| fields.iter().map(|&v| FieldDigest(v)).collect::<Vec<_>>());
    let held = Sides::by(|side| Held {
        digest: Digest(digests[side]),
        fields: &own[side],
        version: versions[side].map(|bytes| Version(bytes.into())),
    });
    Base::Present(Present::new(held, 300))
}

fn bytes(base: &Base) -> Vec<u8> {
    let mut out = Vec::new();
    base.encode(&mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn missing_means_absent_in_a_complete_base_only() {
    assert_eq!(Base::missing(true), Base::Absent);
    assert_eq!(Base::missing(false), Base::Unknown);
}

#[test]
fn golden_bytes() {
    let cases = [
        (Base::Unknown, "0100"),
        (Base::Absent, "0101"),
        (
            entry(
                Sides::new(1, 1),
                Sides::new(&[2, 3], &[2, 3]),
                Sides::default(),
            ),
            "0102ac02000000000000000000000000000000010200000000000000020000000000000003",
        ),
        (
            entry(
                Sides::new(1, 2),
                Sides::new(&[2], &[3]),
                Sides::new(Some(&[0xaa]), Some(&[0xbb, 0xcc])),
            ),
            "013eac02000000000000000000000000000000010000000000000000000000000000000201\
             0000000000000002000000000000000301aa02bbcc",
        ),
    ];
    for (base, golden) in cases {
        assert_eq!(hex(&bytes(&base)), golden);
        assert_eq!(Base::decode(&bytes(&base)).unwrap(), base);
    }
}

#[test]
fn ten_fields_take_about_130_bytes() {
    let fields: Vec<u64> = (0..10).collect();
    let versions = Sides::new(Some(&[7_u8; 8][..]), Some(&[8; 8][..]));
    let base = entry(Sides::new(1, 1), Sides::new(&fields, &fields), versions);
    assert!(bytes(&base).len() <= 130, "{}", bytes(&base).len());
}

#[test]
fn damaged_entries_are_refused_with_advice() {
    let whole = bytes(&entry(
        Sides::new(1, 2),
        Sides::new(&[2], &[3]),
        Sides::default(),
    ));
    for len in 0..whole.len() {
        assert_eq!(
            Base::decode(&whole[..len]).unwrap_err().kind(),
            Kind::Corrupt
        );
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(Base::decode(&longer).unwrap_err().kind(), Kind::Corrupt);
    let newer = Base::decode(&[2, 1]).unwrap_err();
    assert!(newer.advice().unwrap().contains("later release"));
}

#[test]
fn an_overlong_version_is_left_out() {
    let token = vec![1; VERSION_BYTES_MAX + 1];
    let base = entry(
        Sides::new(1, 1),
        Sides::default(),
        Sides::new(Some(&token), None),
    );
    let read = Base::decode(&bytes(&base)).unwrap();
    assert_eq!(read.present().unwrap().version(Side::Source), None);
}

#[test]
fn swapping_exchanges_everything() {
    let base = entry(
        Sides::new(1, 2),
        Sides::new(&[3], &[4]),
        Sides::new(Some(&[5]), None),
    );
    let present = base.present().unwrap();
    let swapped = present.swapped();
    assert_eq!(swapped.digest(Side::Source), Digest(2));
    assert_eq!(swapped.fields(Side::Source), [FieldDigest(4)]);
    assert_eq!(swapped.version(Side::Target), present.version(Side::Source));
    assert_eq!(swapped.swapped(), *present);
}

proptest! {
    #[test]
    fn stored_entries_are_read_back(
        digests in (any::<u128>(), any::<u128>(), any::<bool>()),
        fields in vec((any::<u64>(), any::<u64>()), 0..40),
        same in any::<bool>(),
        versions in (prop::option::of(vec(any::<u8>(), 0..40)), prop::option::of(vec(any::<u8>(), 0..40))),
    ) {
        let source: Vec<_> = fields.iter().map(|pair| pair.0).collect();
        let target: Vec<_> = fields.iter().map(|pair| if same { pair.0 } else { pair.1 }).collect();
        let digests = Sides::new(digests.0, if digests.2 { digests.0 } else { digests.1 });
        let base = entry(
            digests,
            Sides::new(&source, &target),
            Sides::new(versions.0.as_deref(), versions.1.as_deref()),
        );
        prop_assert_eq!(Base::decode(&bytes(&base)).unwrap(), base);
    }

    /// Any bytes are an error or the one encoding of an entry; nothing panics.
    #[test]
    fn any_bytes_are_refused_or_canonical(mut noise in vec(any::<u8>(), 0..80), flags in 0_u8..64) {
        if let [version, state, ..] = &mut noise[..] {
            *version = CODEC_VERSION;
            *state = flags;
        }
        if let Ok(base) = Base::decode(&noise) {
            prop_assert_eq!(bytes(&base), noise);
        }
    }
}
