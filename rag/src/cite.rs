//! Is what a draft says in the stored pages? Each quote is looked up in its page, each number of a written sentence in what
//! the sentence cites; what cannot be proven is dropped, and only what passed can become an answer.

use std::{collections::HashSet, ops::Range};

use index::{
    hit::Hit,
    page::{BlockKind, Page, Region},
};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use crate::{
    ask::{Citation, Computation, Figure, Reason, Support, SupportVerdict, TextSpan},
    evidence::Evidence,
    figures::{self, Ground, Piece},
    quantity::Quantity,
    sentence::{one_line, sentences},
};

/// What was written in answer to a question, not yet checked. It can become an answer only through [`check`].
#[derive(Debug, Clone)]
pub struct Draft {
    body: Body,
    chance: Option<f32>,
}

#[derive(Debug, Clone)]
enum Body {
    Quoted { statements: Vec<Statement>, missing: Vec<String> },
    Written(String),
    Refused(Reason, String),
}

/// A statement with the place that proves it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statement {
    /// What is said, without a marker.
    pub text: String,
    /// Which hit proves it, from 0.
    pub hit: usize,
    /// The stored page.
    pub part: u32,
    /// The proof in the page's text.
    pub quote: Range<usize>,
    /// What to mark on the page; the quote if empty.
    pub focus: Vec<Range<usize>>,
    /// Further proofs, where it rests on several places.
    pub further: Vec<Place>,
    /// The figure that it states, where one was looked up.
    pub figure: Option<Figure>,
    /// How its figure was worked out; term n stands in the n-th place.
    pub computation: Option<Computation>,
}

/// A place that proves something.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Which hit, from 0.
    pub hit: usize,
    /// The stored page.
    pub part: u32,
    /// The proof in the page's text.
    pub quote: Range<usize>,
    /// What to mark on the page; the quote if empty.
    pub focus: Vec<Range<usize>>,
}

impl Draft {
    /// A text that a model wrote, with `[n]` for the n-th passage of the evidence.
    pub fn written(text: impl Into<String>) -> Self {
        Self { body: Body::Written(text.into()), chance: None }
    }

    pub(crate) fn quoted(statements: Vec<Statement>, missing: Vec<String>) -> Self {
        Self { body: Body::Quoted { statements, missing }, chance: None }
    }

    pub(crate) fn refused(reason: Reason, message: String) -> Self {
        Self { body: Body::Refused(reason, message), chance: None }
    }

    /// The same with the chance that the best sentence answers.
    pub(crate) fn with_chance(self, chance: Option<f32>) -> Self {
        Self { chance, ..self }
    }

    /// Whether the draft refuses to answer.
    pub fn refuses(&self) -> Option<(Reason, &str)> {
        match &self.body {
            Body::Refused(reason, message) => Some((*reason, message)),
            _ => None,
        }
    }
}

/// A draft after the check: every sentence has its proof.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    pub(crate) text: String,
    pub(crate) citations: Vec<Citation>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) computations: Vec<Computation>,
    pub(crate) missing: Vec<String>,
    pub(crate) refused: Option<(Reason, String)>,
    pub(crate) chance: Option<f32>,
    dropped: Vec<Dropped>,
}

/// A sentence that was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Kept {
    /// The sentence.
    pub sentence: String,
    /// Its citations.
    pub markers: Vec<u32>,
    /// How well the best of them carries it.
    pub support: SupportVerdict,
}

/// A sentence that was taken out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dropped {
    /// The sentence.
    pub sentence: String,
    /// `quote_not_found`, `no_citation`, `not_supported`, `number_not_in_source`; `scale_slip`, `wrong_unit`, `wrong_sign`, `wrong_year`,
    /// `wrong_period`, `wrong_company`; `link` for an address, `instruction` for what a document orders a model to say.
    pub reason: String,
    /// What exactly is missing, e.g. the number.
    pub detail: String,
}

impl Checked {
    /// The text that is left, with `[n]` markers in order of first use.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The proof, in order of first use.
    pub fn citations(&self) -> &[Citation] {
        &self.citations
    }

    /// What was worked out, with the steps.
    pub fn computations(&self) -> &[Computation] {
        &self.computations
    }

