//! The case files in `cases/reconcile`: each block is a sentence, what was given, and what was decided.
//!
//! `TRUEUP_UPDATE_CASES=1 cargo test -p trueup-core` rewrites what stands below each `=>`. Fields are called a, b, c; a record
//! is its values in that order; `_` is a value that did not travel; `x / y` is a base that each side spells its own way.
#![expect(
    clippy::disallowed_methods,
    reason = "case files are read and rewritten here"
)]

use super::world::{Look, Memory, Rec, Val, World};
use crate::observation::{Observation, Stamp, Total};
use crate::policy::{Answer, Answers, OnDelete, Policy, Rules, StampFrom};
use crate::reconcile::{BaseMove, Content, Decision, Wait, Write};
use crate::side::{Side, Sides};
use crate::value::Value;
use std::fmt::Write as _;
use std::path::Path;

const CASES_MIN: usize = 60;

#[test]
fn case_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/reconcile");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let update = std::env::var_os("TRUEUP_UPDATE_CASES").is_some();
    let (mut cases, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let blocks: Vec<String> = text.trim_end().split("\n\n").map(rerun).collect();
        cases += blocks
            .iter()
            .filter(|block| block.contains("\n=>\n"))
            .count();
        let now = blocks.join("\n\n") + "\n";
        if now != text && update {
            std::fs::write(&file, &now).unwrap();
        }
        let old: Vec<_> = text.trim_end().split("\n\n").collect();
        for (old, now) in old.iter().zip(&blocks).filter(|(old, now)| *old != now) {
            wrong.push(format!(
                "--- {}\n{old}\n--- is now\n{now}\n",
                file.display()
            ));
        }
    }
    assert!(update || wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= CASES_MIN, "only {cases} cases");
}

/// One block with its expectation made anew; text without `=>` stays.
fn rerun(block: &str) -> String {
    let Some((given, _)) = block.split_once("\n=>") else {
        return block.to_owned();
    };
    let case = Case::parse(given);
    let mut out = format!("{given}\n=>\n");
    let fields: Vec<_> = case.answers.iter().map(|(f, a)| (*f, a.view())).collect();
    let answers = Answers {
        record: case.answer,
        fields: &fields,
    };
    case.world.decide(&case.rules, &answers, |decision, seen| {
        print(decision, seen, case.width, &mut out);
        let next = case.world.after(decision, seen, &Side::BOTH, decision.base);
        if decision.wait.is_none() {
            out.push_str(&match (decision.base, &next.base) {
                (BaseMove::Keep, _) => "base    stays\n".into(),
                (_, Memory::Present(recs)) if recs.source == recs.target => {
                    format!("base    {}\n", show(&recs.source))
                }
                (_, Memory::Present(recs)) => {
                    format!("base    {} / {}\n", show(&recs.source), show(&recs.target))
                }
                (_, other) => format!("base    {}\n", format!("{other:?}").to_lowercase()),
            });
        }
    });
    out.trim_end().to_owned()
}

fn print(decision: &Decision<'_>, seen: &Sides<Observation<'_>>, width: usize, out: &mut String) {
    if let Some(wait) = decision.wait {
        let (verb, side) = match wait {
            Wait::Unknown(side) => ("unknown", side),
            Wait::Read(side) => ("read", side),
        };
        return writeln!(out, "wait    {verb} {side}").unwrap();
    }
    for side in Side::BOTH {
        let verb = match decision.write[side] {
            Write::Nothing => continue,
            Write::Delete => {
                writeln!(out, "{side}  delete").unwrap();
                continue;
            }
            Write::Insert => "insert",
            Write::Update => "update",
        };
        let values = (0..width).map(|f| show_value(decision.value(side, f, seen).unwrap()));
        writeln!(
            out,
            "{side}  {verb} {}",
            values.collect::<Vec<_>>().join(" ")
        )
        .unwrap();
    }
    if decision.write == Sides::default() {
        assert_eq!(decision.content, Content::Nothing);
        out.push_str("write   nothing\n");
    }
    if let Some(side) = decision.copy {
        writeln!(out, "copy    {side}").unwrap();
    }
    for (field, totals) in &decision.totals {
        let total = |total: Total| format!("{}+{}", total.initial, total.applied);
        let (source, target) = (total(totals.source), total(totals.target));
        writeln!(out, "total   {} {source} / {target}", letter(*field)).unwrap();
    }
    if decision.two_step() {
        out.push_str("steps   2\n");
    }
    if let Some(ruling) = &decision.conflict {
        write!(out, "conflict {} -> {}:", ruling.kind, ruling.resolution).unwrap();
        for field in &ruling.fields {
            let by = field.policy.map_or("on_delete", Policy::name);
            write!(out, " {}={}({by})", letter(field.field), field.resolution).unwrap();
        }
        out.push('\n');
    }
}

