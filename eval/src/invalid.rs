//! What is wrong with an evaluation file, said so that a person can put it right: the file, the line, the nearest name.

use std::{fs, path::Path};

pub(crate) use index::nearest::nearest;
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
