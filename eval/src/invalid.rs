//! What is wrong with an evaluation file, said so that a person can put it right: the file, the line, the nearest name.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;

use crate::EvalError;

/// Reads a file of one JSON object per line; blank lines are skipped. Each row keeps its line number.
pub(crate) fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<(usize, T)>, EvalError> {
    let text = read(path)?;
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim_start_matches('\u{feff}')));
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(n, line)| {
            serde_json::from_str(line).map(|row| (n, row)).map_err(|e| at(path, n, suggest(&without_place(&e.to_string()))))
        })
        .collect()
}

/// Reads a TOML file.
pub(crate) fn toml<T: DeserializeOwned>(path: &Path) -> Result<(T, String), EvalError> {
    let text = read(path)?;
    match toml::from_str(&text) {
        Ok(value) => Ok((value, text)),
        Err(e) => Err(at(path, line_of(&text, e.span().map_or(0, |s| s.start)), suggest(e.message()))),
    }
}

/// The line, from 1, that a byte offset stands on.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// An error at a line of a file; line 0 is the file as a whole.
pub(crate) fn at(path: &Path, line: usize, problem: impl Into<String>) -> EvalError {
    EvalError::Invalid { file: path.display().to_string(), line, problem: problem.into() }
}

fn read(path: &Path) -> Result<String, EvalError> {
    fs::read_to_string(path).map_err(|source| EvalError::Unreadable { path: path.display().to_string(), source })
}

/// serde_json adds its own line and column, which is always line 1 here.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(front, _)| front).to_owned()
}

/// Adds the nearest name to serde's "unknown field `a`, expected one of `b`, `c`".
fn suggest(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown ") {
        return message.to_owned();
    }
    match names.next().and_then(|got| nearest(got, names)) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message.to_owned(),
    }
}

/// The candidate with the fewest edits, if it is near enough to be a typo.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = name.chars().count().div_ceil(3).max(1);
    candidates.map(|c| (edits(name, c), c)).filter(|(d, _)| *d <= far).min_by_key(|(d, _)| *d).map(|(_, c)| c)
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
        assert_eq!(nearest("qestion", ["question", "quote"].into_iter()), Some("question"));
        assert_eq!(nearest("年报2022.pdf", ["年报2023.pdf"].into_iter()), Some("年报2023.pdf"));
        assert_eq!(nearest("colour", ["question", "facts"].into_iter()), None);
    }
}
