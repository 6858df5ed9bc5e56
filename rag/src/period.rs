//! Which periods does a text speak of? Years, fiscal years, halves, quarters and dates, in a question, a heading, a title,
//! the header of a column or a sentence, and whether two of them are the same.

use std::ops::Range;

use index::lexical;

/// A period; without a year where only its part is named (`第三季度`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// The calendar or fiscal year.
    pub year: Option<i32>,
    /// Which part of it.
    pub part: Part,
}

/// A part of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of it, or its end.
    Year,
    /// First or second half.
    Half(u8),
    /// A quarter.
    Quarter(u8),
    /// The first nine months.
    NineMonths,
    /// A month, or a date in it.
    Month(u8),
}

impl Part {
    /// The month that it ends with.
    pub(crate) fn ends(self) -> u8 {
        match self {
            Self::Year | Self::Half(2..) => 12,
            Self::Half(_) => 6,
            Self::Quarter(quarter) => quarter.saturating_mul(3),
            Self::NineMonths => 9,
            Self::Month(month) => month,
        }
    }
}

impl Period {
    /// A whole year.
    pub fn year(year: i32) -> Self {
        Self { year: Some(year), part: Part::Year }
    }

    /// Whether a figure for `self` answers a question about `asked`.
    pub fn answers(self, asked: Period) -> bool {
        let same_year = asked.year.is_none() || self.year.is_none() || self.year == asked.year;
        let same_part = match (asked.part, self.part) {
            (a, b) if a == b => true,
            // A date (`December 31, 2022`) stands for the year that it closes, a month for its quarter's end.
            (Part::Year, Part::Month(_)) | (Part::Month(12), Part::Year) => true,
            (Part::Half(1), Part::Month(6)) | (Part::NineMonths, Part::Month(9)) => true,
            (Part::Quarter(q), Part::Month(m)) => m == q * 3,
            _ => false,
        };
        same_year && same_part
    }

    /// The period as a reader of the question's language writes it.
    pub fn name(self, chinese: bool) -> String {
        let year = self.year.map(|y| if chinese { format!("{y}年") } else { y.to_string() }).unwrap_or_default();
        let part = match (self.part, chinese) {
            (Part::Year, _) => String::new(),
            (Part::Half(1), true) => "上半年".into(),
            (Part::Half(_), true) => "下半年".into(),
            (Part::Quarter(q), true) => format!("第{}季度", ["一", "二", "三", "四"].get(q as usize - 1).unwrap_or(&"")),
            (Part::NineMonths, true) => "前三季度".into(),
            (Part::Month(m), true) => format!("{m}月"),
            (Part::Half(h), false) => format!("H{h} "),
            (Part::Quarter(q), false) => format!("Q{q} "),
            (Part::NineMonths, false) => "nine months ".into(),
            (Part::Month(m), false) => format!("{m}/"),
        };
        if chinese { format!("{year}{part}") } else { format!("{part}{year}").trim().to_owned() }
    }
}

