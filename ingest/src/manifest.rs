//! What does a manifest say about the documents that come with it? A CSV with a header, or JSON lines: each row names a document by
//! `path` (relative to the manifest) or `external_id`, and says what it is. It is checked as a whole before anything is taken in.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use index::nearest::nearest;
use serde_json::{Map, Value};

use crate::{
    IngestError,
    enrich::given,
    sniff::{decode, extension},
    source::{Content, Source},
};

/// A checked manifest.
#[derive(Debug)]
pub struct Manifest {
    file: PathBuf,
    rows: Vec<Row>,
}

/// What a row says.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    line: usize,
    path: Option<String>,
    external_id: Option<String>,
    title: Option<String>,
    facts: Map<String, Value>,
    metadata: Map<String, Value>,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `manifest_invalid` with everything that is wrong, each with its line; `unreadable_source`.
    pub fn read(file: &Path) -> Result<Self, IngestError> {
        let bytes =
            fs::read(file).map_err(|e| IngestError::Unreadable { name: file.display().to_string(), reason: e.to_string() })?;
        let text = decode(&bytes, None).text;
        let fields = match extension(&file.to_string_lossy()).as_str() {
            "jsonl" | "ndjson" => json_lines(&text),
            _ => csv_rows(&text),
        };
        let mut problems = Problems::new(file);
        let mut rows = Vec::new();
        for (line, fields) in fields {
            match fields.and_then(|fields| row(line, fields)) {
                Ok(row) => rows.push(row),
                Err(reasons) => reasons.into_iter().for_each(|reason| problems.add(line, reason)),
            }
        }
        let manifest = Self { file: file.to_owned(), rows };
        manifest.check_files(&mut problems);
        problems.or(manifest)
    }

    /// The files that its rows name.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.rows.iter().filter_map(|row| row.path.as_deref()).map(|path| self.place(path)).collect()
    }

    /// Says of each source what the manifest says of it.
    ///
    /// # Errors
    /// `manifest_invalid` if a row means none of the sources, or two rows contradict each other; then no source is changed.
    pub fn apply(&self, sources: &mut [Source]) -> Result<(), IngestError> {
        let mut problems = Problems::new(&self.file);
        let mut told: HashMap<usize, &Row> = HashMap::new();
        let mut ids: HashMap<&str, (usize, usize)> = HashMap::new();
        for row in &self.rows {
            let Some(at) = self.find(row, sources, &mut problems) else { continue };
            if let Some(before) = told.insert(at, row) {
                problems.add(row.line, contradiction(before, row));
            }
            if let Some(id) = row.external_id.as_deref()
                && let Some((other, line)) = ids.insert(id, (at, row.line))
                && other != at
            {
                problems.add(
                    row.line,
                    format!("external_id `{id}` is given to another file in line {line}; each document has its own"),
                );
            }
        }
        problems.or(())?;
        for (at, row) in told {
            let source = &mut sources[at];
            source.external_id = row.external_id.clone().or_else(|| source.external_id.take());
            source.title = row.title.clone().or_else(|| source.title.take());
            source.language =
                row.facts.get("language").and_then(Value::as_str).map(str::to_owned).or_else(|| source.language.take());
            source.metadata.extend(row.metadata.clone());
            source.facts = row.facts.clone();
        }
        Ok(())
    }

    fn find(&self, row: &Row, sources: &[Source], problems: &mut Problems) -> Option<usize> {
        if let Some(path) = &row.path {
            let place = self.place(path);
            let real = fs::canonicalize(&place).ok();
            let same = |source: &Source| match &source.content {
                Content::Path(path) => real.is_some() && fs::canonicalize(path).ok() == real,
                _ => Path::new(&source.name) == place,
            };
            let at = sources.iter().position(same);
            if at.is_none() {
                problems
                    .add(row.line, format!("`{path}` is not among what is taken in; add it to the paths, or take the line out"));
            }
            if let (Some(at), Some(id)) = (at, &row.external_id)
                && let Some(other) = sources[at].external_id.as_ref().filter(|other| *other != id)
            {
                problems.add(row.line, format!("`{path}` has the external_id `{other}` already, not `{id}`; leave it out here"));
            }
            return at;
        }
        let id = row.external_id.as_deref().unwrap_or_default();
        let at = sources.iter().position(|source| source.external_id.as_deref() == Some(id));
        if at.is_none() {
            let known = sources.iter().filter_map(|source| source.external_id.as_deref());
            let hint =
                nearest(id, known).map_or_else(|| "name it by `path`".to_owned(), |near| format!("did you mean `{near}`?"));
            problems.add(row.line, format!("no document with the external_id `{id}` is taken in; {hint}"));
        }
        at
    }

    fn place(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Every file that is named is there; a place inside an archive is looked for among the sources.
    fn check_files(&self, problems: &mut Problems) {
        for row in &self.rows {
            let Some(path) = &row.path else { continue };
            let place = self.place(path);
            if place.exists() || place.ancestors().skip(1).any(Path::is_file) {
                continue;
            }
            let folder = place.parent().unwrap_or(Path::new("."));
            let beside: Vec<String> = fs::read_dir(folder)
                .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
                .unwrap_or_default();
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let hint = match nearest(&name, beside.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write it relative to the manifest".into(),
            };
            problems.add(row.line, format!("there is no file `{path}`; {hint}"));
        }
    }
}

