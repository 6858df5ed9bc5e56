//! Blocks → pages, for every format that is not laid out on paper: how are blocks and tables written into the text of a
//! page, and where is a long flow of them cut into parts?

use std::collections::{BTreeSet, HashSet};

use index::page::{Block, BlockKind, Cell, Page, Table};

use super::Sink;
use crate::IngestError;

/// Text of a part of a document without pages.
pub(super) const PART: usize = 64 * 1024;
/// Text of a sheet before it goes on in the next page under the same name.
const SHEET: usize = 256 * 1024;
/// Rows of a table in one part.
pub(super) const ROWS: usize = 2000;
/// Text of a whole document, and cells of one table: beyond this it is an attack or a database.
const TEXT: usize = 256 << 20;
const CELLS: usize = 2_000_000;

/// Writes blocks into pages and sends them.
pub(super) struct Flow<'a, 'b> {
    sink: &'a mut Sink<'b>,
    page: Page,
    sent: u32,
    /// Whether pages are slides or sheets, which begin and end where the file says.
    paged: bool,
    written: usize,
    /// The first heading of the highest level seen that is not just a numbered part.
    heading: Option<(u8, String)>,
    /// The first blocks, from which a title is guessed where there is no heading.
    opening: Vec<String>,
}

/// A table before it is written: each cell with its place.
#[derive(Debug, Default)]
pub(super) struct Grid {
    pub caption: Option<String>,
    /// How many rows are headers, if the file says so.
    pub header_rows: Option<usize>,
    pub rows: Vec<Vec<GridCell>>,
}

/// A cell of a [`Grid`].
#[derive(Debug, Default, Clone)]
pub(super) struct GridCell {
    pub text: String,
    pub column: usize,
    pub column_span: usize,
}

impl Grid {
    /// A grid out of plain rows.
    pub fn of_rows<S: AsRef<str>>(rows: impl IntoIterator<Item = Vec<S>>) -> Self {
        let row = |cells: Vec<S>| {
            cells
                .iter()
                .enumerate()
                .map(|(column, text)| GridCell { text: clean(text.as_ref()), column, column_span: 1 })
                .collect()
        };
        Self { rows: rows.into_iter().map(row).collect(), ..Self::default() }
    }
}

/// Places cells that come row by row with spans. A cell that covers several rows is repeated in each of them, so that
/// every row can be read alone and no cell slides under a neighbour's column.
#[derive(Debug, Default)]
pub(super) struct Placer {
    rows: Vec<Vec<GridCell>>,
    /// Per column: how many more rows are covered, and by what.
    covered: Vec<(usize, GridCell)>,
    cells: usize,
}

impl Placer {
    /// Adds a row of `(text, column span, row span)`; the row span `usize::MAX` reaches to the end of the table.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, usize, usize)>) -> Result<(), IngestError> {
        let mut row: Vec<GridCell> = Vec::new();
        let mut column = 0;
        let mut below: Vec<(usize, usize, GridCell)> = Vec::new();
        for (text, column_span, row_span) in cells {
            column = self.take_covered(&mut row, column);
            let cell = GridCell { text, column, column_span: column_span.clamp(1, 100) };
            column += cell.column_span;
            self.cells += cell.column_span;
            if row_span > 1 {
                // A long text beside many rows would be repeated in each of them: there it stands once.
                let repeated = if cell.text.len() <= 200 { cell.text.clone() } else { String::new() };
                below.push((cell.column, row_span - 1, GridCell { text: repeated, ..cell.clone() }));
            }
            row.push(cell);
            if self.cells > CELLS {
                return Err(IngestError::ParserLimit { limit: format!("a table of more than {CELLS} cells") });
            }
        }
        while column < self.covered.len() {
            let next = self.take_covered(&mut row, column);
            column = next.max(column + 1);
        }
        for (column, rows, cell) in below {
            if self.covered.len() <= column {
                self.covered.resize_with(column + 1, || (0, GridCell::default()));
            }
            self.covered[column] = (rows, cell);
        }
        self.rows.push(row);
        Ok(())
    }

    /// Moves over columns covered from above, from `column` on.
    fn take_covered(&mut self, row: &mut Vec<GridCell>, mut column: usize) -> usize {
        while let Some((left, cell)) = self.covered.get_mut(column).filter(|(left, _)| *left > 0) {
            *left -= 1;
            column += cell.column_span.max(1);
            self.cells += cell.column_span;
            row.push(cell.clone());
        }
        column
    }

    /// The rows, every cell in its column.
    pub fn finish(self) -> Vec<Vec<GridCell>> {
        self.rows
    }
}

