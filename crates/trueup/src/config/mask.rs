//! Takes the secrets out of a configuration file's text, so that its lines can be shown.
//!
//! Works on the text and not on what was read from it: a file with a mistake may not read at all, and the mistake may
//! be in the very name `password`. Invariant: what stands where a password could stand is hidden, unless it only says
//! where the password is (`env:`, `file:`, `${NAME}`). It hides too much rather than too little: outside the tables of
//! links, every value but an address and a path is a secret.

use std::iter;
use std::ops::Range;

/// Stands for a secret.
const HIDDEN: &str = "***";
/// Keys whose values are shown in any table: addresses and paths. Passwords inside of them are hidden all the same.
const SHOWN: [&str; 2] = ["url", "state"];
/// What is in the name of a key that holds a secret.
const SECRET: &str = "pass";

/// A text without its secrets, and where everything went.
#[derive(Debug)]
pub(super) struct Masked {
    /// The text.
    pub(super) text: String,
    /// What was hidden, as places of the original, in order and apart from each other.
    hidden: Vec<Range<usize>>,
}

impl Masked {
    /// Returns where `span` of the original is now. Always a span of the text, at the borders of characters.
    pub(super) fn span(&self, span: &Range<usize>) -> Range<usize> {
        let start = floor(&self.text, self.place(span.start, 0));
        let end = floor(&self.text, self.place(span.end, HIDDEN.len()));
        start..end.max(start)
    }

    /// Where the byte `at` went; `inside` says how far into the stars a place goes that is hidden.
    fn place(&self, at: usize, inside: usize) -> usize {
        let (mut removed, mut added) = (0, 0);
        for hidden in &self.hidden {
            if at <= hidden.start {
                break;
            }
            if at < hidden.end {
                return hidden.start - removed + added + inside;
            }
            removed += hidden.len();
            added += HIDDEN.len();
        }
        at - removed + added
    }
}

/// The last border of a character that is not after `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Hides the secrets of `text`.
pub(super) fn mask(text: &str) -> Masked {
    let mut hidden = Vec::new();
    let mut place = Place::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let mut found = place.secrets(body);
        found.extend(in_addresses(body));
        hidden.extend(
            found
                .into_iter()
                .map(|one| start + one.start..start + one.end),
        );
        start += line.len();
    }
    let hidden = apart(hidden);
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for one in &hidden {
        masked.push_str(&text[done..one.start]);
        masked.push_str(HIDDEN);
        done = one.end;
    }
    masked.push_str(&text[done..]);
    Masked {
        text: masked,
        hidden,
    }
}

/// Sorts ranges, and joins those that touch.
fn apart(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|one| !one.is_empty());
    ranges.sort_by_key(|one| (one.start, one.end));
    let mut joined: Vec<Range<usize>> = Vec::new();
    for one in ranges {
        match joined.last_mut() {
            Some(last) if one.start <= last.end => last.end = last.end.max(one.end),
            Some(_) | None => joined.push(one),
        }
    }
    joined
}

/// Where in the file a line is.
#[derive(Debug, Default)]
struct Place {
    /// In the table of a link.
    link: bool,
    /// In a secret of several lines, which ends with this.
    inside: Option<&'static str>,
}

impl Place {
    /// Finds the secrets of a line, but for those in addresses.
    fn secrets(&mut self, line: &str) -> Vec<Range<usize>> {
        if let Some(end) = self.inside {
            if line.contains(end) {
                self.inside = None;
            }
            // What follows the end on the same line is hidden too.
            return iter::once(0..line.len()).collect();
        }
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(header) = trimmed.strip_prefix('[')
            && !line.contains('=')
        {
            // A line of a list begins with a bracket too; it is no table's name.
            if header.contains(']') {
                self.link = header
                    .trim_start_matches(['[', ' ', '"', '\''])
                    .starts_with("link");
            }
            return Vec::new();
        }
        let pairs = Pairs { line, at: 0 };
        let mut found = Vec::new();
        let mut any = false;
        for pair in pairs {
            any = true;
            if self.is_secret(pair.key) {
                found.push(self.value(line, pair.value));
            } else if !self.link {
                found.extend(after_scheme(line, pair.value));
            }
        }
        // What continues a value, or is none, or a comment.
        let comment = self.link || trimmed.is_empty();
        if !any && !comment {
            found.push(indent..line.len());
        }
        if any
            && !self.link
            && let Some(at) = comment_of(line)
        {
            found.push(at + 1..line.len());
        }
        found
    }

    fn is_secret(&self, key: &str) -> bool {
        let last = key.rsplit('.').next().unwrap_or(key);
        let last = last.trim().trim_matches(['"', '\'']);
        if last.to_ascii_lowercase().contains(SECRET) {
            return true;
        }
        !(self.link || SHOWN.contains(&last) || key.trim_start().starts_with("link"))
    }

