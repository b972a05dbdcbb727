//! What a statement in the log does to the followed tables.
//!
//! Invariant: no statement is taken for harmless that changes records without events of their own. It deliberately does
//! not understand SQL: it finds out which tables a statement is about where that is easy, and says so where it is not.

/// A table's name as a statement has it, with its database where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) database: Option<String>,
    pub(super) table: String,
}

/// What a statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// Says nothing about records: a transaction's beginning, a user's rights.
    Nothing,
    /// The group ends, and counts.
    Commit,
    /// The group ends, and nothing in it counts.
    Rollback,
    /// All records of a table are gone.
    Truncate(Name),
    /// These tables have, or may have, another shape or other records.
    Shape(Vec<Name>),
    /// As [`Statement::Shape`], and when the shapes are as before, nothing has happened to the records.
    Mild(Vec<Name>),
    /// A whole database is gone.
    Database(String),
    /// It may be about any table that it names.
    Unread,
    /// Changes records, and says so by this statement only.
    Data,
}

impl Statement {
    /// Reads the beginning of a statement.
    pub(super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut words = Words {
            rest: behind_settings(&tokens),
        };
        let Some(first) = words.word() else {
            return Self::Nothing;
        };
        match first.as_str() {
            "COMMIT" => Self::Commit,
            "ROLLBACK" if words.skip(&["TO"]) => Self::Nothing,
            "ROLLBACK" => Self::Rollback,
            // What was prepared is refused before; this says of nothing else what became of it.
            "XA" if words.skip(&["COMMIT"]) || words.skip(&["ROLLBACK"]) => Self::Commit,
            "TRUNCATE" => {
                words.skip(&["TABLE"]);
                words.name().map_or(Self::Unread, Self::Truncate)
            }
            "ALTER" => words.alter(),
            "CREATE" => words.create(),
            "DROP" => words.drop(),
            "RENAME" if words.skip(&["TABLE"]) || words.skip(&["TABLES"]) => Self::Unread,
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "WITH" | "CALL" | "DO"
            | "SELECT" | "HANDLER" | "EXECUTE" | "VALUES" | "MERGE" => Self::Data,
            "BEGIN" | "START" | "SAVEPOINT" | "RELEASE" | "XA" | "SET" | "GRANT" | "REVOKE"
            | "FLUSH" | "ANALYZE" | "OPTIMIZE" | "REPAIR" | "CHECK" | "RENAME" | "INSTALL"
            | "UNINSTALL" | "COMMENT" | "USE" => Self::Nothing,
            _ => Self::Unread,
        }
    }
}

/// Tells whether a text names something, alone or among other words, however it is quoted.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase().replace('`', "``"));
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
    let mut found = text.match_indices(&name);
    found.any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text
            .get(at + name.len()..)
            .and_then(|text| text.chars().next());
        !inside(before) && !inside(after)
    })
}

/// What a statement does that begins with settings for itself alone (`SET STATEMENT .. FOR ..`).
fn behind_settings(tokens: &[Token]) -> &[Token] {
    let is = |token: &Token, word: &str| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word));
    match tokens {
        [set, statement, rest @ ..] if is(set, "SET") && is(statement, "STATEMENT") => {
            let behind = rest.iter().position(|token| is(token, "FOR"));
            behind.map_or(rest, |at| rest.get(at + 1..).unwrap_or_default())
        }
        all => all,
    }
}

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Anything that looks like a word or a number.
    Word(String),
    /// A name in quotes.
    Quoted(String),
    Sign(char),
}

/// How many pieces are looked at: what a statement is about stands at its beginning.
const TOKENS_MAX: usize = 4_096;

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while tokens.len() < TOKENS_MAX {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            break;
        };
        let after = |count: usize| rest.get(count..).unwrap_or_default();
        if first == '#' || rest.starts_with("--") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("/*!") || rest.starts_with("/*M!") {
            // What stands in it is run by the server.
            let inner = after(2).trim_start_matches(['M', '!']);
            rest = inner.trim_start_matches(|c: char| c.is_ascii_digit());
        } else if rest.starts_with("*/") {
            rest = after(2);
        } else if rest.starts_with("/*") {
            rest = after(2).split_once("*/").map_or("", |(_, rest)| rest);
        } else if matches!(first, '`' | '"' | '\'') {
            let (name, behind) = quoted(after(1), first);
            tokens.push(Token::Quoted(name));
            rest = behind;
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest.get(..end).unwrap_or_default().to_owned()));
            rest = after(end);
        } else {
            tokens.push(Token::Sign(first));
            rest = after(first.len_utf8());
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Reads up to the closing quote; one that is doubled stands for itself.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut name = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(quote) {
        name.push_str(before);
        match behind.strip_prefix(quote) {
            Some(behind) => {
                name.push(quote);
                rest = behind;
            }
            None => return (name, behind),
        }
    }
    name.push_str(rest);
    (name, "")
}

