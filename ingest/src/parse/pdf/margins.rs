//! Which lines repeat from page to page? Running headers, running footers and page numbers.

use std::collections::HashMap;

use super::glyphs::{Piece, Sheet};
use super::layout::{Line, lines};

/// Lines at the top and bottom of pages, to find those that repeat.
#[derive(Default)]
pub struct Margins {
    seen: HashMap<String, Vec<(u32, f32)>>,
    pages: u32,
}

impl Margins {
    /// Notes the outer lines of a page.
    pub fn note(&mut self, page: u32, sheet: &Sheet) {
        self.pages += 1;
        for line in outer_lines(sheet) {
            let mask = masked(&line.text());
            let y = if is_page_number(&mask) { 0.0 } else { line.y };
            self.seen.entry(mask).or_default().push((page, y));
        }
        for line in side_lines(sheet) {
            self.seen.entry(masked(&line.text())).or_default().push((page, line.y));
        }
    }

    /// Halves what was seen, so that a later part of the document weighs more than an earlier one.
    pub fn fade(&mut self) {
        for places in self.seen.values_mut() {
            let half = places.len() / 2;
            places.drain(..half);
        }
        self.seen.retain(|_, places| !places.is_empty());
        self.pages /= 2;
    }

    /// Whether a line repeats at its place on at least three pages and two fifths of them. Page numbers may move: some
    /// programs put them right under the text.
    ///
    /// A line of one piece at the very top that stands on three pages in a row is the running head of a chapter.
    pub fn repeats(&self, page: u32, mask: &str, y: f32, head: bool) -> bool {
        let y = if is_page_number(mask) { 0.0 } else { y };
        let here = |page: u32| {
            self.seen.get(mask).is_some_and(|places| places.iter().any(|(p, at)| *p == page && (at - y).abs() <= 3.0))
        };
        if head && (page.saturating_sub(2)..=page).any(|first| (first..first + 3).all(here)) {
            return true;
        }
        let near = self.seen.get(mask).map_or(0, |places| places.iter().filter(|(_, at)| (at - y).abs() <= 3.0).count());
        near >= 3 && near as f32 >= 0.4 * self.pages as f32
    }
}

/// The first and last lines of a page's main text, if they stand near its edge.
pub fn outer_lines(sheet: &Sheet) -> Vec<Line> {
    let (high, low) = (0.13 * sheet.height, 0.87 * sheet.height);
    let lowest = sheet.pieces[0].iter().map(|p| p.y).fold(0.0, f32::max);
    let near = |p: &&Piece| p.y < high || p.y > low || p.y > lowest - 1.0 && is_page_number(&masked(&p.text()));
    let lines = lines(sheet.pieces[0].iter().filter(near).cloned().collect());
    let (top, bottom): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|l| l.y < high);
    let skip = bottom.len().saturating_sub(4);
    top.into_iter().take(4).chain(bottom.into_iter().skip(skip)).collect()
}

/// Lines that run along the other directions, if they are few: text beside the page's text.
fn side_lines(sheet: &Sheet) -> Vec<Line> {
    sheet.pieces[1..].iter().filter(|pieces| pieces.len() <= 12).flat_map(|pieces| lines(pieces.clone())).collect()
}

/// A line with digits masked, so that page numbers compare equal.
pub fn masked(text: &str) -> String {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.len() <= 7 && trimmed.chars().all(|c| matches!(c, 'i' | 'v' | 'x' | 'l' | '-' | ' ')) {
        return "#".into();
    }
    let mut mask = String::with_capacity(trimmed.len());
    for c in trimmed.chars() {
        match c {
            '0'..='9' | '０'..='９' if mask.ends_with('#') => {}
            '0'..='9' | '０'..='９' => mask.push('#'),
            c if c.is_whitespace() => {}
            c => mask.push(c),
        }
    }
    mask
}

/// Whether a masked line is a page number and nothing else.
pub fn is_page_number(mask: &str) -> bool {
    let bare: String =
        mask.to_lowercase().chars().filter(|c| !matches!(c, '-' | '–' | '—' | '/' | '|' | '·' | '第' | '页' | '共')).collect();
    matches!(bare.as_str(), "#" | "##" | "f#" | "page#" | "page#of#" | "#of#" | "#,#")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_numbers_are_masked_in_running_lines() {
        assert_eq!(masked("5 / 156"), masked("61 / 156"));
        assert_eq!(masked("1-1-106"), masked("1-1-7"));
        assert_eq!(masked("iv"), masked("xii"));
        assert_ne!(masked("Item 1A. Risk Factors"), masked("Item 7. Discussion"));
        for text in ["54", "- 12 -", "第 3 页 共 10 页", "F-12", "Page 3 of 90", "iv"] {
            assert!(is_page_number(&masked(text)), "{text}");
        }
        assert!(!is_page_number(&masked("Total 54")));
    }
}
