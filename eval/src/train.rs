//! Which weights of the features rank best? Trains the linear model of `rag::rank` on public sets and says out of fold what it
//! gains: no question is measured with weights that have seen it.
//!
//! LambdaRank over pairs of a gold and another passage of one question (Burges, *From RankNet to LambdaRank to LambdaMART*,
//! MSR-TR-2010-82): each pair weighs what swapping the two would change in nDCG. Every set weighs the same, however large.

use std::{collections::HashMap, fmt::Write, path::Path};

use index::hit::Filters;
use rag::rank::NAMES;
use serde::Serialize;

use crate::{
    EvalError, Target,
    metric::{Gain, Judged},
    probe::Probe,
    set::Set,
};

/// Parts of a set that are left out in turn.
const FOLDS: usize = 5;
const ROUNDS: usize = 150;
const RATE: f64 = 0.02;
/// How strongly weights are held to the sum of both arms, which needs no training.
const PRIOR: f64 = 2e-4;

type Row = [f64; NAMES.len()];

/// What was found for the questions of a set.
#[derive(Debug)]
pub struct Examples {
    /// The set.
    pub set: String,
    questions: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    rows: Vec<Found>,
    gold: HashMap<String, u32>,
    /// Which part of the set it belongs to: questions that share a document are in one.
    fold: usize,
}

#[derive(Debug, Serialize)]
struct Found {
    unit: String,
    gold: bool,
    /// As the program ranks it now.
    score: f64,
    features: Vec<f64>,
}

/// Searches for the questions of a set and keeps the features of what was found.
///
/// # Errors
/// If the set is not valid or cannot be ingested.
pub async fn examples(target: &dyn Target, dir: &Path, limit: Option<usize>) -> Result<Examples, EvalError> {
    let set = Set::read(dir)?;
    target.ingest(set.documents()).await?;
    let (mut questions, mut documents) = (Vec::new(), Vec::new());
    for probe in set.probes(limit).into_iter().filter(|probe| !probe.documents.is_empty() && !probe.question.trim().is_empty()) {
        let hits = target.explained(&probe.question, 100, &Filters::default()).await?.data;
        let gold: HashMap<String, u32> = probe.units().into_iter().map(|unit| (unit, 1)).collect();
        let rows = hits.iter().filter(|hit| !hit.why.features.is_empty()).map(|hit| {
            let unit = probe.unit_of(hit);
            let feature = |name: &&str| hit.why.features.get(*name).and_then(|value| value.as_f64()).unwrap_or(0.0);
            Found {
                gold: gold.contains_key(&unit),
                unit,
                score: f64::from(hit.score),
                features: NAMES.iter().map(feature).collect(),
            }
        });
        questions.push(Asked { rows: rows.collect(), gold, fold: 0 });
        documents.push(probe.documents);
    }
    for (asked, fold) in questions.iter_mut().zip(folds(&documents)) {
        asked.fold = fold;
    }
    Ok(Examples { set: set.name().to_owned(), questions })
}

/// Deals questions to the folds so that those which share a document are dealt together.
fn folds(documents: &[Vec<String>]) -> Vec<usize> {
    let mut group: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<usize> = (0..documents.len()).collect();
    fn root(groups: &[usize], mut at: usize) -> usize {
        while groups[at] != at {
            at = groups[at];
        }
        at
    }
    for (at, documents) in documents.iter().enumerate() {
        for document in documents {
            let other = root(&groups, *group.entry(document).or_insert(at));
            let own = root(&groups, at);
            groups[own.max(other)] = own.min(other);
        }
    }
    let firsts: Vec<usize> = (0..groups.len()).filter(|at| groups[*at] == *at).collect();
    (0..groups.len()).map(|at| firsts.partition_point(|first| *first < root(&groups, at)) % FOLDS).collect()
}

impl Examples {
    /// One JSON line per question: its candidates with unit, whether they are gold, score and features.
    pub fn lines(&self) -> String {
        let line =
            |asked: &Asked| serde_json::to_string(&(&self.set, asked.fold, asked.gold.len(), &asked.rows)).unwrap_or_default();
        self.questions.iter().map(|asked| line(asked) + "\n").collect()
    }
}

/// Weights and what they gain.
#[derive(Debug, Serialize)]
pub struct Trained {
    /// A weight per feature.
    pub weights: Vec<(String, f64)>,
    /// Per set: as it is, and out of fold.
    pub sets: Vec<Gained>,
}

/// Means over the questions of a set.
#[derive(Debug, Serialize)]
#[allow(missing_docs)]
pub struct Gained {
    pub set: String,
    pub questions: usize,
    pub now: Means,
    pub both_arms: Means,
    pub out_of_fold: Means,
}

/// Recall among the first and the first ten, and nDCG of the first ten, of 100.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(missing_docs)]
pub struct Means {
    pub recall_1: f64,
    pub recall_10: f64,
    pub ndcg_10: f64,
}