impl<'a, 'b> Flow<'a, 'b> {
    /// A flow without pages, cut into parts where it is long.
    pub fn unpaged(sink: &'a mut Sink<'b>) -> Self {
        Self { sink, page: Page::default(), sent: 0, paged: false, written: 0, heading: None, opening: Vec::new() }
    }

    /// A flow of slides or sheets.
    pub fn paged(sink: &'a mut Sink<'b>) -> Self {
        Self { paged: true, ..Self::unpaged(sink) }
    }

    /// Begins a slide or sheet.
    pub fn begin(&mut self, label: Option<String>) {
        self.page.label = label;
    }

    /// Ends a slide or sheet, which is sent even if it is empty: the number of the next one must be right.
    pub fn end(&mut self) -> Result<(), IngestError> {
        self.send()?;
        self.page.label = None;
        Ok(())
    }

    /// Adds a block of text. Surrounding blanks go; what has no text is left out.
    pub fn block(&mut self, kind: BlockKind, text: &str) -> Result<(), IngestError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}' || c == '\u{200B}');
        if text.is_empty() {
            return Ok(());
        }
        let kind = if is_contents(text) { BlockKind::Furniture } else { kind };
        self.watch(kind, text);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut(rest, PART));
            self.room(piece.len())?;
            let start = self.open();
            self.page.text.push_str(piece.trim_end());
            self.close(start, kind, None);
            rest = after.trim_start();
        }
        Ok(())
    }

    fn watch(&mut self, kind: BlockKind, text: &str) {
        match kind {
            BlockKind::Heading(level)
                if self.heading.as_ref().is_none_or(|(l, _)| level < *l) && numbered_heading(text).is_none() =>
            {
                self.heading = Some((level, text.chars().take(300).collect()));
            }
            _ => {}
        }
        if self.opening.len() < 2 && kind != BlockKind::Furniture {
            self.opening.push(text.chars().take(100).collect());
        }
    }

    /// Adds a table. What is no table (one column, or one cell) becomes paragraphs; title rows above the header and the
    /// caption or unit line before it are told apart; a long one is cut, each part with the header rows.
    pub fn table(&mut self, mut grid: Grid) -> Result<(), IngestError> {
        grid.rows.retain(|row| row.iter().any(|c| !c.text.is_empty()));
        let columns = grid.rows.iter().flatten().filter(|c| !c.text.is_empty()).map(|c| c.column).collect::<HashSet<_>>();
        if columns.len() < 2 {
            if let Some(caption) = grid.caption.take() {
                self.block(BlockKind::Paragraph, &caption)?;
            }
            for cell in grid.rows.iter().flatten() {
                self.block(BlockKind::Paragraph, &cell.text)?;
            }
            return Ok(());
        }
        if let Some(caption) = grid.caption.take() {
            self.block(BlockKind::Caption, &caption)?;
        }
        close_columns(&mut grid.rows);
        let titles = title_rows(&grid.rows);
        for row in grid.rows.drain(..titles) {
            for cell in row.iter().filter(|c| !c.text.is_empty()) {
                self.block(BlockKind::Caption, &cell.text)?;
            }
        }
        let header = grid.header_rows.map(|n| n.saturating_sub(titles)).filter(|n| *n > 0 && *n < grid.rows.len());
        let header = header.unwrap_or_else(|| header_rows(&grid.rows)).min(8);
        let (caption, unit) = self.captions();
        let unit = unit.or_else(|| grid.rows[..header.max(1)].iter().flatten().find_map(unit_in_header).map(str::to_owned));
        let (head, body) = grid.rows.split_at(header);
        let head_size: usize = head.iter().map(|r| row_size(r)).sum();
        let limit = if self.paged { SHEET } else { PART };
        let head = if head_size > limit / 4 { &[] } else { head };
        let body = if head.is_empty() { &grid.rows[..] } else { body };
        let mut from = 0;
        while from < body.len() {
            let mut size = head_size;
            let mut to = from;
            while to < body.len() && to - from < ROWS && (to == from || size + row_size(&body[to]) <= limit) {
                size += row_size(&body[to]);
                to += 1;
            }
            let whole = from == 0 && to == body.len();
            // A table that fits into a part of its own is not torn for the sake of a full part.
            if from > 0 || !whole || self.page.text.len() + size > limit {
                if from > 0 {
                    self.send()?;
                }
                self.room(size)?;
            }
            self.write_table(head, &body[from..to], caption.clone(), unit.clone())?;
            from = to;
        }
        Ok(())
    }

    fn write_table(
        &mut self,
        head: &[Vec<GridCell>],
        body: &[Vec<GridCell>],
        caption: Option<String>,
        unit: Option<String>,
    ) -> Result<(), IngestError> {
        let start = self.open();
        let mut table = Table {
            caption,
            unit,
            header_rows: head.len() as u32,
            rows: Vec::with_capacity(head.len() + body.len()),
            ..Table::default()
        };
        for (n, row) in head.iter().chain(body).enumerate() {
            if n > 0 {
                self.page.text.push('\n');
            }
            let row = self.write_row(row);
            table.rows.push(row);
        }
        self.close(start, BlockKind::Table, Some(table));
        self.charge(0)
    }

    fn write_row(&mut self, row: &[GridCell]) -> Vec<Cell> {
        let mut cells: Vec<Cell> = Vec::with_capacity(row.len());
        // The column whose place in the text is reached, and the first that no cell covers yet.
        let (mut column, mut free) = (0, 0);
        for cell in row {
            loop {
                let start = self.page.text.len() as u32;
                if column == cell.column {
                    break;
                }
                if column >= free {
                    cells.push(Cell { start, end: start, column: column as u32, column_span: 1, row_span: 1 });
                }
                self.page.text.push_str(" | ");
                column += 1;
            }
            let start = self.page.text.len() as u32;
            self.page.text.push_str(&cell.text);
            let end = self.page.text.len() as u32;
            cells.push(Cell { start, end, column: column as u32, column_span: cell.column_span.max(1) as u32, row_span: 1 });
            free = column + cell.column_span.max(1);
        }
        cells
    }

    /// Title and unit of a table that is about to be written, out of the blocks just before it, which become captions.
    fn captions(&mut self) -> (Option<String>, Option<String>) {
        let (mut caption, mut unit) = (None, None);
        for block in self.page.blocks.iter_mut().rev().take(3) {
            let text = &self.page.text[block.range()];
            let prose = matches!(block.kind, BlockKind::Paragraph | BlockKind::ListItem);
            let heading = matches!(block.kind, BlockKind::Heading(_));
            if !(prose || heading || block.kind == BlockKind::Caption) || text.chars().count() > 120 {
                break;
            }
            let found = unit_of(text);
            let names = block.kind == BlockKind::Caption || is_caption(text);
            if found.is_none() && !names {
                break;
            }
            // What is left of a unit line without the unit is a title too: `主要财务数据（单位：万元）`.
            let bare = found.is_some_and(|u| text.chars().count() <= u.chars().count() + 8);
            if !heading {
                block.kind = BlockKind::Caption;
            }
            if unit.is_none() {
                unit = found.map(str::to_owned);
            }
            if caption.is_none() && !bare {
                caption = Some(text.to_owned());
            }
            if caption.is_some() || heading {
                break;
            }
        }
        (caption, unit)
    }

    fn open(&mut self) -> u32 {
        if !self.page.text.is_empty() {
            self.page.text.push_str("\n\n");
        }
        self.page.text.len() as u32
    }

    fn close(&mut self, start: u32, kind: BlockKind, table: Option<Table>) {
        self.page.blocks.push(Block { start, end: self.page.text.len() as u32, kind, table });
    }

    /// Sends what is there if `size` more bytes would make the part too long.
    fn room(&mut self, size: usize) -> Result<(), IngestError> {
        self.charge(size)?;
        let limit = if self.paged { SHEET } else { PART };
        if !self.page.text.is_empty() && self.page.text.len() + size > limit { self.send() } else { Ok(()) }
    }

    fn charge(&mut self, size: usize) -> Result<(), IngestError> {
        if self.written + self.page.text.len() + size > TEXT {
            return Err(IngestError::ParserLimit { limit: format!("more than {} MB of text", TEXT >> 20) });
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), IngestError> {
        // Headings at the very end belong to what follows.
        let keep = self.page.blocks.iter().rposition(|b| !matches!(b.kind, BlockKind::Heading(_))).map_or(0, |n| n + 1);
        let carried: Vec<(BlockKind, String)> = if self.paged || keep == 0 {
            Vec::new()
        } else {
            self.page.blocks.drain(keep..).map(|b| (b.kind, self.page.text[b.range()].to_owned())).collect()
        };
        if let Some(last) = self.page.blocks.last() {
            self.page.text.truncate(last.end as usize);
        }
        self.sent += 1;
        self.written += self.page.text.len();
        let next = Page { label: self.page.label.clone(), ..Page::default() };
        let page = std::mem::replace(&mut self.page, next);
        (self.sink)(Page { number: self.sent, ..page })?;
        for (kind, text) in carried {
            let start = self.open();
            self.page.text.push_str(&text);
            self.close(start, kind, None);
        }
        Ok(())
    }

    /// Sends what is left. Returns what may serve as a title: the first heading of the highest level, else a short line
    /// that the text begins with.
    pub fn finish(mut self) -> Result<Option<String>, IngestError> {
        if !self.page.text.is_empty() {
            self.send()?;
            // Only headings were carried over, and nothing follows them.
            if !self.page.text.is_empty() {
                self.paged = true;
                self.send()?;
            }
        }
        Ok(self.heading.map(|(_, text)| text).or_else(|| opening_title(&self.opening)))
    }
}

