//! Which quantities does a text state? Numbers with their unit and scale, Chinese and English, so that `1,234 万元` and
//! `12.34 million yuan` are the same amount, and the year `2023` and the amount `2,023` are not.

use std::ops::Range;

/// A quantity found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// Where it stands, in bytes, sign, currency and unit included.
    pub range: Range<usize>,
    /// Its value in units (scale applied: `3.5亿` is 350,000,000; `12 %` is 12).
    pub value: f64,
    /// Half a unit of the last digit shown, scale applied: how far a rounded figure may be off.
    pub precision: f64,
    /// Factor that was applied for `万`, `million` and the like; 1 where none was written.
    pub scale: f64,
    /// What is counted.
    pub unit: Unit,
}

/// What a quantity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing is said.
    Plain,
    /// Percent.
    Percent,
    /// Percentage points.
    Point,
    /// Money; the currency's code if it is named.
    Money(Option<&'static str>),
    /// A calendar year.
    Year,
    /// A month, a day of a month, or an ordinal: a label rather than an amount.
    Label,
    /// A measure, in its smallest common unit.
    Measure(&'static str),
}

impl Quantity {
    /// Whether this quantity, as a source states it, carries `claim`: same kind, and equal within what the claim shows.
    pub fn carries(&self, claim: &Quantity) -> bool {
        let slack = claim.precision + 1e-9 * claim.value.abs().max(self.value.abs());
        self.unit.admits(claim.unit) && (self.value - claim.value).abs() <= slack
    }

    /// Whether it is an amount: not a year, a date or an ordinal.
    pub fn is_amount(&self) -> bool {
        !matches!(self.unit, Unit::Year | Unit::Label)
    }
}

impl Unit {
    fn admits(self, claim: Unit) -> bool {
        match (self, claim) {
            (Unit::Money(Some(a)), Unit::Money(Some(b))) => a == b,
            (Unit::Money(_), Unit::Money(_)) => true,
            // A source may leave the unit to its context; a claim may leave out what the reader knows.
            (Unit::Plain, Unit::Money(_) | Unit::Measure(_)) | (Unit::Money(_) | Unit::Measure(_), Unit::Plain) => true,
            (a, b) => a == b,
        }
    }
}

/// The scale that a unit line names: `单位：万元` is 10,000, `(in millions)` is 1,000,000.
pub fn scale_of(text: &str) -> Option<f64> {
    let text: String = text.chars().map(narrow).collect::<String>().to_lowercase();
    const SCALES: &[(&str, f64)] = &[
        ("万亿", 1e12),
        ("千亿", 1e11),
        ("百亿", 1e10),
        ("十亿", 1e9),
        ("亿", 1e8),
        ("千万", 1e7),
        ("百万", 1e6),
        ("十万", 1e5),
        ("萬", 1e4),
        ("万", 1e4),
        ("千元", 1e3),
        ("trillion", 1e12),
        ("billion", 1e9),
        ("million", 1e6),
        ("thousand", 1e3),
        ("'000", 1e3),
        ("’000", 1e3),
        ("000s", 1e3),
        ("$m", 1e6),
        ("mn", 1e6),
    ];
    SCALES.iter().find(|(word, _)| text.contains(word)).map(|&(_, scale)| scale)
}

/// All quantities of a text, in order, not overlapping.
pub fn quantities(text: &str) -> Vec<Quantity> {
    let chars: Vec<(usize, char)> = text.char_indices().map(|(i, c)| (i, narrow(c))).collect();
    let reader = Reader { chars: &chars, length: text.len() };
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        match reader.quantity(at) {
            Some((quantity, next)) => {
                found.push(quantity);
                at = next.max(at + 1);
            }
            None => at = reader.skip(at),
        }
    }
    found
}

/// Full-width digits, signs and brackets as their ASCII twins; one character stays one character.
fn narrow(c: char) -> char {
    match c {
        '！'..='～' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '−' | '﹣' => '-',
        '\u{a0}' | '\u{3000}' | '\u{2009}' | '\u{202f}' => ' ',
        '萬' => '万',
        '億' => '亿',
        '兩' => '两',
        '點' => '点',
        '幣' => '币',
        '圓' => '元',
        _ => c,
    }
}

struct Reader<'a> {
    chars: &'a [(usize, char)],
    length: usize,
}

/// A number without its unit: value, decimals shown, whether it is written as a plain run of digits, and where it ends.
struct Number {
    value: f64,
    decimals: i32,
    plain_digits: usize,
    end: usize,
}

const CURRENCIES: &[(&str, &str)] = &[
    ("us$", "USD"),
    ("u.s.$", "USD"),
    ("hk$", "HKD"),
    ("nt$", "TWD"),
    ("a$", "AUD"),
    ("c$", "CAD"),
    ("s$", "SGD"),
    ("rmb", "CNY"),
    ("cny", "CNY"),
    ("usd", "USD"),
    ("hkd", "HKD"),
    ("eur", "EUR"),
    ("gbp", "GBP"),
    ("jpy", "JPY"),
    ("aud", "AUD"),
    ("cad", "CAD"),
    ("chf", "CHF"),
    ("人民币", "CNY"),
    ("美元", "USD"),
    ("美金", "USD"),
    ("港币", "HKD"),
    ("港元", "HKD"),
    ("新台币", "TWD"),
    ("欧元", "EUR"),
    ("英镑", "GBP"),
    ("日元", "JPY"),
    ("$", "$"),
    ("¥", "¥"),
    ("￥", "¥"),
    ("€", "EUR"),
    ("£", "GBP"),
];

