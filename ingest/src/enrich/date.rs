//! Dates as reports print them, in English, Chinese and ISO.

use std::ops::Range;

use index::lexical;

/// A date; day or month may be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    pub year: i32,
    pub month: Option<u32>,
    pub day: Option<u32>,
}

impl Date {
    /// `2022-12-31`, `2022-12`, `2022`.
    pub fn iso(self) -> String {
        match (self.month, self.day) {
            (Some(m), Some(d)) => format!("{:04}-{m:02}-{d:02}", self.year),
            (Some(m), None) => format!("{:04}-{m:02}", self.year),
            _ => format!("{:04}", self.year),
        }
    }

    pub fn is_full(self) -> bool {
        self.day.is_some()
    }

    /// The month it closes: a span of whole weeks may end in the first days of the next.
    pub fn closes(self) -> (i32, u32) {
        match (self.month.unwrap_or(12), self.day) {
            (1, Some(day)) if day <= 7 => (self.year - 1, 12),
            (month, Some(day)) if day <= 7 => (self.year, month - 1),
            (month, _) => (self.year, month),
        }
    }

    /// The year and month `months` after the one it closes.
    pub fn later(self, months: u32) -> (i32, u32) {
        let (year, month) = self.closes();
        let month = month - 1 + months;
        (year + (month / 12) as i32, month % 12 + 1)
    }
}

fn month(word: &str) -> Option<u32> {
    lexical::month(word.trim_end_matches('.')).map(u32::from)
}

fn valid(year: i32, month: Option<u32>, day: Option<u32>) -> Option<Date> {
    let fits = month.is_none_or(|m| (1..=12).contains(&m)) && day.is_none_or(|d| (1..=31).contains(&d));
    (fits && (1950..=2100).contains(&year)).then_some(Date { year, month, day })
}

/// Every year of four digits in a folded line, with the month and day that stand by it.
pub(super) fn dates(key: &str) -> Vec<(Range<usize>, Date)> {
    years(key)
        .filter_map(|(at, year)| chinese(key, at, year).or_else(|| iso(key, at, year)).or_else(|| english(key, at, year)))
        .collect()
}

/// Every number of four digits that can be a year, and where it begins.
pub(super) fn years(key: &str) -> impl Iterator<Item = (usize, i32)> + '_ {
    let bytes = key.as_bytes();
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    (0..bytes.len().saturating_sub(3)).filter_map(move |at| {
        let number = (at..at + 4).all(digit) && !digit(at + 4) && (at == 0 || !digit(at - 1));
        // `1,999` and `$2019` are amounts, `-2020` in a phone number is none of ours.
        let amount = at > 0 && matches!(bytes[at - 1], b'$' | b'.') || at > 1 && bytes[at - 1] == b',' && digit(at - 2);
        let amount = amount || matches!(bytes.get(at + 4), Some(b',' | b'.')) && digit(at + 5) && digit(at + 6) && digit(at + 7);
        let year: i32 = (number && !amount).then(|| key[at..at + 4].parse().ok()).flatten()?;
        (1950..=2100).contains(&year).then_some((at, year))
    })
}

fn digits(text: &str) -> (Option<u32>, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 || end > 2 { (None, text) } else { (text[..end].parse().ok(), &text[end..]) }
}

fn chinese(key: &str, at: usize, year: i32) -> Option<(Range<usize>, Date)> {
    let rest = key[at + 4..].trim_start().strip_prefix('年')?;
    let end = |rest: &str| key.len() - rest.len();
    let bare = || Some((at..end(rest), Date { year, month: None, day: None }));
    let (Some(m), after) = digits(rest.trim_start()) else { return bare() };
    let Some(after) = after.trim_start().strip_prefix('月') else { return bare() };
    let day = match digits(after.trim_start()) {
        (Some(d), tail) => tail.trim_start().strip_prefix('日').map(|tail| (d, tail)),
        _ => None,
    };
    let date = valid(year, Some(m), day.map(|d| d.0))?;
    Some((at..end(day.map_or(after, |d| d.1)), date))
}

fn iso(key: &str, at: usize, year: i32) -> Option<(Range<usize>, Date)> {
    let rest = &key[at + 4..];
    let separator = rest.chars().next().filter(|c| "-/.".contains(*c))?;
    let (m, rest) = digits(&rest[1..]);
    let (d, rest) = digits(rest.strip_prefix(separator)?);
    let date = valid(year, Some(m?), Some(d?))?;
    Some((at..key.len() - rest.len(), date))
}

/// `December 31, 2022`, `31 December 2022`, `31st of December, 2022`, `Dec. 2022`, or the year alone.
fn english(key: &str, at: usize, year: i32) -> Option<(Range<usize>, Date)> {
    let before = key[..at].trim_end_matches([' ', ',']);
    let word = |text: &str| text.rsplit([' ', '(', '"', ':', ';', ',', '-', '|']).next().map_or(0, str::len);
    let ordinal = |w: &str| -> Option<u32> {
        let number = w.trim_end_matches(|c: char| c.is_ascii_lowercase());
        ((1..=2).contains(&number.len()) && ["", "st", "nd", "rd", "th"].contains(&&w[number.len()..]))
            .then(|| number.parse().ok())
            .flatten()
    };
    let last = &before[before.len() - word(before)..];
    let begin = |text: &str| text.len();
    if let Some(m) = month(last) {
        let head = before[..before.len() - last.len()].trim_end();
        let head = head.strip_suffix(" of").unwrap_or(head);
        let day = &head[head.len() - word(head)..];
        return match ordinal(day) {
            Some(d) => Some((begin(head) - day.len()..at + 4, valid(year, Some(m), Some(d))?)),
            None => Some((begin(before) - last.len()..at + 4, valid(year, Some(m), None)?)),
        };
    }
    if let Some(d) = ordinal(last) {
        let head = before[..before.len() - last.len()].trim_end_matches([' ', ',']);
        let name = &head[head.len() - word(head)..];
        if let Some(m) = month(name) {
            return Some((begin(head) - name.len()..at + 4, valid(year, Some(m), Some(d))?));
        }
    }
    Some((at..at + 4, Date { year, month: None, day: None }))
}