/// `XX股份有限公司` and `2019年年度报告` on two lines are one title.
fn opening_title(opening: &[String]) -> Option<String> {
    let line = |n: usize| {
        let text: &String = opening.get(n)?;
        let long = text.chars().count() > 60;
        let sentence = text.ends_with(['。', '.', '；', ';', ',', '，', '：', ':', '！', '!', '?', '？']);
        let drawn = text.contains([' ', '\t']) && text.contains('|') || text.starts_with(['-', '#', '<', '{', '[']);
        // English titles are capitalised; a line that is not is the beginning of a text.
        let words = || text.split_whitespace().filter(|w| w.chars().count() > 3);
        let title = words().filter(|w| w.starts_with(|c: char| !c.is_lowercase())).count() * 2 > words().count()
            || text.contains(is_wide);
        (!long && !sentence && !drawn && title && text.chars().count() >= 4 && numbered_heading(text).is_none()).then_some(text)
    };
    let first = line(0)?;
    let names_report = |t: &str| ["报告", "白皮书", "说明书", "报告书", "Report", "REPORT"].iter().any(|w| t.contains(w));
    match line(1) {
        Some(second) if names_report(second) && !names_report(first) => Some(format!("{first} {second}")),
        _ => Some(first.clone()),
    }
}

/// An entry of a table of contents: dots that lead to a page number.
fn is_contents(text: &str) -> bool {
    let leaders = text.contains("......") || text.contains("………") || text.contains(". . . . .") || text.contains("······");
    let front = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let leads = front.trim_end().ends_with(['…', '⋯']) || front.trim_end().ends_with("...");
    let numbered = front.len() < text.len();
    numbered && (leaders || leads) || text.matches("......").count() > 2
}

