//! What does a PATH of `dossier ingest` mean? A file, a folder, a `.zip`, or a `.jsonl` whose lines are documents,
//! becomes a list of sources; nothing is read into memory that can be read later.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::warn;
use zip::ZipArchive;

use crate::{
    IngestError,
    sniff::{decode, extension},
};

/// Entries of one archive, bytes that one may unfold to in all, and how many times its size an entry may unfold to.
const ENTRIES: usize = 20_000;
const UNFOLDED: u64 = 8 << 30;
const RATIO: u64 = 200;
/// An entry below this is never refused for its ratio: a small text of one letter compresses a thousand times.
const RATIO_FLOOR: u64 = 16 << 20;
/// One line of a `.jsonl`.
const LINE: u64 = 256 << 20;

/// A document that is about to be taken in.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path it was named by, an entry's name, or the name of a line.
    pub name: String,
    /// The caller's own id.
    pub external_id: Option<String>,
    /// The caller's title.
    pub title: Option<String>,
    /// The caller's word on the language.
    pub language: Option<String>,
    /// What the caller says about it.
    pub metadata: Map<String, Value>,
    /// What the caller says it is, checked ([`crate::enrich::given`]).
    pub facts: Map<String, Value>,
    /// Where its bytes are.
    pub content: Content,
}

/// Where the bytes of a source are.
#[derive(Debug, Clone)]
pub enum Content {
    /// In a file.
    Path(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
    /// In an archive.
    Entry(Arc<Mutex<ZipArchive<BufReader<File>>>>, usize),
    /// Nowhere: a line or entry that is no document. The reason is told when it is read, so that the others go on.
    Invalid(String),
}

impl Source {
    fn new(name: String, content: Content) -> Self {
        Self { name, external_id: None, title: None, language: None, metadata: Map::new(), facts: Map::new(), content }
    }

    /// The bytes, at most `limit` of them.
    ///
    /// # Errors
    /// `unreadable_source` if they cannot be read, `invalid_document` for a bad line, `document_too_large` above `limit`,
    /// `encrypted_document` for an entry with a password.
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, IngestError> {
        let unreadable = |reason: String| IngestError::Unreadable { name: self.name.clone(), reason };
        match &self.content {
            Content::Path(path) => {
                let file = File::open(path).map_err(|e| unreadable(plain(&e)))?;
                let length = file.metadata().map_err(|e| unreadable(plain(&e)))?;
                if length.is_dir() {
                    return Err(unreadable("it is a folder".into()));
                }
                self.read_limited(file, length.len(), limit)
            }
            Content::Bytes(bytes) if bytes.len() as u64 > limit => Err(self.too_large(bytes.len() as u64, limit)),
            Content::Bytes(bytes) => Ok(bytes.clone()),
            Content::Entry(archive, index) => {
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                let entry = archive.by_index(*index).map_err(|e| match e {
                    zip::result::ZipError::UnsupportedArchive(why) if why.contains("assword") => {
                        IngestError::Encrypted { format: "ZIP archive" }
                    }
                    e => unreadable(e.to_string()),
                })?;
                let (size, packed) = (entry.size(), entry.compressed_size());
                let most = limit.min(packed.saturating_mul(RATIO).max(RATIO_FLOOR));
                if size > most && size <= limit {
                    return Err(IngestError::ParserLimit {
                        limit: format!("`{}` unfolds to more than {RATIO} times its size", self.name),
                    });
                }
                self.read_limited(entry, size, most)
            }
            Content::Invalid(reason) => Err(IngestError::InvalidDocument { name: self.name.clone(), reason: reason.clone() }),
        }
    }

    fn read_limited(&self, from: impl Read, announced: u64, limit: u64) -> Result<Vec<u8>, IngestError> {
        if announced > limit {
            return Err(self.too_large(announced, limit));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(64 << 20));
        let read = from.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| IngestError::Unreadable { name: self.name.clone(), reason: plain(&e) })?;
        // The announced size of an entry is only a claim.
        if bytes.len() as u64 > limit { Err(self.too_large(bytes.len() as u64, limit)) } else { Ok(bytes) }
    }

