//! Tables without ruling lines: figures that stand in columns, with the labels beside and the headers above them.

use index::lexical::MONTHS;

use super::super::glyphs::{Char, Piece};
use super::super::layout::Line;
use super::super::write::leader_end;
use super::{Grid, GridCell, is_value, is_year, unit_of};

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
            pieces.push(Piece { chars, ..piece.bare() });
        }
    }
    pieces.into_iter().flat_map(|piece| if number == 0 { figures(piece) } else { vec![piece] }).flat_map(dates).collect()
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
    words.into_iter().map(|chars| Piece { chars, ..piece.bare() }).collect()
}

/// Several dates of one form in one piece (`June 30, 2022 June 30, 2023`), each a piece of its own; anything else as it is.
fn dates(piece: Piece) -> Vec<Piece> {
    let text: Vec<char> = piece.chars.iter().map(|c| c.ch).collect();
    let starts = (0..text.len()).filter(|&k| text[k] != ' ' && (k == 0 || text[k - 1] == ' '));
    let words: Vec<(usize, usize)> =
        starts.map(|k| (k, text[k..].iter().position(|c| *c == ' ').map_or(text.len(), |long| k + long))).collect();
    let form = |&(start, end): &(usize, usize)| {
        let kind = |c: &char| match c {
            '0'..='9' => '9',
            'a'..='z' | 'A'..='Z' => 'a',
            c => *c,
        };
        let mut form: Vec<char> = text[start..end].iter().map(kind).collect();
        form.dedup();
        form
    };
    let forms: Vec<Vec<char>> = words.iter().map(form).collect();
    let year =
        |&(start, end): &(usize, usize)| text[start..end].split(|c| !c.is_ascii_digit()).any(|d| is_year(&String::from_iter(d)));
    let dated = |date: &[(usize, usize)]| date.iter().any(year);
    let alike = |length: &usize| {
        words.len() >= 2 * length
            && words.len().is_multiple_of(*length)
            && forms.chunks(*length).all(|date| *date == forms[..*length])
            && words.chunks(*length).all(dated)
    };
    let Some(length) = (1..=6).find(alike) else { return vec![piece] };
    let cut = |date: &[(usize, usize)]| Piece { chars: piece.chars[date[0].0..date[length - 1].1].to_vec(), ..piece.bare() };
    words.chunks(length).map(cut).collect()
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
    // One that stands mostly beside its column is a header of that column.
    let beside = row.entries.iter().any(|e| e.x1 > figures_from && middle(e.x0, e.x1) <= figures_from);
    if over.is_empty() || over.len() * 3 >= own.len() * 2 || beside {
        return None;
    }
    let nearest = |x: f32| (0..over.len()).min_by(|a, b| (over[*a] - x).abs().total_cmp(&(over[*b] - x).abs())).unwrap_or(0);
    // One header over the middle one of several columns: a period stands over all, anything else over its own.
    let alone = || row.entries.last().map(|e| e.text().to_lowercase()).unwrap_or_default();
    let period = |t: &str| t.contains("ended") || t.contains(['年', '月']) || MONTHS.iter().any(|m| t.contains(&m[..3]));
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

#[cfg(test)]
mod tests {
    use super::super::tests::{piece, texts};
    use super::*;

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

    fn cut(text: &str, into: &[&str]) {
        let dates = dates(piece(text, 50.0, 60.0));
        assert_eq!(dates.iter().map(Piece::text).collect::<Vec<_>>(), into);
    }

    #[test]
    fn dates_of_one_form_are_cut_apart() {
        cut("June 30, 2022 June 30, 2023", &["June 30, 2022", "June 30, 2023"]);
        cut("September 30, 2022 June 30, 2023 June 30, 2022", &["September 30, 2022", "June 30, 2023", "June 30, 2022"]);
        cut("2023年12月31日 2022年12月31日", &["2023年12月31日", "2022年12月31日"]);
        cut("FY2023 FY2022 FY2021", &["FY2023", "FY2022", "FY2021"]);
        cut("June 30, 2022", &["June 30, 2022"]);
        cut("Year ended June 30, 2022 and 2023", &["Year ended June 30, 2022 and 2023"]);
        cut("Net sales rose in 2023", &["Net sales rose in 2023"]);
    }
}
