//! Does this text say that? Without a model: by words after folding, and by value where what is looked for is a number.
//!
//! F1 and ROUGE are not here on purpose: on Chinese they give the opposite claim 0.88 and a number wrong by 10,000 times 0.875.

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
    let (text, sought) = (fold(text), fold(sought));
    match sole_figure(&sought) {
        Some(figure) => figures(&text).iter().any(|said| said.says(&figure, lenient.then_some(&text))),
        None => !sought.is_empty() && stands_in(&text, &sought),
    }
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
    const WORDS: [(&str, bool); 10] = [
        ("yes", true),
        ("true", true),
        ("是的", true),
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

/// A number of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figure {
    /// As written.
    digits: f64,
    /// Half a unit of the last digit written.
    half: f64,
    /// 1 if no scale is written.
    scale: f64,
    percent: bool,
    /// Where it stands, sign and scale included.
    start: usize,
    end: usize,
}

const SCALES: [(&str, f64); 19] = [
    ("trillion", 1e12),
    ("billion", 1e9),
    ("million", 1e6),
    ("thousand", 1e3),
    ("万亿", 1e12),
    ("千亿", 1e11),
    ("百亿", 1e10),
    ("十亿", 1e9),
    ("亿", 1e8),
    ("千万", 1e7),
    ("百万", 1e6),
    ("十万", 1e5),
    ("万", 1e4),
    ("千", 1e3),
    ("bn", 1e9),
    ("mn", 1e6),
    ("m", 1e6),
    ("k", 1e3),
    ("百", 1e2),
];

impl Figure {
    /// Whether this figure says the one looked for. Equal within half a unit of the last digit of the coarser one, but never more than
    /// 1 %. With its text at hand, a scale and a sign may stand elsewhere.
    fn says(&self, sought: &Self, text: Option<&String>) -> bool {
        let bare = !sought.percent && sought.scale == 1.0;
        if self.percent != sought.percent && (sought.percent || !bare || text.is_none()) {
            return false;
        }
        let equal = |a: f64, b: f64, half: f64| (a - b).abs() <= half.min(b.abs() * 0.01).max(b.abs() * 1e-9);
        let (a, b) = (self.digits * self.scale, sought.digits * sought.scale);
        let half = (self.half * self.scale).max(sought.half * sought.scale);
        let one_scale = (self.scale == 1.0) != (sought.scale == 1.0);
        equal(a, b, half)
            || text.is_some_and(|text| {
                let digits = self.half.max(sought.half);
                let fall = b < 0.0 && tells_a_fall(text, self.start);
                one_scale && equal(self.digits, sought.digits, digits)
                    || fall && (equal(-a, b, half) || one_scale && equal(-self.digits, sought.digits, digits))
            })
    }
}

/// A negative change is often told in words: "decreased by 12.6", "下降12.6%".
fn tells_a_fall(text: &str, at: usize) -> bool {
    let before: String = text[..at].chars().rev().take(40).collect::<Vec<_>>().into_iter().rev().collect();
    ["decreas", "declin", "fell", "drop", "down", "loss", "lower", "下降", "减少", "降低", "下滑", "亏损", "减亏"]
        .iter()
        .any(|word| before.contains(word))
}

/// The numbers of a folded text.
fn figures(text: &str) -> Vec<Figure> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let mut end = at + run(&bytes[at..]);
        let mut decimals = 0;
        if bytes.get(end) == Some(&b'.') {
            decimals = run(&bytes[end + 1..]);
            end += if decimals > 0 { decimals + 1 } else { 0 };
        }
        let Ok(digits) = text[at..end].parse::<f64>() else {
            at = end;
            continue;
        };
        let (front, negative) = sign(text, at, end);
        let (scale, percent, end) = unit(text, end);
        let percent = percent || text[..at].ends_with("百分之");
        let half = 0.5 * 10f64.powi(-i32::try_from(decimals).unwrap_or(0));
        found.push(Figure { digits: if negative { -digits } else { digits }, half, scale, percent, start: front, end });
        at = end;
    }
    found
}

fn run(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// A minus that is no range or date, or the brackets of an accountant; also before a currency sign. A word may stand before it: 净利润-12.
fn sign(text: &str, start: usize, end: usize) -> (usize, bool) {
    let before = text[..start].trim_end_matches(['$', '¥', '€', '£', ' ']);
    let front = before.len();
    if let Some(rest) = before.strip_suffix('-') {
        return (front - 1, !rest.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '年' || c == '月'));
    }
    let bracket = before.ends_with('(') && text[end..].trim_start_matches('%').starts_with(')') && end - start > 1;
    (if bracket { front - 1 } else { start }, bracket)
}

/// The scale and percent sign behind a number, and where they end.
fn unit(text: &str, end: usize) -> (f64, bool, usize) {
    let rest = &text[end..];
    let word = rest.trim_start_matches(' ');
    let gap = rest.len() - word.len();
    for (percent, sign) in [(true, "%"), (true, "percent"), (true, "per cent"), (true, "pct")] {
        if word.starts_with(sign) {
            return (1.0, percent, end + gap + sign.len());
        }
    }
    for (name, scale) in SCALES {
        let behind = word.strip_prefix(name);
        if behind.is_some_and(|b| !name.is_ascii() || !b.starts_with(|c: char| c.is_ascii_alphanumeric())) {
            return (scale, false, end + gap + name.len());
        }
    }
    (1.0, false, end)
}

/// The figure, if the text is a figure and nothing else but currency and such.
fn sole_figure(folded: &str) -> Option<Figure> {
    let found = figures(folded);
    let [figure] = found.as_slice() else { return None };
    let mut around = format!("{} {}", &folded[..figure.start], &folded[figure.end..]);
    for word in
        ["百分之", "人民币", "美元", "港元", "元", "约", "approximately", "about", "usd", "us", "rmb", "cny", "hkd", "eur", "gbp"]
    {
        around = around.replace(word, " ");
    }
    around.chars().all(|c| c.is_whitespace() || "$¥€£()+.。".contains(c)).then_some(*figure)
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
