//! What of a question stands in a passage, and where: the words of both, cut once, with the rows of a table apart.

use std::collections::HashMap;

use index::{
    corpus::PassageKind,
    hit::Snippet,
    lexical::{self, Running, fold},
};

use crate::question::Question;

/// The words of a question. Its telling terms, at most 64, are bits of a set.
pub(super) struct Words {
    /// Which bit stands for a term, and how telling it is.
    terms: HashMap<u32, u32>,
    weights: Vec<f32>,
    /// What is asked about, without the words that only say what to do with it.
    pub content: u64,
    /// The words as they are written, in order, and each once, sorted.
    running: Vec<u32>,
    written: Vec<u32>,
    /// Its runs of two and three words, sorted.
    grams: [Vec<u64>; 2],
    years: Vec<u32>,
}

/// Words that say what is done with a figure; a passage that holds the figure seldom has them.
const OPERATIONS: &[&str] = &[
    "chang",
    "percentag",
    "percent",
    "averag",
    "ratio",
    "differ",
    "increas",
    "decreas",
    "sum",
    "respect",
    "compar",
    "between",
    "most",
    "recent",
    "largest",
    "highest",
    "lowest",
    "smallest",
    "greater",
    "higher",
    "lower",
    "larger",
    "number",
    "period",
    "calcul",
    "proport",
    "exceed",
    "growth",
    "rate",
    "多少",
    "变化",
    "增长",
    "同比",
    "比例",
    "平均",
];

impl Words {
    /// Of a question, whose terms weigh so much in the scope.
    pub fn of(question: &Question, weighed: &[(u32, f32)]) -> Self {
        let mut order: Vec<(u32, f32)> = weighed.to_vec();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order.truncate(64);
        let terms: HashMap<u32, u32> = order.iter().zip(0..).map(|((term, _), bit)| (*term, bit)).collect();
        let folded = fold(&question.searched);
        let running = lexical::running(&folded).written;
        let content = question.terms.iter().filter(|token| !OPERATIONS.contains(&token.as_str()));
        let content = content.filter_map(|token| terms.get(&lexical::term(token))).fold(0, |held, bit| held | 1 << bit);
        let all = u64::MAX.checked_shr(64 - order.len() as u32).unwrap_or(0);
        let mut years: Vec<i32> = question.periods.iter().filter_map(|period| period.year).collect();
        years.sort_unstable();
        years.dedup();
        let mut written = running.clone();
        written.sort_unstable();
        written.dedup();
        Self {
            weights: order.iter().map(|(_, idf)| *idf).collect(),
            // A question of nothing but such words asks about them.
            content: if content == 0 { all } else { content },
            grams: [2, 3].map(|n| grams(&running, n)),
            years: years.into_iter().map(|year| lexical::term(&year.to_string())).take(32).collect(),
            terms,
            running,
            written,
        }
    }

    /// How many different words are written in it.
    pub fn written(&self) -> usize {
        self.written.len()
    }

    /// How telling a part of its terms is.
    fn mass(&self, of: u64) -> f32 {
        self.weights.iter().zip(0..).filter(|(_, bit)| of >> bit & 1 == 1).map(|(idf, _)| idf).sum()
    }

    /// The share of some of its terms in others.
    pub fn share(&self, of: u64, all: u64) -> f32 {
        self.mass(of) / self.mass(all).max(1e-6)
    }

    /// The share of the asked years in a set of them.
    pub fn years(&self, held: u64) -> f32 {
        held.count_ones() as f32 / self.years.len().max(1) as f32
    }
}

/// A passage, as far as a question is concerned.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// How many words or characters it has.
    pub length: u32,
    /// The question's terms that stand in it.
    pub held: u64,
    /// Each with its place, in order.
    hits: Vec<(u32, u32)>,
    /// How often each written word of the question stands in it.
    pub counts: Vec<u32>,
    /// The shares of the question's runs of two and three words that stand in it.
    pub grams: [f32; 2],
    /// The longest run of words that both share, as a share of the question.
    pub run: f32,
    /// The rows of a table.
    pub rows: Vec<TableRow>,
    pub years: u64,
    pub digits: usize,
}