    fn too_large(&self, bytes: u64, limit: u64) -> IngestError {
        IngestError::TooLarge { name: self.name.clone(), bytes, limit }
    }
}

/// What `path` stands for. Folders are not descended into unless `recursive`; hidden files, and files of kinds that are
/// certainly no documents, are left out of folders and archives with a word in the log.
///
/// # Errors
/// `unreadable_source` if there is nothing or it cannot be opened, `parser_limit` for an archive that is a bomb.
pub fn expand(path: &Path, recursive: bool) -> Result<Vec<Source>, IngestError> {
    let kind = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    let name = path.to_string_lossy().into_owned();
    let found = match extension(&name).as_str() {
        _ if kind.is_dir() => folder(path, recursive)?,
        "zip" => archive(path)?,
        "jsonl" | "ndjson" => lines(path)?,
        _ => vec![Source::new(name.clone(), Content::Path(path.to_owned()))],
    };
    if found.is_empty() {
        let hint = if kind.is_dir() && !recursive { "; folders inside it are read with --recursive" } else { "" };
        return Err(IngestError::Unreadable { name, reason: format!("it holds no documents{hint}") });
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> IngestError {
    IngestError::Unreadable { name: path.to_string_lossy().into_owned(), reason: plain(error) }
}

/// The reason without the number of the operating system.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

fn folder(root: &Path, recursive: bool) -> Result<Vec<Source>, IngestError> {
    let mut found = Vec::new();
    let mut skipped = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if folder == root => return Err(unreadable(root, &error)),
            Err(error) => {
                warn!("left out the folder `{}`: {}", folder.display(), plain(&error));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = path.to_string_lossy().into_owned();
            // A link to a folder may lead round in circles; a link to a file is that file.
            let descend = entry.file_type().is_ok_and(|t| t.is_dir());
            if is_hidden(&name) {
                continue;
            }
            if descend {
                if recursive {
                    open.push(path);
                }
            } else if path.is_file() {
                if is_no_document(&name) { skipped.push(name) } else { found.push(Source::new(name, Content::Path(path))) }
            }
        }
    }
    report(&root.to_string_lossy(), skipped);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn report(place: &str, mut skipped: Vec<String>) {
    if !skipped.is_empty() {
        skipped.sort();
        let shown = skipped.iter().take(5).map(|n| n.rsplit('/').next().unwrap_or(n)).collect::<Vec<_>>().join(", ");
        let more = if skipped.len() > 5 { ", …" } else { "" };
        warn!("left out {} files of `{place}` that are no documents: {shown}{more}", skipped.len());
    }
}

fn is_hidden(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.starts_with('.') || file.starts_with("~$") || file == "Thumbs.db" || file == "desktop.ini" || name.contains("__MACOSX/")
}

/// Pictures, sounds, programs, archives: by extension only, what the bytes are is looked at later. A `.zip` or `.jsonl`
/// inside a folder is left out too: as a list of documents it must be named itself.
fn is_no_document(name: &str) -> bool {
    const KINDS: [&str; 44] = [
        "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "svg", "ico", "psd", "heic", "mp3", "wav", "flac", "ogg",
        "mp4", "avi", "mov", "mkv", "exe", "dll", "so", "dylib", "o", "a", "bin", "dat", "db", "sqlite", "zip", "gz", "bz2",
        "xz", "zst", "7z", "rar", "tar", "tgz", "jsonl", "ndjson", "pyc", "class", "ttf",
    ];
    KINDS.contains(&extension(name).as_str())
}

fn archive(path: &Path) -> Result<Vec<Source>, IngestError> {
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    let corrupt = |e: zip::result::ZipError| IngestError::Corrupt { format: "ZIP archive", reason: e.to_string() };
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(corrupt)?;
    if archive.len() > ENTRIES {
        return Err(IngestError::ParserLimit {
            limit: format!("{} entries in an archive, {ENTRIES} are allowed", archive.len()),
        });
    }
    let mut entries = Vec::new();
    let mut skipped = Vec::new();
    let mut total = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(corrupt)?;
        // A name is only a label here, nothing is ever written under it. Chinese Windows writes it in GB18030.
        let name = decode(entry.name_raw(), None).text.replace('\\', "/");
        total = total.saturating_add(entry.size());
        if entry.is_dir() || name.ends_with('/') || is_hidden(&name) {
            continue;
        }
        if is_no_document(&name) { skipped.push(name) } else { entries.push((name, index)) }
    }
    if total > UNFOLDED {
        return Err(IngestError::ParserLimit { limit: format!("an archive that unfolds to {} MB", total >> 20) });
    }
    let place = path.to_string_lossy();
    report(&place, skipped);
    let archive = Arc::new(Mutex::new(archive));
    entries.sort();
    Ok(entries
        .into_iter()
        .map(|(name, index)| Source::new(format!("{place}/{name}"), Content::Entry(archive.clone(), index)))
        .collect())
}

/// A line of a `.jsonl`.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "doc_id", alias = "external_id")]
    id: Option<Value>,
    title: Option<String>,
    text: Option<String>,
    file: Option<String>,
    #[serde(alias = "language")]
    lang: Option<String>,
    #[serde(alias = "meta")]
    metadata: Option<Map<String, Value>>,
}