/// The periods of a text in order, with where each is named.
pub fn periods(text: &str) -> Vec<(Range<usize>, Period)> {
    let (folded, places) = narrow(text);
    let marks = marks(&folded);
    let mut found: Vec<(Range<usize>, Period)> = Vec::new();
    let mut used = vec![false; marks.len()];
    for (at, (range, mark)) in marks.iter().enumerate() {
        let Mark::Year(year) = *mark else { continue };
        let near = |other: usize| -> Option<usize> {
            let (r, m) = marks.get(other)?;
            let gap = if r.start >= range.end { r.start - range.end } else { range.start.saturating_sub(r.end) };
            (matches!(m, Mark::Part(_)) && !used[other] && gap <= 16).then_some(other)
        };
        // `FY2023 and Q2 of FY2024`: a part belongs to the nearer of the years around it.
        let ours = |part: &usize| match marks.get(part + 1) {
            Some((next, Mark::Year(_))) if *part > at => {
                let behind = next.start.saturating_sub(marks[*part].0.end);
                marks[*part].0.start - range.end <= behind
            }
            _ => true,
        };
        let following = near(at + 1).filter(ours);
        let part =
            following.filter(|&n| marks[n].0.start <= range.end + 4).or_else(|| at.checked_sub(1).and_then(near)).or(following);
        match part {
            Some(other) => {
                used[other] = true;
                let Mark::Part(part) = marks[other].1 else { continue };
                let whole = range.start.min(marks[other].0.start)..range.end.max(marks[other].0.end);
                found.push((whole, Period { year: Some(year), part }));
            }
            None => found.push((range.clone(), Period::year(year))),
        }
    }
    for (at, (range, mark)) in marks.iter().enumerate() {
        if let (Mark::Part(part), false) = (mark, used[at]) {
            // One year may serve several quarters: `2023年第一季度和第三季度`.
            let year = marks[..at].iter().rev().find_map(|(_, m)| if let Mark::Year(y) = m { Some(*y) } else { None });
            if !matches!(part, Part::Month(_)) || year.is_some() {
                found.push((range.clone(), Period { year, part: *part }));
            }
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found.into_iter().map(|(range, period)| (places[range.start]..places[range.end], period)).collect()
}

/// The periods that the words of an accounting table name by position, given the year of the report: `本期` is that year,
/// `上年同期` the one before.
pub fn relative(header: &str, report: Option<i32>) -> Option<Period> {
    let year = report?;
    const PRIOR: &[&str] = &["上年", "上期", "去年", "期初", "年初", "prior year", "previous year", "last year", "prior period"];
    const CURRENT: &[&str] = &["本年", "本期", "本报告期", "报告期末", "期末", "current year", "this year", "current period"];
    let folded = header.to_lowercase();
    if PRIOR.iter().any(|w| folded.contains(w)) {
        return Some(Period::year(year - 1));
    }
    CURRENT.iter().any(|w| folded.contains(w)).then(|| Period::year(year))
}

/// A question with the years and quarters that lean on the day it is asked written out: asked in 2023, `去年` is 2022. One that
/// names a year is left as it is: what leans there leans on that year (`2021年较上年`).
pub fn dated(question: &str, day: &str) -> String {
    const YEARS: &[(&str, i32)] = &[
        ("上一年度", 1),
        ("上一年", 1),
        ("上年度", 1),
        ("去年", 1),
        ("前年", 2),
        ("本年度", 0),
        ("今年", 0),
        ("last fiscal year", 1),
        ("last year", 1),
        ("this fiscal year", 0),
        ("this year", 0),
    ];
    const QUARTERS: &[&str] = &["上个季度", "上季度", "last quarter"];
    let number = |range: Range<usize>| day.get(range).and_then(|digits| digits.parse::<i32>().ok());
    let (Some(year), Some(month)) = (number(0..4), number(5..7)) else { return question.to_owned() };
    if periods(question).iter().any(|(_, period)| period.year.is_some()) {
        return question.to_owned();
    }
    let mut text = question.to_owned();
    let mut write = |word: &str, period: String| {
        // The same bytes: only ASCII changes its case here.
        while let Some(at) = text.to_ascii_lowercase().find(word) {
            let rest = &text[at + word.len()..];
            if rest.starts_with(|c: char| c.is_ascii_alphabetic()) || rest.starts_with(" of ") || rest.starts_with("同期") {
                break;
            }
            text.replace_range(at..at + word.len(), &period);
        }
    };
    for (word, back) in YEARS {
        write(word, if word.is_ascii() { format!("{}", year - back) } else { format!("{}年", year - back) });
    }
    let (year, quarter) = if month <= 3 { (year - 1, 4) } else { (year, (month - 1) as u8 / 3) };
    for word in QUARTERS {
        write(word, Period { year: Some(year), part: Part::Quarter(quarter) }.name(!word.is_ascii()));
    }
    text
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    Year(i32),
    Part(Part),
}

/// The text in lower case with full-width ASCII narrowed, and for each byte of it where its character stood in the text.
fn narrow(text: &str) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len() + 1);
    for (at, c) in text.char_indices() {
        let c = if ('！'..='～').contains(&c) { char::from_u32(c as u32 - 0xFEE0).unwrap_or(c) } else { c };
        bytes.extend(c.to_ascii_lowercase().encode_utf8(&mut [0; 4]).as_bytes());
        places.resize(bytes.len(), at);
    }
    places.push(text.len());
    (bytes, places)
}

