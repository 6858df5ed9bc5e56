//! Plain text and separated values: where do paragraphs, headings and tables lie in characters without markup?

use index::page::BlockKind;

use super::{
    About, Sink,
    flow::{Flow, Grid, PART, ROWS, clean, header_rows, is_wide, join_lines, numbered_heading},
};
use crate::{
    IngestError,
    sniff::{count_outside_quotes, decode, extension},
};

/// Plain text.
pub(super) fn plain(bytes: &[u8], sink: &mut Sink) -> Result<About, IngestError> {
    let decoded = decode(bytes, None);
    let text = decoded.text.replace("\r\n", "\n").replace('\r', "\n");
    if text.trim().is_empty() {
        return Err(IngestError::Empty);
    }
    let mut flow = Flow::unpaged(sink);
    paragraphs(&mut flow, &text)?;
    let title = flow.finish()?;
    Ok(About { title, warnings: warnings(decoded.replaced, decoded.encoding), ..About::default() })
}

pub(super) fn warnings(replaced: usize, encoding: &str) -> Vec<String> {
    if replaced == 0 { Vec::new() } else { vec![format!("{replaced} characters could not be read as {encoding}")] }
}

/// Writes prose: tables drawn with `|` or tabs, headings by their numbers, list items, paragraphs.
pub(super) fn paragraphs(flow: &mut Flow, text: &str) -> Result<(), IngestError> {
    for paragraph in split_paragraphs(text) {
        let mut rest = &paragraph[..];
        while !rest.is_empty() {
            let plain = rest.iter().enumerate().position(|(n, _)| table_length(&rest[n..]).is_some()).unwrap_or(rest.len());
            prose(flow, &rest[..plain])?;
            rest = &rest[plain..];
            if let Some((length, separator)) = table_length(rest) {
                flow.table(grid_of_lines(&rest[..length], separator))?;
                rest = &rest[length..];
            }
        }
    }
    Ok(())
}

/// Lines between blank lines. A text without blank lines is one paragraph of many lines; `prose` takes it apart.
fn split_paragraphs(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        while lines.next_if(|l| l.trim().is_empty()).is_some() {}
        lines.peek()?;
        let mut paragraph = Vec::new();
        while let Some(line) = lines.next_if(|l| !l.trim().is_empty()) {
            paragraph.push(line);
        }
        Some(paragraph)
    })
}

fn prose(flow: &mut Flow, lines: &[&str]) -> Result<(), IngestError> {
    if lines.len() < 2 {
        return lines.iter().try_for_each(|l| line(flow, l));
    }
    if is_wrapped(lines) {
        // Lines that begin with a list marker or a numbered heading stay lines.
        let mut from = 0;
        for n in 1..=lines.len() {
            if n == lines.len()
                || is_item(lines[n])
                || numbered_heading(lines[n]).is_some()
                || numbered_heading(lines[n - 1]).is_some()
            {
                let joined = join_lines(lines[from..n].iter().copied());
                line(flow, &joined)?;
                from = n;
            }
        }
        return Ok(());
    }
    lines.iter().try_for_each(|l| line(flow, l))
}

fn line(flow: &mut Flow, text: &str) -> Result<(), IngestError> {
    let kind = match numbered_heading(text) {
        Some(level) => BlockKind::Heading(level),
        None if is_item(text) => BlockKind::ListItem,
        None => BlockKind::Paragraph,
    };
    flow.block(kind, text)
}

/// Whether a paragraph was broken into lines of about equal length by an editor. Paragraphs set one to a line differ in
/// length and end in a full stop.
fn is_wrapped(lines: &[&str]) -> bool {
    let width = |l: &str| l.trim().chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum::<usize>();
    let (body, _) = lines.split_at(lines.len() - 1);
    let widest = body.iter().map(|l| width(l)).max().unwrap_or(0);
    let full = body.iter().filter(|l| width(l) * 10 >= widest * 7).count();
    let stopped = body.iter().filter(|l| l.trim_end().ends_with(['。', '！', '？', '：', ':', '.', '!', '?'])).count();
    (40..=160).contains(&widest) && full * 10 >= body.len() * 8 && stopped * 2 <= body.len()
}

pub(super) fn is_item(text: &str) -> bool {
    let text = text.trim_start();
    let marker = ["- ", "* ", "+ ", "• ", "· ", "●", "■", "◆", "– ", "▪", "➢", "□ "].iter().any(|m| text.starts_with(m));
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let number = (1..=2).contains(&digits) && [". ", ") ", "）", "、", "．"].iter().any(|m| text[digits..].starts_with(m));
    marker || number
}

