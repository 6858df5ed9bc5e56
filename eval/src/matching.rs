//! Does this text say that? Without a model: by words after folding, and by value where what is looked for is a number.
//!
//! F1 and ROUGE are not here on purpose: on Chinese they give the opposite claim 0.88 and a number wrong by 10,000 times 0.875.

use rag::quantity::{Quantity, Unit, quantities};
use unicode_normalization::UnicodeNormalization;

/// Text with what does not matter taken out: NFKC, lower case, one kind of dash and quote, no thousands separators, single blanks,
/// and no blank next to a Han character (line breaks of a page fall anywhere in Chinese).
pub fn fold(text: &str) -> String {
    let plain: Vec<char> = text.nfkc().flat_map(char::to_lowercase).map(plain).collect();
    let mut out = String::with_capacity(text.len());
    let mut last = ' ';
    let mut blank = false;
    for (i, &c) in plain.iter().enumerate() {
        if c.is_whitespace() {
            blank = true;
            continue;
        }
        if c == ',' && !blank && last.is_ascii_digit() && three_digits(&plain[i + 1..]) {
            continue;
        }
        if blank && !out.is_empty() && !is_han(last) && !is_han(c) {
            out.push(' ');
        }
        blank = false;
        out.push(c);
        last = c;
    }
    out
}

fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{200b}' | '\u{feff}' | '\u{ad}' => ' ',
        c => c,
    }
}

fn three_digits(rest: &[char]) -> bool {
    rest.len() >= 3 && rest[..3].iter().all(char::is_ascii_digit) && !rest.get(3).is_some_and(char::is_ascii_digit)
}

/// Han characters and the punctuation that goes with them.
fn is_han(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Whether a text says what is looked for. A number (with its scale, percent sign or currency) is looked for by value: `406.1 million`
/// says `406100000`. Anything else must stand there as a whole: `1,284.5` does not stand in `11,284.5`, nor `air` in `airport`.
///
/// A figure without a scale is taken in the scale of the other, since in a table the unit stands in the head.
pub fn states(text: &str, sought: &str) -> bool {
    says(text, sought, true)
}

/// Whether a text says outright what it must not: as [`states`], but a figure counts with the scale and sign that it shows.
pub fn states_outright(text: &str, sought: &str) -> bool {
    says(text, sought, false)
}

fn says(text: &str, sought: &str, lenient: bool) -> bool {
    let words = || stands_in(&fold(text), &fold(sought));
    let Some(figure) = sole_quantity(sought) else { return !sought.trim().is_empty() && words() };
    // A number that is part of a word (`FY2023`) is no quantity, but it does stand there.
    let bare = matches!(figure.unit, Unit::Plain | Unit::Year | Unit::Label);
    let text = one_line(text);
    quantities(&text).iter().any(|said| equals(said, &figure, lenient.then_some(&text))) || lenient && bare && words()
}

/// Whether a quote stands in a text. Blanks do not matter; at least 90 % of the quote must stand there in one piece, because a passage
/// may begin or end within it.
pub fn quotes(text: &str, quote: &str) -> bool {
    let close = |s: &str| -> String { fold(s).chars().filter(|c| !c.is_whitespace()).collect() };
    let (text, quote) = (close(text), close(quote).chars().collect::<Vec<_>>());
    let least = (quote.len() * 9).div_ceil(10);
    least > 0 && quote.windows(least).any(|piece| text.contains(&piece.iter().collect::<String>()))
}

/// An answer's text without its `[1]` markers: the 1 is not something it says.
pub fn without_markers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let digits = rest[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let close = open + 1 + digits;
        if digits > 0 && rest[close..].starts_with(']') {
            out.push_str(&rest[..open]);
            rest = &rest[close + 1..];
        } else {
            out.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
        }
    }
    out + rest
}

/// The first plain yes or no of an answer, if it has one.
pub fn yes_or_no(text: &str) -> Option<bool> {
    const WORDS: [(&str, bool); 12] = [
        ("yes", true),
        ("true", true),
        ("是的", true),
        ("是:", true),
        ("否:", false),
        ("有的", true),
        ("no", false),
        ("false", false),
        ("not", false),
        ("不是", false),
        ("没有", false),
        ("未提及", false),
    ];
    let text = fold(text);
    WORDS.iter().filter_map(|(word, yes)| positions(&text, word).next().map(|at| (at, *yes))).min().map(|(_, yes)| yes)
}

