//! Places of each engine: made, filled and read by the engine's own client.

use super::judge::{Cell, Json, Kind, hex};
use super::{RECORDS_MIN, Table, mariadb, postgres, sqlite, text};
use crate::support::{self, Dice};
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use trueup_testkit::servers;

/// Who keeps the tables. A new engine is a variant here, and the four functions that match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    Mariadb,
    Sqlite,
    /// SQLite with `STRICT` tables.
    Strict,
    Csv,
    Jsonl,
}

impl Engine {
    /// One table for each type.
    pub(super) fn tables(self, dice: &mut Dice) -> Vec<Table> {
        let mut make = Maker {
            dice,
            tables: Vec::new(),
        };
        match self {
            Self::Postgres => postgres::tables(&mut make),
            Self::Mariadb => mariadb::tables(&mut make),
            Self::Sqlite => sqlite::tables(&mut make),
            Self::Strict => sqlite::strict(&mut make),
            Self::Csv => text::csv(&mut make),
            Self::Jsonl => text::jsonl(&mut make),
        }
        make.filled(self)
    }
}

type Generator = Box<dyn Fn(&mut Dice) -> String>;

/// Collects tables.
pub(super) struct Maker<'a> {
    dice: &'a mut Dice,
    tables: Vec<(Table, Generator)>,
}

impl Maker<'_> {
    /// Adds a table of one type: NULL, the values at its borders, and generated ones.
    pub(super) fn table<S: AsRef<str>>(
        &mut self,
        declared: &str,
        kind: Kind,
        borders: &[S],
        more: impl Fn(&mut Dice) -> String + 'static,
    ) {
        let table = Table {
            name: format!("t{:02}", self.tables.len()),
            declared: declared.to_owned(),
            kind,
            values: borders
                .iter()
                .map(|value| value.as_ref().to_owned())
                .collect(),
            borders: borders.len(),
        };
        self.tables.push((table, Box::new(more)));
    }

    fn filled(self, engine: Engine) -> Vec<Table> {
        let share = RECORDS_MIN / self.tables.len() + 1;
        let fill = |(mut table, more): (Table, Generator)| {
            let missing = share.saturating_sub(table.values.len());
            let more: Vec<String> = (0..missing).map(|_| more(self.dice)).collect();
            if engine == Engine::Postgres {
                let literal = |text: &String| postgres::quote(text);
                table.values = table.values.iter().chain(&more).map(literal).collect();
            } else {
                table.values.extend(more);
            }
            table.values.push(
                if engine == Engine::Csv {
                    ""
                } else if engine == Engine::Jsonl {
                    "null"
                } else {
                    "NULL"
                }
                .to_owned(),
            );
            table
        };
        self.tables.into_iter().map(fill).collect()
    }
}

enum Held {
    Postgres(servers::postgres::Database),
    Mariadb(servers::mariadb::Database),
    Sqlite(PathBuf),
    Csv(PathBuf),
    Jsonl(PathBuf),
}

/// A place of one engine.
pub(super) struct Place {
    engine: Engine,
    held: Held,
}

/// The records of a table by their numbers.
pub(super) type Records = BTreeMap<usize, Cell>;

