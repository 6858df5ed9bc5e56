//! How do blocks become the text of a page, with every word's box?

use std::collections::HashSet;

use index::page::{Block, BlockKind, Cell, Page, Table, Word};

use super::glyphs::{Char, Piece, Sheet, Turn, is_wide};
use super::layout::{Content, Draft, Line, blank_between};
use super::table::Grid;

/// Characters of a Han run that share a box: a quote's rectangle is wrong by less than that.
const HAN_RUN: usize = 4;

/// Writes blocks into a page's text.
pub struct Writer<'v> {
    page: Page,
    turn: Turn,
    words: &'v Vocabulary,
}

impl<'v> Writer<'v> {
    /// A writer for an empty page with its number, label and size set.
    pub fn new(page: Page, words: &'v Vocabulary) -> Self {
        Self { page, turn: Turn(0), words }
    }

    /// Writes blocks that run in one direction.
    pub fn write(&mut self, turn: Turn, drafts: Vec<Draft>) {
        self.turn = turn;
        for draft in drafts {
            self.block(draft);
        }
    }

    /// Writes a text without boxes, as furniture.
    pub fn aside(&mut self, text: &str) {
        let start = self.begin();
        self.page.text.push_str(text.trim());
        self.end(start, BlockKind::Furniture, None);
    }

    /// The page.
    pub fn finish(self) -> Page {
        self.page
    }

    fn at(&self) -> u32 {
        self.page.text.len() as u32
    }

    fn begin(&mut self) -> u32 {
        if !self.page.text.is_empty() {
            self.page.text.push_str("\n\n");
        }
        self.at()
    }

    fn end(&mut self, start: u32, kind: BlockKind, table: Option<Table>) {
        if self.at() == start {
            let kept = self.page.text.trim_end_matches('\n').len();
            self.page.text.truncate(kept);
            return;
        }
        self.page.blocks.push(Block { start, end: self.at(), kind, table });
    }

    fn block(&mut self, draft: Draft) {
        let start = self.begin();
        match draft.content {
            Content::Lines(lines) => {
                self.lines(&lines, start);
                self.end(start, draft.kind, None);
            }
            Content::Grid(grid) => {
                let table = self.grid(grid);
                self.end(start, BlockKind::Table, Some(table));
            }
        }
    }

    fn grid(&mut self, grid: Grid) -> Table {
        let mut rows = Vec::with_capacity(grid.rows.len());
        for (r, row) in grid.rows.into_iter().enumerate() {
            if r > 0 {
                self.page.text.push('\n');
            }
            let mut cells = Vec::with_capacity(row.len());
            for (c, cell) in row.into_iter().enumerate() {
                if c > 0 {
                    self.page.text.push_str(" | ");
                }
                let start = self.at();
                self.lines(&cell.lines, start);
                cells.push(Cell {
                    start,
                    end: self.at(),
                    column: cell.column,
                    column_span: cell.column_span,
                    row_span: cell.row_span,
                });
            }
            rows.push(cells);
        }
        Table { caption: grid.caption, unit: grid.unit, carried: grid.carried, header_rows: grid.header_rows, rows }
    }

    /// Writes lines as one run of text that began at `start`.
    fn lines(&mut self, lines: &[Line], start: u32) {
        for line in lines {
            if self.at() > start {
                self.joint(start, line);
            }
            for (i, piece) in line.pieces.iter().enumerate() {
                if i > 0 && blank_between(&line.pieces[i - 1], piece) {
                    self.page.text.push(' ');
                }
                self.piece(piece);
            }
        }
    }

    fn joint(&mut self, start: u32, line: &Line) {
        let after: String = line
            .pieces
            .first()
            .map(|p| p.chars.iter().take_while(|c| c.ch != ' ').take(40).map(|c| c.ch).collect())
            .unwrap_or_default();
        match joint(&self.page.text[start as usize..], &after, self.words) {
            Joint::Blank => self.page.text.push(' '),
            Joint::Nothing => {}
            Joint::DropHyphen => {
                let gone = self.page.text.pop().map_or(0, char::len_utf8) as u32;
                if let Some(word) = self.page.words.last_mut() {
                    word.end = word.end.min(self.page.text.len() as u32);
                    if word.end <= word.start || gone == 0 {
                        self.page.words.pop();
                    }
                }
            }
        }
    }

    fn piece(&mut self, piece: &Piece) {
        let mut from = 0;
        while from < piece.chars.len() {
            let c = piece.chars[from].ch;
            let mut to = from + 1;
            if c == ' ' {
                self.page.text.push(' ');
            } else if let Some(end) = leader_end(&piece.chars, from) {
                to = end;
                self.word(piece, from, to, Some("…"));
            } else {
                let wide = is_wide(c);
                while to < piece.chars.len() {
                    let next = piece.chars[to].ch;
                    if next == ' '
                        || is_wide(next) != wide
                        || (wide && to - from >= HAN_RUN)
                        || leader_end(&piece.chars, to).is_some()
                    {
                        break;
                    }
                    to += 1;
                }
                self.word(piece, from, to, None);
            }
            from = to;
        }
    }

