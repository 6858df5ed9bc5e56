//! Does a gate notice? A target broken on purpose: a gate that still passes with a mutant in front proves nothing.

use std::{path::Path, str::FromStr};

use async_trait::async_trait;
use index::{
    corpus::DocumentId,
    hit::{Filters, Hits, Mode},
};
use rag::ask::{Answer, Ask, Reason, Refusal, Verdict};

use crate::{EvalError, Ingested, Target, interval::Draws, invalid::nearest};

/// A way to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Hits come in a random (but repeatable) order: the gates on ranks must fail.
    ShuffledRanks,
    /// Answers come without their citations: the gate on citations must fail.
    DroppedCitations,
    /// Every question is refused: the gates on facts and on false refusals must fail.
    AlwaysRefuses,
}

const NAMES: [(&str, Mutant); 3] = [
    ("shuffled-ranks", Mutant::ShuffledRanks),
    ("dropped-citations", Mutant::DroppedCitations),
    ("always-refuses", Mutant::AlwaysRefuses),
];

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ShuffledRanks, Self::DroppedCitations, Self::AlwaysRefuses];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, m)| *m == self).map_or("", |(n, _)| n)
    }

    /// The target, broken this way.
    pub fn of(self, target: &dyn Target) -> Mutated<'_> {
        Mutated { target, mutant: self }
    }
}

impl FromStr for Mutant {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, m)| *m).ok_or_else(|| {
            let near = nearest(name, NAMES.iter().map(|(n, _)| *n)).unwrap_or("shuffled-ranks");
            format!("unknown mutant `{name}`, did you mean `{near}`?")
        })
    }
}

/// A target with a [`Mutant`] in front.
pub struct Mutated<'a> {
    target: &'a dyn Target,
    mutant: Mutant,
}

#[async_trait]
impl Target for Mutated<'_> {
    async fn ingest(&self, corpus: &Path) -> Result<Ingested, EvalError> {
        self.target.ingest(corpus).await
    }

    async fn search(&self, query: &str, mode: Mode, top_k: usize, filters: &Filters) -> Result<Hits, EvalError> {
        let mut hits = self.target.search(query, mode, top_k, filters).await?;
        if self.mutant == Mutant::ShuffledRanks {
            let mut draw = Draws(query.bytes().fold(7, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b))));
            for i in (1..hits.data.len()).rev() {
                hits.data.swap(i, draw.below(i + 1));
            }
            for (hit, rank) in hits.data.iter_mut().zip(1..) {
                hit.rank = rank;
            }
        }
        Ok(hits)
    }

    async fn meant(&self, ask: &Ask) -> Result<String, EvalError> {
        self.target.meant(ask).await
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, EvalError> {
        let mut answer = self.target.ask(ask).await?;
        match self.mutant {
            Mutant::ShuffledRanks => {}
            Mutant::DroppedCitations => answer.citations.clear(),
            Mutant::AlwaysRefuses => {
                answer.verdict = Verdict::Refused;
                answer.text = "refused on purpose".into();
                answer.citations.clear();
                answer.refusal = Some(Refusal { reason: Reason::NoEvidence, message: answer.text.clone(), nearest: Vec::new() });
            }
        }
        Ok(answer)
    }

    async fn page_text(&self, document: &DocumentId, version: u32, part: u32) -> Result<Option<String>, EvalError> {
        self.target.page_text(document, version, part).await
    }
}
