//! Did a number drop, or did a few verdicts just flip? Paired, two-sided tests of one run against another.
//!
//! The null hypothesis is run-to-run noise: a case that changed is as likely to have become better as worse. Where all changes have one
//! size (yes or no) the exact sign test is McNemar's exact test (Psychometrika 12, 1947; Dixon & Mood, JASA 41, 1946). Where scores
//! are graded, signs are flipped at random (Fisher's randomisation test; Pitman, 1937): all 2^n ways, or 10,000 draws from a fixed
//! seed. Several metrics are several chances for a false alarm: the level is divided by their number, leaving out those with so few
//! changes that they could not raise one (Tarone, *Biometrics* 46, 1990).

use crate::interval::Draws;

const DRAWS: usize = 10_000;
/// Up to so many changed cases, all ways to flip their signs are tried.
const ENUMERATED: usize = 13;
const SEED: u64 = 0x5eed_0002;
const SAME: f64 = 1e-9;

/// How likely a change this large, either way, is if nothing changed but by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Test {
    pub(crate) p: f64,
    /// The smallest `p` that this many changes could have given.
    pub(crate) least: f64,
}

/// Tests the losses of all pairs; positive is worse, zero is a pair that agrees.
pub(crate) fn test(losses: &[f64]) -> Test {
    let changed: Vec<f64> = losses.iter().copied().filter(|d| d.abs() > SAME).collect();
    let n = changed.len();
    let each = 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX));
    let seen = changed.iter().sum::<f64>().abs();
    let alike = changed.iter().all(|d| (d.abs() - changed[0].abs()).abs() < SAME);
    let p = match () {
        () if alike => {
            let worse = changed.iter().filter(|d| **d > 0.0).count();
            2.0 * at_least(n, worse.max(n - worse))
        }
        () if n <= ENUMERATED => {
            let sign = |flips: usize, i: usize| if flips >> i & 1 == 1 { -1.0 } else { 1.0 };
            let flipped = |flips: usize| changed.iter().enumerate().map(|(i, d)| sign(flips, i) * d.abs()).sum::<f64>();
            (0..1 << n).filter(|flips| flipped(*flips).abs() >= seen - SAME).count() as f64 * each
        }
        () => {
            let mut draw = Draws(SEED);
            let mut flipped = || changed.iter().map(|d| if draw.next() >> 63 == 1 { *d } else { -d }).sum::<f64>();
            let extreme = (0..DRAWS).filter(|_| flipped().abs() >= seen - SAME).count();
            (extreme + 1) as f64 / (DRAWS + 1) as f64
        }
    };
    Test { p: p.min(1.0), least: (2.0 * each).min(1.0) }
}

/// The level at which each of several tests is held, so that all together raise a false alarm at most `alpha` of the time.
pub(crate) fn level(alpha: f64, tests: &[Test]) -> f64 {
    let could = |level: f64| tests.iter().filter(|t| t.least <= level).count();
    (1..=tests.len().max(1))
        .map(|k| (k, alpha / k as f64))
        .find(|(k, level)| could(*level) <= *k)
        .map_or(alpha, |(_, level)| level)
}

/// The smallest drop (a share of the cases) that is found in 80 of 100 runs, if `flips` of the verdicts differ between two runs of the
/// same build. Exact for yes-or-no metrics. `None` if even losing every case would not be found.
pub(crate) fn detectable(cases: usize, flips: f64, alpha: f64, least_drop: f64) -> Option<f64> {
    let found = |lost: usize| power(cases, lost, flips, alpha, least_drop) >= 0.8;
    let (mut low, mut high) = (0, cases);
    if cases == 0 || !found(high) {
        return None;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if found(middle) { high = middle } else { low = middle }
    }
    Some(high as f64 / cases as f64)
}

/// How often losing `lost` cases is found, over all ways in which the others may flip.
fn power(cases: usize, lost: usize, flips: f64, alpha: f64, least_drop: f64) -> f64 {
    let others = cases - lost;
    let mut power = 0.0;
    let mut share = if flips > 0.0 { others as f64 * (-flips).ln_1p() } else { 0.0 };
    for flipped in 0..=others {
        if share > -40.0 {
            let changed = lost + flipped;
            let significant = critical(changed, alpha / 2.0).map(|b| b.saturating_sub(lost));
            // worse − better ≥ least_drop · cases, with `w` of the flipped ones worse: lost + w − (flipped − w).
            let large = ((least_drop * cases as f64 - lost as f64 + flipped as f64) / 2.0 - SAME).ceil().max(0.0) as usize;
            power += significant.map_or(0.0, |w| share.exp() * at_least(flipped, w.max(large)));
        }
        if flips <= 0.0 || flipped == others {
            break;
        }
        share += ((others - flipped) as f64 / (flipped + 1) as f64 * flips / (1.0 - flips)).ln();
    }
    power
}

