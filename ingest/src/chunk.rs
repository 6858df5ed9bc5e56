//! Pages → passages: which pieces of a page are searched and cited as one?
//!
//! A passage belongs to one page and, as far as its length allows, to one section: prose is cut evenly at sentence ends,
//! a table stays whole or is cut between rows, each slice with its caption, unit line and header rows in front. Cutting
//! evenly matters more than it looks: filling greedily leaves short tails, and a short passage is near to everything in
//! the space of meanings. Every line of a passage's text stands word for word in the text of the page.
//!
//! The cutting is our own and not a library's, because splitters fill up to a capacity and so leave the tails.

use std::ops::Range;

use index::{
    corpus::{PassageKind, Span},
    page::{Block, BlockKind, Page, Region},
};

/// The most prose in one passage, in tenths of a Han character: 350 characters, or about 160 English words.
const PROSE: u32 = 3500;
/// The most of a table in one passage before it is cut between rows.
const TABLE: u32 = 2 * PROSE;
/// What is shorter joins a neighbour on its page.
const SCRAP: u32 = PROSE * 15 / 100;
/// A paragraph before a table that is no longer than this may introduce it.
const INTRODUCTION: u32 = 600;
/// A heading longer than this is cut in the heading path, in characters.
const HEADING: usize = 200;

/// A passage without its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Position in the document, from 0.
    pub ordinal: u32,
    /// Prose or table.
    pub kind: PassageKind,
    /// The text as shown: the spans, joined by line feeds.
    pub text: String,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
    /// Where it stands on its page.
    pub spans: Vec<Span>,
    /// The same place as rectangles.
    pub regions: Vec<Region>,
}

/// Cuts the pages of one document, in order.
#[derive(Debug, Default)]
pub struct Chunker {
    ordinal: u32,
    headings: Vec<(u8, String)>,
    /// The page whose only text are headings, for a document that has nothing else.
    bare: Option<Draft>,
}

/// A passage in the making.
#[derive(Debug, Clone)]
struct Piece {
    kind: PassageKind,
    ranges: Vec<Range<usize>>,
    size: u32,
    headings: Vec<String>,
    /// The heading right above it, if that stands on this page.
    heading: Option<Range<usize>>,
}

impl Chunker {
    /// The passages of the next page.
    pub fn push(&mut self, page: &Page) -> Vec<Draft> {
        let (pieces, orphans) = self.pieces(page);
        if pieces.is_empty() {
            self.keep_bare(page, orphans);
            return Vec::new();
        }
        self.bare = None;
        merge_scraps(pieces).into_iter().map(|piece| self.draft(page, piece)).collect()
    }

    /// What is left at the end: the headings of a document that is nothing but headings.
    pub fn finish(self) -> Vec<Draft> {
        self.bare.into_iter().filter(|_| self.ordinal == 0).collect()
    }

    fn keep_bare(&mut self, page: &Page, orphans: Vec<Range<usize>>) {
        if self.ordinal == 0 && self.bare.is_none() && !orphans.is_empty() {
            let piece = Piece { kind: PassageKind::Text, ranges: orphans, size: 0, headings: Vec::new(), heading: None };
            self.bare = Some(self.draft(page, piece));
            self.ordinal = 0;
        }
    }

    fn draft(&mut self, page: &Page, piece: Piece) -> Draft {
        let text = piece.ranges.iter().map(|r| &page.text[r.clone()]).collect::<Vec<_>>().join("\n");
        let spans = piece.ranges.iter().map(|r| Span { page: page.number, start: r.start as u32, end: r.end as u32 }).collect();
        let regions = piece.ranges.iter().flat_map(|r| page.regions(r.clone())).collect();
        let ordinal = self.ordinal;
        self.ordinal += 1;
        Draft { ordinal, kind: piece.kind, text, headings: piece.headings, spans, regions }
    }

