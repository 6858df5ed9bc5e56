//! How does the search hold up when everything is in one collection? Several sets as one: all documents side by side, each
//! question with its own gold among all of them.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{EvalError, invalid};

/// Writes a set that holds the documents and questions of others; files stay where they are. Returns how many documents and
/// questions it has.
///
/// # Errors
/// If a set cannot be read, two of them use one document id for different documents, or the folder cannot be written.
pub fn merge(dirs: &[PathBuf], out: &Path) -> Result<(usize, usize), EvalError> {
    let (mut corpus, mut questions) = (String::new(), String::new());
    let (mut documents, mut asked) = (HashSet::new(), 0);
    for dir in dirs {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = dir.join("corpus.jsonl");
        for (line, mut row) in invalid::rows::<Value>(&path)? {
            let id = row["doc_id"].as_str().or(row["id"].as_str()).unwrap_or_default().to_owned();
            if !documents.insert(id.clone()) {
                return Err(invalid::at(&path, line, format!("document `{id}` is in another set, too")));
            }
            if let Some(file) = row.get("file").and_then(Value::as_str) {
                let file = dir.join(file);
                let file = file.canonicalize().map_err(|source| unwritten(&file, source))?;
                row["file"] = Value::from(file.to_string_lossy());
            }
            corpus += &format!("{row}\n");
        }
        for (_, mut row) in invalid::rows::<Value>(&dir.join("questions.jsonl"))? {
            row["id"] = Value::from(format!("{name}/{}", row["id"].as_str().unwrap_or_default()));
            row["category"] = Value::from(name.as_str());
            // Over all documents a translation is one of the others.
            if let Some(meta) = row.get_mut("meta").and_then(Value::as_object_mut) {
                meta.retain(|key, _| !key.starts_with("parallel_"));
            }
            questions += &format!("{row}\n");
            asked += 1;
        }
    }
    let set = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "merged".into());
    let head = json!({ "set": set, "unit": "page", "of": dirs });
    fs::create_dir_all(out).map_err(|source| unwritten(out, source))?;
    for (file, text) in [("set.json", head.to_string()), ("corpus.jsonl", corpus), ("questions.jsonl", questions)] {
        let path = out.join(file);
        fs::write(&path, text).map_err(|source| unwritten(&path, source))?;
    }
    Ok((documents.len(), asked))
}

fn unwritten(path: &Path, source: std::io::Error) -> EvalError {
    EvalError::Unreadable { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(dir: &Path, name: &str, id: &str) -> PathBuf {
        let folder = dir.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("set.json"), json!({ "set": name }).to_string()).unwrap();
        fs::write(folder.join("corpus.jsonl"), json!({ "doc_id": id, "text": "Acme grew", "lang": "en" }).to_string()).unwrap();
        let question = json!({ "id": "q", "question": "Did Acme grow?", "gold_doc_ids": [id], "answerable": true, "lang": "en" });
        fs::write(folder.join("questions.jsonl"), question.to_string()).unwrap();
        folder
    }

    #[test]
    fn several_sets_become_one_that_can_be_run() {
        let dir = tempfile::tempdir().unwrap();
        let sets = [set(dir.path(), "one", "a"), set(dir.path(), "two", "b")];
        let out = dir.path().join("both");
        assert_eq!(merge(&sets, &out).unwrap(), (2, 2));
        let merged = crate::set::Set::read(&out).unwrap();
        let ids: Vec<String> = merged.probes(None).into_iter().map(|probe| probe.id).collect();
        assert_eq!(ids, ["one/q", "two/q"]);
    }

    #[test]
    fn one_id_for_two_documents_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let sets = [set(dir.path(), "one", "a"), set(dir.path(), "two", "a")];
        let error = merge(&sets, &dir.path().join("both")).unwrap_err().to_string();
        assert!(error.ends_with("corpus.jsonl:1: document `a` is in another set, too"), "{error}");
    }
}