/// Words of an `ALTER TABLE` that say that records, or what they mean, may change without an event.
const GRAVE: [&str; 12] = [
    "PARTITION",
    "PARTITIONS",
    "PARTITIONING",
    "RENAME",
    "TABLESPACE",
    "MODIFY",
    "CHANGE",
    "CONVERT",
    "COLUMN",
    "EXCHANGE",
    "SYSTEM",
    "ALTER",
];

struct Words<'a> {
    rest: &'a [Token],
}

impl Words<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes a word, in capitals.
    fn word(&mut self) -> Option<String> {
        match self.next()? {
            Token::Word(word) => Some(word.to_uppercase()),
            Token::Quoted(_) | Token::Sign(_) => None,
        }
    }

    /// Takes these words if they come next.
    fn skip(&mut self, wanted: &[&str]) -> bool {
        let Some(ahead) = self.rest.get(..wanted.len()) else {
            return false;
        };
        let mut pairs = ahead.iter().zip(wanted);
        let same = pairs.all(|(token, wanted)| {
            matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))
        });
        if same {
            self.rest = self.rest.get(wanted.len()..).unwrap_or_default();
        }
        same
    }

    fn name(&mut self) -> Option<Name> {
        let mut part = || match self.next()? {
            Token::Word(name) | Token::Quoted(name) => Some(name.clone()),
            Token::Sign(_) => None,
        };
        let first = part()?;
        if self.rest.first() != Some(&Token::Sign('.')) {
            return Some(Name {
                database: None,
                table: first,
            });
        }
        self.next();
        let mut part = || match self.next()? {
            Token::Word(name) | Token::Quoted(name) => Some(name.clone()),
            Token::Sign(_) => None,
        };
        Some(Name {
            database: Some(first),
            table: part()?,
        })
    }

    /// Names with commas between them.
    fn names(&mut self) -> Option<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.rest.first() == Some(&Token::Sign(',')) {
            self.next();
            names.push(self.name()?);
        }
        Some(names)
    }

    fn says(&self, wanted: &[&str]) -> bool {
        let mut rest = self.rest.iter();
        rest.any(|token| match token {
            Token::Word(word) => wanted.iter().any(|grave| word.eq_ignore_ascii_case(grave)),
            Token::Quoted(_) | Token::Sign(_) => false,
        })
    }

    fn alter(&mut self) -> Statement {
        self.skip(&["ONLINE"]);
        self.skip(&["IGNORE"]);
        if !self.skip(&["TABLE"]) {
            return Statement::Nothing;
        }
        self.skip(&["IF", "EXISTS"]);
        let Some(name) = self.name() else {
            return Statement::Unread;
        };
        if self.says(&["RENAME", "EXCHANGE"]) {
            return Statement::Unread;
        }
        if self.says(&GRAVE) {
            return Statement::Shape(vec![name]);
        }
        Statement::Mild(vec![name])
    }

    fn create(&mut self) -> Statement {
        let anew = self.skip(&["OR", "REPLACE"]);
        if !self.skip(&["TABLE"]) {
            return Statement::Nothing;
        }
        let maybe = self.skip(&["IF", "NOT", "EXISTS"]);
        match self.name() {
            Some(name) if maybe && !anew => Statement::Mild(vec![name]),
            Some(name) => Statement::Shape(vec![name]),
            None => Statement::Unread,
        }
    }

    fn drop(&mut self) -> Statement {
        if self.skip(&["DATABASE"]) || self.skip(&["SCHEMA"]) {
            self.skip(&["IF", "EXISTS"]);
            let name = self.name();
            return name.map_or(Statement::Unread, |name| Statement::Database(name.table));
        }
        if !self.skip(&["TABLE"]) && !self.skip(&["TABLES"]) {
            return Statement::Nothing;
        }
        self.skip(&["IF", "EXISTS"]);
        self.names().map_or(Statement::Unread, Statement::Shape)
    }
}
