//! Several stores, threads and processes on one file. The other process is this test binary, told to run
//! [`other_process`] alone; it is steered by lines and dies with its standard input.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Another process, which is killed when this is dropped.
struct Other {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(path: &Path) -> Self {
        let binary = std::env::current_exe().expect("the test binary");
        let mut child = Command::new(binary)
            .args(["--exact", "state::tests::crowd::other_process"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test binary starts");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut other = Self {
            child,
            orders,
            answers,
        };
        other.order(path.to_str().expect("the path is text"));
        other
    }

    fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").expect("it listens");
    }

    /// The next answer; what the test framework prints is passed over.
    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).expect("text");
            assert!(read > 0, "the other process ended without an answer");
            if let Some((_, answer)) = line.trim_end().split_once("answer: ") {
                return answer.to_owned();
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.order(line);
        self.answer()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
#[ignore = "the other process of the tests below"]
fn other_process() {
    let mut lines = std::io::stdin().lines().map_while(std::io::Result::ok);
    let Some(path) = lines.next() else { return };
    let mut store = None;
    for order in lines {
        let answer = match order.split_once(' ') {
            Some(("open", id)) => Store::open(Path::new(&path), id).map(|opened| {
                let found = opened.incarnation().to_owned();
                store = Some(opened);
                found
            }),
            Some(("begin", durable)) => {
                let store = store.as_mut().expect("opened before");
                store.begin(&link(durable), 1).map(|run| run.0.to_string())
            }
            Some(("intend", batch)) => {
                let opened = store.take().expect("opened before");
                store = Some(two_way::intend(opened, batch.len()));
                Ok("intended".to_owned())
            }
            _ => panic!("an unknown order: {order}"),
        };
        let answer = answer.unwrap_or_else(|error| format!("{error:?}"));
        writeln!(std::io::stdout(), "answer: {answer}").expect("somebody listens");
    }
}

#[test]
fn a_link_is_run_by_one_store_at_a_time() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let (a, b) = (link("a"), link("b"));
    let (mut one, mut two) = (open(&path), open(&path));
    let run = one.begin(&a, 1)?;
    for store in [&mut one, &mut two] {
        let error = store.begin(&a, 2).expect_err("the link is taken");
        assert_eq!(error.kind(), Kind::Stale);
        let pid = format!("pid={}", std::process::id());
        assert!(error.message().contains(&pid), "{error:?}");
        assert!(error.advice().is_some());
    }
    assert_eq!(one.history(9)?.len(), 1, "a refused run leaves no line");
    let other = two.begin(&b, 3)?;
    one.finish(run, 4, 0, None, None)?;
    let again = two.begin(&a, 5)?;
    assert!(!two.was_interrupted(&a)?);
    assert!(one.begin(&b, 6).is_err(), "the other link is taken still");
    two.finish(again, 7, 0, None, None)?;
    two.finish(other, 7, 0, None, None)?;
    drop((one, two));
    assert_eq!(names(folder.path()), ["state.db"], "locks are removed");
    Ok(())
}

#[test]
fn another_name_for_the_file_is_the_same_lock() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut one = open(&path);
    symlink(&path, folder.path().join("alias")).expect("a link");
    let mut two = open(&folder.path().join("alias"));
    one.begin(&link("a"), 1)?;
    assert_eq!(
        two.begin(&link("a"), 1).expect_err("taken").kind(),
        Kind::Stale
    );
    Ok(())
}

#[test]
fn the_names_of_locks_stay_in_the_folder() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("in/state.db");
    let mut store = open(&path);
    for durable in ["", "../up", "a/b", "A", "a", &"x".repeat(5_000), "\u{e9}\0"] {
        store.begin(&link(durable), 1)?;
    }
    assert_eq!(names(folder.path()), ["in"]);
    assert_eq!(names(&folder.path().join("in")).len(), 3 + 7);
    Ok(())
}

#[test]
fn a_lock_file_that_was_left_or_planted_is_no_lock() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let lock = folder.path().join("state.db.lock-a");
    fs::write(&lock, "4194304999 and more than a number").expect("left");
    let mut store = open(&path);
    let run = store.begin(&link("a"), 1)?;
    let text = fs::read_to_string(&lock).expect("text");
    assert_eq!(text, format!("{}\n", std::process::id()));
    store.finish(run, 1, 0, None, None)?;
    assert!(!lock.exists());

    let victim = folder.path().join("victim");
    fs::write(&victim, "keep").expect("written");
    symlink(&victim, &lock).expect("a link");
    assert!(store.begin(&link("a"), 1).is_err());
    assert_eq!(fs::read_to_string(&victim).expect("text"), "keep");
    Ok(())
}

