//! In which order is a page read, and what is each part of it?
//!
//! Tables come first and leave a hole; the rest is split at gutters into columns, each column into lines, lines into
//! paragraphs; then every block gets its role. Running headers and footers are told by comparing pages ([`Margins`]).

use std::collections::{HashMap, HashSet};

use super::glyphs::{Char, Piece, Rule, Sheet, Turn, is_wide};
use super::table::{self, Grid};
use index::page::{Block, BlockKind, Cell, Page, Table, Word};

/// Whether a character is a Han character.
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}')
}

/// Characters of a Han run that share a box: a quote's rectangle is wrong by less than that.
const HAN_RUN: usize = 4;
/// Pages with more pieces than this are drawings; they are read from top to bottom without a search for structure.
const PIECES_FOR_STRUCTURE: usize = 6_000;

/// Pieces on one baseline, from left to right.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The pieces.
    pub pieces: Vec<Piece>,
    /// Baseline.
    pub y: f32,
    /// Font size.
    pub size: f32,
    /// Whether most of it is bold.
    pub bold: bool,
}

/// A block before it is written to the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The role.
    pub kind: BlockKind,
    /// What it holds.
    pub content: Content,
}

/// What a block holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Running text.
    Lines(Vec<Line>),
    /// A table.
    Grid(Grid),
}

impl Line {
    /// A line of some pieces; `None` without any.
    pub fn of(mut pieces: Vec<Piece>) -> Option<Self> {
        pieces.retain(|p| !p.chars.is_empty());
        pieces.sort_by(|a, b| a.x0().total_cmp(&b.x0()));
        let main = pieces.iter().max_by_key(|p| (p.chars.len(), (p.size * 10.0) as i64))?;
        let (y, size) = (main.y, main.size);
        let bold = pieces.iter().filter(|p| p.bold).map(|p| p.chars.len()).sum::<usize>() * 2
            > pieces.iter().map(|p| p.chars.len()).sum::<usize>();
        Some(Self { pieces, y, size, bold })
    }

    /// Left edge.
    pub fn x0(&self) -> f32 {
        self.pieces.first().map_or(0.0, Piece::x0)
    }

    /// Right edge.
    pub fn x1(&self) -> f32 {
        self.pieces.iter().map(Piece::x1).fold(f32::MIN, f32::max)
    }

    /// The text, pieces apart by blanks.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (i, piece) in self.pieces.iter().enumerate() {
            if i > 0 && blank_between(&self.pieces[i - 1], piece) {
                text.push(' ');
            }
            piece.chars.iter().for_each(|c| text.push(c.ch));
        }
        text
    }
}

impl Draft {
    /// The text as it will be written, without tables.
    pub fn text(&self) -> String {
        match &self.content {
            Content::Grid(_) => String::new(),
            Content::Lines(lines) => {
                let mut text = String::new();
                for line in lines {
                    join(&mut text, &line.text());
                }
                text
            }
        }
    }

    /// The font size of its largest line.
    pub fn size(&self) -> f32 {
        match &self.content {
            Content::Grid(_) => 0.0,
            Content::Lines(lines) => lines.iter().map(|l| l.size).fold(0.0, f32::max),
        }
    }
}

