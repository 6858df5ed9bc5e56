//! Bytes → passages: reading files of every format ([`parse`], [`sniff`], [`source`]), cutting them into passages
//! ([`chunk`]), and the durable queue ([`queue`]) whose workers ([`pipeline`]) carry them into the index; whether they
//! arrived ([`reconcile`]); another index filled beside it ([`build`]).

use index::{
    IndexError,
    corpus::Failure,
    fault::{Coded, Fault},
};

pub mod build;
pub mod chunk;
pub mod crash;
pub mod enrich;
pub mod manifest;
pub mod parse;
pub mod pipeline;
pub mod queue;
pub mod reconcile;
pub mod sandbox;
pub mod sniff;
pub mod source;

/// What can go wrong while a document is read and stored.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IngestError {
    #[error("the file is empty")]
    Empty,
    #[error("the {format} is protected by a password; remove the protection and upload it again")]
    Encrypted { format: &'static str },
    #[error("the {format} is damaged: {reason}")]
    Corrupt { format: &'static str, reason: String },
    #[error(
        "{what} is not a kind of file that can be read; known are PDF, DOCX, XLSX, PPTX, DOC, XLS, PPT, HTML, Markdown, CSV and plain text"
    )]
    Unsupported { what: String },
    #[error("the file passes a limit of the parser: {limit}")]
    ParserLimit { limit: String },
    #[error("no text was found on any of its {pages} pages; if it is a scan, run text recognition over it first")]
    NoText { pages: usize },
    #[error("`{name}` cannot be read: {reason}")]
    Unreadable { name: String, reason: String },
    #[error("`{name}` has {bytes} bytes, more than the {limit} that are allowed")]
    TooLarge { name: String, bytes: u64, limit: u64 },
    #[error("`{name}`: {reason}")]
    InvalidDocument { name: String, reason: String },
    #[error("{problems}")]
    Manifest { problems: String },
    /// What a parser in another process said.
    #[error("{detail}")]
    Parser { code: String, detail: String },
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl IngestError {
    /// Its code and message, as they are stored and shown.
    pub fn failure(&self) -> Failure {
        let code = if let Self::Parser { code, .. } = self { code.clone() } else { self.code().into() };
        Failure { code, detail: self.to_string() }
    }
}

impl Coded for IngestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_document",
            Self::Encrypted { .. } => "encrypted_document",
            Self::Corrupt { .. } | Self::Parser { .. } => "corrupt_document",
            Self::Unsupported { .. } => "unsupported_type",
            Self::ParserLimit { .. } => "parser_limit",
            Self::NoText { .. } => "no_text",
            Self::Unreadable { .. } => "unreadable_source",
            Self::TooLarge { .. } => "document_too_large",
            Self::InvalidDocument { .. } => "invalid_document",
            Self::Manifest { .. } => "manifest_invalid",
            Self::Index(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Empty
            | Self::Encrypted { .. }
            | Self::Corrupt { .. }
            | Self::Parser { .. }
            | Self::Unsupported { .. }
            | Self::NoText { .. } => Fault::Caller,
            Self::Unreadable { .. } | Self::InvalidDocument { .. } | Self::Manifest { .. } => Fault::Caller,
            Self::ParserLimit { .. } | Self::TooLarge { .. } => Fault::Limit,
            Self::Index(error) => error.fault(),
        }
    }
}
