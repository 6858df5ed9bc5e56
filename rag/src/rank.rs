//! Which of the passages that were found fits the question best? Cheap features of question and passage (how much of the
//! question stands in it, how close together, word for word, in the name of a table's row and the header over it), weighed by
//! small trees that add to the score of both arms. The trees are data (`rank.trees`), grown on public sets by
//! `dossier eval train-rank`; what role a passage plays in its report is told by rule.

use std::sync::LazyLock;

use index::{
    corpus::PassageKind,
    hit::Snippet,
    lexical::{self, fold},
    search::Candidate,
};

use crate::{
    extractive::told,
    forest::Forest,
    question::{Kind, Question},
    statement::{self, Sought},
};

mod read;

use read::{Text, Words};

/// Declares the features once: their names in order, and a row with a field for each.
macro_rules! features {
    ($($name:ident,)*) => {
        /// The features, by name, in the order of [`Features`].
        pub const NAMES: [&str; [$(stringify!($name)),*].len()] = [$(stringify!($name)),*];

        /// What is known of a passage for one question; each about 0 to 1.
        pub type Features = [f32; NAMES.len()];

        /// The same by field.
        #[derive(Debug, Clone, Copy, Default)]
        struct Row { $($name: f32,)* }

        impl Row {
            fn features(&self) -> Features {
                [$(self.$name),*]
            }
        }
    };
}

features! {
    // How well both arms like it, alone and beside the best candidate.
    lexical,
    dense,
    lexical_gap,
    dense_gap,
    lexical_held,
    dense_held,
    lexical_rank,
    dense_rank,
    // How much of the question stands in it, weighed by how telling the words are, and how close together.
    coverage,
    window_12,
    window_60,
    // The same of what is asked about, without the words that only say what to do with it.
    content,
    content_12,
    piece,
    // Word for word.
    written,
    written_gap,
    pairs,
    triples,
    pairs_gap,
    run,
    // As a table: its rows' names, its header.
    label,
    years,
    // Figures.
    digits,
    digits_asked,
    // What it is, and what the question is.
    length,
    first,
    things,
    asks_words,
}

/// The trees, which `dossier eval train-rank` grew.
static TREES: LazyLock<Option<Forest>> = LazyLock::new(|| Forest::read(include_str!("rank.trees"), &NAMES));

/// What a passage scores by both arms alone.
pub fn both_arms(features: &[f32]) -> f32 {
    features[..2].iter().sum()
}

/// What the trees add to that.
pub fn trees(features: &Features) -> f32 {
    TREES.as_ref().map_or(0.0, |trees| trees.sum(features))
}

/// A question, prepared to be held against passages.
pub struct Measure<'a> {
    question: &'a Question,
    sought: &'a Sought,
    words: Words,
    asks_figure: bool,
    /// What it asks to be told, if it asks who or what something is.
    subject: Option<String>,
}

impl<'a> Measure<'a> {
    /// Of a question, whose terms weigh so much in the scope.
    pub(crate) fn new(question: &'a Question, sought: &'a Sought, weighed: &[(u32, f32)]) -> Self {
        let figures = !sought.items.is_empty() || matches!(question.kind, Kind::Number | Kind::When);
        let asks_figure = figures && !matches!(question.kind, Kind::Why | Kind::Who);
        let subject = told::subject(&fold(&question.text), &question.subject);
        Self { question, sought, words: Words::of(question, weighed), asks_figure, subject }
    }