#[test]
fn a_lock_removed_by_hand_does_not_take_the_next_one_with_it() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let lock = folder.path().join("state.db.lock-a");
    let (mut one, mut two) = (open(&path), open(&path));
    one.begin(&link("a"), 1)?;
    fs::remove_file(&lock).expect("removed");
    two.begin(&link("a"), 2)?;
    drop(one);
    assert!(lock.exists(), "it is the second run's");
    assert!(open(&path).begin(&link("a"), 3).is_err());
    Ok(())
}

#[test]
fn a_killed_process_releases_the_link_and_loses_nothing() -> Result<()> {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut other = Other::start(&path);
    assert_eq!(other.ask("open theirs"), "theirs");
    assert_eq!(other.ask("begin a"), "1");

    let mut store = open(&path);
    let error = store.begin(&link("a"), 2).expect_err("taken");
    assert_eq!(error.kind(), Kind::Stale);
    let pid = format!("pid={}", other.child.id());
    assert!(error.message().contains(&pid), "{error:?}");
    let ours = store.begin(&link("b"), 2)?;
    assert!(other.ask("begin b").starts_with("stale: "));

    drop(other);
    assert_eq!(store.begin(&link("a"), 3)?, RunId(3));
    assert!(store.was_interrupted(&link("a"))?);
    store.finish(ours, 4, 0, None, None)?;
    let ends: Vec<Option<i64>> = store.history(9)?.iter().map(|run| run.ended_ms).collect();
    assert_eq!(ends, [None, Some(4), None]);
    Ok(())
}

#[test]
fn a_process_killed_with_a_batch_on_its_way_leaves_it_to_the_next() {
    let folder = folder();
    let path = folder.path().join("state.db");
    let mut other = Other::start(&path);
    assert_eq!(other.ask("open theirs"), "theirs");
    assert_eq!(other.ask("intend xxx"), "intended");
    assert_eq!(two_way::listed(&open(&path)), 0, "not listed yet");
    drop(other);
    assert_eq!(two_way::finalise(open(&path)), 3);
}

#[test]
fn processes_that_create_one_file_at_once_get_one_store() {
    for prepared in [false, true] {
        for _ in 0..2 {
            let folder = folder();
            let path = folder.path().join("new/state.db");
            if prepared {
                fs::create_dir(folder.path().join("new")).expect("a folder");
                fs::write(&path, "").expect("an empty file");
            }
            let mut others: Vec<Other> = (0..4).map(|_| Other::start(&path)).collect();
            for (number, other) in others.iter_mut().enumerate() {
                other.order(&format!("open id-{number}"));
            }
            let mut ids: Vec<String> = others.iter_mut().map(Other::answer).collect();
            ids.dedup();
            assert_eq!(ids.len(), 1, "{ids:?}");
            assert!(ids[0].starts_with("id-"), "{ids:?}");
            drop(others);
            assert_eq!(open(&path).incarnation(), ids[0]);
            let strays = names(&folder.path().join("new"));
            assert!(
                !strays.iter().any(|name| name.starts_with('.')),
                "{strays:?}"
            );
        }
    }
}

#[test]
fn many_stores_of_one_process_share_a_file() {
    let folder = folder();
    let path = folder.path().join("state.db");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || {
                let mut store = open(path);
                let ours = link(&format!("link-{number}"));
                for batch in 1..=20 {
                    let run = store.begin(&ours, 1).expect("ours alone");
                    store.checkpoint(&ours, "p", batch).expect("it waits");
                    store.finish(run, 2, 0, None, None).expect("it waits");
                }
            });
        }
    });
    let store = open(&path);
    assert_eq!(store.history(usize::MAX).expect("history").len(), 160);
    for number in 0..8 {
        let theirs = link(&format!("link-{number}"));
        assert_eq!(store.batch(&theirs, "p").expect("progress"), 20);
    }
}

/// A file that exists and is empty is filled in place, by whoever comes first.
#[test]
fn threads_that_fill_or_create_one_file_at_once_get_one_store() {
    for prepared in [false, true] {
        for _ in 0..20 {
            let folder = folder();
            let path = folder.path().join("state.db");
            if prepared {
                fs::write(&path, "").expect("an empty file");
            }
            let start = std::sync::Barrier::new(8);
            let open = |number: usize| {
                start.wait();
                let store = Store::open(&path, &format!("id-{number}")).expect("it opens");
                store.incarnation().to_owned()
            };
            let mut ids: Vec<String> = std::thread::scope(|scope| {
                let open = &open;
                let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || open(n))).collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, String>| thread.join();
                threads
                    .into_iter()
                    .map(|thread| join(thread).expect("no panic"))
                    .collect()
            });
            ids.dedup();
            assert_eq!(ids.len(), 1, "prepared={prepared} {ids:?}");
            // When the last two close at once, neither is the last and the (empty) log may stay.
            let strays = names(folder.path());
            assert!(
                strays.iter().all(|name| name.starts_with("state.db")),
                "{strays:?}"
            );
        }
    }
}
