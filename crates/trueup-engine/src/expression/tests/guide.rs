//! The examples of `docs/guide/expressions.md` say what expressions say.

use super::*;
use std::path::Path;
use trueup_core::cast;

/// The lines of the blocks behind a marker.
fn lines(guide: &str, marker: &str) -> Vec<String> {
    let begin = format!("<!-- {marker} -->\n```text\n");
    let blocks = guide.split(&begin).skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// The record that the guide shows: `name  type  value`.
fn record(guide: &str) -> (Schema, Vec<Owned>) {
    let mut shape = schema("goods");
    let mut values = Vec::new();
    for line in lines(guide, "record") {
        let parts: Vec<&str> = line.split("  ").filter(|part| !part.is_empty()).collect();
        let [name, ty, value] = parts.as_slice() else {
            panic!("{line}");
        };
        let ty = match ty.trim() {
            "int" => Type::INT,
            "text" => Type::TEXT,
            "decimal" => Type::DECIMAL,
            "double" => Type::FLOAT,
            "bool" => Type::Bool,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "instant" => Type::Instant,
            "json" => Type::Json,
            other => panic!("{other}"),
        };
        shape = shape.field(name, ty);
        let text = value.trim().trim_matches('"');
        let mut held = Batch::new(1);
        match value.trim() {
            "NULL" => held.push(Value::Null),
            _ => cast::push(Value::Text(text), ty, &mut held).unwrap(),
        }
        values.push(Owned::record(held.record(0)).remove(0));
    }
    (shape.build(), values)
}

#[test]
fn the_guides_examples_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/expressions.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let (schema, record) = record(&guide);
    let examples = lines(&guide, "examples");
    assert!(examples.len() > 40);
    for example in examples {
        let (text, wanted) = example.split_once(" -> ").unwrap();
        let (expression, _) = RecordExpression::compile(text.trim(), &schema).unwrap();
        let place = |name: &String| schema.index_of(name).unwrap();
        let values: Vec<Value<'_>> = expression
            .fields()
            .iter()
            .map(|name| record[place(name)].value())
            .collect();
        let mut batch = Batch::new(1);
        let said = match expression.value(&|at| values[at], &mut batch) {
            Err(reason) => reason.replace("the expression did not answer", "error"),
            Ok(()) => {
                let value = batch.record(0).value(0);
                let mut out = String::new();
                match text::write(value, &mut out) {
                    true => out,
                    false => "NULL".to_owned(),
                }
            }
        };
        assert_eq!(said, wanted, "{text}");
    }
}
