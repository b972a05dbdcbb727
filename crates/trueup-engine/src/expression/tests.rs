//! Expressions over one record: what they say, what is refused, and that both ways of running one say the same.

use super::record::{self, RecordExpression};
use std::sync::Arc;
use trueup_core::batch::Batch;
use trueup_core::error::Kind;
use trueup_core::filter::Filter;
use trueup_core::mapping::{Compute, Formula};
use trueup_core::schema::Schema;
use trueup_core::text;
use trueup_core::types::Type;
use trueup_core::value::Value;
use trueup_testkit::Owned;
use trueup_testkit::records::schema;

mod answers;
mod guide;
mod mistakes;
mod paths;

/// A field for each type, and one whose name is no word.
fn goods() -> Schema {
    schema("goods")
        .int("id")
        .text("name")
        .int("qty")
        .field("price", Type::DECIMAL)
        .field("ratio", Type::FLOAT)
        .field("live", Type::Bool)
        .field("raw", Type::BYTES)
        .field("day", Type::Date)
        .field("at", Type::Time)
        .field("seen", Type::Timestamp)
        .field("stamp", Type::Instant)
        .field("uid", Type::Uuid)
        .field("tags", Type::Json)
        .field("any", Type::Any)
        .text("odd name")
        .text("size")
        .key(["id"])
        .build()
}

fn bolt() -> Vec<Owned> {
    vec![
        Owned::Int(7),
        Owned::Text(" Bolt ".into()),
        Owned::Int(9),
        Owned::Decimal("9.50".into()),
        Owned::Float(0.5),
        Owned::Bool(true),
        Owned::Bytes(b"\0\xff".to_vec()),
        Owned::Date(0),
        Owned::Time(3_600_000_000),
        Owned::Timestamp(0),
        Owned::Instant(0),
        Owned::Uuid(vec![0xab; 16]),
        Owned::Json(r#"{"n":1.50,"m":null,"list":["a","b"]}"#.into()),
        Owned::Text("x".into()),
        Owned::Text("odd".into()),
        Owned::Text("L".into()),
    ]
}

fn values_of<'r>(record: &'r [Owned], fields: &[String]) -> Vec<Value<'r>> {
    let schema = goods();
    let place = |name: &String| schema.index_of(name).unwrap();
    fields
        .iter()
        .map(|name| record[place(name)].value())
        .collect()
}

/// What an expression makes of a record, by the interpreter.
fn interpreted(text: &str, record: &[Owned]) -> Result<String, String> {
    let (expression, _) = RecordExpression::compile(text, &goods()).unwrap();
    let values = values_of(record, expression.fields());
    let mut batch = Batch::new(1);
    let mut ask = || expression.value(&|at| values[at], &mut batch);
    super::on_stack(super::INTERPRETER_STACK_BYTES, &mut ask).unwrap()?;
    Ok(shown(batch.record(0).value(0)))
}

fn shown(value: Value<'_>) -> String {
    let mut out = String::new();
    text::write(value, &mut out);
    format!("{} {out}", value.class()).trim_end().to_owned()
}
