//! What does a question mean in its conversation? A follow-up leaves out what was said before: `那2022年呢？`, `And its net
//! income?`. What it leaves out, the company, the period or what is asked for, is taken from the question before; a question
//! that says all of it itself is left as it is.

use std::{ops::Range, sync::Arc};

use index::lexical::fold;

use crate::{
    ask::{Role, Turn},
    extractive::told,
    holdings::Holdings,
    pack::Pack,
    period::periods,
    question::{Kind, Question},
};

/// Earlier questions that are read: what was meant longer ago is asked again.
const READ: usize = 6;

/// A question with what it leaves out.
pub(crate) fn resolve(pack: &Arc<Pack>, question: &str, history: &[Turn], holdings: &Holdings) -> String {
    let asked: Vec<&str> = history.iter().filter(|turn| turn.role == Role::User).map(|turn| turn.content.as_str()).collect();
    let recent = &asked[asked.len().saturating_sub(READ)..];
    let before = recent.iter().fold(String::new(), |before, turn| complete(pack, turn, &before, holdings));
    complete(pack, question, &before, holdings)
}

fn complete(pack: &Arc<Pack>, text: &str, before: &str, holdings: &Holdings) -> String {
    if before.is_empty() || text.trim().is_empty() {
        return text.to_owned();
    }
    let (bare, leans) = without_leaning(text);
    let (asked, known) = (Question::over(pack.clone(), &bare, holdings), Question::over(pack.clone(), before, holdings));
    if leans && asked.terms.is_empty() {
        return substituted(&asked, &known);
    }
    let named = |question: &Question| question.names.iter().find(|name| !name.documents.is_empty()).map(|name| name.text.clone());
    // Figures are somebody's, and so is what holds a role for somebody: `实际控制人是谁？`.
    let role = asked.kind == Kind::Who || told::subject(&fold(text), &asked.subject).is_some();
    let theirs = || pack.glossary.mentions(&fold(&asked.subject)).0.iter().any(|mention| role || mention.figure());
    // A question that names someone else, or is complete without a company, is one of its own.
    let own = !asked.names.is_empty() || !(leans || theirs());
    let Some(name) = named(&known).filter(|_| !own) else { return text.to_owned() };
    let period = if asked.periods.is_empty() { first_period(&known.text) } else { None };
    let period = period.map(|range| &known.text[range]);
    if asked.chinese {
        return format!("{name}{}{bare}", period.map(|period| format!("{period}的")).unwrap_or_default());
    }
    let end = period.map(|period| format!(" in {period}")).unwrap_or_default();
    format!("{} for {name}{end}?", bare.trim_end_matches(['?', '.', ' ', '？']))
}

/// The question before, with the period and the company of this one.
fn substituted(asked: &Question, known: &Question) -> String {
    let mut text = known.text.clone();
    if let Some(period) = first_period(&asked.text) {
        let period = asked.text[period].to_owned();
        match first_period(&text) {
            Some(range) => text.replace_range(range, &period),
            None if known.chinese => text.insert_str(0, &period),
            None => text = format!("{} in {period}?", text.trim_end_matches(['?', '.', ' '])),
        }
    }
    let name =
        |question: &Question| question.names.iter().find(|name| name.sure || !name.documents.is_empty()).map(|n| n.text.clone());
    if let Some((new, old)) = name(asked).zip(name(known)) {
        let at = text.find(&old).or_else(|| text.to_lowercase().find(&old.to_lowercase()));
        if let Some(at) = at.filter(|at| text.is_char_boundary(*at) && text.is_char_boundary(at + old.len())) {
            text.replace_range(at..at + old.len(), &new);
        }
    }
    text
}

fn first_period(text: &str) -> Option<Range<usize>> {
    periods(text).into_iter().map(|(range, _)| range).next()
}