/// Takes empty columns out. A cell over several columns moves to the first of them that holds something of its own, so
/// that `2023` over `$` and `412.6` stands over the number.
fn close_columns(rows: &mut [Vec<GridCell>]) {
    rows.iter_mut().for_each(|row| row.retain(|c| !c.text.is_empty()));
    let cells = || rows.iter().flatten();
    let mut used: BTreeSet<usize> = cells().filter(|c| c.column_span <= 1).map(|c| c.column).collect();
    for cell in cells().filter(|c| c.column_span > 1) {
        if used.range(cell.column..cell.column + cell.column_span).next().is_none() {
            used.insert(cell.column);
        }
    }
    let used: Vec<usize> = used.into_iter().collect();
    for cell in rows.iter_mut().flatten() {
        let first = used.partition_point(|c| *c < cell.column);
        let end = used.partition_point(|c| *c < cell.column + cell.column_span.max(1));
        cell.column = first;
        cell.column_span = (end - first).max(1);
    }
}

fn row_size(row: &[GridCell]) -> usize {
    row.iter().map(|c| c.text.len()).sum::<usize>() + 3 * row.last().map_or(0, |c| c.column) + 1
}

/// One line, blanks folded; between two Han characters a line break is nothing.
pub(super) fn clean(text: &str) -> String {
    let fold = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(fold).collect();
    let mut out = join_lines(lines.iter().map(String::as_str));
    out.retain(|c| !c.is_control() && c != '\u{FEFF}' && c != '\u{200B}');
    out
}

