//! What would another bound on the confidence give? For each bound: how many of the questions without an answer would be refused,
//! how many of those with one, and how many answers would be wrong. Read off one run, since an answer says how sure it was even
//! where it was refused; what was refused for a reason of its own stays refused.

use serde::Serialize;

use crate::outcome::{Judgement, Outcome};

/// Shares of falsely refused questions at which the curve is shown.
const AT: [f64; 7] = [0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40];

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The bound: what is less sure is refused.
    pub bound: f32,
    /// Share of the answerable questions that are refused.
    pub false_refusals: f64,
    /// Share of the unanswerable questions that are refused.
    pub right_refusals: f64,
}

/// The points at which about 5, 10, … 40 % of the answerable questions are refused; none without both kinds of questions.
pub fn curve(outcomes: &[Outcome]) -> Vec<Point> {
    let asked = || outcomes.iter().filter(|outcome| outcome.refused.is_some());
    let sure = |outcome: &Outcome| match outcome.confidence {
        Some(confidence) => confidence,
        None if outcome.judgement == Some(Judgement::Refused) || outcome.refused == Some(true) => -1.0,
        None => f32::INFINITY,
    };
    let mut answerable: Vec<f32> = asked().filter(|o| o.answerable).map(sure).collect();
    let unanswerable: Vec<f32> = asked().filter(|o| !o.answerable).map(sure).collect();
    if answerable.is_empty() || unanswerable.is_empty() || asked().all(|o| o.confidence.is_none()) {
        return Vec::new();
    }
    answerable.sort_by(f32::total_cmp);
    let share = |of: &[f32], bound: f32| of.iter().filter(|sure| **sure < bound).count() as f64 / of.len() as f64;
    let mut points: Vec<Point> = AT
        .iter()
        .filter_map(|at| answerable.get((at * answerable.len() as f64) as usize))
        .filter(|bound| bound.is_finite())
        .map(|&bound| Point { bound, false_refusals: share(&answerable, bound), right_refusals: share(&unanswerable, bound) })
        .collect();
    points.dedup_by(|a, b| a.bound == b.bound);
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Expected, Probe};

    #[test]
    fn a_higher_bound_refuses_more_of_both_kinds() {
        let outcome = |answerable: bool, confidence: f32| {
            let probe = Probe { expected: Expected { answerable, ..Expected::default() }, ..Probe::default() };
            let mut outcome = Outcome::new("all", &probe);
            (outcome.refused, outcome.confidence) = (Some(false), Some(confidence));
            outcome
        };
        let outcomes: Vec<Outcome> = (0..20)
            .map(|i| outcome(true, 0.2 + i as f32 / 40.0))
            .chain((0..20).map(|i| outcome(false, i as f32 / 40.0)))
            .collect();
        let points = curve(&outcomes);
        assert_eq!(points.len(), AT.len());
        assert!(
            points.windows(2).all(|p| p[0].false_refusals < p[1].false_refusals && p[0].right_refusals <= p[1].right_refusals)
        );
        assert_eq!((points[4].false_refusals, points[4].right_refusals), (0.25, 0.65));
        assert!(curve(&outcomes[..20]).is_empty());
    }
}
