//! Finds the name that was probably meant.

/// The most characters of a name that is compared.
const CHARS_MAX: usize = 64;

/// Returns the known name that is nearest to `name`, where one is near enough to be a typing mistake.
pub(crate) fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    let limit = (name.chars().count() / 3).max(1);
    let distances = known.iter().map(|known| (distance(name, known), *known));
    let near = distances.filter(|&(distance, _)| distance <= limit);
    near.min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// The number of characters to add, drop, change or swap with their neighbour; case does not count.
fn distance(a: &str, b: &str) -> usize {
    let chars = |text: &str| -> Vec<char> {
        let lower = text.chars().flat_map(char::to_lowercase);
        lower.take(CHARS_MAX).collect()
    };
    let (a, b) = (chars(a), chars(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, x) in a.iter().enumerate() {
        let mut now = vec![row + 1];
        for (column, y) in b.iter().enumerate() {
            let change = last[column] + usize::from(x != y);
            let mut least = change.min(last[column + 1] + 1).min(now[column] + 1);
            if row > 0 && column > 0 && *x == b[column - 1] && a[row - 1] == *y {
                least = least.min(before[column - 1] + 1);
            }
            now.push(least);
        }
        before = std::mem::replace(&mut last, now);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_mistake_finds_the_name_that_was_meant() {
        let known = ["status", "price", "qty", "customer_id"];
        for (typed, meant) in [
            ("statsu", Some("status")),
            ("Price", Some("price")),
            ("qt", Some("qty")),
            ("customerid", Some("customer_id")),
            ("elsewhere", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, &known), meant, "{typed}");
        }
    }
}