/// Words for a part of the year, longest first where one begins another.
const PARTS: &[(&str, Part)] = &[
    ("前三季度", Part::NineMonths),
    ("前三个季度", Part::NineMonths),
    ("nine months", Part::NineMonths),
    ("上半年", Part::Half(1)),
    ("半年度", Part::Half(1)),
    ("下半年", Part::Half(2)),
    ("first half", Part::Half(1)),
    ("half-year", Part::Half(1)),
    ("half year", Part::Half(1)),
    ("six months", Part::Half(1)),
    ("second half", Part::Half(2)),
    ("第一季度", Part::Quarter(1)),
    ("第二季度", Part::Quarter(2)),
    ("第三季度", Part::Quarter(3)),
    ("第四季度", Part::Quarter(4)),
    ("一季度", Part::Quarter(1)),
    ("二季度", Part::Quarter(2)),
    ("三季度", Part::Quarter(3)),
    ("四季度", Part::Quarter(4)),
    ("first quarter", Part::Quarter(1)),
    ("second quarter", Part::Quarter(2)),
    ("third quarter", Part::Quarter(3)),
    ("fourth quarter", Part::Quarter(4)),
];

fn marks(text: &[u8]) -> Vec<(Range<usize>, Mark)> {
    let mut marks = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let Some((end, mark)) = mark(text, at) {
            marks.push((at..end, mark));
            at = end.max(at + 1);
        } else if text[at].is_ascii_digit() {
            while at < text.len() && text[at].is_ascii_digit() {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    marks
}

fn mark(text: &[u8], at: usize) -> Option<(usize, Mark)> {
    year(text, at)
        .or_else(|| fiscal(text, at))
        .or_else(|| han_year(text, at))
        .or_else(|| lettered(text, at))
        .or_else(|| month(text, at))
        .or_else(|| PARTS.iter().find(|(w, _)| text[at..].starts_with(w.as_bytes())).map(|(w, p)| (at + w.len(), Mark::Part(*p))))
}

fn number(text: &[u8], at: usize) -> (usize, i32) {
    let end = at + text[at..].iter().take(9).take_while(|b| b.is_ascii_digit()).count();
    (end, text[at..end].iter().fold(0, |n, b| n * 10 + i32::from(b - b'0')))
}

fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).map(|i| text[i])
}

/// Four digits that are a year and no amount.
fn year(text: &[u8], at: usize) -> Option<(usize, Mark)> {
    let (end, value) = number(text, at);
    if end - at != 4 || !(1900..2100).contains(&value) {
        return None;
    }
    match before(text, at) {
        Some(b'$' | b'#' | b'.' | b',') if before(text, at - 1).is_some_and(|b| b.is_ascii_digit()) => return None,
        Some(b'$' | b'#') => return None,
        Some(b) if b.is_ascii_digit() => return None,
        Some(b) if b.is_ascii_alphabetic() => {
            let prefix = text[..at].iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
            if !matches!(&text[at - prefix..at], b"fy" | b"cy" | b"q" | b"h" | b"fye") {
                return None;
            }
        }
        _ => {}
    }
    let rest = &text[end..];
    let decimal = matches!(rest, [b'.' | b',', d, ..] if d.is_ascii_digit());
    let amount = ["万", "亿", "元", "%", "人", "家", "吨", "千", "百万", " million", " billion", "美元", "个", "名", "台"];
    if decimal || amount.iter().any(|w| rest.starts_with(w.as_bytes())) {
        return None;
    }
    match rest.first() {
        Some(b) if b.is_ascii_digit() => return None,
        // `2023A`, `2024E`, `2023Q2`, `2023H1`, `2010s`
        Some(b) if b.is_ascii_alphabetic() && !matches!(b, b'a' | b'e' | b'f' | b'q' | b'h' | b's') => return None,
        _ => {}
    }
    let end = if rest.starts_with("年".as_bytes()) { end + 3 } else { end };
    Some((end, Mark::Year(value)))
}

