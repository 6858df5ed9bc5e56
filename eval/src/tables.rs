//! Are tables read as tables? Cells and their neighbours against a set with every table's cells (`tables.jsonl`), by the measures
//! of the ICDAR 2013 competition: a relation is a cell, the next cell that is not empty to its right or below it, and the
//! direction; contents are compared without blanks and case. Tables that are not there cost precision, missing ones recall.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    hash::Hash,
    path::{Path, PathBuf},
};

use index::page::Page;
use serde::{Deserialize, Serialize};

use crate::{EvalError, invalid};

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TableReport {
    /// Documents with their scores.
    pub documents: BTreeMap<String, Scores>,
    /// Over all cells and relations.
    pub total: Scores,
    /// The mean of the documents' F1.
    pub mean: Mean,
    /// Documents that could not be read.
    pub unreadable: Vec<String>,
}

/// Cells and relations of one or more documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Scores {
    /// Tables that are there, and that were found.
    pub tables: (usize, usize),
    /// Contents of cells.
    pub cells: Score,
    /// Neighbours.
    pub adjacency: Score,
}

/// Means over documents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Mean {
    /// Of the F1 of cells.
    pub cells: f64,
    /// Of the F1 of neighbours.
    pub adjacency: f64,
}

/// How many are there, were found, and both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// There.
    pub truth: usize,
    /// Found.
    pub found: usize,
    /// Found and there.
    pub both: usize,
}

impl Score {
    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        if self.truth + self.found == 0 { 1.0 } else { 2.0 * self.both as f64 / (self.truth + self.found) as f64 }
    }

    fn add(&mut self, other: &Self) {
        self.truth += other.truth;
        self.found += other.found;
        self.both += other.both;
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(alias = "doc_id")]
    id: String,
    file: PathBuf,
}

#[derive(Deserialize)]
struct Truth {
    doc_id: String,
    regions: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    page: u32,
    cells: Vec<TrueCell>,
}

#[derive(Deserialize)]
struct TrueCell {
    r0: u32,
    r1: u32,
    c0: u32,
    c1: u32,
    #[serde(default)]
    text: Option<String>,
}

/// A cell with the rows and columns it covers.
#[derive(Debug, Clone)]
struct Cell {
    rows: (u32, u32),
    columns: (u32, u32),
    content: String,
}

/// Measures a set with `corpus.jsonl` and `tables.jsonl`; `read` gives the pages of a file.
///
/// # Errors
/// If the set cannot be read.
pub fn measure(dir: &Path, read: &dyn Fn(&Path) -> Result<Vec<Page>, String>) -> Result<TableReport, EvalError> {
    let mut truths: HashMap<String, BTreeMap<u32, Vec<Vec<Cell>>>> = HashMap::new();
    for (_, truth) in invalid::rows::<Truth>(&dir.join("tables.jsonl"))? {
        let pages = truths.entry(truth.doc_id).or_default();
        for region in truth.regions {
            pages.entry(region.page).or_default().push(region.cells.into_iter().map(true_cell).collect());
        }
    }
    let mut report = TableReport::default();
    for (_, document) in invalid::rows::<Document>(&dir.join("corpus.jsonl"))? {
        let Some(truth) = truths.get(&document.id) else { continue };
        match read(&dir.join(&document.file)) {
            Ok(pages) => drop(report.documents.insert(document.id, score(truth, &pages))),
            Err(reason) => report.unreadable.push(format!("{}: {reason}", document.id)),
        }
    }
    for scores in report.documents.values() {
        report.total.tables.0 += scores.tables.0;
        report.total.tables.1 += scores.tables.1;
        report.total.cells.add(&scores.cells);
        report.total.adjacency.add(&scores.adjacency);
        report.mean.cells += scores.cells.f1() / report.documents.len() as f64;
        report.mean.adjacency += scores.adjacency.f1() / report.documents.len() as f64;
    }
    Ok(report)
}

impl TableReport {
    /// For a person.
    pub fn table(&self) -> String {
        let mut text = format!("{:24} tables found  cells F1  adjacency F1 (precision recall)\n", "");
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        let mut line = |name: &str, s: &Scores| {
            let a = &s.adjacency;
            writeln!(
                text,
                "{name:24} {:6} {:5}  {:8.1}  {:12.1} ({:9.1} {:6.1})",
                s.tables.0,
                s.tables.1,
                100.0 * s.cells.f1(),
                100.0 * a.f1(),
                share(a.both, a.found),
                share(a.both, a.truth)
            )
            .ok();
        };
        self.documents.iter().for_each(|(name, scores)| line(name, scores));
        line("all", &self.total);
        writeln!(text, "mean of documents: cells {:.1}, adjacency {:.1}", 100.0 * self.mean.cells, 100.0 * self.mean.adjacency)
            .ok();
        for reason in &self.unreadable {
            writeln!(text, "not read: {reason}").ok();
        }
        text
    }
}