/// Lines of one paragraph as one line.
pub(super) fn join_lines<'t>(lines: impl IntoIterator<Item = &'t str>) -> String {
    let mut out = String::new();
    for line in lines {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let joins = out.is_empty() || (out.ends_with(is_wide) && line.starts_with(is_wide));
        if !joins {
            out.push(' ');
        }
        out.push_str(line);
    }
    out
}

/// Han characters and the punctuation set with them.
pub(crate) fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FF60}' | '\u{20000}'..='\u{3FFFF}')
}

/// Where to cut a text of at most `max` bytes off: after a sentence, else after a blank, else between characters.
fn cut(text: &str, max: usize) -> usize {
    if text.len() <= max {
        return text.len();
    }
    let end = text.floor_char_boundary(max);
    let window = &text[text.floor_char_boundary(end - end / 4)..end];
    let offset = end - window.len();
    let sentence = window.char_indices().rev().find(|(_, c)| matches!(c, '。' | '！' | '？' | '；' | '\n'));
    let blank = || window.char_indices().rev().find(|(at, c)| *c == ' ' && window[..*at].ends_with(['.', '!', '?', ';']));
    let any = || window.char_indices().rev().find(|(_, c)| c.is_whitespace());
    sentence.or_else(blank).or_else(any).map_or(end, |(at, c)| offset + at + c.len_utf8())
}

/// Rows before the header that hold one cell: the title of a sheet, its unit line.
fn title_rows(rows: &[Vec<GridCell>]) -> usize {
    let filled = |row: &[GridCell]| row.iter().filter(|c| !c.text.is_empty()).count();
    let titles = rows.iter().take_while(|r| filled(r) == 1 && !r.iter().any(|c| is_amount(&c.text))).count();
    // A first row with one cell may be a header over the columns right of it.
    let at_left = rows[..titles]
        .iter()
        .take_while(|r| r.iter().any(|c| !c.text.is_empty() && (c.column == 0 || unit_of(&c.text).is_some())))
        .count();
    if titles < rows.len() && titles <= 5 { at_left } else { 0 }
}

/// How many of the first rows name the columns: those without amounts, if amounts follow; else the first, if it is full.
pub(crate) fn header_rows(rows: &[Vec<GridCell>]) -> usize {
    let texts: Vec<Vec<(usize, &str)>> = rows
        .iter()
        .take(12)
        .map(|r| r.iter().filter(|c| !c.text.is_empty()).map(|c| (c.column, c.text.as_str())).collect())
        .collect();
    header_count(&texts, rows.len())
}

/// As `header_rows`, over `(column, text)` of the filled cells of the first rows of a table.
pub(crate) fn header_count(rows: &[Vec<(usize, &str)>], total: usize) -> usize {
    if total < 2 {
        return 0;
    }
    let has_amount = |row: &[(usize, &str)]| row.iter().any(|(_, t)| is_amount(t));
    // A label alone opens a group of rows; it names no columns.
    let is_label = |row: &[(usize, &str)]| row.len() == 1 && row[0].0 == 0;
    let corner = |row: &[(usize, &str)]| row.first().filter(|(column, _)| *column == 0).map(|(_, text)| (*text).to_owned());
    // A second header row leaves the column of the labels empty, repeats what spans both, or names periods.
    let goes_on = |n: usize| {
        corner(&rows[n]).is_none()
            || corner(&rows[n]) == corner(&rows[n - 1])
            || rows[n].iter().skip(1).all(|(_, t)| is_period(t))
    };
    let plain = rows.iter().enumerate().take_while(|(n, r)| !has_amount(r) && (*n == 0 || (!is_label(r) && goes_on(*n)))).count();
    if plain == 0 {
        return 0;
    }
    // Amounts somewhere below: what stands above them are headers.
    if plain <= 4 && rows[plain..].iter().any(|r| has_amount(r)) {
        return plain;
    }
    let full = rows[0].len() >= 2 && rows[0].iter().all(|(_, t)| t.chars().count() <= 60 && !t.ends_with(['。', '.', '；']));
    usize::from(full)
}

