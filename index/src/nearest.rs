//! Which of the known names was meant by one that nobody knows?

/// The candidate with the fewest edits, if it is near enough to be a typo.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = name.chars().count().div_ceil(3).max(1);
    candidates.into_iter().map(|c| (edits(name, c), c)).filter(|(d, _)| *d <= far).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = substituted.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_typo_away_and_strangers_are_not_suggested() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(nearest("qestion", ["question", "quote"]), Some("question"));
        assert_eq!(nearest("年报2022.pdf", ["年报2023.pdf"]), Some("年报2023.pdf"));
        assert_eq!(nearest("colour", ["question", "facts"]), None);
    }
}
