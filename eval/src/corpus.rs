//! Which documents does an evaluation run on? Their names, so that a gold document that does not exist is found before the run,
//! and a hash of every byte, so that two reports are only compared when they are about the same documents.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{EvalError, invalid};

/// The documents of a set or suite.
#[derive(Debug)]
pub(crate) struct Corpus {
    pub(crate) path: PathBuf,
    pub(crate) hash: String,
    /// Every name a document can be called by: its id or relative path, and the last part of its path.
    names: Vec<String>,
    pub(crate) documents: usize,
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "doc_id")]
    id: Option<String>,
    file: Option<PathBuf>,
}

impl Corpus {
    pub(crate) fn read(path: PathBuf) -> Result<Self, EvalError> {
        let is_rows = path.extension().is_some_and(|e| e == "jsonl");
        let mut hash = blake3::Hasher::new();
        let mut names = Vec::new();
        let mut documents = 0;
        if !path.exists() {
            return Err(EvalError::CorpusMissing { path: path.display().to_string() });
        }
        if is_rows {
            add(&mut hash, "corpus.jsonl", &path)?;
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            for (line, row) in invalid::rows::<Row>(&path)? {
                if let Some(file) = &row.file {
                    let at = folder.join(file);
                    if !at.is_file() {
                        return Err(invalid::at(&path, line, format!("the file `{}` does not exist", file.display())));
                    }
                    add(&mut hash, &file.to_string_lossy(), &at)?;
                    names.extend(called(file));
                }
                names.extend(row.id);
                documents += 1;
            }
        } else {
            let mut files = Vec::new();
            walk(&path, &mut files)?;
            files.sort();
            for file in files {
                let relative = file.strip_prefix(&path).ok().filter(|r| !r.as_os_str().is_empty()).unwrap_or(&file);
                add(&mut hash, &relative.to_string_lossy(), &file)?;
                names.extend(called(relative));
                documents += 1;
            }
        }
        Ok(Self { path, hash: hash.finalize().to_hex()[..16].to_owned(), names, documents })
    }

    /// Checks that a document of that name is there.
    pub(crate) fn holds(&self, document: &str) -> Result<(), String> {
        if self.names.iter().any(|n| n == document) {
            return Ok(());
        }
        Err(match invalid::nearest(document, self.names.iter().map(String::as_str)) {
            Some(near) => format!("no document `{document}` in the corpus, did you mean `{near}`?"),
            None => format!("no document `{document}` in the corpus"),
        })
    }
}

fn called(path: &Path) -> impl Iterator<Item = String> {
    let whole = path.to_string_lossy().into_owned();
    [Some(whole), path.file_name().map(|n| n.to_string_lossy().into_owned())].into_iter().flatten()
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), EvalError> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let broken = |source| EvalError::Unreadable { path: path.display().to_string(), source };
    for entry in fs::read_dir(path).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            walk(&entry.path(), files)?;
        }
    }
    Ok(())
}

fn add(hash: &mut blake3::Hasher, name: &str, path: &Path) -> Result<(), EvalError> {
    let broken = |source| EvalError::Unreadable { path: path.display().to_string(), source };
    hash.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
    let file = File::open(path).map_err(broken)?;
    hash.update(&file.metadata().map_err(broken)?.len().to_le_bytes());
    hash.update_reader(file).map_err(broken)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_or_name_changes_the_hash_and_hidden_files_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let hash = || Corpus::read(dir.path().to_owned()).unwrap().hash;
        fs::write(dir.path().join("年报.md"), "营收").unwrap();
        let first = hash();
        fs::write(dir.path().join(".cache"), "x").unwrap();
        assert_eq!(hash(), first);
        fs::write(dir.path().join("年报.md"), "营業").unwrap();
        let second = hash();
        assert_ne!(second, first);
        fs::rename(dir.path().join("年报.md"), dir.path().join("年报2.md")).unwrap();
        assert_ne!(hash(), second);
    }

    #[test]
    fn a_missing_document_names_its_neighbour() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("zh")).unwrap();
        fs::write(dir.path().join("zh/report-2023.md"), "x").unwrap();
        let corpus = Corpus::read(dir.path().to_owned()).unwrap();
        assert!(corpus.holds("zh/report-2023.md").is_ok() && corpus.holds("report-2023.md").is_ok());
        assert!(corpus.holds("report-2022.md").unwrap_err().contains("`report-2023.md`"));
    }
}