    /// The sentences that were let through, for the trace.
    pub fn kept(&self) -> Vec<Kept> {
        let mut kept: Vec<(TextSpan, Kept)> = Vec::new();
        for citation in &self.citations {
            let span = citation.span;
            match kept.last_mut().filter(|(last, _)| *last == span) {
                Some((_, sentence)) => {
                    sentence.markers.push(citation.marker);
                    if citation.support.verdict == SupportVerdict::Supported {
                        sentence.support = SupportVerdict::Supported;
                    }
                }
                None => {
                    let length = span.end.saturating_sub(span.start) as usize;
                    let sentence = self.text.chars().skip(span.start as usize).take(length).collect();
                    kept.push((span, Kept { sentence, markers: vec![citation.marker], support: citation.support.verdict }));
                }
            }
        }
        kept.into_iter().map(|(_, kept)| kept).collect()
    }

    /// What was taken out, for the trace.
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }
}

/// Checks a draft against the evidence it was made from.
pub fn check(draft: Draft, evidence: &Evidence) -> Checked {
    let chance = draft.chance;
    match draft.body {
        Body::Refused(reason, message) => Checked { refused: Some((reason, message)), chance, ..Checked::default() },
        Body::Quoted { statements, missing } => {
            let mut desk = Desk::new(evidence, Checked { missing, chance, ..Checked::default() });
            for statement in statements {
                desk.quoted(statement);
            }
            desk.checked
        }
        Body::Written(text) => {
            let mut writing = Writing::new(evidence);
            writing.push(&text);
            writing.finish().0
        }
    }
}

/// A model's text that is checked while it is written: a sentence is let through once it is complete and proven.
pub struct Writing<'a> {
    desk: Desk<'a>,
    line: String,
    settled: usize,
    shown: (usize, usize),
}

/// A piece of checked text and the citations whose markers are in it.
pub type Shown = (String, Vec<Citation>);

impl<'a> Writing<'a> {
    /// Nothing written yet.
    pub fn new(evidence: &'a Evidence) -> Self {
        Self { desk: Desk::new(evidence, Checked::default()), line: String::new(), settled: 0, shown: (0, 0) }
    }

    /// The same with another end for sentences without a proof.
    pub fn unproven(mut self, unproven: Unproven) -> Self {
        self.desk.unproven = unproven;
        self
    }

    /// More of the text; returns what may be shown now.
    pub fn push(&mut self, piece: &str) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut parts = piece.split('\n').peekable();
        while let Some(part) = parts.next() {
            self.line.push_str(part);
            let line_ends = parts.peek().is_some();
            shown.extend(self.settle(line_ends, line_ends));
        }
        shown
    }

    /// Nothing has come for a moment: what is complete by all appearances is shown without waiting for what follows.
    pub fn pause(&mut self) -> Option<Shown> {
        if ended(&self.line) { self.settle(false, true) } else { None }
    }

    /// The end of the text; returns what was let through in all, and what of it may be shown now.
    pub fn finish(mut self) -> (Checked, Vec<Shown>) {
        let last = self.settle(true, true).into_iter().collect();
        (self.desk.checked, last)
    }

    /// Checks the sentences of the line that are complete. The last one is not while the text goes on: its marker may follow.
    fn settle(&mut self, line_ends: bool, last_ends: bool) -> Option<Shown> {
        let mut sentences = marked_sentences(&self.line);
        if !last_ends {
            sentences.pop();
        }
        for sentence in sentences.into_iter().skip(self.settled) {
            self.settled += 1;
            self.desk.written(sentence);
        }
        if line_ends {
            self.line.clear();
            self.settled = 0;
        }
        let checked = &self.desk.checked;
        let (text, citations) = (checked.text[self.shown.0..].to_owned(), checked.citations[self.shown.1..].to_vec());
        self.shown = (checked.text.len(), checked.citations.len());
        (!text.is_empty()).then_some((text, citations))
    }
}

/// Where a quote stands in a page's text: as it is, or written with other blanks, widths, quotes and dashes.
pub fn locate(page: &Page, quote: &str) -> Option<Range<usize>> {
    let quote = quote.trim();
    if quote.is_empty() {
        return None;
    }
    if let Some(at) = page.text.find(quote) {
        return Some(at..at + quote.len());
    }
    let (wanted, _) = plain(quote);
    let (held, places) = plain(&page.text);
    if wanted.is_empty() {
        return None;
    }
    let at = held.find(&wanted)?;
    let first = places.partition_point(|&(folded, _)| folded <= at).checked_sub(1)?;
    let last = places.partition_point(|&(folded, _)| folded < at + wanted.len()).checked_sub(1)?;
    let end = places[last].1.end;
    Some(places[first].1.start..end)
}