/// Two rows on one document: the first thing they differ in.
fn contradiction(before: &Row, row: &Row) -> String {
    let document = row.path.as_deref().or(row.external_id.as_deref()).unwrap_or_default();
    let all = |row: &Row| {
        let mut fields = row.facts.clone();
        fields.extend(row.metadata.clone());
        fields.extend(row.title.clone().map(|title| ("title".to_owned(), title.into())));
        fields
    };
    let (old, new) = (all(before), all(row));
    let differs = new.iter().find_map(|(field, value)| Some((field, old.get(field).filter(|other| *other != value)?, value)));
    match differs {
        Some((field, old, new)) => {
            format!("line {} says of `{document}` that `{field}` is {old}, this line {new}; keep one of them", before.line)
        }
        None => format!("`{document}` is described in line {} already; keep one of them", before.line),
    }
}

type Fields = (usize, Result<Map<String, Value>, Vec<String>>);

fn json_lines(text: &str) -> Vec<Fields> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let fields = serde_json::from_str(line.trim_start_matches('\u{feff}'));
            (number, fields.map_err(|e| vec![format!("it is no JSON object: {e}; write one object in each line")]))
        })
        .collect()
}

/// Rows under a header; empty cells say nothing.
fn csv_rows(text: &str) -> Vec<Fields> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b'\t', b';'].into_iter().max_by_key(|d| first.bytes().filter(|b| b == d).count()).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => return vec![(1, Err(vec![format!("the header cannot be read: {error}")]))],
    };
    for (at, name) in header.iter().enumerate() {
        if name.is_empty() || header[..at].contains(name) {
            let reason =
                if name.is_empty() { "a column has no name".into() } else { format!("the column `{name}` is there twice") };
            return vec![(1, Err(vec![format!("{reason}; name each column once")]))];
        }
    }
    reader
        .records()
        .map(|record| match record {
            Ok(record) => {
                let line = record.position().map_or(0, |at| at.line() as usize);
                let cells = header.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
                (line, Ok(cells.map(|(name, cell)| (name.clone(), Value::from(cell))).collect()))
            }
            Err(error) => {
                let line = error.position().map_or(0, |at| at.line() as usize);
                let reason = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("it has {len} cells and the header {expected_len}; put a cell that holds a comma in quotes")
                    }
                    _ => format!("it cannot be read: {error}"),
                };
                (line, Err(vec![reason]))
            }
        })
        .collect()
}

fn row(line: usize, fields: Map<String, Value>) -> Result<Row, Vec<String>> {
    let mut row = Row { line, path: None, external_id: None, title: None, facts: Map::new(), metadata: Map::new() };
    let mut wrong = Vec::new();
    for (name, value) in fields {
        if value.is_null() {
            continue;
        }
        let target = match name.as_str() {
            "path" | "file" => &mut row.path,
            "external_id" | "id" | "doc_id" => &mut row.external_id,
            "title" => &mut row.title,
            "lang" => {
                row.facts.insert("language".into(), value);
                continue;
            }
            "metadata" | "meta" if value.is_object() => {
                row.metadata.extend(value.as_object().cloned().unwrap_or_default());
                continue;
            }
            field if given::FIELDS.contains(&field) => {
                row.facts.insert(name, value);
                continue;
            }
            _ => {
                row.metadata.insert(name, value);
                continue;
            }
        };
        let text = match &value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        if text.is_empty() {
            wrong.push(format!("`{name}` is {value}; write a text"));
        } else if target.as_ref().is_some_and(|before| *before != text) {
            wrong.push(format!("`{name}` is said twice, in two ways; keep one of them"));
        } else {
            *target = Some(text);
        }
    }
    if row.path.is_none() && row.external_id.is_none() && wrong.is_empty() {
        wrong.push("it names no document; write `path` or `external_id`".into());
    }
    match given::check(&row.facts) {
        Ok(facts) => row.facts = facts,
        Err(more) => wrong.extend(more),
    }
    if wrong.is_empty() { Ok(row) } else { Err(wrong) }
}

/// What is wrong, each with file and line.
struct Problems {
    file: String,
    found: Vec<(usize, String)>,
}

impl Problems {
    fn new(file: &Path) -> Self {
        Self { file: file.display().to_string(), found: Vec::new() }
    }