/// A number that is measured, not a year, a date or a running number in a header.
pub(crate) fn is_amount(text: &str) -> bool {
    let bare: String = text
        .chars()
        .filter(|c| {
            !matches!(
                c,
                ',' | '，'
                    | ' '
                    | '$'
                    | '¥'
                    | '￥'
                    | '€'
                    | '£'
                    | '('
                    | ')'
                    | '（'
                    | '）'
                    | '%'
                    | '％'
                    | '+'
                    | '-'
                    | '−'
                    | '–'
                    | '—'
                    | '\u{A0}'
                    | '*'
            )
        })
        .collect();
    let digits = bare.chars().filter(char::is_ascii_digit).count();
    let whole = !bare.is_empty() && digits > 0 && bare.chars().all(|c| c.is_ascii_digit() || c == '.');
    let year = bare.len() == 4 && (bare.starts_with("19") || bare.starts_with("20")) && !text.contains([',', '.', '$', '%']);
    whole && !year
}

/// Sheets put the unit into the corner of the header, or into a cell of its own; `增减(%)` is the unit of one column only.
fn unit_in_header(cell: &GridCell) -> Option<&str> {
    let unit = unit_of(&cell.text)?;
    let rest = cell.text.chars().count() - unit.chars().count();
    ((cell.column == 0 || rest <= 4) && rest <= 60 && !unit.contains(['%', '％'])).then_some(unit)
}

/// A year, quarter, half or date, as headers name columns.
fn is_period(text: &str) -> bool {
    let text = text.trim();
    let numbers = text.chars().any(|c| c.is_ascii_digit());
    let short = text.chars().count() <= 24;
    let words = ["年", "月", "季", "期", "Q1", "Q2", "Q3", "Q4", "FY", "H1", "H2", "ended", "Ended", "20", "19"]
        .iter()
        .any(|w| text.contains(w));
    numbers && short && words && !is_amount(text)
}

/// The unit in a caption or unit line, as printed: `单位：万元`, `(in millions)`.
pub(crate) fn unit_of(text: &str) -> Option<&str> {
    // `编制单位：` and `主管单位：` name a body, not a unit.
    const KINDS: [&str; 5] = ["金额", "货币", "计量", "数据", "除特别注明外"];
    for (at, word) in text.match_indices("单位").chain(text.match_indices("單位")) {
        let (before, rest) = (&text[..at], &text[at + word.len()..]);
        let kind = KINDS.iter().find(|k| before.ends_with(*k));
        let stands_alone = kind.is_some() || !before.ends_with(|c: char| c.is_alphanumeric());
        if stands_alone && rest.trim_start().starts_with(['：', ':']) {
            let start = at - kind.map_or(0, |k| k.len());
            let end = at + word.len() + rest.find(['）', ')', '】', ']', '；', ';', '。', '\n']).unwrap_or(rest.len());
            let unit = text[start..end].trim();
            if unit.chars().count() <= 40 {
                return Some(unit);
            }
        }
    }
    let lower = text.to_ascii_lowercase();
    for open in text.char_indices().filter(|(_, c)| matches!(c, '(' | '（' | '[')).map(|(at, c)| (at, at + c.len_utf8())) {
        let Some(length) = text[open.1..].find([')', '）', ']']) else { continue };
        let close = open.1 + length;
        let inside = lower[open.1..close].trim();
        let close = close + text[close..].chars().next().map_or(0, char::len_utf8);
        if is_unit_phrase(inside) {
            return Some(&text[open.0..close]);
        }
    }
    let bare = lower.trim().trim_end_matches(['.', ':']);
    (is_unit_phrase(bare) && bare.len() <= 80).then(|| text.trim())
}

