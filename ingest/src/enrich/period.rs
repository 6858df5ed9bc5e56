//! Which fiscal year, or which part of one, does it report on, and when was it published? The statement a form requires,
//! then the title, the running header, the text; the file's name only where all are silent or to break a tie.
//!
//! A fiscal year is called what the company calls it. Where it says nothing, a year that ends in January or February belongs
//! to the calendar year before, as most retailers count; every other to the year it ends in.

use super::{
    Fact, FiscalPeriod, Part, ReportKind, Seen, Where,
    date::{Date, dates, years},
    fact,
    lines::{Line, has_han},
    on,
};

type Told = Option<Fact<FiscalPeriod>>;

pub(super) fn read(seen: &Seen, kind: Option<ReportKind>, form: Option<&str>) -> Told {
    use ReportKind::*;
    let commission = form.is_some_and(|f| f.starts_with(|c: char| c.is_ascii_digit()));
    let told = match kind {
        Some(Annual) if commission => filed_year(seen),
        Some(Quarterly) if commission => filed_quarter(seen),
        Some(Annual) => report_year(seen),
        Some(HalfYear | Quarterly | EarningsRelease) => report_part(seen, kind),
        Some(Sustainability) => report_year(seen).map(|p| Fact { confidence: p.confidence.min(0.85), ..p }),
        Some(WhitePaper | MarketReport) => titled_year(seen),
        Some(Prospectus | CurrentReport | Research | Announcement | Other) => None,
        None => None,
    };
    told.or_else(|| by_name(seen, kind))
}

/// What stands before or after a date to say which span it ends.
fn span_of(key: &str, range: &std::ops::Range<usize>) -> Option<Span> {
    let begin = (range.start.saturating_sub(80)..=range.start).find(|i| key.is_char_boundary(*i)).unwrap_or(range.start);
    let before = key[begin..range.start].trim_end_matches([' ', ',', '(']);
    let weekdays = ["saturday", "sunday", "friday", "monday", "tuesday", "wednesday", "thursday"];
    let before = weekdays.iter().find_map(|d| before.strip_suffix(d)).unwrap_or(before).trim_end_matches([' ', ',', '(']);
    let after = &key[range.end..];
    for (word, span) in [
        ("止半年度", Span::Half),
        ("止六个月", Span::Half),
        ("止6个月", Span::Half),
        ("止三个月", Span::Quarter),
        ("止3个月", Span::Quarter),
        ("止九个月", Span::Nine),
        ("止9个月", Span::Nine),
        ("止年度", Span::Year),
        ("止财政年度", Span::Year),
        ("止十二个月", Span::Year),
        ("止会计年度", Span::Year),
        ("止全年", Span::Year),
    ] {
        if after.starts_with(word) {
            return Some(span);
        }
    }
    let ended = ["ended", "ended on", "ended:"]
        .iter()
        .find_map(|w| before.strip_suffix(w))
        .map(|b| b.trim_end_matches([' ', ')', '"']))?;
    const SPANS: [(&str, Span); 28] = [
        ("fiscal years", Span::Year),
        ("fiscal year", Span::Year),
        ("financial year", Span::Year),
        ("twelve months", Span::Year),
        ("12 months", Span::Year),
        ("52 weeks", Span::Year),
        ("53 weeks", Span::Year),
        ("fifty-two weeks", Span::Year),
        ("fifty-three weeks", Span::Year),
        ("half-year", Span::Half),
        ("half year", Span::Half),
        ("six months", Span::Half),
        ("6 months", Span::Half),
        ("26 weeks", Span::Half),
        ("twenty-six weeks", Span::Half),
        ("nine months", Span::Nine),
        ("39 weeks", Span::Nine),
        ("thirty-nine weeks", Span::Nine),
        ("three months", Span::Quarter),
        ("13 weeks", Span::Quarter),
        ("thirteen weeks", Span::Quarter),
        ("quarterly period", Span::Quarter),
        ("12 weeks", Span::Quarter),
        ("twelve weeks", Span::Quarter),
        ("24 weeks", Span::Half),
        ("36 weeks", Span::Nine),
        ("quarter", Span::Quarter),
        ("year", Span::Year),
    ];
    SPANS.iter().find(|(word, _)| ended.ends_with(word)).map(|(_, span)| *span)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Year,
    Half,
    Nine,
    Quarter,
}