/// Trains on all sets, and on all folds but one to measure that one.
pub fn train(sets: &[Examples]) -> Trained {
    let mut gained: Vec<Gained> = sets
        .iter()
        .map(|set| Gained {
            set: set.set.clone(),
            questions: set.questions.len(),
            now: Means::default(),
            both_arms: Means::default(),
            out_of_fold: Means::default(),
        })
        .collect();
    for fold in 0..FOLDS {
        let weights = fit(sets, |asked| asked.fold != fold);
        for (set, gained) in sets.iter().zip(&mut gained) {
            for asked in set.questions.iter().filter(|asked| asked.fold == fold) {
                gained.now.add(&asked.judged(|found| found.score));
                gained.both_arms.add(&asked.judged(|found| dot(&prior(), &found.features)));
                gained.out_of_fold.add(&asked.judged(|found| dot(&weights, &found.features)));
            }
        }
    }
    for set in &mut gained {
        let n = set.questions.max(1) as f64;
        [&mut set.now, &mut set.both_arms, &mut set.out_of_fold].into_iter().for_each(|means| means.over(n));
    }
    let weights = fit(sets, |_| true);
    Trained { weights: NAMES.iter().zip(weights).map(|(name, weight)| ((*name).to_owned(), weight)).collect(), sets: gained }
}

impl Trained {
    /// The file that ships.
    pub fn file(&self) -> String {
        let mut text = "# Weights of the features of rag/src/rank.rs, written by `dossier eval train-rank`.\n".to_owned();
        for (name, weight) in self.weights.iter().filter(|(_, weight)| weight.abs() >= 5e-4) {
            writeln!(text, "{name}\t{weight:.3}").ok();
        }
        text
    }

    /// The gains as a table.
    pub fn table(&self) -> String {
        let mut text = "recall@1 / recall@10 / nDCG@10          now                 both arms           out of fold\n".to_owned();
        for set in &self.sets {
            let means = |m: &Means| format!("{:5.1} {:5.1} {:5.1}", m.recall_1, m.recall_10, m.ndcg_10);
            let (now, arms, out) = (means(&set.now), means(&set.both_arms), means(&set.out_of_fold));
            writeln!(text, "{:<28} {:>5}     {now}   {arms}   {out}", set.set, set.questions).ok();
        }
        text
    }
}

impl Means {
    fn add(&mut self, judged: &Option<Judged>) {
        let Some(judged) = judged else { return };
        self.recall_1 += 100.0 * judged.recall(1);
        self.recall_10 += 100.0 * judged.recall(10);
        self.ndcg_10 += 100.0 * judged.ndcg(10, Gain::Linear);
    }

    fn over(&mut self, n: f64) {
        self.recall_1 /= n;
        self.recall_10 /= n;
        self.ndcg_10 /= n;
    }
}

impl Asked {
    fn judged(&self, score: impl Fn(&Found) -> f64) -> Option<Judged> {
        let mut order: Vec<(f64, &str)> = self.rows.iter().map(|found| (score(found), found.unit.as_str())).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        Judged::new(order.into_iter().map(|(_, unit)| unit.to_owned()), &self.gold)
    }
}

/// What needs no training: both arms as they are.
fn prior() -> Row {
    let mut prior = [0.0; NAMES.len()];
    for (at, name) in NAMES.iter().enumerate() {
        prior[at] = f64::from(u8::from(matches!(*name, "lexical" | "dense")));
    }
    prior
}

