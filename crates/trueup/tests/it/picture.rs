//! The picture in the README: a real session, drawn.
//!
//! `TRUEUP_UPDATE_CASES=1 cargo test -p trueup --test it picture` draws it anew. It may differ from what the program prints
//! now in times and positions only.

use crate::cli::{edit, normal, shop};
use crate::support::{self, Trueup};
use std::fmt::Write as _;
use std::fs;

const PICTURE: &str = "docs/images/terminal.svg";
const KEYS: [&str; 4] = ["--key", "customers=id", "--key", "orders=id"];

/// How large a character is drawn.
const CHARACTER: (f32, f32) = (8.4, 19.0);
/// The space around the text.
const MARGIN: f32 = 20.0;
/// The place of the window's title.
const TITLE: f32 = 34.0;

/// The session, with its colours.
fn session() -> String {
    let folder = support::folder();
    let folder = folder.path();
    shop(folder);
    let run = |command: &str, options: &[&str], code| {
        let sides = ["csv:shop", "sqlite:shop.db"];
        let run = match command {
            "diff" => Trueup::new(folder).diff(sides),
            _ => Trueup::new(folder).sync(sides),
        };
        let run = run.arguments(options).arguments(KEYS);
        let quiet = run.arguments(["--quiet", "--color", "always"]);
        let output = quiet.run().expect(code);
        let options: Vec<&str> = options.iter().copied().chain(KEYS).collect();
        format!(
            "\u{1b}[36m$\u{1b}[0m trueup {command} csv:shop sqlite:shop.db {}\n{}\n",
            options.join(" "),
            output.stdout
        )
    };
    run("sync", &[], 0);
    let orders = folder.join("shop/orders.csv");
    edit(
        &orders,
        "1003,2,2024-03-02,Desk chair,1,189.00",
        "1003,2,2024-03-02,Desk chair,1,179.00",
    );
    edit(&orders, "1001,1,", "1901,1,");
    let diff = run("diff", &[], 1);
    let sync = run("sync", &["--delete"], 0);
    let same = run("diff", &[], 0);
    [diff, sync, same].concat().trim_end().to_owned()
}

/// Draws text with colours.
fn draw(session: &str) -> String {
    let lines: Vec<&str> = session.lines().collect();
    let columns = lines.iter().map(|line| plain(line).chars().count()).max();
    let width = columns.unwrap_or(0) as f32 * CHARACTER.0 + 2.0 * MARGIN;
    let height = TITLE + lines.len() as f32 * CHARACTER.1 + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" \
         aria-label=\"A terminal: trueup shows three differences, repairs them, and proves it\">\n\
         <style>text {{ font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d8dee9; \
         white-space: pre; }} .b {{ font-weight: bold; }} .c31 {{ fill: #ff7b72; }} .c32 {{ fill: #7ee787; }} \
         .c33 {{ fill: #e3b341; }} .c36 {{ fill: #79c0ff; }}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#161b22\"/>\n"
    );
    for (index, color) in ["#ff5f56", "#ffbd2e", "#27c93f"].into_iter().enumerate() {
        let x = MARGIN + index as f32 * 18.0;
        writeln!(
            out,
            "<circle cx=\"{x}\" cy=\"17\" r=\"5.5\" fill=\"{color}\"/>"
        )
        .unwrap();
    }
    for (index, line) in lines.iter().enumerate() {
        let y = TITLE + (index as f32 + 0.8) * CHARACTER.1;
        let spans = spans(line);
        writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"{y:.1}\" xml:space=\"preserve\">{spans}</text>"
        )
        .unwrap();
    }
    out.push_str("</svg>\n");
    out
}

/// A line as text and spans, one for each change of colour.
fn spans(line: &str) -> String {
    let mut out = String::new();
    let mut classes: Vec<String> = Vec::new();
    for (index, piece) in line.split("\u{1b}[").enumerate() {
        let mut text = piece;
        if index > 0 {
            let (code, rest) = piece.split_once('m').unwrap();
            match code {
                "0" => classes.clear(),
                "1" => classes.push("b".to_owned()),
                code => classes.push(format!("c{code}")),
            }
            text = rest;
        }
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        if text.is_empty() {
            continue;
        }
        if classes.is_empty() {
            out.push_str(&text);
        } else {
            write!(out, "<tspan class=\"{}\">{text}</tspan>", classes.join(" ")).unwrap();
        }
    }
    out
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    let rest = pieces.map(|piece| piece.split_once('m').unwrap().1);
    first + &rest.collect::<String>()
}

/// Reads the text of a drawing, a line for each of its lines.
fn text(picture: &str) -> String {
    let mut out = String::new();
    for line in picture.lines().filter(|line| line.starts_with("<text ")) {
        let mut inside = false;
        for ch in line.chars() {
            match ch {
                '<' => inside = true,
                '>' => inside = false,
                ch if !inside => out.push(ch),
                _ => {}
            }
        }
        out.push('\n');
    }
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[test]
fn the_picture_shows_what_the_program_prints() {
    let session = session();
    let path = support::root().join(PICTURE);
    if support::variable("TRUEUP_UPDATE_CASES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, draw(&session)).unwrap();
    }
    let drawn = text(&fs::read_to_string(&path).unwrap());
    let printed: String = session.lines().map(|line| plain(line) + "\n").collect();
    assert_eq!(normal(&drawn), normal(&printed), "{PICTURE} is out of date");
}

#[test]
fn what_is_drawn_is_what_was_printed() {
    let session = "a \u{1b}[1m\u{1b}[32mb<c>\u{1b}[0m  d & e\n\n\u{1b}[36m$\u{1b}[0m x -> y";
    let picture = draw(session);
    assert!(
        picture.contains("<tspan class=\"b c32\">b&lt;c&gt;</tspan>  d &amp; e"),
        "{picture}"
    );
    assert_eq!(text(&picture), "a b<c>  d & e\n\n$ x -> y\n");
}
