//! Which of many look-alike tables is meant, where a question names nobody? Most reports have a row `Net income`.
//!
//! What tells them apart is weighed: what label, group, header and passage say of what is asked, how much of a label was asked
//! for word for word, whether all asked periods are there, and how well the passage was found. The weights are those of a
//! conditional logit over the rows of the tables looked through, so that they say, too, how sure the best row is: where tables
//! of several documents are as likely, none is told. Fitted on English questions, whose words are set apart.

use index::lexical::{fold, tokens};

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

/// A row below this is no answer: hardly any of those was right.
const LEAST: f32 = 3.5;
/// How far a score goes up with the weights' sum, and from where: a row that is all that was asked for reaches what a sentence
/// does that is.
const SCALE: f32 = 0.1;
const BASE: f32 = 0.2;
/// A figure is told if it is this likely among those of the other documents.
const SURE: f32 = 0.35;
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
        let whole = !name.trim().is_empty() && plain_words(&self.folded).contains(&name);
        let column = undated(&series.column);
        let column = if column.is_empty() { 0.0 } else { 1.0 - share(&words(&fold(&column)), &asked, self) };
        let periods = &self.question.periods;
        let held = periods.iter().filter(|asked| series.values.iter().any(|v| self.speaks(v, **asked, sheet).is_some())).count();
        let held = if periods.is_empty() { 1.0 } else { held as f32 / periods.len() as f32 };
        let percent = series.values.iter().all(|value| value.percent);
        let percent = match (percent, self.percent) {
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

/// Whether the best of some scores is sure to be the one, `others` being the best of each other document.
pub(super) fn surely(best: f32, others: impl Iterator<Item = f32>) -> bool {
    let rivals: f32 = others.map(|other| ((other - best) / SCALE).exp()).sum();
    1.0 / (1.0 + rivals) >= SURE
}

/// Where values of several documents are as likely, none is told.
pub(super) fn doubt(found: &mut [Candidate]) {
    let told = found.iter().filter(|candidate| candidate.enough);
    let Some(best) = told.clone().max_by(|a, b| a.score.total_cmp(&b.score)) else { return };
    let amount = |candidate: &Candidate| candidate.statement.figure.as_ref().map(|figure| figure.value);
    let mut rivals: Vec<(index::corpus::DocumentId, f32)> = Vec::new();
    for other in told.filter(|other| other.document != best.document && amount(other) != amount(best)) {
        match rivals.iter_mut().find(|(document, _)| *document == other.document) {
            Some((_, score)) => *score = score.max(other.score),
            None => rivals.push((other.document, other.score)),
        }
    }
    if !surely(best.score, rivals.into_iter().map(|(_, score)| score)) {
        found.iter_mut().for_each(|candidate| candidate.enough = false);
    }
}
