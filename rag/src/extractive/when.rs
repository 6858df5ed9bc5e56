//! Which period does a value of a table stand for? Read from its header: a year, a date, and how much time it covers, so that
//! three months are never taken for the year, nor the end of a quarter for the end of the year.

use crate::period::{Part, Period, periods, relative};

/// The period of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct When {
    pub year: Option<i32>,
    month: Option<u8>,
    span: Option<Span>,
    quarter: Option<u8>,
    /// Whether it compares two periods: `change`, `2019 vs. 2018`.
    compares: bool,
}

/// How much time a value covers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Span {
    Quarter,
    Half,
    NineMonths,
    Year,
}

const SPANS: &[(&str, Span)] = &[
    ("three months", Span::Quarter),
    ("3 months", Span::Quarter),
    ("13 weeks", Span::Quarter),
    ("thirteen weeks", Span::Quarter),
    ("14 weeks", Span::Quarter),
    ("six months", Span::Half),
    ("6 months", Span::Half),
    ("26 weeks", Span::Half),
    ("twenty-six weeks", Span::Half),
    ("half year", Span::Half),
    ("nine months", Span::NineMonths),
    ("9 months", Span::NineMonths),
    ("39 weeks", Span::NineMonths),
    ("twelve months", Span::Year),
    ("12 months", Span::Year),
    ("year ended", Span::Year),
    ("years ended", Span::Year),
    ("52 weeks", Span::Year),
    ("53 weeks", Span::Year),
    ("前三季度", Span::NineMonths),
    ("半年", Span::Half),
    ("季度", Span::Quarter),
    ("quarter", Span::Quarter),
];

const COMPARES: &[&str] =
    &["change", "variance", " vs", "growth", "increase", "compared", "增减", "变动", "同比", "增长", "变化"];

impl When {
    /// Reads a header; `reports` are the periods of its document, for columns named by position (`本期`).
    pub(super) fn read(header: &str, reports: &[Period]) -> Self {
        let lower = header.to_lowercase();
        let compares = COMPARES.iter().any(|word| lower.contains(word));
        let said = periods(header);
        let dated = said.iter().rev().map(|(_, period)| *period).find(|period| period.year.is_some());
        let year = dated.or_else(|| relative(header, reports.iter().find_map(|p| p.year))).and_then(|p| p.year);
        let part = |pick: fn(Part) -> Option<u8>| said.iter().rev().find_map(|(_, period)| pick(period.part));
        let quarter = part(|part| if let Part::Quarter(q) = part { Some(q) } else { None });
        let month = part(|part| if let Part::Month(m) = part { Some(m) } else { None });
        let said_span = said.iter().find_map(|(_, period)| match period.part {
            Part::Half(_) => Some(Span::Half),
            Part::NineMonths => Some(Span::NineMonths),
            _ => None,
        });
        let span = SPANS.iter().find(|(word, _)| lower.contains(word)).map(|(_, span)| *span);
        let span = span.or(said_span).or(quarter.map(|_| Span::Quarter));
        Self { year, month, span, quarter, compares }
    }

    /// The same in the company's own count of years: one whose year ends early in the next calendar year may name it after the
    /// year in which it began (`52 weeks ended January 28, 2023` are fiscal 2022).
    pub(super) fn in_year_of(self, closes: Option<u8>, named_before: i32) -> Self {
        let ends = self.month.zip(closes).is_some_and(|(month, closes)| month <= closes);
        Self { year: self.year.map(|year| if ends { year - named_before } else { year }), ..self }
    }

    /// All of a year.
    pub(super) fn over(year: i32) -> Self {
        Self { year: Some(year), span: Some(Span::Year), ..Self::default() }
    }

    /// Whether it covers less than a year.
    pub(super) fn is_part(self) -> bool {
        matches!(self.span, Some(Span::Quarter | Span::Half | Span::NineMonths))
    }

    /// Whether it covers a span of time, as its header says.
    pub(super) fn spans_time(self) -> bool {
        self.span.is_some()
    }

    /// Whether it is the value of a year, and no comparison with one.
    pub(super) fn is_dated(self) -> bool {
        self.year.is_some() && !self.compares
    }

    /// Whether its header says in which month it ends.
    pub(super) fn has_month(self) -> bool {
        self.month.is_some()
    }