    /// The pieces of a page in reading order, and the headings at its end under which nothing stands.
    fn pieces(&mut self, page: &Page) -> (Vec<Piece>, Vec<Range<usize>>) {
        let blocks: Vec<&Block> =
            page.blocks.iter().filter(|b| b.kind != BlockKind::Furniture && !b.range().is_empty()).collect();
        let before_table = before_tables(&blocks);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut prose: Vec<Range<usize>> = Vec::new();
        let mut front: Vec<Range<usize>> = Vec::new();
        // Headings since the last text, with their levels.
        let mut open: Vec<(u8, Range<usize>)> = Vec::new();
        let mut heading: Option<Range<usize>> = None;
        for (n, block) in blocks.iter().enumerate() {
            let range = trimmed(&page.text, block.range());
            if range.is_empty() {
                continue;
            }
            match block.kind {
                BlockKind::Heading(level) => {
                    front.drain(..).for_each(|r| prose.push(r));
                    self.flush(page, &mut prose, heading.clone(), &mut pieces);
                    self.enter(level, &page.text[range.clone()]);
                    open.push((level, range));
                    continue;
                }
                BlockKind::Table => {
                    introduction(page, &mut prose, &mut front);
                    heading = self.close_headings(&mut open, &mut prose, heading);
                    self.flush(page, &mut prose, heading.clone(), &mut pieces);
                    // An empty first cell is a blank at the start of the text.
                    let range = block.range().start..range.end;
                    let slices = cut_table(page, block, range, &front).into_iter();
                    let path = self.path_of_table(block);
                    pieces.extend(slices.map(|p| Piece { headings: path.clone(), heading: heading.clone(), ..p }));
                    front.clear();
                    continue;
                }
                BlockKind::Caption if before_table[n] => {
                    front.push(range);
                    continue;
                }
                _ => {}
            }
            heading = self.close_headings(&mut open, &mut prose, heading);
            prose.push(range);
        }
        front.drain(..).for_each(|r| prose.push(r));
        self.flush(page, &mut prose, heading, &mut pieces);
        let orphans: Vec<Range<usize>> = open.into_iter().map(|(_, r)| r).collect();
        if let Some(list) = mistaken(page, &orphans) {
            // Many "headings" in a row with nothing below are a list or a table of contents.
            pieces.push(Piece { headings: Vec::new(), ..list });
        }
        (pieces, orphans)
    }

    /// Text follows: of the headings before it, those that are not above it join it as text, so that nothing is lost.
    fn close_headings(
        &self,
        open: &mut Vec<(u8, Range<usize>)>,
        prose: &mut Vec<Range<usize>>,
        current: Option<Range<usize>>,
    ) -> Option<Range<usize>> {
        let Some((_, innermost)) = open.last().cloned() else { return current };
        let mut above = u8::MAX;
        let mut lost: Vec<Range<usize>> = Vec::new();
        for (level, range) in open.drain(..).rev() {
            if level < above {
                above = level;
            } else {
                lost.push(range);
            }
        }
        lost.reverse();
        prose.splice(0..0, lost);
        Some(innermost)
    }

    fn enter(&mut self, level: u8, text: &str) {
        self.headings.retain(|(l, _)| *l < level);
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.headings.push((level, text.chars().take(HEADING).collect()));
    }

    fn path(&self) -> Vec<String> {
        self.headings.iter().map(|(_, text)| text.clone()).collect()
    }

    /// A table that continues one of the page before has no header on its own page: caption, header and unit go into the path,
    /// since the text of a passage is that of its page.
    fn path_of_table(&self, block: &Block) -> Vec<String> {
        let mut path = self.path();
        if let Some(table) = block.table.as_ref().filter(|table| !table.carried.is_empty()) {
            let header = table.carried.iter().map(|carried| carried.text.as_str()).collect::<Vec<_>>().join(" | ");
            let known = |caption: &&String| path.last().is_some_and(|last| last == *caption);
            let caption = table.caption.iter().filter(|caption| !known(caption)).cloned();
            let line = caption.chain([header]).chain(table.unit.clone()).collect::<Vec<_>>().join(" · ");
            path.push(line.chars().take(HEADING).collect());
        }
        path
    }

