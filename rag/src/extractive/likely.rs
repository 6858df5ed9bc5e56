//! Which of many look-alike tables is meant, where a question names nobody? Most reports have a row `Net income`.
//!
//! What tells them apart is weighed: what label, group, header and passage say of what is asked, how much of a label was asked
//! for word for word, whether all asked periods are there, and how well the passage was found. The weights are those of a
//! conditional logit over the rows of the tables looked through, so that they say, too, how sure the best row is: where tables
//! of several documents are as likely, none is told. Fitted on English questions, whose words are set apart.

use std::collections::HashMap;

use index::{
    corpus::DocumentId,
    lexical::{fold, tokens},
};

use super::{
    Candidate, Reader,
    table::{FILLERS, Fit, Metric, Series, Sheet, bare_label, contradicts, plain_words, undated},
    terms,
};

/// What the words of a question count that the label holds.
const LABEL: f32 = 1.0;
/// What those count that label, group, header, caption or title hold.
const TITLES: f32 = 2.1;
/// What those count that the passage holds.
const PASSAGE: f32 = 1.85;
/// What those count that label or group hold as they are written, singular or plural.
const WRITTEN: f32 = 2.7;
/// What each word of a label counts that stands in the question as a whole.
const WHOLE: f32 = 0.49;
/// What the words of a label count that were not asked for, and those of the name of its column.
const EXTRA: f32 = -2.85;
const COLUMN: f32 = -0.75;
/// What it counts to hold all asked periods.
const PERIODS: f32 = 2.25;
/// What the score of the passage counts, beside the best, and each place that it is further down.
const FOUND: f32 = 7.6;
const PLACE: f32 = -0.105;
/// What shares count where an amount is asked for, and amounts where a percentage is.
const SHARE: f32 = -2.0;
const NO_SHARE: f32 = -0.67;

/// A row below this is no answer: most of those were wrong.
const LEAST: f32 = 5.0;
/// How far a score goes up with the weights' sum, and from where: a row that is all that was asked for reaches what a sentence
/// does that is.
const SCALE: f32 = 0.1;
const BASE: f32 = 0.2;
/// A figure is told if it is this likely among those of the other documents.
const SURE: f32 = 0.35;
/// A value of at least this score is surely of what is asked, whosever it is.
const SPEAKS: f32 = 1.2;
/// What a figure is called that is a share.
const SHARES: &[&str] = &["percent", "proportion", "margin", "rate", "ratio", "yield", "share of"];
/// The words of a question that name no figure, and that any label may have.
const PLAIN: &[&str] = &["company", "amount", "value", "respectively", "respective", "s"];

impl Reader<'_> {
    /// Whether figures are picked by how likely they are: the question names nobody and is in English.
    pub(super) fn by_likelihood(&self) -> bool {
        !self.named && !self.question.chinese
    }

    /// How likely a series is the figure.
    pub(super) fn likely(&self, metric: &Metric, sheet: &Sheet, series: &Series) -> Fit {
        let own = terms(bare_label(&series.label));
        let mut both = own.clone();
        both.extend(terms(&series.above));
        let (mut label, mut titles, mut passage, mut total) = (0.0, 0.0, 0.0, 0.0);
        for word in &metric.words {
            let (mine, grouped) = (word.share(&own), word.share(&both));
            label += word.weight * mine;
            titles += word.weight * grouped.max(word.share(&sheet.about));
            passage += word.weight * word.share(&sheet.around);
            total += word.weight;
        }
        if total <= 0.0 || titles <= 0.0 {
            return Fit { score: 0.0, enough: false };
        }
        // A row that is called nothing but the total is all that stands above it.
        let of_all = !own.is_empty() && own.is_subset(&terms(FILLERS));
        let label = if of_all { titles } else { label };
        let name = plain_words(&fold(bare_label(&series.label)));
        let asked = words(&self.folded);
        let written = share(&words(&metric.phrase), &words(&fold(&format!("{} {}", series.label, series.above))), self);
        let of_label = words(&name);
        let extra = if of_all { 0.0 } else { 1.0 - share(&of_label, &asked, self) };
        let whole = !name.trim().is_empty() && metric.phrase.contains(&name);
        let column = undated(&series.column);
        let column = if column.is_empty() { 0.0 } else { 1.0 - share(&words(&fold(&column)), &asked, self) };
        let periods = &self.question.periods;
        let held = periods.iter().filter(|asked| series.values.iter().any(|v| self.speaks(v, **asked, sheet).is_some())).count();
        let held = if periods.is_empty() { 1.0 } else { held as f32 / periods.len() as f32 };
        let percent = series.values.iter().all(|value| value.percent);
        let wanted = SHARES.iter().any(|word| metric.phrase.contains(word));
        let percent = match (percent, wanted) {
            (true, false) => SHARE,
            (false, true) => NO_SHARE,
            _ => 0.0,
        };
        let found = self.evidence.hit(sheet.hit).map_or(0.0, |hit| hit.score - self.best);
        let sum = LABEL * label / total
            + TITLES * titles / total
            + PASSAGE * passage / total
            + WRITTEN * written
            + if whole { WHOLE * of_label.len().min(10) as f32 } else { 0.0 }
            + EXTRA * extra
            + COLUMN * column
            + PERIODS * held
            + FOUND * found
            + PLACE * sheet.hit.min(40) as f32
            + percent;
        let other = contradicts(&metric.phrase, &format!("{} {}", series.label, series.above));
        Fit { score: SCALE * sum + BASE, enough: sum >= LEAST && !other }
    }
}