/// Whether the lines begin with a drawn table: three or more with the same number of `|` or tabs.
fn table_length(lines: &[&str]) -> Option<(usize, char)> {
    ['|', '\t'].into_iter().find_map(|separator| {
        let count = |l: &str| l.trim_matches(|c: char| c == ' ' || c == '\u{3000}').matches(separator).count();
        let first = count(lines.first()?);
        if first == 0 {
            return None;
        }
        let length = lines.iter().take_while(|l| count(l) == first).count();
        (length >= 3).then_some((length, separator))
    })
}

fn grid_of_lines(lines: &[&str], separator: char) -> Grid {
    let bordered =
        separator == '|' && lines.iter().all(|l| l.trim().starts_with('|') && l.trim().ends_with('|') && l.trim().len() > 1);
    let rule = |l: &&&str| l.contains('-') && l.chars().all(|c| matches!(c, '-' | '|' | ':' | '+' | ' ' | '='));
    Grid::of_rows(lines.iter().filter(|l| !rule(l)).map(|l| {
        let l = if bordered { l.trim().trim_start_matches('|').trim_end_matches('|') } else { l };
        // Outer borders only go where every line has both: else an empty first cell would be lost.
        l.split(separator).collect()
    }))
}

/// Separated values: one page, or parts of some thousand rows, each with the header row.
pub(super) fn csv(bytes: &[u8], name: &str, sink: &mut Sink) -> Result<About, IngestError> {
    let decoded = decode(bytes, None);
    let text = decoded.text.trim_start_matches('\u{FEFF}');
    if text.trim().is_empty() {
        return Err(IngestError::Empty);
    }
    let separator = separator(text, &extension(name));
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes());
    let mut flow = Flow::unpaged(sink);
    let (mut header, mut rows): (Option<Vec<Vec<String>>>, Vec<Vec<String>>) = (None, Vec::new());
    let mut size = 0;
    for record in reader.records() {
        let record = record.map_err(|e| IngestError::Corrupt { format: "CSV file", reason: e.to_string() })?;
        size += record.as_slice().len();
        rows.push(record.iter().map(clean).collect());
        if rows.len() >= ROWS || size > 8 * PART {
            part(&mut flow, &mut header, std::mem::take(&mut rows))?;
            size = 0;
        }
    }
    part(&mut flow, &mut header, rows)?;
    flow.finish()?;
    Ok(About { warnings: warnings(decoded.replaced, decoded.encoding), ..About::default() })
}

fn part(flow: &mut Flow, header: &mut Option<Vec<Vec<String>>>, rows: Vec<Vec<String>>) -> Result<(), IngestError> {
    if rows.is_empty() {
        return Ok(());
    }
    if let Some(header) = header {
        let header_rows = Some(header.len()).filter(|n| *n > 0);
        let grid = Grid::of_rows(header.iter().cloned().chain(rows));
        return flow.table(Grid { header_rows, ..grid });
    }
    let grid = Grid::of_rows(rows);
    *header = Some(grid.rows[..header_rows(&grid.rows)].iter().map(|r| r.iter().map(|c| c.text.clone()).collect()).collect());
    flow.table(grid)
}

