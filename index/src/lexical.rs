//! Which words does a text have, and what do they weigh? One analyser for Chinese and English, for questions and
//! passages alike: [`fold`] makes spellings equal (width, case, accents, traditional characters), [`tokens`] cuts
//! (Chinese: characters and character bigrams, no dictionary; English: Snowball stems without stop words, and the
//! letter and digit pieces of words like `FY2018`; numbers of either language once more as one canonical value), and
//! [`weight`] and [`idf`] are the two factors of BM25. A store only ever sees the 32-bit hash of a token ([`term`]).

use std::{borrow::Cow, cell::RefCell, collections::HashMap, sync::LazyLock};

use ferrous_opencc::{OpenCC, config::BuiltinConfig};
use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

/// How fast a repeated word saturates. Robertson & Zaragoza, *The Probabilistic Relevance Framework: BM25 and Beyond*
/// (2009), section 3.
pub const K1: f32 = 0.9;
/// How much a long text is discounted; same source.
pub const B: f32 = 0.75;
/// The length, in tokens, at which a stored weight is neither raised nor lowered. BM25 would take the mean of the
/// collection, but a stored weight must not depend on what was ingested before it. A passage of 160 English words leaves
/// about 120 tokens and one of 350 Chinese characters about 400; this lies between them. Between 200 and 300 it hardly
/// matters, and where tables and paragraphs are mixed it is much better than their own small mean.
pub const AVERAGE_LENGTH: f32 = 200.0;

/// The terms of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Each distinct term ([`term`]) with how often it occurs, ordered by term.
    pub terms: Vec<(u32, u32)>,
    /// How many tokens there are.
    pub length: u32,
}

/// Cuts a text and counts its terms.
pub fn analyse(text: &str) -> Analysis {
    let mut terms = Vec::with_capacity(text.len() / 3);
    STEMS.with_borrow_mut(|stems| {
        cut(&fold(text), |piece| {
            terms.push(match piece {
                Piece::Word(word) => stems.term(word),
                Piece::Exact(token) => term(token),
                Piece::Written(_) => return,
            });
        });
    });
    let length = u32::try_from(terms.len()).unwrap_or(u32::MAX);
    terms.sort_unstable();
    let counted = terms.chunk_by(|a, b| a == b).map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX)));
    Analysis { terms: counted.collect(), length }
}

/// The tokens of a text in their order.
pub fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    cut(&fold(text), |piece| {
        tokens.push(match piece {
            Piece::Word(word) => STEMMER.stem(word).into_owned(),
            Piece::Exact(token) => token.to_owned(),
            Piece::Written(_) => return,
        });
    });
    tokens
}

/// A text as it runs: what closeness, neighbours and exact wording are read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Each token's term in order, with the position in `written` of the word or character that completes it.
    pub terms: Vec<(u32, u32)>,
    /// Words as they are written, stop words included, and Chinese characters, each as a term.
    pub written: Vec<u32>,
}

/// Cuts a folded text and keeps its order.
pub fn running(folded: &str) -> Running {
    let mut running = Running { terms: Vec::with_capacity(folded.len() / 4), written: Vec::with_capacity(folded.len() / 5) };
    STEMS.with_borrow_mut(|stems| {
        cut(folded, |piece| {
            let token = match piece {
                Piece::Word(word) => stems.term(word),
                Piece::Exact(token) => term(token),
                Piece::Written(word) => return running.written.push(term(word)),
            };
            running.terms.push((token, u32::try_from(running.written.len().saturating_sub(1)).unwrap_or(u32::MAX)));
        });
    });
    running
}

/// The number that stands for a token: FNV-1a over its bytes, 64 bits, the upper half folded onto the lower. It is
/// stored in every index, so it must never change.
pub fn term(token: &str) -> u32 {
    let hash = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    #[allow(clippy::cast_possible_truncation)]
    let folded = (hash >> 32) as u32 ^ hash as u32;
    folded
}

/// What a term that occurs `tf` times weighs in a text of `length` tokens, without its [`idf`]; less than `K1 + 1`.
pub fn weight(tf: u32, length: u32, average: f32) -> f32 {
    let (tf, length) = (tf as f32, length as f32);
    tf * (K1 + 1.0) / (tf + K1 * (1.0 - B + B * length / average.max(1.0)))
}

