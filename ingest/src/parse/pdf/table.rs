//! Where are the tables of a page, and which text stands in which cell?
//!
//! Two readings: *lattice* follows ruling lines, with merged cells; *stream* follows numbers that stand in columns.
//! Both only move pieces into cells, none is lost: what is not in a table goes back to the text.

use index::page::BlockKind;

use super::glyphs::{Char, Piece, Rule};
use super::layout::{Content, Draft, Line, leader_end, lines};

/// A table before it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Its box in the upright frame.
    pub rect: [f32; 4],
    /// The left edges of its columns.
    pub edges: Vec<f32>,
    /// The rows.
    pub rows: Vec<Vec<GridCell>>,
    /// How many of the first rows are header.
    pub header_rows: u32,
    /// The caption.
    pub caption: Option<String>,
    /// The unit line.
    pub unit: Option<String>,
}

/// A cell before it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct GridCell {
    /// First column.
    pub column: u32,
    /// Columns covered.
    pub column_span: u32,
    /// Rows covered.
    pub row_span: u32,
    /// The text.
    pub lines: Vec<Line>,
}

impl GridCell {
    fn new(column: usize, column_span: usize, row_span: usize, pieces: Vec<Piece>) -> Self {
        Self { column: column as u32, column_span: column_span as u32, row_span: row_span as u32, lines: lines(pieces) }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.lines.iter().for_each(|line| super::layout::join(&mut text, &line.text()));
        text
    }
}

impl Grid {
    fn of(rect: [f32; 4], edges: Vec<f32>, mut rows: Vec<Vec<GridCell>>) -> Self {
        for row in &mut rows {
            while row.len() > 1 && row.last().is_some_and(|cell| cell.lines.is_empty()) {
                row.pop();
            }
        }
        let texts: Vec<Vec<(u32, String)>> =
            rows.iter().map(|row| row.iter().map(|cell| (cell.column, cell.text())).collect()).collect();
        let header_rows = header_rows(&texts);
        let unit = texts.iter().take(header_rows as usize + 1).flatten().find_map(|(_, text)| unit_of(text));
        Self { rect, edges, rows, header_rows, caption: None, unit }
    }

    /// The header as one line, for the part of the table on the next page.
    pub fn header(&self) -> String {
        let rows = self.rows.iter().take(self.header_rows as usize);
        let line = |row: &Vec<GridCell>| row.iter().map(GridCell::text).filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" | ");
        rows.map(line).filter(|t| unit_of(t).is_none()).collect::<Vec<_>>().join(" / ")
    }

    /// Whether a table at the head of a page continues this one at the foot of the page before.
    pub fn continues(&self, next: &Grid) -> bool {
        let pairs = || self.edges.iter().zip(&next.edges);
        next.header_rows == 0 && self.edges.len() == next.edges.len() && pairs().skip(1).all(|(a, b)| (a - b).abs() < 40.0)
    }
}

// ---- lattice ----

/// Lines this near are one line.
const SAME: f32 = 2.5;

/// Tables drawn with ruling lines; returns them and the pieces outside.
pub fn lattice(rules: &[Rule], pieces: Vec<Piece>) -> (Vec<Grid>, Vec<Piece>) {
    let across = merged(rules, true);
    let down = merged(rules, false);
    if across.len() < 2 || down.is_empty() || across.len() * down.len() > 4_000_000 {
        return (Vec::new(), pieces);
    }
    let mut grids = Vec::new();
    let mut rest = pieces;
    for (across, down) in components(&across, &down) {
        let Some(frame) = Frame::of(&across, &down) else { continue };
        let (grid, left) = frame.fill(rest);
        grids.extend(grid);
        rest = left;
    }
    (grids, rest)
}

/// Collinear lines joined, shorter than 3 points dropped.
fn merged(rules: &[Rule], horizontal: bool) -> Vec<Rule> {
    let mut rules: Vec<Rule> = rules.iter().filter(|r| r.horizontal == horizontal).copied().collect();
    rules.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.from.total_cmp(&b.from)));
    let mut merged: Vec<Rule> = Vec::new();
    let mut from = 0;
    while from < rules.len() {
        let to = from + rules[from..].partition_point(|r| r.at <= rules[from].at + 1.6);
        let group = &mut rules[from..to];
        group.sort_by(|a, b| a.from.total_cmp(&b.from));
        let first = merged.len();
        for rule in group.iter() {
            match merged.last_mut() {
                Some(last) if merged_len_ok(first, last, rule) => last.to = last.to.max(rule.to),
                _ => merged.push(*rule),
            }
        }
        from = to;
    }
    merged.retain(|r| r.to - r.from > 3.0);
    merged
}

fn merged_len_ok(_first: usize, last: &Rule, rule: &Rule) -> bool {
    (last.at - rule.at).abs() <= 1.6 && rule.from - last.to <= 3.5
}

fn crosses(h: &Rule, v: &Rule) -> bool {
    h.from - SAME <= v.at && v.at <= h.to + SAME && v.from - SAME <= h.at && h.at <= v.to + SAME
}

/// Groups of lines that cross each other.
fn components(across: &[Rule], down: &[Rule]) -> Vec<(Vec<Rule>, Vec<Rule>)> {
    let n = across.len() + down.len();
    let mut parent: Vec<usize> = (0..n).collect();
    for (i, h) in across.iter().enumerate() {
        for (j, v) in down.iter().enumerate() {
            if crosses(h, v) {
                let (a, b) = (root(&mut parent, i), root(&mut parent, across.len() + j));
                parent[a] = b;
            }
        }
    }
    let mut groups: std::collections::BTreeMap<usize, (Vec<Rule>, Vec<Rule>)> = std::collections::BTreeMap::new();
    for k in 0..n {
        let group = groups.entry(root(&mut parent, k)).or_default();
        match k.checked_sub(across.len()) {
            None => group.0.push(across[k]),
            Some(j) => group.1.push(down[j]),
        }
    }
    groups.into_values().filter(|(h, v)| h.len() >= 2 && !v.is_empty()).collect()
}

fn root(parent: &mut [usize], mut k: usize) -> usize {
    while parent[k] != k {
        parent[k] = parent[parent[k]];
        k = parent[k];
    }
    k
}

/// The grid lines of a table with the cells that no line divides merged.
struct Frame {
    xs: Vec<f32>,
    ys: Vec<f32>,
    /// For each elementary cell, row by row, the group it belongs to.
    group: Vec<usize>,
}