    fn word(&mut self, piece: &Piece, from: usize, to: usize, instead: Option<&str>) {
        let start = self.at();
        let chars = &piece.chars[from..to];
        match instead {
            Some(text) => self.page.text.push_str(text),
            None => chars.iter().for_each(|c| self.page.text.push(c.ch)),
        }
        let x0 = chars.iter().map(|c| c.x0).fold(f32::MAX, f32::min);
        let x1 = chars.iter().map(|c| c.x1).fold(f32::MIN, f32::max);
        let (width, height) = (self.page.width.max(1.0), self.page.height.max(1.0));
        let rect = self.turn.to_page([x0, piece.y - 0.88 * piece.size, x1, piece.y + 0.22 * piece.size], width, height);
        let fraction = |v: f32, whole: f32| (v / whole).clamp(0.0, 1.0);
        self.page.words.push(Word {
            start,
            end: self.at(),
            rect: [fraction(rect[0], width), fraction(rect[1], height), fraction(rect[2], width), fraction(rect[3], height)],
        });
    }
}

/// How a line continues the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Blank,
    Nothing,
    /// The hyphen at the end was put by the typesetter.
    DropHyphen,
}

/// The Latin words of some pages, to tell a typesetter's hyphen from one that is written.
#[derive(Default)]
pub struct Vocabulary(HashSet<String>);

impl Vocabulary {
    /// The words of some sheets.
    pub fn of<'s>(sheets: impl Iterator<Item = &'s Sheet>) -> Self {
        let mut words = HashSet::new();
        let mut word = String::new();
        for piece in sheets.flat_map(|s| s.pieces.iter().flatten()) {
            // The first and last word of a piece may be broken off.
            let text = piece.text();
            for part in text.split(' ') {
                word.clear();
                part.chars().for_each(|c| word.extend(c.to_lowercase()));
                let word = word.trim_matches(|c: char| !c.is_alphabetic());
                if word.len() > 2 && word.is_ascii() && !words.contains(word) && !part.ends_with('-') {
                    words.insert(word.to_owned());
                }
            }
        }
        Self(words)
    }

    /// Whether a hyphen between two parts at the end of a line is part of the word.
    fn keeps_hyphen(&self, first: &str, second: &str) -> bool {
        if self.0.contains(&format!("{first}{second}")) {
            return false;
        }
        // Only a large vocabulary says something by what it does not hold.
        let parts = self.0.len() > 2_000 && first.len() > 2 && self.0.contains(first) && self.0.contains(second);
        self.0.contains(&format!("{first}-{second}")) || first.chars().count() == 1 || parts
    }
}

fn joint(before: &str, after: &str, words: &Vocabulary) -> Joint {
    let (Some(a), Some(b)) = (before.chars().next_back(), after.chars().next()) else { return Joint::Nothing };
    if is_wide(a) || is_wide(b) {
        return Joint::Nothing;
    }
    if matches!(a, '-' | '\u{2010}') {
        let stem: String = before.chars().rev().skip(1).take_while(|c| c.is_alphabetic()).collect();
        let stem: String = stem.chars().rev().collect::<String>().to_lowercase();
        let next: String = after.chars().take_while(|c| c.is_alphabetic()).collect::<String>().to_lowercase();
        return match stem.chars().next_back() {
            None if before.chars().rev().nth(1).is_none_or(char::is_whitespace) => Joint::Blank,
            Some(_) if b.is_lowercase() && !words.keeps_hyphen(&stem, &next) => Joint::DropHyphen,
            _ => Joint::Nothing,
        };
    }
    Joint::Blank
}

/// Appends a line's text to the text before it: no blank between Han characters, no hyphen inside a broken word.
pub fn join(text: &mut String, next: &str) {
    match joint(text, next, &Vocabulary::default()) {
        Joint::Blank => text.push(' '),
        Joint::Nothing => {}
        Joint::DropHyphen => {
            text.pop();
        }
    }
    text.push_str(next);
}

/// Where a run of five or more leader dots that begins here ends.
pub fn leader_end(chars: &[Char], from: usize) -> Option<usize> {
    let dot = |c: char| matches!(c, '.' | '·' | '…' | '⋯' | '．' | '_' | '•');
    if !chars.get(from).is_some_and(|c| dot(c.ch)) {
        return None;
    }
    let (mut to, mut dots) = (from, 0);
    while to < chars.len() && (dot(chars[to].ch) || chars[to].ch == ' ' && chars.get(to + 1).is_some_and(|c| dot(c.ch))) {
        dots += match chars[to].ch {
            ' ' => 0,
            '…' | '⋯' => 3,
            _ => 1,
        };
        to += 1;
    }
    (dots >= 5).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&str], want: &str) {
        let mut text = String::new();
        lines.iter().for_each(|line| if text.is_empty() { text.push_str(line) } else { join(&mut text, line) });
        assert_eq!(text, want);
    }

    #[test]
    fn lines_join_without_a_blank_between_han_characters() {
        joined(&["公司本年度实现营业", "收入 1,234 万元，", "较上年增长。"], "公司本年度实现营业收入 1,234 万元，较上年增长。");
        joined(&["net sales rose", "by 5 %"], "net sales rose by 5 %");
    }

    #[test]
    fn a_hyphen_of_the_typesetter_goes_and_one_of_the_author_stays() {
        joined(&["the demand ac-", "counted for half"], "the demand accounted for half");
        joined(&["fiscal 2022-", "2023"], "fiscal 2022-2023");
        joined(&["the segment Asia-", "Pacific"], "the segment Asia-Pacific");
        joined(&["maps a text to a d-", "dimensional vector"], "maps a text to a d-dimensional vector");
        let words = Vocabulary(["personal-care"].map(String::from).into());
        assert_eq!(joint("home and personal-", "care", &words), Joint::Nothing);
    }
}