fn blank_between(a: &Piece, b: &Piece) -> bool {
    b.x0() - a.x1() > 0.13 * a.size.min(b.size)
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
        self.0.contains(&format!("{first}-{second}")) || (first.len() > 2 && self.0.contains(first) && self.0.contains(second))
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

/// Sorts pieces into lines: one baseline, or a small raised or lowered piece beside it.
pub fn lines(mut pieces: Vec<Piece>) -> Vec<Line> {
    pieces.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0().total_cmp(&b.x0())));
    let mut groups: Vec<(f32, f32, Vec<Piece>)> = Vec::new();
    for piece in pieces {
        let home = groups.iter_mut().rev().take(4).find(|(y, size, _)| {
            let dy = piece.y - *y;
            let (small, large) = (piece.size.min(*size), piece.size.max(*size));
            dy.abs() < 0.28 * large || (small < 0.82 * large && dy < 0.55 * large && dy > 0.0)
        });
        match home {
            Some((y, size, group)) => {
                if piece.size > 1.15 * *size {
                    (*y, *size) = (piece.y, piece.size);
                }
                group.push(piece);
            }
            None => groups.push((piece.y, piece.size, vec![piece])),
        }
    }
    let mut lines: Vec<Line> = groups.into_iter().filter_map(|(_, _, group)| Line::of(group)).collect();
    lines.sort_by(|a, b| a.y.total_cmp(&b.y));
    lines
}

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
    fn repeats(&self, page: u32, mask: &str, y: f32, head: bool) -> bool {
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
fn outer_lines(sheet: &Sheet) -> Vec<Line> {
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
fn masked(text: &str) -> String {
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
fn is_page_number(mask: &str) -> bool {
    let bare: String =
        mask.to_lowercase().chars().filter(|c| !matches!(c, '-' | '–' | '—' | '/' | '|' | '·' | '第' | '页' | '共')).collect();
    matches!(bare.as_str(), "#" | "##" | "f#" | "page#" | "page#of#" | "#of#" | "#,#")
}

/// The blocks of a page, in reading order; `body` is the usual font size of the document.
pub fn drafts(page: u32, sheet: Sheet, margins: &Margins, body: f32) -> Vec<(Turn, Vec<Draft>)> {
    let (width, height) = (sheet.width, sheet.height);
    let mut furniture = (Vec::new(), Vec::new());
    let mut keep = Vec::new();
    let outer = outer_lines(&sheet);
    let bottom_most = outer.iter().map(|l| l.y).fold(0.0, f32::max);
    let out: Vec<&Line> = outer
        .iter()
        .filter(|line| {
            let mask = masked(&line.text());
            let head = line.pieces.len() == 1 && line.y < 0.1 * height;
            margins.repeats(page, &mask, line.y, head)
                || (is_page_number(&mask) && line.y >= bottom_most - 0.5 && line.y > 0.9 * height)
        })
        .collect();
    let mut turns: [Vec<Piece>; 4] = sheet.pieces;
    for piece in std::mem::take(&mut turns[0]) {
        match out.iter().position(|line| line.pieces.contains(&piece)) {
            None => keep.push(piece),
            Some(_) if piece.y < 0.5 * height => furniture.0.push(piece),
            Some(_) => furniture.1.push(piece),
        }
    }
    turns[0] = keep;
    let mut sides = Vec::new();
    for (t, pieces) in turns.iter_mut().enumerate().skip(1).filter(|(_, pieces)| !pieces.is_empty() && pieces.len() <= 12) {
        let (out, stay): (Vec<Line>, Vec<Line>) = lines(std::mem::take(pieces))
            .into_iter()
            .partition(|line| margins.repeats(page, &masked(&line.text()), line.y, false));
        *pieces = stay.into_iter().flat_map(|line| line.pieces).collect();
        sides.push((Turn(t as u8), furniture_blocks(out.into_iter().flat_map(|line| line.pieces).collect())));
    }

    let mut order: Vec<usize> = (0..4).filter(|t| !turns[*t].is_empty()).collect();
    order.sort_by_key(|t| std::cmp::Reverse(turns[*t].iter().map(|p| p.chars.len()).sum::<usize>()));
    let mut parts = vec![(Turn(0), furniture_blocks(furniture.0))];
    for t in order {
        let turn = Turn(t as u8);
        let rules: Vec<Rule> = sheet.rules.iter().map(|r| turn.rule(r, width, height)).collect();
        parts.push((turn, blocks(std::mem::take(&mut turns[t]), &rules, body)));
    }
    parts.extend(sides);
    parts.push((Turn(0), furniture_blocks(furniture.1)));
    parts
}

fn furniture_blocks(pieces: Vec<Piece>) -> Vec<Draft> {
    lines(pieces).into_iter().map(|line| Draft { kind: BlockKind::Furniture, content: Content::Lines(vec![line]) }).collect()
}

/// Something with a place in the reading order.
enum Item {
    Piece(Piece),
    Grid(Grid),
}

impl Item {
    fn y(&self) -> f32 {
        match self {
            Self::Piece(p) => p.y - 0.35 * p.size,
            Self::Grid(g) => g.rect[1],
        }
    }

    fn span(&self) -> (f32, f32) {
        match self {
            Self::Piece(p) => (p.x0(), p.x1()),
            Self::Grid(g) => (g.rect[0], g.rect[2]),
        }
    }

    fn em(&self) -> f32 {
        match self {
            Self::Piece(p) => p.size,
            Self::Grid(_) => 10.0,
        }
    }
}

fn blocks(pieces: Vec<Piece>, rules: &[Rule], body: f32) -> Vec<Draft> {
    let structured = pieces.len() <= PIECES_FOR_STRUCTURE;
    let (mut grids, mut rest) = (Vec::new(), pieces);
    if structured {
        (grids, rest) = table::lattice(rules, rest);
        let (more, left) = table::stream(rest);
        grids.extend(more);
        rest = left;
    }
    let items: Vec<Item> = grids.into_iter().map(Item::Grid).chain(rest.into_iter().map(Item::Piece)).collect();
    let mut columns = Vec::new();
    if structured {
        split(items, 0, &mut columns);
    } else {
        columns.push(items);
    }
    let several = columns.len() > 1;
    let mut drafts: Vec<Draft> = Vec::new();
    for column in columns {
        drafts.extend(column_blocks(column, several));
    }
    for draft in &mut drafts {
        draft.kind = kind(draft, body);
    }
    table::attach_captions(&mut drafts);
    drafts
}

/// Splits items at the best gutter into above, left, right and below, and those again.
fn split(mut items: Vec<Item>, depth: u8, out: &mut Vec<Vec<Item>>) {
    if items.is_empty() {
        return;
    }
    items.sort_by(|a, b| a.y().total_cmp(&b.y()));
    let Some((gutter, from, to)) = (if depth < 10 { gutter(&items) } else { None }) else {
        out.push(items);
        return;
    };
    let below = items.split_off(to);
    let range = items.split_off(from);
    let (left, right) = range.into_iter().partition(|item| item.span().0 < gutter - 1.5);
    for part in [items, left, right, below] {
        split(part, depth + 1, out);
    }
}

/// The gutter with the longest range of rows that nothing crosses: its x and the range of items.
fn gutter(items: &[Item]) -> Option<(f32, usize, usize)> {
    let mut lefts: Vec<f32> = items.iter().filter(|i| matches!(i, Item::Piece(_))).map(|i| i.span().0).collect();
    lefts.sort_by(f32::total_cmp);
    let mut candidates: Vec<f32> = Vec::new();
    let mut at = 0;
    while at < lefts.len() {
        let end = lefts.partition_point(|x| *x <= lefts[at] + 3.0);
        if end - at >= 4 && lefts[at] > lefts[0] + 20.0 {
            candidates.push(lefts[at]);
        }
        at = end;
    }
    let mut best: Option<(f32, f32, usize, usize)> = None;
    for gutter in candidates {
        let mut from = 0;
        for i in 0..=items.len() {
            let crosses = items.get(i).is_none_or(|item| {
                let (x0, x1) = item.span();
                x0 < gutter - 1.5 && x1 > gutter - 0.45 * item.em()
            });
            if !crosses {
                continue;
            }
            if i > from + 7 && columns_hold(&items[from..i], gutter) {
                let height = items[i - 1].y() - items[from].y();
                if best.is_none_or(|(h, ..)| height > h) {
                    best = Some((height, gutter, from, i));
                }
            }
            from = i + 1;
        }
    }
    best.map(|(_, gutter, from, to)| (gutter, from, to))
}

/// Whether both sides of a gutter look like columns of text.
fn columns_hold(items: &[Item], gutter: f32) -> bool {
    let (mut sides, mut long, mut numeric, mut total) = ([(0usize, f32::MAX, f32::MIN); 2], 0usize, 0usize, 0usize);
    let mut em = 0.0f32;
    for item in items {
        let Item::Piece(piece) = item else { continue };
        let side = &mut sides[usize::from(piece.x0() >= gutter - 1.5)];
        side.0 += 1;
        side.1 = side.1.min(piece.x0());
        side.2 = side.2.max(piece.x1());
        total += 1;
        em += piece.size;
        long += usize::from(piece.width() > 8.0 * piece.size);
        numeric += usize::from(piece.chars.len() < 24 && table::is_value(&piece.text()));
    }
    let em = em / total.max(1) as f32;
    sides.iter().all(|(n, x0, x1)| *n >= 4 && x1 - x0 > 9.0 * em)
        && long as f32 > 0.4 * total as f32
        && (numeric as f32) < 0.2 * total as f32
}

/// One column: its lines in order, joined to paragraphs, tables in between.
fn column_blocks(items: Vec<Item>, search_tables: bool) -> Vec<Draft> {
    let (mut grids, mut pieces) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Piece(p) => pieces.push(p),
            Item::Grid(g) => grids.push(g),
        }
    }
    if search_tables {
        let (more, rest) = table::stream(pieces);
        grids.extend(more);
        pieces = rest;
    }
    grids.sort_by(|a, b| a.rect[1].total_cmp(&b.rect[1]));
    let lines = lines(pieces);
    let measure = Measure::of(&lines);
    let mut grids = grids.into_iter().peekable();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut open: Vec<Line> = Vec::new();
    let close = |open: &mut Vec<Line>, drafts: &mut Vec<Draft>| {
        if !open.is_empty() {
            drafts.push(Draft { kind: BlockKind::Paragraph, content: Content::Lines(std::mem::take(open)) });
        }
    };
    for line in lines {
        while let Some(grid) = grids.next_if(|g| g.rect[1] < line.y - 0.35 * line.size) {
            close(&mut open, &mut drafts);
            drafts.push(Draft { kind: BlockKind::Table, content: Content::Grid(grid) });
        }
        if measure.begins(&open, &line) {
            close(&mut open, &mut drafts);
        }
        open.push(line);
    }
    close(&mut open, &mut drafts);
    drafts.extend(grids.map(|grid| Draft { kind: BlockKind::Table, content: Content::Grid(grid) }));
    drafts
}

/// The usual measures of a column.
struct Measure {
    right: f32,
    width: f32,
    leading: f32,
}

impl Measure {
    fn of(lines: &[Line]) -> Self {
        let left = lines.iter().map(Line::x0).fold(f32::MAX, f32::min);
        // Not the outermost edge: a title or a table row may reach over the next column.
        let mut rights: Vec<f32> = lines.iter().map(Line::x1).collect();
        rights.sort_by(f32::total_cmp);
        let right = rights.get(rights.len() * 17 / 20).copied().unwrap_or(left);
        let mut steps: Vec<f32> =
            lines.windows(2).map(|w| (w[1].y - w[0].y) / w[1].size.max(1.0)).filter(|s| (0.8..2.4).contains(s)).collect();
        steps.sort_by(f32::total_cmp);
        // The lower quartile: most steps inside paragraphs are equal, those between paragraphs are larger.
        let leading = steps.get(steps.len() / 4).copied().unwrap_or(1.3);
        Self { right, width: (right - left).max(1.0), leading }
    }

    /// Whether a line begins a new paragraph after the open lines.
    fn begins(&self, open: &[Line], line: &Line) -> bool {
        let Some(last) = open.last() else { return false };
        let em = line.size.max(1.0);
        let step = (line.y - last.y) / em;
        let ratio = line.size / last.size.max(0.1);
        if !(0.88..1.13).contains(&ratio) || step > 1.3 * self.leading + 0.08 || step < 0.3 {
            return true;
        }
        let text = line.text();
        let before = last.text();
        if list_marker(&text)
            || numbering(&text).is_some()
            || has_leader(&before)
            || (last.bold != line.bold && open.iter().all(|l| l.bold == last.bold))
        {
            return true;
        }
        if open.len() == 1
            && numbering(&before).is_some_and(|n| n.sure)
            && before.chars().count() < 40
            && last.x1() < self.right - 2.5 * em
        {
            return true;
        }
        if last.pieces.len() > 1 && last.pieces.last().is_some_and(|p| table::is_value(&p.text())) {
            return true;
        }
        let hanging = list_marker(&open[0].text());
        if line.x0() > last.x0() + 1.4 * em && !(hanging && open.len() == 1) {
            return true;
        }
        if hanging && open.len() > 1 && line.x0() < last.x0() - 1.2 * em {
            return true;
        }
        let short = self.right - last.x1();
        let ended = before.ends_with(['.', '。', ':', '：', ';', '；', '!', '?', '！', '？', '”', ')', '）']);
        let wide = before.chars().next_back().is_some_and(is_wide);
        short > 0.35 * self.width
            || (ended && short > 0.12 * self.width)
            || (wide && short > 2.6 * em && (ended || short > 0.2 * self.width))
    }
}

/// Whether a text starts with the marker of a list item.
fn list_marker(text: &str) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    match first {
        '•' | '●' | '■' | '◆' | '▪' | '○' | '◦' | '➢' | '✓' | '►' | '▶' | '※' => true,
        '①'..='⑳' => true,
        '-' | '–' | '—' | '*' | '·' => second == Some(' ') && text.chars().count() > 3,
        '(' | '（' => {
            let inner: String = text.chars().skip(1).take_while(|c| !matches!(c, ')' | '）')).take(6).collect();
            let closed = text.chars().nth(inner.chars().count() + 1).is_some_and(|c| matches!(c, ')' | '）'));
            closed
                && !inner.is_empty()
                && inner.chars().count() <= 4
                && (inner.chars().all(|c| c.is_ascii_digit()) && inner.len() <= 2
                    || inner.chars().all(|c| matches!(c, 'i' | 'v' | 'x'))
                    || inner.chars().count() == 1 && inner.chars().all(|c| c.is_ascii_alphabetic())
                    || inner.chars().all(is_han_numeral))
        }
        _ => {
            let digits = text.chars().take_while(char::is_ascii_digit).count();
            if digits > 0 && digits <= 2 {
                let mut rest = text.chars().skip(digits);
                return match (rest.next(), rest.next()) {
                    (Some('.' | ')'), Some(' ')) => true,
                    (Some('、' | '．' | '）'), Some(_)) => true,
                    (Some('.'), Some(c)) => is_wide(c),
                    _ => false,
                };
            }
            first.is_ascii_alphabetic() && matches!(second, Some(')')) && text.chars().nth(2) == Some(' ')
        }
    }
}