fn lines(path: &Path) -> Result<Vec<Source>, IngestError> {
    let mut reader = BufReader::new(File::open(path).map_err(|e| unreadable(path, &e))?);
    let folder = path.parent().unwrap_or(Path::new(""));
    let place = path.to_string_lossy();
    let mut sources = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line).map_err(|e| unreadable(path, &e))?;
        if read == 0 {
            break;
        }
        let text = line.trim_ascii();
        let text = if number == 1 { text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text) } else { text };
        if text.is_empty() {
            continue;
        }
        let name = format!("{place}:{number}");
        sources.push(document(text, folder, &name).unwrap_or_else(|reason| {
            Source::new(name.clone(), Content::Invalid(format!("line {number} is no document: {reason}")))
        }));
    }
    Ok(sources)
}

fn document(line: &[u8], folder: &Path, name: &str) -> Result<Source, String> {
    let line: Line = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    let external_id = match line.id {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id).filter(|id| !id.is_empty()),
        Some(Value::Number(id)) => Some(id.to_string()),
        Some(_) => return Err("`id` must be a text or a number".into()),
    };
    let (name, content) = match (line.text, line.file) {
        (Some(text), None) => (name.to_owned(), Content::Bytes(text.into_bytes())),
        (None, Some(file)) => {
            let path = folder.join(&file);
            (path.to_string_lossy().into_owned(), Content::Path(path))
        }
        (None, None) => return Err("it has neither `text` nor `file`".into()),
        (Some(_), Some(_)) => return Err("it has both `text` and `file`".into()),
    };
    let set = |s: Option<String>| s.filter(|s| !s.trim().is_empty());
    Ok(Source {
        name,
        external_id,
        title: set(line.title),
        language: set(line.lang),
        metadata: line.metadata.unwrap_or_default(),
        facts: Map::new(),
        content,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use index::fault::Coded;
    use tempfile::TempDir;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn folder_with(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn names(sources: &[Source], folder: &Path) -> Vec<String> {
        sources.iter().map(|s| s.name.trim_start_matches(&*folder.to_string_lossy()).trim_start_matches('/').to_owned()).collect()
    }

    #[test]
    fn a_folder_gives_its_documents_and_descends_only_when_told() {
        let folder = folder_with(&[
            ("b.pdf", b"x"),
            ("a.md", b"x"),
            (".hidden.md", b"x"),
            ("~$a.docx", b"x"),
            ("logo.png", b"x"),
            ("sub/c.txt", b"x"),
        ]);
        assert_eq!(names(&expand(folder.path(), false).unwrap(), folder.path()), ["a.md", "b.pdf"]);
        assert_eq!(names(&expand(folder.path(), true).unwrap(), folder.path()), ["a.md", "b.pdf", "sub/c.txt"]);
    }

    #[test]
    fn lines_are_documents_and_a_bad_line_harms_no_other() {
        let lines = concat!(
            "\u{FEFF}{\"id\": \"甲\", \"title\": \"\", \"text\": \"四个汉字\", \"lang\": null, \"metadata\": {\"year\": 2023}}\n",
            "{\"doc_id\": 7, \"text\": null, \"file\": \"sub/a.md\", \"meta\": null}\n",
            "\n",
            "not json\n",
            "{\"id\": \"x\"}\n",
            "{\"text\": \"last\", \"unknown\": 1}"
        );
        let folder = folder_with(&[("docs.jsonl", lines.as_bytes()), ("sub/a.md", b"# A")]);
        let sources = expand(&folder.path().join("docs.jsonl"), false).unwrap();
        assert_eq!(names(&sources, folder.path()), ["docs.jsonl:1", "sub/a.md", "docs.jsonl:4", "docs.jsonl:5", "docs.jsonl:6"]);
        assert_eq!(
            (sources[0].external_id.as_deref(), sources[0].title.as_deref(), sources[0].metadata["year"].as_u64()),
            (Some("甲"), None, Some(2023))
        );
        assert_eq!((sources[1].external_id.as_deref(), sources[1].read(100).unwrap()), (Some("7"), b"# A".to_vec()));
        for (n, said) in [(2, "line 4"), (3, "line 5")] {
            let error = sources[n].read(100).unwrap_err();
            assert_eq!(error.code(), "invalid_document");
            assert!(error.to_string().contains(said), "{error}");
        }
        assert_eq!(sources[4].read(100).unwrap(), b"last");
    }

    fn archive_with(entries: &[(&str, &[u8])]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut zip = zip::ZipWriter::new(File::create(folder.path().join("a.zip")).unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        folder
    }

    #[test]
    fn an_archive_is_read_entry_by_entry_and_names_are_only_names() {
        let folder = archive_with(&[("报告/a.md", b"# A"), ("../../etc/b.txt", b"b"), ("__MACOSX/x.md", b"x"), ("p.png", b"x")]);
        let path = folder.path().join("a.zip");
        let sources = expand(&path, false).unwrap();
        assert_eq!(names(&sources, &path), ["../../etc/b.txt", "报告/a.md"]);
        assert_eq!(sources[1].read(10).unwrap(), b"# A");
        assert_eq!(sources[0].read(10).unwrap(), b"b");
    }

    #[test]
    fn limits_and_missing_files_say_what_is_wrong() {
        let folder = archive_with(&[("bomb.txt", &vec![b'a'; 20 << 20])]);
        let bomb = expand(&folder.path().join("a.zip"), false).unwrap();
        assert_eq!(bomb[0].read(1 << 30).unwrap_err().code(), "parser_limit");
        assert_eq!(bomb[0].read(1 << 20).unwrap_err().code(), "document_too_large");
        let files = folder_with(&[("a.txt", b"12345")]);
        let source = &expand(&files.path().join("a.txt"), false).unwrap()[0];
        assert_eq!(source.read(4).unwrap_err().code(), "document_too_large");
        assert_eq!(source.read(5).unwrap(), b"12345");
        assert_eq!(expand(&files.path().join("none"), false).unwrap_err().code(), "unreadable_source");
        std::fs::write(files.path().join("b.zip"), b"PK no").unwrap();
        assert_eq!(expand(&files.path().join("b.zip"), false).unwrap_err().code(), "corrupt_document");
    }
}