/// Whether a folded English question asks for the names of things, or for what something is: no value tells that.
pub(super) fn asks_for_words(folded: &str) -> bool {
    const THINGS: &[&str] = &[
        "components",
        "countries",
        "segments",
        "regions",
        "items",
        "types",
        "kinds",
        "categories",
        "factors",
        "scopes",
        "reasons",
        "names",
        "methods",
        "services",
        "standards",
    ];
    const SAYS: &[&str] =
        &["represent", "consist of", "comprise", "refer to", "mean", "caused", "table show", "determined", "calculated"];
    let asked = folded.split_once("what are ").map(|(_, behind)| behind.split(' ').take(4).collect::<Vec<_>>());
    asked.is_some_and(|asked| asked.iter().any(|word| THINGS.contains(word)))
        || (folded.contains("what do")
            || folded.contains("what caused")
            || folded.starts_with("how is ")
            || folded.starts_with("how are "))
            && SAYS.iter().any(|word| folded.contains(word))
}

/// The words of a folded text that may name a figure.
fn words(folded: &str) -> Vec<&str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && !PLAIN.contains(word)).collect()
}

/// How much of some words others hold, the rarer ones counting more.
fn share(words: &[&str], held: &[&str], reader: &Reader) -> f32 {
    let weight = |word: &&&str| tokens(word).first().map_or(0.0, |token| reader.evidence.idf(token));
    let all: f32 = words.iter().map(|word| weight(&word)).sum();
    words.iter().filter(|word| held.contains(word)).map(|word| weight(&word)).sum::<f32>() / all.max(1e-6)
}

/// Whether a score is sure to be that of the figure that is meant, `others` being those of other documents that say another one.
pub(super) fn surely(best: f32, others: impl Iterator<Item = (DocumentId, f32)>) -> bool {
    let mut rivals: HashMap<DocumentId, f32> = HashMap::new();
    for (document, score) in others {
        let known = rivals.entry(document).or_insert(score);
        *known = known.max(score);
    }
    let rivals: f32 = rivals.values().map(|score| ((score - best) / SCALE).exp()).sum();
    1.0 / (1.0 + rivals) >= SURE
}

/// Whether values of several documents are about as likely: then none is told. Says whether the tables surely speak of it.
pub(super) fn doubt(found: &mut [Candidate]) -> bool {
    let told = found.iter().filter(|candidate| candidate.enough);
    let Some(best) = told.clone().max_by(|a, b| a.score.total_cmp(&b.score)) else { return false };
    let amount = |candidate: &Candidate| candidate.statement.figure.as_ref().map(|figure| figure.value);
    let others = told.filter(|other| other.document != best.document && amount(other) != amount(best));
    if surely(best.score, others.map(|other| (other.document, other.score))) {
        return false;
    }
    let settled = best.score >= SPEAKS;
    found.iter_mut().for_each(|candidate| candidate.enough = false);
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_the_names_of_things_is_told_no_value() {
        let check = |text: &str, words: bool| assert_eq!(asks_for_words(text), words, "{text}");
        check("what are the components of inventories?", true);
        check("what does other income represent?", true);
        check("what are the total assets in 2019?", false);
        check("what was the income tax expense in 2019?", false);
    }

    #[test]
    fn a_figure_is_sure_if_no_other_document_says_another_one_as_well() {
        let (one, two) = (DocumentId::new(), DocumentId::new());
        assert!(surely(1.2, std::iter::empty()));
        assert!(surely(1.2, [(one, 1.2), (one, 1.2)].into_iter()));
        assert!(!surely(1.2, [(one, 1.2), (two, 1.2)].into_iter()));
        assert!(surely(1.5, [(one, 1.2), (two, 1.2)].into_iter()));
    }
}
