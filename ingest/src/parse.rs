//! Bytes → pages. One function per format; which one is decided by the bytes, the name only breaks ties.
//!
//! A parser sends each page as soon as it has it, so that pages already read survive whatever the rest of the file does.
//! Parsers are synchronous, use no network and trust nothing; the service runs them in a child process with limits
//! ([`crate::sandbox`]), because a stack overflow or a failed allocation cannot be caught.

use index::page::Page;
use serde::{Deserialize, Serialize};

use crate::IngestError;

mod flow;
mod markup;
mod office;
mod pdf;
mod text;

/// What a file is, told from its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Format {
    Pdf,
    Docx,
    Xlsx,
    Pptx,
    /// Word, Excel and PowerPoint 97 (`doc`, `xls`, `ppt`).
    Ole,
    Html,
    Markdown,
    Csv,
    Text,
}

impl Format {
    /// Whether its parser only walks over text once, and so needs no process of its own.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Markdown | Self::Csv | Self::Text)
    }
}

/// What a parser learned about the whole document; sent after the last page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The best title found, never a file name or an internal number.
    pub title: Option<String>,
    /// Author, if the file says so.
    pub author: Option<String>,
    /// Creation date, RFC 3339 date or time, if the file says so.
    pub created: Option<String>,
    /// Whether page numbers mean something to a reader (PDF pages, slides, sheets).
    pub paged: bool,
    /// What a person should know: pages without text, a damaged part that was skipped.
    pub warnings: Vec<String>,
}

/// Takes the pages as they come; an error from it ends the parse.
pub type Sink<'a> = dyn FnMut(Page) -> Result<(), IngestError> + 'a;

/// Reads `bytes` as `format` and sends its pages, in order, to `sink`.
///
/// # Errors
/// `empty_document`, `encrypted_document`, `corrupt_document`, `unsupported_type`, `parser_limit`; and whatever `sink` returns.
pub fn parse(format: Format, bytes: &[u8], name: &str, sink: &mut Sink) -> Result<About, IngestError> {
    match format {
        Format::Pdf => pdf::parse(bytes, sink),
        Format::Docx | Format::Xlsx | Format::Pptx | Format::Ole => office::parse(format, bytes, name, sink),
        Format::Html => markup::html(bytes, sink),
        Format::Markdown => markup::markdown(bytes, sink),
        Format::Csv => text::csv(bytes, name, sink),
        Format::Text => text::plain(bytes, sink),
    }
}