/// Every full date that ends a span.
fn ends(line: &Line) -> impl Iterator<Item = (Span, Date)> + '_ {
    dates(&line.key)
        .into_iter()
        .filter(|(_, d)| d.is_full())
        .filter_map(|(range, date)| Some((span_of(&line.key, &range)?, date)))
}

/// `For the fiscal year ended December 31, 2022` on the cover of a form.
fn filed_year(seen: &Seen) -> Told {
    let early = seen.front.lines.iter().take_while(|l| l.page <= seen.front.cover + 7);
    let found = early
        .filter(|l| l.kind != index::page::BlockKind::Table)
        .find_map(|l| Some((l, ends(l).find(|(span, _)| *span == Span::Year)?.1)));
    let (line, end) = found.or_else(|| on_next_line(seen, &["fiscal year ended", "for the year ended"]))?;
    let (year, sure) = called(seen, end);
    Some(fact(FiscalPeriod { year, part: Part::Year, end: Some(end.iso()) }, sure, on(line)))
}

/// The date on the line after the words that announce it.
fn on_next_line<'a>(seen: &'a Seen, words: &[&str]) -> Option<(&'a Line, Date)> {
    let mut early = seen.front.lines.iter().take_while(|l| l.page <= seen.front.cover + 7);
    let at = early.clone().position(|l| words.iter().any(|w| l.key.trim_end_matches([' ', ':', '.']).ends_with(w)))?;
    let next = early.nth(at + 1)?;
    Some((next, dates(&next.key).into_iter().find(|(range, date)| range.start <= 12 && date.is_full())?.1))
}

/// What the company calls the fiscal year that ends on a day, and how sure that is.
fn called(seen: &Seen, end: Date) -> (i32, f32) {
    let (closed, month) = end.closes();
    if month > 5 {
        return (closed, 0.97);
    }
    let names = [end.year, end.year - 1];
    // Said outright: `fiscal 2017 … ended February 3, 2018`, `the year ended 31 March 2023 ("FY2023")`.
    let mut votes = [0usize; 2];
    let mut counts = [0usize; 2];
    let mut outlook = 0;
    for line in &seen.front.lines {
        let mentions = fiscal(&line.key);
        for (_, year) in &mentions {
            counts[0] += usize::from(*year == names[0]);
            counts[1] += usize::from(*year == names[1]);
            outlook += usize::from(*year == end.year + 1);
        }
        for (range, _) in dates(&line.key).into_iter().filter(|(_, d)| *d == end) {
            let gap = |at: usize| if at >= range.end { at - range.end } else { range.start.saturating_sub(at) };
            let near = mentions.iter().filter(|(at, year)| names.contains(year) && gap(*at) <= 80).min_by_key(|(at, _)| gap(*at));
            if let Some((_, year)) = near {
                votes[usize::from(*year == names[1])] += 1;
            }
        }
    }
    if votes[0] != votes[1] {
        return (names[usize::from(votes[1] > votes[0])], 0.93);
    }
    // A company speaks most of the year it reports on, and now and then of the next.
    if counts[0] >= 3 && counts[0] >= 2 * counts[1] || counts[0] >= 3 && outlook >= 1 && counts[0] > counts[1] {
        return (names[0], 0.85);
    }
    if counts[1] >= 3 && counts[1] >= 2 * counts[0] && outlook == 0 {
        return (names[1], 0.85);
    }
    by_convention(seen, (end.year, month))
}

/// The name of a year that ends in a month from January to May where the text gives none: as the file is named, else by
/// custom.
fn by_convention(seen: &Seen, (year, month): (i32, u32)) -> (i32, f32) {
    let mut named = years(&seen.file.key).map(|y| y.1);
    if let (Some(first), None) = (named.next(), named.next())
        && (first == year || first == year - 1)
    {
        return (first, 0.75);
    }
    if month <= 2 { (year - 1, 0.75) } else { (year, 0.65) }
}

