//! Does a sentence tell who or what something is, or does it only speak of it? A name is told beside the role that it has, a
//! subject by what stands behind `为` or a colon.

use std::ops::Range;

use index::lexical::tokens;

use crate::sentence::is_han;

/// What tells of a role that somebody has no more.
pub(super) const PAST: &[&str] = &["previously", "formerly", "prior to", "retire", "step down", "stepped down", "resign"];

/// Whether a folded question asks for a name by a word for those who bear one.
pub(super) fn asks_for_a_name(folded: &str) -> bool {
    const BEARERS: &[&str] = &["firm", "company", "companies", "person", "people", "bank", "organization", "organisation"];
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| matches!(pair[0], "which" | "what") && BEARERS.contains(&pair[1]))
}

/// The stem of the word for the kind of thing that an English question asks for: the last one right behind `which` or `what`.
pub(super) fn kind(folded: &str) -> Option<String> {
    const ENDS: &[&str] = &[
        "is", "are", "was", "were", "did", "do", "does", "has", "have", "had", "can", "could", "will", "would", "should", "the",
        "a", "an", "of", "in", "on", "at", "to", "for", "by", "from", "with", "that",
    ];
    let words = folded.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.is_empty());
    let behind = words.skip_while(|word| !matches!(*word, "which" | "what")).skip(1);
    let run: Vec<&str> = behind.take_while(|word| !ENDS.contains(word)).collect();
    tokens(run.last().filter(|_| run.len() <= 3)?).pop()
}

/// The names in a text that a folded question does not hold: two capitalised words or more, or one behind `Mr.`; but not what a role belongs to (`CEO of Harrow Bank`).
pub(super) fn names(text: &str, folded: &str) -> Vec<Range<usize>> {
    const TITLES: &[&str] = &["Mr.", "Ms.", "Mrs.", "Dr.", "Sir"];
    const FORMS: &[&str] = &["LLP", "LLC", "Inc", "Inc.", "Ltd", "Ltd.", "Limited", "plc", "PLC", "Corp", "Corp.", "AG", "GmbH"];
    const OWNERS: &[&str] = &["of", "of the", "at", "at the", "for", "for the", "in", "in the", "from"];
    let mut names = Vec::new();
    let mut words: Vec<(Range<usize>, bool)> = Vec::new();
    let mut close = |words: &mut Vec<(Range<usize>, bool)>| {
        let run = std::mem::take(words);
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let range = first.0.start..last.0.end;
        let said: Vec<&str> = run.iter().map(|(range, _)| &text[range.clone()]).collect();
        let formed = said.iter().any(|word| FORMS.contains(word));
        let titled = said.iter().any(|word| TITLES.contains(word));
        let fresh = run.iter().filter(|(_, fresh)| *fresh).count();
        let before = text[..range.start].trim_end().to_lowercase();
        let owner = OWNERS.iter().any(|owner| before.strip_suffix(owner).is_some_and(|rest| rest.ends_with(char::is_whitespace)));
        if fresh > 0 && (titled || said.len() > 1 && (formed || !owner)) {
            names.push(range);
        }
    };
    let mut at = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim();
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '&' && c != '.');
        let start = at + piece.find(bare).unwrap_or(0);
        at += piece.len();
        let capital = bare.starts_with(char::is_uppercase);
        if capital {
            let plain = bare.trim_end_matches('.').to_lowercase();
            let initial = plain.chars().count() == 1;
            let form = FORMS.contains(&bare);
            let fresh = !initial
                && !form
                && !is_role(&plain)
                && !folded.split(|c: char| !c.is_alphanumeric()).any(|known| known == plain);
            if is_role(&plain) {
                close(&mut words);
            } else {
                words.push((start..start + bare.len(), fresh));
            }
        }
        let joins = bare == "&" && !words.is_empty();
        if !(capital || joins) || word.ends_with([',', ';', ':', ')', '”', '"']) {
            close(&mut words);
        }
    }
    close(&mut words);
    names
}

/// Whether a word is said of an office, a month or the report itself, and is no part of a name.
fn is_role(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "chief",
        "executive",
        "officer",
        "financial",
        "president",
        "chairman",
        "chairwoman",
        "chair",
        "board",
        "director",
        "directors",
        "vice",
        "senior",
        "company",
        "committee",
        "group",
        "report",
        "note",
        "annual",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "the",
        "we",
        "our",
        "in",
        "as",
        "on",
        "item",
        "part",
        "act",
        "exchange",
        "independent",
        "registered",
        "public",
        "accounting",
        "firm",
        "consolidated",
        "statements",
        "balance",
        "sheets",
    ];
    WORDS.contains(&word)
}