impl Frame {
    fn of(across: &[Rule], down: &[Rule]) -> Option<Self> {
        let mut xs = positions(down.iter().map(|r| r.at));
        let mut ys = positions(across.iter().map(|r| r.at));
        // Tables are often drawn without their outer borders.
        let (left, right) = extent(across);
        let (top, bottom) = extent(down);
        for (lines, low, high) in [(&mut xs, left, right), (&mut ys, top, bottom)] {
            if lines.first().is_some_and(|x| low < x - 10.0) {
                lines.insert(0, low);
            }
            if lines.last().is_some_and(|x| high > x + 10.0) {
                lines.push(high);
            }
        }
        let (columns, rows) = (xs.len().checked_sub(1)?, ys.len().checked_sub(1)?);
        if columns == 0 || rows == 0 || columns > 80 || rows > 400 || columns * rows < 3 {
            return None;
        }
        let mut parent: Vec<usize> = (0..columns * rows).collect();
        for r in 0..rows {
            for c in 0..columns {
                let (x, y) = ((xs[c] + xs[c + 1]) / 2.0, (ys[r] + ys[r + 1]) / 2.0);
                let wall_right =
                    c + 1 == columns || down.iter().any(|v| (v.at - xs[c + 1]).abs() <= SAME && v.from <= y && y <= v.to);
                let wall_below =
                    r + 1 == rows || across.iter().any(|h| (h.at - ys[r + 1]).abs() <= SAME && h.from <= x && x <= h.to);
                let here = r * columns + c;
                for (wall, other) in [(wall_right, here + 1), (wall_below, here + columns)] {
                    if !wall {
                        let (a, b) = (root(&mut parent, here), root(&mut parent, other));
                        parent[a.max(b)] = a.min(b);
                    }
                }
            }
        }
        let group = (0..columns * rows).map(|k| root(&mut parent, k)).collect();
        Some(Self { xs, ys, group })
    }

    fn columns(&self) -> usize {
        self.xs.len() - 1
    }

    fn rows(&self) -> usize {
        self.ys.len() - 1
    }

    /// The group of the cell at a point.
    fn at(&self, x: f32, y: f32) -> Option<usize> {
        let c = self.xs.partition_point(|edge| *edge <= x).checked_sub(1)?;
        let r = self.ys.partition_point(|edge| *edge <= y).checked_sub(1)?;
        (c < self.columns() && r < self.rows()).then(|| self.group[r * self.columns() + c])
    }

    /// Takes the pieces that lie in the frame. Without enough filled cells it is no table and all pieces go back.
    fn fill(&self, pieces: Vec<Piece>) -> (Option<Grid>, Vec<Piece>) {
        let mut cells: Vec<Vec<Piece>> = vec![Vec::new(); self.group.len()];
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for piece in pieces {
            let y = piece.y - 0.35 * piece.size;
            if y < self.ys[0] || y > self.ys[self.rows()] || piece.x1() < self.xs[0] || piece.x0() > self.xs[self.columns()] {
                rest.push(piece);
                continue;
            }
            for (group, part) in cut(&piece, |c| self.at((c.x0 + c.x1) / 2.0, y)) {
                match group {
                    Some(group) => cells[group].push(part),
                    None => rest.push(part),
                }
            }
            taken.push(piece);
        }
        let filled: Vec<usize> = (0..cells.len()).filter(|k| !cells[*k].is_empty()).collect();
        let columns = distinct(filled.iter().map(|k| k % self.columns()));
        let rows = distinct(filled.iter().map(|k| k / self.columns()));
        let crowded = filled.iter().filter(|k| is_crowded(&cells[**k])).count();
        if filled.len() < 4 || columns < 2 || rows < 2 || crowded * 8 > filled.len() {
            // Parts cut off the taken pieces are in `rest` already: put whole pieces back instead.
            let parts_of = |part: &Piece| taken.iter().any(|p| p.y == part.y && p.x0() <= part.x0() && part.x1() <= p.x1());
            rest.retain(|part| !parts_of(part));
            rest.extend(taken);
            return (None, rest);
        }
        (Some(self.grid(cells)), rest)
    }

    fn grid(&self, mut cells: Vec<Vec<Piece>>) -> Grid {
        let columns = self.columns();
        // Double rules leave slim rows and columns without a cell of their own.
        let used_column: Vec<bool> = (0..columns).map(|c| (0..self.rows()).any(|r| !cells[r * columns + c].is_empty())).collect();
        let used_row: Vec<bool> = (0..self.rows()).map(|r| (0..columns).any(|c| !cells[r * columns + c].is_empty())).collect();
        let column_number = |c: usize| used_column[..c].iter().filter(|u| **u).count();
        let mut rows: Vec<Vec<GridCell>> = Vec::new();
        for r in (0..self.rows()).filter(|r| used_row[*r]) {
            let mut row = Vec::new();
            for c in (0..columns).filter(|c| used_column[*c]) {
                let here = r * columns + c;
                if self.group[here] != here {
                    continue;
                }
                let last_column = (c..columns).take_while(|k| self.group[r * columns + k] == here).last().unwrap_or(c);
                let last_row = (r..self.rows()).take_while(|k| self.group[k * columns + c] == here).last().unwrap_or(r);
                let column_span = used_column[c..=last_column].iter().filter(|u| **u).count().max(1);
                let row_span = used_row[r..=last_row].iter().filter(|u| **u).count().max(1);
                row.push(GridCell::new(column_number(c), column_span, row_span, std::mem::take(&mut cells[here])));
            }
            rows.extend(stacked(row));
        }
        let edges = (0..columns).filter(|c| used_column[*c]).map(|c| self.xs[c]).collect();
        Grid::of([self.xs[0], self.ys[0], self.xs[columns], self.ys[self.rows()]], edges, rows)
    }
}

/// Whether a cell holds a figure apart from other text on its line: the ruling lines do not show all columns.
fn is_crowded(pieces: &[Piece]) -> bool {
    lines(pieces.to_vec()).iter().any(|line| {
        let apart = line.pieces.windows(2).any(|w| w[1].x0() - w[0].x1() > 2.0 * line.size);
        apart && line.pieces.iter().any(|p| is_value(&p.text()))
    })
}

/// Divides a ruled row that holds several lines of figures into those lines.
fn stacked(row: Vec<GridCell>) -> Vec<Vec<GridCell>> {
    let filled: Vec<&GridCell> = row.iter().filter(|c| !c.lines.is_empty()).collect();
    let most = filled.iter().map(|c| c.lines.len()).max().unwrap_or(0);
    let plain = row.iter().all(|c| c.row_span == 1);
    let Some(lead) = filled.iter().find(|c| c.lines.len() == most) else { return vec![row] };
    let baselines: Vec<f32> = lead.lines.iter().map(|l| l.y).collect();
    let place = |line: &Line| baselines.iter().position(|y| (y - line.y).abs() < 0.3 * line.size);
    let aligned = filled.iter().all(|c| c.lines.iter().all(|l| place(l).is_some()));
    let figures = filled
        .iter()
        .filter(|c| {
            c.lines.len() * 3 >= most * 2 && c.lines.iter().filter(|l| is_value(&l.text())).count() * 3 >= c.lines.len() * 2
        })
        .count();
    if !plain || most < 3 || filled.len() < 2 || figures == 0 || !aligned {
        return vec![row];
    }
    (0..most)
        .map(|k| {
            row.iter()
                .map(|cell| GridCell {
                    lines: cell.lines.iter().filter(|l| place(l) == Some(k)).cloned().collect(),
                    ..cell.clone()
                })
                .collect()
        })
        .collect()
}