/// `fiscal 2018`, `fiscal year 2018`, `FY2018`, `FY18`, `2022/23`: where and which year.
fn fiscal(key: &str) -> Vec<(usize, i32)> {
    let mut found: Vec<(usize, i32)> = years(key)
        .filter(|(at, _)| {
            let before = key[..*at].trim_end_matches([' ', '-', '\'']);
            ["fiscal", "fiscal year", "fy", "financial year"].iter().any(|w| before.ends_with(w))
        })
        .collect();
    for (at, _) in key.match_indices("fy") {
        let rest = key[at + 2..].trim_start_matches(['\'', ' ']);
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 2 && !key[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) && !rest[2..].starts_with(['.', ',', '%']) {
            found.extend(rest[..2].parse::<i32>().ok().map(|n| (at, 2000 + n)));
        }
    }
    found
}

/// `For the quarterly period ended …`: which quarter, told by how many months have passed or by its name; and so of which
/// year.
fn filed_quarter(seen: &Seen) -> Told {
    let early = seen.front.lines.iter().take_while(|l| l.page <= seen.front.cover + 7);
    let found = early.filter_map(|l| Some((l, ends(l).find(|(span, _)| *span == Span::Quarter)?.1))).next();
    let (line, end) = found.or_else(|| on_next_line(seen, &["quarterly period ended", "quarter ended"]))?;
    // Most fiscal years are those of the calendar; no form is filed for a fourth quarter.
    let of_calendar = || matches!(end.closes().1, 3 | 6 | 9).then(|| (end.closes().1 / 3, 0.6));
    let quarter = passed(seen, end).or_else(|| file_quarter(&seen.file.key).map(|q| (q, 0.6))).or_else(of_calendar);
    let (quarter, sure) = quarter?;
    let close = end.later((4 - quarter) * 3);
    let (year, named) = called_quarter(seen, quarter, close);
    Some(fact(FiscalPeriod { year, part: part(quarter), end: Some(end.iso()) }, sure.min(named), on(line)))
}

fn part(quarter: u32) -> Part {
    [Part::Q1, Part::Q2, Part::Q3, Part::Q4][quarter.clamp(1, 4) as usize - 1]
}

/// How many quarters of the fiscal year have passed at a day.
fn passed(seen: &Seen, end: Date) -> Option<(u32, f32)> {
    let mut longest = 0;
    for line in &seen.front.lines {
        for (word, quarter) in [
            ("nine months ended", 3),
            ("thirty-nine weeks", 3),
            ("39 weeks", 3),
            ("nine-month period", 3),
            ("six months ended", 2),
            ("twenty-six weeks", 2),
            ("26 weeks", 2),
            ("six-month period", 2),
            ("three and nine months", 3),
            ("three and six months", 2),
            ("first nine months", 3),
            ("first six months", 2),
            ("36 weeks", 3),
            ("24 weeks", 2),
            ("thirty-six weeks", 3),
            ("twenty-four weeks", 2),
        ] {
            if line.key.contains(word) {
                longest = longest.max(quarter);
            }
        }
    }
    if longest > 0 {
        return Some((longest, 0.95));
    }
    let words = [("first quarter", 1), ("second quarter", 2), ("third quarter", 3)];
    let mut counts =
        words.map(|(word, quarter)| (seen.front.lines.iter().map(|l| l.key.matches(word).count()).sum::<usize>(), quarter));
    counts.sort();
    if counts[2].0 >= 2 && counts[2].0 > 2 * counts[1].0 {
        return Some((counts[2].1, 0.85));
    }
    // Only three months have passed where nothing longer is reported; the balance sheet beside it closes the year before.
    let three = seen
        .front
        .lines
        .iter()
        .any(|l| l.key.contains("three months ended") || l.key.contains("thirteen weeks") || l.key.contains("13 weeks"));
    let (before, month) = end.later(9);
    let closes = |d: &Date| d.is_full() && d.closes() == (before - 1, month);
    let sheet = seen.front.lines.iter().any(|l| dates(&l.key).iter().any(|(_, d)| closes(d)));
    (three && sheet).then_some((1, 0.8))
}