/// How telling a term is that occurs in `df` of `n` texts. The variant of Lucene's `BM25Similarity`: the 1 inside the
/// logarithm keeps the words of most texts above zero.
pub fn idf(n: u64, df: u64) -> f32 {
    let (n, df) = (n as f64, df as f64);
    ((n - df + 0.5).max(0.0) / (df + 0.5)).ln_1p() as f32
}

/// The sparse vector of a passage: its terms, and what each weighs at [`AVERAGE_LENGTH`].
pub fn sparse(analysis: &Analysis) -> (Vec<u32>, Vec<f32>) {
    analysis.terms.iter().map(|&(term, tf)| (term, weight(tf, analysis.length, AVERAGE_LENGTH))).unzip()
}

// ---- fold -------------------------------------------------------------------------------------------------------

/// Makes equal what readers take as equal: full and half width (NFKC), case, accents, traditional and simplified
/// characters, straight and curly apostrophes.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    Cow::Owned(simplify(normalise(text)))
}

/// NFKC, lower case, accents off. Most characters of a report need one comparison, not the tables of Unicode; those are
/// asked only for what is left.
fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(plain) = plain(c) {
            out.push(plain);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| plain(c).is_some()).unwrap_or(rest.len());
        // A combining mark belongs to the character in front of it, which may have been plain.
        let base = out.pop();
        let decomposed = base.into_iter().chain(rest[..end].chars()).nfkd();
        out.extend(decomposed.filter(|c| !('\u{300}'..='\u{36f}').contains(c)).nfc().flat_map(char::to_lowercase));
        rest = &rest[end..];
    }
    out
}

/// The folded form of a character that needs no table and never joins its neighbours.
fn plain(c: char) -> Option<char> {
    match c {
        '\0'..='\x7f' => Some(c.to_ascii_lowercase()),
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{3001}'..='\u{3020}' => Some(c),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).map(|c| c.to_ascii_lowercase()),
        '\u{3000}' | '\u{a0}' => Some(' '),
        '\u{2018}' | '\u{2019}' => Some('\''),
        '\u{2013}' | '\u{2014}' | '\u{201c}' | '\u{201d}' => Some(c),
        _ => None,
    }
}

