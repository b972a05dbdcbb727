//! How the tool behaves towards terminals, pipes, shells and people who press Ctrl-C.
//!
//! Invariant: nothing here waits for a time to pass; a run that has to be caught in the middle stops itself there.

use crate::cli::{check, shop, snapshots};
use crate::stopped::Stopped;
use crate::support::{self, Trueup};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};

const SIDES: [&str; 2] = ["csv:shop", "sqlite:shop.db"];
const KEYS: [&str; 4] = ["--key", "customers=id", "--key", "orders=id"];

fn sync(folder: &Path, options: &[&str]) -> Trueup {
    let run = Trueup::new(folder).sync(SIDES).arguments(KEYS);
    run.arguments(options).env("TERM", "xterm")
}

/// A terminal that nobody looks at.
struct Screen {
    master: File,
    slave: File,
}

impl Screen {
    fn new(columns: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let options = &mut File::options();
        let slave = options.read(true).write(true);
        let slave = slave.open(name.to_str().unwrap()).unwrap();
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).unwrap();
        Self {
            master: File::from(master),
            slave,
        }
    }

    fn stdio(&self) -> Stdio {
        Stdio::from(self.slave.try_clone().unwrap())
    }

    /// Runs to the end, standard error and, if `both`, standard output on the terminal. Returns the exit code and what
    /// the terminal was sent.
    fn run(self, run: Trueup, both: bool) -> (Option<i32>, String) {
        let mut command = run.command();
        command.stderr(self.stdio());
        if both {
            command.stdout(self.stdio());
        }
        let mut child = command.spawn().unwrap();
        drop(command);
        drop(self.slave);
        let seen = read(self.master);
        (child.wait().unwrap().code(), seen)
    }
}

/// Reads until no program has the terminal open any more, which Linux says by an error.
fn read(mut master: File) -> String {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match master.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => seen.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8(seen).unwrap()
}

#[test]
fn bars_are_for_terminals_and_lines_for_pipes() {
    let folder = support::folder();
    shop(folder.path());
    let (code, seen) = Screen::new(120).run(sync(folder.path(), &[]), false);
    assert_eq!(code, Some(0));
    assert!(seen.contains("orders: verify ["), "{seen:?}");
    assert!(
        seen.contains("\r\u{1b}[2K"),
        "a bar is drawn anew: {seen:?}"
    );
    assert!(
        seen.contains("orders: verify done, 24 source and 24 target records read in "),
        "{seen:?}"
    );
    assert!(!seen.contains("\u{1b}[?25l"), "the cursor stays: {seen:?}");
    assert!(
        seen.ends_with(['\n', 'A', 'K', '\r']),
        "no bar is left: {seen:?}"
    );
    for options in [&["-q"][..], &["--log", "json"]] {
        let (_, seen) = Screen::new(120).run(sync(folder.path(), options), false);
        assert!(!seen.contains('\u{1b}'), "{options:?}: {seen:?}");
    }
    let dumb = sync(folder.path(), &[]).env("TERM", "dumb");
    let (_, seen) = Screen::new(120).run(dumb, true);
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
    let piped = sync(folder.path(), &[]).run().expect(0);
    assert!(!piped.stderr.contains(['\u{1b}', '\r']), "{piped}");
    assert!(piped.stderr.contains("orders: compare done, "), "{piped}");
}

#[test]
fn colour_is_for_terminals_unless_somebody_says_so() {
    let folder = support::folder();
    shop(folder.path());
    sync(folder.path(), &["-q"]).run().expect(0);
    let colored = |options: &[&str], variable: Option<(&str, &str)>, terminal: bool| {
        let mut run = sync(folder.path(), &["-q"]).arguments(options);
        if let Some((name, value)) = variable {
            run = run.env(name, value);
        }
        let seen = if terminal {
            Screen::new(120).run(run, true).1
        } else {
            run.run().expect(0).stdout
        };
        assert!(seen.contains("equal"), "{seen}");
        seen.contains("\u{1b}[32mequal")
    };
    for (options, variable, terminal, expected) in [
        (&[][..], None, true, true),
        (&[][..], None, false, false),
        (&["--color", "never"][..], None, true, false),
        (&["--color", "always"][..], None, false, true),
        (&[][..], Some(("NO_COLOR", "1")), true, false),
        (&[][..], Some(("CLICOLOR_FORCE", "1")), false, true),
    ] {
        let seen = colored(options, variable, terminal);
        assert_eq!(seen, expected, "{options:?} {variable:?} {terminal}");
    }
    let json = sync(folder.path(), &["-q", "--json", "--color", "always"]).run();
    assert!(!json.expect(0).stdout.contains('\u{1b}'));
}

