//! What is written is read: any text, in any dialect.

use crate::csv::read::Reader;
use crate::csv::write::Dialect;
use crate::file::format::Spelling;
use proptest::prelude::*;
use std::path::Path;
use trueup_core::value::Value::{Null, Text};

fn text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some(String::new())),
        Just(Some("NA".to_owned())),
        "[a\",;\r\n'\u{feff} ]{0,6}".prop_map(Some),
        any::<String>().prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(prop::collection::vec(text(), 3), 0..6),
        width in 1_usize..4,
        dialect in 0_usize..4,
    ) {
        let dialect = ["x", "x?null=NA", "x?delimiter=;&quote='&null=a", "x?delimiter=tab"][dialect];
        let (_, options) = crate::csv::config::parse(dialect).unwrap();
        for line_end in ["\n", "\r\n"] {
            let mut format = Dialect::new(&options, line_end);
            let mut bytes = Vec::new();
            for row in &rows {
                for (index, field) in row[..width].iter().enumerate() {
                    if index > 0 {
                        format.separate(&mut bytes);
                    }
                    format.value(0, field.as_deref().map_or(Null, Text), &mut bytes).unwrap();
                }
                format.end(&mut bytes);
            }
            let mut reader = Reader::new(bytes.as_slice(), Path::new("x"), &options).unwrap();
            for row in &rows {
                let found = reader.next_row().unwrap().unwrap();
                prop_assert_eq!(found.len(), width);
                for (index, field) in row[..width].iter().enumerate() {
                    prop_assert_eq!(found.value(index, &options.null), field.as_deref().map_or(Null, Text));
                }
            }
            prop_assert!(reader.next_row().unwrap().is_none());
        }
    }
}