/// A text without blanks, in one width and one kind of quote and dash, and for each of its characters where it came from.
fn plain(text: &str) -> (String, Vec<(usize, Range<usize>)>) {
    let mut out = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len() / 2);
    for (at, c) in text.char_indices() {
        for folded in std::iter::once(c).nfkc().flat_map(char::to_lowercase) {
            let folded = match folded {
                '“' | '”' | '„' | '«' | '»' => '"',
                '‘' | '’' | '‚' => '\'',
                '‐'..='―' | '−' | '－' => '-',
                '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' => continue,
                c if c.is_whitespace() => continue,
                c => c,
            };
            places.push((out.len(), at..at + c.len_utf8()));
            out.push(folded);
        }
    }
    (out, places)
}

struct Desk<'a> {
    evidence: &'a Evidence,
    unproven: Unproven,
    checked: Checked,
    /// Amounts of the last sentence that was let through: what the next may be worked out of.
    proven: Vec<Quantity>,
}

/// What becomes of a sentence without a proof. What says something else than its source (another scale, sign, year or company)
/// is taken out in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// It is taken out.
    #[default]
    Drop,
    /// It is shown, its citation marked `weak`.
    Weak,
}

/// A proof that was found: where, and how well it carries.
struct Proof<'a> {
    hit: &'a Hit,
    page: &'a Page,
    quote: Range<usize>,
    focus: Vec<Range<usize>>,
    support: Support,
}

/// A piece of a passage as a proof.
fn of_piece<'a>(piece: &Piece<'a>, verdict: SupportVerdict) -> Proof<'a> {
    let support = Support { verdict, method: "words".into() };
    Proof { hit: piece.hit, page: piece.page, quote: piece.range.clone(), focus: Vec::new(), support }
}

impl<'a> Desk<'a> {
    fn new(evidence: &'a Evidence, checked: Checked) -> Self {
        Self { evidence, unproven: Unproven::default(), checked, proven: Vec::new() }
    }

    fn quoted(&mut self, statement: Statement) {
        let Statement { text, hit, part, quote, focus, further, figure, computation } = statement;
        if figures::orders(&text) || figures::link(&text).is_some_and(|mark| mark != "www.") {
            return self.drop_sentence(text, "instruction", String::new());
        }
        let places = std::iter::once(Place { hit, part, quote, focus }).chain(further);
        let proofs: Option<Vec<Proof>> = places.map(|place| self.proof(&text, place)).collect();
        let Some(proofs) = proofs else {
            return self.drop_sentence(text, "quote_not_found", String::new());
        };
        let markers = self.keep(&text, proofs);
        let checked = &mut self.checked;
        checked.figures.extend(figure.map(|figure| Figure { marker: markers.first().copied(), ..figure }));
        checked.computations.extend(computation.map(|mut computation| {
            for (term, marker) in computation.terms.iter_mut().zip(&markers) {
                term.marker = Some(*marker);
            }
            computation
        }));
    }