fn positions(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    values.dedup_by(|b, a| *b - *a <= SAME);
    values
}

fn extent(rules: &[Rule]) -> (f32, f32) {
    rules.iter().fold((f32::MAX, f32::MIN), |(low, high), r| (low.min(r.from), high.max(r.to)))
}

fn distinct(values: impl Iterator<Item = usize>) -> usize {
    values.collect::<std::collections::BTreeSet<_>>().len()
}

/// Cuts a piece into parts whose characters belong to the same place.
fn cut<K: PartialEq + Copy>(piece: &Piece, place: impl Fn(&Char) -> K) -> Vec<(K, Piece)> {
    let mut parts: Vec<(K, Piece)> = Vec::new();
    let mut blanks: Vec<Char> = Vec::new();
    for c in &piece.chars {
        if c.ch == ' ' {
            blanks.push(*c);
            continue;
        }
        let key = place(c);
        match parts.last_mut() {
            Some((last, part)) if *last == key => {
                part.chars.append(&mut blanks);
                part.chars.push(*c);
            }
            _ => parts.push((key, Piece { chars: vec![*c], ..*piece_style(piece) })),
        }
        blanks.clear();
    }
    parts
}

fn piece_style(piece: &Piece) -> Box<Piece> {
    Box::new(Piece { chars: Vec::new(), y: piece.y, size: piece.size, bold: piece.bold })
}

// ---- stream ----

/// What a cell of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Value,
    Year,
    Text,
}

#[derive(Debug, Clone)]
struct Entry {
    pieces: Vec<Piece>,
    x0: f32,
    x1: f32,
    sort: Sort,
}

#[derive(Debug, Clone)]
struct Row {
    entries: Vec<Entry>,
    y: f32,
    size: f32,
    leader: bool,
}

impl Entry {
    fn of(piece: Piece) -> Self {
        let text = piece.text();
        let sort = if is_year(&text) {
            Sort::Year
        } else if is_value(&text) {
            Sort::Value
        } else {
            Sort::Text
        };
        Self { x0: piece.x0(), x1: piece.x1(), pieces: vec![piece], sort }
    }

    /// The extent of the digits: currency signs and brackets hang over into the columns beside.
    fn digits(&self) -> (f32, f32) {
        let digits =
            || self.pieces.iter().flat_map(|p| &p.chars).filter(|c| c.ch.is_alphanumeric() || matches!(c.ch, '—' | '–' | '-'));
        let extent = digits().fold((f32::MAX, f32::MIN), |(low, high), c| (low.min(c.x0), high.max(c.x1)));
        if extent.0 < extent.1 { extent } else { (self.x0, self.x1) }
    }

    fn text(&self) -> String {
        Line::of(self.pieces.clone()).map(|l| l.text()).unwrap_or_default()
    }

    fn absorb(&mut self, other: Entry) {
        self.x0 = self.x0.min(other.x0);
        self.x1 = self.x1.max(other.x1);
        self.pieces.extend(other.pieces);
        self.sort = if is_year(&self.text()) {
            Sort::Year
        } else if is_value(&self.text()) {
            Sort::Value
        } else {
            Sort::Text
        };
    }
}

impl Row {
    /// A row of figures: it ends with a figure, and has a label or another figure.
    fn is_data(&self) -> bool {
        let values = self.entries.iter().filter(|e| e.sort == Sort::Value).count();
        self.entries.len() >= 2 && values >= 1 && self.entries.last().is_some_and(|e| e.sort != Sort::Text || values >= 2)
    }

    fn values(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|e| e.sort == Sort::Value)
    }

    /// Where the figures begin; one at the very left may belong to a label.
    fn figures_from(&self) -> f32 {
        self.entries.iter().skip(1).filter(|e| e.sort == Sort::Value).map(|e| e.x0).fold(f32::MAX, f32::min)
    }

    fn x0(&self) -> f32 {
        self.entries.first().map_or(0.0, |e| e.x0)
    }

    fn x1(&self) -> f32 {
        self.entries.iter().map(|e| e.x1).fold(f32::MIN, f32::max)
    }

    fn label(&self) -> Option<&Entry> {
        self.entries.first().filter(|e| e.sort == Sort::Text)
    }
}

/// Tables without ruling lines, told by figures in columns; returns them and the pieces outside.
pub fn stream(pieces: Vec<Piece>) -> (Vec<Grid>, Vec<Piece>) {
    let rows = rows(&pieces);
    let mut grids = Vec::new();
    let mut used: Vec<(f32, f32)> = Vec::new();
    let mut at = 0;
    let mut floor = 0;
    while at < rows.len() {
        let Some((from, to)) = run(&rows, at, floor) else {
            at += 1;
            continue;
        };
        if let Some(grid) = grid(&rows[from..to]) {
            used.push((rows[from].y, rows[to - 1].y));
            grids.push((from, to, grid));
            floor = to;
        }
        at = to;
    }
    let in_table: Vec<bool> = (0..rows.len()).map(|r| grids.iter().any(|(from, to, _)| (*from..*to).contains(&r))).collect();
    let mut rest = Vec::new();
    for (row, taken) in row_pieces(pieces).into_iter().zip(in_table) {
        if !taken {
            rest.extend(row);
        }
    }
    (grids.into_iter().map(|(_, _, grid)| grid).collect(), rest)
}

/// Pieces by row, the same rows as those of `rows`.
fn row_pieces(mut pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    pieces.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0().total_cmp(&b.x0())));
    let mut rows: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        match rows.last_mut() {
            Some(row) if row.first().is_some_and(|f| piece.y - f.y < 0.45 * f.size.max(piece.size).min(1.6 * f.size)) => {
                row.push(piece)
            }
            _ => rows.push(vec![piece]),
        }
    }
    rows
}

fn rows(pieces: &[Piece]) -> Vec<Row> {
    row_pieces(pieces.to_vec())
        .into_iter()
        .map(|mut row| {
            row.sort_by(|a, b| a.x0().total_cmp(&b.x0()));
            let (y, size) = (row[0].y, row.iter().map(|p| p.size).fold(0.0, f32::max));
            let leader = row.iter().any(|p| (0..p.chars.len()).any(|k| leader_end(&p.chars, k).is_some()));
            let entries = glue(row.iter().flat_map(parts).map(Entry::of).collect());
            Row { entries, y, size, leader }
        })
        .collect()
}

