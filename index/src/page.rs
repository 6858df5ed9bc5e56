//! What is stored of a page: its text in reading order, where each word stands, and how the text divides into blocks.
//!
//! Everything points into [`Page::text`] with byte ranges, so a passage, a quote and a table cell are all ranges, and
//! every range becomes rectangles through the words it covers ([`Page::regions`]).
//! Formats without pages are stored as one page (or several parts when long) with no size and no word boxes.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page, slide, sheet, or part of a document without pages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Position in the document, from 1.
    pub number: u32,
    /// The label printed on the page (`iv`, `F-12`) or the name of the sheet.
    pub label: Option<String>,
    /// Width in points, rotation applied; 0 where the format has no pages.
    pub width: f32,
    /// Height in points.
    pub height: f32,
    /// The text in reading order: blocks separated by blank lines, table rows as lines of cells joined by ` | `.
    pub text: String,
    /// The words of `text` with their boxes, ascending and not overlapping; empty where the format has no pages.
    pub words: Vec<Word>,
    /// The blocks of `text`, ascending and not overlapping.
    pub blocks: Vec<Block>,
}

/// A word (for Chinese: a run on one line without a blank, at most a few characters) and its box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// First byte in the page's text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Box as fractions of the page, origin top left: `[x0, y0, x1, y1]`.
    pub rect: [f32; 4],
}

/// A piece of a page's text with its role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// First byte in the page's text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The role.
    pub kind: BlockKind,
    /// For `BlockKind::Table`: its grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
}

/// The role of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// A heading; 1 is the highest level.
    Heading(u8),
    /// Running text.
    Paragraph,
    /// An item of a list, its marker included.
    ListItem,
    /// A table; the block's text holds one line per row.
    Table,
    /// The caption or unit line of a table or figure.
    Caption,
    /// A foot- or endnote.
    Footnote,
    /// Running header, running footer or page number: stored, never part of a passage.
    Furniture,
}

/// The grid of a table. Rows are in order; a row may have fewer cells than the table has columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Caption, if one stands by the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The unit line, as printed: `单位：万元`, `(in millions)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The header of the table on the page before that this one continues; empty where it continues none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Carried>,
    /// How many of the first rows are header rows.
    pub header_rows: u32,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// A column's header that stands on an earlier page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The column, from 0.
    pub column: u32,
    /// The header, as printed there.
    pub text: String,
}

/// A cell: a range of the page's text in a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// First byte in the page's text.
    pub start: u32,
    /// One past the last byte; equal to `start` for an empty cell.
    pub end: u32,
    /// First column, from 0.
    pub column: u32,
    /// Columns covered.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub column_span: u32,
    /// Rows covered.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub row_span: u32,
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

/// A rectangle on a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Region {
    /// The page, from 1.
    pub page: u32,
    /// `[x0, y0, x1, y1]` as fractions of the page, origin top left.
    pub rect: [f32; 4],
}

impl Block {
    /// The bytes of the page's text that the block covers.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Cell {
    /// The bytes of the page's text that the cell covers.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Page {
    /// The rectangles that cover a byte range of the text: one per line of words. Empty where there are no boxes.
    pub fn regions(&self, range: Range<usize>) -> Vec<Region> {
        let first = self.words.partition_point(|w| w.end as usize <= range.start);
        let mut regions: Vec<Region> = Vec::new();
        for word in self.words[first..].iter().take_while(|w| (w.start as usize) < range.end) {
            match regions.last_mut() {
                Some(last) if same_line(&last.rect, &word.rect) => last.rect = union(&last.rect, &word.rect),
                _ => regions.push(Region { page: self.number, rect: word.rect }),
            }
        }
        regions
    }
}

/// Two boxes stand on one line if they overlap in height by more than half of the lower one and the second does not lie
/// far to the left of the first: a jump back is a new line or the next column.
fn same_line(a: &[f32; 4], b: &[f32; 4]) -> bool {
    let overlap = a[3].min(b[3]) - a[1].max(b[1]);
    let height = (a[3] - a[1]).min(b[3] - b[1]);
    overlap > 0.5 * height && b[0] >= a[0] && b[0] - a[2] < 0.25
}

fn union(a: &[f32; 4], b: &[f32; 4]) -> [f32; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let word = |start, end, rect| Word { start, end, rect };
        Page {
            number: 3,
            text: "net sales rose\nby 5%".into(),
            words: vec![
                word(0, 3, [0.1, 0.10, 0.2, 0.12]),
                word(4, 9, [0.21, 0.10, 0.3, 0.12]),
                word(10, 14, [0.31, 0.10, 0.4, 0.12]),
                word(15, 17, [0.1, 0.13, 0.15, 0.15]),
                word(18, 20, [0.16, 0.13, 0.2, 0.15]),
            ],
            ..Page::default()
        }
    }

    #[test]
    fn a_range_over_two_lines_gives_two_rectangles() {
        let regions = page().regions(4..17);
        assert_eq!(regions.len(), 2);
        assert_eq!(regions[0].rect, [0.21, 0.10, 0.4, 0.12]);
        assert_eq!(regions[1], Region { page: 3, rect: [0.1, 0.13, 0.15, 0.15] });
    }

    #[test]
    fn a_range_outside_the_words_gives_none() {
        assert!(page().regions(40..50).is_empty());
    }
}
