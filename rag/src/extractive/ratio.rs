//! Which ratios of reports can be worked out, and how? The definitions are data (`ratios.tsv`), one a line: names, formula, and
//! what the result is shown in.

use std::sync::LazyLock;

use index::lexical::fold;

/// A ratio: how it is worked out.
pub(super) struct Ratio {
    pub names: Vec<String>,
    pub formula: Formula,
    pub shown: Shown,
}

/// What the result is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Percent,
    Times,
    Days,
    Money,
}

/// A formula over figures that are called by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Formula {
    Number(f64),
    Figure(String),
    /// The mean of a figure at the end of this year and of the one before.
    Average(String),
    Both(Box<Formula>, char, Box<Formula>),
}

impl Formula {
    /// The names of its figures.
    pub(super) fn figures(&self) -> Vec<&str> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Figure(name) | Self::Average(name) => vec![name],
            Self::Both(a, _, b) => a.figures().into_iter().chain(b.figures()).collect(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        // The last operator outside brackets, the weaker first.
        for operators in [['+', '-'], ['*', '/']] {
            let mut depth = 0;
            for (at, c) in text.char_indices().rev() {
                match c {
                    ')' => depth += 1,
                    '(' => depth -= 1,
                    c if depth == 0 && operators.contains(&c) && text[..at].ends_with(' ') => {
                        let (left, right) = (Self::read(&text[..at])?, Self::read(&text[at + 1..])?);
                        return Some(Self::Both(Box::new(left), c, Box::new(right)));
                    }
                    _ => {}
                }
            }
        }
        if let Some(inner) = text.strip_prefix("avg(").and_then(|t| t.strip_suffix(')')) {
            return Some(Self::Average(inner.trim().to_owned()));
        }
        if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
            return Self::read(inner);
        }
        match text.parse() {
            Ok(number) => Some(Self::Number(number)),
            Err(_) => (!text.is_empty()).then(|| Self::Figure(text.to_owned())),
        }
    }
}

static RATIOS: LazyLock<Vec<Ratio>> = LazyLock::new(|| {
    let lines = include_str!("../ratios.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(ratio).collect()
});

fn ratio(line: &str) -> Option<Ratio> {
    let mut fields = line.split('\t');
    let names = fields.next()?.split('|').map(|name| fold(name).into_owned()).collect();
    let formula = Formula::read(fields.next()?)?;
    let shown = match fields.next()? {
        "%" => Shown::Percent,
        "times" => Shown::Times,
        "days" => Shown::Days,
        "money" => Shown::Money,
        _ => return None,
    };
    Some(Ratio { names, formula, shown })
}

/// The ratio that a folded text asks for, by its longest name: that name, and each way to work it out.
pub(super) fn asked(folded: &str) -> Option<(&'static str, Vec<&'static Ratio>)> {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let stands = |name: &str| {
        folded.match_indices(name).any(|(at, _)| {
            !name.is_ascii() || !letter(folded[..at].chars().next_back()) && !letter(folded[at + name.len()..].chars().next())
        })
    };
    let names = RATIOS.iter().flat_map(|ratio| ratio.names.iter().map(String::as_str));
    let name = names.filter(|name| stands(name)).max_by_key(|name| name.len())?;
    Some((name, RATIOS.iter().filter(|ratio| ratio.names.iter().any(|n| n == name)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_ratio() {
        let lines = include_str!("../ratios.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(RATIOS.len(), lines);
        assert!(RATIOS.iter().all(|ratio| !ratio.formula.figures().is_empty() && ratio.names.iter().all(|n| !n.is_empty())));
    }

    #[test]
    fn a_formula_is_read_with_its_brackets() {
        let figure = |name: &str| Box::new(Formula::Figure(name.into()));
        let quick = Formula::read("(current assets - inventories) / current liabilities").unwrap();
        let above = Formula::Both(figure("current assets"), '-', figure("inventories"));
        assert_eq!(quick, Formula::Both(Box::new(above), '/', figure("current liabilities")));
        assert_eq!(Formula::read("avg(debt-to-asset)"), Some(Formula::Average("debt-to-asset".into())));
    }

    #[test]
    fn a_ratio_is_asked_for_by_its_longest_name() {
        assert_eq!(asked("what is the gross profit margin of acme").unwrap().0, "gross profit margin");
        assert_eq!(asked("四方2022年的管理费用率").unwrap().0, "管理费用率");
        assert!(asked("what is the revenue").is_none());
    }
}