fn stands_in(text: &str, sought: &str) -> bool {
    positions(text, sought).next().is_some()
}

/// Where `sought` stands in `text` as a whole: not cut out of a longer word or number.
fn positions<'a>(text: &'a str, sought: &'a str) -> impl Iterator<Item = usize> + 'a {
    let (first, last) = (sought.chars().next(), sought.chars().next_back());
    text.match_indices(sought).map(|(at, _)| at).filter(move |&at| {
        let (before, after) = (&text[..at], &text[at + sought.len()..]);
        let left = match first {
            Some('0'..='9') => !ends_in_number(before),
            Some(c) if c.is_ascii_alphabetic() => !before.ends_with(|c: char| c.is_ascii_alphanumeric()),
            _ => true,
        };
        let right = match last {
            Some('0'..='9') => !goes_on_as_number(after),
            Some(c) if c.is_ascii_alphabetic() => !after.starts_with(|c: char| c.is_ascii_alphanumeric()),
            _ => true,
        };
        left && right
    })
}

fn ends_in_number(before: &str) -> bool {
    let digits = before.strip_suffix(['.', ',']).unwrap_or(before);
    digits.ends_with(|c: char| c.is_ascii_digit())
}

fn goes_on_as_number(after: &str) -> bool {
    let digits = after.strip_prefix(['.', ',']).unwrap_or(after);
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// The quantity, if the text is one and nothing else but `about` and such.
fn sole_quantity(text: &str) -> Option<Quantity> {
    let text = one_line(text);
    let found = quantities(&text);
    let [quantity] = found.as_slice() else { return None };
    let mut around = format!("{} {}", &text[..quantity.range.start], &text[quantity.range.end..]).to_lowercase();
    for word in ["approximately", "about", "人民币", "大约", "约"] {
        around = around.replace(word, " ");
    }
    around.chars().all(|c| c.is_whitespace() || "().。+".contains(c)).then(|| quantity.clone())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a quantity of a text is the one looked for: equal within half a unit of the last digit of the coarser one, but never more
/// than 1 %. With its text at hand, a unit, a scale and a sign may stand elsewhere.
fn equals(said: &Quantity, sought: &Quantity, text: Option<&String>) -> bool {
    if !same_kind(said.unit, sought.unit, text.is_some()) {
        return false;
    }
    let equal = |a: f64, b: f64, half: f64| (a - b).abs() <= half.min(b.abs() * 0.01).max(b.abs() * 1e-9);
    let near = |sign: f64| {
        let scaled = equal(sign * said.value, sought.value, said.precision.max(sought.precision));
        let (ours, theirs) = (said.scale, sought.scale);
        let half = (said.precision / ours).max(sought.precision / theirs);
        let one_scale = text.is_some() && (ours == 1.0) != (theirs == 1.0);
        scaled || one_scale && equal(sign * said.value / ours, sought.value / theirs, half)
    };
    near(1.0) || sought.value < 0.0 && near(-1.0) && text.is_some_and(|text| tells_a_fall(text, said.range.start))
}

/// Whether both count the same. Leniently, a text may leave a unit to the head of its table, and what is looked for to the question.
fn same_kind(said: Unit, sought: Unit, lenient: bool) -> bool {
    let symbol = |a: &str, b: &str| match a {
        "$" => b.ends_with('D'),
        "¥" => matches!(b, "CNY" | "JPY"),
        _ => false,
    };
    match (said, sought) {
        (Unit::Money(Some(a)), Unit::Money(Some(b))) => a == b || symbol(a, b) || symbol(b, a),
        (Unit::Money(_), Unit::Money(_)) => true,
        (_, Unit::Plain) => lenient || said == Unit::Plain,
        (Unit::Plain, Unit::Percent | Unit::Point) => false,
        (Unit::Plain, _) => lenient,
        _ => said == sought,
    }
}

/// A negative change is often told in words: "decreased by 12.6", "下降12.6%".
fn tells_a_fall(text: &str, at: usize) -> bool {
    let before: String =
        text[..at].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect::<String>().to_lowercase();
    ["decreas", "declin", "fell", "drop", "down", "loss", "lower", "下降", "减少", "降低", "下滑", "亏损", "减亏"]
        .iter()
        .any(|word| before.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, sought: &str, expected: bool) {
        assert_eq!(states(text, sought), expected, "{sought:?} in {text:?}");
    }

    #[test]
    fn width_case_blanks_and_separators_do_not_matter() {
        check("毛利率为２３．１５％。", "23.15%", true);
        check("营 业\n收入为 1,284.5 万元", "营业收入为1284.5万元", true);
        check("The  Board\nof Directors", "board of directors", true);
        check("the company’s profit", "company's profit", true);
    }

    #[test]
    fn a_number_is_not_found_inside_another() {
        check("11,284.5", "1,284.5", false);
        check("1,284.56", "1,284.5", false);
        check("1863", "63", false);
        check("在 2023 年 12 月", "3 年", false);
        check("63 days", "63 days", true);
        check("163 days", "63 days", false);
        check("共4分钟", "4分钟", true);
        check("共24分钟", "4分钟", false);
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        check("the airport", "air", false);
        check("in the air.", "air", true);
        check("购买ETF通产品", "ETF", true);
    }

    #[test]
    fn a_figure_is_found_by_its_value() {
        check("cash flow was $406.1 million in 2022", "406100000.0", true);
        check("$0.4061 billion", "406100000.0", true);
        check("营业收入为3.5亿元", "35,000万元", true);
        check("营业收入为3.5万元", "3.5亿元", false);
        check("营业收入 | 1,526.45", "1526.45万元", true);
        check("人民币47,295.6万元", "人民币 47295.60 万元", true);
        check("total sales were $1,496.5 million", "$1,496.5 million", true);
        check("total sales were $1,496.5 thousand", "$1,496.5 million", false);
        check("EPS of $0.27", "0.27", true);
        check("EPS of $0.28", "0.27", false);
        check("the year 2019", "2018", false);
        check("毛利为1,284.5万元", "1,284.5", true);
        check("共有三家子公司", "3家", true);
        check("HK$1.2 billion", "1.2 billion yuan", false);
        check("in FY2023", "2023", true);
    }

    #[test]
    fn a_share_is_not_an_amount() {
        check("36 stores", "36%", false);
        check("36 percent of spend", "36%", true);
        check("占百分之36", "36%", true);
        check("增长了6.4%", "6.4%", true);
        check("增长了16.4%", "6.4%", false);
    }

    #[test]
    fn what_must_not_be_said_counts_as_it_is_shown() {
        assert!(states_outright("营业收入3.5万元", "35,000元"));
        assert!(!states_outright("营业收入 | 3.5", "3.5万元"));
        assert!(!states_outright("毛利率23.15%", "23.15万元"));
        assert!(states_outright("净利润下降", "下降"));
    }

    #[test]
    fn a_fall_may_be_told_by_sign_bracket_or_word() {
        check("the change was -12.6 million", "-12.6 million", true);
        check("a change of (12.6)", "-12.6", true);
        check("同比下降12.14%", "-12.14%", true);
        check("it decreased by 94", "-94", true);
        check("it rose by 94", "-94", false);
        check("fiscal 2018-2019", "2019", true);
    }

    #[test]
    fn a_quote_is_found_across_line_breaks_and_at_a_cut() {
        assert!(quotes("公司主营业\n务收入保持 稳定增长。", "主营业务收入保持稳定增长"));
        assert!(quotes("et sales rose by 5% in the year", "Net sales rose by 5% in the year"));
        assert!(!quotes("net sales fell by 5% in the year", "net sales rose by 5% in the year"));
        assert!(!quotes("anything", ""));
    }

    #[test]
    fn markers_are_nothing_that_is_said() {
        assert_eq!(without_markers("增长 5%[1][12]。[注]"), "增长 5%。[注]");
        check(&without_markers("共三家[2]"), "2", false);
    }

    #[test]
    fn the_first_yes_or_no_counts() {
        assert_eq!(yes_or_no("Yes, it did not…"), Some(true));
        assert_eq!(yes_or_no("报告没有提到。"), Some(false));
        assert_eq!(yes_or_no("The notice says nothing."), None);
    }

    #[test]
    fn odd_texts_do_no_harm() {
        for text in ["", "-", "(1)", "1.", "1.2.3.4", "99999999999999999999999999", "%", "½", "[", "[1", "1,23,4,", "百分之"]
        {
            for sought in ["", "1", "百分之", "1.2", "[1]"] {
                let _ = (states(text, sought), quotes(text, sought), without_markers(text), yes_or_no(text));
            }
        }
    }
}
