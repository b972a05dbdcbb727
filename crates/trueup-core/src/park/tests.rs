//! What a key looks like where a person reads it.

use super::*;

#[test]
fn a_key_is_shown_as_in_plans_and_never_without_bound() {
    let mut out = String::new();
    write_key_field("region", Some(Value::Text("it's\n")), &mut out);
    write_key_field("id", Some(Value::Int(7)), &mut out);
    write_key_field("day", None, &mut out);
    write_key_field("code", Some(Value::Null), &mut out);
    assert_eq!(out, "region='it''s\\n' id=7 day=? code=null");
    let mut out = String::new();
    write_key_field("t", Some(Value::Text(&"\u{fc}".repeat(10_000))), &mut out);
    assert_eq!(out.chars().count(), 2 + KEY_VALUE_CHARS_MAX + 3);
}