/// What of the question stands in the name of a row, and above it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct TableRow {
    pub label: u64,
    /// The share of the name that is asked about.
    pub asked: f32,
    pub above: u64,
}

impl Words {
    /// Reads a passage with the two headings over it.
    pub fn read(&self, snippet: &Snippet) -> Text {
        let folded = fold(&snippet.in_context()).into_owned();
        let running = lexical::running(&folded);
        let mut counts = vec![0; self.written.len()];
        for word in &running.written {
            if let Ok(at) = self.written.binary_search(word) {
                counts[at] += 1;
            }
        }
        let hits: Vec<(u32, u32)> =
            running.terms.iter().filter_map(|(term, at)| self.terms.get(term).map(|bit| (*bit, *at))).collect();
        let mut read = Text {
            length: running.written.len() as u32,
            held: hits.iter().fold(0, |held, (bit, _)| held | 1 << bit),
            hits,
            counts,
            grams: [0, 1].map(|n| self.grams_in(&running.written, n)),
            run: self.run_in(&running.written),
            years: set(&self.years, &running),
            digits: snippet.text.bytes().filter(u8::is_ascii_digit).count(),
            ..Text::default()
        };
        if snippet.kind == PassageKind::Table {
            self.read_rows(&folded, &mut read);
        }
        read
    }

    fn grams_in(&self, written: &[u32], n: usize) -> f32 {
        let all = &self.grams[n];
        let mut seen: Vec<usize> = written.windows(n + 2).filter_map(|run| all.binary_search(&gram(run)).ok()).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len() as f32 / all.len().max(1) as f32
    }

    /// The longest run of words that the question and a text share.
    fn run_in(&self, written: &[u32]) -> f32 {
        let asked = &self.running[..self.running.len().min(64)];
        let (mut before, mut now) = ([0_u32; 65], [0_u32; 65]);
        let mut longest = 0;
        for word in written.iter() {
            for (at, own) in asked.iter().enumerate() {
                now[at + 1] = if own == word { before[at] + 1 } else { 0 };
                longest = longest.max(now[at + 1]);
            }
            std::mem::swap(&mut before, &mut now);
        }
        longest as f32 / asked.len().max(1) as f32
    }

    /// Reads a table line by line: what stands above the first row with figures is its head, a line without figures is the name
    /// of the rows below it.
    fn read_rows(&self, folded: &str, read: &mut Text) {
        let (mut head, mut section, mut in_head) = (0_u64, 0_u64, true);
        for line in folded.lines().filter(|line| !line.trim().is_empty()) {
            let (label, cells) = line.split_once(" | ").unwrap_or((line, ""));
            let label = label.trim();
            if !cells.split('|').any(is_figure) {
                let running = lexical::running(line);
                match in_head {
                    true => head |= self.held(&running),
                    false => section = self.held(&running),
                }
                continue;
            }
            in_head = false;
            let running = lexical::running(label);
            let words: Vec<bool> = running.terms.iter().map(|(term, _)| self.terms.contains_key(term)).collect();
            read.rows.push(TableRow {
                label: self.held(&running),
                asked: words.iter().filter(|asked| **asked).count() as f32 / words.len().max(1) as f32,
                above: head | section,
            });
        }
    }

    fn held(&self, running: &Running) -> u64 {
        running.terms.iter().filter_map(|(term, _)| self.terms.get(term)).fold(0, |held, bit| held | 1 << bit)
    }
}

impl Text {
    /// The most of some of the question's terms that stands within so many words, as a share of them.
    pub fn window(&self, words: &Words, of: u64, width: u32) -> f32 {
        let mut counts = [0_u16; 64];
        let (mut mass, mut best, mut from) = (0.0_f32, 0.0_f32, 0);
        let idf = |bit: u32| if of >> bit & 1 == 1 { words.weights[bit as usize] } else { 0.0 };
        for (bit, at) in &self.hits {
            let count = &mut counts[*bit as usize & 63];
            *count += 1;
            if *count == 1 {
                mass += idf(*bit);
            }
            while self.hits[from].1 + width <= *at {
                let bit = self.hits[from].0;
                let count = &mut counts[bit as usize & 63];
                *count -= 1;
                if *count == 0 {
                    mass -= idf(bit);
                }
                from += 1;
            }
            best = best.max(mass);
        }
        best / words.mass(of).max(1e-6)
    }

