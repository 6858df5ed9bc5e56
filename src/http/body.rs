//! What did the caller send? Bodies and query strings become types, or a problem that names what is wrong.

use std::io::SeekFrom;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    HttpRequest,
    http::header::{self, Header},
    mime, web,
};
use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::problem::Problem;

/// Largest JSON body of a question, a search, a description.
pub const SMALL: u64 = 4 << 20;
/// Largest part of a form that is no file.
const PART: usize = 1 << 20;
/// Longest name of a file.
const NAME: usize = 1_000;

/// Reads a JSON body of at most `limit` bytes.
pub async fn json<T: DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: web::Payload,
    limit: u64,
) -> Result<T, Problem> {
    if !is_json(request) {
        return Err(Problem::new("unsupported_media_type", "send the body as application/json"));
    }
    let bytes = bytes(request, payload, limit).await?;
    web::block(move || parse(&bytes)).await.map_err(Problem::internal)?
}

/// Whether the body says it is JSON.
pub fn is_json(request: &HttpRequest) -> bool {
    media_type(request).is_some_and(|mime| mime.subtype() == mime::JSON || mime.suffix() == Some(mime::JSON))
}

/// Whether the body says it is a form with files.
pub fn is_form(request: &HttpRequest) -> bool {
    media_type(request).is_some_and(|mime| mime.type_() == mime::MULTIPART && mime.subtype() == mime::FORM_DATA)
}

fn media_type(request: &HttpRequest) -> Option<mime::Mime> {
    header::ContentType::parse(request).ok().map(|header| header.0)
}

async fn bytes(request: &HttpRequest, mut payload: web::Payload, limit: u64) -> Result<Vec<u8>, Problem> {
    let too_large =
        || Problem::new("payload_too_large", format!("the body is larger than the {limit} bytes that are allowed here"));
    let announced = header::ContentLength::parse(request).map_or(0, |length| *length as u64);
    if announced > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced.min(SMALL) as usize);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| Problem::new("invalid_request", format!("the body could not be read: {e}")))?;
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A JSON object as a type whose fields are all known.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Problem::new("invalid_json", format!("the body is not UTF-8: byte {} is wrong", e.valid_up_to())))?;
    // Else a list would be read as the fields in their order.
    if text.trim_ascii_start().starts_with('[') {
        return Err(Problem::new("invalid_request", "the body must be a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| {
        // A wrong field may come before a broken end: that it is no JSON at all is told first.
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Err(error) => Problem::new("invalid_json", error.to_string()),
            Ok(_) => Problem::new(field_code(&error.to_string()), error.to_string()),
        }
    })
}

/// The query string as a type whose fields are all known.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    web::Query::<T>::from_query(request.query_string()).map(web::Query::into_inner).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.strip_prefix("Query deserialize error: ").unwrap_or(&reason);
        Problem::new(field_code(reason), format!("in the query string: {reason}"))
    })
}

fn field_code(reason: &str) -> &'static str {
    if reason.starts_with("unknown field") { "unknown_field" } else { "invalid_request" }
}

/// What the caller says about a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub language: Option<String>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
    #[serde(default)]
    pub facts: Map<String, Value>,
}

/// A file that was received. Its bytes are on the disk until they are wanted, so that a slow sender holds no memory.
pub struct Received {
    pub name: String,
    pub size: u64,
    /// Whether it was cut off because it is larger than is allowed.
    pub too_large: bool,
    spool: tokio::fs::File,
}

impl Received {
    /// Its bytes.
    pub async fn bytes(mut self) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::with_capacity(self.size as usize);
        self.spool.seek(SeekFrom::Start(0)).await.map_err(spool_failed)?;
        self.spool.read_to_end(&mut bytes).await.map_err(spool_failed)?;
        Ok(bytes)
    }
}

fn spool_failed(error: std::io::Error) -> Problem {
    Problem::of(&index::IndexError::from_io("upload".into(), error))
}

/// One part of a form.
pub enum Part {
    /// A file.
    File(Received),
    /// A field with its name and text.
    Text(String, String),
}