/// `FY23`, `FY2023`, `fy 22`, `Q3'23` after its quarter.
fn fiscal(text: &[u8], at: usize) -> Option<(usize, Mark)> {
    let free = !before(text, at).is_some_and(|b| b.is_ascii_alphanumeric() && !b.is_ascii_digit());
    if free && text[at..].starts_with(b"fy") {
        let start = at + 2 + text[at + 2..].iter().take_while(|b| matches!(b, b' ' | b'\'' | b'-')).count();
        let (end, value) = number(text, start);
        return match end - start {
            4 if (1900..2100).contains(&value) => Some((end, Mark::Year(value))),
            2 => Some((end, Mark::Year(2000 + value))),
            _ => None,
        };
    }
    let (end, value) = number(text, at);
    let two = end - at == 2 && !before(text, at).is_some_and(|b| b.is_ascii_digit() || b == b'.' || b == b',');
    let quoted = before(text, at) == Some(b'\'') && at >= 2 && text[at - 2].is_ascii_digit();
    let short = text[end..].starts_with("年".as_bytes()) && (8..=40).contains(&value) && followed_by_report(&text[end + 3..]);
    (two && (quoted || short)).then_some((if short { end + 3 } else { end }, Mark::Year(2000 + value)))
}

/// `23年报`, `23年上半年`, `23年三季度`: two digits mean a year only in such company; alone they are a duration.
fn followed_by_report(rest: &[u8]) -> bool {
    ["上半年", "下半年", "一季", "二季", "三季", "四季", "第", "年报", "报", "度", "底", "末", "全年", "的"]
        .iter()
        .any(|w| rest.starts_with(w.as_bytes()))
}

/// `二〇二二年`.
fn han_year(text: &[u8], at: usize) -> Option<(usize, Mark)> {
    const DIGITS: &str = "〇一二三四五六七八九";
    if text[at] < 0xE0 || text.len() < at + 15 || &text[at + 12..at + 15] != "年".as_bytes() {
        return None;
    }
    let word = std::str::from_utf8(&text[at..at + 12]).ok()?;
    let digits: Option<Vec<i32>> =
        word.chars().map(|c| DIGITS.chars().position(|d| d == c || (d == '〇' && "零○".contains(c))).map(|n| n as i32)).collect();
    let value = digits?.iter().fold(0, |n, d| n * 10 + d);
    (1900..2100).contains(&value).then_some((at + 15, Mark::Year(value)))
}