#[test]
fn a_narrow_terminal_gets_a_list_instead_of_a_wide_table() {
    let folder = support::folder();
    shop(folder.path());
    sync(folder.path(), &["-q"]).run().expect(0);
    let shown = |columns| {
        let run = sync(folder.path(), &["-q", "--color", "never"]);
        Screen::new(columns).run(run, true).1
    };
    let (wide, narrow) = (shown(100), shown(60));
    assert!(
        wide.contains("collection  source  target  inserted"),
        "{wide}"
    );
    assert!(
        narrow.contains("collection  customers\r\nsource      12\r\n"),
        "{narrow}"
    );
}

#[test]
fn notes_are_cut_between_words_where_the_terminal_ends() {
    let folder = support::folder();
    shop(folder.path());
    sync(folder.path(), &["-q"]).run().expect(0);
    support::sqlite(
        &folder.path().join("shop.db"),
        "INSERT INTO orders (id) VALUES (9999)",
    );
    let run = sync(folder.path(), &["-q", "--color", "never"]);
    let shown = Screen::new(60).run(run, true).1;
    let note =
        "  orders: 1 record that only the target has was left;\r\n    --delete removes it\r\n";
    assert!(shown.contains(note), "{shown}");
}

#[test]
fn the_log_is_an_object_a_line() {
    let folder = support::folder();
    shop(folder.path());
    let run = sync(folder.path(), &["--log", "json", "-v"])
        .run()
        .expect(0);
    let events = events(&run.stderr);
    for expected in ["connected", "shape", "order", "batch", "step_done"] {
        assert!(
            events.contains(&expected.to_owned()),
            "no {expected}\n{run}"
        );
    }
    assert!(
        !run.stderr.contains("Desk chair"),
        "values are not logged\n{run}"
    );
    let wrong = Trueup::new(folder.path()).arguments(["--log=json", "sync", "--nothing"]);
    let wrong = wrong.run().expect(2);
    assert_eq!(self::events(&wrong.stderr), ["error"], "{wrong}");
    let failed = sync(folder.path(), &["--log", "json", "--key", "x=y"]).run();
    assert_eq!(
        self::events(&failed.expect(2).stderr).last().unwrap(),
        "error"
    );
}

