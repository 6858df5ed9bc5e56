//! How is a question settled? Answered, in part, or refused with a reason: read from what is left after the check.

use index::hit::{Hit, Source};

use crate::{
    ask::{Citation, Computation, Figure, Reason, Refusal, Verdict},
    cite::Checked,
    evidence::Evidence,
    question::{Question, years},
    sentence::is_han,
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
    /// The chance that the best sentence answers, where sentences were weighed.
    pub chance: Option<f32>,
}

/// Settles a question with what the check left.
pub fn settle(question: &Question, evidence: &Evidence, checked: Checked) -> Settled {
    let chance = checked.chance;
    Settled { chance, ..settled(question, evidence, checked) }
}

fn settled(question: &Question, evidence: &Evidence, checked: Checked) -> Settled {
    let Checked { text, citations, figures, computations, missing, refused, .. } = checked;
    if let Some((reason, message)) = refused {
        return match outdated(question, evidence).filter(|_| reason == Reason::NoEvidence) {
            Some(message) => refuse(evidence, Reason::Stale, message),
            None => refuse(evidence, reason, message),
        };
    }
    if citations.is_empty() {
        return refuse(evidence, Reason::WeakEvidence, weak(question));
    }
    let verdict = if missing.is_empty() { Verdict::Answered } else { Verdict::Partial };
    let gap = if text.is_empty() || missing.is_empty() || question.chinese { "" } else { " " };
    let text = format!("{text}{gap}{}", missing.join(gap));
    Settled { verdict, text, citations, figures, computations, refusal: None, chance: None }
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
        chance: None,
    }
}

/// Why a question cannot be read at all, if so: it holds no words, or those of a language that nothing here is read in.
pub(crate) fn unread(question: &Question) -> Option<String> {
    let letters: Vec<char> = question.text.chars().filter(|c| c.is_alphabetic()).collect();
    let known = letters.iter().filter(|c| is_han(**c) || matches!(**c, '\u{41}'..='\u{24f}')).count();
    if letters.is_empty() && !question.text.contains(|c: char| c.is_ascii_digit()) {
        return Some("The question holds no words; ask in Chinese or English / 问题中没有文字，请用中文或英文提问".into());
    }
    let foreign = 5 * (letters.len() - known) > letters.len() || !question.chinese && is_other_latin(&question.text);
    foreign.then(|| "Questions are read in Chinese and English / 目前只能回答中文和英文的问题".into())
}

/// Whether a text in Latin letters is written in another language than English, by the words that every sentence needs.
fn is_other_latin(text: &str) -> bool {
    const ENGLISH: &[&str] = &[
        "the", "of", "is", "are", "was", "were", "what", "who", "when", "where", "which", "how", "did", "does", "do", "and",
        "to", "for", "by", "has", "have", "much", "many", "why", "that", "with", "from", "at", "be",
    ];
    const OTHER: &[&str] = &[
        "le", "la", "les", "des", "du", "est", "quel", "quelle", "était", "qui", "dans", "pour", "sont", "der", "die", "das",
        "und", "ist", "wie", "wer", "welche", "hoch", "von", "im", "el", "los", "las", "del", "cuál", "cuánto", "fue", "qué",
        "quién", "il", "che", "qual", "quanto", "della", "os", "uma", "foi", "wat", "het", "een", "hoeveel", "en", "et", "ein",
        "eine", "war", "de",
    ];
    let words: Vec<String> = text.to_lowercase().split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect();
    let of = |list: &[&str]| words.iter().filter(|word| list.contains(&word.as_str())).count();
    of(OTHER) >= 2 && of(ENGLISH) == 0
}

/// What is said where all that is asked lies after the newest report: it is not that nothing was found, it is not there yet.
fn outdated(question: &Question, evidence: &Evidence) -> Option<String> {
    let named = question.documents();
    let of = |source: &&Source| named.as_ref().is_none_or(|named| named.contains(&source.id));
    let newest = evidence.documents.iter().filter(of).flat_map(years).filter_map(|period| period.year).max()?;
    let asked = question.periods.iter().map(|period| period.year).collect::<Option<Vec<_>>>()?;
    let first = asked.iter().min().filter(|first| **first > newest)?;
    // A forecast for the year may be there, only not for what is asked.
    let foretold = |hit: &Hit| hit.passage.text.contains(&first.to_string());
    if evidence.hits.iter().any(foretold) {
        return None;
    }
    Some(match question.chinese {
        true => format!("资料中最新的是{newest}年的报告，还没有{first}年的内容"),
        false => format!("The newest report here is for {newest}; there is nothing for {first} yet"),
    })
}

/// A refusal where only what is dated later than the day that was asked for would answer.
pub(crate) fn stale(question: &Question, evidence: &Evidence, as_of: &str) -> Settled {
    let message = match question.chinese {
        true => format!("截至{as_of}的资料回答不了这个问题；能够回答的资料日期更晚"),
        false => format!("Nothing dated up to {as_of} answers this; what does is dated later"),
    };
    refuse(evidence, Reason::Stale, message)
}

/// What is said where passages were found but none carries an answer.
pub(crate) fn weak(question: &Question) -> String {
    if question.chinese {
        "找到了相关段落，但其中没有能够支持回答的内容".into()
    } else {
        "Related passages were found, but none of them supports an answer".into()
    }
}