fn is_unit_phrase(text: &str) -> bool {
    let scale = ["million", "thousand", "billion", "'000", "’000", "percent"].iter().any(|w| text.contains(w));
    let starts = [
        "in ",
        "dollars in",
        "amounts in",
        "figures in",
        "expressed in",
        "us$",
        "rmb",
        "$ in",
        "usd",
        "hk$",
        "unit:",
        "units:",
        "unit :",
        "eur",
        "all amounts",
        "¥",
        "tabular amounts",
    ]
    .iter()
    .any(|w| text.starts_with(w));
    let chinese = matches!(
        text,
        "万元"
            | "亿元"
            | "千元"
            | "元"
            | "百万元"
            | "人民币万元"
            | "人民币元"
            | "人民币亿元"
            | "人民币千元"
            | "人民币百万元"
            | "%"
            | "％"
            | "万美元"
            | "亿美元"
            | "美元"
            | "万吨"
            | "吨"
            | "£m"
            | "€m"
            | "$m"
            | "us$m"
            | "$000"
            | "us$000"
    );
    (scale && starts) || text.starts_with("unit:") || text.starts_with("units:") || chinese
}

/// Whether a line names a table or figure: `表 1-2 …`, `图表3：…`, `Table 4. …`.
pub(crate) fn is_caption(text: &str) -> bool {
    let text = text.trim();
    if text.chars().count() > 120 || text.ends_with(['。', '；']) {
        return false;
    }
    let numbered = |rest: &str| {
        rest.trim_start()
            .starts_with(|c: char| c.is_ascii_digit() || "一二三四五六七八九十".contains(c) || c.is_ascii_uppercase())
    };
    for word in ["图表", "附表", "表格", "表", "图", "圖表", "圖"] {
        if let Some(rest) = text.strip_prefix(word) {
            return numbered(rest) || rest.starts_with(['：', ':']);
        }
    }
    for word in ["Table", "TABLE", "Figure", "FIGURE", "Exhibit", "EXHIBIT", "Chart"] {
        if let Some(rest) = text.strip_prefix(word) {
            return rest.starts_with(' ') && numbered(rest);
        }
    }
    false
}

/// The level that the numbering of a short line standing alone gives it: `第三章 …` 1, `第二节` 2, `一、` 3, `（一）` and
/// `1.2` 4; `None` if it is no heading.
pub(crate) fn numbered_heading(text: &str) -> Option<u8> {
    let text = text.trim();
    let length = text.chars().count();
    if !(2..=60).contains(&length)
        || text.ends_with(['。', '；', ';', '，', ',', '、', '：', ':', '！', '？', '?', '!', '|'])
        || text.contains(['。', '\t', '|'])
    {
        return None;
    }
    const NUMERALS: &str = "一二三四五六七八九十百零〇壹贰叁肆伍陆柒捌玖拾";
    let numerals =
        |t: &str| t.chars().take_while(|c| NUMERALS.contains(*c) || c.is_ascii_digit()).map(char::len_utf8).sum::<usize>();
    if let Some(rest) = text.strip_prefix('第') {
        let n = numerals(rest.trim_start());
        let after = &rest.trim_start()[n..];
        return match after.trim_start().chars().next() {
            Some('章' | '编' | '篇' | '部') if n > 0 && length <= 40 => Some(1),
            Some('节' | '節') if n > 0 && length <= 40 => Some(2),
            _ => None,
        };
    }
    let han = text.chars().take_while(|c| NUMERALS.contains(*c)).map(char::len_utf8).sum::<usize>();
    if han > 0 && text[han..].starts_with(['、', '．']) && length <= 40 {
        return Some(3);
    }
    for (open, close) in [('（', '）'), ('(', ')')] {
        if let Some(rest) = text.strip_prefix(open) {
            let n = rest.chars().take_while(|c| NUMERALS.contains(*c)).map(char::len_utf8).sum::<usize>();
            return (n > 0 && rest[n..].starts_with(close) && rest.len() > n + close.len_utf8() && length <= 40).then_some(4);
        }
    }
    dotted_heading(text)
}