fn events(log: &str) -> Vec<String> {
    let line = |line: &str| {
        let object: Value = serde_json::from_str(line).expect(line);
        assert!(object["ts"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(object["level"].is_string(), "{line}");
        object["event"].as_str().expect(line).to_owned()
    };
    log.lines().map(line).collect()
}

#[test]
fn a_link_that_goes_both_ways_says_its_shapes_too() {
    let folder = support::folder();
    let table = "CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT)";
    support::sqlite(&folder.path().join("b.db"), table);
    let sides = ["sqlite:b.db", "sqlite:a.db", "--two-way"];
    let run = Trueup::new(folder.path()).sync(sides);
    let run = run.arguments(["--log", "json", "-v"]).run().expect(0);
    let objects = run.stderr.lines().map(|line| {
        let object: Value = serde_json::from_str(line).expect(line);
        object
    });
    let shapes = objects.filter(|object| object["event"] == "shape");
    let said: Vec<String> = shapes
        .map(|shape| shape["message"].as_str().unwrap().to_owned())
        .collect();
    // As the user calls the sides.
    assert_eq!(
        said,
        [
            "source people: has 2 fields",
            "target people: is missing and will get 2 fields"
        ]
    );
}

#[test]
fn verbose_says_what_goes_on_and_quiet_nothing() {
    let folder = support::folder();
    shop(folder.path());
    let verbose = sync(folder.path(), &["-v"]).run().expect(0);
    for expected in [
        "source csv:shop: connected in ",
        "target orders: is missing and will get 7 fields",
        "source orders: does not come in key order",
        "orders: a batch of 24 is applied and durable",
    ] {
        assert!(
            verbose.stderr.contains(expected),
            "no {expected}\n{verbose}"
        );
    }
    assert!(verbose.stderr.lines().all(|line| line.starts_with('[')));
    let before = Trueup::new(folder.path()).arguments(["-q"]).diff(SIDES);
    let before = before.arguments(KEYS).run().expect(0);
    assert_eq!(before.stderr, "", "also before the command");
    let failed = sync(folder.path(), &["-v", "--key", "x=y"]).run().expect(2);
    assert!(
        failed.stderr.ends_with("  more: trueup explain config\n"),
        "{failed}"
    );
}

#[test]
fn an_interrupted_run_says_what_is_durable_and_how_to_go_on() {
    let folder = support::folder();
    shop(folder.path());
    let screen = Screen::new(120);
    let mut command = sync(folder.path(), &["--batch-records", "5"])
        .env("TRUEUP_FAILPOINT", "engine.checkpointed:2:stop")
        .command();
    command.stderr(screen.stdio());
    let stopped = Stopped::start(&mut command);
    drop(command);
    stopped.signal(Signal::INT);
    drop(screen.slave);
    let output = std::thread::scope(|scope| {
        let seen = scope.spawn(|| read(screen.master));
        let mut output = stopped.go_on();
        output.stderr = seen.join().unwrap();
        output
    });
    let output = output.expect(3);
    assert!(
        output.stderr.contains("written and durable: customers 10"),
        "{output}"
    );
    let line = "trueup sync csv:shop sqlite:shop.db --key customers=id --key orders=id --batch-records 5 --state state.db";
    assert!(
        output.stderr.contains(&format!("this goes on: {line}\r\n")),
        "{output}"
    );
    assert!(!output.stderr.contains("\u{1b}[?25l"), "{output}");
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    Trueup::new(folder.path()).arguments(words).run().expect(0);
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let folder = support::folder();
    shop(folder.path());
    let stopped = Stopped::at("engine.checkpointed", sync(folder.path(), &[]));
    stopped.signal(Signal::INT);
    stopped.signal(Signal::TERM);
    let output = stopped.go_on().expect(3);
    assert!(!output.stderr.contains("error["), "{output}");
    sync(folder.path(), &["-q"]).run().expect(0);
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = support::folder();
    let script = Trueup::new(folder.path())
        .arguments(["completions", "bash"])
        .run();
    fs::write(folder.path().join("trueup.bash"), script.expect(0).stdout).unwrap();
    for (words, expected) in [
        ("trueup sy", "sync"),
        ("trueup conflicts re", "resolve"),
        ("trueup sync --dry", "--dry-run"),
        ("trueup --color al", "always"),
    ] {
        let last = words.rsplit(' ').next().unwrap();
        let number = words.split(' ').count() - 1;
        let before = words.split(' ').nth(number - 1).unwrap();
        let ask = format!(
            "source trueup.bash && COMP_WORDS=({words}) COMP_CWORD={number} && _trueup trueup '{last}' '{before}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("bash");
        let bash = bash.args(["--norc", "-c", &ask]).current_dir(folder.path());
        let output = bash.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.lines().any(|line| line == expected),
            "{words}: {said}{complaint}"
        );
    }
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = Trueup::new(folder.path())
            .arguments(["completions", shell])
            .run();
        assert!(script.expect(0).stdout.contains("conflicts"), "{shell}");
    }
}

/// Every command by its words, as the manual pages name them.
fn commands(folder: &Path) -> Vec<String> {
    let pages = || Trueup::new(folder).arguments(["man", "pages"]).run();
    pages().expect(2);
    assert!(!folder.join("pages").exists(), "no folder is made");
    fs::create_dir(folder.join("pages")).unwrap();
    pages().expect(0);
    let entries = fs::read_dir(folder.join("pages")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".1").unwrap().replace('-', " "))
        .collect();
    names.sort();
    names
}