/// The name of the fiscal year a quarter belongs to; `close` is the month in which that year ends.
fn called_quarter(seen: &Seen, quarter: u32, close: (i32, u32)) -> (i32, f32) {
    let (year, month) = close;
    if (6..=11).contains(&month) || month == 12 {
        return (year, 0.95);
    }
    let word = ["first quarter", "second quarter", "third quarter", "fourth quarter"][quarter.clamp(1, 4) as usize - 1];
    let short = format!("q{quarter} ");
    let (mut late, mut early) = (0, 0);
    for line in &seen.front.lines {
        for (at, named) in fiscal(&line.key) {
            let begin = (at.saturating_sub(40)..=at).find(|i| line.key.is_char_boundary(*i)).unwrap_or(at);
            let own = line.key[begin..at].contains(word) || line.key[begin..at].contains(&short);
            let weight = if own { 5 } else { 1 };
            late += if named == year { weight } else { 0 };
            early += if named == year - 1 { weight } else { 0 };
        }
    }
    // Comparisons name the year before as often: the later name decides if it is used for this quarter at all.
    if late >= 3 {
        return (year, 0.9);
    }
    if early >= 3 && late == 0 {
        return (year - 1, 0.9);
    }
    by_convention(seen, close)
}

/// The year in the title of an annual report, and the day it ends on.
fn report_year(seen: &Seen) -> Told {
    let titled = seen.naming().filter_map(|(line, from)| Some((title_year(&line.key)?, from))).next();
    let mut best: Option<(Date, usize, &Line)> = None;
    let mut tally: Vec<(Date, usize, &Line)> = Vec::new();
    let headers =
        seen.front.running.iter().filter_map(|(l, n)| Some((dates(&l.key).into_iter().find(|(_, d)| d.is_full())?.1, *n, l)));
    let text = seen.front.lines.iter().flat_map(|l| {
        let naming = l.is_short() && l.page <= seen.front.cover + 1;
        let stated = reporting(&l.key).map(|d| (d, 6));
        let cover =
            dates(&l.key).into_iter().filter(|(_, d)| naming && d.is_full() && closes_month(*d)).map(|(_, d)| (d, 2)).next();
        let spans: Vec<(Date, usize)> =
            ends(l).filter(|(span, _)| *span == Span::Year).map(|(_, d)| (d, if naming { 4 } else { 1 })).collect();
        stated.into_iter().chain(cover).chain(spans).map(move |(d, n)| (d, n, l))
    });
    for (date, weight, line) in headers.chain(text) {
        match tally.iter_mut().find(|(d, ..)| *d == date) {
            Some(entry) => entry.1 += weight,
            None => tally.push((date, weight, line)),
        }
    }
    tally.sort_by_key(|(_, n, _)| std::cmp::Reverse(*n));
    if let Some(first) = tally.first() {
        // The year before is compared with everywhere; the report's own is the latest of those often named.
        let later = tally.iter().filter(|(d, n, _)| *d > first.0 && *n * 2 >= first.1).max_by_key(|(d, ..)| *d);
        best = Some(*later.unwrap_or(first));
    }
    match (titled, best) {
        (Some((year, from)), end) => {
            let end = tally
                .iter()
                .map(|(d, ..)| *d)
                .find(|d| d.year == year || d.year == year + 1 && d.month.is_some_and(|m| m <= 5))
                .or(end.map(|e| e.0));
            let fits = end.filter(|d| d.year == year || d.year == year + 1 && d.month.is_some_and(|m| m <= 5));
            let sure = if fits.is_some() { 0.95 } else { 0.85 };
            Some(fact(FiscalPeriod { year, part: Part::Year, end: fits.map(Date::iso) }, sure, from))
        }
        (None, Some((end, weight, line))) if weight >= 2 => {
            let (year, sure) = called(seen, end);
            Some(fact(FiscalPeriod { year, part: Part::Year, end: Some(end.iso()) }, sure.min(0.85), on(line)))
        }
        _ => {
            let year = single_year(seen)?;
            Some(fact(FiscalPeriod { year: year.0, part: Part::Year, end: None }, 0.7, year.1))
        }
    }
}

fn closes_month(date: Date) -> bool {
    date.day.is_some_and(|d| d >= 28)
}