fn dot(a: &Row, b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Weights from the questions that `takes` takes, so scaled that scores of a question spread as those of both arms do: what
/// else is added to a score keeps its meaning.
fn fit(sets: &[Examples], takes: impl Fn(&Asked) -> bool) -> Row {
    let taken = |set: &Examples| -> Vec<usize> {
        let some = |at: &usize| takes(&set.questions[*at]) && set.questions[*at].rows.iter().any(|found| found.gold);
        (0..set.questions.len()).filter(some).collect()
    };
    let taken: Vec<(&Examples, Vec<usize>)> = sets.iter().map(|set| (set, taken(set))).collect();
    let scale = scales(&taken);
    let prior = prior();
    let mut weights = prior;
    let (mut mean, mut square) = ([0.0; NAMES.len()], [0.0; NAMES.len()]);
    for round in 1..=ROUNDS {
        let mut slope = [0.0; NAMES.len()];
        for (set, questions) in &taken {
            let share = 1.0 / (questions.len().max(1) * taken.len()) as f64;
            for &at in questions {
                let own = lambda(&set.questions[at], &weights);
                slope.iter_mut().zip(own).for_each(|(sum, own)| *sum += share * own);
            }
        }
        for at in 0..NAMES.len() {
            let slope = slope[at] * scale[at] + PRIOR * (weights[at] - prior[at]) / scale[at].max(1e-6);
            mean[at] = 0.9 * mean[at] + 0.1 * slope;
            square[at] = 0.99 * square[at] + 0.01 * slope * slope;
            let (mean, square) = (mean[at] / (1.0 - 0.9f64.powi(round as i32)), square[at] / (1.0 - 0.99f64.powi(round as i32)));
            weights[at] -= RATE * scale[at] * mean / (square.sqrt() + 1e-9);
        }
    }
    let (ours, both) = (spread(&taken, &weights), spread(&taken, &prior));
    weights.map(|weight| weight * both / ours.max(1e-9))
}

/// One over the deviation of each feature: steps of like size for features of unlike range.
fn scales(taken: &[(&Examples, Vec<usize>)]) -> Row {
    let (mut n, mut sum, mut squares) = (0.0, [0.0; NAMES.len()], [0.0; NAMES.len()]);
    for row in taken.iter().flat_map(|(set, at)| at.iter().flat_map(|at| &set.questions[*at].rows)) {
        n += 1.0;
        for (at, value) in row.features.iter().enumerate() {
            sum[at] += value;
            squares[at] += value * value;
        }
    }
    let mut scale = [0.0; NAMES.len()];
    for at in 0..NAMES.len() {
        let variance = squares[at] / f64::max(n, 1.0) - (sum[at] / f64::max(n, 1.0)).powi(2);
        // A feature that never changes cannot be learnt.
        scale[at] = if variance > 1e-9 { 0.1 / variance.sqrt() } else { 0.0 };
    }
    scale
}

/// The mean deviation of scores within a question.
fn spread(taken: &[(&Examples, Vec<usize>)], weights: &Row) -> f64 {
    let deviation = |asked: &Asked| {
        let scores: Vec<f64> = asked.rows.iter().map(|found| dot(weights, &found.features)).collect();
        let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
        (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / scores.len().max(1) as f64).sqrt()
    };
    let all: Vec<f64> = taken.iter().flat_map(|(set, at)| at.iter().map(|at| deviation(&set.questions[*at]))).collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

/// The slope of the loss of one question.
fn lambda(asked: &Asked, weights: &Row) -> Row {
    let mut order: Vec<(f64, &Found)> = asked.rows.iter().map(|found| (dot(weights, &found.features), found)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let discount = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let ideal: f64 = (0..asked.gold.len()).map(discount).sum();
    let mut slope = [0.0; NAMES.len()];
    for (i, (high, gold)) in order.iter().enumerate().filter(|(_, (_, found))| found.gold) {
        for (j, (low, other)) in order.iter().enumerate().filter(|(_, (_, found))| !found.gold) {
            let gain = (discount(i) - discount(j)).abs() / ideal.max(1e-9);
            let wrong = 1.0 / (1.0 + (STEEP * (high - low)).exp());
            for (slope, (gold, other)) in slope.iter_mut().zip(gold.features.iter().zip(&other.features)) {
                *slope -= gain * wrong * (gold - other);
            }
        }
    }
    slope
}

/// How sharply a difference of scores decides a pair: scores of look-alike passages differ by hundredths.
const STEEP: f64 = 10.0;

impl Probe {
    /// What is looked for, by name.
    fn units(&self) -> Vec<String> {
        match self.places.is_empty() {
            true => self.documents.clone(),
            false => self.places.iter().map(|(document, place)| format!("{document} {place:?}")).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions whose gold passage has more of one feature than the others, and less by both arms.
    fn asked(seed: usize) -> Asked {
        let at = |name: &str| NAMES.iter().position(|known| *known == name).unwrap();
        let rows = (0..8).map(|n| {
            let mut features = vec![0.0; NAMES.len()];
            features[at("lexical")] = 0.3 + 0.05 * ((n * 7 + seed) % 8) as f64;
            features[at("window_12")] = if n == seed % 8 { 0.9 } else { 0.1 * (n % 3) as f64 };
            Found { unit: n.to_string(), gold: n == seed % 8, score: features[0], features }
        });
        Asked { rows: rows.collect(), gold: HashMap::from([((seed % 8).to_string(), 1)]), fold: seed % FOLDS }
    }

    #[test]
    fn a_feature_that_tells_gold_apart_is_learnt_and_its_gain_is_seen_out_of_fold() {
        let set = Examples { set: "little".into(), questions: (0..40).map(asked).collect() };
        let trained = train(&[set]);
        let gained = &trained.sets[0];
        assert!(gained.out_of_fold.recall_1 > 99.0 && gained.now.recall_1 < 60.0, "{gained:?}");
        let weight = |name: &str| trained.weights.iter().find(|(n, _)| n == name).unwrap().1;
        assert!(weight("window_12") > 0.2);
        assert!(trained.file().contains("window_12\t") && trained.table().contains("little"));
    }
}