/// The question without the words that lean on what was said, and whether there were any.
fn without_leaning(text: &str) -> (String, bool) {
    const FRONT: &[&str] = &["那么", "那", "请问", "and what about", "what about", "how about", "and", "then"];
    const CHINESE: &[&str] = &["该公司的", "这家公司的", "该公司", "这家公司", "它的", "他们的", "它"];
    const ENGLISH: &[&str] = &["its", "their", "it", "they", "the company's", "the company"];
    let mut bare = text.trim().to_owned();
    let mut leans = false;
    for word in FRONT {
        // Only where the word stands in front may its end be a place to cut: other texts have half a character there.
        let next = bare
            .split_at_checked(word.len())
            .filter(|(front, _)| front.eq_ignore_ascii_case(word))
            .and_then(|(_, rest)| rest.chars().next());
        if next.is_some_and(|next| !word.is_ascii() || !next.is_ascii_alphanumeric()) {
            bare = bare[word.len()..].trim_start_matches([' ', ',', '，']).to_owned();
            leans = true;
        }
    }
    for word in CHINESE.iter().filter(|word| text.contains(**word)) {
        bare = bare.replace(word, "");
        leans = true;
    }
    for word in ENGLISH {
        let lower = bare.to_ascii_lowercase();
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let at = lower
            .match_indices(word)
            .map(|(at, _)| at)
            .find(|at| !letter(lower[..*at].chars().next_back()) && !letter(lower[at + word.len()..].chars().next()));
        if let Some(at) = at {
            bare.replace_range(at..at + word.len(), "");
            bare = bare.replace("  ", " ");
            leans = true;
        }
    }
    // `…呢？` goes on with what was asked.
    leans |= text.trim_end_matches(['?', '？']).ends_with('呢');
    (bare, leans)
}

#[cfg(test)]
mod tests {
    use index::{corpus::DocumentId, hit::Source};
    use proptest::prelude::*;

    use super::*;

    fn holdings() -> Holdings {
        let documents: Vec<Source> =
            ["栖霁传动2023年年度报告", "Quillhaven Coldstores 2023 Annual Report", "Marrowick Cold Logistics Annual Report 2024"]
                .into_iter()
                .map(|title| Source {
                    id: DocumentId::new(),
                    external_id: None,
                    title: title.into(),
                    version: 1,
                    metadata: serde_json::Map::new(),
                    name: title.into(),
                    facts: serde_json::Map::new(),
                })
                .collect();
        Holdings::of(&documents)
    }

    fn check(before: &[&str], question: &str, meant: &str) {
        let turn = |content: &&str| Turn { role: Role::User, content: (*content).to_owned() };
        let history: Vec<Turn> = before.iter().map(turn).collect();
        assert_eq!(resolve(&Pack::standard(), question, &history, &holdings()), meant);
    }

    #[test]
    fn a_follow_up_takes_what_it_leaves_out_from_the_question_before() {
        check(&["栖霁传动2023年的营业收入是多少？"], "那2022年呢？", "栖霁传动2022年的营业收入是多少？");
        check(&["栖霁传动2023年的营业收入是多少？"], "它的研发费用是多少？", "栖霁传动2023年的研发费用是多少？");
        check(&["栖霁传动2023年的营业收入是多少？", "那2022年呢？"], "净利润呢？", "栖霁传动2022年的净利润呢？");
        check(
            &["What was the revenue of Quillhaven Coldstores in 2023?"],
            "And in 2022?",
            "What was the revenue of Quillhaven Coldstores in 2022?",
        );
        check(&["栖霁传动2023年的营业收入是多少？"], "实际控制人是谁？", "栖霁传动2023年的实际控制人是谁？");
        check(
            &["What was the revenue of Quillhaven Coldstores in 2023?"],
            "What was its net income?",
            "What was net income for quillhaven coldstores in 2023?",
        );
    }

    #[test]
    fn a_question_that_says_everything_is_left_as_it_is() {
        check(&[], "那2022年呢？", "那2022年呢？");
        check(&["栖霁传动2023年的营业收入是多少？"], "什么是需量管理？", "什么是需量管理？");
        check(
            &["栖霁传动2023年的营业收入是多少？"],
            "Marrowick Cold Logistics的营业收入是多少？",
            "Marrowick Cold Logistics的营业收入是多少？",
        );
        check(&["What was Quillhaven's revenue in 2023?"], "Who chairs Marrowick?", "Who chairs Marrowick?");
    }

    proptest! {
        #[test]
        fn any_conversation_is_read_without_panic(before in "[那它their the company2023年呢?？ ]{0,20}|\\PC{0,30}", text in "[那它Its andhow2022年呢?？ ]{0,20}|\\PC{0,30}") {
            let history = [Turn { role: Role::User, content: before }];
            resolve(&Pack::standard(), &text, &history, &holdings());
        }
    }
}