    /// How far into it the first of the question's terms stands.
    pub fn first(&self) -> f32 {
        self.hits.first().map_or(1.0, |(_, at)| *at as f32 / self.length.max(1) as f32)
    }
}

/// Whether a cell holds a figure: digits, and neither a year nor a day.
fn is_figure(cell: &str) -> bool {
    let cell = cell.trim();
    let year = cell.len() == 4 && (cell.starts_with("19") || cell.starts_with("20")) && cell.bytes().all(|b| b.is_ascii_digit());
    let digits = cell.bytes().any(|b| b.is_ascii_digit());
    let day = cell.contains(['年', '月']) || cell.bytes().filter(|b| *b == b'.').count() == 2 || cell.matches('-').count() == 2;
    digits && !year && !day && !cell.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Which of these terms a text has.
fn set(terms: &[u32], running: &Running) -> u64 {
    let held = |term: &u32| running.terms.iter().any(|(own, _)| own == term);
    terms.iter().zip(0..).filter(|(term, _)| held(term)).fold(0, |set, (_, bit)| set | 1 << bit)
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

#[cfg(test)]
mod tests {
    use index::corpus::DocumentId;

    use super::*;

    const TABLE: &str = "Years ended September 30, | 2019 | 2018\nSales by contract type:\nFixed price | 1,452.4 | 1,146.2\n\
        Other | 44.1 | 56.7\nTotal sales | $1,496.5 | $1,202.9";

    fn read(question: &str, kind: PassageKind, text: &str) -> (Words, Text) {
        let question = Question::read(question, &[]);
        let weighed: Vec<(u32, f32)> =
            lexical::analyse(&question.searched).terms.into_iter().map(|(term, _)| (term, 1.0)).collect();
        let words = Words::of(&question, &weighed);
        let document = DocumentId::new();
        let text = words.read(&Snippet { document, part: 1, kind, text: text.into(), headings: Vec::new() });
        (words, text)
    }

    #[test]
    fn a_row_is_known_by_its_name_and_what_stands_over_it() {
        let (words, text) = read("What is the change in fixed price contract sales in 2019?", PassageKind::Table, TABLE);
        assert_eq!(text.rows.len(), 3);
        assert_eq!(text.rows[0].asked, 1.0);
        assert_eq!(words.share((text.rows[0].label | text.rows[0].above) & words.content, words.content), 1.0);
        assert_eq!((words.years(text.years), text.rows[1].label), (1.0, 0));
        let (_, prose) = read("What is total sales?", PassageKind::Text, TABLE);
        assert!(prose.rows.is_empty());
    }

    #[test]
    fn closeness_and_wording_are_told_in_both_languages() {
        let (words, text) = read("2023年的研发费用是多少？", PassageKind::Text, "公司2023年的研发费用为1,234万元。");
        assert_eq!((text.window(&words, words.content, 12), words.years(text.years)), (1.0, 1.0));
        let (words, far) =
            read("total cost of sales", PassageKind::Text, "The total was paid. Later, sales rose while a cost fell.");
        assert!(far.window(&words, u64::MAX, 4) < 1.0 && far.window(&words, u64::MAX, 30) > 0.99);
        let (_, near) = read("total cost of sales", PassageKind::Text, "the total cost of sales grew");
        assert!(near.run == 1.0 && near.grams == [1.0, 1.0] && far.run < near.run);
    }

    #[test]
    fn a_figure_is_neither_a_year_nor_a_day() {
        for (cell, figure) in
            [("1,452.4", true), ("$ 44", true), ("12.5%", true), ("2019", false), ("2005.12.31", false), ("2023年", false)]
        {
            assert_eq!(is_figure(cell), figure, "{cell}");
        }
    }
}