    /// Finds what is secret of the value that begins at `at`.
    fn value(&mut self, line: &str, at: usize) -> Range<usize> {
        let rest = &line[at..];
        let start = at + rest.len() - rest.trim_start().len();
        let value = &line[start..];
        for (quote, long) in [('"', "\"\"\""), ('\'', "'''")] {
            if let Some(content) = value.strip_prefix(long) {
                let Some(end) = content.find(long) else {
                    self.inside = Some(long);
                    return start..line.len();
                };
                return start + 3..start + 3 + end;
            }
            if let Some(content) = value.strip_prefix(quote) {
                if says_where(content) {
                    return 0..0;
                }
                let closed = content.find(quote).filter(|&end| {
                    let after = content[end + 1..].trim_start();
                    after.is_empty() || after.starts_with([',', '}', ']', '#'])
                });
                let end = closed.map_or(line.len(), |end| start + 1 + end);
                return start + 1..end;
            }
        }
        // What is in a table is looked at by itself.
        if value.starts_with('{') || says_where(value) {
            return 0..0;
        }
        start..line.len()
    }
}

/// Tells whether a password only says where it is.
fn says_where(content: &str) -> bool {
    content.starts_with("env:") || content.starts_with("file:") || is_variable(content)
}

/// Tells whether a text begins with a variable that has no default, and ends after it.
fn is_variable(content: &str) -> bool {
    let name = content
        .strip_prefix("${")
        .and_then(|rest| rest.split_once('}'));
    name.is_some_and(|(name, rest)| {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        plain && (rest.is_empty() || rest.starts_with(['"', '\'', '&', '@']))
    })
}

/// Where the comment of a line begins. In a line of broken quotes, nowhere: its values are hidden to the end.
fn comment_of(line: &str) -> Option<usize> {
    let mut quote = None;
    for (at, ch) in line.char_indices() {
        match (quote, ch) {
            (None, '#') => return Some(at),
            (None, '"' | '\'') => quote = Some(ch),
            (Some(open), _) if ch == open => quote = None,
            (_, _) => {}
        }
    }
    None
}

/// The keys of a line with what follows each equals sign; also those in comments and in texts, which is too much and not
/// too little.
struct Pairs<'a> {
    line: &'a str,
    at: usize,
}

struct Pair<'a> {
    key: &'a str,
    /// Where the value begins.
    value: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let equals = self.at + self.line[self.at..].find('=')?;
        let before = &self.line[self.at..equals];
        let key = before
            .rfind(['{', ',', '#', '&', '?', '='])
            .map_or(before, |sign| &before[sign + 1..]);
        self.at = equals + 1;
        Some(Pair {
            key,
            value: self.at,
        })
    }
}

/// Finds what could be a password in an address of a line: all from the first colon that begins no host, to the last `@`.
fn in_addresses(line: &str) -> Option<Range<usize>> {
    let end = line.rfind('@')?;
    let mut colons = line[..end].match_indices(':').map(|(at, _)| at + 1);
    let colon = colons.find(|&at| !line[at..].starts_with("//"));
    let start = colon.or_else(|| after_name(line, end))?;
    (!is_variable(&line[start..])).then_some(start..end)
}

/// Where a user's name is over, in an address whose colon is missing: after the first sign that belongs to none.
fn after_name(line: &str, end: usize) -> Option<usize> {
    let start = line[..end].find("//")? + "//".len();
    let plain = |ch: char| ch.is_ascii_alphanumeric() || "-_.%~+${}".contains(ch);
    line[start..end].find(|ch| !plain(ch)).map(|at| start + at)
}

/// Finds what could be a password in an address whose `@` is missing: all after a colon that is neither the scheme's nor
/// begins a port, a variable's default, or the place of a secret.
fn after_scheme(line: &str, at: usize) -> Option<Range<usize>> {
    if line.contains('@') {
        return None;
    }
    let value = line[at..].trim_start_matches([' ', '\t', '"', '\'']);
    let at = line.len() - value.len();
    let scheme = value
        .find(|ch: char| !ch.is_ascii_alphanumeric())
        .filter(|&end| value[end..].starts_with(':'));
    let mut colons = value.match_indices(':').map(|(colon, _)| colon);
    let start = colons.find(|&colon| {
        let rest = &value[colon + 1..];
        let end = rest.find(['/', '?', '"', '\'', ' ']).unwrap_or(rest.len());
        let port = rest[..end].bytes().all(|b| b.is_ascii_digit());
        let before = &value[..colon];
        let says = ["=env", "=file"].iter().any(|end| before.ends_with(end));
        let replaced = before.starts_with("${") && before.ends_with('}');
        !(Some(colon) == scheme || port || says || replaced || rest.starts_with('-'))
    });
    let start = at + start? + 1;
    (!is_variable(&line[start..])).then_some(start..line.len())
}

#[cfg(test)]
mod tests;