fn is_han_numeral(c: char) -> bool {
    matches!(c, '一' | '二' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十' | '百' | '零' | '〇')
}

/// A numbering that headings carry.
struct Numbering {
    level: u8,
    /// Whether the pattern alone makes a short line a heading.
    sure: bool,
}

/// Whether a text carries the numbering of a heading.
pub fn is_numbered(text: &str) -> bool {
    numbering(text).is_some_and(|n| n.sure)
}

fn numbering(text: &str) -> Option<Numbering> {
    let text = text.trim_start();
    let mut chars = text.chars();
    let first = chars.next()?;
    let found = |level, sure| Some(Numbering { level, sure });
    if first == '第' {
        let number = text.chars().skip(1).take_while(|c| is_han_numeral(*c) || c.is_ascii_digit() || *c == ' ').count();
        let unit = text.chars().nth(1 + number)?;
        let next = text.chars().nth(2 + number);
        let apart = next.is_none_or(|c| {
            c.is_whitespace() || is_wide(c) && !matches!(c, '，' | '、' | '的' | '至' | '和' | '及' | '条' | '款')
        });
        return match unit {
            '章' | '编' | '部' | '篇' if number > 0 && apart => found(1, true),
            '节' if number > 0 && apart => found(1, true),
            _ => None,
        };
    }
    if is_han_numeral(first) {
        let number = text.chars().take_while(|c| is_han_numeral(*c)).count();
        return match text.chars().nth(number) {
            Some('、' | '．') if number <= 3 => found(2, true),
            _ => None,
        };
    }
    if matches!(first, '(' | '（') {
        let number = text.chars().skip(1).take_while(|c| is_han_numeral(*c)).count();
        return match text.chars().nth(1 + number) {
            Some(')' | '）') if (1..=3).contains(&number) => found(3, true),
            _ => None,
        };
    }
    let upper = text.get(..8).unwrap_or(text).to_ascii_uppercase();
    if let Some(rest) = upper.strip_prefix("PART ") {
        return if rest.starts_with(['I', 'V', 'X']) { found(1, text.len() < 60) } else { None };
    }
    if let Some(rest) = upper.strip_prefix("ITEM") {
        return if rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) { found(2, true) } else { None };
    }
    if upper.starts_with("NOTE ") && upper.chars().nth(5).is_some_and(|c| c.is_ascii_digit()) {
        return found(3, false);
    }
    if first.is_ascii_digit() {
        let head: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let rest = &text[head.len()..];
        let parts: Vec<&str> = head.trim_end_matches('.').split('.').collect();
        let short = parts.iter().all(|p| (1..=2).contains(&p.len()));
        let follows = rest.starts_with(' ') && rest.trim_start().starts_with(|c: char| c.is_alphabetic())
            || rest.starts_with(|c: char| is_wide(c) && c.is_alphabetic());
        if parts.len() >= 2 && short && follows && parts.len() <= 5 && parts[0] != "0" {
            let apart = rest.starts_with(' ') && rest.trim_start().starts_with(is_han) && text.chars().count() <= 25;
            return found((parts.len() as u8).min(4), apart && !text.contains(['，', '。', '；']));
        }
        if parts.len() == 1 && head.len() <= 2 && (rest.starts_with('、') || rest.starts_with('．'))
            || parts.len() == 1 && head.ends_with('.') && head.len() <= 3
        {
            return found(4, false);
        }
        return None;
    }
    None
}

