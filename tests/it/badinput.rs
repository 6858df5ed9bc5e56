//! Whatever is sent, what comes back is a clear word: a code, never a hang, a path, or a stack.

use serde_json::json;

use crate::service::{Service, dossier, repository, run};

const DOCUMENTS: &str = "/v1/scenarios/default/documents";

#[tokio::test]
async fn bodies_that_are_no_request_are_told_apart() {
    let service = Service::start().await;
    let check = async |path: &str, body: &[u8], problem: (u16, &str)| {
        let reply = service.send(path, "application/json", body).await;
        assert_eq!(reply.problem(), problem, "{path} {}: {}", String::from_utf8_lossy(&body[..body.len().min(80)]), reply.body);
        reply
    };
    for path in ["/v1/ask", "/v1/search", DOCUMENTS, "/v1/batches"] {
        check(path, b"", (400, "invalid_json")).await;
        check(path, b"{\"question\":", (400, "invalid_json")).await;
        check(path, b"{\"question\":\"\xff\xfe\"}", (400, "invalid_json")).await;
        check(path, b"[]", (422, "invalid_request")).await;
        assert_eq!(service.send(path, "text/plain", "x").await.problem(), (415, "unsupported_media_type"));
    }
    let reply = check("/v1/ask", br#"{"question":"x","qestion":1}"#, (422, "unknown_field")).await;
    assert!(reply.body["detail"].as_str().unwrap().contains("qestion"), "{}", reply.body);
    check("/v1/search", br#"{"query":"x","topk":1}"#, (422, "unknown_field")).await;
    check("/v1/search", br#"{"query":"x","mode":"magic"}"#, (422, "invalid_request")).await;
    check("/v1/search", br#"{}"#, (422, "invalid_request")).await;
    check(DOCUMENTS, br#"{"text":"x","titel":"y"}"#, (422, "unknown_field")).await;
    check(
        "/v1/ask",
        format!("{{\"question\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000)).as_bytes(),
        (422, "invalid_request"),
    )
    .await;
}

#[tokio::test]
async fn questions_out_of_bounds_are_refused_with_the_bound() {
    let service = Service::start().await;
    let check = async |path: &str, body: serde_json::Value, code: &str| {
        let reply = service.post(path, body).await;
        assert_eq!(reply.problem(), (422, code), "{}", reply.body);
    };
    assert_eq!(service.post("/v1/ask", json!({ "question": "问".repeat(4_000) })).await.status, 200);
    check("/v1/ask", json!({ "question": "问".repeat(4_001) }), "question_too_long").await;
    check("/v1/search", json!({ "query": "问".repeat(4_001) }), "question_too_long").await;
    check("/v1/ask", json!({ "question": "  " }), "empty_question").await;
    check("/v1/search", json!({ "query": "\u{3000}" }), "empty_query").await;
    check("/v1/ask", json!({ "question": "x", "as_of": "last year" }), "invalid_as_of").await;
    check("/v1/ask", json!({ "question": "x", "stream": true, "filters": { "year": { "from": 1 } } }), "filter_invalid").await;
    check("/v1/search", json!({ "query": "x", "as_of": "去年" }), "filter_invalid").await;
    check("/v1/search", json!({ "query": "x", "filters": { "date": { "gte": "last year" } } }), "filter_invalid").await;
    for top_k in [json!(0), json!(101)] {
        check("/v1/search", json!({ "query": "x", "top_k": top_k }), "invalid_top_k").await;
        check("/v1/ask", json!({ "question": "x", "top_k": top_k, "stream": true }), "invalid_top_k").await;
    }
    check("/v1/search", json!({ "query": "x", "top_k": -1 }), "invalid_request").await;
    assert_eq!(service.post("/v1/search", json!({ "query": "x", "scenario": "elsewhere" })).await.problem(), (404, "not_found"));
    assert_eq!(service.get(&format!("{DOCUMENTS}?limit=0")).await.problem(), (422, "invalid_limit"));
    assert_eq!(service.get(&format!("{DOCUMENTS}?limit=201")).await.problem(), (422, "invalid_limit"));
    assert_eq!(service.get(&format!("{DOCUMENTS}?cursor=zzz")).await.problem(), (422, "invalid_cursor"));
    assert_eq!(service.get(&format!("{DOCUMENTS}?offset=1")).await.problem(), (422, "unknown_field"));
}

#[tokio::test]
async fn an_id_that_is_unknown_malformed_or_of_another_kind_is_the_same_404() {
    let service = Service::start().await;
    let unknown = format!("doc_{}", "0".repeat(32));
    let mut bodies = Vec::new();
    for id in [
        unknown.as_str(),
        "doc_1",
        "x",
        "ans_00000000000000000000000000000000",
        "%00",
        "%F0%9F%98%80",
        "..%2F..%2Fcatalog.sqlite",
    ] {
        let mut reply = service.get(&format!("{DOCUMENTS}/{id}")).await;
        assert_eq!(reply.problem(), (404, "not_found"), "{id}");
        reply.body.as_object_mut().unwrap().remove("request_id");
        bodies.push(reply.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    for path in [
        "/v1/answers/ans_1",
        "/v1/batches/bat_1",
        "/v1/batches/x/items",
        "/v1/batches/x/events",
        "/v1/scenarios/Nope/documents",
        "/v1/scenarios/other/documents",
        "/v1/scenarios/%2e%2e/documents",
    ] {
        assert_eq!(service.get(path).await.problem(), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn forms_that_hold_no_document_are_told() {
    let service = Service::start().await;
    let check = async |fields: &[(&str, &str)], problem: (u16, &str)| {
        let reply = service.upload_with("a.md", "# A\n\nSome text.\n", fields).await;
        assert_eq!(reply.problem(), problem, "{fields:?}: {}", reply.body);
    };
    check(&[("metadata", "{")], (400, "invalid_json")).await;
    check(&[("metadata", "[1]")], (422, "invalid_request")).await;
    check(&[("colour", "red")], (422, "unknown_field")).await;
    let reply = service
        .send(
            DOCUMENTS,
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA\r\n--x--\r\n",
        )
        .await;
    assert_eq!(reply.problem(), (422, "invalid_request"));
    assert_eq!(
        service.send(DOCUMENTS, "multipart/form-data; boundary=x", "nothing of the kind").await.problem(),
        (400, "invalid_multipart")
    );
    assert_eq!(service.send(DOCUMENTS, "multipart/form-data", "x").await.problem(), (400, "invalid_multipart"));
}

#[tokio::test]
async fn files_that_cannot_be_read_end_with_a_code() {
    let service = Service::start().await;
    assert_eq!(service.upload("empty.pdf", "").await.problem(), (422, "empty_document"));
    assert_eq!(service.post(DOCUMENTS, json!({ "text": " \n " })).await.problem(), (422, "empty_document"));
    let reply = service.upload("report.pdf", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02".to_vec()).await;
    assert_eq!(reply.problem(), (415, "unsupported_type"), "{}", reply.body);

    let whole = std::fs::read(repository("examples/reports/quillhaven-coldstores-2023-annual-report.pdf")).unwrap();
    let mut damaged = vec![("header only".to_owned(), b"%PDF-1.7\n".to_vec())];
    damaged.extend([3, 10, 60].map(|share| (format!("{share} % of it"), whole[..whole.len() * share / 100].to_vec())));
    for (what, bytes) in damaged {
        let document = service.ingest(&format!("{what}.pdf"), bytes).await;
        let code = document["error"]["code"].as_str().unwrap_or("none");
        // A reader may save some of its pages; what it may not do is to fail without a word.
        let clear = document["status"] == "ready" || ["corrupt_document", "no_text", "parser_limit"].contains(&code);
        assert!(clear, "{what}: {document}");
    }
    let document = service.ingest("locked.pdf", encrypted_pdf()).await;
    assert_eq!((&document["status"], &document["error"]["code"]), (&json!("failed"), &json!("encrypted_document")), "{document}");
    assert_eq!(service.get("/readyz").await.status, 200);
}

/// A PDF of one page whose trailer says that a password is needed.
fn encrypted_pdf() -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>".to_owned(),
        "<< /Length 16 >>\nstream\n\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}abcdefgh\nendstream".to_owned(),
        format!("<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{}> /U <{}> >>", "5a".repeat(32), "a5".repeat(32)),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let start = pdf.len();
    pdf.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for offset in &offsets {
        pdf.push_str(&format!("{offset:010} 00000 n \n"));
    }
    let id = "11".repeat(16);
    pdf.push_str(&format!("trailer\n<< /Size 6 /Root 1 0 R /Encrypt 5 0 R /ID [<{id}> <{id}>] >>\nstartxref\n{start}\n%%EOF\n"));
    pdf.into_bytes()
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_the_server_goes_on() {
    let service = Service::with(&[("DOSSIER_SERVER__MAX_UPLOAD", "100000")]).await;
    assert_eq!(service.upload("big.txt", "word ".repeat(30_000)).await.problem(), (413, "document_too_large"));
    assert_eq!(service.post(DOCUMENTS, json!({ "text": "word ".repeat(30_000) })).await.problem(), (413, "payload_too_large"));
    let reply = service.upload_with("a.md", "text", &[("title", &"t".repeat(2 << 20))]).await;
    assert_eq!(reply.problem(), (413, "payload_too_large"));
    assert_eq!(service.upload("small.txt", "A small text of one sentence.").await.status, 202);
}

#[tokio::test]
async fn one_endless_line_ends_ready_or_with_a_limit() {
    let service = Service::start().await;
    let reply = service.upload("line.txt", "无换行的一行文字。".repeat(60_000)).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let id = reply.body["document"]["id"].as_str().unwrap().to_owned();
    // While it is worked on, others are served.
    assert_eq!(service.get("/readyz").await.status, 200);
    let document = wait_readable(&service, &id).await;
    let limited = document["error"]["code"].as_str().is_some_and(|code| ["parser_limit", "document_too_large"].contains(&code));
    assert!(["searchable", "ready"].contains(&document["status"].as_str().unwrap()) || limited, "{document}");
}

/// Until it is found by its words; a million characters need their time for the vectors.
async fn wait_readable(service: &Service, id: &str) -> serde_json::Value {
    let wait = async {
        loop {
            let document = service.get(&format!("{DOCUMENTS}/{id}")).await.body;
            if !["queued", "running"].contains(&document["status"].as_str().unwrap()) {
                return document;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::service::PATIENCE, wait).await.expect("it hangs")
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_says_who_has_it() {
    let service = Service::start().await;
    let output = run(dossier().args(["docs", "ls", "--data"]).arg(service.data()));
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("in use by another process") && said.contains("--url"), "{said}");
    let output = run(dossier().args(["docs", "ls", "--json", "--url", &service.url]));
    assert_eq!((output.status.code(), serde_json::from_slice(&output.stdout).ok()), (Some(0), Some(json!({ "data": [] }))));
}

#[test]
fn a_damaged_catalog_is_told_and_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let catalog = data.path().join("catalog.sqlite");
    std::fs::write(&catalog, "this is no catalog ".repeat(1000)).unwrap();
    let output = run(dossier().args(["docs", "ls", "--json", "--data"]).arg(data.path()));
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["error"]["code"], "data_damaged", "{told}");
    assert!(std::fs::read_to_string(&catalog).unwrap().starts_with("this is no catalog"));
}

#[tokio::test]
async fn a_port_in_use_and_wrong_settings_stop_the_start_with_a_reason() {
    let service = Service::start().await;
    let address = service.url.trim_start_matches("http://");
    let data = tempfile::tempdir().unwrap();
    let output = run(dossier().args(["serve", "--bind", address, "--data"]).arg(data.path()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("--bind"), "{said}");
    for (name, value, part) in [
        ("DOSSIER_SERVER__BNID", "127.0.0.1:1", "server.bind"),
        ("DOSSIER_SERVER__DEADLINE", "soon", "deadline"),
        ("DOSSIER_LLM__BASE_URL", "ftp://x", "http://"),
    ] {
        let output = run(dossier().args(["config", "check"]).env(name, value));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.to_lowercase().contains(part), "{name}: {said}");
    }
}

#[test]
fn a_full_disk_is_told_before_anything_is_written_and_work_goes_on_when_there_is_room() {
    // A disk of its own, where this user may make one.
    let disk = tempfile::tempdir().unwrap();
    let script = r#"
        mount -t tmpfs -o size=200m tmpfs "$DISK" || exit 99
        ingest() { "$DOSSIER" --data "$DISK/data" --json ingest "$@"; }
        printf '# First\n\nThe mill has 31 looms.\n' > /tmp/first.$$.md
        ingest /tmp/first.$$.md || exit 1
        head -c $(( $(df -B1 --output=avail "$DISK" | tail -n 1) - 50000000 )) /dev/zero > "$DISK/filler"
        for n in $(seq 60000); do echo "Line $n of a report on looms, spindles and bales."; done > /tmp/large.$$.md
        ingest /tmp/large.$$.md; echo "exit $?"
        head -c 20000000 /dev/zero > "$DISK/more"
        "$DOSSIER" --data "$DISK/data" --json search looms; echo "exit $?"
        rm "$DISK/more" "$DISK/filler"
        "$DOSSIER" --data "$DISK/data" --json docs ls; echo "exit $?"
        printf '# Third\n\nThe mill has 12 carders.\n' > /tmp/third.$$.md
        ingest /tmp/third.$$.md; echo "exit $?"
        rm /tmp/first.$$.md /tmp/large.$$.md /tmp/third.$$.md
    "#;
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).env("DISK", disk.path());
    command.env("DOSSIER", env!("CARGO_BIN_EXE_dossier"));
    let Ok(output) = command.output() else { return eprintln!("skipped: there is no `unshare`") };
    let (said, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if matches!(output.status.code(), Some(99)) || talk.contains("unshare:") {
        return eprintln!("skipped: no disk of its own can be made here: {talk}");
    }
    let exits: Vec<&str> = said.lines().filter(|line| line.starts_with("exit ")).collect();
    assert_eq!(exits, ["exit 1", "exit 1", "exit 0", "exit 0"], "{said} {talk}");
    assert_eq!(said.matches("storage_full").count(), 2, "{said} {talk}");
}
