//! The words of the corpus: ids, documents, passages.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::page::Region;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, ordered by time.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // A malformed id is an unknown id for everyone outside: the parse error is never shown.
                Uuid::try_parse(text.strip_prefix(concat!($prefix, "_")).unwrap_or("")).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }
        impl ToSchema for $name {}
    };
}

id!(
    /// A document: a source with successive contents.
    DocumentId, "doc");
id!(
    /// A passage of one version of a document; derived, so that doing a job again changes nothing.
    PassageId, "psg");
id!(
    /// An ingest request over many files.
    BatchId, "bat");
id!(
    /// A stored answer.
    AnswerId, "ans");

impl PassageId {
    /// The id of the passage at `ordinal` of a version: uuid5 over document, version and ordinal.
    pub fn derive(document: DocumentId, version: u32, ordinal: u32) -> Self {
        Self(Uuid::new_v5(&document.0, format!("{version}/{ordinal}").as_bytes()))
    }
}

/// The kinds of report that matter to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// On a year: annual report, 10-K, 20-F.
    Annual,
    /// On half a year.
    HalfYear,
    /// On a quarter or nine months.
    Quarterly,
    /// For buyers of shares or bonds.
    Prospectus,
    /// On an event: 8-K, 6-K.
    CurrentReport,
    /// Results as announced to the press or the exchange.
    EarningsRelease,
    /// On environment, society and governance.
    Sustainability,
    /// A broker's research.
    Research,
    /// A white or blue paper.
    WhitePaper,
    /// On a market, an industry or a field.
    MarketReport,
    /// Another announcement of a company.
    Announcement,
    /// A known kind that is none of these: a proxy statement, an audit report.
    Other,
}

impl ReportKind {
    /// Its name in the language of the report.
    pub fn name(self, chinese: bool) -> &'static str {
        let (zh, en) = match self {
            Self::Annual => ("年度报告", "Annual Report"),
            Self::HalfYear => ("半年度报告", "Half-Year Report"),
            Self::Quarterly => ("季度报告", "Quarterly Report"),
            Self::Prospectus => ("招股说明书", "Prospectus"),
            Self::CurrentReport => ("临时报告", "Current Report"),
            Self::EarningsRelease => ("业绩公告", "Results"),
            Self::Sustainability => ("可持续发展报告", "Sustainability Report"),
            Self::Research => ("研究报告", "Research"),
            Self::WhitePaper => ("白皮书", "White Paper"),
            Self::MarketReport => ("行业报告", "Report"),
            Self::Announcement => ("公告", "Announcement"),
            Self::Other => ("文件", "Document"),
        };
        if chinese { zh } else { en }
    }
}

/// Where a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted, waiting for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Found by its words; its vectors are pending.
    Searchable,
    /// Found by words and meaning.
    Ready,
    /// It could not be read; `error` says why.
    Failed,
    /// It was read, but what was read is not fit to answer from; `error` says why.
    Quarantined,
}

impl Status {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Searchable => "searchable",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether nothing more will happen by itself.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::Quarantined)
    }
}

impl FromStr for Status {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Queued, Self::Running, Self::Searchable, Self::Ready, Self::Failed, Self::Quarantined]
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or_else(|| format!("unknown status `{text}`"))
    }
}

/// Why a document or an item failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Stable code, see `docs/ERRORS.md`.
    pub code: String,
    /// What happened, for a person.
    pub detail: String,
}

/// A document as the catalog holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// Its id.
    pub id: DocumentId,
    /// The scenario it belongs to.
    pub scenario: String,
    /// The caller's own id, if one was given.
    pub external_id: Option<String>,
    /// The name it came under: a file name, or a path relative to what was ingested.
    pub name: String,
    /// Title: given, or read from the document.
    pub title: String,
    /// Media type of the bytes.
    pub media_type: String,
    /// BCP 47 language of the text (`zh`, `en`, …), once known.
    pub language: Option<String>,
    /// What the caller said about it.
    pub metadata: Map<String, Value>,
    /// What it is labelled; filters look here under `labels`.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What was read about it in itself, or said over it: company, kind of report, period, date, currency, each with the place.
    #[serde(default)]
    pub facts: Map<String, Value>,
    /// Where it stands.
    pub status: Status,
    /// What a worker is doing: `parse`, `index`, `embed`.
    pub stage: Option<String>,
    /// Share of the stage that is done, 0 to 1.
    pub progress: f32,
    /// The published version, counted from 1; 0 before the first is published.
    pub version: u32,
    /// Bytes of the newest version.
    pub bytes: u64,
    /// Pages (slides, sheets) of the published version; 0 where the format has none.
    pub pages: u32,
    /// Passages of the published version.
    pub passages: u32,
    /// Why it failed.
    pub error: Option<Failure>,
    /// When it was first accepted, RFC 3339.
    pub created_at: String,
    /// When this row last changed, RFC 3339.
    pub updated_at: String,
}

/// What a passage is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PassageKind {
    /// Prose and lists.
    Text,
    /// Rows of a table, with its caption, unit and header in front.
    Table,
}

/// A range of a stored page's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The page, from 1.
    pub page: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The unit that is searched and cited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// Derived id.
    pub id: PassageId,
    /// Position in the version, from 0.
    pub ordinal: u32,
    /// Prose or table.
    pub kind: PassageKind,
    /// The text as shown. Each line of it stands in one of the spans.
    pub text: String,
    /// Headings above it, outermost first.
    pub headings: Vec<String>,
    /// Where it stands; the first span's page is the passage's page.
    pub spans: Vec<Span>,
    /// The same place as rectangles; empty where the format has no pages.
    pub regions: Vec<Region>,
}

/// A page as a reader knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PageRef {
    /// Position in the document, from 1.
    pub index: u32,
    /// The printed label, if there is one.
    pub label: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_prefix_does_not() {
        let id = DocumentId::new();
        assert_eq!(id.to_string().parse::<DocumentId>().unwrap(), id);
        assert!(id.to_string().parse::<BatchId>().is_err());
        assert!("doc_x".parse::<DocumentId>().is_err());
    }

    #[test]
    fn passage_ids_depend_on_version_and_ordinal() {
        let doc = DocumentId::new();
        assert_eq!(PassageId::derive(doc, 1, 0), PassageId::derive(doc, 1, 0));
        assert_ne!(PassageId::derive(doc, 1, 11), PassageId::derive(doc, 11, 1));
    }
}
