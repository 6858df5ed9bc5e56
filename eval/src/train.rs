//! Which trees rank best? Grows the forest of `rag::rank` on public sets and says out of fold what it gains: no question is
//! measured with trees that have seen a document of it.
//!
//! LambdaMART (Burges, *From RankNet to LambdaRank to LambdaMART*, MSR-TR-2010-82), which begins with the sum of both arms: each
//! pair of a gold and another passage of one question weighs what swapping the two would change in nDCG. A set weighs as the
//! root of its size, so that a large one does not decide alone.

use std::{collections::HashMap, fmt::Write, path::Path};

use index::hit::Filters;
use rag::{
    forest::Forest,
    rank::{NAMES, both_arms},
};
use serde::{Deserialize, Serialize};

use crate::{
    EvalError, Target,
    boost::{Boosting, Shape},
    metric::{Gain, Judged},
    probe::Probe,
    set::Set,
};

/// Parts of a set that are left out in turn.
const FOLDS: usize = 5;
const TREES: usize = 100;
/// How sharply a difference of scores decides a pair: scores of look-alike passages differ by hundredths.
const STEEP: f64 = 20.0;
/// Trees add to the score of both arms, so they take steps in its unit.
const SHAPE: Shape = Shape { depth: 3, rate: 0.08 / STEEP, leaf: 150 };
/// A pair counts less the further apart it is already, so that trees settle what is close rather than stretch what is settled;
/// this keeps equal scores from counting without bound.
const CLOSE: f64 = 0.01;
/// Places that matter.
const SEEN: usize = 20;

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

#[derive(Debug, Serialize, Deserialize)]
struct Found {
    unit: String,
    gold: bool,
    /// As the program ranks it now.
    score: f64,
    features: Vec<f32>,
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
            let feature = |name: &&str| hit.why.features.get(*name).and_then(|value| value.as_f64()).unwrap_or(0.0) as f32;
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
        let line = |asked: &Asked| {
            serde_json::to_string(&(&self.set, asked.fold, asked.gold.keys().collect::<Vec<_>>(), &asked.rows))
                .unwrap_or_default()
        };
        self.questions.iter().map(|asked| line(asked) + "\n").collect()
    }
}

/// Reads what [`Examples::lines`] wrote, of all its sets.
///
/// # Errors
/// If it cannot be read; names the line that is none.
pub fn reread(file: &Path) -> Result<Vec<Examples>, EvalError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| EvalError::Unreadable { path: file.display().to_string(), source })?;
    let mut sets: Vec<Examples> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let read: (String, usize, Vec<String>, Vec<Found>) = serde_json::from_str(line).map_err(|e| EvalError::Invalid {
            file: file.display().to_string(),
            line: number + 1,
            problem: e.to_string(),
        })?;
        let (name, fold, gold, rows) = read;
        if sets.last().is_none_or(|set| set.set != name) {
            sets.push(Examples { set: name, questions: Vec::new() });
        }
        if let Some(set) = sets.last_mut() {
            set.questions.push(Asked { rows, gold: gold.into_iter().map(|unit| (unit, 1)).collect(), fold });
        }
    }
    Ok(sets)
}

/// Trees and what they gain.
#[derive(Debug, Serialize)]
pub struct Trained {
    /// The file that ships.
    #[serde(skip)]
    pub file: String,
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
        let forest = fit(sets, |asked| asked.fold != fold);
        for (set, gained) in sets.iter().zip(&mut gained) {
            for asked in set.questions.iter().filter(|asked| asked.fold == fold) {
                gained.now.add(&asked.judged(|found| found.score));
                gained.both_arms.add(&asked.judged(|found| f64::from(both_arms(&found.features))));
                let score = |found: &Found| both_arms(&found.features) + forest.sum(&found.features);
                gained.out_of_fold.add(&asked.judged(|found| f64::from(score(found))));
            }
        }
    }
    for set in &mut gained {
        let n = set.questions.max(1) as f64;
        [&mut set.now, &mut set.both_arms, &mut set.out_of_fold].into_iter().for_each(|means| means.over(n));
    }
    Trained { file: fit(sets, |_| true).write(&NAMES), sets: gained }
}