    fn flush(&self, page: &Page, prose: &mut Vec<Range<usize>>, heading: Option<Range<usize>>, pieces: &mut Vec<Piece>) {
        let ranges = std::mem::take(prose);
        for (ranges, size) in cut_evenly(&page.text, &ranges, PROSE) {
            pieces.push(Piece { kind: PassageKind::Text, ranges, size, headings: self.path(), heading: heading.clone() });
        }
    }
}

/// Per block: whether the next that is no caption is a table.
fn before_tables(blocks: &[&Block]) -> Vec<bool> {
    let mut next = false;
    let mut out: Vec<bool> = blocks
        .iter()
        .rev()
        .map(|block| {
            let before = next;
            if block.kind != BlockKind::Caption {
                next = block.kind == BlockKind::Table;
            }
            before
        })
        .collect();
    out.reverse();
    out
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let Some(slice) = text.get(range.clone()) else { return 0..0 };
    let start = range.start + slice.len() - slice.trim_start().len();
    start..start.max(range.start + slice.trim_end().len())
}

/// A short paragraph that ends in a colon, or names a table, becomes the front of the table after it.
fn introduction(page: &Page, prose: &mut Vec<Range<usize>>, front: &mut Vec<Range<usize>>) {
    let Some(last) = prose.last() else { return };
    let text = &page.text[last.clone()];
    let introduces =
        text.ends_with(['：', ':']) || ["表", "下表", "如下", "Table", "following table"].iter().any(|w| text.starts_with(w));
    if front.is_empty() && introduces && measure(text) <= INTRODUCTION {
        front.extend(prose.pop());
    }
}

fn mistaken(page: &Page, headings: &[Range<usize>]) -> Option<Piece> {
    let size = headings.iter().map(|r| measure(&page.text[r.clone()])).sum();
    (headings.len() >= 3 && size >= SCRAP).then(|| Piece {
        kind: PassageKind::Text,
        ranges: headings.to_vec(),
        size,
        headings: Vec::new(),
        heading: None,
    })
}

/// The length of a text in tenths of a Han character: what costs an encoder about as much and tells a reader about as
/// much. A Latin word counts 2.2 characters, a long run without blanks by its letters.
pub(crate) fn measure(text: &str) -> u32 {
    let (mut size, mut run) = (0u32, 0u32);
    for c in text.chars() {
        if c.is_alphanumeric() && !is_han(c) {
            run += 1;
            continue;
        }
        size += word(run);
        run = 0;
        size += match c {
            c if c.is_whitespace() => 0,
            c if is_han(c) => 10,
            c if c.is_ascii() => 3,
            _ => 5,
        };
    }
    size + word(run)
}

fn word(letters: u32) -> u32 {
    if letters == 0 { 0 } else { 22.max(letters * 3) }
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Cuts the text of `ranges` into pieces of about equal length, none much above `most`, at ends of ranges or sentences.
fn cut_evenly(text: &str, ranges: &[Range<usize>], most: u32) -> Vec<(Vec<Range<usize>>, u32)> {
    let total: u32 = ranges.iter().map(|r| measure(&text[r.clone()])).sum();
    if ranges.is_empty() {
        return Vec::new();
    }
    if total <= most {
        return vec![(ranges.to_vec(), total)];
    }
    let share = f64::from(total) / f64::from(total.div_ceil(most));
    let atoms = ranges.iter().enumerate().flat_map(|(n, r)| atoms(text, r.clone(), most).into_iter().map(move |a| (n, a)));
    let mut pieces: Vec<(Vec<Range<usize>>, u32)> = Vec::new();
    let (mut done, mut boundary, mut from) = (0u32, share, None);
    for (range, atom) in atoms {
        let size = measure(&text[atom.clone()]);
        // The atom goes to the piece on whose side of the boundary its middle lies.
        let next = f64::from(done) + f64::from(size) / 2.0 > boundary;
        done += size;
        if next && !pieces.is_empty() {
            while f64::from(done) - f64::from(size) / 2.0 > boundary {
                boundary += share;
            }
            from = None;
        }
        match (from, pieces.last_mut()) {
            // The same paragraph goes on: the blank between two sentences belongs to it.
            (Some(same), Some((ranges, total))) if same == range => {
                if let Some(last) = ranges.last_mut() {
                    last.end = atom.end;
                }
                *total += size;
            }
            (Some(_), Some((ranges, total))) => {
                ranges.push(atom);
                *total += size;
            }
            _ => pieces.push((vec![atom], size)),
        }
        from = Some(range);
    }
    join_short(pieces)
}

/// Joins a piece that came out short, because a long sentence lay beside it, with the shorter of its neighbours.
fn join_short(pieces: Vec<(Vec<Range<usize>>, u32)>) -> Vec<(Vec<Range<usize>>, u32)> {
    let mut out: Vec<(Vec<Range<usize>>, u32)> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match out.last_mut() {
            Some(last) if last.1 < SCRAP || piece.1 < SCRAP => {
                last.0.extend(piece.0);
                last.1 += piece.1;
            }
            _ => out.push(piece),
        }
    }
    out
}