const MONEY_WORDS: &[(&str, &str)] = &[
    ("人民币元", "CNY"),
    ("人民币", "CNY"),
    ("美元", "USD"),
    ("美金", "USD"),
    ("港元", "HKD"),
    ("港币", "HKD"),
    ("新台币", "TWD"),
    ("台币", "TWD"),
    ("欧元", "EUR"),
    ("英镑", "GBP"),
    ("日元", "JPY"),
    ("日圆", "JPY"),
    ("韩元", "KRW"),
    ("元", "CNY"),
    ("us dollars", "USD"),
    ("u.s. dollars", "USD"),
    ("dollars", "$"),
    ("dollar", "$"),
    ("yuan", "CNY"),
    ("rmb", "CNY"),
    ("cny", "CNY"),
    ("usd", "USD"),
    ("hkd", "HKD"),
    ("euros", "EUR"),
    ("euro", "EUR"),
    ("eur", "EUR"),
    ("pounds", "GBP"),
    ("gbp", "GBP"),
    ("yen", "JPY"),
];

/// Scales in front of a unit, longest first.
const SCALES: &[(&str, f64)] = &[
    ("万亿", 1e12),
    ("千亿", 1e11),
    ("百亿", 1e10),
    ("十亿", 1e9),
    ("千万", 1e7),
    ("百万", 1e6),
    ("十万", 1e5),
    ("亿", 1e8),
    ("万", 1e4),
    ("千", 1e3),
    ("百", 1e2),
    ("hundred", 1e2),
    ("thousand", 1e3),
    ("millions", 1e6),
    ("million", 1e6),
    ("billions", 1e9),
    ("billion", 1e9),
    ("trillion", 1e12),
    ("mln", 1e6),
    ("bln", 1e9),
    ("mn", 1e6),
    ("mm", 1e6),
    ("bn", 1e9),
    ("tn", 1e12),
    ("m", 1e6),
    ("b", 1e9),
    ("k", 1e3),
];

/// Measures: word, common unit, factor. Longest first where one begins another.
const MEASURES: &[(&str, &str, f64)] = &[
    ("千瓦时", "kWh", 1.0),
    ("千瓦", "kW", 1.0),
    ("兆瓦", "kW", 1e3),
    ("吉瓦", "kW", 1e6),
    ("kwh", "kWh", 1.0),
    ("mwh", "kWh", 1e3),
    ("gwh", "kWh", 1e6),
    ("twh", "kWh", 1e9),
    ("kw", "kW", 1.0),
    ("mw", "kW", 1e3),
    ("gw", "kW", 1e6),
    ("平方公里", "m2", 1e6),
    ("平方千米", "m2", 1e6),
    ("平方米", "m2", 1.0),
    ("立方米", "m3", 1.0),
    ("公里", "m", 1e3),
    ("千米", "m", 1e3),
    ("kilometers", "m", 1e3),
    ("kilometres", "m", 1e3),
    ("km", "m", 1e3),
    ("米", "m", 1.0),
    ("吨", "kg", 1e3),
    ("tonnes", "kg", 1e3),
    ("公斤", "kg", 1.0),
    ("千克", "kg", 1.0),
    ("kg", "kg", 1.0),
    ("个百分点", "", 0.0),
    ("个月", "month", 1.0),
    ("months", "month", 1.0),
    ("小时", "hour", 1.0),
    ("hours", "hour", 1.0),
    ("分钟", "minute", 1.0),
    ("minutes", "minute", 1.0),
    ("倍", "times", 1.0),
    ("times", "times", 1.0),
    ("年", "year", 1.0),
    ("years", "year", 1.0),
    ("岁", "year", 1.0),
    ("天", "day", 1.0),
    ("日", "day", 1.0),
    ("days", "day", 1.0),
    ("人", "person", 1.0),
    ("名", "person", 1.0),
    ("位", "person", 1.0),
    ("employees", "person", 1.0),
    ("people", "person", 1.0),
    ("persons", "person", 1.0),
    ("股", "share", 1.0),
    ("shares", "share", 1.0),
    ("家", "item", 1.0),
    ("个", "item", 1.0),
    ("项", "item", 1.0),
    ("台", "item", 1.0),
    ("辆", "item", 1.0),
    ("种", "item", 1.0),
    ("件", "item", 1.0),
    ("次", "item", 1.0),
    ("只", "item", 1.0),
    ("套", "item", 1.0),
    ("户", "item", 1.0),
    ("条", "item", 1.0),
    ("所", "item", 1.0),
    ("座", "item", 1.0),
    ("篇", "item", 1.0),
    ("部", "item", 1.0),
    ("款", "item", 1.0),
];

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "sept",
    "oct",
    "nov",
    "dec",
];

