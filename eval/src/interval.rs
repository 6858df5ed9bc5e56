//! How sure is a mean? A 95 % interval by the bias-corrected and accelerated bootstrap, drawn by document.
//!
//! Questions about one report are not independent, so whole documents are drawn, not questions (cluster bootstrap; Davison & Hinkley,
//! *Bootstrap Methods and their Application*, 1997, 3.8). Correction and acceleration: Efron, *Better Bootstrap Confidence Intervals*,
//! JASA 82 (1987); Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993, 14.3. Draws come from a fixed seed: the same
//! outcomes give the same interval.

use serde::Serialize;

/// Resamples per interval.
const RESAMPLES: usize = 10_000;
/// Fewer values than this show a mean and no interval.
pub const LEAST: usize = 10;
const SEED: u64 = 0x5eed_0001;

/// A mean over questions with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end of the 95 % interval; absent under 10 values, and where all documents agree.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Questions it was measured on.
    pub n: usize,
}

/// The mean of values that belong to clusters (documents). `None` if there are no values: that is unmeasured, not zero.
pub fn estimate<'a>(values: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Estimate> {
    let mut clusters: std::collections::BTreeMap<&str, (f64, f64)> = std::collections::BTreeMap::new();
    let mut n = 0;
    for (cluster, value) in values {
        let (sum, count) = clusters.entry(cluster).or_default();
        *sum += value;
        *count += 1.0;
        n += 1;
    }
    if n == 0 {
        return None;
    }
    let clusters: Vec<(f64, f64)> = clusters.into_values().collect();
    let mean = ratio(clusters.iter().copied());
    // Where all documents agree, resampling them cannot say how sure that is; an interval of no width would claim that it does.
    let varied = clusters.iter().any(|(sum, count)| (sum / count - mean).abs() > 1e-12);
    let interval = (n >= LEAST && varied).then(|| interval(&clusters, mean));
    Some(Estimate { mean, low: interval.map(|i| i.0), high: interval.map(|i| i.1), n })
}

fn ratio(clusters: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (sum, count) = clusters.fold((0.0, 0.0), |(s, c), (sum, count)| (s + sum, c + count));
    sum / count
}

fn interval(clusters: &[(f64, f64)], mean: f64) -> (f64, f64) {
    let mut draw = Draws(SEED);
    let mut means: Vec<f64> =
        (0..RESAMPLES).map(|_| ratio((0..clusters.len()).map(|_| clusters[draw.below(clusters.len())]))).collect();
    means.sort_unstable_by(f64::total_cmp);

    // Bias: how far the estimate lies from the middle of its resamples. Ties count half, because means of few 0s and 1s tie a lot.
    let close = |m: &f64| (m - mean).abs() < 1e-12;
    let below = means.iter().filter(|m| **m < mean && !close(m)).count() as f64;
    let share = (below + 0.5 * means.iter().filter(|m| close(m)).count() as f64) / RESAMPLES as f64;
    if share <= 0.0 || share >= 1.0 {
        return (means[0], means[RESAMPLES - 1]);
    }
    let bias = quantile_of_normal(share);

    // Acceleration: skewness of the estimate when each document is left out once.
    let left_out: Vec<f64> =
        (0..clusters.len()).map(|i| ratio(clusters.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, c)| *c))).collect();
    let middle = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let (square, cube) = left_out.iter().map(|m| middle - m).fold((0.0, 0.0), |(s, c): (f64, f64), d| (s + d * d, c + d * d * d));
    let acceleration = if square > 0.0 { cube / (6.0 * square.powf(1.5)) } else { 0.0 };

    let end = |level: f64| {
        let z = bias + quantile_of_normal(level);
        let at = normal(bias + z / (1.0 - acceleration * z)) * (RESAMPLES - 1) as f64;
        means[(at.round() as usize).min(RESAMPLES - 1)]
    };
    (end(0.025), end(0.975))
}

/// SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): small, and good enough to draw documents.
pub(crate) struct Draws(pub u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; the high half of the product, so no modulo bias worth naming.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// Φ, by Abramowitz & Stegun 26.2.17 (error below 7.5e-8, far below one resample in ten thousand).
fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt() * poly;
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The inverse of Φ, by Wichura's AS 241 (PPND7, Applied Statistics 37, 1988; about seven digits).
fn quantile_of_normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * (((59.109_374_72 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9)
            / (((67.187_563_6 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0);
    }
    let r = (-(if q < 0.0 { p } else { 1.0 - p }).ln()).sqrt();
    let z = if r <= 5.0 {
        let r = r - 1.6;
        (((0.170_238_21 * r + 1.306_728_481_6) * r + 2.756_815_39) * r + 1.423_437_277_7)
            / ((0.120_211_325 * r + 0.737_001_642_5) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_389_1) * r + 6.657_905_115)
            / ((0.012_258_202_635 * r + 0.241_978_942_251) * r + 1.0)
    };
    if q < 0.0 { -z } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(values: &[f64]) -> Estimate {
        let names: Vec<String> = (0..values.len()).map(|i| i.to_string()).collect();
        estimate(names.iter().map(String::as_str).zip(values.iter().copied())).unwrap()
    }

    #[test]
    fn the_normal_and_its_inverse_agree_with_the_tables() {
        for (p, z) in [(0.025, -1.959_963_985), (0.5, 0.0), (0.9, 1.281_551_566), (0.999, 3.090_232_306), (1e-12, -7.034_483_825)]
        {
            assert!((quantile_of_normal(p) - z).abs() < 2e-6, "{p}: {}", quantile_of_normal(p));
            assert!((normal(z) - p).abs() < 1e-7);
        }
    }

    #[test]
    fn the_interval_agrees_with_a_reference_implementation() {
        // scipy.stats.bootstrap(method="BCa", n_resamples=200_000) gives 0.4888 to 0.8267.
        let e = each(&[1.0, 1.0, 1.0, 0.5, 1.0, 0.333, 1.0, 0.2, 0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0, 0.25, 1.0, 0.5, 1.0, 0.143]);
        assert!((e.low.unwrap() - 0.4888).abs() < 0.01 && (e.high.unwrap() - 0.8267).abs() < 0.01, "{e:?}");
    }

    #[test]
    fn the_interval_by_document_agrees_with_a_reference_implementation() {
        // The same reference on (sum, count) pairs of seven documents, paired, with their ratio as the statistic: 0.32 to 0.84.
        let documents = [(3, 4), (1, 3), (4, 4), (0, 2), (2, 2), (5, 6), (1, 5)];
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let values = names
            .iter()
            .zip(documents)
            .flat_map(|(name, (right, all))| (0..all).map(move |i| (*name, f64::from(u8::from(i < right)))));
        let e = estimate(values).unwrap();
        assert!((e.low.unwrap() - 0.32).abs() < 0.02 && (e.high.unwrap() - 0.84).abs() < 0.02, "{e:?}");
    }

    #[test]
    fn questions_of_one_document_do_not_make_us_surer() {
        let values: Vec<f64> = (0..20).map(|i| f64::from(i % 2)).collect();
        let apart = each(&values);
        let names: Vec<String> = (0..20).map(|i| format!("文档{}", i % 4)).collect();
        let together = estimate(names.iter().map(String::as_str).zip(values)).unwrap();
        assert_eq!(apart.mean, together.mean);
        assert!(together.high.unwrap() - together.low.unwrap() > apart.high.unwrap() - apart.low.unwrap());
    }

    #[test]
    fn the_same_outcomes_give_the_same_interval_and_few_give_none() {
        let values: Vec<f64> = (0..30).map(|i| f64::from(i % 3) / 2.0).collect();
        assert_eq!(each(&values), each(&values));
        assert_eq!(each(&[1.0, 0.0]).low, None);
        assert_eq!(estimate(std::iter::empty::<(&str, f64)>()), None);
        assert_eq!((each(&[1.0; 12]).mean, each(&[1.0; 12]).low), (1.0, None));
    }
}
