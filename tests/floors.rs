//! A lower floor never imports a higher one, and crates of one floor never import each other.

use std::process::Command;

/// What each crate of the house may import of the others.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("index", &[]),
    ("ingest", &["index"]),
    ("rag", &["index"]),
    ("eval", &["index", "rag"]),
    ("dossier", &["index", "ingest", "rag", "eval"]),
];

#[test]
fn no_crate_imports_a_floor_above_it_or_beside_it() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(packages.len(), ALLOWED.len(), "a crate is missing from the list of floors");
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let (_, allowed) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name).expect("a crate of the house");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let dependency = dependency["name"].as_str().expect("name");
            let ours = ALLOWED.iter().any(|(crate_name, _)| *crate_name == dependency);
            assert!(!ours || allowed.contains(&dependency), "`{name}` must not import `{dependency}`");
        }
    }
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let files = Command::new("git").args(["ls-files", "*.rs"]).output();
    let Ok(files) = files else { return eprintln!("skipped: git is not here") };
    let empty = ["utils", "common", "helpers", "manager", "misc", "types", "core", "base", "prelude"];
    for file in String::from_utf8_lossy(&files.stdout).lines() {
        let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".rs");
        assert!(!empty.contains(&stem), "`{file}`: name it after what it does");
    }
}
