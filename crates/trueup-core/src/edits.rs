//! How far two words are from each other. Pure words for hints: nothing is ever decided by likeness.

/// How many letters have to be put in, left out or replaced.
pub fn edits(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (done, ours) in one.iter().enumerate() {
        let mut corner = done;
        row[0] = done + 1;
        for (at, theirs) in other.iter().enumerate() {
            let replaced = corner + usize::from(ours != theirs);
            corner = row[at + 1];
            row[at + 1] = replaced.min(corner + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
