use super::*;

fn env(name: &str) -> Option<String> {
    match name {
        "A" => Some("one".to_owned()),
        "EMPTY" => Some(String::new()),
        "DOLLAR" => Some("${A}$".to_owned()),
        _ => None,
    }
}

fn show(text: &str) -> String {
    match expand(text, &env) {
        Ok(expanded) => expanded.text,
        Err(wrong) => {
            let wrong = wrong.iter();
            let shown = wrong.map(|one| format!("{}: {}", &text[one.span.clone()], one.what));
            shown.collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn variables_are_replaced() {
    for (text, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("${A}", "one"),
        ("x${A}y${A}", "xoneyone"),
        ("${A:-two}", "one"),
        ("${B:-two}", "two"),
        ("${B:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-two}", "two"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("${DOLLAR}", "${A}$"),
        ("${B}", "${B}: B is not set in the environment"),
        ("a$b", "$: this dollar sign begins no variable"),
        ("${A", "$: this dollar sign begins no variable"),
        ("${}", "${}: this is no name of a variable"),
        ("${a-b}", "${a-b}: this is no name of a variable"),
        (
            "${B} ${C}",
            "${B}: B is not set in the environment; ${C}: C is not set in the environment",
        ),
    ] {
        assert_eq!(show(text), expected, "{text}");
    }
}

#[test]
fn the_places_of_values_are_known() {
    let expanded = expand("a${A}b$$${A}", &env).unwrap();
    assert_eq!(expanded.text, "aoneb$one");
    assert_eq!(expanded.values, [(1..4, 1..5), (6..9, 8..12)]);
}