/// The separator that divides the first lines most evenly.
fn separator(text: &str, extension: &str) -> u8 {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).take(50).collect();
    let evenness = |separator: u8| {
        let counts: Vec<usize> = lines.iter().map(|l| count_outside_quotes(l, separator)).collect();
        let mut sorted = counts.clone();
        sorted.sort_unstable();
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
        let same = counts.iter().filter(|c| **c == middle).count();
        if middle == 0 { 0 } else { same * 1000 + middle.min(100) }
    };
    let first = if extension == "tsv" || extension == "tab" { b'\t' } else { b',' };
    let candidates = [first, b',', b';', b'\t', b'|'];
    // The last of equals wins in `max_by_key`, the conventional separator comes first: look from behind.
    candidates.into_iter().rev().max_by_key(|s| evenness(*s)).filter(|s| evenness(*s) > 0).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use index::page::Page;

    use super::*;

    fn read(parse: impl Fn(&mut Sink) -> Result<About, IngestError>) -> (Vec<Page>, About) {
        let mut pages = Vec::new();
        let about = parse(&mut |page| {
            pages.push(page);
            Ok(())
        });
        (pages, about.unwrap())
    }

    fn blocks(text: &str) -> Vec<(BlockKind, String)> {
        let (pages, _) = read(|sink| plain(text.as_bytes(), sink));
        pages.iter().flat_map(|p| p.blocks.iter().map(|b| (b.kind, p.text[b.range()].to_owned()))).collect()
    }

    #[test]
    fn headings_are_told_by_their_numbers_when_they_stand_alone() {
        let text = "某某行业研究报告\n\n第一章 概述\n\n行业大模型正在发展。\n\n一、市场\n（一）规模\n规模为41.6亿元。\n\n1.1 Scope\n\n1.2亿元的收入来自海外。";
        let kinds: Vec<BlockKind> = blocks(text).into_iter().map(|(k, _)| k).collect();
        use BlockKind::{Heading, Paragraph};
        assert_eq!(kinds, [Paragraph, Heading(1), Paragraph, Heading(3), Heading(4), Paragraph, Heading(4), Paragraph]);
        let (_, about) = read(|sink| plain(text.as_bytes(), sink));
        assert_eq!(about.title.as_deref(), Some("某某行业研究报告"));
    }

    #[test]
    fn lines_broken_by_an_editor_are_joined_again() {
        let text = "Revenue of the group rose by five percent in the year that ended in\nJune, because prices were raised in all of the markets that the group\nserves and because volumes held.\n";
        assert_eq!(blocks(text), [(BlockKind::Paragraph, text.trim().replace('\n', " "))]);
        assert_eq!(blocks("营业收入增长。\n利润下降。\n成本持平。").len(), 3);
    }

    #[test]
    fn a_table_drawn_with_bars_is_a_table_with_an_empty_first_cell() {
        let text = "(in millions)\n |  | Years Ended September 30, | \n | 2019 | 2018 | 2017\nFixed Price | $  1,452.4 | $  1,146.2 | $  1,036.9\nOther | 44.1 | 56.7 | 70.8";
        let (pages, _) = read(|sink| plain(text.as_bytes(), sink));
        let table = pages[0].blocks.last().unwrap().table.clone().unwrap();
        let cell = |r: usize, c: usize| &pages[0].text[table.rows[r][c].range()];
        assert_eq!(table.header_rows, 2);
        assert_eq!(table.unit.as_deref(), Some("(in millions)"));
        assert_eq!((cell(1, 0), cell(1, 1), table.rows[1][1].column), ("", "2019", 1));
        assert_eq!((cell(2, 0), cell(2, 3)), ("Fixed Price", "$ 1,036.9"));
    }

    #[test]
    fn one_line_of_many_megabytes_is_cut_between_characters() {
        let text = "营业收入".repeat(200_000);
        let (pages, _) = read(|sink| plain(text.as_bytes(), sink));
        assert!(pages.len() > 30 && pages.iter().all(|p| p.text.len() <= PART));
        assert_eq!(pages.iter().map(|p| p.text.as_str()).collect::<String>(), text);
        assert_eq!(pages.iter().map(|p| p.number).collect::<Vec<_>>(), (1..=pages.len() as u32).collect::<Vec<_>>());
    }

    fn check_csv(text: &str, name: &str, header_rows: u32, rows: &[&str]) {
        let (pages, _) = read(|sink| csv(text.as_bytes(), name, sink));
        assert_eq!(pages[0].text.lines().collect::<Vec<_>>(), rows);
        assert_eq!(pages[0].blocks.last().unwrap().table.as_ref().unwrap().header_rows, header_rows);
    }

    #[test]
    fn separators_quotes_and_ragged_rows_are_read() {
        let text = "企业,2022年,备注\n云梯,\"1,937.2\",\"第一行\n第二行\"\n远山,97.5\n";
        check_csv(text, "a.csv", 1, &["企业 | 2022年 | 备注", "云梯 | 1,937.2 | 第一行第二行", "远山 | 97.5"]);
        check_csv("name;sales\na;1,5\nb;2,5\n", "a.csv", 1, &["name | sales", "a | 1,5", "b | 2,5"]);
        check_csv("name\tsales\na\t1\nb\t2\n", "a.tsv", 1, &["name | sales", "a | 1", "b | 2"]);
        check_csv("a|1|x\nb|2|y\n", "a.csv", 0, &["a | 1 | x", "b | 2 | y"]);
    }

    #[test]
    fn each_part_of_a_long_csv_knows_the_header() {
        let text: String =
            std::iter::once("company,sales\n".to_owned()).chain((0..9000).map(|n| format!("c{n},{n}.5\n"))).collect();
        let (pages, _) = read(|sink| csv(text.as_bytes(), "a.csv", sink));
        assert!(pages.len() >= 2);
        let tables = pages.iter().flat_map(|p| p.blocks.iter().map(move |b| (p, b.table.as_ref().unwrap())));
        for (page, table) in tables.clone() {
            assert_eq!(&page.text[table.rows[0][1].range()], "sales");
            assert_eq!(table.header_rows, 1);
        }
        assert_eq!(tables.map(|(_, t)| t.rows.len() - 1).sum::<usize>(), 9000);
    }
}