impl Trained {
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

/// Trees from the questions that `takes` takes.
fn fit(sets: &[Examples], takes: impl Fn(&Asked) -> bool) -> Forest {
    let learns = |asked: &&Asked| takes(asked) && asked.rows.iter().any(|found| found.gold);
    let mut taken: Vec<(&Asked, f64)> = Vec::new();
    for set in sets {
        let own: Vec<&Asked> = set.questions.iter().filter(learns).collect();
        let share = 1.0 / (own.len().max(1) as f64).sqrt();
        taken.extend(own.into_iter().map(|asked| (asked, share)));
    }
    let mean = taken.iter().map(|(_, share)| share).sum::<f64>() / taken.len().max(1) as f64;
    let rows: Vec<&[f32]> =
        taken.iter().flat_map(|(asked, _)| asked.rows.iter().map(|found| found.features.as_slice())).collect();
    let begin = rows.iter().map(|row| f64::from(both_arms(row))).collect();
    let mut boosting = Boosting::new(&rows, begin, SHAPE);
    let mut tree = || {
        let (mut slopes, mut at) = (Vec::with_capacity(rows.len()), 0);
        for (asked, share) in &taken {
            let sums = &boosting.sums[at..at + asked.rows.len()];
            slopes.extend(asked.slopes(sums).into_iter().map(|(g, h)| (g * share / mean, h * share / mean)));
            at += asked.rows.len();
        }
        boosting.grow(&slopes)
    };
    Forest::new(0.0, (0..TREES).map(|_| tree()).collect())
}

impl Asked {
    /// How the gain of this question changes with the score of each row: first and second derivative.
    fn slopes(&self, scores: &[f64]) -> Vec<(f64, f64)> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let discount = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
        let ideal: f64 = (0..self.gold.len()).map(discount).sum::<f64>().max(1e-9);
        let mut slopes = vec![(0.0, 0.0); scores.len()];
        let mut all = 0.0;
        let golds = order.iter().enumerate().filter(|(_, at)| self.rows[**at].gold);
        for (high, gold) in golds {
            for (low, other) in order.iter().enumerate().filter(|(_, at)| !self.rows[**at].gold) {
                if high.min(low) >= SEEN {
                    break;
                }
                let apart = STEEP * (scores[*gold] - scores[*other]);
                let gain = (discount(high) - discount(low)).abs() / ideal / (CLOSE + apart.abs());
                let wrong = 1.0 / (1.0 + apart.exp());
                let (g, h) = (gain * wrong, gain * wrong * (1.0 - wrong));
                slopes[*gold] = (slopes[*gold].0 + g, slopes[*gold].1 + h);
                slopes[*other] = (slopes[*other].0 - g, slopes[*other].1 + h);
                all += 2.0 * g;
            }
        }
        // A question with many pairs does not outweigh the others.
        let norm = if all > 0.0 { (1.0 + all).log2() / all } else { 0.0 };
        slopes.into_iter().map(|(g, h)| (g * norm, h * norm)).collect()
    }
}

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
            features[at("lexical")] = 0.3 + 0.05 * ((n * 7 + seed) % 8) as f32;
            features[at("window_12")] = if n == seed % 8 { 0.9 } else { 0.1 * (n % 3) as f32 };
            Found { unit: n.to_string(), gold: n == seed % 8, score: f64::from(features[0]), features }
        });
        Asked { rows: rows.collect(), gold: HashMap::from([((seed % 8).to_string(), 1)]), fold: seed % FOLDS }
    }

    #[test]
    fn a_feature_that_tells_gold_apart_is_learnt_and_its_gain_is_seen_out_of_fold() {
        let set = Examples { set: "little".into(), questions: (0..400).map(asked).collect() };
        let trained = train(&[set]);
        let gained = &trained.sets[0];
        assert!(gained.out_of_fold.recall_1 > 95.0 && gained.now.recall_1 < 60.0, "{gained:?}");
        assert!(Forest::read(&trained.file, &NAMES).is_some() && trained.table().contains("little"));
    }
}
