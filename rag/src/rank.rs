//! Which of the passages that were found fits the question best? Cheap features of question and passage (how much of the
//! question stands in it, how close together, word for word, in a table's first column, in the statement where such a figure
//! stands), weighed by a small linear model. The weights are data (`rank.tsv`): those of the two arms alone, until weights from
//! `dossier eval train-rank` have been measured to be better on every set.

use std::{collections::HashMap, sync::LazyLock};

use index::{
    corpus::PassageKind,
    hit::Snippet,
    lexical::{self, Running, fold},
    search::Candidate,
};

use crate::{
    question::{Kind, Question},
    statement::{self, Sought},
};

/// The features, by name, in the order of [`Features`].
pub const NAMES: [&str; 26] = [
    "lexical",
    "dense",
    "lexical_gap",
    "dense_gap",
    "lexical_held",
    "dense_held",
    "coverage",
    "rarest",
    "window_12",
    "window_30",
    "window_60",
    "written",
    "written_gap",
    "pairs",
    "triples",
    "quads",
    "pairs_gap",
    "numbers",
    "digits",
    "digits_asked",
    "table",
    "table_asked",
    "length",
    "first",
    "things",
    "labels",
];

/// What is known of a passage for one question; each about 0 to 1.
pub type Features = [f32; NAMES.len()];

/// The weights of the features.
static WEIGHTS: LazyLock<Features> = LazyLock::new(|| {
    let mut weights = [0.0; NAMES.len()];
    for line in include_str!("rank.tsv").lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, weight)) = line.split_once('\t')
            && let Some(at) = NAMES.iter().position(|known| *known == name)
        {
            weights[at] = weight.trim().parse().unwrap_or(0.0);
        }
    }
    weights
});

/// What each feature adds to a score under the weights in use.
pub fn added(features: &Features) -> Features {
    let mut added = *features;
    added.iter_mut().zip(WEIGHTS.iter()).for_each(|(value, weight)| *value *= weight);
    added
}

/// A question, prepared to be held against passages.
pub struct Measure<'a> {
    question: &'a Question,
    sought: &'a Sought,
    /// Terms of the question: which bit stands for each, and how telling it is.
    terms: HashMap<u32, (u32, f32)>,
    total: f32,
    rarest: u64,
    numbers: Vec<u32>,
    written: Vec<u32>,
    grams: [Vec<u64>; 3],
    asks_figure: bool,
}

impl<'a> Measure<'a> {
    /// Of a question, whose terms weigh so much in the scope.
    pub(crate) fn new(question: &'a Question, sought: &'a Sought, weighed: &[(u32, f32)]) -> Self {
        let mut order: Vec<(u32, f32)> = weighed.to_vec();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order.truncate(64);
        let terms: HashMap<u32, (u32, f32)> = order.iter().zip(0..).map(|((term, idf), bit)| (*term, (bit, *idf))).collect();
        let running = lexical::running(&question.searched);
        let tokens = lexical::tokens(&question.searched);
        let numbers = tokens.iter().filter(|token| token.starts_with('#')).map(|token| lexical::term(token)).collect();
        let grams = [2, 3, 4].map(|n| grams(&running.written, n));
        let mut written = running.written;
        written.sort_unstable();
        written.dedup();
        let figures = !sought.items.is_empty() || matches!(question.kind, Kind::Number | Kind::When);
        Self {
            question,
            sought,
            total: order.iter().map(|(_, idf)| idf).sum::<f32>().max(1e-6),
            rarest: (1 << order.len().min(3)) - 1,
            terms,
            numbers,
            written,
            grams,
            asks_figure: figures && !matches!(question.kind, Kind::Why | Kind::Who),
        }
    }

