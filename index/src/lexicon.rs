//! The words of a question in the other language: Chinese ↔ English through a dictionary (CC-CEDICT, see
//! `index/models/zh-en-lexicon`), for looking up a question's terms among reports of the other language.
//!
//! Dictionary-based query translation with structured weights: each word of the question shares one unit among its
//! translations, so that a word with many senses counts no more than one with a single sense (after Pirkola, *The effects
//! of query structure and dictionary setups in dictionary-based cross-language information retrieval*, SIGIR 1998).

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    sync::LazyLock,
};

use flate2::read::GzDecoder;

use crate::lexical::{self, is_han};

/// Senses of a word that are looked up.
const SENSES: usize = 4;
/// Longest Chinese word, in characters.
const LONGEST: usize = 8;
/// What a single character weighs against a word: it is part of too many words.
const SINGLE: f32 = 0.3;

static FILE: &[u8] = include_bytes!("../models/zh-en-lexicon/zh-en-cedict.tsv.gz");

/// The dictionary as text; read once, when the first question meets reports of the other language.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::new();
    GzDecoder::new(FILE).read_to_string(&mut text).expect("the lexicon is part of the program");
    text
});

/// Chinese word → its glosses, as they stand in the file.
static CHINESE: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| TEXT.lines().skip(1).filter_map(|line| line.split_once('\t')).collect());

/// Stems of a gloss (at most three, joined by blanks) → Chinese words, most frequent first.
static ENGLISH: LazyLock<HashMap<String, Vec<&'static str>>> = LazyLock::new(|| {
    let mut words: HashMap<String, Vec<&'static str>> = HashMap::new();
    for (word, glosses) in TEXT.lines().skip(1).filter_map(|line| line.split_once('\t')) {
        for gloss in glosses.split(';') {
            let stems = lexical::tokens(gloss);
            if (1..=3).contains(&stems.len()) {
                let known = words.entry(stems.join(" ")).or_default();
                if known.len() < SENSES && !known.contains(&word) {
                    known.push(word);
                }
            }
        }
    }
    words
});

/// A word of a question: the terms of the other language that may stand for it, each with its share.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// Terms and their shares of the word.
    pub terms: Vec<(u32, f32)>,
    /// Tokens behind the terms of each sense: the most of them that one passage can be expected to hold together.
    pub senses: Vec<Vec<(u32, f32)>>,
}

/// Translates a question, word by word; words without a translation, names and numbers are left out: they are looked up
/// as they are anyway.
pub fn translate(question: &str) -> Vec<Translated> {
    let folded = lexical::fold(question);
    if folded.chars().any(is_han) { from_chinese(&folded) } else { from_english(question) }
}

/// The terms of other words of the same language that share a translation with a token: `die`, `pass`; `公司`, `企业`.
pub fn alike(token: &str) -> Vec<u32> {
    let mut alike: Vec<u32> = Vec::new();
    let mut add = |word: String| {
        let term = lexical::term(&word);
        if word != token && !alike.contains(&term) {
            alike.push(term);
        }
    };
    let glosses =
        |word: &str| CHINESE.get(word).into_iter().flat_map(|glosses| glosses.split(';')).take(SENSES).map(lexical::tokens);
    if token.chars().all(is_han) {
        // A pair of characters is a token; a single one is part of too many words.
        let pair = |word: &str| word.chars().count() == 2;
        let english = glosses(token).filter(|_| pair(token)).filter_map(|stems| ENGLISH.get(&stems.join(" ")));
        english.flatten().filter(|word| pair(word)).for_each(|word| add((*word).to_owned()));
    } else {
        let chinese = ENGLISH.get(token).into_iter().flatten();
        chinese.flat_map(|word| glosses(word)).filter(|stems| stems.len() == 1).flatten().for_each(add);
    }
    alike
}

fn from_chinese(folded: &str) -> Vec<Translated> {
    let mut words = Vec::new();
    let mut seen = HashSet::new();
    for run in folded.split(|c| !is_han(c)).filter(|run| !run.is_empty()) {
        let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
        let mut at = 0;
        while at + 1 < starts.len() {
            let most = LONGEST.min(starts.len() - 1 - at);
            let found = (1..=most).rev().find(|n| CHINESE.contains_key(&run[starts[at]..starts[at + n]]));
            let length = found.unwrap_or(1);
            let word = &run[starts[at]..starts[at + length]];
            at += length;
            // Stop words leave no tokens.
            if found.is_some() && !lexical::tokens(word).is_empty() && seen.insert(word) {
                words.extend(senses(CHINESE[word].split(';').map(lexical::tokens), if length == 1 { SINGLE } else { 1.0 }));
            }
        }
    }
    words
}

fn from_english(question: &str) -> Vec<Translated> {
    let stems = lexical::tokens(question);
    let mut words = Vec::new();
    let mut at = 0;
    while at < stems.len() {
        let found = (1..=3.min(stems.len() - at)).rev().find_map(|n| Some((n, ENGLISH.get(&stems[at..at + n].join(" "))?)));
        match found {
            Some((n, chinese)) => {
                words.extend(senses(chinese.iter().map(|word| lexical::tokens(word)), 1.0));
                at += n;
            }
            None => at += 1,
        }
    }
    words
}

fn senses(glosses: impl Iterator<Item = Vec<String>>, weight: f32) -> Option<Translated> {
    let glosses = glosses.filter(|tokens| (1..=LONGEST).contains(&tokens.len()));
    any_of(glosses.map(|tokens| tokens.iter().map(|token| lexical::term(token)).collect()).collect(), weight)
}

/// A word that may stand in several forms, given as terms, the plainest first. Each of the first few gets weight/√(forms · terms)
/// for each of its terms.
pub(crate) fn any_of(mut forms: Vec<Vec<u32>>, weight: f32) -> Option<Translated> {
    forms.truncate(SENSES);
    let mut terms: HashMap<u32, f32> = HashMap::new();
    let mut senses = Vec::new();
    for form in &forms {
        let share = weight / ((forms.len() * form.len()) as f32).sqrt();
        let sense: Vec<(u32, f32)> = form.iter().map(|term| (*term, share)).collect();
        for (term, share) in &sense {
            *terms.entry(*term).or_default() += share;
        }
        senses.push(sense);
    }
    let mut terms: Vec<(u32, f32)> = terms.into_iter().collect();
    terms.sort_unstable_by_key(|(term, _)| *term);
    (!terms.is_empty()).then_some(Translated { terms, senses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, word: &str) {
        let wanted = lexical::term(&lexical::tokens(word)[0]);
        let terms: Vec<u32> = translate(question).iter().flat_map(|w| w.terms.iter().map(|(term, _)| *term)).collect();
        assert!(terms.contains(&wanted), "`{question}` should be looked up as `{word}`");
    }

    #[test]
    fn words_are_looked_up_in_the_other_language() {
        check("2023年的营业收入是多少?", "revenue");
        check("公司的總資產", "assets");
        check("What was the revenue in 2023?", "收入");
        check("number of employees", "雇员");
    }

    #[test]
    fn words_that_are_translated_alike_stand_for_each_other() {
        let check = |token: &str, other: &str| assert!(alike(token).contains(&lexical::term(other)), "{token} {other}");
        check("compani", "firm");
        check("公司", "企业");
        assert!(alike("qxz").is_empty());
    }

    #[test]
    fn what_has_no_translation_is_left_out() {
        assert!(translate("2023").is_empty());
        assert!(translate("").is_empty());
        assert!(translate("的 了 吗").is_empty());
    }
}