/// A piece cut at leader dots, and between figures that stand close to each other.
fn parts(piece: &Piece) -> Vec<Piece> {
    let mut keep = vec![true; piece.chars.len()];
    let mut part = vec![0usize; piece.chars.len()];
    let (mut k, mut number) = (0, 0);
    while k < piece.chars.len() {
        if let Some(end) = leader_end(&piece.chars, k) {
            keep[k..end].fill(false);
            number += 1;
            k = end;
        } else {
            part[k] = number;
            k += 1;
        }
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for n in 0..=number {
        let mut chars: Vec<Char> = (0..piece.chars.len()).filter(|k| keep[*k] && part[*k] == n).map(|k| piece.chars[k]).collect();
        while chars.first().is_some_and(|c| c.ch == ' ') {
            chars.remove(0);
        }
        while chars.last().is_some_and(|c| c.ch == ' ') {
            chars.pop();
        }
        if !chars.is_empty() {
            pieces.push(Piece { chars, ..*piece_style(piece) });
        }
    }
    pieces.into_iter().flat_map(|piece| if number == 0 { figures(piece) } else { vec![piece] }).collect()
}

/// Several figures in one piece, each a piece of its own; anything else as it is.
fn figures(piece: Piece) -> Vec<Piece> {
    let words: Vec<Vec<Char>> = piece.chars.split(|c| c.ch == ' ').filter(|w| !w.is_empty()).map(<[Char]>::to_vec).collect();
    let text = |w: &[Char]| w.iter().map(|c| c.ch).collect::<String>();
    let amounts = words.iter().filter(|w| is_value(&text(w)) && text(w).chars().any(|c| c.is_ascii_digit())).count();
    let hangs = amounts > 0 && words.last().is_some_and(|w| is_prefix(&text(w)));
    if words.len() < 2
        || (amounts < 2 && !hangs)
        || !words.iter().all(|w| is_value(&text(w)) || is_affix(&text(w)) || is_year(&text(w)))
    {
        return vec![piece];
    }
    words.into_iter().map(|chars| Piece { chars, ..*piece_style(&piece) }).collect()
}

/// A sign that belongs to the figure beside it.
fn is_affix(text: &str) -> bool {
    is_prefix(text) || is_suffix(text)
}

fn is_prefix(text: &str) -> bool {
    matches!(text.trim(), "$" | "US$" | "HK$" | "$(" | "(" | "€" | "£" | "¥" | "￥" | "RMB" | "（" | "-$" | "C$" | "A$")
}

fn is_suffix(text: &str) -> bool {
    matches!(text.trim(), ")" | "%" | ")%" | "）" | "％" | "%)" | "x" | "pp" | "bps" | "pts")
}

/// Joins "$", "(", ")" and "%" to their figures.
fn glue(entries: Vec<Entry>) -> Vec<Entry> {
    let mut glued: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(last) = glued.last_mut() {
            let text = entry.text();
            let pending = is_prefix(&last.text());
            let near = entry.x0 - last.x1 < 14.0 * entry.pieces[0].size;
            if pending && near && (entry.sort != Sort::Text || text.starts_with(|c: char| c.is_ascii_digit())) {
                last.absorb(entry);
                continue;
            }
            if is_suffix(&text) && last.sort != Sort::Text && entry.x0 - last.x1 < 2.0 * entry.pieces[0].size {
                last.absorb(entry);
                continue;
            }
        }
        glued.push(entry);
    }
    glued
}

/// The range of rows of a table whose first row of figures is `at`, header rows above included down to `floor`.
fn run(rows: &[Row], at: usize, floor: usize) -> Option<(usize, usize)> {
    if !rows[at].is_data() {
        return None;
    }
    let mut figures_from = rows[at].figures_from();
    let (mut left, mut right) = (rows[at].x0(), rows[at].x1());
    let (mut end, mut data, mut values, mut single) = (at + 1, 1, rows[at].values().count(), 0);
    let mut k = at + 1;
    while k < rows.len() {
        let (row, last) = (&rows[k], &rows[k - 1]);
        if row.y - last.y > 3.4 * row.size.max(last.size) {
            break;
        }
        // Years without a label after figures: the header of the next table.
        if data >= 2
            && row.entries.len() >= 2
            && row.entries.iter().all(|e| e.sort == Sort::Year)
            && row.x0() > left + 0.3 * (right - left)
        {
            break;
        }
        if row.is_data() {
            figures_from = figures_from.min(row.figures_from());
            left = left.min(row.x0());
            right = right.max(row.x1());
            data += 1;
            values += row.values().count();
            single = 0;
            end = k + 1;
        } else {
            let prose =
                row.x1() > figures_from + row.size && row.x1() - row.x0() > 0.6 * (right - left) && row.entries.len() == 1;
            let columns =
                row.entries.len() >= 2 && row.entries.iter().all(|e| e.sort == Sort::Year || e.x1 - e.x0 < 0.3 * (right - left));
            single += if columns { 0 } else { 1 };
            let limit = if row.x1() <= figures_from + row.size { 6 } else { 2 };
            if prose || single > limit || (row.entries.len() >= 2 && !columns) {
                break;
            }
        }
        k += 1;
    }
    if !(data >= 3 && values >= 3 || data >= 2 && values >= 4) {
        return None;
    }
    Some((header_start(&rows[floor..at], &rows[at], figures_from, (left, right)) + floor, end))
}

/// The first of the rows above the figures that belongs to the header.
fn header_start(above: &[Row], first: &Row, figures_from: f32, (left, right): (f32, f32)) -> usize {
    let span = (right - left).max(1.0);
    let mut start = above.len();
    let mut k = above.len();
    let mut below = first;
    while k > 0 && above.len() - k < 7 {
        let row = &above[k - 1];
        let near = below.y - row.y <= 2.6 * row.size.max(below.size);
        let inside = row.x0() > left - 2.0 * row.size && row.x1() < right + 2.0 * row.size;
        let over_figures = row.entries.iter().any(|e| e.x1 > figures_from - e.pieces[0].size && e.x0 > left + 0.12 * span);
        let narrow = row.entries.iter().all(|e| {
            let width = e.x1 - e.x0;
            width < 0.45 * span
                || e.x0 > left + 0.25 * span && width < 0.75 * span
                || row.entries.len() == 1 && unit_of(&e.text()).is_some() && width < 0.6 * span
        });
        let unit = row.entries.len() == 1 && unit_of(&row.entries[0].text()).is_some();
        if !near || !inside || !narrow {
            break;
        }
        if over_figures || unit {
            start = k - 1;
        } else if row.entries.len() > 1 || row.x1() > figures_from {
            break;
        }
        below = row;
        k -= 1;
    }
    // A title centred over the whole table is no header of its columns.
    let middle = (left + right) / 2.0;
    let is_title = |row: &Row| {
        let text = row.entries[0].text();
        let lower = text.to_lowercase();
        let period =
            ["ended", "ending", "as of", "year", "quarter", "month", "week", "年", "月", "期"].iter().any(|w| lower.contains(w));
        row.entries.len() == 1
            && unit_of(&text).is_none()
            && !period
            && ((row.x0() + row.x1()) / 2.0 - middle).abs() < 0.04 * span
    };
    while start < above.len() && is_title(&above[start]) {
        start += 1;
    }
    start
}

