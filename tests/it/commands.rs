//! The command line from outside: what it prints, how it exits, and that it says the same as the server it talks to.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};

use crate::service::{Service, dossier, repository, run};

const NORTH: &str = "# Northgale Ferries annual report 2023\n\nRevenue of Northgale Ferries was 412.6 million euros in 2023, up 6.1% from 2022.\n";
const TIDE: &str = "# 澜汐海洋设备2023年年度报告\n\n2023年，澜汐海洋设备实现营业收入12.84亿元，同比增长8.3%。\n";

/// Runs a command with `--json` on a data directory: exit code, lines of standard output, standard error.
fn command(data: &Path, arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let output = run(dossier().args(arguments).arg("--json").arg("--data").arg(data));
    let out = String::from_utf8(output.stdout).unwrap();
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {out}"))).collect();
    (output.status.code(), lines, String::from_utf8(output.stderr).unwrap())
}

fn told(lines: &[Value]) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut told: Vec<String> =
        lines.iter().map(|line| [&line["external_id"], &line["status"], &line["error"]["code"]].map(word).join(" ")).collect();
    told.sort();
    told
}

#[test]
fn a_folder_is_taken_in_once() {
    let home = tempfile::tempdir().unwrap();
    let (data, files) = (home.path().join("data"), home.path().join("报告"));
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("north.md"), NORTH).unwrap();
    std::fs::write(files.join("澜汐.md"), TIDE).unwrap();
    let folder = files.to_str().unwrap();
    for status in ["ready", "unchanged"] {
        let (code, lines, err) = command(&data, &["ingest", folder]);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in &lines {
            assert_eq!(
                (&line["status"], &line["passages"], line["document_id"].is_string()),
                (&json!(status), &json!(1), true),
                "{line}"
            );
            assert!(["north.md", "澜汐.md"].iter().any(|name| line["path"].as_str().unwrap().ends_with(name)), "{line}");
        }
    }
}