    /// The features of candidates with their passages, in order.
    pub(crate) fn of(&self, candidates: &[(Candidate, Snippet)]) -> Vec<Features> {
        let texts: Vec<Text> = candidates.iter().map(|(_, snippet)| self.read(snippet)).collect();
        let rarity = self.rarity(&texts);
        let mut rows: Vec<Features> = candidates
            .iter()
            .zip(&texts)
            .map(|((candidate, snippet), text)| self.row(candidate, snippet, text, &rarity))
            .collect();
        let best = |at: usize, rows: &[Features]| rows.iter().map(|row| row[at]).fold(f32::MIN, f32::max);
        let held = best(6, &rows).max(0.0);
        let (lexical, dense, written, pairs) = (best(0, &rows), best(1, &rows), best(11, &rows), best(13, &rows));
        for row in &mut rows {
            row[2] = row[0] / lexical.max(1e-6);
            row[3] = row[1] - dense;
            row[4] = row[0] * held;
            row[5] = row[1] * held;
            row[12] = row[11] / written.max(1e-6);
            row[16] = row[13] / pairs.max(1e-6);
        }
        rows
    }

    /// How telling each word of the question is among the candidates, which all share its commoner words.
    fn rarity(&self, texts: &[Text]) -> Vec<f32> {
        let n = texts.len() as u64;
        let holding = |word: usize| texts.iter().filter(|text| text.counts[word] > 0).count() as u64;
        (0..self.written.len()).map(|word| lexical::idf(n, holding(word))).collect()
    }

    fn row(&self, candidate: &Candidate, snippet: &Snippet, text: &Text, rarity: &[f32]) -> Features {
        let hits: Vec<(u32, u32, f32)> =
            text.running.terms.iter().filter_map(|(term, at)| self.terms.get(term).map(|(bit, idf)| (*bit, *at, *idf))).collect();
        let held = hits.iter().fold(0u64, |held, (bit, ..)| held | 1 << bit);
        let window = |width| self.window(&hits, width) / self.total;
        let share = |n: usize| match self.grams[n].len() {
            0 => 0.0,
            all => text.grams[n] as f32 / all as f32,
        };
        let words = text.running.written.len() as f32;
        let saturated = |count: u32| lexical::weight(count, text.running.written.len() as u32, 150.0) / (lexical::K1 + 1.0);
        let written: f32 = text.counts.iter().zip(rarity).filter(|(n, _)| **n > 0).map(|(n, idf)| idf * saturated(*n)).sum();
        let digits = (text.digits as f32 / text.bytes.max(1) as f32 * 4.0).min(1.0);
        let table = f32::from(u8::from(snippet.kind == PassageKind::Table));
        let asked = f32::from(u8::from(self.asks_figure));
        let in_terms = |number: &&u32| text.running.terms.iter().any(|(term, _)| term == *number);
        [
            candidate.lexical,
            candidate.dense,
            0.0,
            0.0,
            0.0,
            0.0,
            self.mass(held) / self.total,
            (held & self.rarest).count_ones() as f32 / self.rarest.count_ones().max(1) as f32,
            window(12),
            window(30),
            window(60),
            written / rarity.iter().sum::<f32>().max(1e-6),
            0.0,
            share(0),
            share(1),
            share(2),
            0.0,
            self.numbers.iter().filter(in_terms).count() as f32 / self.numbers.len().max(1) as f32,
            digits,
            digits * asked,
            table,
            table * asked,
            (words / 150.0 + 0.1).ln() / 3.0,
            hits.first().map_or(1.0, |(_, at, _)| *at as f32 / words.max(1.0)),
            candidate.things,
            self.labels(&text.folded),
        ]
    }

    fn mass(&self, held: u64) -> f32 {
        self.terms.values().filter(|(bit, _)| held >> bit & 1 == 1).map(|(_, idf)| idf).sum()
    }

    /// The most of the question that stands within so many words.
    fn window(&self, hits: &[(u32, u32, f32)], width: u32) -> f32 {
        let mut counts = [0u16; 64];
        let (mut mass, mut best, mut from) = (0.0f32, 0.0f32, 0);
        for (bit, at, idf) in hits {
            let count = &mut counts[*bit as usize & 63];
            *count += 1;
            if *count == 1 {
                mass += idf;
            }
            while hits[from].1 + width <= *at {
                let (bit, _, idf) = hits[from];
                let count = &mut counts[bit as usize & 63];
                *count -= 1;
                if *count == 0 {
                    mass -= idf;
                }
                from += 1;
            }
            best = best.max(mass);
        }
        best
    }

