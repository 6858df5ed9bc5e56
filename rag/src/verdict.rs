//! How is a question settled? Answered, in part, or refused with a reason: read from what is left after the check.

use index::hit::Hit;

use crate::{
    ask::{Citation, Computation, Figure, Reason, Refusal, Verdict},
    cite::Checked,
    evidence::Evidence,
    question::Question,
};

/// Hits shown with a refusal.
const NEAREST: usize = 3;

/// A question, settled: what an answer says.
#[derive(Debug, Clone)]
pub struct Settled {
    /// How.
    pub verdict: Verdict,
    /// The text; for a refusal its message.
    pub text: String,
    /// The proof of the text.
    pub citations: Vec<Citation>,
    /// The figures that were looked up.
    pub figures: Vec<Figure>,
    /// What was worked out of figures.
    pub computations: Vec<Computation>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
}

/// Settles a question with what the check left.
pub fn settle(question: &Question, evidence: &Evidence, checked: Checked) -> Settled {
    let Checked { text, citations, figures, computations, missing, refused, .. } = checked;
    if let Some((reason, message)) = refused {
        return refuse(evidence, reason, message);
    }
    if citations.is_empty() {
        return refuse(evidence, Reason::WeakEvidence, weak(question));
    }
    let verdict = if missing.is_empty() { Verdict::Answered } else { Verdict::Partial };
    let gap = if text.is_empty() || missing.is_empty() || question.chinese { "" } else { " " };
    let text = format!("{text}{gap}{}", missing.join(gap));
    Settled { verdict, text, citations, figures, computations, refusal: None }
}

/// A refusal with the nearest passages.
pub fn refuse(evidence: &Evidence, reason: Reason, message: String) -> Settled {
    let nearest: Vec<Hit> = evidence.hits.iter().take(NEAREST).cloned().collect();
    Settled {
        verdict: Verdict::Refused,
        text: message.clone(),
        citations: Vec::new(),
        figures: Vec::new(),
        computations: Vec::new(),
        refusal: Some(Refusal { reason, message, nearest }),
    }
}

/// What is said where passages were found but none carries an answer.
pub(crate) fn weak(question: &Question) -> String {
    if question.chinese {
        "找到了相关段落，但其中没有能够支持回答的内容".into()
    } else {
        "Related passages were found, but none of them supports an answer".into()
    }
}
