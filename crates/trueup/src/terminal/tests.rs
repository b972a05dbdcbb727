use super::*;

/// What was said, the variables, whether it is a terminal; and whether that makes colour.
type Case = (When, &'static [(&'static str, &'static str)], bool, bool);

#[test]
fn what_was_said_goes_before_the_environment_and_that_before_the_stream() {
    use When::{Always, Auto, Never};
    let cases: &[Case] = &[
        (Auto, &[("TERM", "xterm")], true, true),
        (Auto, &[("TERM", "xterm")], false, false),
        (Auto, &[("TERM", "dumb")], true, false),
        (Auto, &[], true, false),
        (Auto, &[("TERM", "xterm"), ("NO_COLOR", "1")], true, false),
        (Auto, &[("TERM", "xterm"), ("NO_COLOR", "")], true, true),
        (Auto, &[("CLICOLOR_FORCE", "1")], false, true),
        (Auto, &[("CLICOLOR_FORCE", "0")], false, false),
        (
            Auto,
            &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
            true,
            false,
        ),
        (Always, &[("NO_COLOR", "1"), ("TERM", "dumb")], false, true),
        (
            Never,
            &[("CLICOLOR_FORCE", "1"), ("TERM", "xterm")],
            true,
            false,
        ),
    ];
    for (when, variables, is_terminal, expected) in cases {
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let seen = colored(*when, &env, *is_terminal);
        assert_eq!(seen, *expected, "{when:?} {variables:?} {is_terminal}");
    }
}

#[test]
fn the_terminal_is_known_though_the_rest_does_not_read() {
    let guess = |line: &str| {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let options = Options::guess(&words);
        (options.color, options.log)
    };
    for (line, color, log) in [
        ("trueup", When::Auto, Form::Text),
        ("trueup sync --color always", When::Always, Form::Text),
        ("trueup --color=never --log json x", When::Never, Form::Json),
        ("trueup --log=json", When::Auto, Form::Json),
        ("trueup --color", When::Auto, Form::Text),
        ("trueup --color often --log", When::Auto, Form::Text),
    ] {
        assert_eq!(guess(line), (color, log), "{line}");
    }
}