    /// The date it ends at, as far as it is known.
    pub(super) fn end(self) -> Option<(i32, u8)> {
        Some((self.year?, self.month.unwrap_or(0)))
    }

    /// Whether a value of this period answers a question about `asked`. `latest` is the last end of its table, `reports` are
    /// the periods of its document; `surely`: a date must be shown where one is asked for.
    pub(super) fn answers(self, asked: Period, latest: Option<(i32, u8)>, reports: &[Period], surely: bool) -> bool {
        if self.compares {
            return false;
        }
        let same_year = asked.year.is_none() || self.year == asked.year;
        let quarterly = reports.iter().find(|own| matches!(own.part, Part::Quarter(_)) && own.year.is_some());
        match asked.part {
            Part::Year => {
                // The balance at the end of the quarter that a report is about is not that of the year.
                let of_quarter = quarterly.is_some_and(|own| own.part != Part::Quarter(4))
                    && self.span.is_none()
                    && self.month.is_some_and(|month| latest.is_some_and(|(_, last)| last == month && last != 12));
                same_year && !self.is_part() && !of_quarter
            }
            Part::Quarter(q) => {
                let named = self.quarter == Some(q) && (same_year || self.year.is_none());
                let ends = self.quarter.is_none() && self.month == Some(q * 3) && same_year;
                let covers = matches!(self.span, None | Some(Span::Quarter));
                // The report of the quarter that is asked for: its last column, whatever the calendar says.
                let own = quarterly.is_some_and(|own| own.part == asked.part && own.year == asked.year) && self.quarter.is_none();
                let before = quarterly.is_some_and(|own| own.part == asked.part && own.year == asked.year.map(|y| y + 1))
                    && self.quarter.is_none();
                let last = |back: i32| self.end().zip(latest).is_some_and(|(end, (year, month))| end == (year - back, month));
                covers && (named || own && last(0) || before && last(1) || !own && !before && quarterly.is_none() && ends)
            }
            Part::Month(m) => {
                let month = self.month == Some(m) || self.month.is_none() && (m == 12 || !surely) && !self.is_part();
                same_year && month
            }
            Part::Half(_) => same_year && self.span == Some(Span::Half),
            Part::NineMonths => same_year && self.span == Some(Span::NineMonths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, asked: &str, document: &str, wanted: bool) {
        let named = |text: &str| periods(text).into_iter().map(|(_, p)| p).collect::<Vec<_>>();
        let when = When::read(header, &named(document));
        let asked = named(asked)[0];
        assert_eq!(when.answers(asked, when.end(), &named(document), false), wanted, "{header} for {asked:?}");
    }

    #[test]
    fn three_months_are_not_the_year_and_the_year_is_not_the_quarter() {
        check("Years ended December 31, 2022", "2022", "", true);
        check("Three months ended December 31, 2022", "2022", "", false);
        check("Three months ended December 31, 2022", "Q4 2022", "", true);
        check("Year ended December 31, 2022", "Q4 2022", "", false);
        check("Six Months Ended June 30, 2022", "2022", "", false);
        check("2022年第三季度", "2022年", "", false);
        check("2022年第三季度", "2022年第三季度", "", true);
        check("2022年度", "2022年", "", true);
        check("本期发生额", "2022年", "2022年", true);
        check("上期发生额", "2022年", "2022年", false);
    }

    #[test]
    fn a_report_of_a_fiscal_quarter_answers_for_it_whatever_the_calendar_says() {
        check("Three Months Ended July 29, 2023", "Q2 FY2024", "2024Q2", true);
        check("Six Months Ended July 29, 2023", "Q2 FY2024", "2024Q2", false);
        check("July 29, 2023", "FY2023", "2024Q2", false);
    }

    #[test]
    fn a_year_that_is_named_after_its_beginning_ends_in_the_next_one() {
        let named = |header: &str, before: i32| When::read(header, &[]).in_year_of(Some(1), before).year;
        assert_eq!(named("52 Weeks Ended January 28, 2023", 1), Some(2022));
        assert_eq!(named("52 Weeks Ended January 28, 2023", 0), Some(2023));
        assert_eq!(named("13 Weeks Ended October 29, 2022", 1), Some(2022));
    }

    #[test]
    fn a_change_is_no_value_of_its_year() {
        check("Change 2022", "2022", "", false);
        check("2022年比上年增减", "2022年", "", false);
    }
}