/// `Q3`, `3Q`, `3Q23`, `H1`, `1H`.
fn lettered(text: &[u8], at: usize) -> Option<(usize, Mark)> {
    if before(text, at).is_some_and(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let (first, second) = (*text.get(at)?, *text.get(at + 1)?);
    let (letter, digit) = if first.is_ascii_digit() { (second, first) } else { (first, second) };
    if first.is_ascii_digit() && before(text, at).is_some_and(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = match (letter, digit) {
        (b'q', b'1'..=b'4') => Part::Quarter(digit - b'0'),
        (b'h', b'1' | b'2') => Part::Half(digit - b'0'),
        _ => return None,
    };
    let next = text.get(at + 2).copied().unwrap_or(b' ');
    let year_follows = first.is_ascii_digit() && next.is_ascii_digit();
    (!next.is_ascii_alphanumeric() || year_follows).then_some((at + 2, Mark::Part(part)))
}

/// `December 31`, `Sept. 2022`, `12月`.
fn month(text: &[u8], at: usize) -> Option<(usize, Mark)> {
    if text[at].is_ascii_digit() {
        let (end, value) = number(text, at);
        let free = !before(text, at).is_some_and(|b| b.is_ascii_digit());
        let month = free && end - at <= 2 && (1..=12).contains(&value) && text[end..].starts_with("月".as_bytes());
        return month.then_some((end + 3, Mark::Part(Part::Month(value as u8))));
    }
    if before(text, at).is_some_and(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let end = at + text[at..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let month = std::str::from_utf8(&text[at..end]).ok().and_then(lexical::month)?;
    // `may` is a verb unless a number stands by it.
    let by_number = text[end..].iter().find(|b| !matches!(b, b' ' | b'.' | b'-')).is_some_and(u8::is_ascii_digit);
    let after_number = text[..at].iter().rev().find(|b| **b != b' ').is_some_and(u8::is_ascii_digit);
    (by_number || after_number || (end - at > 3 && month != 5 && month != 3)).then_some((end, Mark::Part(Part::Month(month))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, wanted: &[(Option<i32>, Part)]) {
        let got: Vec<_> = periods(text).into_iter().map(|(_, p)| (p.year, p.part)).collect();
        assert_eq!(got, wanted, "{text}");
    }

    #[test]
    fn years_and_their_parts_are_read_in_both_languages() {
        use Part::{Half, Month, NineMonths, Quarter};
        check("2023年的营业收入", &[(Some(2023), Part::Year)]);
        check("２０２３年度", &[(Some(2023), Part::Year)]);
        check("二〇二二年", &[(Some(2022), Part::Year)]);
        check("FY2022", &[(Some(2022), Part::Year)]);
        check("FY23", &[(Some(2023), Part::Year)]);
        check("fiscal 2023", &[(Some(2023), Part::Year)]);
        check("FY2015 - FY2017", &[(Some(2015), Part::Year), (Some(2017), Part::Year)]);
        check("2021-2023年", &[(Some(2021), Part::Year), (Some(2023), Part::Year)]);
        check("Q3 2023", &[(Some(2023), Quarter(3))]);
        check("Q2 of FY2024", &[(Some(2024), Quarter(2))]);
        check("between FY 2023 and Q2 of FY2024", &[(Some(2023), Part::Year), (Some(2024), Quarter(2))]);
        check("2022, Q3 2023", &[(Some(2022), Part::Year), (Some(2023), Quarter(3))]);
        check("2022年和2023年第三季度", &[(Some(2022), Part::Year), (Some(2023), Quarter(3))]);
        check("Q1 2022 and Q2 2023", &[(Some(2022), Quarter(1)), (Some(2023), Quarter(2))]);
        check("2023Q2", &[(Some(2023), Quarter(2))]);
        check("AMCOR_2023Q2_10Q", &[(Some(2023), Quarter(2))]);
        check("2023年第三季度", &[(Some(2023), Quarter(3))]);
        check("2023年前三季度", &[(Some(2023), NineMonths)]);
        check("2023年上半年", &[(Some(2023), Half(1))]);
        check("上半年", &[(None, Half(1))]);
        check("23年上半年", &[(Some(2023), Half(1))]);
        check("截至2022年末", &[(Some(2022), Part::Year)]);
        check("December 31, 2022", &[(Some(2022), Month(12))]);
        check("2022年12月31日", &[(Some(2022), Month(12))]);
        check("$2,023", &[]);
        check("2023元", &[]);
        check("2,000 employees", &[]);
        check("it may rise", &[]);
        check("20年", &[]);
        check("ISO 9001", &[]);
    }

    #[test]
    fn a_year_end_stands_for_its_year_and_a_quarter_does_not() {
        let date = Period { year: Some(2022), part: Part::Month(12) };
        let quarter = Period { year: Some(2022), part: Part::Quarter(3) };
        assert!(date.answers(Period::year(2022)));
        assert!(!date.answers(Period::year(2023)));
        assert!(!quarter.answers(Period::year(2022)));
        assert!(!Period::year(2022).answers(quarter));
    }

    #[test]
    fn columns_named_by_position_follow_the_year_of_the_report() {
        assert_eq!(relative("上年同期", Some(2023)), Some(Period::year(2022)));
        assert_eq!(relative("本期发生额", Some(2023)), Some(Period::year(2023)));
        assert_eq!(relative("期初余额", Some(2023)), Some(Period::year(2022)));
        assert_eq!(relative("Prior year", Some(2023)), Some(Period::year(2022)));
        assert_eq!(relative("本期", None), None);
        assert_eq!(relative("占比", Some(2023)), None);
    }

    #[test]
    fn a_year_that_leans_on_the_day_is_written_out() {
        let check = |question: &str, day: &str, text: &str| assert_eq!(dated(question, day), text);
        check("澜沧精机去年的营业收入是多少？", "2023-06-30", "澜沧精机2022年的营业收入是多少？");
        check("去年上半年的净利润", "2023-06-30", "2022年上半年的净利润");
        check("What was Halden's revenue last year?", "2021-01-02", "What was Halden's revenue 2020?");
        check("上季度的毛利率", "2023-02-01", "2022年第四季度的毛利率");
        check("Revenue of last quarter", "2023-08-09", "Revenue of Q2 2023");
        for unchanged in ["2021年较去年增长多少？", "the last year of expiration", "收入较上年同期增长多少"] {
            check(unchanged, "2023-06-30", unchanged);
        }
        check("去年的收入", "", "去年的收入");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[0-9０-９年月季度第一二三四〇上下半QHFYqhfy'’ \\-_.,janmaydec]{0,40}|\\PC{0,60}") {
            for (range, period) in periods(&text) {
                prop_assert!(text.get(range).is_some());
                period.name(true);
                period.name(false);
            }
        }
    }
}
