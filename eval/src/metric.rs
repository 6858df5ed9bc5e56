//! How good is a ranking? The definitions that every number of a report goes back to.
//!
//! A ranking is first reduced to units (documents or pages): of several passages of one unit the first counts. Then, with G the
//! relevant units, R_k the first k retrieved and rel_i the grade at rank i:
//! hit@k = 1 if R_k meets G; recall@k = |R_k ∩ G| / |G|; precision@k = |R_k ∩ G| / k, also where fewer than k were retrieved;
//! MRR@k = 1 / rank of the first relevant unit; AP@k = Σ precision@i over the relevant ranks i ≤ k, / min(|G|, k);
//! nDCG@k = Σ gain(rel_i) / log2(i + 1) over the same sum for the ideal order of G.
//! They agree with trec_eval to 1e-9 (`tests/trec.rs`), but for AP@k, which trec_eval divides by |G|. Nothing retrieved scores 0; nothing relevant is not a score of 0 but no
//! score at all: [`Judged::new`] returns `None`.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    hash::Hash,
};

use crate::invalid::nearest;

/// The ranking of one question, reduced to distinct units and judged: the only thing the measures are computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Grade at each rank; 0 for a unit that is not relevant.
    grades: Vec<u32>,
    /// Grades of all relevant units, highest first.
    ideal: Vec<u32>,
}

/// What a grade is worth in nDCG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// The grade itself, as trec_eval has it.
    Linear,
    /// 2^grade − 1: the usual choice on the web. The same as linear where grades are 0 and 1.
    Exponential,
}

impl Gain {
    fn of(self, grade: u32) -> f64 {
        match self {
            Self::Linear => f64::from(grade),
            Self::Exponential => f64::from(grade).exp2() - 1.0,
        }
    }
}

impl Judged {
    /// Judges a ranking (best first; repeated units count once, where they first stand) against graded units.
    /// `None` if no unit has a grade above 0: there is nothing to find, so nothing to measure.
    pub fn new<U: Eq + Hash>(ranking: impl IntoIterator<Item = U>, gold: &HashMap<U, u32>) -> Option<Self> {
        let mut ideal: Vec<u32> = gold.values().copied().filter(|g| *g > 0).collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        if ideal.is_empty() {
            return None;
        }
        let mut grades = Vec::new();
        let mut seen = HashSet::new();
        for unit in ranking {
            let grade = gold.get(&unit).copied().unwrap_or(0);
            if seen.insert(unit) {
                grades.push(grade);
            }
        }
        Some(Self { grades, ideal })
    }

    fn found(&self, k: usize) -> usize {
        self.grades.iter().take(k).filter(|g| **g > 0).count()
    }

    /// Rank of the first relevant unit, from 1.
    pub fn first(&self) -> Option<usize> {
        self.grades.iter().position(|g| *g > 0).map(|i| i + 1)
    }

    /// 1 if any relevant unit is among the first `k`.
    pub fn hit(&self, k: usize) -> f64 {
        f64::from(u8::from(self.found(k) > 0))
    }

    /// Share of the relevant units that are among the first `k`.
    pub fn recall(&self, k: usize) -> f64 {
        self.found(k) as f64 / self.ideal.len() as f64
    }

    /// Share of the first `k` that are relevant.
    pub fn precision(&self, k: usize) -> f64 {
        self.found(k) as f64 / k.max(1) as f64
    }

    /// One over the rank of the first relevant unit, 0 if it is not among the first `k`.
    pub fn mrr(&self, k: usize) -> f64 {
        self.first().filter(|rank| *rank <= k).map_or(0.0, |rank| 1.0 / rank as f64)
    }

    /// Average precision over the first `k`.
    pub fn average_precision(&self, k: usize) -> f64 {
        let mut found = 0.0;
        let mut sum = 0.0;
        for (i, _) in self.grades.iter().take(k).enumerate().filter(|(_, grade)| **grade > 0) {
            found += 1.0;
            sum += found / (i + 1) as f64;
        }
        sum / self.ideal.len().min(k.max(1)) as f64
    }

    /// Discounted gain of the first `k` as a share of the best that could be reached.
    pub fn ndcg(&self, k: usize, gain: Gain) -> f64 {
        let dcg = |grades: &[u32]| -> f64 {
            grades.iter().take(k).enumerate().map(|(i, g)| gain.of(*g) / ((i + 2) as f64).log2()).sum()
        };
        let best = dcg(&self.ideal);
        if best == 0.0 { 0.0 } else { dcg(&self.grades) / best }
    }
}

/// What a hit is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Any passage of a document is that document.
    Document,
    /// Any passage of a page is that page.
    Page,
}

/// A measure of a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Measure {
    Hit,
    Recall,
    Precision,
    Mrr,
    Ap,
    Ndcg,
}

impl Measure {
    /// Its value for one ranking.
    pub fn of(self, judged: &Judged, k: usize) -> f64 {
        match self {
            Self::Hit => judged.hit(k),
            Self::Recall => judged.recall(k),
            Self::Precision => judged.precision(k),
            Self::Mrr => judged.mrr(k),
            Self::Ap => judged.average_precision(k),
            Self::Ndcg => judged.ndcg(k, Gain::Exponential),
        }
    }
}

