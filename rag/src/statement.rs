//! In which statement does a figure stand? Total assets on the balance sheet, gross profit in the income statement; a quick
//! ratio stands nowhere and is computed from items of the balance sheet. What every analyst knows is data (`statements.tsv`).

use std::{ops::Range, sync::LazyLock};

use index::lexical::fold;
use serde::Serialize;

/// The statements of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Statement {
    Balance,
    Income,
    Cash,
    Equity,
}

/// A figure with where it stands.
#[derive(Debug)]
struct Figure {
    statement: Statement,
    items: Vec<String>,
}

#[derive(Debug, Default)]
struct Book {
    /// Names of statements, folded, longest first.
    statements: Vec<(String, Statement)>,
    figures: Vec<Figure>,
    /// Names of figures, folded, longest first.
    names: Vec<(String, usize)>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let mut book = Book::default();
    for line in include_str!("statements.tsv").lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (Some(what), Some(statement), Some(names)) = (fields.next(), fields.next().and_then(named), fields.next()) else {
            continue;
        };
        let folded = |names: &str| names.split('|').map(|name| fold(name).into_owned()).collect::<Vec<_>>();
        if what == "statement" {
            book.statements.extend(folded(names).into_iter().map(|name| (name, statement)));
            continue;
        }
        let at = book.figures.len();
        book.figures.push(Figure { statement, items: fields.next().map(folded).unwrap_or_default() });
        book.names.extend(folded(names).into_iter().map(|name| (name, at)));
    }
    book.statements.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    book.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    book
});

fn named(word: &str) -> Option<Statement> {
    Some(match word {
        "balance" => Statement::Balance,
        "income" => Statement::Income,
        "cash" => Statement::Cash,
        "equity" => Statement::Equity,
        _ => return None,
    })
}

/// What a question looks for in the statements.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Sought {
    /// The statements, by name or by the figures that stand in them.
    pub statements: Vec<Statement>,
    /// Whether the question itself names the statement.
    pub outright: bool,
    /// The items to look for, each under its names.
    pub items: Vec<Vec<String>>,
}

/// What a question looks for. Whoever asks for reasons looks for prose, not for a statement.
pub(crate) fn sought(question: &str) -> Sought {
    let folded = fold(question);
    let mut sought = Sought::default();
    for (_, statement) in spans(&folded, &BOOK.statements) {
        sought.outright = true;
        if !sought.statements.contains(statement) {
            sought.statements.push(*statement);
        }
    }
    let reasons =
        ["what drove", "driver", "driven", "why ", "reason", "because", "原因", "为什么", "为何", "驱动", "policy", "政策"];
    let prose = reasons.iter().any(|word| folded.contains(word)) && !sought.outright;
    for (_, figure) in spans(&folded, &BOOK.names) {
        let figure = &BOOK.figures[*figure];
        sought.items.push(figure.items.clone());
        // A statement that is named outright is the one that is meant.
        if !prose && !sought.outright && !sought.statements.contains(&figure.statement) {
            sought.statements.push(figure.statement);
        }
    }
    sought
}

/// The statement that a passage is part of, by the headings above it or its first line.
pub(crate) fn of_passage(headings: &[String], first_line: &str) -> Option<Statement> {
    let mut lines = headings.iter().rev().map(String::as_str).take(2).chain([first_line]).map(fold);
    lines.find_map(|line| {
        // A sentence that mentions a statement, and the notes to it, are not the statement.
        let name = !line.contains("notes to") && !line.contains("附注") && line.chars().count() <= 120;
        name.then(|| spans(&line, &BOOK.statements).first().map(|(_, statement)| **statement)).flatten()
    })
}

/// The names that stand in a folded text as whole words, a longer one over those inside it.
fn spans<'a, T>(folded: &str, names: &'a [(String, T)]) -> Vec<(Range<usize>, &'a T)> {
    let mut found: Vec<(Range<usize>, &T)> = Vec::new();
    for (name, what) in names {
        for (at, _) in folded.match_indices(name.as_str()) {
            let range = at..at + name.len();
            let letter = |c: Option<char>| name.is_ascii() && c.is_some_and(|c| c.is_ascii_alphanumeric());
            let part = letter(folded[..range.start].chars().next_back()) || letter(folded[range.end..].chars().next());
            if !part && found.iter().all(|(other, _)| range.end <= other.start || other.end <= range.start) {
                found.push((range, what));
            }
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, statements: &[Statement], item: Option<&str>) {
        let sought = sought(question);
        assert_eq!(sought.statements, statements, "{question}");
        let has = |item: &str| sought.items.iter().flatten().any(|name| name == item);
        assert!(item.is_none_or(has), "{question}: {:?}", sought.items);
    }

    #[test]
    fn a_figure_is_looked_up_in_its_statement() {
        use Statement::{Balance, Cash, Income};
        check("Has the quick ratio improved?", &[Balance], Some("total current assets"));
        check("2022年的毛利率是多少", &[Income], Some("营业成本"));
        check("What is capex in FY2022?", &[Cash], Some("purchases of property, plant and equipment"));
        check("経营活动产生的现金流量净额", &[Cash], None);
        check("net PP&E from the balance sheet", &[Balance], Some("property, plant and equipment, net"));
        check("What drove the decrease in gross margin?", &[], Some("gross profit"));
        check("Who is the auditor?", &[], None);
    }

    #[test]
    fn a_statement_is_known_by_its_heading() {
        let of = |heading: &str, first: &str| of_passage(&[heading.to_owned()], first);
        assert_eq!(of("Consolidated Statements of Income", ""), Some(Statement::Income));
        assert_eq!(of("财务报表", "合并资产负债表"), Some(Statement::Balance));
        assert_eq!(of("Notes to Consolidated Balance Sheets", ""), None);
        assert_eq!(of("Risk factors", "Our cash position"), None);
    }

    #[test]
    fn every_line_of_the_data_is_read() {
        let lines = include_str!("statements.tsv").lines().filter(|line| !line.starts_with('#'));
        let figures = lines.clone().filter(|line| line.starts_with("figure\t")).count();
        assert_eq!(figures, BOOK.figures.len());
        assert!(BOOK.figures.iter().all(|figure| !figure.items.is_empty()));
        assert_eq!(lines.count() - figures, 4);
    }
}
