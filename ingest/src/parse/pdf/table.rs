//! Where are the tables of a page, and which text stands in which cell?
//!
//! Two readings: *lattice* follows ruling lines, with merged cells; *stream* follows numbers that stand in columns.
//! Both only move pieces into cells, none is lost: what is not in a table goes back to the text.

use index::{
    lexical::MONTHS,
    page::{BlockKind, Carried},
};

use super::glyphs::Piece;
use super::layout::{Content, Draft, Line, is_han, lines};
use super::write::join;
pub use lattice::lattice;
pub use stream::stream;

mod lattice;
mod stream;

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
    /// The header of the table that it continues.
    pub carried: Vec<Carried>,
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
        self.lines.iter().for_each(|line| join(&mut text, &line.text()));
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
        Self { rect, edges, rows, header_rows, caption: None, unit, carried: Vec::new() }
    }

    /// The header of each column, its own or that of the table that it continues.
    fn headers(&self) -> Vec<Carried> {
        if self.header_rows == 0 {
            return self.carried.clone();
        }
        let cells = || self.rows.iter().take(self.header_rows as usize).flatten();
        let header = |column: u32| {
            let over = |cell: &&GridCell| (cell.column..cell.column + cell.column_span.max(1)).contains(&column);
            let only_unit = |text: &String| unit_of(text).is_some_and(|unit| unit.len() == text.len());
            let texts = cells().filter(over).map(GridCell::text).filter(|text| !text.is_empty() && !only_unit(text));
            texts.collect::<Vec<_>>().join(" ")
        };
        let columns = (0..self.edges.len() as u32).map(|column| Carried { column, text: header(column) });
        columns.filter(|carried| !carried.text.is_empty()).collect()
    }

    /// Tells a table at the head of a page, if it continues this one at the foot of the page before: caption, unit and headers.
    pub fn carry_over(&self, next: &mut Grid) {
        let Some(homes) = self.homes(next) else { return };
        let moved = |carried: Carried| {
            let column = homes.iter().position(|home| *home == carried.column as usize)? as u32;
            Some(Carried { column, ..carried })
        };
        next.carried = self.headers().into_iter().filter_map(moved).collect();
        next.caption = next.caption.take().or_else(|| self.caption.clone());
        next.unit = next.unit.take().or_else(|| self.unit.clone());
    }

    /// The columns here that the columns of a part without header continue; one that is empty there may be missing.
    fn homes(&self, next: &Grid) -> Option<Vec<usize>> {
        let (own, part) = (self.edges.len(), next.edges.len());
        if next.header_rows > 0 || part < 2 || part > own || own - part > 2 {
            return None;
        }
        let mut homes = vec![0];
        for edge in &next.edges[1..] {
            let from = homes[homes.len() - 1] + 1;
            let off = |home: usize| (self.edges[home] - edge).abs();
            let home = (from..own).min_by(|a, b| off(*a).total_cmp(&off(*b))).filter(|home| off(*home) < 40.0)?;
            homes.push(home);
        }
        Some(homes)
    }
}

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
                        | '—'
                        | '–'
                        | '－'
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
    if let Some(month) = MONTHS.iter().find_map(|m| lower.strip_prefix(&m[..3])) {
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
            ["金额", "货币", "计量", "计价", "数量", "（", "("].iter().any(|w| word.ends_with(w)) || !word.ends_with(is_han)
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
    if (2..=24).contains(&count) {
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
    // `2022 £000` over a column: the year is no part of the unit.
    let thousands = ["£000", "$000", "€000", "£'000", "$'000", "€'000", "£’000", "$’000", "€’000"];
    if let Some((at, sign)) = thousands.iter().find_map(|sign| Some((text.find(sign)?, sign))).filter(|_| count <= 40) {
        return Some(text[at..at + sign.len()].to_owned());
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
    use super::super::glyphs::Char;
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
        is("2019年 1—12月", false, true);
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
        unit("2022 £000", Some("£000"));
        unit("$’000", Some("$’000"));
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
    pub fn piece(text: &str, x: f32, y: f32) -> Piece {
        let chars = text.chars().zip(0..).map(|(ch, i)| Char { ch, x0: x + 5.0 * i as f32, x1: x + 5.0 * (i + 1) as f32 });
        Piece { chars: chars.collect(), y, size: 10.0, bold: false }
    }

    pub fn texts(grid: &Grid) -> Vec<String> {
        grid.rows.iter().map(|row| row.iter().map(GridCell::text).collect::<Vec<_>>().join(" | ")).collect()
    }
}