/// Whether a line leads to a page number over dots.
fn has_leader(text: &str) -> bool {
    let mut run = 0;
    for c in text.chars() {
        match c {
            '.' | '·' | '…' | '⋯' | '．' | '_' => run += if matches!(c, '…' | '⋯') { 3 } else { 1 },
            ' ' if run > 0 => {}
            _ => run = 0,
        }
        if run >= 5 {
            return true;
        }
    }
    false
}

/// The role of a block, by size relative to the body, weight, numbering and length.
fn kind(draft: &Draft, body: f32) -> BlockKind {
    let Content::Lines(lines) = &draft.content else { return BlockKind::Table };
    let text = draft.text();
    let count = text.chars().count();
    let ratio = draft.size() / body.max(1.0);
    let bold = lines.iter().all(|l| l.bold);
    let ends = text.ends_with(['.', '。', ';', '；', ',', '，', ':', '：', '、']);
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let spoken = letters >= 2 && 3 * letters > count;
    let han = text.chars().filter(|c| is_wide(*c)).count();
    let long = count > if 2 * han > count { 45 } else { 130 };
    if lines.len() <= 3 && !long && spoken && !has_leader(&text) {
        let numbered = numbering(&text);
        let item = text.to_ascii_lowercase().starts_with("item");
        if let Some(n) = &numbered {
            let inside = text.contains(['。', '；', ';']);
            if (n.sure && (!ends || item) && !inside || (bold || ratio > 1.1) && !text.ends_with(['。', '；', ';', '，', ',']))
                && ratio > 0.85
            {
                return BlockKind::Heading(n.level);
            }
        }
        let dated = text.ends_with(|c: char| c.is_ascii_digit()) && letters < 4;
        if !ends && !dated && numbered.is_none() && !list_marker(&text) {
            if ratio >= 1.6 {
                return BlockKind::Heading(1);
            }
            if ratio >= 1.3 {
                return BlockKind::Heading(2);
            }
            if ratio >= 1.12 {
                return BlockKind::Heading(3);
            }
            if bold && lines.len() <= 2 && ratio > 0.92 && count >= 3 {
                return BlockKind::Heading(if ratio > 1.05 { 3 } else { 4 });
            }
        }
    }
    if ratio < 0.9 && (text.starts_with(['*', '†', '‡', '注']) || footnote_start(&text)) {
        return BlockKind::Footnote;
    }
    if list_marker(&text) {
        return BlockKind::ListItem;
    }
    if count < 120 && table::is_caption(&text) {
        return BlockKind::Caption;
    }
    BlockKind::Paragraph
}