#[test]
fn of_a_list_with_a_bad_line_the_good_ones_are_taken_in() {
    let home = tempfile::tempdir().unwrap();
    let list = home.path().join("list.jsonl");
    let lines = [
        json!({ "id": "north", "text": NORTH, "lang": "en" }).to_string(),
        "{\"id\": \"bad\", \"text\"".into(),
        json!({ "doc_id": "潮", "text": TIDE, "lang": null, "title": "", "meta": { "year": 2023 } }).to_string(),
    ];
    std::fs::write(&list, lines.join("\n")).unwrap();
    let data = home.path().join("data");
    let (code, lines, err) = command(&data, &["ingest", list.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{err}");
    assert_eq!(told(&lines), ["- failed invalid_document", "north ready -", "潮 ready -"]);
    let (code, lines, _) = command(&data, &["ingest", list.to_str().unwrap()]);
    assert_eq!(
        (code, told(&lines)),
        (Some(3), ["- failed invalid_document", "north unchanged -", "潮 unchanged -"].map(str::to_owned).to_vec())
    );
}

#[test]
fn whoever_stops_reading_ends_the_command_without_a_panic() {
    let mut command = dossier();
    command.args(["pack", "show", "finance", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
}

#[test]
fn the_names_of_each_pack_find_their_figures() {
    for pack in ["finance", "technology"] {
        let suite = repository(&format!("config/packs/{pack}/suite"));
        let output = run(dossier().args(["eval", "run"]).arg(&suite));
        assert_eq!(output.status.code(), Some(0), "{pack}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_packs_suite_is_checked_with_it() {
    let home = tempfile::tempdir().unwrap();
    let pack = home.path().join("ports");
    std::fs::create_dir_all(pack.join("suite")).unwrap();
    let head = "name = \"ports\"\ntitle = \"Ports\"\nversion = \"1\"\nlanguages = [\"zh\", \"en\"]\nincludes = [\"finance\"]\n";
    std::fs::write(pack.join("pack.toml"), head).unwrap();
    std::fs::write(pack.join("suite/suite.toml"), "version = 1\nname = \"ports\"\ncorpus = \".\"\nptack = \"ports\"\n").unwrap();
    let output = run(dossier().args(["pack", "check"]).arg(home.path()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("suite.toml:4") && said.contains("`pack`"), "{said}");
}

#[test]
fn a_source_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (data, empty) = (home.path().join("data"), home.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    let dangling = home.path().join("dangling.md");
    std::os::unix::fs::symlink(home.path().join("nowhere"), &dangling).unwrap();
    for path in [&dangling, &empty, &home.path().join("absent.pdf")] {
        let output = run(dossier().args(["ingest", "--json", "--data"]).arg(&data).arg(path));
        let error: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        assert_eq!((output.status.code(), &error["error"]["code"]), (Some(2), &json!("unreadable_source")), "{error}");
        assert!(error["error"]["detail"].as_str().unwrap().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn an_unknown_setting_of_a_file_stops_the_start_with_its_nearest_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("dossier.toml");
    std::fs::write(&file, "[llm]\nmodle = \"x\"\n\n[sever]\nbind = \"127.0.0.1:1\"\n").unwrap();
    let output = run(dossier().args(["serve", "--config"]).arg(&file).arg("--data").arg(home.path().join("data")));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for name in ["llm.modle", "llm.model", "sever.bind", "server.bind"] {
        assert!(said.contains(name), "`{name}` is not in {said}");
    }
}

fn lasting(mut answer: Value) -> Value {
    for field in ["id", "timings", "created_at"] {
        answer.as_object_mut().unwrap().remove(field).unwrap();
    }
    answer
}

#[tokio::test]
async fn a_command_with_a_url_says_what_the_server_says() {
    let service = Service::start().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("north.md"), NORTH).unwrap();
    let remote = |arguments: &[&str]| {
        let output = run(dossier().args(arguments).args(["--json", "--url", &service.url]));
        let out = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        (output.status.code(), out)
    };
    let (code, item) = remote(&["ingest", home.path().join("north.md").to_str().unwrap()]);
    assert_eq!((code, &item["status"]), (Some(0), &json!("ready")), "{item}");
    for question in ["What was the revenue of Northgale Ferries in 2023?", "What was the revenue of Northgale Ferries in 2009?"] {
        let (code, answer) = remote(&["ask", question]);
        assert_eq!((code, lasting(answer)), (Some(0), lasting(service.ask(question).await)));
    }
    let (code, hits) = remote(&["search", "revenue"]);
    assert_eq!((code, hits), (Some(0), service.post("/v1/search", json!({ "query": "revenue" })).await.body));
    let (code, error) = remote(&["ask", " "]);
    assert_eq!((code, &error["error"]["code"]), (Some(2), &json!("empty_question")), "{error}");
    let output = run(dossier().args(["docs", "ls", "--url", "http://127.0.0.1:9"]));
    assert_eq!(output.status.code(), Some(5), "{output:?}");
}

/// Overwrites every file below a folder.
fn garble(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { garble(&path) } else { std::fs::write(&path, "garbage").map(|()| 1).unwrap() }).sum()
}

/// Does something to the index of a stopped service; what was taken in is found as before.
async fn check_heals(harm: impl FnOnce(&Path)) {
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let service = Service::on(data.clone(), &[]).await;
    let id = service.ingest("north.md", NORTH).await["id"].as_str().unwrap().to_owned();
    drop(service);
    harm(&data.path().join("index"));
    let service = Service::on(data, &[]).await;
    assert_eq!(service.settled(&id).await["status"], "ready");
    for mode in ["lexical", "dense"] {
        let hits = service.post("/v1/search", json!({ "query": "Northgale revenue", "mode": mode })).await;
        assert_eq!((hits.status, hits.body["data"].as_array().map(Vec::len)), (200, Some(1)), "{mode}: {}", hits.body);
    }
}

#[tokio::test]
async fn an_index_that_is_gone_is_built_anew() {
    check_heals(|index| std::fs::remove_dir_all(index).unwrap()).await;
}

#[tokio::test]
async fn an_index_that_is_damaged_is_built_anew() {
    check_heals(|index| assert!(garble(index) > 3)).await;
}

/// The `dossier` commands of the pipelines that the guide shows, as a runner would have them.
fn pipelines() -> Vec<String> {
    let guide = std::fs::read_to_string(repository("docs/EVALUATION.md")).unwrap();
    let snippets = guide.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("yaml\n"));
    let lines = snippets.flat_map(str::lines).map(|line| line.trim().trim_start_matches("- "));
    lines.filter(|line| line.starts_with("dossier ")).map(str::to_owned).collect()
}

#[test]
fn the_pipelines_of_the_evaluation_guide_run() {
    let program = Path::new(env!("CARGO_BIN_EXE_dossier")).parent().unwrap();
    let found = pipelines();
    assert_eq!(found.len(), 2, "one for GitHub and one for GitLab: {found:?}");
    for line in found {
        let home = tempfile::tempdir().unwrap();
        for folder in ["eval", "examples"] {
            std::os::unix::fs::symlink(repository(folder), home.path().join(folder)).unwrap();
        }
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut shell = std::process::Command::new("sh");
        shell.args(["-ec", &line]).current_dir(home.path()).env("PATH", path).env("GITHUB_STEP_SUMMARY", "summary.md");
        let output = shell.output().unwrap();
        assert!(
            output.status.success(),
            "{line}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        for file in ["junit.xml", "summary.md"] {
            assert!(std::fs::metadata(home.path().join(file)).unwrap().len() > 100, "{line} writes {file}");
        }
    }
}
