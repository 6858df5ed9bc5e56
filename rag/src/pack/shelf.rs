//! Which packs are there? Those of the program, and those in a customer's folder, which add to them or replace one of the same
//! name. The folder is looked at again with every question: a valid edit counts at once, an invalid one leaves what was there
//! and is told in the log and by `pack check`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use index::nearest::nearest;
use parking_lot::Mutex;
use tracing::{info, warn};

use super::{Pack, PackError, Text};

macro_rules! bundled {
    ($($pack:literal: $($file:literal),*;)*) => {
        &[$($((concat!("config/packs/", $pack, "/", $file), include_str!(concat!("../../../config/packs/", $pack, "/", $file)))),*),*]
    };
}

/// The files of the packs of this program.
const BUNDLED: &[(&str, &str)] = bundled![
    "finance": "pack.toml", "glossary.tsv", "metrics.toml", "answer.zh.md", "answer.en.md";
    "technology": "pack.toml", "glossary.tsv", "metrics.toml", "answer.zh.md", "answer.en.md";
];

/// The pack that is used unless another one is set.
pub const STANDARD: &str = "finance";

/// Files of a pack that are larger than this are a mistake.
const LARGEST: u64 = 16 << 20;

/// Packs by name.
type Shelf = BTreeMap<String, Arc<Pack>>;

/// What a folder looked like: each file with its size and when it was changed.
type Look = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// The packs that are known, as they are now.
#[derive(Debug)]
pub struct Packs {
    folder: Option<PathBuf>,
    standard: String,
    state: Mutex<(Look, Shelf)>,
}

impl Packs {
    /// The packs of the program and of a folder; `standard` is the one that is used where nothing else is said.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn open(folder: Option<&Path>, standard: &str) -> Result<Self, PackError> {
        let (seen, shelf) = (look(folder), read(folder)?);
        if !shelf.contains_key(standard) {
            return Err(unknown(standard, &shelf));
        }
        Ok(Self { folder: folder.map(Path::to_owned), standard: standard.into(), state: Mutex::new((seen, shelf)) })
    }

    /// The pack of a name, or the standard one where none is named or the named one is gone.
    pub fn get(&self, name: Option<&str>) -> Arc<Pack> {
        let shelf = self.now();
        let named = name.and_then(|name| shelf.get(name)).or_else(|| shelf.get(&self.standard));
        named.cloned().unwrap_or_else(Pack::standard)
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<Pack>> {
        self.now().into_values().collect()
    }

    /// Whether there is a pack of this name.
    ///
    /// # Errors
    /// Names the packs that there are.
    pub fn known(&self, name: &str) -> Result<(), PackError> {
        let shelf = self.now();
        if shelf.contains_key(name) { Ok(()) } else { Err(unknown(name, &shelf)) }
    }

    fn now(&self) -> Shelf {
        let mut state = self.state.lock();
        let Some(folder) = &self.folder else { return state.1.clone() };
        let seen = look(Some(folder));
        if seen != state.0 {
            state.0 = seen;
            match read(Some(folder)) {
                // The standard pack is kept if its folder was taken away.
                Ok(shelf) if shelf.contains_key(&self.standard) => {
                    info!("the packs in `{}` were read again", folder.display());
                    state.1 = shelf;
                }
                Ok(_) => warn!("the pack `{}` is gone from `{}`; it is used as it was", self.standard, folder.display()),
                Err(error) => warn!("the packs in `{}` are used as they were before the last edit: {error}", folder.display()),
            }
        }
        state.1.clone()
    }
}

impl Default for Packs {
    fn default() -> Self {
        let standard = Pack::standard();
        let shelf = read(None).unwrap_or_else(|_| Shelf::from([(standard.name.clone(), standard)]));
        Self { folder: None, standard: STANDARD.into(), state: Mutex::new((Look::new(), shelf)) }
    }
}

/// The standard pack of the program.
pub(super) fn standard() -> Arc<Pack> {
    read(None).expect("a test reads the packs of the program").remove(STANDARD).expect("it is one of them")
}

fn unknown(name: &str, shelf: &Shelf) -> PackError {
    let hint =
        nearest(name, shelf.keys().map(String::as_str)).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let known: Vec<&str> = shelf.keys().map(String::as_str).collect();
    let problem = format!("there is no pack `{name}`{hint}; there are {}", known.join(", "));
    PackError(vec![super::Problem { file: "packs.use".into(), line: 0, problem }])
}

