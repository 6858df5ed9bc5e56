//! Table look-up: which cell answers the question? A row whose label says what is asked, and the value under the asked period.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use index::{
    corpus::DocumentId,
    page::{Cell, Page, Table},
};

use super::{
    Candidate, Reader, Scene, Terms,
    table::{contradicts, is_note, is_value, plain_words, unit_in_brackets},
    terms,
};
use crate::{
    period::{Period, periods, relative},
    question::Kind,
    sentence::one_line,
};

impl Reader<'_> {
    /// The rows of a table whose label says what is asked, each with the value under the asked period.
    pub(super) fn rows(
        &self,
        scene: &Scene,
        part: u32,
        page: &Page,
        table: &Table,
        range: &Range<usize>,
        seen: &mut HashSet<(DocumentId, u32, Range<usize>)>,
    ) -> Vec<Candidate> {
        let text = |cell: &Cell| page.text.get(cell.range()).unwrap_or_default().trim();
        let headers = headers(page, table);
        let header_terms: HashMap<u32, Terms> =
            headers.iter().map(|(column, header)| (*column, terms(&header.replace('_', " ")))).collect();
        let around =
            terms(&format!("{} {}", table.caption.as_deref().unwrap_or_default(), table.unit.as_deref().unwrap_or_default()));
        let unit = table.unit.as_deref().map(unit_in_brackets).unwrap_or_default();
        let dated = headers.values().any(|header| has_year(header));
        let latest = headers.values().flat_map(|h| periods(h)).filter_map(|(_, p)| p.year).max();
        let asked = plain_words(&self.folded);
        let mut found = Vec::new();
        let mut group = String::new();
        for row in table.rows.iter().skip(table.header_rows as usize) {
            let filled: Vec<&Cell> = row.iter().filter(|cell| !text(cell).is_empty()).collect();
            let (Some(first), Some(last)) = (filled.first(), filled.last()) else { continue };
            let line = first.start as usize..last.end as usize;
            // A period in front is part of the row's label: a table may have its periods in rows, or in a column of their own.
            let of_periods = |cell: &Cell| cell.column == 0 || headers.get(&cell.column).is_some_and(|h| heads_periods(h));
            let note = |cell: &Cell| headers.get(&cell.column).is_some_and(|header| is_note(header));
            let value = |cell: &Cell| {
                is_value(text(cell)) && !note(cell) && !(filled.len() > 1 && is_period(text(cell)) && of_periods(cell))
            };
            let values: Vec<&&Cell> = filled.iter().filter(|cell| value(cell)).collect();
            if values.is_empty() {
                // A row of one cell heads those under it.
                group = if filled.len() == 1 { text(first).to_owned() } else { String::new() };
                continue;
            }
            if line.start < range.start || line.end > range.end {
                continue;
            }
            let label = filled.iter().take_while(|cell| !value(cell)).map(|cell| text(cell)).collect::<Vec<_>>().join(" ");
            if label.is_empty() || contradicts(&asked, &format!("{label} {group}")) {
                continue;
            }
            let label_terms = terms(&label);
            let mut before = around.clone();
            before.extend(terms(&group));
            let abroad = self.abroad(&label);
            for cell in &values {
                let header = headers.get(&cell.column).map_or("", String::as_str);
                let mut own = label_terms.clone();
                own.extend(header_terms.get(&cell.column).into_iter().flatten());
                let held = self.held(scene, &own, &before, abroad);
                if held.own <= 0.0 {
                    continue;
                }
                let described = format!("{label} {header}");
                // Where the columns are years, one without a year is none of them.
                let undated = |_: &(Option<Period>, f32)| {
                    !dated || self.question.periods.is_empty() || has_year(&described) || relative(&described, Some(1)).is_some()
                };
                let agreement = self.agrees(&described, scene).filter(undated);
                let value = text(cell);
                if self.kind == Kind::When && periods(value).is_empty() {
                    continue;
                }
                let Some(fit) =
                    self.measures(&described, value, &format!("{unit} {}", table.caption.as_deref().unwrap_or_default()))
                else {
                    continue;
                };
                let extra = self.extra(&own, abroad);
                // Without a period in the question, the latest is meant, or what a report puts first.
                let year = periods(header).iter().find_map(|(_, p)| p.year);
                let current = self.question.periods.is_empty() && year.is_some() && year == latest;
                let first_column = cell.column == values[0].column;
                let order = if current { 0.06 } else { 0.0 } + if first_column { 0.02 } else { 0.0 };
                let score = 0.7 * held.own + 0.3 * held.near + fit + order - 0.3 * extra;
                let limits = &self.question.pack.thresholds;
                let least = if abroad { limits.translated } else { limits.row };
                let enough = held.near >= least && held.musts && held.own >= 0.4;
                let statement = said(self.question.chinese, &label, header, value, &unit);
                seen.insert((scene.hit.passage.document.id, part, line.clone()));
                let focus = vec![first.range(), cell.range()];
                found.push(self.candidate(scene, part, line.clone(), statement, focus, enough, score, agreement));
            }
        }
        found
    }

    /// The share of a label's words that the question does not ask for: `cost of net sales` for `net sales`.
    fn extra(&self, label: &Terms, abroad: bool) -> f32 {
        let words = &self.words[usize::from(abroad)];
        let asked: Terms = words.iter().flat_map(|w| w.ways.iter().flat_map(|(way, _)| way.iter().copied())).collect();
        label.iter().filter(|term| !asked.contains(term)).count() as f32 / label.len().max(1) as f32
    }
}

/// The header of each column: the cells of the header rows above it, spans included.
pub(crate) fn headers(page: &Page, table: &Table) -> HashMap<u32, String> {
    let mut headers: HashMap<u32, String> = HashMap::new();
    for row in table.rows.iter().take(table.header_rows as usize) {
        for cell in row {
            let text = page.text.get(cell.range()).unwrap_or_default();
            let text = one_line(text);
            for column in cell.column..cell.column + cell.column_span.max(1) {
                let header = headers.entry(column).or_default();
                if !text.is_empty() && !header.contains(text.as_ref()) {
                    if !header.is_empty() {
                        header.push(' ');
                    }
                    header.push_str(&text);
                }
            }
        }
    }
    // The part of a table that continues from the page before has its header there.
    if headers.is_empty() {
        headers.extend(table.carried.iter().map(|carried| (carried.column, carried.text.clone())));
    }
    headers
}

fn has_year(text: &str) -> bool {
    periods(text).iter().any(|(_, period)| period.year.is_some())
}

/// Whether the cells under a header are periods.
fn heads_periods(header: &str) -> bool {
    ["year", "period", "quarter", "年", "年份", "年度", "期间", "季度"].contains(&header.trim().to_lowercase().as_str())
}

/// Whether a cell holds a period and nothing else.
fn is_period(text: &str) -> bool {
    periods(text).first().is_some_and(|(range, _)| range.len() == text.len())
}

/// A row's value as a sentence: label, column, value, unit.
fn said(chinese: bool, label: &str, header: &str, value: &str, unit: &str) -> String {
    let label = one_line(label);
    match (chinese, header.is_empty()) {
        (true, true) => format!("{label}：{value}{unit}"),
        (true, false) => format!("{label}（{header}）：{value}{unit}"),
        (false, true) => format!("{label}: {value}{unit}"),
        (false, false) => format!("{label} ({header}): {value}{unit}"),
    }
}