/// `1.2 Scope`, `3. 市场规模` (short), `Item 7. …`, `Chapter 2 …`.
fn dotted_heading(text: &str) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    for (word, level) in [("chapter ", 1), ("part ", 1), ("item ", 2), ("section ", 2)] {
        if let Some(rest) = lower.strip_prefix(word) {
            let number = rest.starts_with(|c: char| c.is_ascii_digit())
                || (level == 1 && rest.starts_with(['i', 'v', 'x']) && rest.len() < 40);
            return (number && !text.ends_with('.')).then_some(level);
        }
    }
    let digits = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').count();
    let number = text[..digits].trim_end_matches('.');
    let parts: Vec<&str> = number.split('.').collect();
    let small = parts.iter().all(|p| (1..=2).contains(&p.len()) && p.parse::<u8>().is_ok_and(|n| n > 0));
    let title = text[digits..].trim_start_matches(['、', ' ', '\u{3000}']);
    let gap = text[digits..].starts_with([' ', '\u{3000}']) || title.starts_with(is_wide);
    // `1. something` is as often an item of a list; two numbers are not. `1.2 亿元` begins with a unit, no capital.
    let named = title.chars().next().is_some_and(|c| c.is_uppercase() || is_wide(c)) && title.chars().count() >= 2;
    let unit = ["亿", "万", "元", "倍", "个", "年", "月", "%"].iter().any(|u| title.starts_with(u));
    (parts.len() >= 2 && parts.len() <= 4 && small && gap && named && !unit && !text.ends_with('.'))
        .then(|| (parts.len() as u8 + 2).min(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_taken_as_it_is_printed() {
        let check = |text: &str, unit: Option<&str>| assert_eq!(unit_of(text), unit, "{text}");
        check("单位：万元", Some("单位：万元"));
        check("表1 收入（单位：百万元）", Some("单位：百万元"));
        check("金额单位：人民币元", Some("金额单位：人民币元"));
        check("编制单位：四方科技集团股份有限公司 单位：元", Some("单位：元"));
        check("编制单位：四方科技集团股份有限公司", None);
        check("单位:元 币种:人民币", Some("单位:元 币种:人民币"));
        check(
            "Consolidated Statements of Income (in millions, except per share data)",
            Some("(in millions, except per share data)"),
        );
        check("(Dollars in thousands)", Some("(Dollars in thousands)"));
        check("In millions of CHF", Some("In millions of CHF"));
        check("RMB’000", Some("RMB’000"));
        check("Sales in the year (see note 3) were 5 million", None);
        check("营业收入（亿元）", Some("（亿元）"));
    }

    #[test]
    fn numbering_makes_a_heading_and_a_sentence_does_not() {
        let check = |text: &str, level: Option<u8>| assert_eq!(numbered_heading(text), level, "{text}");
        check("第一章 总则", Some(1));
        check("第三节 公司业务概要", Some(2));
        check("一、公司信息", Some(3));
        check("（一）主营业务", Some(4));
        check("2.1 模型商店型厂商", Some(4));
        check("1.2.3 Scope of work", Some(5));
        check("Item 7. Management’s Discussion", Some(2));
        check("一、公司应当及时披露下列信息：", None);
        check("1.5亿元", None);
        check("2.3% of sales", None);
        check("第一章规定了总则。", None);
        check("3. Sales rose in all regions", None);
        check("12.31", None);
    }

    #[test]
    fn header_rows_end_where_the_amounts_begin() {
        let check = |rows: &[&str], wanted: usize| {
            let grid = Grid::of_rows(rows.iter().map(|r| r.split('|').collect::<Vec<_>>()));
            assert_eq!(header_rows(&grid.rows), wanted, "{rows:?}");
        };
        check(&["项目|2022年|2023年", "收入|1.5|2.5"], 1);
        check(&["|Year ended|", "|2023|2022", "Sales|1,200|900"], 2);
        check(&["Item|2023|2022", "Revenue||", "Services|1,200|900"], 1);
        check(&["姓名|张三|李四", "地址|北京|上海", "电话|0576-89088166|0576-89088128"], 1);
        check(&["收入|1.5|2.5", "成本|1.0|2.0"], 0);
        check(&["单行|表"], 0);
    }

    #[test]
    fn tables_of_contents_are_furniture_and_columns_without_content_go() {
        let mut pages = Vec::new();
        let mut sink = |page| {
            pages.push(page);
            Ok(())
        };
        let mut flow = Flow::unpaged(&mut sink);
        flow.block(BlockKind::Paragraph, "第一节 释义 .............. 5").unwrap();
        flow.block(BlockKind::Paragraph, "二、本次发行的有关当事人… 16").unwrap();
        flow.table(Grid::of_rows([vec!["a", "", "1"], vec!["b", "", "2"]])).unwrap();
        flow.finish().unwrap();
        assert!(pages[0].blocks[..2].iter().all(|block| block.kind == BlockKind::Furniture));
        assert_eq!(&pages[0].text[pages[0].blocks[2].range()], "a | 1\nb | 2");
    }
}