/// Reads all packs: those of the program and those of the folder, each after what it includes.
fn read(folder: Option<&Path>) -> Result<Shelf, PackError> {
    let mut found: BTreeMap<String, Vec<Text>> = BTreeMap::new();
    for (path, text) in BUNDLED {
        found.entry(pack_of(path).into()).or_default().push(Text::new(path, text));
    }
    if let Some(folder) = folder {
        found.extend(read_folder(folder)?);
    }
    let mut shelf = Shelf::new();
    let mut problems = Vec::new();
    for name in found.keys() {
        if let Err(PackError(more)) = add(name, &found, &mut shelf, &mut Vec::new()) {
            problems.extend(more.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>());
        }
    }
    if problems.is_empty() { Ok(shelf) } else { Err(PackError(problems)) }
}

fn pack_of(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or_default()
}

fn add(name: &str, found: &BTreeMap<String, Vec<Text>>, shelf: &mut Shelf, open: &mut Vec<String>) -> Result<(), PackError> {
    if shelf.contains_key(name) {
        return Ok(());
    }
    let Some(files) = found.get(name) else { return Ok(()) };
    open.push(name.into());
    // What is wrong with an included pack is told with that pack.
    for included in includes(files) {
        if !open.contains(&included) {
            add(&included, found, shelf, open).ok();
        }
    }
    open.pop();
    let pack = Pack::read(name, files, &|included| match shelf.get(included) {
        Some(pack) => Ok(pack.clone()),
        None if circle(included, name, found) => Err(format!("`{included}` includes `{name}` in turn; take one of the two out")),
        None if found.contains_key(included) => Err(format!("the included pack `{included}` is not valid")),
        None => {
            let near = nearest(included, found.keys().map(String::as_str)).map(|near| format!("; did you mean `{near}`?"));
            Err(format!("there is no pack `{included}` to include{}", near.unwrap_or_default()))
        }
    })?;
    shelf.insert(name.into(), Arc::new(pack));
    Ok(())
}

/// The packs that a pack includes, as far as that can be told.
fn includes(files: &[Text]) -> Vec<String> {
    let head = files.iter().find(|file| file.name() == "pack.toml").and_then(|file| file.text.parse::<toml::Table>().ok());
    let list = head.and_then(|head| head.get("includes")?.as_array().cloned()).unwrap_or_default();
    list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Whether a pack includes another, directly or not.
fn circle(from: &str, to: &str, found: &BTreeMap<String, Vec<Text>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name.clone()) {
            open.extend(found.get(&name).map(|files| includes(files)).unwrap_or_default());
        }
    }
    false
}

/// The files of each folder in a folder.
fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<Text>>, PackError> {
    let failed = |path: &Path, error: io::Error| {
        PackError(vec![Text::new(&path.to_string_lossy(), "").problem(1, format!("it cannot be read: {error}"))])
    };
    fs::read_dir(folder).map_err(|error| failed(folder, error))?;
    let mut found: BTreeMap<String, Vec<Text>> = BTreeMap::new();
    for (path, (size, _)) in look(Some(folder)) {
        let shown = path.to_string_lossy().into_owned();
        if size > LARGEST {
            return Err(PackError(vec![Text::new(&shown, "").problem(1, format!("it has {size} bytes, {LARGEST} are allowed"))]));
        }
        let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        found.entry(pack_of(&shown).into()).or_default().push(Text::new(&shown, &text));
    }
    Ok(found)
}