/// The grid of a run of rows, or `None` if it is a table of contents or has no columns.
fn grid(rows: &[Row]) -> Option<Grid> {
    let data: Vec<&Row> = rows.iter().filter(|r| r.is_data()).collect();
    let value_columns = value_columns(&data);
    let figures_from = value_columns.first()?.0;
    if value_columns.len() == 1 && is_contents(&data) {
        return None;
    }
    let overlap = |e: &Entry, c: &(f32, f32)| e.x1.min(c.1) - e.x0.max(c.0);
    let others: Vec<(f32, f32)> = data
        .iter()
        .flat_map(|r| r.entries.iter())
        .filter(|e| e.sort != Sort::Value && !value_columns.iter().any(|c| overlap(e, c) > 0.0))
        .map(|e| (e.x0, e.x1))
        .collect();
    let mut columns = value_columns.clone();
    columns.extend(unions(others));
    if !columns.iter().any(|c| c.1 <= figures_from) && rows.iter().any(|r| r.label().is_some_and(|l| l.x1 <= figures_from)) {
        columns.push((rows.iter().map(Row::x0).fold(f32::MAX, f32::min), figures_from - 1.0));
    }
    columns.sort_by(|a, b| a.0.total_cmp(&b.0));
    if columns.len() < 2 || columns.len() > 60 {
        return None;
    }
    let first_data = rows.iter().position(Row::is_data)?;
    // Headers are set over the whole column, its currency signs and brackets included.
    let mut whole = columns.clone();
    for entry in data.iter().flat_map(|r| r.values()) {
        let column = &mut whole[place(entry, &columns, false).0];
        *column = (column.0.min(entry.x0), column.1.max(entry.x1));
    }
    let heads_from = whole.iter().zip(&columns).filter(|(_, c)| c.0 >= figures_from).map(|(w, _)| w.0).fold(f32::MAX, f32::min);
    let mut table: Vec<Vec<(usize, usize, Vec<Piece>)>> = Vec::new();
    for (r, row) in rows.iter().enumerate() {
        let mut cells: Vec<(usize, usize, Vec<Piece>)> = Vec::new();
        let shared = if r < first_data { shared_columns(row, &whole, heads_from) } else { None };
        let mut shared = shared.into_iter().flatten();
        for entry in &row.entries {
            let over = entry.x0 + entry.x1 > 2.0 * heads_from;
            let (column, span) = (if over { shared.next() } else { None })
                .unwrap_or_else(|| place(entry, if r < first_data { &whole } else { &columns }, r < first_data));
            match cells.last_mut() {
                Some((last, width, pieces)) if column < *last + *width => {
                    *width = (*width).max(column + span - *last);
                    pieces.extend(entry.pieces.clone());
                }
                _ => cells.push((column, span, entry.pieces.clone())),
            }
        }
        table.push(cells);
    }
    for row in &mut table {
        row.sort_by_key(|cell| cell.0);
    }
    let table = wrapped(table, rows, first_data);
    let left = rows.iter().map(Row::x0).fold(f32::MAX, f32::min);
    let right = rows.iter().map(Row::x1).fold(f32::MIN, f32::max);
    let (first, last) = (rows.first()?, rows.last()?);
    let rect = [left, first.y - 0.9 * first.size, right, last.y + 0.25 * last.size];
    let cells = table
        .into_iter()
        .map(|row| row.into_iter().map(|(column, span, pieces)| GridCell::new(column, span, 1, pieces)).collect())
        .collect();
    Some(Grid::of(rect, columns.iter().map(|c| c.0).collect(), cells))
}

/// The columns under each header that stands over several: every column goes to its nearest header, if that puts each
/// header over the middle of its columns.
fn shared_columns(row: &Row, columns: &[(f32, f32)], figures_from: f32) -> Option<Vec<(usize, usize)>> {
    let middle = |from: f32, to: f32| (from + to) / 2.0;
    let over: Vec<f32> = row.entries.iter().map(|e| middle(e.x0, e.x1)).filter(|x| *x > figures_from).collect();
    let first = columns.iter().position(|c| c.0 >= figures_from)?;
    let own: Vec<f32> = columns[first..].iter().map(|c| middle(c.0, c.1)).collect();
    if over.is_empty() || over.len() * 3 >= own.len() * 2 {
        return None;
    }
    let nearest = |x: f32| (0..over.len()).min_by(|a, b| (over[*a] - x).abs().total_cmp(&(over[*b] - x).abs())).unwrap_or(0);
    // One header over the middle one of several columns: a period stands over all, anything else over its own.
    let alone = || row.entries.last().map(|e| e.text().to_lowercase()).unwrap_or_default();
    let period = |t: &str| t.contains("ended") || t.contains(['年', '月']) || MONTHS.iter().any(|m| t.contains(m));
    if over.len() == 1 && own.len() % 2 == 1 && !period(&alone()) {
        return None;
    }
    let homes: Vec<usize> = own.iter().map(|x| nearest(*x)).collect();
    let step = (own[own.len() - 1] - own[0]) / (own.len() - 1).max(1) as f32;
    (0..over.len())
        .map(|k| {
            let from = homes.iter().position(|h| *h == k)?;
            let count = homes.iter().filter(|h| **h == k).count();
            let aim = middle(own[from], own[from + count - 1]);
            ((aim - over[k]).abs() < 0.35 * step).then_some((first + from, count))
        })
        .collect()
}

/// The columns of figures. A figure that stands alone left of them belongs to a label that wraps.
fn value_columns(data: &[&Row]) -> Vec<(f32, f32)> {
    let spans: Vec<(f32, f32)> = data.iter().flat_map(|r| r.values()).map(Entry::digits).collect();
    let mut columns = unions(spans.clone());
    let support = |c: &(f32, f32)| spans.iter().filter(|s| s.0 >= c.0 && s.1 <= c.1).count();
    let most = columns.iter().map(support).max().unwrap_or(0);
    while columns.len() > 1 && support(&columns[0]) * 8 <= most {
        columns.remove(0);
    }
    columns
}

/// The column of an entry, and how many it covers if it is a header.
fn place(entry: &Entry, columns: &[(f32, f32)], header: bool) -> (usize, usize) {
    let (x0, x1) = if entry.sort == Sort::Value { entry.digits() } else { (entry.x0, entry.x1) };
    let overlap = |c: &(f32, f32)| x1.min(c.1) - x0.max(c.0);
    if header {
        let covered: Vec<usize> =
            (0..columns.len()).filter(|k| overlap(&columns[*k]) > 0.5 * (columns[*k].1 - columns[*k].0)).collect();
        if let (Some(first), Some(last)) = (covered.first(), covered.last())
            && last > first
        {
            return (*first, last - first + 1);
        }
    }
    let best = (0..columns.len()).max_by(|a, b| overlap(&columns[*a]).total_cmp(&overlap(&columns[*b]))).unwrap_or(0);
    // A label that runs over the first figures is still a label.
    if entry.sort == Sort::Text && !header && overlap(&columns[best]) > 0.0 {
        let first = columns.iter().position(|c| entry.x0 < c.1).unwrap_or(best);
        return (first, 1);
    }
    (best, 1)
}

