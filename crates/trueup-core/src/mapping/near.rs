//! Names that are like one that was not found. Pure words for a hint: nothing is ever mapped by likeness.

use crate::edits::edits;

/// The longest name, in letters, that is looked at: what takes longer to compare than to read is no typing mistake.
const LETTERS_MAX: usize = 64;

/// Asks whether another name was meant: one that differs in a few letters, or in case and what joins words.
pub(super) fn meant(name: &str, known: &[&str]) -> String {
    let letters = |name: &str| -> Vec<char> {
        let plain = name.chars().filter(|ch| ch.is_alphanumeric());
        plain
            .flat_map(char::to_lowercase)
            .take(LETTERS_MAX + 1)
            .collect()
    };
    let ours = letters(name);
    if ours.len() > LETTERS_MAX {
        return String::new();
    }
    let near = known
        .iter()
        .map(|&other| (edits(&ours, &letters(other)), other));
    match near.min_by_key(|(distance, _)| *distance) {
        // A third of the letters may be wrong.
        Some((distance, other)) if distance <= ours.len() / 3 => format!("did you mean {other}? "),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_like_another_up_to_a_third_of_its_letters() {
        for (name, known, expected) in [
            ("nmae", &["id", "name"][..], ""),
            ("nam", &["id", "name"], "did you mean name? "),
            ("Full-Name", &["full_name"], "did you mean full_name? "),
            ("customer", &["costumer", "id"], "did you mean costumer? "),
            ("city", &["id", "name"], ""),
            ("x", &[], ""),
            ("", &["id"], ""),
            (&"a".repeat(100_000), &[&"a".repeat(99_999)], ""),
            ("name", &[&"name".repeat(100_000)], ""),
        ] {
            assert_eq!(meant(name, known), expected, "{name}");
        }
    }
}