    fn proof(&self, text: &str, place: Place) -> Option<Proof<'a>> {
        let hit = self.evidence.hit(place.hit)?;
        let page = self.evidence.page(hit, place.part)?;
        let quote = page.text.get(place.quote.clone()).filter(|quote| !quote.trim().is_empty())?;
        let method = if one_line(quote) == one_line(text) { "verbatim" } else { "quote" };
        let support = Support { verdict: SupportVerdict::Supported, method: method.into() };
        Some(Proof { hit, page, quote: place.quote, focus: place.focus, support })
    }

    fn written(&mut self, marked: Marked) {
        let text = figures::visible(&marked.text).into_owned();
        if let Some(mark) = figures::link(&text) {
            return self.drop_sentence(text, "link", mark);
        }
        let evidence = self.evidence;
        let mut seen = HashSet::new();
        let hits: Vec<&Hit> =
            marked.markers.iter().filter(|n| seen.insert(**n)).filter_map(|&n| evidence.hits.get(n.checked_sub(1)?)).collect();
        if hits.is_empty() {
            return self.drop_sentence(text, "no_citation", String::new());
        }
        let ground = Ground::of(evidence, &hits);
        match ground.carry(&text, &self.proven, &evidence.documents) {
            Ok(carried) => {
                let verdict = if carried.well { SupportVerdict::Supported } else { SupportVerdict::Weak };
                let proofs = carried.pieces.iter().map(|&at| of_piece(&ground.pieces[at], verdict)).collect();
                let markers = self.keep(&text, proofs);
                // What is worked out stands right behind what it is worked out of.
                self.proven = carried.amounts;
                self.checked.computations.extend(carried.computations.into_iter().map(|mut computation| {
                    computation.result.marker = markers.first().copied();
                    computation
                }));
            }
            Err(problem) => match ground.pieces.first().filter(|_| self.unproven == Unproven::Weak && !problem.is_wrong()) {
                Some(piece) => {
                    self.keep(&text, vec![of_piece(piece, SupportVerdict::Weak)]);
                }
                None => self.drop_sentence(text, problem.reason, problem.detail),
            },
        }
    }

    fn drop_sentence(&mut self, sentence: String, reason: &str, detail: String) {
        self.checked.dropped.push(Dropped { sentence, reason: reason.into(), detail });
    }

    /// Lets a sentence through; returns the markers of its proofs, in their order.
    fn keep(&mut self, text: &str, proofs: Vec<Proof<'a>>) -> Vec<u32> {
        let mut markers = Vec::with_capacity(proofs.len());
        let checked = &mut self.checked;
        if !checked.text.is_empty() {
            let tight = checked.text.ends_with(']') && text.starts_with(crate::sentence::is_han);
            checked.text.push_str(if tight { "" } else { " " });
        }
        let start = checked.text.chars().count() as u32;
        checked.text.push_str(text);
        let span = TextSpan { start, end: checked.text.chars().count() as u32 };
        for proof in proofs {
            let quote = proof.page.text[proof.quote.clone()].to_owned();
            let regions = regions(proof.page, &proof.quote, &proof.focus);
            let document = &proof.hit.passage.document;
            let same = |c: &&Citation| c.document.id == document.id && c.part == proof.page.number && c.quote == quote;
            let known = checked.citations.iter().find(same).map(|c| c.marker);
            let marker = known.unwrap_or_else(|| checked.citations.iter().map(|c| c.marker).max().unwrap_or(0) + 1);
            let here = |c: &&mut Citation| c.marker == marker && c.span == span;
            if let Some(cited) = checked.citations.iter_mut().find(here) {
                // Two figures of one row are one citation with both cells marked.
                cited.regions.extend(regions.into_iter().filter(|r| !cited.regions.contains(r)).collect::<Vec<_>>());
                markers.push(marker);
                continue;
            }
            markers.push(marker);
            checked.text.push_str(&format!("[{marker}]"));
            checked.citations.push(Citation {
                marker,
                span,
                document: document.clone(),
                page: page_ref(proof.hit, proof.page),
                part: proof.page.number,
                headings: proof.hit.passage.headings.clone(),
                quote,
                regions,
                support: proof.support,
            });
        }
        markers
    }
}

/// The page as a reader knows it: that of the hit, or the one the proof stands on where the passage runs over two.
fn page_ref(hit: &Hit, page: &Page) -> Option<index::corpus::PageRef> {
    let first = hit.passage.page.clone()?;
    if page.number == hit.passage.part {
        return Some(first);
    }
    Some(index::corpus::PageRef { index: page.number, label: page.label.clone() })
}

/// What to mark on the page: first the cells that are meant, then the rest of the quote, cell by cell.
fn regions(page: &Page, quote: &Range<usize>, focus: &[Range<usize>]) -> Vec<Region> {
    if focus.is_empty() {
        return page.regions(quote.clone());
    }
    let meant = focus.iter().flat_map(|range| page.regions(range.clone()));
    let text = &page.text[quote.clone()];
    let cells = text.split(" | ").map(|cell| {
        let start = quote.start + cell.as_ptr().addr() - text.as_ptr().addr();
        start..start + cell.len()
    });
    let rest = cells.filter(|cell| !focus.iter().any(|range| range.start <= cell.start && cell.end <= range.end));
    meant.chain(rest.flat_map(|cell| page.regions(cell))).collect()
}

/// A sentence of a model and the markers behind it.
struct Marked {
    text: String,
    markers: Vec<usize>,
}

/// Whether a line ends with a sentence that has its end and its marker there: `…2023 [1].`, `…12.84亿元。[1]`.
fn ended(line: &str) -> bool {
    const ENDS: [char; 8] = ['.', '!', '?', ';', '。', '！', '？', '；'];
    let line = line.trim_end();
    let before = line.trim_end_matches(ENDS).trim_end();
    before.ends_with([']', '】']) && (before.len() < line.len() || unmark(line).0.trim_end().ends_with(ENDS))
}

/// The sentences of a line with their markers taken out: `Sales rose [1][2].`, `营收增长。[1]`.
fn marked_sentences(line: &str) -> Vec<Marked> {
    let line = line.trim().trim_start_matches(['-', '*', '•', '#']).trim_start();
    let (bare, markers) = unmark(line);
    let ranges = at_markers(&bare, sentences(&bare), &markers);
    let mut found: Vec<Marked> =
        ranges.iter().map(|r| Marked { text: bare[r.clone()].replace("**", ""), markers: Vec::new() }).collect();
    for (at, number) in markers {
        // A marker belongs to the sentence that it stands in or right behind.
        let owner = ranges.iter().rposition(|r| r.start < at).or(if ranges.is_empty() { None } else { Some(0) });
        if let Some(owner) = owner {
            found[owner].markers.push(number);
        }
    }
    found
}