/// Joins labels that wrap over two lines with the row of their figures.
fn wrapped(table: Vec<Vec<(usize, usize, Vec<Piece>)>>, rows: &[Row], first_data: usize) -> Vec<Vec<(usize, usize, Vec<Piece>)>> {
    let label_only = |r: usize| {
        r >= first_data.min(r) && rows[r].entries.len() == 1 && rows[r].entries[0].sort == Sort::Text && table[r][0].0 == 0
    };
    let goes_on = |c: char| c.is_lowercase() || matches!(c, '(' | '$' | '&');
    let starts_low = |r: usize| rows[r].entries.first().is_some_and(|l| l.text().starts_with(goes_on)) && table[r][0].0 == 0;
    let near = |a: usize, b: usize| rows[b].y - rows[a].y < 1.45 * rows[a].size.max(rows[b].size);
    let mut into: Vec<usize> = (0..rows.len()).collect();
    for r in 0..rows.len() {
        if rows[r].is_data() && table[r].first().is_some_and(|c| c.0 != 0) {
            // Figures without a label: it stands above, or half above and half below.
            if r > 0 && label_only(r - 1) && near(r - 1, r) && !ends_open(&rows[r - 1]) {
                into[r - 1] = r;
                if r + 1 < rows.len() && label_only(r + 1) && rows[r + 1].y - rows[r].y < 0.9 * rows[r].size {
                    into[r + 1] = r;
                }
            }
        } else if rows[r].is_data()
            && r > first_data
            && label_only(r - 1)
            && near(r - 1, r)
            && starts_low(r)
            && !ends_open(&rows[r - 1])
        {
            into[r - 1] = r;
        } else if r > 0 && label_only(r) && rows[r - 1].is_data() && starts_low(r) && near(r - 1, r) {
            into[r] = r - 1;
        }
    }
    let mut joined: Vec<Vec<(usize, usize, Vec<Piece>)>> =
        table.iter().enumerate().map(|(r, row)| if into[r] == r { row.clone() } else { Vec::new() }).collect();
    for r in 0..rows.len() {
        let home = into[r];
        if home != r {
            let pieces = table[r].iter().flat_map(|c| c.2.clone());
            match joined[home].first_mut() {
                Some(cell) if cell.0 == 0 => cell.2.extend(pieces),
                _ => joined[home].insert(0, (0, 1, pieces.collect())),
            }
        }
    }
    joined.retain(|row| !row.is_empty());
    joined
}

fn ends_open(row: &Row) -> bool {
    row.entries.last().is_some_and(|e| e.text().ends_with([':', '：']))
}

/// Overlapping intervals joined.
fn unions(mut spans: Vec<(f32, f32)>) -> Vec<(f32, f32)> {
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<(f32, f32)> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.0 < last.1 => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    joined
}

/// Whether the only figures are page numbers that do not fall: a table of contents.
fn is_contents(data: &[&Row]) -> bool {
    let pages: Vec<i64> = data.iter().filter_map(|r| r.values().last()?.text().trim().parse().ok()).collect();
    let leaders = data.iter().filter(|r| r.leader).count() * 2 > data.len();
    pages.len() * 10 >= data.len() * 9
        && pages.len() >= 4
        && pages.windows(2).all(|w| w[0] <= w[1])
        && (leaders || pages.iter().all(|p| *p < 1000))
}

// ---- words of tables ----

/// Whether a text is one figure: digits with separators, sign, currency, percent, or a dash for none.
pub fn is_value(text: &str) -> bool {
    let text = text.trim();
    if matches!(text, "-" | "–" | "—" | "--" | "－" | "——" | "N/A" | "n/a" | "NM" | "nm" | "N.M." | "n.m." | "NA" | "不适用")
    {
        return true;
    }
    let is_mark = |c: char| {
        matches!(
            c,
            '$' | '€'
                | '£'
                | '¥'
                | '￥'
                | '('
                | ')'
                | '（'
                | '）'
                | '%'
                | '％'
                | '+'
                | '-'
                | '–'
                | '−'
                | '~'
                | '<'
                | '>'
                | '*'
                | ' '
                | '‰'
        )
    };
    let text = text.trim_start_matches("US$").trim_start_matches("HK$").trim_start_matches("RMB");
    let text = text.trim_end_matches("bps").trim_end_matches("pts").trim_end_matches("pp").trim_end_matches(['x', 'X', '倍']);
    let inner: &str = text.trim_matches(is_mark);
    if inner.is_empty() {
        // "$ —" and "$(—)".
        return text.chars().any(|c| matches!(c, '—' | '–' | '-'));
    }
    let mut digits = 0;
    for c in inner.chars() {
        match c {
            '0'..='9' | '０'..='９' => digits += 1,
            ',' | '.' | '，' | '．' | '\'' => {}
            '—' | '–' => {}
            _ => return false,
        }
    }
    (digits > 0 && !inner.ends_with(['.', ',']) && !inner.starts_with(',')) || inner.chars().all(|c| matches!(c, '—' | '–'))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Whether a text is a year, a period or a date, as headers have them.
pub fn is_year(text: &str) -> bool {
    let text = text.trim().trim_matches(['*', '(', ')']);
    let bare = text.trim_start_matches("FY").trim_start_matches("fy").trim_start_matches("CY").trim_start();
    let year = |s: &str| {
        s.len() == 4
            && s.bytes().all(|b| b.is_ascii_digit())
            && matches!(s.as_bytes()[0], b'1' | b'2')
            && (s.starts_with("19") || s.starts_with("20"))
    };
    let bare = bare.trim_end_matches(['E', 'A', 'e', 'F']);
    if year(bare)
        || bare.len() < text.len() && text.starts_with("FY") && bare.len() == 2 && bare.bytes().all(|b| b.is_ascii_digit())
    {
        return true;
    }
    if bare.contains('年') {
        let head: String = bare.chars().take_while(char::is_ascii_digit).collect();
        let rest = bare[head.len()..].trim_start();
        let known = rest.chars().all(|c| {
            c.is_ascii_digit()
                || matches!(
                    c,
                    '年' | '度'
                        | '月'
                        | '日'
                        | ' '
                        | '-'
                        | '~'
                        | '上'
                        | '半'
                        | '末'
                        | '初'
                        | '季'
                        | '第'
                        | '一'
                        | '二'
                        | '三'
                        | '四'
                        | '前'
                        | '底'
                        | '至'
                )
        });
        return year(&head) && known;
    }
    for mark in ['/', '-', '.'] {
        let parts: Vec<&str> = bare.split(mark).collect();
        let numbers = parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
        if numbers
            && (parts.len() == 2 || parts.len() == 3)
            && (year(parts[0]) && parts[1..].iter().all(|p| p.len() <= 2)
                || parts.len() == 3 && mark != '.' && parts[0].len() <= 2 && parts[1].len() <= 2)
        {
            return true;
        }
    }
    let lower = text.to_lowercase();
    if let Some(month) = MONTHS.iter().find_map(|m| lower.strip_prefix(m)) {
        let rest = month.trim_start_matches(char::is_alphabetic);
        return rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | ',' | '.' | '-' | '\''))
            && rest.chars().filter(char::is_ascii_digit).count() <= 6;
    }
    false
}

