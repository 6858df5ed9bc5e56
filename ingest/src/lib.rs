//! Bytes → passages: reading files of every format, cutting them into passages, and the durable queue that carries them
//! into the index.

use index::fault::{Coded, Fault};

pub mod parse;

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
    #[error("{what} is not a kind of file that can be read; known are PDF, DOCX, XLSX, PPTX, DOC, XLS, PPT, HTML, Markdown, CSV and plain text")]
    Unsupported { what: String },
    #[error("the file passes a limit of the parser: {limit}")]
    ParserLimit { limit: String },
}

impl Coded for IngestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_document",
            Self::Encrypted { .. } => "encrypted_document",
            Self::Corrupt { .. } => "corrupt_document",
            Self::Unsupported { .. } => "unsupported_type",
            Self::ParserLimit { .. } => "parser_limit",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Empty | Self::Encrypted { .. } | Self::Corrupt { .. } | Self::Unsupported { .. } => Fault::Caller,
            Self::ParserLimit { .. } => Fault::Limit,
        }
    }
}