/// The files that make up the packs of a folder: what stands directly in each of its folders.
fn look(folder: Option<&Path>) -> Look {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let hidden = |path: &Path| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let packs = folder.into_iter().flat_map(entries).filter(|path| path.is_dir() && !hidden(path));
    let files = packs.flat_map(|pack| entries(&pack).collect::<Vec<_>>()).filter(|path| path.is_file() && !hidden(path));
    files
        .filter(|path| path.extension().is_some())
        .filter_map(|path| {
            let about = fs::metadata(&path).ok()?;
            Some((path, (about.len(), about.modified().ok())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "name = \"robots\"\ntitle = \"机器人\"\nversion = \"1\"\nlanguages = [\"zh\"]\nincludes = [\"technology\"]\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_packs_of_the_program_are_valid() {
        let packs = Packs::default();
        assert_eq!(packs.all().iter().map(|pack| pack.name.clone()).collect::<Vec<_>>(), ["finance", "technology"]);
        for pack in packs.all() {
            assert!(!pack.glossary.concepts().is_empty() && pack.languages == ["zh", "en"] && !pack.version.is_empty());
            assert!(pack.glossary.concept("营业收入").is_some(), "{}", pack.name);
        }
        assert!(packs.get(Some("technology")).glossary.concept("CAGR").is_some());
        assert!(packs.get(None).glossary.concept("CAGR").is_none());
    }

    #[test]
    fn a_folder_adds_a_pack_that_takes_over_what_it_includes() {
        let folder =
            folder(&[("robots/pack.toml", HEAD), ("robots/glossary.tsv", "thing\t减速器\treducer\nsee\t营业额\t营业收入")]);
        let pack = Packs::open(Some(folder.path()), "robots").unwrap().get(None);
        for name in ["reducer", "CAGR", "营业额"] {
            assert!(pack.glossary.concept(name).is_some(), "{name}");
        }
        assert!(pack.instructions("zh", "p").contains("产业研究"));
    }

    #[test]
    fn an_edit_counts_with_the_next_question_and_an_invalid_one_changes_nothing() {
        let folder = folder(&[("robots/pack.toml", HEAD), ("robots/glossary.tsv", "thing\t减速器")]);
        let packs = Packs::open(Some(folder.path()), "robots").unwrap();
        let glossary = folder.path().join("robots/glossary.tsv");
        let knows = |name: &str| packs.get(None).glossary.concept(name).is_some();
        assert!(knows("减速器") && !knows("reducer"));
        fs::write(&glossary, "thing\t减速器\treducer").unwrap();
        assert!(knows("reducer"));
        fs::write(&glossary, "thing\t减速器\treducer\treducer").unwrap();
        assert!(knows("reducer"));
        assert!(
            Packs::open(Some(folder.path()), "robots")
                .unwrap_err()
                .to_string()
                .contains("glossary.tsv:1: `reducer` stands twice")
        );
        fs::remove_dir_all(folder.path().join("robots")).unwrap();
        assert!(knows("reducer"));
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line_and_what_to_write() {
        let check = |files: &[(&str, &str)], words: &str| {
            let folder = folder(files);
            let error = Packs::open(Some(folder.path()), "finance").unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        let head = |from: &str, to: &str| HEAD.replace(from, to);
        check(&[("robots/pack.toml", &head("title", "titel"))], "robots/pack.toml:2: unknown field `titel`");
        check(&[("robots/pack.toml", &head("title", "titel"))], "did you mean `title`?");
        check(&[("robots/pack.toml", &head("\"robots\"", "\"robot\""))], "the name is `robot` and the folder `robots`");
        check(&[("robots/pack.toml", &head("\"zh\"", "\"fr\""))], "pack.toml:4: `fr` is no language");
        check(
            &[("robots/pack.toml", &head("technology", "technolgy"))],
            "pack.toml:5: there is no pack `technolgy` to include; did you mean `technology`?",
        );
        check(&[("robots/pack.toml", &head("technology", "robots"))], "`robots` includes `robots` in turn");
        check(&[("robots/pack.toml", &head("includes = [\"technology\"]", ""))], "no instructions in `zh`; add `answer.zh.md`");
        check(
            &[("robots/pack.toml", &format!("{HEAD}[thresholds]\nrow = 3.0"))],
            "pack.toml:7: thresholds.row is 3; it must be 0 to 1",
        );
        check(&[("robots/pack.toml", HEAD), ("robots/glosary.tsv", "")], "did you mean `glossary.tsv`?");
        check(
            &[("robots/pack.toml", HEAD), ("robots/answer.zh.md", "回答。")],
            "answer.zh.md:1: the instructions do not say how passages are fenced",
        );
        check(
            &[("robots/pack.toml", HEAD), ("robots/metrics.toml", "[\"产能\"]\nunit = \"tons\"")],
            "metrics.toml:2: unknown variant `tons`",
        );
        check(
            &[("robots/pack.toml", HEAD), ("robots/metrics.toml", "\n[\"产 能\"]\nunit = \"count\"")],
            "metrics.toml:2: `产 能` is not in the glossary",
        );
        check(
            &[("robots/pack.toml", HEAD), ("robots/metrics.toml", "[\"产能\"]\nunit = \"count\"\nstatement = \"x\"")],
            "there are balance_sheet",
        );
        check(&[("robots/glossary.tsv", "")], "robots/pack.toml:1: there is no such file");
        let error = Packs::open(None, "fnance").unwrap_err().to_string();
        assert!(error.contains("there is no pack `fnance`; did you mean `finance`?"), "{error}");
    }
}
