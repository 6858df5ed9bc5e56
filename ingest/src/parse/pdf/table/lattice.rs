//! Tables that are drawn: ruling lines make a grid, and cells that no line divides are one.

use super::super::glyphs::{Char, Piece, Rule};
use super::super::layout::{Line, lines};
use super::{Grid, GridCell, is_value};

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
        for rule in group.iter() {
            match merged.last_mut() {
                Some(last) if (last.at - rule.at).abs() <= 1.6 && rule.from - last.to <= 3.5 => last.to = last.to.max(rule.to),
                _ => merged.push(*rule),
            }
        }
        from = to;
    }
    merged.retain(|r| r.to - r.from > 3.0);
    merged
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
            _ => parts.push((key, Piece { chars: vec![*c], ..piece.bare() })),
        }
        blanks.clear();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::tests::{piece, texts};
    use super::*;

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
