//! Addresses and options.

use crate::csv::config::{Options, parse};
use crate::file::pack::Packing;
use crate::file::settings::Settings;
use std::path::Path;
use trueup_core::Kind;
use trueup_core::types::Type;

#[test]
fn an_address_is_a_path_and_options() {
    let (path, options) = parse("csv:some/dir").unwrap();
    assert_eq!(
        (path.as_path(), options),
        (Path::new("some/dir"), Options::default())
    );
    let (path, options) = parse(
        "x.csv?key=a,b%2Cc&null=%4eA&delimiter=;&quote='&header=false&open_end=true\
         &types=col:decimal(10,2),a%3Ab:text,n:uint32",
    )
    .unwrap();
    assert_eq!(path, Path::new("x.csv"));
    assert_eq!(
        options,
        Options {
            settings: Settings {
                any: true,
                key: vec!["a".to_owned(), "b,c".to_owned()],
                types: vec![
                    (
                        "col".to_owned(),
                        Type::Decimal {
                            size: Some((10, 2))
                        }
                    ),
                    ("a:b".to_owned(), Type::TEXT),
                    (
                        "n".to_owned(),
                        Type::Int {
                            bits: 32,
                            signed: false
                        }
                    ),
                ],
                open_end: true,
                ..Settings::default()
            },
            null: "NA".to_owned(),
            delimiter: b';',
            quote: b'\'',
            header: false,
        }
    );
    assert_eq!(
        parse("x?compress=zst").unwrap().1.settings.fresh,
        Packing::Zstd
    );
    for tab in ["tab", "\\t", "%09"] {
        assert_eq!(
            parse(&format!("x?delimiter={tab}")).unwrap().1.delimiter,
            b'\t'
        );
    }
}

#[test]
fn every_type_is_read_as_it_is_shown() {
    let shown = "bool int8 int16 int24 int32 int64 uint8 uint16 uint24 uint32 uint64 float32 float64 \
                 decimal decimal(5,-1) text text(3) bytes bytes(4) date time timestamp instant uuid json";
    for name in shown.split_whitespace() {
        let (_, options) = parse(&format!("x?types=c:{name}")).unwrap();
        assert_eq!(options.settings.types[0].1.to_string(), name);
    }
}

#[test]
fn wrong_options_are_refused_with_advice() {
    let cases = [
        (
            "x?delimeter=;",
            "unknown option for csv option=delimeter",
            "delimiter",
        ),
        (
            "x?types=a:decimel",
            "unknown type type=decimel column=a",
            "did you mean decimal? the types are: bool, int, int8, int16, int24, int32, uint8, uint16, uint24, uint32, \
             uint64, float, float32, decimal, decimal(10,2), text, text(80), bytes, bytes(16), date, time, timestamp, \
             instant, uuid, json",
        ),
        ("x?types=a", "declared type names no type part=a", "types="),
        ("x?types=a:bool(3)", "unknown type", ""),
        (
            "x?header=maybe",
            "option is neither true nor false option=header",
            "",
        ),
        (
            "x?delimiter=;;",
            "option must be one character of ASCII",
            "percent",
        ),
        (
            "x?delimiter=%0a",
            "option must be one character of ASCII",
            "percent",
        ),
        (
            "x?delimiter=%22",
            "delimiter and quote are the same character",
            "",
        ),
        ("x?null=a,b", "the null marker holds the delimiter", ""),
        (
            "x?null=%zz",
            "a percent sign in the options starts no escape",
            "%25",
        ),
        ("x?null=%ff", "an option is not UTF-8", ""),
        ("x?compress=bz2", "option names no packing", "compress=zst"),
        ("x?compress=", "option names no packing", "compress=gz"),
        ("x?header", "option has no value option=header", "="),
        ("x?key=", "empty field name option=key", ""),
        ("csv:", "address names no file or directory", "csv:DIR"),
    ];
    for (address, message, advice) in cases {
        let error = parse(address).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{address}");
        assert!(error.message().contains(message), "{address}: {error}");
        assert!(
            error.advice().unwrap_or_default().contains(advice),
            "{address}: {error:?}"
        );
    }
}