    /// The share of the things that are looked for that name a row with figures.
    fn labels(&self, folded: &str) -> f32 {
        if self.sought.items.is_empty() {
            return 0.0;
        }
        let named = |names: &&Vec<String>| {
            let label = |line: &str| {
                let line = line.trim_start();
                names
                    .iter()
                    .any(|name| line.strip_prefix(name.as_str()).is_some_and(|rest| rest.bytes().any(|b| b.is_ascii_digit())))
            };
            folded.lines().any(label)
        };
        self.sought.items.iter().filter(named).count() as f32 / self.sought.items.len() as f32
    }

    /// What speaks for or against a passage by the role it plays in its report, whatever its words.
    pub(crate) fn role(&self, snippet: &Snippet) -> f32 {
        /// The statement where the figure stands, if the question names it, and if it follows from the figure.
        const OUTRIGHT: f32 = 0.3;
        const FIGURE: f32 = 0.15;
        const CONTENTS: f32 = -0.3;
        let first = snippet.text.lines().next().unwrap_or("");
        let mut role = 0.0;
        if snippet.kind == PassageKind::Table
            && let Some(statement) = statement::of_passage(&snippet.headings, first)
            && self.sought.statements.contains(&statement)
        {
            role += if self.sought.outright { OUTRIGHT } else { FIGURE };
        }
        if is_contents(snippet) && !self.question.searched.to_lowercase().contains("contents") {
            role += CONTENTS;
        }
        role
    }
}

/// Whether a passage is a part of a table of contents: nobody's answer stands there, and it holds everybody's words.
fn is_contents(snippet: &Snippet) -> bool {
    const HEADINGS: &[&str] = &["table of contents", "contents", "目录", "index to financial statements"];
    let headed = snippet.headings.last().map(|heading| fold(heading).trim().to_owned());
    if headed.is_some_and(|heading| HEADINGS.contains(&heading.as_str())) && snippet.text.lines().count() >= 4 {
        return true;
    }
    let lines: Vec<&str> = snippet.text.lines().filter(|line| !line.trim().is_empty()).collect();
    let leads = |line: &&&str| {
        let page = line.trim_end().ends_with(|c: char| c.is_ascii_digit());
        page && (line.contains("....") || line.contains(". . .") || line.contains("……") || line.contains("···"))
    };
    lines.len() >= 4 && 2 * lines.iter().filter(leads).count() >= lines.len()
}

/// A passage, cut once.
struct Text {
    folded: String,
    running: Running,
    /// How often each written word of the question stands in it.
    counts: Vec<u32>,
    /// How many of the question's runs of two, three and four words stand in it.
    grams: [usize; 3],
    digits: usize,
    bytes: usize,
}

impl Measure<'_> {
    fn read(&self, snippet: &Snippet) -> Text {
        let folded = fold(&snippet.in_context()).into_owned();
        let running = lexical::running(&folded);
        let mut counts = vec![0; self.written.len()];
        for word in &running.written {
            if let Ok(at) = self.written.binary_search(word) {
                counts[at] += 1;
            }
        }
        let grams = [0, 1, 2].map(|n| {
            let mut seen: Vec<usize> =
                running.written.windows(n + 2).filter_map(|run| self.grams[n].binary_search(&gram(run)).ok()).collect();
            seen.sort_unstable();
            seen.dedup();
            seen.len()
        });
        let digits = snippet.text.bytes().filter(u8::is_ascii_digit).count();
        Text { folded, running, counts, grams, digits, bytes: snippet.text.len() }
    }
}

/// The distinct runs of `n` words or characters, sorted.
fn grams(written: &[u32], n: usize) -> Vec<u64> {
    let mut grams: Vec<u64> = written.windows(n).map(gram).collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

fn gram(words: &[u32]) -> u64 {
    words.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, w| (h ^ u64::from(*w)).wrapping_mul(0x0100_0000_01b3))
}
