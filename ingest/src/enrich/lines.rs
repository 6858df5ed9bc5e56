//! The first pages as lines that can be compared: one spelling of widths, quotes, dashes, blanks and numerals.

use std::{borrow::Cow, cell::OnceCell, collections::HashMap, ops::Range, sync::LazyLock};

use index::page::{BlockKind, Page};

use super::company::legal_names;

/// Pages that are looked at, and how many bytes of text at most.
const PAGES: usize = 12;
const BYTES: usize = 60_000;

/// A line of text as shown, and folded for comparing. Both have the same byte offsets: folding changes only ASCII letters
/// to lower case and traditional characters to simplified ones, which are as long.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The page, from 1; 0 for what stands on no page.
    pub page: u32,
    /// As stored.
    pub raw: String,
    /// With one spelling of widths, quotes, dashes, blanks and years.
    pub shown: String,
    /// `shown`, folded.
    pub key: String,
    /// The role of its block.
    pub kind: BlockKind,
    /// Height of its first word in points; 0 where unknown.
    pub size: f32,
    /// The names with a legal form in it, once somebody asked.
    names: OnceCell<Vec<Range<usize>>>,
    /// How many lines stand above it in a document without pages; 0 where there are pages.
    pub above: usize,
}

impl Line {
    /// A line that stands on no page: a file name, a title from the properties.
    pub fn loose(text: &str) -> Self {
        Self::new(0, text, BlockKind::Heading(1), 0.0)
    }

    fn new(page: u32, raw: &str, kind: BlockKind, size: f32) -> Self {
        let shown = plain(raw);
        let key = fold(&shown);
        Self { page, raw: raw.trim().into(), shown, key, kind, size, names: OnceCell::new(), above: 0 }
    }

    /// The names with a legal form in it, as ranges of `shown`.
    pub fn legal_names(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.names.get_or_init(|| legal_names(&self.shown)).iter().cloned()
    }

    /// Whether it could stand on a cover or in a header: no sentence, no row of a table.
    pub fn is_short(&self) -> bool {
        self.kind != BlockKind::Table && self.shown.chars().count() <= if has_han(&self.shown) { 60 } else { 110 }
    }

    /// Whether it can name the document: short, no sentence, no item of a list, near the top where there is no cover.
    pub fn names(&self) -> bool {
        let sentence =
            self.key.ends_with(['。', ';']) || self.key.ends_with('.') && self.key.len() > 60 || self.key.starts_with("- ");
        self.is_short() && !sentence && self.kind != BlockKind::ListItem && self.above < 12
    }
}

/// What is read of a document: the lines of its first pages, and those that run along.
pub(super) struct Front {
    /// Lines in reading order.
    pub lines: Vec<Line>,
    /// Running headers and footers: a line and on how many of the pages it stands.
    pub running: Vec<(Line, usize)>,
    /// The first page that holds text.
    pub cover: u32,
}

impl Front {
    pub fn read(pages: &[Page]) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut bytes = 0;
        for page in pages.iter().take(PAGES) {
            for block in &page.blocks {
                let Some(text) = page.text.get(block.range()) else { continue };
                let mut at = block.start as usize;
                for raw in text.split('\n') {
                    if bytes < BYTES && !raw.trim().is_empty() {
                        bytes += raw.len();
                        // A part of a long document without pages may be one paragraph of any length.
                        let end = (0..=raw.len().min(8000)).rev().find(|i| raw.is_char_boundary(*i)).unwrap_or(0);
                        let above = if page.width > 0.0 { 0 } else { lines.len() };
                        let line = Line::new(page.number, &raw[..end], block.kind, height(page, at));
                        lines.push(Line { above, ..line });
                    }
                    at += raw.len() + 1;
                }
            }
        }
        let cover = lines.first().map_or(1, |l| l.page);
        Self { running: running(&lines), lines, cover }
    }

    /// The lines of the cover: the first page with text, and those after it as long as they hold few lines.
    pub fn cover(&self) -> impl Iterator<Item = &Line> {
        let mut letters = 0;
        let mut last = self.cover;
        self.lines.iter().take_while(move |line| {
            let open = line.page == last || letters < 400;
            (letters, last) = (letters + line.shown.len(), line.page);
            open && line.page < self.cover + 4
        })
    }

    /// The lines of one page.
    pub fn page(&self, page: u32) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |l| l.page == page)
    }
}

/// Lines that stand on at least three pages, page numbers aside, most frequent first.
fn running(lines: &[Line]) -> Vec<(Line, usize)> {
    let mut seen: HashMap<&str, (usize, usize, u32)> = HashMap::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| l.kind == BlockKind::Furniture) {
        let key = line.key.trim_matches(|c: char| c.is_ascii_digit() || c.is_whitespace() || "|-/".contains(c));
        // The year or the date belongs to a header, a page number does not.
        let key = if key.is_empty() { line.key.as_str() } else { key };
        let entry = seen.entry(key).or_insert((at, 0, 0));
        if entry.2 != line.page {
            (entry.1, entry.2) = (entry.1 + 1, line.page);
        }
    }
    let mut all: Vec<(usize, usize)> = seen.into_values().filter(|s| s.1 >= 3).map(|s| (s.0, s.1)).collect();
    all.sort_by_key(|(at, count)| (std::cmp::Reverse(*count), *at));
    all.into_iter().map(|(at, count)| (lines[at].clone(), count)).collect()
}

fn height(page: &Page, at: usize) -> f32 {
    let first = page.words.partition_point(|w| (w.end as usize) <= at);
    page.words.get(first).map_or(0.0, |w| (w.rect[3] - w.rect[1]) * page.height)
}