impl Reader<'_> {
    fn at(&self, i: usize) -> Option<char> {
        self.chars.get(i).map(|&(_, c)| c)
    }

    fn before(&self, i: usize) -> Option<char> {
        i.checked_sub(1).and_then(|i| self.at(i))
    }

    fn byte(&self, i: usize) -> usize {
        self.chars.get(i).map_or(self.length, |&(b, _)| b)
    }

    fn blanks(&self, mut i: usize) -> usize {
        while self.at(i) == Some(' ') {
            i += 1;
        }
        i
    }

    /// The end of `word` if it stands at `i` (letters of any case); a Latin word must also end there.
    fn word(&self, i: usize, word: &str) -> Option<usize> {
        let mut end = i;
        for c in word.chars() {
            if self.at(end)?.to_ascii_lowercase() != c {
                return None;
            }
            end += 1;
        }
        let latin = word.ends_with(|c: char| c.is_ascii_alphabetic());
        let runs_on = self.at(end).is_some_and(|c| c.is_ascii_alphabetic());
        (!(latin && runs_on)).then_some(end)
    }

    fn one_of<'t, T>(&self, i: usize, table: &'t [(&'t str, T)]) -> Option<(&'t T, usize)> {
        table.iter().find_map(|(word, value)| Some((value, self.word(i, word)?)))
    }

    /// One past what cannot start a quantity here: a whole Latin word with its digits (`FY2023`, `B-52`), else one character.
    fn skip(&self, mut i: usize) -> usize {
        if !self.at(i).is_some_and(|c| c.is_ascii_alphanumeric()) {
            return i + 1;
        }
        while self.at(i).is_some_and(|c| c.is_ascii_alphanumeric()) {
            i += 1;
        }
        i
    }

    fn quantity(&self, start: usize) -> Option<(Quantity, usize)> {
        self.share(start).or_else(|| self.amount(start))
    }

    /// `百分之三点五`, `千分之2`.
    fn share(&self, start: usize) -> Option<(Quantity, usize)> {
        let (&factor, i) = self.one_of(start, &[("百分之", 1.0), ("千分之", 0.1), ("万分之", 0.01)])?;
        let (negative, i) = if self.at(i) == Some('负') { (true, i + 1) } else { (false, i) };
        let number = self.digits(i).or_else(|| self.han_number(i))?;
        let value = number.value * factor * if negative { -1.0 } else { 1.0 };
        let precision = 0.5 * 10f64.powi(-number.decimals) * factor;
        Some((self.made(start, number.end, value, precision, 1.0, Unit::Percent), number.end))
    }

    fn amount(&self, start: usize) -> Option<(Quantity, usize)> {
        let mut i = start;
        let bracket = self.at(i) == Some('(');
        if bracket {
            i = self.blanks(i + 1);
        }
        let mut negative = false;
        if self.sign(i) {
            negative = self.at(i) != Some('+');
            i += 1;
        }
        let mut currency = None;
        let free = !self.before(i).is_some_and(|c| c.is_ascii_alphanumeric());
        if let Some((&code, end)) = self.currency(i).filter(|_| free) {
            currency = Some(code);
            i = self.blanks(end);
            if self.at(i) == Some('(') && self.at(i + 1).is_some_and(|c| c.is_ascii_digit()) {
                // `$(1,234)`
                return self.inner(start, i + 1, currency, true, true);
            }
            if self.sign(i) {
                negative = self.at(i) != Some('+');
                i += 1;
            }
        }
        self.inner(start, i, currency, negative, bracket)
    }

    fn currency(&self, i: usize) -> Option<(&&'static str, usize)> {
        CURRENCIES.iter().find_map(|(word, code)| {
            let mut end = i;
            for c in word.chars() {
                (self.at(end)?.to_ascii_lowercase() == c).then_some(())?;
                end += 1;
            }
            // The code of a currency may touch its number (`RMB100`), but not a longer word (`rmbx`).
            let next = self.at(self.blanks(end))?;
            (next.is_ascii_digit() || "+-(".contains(next) || HAN_DIGITS.contains(next)).then_some((code, end))
        })
    }

    fn sign(&self, i: usize) -> bool {
        let minus = match self.at(i) {
            Some('负') => true,
            // Behind a number or its unit it is the dash of a range.
            Some('-' | '+') => !self.before(i).is_some_and(|c| {
                c.is_ascii_alphanumeric()
                    || ")%年月日号元万亿千百吨人家个倍米股岁天名台项次点".contains(c)
                    || HAN_DIGITS.contains(c)
            }),
            _ => false,
        };
        minus && self.at(i + 1).is_some_and(|c| c.is_ascii_digit() || "$¥€£￥".contains(c) || HAN_DIGITS.contains(c))
    }

    fn inner(
        &self,
        start: usize,
        at: usize,
        currency: Option<&'static str>,
        negative: bool,
        bracket: bool,
    ) -> Option<(Quantity, usize)> {
        let touches_word = currency.is_none()
            && self.before(at).is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && self.at(at).is_some_and(|c| c.is_ascii_digit());
        if touches_word {
            return None;
        }
        let (number, written) = self
            .digits(at)
            .map(|n| (n, Written::Digits))
            .or_else(|| self.han_number(at).map(|n| (n, Written::Han)))
            .or_else(|| self.english_number(at).map(|n| (n, Written::English)))?;
        // `2nd`, `3D`: a word, not a number.
        let (mut scale, mut end) = (1.0, number.end);
        let gap = self.blanks(end);
        if let Some((&factor, next)) = self.one_of(gap, SCALES) {
            // One letter counts only where it touches the number: `5m`, not `5 m`.
            let letter = next == gap + 1 && self.at(gap).is_some_and(|c| c.is_ascii_alphabetic());
            if !(letter && gap > end) {
                scale = factor;
                end = next;
                // `3.5万亿`, `two hundred million`
                if let Some((&factor, next)) = self.one_of(self.blanks(end), &SCALES[..23]) {
                    scale *= factor;
                    end = next;
                }
            }
        }
        let (unit, factor, end) = self.unit(start, at, &number, written, scale, currency, end);
        if scale == 1.0 && unit == Unit::Plain && self.at(end).is_some_and(|c| c.is_ascii_alphabetic()) {
            return None;
        }
        if written == Written::Han && !self.han_counts(at, &number, end) {
            return None;
        }
        let closed = bracket && self.at(self.blanks(end)) == Some(')');
        let small = number.plain_digits == 1 && number.decimals == 0 && scale == 1.0 && unit == Unit::Plain;
        let negative = negative && (!bracket || closed || self.at(start) != Some('('))
            || closed && self.at(start) == Some('(') && !small && unit != Unit::Year && unit != Unit::Label;
        let first = if closed || self.at(start) != Some('(') { start } else { at };
        let mut end = if closed { self.blanks(end) + 1 } else { end };
        let (mut unit, mut scale) = (unit, scale);
        if closed && scale == 1.0 {
            // `(4.0)%`, `$(4.0) million`
            if let Some((&factor, next)) = self.one_of(self.blanks(end), SCALES).filter(|&(_, next)| next > self.blanks(end) + 1)
            {
                (scale, end) = (factor, next);
            } else if unit == Unit::Plain && self.at(self.blanks(end)) == Some('%') {
                (unit, end) = (Unit::Percent, self.blanks(end) + 1);
            }
        }
        let value = number.value * scale * factor * if negative { -1.0 } else { 1.0 };
        let precision = 0.5 * 10f64.powi(-number.decimals) * scale * factor;
        Some((self.made(first, end, value, precision, scale, unit), end))
    }

    #[allow(clippy::too_many_arguments)]
    fn unit(
        &self,
        start: usize,
        at: usize,
        number: &Number,
        written: Written,
        scale: f64,
        currency: Option<&'static str>,
        end: usize,
    ) -> (Unit, f64, usize) {
        let gap = self.blanks(end);
        let percent: &[(&str, (Unit, f64))] = &[
            ("%", (Unit::Percent, 1.0)),
            ("‰", (Unit::Percent, 0.1)),
            ("percentage points", (Unit::Point, 1.0)),
            ("percentage point", (Unit::Point, 1.0)),
            ("个百分点", (Unit::Point, 1.0)),
            ("百分点", (Unit::Point, 1.0)),
            ("basis points", (Unit::Point, 0.01)),
            ("个基点", (Unit::Point, 0.01)),
            ("基点", (Unit::Point, 0.01)),
            ("bps", (Unit::Point, 0.01)),
            ("percent", (Unit::Percent, 1.0)),
            ("per cent", (Unit::Percent, 1.0)),
            ("pct", (Unit::Percent, 1.0)),
            ("成", (Unit::Percent, 10.0)),
        ];
        if let Some((&(unit, factor), next)) = self.one_of(gap, percent) {
            return (unit, factor, next);
        }
        if let Some((&code, next)) = self.one_of(gap, MONEY_WORDS) {
            let code = match currency {
                Some(named) if named != "$" && named != "¥" => named,
                _ => code,
            };
            return (money(code), 1.0, next);
        }
        if let Some(code) = currency {
            return (money(code), 1.0, end);
        }
        if let Some(label) = self.label(start, at, number, scale, end) {
            return label;
        }
        let measure = MEASURES.iter().find_map(|&(word, unit, factor)| Some((unit, factor, self.word(gap, word)?)));
        match measure {
            Some((unit, factor, next)) if !unit.is_empty() => (Unit::Measure(unit), factor, next),
            _ if written == Written::Digits && is_year(number, scale) => (Unit::Year, 1.0, end),
            _ => (Unit::Plain, 1.0, end),
        }
    }

    /// Years, months, days and ordinals.
    fn label(&self, start: usize, at: usize, number: &Number, scale: f64, end: usize) -> Option<(Unit, f64, usize)> {
        let gap = self.blanks(end);
        let year = is_year(number, scale) || number.decimals == 0 && (1000.0..2200.0).contains(&number.value) && scale == 1.0;
        match self.at(gap) {
            Some('年') if year && number.plain_digits == 4 => return Some((Unit::Year, 1.0, gap + 1)),
            Some('月') if scale == 1.0 => return Some((Unit::Label, 1.0, gap + 1)),
            Some('日' | '号') if scale == 1.0 && self.before(at) == Some('月') => return Some((Unit::Label, 1.0, gap + 1)),
            _ => {}
        }
        if self.before(start) == Some('第') {
            return Some((Unit::Label, 1.0, end));
        }
        let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|s| self.word(end, s));
        if let Some(end) = ordinal.filter(|_| scale == 1.0) {
            return Some((Unit::Label, 1.0, end));
        }
        let day = number.plain_digits <= 2 && number.decimals == 0 && (1.0..=31.0).contains(&number.value);
        if day && (self.month_before(at) || self.month_at(gap)) {
            return Some((Unit::Label, 1.0, end));
        }
        None
    }

    fn month_before(&self, at: usize) -> bool {
        let mut end = at;
        while end > 0 && self.at(end - 1).is_some_and(|c| c == ' ' || c == '.') {
            end -= 1;
        }
        let mut start = end;
        while start > 0 && end - start < 10 && self.at(start - 1).is_some_and(|c| c.is_ascii_alphabetic()) {
            start -= 1;
        }
        let capital = self.at(start).is_some_and(|c| c.is_ascii_uppercase());
        let word: String = self.chars[start..end].iter().map(|&(_, c)| c.to_ascii_lowercase()).collect();
        end < at && capital && MONTHS.contains(&word.as_str())
    }

    fn month_at(&self, i: usize) -> bool {
        self.at(i).is_some_and(|c| c.is_ascii_uppercase()) && MONTHS.iter().any(|m| self.word(i, m).is_some())
    }

    /// `1,234.5`, `1234`, `.5`; not part of a longer chain such as `1.2.3`.
    fn digits(&self, start: usize) -> Option<Number> {
        let digit_at = |i: Option<usize>| i.and_then(|i| self.at(i)).is_some_and(|c| c.is_ascii_digit());
        let chained = self.before(start) == Some('.') && digit_at(start.checked_sub(2));
        if chained || digit_at(start.checked_sub(1)) {
            return None;
        }
        let mut digits = String::new();
        let mut i = start;
        let mut grouped = false;
        while let Some(c) = self.at(i) {
            let group = c == ','
                && !digits.is_empty()
                && (1..=3).all(|k| self.at(i + k).is_some_and(|c| c.is_ascii_digit()))
                && !self.at(i + 4).is_some_and(|c| c.is_ascii_digit());
            if c.is_ascii_digit() {
                digits.push(c);
            } else if group {
                grouped = true;
            } else {
                break;
            }
            i += 1;
        }
        let whole = digits.len();
        let mut decimals = 0;
        if self.at(i) == Some('.') && self.at(i + 1).is_some_and(|c| c.is_ascii_digit()) {
            digits.push('.');
            i += 1;
            while let Some(c) = self.at(i).filter(char::is_ascii_digit) {
                digits.push(c);
                decimals += 1;
                i += 1;
            }
            if self.at(i) == Some('.') && self.at(i + 1).is_some_and(|c| c.is_ascii_digit()) {
                return None;
            }
        }
        if digits.is_empty() || digits == "." || digits.len() > 40 {
            return None;
        }
        let value = if digits.starts_with('.') { format!("0{digits}") } else { digits }.parse().ok()?;
        Some(Number { value, decimals, plain_digits: if grouped { 0 } else { whole }, end: i })
    }

    /// `三亿五千万`, `二〇二二`, `十二点五`, `两百`.
    fn han_number(&self, start: usize) -> Option<Number> {
        let mut end = start;
        while self.at(end).is_some_and(|c| HAN_DIGITS.contains(c) || HAN_SCALES.contains(c)) {
            end += 1;
        }
        let run: Vec<char> = self.chars[start..end].iter().map(|&(_, c)| c).collect();
        if run.is_empty() || run.len() > 24 {
            return None;
        }
        let mut value = if run.iter().all(|c| HAN_DIGITS.contains(*c)) { spelled(&run)? } else { composed(&run)? };
        let plain_digits = if run.iter().all(|c| HAN_DIGITS.contains(*c)) { run.len() } else { 0 };
        let mut decimals = 0;
        if self.at(end) == Some('点') && self.at(end + 1).is_some_and(|c| HAN_DIGITS.contains(c)) {
            end += 1;
            while let Some(digit) = self.at(end).and_then(han_digit) {
                decimals += 1;
                value += digit * 10f64.powi(-decimals);
                end += 1;
            }
        }
        Some(Number { value, decimals, plain_digits, end })
    }

    /// A Chinese numeral is often part of a word (`统一`, `十分`, `万一`): it counts with a unit behind it, as a run of digits
    /// for a year, or where it is plainly composed (`三百五十`).
    fn han_counts(&self, at: usize, number: &Number, end: usize) -> bool {
        let length = number.end - at;
        let has_unit = end > number.end;
        let joined = self.before(at).is_some_and(|c| "统唯单万专同划第不之逐".contains(c)) && length == 1;
        let begins = self.at(at).is_some_and(|c| HAN_DIGITS.contains(c) || c == '十');
        begins && !joined && (has_unit || length >= 3 || number.decimals > 0)
    }

    /// `twenty-five`, `two million`, `three hundred and five`; a lone `one` is a pronoun.
    fn english_number(&self, start: usize) -> Option<Number> {
        if self.before(start).is_some_and(|c| c.is_alphanumeric() || c == '-') {
            return None;
        }
        let (mut total, mut part, mut end, mut words) = (0.0, 0.0, start, 0);
        let mut i = start;
        while let Some((word, next)) = self.latin(i) {
            let small = ENGLISH.iter().position(|w| *w == word).map(|n| n as f64);
            let tens = TENS.iter().position(|w| *w == word).map(|n| (n as f64 + 2.0) * 10.0);
            match (small.or(tens), word.as_str()) {
                (Some(n), _) if part % 10.0 == 0.0 => part += n,
                (None, "hundred") if part > 0.0 => part *= 100.0,
                (None, "thousand") if part > 0.0 => {
                    total += part * 1e3;
                    part = 0.0;
                }
                (None, "and") if words > 0 && part >= 100.0 => {}
                _ => break,
            }
            if word != "and" {
                end = next;
                words += 1;
            }
            i = if self.at(next) == Some('-') { next + 1 } else { self.blanks(next) };
        }
        let value = total + part;
        let scaled = self.one_of(self.blanks(end), &SCALES[11..18]).is_some();
        if words == 0 || words == 1 && value <= 1.0 && !scaled {
            return None;
        }
        Some(Number { value, decimals: 0, plain_digits: 0, end })
    }

    fn latin(&self, start: usize) -> Option<(String, usize)> {
        let mut word = String::new();
        let mut i = start;
        while let Some(c) = self.at(i).filter(char::is_ascii_alphabetic) {
            word.push(c.to_ascii_lowercase());
            i += 1;
            if word.len() > 10 {
                return None;
            }
        }
        (!word.is_empty()).then_some((word, i))
    }

    fn made(&self, start: usize, end: usize, value: f64, precision: f64, scale: f64, unit: Unit) -> Quantity {
        Quantity { range: self.byte(start)..self.byte(end), value, precision, scale, unit }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Written {
    Digits,
    Han,
    English,
}

const HAN_DIGITS: &str = "零〇一二三四五六七八九两";
const HAN_SCALES: &str = "十百千万亿";
const ENGLISH: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn money(code: &'static str) -> Unit {
    // `$` and `¥` are shared by several currencies: the sign alone names none.
    Unit::Money((code != "$" && code != "¥").then_some(code))
}

fn is_year(number: &Number, scale: f64) -> bool {
    scale == 1.0 && number.plain_digits == 4 && number.decimals == 0 && (1900.0..2100.0).contains(&number.value)
}

fn han_digit(c: char) -> Option<f64> {
    match c {
        '〇' => Some(0.0),
        '两' => Some(2.0),
        _ => "零一二三四五六七八九".chars().position(|d| d == c).map(|n| n as f64),
    }
}

/// Digit by digit: `二〇二二`.
fn spelled(run: &[char]) -> Option<f64> {
    run.iter().try_fold(0.0, |sum, &c| Some(sum * 10.0 + han_digit(c)?))
}

/// `三亿五千万`: sections of 10,000, each of digits with 千, 百, 十.
fn composed(run: &[char]) -> Option<f64> {
    let (mut total, mut section, mut digit) = (0.0, 0.0, None);
    for &c in run {
        match c {
            '十' | '百' | '千' => {
                let weight = if c == '十' {
                    10.0
                } else if c == '百' {
                    100.0
                } else {
                    1000.0
                };
                section += digit.take().unwrap_or(1.0) * weight;
            }
            '万' | '亿' => {
                let weight = if c == '万' { 1e4 } else { 1e8 };
                let below: f64 = section + digit.take().unwrap_or(0.0);
                // `三万亿`: the whole so far is multiplied.
                total = if below == 0.0 {
                    f64::max(total, 1.0) * weight
                } else if total < weight {
                    (total + below) * weight
                } else {
                    total + below * weight
                };
                section = 0.0;
            }
            _ => digit = Some(han_digit(c)?),
        }
    }
    Some(total + section + digit.unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YUAN: Unit = Unit::Money(Some("CNY"));
    const DOLLARS: Unit = Unit::Money(Some("USD"));
    const MONEY: Unit = Unit::Money(None);
    use Unit::{Label, Percent, Plain, Point, Year};
    fn measure(unit: &'static str) -> Unit {
        Unit::Measure(unit)
    }

    #[test]
    fn a_text_states_these_quantities() {
        let cases: Vec<(&str, Vec<(f64, Unit)>)> = vec![
            // plain numbers
            ("0", vec![(0.0, Plain)]),
            ("7", vec![(7.0, Plain)]),
            ("14,694", vec![(14694.0, Plain)]),
            ("1,234,567.89", vec![(1234567.89, Plain)]),
            ("3.25", vec![(3.25, Plain)]),
            (".5", vec![(0.5, Plain)]),
            ("１２３．４", vec![(123.4, Plain)]),
            ("１，２３４", vec![(1234.0, Plain)]),
            ("-12.3", vec![(-12.3, Plain)]),
            ("−12.3", vec![(-12.3, Plain)]),
            ("(1,234)", vec![(-1234.0, Plain)]),
            ("（1,234.5）", vec![(-1234.5, Plain)]),
            ("(12)", vec![(-12.0, Plain)]),
            ("(3)", vec![(3.0, Plain)]),
            ("10-20", vec![(10.0, Plain), (20.0, Plain)]),
            ("1,2,3", vec![(1.0, Plain), (2.0, Plain), (3.0, Plain)]),
            ("Net sales | 14,694 | 14,544", vec![(14694.0, Plain), (14544.0, Plain)]),
            ("营业收入 | 128,450.12 | -3,210.00", vec![(128450.12, Plain), (-3210.0, Plain)]),
            ("- | —", vec![]),
            ("no numbers here", vec![]),
            ("没有数字", vec![]),
            ("1.2.3", vec![]),
            // words with digits are no numbers
            ("FY2018", vec![]),
            ("B-265", vec![(265.0, Plain)]),
            ("Q3", vec![]),
            ("3D", vec![]),
            ("A4", vec![]),
            ("covid19", vec![]),
            // years
            ("2023", vec![(2023.0, Year)]),
            ("2023年", vec![(2023.0, Year)]),
            ("2023 年", vec![(2023.0, Year)]),
            ("2,023", vec![(2023.0, Plain)]),
            ("in 1999", vec![(1999.0, Year)]),
            ("1999元", vec![(1999.0, YUAN)]),
            ("$2,023", vec![(2023.0, MONEY)]),
            ("二〇二二年", vec![(2022.0, Year)]),
            ("2023.5", vec![(2023.5, Plain)]),
            ("2023家", vec![(2023.0, measure("item"))]),
            // dates and ordinals
            ("12月31日", vec![(12.0, Label), (31.0, Label)]),
            ("2022年12月31日", vec![(2022.0, Year), (12.0, Label), (31.0, Label)]),
            ("December 31, 2022", vec![(31.0, Label), (2022.0, Year)]),
            ("31 December 2022", vec![(31.0, Label), (2022.0, Year)]),
            ("Sept. 30", vec![(30.0, Label)]),
            ("21st", vec![(21.0, Label)]),
            ("第3名", vec![(3.0, Label)]),
            // percent
            ("12.5%", vec![(12.5, Percent)]),
            ("12.5 %", vec![(12.5, Percent)]),
            ("１２．５％", vec![(12.5, Percent)]),
            ("(4.0%)", vec![(-4.0, Percent)]),
            ("(4.0)%", vec![(-4.0, Percent)]),
            ("-3.2%", vec![(-3.2, Percent)]),
            ("5 percent", vec![(5.0, Percent)]),
            ("5 per cent", vec![(5.0, Percent)]),
            ("百分之五", vec![(5.0, Percent)]),
            ("百分之三点五", vec![(3.5, Percent)]),
            ("百分之12.5", vec![(12.5, Percent)]),
            ("百分之二十三", vec![(23.0, Percent)]),
            ("千分之二", vec![(0.2, Percent)]),
            ("5‰", vec![(0.5, Percent)]),
            ("三成", vec![(30.0, Percent)]),
            ("1.5个百分点", vec![(1.5, Point)]),
            ("1.5 percentage points", vec![(1.5, Point)]),
            ("25 basis points", vec![(0.25, Point)]),
            ("25个基点", vec![(0.25, Point)]),
            ("50bps", vec![(0.5, Point)]),
            // Chinese scales and money
            ("100元", vec![(100.0, YUAN)]),
            ("1,234万元", vec![(1.234e7, YUAN)]),
            ("1,234 万元", vec![(1.234e7, YUAN)]),
            ("3.5亿", vec![(3.5e8, Plain)]),
            ("3.5亿元", vec![(3.5e8, YUAN)]),
            ("35,000万", vec![(3.5e8, Plain)]),
            ("1.2万亿元", vec![(1.2e12, YUAN)]),
            ("5千万元", vec![(5e7, YUAN)]),
            ("3百万美元", vec![(3e6, DOLLARS)]),
            ("687亿美元", vec![(6.87e10, DOLLARS)]),
            ("20亿港元", vec![(2e9, Unit::Money(Some("HKD")))]),
            ("1.1亿欧元", vec![(1.1e8, Unit::Money(Some("EUR")))]),
            ("500日元", vec![(500.0, Unit::Money(Some("JPY")))]),
            ("人民币47,295.60万元", vec![(4.72956e8, YUAN)]),
            ("人民币 47295.60 万元", vec![(4.72956e8, YUAN)]),
            ("港币100万元", vec![(1e6, Unit::Money(Some("HKD")))]),
            ("RMB100", vec![(100.0, YUAN)]),
            ("RMB 1.5 billion", vec![(1.5e9, YUAN)]),
            ("¥300万", vec![(3e6, MONEY)]),
            ("1526.45萬元", vec![(1.52645e7, YUAN)]),
            ("十二亿元", vec![(1.2e9, YUAN)]),
            ("三亿五千万元", vec![(3.5e8, YUAN)]),
            ("三千五百万", vec![(3.5e7, Plain)]),
            ("一百二十三", vec![(123.0, Plain)]),
            ("两百人", vec![(200.0, measure("person"))]),
            ("三个", vec![(3.0, measure("item"))]),
            ("十二家", vec![(12.0, measure("item"))]),
            ("二十五年", vec![(25.0, measure("year"))]),
            ("统一", vec![]),
            ("万一", vec![]),
            ("十分", vec![]),
            ("一般", vec![]),
            ("净利润-1.2亿元", vec![(-1.2e8, YUAN)]),
            ("净利润为负1.2亿元", vec![(-1.2e8, YUAN)]),
            // English scales and money
            ("$14,694 million", vec![(1.4694e10, MONEY)]),
            ("$ 14,694", vec![(14694.0, MONEY)]),
            ("$(1,234)", vec![(-1234.0, MONEY)]),
            ("$1.5bn", vec![(1.5e9, MONEY)]),
            ("$2,018mn", vec![(2.018e9, MONEY)]),
            ("$5m", vec![(5e6, MONEY)]),
            ("US$3.2 billion", vec![(3.2e9, DOLLARS)]),
            ("USD 20 million", vec![(2e7, DOLLARS)]),
            ("HK$12.5m", vec![(1.25e7, Unit::Money(Some("HKD")))]),
            ("€1.2 billion", vec![(1.2e9, Unit::Money(Some("EUR")))]),
            ("£300k", vec![(3e5, Unit::Money(Some("GBP")))]),
            ("12.34 million yuan", vec![(1.234e7, YUAN)]),
            ("5 trillion", vec![(5e12, Plain)]),
            ("406.1 million dollars", vec![(4.061e8, MONEY)]),
            ("-$12.6", vec![(-12.6, MONEY)]),
            ("($4.0) million", vec![(-4.0e6, MONEY)]),
            ("5 m", vec![(5.0, Plain)]),
            ("two million", vec![(2e6, Plain)]),
            ("one million", vec![(1e6, Plain)]),
            ("twenty-five", vec![(25.0, Plain)]),
            ("one hundred and five people", vec![(105.0, measure("person"))]),
            ("three hundred thousand", vec![(3e5, Plain)]),
            ("two hundred million dollars", vec![(2e8, MONEY)]),
            ("one of them", vec![]),
            ("seven years", vec![(7.0, measure("year"))]),
            // measures
            ("3182万吨", vec![(3.182e10, measure("kg"))]),
            ("45 GW", vec![(4.5e7, measure("kW"))]),
            ("120兆瓦", vec![(1.2e5, measure("kW"))]),
            ("1,200 MWh", vec![(1.2e6, measure("kWh"))]),
            ("12,345名", vec![(12345.0, measure("person"))]),
            ("12,345 employees", vec![(12345.0, measure("person"))]),
            ("63 days", vec![(63.0, measure("day"))]),
            ("4分钟", vec![(4.0, measure("minute"))]),
            ("6个月", vec![(6.0, measure("month"))]),
            ("2.3倍", vec![(2.3, measure("times"))]),
            ("10 km", vec![(1e4, measure("m"))]),
            ("1.5亿股", vec![(1.5e8, measure("share"))]),
            ("30平方公里", vec![(3e7, measure("m2"))]),
            // several in one sentence
            ("2023年营业收入为128,450万元，同比增长12.3%", vec![(2023.0, Year), (1.2845e9, YUAN), (12.3, Percent)]),
            ("Sales rose 5% to $1.2 billion in 2022", vec![(5.0, Percent), (1.2e9, MONEY), (2022.0, Year)]),
            ("从2亿元增至3亿元", vec![(2e8, YUAN), (3e8, YUAN)]),
        ];
        let mut wrong = Vec::new();
        for (text, wanted) in &cases {
            let got: Vec<(f64, Unit)> = quantities(text).into_iter().map(|q| (q.value, q.unit)).collect();
            let same = got.len() == wanted.len()
                && got.iter().zip(wanted).all(|(g, w)| g.1 == w.1 && (g.0 - w.0).abs() <= 1e-9 * w.0.abs().max(1.0));
            if !same {
                wrong.push(format!("{text}: wanted {wanted:?}, got {got:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }

    fn carries(source: &str, claim: &str) -> bool {
        let (source, claim) = (quantities(source), quantities(claim));
        claim.iter().all(|c| source.iter().any(|s| s.carries(c)))
    }

    #[test]
    fn one_amount_in_two_spellings_agrees_and_another_does_not() {
        let cases = [
            ("1,234 万元", "12.34 million yuan", true),
            ("128,450万元", "12.85亿元", true),
            ("128,450万元", "12.845亿元", true),
            ("12.8亿元", "12.845亿元", false),
            ("128,450万元", "128,450元", false),
            ("128,450万元", "12.95亿元", false),
            ("2023 年", "2,023", false),
            ("12.5%", "12.5个百分点", false),
            ("百分之十二点五", "12.5%", true),
            ("100美元", "100元", false),
            ("$100", "100美元", true),
            ("3.5亿", "350 million", true),
            ("三亿五千万", "3.5亿", true),
            ("(1,234)", "-1,234", true),
            ("1,234", "-1,234", false),
        ];
        for (source, claim, agrees) in cases {
            assert_eq!(carries(source, claim), agrees, "{source} carries {claim}");
        }
    }

    #[test]
    fn a_unit_line_names_its_scale() {
        let cases = [
            ("单位：万元", Some(1e4)),
            ("单位：人民币百万元", Some(1e6)),
            ("单位：亿元", Some(1e8)),
            ("单位：千元", Some(1e3)),
            ("单位：元", None),
            ("(in millions)", Some(1e6)),
            ("(In thousands, except per share)", Some(1e3)),
            ("£'000", Some(1e3)),
        ];
        for (line, scale) in cases {
            assert_eq!(scale_of(line), scale, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_the_ranges_lie_in_it(text in "[0-9０-９,.．，%％（）()$￥¥€百十千万亿零一二三两点分之第年月日元mbnkKMQFY' \\-−a-c美元个 hundredtwo]{0,40}|\\PC{0,60}") {
            let mut end = 0;
            for quantity in quantities(&text) {
                prop_assert!(text.get(quantity.range.clone()).is_some());
                prop_assert!(quantity.range.start >= end && quantity.range.end > quantity.range.start);
                end = quantity.range.end;
            }
        }
    }
}