/// Traditional characters to simplified ones. Only runs of Chinese with a traditional character go through OpenCC.
fn simplify(text: String) -> String {
    let traditional = &*TRADITIONAL;
    if !text.chars().any(|c| traditional.holds(c)) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let run = rest.find(|c| !is_han(c)).unwrap_or(rest.len());
        let (han, after) = rest.split_at(run);
        match han.chars().any(|c| traditional.holds(c)) {
            true => out.push_str(&traditional.simplifier.convert(han)),
            false => out.push_str(han),
        }
        let next = after.find(is_han).unwrap_or(after.len());
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

struct Traditional {
    simplifier: OpenCC,
    /// One bit for each of U+3400 to U+9FFF: OpenCC might change a run that holds it.
    bits: Vec<u64>,
}

impl Traditional {
    fn holds(&self, c: char) -> bool {
        let at = (c as usize).wrapping_sub(0x3400);
        self.bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

static TRADITIONAL: LazyLock<Traditional> = LazyLock::new(|| {
    let simplifier = OpenCC::from_config(BuiltinConfig::T2s).expect("the t2s dictionary is compiled in");
    let mut bits = vec![0_u64; (0xa000 - 0x3400) / 64];
    for c in '\u{3400}'..='\u{9fff}' {
        let alone = c.encode_utf8(&mut [0; 4]).to_owned();
        // These stay alone and change in a phrase (回覆, 瞭解, 藉口); the list is read off OpenCC's TSPhrases.
        if "沈牴瞭藉衹覆".contains(c) || simplifier.convert(&alone) != alone {
            let at = c as usize - 0x3400;
            bits[at / 64] |= 1 << (at % 64);
        }
    }
    Traditional { simplifier, bits }
});

/// Whether a character is Chinese.
pub fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// The months in English, folded.
pub const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

/// The number of a month that is written in English, folded, whole or cut to three letters (or `sept`).
pub fn month(word: &str) -> Option<u8> {
    let named = |name: &&str| *name == word || word == &name[..3] || word == "sept" && *name == "september";
    MONTHS.iter().zip(1..).find(|(name, _)| named(name)).map(|(_, number)| number)
}

// ---- cut --------------------------------------------------------------------------------------------------------

/// A token before stemming.
enum Piece<'a> {
    /// An English word; its token is its stem.
    Word(&'a str),
    /// Already a token.
    Exact(&'a str),
    /// The word or the Chinese character that the tokens after it come from; no token.
    Written(&'a str),
}

/// Finds the tokens of a folded text in their order: runs of Chinese, and words `[a-z0-9]+(?:[._'][a-z0-9]+)*`; all
/// else separates.
fn cut(text: &str, mut emit: impl FnMut(Piece)) {
    let bytes = text.as_bytes();
    // Up to here the numbers are told; a number may be longer than the word it begins in (`1,234.5`, `3.5 亿`).
    let mut told = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_alphanumeric() {
            let end = word_end(bytes, at);
            emit(Piece::Written(&text[at..end]));
            cut_word(&text[at..end], &mut emit);
            told = numbers_in_word(text, at, end, told, &mut emit);
            at = end;
        } else if bytes[at] < 0x80 {
            at += 1;
        } else {
            let c = text[at..].chars().next().unwrap_or(' ');
            match is_han(c) {
                true => (at, told) = cut_han(text, at, told, &mut emit),
                false => at += c.len_utf8(),
            }
        }
    }
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let alphanumeric = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let mut end = start + 1;
    loop {
        match bytes.get(end) {
            Some(b) if b.is_ascii_alphanumeric() => end += 1,
            Some(b'.' | b'_' | b'\'') if alphanumeric(end + 1) => end += 2,
            _ => return end,
        }
    }
}

/// A word, and its pieces where letters and digits meet: `fy2018` is also `fy` and `2018`.
fn cut_word(word: &str, emit: &mut impl FnMut(Piece)) {
    let bytes = word.as_bytes();
    let digits = bytes.iter().any(u8::is_ascii_digit);
    if !digits {
        // The stem of `u.s` would be `u.`.
        match bytes.contains(&b'.') {
            true => emit(Piece::Exact(word)),
            false if is_stop_word(word) => {}
            false => emit(Piece::Word(word)),
        }
        return;
    }
    emit(Piece::Exact(word));
    if !bytes.iter().any(u8::is_ascii_alphabetic) {
        return;
    }
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'a'..=b'z' => run(bytes, at, u8::is_ascii_alphabetic),
            b'0'..=b'9' => decimal_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        emit(Piece::Exact(&word[at..end]));
        at = end;
    }
}

/// Each character of a run of Chinese but the stop words, and each pair of neighbours.
fn cut_han(text: &str, start: usize, mut told: usize, emit: &mut impl FnMut(Piece)) -> (usize, usize) {
    let mut before = None;
    let mut end = start;
    for c in text[start..].chars().take_while(|c| is_han(*c)) {
        let at = end;
        end += c.len_utf8();
        emit(Piece::Written(&text[at..end]));
        if let Some(before) = before {
            let pair = &text[before..end];
            if !STOP_PAIRS.contains(&pair) {
                emit(Piece::Exact(pair));
            }
        }
        if !STOP_CHARACTERS.contains(&c) {
            emit(Piece::Exact(&text[at..end]));
        }
        if at >= told
            && let Some(number) = chinese_number(text, at)
        {
            told = number.end;
            number.tell(emit);
        }
        before = Some(at);
    }
    (end, told)
}

fn run(bytes: &[u8], start: usize, belongs: fn(&u8) -> bool) -> usize {
    start + bytes[start..].iter().take_while(|b| belongs(b)).count()
}

/// The end of `\d+(?:\.\d+)?`.
fn decimal_end(bytes: &[u8], start: usize) -> usize {
    let whole = run(bytes, start, u8::is_ascii_digit);
    match bytes.get(whole) == Some(&b'.') && bytes.get(whole + 1).is_some_and(u8::is_ascii_digit) {
        true => run(bytes, whole + 1, u8::is_ascii_digit),
        false => whole,
    }
}

fn is_stop_word(word: &str) -> bool {
    word.len() <= 6 && STOP_WORDS.binary_search(&word).is_ok()
}

/// Sorted.
const STOP_WORDS: [&str; 63] = [
    "a", "about", "also", "an", "and", "are", "as", "at", "be", "been", "being", "by", "can", "could", "did", "do", "does",
    "for", "from", "had", "has", "have", "he", "her", "his", "how", "in", "into", "is", "it", "its", "no", "not", "of", "on",
    "or", "she", "should", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to",
    "was", "were", "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would",
];
const STOP_CHARACTERS: [char; 44] = [
    '的', '了', '是', '在', '和', '与', '及', '或', '也', '都', '而', '被', '把', '将', '对', '于', '为', '以', '从', '到', '中',
    '上', '下', '这', '那', '其', '之', '所', '有', '个', '哪', '几', '吗', '呢', '啊', '吧', '谁', '何', '它', '他', '她', '我',
    '你', '们',
];
/// Question words: they say what is asked, not where it stands.
const STOP_PAIRS: [&str; 16] = [
    "什么", "哪些", "哪个", "哪里", "怎么", "怎样", "如何", "多少", "何时", "何种", "请问", "一个", "一种", "我们", "你们",
    "他们",
];

// ---- stems ------------------------------------------------------------------------------------------------------

static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

thread_local! {
    static STEMS: RefCell<Stems> = RefCell::default();
}

/// Terms of words already stemmed by this thread: stemming is most of the cost of an English text, and words repeat.
#[derive(Default)]
struct Stems(HashMap<String, u32>);

impl Stems {
    const KEPT: usize = 1 << 14;

    fn term(&mut self, word: &str) -> u32 {
        if let Some(&term) = self.0.get(word) {
            return term;
        }
        if self.0.len() == Self::KEPT {
            self.0.clear();
        }
        let term = term(&STEMMER.stem(word));
        self.0.insert(word.to_owned(), term);
        term
    }
}

// ---- numbers ----------------------------------------------------------------------------------------------------

/// A number in a text: its value, and where it ends with its unit.
struct Number {
    value: f64,
    percent: bool,
    /// Written as bare digits: below ten it is a footnote, a list item or a page, not a fact.
    plain: bool,
    end: usize,
}

impl Number {
    fn tell(&self, emit: &mut impl FnMut(Piece)) {
        if self.plain && self.value < 10.0 || !(1e-9..1e18).contains(&self.value) && self.value != 0.0 {
            return;
        }
        let mut token = canonical(self.value);
        if self.percent {
            token.push('%');
        }
        emit(Piece::Exact(&token));
    }
}

/// `#` and the value with six significant digits: `#350000000`, `#12.5`.
fn canonical(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let mut token = String::from("#");
    match usize::try_from(exponent) {
        _ if digits.is_empty() => token.push('0'),
        Ok(exponent) => {
            let whole = exponent + 1;
            token.push_str(&digits[..whole.min(digits.len())]);
            token.extend(std::iter::repeat_n('0', whole.saturating_sub(digits.len())));
            if digits.len() > whole {
                token.push('.');
                token.push_str(&digits[whole..]);
            }
        }
        Err(_) => {
            token.push_str("0.");
            token.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
            token.push_str(digits);
        }
    }
    token
}

/// The numbers that begin in the word `start..end` and are not told yet; returns up to where they are told now.
fn numbers_in_word(text: &str, start: usize, end: usize, mut told: usize, emit: &mut impl FnMut(Piece)) -> usize {
    let bytes = text.as_bytes();
    if !bytes[start..end].iter().any(u8::is_ascii_digit) {
        if start >= told
            && let Some(number) = english_number(text, start, end)
        {
            number.tell(emit);
            return number.end;
        }
        return told;
    }
    let mut at = start.max(told);
    while at < end {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let number = digits_number(text, at);
        number.tell(emit);
        at = number.end;
        told = number.end;
    }
    told
}

/// `1,234.5`, `3.5亿`, `350 million`, `12.5%`, `3亿5000万`.
fn digits_number(text: &str, start: usize) -> Number {
    let (mut value, mut end, mut plain) = digits_value(text, start);
    let percent = percent_end(text, end);
    if let Some(end) = percent {
        return Number { value, percent: true, plain: false, end };
    }
    if let Some((mut unit, after)) = unit_after(text, end) {
        value *= unit;
        (end, plain) = (after, false);
        while text.as_bytes().get(end).is_some_and(u8::is_ascii_digit) {
            let (more, after, _) = digits_value(text, end);
            match unit_after(text, after) {
                Some((smaller, after)) if smaller < unit => {
                    value += more * smaller;
                    (unit, end) = (smaller, after);
                }
                _ => break,
            }
        }
    }
    Number { value, percent: false, plain, end }
}

/// Digits with commas between thousands and a decimal point: value, end, and whether it is a plain integer.
fn digits_value(text: &str, start: usize) -> (f64, usize, bool) {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut end = run(bytes, start, u8::is_ascii_digit);
    while bytes.get(end) == Some(&b',') && digit(end + 1) && digit(end + 2) && digit(end + 3) && !digit(end + 4) {
        end += 4;
    }
    let whole = end;
    if bytes.get(end) == Some(&b'.') && digit(end + 1) {
        end = run(bytes, end + 1, u8::is_ascii_digit);
    }
    let value = text[start..end].replace(',', "").parse().unwrap_or(0.0);
    (value, end, whole == end)
}

fn percent_end(text: &str, end: usize) -> Option<usize> {
    let rest = &text[end..];
    let word = rest.strip_prefix(' ').unwrap_or(rest);
    ["%", "percent", "per cent", "pct"].iter().find_map(|sign| {
        let after = word.strip_prefix(sign)?;
        let whole = *sign == "%" || !after.starts_with(|c: char| c.is_ascii_alphanumeric());
        whole.then(|| text.len() - after.len())
    })
}

fn unit_after(text: &str, end: usize) -> Option<(f64, usize)> {
    let rest = &text[end..];
    let word = rest.strip_prefix(' ').unwrap_or(rest);
    let start = text.len() - word.len();
    let first = word.chars().next()?;
    if first.is_ascii_lowercase() {
        let after = run(text.as_bytes(), start, u8::is_ascii_alphanumeric);
        let unit = match &text[start..after] {
            "thousand" => 1e3,
            "million" | "mn" => 1e6,
            "billion" | "bn" => 1e9,
            "trillion" | "tn" => 1e12,
            _ => return None,
        };
        return Some((unit, after));
    }
    let mut unit = 1.0;
    let mut after = start;
    for c in word.chars().take(3) {
        match c {
            '十' if unit == 1.0 => unit = 10.0,
            '百' if unit == 1.0 => unit = 100.0,
            '千' if unit == 1.0 => unit = 1e3,
            '万' => unit *= 1e4,
            '亿' => unit *= 1e8,
            _ => break,
        }
        after += c.len_utf8();
    }
    // 3 十 alone is no way to write a number, 3 十万 is.
    (unit >= 1e3).then_some((unit, after))
}

/// `two million`, `twelve`.
fn english_number(text: &str, start: usize, end: usize) -> Option<Number> {
    const WORDS: [&str; 12] = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let word = &text[start..end];
    if !(3..=6).contains(&word.len()) {
        return None;
    }
    let value = WORDS.iter().position(|w| *w == word)? as f64 + 1.0;
    if let Some(end) = percent_end(text, end) {
        return Some(Number { value, percent: true, plain: false, end });
    }
    Some(match unit_after(text, end) {
        Some((unit, end)) => Number { value: value * unit, percent: false, plain: false, end },
        None => Number { value, percent: false, plain: true, end },
    })
}

/// `三亿五千万`, `二〇二二`, `百分之十二点五`, `十个`.
fn chinese_number(text: &str, start: usize) -> Option<Number> {
    let rest = &text[start..];
    if let Some(after) = rest.strip_prefix("百分之") {
        let from = text.len() - after.len();
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            let (value, end, _) = digits_value(text, from);
            return Some(Number { value, percent: true, plain: false, end });
        }
        let (value, end, _) = numeral(text, from)?;
        return Some(Number { value, percent: true, plain: false, end });
    }
    let (value, end, length) = numeral(text, start)?;
    let counted = || text[end..].starts_with(['个', '位', '名', '次', '种', '年', '月', '日', '%']);
    if length < 2 && !counted() {
        return None;
    }
    let percent = text[end..].starts_with('%');
    Some(Number { value, percent, plain: !percent && value.fract() == 0.0, end: end + usize::from(percent) })
}

/// The longest numeral at `start`: value, end, and characters.
fn numeral(text: &str, start: usize) -> Option<(f64, usize, usize)> {
    // Below 万 in `section`, below 亿 in `upper`: 三亿五千万 = ((3) 亿) + (5 千) 万.
    let (mut total, mut section, mut digit) = (0.0, 0.0, None);
    let (mut end, mut length, mut units) = (start, 0, false);
    let mut string = String::new();
    let chars = text[start..].char_indices();
    for (offset, c) in chars {
        if c == '点' {
            let decimals: String = text[start + offset + c.len_utf8()..].chars().map_while(digit_of).collect();
            if decimals.is_empty() || length == 0 {
                break;
            }
            let base = if units { total + section + digit.unwrap_or(0.0) } else { string.parse().unwrap_or(0.0) };
            let fraction: f64 = format!("0.{decimals}").parse().unwrap_or(0.0);
            let after = start + offset + c.len_utf8() + decimals.chars().count() * '一'.len_utf8();
            let (unit, after) = unit_after(text, after).unwrap_or((1.0, after));
            return Some(((base + fraction) * unit, after, length + 2));
        }
        if let Some(value) = digit_of(c) {
            string.push(value);
            digit = value.to_digit(10).map(f64::from);
        } else {
            let small = match c {
                '十' => 10.0,
                '百' => 100.0,
                '千' => 1000.0,
                '万' => 1e4,
                '亿' => 1e8,
                _ => break,
            };
            // 二〇二二万 is read digit by digit, then counted in 万.
            let number = if string.chars().count() > 1 && !units { string.parse().ok() } else { digit };
            if small < 1e4 {
                section += number.unwrap_or(1.0) * small;
            } else {
                let below = section + number.unwrap_or(0.0);
                // 一万亿: the second unit multiplies all that stands before it.
                total = match total > 0.0 && total < small {
                    true => (total + below) * small,
                    false => total + if below == 0.0 { 1.0 } else { below } * small,
                };
                section = 0.0;
            }
            (digit, units) = (None, true);
            string.clear();
        }
        end = start + offset + c.len_utf8();
        length += 1;
    }
    if length == 0 {
        return None;
    }
    let value = if units { total + section + digit.unwrap_or(0.0) } else { string.parse().ok()? };
    Some((value, end, length))
}

fn digit_of(c: char) -> Option<char> {
    Some(match c {
        '零' | '〇' | '○' => '0',
        '一' => '1',
        '二' | '两' => '2',
        '三' => '3',
        '四' => '4',
        '五' => '5',
        '六' => '6',
        '七' => '7',
        '八' => '8',
        '九' => '9',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Both texts have this token.
    fn meet(a: &str, b: &str, token: &str) {
        for text in [a, b] {
            let tokens = tokens(text);
            assert!(tokens.iter().any(|t| t == token), "`{text}` has no `{token}`: {tokens:?}");
        }
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(tokens(text), expected, "{text}");
    }

    #[test]
    fn an_amount_meets_itself_in_other_units_and_languages() {
        for text in
            ["3.5亿", "350 million", "三亿五千万", "3亿5000万", "三点五亿元", "３．５億", "350,000,000", "0.35bn", "35,000 万元"]
        {
            meet(text, "营收 3.5 亿元", "#350000000");
        }
        meet("百分之十二点五", "12.5%", "#12.5%");
        meet("12.5 percent", "１２．５％", "#12.5%");
        meet("二〇二二年", "2022", "#2022");
        meet("一万亿", "1 trillion", "#1000000000000");
        meet("两百零三个", "203", "#203");
        meet("twelve", "十二个月", "#12");
        meet("two million", "200万", "#2000000");
        meet("0.0012", "0.00120", "#0.0012");
    }

    #[test]
    fn a_bare_integer_below_ten_is_no_number() {
        for text in ["see note 7", "第三章", "图 3", "three"] {
            assert!(!tokens(text).iter().any(|t| t.starts_with('#')), "{text}");
        }
    }

    #[test]
    fn a_fiscal_year_meets_the_year() {
        meet("FY2018", "2018", "2018");
        check("FY2018 10-K", &["fy2018", "fy", "2018", "#2018", "10", "#10", "k"]);
    }

    #[test]
    fn traditional_meets_simplified() {
        assert_eq!(tokens("營業收入與淨利潤"), tokens("营业收入与净利润"));
        assert_eq!(tokens("營收"), ["营", "营收", "收"]);
        assert_eq!(fold("回覆：沈默的乾隆，瞭解藉口"), "回复:沉默的乾隆,了解借口");
        assert_eq!(fold("覆盖沈阳"), fold("覆蓋瀋陽"));
    }

    #[test]
    fn chinese_is_characters_and_pairs_without_stop_words() {
        check("净利润是多少？", &["净", "净利", "利", "利润", "润", "润是", "是多", "多", "少"]);
        check("公司的 growth", &["公", "公司", "司", "司的", "growth"]);
    }

    #[test]
    fn a_month_is_known_whole_and_cut_short() {
        for (word, number) in [("january", Some(1)), ("may", Some(5)), ("sept", Some(9)), ("dec", Some(12)), ("marketing", None)]
        {
            assert_eq!(month(word), number, "{word}");
        }
    }

    #[test]
    fn a_running_text_keeps_order_and_wording() {
        let english = running("the cost of sales grew");
        assert_eq!(english.written, ["the", "cost", "of", "sales", "grew"].map(term));
        assert_eq!(english.terms, [(term("cost"), 1), (term("sale"), 3), (term("grew"), 4)]);
        let chinese = running("净利润");
        assert_eq!(chinese.written, ["净", "利", "润"].map(term));
        assert_eq!(chinese.terms, [(term("净"), 0), (term("净利"), 1), (term("利"), 1), (term("利润"), 2), (term("润"), 2)]);
    }

    #[test]
    fn english_is_stems_without_stop_words() {
        check("The companies' revenues were growing", &["compani", "revenu", "grow"]);
        check("They don't. U.S. e-mail", &["don't", "u.s", "e", "mail"]);
        assert_eq!(tokens("The company’s café"), tokens("the company's cafe"));
        check("version 3.0 costs 1,234.5", &["version", "3.0", "#3", "cost", "1", "#1234.5", "234.5"]);
    }

    #[test]
    fn texts_without_words_have_no_terms() {
        for text in ["", " \n\t", "🎉🚀", "———。，、", "\u{301}\u{20dd}", "　"] {
            assert_eq!(analyse(text), Analysis::default(), "{text:?}");
        }
        check("涨🎉🎉 up😀", &["涨", "up"]);
    }

    #[test]
    fn width_and_case_do_not_matter() {
        check("ＧＤＰ　２０２３", &["gdp", "2023", "#2023"]);
        assert_eq!(analyse("Ｒ＆Ｄ 费用率 １２．５％"), analyse("r&d 费用率 12.5%"));
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
        assert!(is_stop_word("should") && is_stop_word("a") && !is_stop_word("revenue"));
    }

    #[test]
    fn a_term_never_changes() {
        assert_eq!([term(""), term("营收"), term("revenu")], [1_339_080_641, 1_817_634_303, 500_008_936]);
    }

    #[test]
    fn weights_saturate_and_common_terms_keep_a_little() {
        assert!(weight(1, 300, 300.0) < weight(2, 300, 300.0) && weight(1000, 300, 300.0) < K1 + 1.0);
        assert!((weight(1, 300, 300.0) - 1.0).abs() < 1e-6);
        assert!(weight(1, 900, 300.0) < weight(1, 300, 300.0));
        assert!(idf(100, 100) > 0.0 && idf(100, 1) > idf(100, 50) && idf(0, 0).is_finite() && idf(3, 9).is_finite());
    }

    proptest! {
        #[test]
        fn any_text_can_be_analysed(text in r"(\PC|[0-9a-z.,%'一二十百千万亿点〇百分之 營覆]){0,60}") {
            let analysis = analyse(&text);
            prop_assert_eq!(analysis.length, analysis.terms.iter().map(|t| t.1).sum::<u32>());
            prop_assert!(analysis.terms.is_sorted());
            let mut terms: Vec<u32> = tokens(&text).iter().map(|t| term(t)).collect();
            prop_assert_eq!(terms.len(), analysis.length as usize);
            terms.sort_unstable();
            terms.dedup();
            prop_assert_eq!(terms, analysis.terms.iter().map(|t| t.0).collect::<Vec<_>>());
        }

        #[test]
        fn upper_case_and_full_width_change_nothing(text in r"[ -~营收]{0,40}") {
            let wide = |c: char| if ('!'..='~').contains(&c) { char::from_u32(c as u32 + 0xfee0).unwrap() } else { c };
            prop_assert_eq!(tokens(&text.to_ascii_uppercase()), tokens(&text));
            prop_assert_eq!(tokens(&text.chars().map(wide).collect::<String>()), tokens(&text));
        }
    }
}