/// The sentences of a range; one longer than `most` is taken apart at clauses, then blanks, then characters.
fn atoms(text: &str, range: Range<usize>, most: u32) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    for sentence in sentences(text, range) {
        if measure(&text[sentence.clone()]) <= most {
            out.push(sentence);
        } else {
            break_up(text, sentence, most, &mut out);
        }
    }
    out
}

/// Where sentences end: after 。！？；!?, after a full stop before a blank and a capital, and at line ends.
pub(crate) fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let slice = &text[range.clone()];
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = slice.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let mut end = at + c.len_utf8();
        let stop = match c {
            '。' | '！' | '？' | '；' | '\n' => true,
            '!' | '?' => chars.peek().is_none_or(|(_, n)| n.is_whitespace() || is_han(*n) || is_closing(*n)),
            '.' | ';' => begins_sentence(&slice[end..]) && !ends_in_abbreviation(&slice[start..at]),
            _ => false,
        };
        if !stop {
            continue;
        }
        while let Some((next, closing)) =
            chars.next_if(|(_, n)| is_closing(*n) || (c != '\n' && matches!(n, '。' | '！' | '？' | '!' | '?')))
        {
            end = next + closing.len_utf8();
        }
        push_trimmed(text, range.start + start..range.start + end, &mut out);
        start = end;
    }
    push_trimmed(text, range.start + start..range.end, &mut out);
    out
}

fn push_trimmed(text: &str, range: Range<usize>, out: &mut Vec<Range<usize>>) {
    let range = trimmed(text, range);
    if !range.is_empty() {
        out.push(range);
    }
}

fn is_closing(c: char) -> bool {
    matches!(c, '”' | '’' | '」' | '』' | '）' | ')' | '"' | '》' | '】' | ']')
}

/// After a full stop: a blank, then a capital, a digit, a quote, a bracket or a Han character.
fn begins_sentence(rest: &str) -> bool {
    let rest = rest.trim_start_matches(is_closing);
    let after = rest.trim_start();
    after.is_empty()
        || (after.len() < rest.len()
            && after.starts_with(|c: char| {
                c.is_uppercase() || c.is_ascii_digit() || is_han(c) || matches!(c, '"' | '“' | '(' | '（' | '$' | '•')
            }))
}