#[test]
fn every_command_has_a_page_that_man_can_read() {
    let folder = support::folder();
    let commands = commands(folder.path());
    assert!(commands.len() > 10, "{commands:?}");
    for command in &commands {
        let file = format!("{}.1", command.replace(' ', "-"));
        let page = fs::read_to_string(folder.path().join("pages").join(&file)).unwrap();
        for section in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(page.contains(section), "{file} has no {section}");
        }
        let mut groff = Command::new("groff");
        let groff = groff.args(["-man", "-Tutf8", "-ww", &file]);
        match groff.current_dir(folder.path().join("pages")).output() {
            Ok(read) => {
                let complaint = String::from_utf8_lossy(&read.stderr);
                assert!(
                    read.status.success() && complaint.is_empty(),
                    "{file}: {complaint}"
                );
            }
            Err(missing) => assert_eq!(missing.kind(), ErrorKind::NotFound),
        }
    }
    let main = Trueup::new(folder.path())
        .arguments(["man"])
        .run()
        .expect(0);
    assert!(main.stdout.contains(".TH trueup 1"), "{main}");
    fs::write(folder.path().join("file"), "").unwrap();
    check(
        "man-unwritable",
        &Trueup::new(folder.path()).arguments(["man", "file"]).run(),
    );
}

/// Commands whose output is too long for a snapshot, or is not the tool's: they are tested by what it is for.
const SHOWN_ELSEWHERE: [&str; 2] = ["trueup completions", "trueup schema"];

#[test]
fn every_command_has_a_snapshot_of_its_help_and_of_its_output() {
    let folder = support::folder();
    let commands = commands(folder.path());
    let entries = fs::read_dir(snapshots()).unwrap();
    let first_lines: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .filter_map(|text| text.lines().next().map(str::to_owned))
        .collect();
    let mut missing = Vec::new();
    for command in &commands {
        let help = format!("$ {command} --help");
        if !first_lines.contains(&help) {
            missing.push(help);
        }
        let group = commands
            .iter()
            .any(|other| other.starts_with(&format!("{command} ")));
        let begins = format!("$ {command}");
        let shown = |line: &String| {
            let rest = line.strip_prefix(&begins);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
                && !line.ends_with("--help")
        };
        if !group && !SHOWN_ELSEWHERE.contains(&command.as_str()) && !first_lines.iter().any(shown)
        {
            missing.push(format!("{begins} ..."));
        }
    }
    assert!(missing.is_empty(), "no snapshot of: {missing:#?}");
}

#[test]
fn without_a_reader_a_home_or_a_place_for_the_state() {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let shell = |script: &str| {
        let mut bash = Command::new("bash");
        bash.args(["-c", script, "bash"]).arg(support::binary());
        let bash = bash.current_dir(folder).env("HOME", folder);
        bash.output().unwrap()
    };
    // A reader that has left; errors that nobody can be told; and both.
    let keys = KEYS.join(" ");
    let line = format!("\"$1\" sync csv:shop sqlite:shop.db {keys} --state state.db");
    for (script, expected) in [
        (format!("{line} > >(true); exit $?"), 0),
        (format!("{line} 2>&-"), 0),
        (format!("{line} >&- 2>&-"), 0),
        ("\"$1\" sync nothing 2>&-".to_owned(), 2),
    ] {
        let code = shell(&script).status.code();
        assert_eq!(code, Some(expected), "{script}");
    }
    let output = shell(&format!("{line} > /dev/full"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot write to standard output"), "{said}");
    let without_home = Trueup::new(folder).arguments(["status"]).env("HOME", "");
    check("no-home", &without_home.run());
    // A folder that nobody can write, whoever runs the tests.
    let state = |file: &str| {
        let run = Trueup::new(folder).arguments(["sync"]).arguments(SIDES);
        run.arguments(KEYS).arguments(["--state", file, "-q"]).run()
    };
    let unwritable = state("/proc/state.db").expect(2);
    assert!(
        unwritable
            .stderr
            .starts_with("error[config]: state=/proc/state.db: cannot create it")
    );
    assert!(
        unwritable
            .stderr
            .contains("name a file in a folder of yours with --state")
    );
    check("state-below-a-file", &state("shop/orders.csv/state.db"));
    check("state-is-a-folder", &state("shop"));
}
