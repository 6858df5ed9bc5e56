//! What tells a sentence that answers from one that does not? Learned from public questions: the sentences of the evidence,
//! described by `rag::select`, and whether each holds an answer. Boosted trees weigh the descriptions; what is reported was always weighed by trees that had not seen the
//! question's document (five folds).

use std::{collections::BTreeMap, fmt::Write, path::Path};

use rag::{
    forest::Forest,
    select::{FEATURES, Weighed},
};
use serde::{Deserialize, Serialize};

use crate::{
    EvalError,
    boost::{Boosting, Shape},
    matching::states,
    set::{Set, spread},
};

/// Trees in a forest.
const TREES: usize = 140;
const SHAPE: Shape = Shape { depth: 4, rate: 0.08, leaf: 40 };
const FOLDS: usize = 5;
/// Sentences kept of one question: those that share least with it never win.
const KEPT: usize = 40;

/// A question to learn from.
#[derive(Debug, Clone)]
pub struct Lesson {
    /// The question.
    pub question: String,
    /// The documents that answer it, by the set's ids.
    pub documents: Vec<String>,
    answers: Vec<String>,
    answerable: bool,
    set: String,
    cluster: String,
}

/// The lessons of a set: its questions whose answer is a piece of text, and those without an answer.
///
/// # Errors
/// If the directory is no valid set.
pub fn lessons(dir: &Path, language: &str, limit: Option<usize>) -> Result<Vec<Lesson>, EvalError> {
    let set = Set::read(dir)?;
    let name = set.name().to_owned();
    let lessons: Vec<Lesson> = set
        .spans(language)
        .map(|(question, answers, documents, answerable, cluster)| Lesson {
            question,
            documents,
            answers,
            answerable,
            set: name.clone(),
            cluster,
        })
        .collect();
    Ok(spread(&lessons, limit).into_iter().cloned().collect())
}

/// What was learned from, question by question.
#[derive(Default)]
pub struct Learned {
    groups: Vec<Group>,
}

/// The sentences found for one question.
#[derive(Serialize, Deserialize)]
struct Group {
    set: String,
    cluster: String,
    case: Case,
    rows: Vec<(Vec<f32>, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Case {
    /// Its documents were among the evidence.
    Answerable,
    /// Nobody answers it.
    Unanswerable,
    /// The documents that answer it were taken out of the evidence.
    Withheld,
}

impl Learned {
    /// Adds what was found for a question; `withheld` if its documents were taken out.
    pub fn add(&mut self, lesson: &Lesson, withheld: bool, sentences: &[(String, Weighed)]) {
        let answers = |document: &String, text: &str| {
            !withheld && lesson.documents.contains(document) && lesson.answers.iter().any(|answer| states(text, answer))
        };
        let mut rows: Vec<(Vec<f32>, bool)> =
            sentences.iter().map(|(document, s)| (s.features.clone(), answers(document, &s.text))).collect();
        rows.sort_by(|a, b| (b.0[0] + b.0[3]).total_cmp(&(a.0[0] + a.0[3])));
        rows.truncate(KEPT);
        let case = match (withheld, lesson.answerable) {
            (true, _) => Case::Withheld,
            (false, true) => Case::Answerable,
            (false, false) => Case::Unanswerable,
        };
        self.groups.push(Group { set: lesson.set.clone(), cluster: lesson.cluster.clone(), case, rows });
    }

    /// What was learned from, a line of JSON per question.
    pub fn lines(&self) -> String {
        self.groups.iter().filter_map(|group| Some(serde_json::to_string(group).ok()? + "\n")).collect()
    }

    /// Adds what an earlier run wrote.
    ///
    /// # Errors
    /// If the file cannot be read, or describes sentences otherwise.
    pub fn reread(&mut self, file: &Path) -> Result<(), EvalError> {
        let path = || file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|source| EvalError::Unreadable { path: path(), source })?;
        for (number, line) in text.lines().enumerate() {
            let wrong = |problem: String| EvalError::Invalid { file: path(), line: number + 1, problem };
            let group: Group = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
            if group.rows.iter().any(|(features, _)| features.len() != FEATURES.len()) {
                return Err(wrong("was written by a program that describes sentences otherwise".into()));
            }
            self.groups.push(group);
        }
        Ok(())
    }

    /// Grows the forest, and says how well such forests do on questions that they have not seen.
    pub fn grow(&self) -> (String, String) {
        let mut chances: Vec<Vec<f32>> = vec![Vec::new(); self.groups.len()];
        for fold in 0..FOLDS {
            let (seen, unseen): (Vec<usize>, Vec<usize>) =
                (0..self.groups.len()).partition(|&at| fold_of(&self.groups[at].cluster) != fold);
            let forest = self.forest(&seen);
            for at in unseen {
                chances[at] = self.groups[at].rows.iter().map(|(features, _)| forest.chance(features)).collect();
            }
        }
        let all: Vec<usize> = (0..self.groups.len()).collect();
        (self.forest(&all).write(&FEATURES), self.table(&chances))
    }

    fn forest(&self, of: &[usize]) -> Forest {
        let rows: Vec<&(Vec<f32>, bool)> = of.iter().flat_map(|&at| &self.groups[at].rows).collect();
        boosted(&rows)
    }

    fn table(&self, chances: &[Vec<f32>]) -> String {
        let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, group) in self.groups.iter().enumerate() {
            sets.entry(&group.set).or_default().push(at);
        }
        let mut out = String::from(
            "set              questions  first  first two  | refused of those without an answer (withheld) at 5, 10, 15, 20, 25 % false\n",
        );
        for (set, groups) in sets {
            let of = |case: Case| groups.iter().copied().filter(move |&at| self.groups[at].case == case);
            let (mut n, mut first, mut two) = (0, 0, 0);
            let best = |at: usize| chances[at].iter().copied().fold(0.0, f32::max);
            for at in of(Case::Answerable) {
                let mut order: Vec<usize> = (0..chances[at].len()).collect();
                order.sort_by(|&a, &b| chances[at][b].total_cmp(&chances[at][a]));
                let right = |row: &usize| self.groups[at].rows[*row].1;
                n += 1;
                first += usize::from(order.first().is_some_and(right));
                two += usize::from(order.iter().take(2).any(right));
            }
            let mut answered: Vec<f32> = of(Case::Answerable).map(best).collect();
            answered.sort_by(f32::total_cmp);
            let share = |a: usize, b: usize| 100.0 * a as f64 / b.max(1) as f64;
            write!(out, "{set:16} {n:9}  {:5.1}  {:9.1}  |", share(first, n), share(two, n)).ok();
            for case in [Case::Unanswerable, Case::Withheld] {
                let refused: Vec<f32> = of(case).map(best).collect();
                for part in [5, 10, 15, 20, 25] {
                    let bound = answered.get(answered.len() * part / 100).copied().unwrap_or(0.0);
                    let right = refused.iter().filter(|chance| **chance < bound).count();
                    write!(out, " {:5.1} ({bound:.2})", share(right, refused.len())).ok();
                }
                write!(out, "  |").ok();
            }
            out.push('\n');
        }
        out
    }
}