/// How many of the first rows are header: those before the first with a figure that is no year. Cells come with their
/// columns; rows with a label alone open a section of the body and are no header.
pub fn header_rows(rows: &[Vec<(u32, String)>]) -> u32 {
    let figure = |text: &str| is_value(text) && !is_year(text) && text.chars().any(|c| c.is_ascii_digit());
    let label_alone = |row: &Vec<(u32, String)>| !row.iter().any(|(column, text)| *column > 0 && !text.trim().is_empty());
    let mut first = match rows.iter().position(|row| row.iter().any(|(_, text)| figure(text))) {
        Some(first) => first,
        // Words only: the first row names the columns.
        None => usize::from(rows.len() > 1 && rows[0].iter().filter(|(_, text)| !text.trim().is_empty()).count() > 1),
    };
    while first > 0 && label_alone(&rows[first - 1]) && !rows[first - 1].iter().any(|(_, text)| unit_of(text).is_some()) {
        first -= 1;
    }
    // A body that begins with rows without figures: labels with notes, say.
    let titled =
        |row: &Vec<(u32, String)>| !label_alone(row) && row.iter().filter(|(_, text)| !text.trim().is_empty()).count() > 1;
    if let Some(open) = rows[..first].iter().position(|row| label_alone(row) && !row.iter().any(|(_, t)| unit_of(t).is_some()))
        && open > 0
        && rows[..open].iter().any(titled)
    {
        first = open;
    }
    first as u32
}

/// The unit a text states, as printed: `单位：万元`, `(in millions)`.
pub fn unit_of(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(at) = text.find("单位") {
        let tail = &text[at..];
        let rest = tail["单位".len()..].trim_start();
        let whole = |word: &str| {
            ["金额", "货币", "计量", "计价", "数量", "（", "("].iter().any(|w| word.ends_with(w))
                || !word.ends_with(super::layout::is_han)
        };
        if !whole(text[..at].trim_end()) {
            return None;
        }
        if rest.starts_with([':', '：']) || rest.starts_with("为") {
            let end = tail
                .char_indices()
                .skip(3)
                .find(|(_, c)| matches!(c, ')' | '）' | ';' | '；' | '。'))
                .map_or(tail.len(), |(i, _)| i);
            let unit = tail[..end].trim();
            return (unit.chars().count() <= 40).then(|| unit.to_owned());
        }
    }
    let count = text.chars().count();
    if count <= 24 && count >= 2 {
        let bare: String =
            text.chars().filter(|c| !matches!(c, '(' | ')' | '（' | '）' | '[' | ']' | ' ' | ':' | '：')).collect();
        let rest = [
            "人民币",
            "港币",
            "美元",
            "币种",
            "除另有说明外",
            "除特别说明外",
            "均以",
            "金额",
            "以",
            "列示",
            "表示",
            "单位",
            "为",
            "，",
            ",",
            "RMB",
            "HK$",
            "US$",
        ]
        .iter()
        .fold(bare.clone(), |s, word| s.replace(word, ""));
        if matches!(rest.as_str(), "元" | "千元" | "万元" | "百万元" | "亿元" | "万股" | "股" | "million" | "’000" | "'000")
            && (rest != bare || text.starts_with(['(', '（', '[']) || rest != "元" && rest != "股")
        {
            return Some(text.to_owned());
        }
    }
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return None;
    }
    let words = [
        "in millions",
        "in thousands",
        "in billions",
        "millions of",
        "thousands of",
        "billions of",
        "dollars in",
        "$ millions",
        "$ thousands",
        "$ million",
        "000s",
        "'000",
        "’000",
        "in us dollars",
        "in u.s. dollars",
    ];
    let at = words.iter().filter_map(|w| lower.find(w)).min()?;
    let open = text[..at].rfind('(');
    let close = text[at..].find(')').map(|i| at + i + 1);
    match (open, close) {
        (Some(open), Some(close)) if !text[open..at].contains(')') && close - open < 160 => Some(text[open..close].to_owned()),
        (Some(open), None) if text.len() - open < 120 => Some(text[open..].to_owned()),
        (None, Some(_)) => None,
        _ => (count <= 90 && !text.ends_with('.') && (at < 30 || count < 40)).then(|| text.to_owned()),
    }
}

/// Whether a text is the caption of a table or figure, or a unit line.
pub fn is_caption(text: &str) -> bool {
    let text = text.trim();
    let short = text.chars().count() <= 80;
    is_numbered_caption(text) || (short && unit_of(text).is_some_and(|u| u.chars().count() + 8 >= text.chars().count()))
}

/// `Table 1. …`, `图表 3：…`.
fn is_numbered_caption(text: &str) -> bool {
    let lower = text.trim().to_ascii_lowercase();
    let numbered = |rest: &str| rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
    ["table", "figure", "chart", "exhibit", "fig.", "图表", "表", "图"]
        .iter()
        .any(|w| lower.strip_prefix(w).is_some_and(numbered))
}