    /// The features of candidates with their passages, in order.
    pub(crate) fn of(&self, candidates: &[(Candidate, Snippet)]) -> Vec<Features> {
        let texts: Vec<Text> = candidates.iter().map(|(_, snippet)| self.words.read(snippet)).collect();
        let rarity = self.rarity(&texts);
        let mut rows: Vec<Row> = candidates
            .iter()
            .zip(&texts)
            .map(|((candidate, snippet), text)| self.row(candidate, snippet, text, &rarity))
            .collect();
        let best = |of: fn(&Row) -> f32| rows.iter().map(of).fold(f32::MIN, f32::max);
        let held = best(|row| row.coverage).max(0.0);
        let (lexical, dense) = (best(|row| row.lexical).max(1e-6), best(|row| row.dense));
        let (written, pairs) = (best(|row| row.written).max(1e-6), best(|row| row.pairs).max(1e-6));
        for row in &mut rows {
            row.lexical_gap = row.lexical / lexical;
            row.dense_gap = row.dense - dense;
            row.lexical_held = row.lexical * held;
            row.dense_held = row.dense * held;
            row.written_gap = row.written / written;
            row.pairs_gap = row.pairs / pairs;
        }
        rows.iter().map(Row::features).collect()
    }

    /// How telling each word of the question is among the candidates, which all share its commoner words.
    fn rarity(&self, texts: &[Text]) -> Vec<f32> {
        let n = texts.len() as u64;
        let holding = |word: usize| texts.iter().filter(|text| text.counts[word] > 0).count() as u64;
        (0..self.words.written()).map(|word| lexical::idf(n, holding(word))).collect()
    }

    fn row(&self, candidate: &Candidate, snippet: &Snippet, text: &Text, rarity: &[f32]) -> Row {
        let saturated = |count: u32| lexical::weight(count, text.length, 150.0) / (lexical::K1 + 1.0);
        let written: f32 = text.counts.iter().zip(rarity).filter(|(n, _)| **n > 0).map(|(n, idf)| idf * saturated(*n)).sum();
        let digits = (text.digits as f32 / snippet.text.len().max(1) as f32 * 4.0).min(1.0);
        let place = |rank: Option<u32>| rank.map_or(0.0, |rank| 1.0 / (rank as f32).sqrt());
        let table = snippet.kind == PassageKind::Table;
        let words = &self.words;
        let content = |held: u64| words.share(held & words.content, words.content);
        let window = |width| text.window(words, u64::MAX, width);
        Row {
            lexical: candidate.lexical,
            dense: candidate.dense,
            lexical_rank: place(candidate.lexical_rank),
            dense_rank: place(candidate.dense_rank),
            coverage: words.share(text.held, u64::MAX),
            window_12: window(12),
            window_60: window(60),
            content: content(text.held),
            content_12: text.window(words, words.content, 12),
            piece: match table {
                true => text.rows.iter().map(|row| content(row.label | row.above)).fold(0.0, f32::max),
                false => text.window(words, words.content, 30),
            },
            written: written / rarity.iter().sum::<f32>().max(1e-6),
            pairs: text.grams[0],
            triples: text.grams[1],
            run: text.run,
            label: text.rows.iter().map(|row| harmonic(content(row.label), row.asked)).fold(0.0, f32::max),
            years: words.years(text.years),
            digits,
            digits_asked: if self.asks_figure { digits } else { 0.0 },
            length: (text.length as f32 / 150.0 + 0.1).ln() / 3.0,
            first: text.first(),
            things: candidate.things,
            asks_words: (words.content.count_ones() as f32 / 10.0).min(2.0),
            ..Row::default()
        }
    }

    /// What speaks for or against a passage by the role it plays in its report, whatever its words.
    pub(crate) fn role(&self, snippet: &Snippet) -> f32 {
        /// The statement where the figure stands, if the question names it, and if it follows from the figure.
        const OUTRIGHT: f32 = 0.3;
        const FIGURE: f32 = 0.15;
        const CONTENTS: f32 = -0.3;
        /// What tells who or what something is, before what only speaks of it.
        const TOLD: f32 = 0.1;
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
        if self.subject.as_ref().is_some_and(|subject| told::tells(&fold(&snippet.text), subject)) {
            role += TOLD;
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

fn harmonic(a: f32, b: f32) -> f32 {
    2.0 * a * b / (a + b).max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trees_that_ship_are_for_these_features() {
        assert_eq!(&NAMES[..2], ["lexical", "dense"]);
        assert!(TREES.is_some());
    }
}