/// `报告期 指 2019年1月1日-2019年12月31日`: the last day.
fn reporting(key: &str) -> Option<Date> {
    let at = key.find("报告期").filter(|at| *at <= 12)?;
    let found = dates(&key[at..]);
    let (first, last) = (found.first()?.1, found.get(1)?.1);
    (found.len() == 2 && first.is_full() && last.is_full() && first < last && last.year - first.year <= 1).then_some(last)
}

/// The year a title names for a whole year: `2019年年度报告`, `Annual Report 2022/23`, `Annual report for the year ended …`.
fn title_year(key: &str) -> Option<i32> {
    let word = [
        "年度报告",
        "年报",
        "annual report",
        "annual financial report",
        "annual and sustainability report",
        "integrated report",
        "report and accounts",
        "registration document",
        "责任报告",
        "发展报告",
        "管治报告",
        "治理报告",
        "治理(esg)报告",
        "esg",
        "sustainability report",
        "responsibility report",
        "governance report",
        "impact report",
    ]
    .into_iter()
    .find(|w| key.contains(w))?;
    if let Some((_, date)) = dates(key).into_iter().find(|(_, d)| d.is_full()) {
        // A whole date is the end of the year, not its name.
        return (years(key).count() > 1)
            .then(|| years(key).map(|y| y.1).find(|y| *y != date.year))
            .flatten()
            .filter(|y| (y - date.year).abs() <= 1)
            .or((date.month > Some(5)).then_some(date.year));
    }
    let all: Vec<(usize, i32)> = years(key).collect();
    let at = key.find(word)?;
    let (start, year) = *all.iter().min_by_key(|(y, _)| y.abs_diff(at))?;
    // `2022/23`, `2022-2023`, `2022/2023`: the year it ends in.
    let rest = key[start + 4..].trim_start_matches(['/', '-']);
    if rest.len() < key[start + 4..].len() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let end: Option<i32> = rest[..digits].parse().ok();
        match (digits, end) {
            (2, Some(n)) if n == (year + 1) % 100 => return Some(year + 1),
            (4, Some(n)) if n == year + 1 => return Some(n),
            _ => (),
        }
    }
    (all.iter().all(|(_, y)| (y - year).abs() <= 1) && key.chars().count() <= 100).then_some(year)
}

/// A year that stands alone on the cover, the only one there.
fn single_year(seen: &Seen) -> Option<(i32, Where)> {
    let mut alone =
        seen.front.page(seen.front.cover).filter(|l| l.key.len() == 4).filter_map(|l| Some((years(&l.key).next()?.1, on(l))));
    let first = alone.next()?;
    alone.all(|(year, _)| year == first.0).then_some(first)
}

/// Half-years, quarters and results: the part and the year in the title, else the span the cover names.
fn report_part(seen: &Seen, kind: Option<ReportKind>) -> Told {
    let told = seen.naming().chain(opening(seen)).find_map(|(line, from)| {
        let (year, part) = parted(&line.key)?;
        Some((year, part, from))
    });
    if let Some((Some(year), part, from)) = told.clone() {
        let end = stated_end(seen, year, part);
        return Some(fact(FiscalPeriod { year, part, end: end.map(Date::iso) }, 0.92, from));
    }
    let wanted = |span: Span| match kind {
        Some(ReportKind::HalfYear) => span == Span::Half,
        Some(ReportKind::Quarterly) => matches!(span, Span::Quarter | Span::Nine),
        _ => true,
    };
    let early = || seen.front.lines.iter().take_while(|l| l.page <= seen.front.cover + 3);
    let mut spans: Vec<(Span, Date, &Line)> =
        early().flat_map(|l| ends(l).map(move |(s, d)| (s, d, l))).filter(|(s, ..)| wanted(*s)).collect();
    let latest = spans.iter().map(|s| s.1).max()?;
    spans.retain(|s| s.1 == latest);
    let (span, end, line) = *spans.first()?;
    let part = match (told.map(|t| t.1), span) {
        (Some(part), _) => part,
        (None, Span::Year) => Part::Year,
        (None, Span::Half) => Part::H1,
        (None, Span::Nine) => Part::NineMonths,
        (None, Span::Quarter) => part(passed(seen, end)?.0),
    };
    let months = match part {
        Part::Year | Part::H2 | Part::Q4 => 0,
        Part::NineMonths | Part::Q3 => 3,
        Part::H1 | Part::Q2 => 6,
        Part::Q1 => 9,
    };
    let (year, month) = end.later(months);
    let (year, sure) = if months == 0 { called(seen, end) } else { called_quarter(seen, 4 - months / 3, (year, month)) };
    Some(fact(FiscalPeriod { year, part, end: Some(end.iso()) }, sure.min(0.85), on(line)))
}

