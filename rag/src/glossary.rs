//! Which other names does a thing in a report go by? `Revenue` is `net sales` and `营业收入`: a question may use one, a table
//! another, in either language. The names are data (`glossary.tsv`), one concept a line.

use std::{collections::HashMap, sync::LazyLock};

use index::lexical::{fold, term, tokens};

/// A concept: whether it is a figure, and its names, each as terms.
type Concept = (bool, Vec<Vec<u32>>);

/// A folded name, and which concept it names.
type Named = (String, usize);

/// The concepts, and their names, longest first.
static GLOSSARY: LazyLock<(Vec<Concept>, Vec<Named>)> = LazyLock::new(|| {
    let mut concepts = Vec::new();
    let mut names: Vec<Named> = Vec::new();
    for line in include_str!("glossary.tsv").lines().filter(|line| !line.starts_with('#')) {
        let Some((kind, line)) = line.split_once('\t') else { continue };
        names.extend(line.split('\t').map(|name| (fold(name).into_owned(), concepts.len())));
        let terms = line.split('\t').map(|name| tokens(name).iter().map(|token| term(token)).collect()).collect();
        concepts.push((kind == "figure", terms));
    }
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    (concepts, names)
});

/// A concept that a text speaks of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mention {
    /// As the text writes it, folded.
    pub name: String,
    /// Whether it is a figure: whoever asks for it wants a number.
    pub figure: bool,
    /// All names of the concept, as terms.
    pub names: &'static [Vec<u32>],
}

/// The concepts of a folded text, and the text without them.
pub(crate) fn mentions(folded: &str) -> (Vec<Mention>, String) {
    let mut rest = folded.to_owned();
    let mut found: HashMap<usize, Mention> = HashMap::new();
    let mut order = Vec::new();
    for (name, concept) in &GLOSSARY.1 {
        let Some(at) = standing(&rest, name) else { continue };
        rest.replace_range(at..at + name.len(), " ");
        found.entry(*concept).or_insert_with(|| {
            order.push((at, *concept));
            Mention { name: name.clone(), figure: GLOSSARY.0[*concept].0, names: &GLOSSARY.0[*concept].1 }
        });
    }
    (order.iter().filter_map(|(_, concept)| found.remove(concept)).collect(), rest)
}

/// Where a name stands in a text, not as a part of a longer word.
fn standing(text: &str, name: &str) -> Option<usize> {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let latin = name.is_ascii();
    let whole =
        |at: &usize| !latin || !letter(text[..*at].chars().next_back()) && !letter(text[at + name.len()..].chars().next());
    text.match_indices(name).map(|(at, _)| at).find(whole)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn check(text: &str, wanted: &[&str], rest: &str) {
        let (found, left) = mentions(&fold(text));
        assert_eq!(found.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), wanted, "{text}");
        assert_eq!(left.split_whitespace().collect::<Vec<_>>().join(" "), rest, "{text}");
    }

    #[test]
    fn concepts_are_found_by_their_longest_name_and_as_whole_words() {
        check("total revenue of the group", &["total revenue"], "of the group");
        check("Capex in China", &["capex"], "in china");
        check("归属于上市公司股东的净利润", &["归属于上市公司股东的净利润"], "");
        check("營業收入", &["营业收入"], "");
        check("prepsilon", &[], "prepsilon");
    }

    #[test]
    fn no_name_belongs_to_two_concepts_and_every_line_says_what_it_is() {
        let mut seen = HashSet::new();
        for line in include_str!("glossary.tsv").lines().filter(|line| !line.starts_with('#')) {
            let (kind, names) = line.split_once('\t').unwrap();
            assert!(matches!(kind, "figure" | "thing"), "{line}");
            for name in names.split('\t') {
                assert!(!name.trim().is_empty() && seen.insert(fold(name).into_owned()), "{name}");
            }
        }
    }
}
