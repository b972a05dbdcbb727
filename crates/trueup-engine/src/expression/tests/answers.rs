//! What expressions make of records that people have.

use super::*;

#[track_caller]
fn check(text: &str, wanted: &str) {
    let said = match interpreted(text, &bolt()) {
        Ok(value) => value,
        Err(reason) => format!("none: {reason}"),
    };
    assert_eq!(said, wanted, "{text}");
}

#[test]
fn values_are_computed() {
    for (text, wanted) in [
        (r#"name + "!""#, "text  Bolt !"),
        ("name.trim().upperAscii()", "text BOLT"),
        (r#"name.trim().lowerAscii().replace("o", "0")"#, "text b0lt"),
        ("name.trim().substring(1, 3)", "text ol"),
        (r#"qty > 5 ? "many" : "few""#, "text many"),
        ("qty * 100", "int 900"),
        ("qty / 2", "int 4"),
        ("qty % 2 - 3", "int -2"),
        ("-qty", "int -9"),
        ("ratio * 3.0", "float 1.5"),
        ("price * 100", "decimal 950.00"),
        ("2 * price + 1", "decimal 20.00"),
        ("price - 10.00", "decimal -0.50"),
        ("price * 1.19", "decimal 11.3050"),
        ("int(price * 2)", "int 19"),
        (
            "int(price)",
            "none: the expression did not answer: a function failed: function=int",
        ),
        ("double(price) / 2.0", "float 4.75"),
        ("string(price) + \" EUR\"", "text 9.50 EUR"),
        ("-price", "decimal -9.50"),
        (r#"decimal("0.1") + decimal("0.2")"#, "decimal 0.3"),
        (r#"decimal("-1") * decimal("0.00")"#, "decimal 0.00"),
        (r#"decimal("99.99") + decimal("0.01")"#, "decimal 100.00"),
        (r#"decimal("1") - decimal("100.5")"#, "decimal -99.5"),
        (
            "9223372036854775807 + qty",
            "none: the expression did not answer: a number is out of range",
        ),
        (
            "qty / (id - 7)",
            "none: the expression did not answer: division by zero",
        ),
        (r#"day == date("1970-01-01")"#, "bool true"),
        (r#"seen < "1970-01-01 00:00:01""#, "bool true"),
        ("timestamp(day)", "timestamp 1970-01-01 00:00:00"),
        ("string(day)", "text 1970-01-01"),
        ("tags.n * 2.0", "float 3"),
        (r#"tags.list[1] + size"#, "text bL"),
        (r#"has(tags.z) ? "z" : "none""#, "text none"),
        (
            "tags.z",
            "none: the expression did not answer: no such member",
        ),
        (r#""a" in tags.list && qty in [1, 9]"#, "bool true"),
        (r#"tags.list.map(t, t + "!")"#, r#"json ["a!","b!"]"#),
        ("tags.list.exists(t, t == name)", "bool false"),
        (r#"record["odd name"] + record.size"#, "text oddL"),
        ("size(size) + size(name)", "int 7"),
        ("any", "text x"),
        ("bytes(size)", "bytes \\x4c"),
        ("bool(1) && bool(\"true\")", "bool true"),
    ] {
        check(text, wanted);
    }
}

/// The table of docs/guide/expressions.md, in other words.
#[test]
fn null_makes_the_whole_null_unless_it_does_not_matter() {
    let mut record = bolt();
    for field in ["name", "qty", "price", "live", "tags", "day"] {
        record[goods().index_of(field).unwrap()] = Owned::Null;
    }
    for (text, wanted) in [
        ("qty", "null"),
        ("qty + 1", "null"),
        ("1 - qty", "null"),
        ("-qty", "null"),
        ("price * 100", "null"),
        (r#"name + "!""#, "null"),
        ("name.trim()", "null"),
        ("name.startsWith(\"B\")", "null"),
        ("size(name)", "null"),
        ("int(name)", "null"),
        ("string(qty)", "null"),
        ("double(qty)", "null"),
        ("bytes(name)", "null"),
        ("timestamp(day)", "null"),
        ("qty > 5", "null"),
        ("!(qty > 5)", "null"),
        ("price < 1", "null"),
        ("day < \"2020-01-01\"", "null"),
        ("qty == 5", "bool false"),
        ("qty != 5", "bool true"),
        ("qty == null", "bool true"),
        ("qty != null", "bool false"),
        ("qty in [1, 2]", "bool false"),
        ("live", "null"),
        ("!live", "null"),
        ("live && true", "null"),
        ("live && false", "bool false"),
        ("true || live", "bool true"),
        ("live || ratio > 0.1", "bool true"),
        ("qty > 5 && ratio > 0.9", "bool false"),
        ("qty > 5 && ratio < 0.9", "null"),
        ("qty > 5 ? 1 : 2", "null"),
        ("live ? 1 : 2", "null"),
        ("qty == null ? 0 : qty * 2", "int 0"),
        ("tags.n", "null"),
        ("tags.list[0]", "null"),
        ("tags.exists(t, t == name)", "null"),
    ] {
        let said = interpreted(text, &record);
        assert_eq!(said.as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn a_value_that_is_none_of_its_field_s_type_is_told_without_it() {
    let mut record = bolt();
    record[2] = Owned::Text("secret".into());
    let reason = interpreted("qty + 1", &record).unwrap_err();
    assert_eq!(
        reason,
        "field=qty: the text does not spell a value of the type: class=text type=int64"
    );
    record[1] = Owned::InvalidText(vec![0xff]);
    assert!(interpreted("name + size", &record).is_err());
}

#[test]
fn what_reads_no_field_is_a_constant() {
    for (text, wanted) in [
        ("1 + 1", Some(("2", Type::INT))),
        (r#"decimal("1.50")"#, Some(("1.50", Type::DECIMAL))),
        (r#""a" + "b""#, Some(("ab", Type::TEXT))),
        ("true", Some(("true", Type::Bool))),
        ("[1, 2]", Some(("[1,2]", Type::Json))),
    ] {
        match record::formula(text, &goods()).unwrap() {
            Formula::Constant(said, ty) => {
                assert_eq!(said.as_deref().map(|said| (said, ty)), wanted, "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(
        record::formula("null", &goods()).unwrap(),
        Formula::Constant(None, _)
    ));
    let error = record::formula("1 / 0", &goods()).unwrap_err();
    assert!(error.message().contains("division by zero"), "{error:?}");
}

#[test]
fn deep_expressions_ask_for_a_stack() {
    let deep = vec!["qty"; 30].join("+");
    let (expression, _) = RecordExpression::compile(&deep, &goods()).unwrap();
    assert!(expression.stack_bytes() > 0);
    assert_eq!(interpreted(&deep, &bolt()).unwrap(), "int 270");
    let (expression, _) = RecordExpression::compile("qty + 1", &goods()).unwrap();
    assert_eq!(expression.stack_bytes(), 0);
}