fn true_cell(cell: TrueCell) -> Cell {
    Cell { rows: (cell.r0, cell.r1), columns: (cell.c0, cell.c1), content: plain(cell.text.as_deref().unwrap_or_default()) }
}

/// Without blanks, case, and the many signs for a dash.
fn plain(text: &str) -> String {
    let kept = |c: char| match c {
        '–' | '—' | '−' | '‐' | '‑' => Some('-'),
        '’' | '‘' => Some('\''),
        c if c.is_whitespace() || c == '\u{ad}' => None,
        c => Some(c),
    };
    text.chars().filter_map(kept).flat_map(char::to_lowercase).collect()
}

fn score(truth: &BTreeMap<u32, Vec<Vec<Cell>>>, pages: &[Page]) -> Scores {
    let mut scores = Scores::default();
    for page in pages {
        let there = truth.get(&page.number).map(Vec::as_slice).unwrap_or_default();
        let found: Vec<Vec<Cell>> = page.blocks.iter().filter_map(|block| block.table.as_ref()).map(|t| cells(page, t)).collect();
        scores.tables.0 += there.len();
        scores.tables.1 += found.len();
        let contents = |tables: &[Vec<Cell>]| {
            tables.iter().flatten().map(|cell| cell.content.clone()).filter(|content| !content.is_empty()).collect::<Vec<_>>()
        };
        scores.cells.add(&compare(contents(there), contents(&found)));
        let relations = |tables: &[Vec<Cell>]| tables.iter().flat_map(|table| relations(table)).collect::<Vec<_>>();
        scores.adjacency.add(&compare(relations(there), relations(&found)));
    }
    scores
}

fn cells(page: &Page, table: &index::page::Table) -> Vec<Cell> {
    let of_row = |(row, cells): (usize, &Vec<index::page::Cell>)| {
        let row = row as u32;
        cells
            .iter()
            .map(|cell| Cell {
                rows: (row, row + cell.row_span.max(1) - 1),
                columns: (cell.column, cell.column + cell.column_span.max(1) - 1),
                content: plain(page.text.get(cell.range()).unwrap_or_default()),
            })
            .collect::<Vec<_>>()
    };
    table.rows.iter().enumerate().flat_map(of_row).collect()
}

/// Each cell with the next cell that is not empty to its right and below it, in each row and column it covers.
fn relations(cells: &[Cell]) -> Vec<(String, String, bool)> {
    let filled: Vec<&Cell> = cells.iter().filter(|cell| !cell.content.is_empty()).collect();
    let mut relations = Vec::new();
    for cell in &filled {
        for down in [false, true] {
            let (own, along) = if down { (cell.columns, cell.rows) } else { (cell.rows, cell.columns) };
            let mut next: Vec<&Cell> = Vec::new();
            for line in own.0..=own.1 {
                let beyond = filled.iter().filter(|other| {
                    let (across, begins) = if down { (other.columns, other.rows.0) } else { (other.rows, other.columns.0) };
                    across.0 <= line && line <= across.1 && begins > along.1
                });
                let nearest = beyond.min_by_key(|other| if down { other.rows.0 } else { other.columns.0 });
                if let Some(nearest) = nearest.filter(|nearest| !next.iter().any(|known| std::ptr::eq(*known, **nearest))) {
                    next.push(nearest);
                }
            }
            relations.extend(next.into_iter().map(|other| (cell.content.clone(), other.content.clone(), down)));
        }
    }
    relations
}

fn compare<T: Eq + Hash>(truth: Vec<T>, found: Vec<T>) -> Score {
    let (there, got) = (truth.len(), found.len());
    let mut counts: HashMap<T, usize> = HashMap::new();
    for item in truth {
        *counts.entry(item).or_default() += 1;
    }
    let mut both = 0;
    for item in found {
        if let Some(count) = counts.get_mut(&item).filter(|count| **count > 0) {
            *count -= 1;
            both += 1;
        }
    }
    Score { truth: there, found: got, both }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(row: u32, columns: (u32, u32), content: &str) -> Cell {
        Cell { rows: (row, row), columns, content: plain(content) }
    }

    #[test]
    fn neighbours_skip_empty_cells_and_a_wide_cell_has_several_below() {
        let table = [
            cell(0, (1, 2), "2023年"),
            cell(1, (0, 0), "Net sales"),
            cell(1, (1, 1), ""),
            cell(1, (2, 2), "1,234"),
            cell(2, (1, 1), "7"),
        ];
        let mut found = relations(&table);
        found.sort();
        let wanted = [("2023年", "1,234", true), ("2023年", "7", true), ("netsales", "1,234", false)];
        assert_eq!(found, wanted.map(|(a, b, down)| (a.to_owned(), b.to_owned(), down)));
    }

    #[test]
    fn a_score_counts_each_relation_once() {
        let score = compare(vec!["a", "a", "b"], vec!["a", "b", "c"]);
        assert_eq!((score.both, score.truth, score.found), (2, 3, 3));
        assert!((score.f1() - 2.0 / 3.0).abs() < 1e-9);
    }
}