/// The fewest losses among `n` changes that chance exceeds with at most `alpha`.
fn critical(n: usize, alpha: f64) -> Option<usize> {
    let mut tail = 0.0;
    let mut fewest = None;
    for (k, term) in terms(n) {
        tail += term;
        if tail > alpha {
            break;
        }
        fewest = Some(k);
    }
    fewest
}

/// P(X ≥ b) of a fair coin thrown n times.
fn at_least(n: usize, b: usize) -> f64 {
    terms(n).take_while(|(k, _)| *k >= b).map(|(_, term)| term).sum::<f64>().min(1.0)
}

/// P(X = k) of a fair coin thrown n times, from k = n down to 0; by logarithms, since 2^-n is no number for large n.
fn terms(n: usize) -> impl Iterator<Item = (usize, f64)> {
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    (0..=n).rev().map(move |k| {
        let term = (k, log.exp());
        log += if k > 0 { (k as f64 / (n - k + 1) as f64).ln() } else { 0.0 };
        term
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(worse: usize, better: usize, same: usize) -> Test {
        let losses = [vec![1.0; worse], vec![-1.0; better], vec![0.0; same]].concat();
        test(&losses)
    }

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn the_exact_test_agrees_with_binomial_tables() {
        // Sums of binomial coefficients in whole numbers.
        close(binary(6, 0, 100).p, 0.03125);
        close(binary(9, 1, 40).p, 0.021_484_375);
        close(binary(1, 9, 40).p, 0.021_484_375);
        close(binary(30, 14, 0).p, 0.022_628_841);
        close(binary(4, 4, 3).p, 1.0);
        close(binary(0, 0, 50).p, 1.0);
        assert!(binary(1500, 900, 0).p < 1e-30 && binary(1500, 1500, 0).p > 0.99);
    }

    #[test]
    fn graded_losses_weigh_what_they_lose() {
        // One large loss among small gains is no evidence; consistent losses are. Of 2^5 signs the seen ones and their
        // opposite are as extreme.
        close(test(&[0.5, 0.4, 0.3, 0.2, 0.1, 0.0]).p, 2.0 / 32.0);
        assert!(test(&[1.0, -0.1, -0.1, -0.1, -0.1]).p > 0.4);
        let many: Vec<f64> = (0..40).map(|i| if i % 4 == 0 { -0.25 } else { 0.2 + f64::from(i) / 100.0 }).collect();
        assert!(test(&many).p < 0.001);
        assert_eq!(test(&many), test(&many));
    }

    #[test]
    fn metrics_that_could_not_alarm_do_not_cost_the_others() {
        let tests = |sizes: &[usize]| -> Vec<Test> { sizes.iter().map(|n| binary(*n, 0, 0)).collect() };
        close(level(0.05, &tests(&[20])), 0.05);
        close(level(0.05, &tests(&[20, 1, 0, 2, 0, 0, 3])), 0.05);
        close(level(0.05, &tests(&[20, 20, 20, 20])), 0.0125);
        close(level(0.05, &[]), 0.05);
    }

    #[test]
    fn the_smallest_detectable_drop_shrinks_with_cases_and_grows_with_noise() {
        // Six losses and no gain are the fewest that are significant.
        close(detectable(100, 0.0, 0.05, 0.03).unwrap(), 0.06);
        close(detectable(1000, 0.0, 0.05, 0.03).unwrap(), 0.03);
        assert_eq!(detectable(5, 0.0, 0.05, 0.03), None);
        let (quiet, noisy, large) =
            (detectable(200, 0.03, 0.05, 0.03), detectable(200, 0.08, 0.05, 0.03), detectable(800, 0.08, 0.05, 0.03));
        assert!(quiet < noisy && large < noisy && noisy < Some(0.1), "{quiet:?} {noisy:?} {large:?}");
    }
}