/// Whether a folded text speaks of a role only as one below or before it (`deputy chairman`, `副董事长`), which was not asked for.
pub(super) fn under<'a>(folded: &str, asked: &str, roles: impl Iterator<Item = &'a str>) -> bool {
    const BELOW: &[&str] = &["deputy", "vice", "assistant", "former", "副", "原", "前任"];
    let of = |front: &str| BELOW.iter().any(|word| front.trim_end_matches([' ', '-']).ends_with(word));
    let mut said = roles.flat_map(|role| folded.match_indices(role)).map(|(at, _)| of(&folded[..at])).peekable();
    said.peek().is_some() && said.all(|below| below) && !BELOW.iter().any(|word| asked.contains(word))
}

/// What a folded Chinese question asks about, right before `是谁`, `是什么` and the like, without whose it is.
pub(crate) fn subject(folded: &str, content: &str) -> Option<String> {
    let before = ["是谁", "是什么", "为谁"].iter().find_map(|asking| folded.find(asking)).map(|at| &folded[..at])?;
    let subject: String = before.rsplit(['的', '，', ',']).next()?.trim().into();
    let held = content.contains(subject.as_str());
    (held && (2..=8).contains(&subject.chars().count()) && subject.chars().all(is_han)).then_some(subject)
}

/// Whether a folded text tells what a subject is: behind it `为`, `是` or a colon, or before it `为本公司` and the like.
pub(crate) fn tells(folded: &str, subject: &str) -> bool {
    folded.match_indices(subject).any(|(at, _)| {
        let behind = folded[at + subject.len()..].trim_start().trim_start_matches(['（', '(']);
        let front: String = folded[..at].chars().rev().take(6).collect();
        behind.starts_with(['为', '是', '系', '：', ':', '|'])
            || behind.starts_with("包括")
            || front.contains(['为', '系', '是', '任'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_beside_its_role_and_not_as_whose_role_it_is() {
        let check = |text: &str, told: &[&str]| {
            let names: Vec<&str> = names(text, "who is the ceo of quillhaven?").into_iter().map(|range| &text[range]).collect();
            assert_eq!(names, told, "{text}");
        };
        check("Jane A. Doe has served as Chief Executive Officer since 2019.", &["Jane A. Doe"]);
        check("Mr. Doe is our Chief Executive Officer.", &["Mr. Doe"]);
        check("He was CEO of the Harrow Banking Division.", &[]);
        check("We were audited by Moor Quay LLP in March 2022.", &["Moor Quay LLP"]);
        check("We have audited the statements of Quillhaven Inc. (a Delaware corporation).", &[]);
        assert!(asks_for_a_name("which firm audits quillhaven?") && !asks_for_a_name("which products does it sell?"));
    }

    #[test]
    fn a_deputy_is_not_the_chairman() {
        let check = |text: &str, below: bool| {
            let under =
                under(text, "who is the chairman of quillhaven?", ["chairman", "chairman of the board", "董事长"].into_iter());
            assert_eq!(under, below, "{text}");
        };
        check("jane doe - deputy chairman", true);
        check("jane doe is chairman; john roe is deputy chairman", false);
        check("公司副董事长为张三", true);
        check("they met in march", false);
    }

    #[test]
    fn a_subject_is_told_by_what_stands_behind_it() {
        let check = |question: &str, asked: Option<&str>| assert_eq!(subject(question, question).as_deref(), asked, "{question}");
        check("栖霁传动的主营业务是什么？", Some("主营业务"));
        check("栖霁传动的实际控制人是谁？", Some("实际控制人"));
        check("毛利率为什么下降？", None);
        assert_eq!(kind("in which century was it built?").as_deref(), Some("centuri"));
        assert_eq!(kind("what is its population?"), None);
        let check = |text: &str, told: bool| assert_eq!(tells(text, "主营业务"), told, "{text}");
        check("公司主营业务是减速器的研发与生产", true);
        check("主营业务毛利率22.27%，比上年减少", false);
        check("主营业务分行业情况", false);
    }
}