/// A number of a report, by name: `page.hit@10`, `answer.facts`, `refusal.recall`, …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// `(page|document).(hit|recall|precision|mrr|ap|ndcg)@k`.
    Ranking(Unit, Measure, usize),
    /// `answer.facts`: share of a case's facts that the answer states; 0 for a refusal or a forbidden statement.
    Facts,
    /// `answer.correct`: share of the answerable questions that a rule can judge which were answered correctly.
    Correct,
    /// `answer.wrong`: share of the same questions which were answered, but not correctly.
    Wrong,
    /// `refusal.recall`: share of unanswerable questions that were refused.
    RefusalRecall,
    /// `refusal.precision`: share of refusals that were right.
    RefusalPrecision,
    /// `refusal.false`: share of answerable questions that were refused.
    FalseRefusal,
    /// `citations.valid`: per given answer, the share of its citations whose quote stands in the stored page; 0 if it has none.
    Citations,
}

const UNITS: [(&str, Unit); 2] = [("document", Unit::Document), ("page", Unit::Page)];
const MEASURES: [(&str, Measure); 6] = [
    ("hit", Measure::Hit),
    ("recall", Measure::Recall),
    ("precision", Measure::Precision),
    ("mrr", Measure::Mrr),
    ("ap", Measure::Ap),
    ("ndcg", Measure::Ndcg),
];
const PLAIN: [(&str, Metric); 7] = [
    ("answer.facts", Metric::Facts),
    ("answer.correct", Metric::Correct),
    ("answer.wrong", Metric::Wrong),
    ("refusal.recall", Metric::RefusalRecall),
    ("refusal.precision", Metric::RefusalPrecision),
    ("refusal.false", Metric::FalseRefusal),
    ("citations.valid", Metric::Citations),
];

impl Metric {
    /// The metric of that name.
    ///
    /// # Errors
    /// A sentence that names the nearest metric.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, metric)) = PLAIN.iter().find(|(n, _)| *n == name) {
            return Ok(*metric);
        }
        let (stem, k) = name.split_once('@').unwrap_or((name, "10"));
        for (unit_name, unit) in UNITS {
            for (measure_name, measure) in MEASURES {
                if stem.strip_prefix(unit_name).and_then(|s| s.strip_prefix('.')) == Some(measure_name) {
                    return match k.parse() {
                        Ok(k @ 1..=100) if name.contains('@') => Ok(Self::Ranking(unit, measure, k)),
                        _ => Err(format!("`{name}` needs a depth from 1 to 100, as in `{stem}@10`")),
                    };
                }
            }
        }
        let ranking = UNITS.iter().flat_map(|(u, _)| MEASURES.iter().map(move |(m, _)| format!("{u}.{m}@{k}")));
        let all: Vec<String> = PLAIN.iter().map(|(n, _)| (*n).to_owned()).chain(ranking).collect();
        Err(match nearest(name, all.iter().map(String::as_str)) {
            Some(near) => format!("unknown metric `{name}`, did you mean `{near}`?"),
            None => format!("unknown metric `{name}`, there are: {}", all.join(", ")),
        })
    }

    /// Whether a larger value is worse.
    pub fn lower_is_better(self) -> bool {
        matches!(self, Self::Wrong | Self::FalseRefusal)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Ranking(unit, measure, k) = self {
            let unit = UNITS.iter().find(|(_, u)| u == unit).map_or("", |(n, _)| n);
            let measure = MEASURES.iter().find(|(_, m)| m == measure).map_or("", |(n, _)| n);
            return write!(f, "{unit}.{measure}@{k}");
        }
        f.write_str(PLAIN.iter().find(|(_, m)| m == self).map_or("", |(n, _)| n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(ranking: &[&str], gold: &[&str]) -> Option<Judged> {
        Judged::new(ranking.iter().copied(), &gold.iter().map(|g| (*g, 1)).collect())
    }

    #[test]
    fn repeated_units_count_once_and_recall_never_exceeds_one() {
        let j = judged(&["甲", "甲", "乙", "甲"], &["甲", "丙"]).unwrap();
        assert_eq!(j.recall(10), 0.5);
        assert_eq!(j.precision(2), 0.5);
        assert_eq!(j.first(), Some(1));
    }

    #[test]
    fn nothing_retrieved_scores_zero_and_nothing_relevant_has_no_score() {
        let none = judged(&[], &["a"]).unwrap();
        for (_, measure) in MEASURES {
            assert_eq!(measure.of(&none, 10), 0.0);
        }
        assert!(judged(&["a"], &[]).is_none());
    }

    #[test]
    fn a_first_hit_behind_the_cut_has_no_reciprocal_rank() {
        let j = judged(&["a", "b", "c"], &["c"]).unwrap();
        assert_eq!((j.mrr(2), j.mrr(3), j.hit(2), j.hit(3)), (0.0, 1.0 / 3.0, 0.0, 1.0));
    }

    #[test]
    fn names_read_back() {
        for name in ["page.hit@10", "document.recall@5", "page.mrr@10", "document.ndcg@10", "answer.facts", "refusal.false"] {
            assert_eq!(Metric::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_misspelt_metric_names_its_neighbour() {
        assert!(Metric::parse("page.hits@10").unwrap_err().contains("`page.hit@10`"));
        assert!(Metric::parse("answer.fact").unwrap_err().contains("`answer.facts`"));
        assert!(Metric::parse("page.hit").unwrap_err().contains("`page.hit@10`"));
        assert!(Metric::parse("page.hit@0").unwrap_err().contains("depth"));
    }
}
