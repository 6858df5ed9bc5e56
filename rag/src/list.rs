//! Which list of the evidence is asked for? `哪些风险` wants the items under `公司面对的风险`, not one sentence about risks: the
//! heading or the sentence that announces a list says what it lists.

use std::{collections::HashSet, ops::Range};

use index::{
    lexical::{analyse, term},
    page::{Block, BlockKind, Page},
};

use crate::{
    cite::Statement,
    evidence::Evidence,
    question::{Kind, Question, years},
    sentence::{is_han, one_line, sentences},
};

/// Share of the question's words that what announces a list, its items and its document's title must hold.
const ENOUGH: f32 = 0.55;
/// The same without the title: what the list itself must say.
const ENOUGH_OWN: f32 = 0.3;
/// What a question about a list says beside naming it.
const GENERAL: &[&str] =
    &["主要", "提示", "年报", "报告", "披露", "列出", "重要", "main", "princip", "report", "mention", "disclos", "list", "name"];
/// Most items of an answer.
const ITEMS: usize = 12;

/// The items of the list that a question asks for, in their order.
pub(crate) fn items(question: &Question, evidence: &Evidence) -> Option<Vec<Statement>> {
    if question.kind != Kind::List {
        return None;
    }
    let named = question.documents();
    let mut best: Option<(f32, Vec<Statement>)> = None;
    for (at, hit) in evidence.hits.iter().enumerate() {
        let document = &hit.passage.document;
        let reports = years(document);
        let period = question.periods.is_empty()
            || reports.is_empty()
            || question.periods.iter().any(|asked| reports.iter().any(|own| own.answers(*asked) || own.year == asked.year));
        if !period || named.as_ref().is_some_and(|named| !named.contains(&document.id)) {
            continue;
        }
        let title = terms(&document.title);
        for span in &hit.passage.spans {
            let Some(page) = evidence.page(hit, span.page) else { continue };
            for list in lists(page).into_iter().filter(|list| list.touches(page, span.start as usize..span.end as usize)) {
                let (own, all) = list.shares(question, evidence, page, &title);
                let score = own + all - 0.02 * at as f32;
                if own >= ENOUGH_OWN && all >= ENOUGH && best.as_ref().is_none_or(|(most, _)| score > *most) {
                    best = Some((score, list.statements(page, at)));
                }
            }
        }
    }
    best.map(|(_, statements)| statements)
}

/// Items of a page that follow each other, and what announces them.
struct List<'a> {
    announced: String,
    items: &'a [Block],
}

/// The lists of a page with at least two items.
fn lists(page: &Page) -> Vec<List<'_>> {
    let mut found = Vec::new();
    let mut heading = String::new();
    let mut before = String::new();
    let mut at = 0;
    while let Some(block) = page.blocks.get(at) {
        let run = page.blocks[at..].iter().take_while(|block| block.kind == BlockKind::ListItem).count();
        if run >= 2 {
            found.push(List { announced: format!("{heading} {before}"), items: &page.blocks[at..at + run] });
        }
        let text = page.text.get(block.range()).unwrap_or_default();
        match block.kind {
            BlockKind::Heading(_) => (heading, before) = (text.to_owned(), String::new()),
            // Only a sentence that ends in a colon, or stands alone, announces what follows.
            BlockKind::Paragraph => before = sentences(text).last().map(|last| text[last.clone()].to_owned()).unwrap_or_default(),
            _ => {}
        }
        at += run.max(1);
    }
    found
}

impl List<'_> {
    fn touches(&self, page: &Page, span: Range<usize>) -> bool {
        self.items.iter().any(|item| item.range().start < span.end.min(page.text.len()) && span.start < item.range().end)
    }

    /// The share of the question's words that the list says itself, and with its document's title.
    fn shares(&self, question: &Question, evidence: &Evidence, page: &Page, title: &HashSet<u32>) -> (f32, f32) {
        let announced = terms(&self.announced);
        let items: Vec<HashSet<u32>> = self.items.iter().map(|item| terms(&page.text[item.range()])).collect();
        let most = |term: &u32| 2 * items.iter().filter(|item| item.contains(term)).count() > items.len();
        let (mut own, mut all, mut total) = (0.0, 0.0, 1e-6);
        for token in &question.terms {
            // A single character is part of too many words; a pair that no passage holds may be the end of one and the start of another.
            let unknown = evidence.frequencies.get(token).copied().unwrap_or(0) == 0;
            let slight = token.chars().all(is_han) && (unknown || token.chars().count() == 1);
            if slight || GENERAL.contains(&token.as_str()) {
                continue;
            }
            let weight = evidence.idf(token);
            let term = term(token);
            let says = announced.contains(&term) || most(&term);
            total += weight;
            own += if says { weight } else { 0.0 };
            all += if says || title.contains(&term) { weight } else { 0.0 };
        }
        (own / total, all / total)
    }

    /// Each item by its first sentence, without its marker.
    fn statements(&self, page: &Page, hit: usize) -> Vec<Statement> {
        let first = |item: &Block| {
            let text = page.text.get(item.range())?;
            let marker = text.len() - text.trim_start_matches(is_marker).len();
            let ranges = sentences(&text[marker..]);
            let sentence = ranges.first()?;
            let quote = item.range().start + marker + sentence.start..item.range().start + marker + sentence.end;
            let text = one_line(&page.text[quote.clone()]).into_owned();
            Some(Statement { text, hit, part: page.number, quote, ..Statement::default() })
        };
        self.items.iter().take(ITEMS).filter_map(first).collect()
    }
}

/// Whether a character belongs to the marker in front of an item: `1. `, `（2）`, `• `.
fn is_marker(c: char) -> bool {
    c.is_ascii_digit() || c.is_whitespace() || "•·-–*●■◆①②③④⑤⑥⑦⑧⑨⑩.、)）(（".contains(c)
}

fn terms(text: &str) -> HashSet<u32> {
    analyse(text).terms.into_iter().map(|(term, _)| term).collect()
}
