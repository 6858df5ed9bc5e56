//! Documents of several kinds come in, once, and can be looked at, changed, and deleted.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::service::{Reply, Service, dossier, events, run};

/// Takes a document in, finds it again by a question's words, and finds the value on its page.
async fn check(name: &str, bytes: Vec<u8>, query: &str, value: &str) {
    let service = Service::start().await;
    let document = service.ingest(name, bytes.clone()).await;
    assert_eq!(document["status"], "ready", "{document}");
    let hits = service.post("/v1/search", json!({ "query": query })).await.body;
    assert!(hits["data"][0]["passage"]["text"].as_str().unwrap_or_default().contains(value), "{hits}");
    let id = document["id"].as_str().unwrap();
    let again = service.upload(name, bytes.clone()).await;
    assert_eq!(
        (again.status, &again.body["unchanged"], &again.body["document"]["id"]),
        (200, &json!(true), &json!(id)),
        "{}",
        again.body
    );
    let content = service.request(Method::GET, &format!("/v1/scenarios/default/documents/{id}/content")).send().await.unwrap();
    let headers = content.headers().clone();
    assert!(headers["content-disposition"].to_str().unwrap().starts_with("attachment; "), "{headers:?}");
    assert_eq!(
        (&headers["x-content-type-options"], headers.contains_key("content-encoding")),
        (&"nosniff".parse().unwrap(), false)
    );
    assert_eq!(content.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn markdown_is_read() {
    check(
        "bridges.md",
        b"# Bridges\n\nThe Aldermoor bridge carries 18,400 vehicles a day.\n".to_vec(),
        "vehicles Aldermoor bridge",
        "18,400",
    )
    .await;
}

#[tokio::test]
async fn a_csv_is_read_row_by_row() {
    check("出货量.csv", "地区,2022年,2023年\n华东,1200,1518\n华南,830,904\n".into(), "华南 2023年 出货量", "904").await;
}

#[tokio::test]
async fn a_text_in_gb18030_is_read() {
    let (bytes, _, _) = encoding("栾川矿业简报\n\n2023年钼精矿产量为3.62万吨，同比下降4.1%。\n");
    check("简报.txt", bytes, "钼精矿产量", "3.62万吨").await;
}

/// GB18030 through the system's `iconv`, so that what is tested is not used to make the test.
fn encoding(text: &str) -> (Vec<u8>, (), ()) {
    use std::{io::Write, process::*};
    let mut child = Command::new("iconv")
        .args(["-f", "UTF-8", "-t", "GB18030"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    (child.wait_with_output().unwrap().stdout, (), ())
}

#[tokio::test]
async fn a_text_as_json_is_a_document_with_its_id_and_metadata() {
    let service = Service::start().await;
    let document = json!({ "text": "# 通报\n\n霍林港2023年吞吐量为4,512万吨。", "title": "霍林港通报", "external_id": "港/2023", "metadata": { "year": 2023 } });
    let reply = service.post("/v1/scenarios/default/documents", document.clone()).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    assert_eq!(
        (&reply.body["document"]["external_id"], &reply.body["document"]["title"]),
        (&json!("港/2023"), &json!("霍林港通报"))
    );
    let id = reply.body["document"]["id"].as_str().unwrap();
    assert_eq!(service.settled(id).await["status"], "ready");
    assert_eq!(service.post("/v1/scenarios/default/documents", document).await.status, 200);
    for (filter, found) in
        [(json!({ "year": 2023 }), 1), (json!({ "year": { "gte": 2024 } }), 0), (json!({ "external_id": "港/2023" }), 1)]
    {
        let hits = service.post("/v1/search", json!({ "query": "霍林港吞吐量", "filters": filter })).await.body;
        assert_eq!(hits["data"].as_array().unwrap().len(), found, "{filter}");
    }
}

#[tokio::test]
async fn the_same_id_with_other_bytes_is_a_new_version_and_another_id_another_document() {
    let service = Service::start().await;
    let send = async |id: &str, text: &str| {
        let reply = service.post("/v1/scenarios/default/documents", json!({ "text": text, "external_id": id })).await;
        let document = reply.body["document"]["id"].as_str().unwrap_or_else(|| panic!("{}", reply.body)).to_owned();
        (reply.status, document.clone(), service.settled(&document).await)
    };
    let (status, a, _) = send("a", "The Corran plant makes 310 tonnes of yeast a year.").await;
    assert_eq!(status, 202);
    let (status, b, _) = send("b", "The Corran plant makes 310 tonnes of yeast a year.").await;
    assert!(status == 202 && a != b);
    let (status, again, document) = send("a", "The Corran plant makes 345 tonnes of yeast a year.").await;
    assert!(status == 202 && a == again && document["version"] == 2, "{document}");
    let hits = service.post("/v1/search", json!({ "query": "Corran plant yeast", "filters": { "external_id": "a" } })).await.body;
    let texts: Vec<&str> = hits["data"].as_array().unwrap().iter().map(|hit| hit["passage"]["text"].as_str().unwrap()).collect();
    assert!(texts.len() == 1 && texts[0].contains("345"), "{texts:?}");
}

#[tokio::test]
async fn a_document_can_be_described_anew_and_deleted() {
    let service = Service::start().await;
    let document = service.ingest("kelp.md", "# Kelp\n\nKelp farms off Sandrey yield 96 tonnes a hectare.\n").await;
    let path = format!("/v1/scenarios/default/documents/{}", document["id"].as_str().unwrap());
    let change = json!({ "title": "海带养殖", "metadata": { "region": "Sandrey" } });
    let changed = Reply::of(service.request(Method::PATCH, &path).json(&change).send().await.unwrap()).await;
    assert_eq!(
        (changed.status, &changed.body["title"], &changed.body["metadata"]["region"]),
        (200, &json!("海带养殖"), &json!("Sandrey"))
    );
    let hits = service.post("/v1/search", json!({ "query": "kelp yield", "filters": { "region": "Sandrey" } })).await.body;
    assert_eq!(hits["data"][0]["passage"]["document"]["title"], "海带养殖");
    let gone = service.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    for rest in ["", "/content", "/pages/1", "/passages"] {
        assert_eq!(service.get(&format!("{path}{rest}")).await.problem(), (404, "not_found"), "{rest}");
    }
    let hits = service.post("/v1/search", json!({ "query": "kelp yield" })).await.body;
    assert_eq!(hits["data"], json!([]));
}

#[tokio::test]
async fn what_a_document_is_can_be_said_and_taken_back() {
    let service = Service::start().await;
    let document = service.ingest("kelp.md", "# Kelp\n\nKelp farms off Sandrey yield 96 tonnes a hectare.\n").await;
    let path = format!("/v1/scenarios/default/documents/{}", document["id"].as_str().unwrap());
    let change = async |change: Value| Reply::of(service.request(Method::PATCH, &path).json(&change).send().await.unwrap()).await;
    let said = change(json!({ "labels": ["海藻"], "facts": { "company": "海带股份有限公司", "period": "2023年上半年" } })).await;
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(said.body["labels"], json!(["海藻"]));
    let company = &said.body["facts"]["company"];
    assert_eq!(
        (&company["value"], &company["confidence"], &company["from"]),
        (&json!("海带股份有限公司"), &json!(1.0), &json!("patch"))
    );
    assert_eq!(said.body["facts"]["period"]["value"]["part"], "H1");
    let hits = service.post("/v1/search", json!({ "query": "kelp yield", "filters": { "labels": "海藻" } })).await.body;
    assert_eq!(hits["data"].as_array().unwrap().len(), 1, "{hits}");
    let back = change(json!({ "facts": { "company": null } })).await;
    assert_eq!(back.body["facts"]["company"], document["facts"]["company"], "{}", back.body);
    for (wrong, words) in [
        (json!({ "facts": { "period": "last year" } }), "write one such as FY2022"),
        (json!({ "facts": { "compny": "x" } }), "did you mean `company`?"),
        (json!({ "labels": [""] }), "1 to 100 characters"),
    ] {
        let reply = change(wrong).await;
        assert_eq!(reply.problem(), (422, "invalid_request"));
        assert!(reply.body["detail"].as_str().unwrap().contains(words), "{}", reply.body);
    }
}

#[test]
fn a_manifest_says_what_the_files_are_or_nothing_is_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.md", "# Kelp\n\nKelp farms off Sandrey yield 96 tonnes a hectare.\n");
    write("乙.md", "# 海带\n\n桑德雷外海的海带每公顷产量为96吨。\n");
    let run = |arguments: &[&str]| {
        let mut command = dossier();
        command.current_dir(folder.path()).arg("--data").arg(folder.path().join("data")).arg("--json").args(arguments);
        let output = run(&mut command);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    write("bad.csv", "path,period\na.md,FY2022\nb.md,FY2022\n乙.md,someday\n");
    let (code, _, told) = run(&["ingest", "--manifest", "bad.csv"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("bad.csv:3: there is no file `b.md`") && told.contains("bad.csv:4: `someday` is no period"), "{told}");
    assert!(!folder.path().join("data").exists());
    write("good.csv", "path,company,period,region\na.md,Sandrey Kelp plc,FY2022,north\n乙.md,海带股份有限公司,2023,\n");
    let (code, items, told) = run(&["ingest", "--manifest", "good.csv"]);
    assert_eq!(code, Some(0), "{told}");
    let item: Value = serde_json::from_str(items.lines().next().unwrap()).unwrap();
    let show = || run(&["docs", "show", item["document_id"].as_str().unwrap()]).1.parse::<Value>().unwrap();
    let document = show();
    assert_eq!(document["facts"]["company"]["value"], "Sandrey Kelp plc");
    assert_eq!((&document["facts"]["period"]["from"], &document["metadata"]["region"]), (&json!("manifest"), &json!("north")));
    // The same bytes with another manifest: nothing is read again, and what is said changes at once.
    write("good.csv", "path,company\na.md,Sandrey Seaweed plc\n");
    assert_eq!(run(&["ingest", "--manifest", "good.csv"]).0, Some(0));
    assert_eq!(show()["facts"]["company"]["value"], "Sandrey Seaweed plc");
}

#[tokio::test]
async fn offsets_on_a_page_count_code_points() {
    let service = Service::start().await;
    let document =
        service.ingest("表情.md", "# 🛠️ 设备😀概览\n\n第一台设备重120千克。\n\n| 项 | 值 |\n|---|---|\n| 重量 | 120 |\n").await;
    let base = format!("/v1/scenarios/default/documents/{}", document["id"].as_str().unwrap());
    let page = service.get(&format!("{base}/pages/1")).await.body;
    assert_eq!(
        (&page["page"], &page["part"], &page["parts"], &page["document"]["id"]),
        (&Value::Null, &json!(1), &json!(1), &document["id"])
    );
    let text: Vec<char> = page["text"].as_str().unwrap().chars().collect();
    let cut = |span: &Value| {
        text[span["start"].as_u64().unwrap() as usize..span["end"].as_u64().unwrap() as usize].iter().collect::<String>()
    };
    let blocks: Vec<(String, String)> =
        page["blocks"].as_array().unwrap().iter().map(|block| (block["kind"].as_str().unwrap().to_owned(), cut(block))).collect();
    assert!(blocks.contains(&("heading".into(), "🛠️ 设备😀概览".into())), "{blocks:?}");
    assert!(blocks.contains(&("paragraph".into(), "第一台设备重120千克。".into())), "{blocks:?}");
    let passages = service.get(&format!("{base}/passages?limit=1")).await.body;
    let span = &passages["data"][0]["spans"][0];
    assert!(passages["data"][0]["text"].as_str().unwrap().lines().any(|line| cut(span).contains(line)), "{passages}");
}

#[tokio::test]
async fn lists_are_walked_by_cursor() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let reply = service.post(
            "/v1/scenarios/default/documents",
            json!({ "text": format!("Mill number {n} grinds {n}00 sacks."), "external_id": format!("mill {n}") }),
        );
        ids.push(reply.await.body["document"]["id"].clone());
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/scenarios/default/documents?limit=2".to_owned());
    loop {
        let page = service.get(&path).await.body;
        seen.extend(page["data"].as_array().unwrap().iter().map(|document| document["id"].clone()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/scenarios/default/documents?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn in_a_batch_a_bad_file_fails_alone_and_the_end_is_told() {
    let service = Service::start().await;
    let file = |name: &'static str, bytes: &'static [u8]| Part::bytes(bytes).file_name(name);
    let form = Form::new()
        .text("about", json!({ "external_id": "one", "title": "第一" }).to_string())
        .part("file", file("a/one.md", "# 一\n\n第一份文件写着37个港口。\n".as_bytes()))
        .part("file", file("a/two.md", b"# Two\n\nThe second file names 41 lighthouses.\n"))
        .part("file", file("a/picture.pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"))
        .part("file", file("a/empty.md", b""));
    let reply = Reply::of(service.request(Method::POST, "/v1/batches").multipart(form).send().await.unwrap()).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let batch = reply.body["id"].as_str().unwrap();
    let stream = service.request(Method::GET, &format!("/v1/batches/{batch}/events")).send().await.unwrap().text().await.unwrap();
    let events = events(&stream);
    assert_eq!(events.first().unwrap().name, "batch.progress");
    let last = events.last().unwrap();
    assert_eq!(
        (last.name.as_str(), &last.data["done"], &last.data["counts"]),
        ("batch.completed", &json!(true), &json!({ "ready": 2, "failed": 2 }))
    );
    let items = service.get(&format!("/v1/batches/{batch}/items")).await.body;
    let told: Vec<String> = items["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            format!(
                "{} {} {}",
                item["path"].as_str().unwrap(),
                item["status"].as_str().unwrap(),
                item["error"]["code"].as_str().unwrap_or("-")
            )
        })
        .collect();
    assert_eq!(
        told,
        ["a/one.md ready -", "a/two.md ready -", "a/picture.pdf failed unsupported_type", "a/empty.md failed empty_document"]
    );
    assert_eq!(items["data"][0]["external_id"], "one");
}

#[tokio::test]
async fn what_was_taken_in_is_there_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let service = Service::on(data, &[]).await;
    let id = service.upload("ore.md", "# Ore\n\nThe Vell mine holds 27 million tonnes of ore.\n").await.body["document"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    // As if the machine had been switched off the moment the reply came.
    let from = service.data().to_owned();
    assert!(std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(copy.path()).status().unwrap().success());
    drop(service);
    let service = Service::on(copy, &[]).await;
    assert_eq!(service.settled(&id).await["status"], "ready");
}