/// The parts of a multipart form, in their order.
pub struct Form {
    parts: Multipart,
    limit: u64,
}

impl Form {
    /// The form in a body; files above `limit` bytes are cut off.
    pub fn new(request: &HttpRequest, payload: web::Payload, limit: u64) -> Self {
        Self { parts: Multipart::new(request.headers(), payload), limit }
    }

    /// The next part.
    pub async fn next(&mut self) -> Result<Option<Part>, Problem> {
        let Some(mut field) = self.parts.try_next().await.map_err(|e| malformed(&e))? else { return Ok(None) };
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            let file = field.content_disposition().and_then(|d| {
                d.get_filename_ext()
                    .map(|f| String::from_utf8_lossy(&f.value).into_owned())
                    .or(d.get_filename().map(str::to_owned))
            });
            return spool(&mut field, plain_name(&file.unwrap_or_default()), self.limit).await.map(|file| Some(Part::File(file)));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = field.try_next().await.map_err(|e| malformed(&e))? {
            if bytes.len() + chunk.len() > PART {
                return Err(Problem::new(
                    "payload_too_large",
                    format!("the part `{}` is larger than {PART} bytes", shown(&name)),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Problem::new("invalid_request", format!("the part `{}` is not UTF-8", shown(&name))))?;
        Ok(Some(Part::Text(name, text)))
    }
}

async fn spool(field: &mut Field, name: String, limit: u64) -> Result<Received, Problem> {
    let file = web::block(tempfile::tempfile).await.map_err(Problem::internal)?.map_err(spool_failed)?;
    let mut received = Received { name, size: 0, too_large: false, spool: tokio::fs::File::from_std(file) };
    while let Some(chunk) = field.try_next().await.map_err(|e| malformed(&e))? {
        received.size += chunk.len() as u64;
        received.too_large |= received.size > limit;
        if !received.too_large {
            received.spool.write_all(&chunk).await.map_err(spool_failed)?;
        }
    }
    received.spool.flush().await.map_err(spool_failed)?;
    Ok(received)
}

fn malformed(error: &MultipartError) -> Problem {
    Problem::new("invalid_multipart", format!("the form cannot be read: {error}"))
}

/// A part that has no business in this form.
pub fn unknown_part(name: &str, known: &str) -> Problem {
    Problem::new("unknown_field", format!("unknown part `{}`, expected one of {known}", shown(name)))
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// A file's name as a label: no control characters, `/` between folders, no way up, not endless.
fn plain_name(name: &str) -> String {
    let name: String = name.replace('\\', "/").chars().filter(|c| !c.is_control()).take(NAME).collect();
    let name = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect::<Vec<_>>().join("/");
    if name.is_empty() { "document".into() } else { name }
}

/// `limit` of a list: 1 to 200, 50 if absent.
pub fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(50) {
        limit @ 1..=200 => Ok(limit),
        limit => Err(Problem::new("invalid_limit", format!("limit is {limit}; it must be 1 to 200"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Small {
        a: u32,
    }

    fn check(body: &[u8], code: &str) {
        assert_eq!(parse::<Small>(body).expect_err("a problem").code(), code, "{}", String::from_utf8_lossy(body));
    }

    #[test]
    fn a_body_that_is_no_json_is_told_from_one_with_wrong_fields() {
        check(b"", "invalid_json");
        check(b"{\"a\":1", "invalid_json");
        check(b"{\"a\":1,\"b\":\"\xff\"}", "invalid_json");
        check(b"{\"b\":1,", "invalid_json");
        check(b"{\"a\":1,\"b\":2}", "unknown_field");
        check(b"{\"a\":\"x\"}", "invalid_request");
        check(b"{}", "invalid_request");
        check(b"[1]", "invalid_request");
    }

    #[test]
    fn a_name_is_a_label_and_no_way_out() {
        for (given, name) in [
            ("../../etc/passwd", "etc/passwd"),
            ("C:\\报告\\年报.pdf", "C:/报告/年报.pdf"),
            ("a\r\nb.md", "ab.md"),
            ("", "document"),
            ("..", "document"),
        ] {
            assert_eq!(plain_name(given), name);
        }
    }
}