impl Place {
    pub(super) fn new(engine: Engine, folder: &Path, name: &str) -> Self {
        let held = match engine {
            Engine::Postgres => Held::Postgres(support::database()),
            Engine::Mariadb => Held::Mariadb(support::mariadb()),
            Engine::Sqlite | Engine::Strict => Held::Sqlite(folder.join(format!("{name}.db"))),
            Engine::Csv | Engine::Jsonl => {
                let folder = folder.join(name);
                fs::create_dir_all(&folder).unwrap();
                if engine == Engine::Csv {
                    Held::Csv(folder)
                } else {
                    Held::Jsonl(folder)
                }
            }
        };
        Self { engine, held }
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    pub(super) fn url(&self) -> String {
        match &self.held {
            Held::Postgres(database) => database.url(),
            Held::Mariadb(database) => database.url(),
            Held::Sqlite(file) => format!("sqlite:{}", file.display()),
            Held::Csv(folder) => format!("csv:{}", folder.display()),
            Held::Jsonl(folder) => format!("jsonl:{}", folder.display()),
        }
    }

    /// Makes the tables, with nothing in them; in a folder there is nothing to make.
    pub(super) fn shape(&self, tables: &[Table]) {
        self.run(&self.statements(tables));
    }

    /// Makes the tables and writes every value.
    pub(super) fn fill(&self, tables: &[Table]) {
        for table in tables {
            let lines = table.values.iter().enumerate();
            let (path, lines) = match &self.held {
                Held::Csv(folder) => {
                    let lines = lines.map(|(id, value)| format!("{id},{value}\n"));
                    (
                        folder.join(format!("{}.csv", table.name)),
                        lines.collect::<String>(),
                    )
                }
                Held::Jsonl(folder) => {
                    let lines =
                        lines.map(|(id, value)| format!("{{\"id\": {id}, \"v\": {value}}}\n"));
                    (
                        folder.join(format!("{}.jsonl", table.name)),
                        lines.collect::<String>(),
                    )
                }
                _ => continue,
            };
            let head = if self.engine == Engine::Csv {
                "id,v\n"
            } else {
                ""
            };
            fs::write(path, format!("{head}{lines}")).unwrap();
        }
        let mut sql = self.statements(tables);
        for table in tables {
            let rows = table.values.iter().enumerate();
            let rows: Vec<String> = rows.map(|(id, value)| format!("({id}, {value})")).collect();
            for rows in rows.chunks(500) {
                writeln!(
                    sql,
                    "INSERT INTO {} VALUES {};",
                    table.name,
                    rows.join(",\n")
                )
                .unwrap();
            }
        }
        self.run(&sql);
    }

    fn statements(&self, tables: &[Table]) -> String {
        let (head, key, tail) = match self.engine {
            Engine::Postgres => (postgres::BEFORE, "bigint", ""),
            // Values that a strict server refuses can stand there all the same.
            Engine::Mariadb => ("SET sql_mode = ''", "bigint", ""),
            Engine::Sqlite => ("BEGIN", "INTEGER", ""),
            Engine::Strict => ("BEGIN", "INTEGER", " STRICT"),
            Engine::Csv | Engine::Jsonl => return String::new(),
        };
        let mut sql = format!("{head};\n");
        for table in tables {
            let (name, declared) = (&table.name, &table.declared);
            writeln!(
                sql,
                "CREATE TABLE {name} (id {key} PRIMARY KEY NOT NULL, v {declared}){tail};"
            )
            .unwrap();
        }
        sql
    }

    fn run(&self, sql: &str) {
        match &self.held {
            Held::Postgres(database) => drop(database.sql(sql).expect("the values are valid")),
            Held::Mariadb(database) => drop(database.sql(sql).expect("the values are valid")),
            Held::Sqlite(file) => support::sqlite(file, &format!("{sql}COMMIT")),
            Held::Csv(_) | Held::Jsonl(_) => {}
        }
    }

    /// Reads all tables by the engine's own client.
    pub(super) fn read(&self, tables: &[Table]) -> BTreeMap<String, Records> {
        match &self.held {
            Held::Postgres(database) => read_postgres(database, tables),
            Held::Mariadb(database) => read_mariadb(database, tables),
            Held::Sqlite(file) => read_sqlite(file, tables),
            Held::Csv(folder) => read_files(folder, "csv", tables, csv),
            Held::Jsonl(folder) => read_files(folder, "jsonl", tables, jsonl),
        }
    }
}

fn read_postgres(
    database: &servers::postgres::Database,
    tables: &[Table],
) -> BTreeMap<String, Records> {
    let mut sql = "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; SET lc_monetary = 'C';\n".to_owned();
    for Table { name, .. } in tables {
        writeln!(sql, "COPY (SELECT '{name}', id, encode(convert_to(v::text, 'UTF8'), 'hex') FROM {name}) TO STDOUT;").unwrap();
    }
    let printed = database.sql(&sql).expect("the tables can be read");
    printed_in_hex(&printed, "\\N", |_| false)
}

fn read_mariadb(
    database: &servers::mariadb::Database,
    tables: &[Table],
) -> BTreeMap<String, Records> {
    let mut sql = String::new();
    for table in tables {
        let value = match table.kind {
            Kind::Bytes => "v",
            // What is printed is not what is stored (trap 30).
            Kind::Float | Kind::Narrow => "CAST(CAST(v AS DOUBLE) AS CHAR CHARACTER SET utf8mb4)",
            Kind::Number if table.declared.starts_with("bit") => {
                "CAST(CAST(v AS UNSIGNED) AS CHAR CHARACTER SET utf8mb4)"
            }
            _ => "CAST(v AS CHAR CHARACTER SET utf8mb4)",
        };
        writeln!(sql, "SELECT '{0}', id, HEX({value}) FROM {0};", table.name).unwrap();
    }
    let printed = database.sql(&sql).expect("the tables can be read");
    printed_in_hex(&printed, "NULL", |name| {
        tables
            .iter()
            .any(|table| table.name == name && table.kind == Kind::Bytes)
    })
}

/// Reads lines of table, number and value in hexadecimal.
fn printed_in_hex(
    printed: &str,
    null: &str,
    is_bytes: impl Fn(&str) -> bool,
) -> BTreeMap<String, Records> {
    let mut found: BTreeMap<String, Records> = BTreeMap::new();
    for line in printed.lines() {
        let mut parts = line.split('\t');
        let mut part = || parts.next().unwrap_or_default();
        let (name, id, value) = (part(), part(), part());
        let cell = match (value == null, is_bytes(name)) {
            (true, _) => Cell::Null,
            (false, true) => Cell::Bytes(from_hex(value)),
            (false, false) => Cell::Text(from_hex(value)),
        };
        found
            .entry(name.to_owned())
            .or_default()
            .insert(id.parse().unwrap(), cell);
    }
    found
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

fn read_sqlite(file: &Path, tables: &[Table]) -> BTreeMap<String, Records> {
    let database = rusqlite::Connection::open(file).unwrap();
    let mut found = BTreeMap::new();
    for table in tables {
        let mut rows = database
            .prepare(&format!("SELECT id, v FROM {}", table.name))
            .unwrap();
        let mut rows = rows.query([]).unwrap();
        let mut records = Records::new();
        while let Some(row) = rows.next().unwrap() {
            let cell = match row.get_ref(1).unwrap() {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Number(number.to_string()),
                ValueRef::Real(number) => Cell::Number(format!("{number:?}")),
                ValueRef::Text(text) => Cell::Text(text.to_vec()),
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            };
            let id: i64 = row.get(0).unwrap();
            records.insert(usize::try_from(id).unwrap(), cell);
        }
        found.insert(table.name.clone(), records);
    }
    found
}

fn read_files(
    folder: &Path,
    ending: &str,
    tables: &[Table],
    read: fn(&str) -> Records,
) -> BTreeMap<String, Records> {
    let records = |table: &Table| {
        let path = folder.join(format!("{}.{ending}", table.name));
        let content = fs::read_to_string(path).expect("the file was written");
        (table.name.clone(), read(&content))
    };
    tables.iter().map(records).collect()
}

/// Reads the fields of CSV; one without quotes that is empty is nothing.
fn csv(content: &str) -> Records {
    let mut fields: Vec<Option<String>> = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let field = if rest.starts_with('"') {
            let mut text = String::new();
            loop {
                let (part, after) = rest[1..].split_once('"').expect("a quote is closed");
                text.push_str(part);
                rest = after;
                if !rest.starts_with('"') {
                    break;
                }
                text.push('"');
            }
            Some(text)
        } else {
            let end = rest.find([',', '\n']).expect("the last line ends");
            let (text, after) = rest.split_at(end);
            rest = after;
            Some(text.to_owned()).filter(|text| !text.is_empty())
        };
        fields.push(field);
        rest = &rest[1..];
    }
    let record = |pair: &[Option<String>]| {
        let id = pair[0].as_ref().unwrap().parse().unwrap();
        (
            id,
            pair[1]
                .as_ref()
                .map_or(Cell::Null, |text| Cell::Text(text.as_bytes().to_vec())),
        )
    };
    fields[2..].chunks(2).map(record).collect()
}

fn jsonl(content: &str) -> Records {
    let mut records = Records::new();
    for line in content.lines() {
        let Some(Json::Object(members)) = Json::read(line) else {
            panic!("not an object: {}", hex(line.as_bytes()));
        };
        let find = |name: &str| members.iter().find(|member| member.0 == name);
        let Some((_, Json::Number(id))) = find("id") else {
            panic!("a line without id: {line}");
        };
        let cell = match find("v") {
            None => Cell::Null,
            Some((_, Json::Word(word))) if word == "null" => Cell::Null,
            Some((_, tree)) => Cell::Json(tree.clone()),
        };
        records.insert(id.parse().unwrap(), cell);
    }
    records
}
