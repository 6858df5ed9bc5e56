//! Do our measures say what trec_eval says? 120 random rankings with binary and graded relevance, scored by pytrec_eval.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use eval::metric::{Gain, Judged};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    ranking: Vec<String>,
    gold: HashMap<String, u32>,
    expected: Option<HashMap<String, f64>>,
}

#[test]
fn the_measures_agree_with_trec_eval() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/trec.json")).unwrap();
    let mut compared = 0;
    for case in fixture.cases {
        let relevant = case.gold.values().filter(|g| **g > 0).count();
        let judged = Judged::new(case.ranking, &case.gold).unwrap();
        let ours = |name: &str| {
            let (measure, k) = name.rsplit_once('_').unwrap();
            let depth: Result<usize, _> = k.parse();
            match (measure, depth) {
                ("success", Ok(k)) => judged.hit(k),
                ("recall", Ok(k)) => judged.recall(k),
                ("P", Ok(k)) => judged.precision(k),
                // trec_eval divides by all relevant units, also by those that cannot stand among the first k.
                ("map_cut", Ok(k)) => judged.average_precision(k) * relevant.min(k) as f64 / relevant as f64,
                ("ndcg_cut", Ok(k)) => judged.ndcg(k, Gain::Linear),
                ("exp_ndcg_cut", Ok(k)) => judged.ndcg(k, Gain::Exponential),
                _ => judged.mrr(usize::MAX),
            }
        };
        match case.expected {
            None => assert_eq!((judged.hit(10), judged.ndcg(10, Gain::Linear), judged.mrr(10)), (0.0, 0.0, 0.0)),
            Some(expected) => {
                for (name, theirs) in expected {
                    assert!((ours(&name) - theirs).abs() < 1e-9, "{} {name}: {} against {theirs}", case.id, ours(&name));
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 2_000, "{compared}");
}