/// Gives each table the caption and the unit that stand right above it.
pub fn attach_captions(drafts: &mut [Draft]) {
    for at in 0..drafts.len() {
        let Content::Grid(grid) = &drafts[at].content else { continue };
        let (mut unit, mut caption, mut date) = (grid.unit.clone(), None, None);
        let mut top = grid.rect[1];
        for above in (at.saturating_sub(5)..at).rev() {
            let Content::Lines(lines) = &drafts[above].content else { break };
            let (Some(first), Some(last)) = (lines.first(), lines.last()) else { break };
            if top - last.y > 4.0 * last.size || last.y > top + last.size {
                break;
            }
            top = first.y - first.size;
            let text = drafts[above].text();
            let count = text.chars().count();
            let stated = if count <= 160 { unit_of(&text) } else { None };
            let only_unit = stated.as_ref().is_some_and(|u| u.chars().count() + 8 >= count);
            if unit.is_none() {
                unit = stated;
            }
            if only_unit || text.starts_with("编制单位") {
                if !matches!(drafts[above].kind, BlockKind::Heading(_)) {
                    drafts[above].kind = BlockKind::Caption;
                }
                continue;
            }
            if date.is_none() && is_year(&text) {
                date = Some(text);
                continue;
            }
            let heading = matches!(drafts[above].kind, BlockKind::Heading(_));
            let lead = count <= 60 && text.ends_with([':', '：']);
            let named = count <= 40
                && lines.len() == 1
                && !text.contains(['。', '，', '；'])
                && text.split(['（', '(']).next().is_some_and(|name| name.trim().ends_with(['表', '况', '细']));
            if heading || lead || named || is_caption(&text) {
                if named && !heading {
                    drafts[above].kind = BlockKind::Heading(4);
                }
                caption = Some(text);
            }
            break;
        }
        // A numbered caption may also stand below, unless it belongs to a table there.
        let under = drafts.get(at + 1).map(Draft::text).filter(|text| text.chars().count() <= 120 && is_numbered_caption(text));
        let free = !matches!(drafts.get(at + 2).map(|d| &d.content), Some(Content::Grid(_)));
        if let Some(text) = under.filter(|_| free && !caption.as_deref().is_some_and(is_numbered_caption)) {
            unit = unit.or_else(|| unit_of(&text));
            caption = Some(text);
        }
        if let Content::Grid(grid) = &mut drafts[at].content {
            grid.unit = unit;
            grid.caption = match (caption, date) {
                (Some(caption), Some(date)) => Some(format!("{caption} {date}")),
                (caption, _) => caption,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, value: bool, year: bool) {
        assert_eq!((is_value(text), is_year(text)), (value, year), "{text}");
    }

    #[test]
    fn figures_are_told_from_years_and_words() {
        is("1,234", true, false);
        is("(12.3)%", true, false);
        is("$ 14,694", true, false);
        is("—", true, false);
        is("-4.49", true, false);
        is("Net sales", false, false);
        is("七、29", false, false);
        is("1.", false, false);
    }

    #[test]
    fn years_and_dates_are_header_material() {
        is("2023", true, true);
        is("2023年", false, true);
        is("2019 年 12 月 31 日", false, true);
        is("2023年上半年", false, true);
        is("FY2023", false, true);
        is("December 31, 2023", false, true);
        is("2007-12-31", false, true);
    }

    fn header(rows: &[&str], want: u32) {
        let cells = |row: &&str| row.split('|').zip(0..).map(|(text, column)| (column, text.trim().to_owned())).collect();
        assert_eq!(header_rows(&rows.iter().map(cells).collect::<Vec<_>>()), want, "{rows:?}");
    }

    #[test]
    fn rows_before_the_first_figure_are_header() {
        header(&["项目 | 2019年 | 2018年", "营业收入 | 1,175 | 1,230"], 1);
        header(&["(in millions)", "Years ended June 30, | 2023 | 2022", "Net sales | 14,694 | 14,544"], 2);
        header(&["December 31, | 2022 | 2021", "Assets", "Cash | 14,614 | 8,052"], 1);
        header(&["企业 | 指标", "云梯 | 收入"], 1);
    }

    #[test]
    fn a_part_that_begins_with_labels_or_figures_has_no_header() {
        header(&["负债合计 | | 719 | 405", "资本公积 | | 573 | 581"], 0);
        header(&["开发支出", "商誉", "长期待摊费用 | 8,137 | 82"], 0);
    }

    fn unit(text: &str, want: Option<&str>) {
        assert_eq!(unit_of(text).as_deref(), want, "{text}");
    }

    #[test]
    fn unit_lines_are_kept_as_printed() {
        unit("单位：万元", Some("单位：万元"));
        unit("单位：元 币种：人民币", Some("单位：元 币种：人民币"));
        unit("表1 关键财务指标（单位：百万元）", Some("单位：百万元"));
        unit("人民币百万元", Some("人民币百万元"));
        unit("(in millions)", Some("(in millions)"));
        unit("(In thousands, except per share data)", Some("(In thousands, except per share data)"));
        unit("CONSOLIDATED BALANCE SHEETS (in millions)", Some("(in millions)"));
        unit("$ in millions, except per share amounts", Some("$ in millions, except per share amounts"));
    }

    #[test]
    fn the_unit_that_prepares_a_statement_is_no_measure() {
        unit("编制单位：四方科技集团股份有限公司", None);
        unit("公司", None);
        unit(
            "We invested millions of dollars in new plants, and we expect to invest millions of dollars more in the years ahead.",
            None,
        );
    }

    /// A word at a place; each character is 5 points wide.
    fn piece(text: &str, x: f32, y: f32) -> Piece {
        let chars = text.chars().zip(0..).map(|(ch, i)| Char { ch, x0: x + 5.0 * i as f32, x1: x + 5.0 * (i + 1) as f32 });
        Piece { chars: chars.collect(), y, size: 10.0, bold: false }
    }

    fn texts(grid: &Grid) -> Vec<String> {
        grid.rows.iter().map(|row| row.iter().map(GridCell::text).collect::<Vec<_>>().join(" | ")).collect()
    }

    #[test]
    fn aligned_figures_become_a_table_with_its_header() {
        let mut pieces = vec![piece("A paragraph of prose that runs over the whole width of the page, above.", 50.0, 60.0)];
        for (row, (label, a, b)) in [
            ("", "2023", "2022"),
            ("Net sales", "14,694", "14,544"),
            ("Cost of sales", "(11,969)", "(11,724)"),
            ("Gross profit", "2,725", "2,820"),
        ]
        .into_iter()
        .enumerate()
        {
            let y = 100.0 + 14.0 * row as f32;
            for (text, right) in [(a, 340.0), (b, 420.0)] {
                pieces.push(piece(text, right - 5.0 * text.len() as f32, y));
            }
            if !label.is_empty() {
                pieces.push(piece(label, 50.0, y));
            }
        }
        let (grids, rest) = stream(pieces);
        assert_eq!(rest.len(), 1);
        assert_eq!(
            texts(&grids[0]),
            ["2023 | 2022", "Net sales | 14,694 | 14,544", "Cost of sales | (11,969) | (11,724)", "Gross profit | 2,725 | 2,820"]
        );
        assert_eq!(grids[0].header_rows, 1);
    }

    #[test]
    fn ruling_lines_become_a_table_with_merged_cells() {
        let line = |horizontal, at, from, to| Rule { horizontal, at, from, to };
        let rules = [
            line(true, 100.0, 50.0, 350.0),
            line(true, 120.0, 50.0, 350.0),
            line(true, 140.0, 150.0, 350.0),
            line(true, 160.0, 50.0, 350.0),
            line(false, 50.0, 100.0, 160.0),
            line(false, 150.0, 100.0, 160.0),
            line(false, 250.0, 100.0, 160.0),
            line(false, 350.0, 100.0, 160.0),
        ];
        let at = [
            ("企业", 60.0, 115.0),
            ("指标", 160.0, 115.0),
            ("2023年", 260.0, 115.0),
            ("云梯", 60.0, 144.0),
            ("收入", 160.0, 135.0),
            ("1,284", 260.0, 135.0),
            ("利润", 160.0, 155.0),
            ("128", 260.0, 155.0),
        ];
        let (grids, rest) = lattice(&rules, at.into_iter().map(|(text, x, y)| piece(text, x, y)).collect());
        assert!(rest.is_empty());
        assert_eq!(texts(&grids[0]), ["企业 | 指标 | 2023年", "云梯 | 收入 | 1,284", "利润 | 128"]);
        assert_eq!((grids[0].rows[1][0].row_span, grids[0].header_rows), (2, 1));
    }
}