fn letter(field: usize) -> char {
    char::from(b'a' + u8::try_from(field).unwrap())
}

fn show(rec: &Rec) -> String {
    rec.iter()
        .map(|val| show_value(val.view()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn show_value(value: Value<'_>) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Unchanged => "_".into(),
        Value::Int(v) => v.to_string(),
        Value::Decimal(v) | Value::Text(v) | Value::Json(v) => v.into(),
        other => panic!("{}", other.class()),
    }
}

fn value(word: &str) -> Val {
    match word {
        "null" => Val::Null,
        "_" => Val::Unchanged,
        _ if word.parse::<i64>().is_ok() => Val::Int(word.parse().unwrap()),
        _ if word.starts_with(['[', '{']) => Val::Json(word.into()),
        _ if word.parse::<f64>().is_ok() => Val::Decimal(word.into()),
        _ => Val::Text(word.into()),
    }
}

fn rec(words: &str) -> Rec {
    words.split_whitespace().map(value).collect()
}

enum OwnAnswer {
    Side(Side),
    Value(Val),
}

impl OwnAnswer {
    fn view(&self) -> Answer<'_> {
        match self {
            Self::Side(side) => Answer::Side(*side),
            Self::Value(val) => Answer::Value(val.view()),
        }
    }
}

struct Case {
    world: World,
    rules: Rules,
    width: usize,
    answer: Option<Side>,
    answers: Vec<(usize, OwnAnswer)>,
}

fn side(word: &str) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| side.name() == word)
}

fn field(word: &str) -> usize {
    usize::from(word.as_bytes()[0] - b'a')
}

fn look(rest: &str) -> Look {
    match rest {
        "unknown" => Look::Unknown,
        "absent" => Look::Absent,
        "unread" => Look::Unread,
        _ => Look::Is(rec(rest)),
    }
}

impl Case {
    fn parse(given: &str) -> Self {
        let mut world = World::new(Memory::Unknown, Look::Absent, Look::Absent);
        let (mut policy, mut fields, mut on_delete) = (Policy::Manual, vec![], OnDelete::Keep);
        let (mut stamp, mut answer, mut answers) = (None, None, vec![]);
        for line in given.lines().filter(|line| !line.starts_with('#')) {
            let (verb, rest) = line.split_once(' ').unwrap();
            let rest = rest.trim();
            let words: Vec<_> = rest.split_whitespace().collect();
            match verb {
                "base" => {
                    world.base = match rest {
                        "unknown" => Memory::Unknown,
                        "absent" => Memory::Absent,
                        _ => {
                            let (a, b) = rest.split_once(" / ").unwrap_or((rest, rest));
                            Memory::Present(Sides::new(rec(a), rec(b)))
                        }
                    }
                }
                "source" | "target" => world.look[side(verb).unwrap()] = look(rest),
                "policy" => policy = rest.parse().unwrap(),
                "field" => fields.push((field(words[0]), words[1].parse().unwrap())),
                "on_delete" => on_delete = rest.parse().unwrap(),
                "stamp" if rest == "endpoint" => stamp = Some(StampFrom::Endpoint),
                "stamp" => stamp = Some(StampFrom::Field(field(rest))),
                "stamps" => {
                    let stamp =
                        |word: &str| word.parse().ok().map(|time| Stamp { time, writer: 0 });
                    world.stamp = Sides::new(stamp(words[0]), stamp(words[1]));
                }
                "total" => {
                    let total = Total {
                        initial: words[2].parse().unwrap(),
                        applied: words[3].parse().unwrap(),
                    };
                    world.totals[side(words[0]).unwrap()].push((field(words[1]), total));
                }
                "answer" if words[0] == "record" => answer = side(words[1]),
                "answer" => answers.push((
                    field(words[0]),
                    side(words[1])
                        .map_or_else(|| OwnAnswer::Value(value(words[1])), OwnAnswer::Side),
                )),
                other => panic!("no such line: {other}"),
            }
        }
        let recs = Side::BOTH
            .into_iter()
            .filter_map(|side| world.rec(side).map(Vec::len));
        let of_base = match &world.base {
            Memory::Present(recs) => recs.source.len(),
            _ => 1,
        };
        let width = recs.max().unwrap_or(of_base);
        let rules = Rules::new(width, policy, &fields, on_delete, stamp).unwrap();
        Self {
            world,
            rules,
            width,
            answer,
            answers,
        }
    }
}
