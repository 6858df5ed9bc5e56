//! Is the comparison with a baseline worth its red light? Simulated runs through the very code that decides: how often does a build
//! that did not change stay green, and how often is one that lost something caught?

use serde::Serialize;

use crate::{
    EvalError,
    baseline::{Comparison, Guard, Record, Scored},
    interval::Draws,
};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Study {
    /// Cases of the suite.
    pub cases: usize,
    /// Share of the verdicts that differ between two runs of the same build, as often for the better as for the worse.
    pub flips: f64,
    /// Share of the cases that the worse build has lost.
    pub drop: f64,
    /// Pairs of runs of each kind.
    pub rounds: usize,
}

impl Default for Study {
    fn default() -> Self {
        Self { cases: 200, flips: crate::baseline::FLIPS, drop: 0.1, rounds: 1000 }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Power {
    /// What was simulated.
    pub study: Study,
    /// Share of the pairs without a change that stayed green.
    pub green: f64,
    /// Share of the pairs with a drop that were caught.
    pub caught: f64,
    /// Share of the pairs without a change on which a fixed tolerance of the least drop, without a test, would have been green.
    pub green_without_test: f64,
}

const SEED: u64 = 0x5eed_0003;
/// Share of the cases that pass before.
const PASS: f64 = 0.8;
const METRIC: &str = "answer.correct";

impl Power {
    /// The result as plain text.
    pub fn table(&self) -> String {
        let Study { cases, flips, drop, rounds } = self.study;
        let percent = |share: f64| 100.0 * share;
        format!(
            "{cases} cases, {:.1} % of the verdicts differ between runs of the same build, {rounds} pairs of runs\n\
             nothing changed        green in {:.1} of 100 (a fixed tolerance without a test: {:.1})\n\
             {:>4.1} points lost       red in {:.1} of 100\n",
            percent(flips),
            percent(self.green),
            percent(self.green_without_test),
            percent(drop),
            percent(self.caught)
        )
    }
}

impl Study {
    /// Runs the simulation; the same study gives the same result.
    ///
    /// # Errors
    /// If the study has no cases.
    pub fn run(&self, guard: &Guard) -> Result<Power, EvalError> {
        let mut draw = Draws(SEED);
        let (mut green, mut caught, mut tolerated) = (0, 0, 0);
        for _ in 0..self.rounds {
            let (before, after) = self.pair(&mut draw, 0.0);
            let same = Comparison::of(&before, &after, guard)?;
            green += usize::from(!same.dropped());
            let metric = &same.metrics[0];
            tolerated += usize::from(metric.before - metric.after < guard.least_drop - 1e-9);
            let (before, after) = self.pair(&mut draw, self.drop);
            caught += usize::from(Comparison::of(&before, &after, guard)?.dropped());
        }
        let share = |n: usize| n as f64 / self.rounds.max(1) as f64;
        Ok(Power { study: *self, green: share(green), caught: share(caught), green_without_test: share(tolerated) })
    }

    /// Two runs over the same cases; the second lost `drop` of all cases, taken from those that passed in both.
    fn pair(&self, draw: &mut Draws, drop: f64) -> (Record, Record) {
        let mut chance = |p: f64| (draw.next() >> 11) as f64 / (1_u64 << 53) as f64 <= p;
        let mut verdicts: Vec<(bool, bool)> = (0..self.cases)
            .map(|_| {
                let passes = chance(PASS);
                if chance(self.flips) {
                    let better = chance(0.5);
                    (!better, better)
                } else {
                    (passes, passes)
                }
            })
            .collect();
        // Cases are drawn independently, so those that stand first are as good a sample as any.
        let lost = (drop * self.cases as f64).round() as usize;
        verdicts.iter_mut().filter(|v| **v == (true, true)).take(lost).for_each(|v| v.1 = false);
        let record = |side: fn(&(bool, bool)) -> bool| {
            let case = |(i, v): (usize, &(bool, bool))| {
                let scores = [(METRIC.to_owned(), f64::from(u8::from(side(v))))].into();
                (format!("{i:06}"), Scored { scores, ..Scored::default() })
            };
            Record::simulated(METRIC, verdicts.iter().enumerate().map(case).collect())
        };
        (record(|v| v.0), record(|v| v.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_build_stays_green_and_a_drop_of_ten_points_is_caught() {
        let power = Study::default().run(&Guard::default()).unwrap();
        assert!(power.green >= 0.95, "{power:?}");
        assert!(power.caught >= 0.85, "{power:?}");
        // What the test is for: without it, the same tolerance is red without a reason more often.
        assert!(power.green_without_test < power.green, "{power:?}");
        assert_eq!(power, Study::default().run(&Guard::default()).unwrap());
    }

    #[test]
    fn small_and_large_suites_stay_green_too() {
        for cases in [20, 50, 100] {
            let power = Study { cases, rounds: 200, ..Study::default() }.run(&Guard::default()).unwrap();
            assert!(power.green >= 0.95, "{power:?}");
        }
    }

    #[test]
    fn without_noise_nothing_is_red_and_every_drop_is_caught() {
        let power = Study { flips: 0.0, rounds: 50, ..Study::default() }.run(&Guard::default()).unwrap();
        assert_eq!((power.green, power.caught), (1.0, 1.0));
    }
}