    fn add(&mut self, line: usize, reason: String) {
        self.found.push((line, reason));
    }

    fn or<T>(mut self, good: T) -> Result<T, IngestError> {
        if self.found.is_empty() {
            return Ok(good);
        }
        self.found.sort();
        let lines: Vec<String> = self.found.iter().map(|(line, reason)| format!("{}:{line}: {reason}", self.file)).collect();
        Err(IngestError::Manifest { problems: lines.join("\n") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::expand;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn applied(manifest: &str, text: &str, files: &[&str]) -> Result<Vec<Source>, String> {
        let mut all: Vec<(&str, &str)> = files.iter().map(|name| (*name, "# 报告")).collect();
        all.push((manifest, text));
        let folder = folder(&all);
        let read = Manifest::read(&folder.path().join(manifest)).map_err(|e| e.to_string())?;
        let mut sources: Vec<Source> = read.paths().iter().flat_map(|path| expand(path, false).unwrap()).collect();
        read.apply(&mut sources).map_err(|e| e.to_string())?;
        Ok(sources)
    }

    #[test]
    fn a_row_says_what_a_document_is_in_csv_and_in_json() {
        let csv = "path,external_id,title,company,aliases,period,currency,industry\n\
                   年报.md,r-1,二〇二二年报,栖霁传动股份有限公司,栖霁;Qiji,2022年度,人民币,机械\nb.md,,,Acme Inc.,,FY2023,,\n";
        let json = r#"{"path":"年报.md","external_id":"r-1","title":"二〇二二年报","company":"栖霁传动股份有限公司","aliases":["栖霁","Qiji"],"period":"2022年度","currency":"CNY","industry":"机械"}
{"path":"b.md","company":"Acme Inc.","period":"FY2023"}"#;
        for (name, text) in [("m.csv", csv), ("m.jsonl", json)] {
            let sources = applied(name, text, &["年报.md", "b.md"]).unwrap();
            let first = &sources[0];
            assert_eq!((first.external_id.as_deref(), first.title.as_deref()), (Some("r-1"), Some("二〇二二年报")));
            assert_eq!(first.facts["period"]["year"], 2022);
            assert_eq!((&first.facts["currency"], &first.facts["aliases"][1]), (&"CNY".into(), &"Qiji".into()));
            assert_eq!(first.metadata["industry"], "机械");
            assert_eq!(sources[1].facts["company"], "Acme Inc.");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_nothing_is_said_of_any_source() {
        let check = |text: &str, wanted: &[&str]| {
            let wrong = applied("m.csv", text, &["a.md", "b.md"]).unwrap_err();
            assert_eq!(wrong.lines().count(), wanted.len(), "{wrong}");
            for (line, words) in wrong.lines().zip(wanted) {
                assert!(line.contains(words), "{line} lacks {words}");
            }
        };
        check("path,company\na.md,Acme\nc.md,Acme", &["m.csv:3: there is no file `c.md`; did you mean `"]);
        check("path,period\na.md,someday\nb.md,2023-13", &["m.csv:2: `someday` is no period", "m.csv:3: `2023-13` is no period"]);
        check("path,period\na.md,FY2022\na.md,FY2023", &["m.csv:3: line 2 says of `a.md` that `period` is"]);
        check("path,company\na.md,Acme\n./a.md,Acme", &["m.csv:3: `./a.md` is described in line 2 already"]);
        check("path,external_id\na.md,x\nb.md,x", &["m.csv:3: external_id `x` is given to another file in line 2"]);
        check(
            "path,company\na.md,Acme, Inc.",
            &["m.csv:2: it has 3 cells and the header 2; put a cell that holds a comma in quotes"],
        );
        check("path,path\na.md,b.md", &["m.csv:1: the column `path` is there twice"]);
        check("company\nAcme", &["m.csv:2: it names no document; write `path` or `external_id`"]);
        check("external_id,company\nr-1,Acme", &["m.csv:2: no document with the external_id `r-1` is taken in"]);
        let wrong = applied("m.jsonl", "{\"path\": \"a.md\"}\n\nnot json", &["a.md"]).unwrap_err();
        assert!(wrong.contains("m.jsonl:3: it is no JSON object"), "{wrong}");
    }

    #[test]
    fn a_row_for_a_file_that_is_not_taken_in_is_told() {
        let folder = folder(&[("a.md", "a"), ("b.md", "b"), ("m.csv", "path,company\na.md,Acme\nb.md,Acme")]);
        let manifest = Manifest::read(&folder.path().join("m.csv")).unwrap();
        let mut sources = expand(&folder.path().join("a.md"), false).unwrap();
        let wrong = manifest.apply(&mut sources).unwrap_err().to_string();
        assert!(wrong.contains("m.csv:3: `b.md` is not among what is taken in"), "{wrong}");
        assert!(sources[0].facts.is_empty());
    }
}
