//! Where does a sentence end? Chinese and English, lines of a PDF included: a line break inside a sentence is no end, a line
//! of figures is a piece of its own.

use std::{borrow::Cow, ops::Range};

pub(crate) use index::lexical::is_han;

/// The sentences of a text in order, as byte ranges without blanks at either end.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for (at, &(byte, c)) in chars.iter().enumerate() {
        let next = chars.get(at + 1).map(|&(_, c)| c);
        let end = byte + c.len_utf8();
        let closes = match c {
            '。' | '！' | '？' | '；' => !next.is_some_and(|n| CLOSERS.contains(n) || n == '。'),
            '!' | '?' => next.is_none_or(|n| n.is_whitespace() || is_han(n)),
            '.' | ';' => ends_english(text, &chars, at),
            '\n' => breaks(text, byte),
            _ => {
                CLOSERS.contains(c)
                    && at > 0
                    && "。！？；".contains(chars[at - 1].1)
                    && !next.is_some_and(|n| "，,、的".contains(n))
            }
        };
        if closes {
            push(text, &mut pieces, start..end);
            start = end;
        }
    }
    push(text, &mut pieces, start..text.len());
    pieces
}

/// A place in a text with what stands right beside it: what is said of the thing that stands there.
pub(crate) fn surroundings(text: &str, place: &Range<usize>) -> Range<usize> {
    const BYTES: usize = 60;
    let start = text.floor_char_boundary(place.start.saturating_sub(BYTES));
    start..text.ceil_char_boundary((place.end + BYTES).min(text.len()))
}

/// The text as one line: line breaks between Chinese vanish, others become a blank.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(['\n', '\r', '\t']) && !text.contains("  ") {
        return Cow::Borrowed(text.trim());
    }
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.trim().chars() {
        if c.is_whitespace() && c != '\u{3000}' {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) && !(out.ends_with(is_han_or_mark) && is_han_or_mark(c)) {
            out.push(' ');
        }
        out.push(c);
    }
    Cow::Owned(out)
}

fn is_han_or_mark(c: char) -> bool {
    is_han(c) || matches!(c, '，' | '。' | '、' | '；' | '：' | '（' | '）' | '《' | '》' | '“' | '”' | '！' | '？')
}

const CLOSERS: &str = "”’」』）)》\"'";

/// Words before a full stop that do not end a sentence.
const ABBREVIATIONS: &[&str] = &[
    "inc", "corp", "co", "ltd", "plc", "mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "etc", "e.g", "i.e", "u.s", "u.k",
    "jr", "sr", "approx", "fig", "vol", "sept", "dec", "nov", "oct", "aug", "jan", "feb", "gen", "col", "rev", "bros",
];

fn ends_english(text: &str, chars: &[(usize, char)], at: usize) -> bool {
    let mut ahead = at + 1;
    while chars.get(ahead).is_some_and(|&(_, c)| CLOSERS.contains(c)) {
        ahead += 1;
    }
    if ahead > at + 1 {
        // The closing mark belongs to this sentence; a rare stop inside quotes is not worth a second rule.
        return false;
    }
    if !chars.get(ahead).is_some_and(|&(_, c)| c.is_whitespace()) {
        return false;
    }
    let first = chars[ahead..].iter().map(|&(_, c)| c).find(|c| !c.is_whitespace());
    let begins = first.is_none_or(|c| c.is_uppercase() || c.is_ascii_digit() || "\"“'(‘[$•".contains(c) || is_han(c));
    if !begins {
        return false;
    }
    if chars[at].1 == ';' {
        return true;
    }
    let word = text[..chars[at].0].rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or("").to_lowercase();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    !(initial || ABBREVIATIONS.contains(&word.as_str()))
}

/// Whether a line break ends a piece: after an end mark or a colon, at a blank line, before a list marker, beside a line of
/// figures.
fn breaks(text: &str, at: usize) -> bool {
    let before = text[..at].rsplit('\n').next().unwrap_or("").trim();
    let after = text[at + 1..].split('\n').next().unwrap_or("").trim();
    if before.is_empty() || after.is_empty() {
        return true;
    }
    let marker = after.starts_with(['•', '·', '-', '–', '*', '●', '■', '◆', '①', '②', '③', '（', '(', '#'])
        || after.chars().next().is_some_and(|c| c.is_ascii_digit()) && after.contains(['.', '、', ')']) && list_number(after);
    before.ends_with(['。', '！', '？', '；', '：', ':', '.', '!', '?', ';']) && !before.ends_with("Inc.")
        || marker
        || of_figures(before)
        || of_figures(after)
}

fn list_number(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.len() - rest.len() <= 2
        && rest.starts_with(['.', '、', ')', '）'])
        && !rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit())
}

/// A line that is mostly numbers: a row of a table that was not recognised as one.
fn of_figures(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let figures = words.iter().filter(|w| w.chars().any(|c| c.is_ascii_digit()) && !w.chars().any(char::is_alphabetic)).count();
    figures >= 2 && figures * 3 >= words.len()
}

fn push(text: &str, pieces: &mut Vec<Range<usize>>, range: Range<usize>) {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = range.end - (piece.len() - piece.trim_end().len());
    if start >= end {
        return;
    }
    // A scrap such as `对。` belongs to what stands before it.
    let scrap = text[start..end].chars().count() < 6;
    match pieces.last_mut() {
        Some(last) if scrap && !text[last.end..start].contains('\n') => last.end = end,
        _ => pieces.push(start..end),
    }
}