fn fold_of(cluster: &str) -> usize {
    cluster.bytes().fold(17_usize, |hash, b| hash.wrapping_mul(31).wrapping_add(b as usize)) % FOLDS
}

/// Trees for the chance that a row is one of those that answer.
fn boosted(rows: &[&(Vec<f32>, bool)]) -> Forest {
    let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
    let share = (labels.iter().filter(|label| **label).count() as f64 + 1.0) / (labels.len() as f64 + 2.0);
    let base = (share / (1.0 - share)).ln();
    let features: Vec<&[f32]> = rows.iter().map(|(features, _)| features.as_slice()).collect();
    let mut boosting = Boosting::new(&features, vec![base; rows.len()], SHAPE);
    let slope = |(sum, label): (&f64, &bool)| {
        let chance = 1.0 / (1.0 + (-sum).exp());
        (f64::from(u8::from(*label)) - chance, chance * (1.0 - chance))
    };
    let mut tree = || {
        let slopes: Vec<(f64, f64)> = boosting.sums.iter().zip(&labels).map(slope).collect();
        boosting.grow(&slopes)
    };
    Forest::new(base as f32, (0..TREES).map(|_| tree()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::Draws;

    #[test]
    fn trees_learn_what_tells_rows_apart() {
        let mut draws = Draws(3);
        let rows: Vec<(Vec<f32>, bool)> = (0..2000)
            .map(|_| {
                let mut features: Vec<f32> = (0..FEATURES.len()).map(|_| draws.below(100) as f32 / 100.0).collect();
                let label = features[3] > 0.5 && features[5] < 0.3;
                features[0] = 0.0;
                (features, label)
            })
            .collect();
        let forest = boosted(&rows.iter().collect::<Vec<_>>());
        let right = rows.iter().filter(|(features, label)| (forest.chance(features) > 0.5) == *label).count();
        assert!(right > 1950, "{right}");
        assert_eq!(Forest::read(&forest.write(&FEATURES), &FEATURES).unwrap(), forest);
    }
}
