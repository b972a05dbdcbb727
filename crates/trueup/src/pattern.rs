//! Patterns for names of collections: `*` stands for any letters, also none, and `?` for one.
//!
//! Invariant: a pattern is held against the whole name, letter by letter, and case counts. Pure text: which names there
//! are is asked elsewhere. There are no classes and no escapes; `?` stands for a sign that a name itself has.

/// What a text among collections means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    /// The collection of this name.
    Name(&'a str),
    /// The collections that match this.
    Pattern(&'a str),
    /// The collections of this name, or that match this, are left out.
    Exclusion(&'a str),
}

impl<'a> Word<'a> {
    /// Reads a text that stands alone; after an exclusion's sign may be nothing.
    pub(crate) fn read(text: &'a str) -> Self {
        match text.strip_prefix('!') {
            Some(rest) => Self::Exclusion(rest),
            None if is_pattern(text) => Self::Pattern(text),
            None => Self::Name(text),
        }
    }
}

/// The pattern that every name matches.
pub(crate) const ALL: &str = "*";

/// Tells whether a text has a sign that stands for others.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Tells whether `name` matches.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    distance(pattern, name) == 0
}

/// Returns how many letters must be changed, put in or taken out for `name` to match; 0 when it does.
pub(crate) fn distance(pattern: &str, name: &str) -> usize {
    let name: Vec<char> = name.chars().collect();
    // What it takes for the pattern read so far to match the first letters: none, one, two...
    let mut above: Vec<usize> = (0..=name.len()).collect();
    for sign in pattern.chars() {
        let mut row = vec![above[0] + usize::from(sign != '*')];
        for (at, letter) in name.iter().enumerate() {
            let wrong = usize::from(sign != '?' && sign != *letter);
            row.push(match sign {
                '*' => above[at + 1].min(row[at]),
                _ => (above[at] + wrong).min(above[at + 1] + 1).min(row[at] + 1),
            });
        }
        above = row;
    }
    above[name.len()]
}

/// Tells whether some name matches both patterns.
pub(crate) fn meet(one: &str, other: &str) -> bool {
    agree(one, other, true)
}

/// Tells whether whatever matches `inner` matches `outer` too; `false` also where that is hard to say.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    agree(outer, inner, false)
}

/// Walks two patterns side by side, from their ends. Where only the first is `free`, its signs stand for those of the
/// second, and for nothing that the second may become; otherwise both stand for letters.
fn agree(one: &str, other: &str, free: bool) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut below = vec![false; other.len() + 1];
    for i in (0..=one.len()).rev() {
        let mut row = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            let (a, b) = (one.get(i), other.get(j));
            let any = free && b == Some(&'*');
            row[j] = match (a, b) {
                (None, None) => true,
                (Some('*'), Some(_)) => below[j] || row[j + 1],
                (Some('*'), None) => below[j],
                (Some(_), Some(_)) if any => row[j + 1] || below[j],
                (None, Some(_)) if any => row[j + 1],
                (Some(a), Some(b)) => {
                    let same = a == b || *a == '?' && *b != '*' || free && *b == '?';
                    same && below[j + 1]
                }
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests;