/// The first lines of the text, for what has no cover.
fn opening<'a>(seen: &'a Seen) -> impl Iterator<Item = (&'a Line, Where)> {
    seen.front.page(seen.front.cover).take(8).filter(|l| l.is_short()).map(|l| (l, on(l)))
}

/// The part a title names, and the year if it does.
pub(super) fn parted(key: &str) -> Option<(Option<i32>, Part)> {
    use Part::*;
    if key.chars().count() > 160 {
        return None;
    }
    const WORDS: [(&str, Part); 55] = [
        ("半年度", H1),
        ("中期报告", H1),
        ("中期业绩", H1),
        ("上半年", H1),
        ("半年报", H1),
        ("下半年", H2),
        ("第一季度", Q1),
        ("第二季度", Q2),
        ("前三季度", NineMonths),
        ("第三季度", Q3),
        ("第四季度", Q4),
        ("一季度", Q1),
        ("二季度", Q2),
        ("三季度", Q3),
        ("四季度", Q4),
        ("一季报", Q1),
        ("三季报", Q3),
        ("年度业绩", Year),
        ("全年业绩", Year),
        ("末期业绩", Year),
        ("full year", Year),
        ("full-year", Year),
        ("fiscal year results", Year),
        ("annual results", Year),
        ("year-end results", Year),
        ("half-year", H1),
        ("half year", H1),
        ("half-yearly", H1),
        ("first half", H1),
        ("interim", H1),
        ("second half", H2),
        ("nine months", NineMonths),
        ("nine-month", NineMonths),
        ("first nine", NineMonths),
        ("first quarter", Q1),
        ("second quarter", Q2),
        ("third quarter", Q3),
        ("fourth quarter", Q4),
        ("first-quarter", Q1),
        ("second-quarter", Q2),
        ("third-quarter", Q3),
        ("fourth-quarter", Q4),
        ("1st quarter", Q1),
        ("2nd quarter", Q2),
        ("3rd quarter", Q3),
        ("4th quarter", Q4),
        ("q1", Q1),
        ("q2", Q2),
        ("q3", Q3),
        ("q4", Q4),
        ("1q", Q1),
        ("2q", Q2),
        ("3q", Q3),
        ("4q", Q4),
        ("9m", NineMonths),
    ];
    let (_, part) = WORDS.iter().find(|(word, _)| {
        key.match_indices(word).any(|(at, _)| {
            // `q3` is a word of its own or stands by a year.
            let short = word.len() == 2;
            !short
                || !key[..at].ends_with(|c: char| c.is_ascii_alphabetic())
                    && !key[at + 2..].starts_with(|c: char| c.is_ascii_alphabetic() && c != 'f')
        })
    })?;
    let named = fiscal(key);
    let plain: Vec<i32> = {
        let found = dates(key);
        found.iter().filter(|(_, d)| !d.is_full() && d.month.is_none()).map(|(_, d)| d.year).collect()
    };
    let year = named.first().map(|f| f.1).or_else(|| plain.first().copied().filter(|y| plain.iter().all(|o| o == y)));
    Some((year, *part))
}

/// The day a part of a year ends on, as the first pages print it with its span.
fn stated_end(seen: &Seen, year: i32, part: Part) -> Option<Date> {
    let span = match part {
        Part::Year => Span::Year,
        Part::H1 | Part::H2 => Span::Half,
        Part::NineMonths => Span::Nine,
        _ => Span::Quarter,
    };
    let fits = |d: &Date| d.year == year || d.year == year - 1 || d.year == year + 1 && d.month.is_some_and(|m| m <= 5);
    let mut found = seen.front.lines.iter().filter_map(|l| reporting(&l.key)).chain(
        seen.front
            .lines
            .iter()
            .flat_map(|l| ends(l).filter(|(s, _)| *s == span || part == Part::Q4 && *s == Span::Year).map(|e| e.1)),
    );
    let first = found.next().filter(fits)?;
    // The year compared with is not it.
    Some(found.filter(|d| fits(d) && d.month == first.month).max().unwrap_or(first).max(first))
}