fn ends_in_abbreviation(before: &str) -> bool {
    const SHORT: [&str; 20] = [
        "Mr", "Mrs", "Ms", "Dr", "Prof", "St", "No", "Nos", "vs", "Fig", "Figs", "Vol", "U.S", "U.K", "Jr", "Sr", "cf", "e.g",
        "i.e", "approx",
    ];
    let last = before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '（')).next().unwrap_or(before);
    SHORT.contains(&last) || (last.len() == 1 && last.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn break_up(text: &str, range: Range<usize>, most: u32, out: &mut Vec<Range<usize>>) {
    // Half of the maximum, so that the even cutting still has something to choose.
    let target = most / 2;
    let (mut start, mut size, mut run) = (range.start, 0u32, 0u32);
    let mut last_good: Option<usize> = None;
    for (offset, c) in text[range.clone()].char_indices() {
        let at = range.start + offset;
        let letter = c.is_alphanumeric() && !is_han(c);
        run = if letter { run + 1 } else { 0 };
        // The same lengths as `measure`, one character at a time.
        size += match run {
            1 => 22,
            r if r > 0 => word(r) - word(r - 1),
            _ => measure(c.encode_utf8(&mut [0; 4])),
        };
        let clause = matches!(c, '，' | '、' | '：' | ',' | '|' | ';') || c.is_whitespace();
        if clause && size * 4 >= target {
            last_good = Some(at + c.len_utf8());
        }
        if size >= target {
            let end = last_good.unwrap_or(at + c.len_utf8());
            if end <= start {
                continue;
            }
            push_trimmed(text, start..end, out);
            size = measure(&text[end..at + c.len_utf8()]);
            start = end;
            last_good = None;
        }
    }
    push_trimmed(text, start..range.end, out);
}

/// A table whole, or slices of its rows with caption, unit line and header rows in front of each.
fn cut_table(page: &Page, block: &Block, range: Range<usize>, front: &[Range<usize>]) -> Vec<Piece> {
    let text = &page.text;
    let piece =
        |ranges: Vec<Range<usize>>, size| Piece { kind: PassageKind::Table, ranges, size, headings: Vec::new(), heading: None };
    let size_of = |ranges: &[Range<usize>]| ranges.iter().map(|r| measure(&text[r.clone()])).sum::<u32>();
    let whole: Vec<Range<usize>> = front.iter().cloned().chain([range.clone()]).collect();
    let size = size_of(&whole);
    if size <= TABLE {
        return vec![piece(whole, size)];
    }
    let rows: Vec<Range<usize>> = lines(text, range);
    let headers = block.table.as_ref().map_or(0, |t| t.header_rows as usize).min(rows.len().saturating_sub(1));
    let (head, body) = rows.split_at(headers);
    // The header rows stand together: one range.
    let head: Vec<Range<usize>> = head.first().zip(head.last()).map(|(a, b)| a.start..b.end).into_iter().collect();
    let mut before: Vec<Range<usize>> = front.to_vec();
    before.extend(head.iter().cloned());
    let mut pieces = Vec::new();
    if size_of(&before) > PROSE {
        // Too long to repeat: it is said once, by itself.
        pieces.extend(cut_evenly(text, &before, PROSE).into_iter().map(|(ranges, size)| piece(ranges, size)));
        before.clear();
    }
    let front_size = size_of(&before);
    let sizes: Vec<u32> = body.iter().map(|r| measure(&text[r.clone()])).collect();
    let room = TABLE - TABLE / 4 - front_size;
    let total: u32 = sizes.iter().sum();
    let share = f64::from(total) / f64::from(total.div_ceil(room.max(1)));
    let (mut from, mut size, mut done, mut boundary) = (0, 0u32, 0u32, share);
    for n in 0..body.len() {
        size += sizes[n];
        done += sizes[n];
        let last = n + 1 == body.len();
        let full = f64::from(done) + sizes.get(n + 1).map_or(0.0, |s| f64::from(*s) / 2.0) > boundary
            || size + sizes.get(n + 1).unwrap_or(&0) > TABLE - front_size;
        if !(last || full) {
            continue;
        }
        while boundary < f64::from(done) + share / 2.0 {
            boundary += share;
        }
        let rows = body[from].start..body[n].end;
        if from == n && size > TABLE {
            // One row that is a text of its own.
            pieces.extend(cut_evenly(text, &[rows], PROSE).into_iter().map(|(ranges, size)| piece(ranges, size)));
        } else {
            pieces.push(piece(before.iter().cloned().chain([rows]).collect(), size + front_size));
        }
        (from, size) = (n + 1, 0);
    }
    pieces
}

fn lines(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut start = range.start;
    let mut out = Vec::new();
    for line in text[range].split_inclusive('\n') {
        out.push(start..start + line.trim_end_matches('\n').len());
        start += line.len();
    }
    out.retain(|r| !r.is_empty());
    out
}

/// Joins what is too short with its neighbour on the page: with the next, or at the end with the one before.
fn merge_scraps(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match out.last_mut() {
            Some(last) if last.size < SCRAP => join(last, piece),
            // The tail of the same section goes back to it.
            Some(last) if piece.size < SCRAP && last.headings == piece.headings && last.size + piece.size <= TABLE => {
                join(last, piece)
            }
            _ => out.push(piece),
        }
    }
    if out.len() > 1
        && out.last().is_some_and(|p| p.size < SCRAP)
        && let (Some(tail), Some(last)) = (out.pop(), out.last_mut())
    {
        join(last, tail);
    }
    out
}

