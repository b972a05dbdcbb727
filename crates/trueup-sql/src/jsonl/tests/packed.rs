//! Packed files: read to their end or not at all.

use super::{Folder, read, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs;
use std::io::Write;
use trueup_core::Kind;
use trueup_core::endpoint::Op;
use trueup_core::value::Value::{Int, Text};
use trueup_testkit::owned::Owned;

const ONE: &str = "{\"id\":1,\"v\":\"a\"}\n";
const TWO: &str = "{\"id\":2,\"v\":\"b\"}\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// How many records are read, or what is wrong.
fn count(name: &str, bytes: &[u8], options: &str) -> Result<usize, trueup_core::Error> {
    let folder = Folder::with(name, bytes);
    let mut endpoint = folder.open(&format!("{name}{options}"));
    Ok(read(endpoint.as_mut(), "x", None)?.len())
}

/// Packs a text.
type Pack = fn(&str) -> Vec<u8>;

/// The two packings: a file's name, and how it is made.
const PACKINGS: [(&str, Pack); 2] = [("x.jsonl.gz", gzip), ("x.jsonl.zst", zstd)];

#[test]
fn members_and_frames_are_read_to_the_end() {
    for (name, pack) in PACKINGS {
        assert_eq!(count(name, &pack(ONE), "").unwrap(), 1, "{name}");
        let both = [pack(ONE), pack(""), pack(TWO)].concat();
        assert_eq!(count(name, &both, "").unwrap(), 2, "{name}");
        // A record that begins in one and ends in the other.
        let (half, rest) = ONE.split_at(5);
        assert_eq!(
            count(name, &[pack(half), pack(rest)].concat(), "").unwrap(),
            1,
            "{name}"
        );
    }
}

#[test]
fn a_cut_file_never_looks_like_a_short_one() {
    for (name, pack) in PACKINGS {
        let whole = [pack(ONE), pack(TWO)].concat();
        let first = pack(ONE).len();
        for cut in 0..whole.len() {
            let result = count(name, &whole[..cut], "");
            if cut == first {
                // Nobody can know that a second one should follow.
                assert_eq!(result.unwrap(), 1);
                continue;
            }
            let error = result.expect_err(&format!("{name} cut={cut}"));
            assert_eq!(error.kind(), Kind::Corrupt, "{name} cut={cut}: {error:?}");
            assert!(
                error.message().contains("ends too early"),
                "{name} cut={cut}: {error:?}"
            );
        }
    }
}

#[test]
fn what_stands_behind_is_refused() {
    for (name, pack) in PACKINGS {
        for garbage in [b"\n".as_slice(), b"garbage behind it", &[0; 512]] {
            let error = count(name, &[pack(ONE).as_slice(), garbage].concat(), "").unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "{name}: {error:?}");
        }
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    let text = ONE.repeat(50);
    for (name, pack) in PACKINGS {
        let whole = pack(&text);
        for at in (whole.len() - 12..whole.len()).chain([whole.len() / 2]) {
            // Only in the checksum, the length and the data: some bits of a header mean nothing.
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let error = count(name, &bytes, "").expect_err(&format!("{name} at={at}"));
            assert_eq!(error.kind(), Kind::Corrupt, "{name} at={at}: {error:?}");
        }
    }
}

#[test]
fn names_and_content_must_agree() {
    let error = count("x.jsonl", &gzip(ONE), "").unwrap_err();
    assert!(
        error
            .message()
            .contains("its name does not say so packing=gzip"),
        "{error}"
    );
    assert_eq!(error.advice(), Some("rename it to end in .gz"));
    for name in ["x.jsonl.gz", "x.jsonl.zst"] {
        let error = count(name, ONE.as_bytes(), "").unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error:?}");
    }
    let error = count("x.jsonl.gz", &zstd(ONE), "").unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error:?}");
}

#[test]
fn a_bomb_is_stopped_unless_its_size_is_named() {
    // 70 MiB of one record.
    let text = format!("{{\"id\":1,\"v\":\"{}\"}}\n", "a".repeat(70 << 20));
    for (name, pack) in PACKINGS {
        let bomb = pack(&text);
        let error = count(name, &bomb, "");
        // Deflate itself reaches no more than a thousand; Zstandard does.
        if name.ends_with("zst") {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), Kind::Rejected, "{error:?}");
            assert!(
                error.message().contains("unpacks to more than the limit"),
                "{error}"
            );
            assert!(error.advice().unwrap().contains("?max_bytes="), "{error:?}");
            assert_eq!(count(name, &bomb, "?max_bytes=80000000").unwrap(), 1);
        }
        let error = count(name, &bomb, "?max_bytes=1000").unwrap_err();
        assert!(error.message().contains("limit_bytes=1000"), "{error}");
        assert!(error.advice().unwrap().contains("max_bytes"), "{error:?}");
    }
}

#[test]
fn a_window_takes_no_more_memory_than_allowed() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(ONE.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    let error = count("x.jsonl.zst", &bytes, "").unwrap_err();
    assert!(
        error
            .message()
            .contains("larger window than the limit limit_log=27"),
        "{error:?}"
    );
    assert_eq!(
        count("x.jsonl.zst", &bytes, "?window_log_max=28").unwrap(),
        1
    );
}

#[test]
fn packed_files_are_written_as_they_are_called() {
    for (name, pack) in PACKINGS {
        let folder = Folder::with(name, pack(ONE));
        let mut endpoint = folder.open(&format!("{name}?key=id"));
        let schema = endpoint.schema("x").unwrap().unwrap();
        let records: [(Op, &[trueup_core::value::Value<'_>]); 2] = [
            (Op::Update, &[Int(1), Text("c")]),
            (Op::Insert, &[Int(2), Text("b")]),
        ];
        write(endpoint.as_mut(), &schema, &["id", "v"], &records, false).unwrap();
        let rows = read(endpoint.as_mut(), "x", None).unwrap();
        assert_eq!(
            rows,
            [[Owned::Int(1), "c".into()], [Owned::Int(2), "b".into()]]
        );
        assert!(
            fs::read(folder.path(name))
                .unwrap()
                .starts_with(&pack("")[..2])
        );
        assert_eq!(
            folder.open("").collections().unwrap(),
            ["x"],
            "a folder sees it too"
        );
    }
}

proptest! {
    #[test]
    fn any_packed_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..60), place in 0_usize..40, packing in 0_usize..2,
    ) {
        let (name, pack) = PACKINGS[packing];
        let mut file = pack(ONE);
        let place = place.min(file.len());
        file.splice(place.., bytes);
        drop(count(name, &file, ""));
    }
}