/// The year a paper's title names.
fn titled_year(seen: &Seen) -> Told {
    let (line, from) = seen
        .title
        .iter()
        .map(|l| (l, Where::Properties))
        .chain(seen.front.cover().filter(|l| l.is_short()).take(12).map(|l| (l, on(l))))
        .find(|(l, _)| {
            let whole = dates(&l.key).iter().any(|(_, d)| d.month.is_some());
            !whole && years(&l.key).next().is_some() && super::kind::of_title(&l.key).is_some()
        })?;
    let all: Vec<i32> = years(&line.key).map(|y| y.1).collect();
    let year = *all.iter().max()?;
    // `2019-2023` and `2024-2030` name a span, no year of their own.
    (all.len() == 1).then(|| fact(FiscalPeriod { year, part: Part::Year, end: None }, 0.75, from))
}

/// `2023Q2` or `2019` in the file's name.
fn by_name(seen: &Seen, kind: Option<ReportKind>) -> Told {
    let said =
        seen.given(&["period", "fiscal_year", "year", "报告期", "年份"]).map(|(text, from)| (Line::loose(&text).key, from, 0.8));
    let (key, from, sure) = said.unwrap_or_else(|| (seen.file.key.clone(), Where::FileName, 0.5));
    if matches!(kind, Some(ReportKind::Prospectus | ReportKind::CurrentReport | ReportKind::Announcement | ReportKind::Research))
    {
        return None;
    }
    let mut all = dates(&key).into_iter().filter(|(_, d)| d.month.is_none()).map(|(_, d)| d.year);
    let year = all.next()?;
    // Of what is no report, a year in the name means the year of its contents only if the contents name it.
    let told = || seen.front.lines.iter().flat_map(|l| years(&l.key)).filter(|(_, y)| *y == year).count() >= 2;
    if all.any(|y| y != year) || kind.is_none() && from == Where::FileName && !told() {
        return None;
    }
    let part = match file_quarter(&key) {
        Some(q) => part(q),
        None => match (parted(&key), kind) {
            (Some((_, part)), _) => part,
            (None, Some(ReportKind::Quarterly | ReportKind::HalfYear | ReportKind::EarningsRelease)) => return None,
            _ => Part::Year,
        },
    };
    Some(fact(FiscalPeriod { year, part, end: None }, sure, from))
}

fn file_quarter(key: &str) -> Option<u32> {
    let at = key.find('q')?;
    let after = key[at + 1..].chars().next().and_then(|c| c.to_digit(10));
    let before = key[..at].chars().next_back().and_then(|c| c.to_digit(10)).filter(|_| !key[..at].ends_with("10"));
    let alone = !key[..at].ends_with(|c: char| c.is_ascii_alphabetic());
    after.or(before).filter(|q| alone && (1..=4).contains(q))
}

