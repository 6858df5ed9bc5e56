//! In which order is a page read, and what is each part of it?
//!
//! Tables come first and leave a hole; the rest is split at gutters into columns, each column into lines, lines into
//! paragraphs; then every block gets its role ([`super::role`]). What repeats on other pages is set apart before
//! ([`super::margins`]).

use std::collections::HashMap;

use index::page::BlockKind;

use super::glyphs::{Piece, Rule, Sheet, Turn, is_wide};
use super::margins::{Margins, is_page_number, masked, outer_lines};
use super::role::{has_leader, kind, list_marker, numbering};
use super::table::{self, Grid};
use super::write::join;

/// Whether a character is a Han character.
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}')
}

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

/// Whether a blank stands between two pieces of a line.
pub fn blank_between(a: &Piece, b: &Piece) -> bool {
    b.x0() - a.x1() > 0.13 * a.size.min(b.size)
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
    let main = order.first().copied();
    for t in order {
        let turn = Turn(t as u8);
        let rules: Vec<Rule> = sheet.rules.iter().map(|r| turn.rule(r, width, height)).collect();
        let mut drafts = blocks(std::mem::take(&mut turns[t]), &rules, body);
        // Text along the side heads nothing.
        for draft in drafts.iter_mut().filter(|d| Some(t) != main && matches!(d.kind, BlockKind::Heading(_))) {
            draft.kind = BlockKind::Paragraph;
        }
        parts.push((turn, drafts));
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

/// The usual font size of some sheets: that of most characters.
pub fn body_size<'s>(sheets: impl Iterator<Item = &'s Sheet>) -> f32 {
    let mut sizes: HashMap<i32, usize> = HashMap::new();
    for piece in sheets.flat_map(|s| s.pieces.iter().flatten()) {
        *sizes.entry((piece.size * 4.0).round() as i32).or_default() += piece.chars.len();
    }
    sizes.into_iter().max_by_key(|(size, n)| (*n, *size)).map_or(10.0, |(size, _)| size as f32 / 4.0)
}