/// Sentences cut where an end mark stands right behind a marker: there one ends whatever comes next (`… sales [1]. (2) …`).
fn at_markers(bare: &str, ranges: Vec<Range<usize>>, markers: &[(usize, usize)]) -> Vec<Range<usize>> {
    let ends = markers.iter().filter_map(|&(at, _)| {
        let mark = bare[at..].chars().next().filter(|c| ".。;；!！?？".contains(*c))?;
        Some(at + mark.len_utf8())
    });
    let ends: Vec<usize> = ends.collect();
    let mut cut = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut start = range.start;
        for &end in ends.iter().filter(|end| range.start < **end && **end < range.end) {
            cut.push(start..end);
            start = end + (bare[end..].len() - bare[end..].trim_start().len());
        }
        cut.push(start..range.end);
    }
    cut.retain(|range| range.start < range.end);
    cut
}

/// The text without `[n]` and `【n】` markers, and where in it each stood.
fn unmark(text: &str) -> (String, Vec<(usize, usize)>) {
    let mut bare = String::with_capacity(text.len());
    let mut markers = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['[', '【']) {
        let width = rest[open..].chars().next().map_or(1, char::len_utf8);
        let inner = &rest[open + width..];
        let close = inner.find([']', '】']).filter(|&c| c <= 24);
        let numbers: Option<Vec<usize>> = close.and_then(|c| {
            inner[..c]
                .split([',', '，', '、', ' '])
                .filter(|n| !n.is_empty())
                .map(|n| n.trim_start_matches('^').parse().ok())
                .collect()
        });
        match (close, numbers) {
            (Some(close), Some(numbers)) if !numbers.is_empty() => {
                bare.push_str(rest[..open].trim_end());
                markers.extend(numbers.into_iter().map(|n| (bare.len(), n)));
                let width = inner[close..].chars().next().map_or(1, char::len_utf8);
                rest = &inner[close + width..];
            }
            _ => {
                bare.push_str(&rest[..open + width]);
                rest = inner;
            }
        }
    }
    bare.push_str(rest);
    (bare, markers)
}

/// The stretches of stored pages that a hit covers.
pub(crate) fn places<'a>(evidence: &'a Evidence, hit: &'a Hit) -> impl Iterator<Item = (u32, &'a Page, Range<usize>)> {
    hit.passage.spans.iter().filter_map(|span| {
        let page = evidence.page(hit, span.page)?;
        let end = (span.end as usize).min(page.text.len());
        let range = (span.start as usize).min(end)..end;
        page.text.get(range.clone())?;
        Some((span.page, page, range))
    })
}

/// The pieces of a stretch of a page that can be quoted: sentences, and rows of tables.
pub(crate) fn pieces(page: &Page, range: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut told = range.start;
    for block in &page.blocks {
        let part = block.range().start.max(range.start)..block.range().end.min(range.end);
        if part.start >= part.end || matches!(block.kind, BlockKind::Furniture) {
            continue;
        }
        told = told.max(part.end);
        let Some(text) = page.text.get(part.clone()) else { continue };
        let cut = if block.table.is_some() { lines(text) } else { sentences(text) };
        pieces.extend(cut.into_iter().map(|r| r.start + part.start..r.end + part.start));
    }
    if pieces.is_empty()
        && let Some(text) = page.text.get(told.min(range.start)..range.end)
    {
        pieces.extend(sentences(text).into_iter().map(|r| r.start + range.start..r.end + range.start));
    }
    pieces
}

fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        if !bare.trim().is_empty() {
            found.push(start..start + bare.len());
        }
        start += line.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, complete: bool) {
        assert_eq!(ended(line), complete, "{line}");
    }

    #[test]
    fn a_sentence_is_complete_with_its_end_and_its_marker() {
        check("Revenue was 412.6 million euros in 2023 [1].", true);
        check("Revenue was 412.6 million euros in 2023. [1]", true);
        check("营业收入为12.84亿元[1][2]。", true);
        check("营业收入为12.84亿元。【1】 ", true);
        check("Revenue was 412.6 million euros in 2023.", false);
        check("Revenue was 412.6 million euros in 2023 [1]", false);
        check("Revenue [1] was up 6.", false);
        check("营业收入为12.84亿元。[", false);
        check("", false);
    }
}