/// When it was published, filed or signed.
pub(super) fn published(seen: &Seen, kind: Option<ReportKind>) -> Option<Fact<String>> {
    let said = |keys: &[&str]| {
        seen.given(keys).and_then(|(text, from)| Some((dates(&Line::loose(&text).key).into_iter().next()?.1, from)))
    };
    if let Some((date, from)) = said(&[
        "date",
        "published",
        "published_at",
        "publish_date",
        "publication_date",
        "filing_date",
        "filed",
        "发布日期",
        "披露日期",
    ]) {
        return Some(fact(date.iso(), 0.9, from));
    }
    let early: Vec<&Line> =
        seen.front.lines.iter().filter(|l| l.page <= seen.front.cover + 2 && l.kind != index::page::BlockKind::Table).collect();
    const LABELS: [&str; 20] = [
        "date of report",
        "date of earliest event reported",
        "签署日期",
        "签署日",
        "签署时间",
        "发布日期",
        "发布时间",
        "公告日期",
        "披露日期",
        "报告日期",
        "报告日",
        "刊登日期",
        "公布日期",
        "出版日期",
        "publication date",
        "date of publication",
        "release date",
        "published",
        "report date",
        "date:",
    ];
    for (at, line) in early.iter().enumerate() {
        // A short label inside a sentence (`the latest practicable date:`) is none.
        let place = |l: &str| line.key.find(l).filter(|at| has_han(l) || *at <= 2 || l.starts_with("date of"));
        let Some((label, place)) = LABELS.iter().find_map(|l| Some((*l, place(l)?))) else { continue };
        let after = &line.key[place + label.len()..];
        // The label and its date: on one line, or on the next that holds one.
        if let Some((_, date)) = dates(after).into_iter().find(|(r, d)| d.month.is_some() && r.start <= 60) {
            return Some(fact(date.iso(), 0.93, on(line)));
        }
        let bare = after.chars().filter(|c| c.is_alphanumeric()).count() <= 45 && line.is_short();
        let next = early[at + 1..].iter().take(3).find_map(|l| {
            Some((*l, dates(&l.key).into_iter().find(|(r, d)| r.start == 0 && r.end == l.key.len() && d.is_full())?.1))
        });
        if let Some((line, date)) = next.filter(|_| bare) {
            return Some(fact(date.iso(), 0.8, on(line)));
        }
    }
    // A form's columns may put labels and values apart: the only date that stands alone near the label.
    if early.iter().any(|l| LABELS.iter().any(|w| l.key.contains(w))) {
        let mut alone = early.iter().filter_map(|l| Some((*l, whole(l).filter(|d| d.is_full())?)));
        if let (Some((line, date)), None) = (alone.next(), alone.next()) {
            return Some(fact(date.iso(), 0.65, on(line)));
        }
    }
    if matches!(kind, Some(ReportKind::Annual | ReportKind::HalfYear | ReportKind::Quarterly)) {
        return by_file(seen);
    }
    // A date that stands alone on the first page dates it.
    let mut alone = seen.front.page(seen.front.cover).filter_map(|l| Some((l, whole(l).filter(|d| d.month.is_some())?)));
    if let Some((line, date)) = alone.next()
        && alone.all(|(_, d)| d == date)
    {
        let release = kind == Some(ReportKind::EarningsRelease);
        return Some(fact(date.iso(), if release { 0.85 } else { 0.75 }, on(line)));
    }
    if kind == Some(ReportKind::EarningsRelease) {
        // A dateline: `CITY, May 2, 2024 (GLOBE NEWSWIRE) --`.
        let line = seen.front.page(seen.front.cover).take(15).find(|l| {
            ["(globe newswire)", "/prnewswire", "(business wire)", "businesswire", "prnewswire"].iter().any(|w| l.key.contains(w))
        });
        if let Some(line) = line
            && let Some((_, date)) = dates(&line.key).into_iter().find(|(r, d)| r.start <= 60 && d.is_full())
        {
            return Some(fact(date.iso(), 0.85, on(line)));
        }
    }
    // `华夏研究院 2024年10月`, `Acme Research, October 2024`: the publisher and the date on one line.
    let signed = seen.front.page(seen.front.cover).filter(|l| l.names() && l.key.chars().count() <= 40).find_map(|l| {
        let (range, date) = dates(&l.key).into_iter().next()?;
        let span = ["截至", "ended", "as of", "since", "until", "年期"].iter().any(|w| l.key.contains(w));
        (range.end == l.key.len() && date.month.is_some() && !span).then_some((l, date))
    });
    if let Some((line, date)) = signed.filter(|_| kind.is_some()) {
        return Some(fact(date.iso(), 0.7, on(line)));
    }
    by_file(seen)
}

/// The date a line holds and nothing else.
fn whole(line: &Line) -> Option<Date> {
    let (range, date) = dates(&line.key).into_iter().next()?;
    let rest = line.key[..range.start].chars().chain(line.key[range.end..].chars());
    (line.is_short() && rest.filter(|c| c.is_alphanumeric()).count() == 0).then_some(date)
}

/// A whole date in the file's name is the day it came out.
fn by_file(seen: &Seen) -> Option<Fact<String>> {
    let mut found = dates(&seen.file.key).into_iter().filter(|(_, d)| d.is_full());
    let (_, date) = found.next()?;
    found.next().is_none().then(|| fact(date.iso(), 0.6, Where::FileName))
}