/// Whether a character is written in Chinese.
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '〇')
}

pub(super) fn has_han(text: &str) -> bool {
    text.chars().any(is_han)
}

/// One spelling: ASCII forms of wide letters, straight quotes, hyphens, single blanks, none inside Chinese; years and dates
/// in digits of the common era.
fn plain(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        let c = match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            '“' | '”' | '„' | '「' | '」' | '『' | '』' => '"',
            '‘' | '’' => '\'',
            '\u{2010}'..='\u{2015}' | '−' => '-',
            '\u{200b}' | '\u{feff}' | '\u{ad}' => continue,
            c if c.is_whitespace() => ' ',
            c => c,
        };
        if c != ' ' || !out.is_empty() && !out.ends_with(' ') {
            out.push(c);
        }
    }
    let text = spaced(out.trim_end());
    match numbered(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => text,
    }
}

/// Takes out the blanks that typesetting put inside Chinese: around digits, and between letters set wide.
fn spaced(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let mut out = String::with_capacity(text.len());
    for (i, c) in chars.iter().enumerate() {
        if *c == ' ' && i > 0 {
            let (before, after) = (at(i - 1), at(i + 1));
            let digit = is_han(before) && after.is_ascii_digit() || before.is_ascii_digit() && is_han(after);
            let lone = is_han(before) && is_han(after) && ((i < 2 || at(i - 2) == ' ') || at(i + 2) == ' ');
            if digit || lone {
                continue;
            }
        }
        out.push(*c);
    }
    out
}

const NUMERALS: &str = "〇一二三四五六七八九";

fn numeral(c: char) -> Option<u32> {
    match c {
        '零' | '○' | 'O' | 'О' => Some(0),
        '两' => Some(2),
        c => NUMERALS.chars().position(|n| n == c).map(|n| n as u32),
    }
}

/// Writes `二〇二三年十二月三十一日` and `民國一百一十二年` in digits of the common era.
fn numbered(text: &str) -> Cow<'_, str> {
    if !text.contains('年') {
        return Cow::Borrowed(text);
    }
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let run = chars[i..]
            .iter()
            .take_while(|c| numeral(**c).is_some() || matches!(c, '十' | '百' | '佰') || c.is_ascii_digit())
            .count();
        let unit = chars.get(i + run).copied();
        let republic = chars[..i].ends_with(&['民', '国']) || chars[..i].ends_with(&['民', '國']);
        let wanted = matches!(unit, Some('年')) || matches!(unit, Some('月' | '日')) && out.chars().any(|c| c.is_ascii_digit());
        let number = (run > 0 && wanted).then(|| number(&chars[i..i + run])).flatten();
        match number {
            Some(n) if republic && unit == Some('年') && n < 300 => {
                out.truncate(out.len() - '民'.len_utf8() * 2);
                out.push_str(&(n + 1911).to_string());
            }
            Some(n) if unit != Some('年') || n >= 1900 => out.push_str(&n.to_string()),
            _ => out.extend(&chars[i..(i + run.max(1)).min(chars.len())]),
        }
        i += run.max(1);
    }
    Cow::Owned(out)
}

fn number(chars: &[char]) -> Option<u32> {
    let digits = |chars: &[char]| -> Option<u32> {
        (chars.len() <= 4)
            .then(|| chars.iter().try_fold(0, |n, c| Some(n * 10 + c.to_digit(10).or_else(|| numeral(*c))?)))
            .flatten()
    };
    let split = |unit: &[char], chars: &[char]| chars.iter().position(|c| unit.contains(c));
    let tens = |chars: &[char]| match split(&['十'], chars) {
        Some(0) => Some(10 + digits(&chars[1..])?),
        Some(at) => Some(digits(&chars[..at])? * 10 + digits(&chars[at + 1..])?),
        None => digits(chars),
    };
    match split(&['百', '佰'], chars) {
        Some(at) => {
            Some(digits(&chars[..at])?.max(1) * 100 + tens(chars[at + 1..].strip_prefix(&['零']).unwrap_or(&chars[at + 1..]))?)
        }
        None => tens(chars),
    }
}

/// Lower case and simplified characters, byte for byte as long.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c.to_ascii_lowercase() } else { simplified(c) }).collect()
}

/// The characters in which reports on the exchanges of Hong Kong and Taiwan name themselves.
const TRADITIONAL: &str = "報报書书說说業业團团國国簡简稱称證证號号萬万億亿幣币發发債债財财務务資资產产經经營营權权監监會会聯联總总後后間间個个終终開开環环續续責责員员圓圆銀银險险獨独東东門门華华廣广當当區区實实態态場场調调據据動动電电機机計计師师\
    協协學学術术與与義义長长陸陆議议規规範范點点紐纽約约綜综類类價价關关係系網网絡络醫医藥药車车農农績绩豐丰壽寿對对內内準准確确變变護护審审層层現现況况鑑鉴貨货貸贷購购買买賣卖將将應应屬属屆届訂订頁页錄录題题論论擔担擁拥佈布\
    時时導导觀观記记賬账帳账單单譯译註注冊册臺台灣湾簽签舉举備备錢钱額额數数無无從从來来於于種种級级評评認认設设創创際际運运輸输轉转進进達达選选遠远還还邊边鄰邻釋释針针鋼钢鐵铁雜杂離离難难須须領领顧顾風风飛飞養养馬马魚鱼鳥鸟\
    麗丽龍龙";

static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let mut all = TRADITIONAL.chars();
    std::iter::from_fn(|| Some((all.next()?, all.next()?))).collect()
});

fn simplified(c: char) -> char {
    if is_han(c) { SIMPLIFIED.get(&c).copied().unwrap_or(c) } else { c }
}