fn footnote_start(text: &str) -> bool {
    let digits = text.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '(' | ')' | '（' | '）')).count();
    (1..=4).contains(&digits) && text.chars().nth(digits).is_some_and(|c| c == ' ' || c.is_alphabetic())
}

/// The usual font size of some sheets: that of most characters.
pub fn body_size<'s>(sheets: impl Iterator<Item = &'s Sheet>) -> f32 {
    let mut sizes: HashMap<i32, usize> = HashMap::new();
    for piece in sheets.flat_map(|s| s.pieces.iter().flatten()) {
        *sizes.entry((piece.size * 4.0).round() as i32).or_default() += piece.chars.len();
    }
    sizes.into_iter().max_by_key(|(size, n)| (*n, *size)).map_or(10.0, |(size, _)| size as f32 / 4.0)
}

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
        Table { caption: grid.caption, unit: grid.unit, header_rows: grid.header_rows, rows }
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
        let words = Vocabulary(["home", "personal", "care"].map(String::from).into());
        assert_eq!(joint("home and personal-", "care", &words), Joint::Nothing);
    }

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

    fn numbered(text: &str, want: Option<u8>) {
        assert_eq!(numbering(text).map(|n| n.level), want, "{text}");
    }

    #[test]
    fn headings_are_told_by_their_numbering() {
        numbered("第一节 释义", Some(1));
        numbered("第三章 财务会计信息", Some(1));
        numbered("二、财务报表", Some(2));
        numbered("（一）主要会计数据", Some(3));
        numbered("2.1 模型商店型厂商", Some(2));
        numbered("PART II", Some(1));
        numbered("Item 1A. Risk Factors", Some(2));
        numbered("18.4万元；检索增强", Some(2));
        numbered("11.4% to 3.92 million units", None);
        numbered("第三条 本公司", None);
    }

    #[test]
    fn items_of_lists_are_told_by_their_markers() {
        for text in ["• first", "（1）采购模式", "(a) the notes", "3) third", "①", "- a point"] {
            assert!(list_marker(text), "{text}");
        }
        for text in ["(1,234) in cash", "2023 was good", "-4.49"] {
            assert!(!list_marker(text), "{text}");
        }
    }

    #[test]
    fn leader_dots_are_told_from_points() {
        assert!(has_leader("第一节 释义..................5"));
        assert!(!has_leader("and so on... said the chairman."));
    }
}