/// Puts `next` behind `piece`. What it stands under and `piece` does not, comes along as a line of text.
fn join(piece: &mut Piece, next: Piece) {
    let same = piece.headings == next.headings;
    if !same {
        let common: Vec<String> =
            piece.headings.iter().zip(&next.headings).take_while(|(a, b)| a == b).map(|(a, _)| a.clone()).collect();
        let under = next.headings.len() > common.len();
        if piece.headings.len() > common.len() && piece.size < next.size {
            // The shorter one came first: its own heading becomes a line, and the path is the longer one's.
            if let Some(own) = piece.heading.clone().filter(|h| !piece.ranges.contains(h)) {
                piece.ranges.insert(0, own);
            }
            piece.headings.clone_from(&next.headings);
        } else if piece.headings.len() == common.len() && piece.size < next.size {
            piece.headings.clone_from(&next.headings);
        }
        if under && let Some(own) = next.heading.clone().filter(|h| !piece.ranges.contains(h) && !next.ranges.contains(h)) {
            piece.ranges.push(own);
        }
    }
    if piece.size < next.size {
        piece.kind = next.kind;
        piece.heading = next.heading;
    }
    piece.size += next.size;
    for range in next.ranges {
        if !piece.ranges.contains(&range) {
            piece.ranges.push(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use index::page::{Table, Word};
    use proptest::prelude::*;

    use super::*;

    /// A page out of blocks, as the parsers write it.
    fn page(number: u32, blocks: &[(BlockKind, &str)]) -> Page {
        let mut page = Page { number, ..Page::default() };
        for (kind, text) in blocks {
            if !page.text.is_empty() {
                page.text.push_str("\n\n");
            }
            let start = page.text.len() as u32;
            page.text.push_str(text);
            let table = (*kind == BlockKind::Table).then(|| Table { header_rows: 1, ..Table::default() });
            page.blocks.push(Block { start, end: page.text.len() as u32, kind: *kind, table });
        }
        page
    }

    fn cut(pages: &[Page]) -> Vec<Draft> {
        let mut chunker = Chunker::default();
        let mut drafts: Vec<Draft> = pages.iter().flat_map(|p| chunker.push(p)).collect();
        drafts.extend(chunker.finish());
        drafts
    }

    use BlockKind::{Caption, Furniture, Heading, Paragraph};

    const SENTENCE: &str = "报告期内公司实现营业收入一百二十三点四亿元，同比增长百分之五点六，主要由于产品价格上涨。";
    const ENGLISH: &str =
        "Revenue rose by 5.6% to $1,234.5 million in the year, mainly because prices went up in the U.S. and in Europe. ";

    #[test]
    fn prose_is_cut_evenly_at_sentence_ends() {
        for text in [SENTENCE.repeat(19), ENGLISH.repeat(23)] {
            let drafts = cut(&[page(1, &[(Paragraph, &text)])]);
            let sizes: Vec<u32> = drafts.iter().map(|d| measure(&d.text)).collect();
            assert!(sizes.len() >= 2 && sizes.iter().all(|s| *s <= PROSE + PROSE / 4), "{sizes:?}");
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= PROSE / 3, "{sizes:?}");
            assert!(drafts.iter().all(|d| d.text.ends_with(['。', '.']) && !d.text.ends_with("U.S.")));
        }
    }

    #[test]
    fn headings_make_the_path_and_are_carried_over_pages() {
        let long = SENTENCE.repeat(3);
        let first = page(1, &[(Heading(1), "第一章 概述"), (Heading(2), "一、市场"), (Paragraph, &long), (Furniture, "1")]);
        let second = page(2, &[(Paragraph, &long), (Heading(2), "二、政策"), (Paragraph, &long)]);
        let paths: Vec<Vec<String>> = cut(&[first, second]).into_iter().map(|d| d.headings).collect();
        assert_eq!(paths, [["第一章 概述", "一、市场"], ["第一章 概述", "一、市场"], ["第一章 概述", "二、政策"]]);
    }

    #[test]
    fn a_long_table_is_cut_between_rows_with_caption_and_header_in_front() {
        let rows: String = (0..120).map(|n| format!("\n公司{n} | {n},123.4 | {n}.5%")).collect();
        let table = format!("企业 | 收入 | 增速{rows}");
        let long = SENTENCE.repeat(3);
        let page = page(4, &[(Paragraph, &long), (Caption, "表1 收入"), (Caption, "单位：万元"), (BlockKind::Table, &table)]);
        let drafts = cut(&[page]);
        let tables: Vec<&Draft> = drafts.iter().filter(|d| d.kind == PassageKind::Table).collect();
        assert!(tables.len() >= 2);
        assert!(tables.iter().all(|d| d.text.starts_with("表1 收入\n单位：万元\n企业 | 收入 | 增速\n公司")
            && d.spans.len() == 4
            && measure(&d.text) <= TABLE));
        let rows: usize = tables.iter().map(|d| d.text.lines().count() - 3).sum();
        assert_eq!(rows, 120);
    }

    #[test]
    fn what_is_too_short_joins_its_neighbour_with_its_heading() {
        let long = SENTENCE.repeat(4);
        let page = page(1, &[(Heading(2), "一、风险"), (Paragraph, "略。"), (Heading(2), "二、市场"), (Paragraph, &long)]);
        let drafts = cut(&[page]);
        assert_eq!(drafts.len(), 1);
        assert_eq!(drafts[0].headings, ["二、市场"]);
        assert_eq!(drafts[0].text, format!("一、风险\n略。\n二、市场\n{long}"));
    }

    #[test]
    fn headings_alone_are_no_passage_unless_there_is_nothing_else() {
        let cover = page(1, &[(Heading(1), "年度报告")]);
        let body = page(2, &[(Paragraph, SENTENCE)]);
        let drafts = cut(&[cover.clone(), body]);
        assert_eq!((drafts.len(), drafts[0].headings.as_slice()), (1, &["年度报告".to_owned()][..]));
        assert_eq!(cut(&[cover])[0].text, "年度报告");
        assert_eq!(cut(&[page(1, &[(Paragraph, "四个汉字")])])[0].text, "四个汉字");
        assert!(cut(&[page(1, &[(Furniture, "12")]), Page::default()]).is_empty());
    }

    #[test]
    fn a_passage_has_the_rectangles_of_its_spans() {
        let mut page = page(3, &[(Paragraph, "营业收入"), (Paragraph, "增长")]);
        page.words = vec![
            Word { start: 0, end: 12, rect: [0.1, 0.1, 0.3, 0.12] },
            Word { start: 14, end: 20, rect: [0.1, 0.2, 0.2, 0.22] },
        ];
        let regions = &cut(&[page])[0].regions;
        assert_eq!(
            regions.iter().map(|r| (r.page, r.rect)).collect::<Vec<_>>(),
            [(3, [0.1, 0.1, 0.3, 0.12]), (3, [0.1, 0.2, 0.2, 0.22])]
        );
    }

    #[test]
    fn sentences_end_where_a_reader_pauses() {
        let text = "Sales rose 5.6% in the U.S. market. “Good.” Costs (see No. 5) fell; Profit grew! 增长了。”真的？是的；好";
        let found: Vec<&str> = sentences(text, 0..text.len()).into_iter().map(|r| &text[r]).collect();
        assert_eq!(
            found,
            [
                "Sales rose 5.6% in the U.S. market.",
                "“Good.”",
                "Costs (see No. 5) fell;",
                "Profit grew!",
                "增长了。”",
                "真的？",
                "是的；",
                "好"
            ]
        );
    }

    fn a_block() -> impl Strategy<Value = (BlockKind, String)> {
        let words = prop_oneof![
            Just(SENTENCE.to_owned()),
            Just(ENGLISH.to_owned()),
            Just("营业收入".repeat(9)),
            Just("x".repeat(40)),
            "[a-zA-Z0-9 。，.|]{1,60}"
        ];
        let prose = (
            prop_oneof![Just(Paragraph), Just(BlockKind::ListItem), Just(BlockKind::Footnote), Just(Caption)],
            prop::collection::vec(words, 1..30),
        )
            .prop_map(|(kind, parts)| (kind, parts.concat()));
        let table = (1usize..60, 1usize..6).prop_map(|(rows, columns)| {
            let row = |r: usize| (0..columns).map(|c| format!("第{r}行 {c},{r}.5")).collect::<Vec<_>>().join(" | ");
            (BlockKind::Table, (0..rows).map(row).collect::<Vec<_>>().join("\n"))
        });
        let short = "[一-龥]{2,12}";
        prop_oneof![
            4 => prose,
            2 => table,
            2 => (1u8..4, short).prop_map(|(level, text)| (Heading(level), text)),
            1 => short.prop_map(|text| (Furniture, text)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn passages_cover_their_page_word_for_word_and_none_is_a_scrap(pages in prop::collection::vec(prop::collection::vec(a_block(), 0..12), 1..4)) {
            let pages: Vec<Page> = pages.iter().enumerate()
                .map(|(n, blocks)| page(n as u32 + 1, &blocks.iter().map(|(k, t)| (*k, t.trim())).filter(|(_, t)| !t.is_empty()).collect::<Vec<_>>()))
                .collect();
            let drafts = cut(&pages);
            prop_assert!(drafts.iter().enumerate().all(|(n, d)| d.ordinal == n as u32));
            for page in &pages {
                let own: Vec<&Draft> = drafts.iter().filter(|d| d.spans[0].page == page.number).collect();
                let mut covered = vec![false; page.text.len()];
                for draft in &own {
                    let slices: Vec<&str> = draft.spans.iter().map(|s| &page.text[s.start as usize..s.end as usize]).collect();
                    prop_assert_eq!(&draft.text, &slices.join("\n"));
                    for span in &draft.spans {
                        covered[span.start as usize..span.end as usize].fill(true);
                    }
                    let size = measure(&draft.text);
                    prop_assert!(size <= PROSE * 5 / 2, "a passage of {}", size);
                    prop_assert!(size >= SCRAP || own.len() == 1, "a scrap of {} beside {}: {}", size, own.len(), draft.text);
                }
                for block in page.blocks.iter().filter(|b| !matches!(b.kind, Heading(_) | Furniture)) {
                    let missed = page.text[block.range()].char_indices().find(|(at, c)| !c.is_whitespace() && !covered[block.start as usize + at]);
                    prop_assert!(missed.is_none(), "not covered from {:?}: {}", missed, &page.text[block.range()]);
                }
                for block in page.blocks.iter().filter(|b| b.kind == Furniture) {
                    prop_assert!(page.text[block.range()].char_indices().all(|(at, _)| !covered[block.start as usize + at]));
                }
            }
        }
    }
}
