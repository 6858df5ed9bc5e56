//! Does a citation lead to the place that proves it? Down to the code point in the text and the rectangle on the page.

use serde_json::Value;

use crate::service::{Service, repository};

/// Characters of one to four bytes, of one and two code units: offsets of any kind but code points come out wrong.
const WIDE: &str = "# 𠮷野精机📈2023年度简报\n\n𠮷野精机📈在2023年实现营业收入7.31亿元🎉，同比增长12.6%。\n\n2023年末，𠮷野精机在𡋛城和𤭢镇共有员工1,208人👷。\n";

fn twin(year: u32, revenue: &str, profit: &str) -> String {
    format!(
        "# 栎川重工{year}年年度报告\n\n## 主要财务数据\n\n栎川重工{year}年实现营业收入{revenue}亿元。\n\n栎川重工{year}年实现净利润{profit}亿元。\n"
    )
}

/// Asks, and follows every citation: the words of its span are followed by its marker, its quote is in the stored page, its
/// rectangles are on that page. Returns what the first citation's span says.
async fn check(service: &Service, question: &str, says: &str) -> Value {
    let answer = service.ask(question).await;
    assert_eq!(answer["verdict"], "answered", "{question}: {answer}");
    let text: Vec<char> = answer["text"].as_str().unwrap().chars().collect();
    assert!(!answer["citations"].as_array().unwrap().is_empty(), "{answer}");
    for citation in answer["citations"].as_array().unwrap() {
        let at = |end: &str| citation["span"][end].as_u64().unwrap() as usize;
        let said: String = text[at("start")..at("end")].iter().collect();
        let rest: String = text[at("end")..].iter().collect();
        let markers = &rest[..rest.find(|c: char| !c.is_ascii_digit() && !"[]".contains(c)).unwrap_or(rest.len())];
        let marker = format!("[{}]", citation["marker"]);
        assert!(markers.contains(&marker) && !said.contains(&marker), "`{said}` and then `{rest}`");
        let path = format!(
            "/v1/scenarios/default/documents/{}/pages/{}",
            citation["document"]["id"].as_str().unwrap(),
            citation["part"]
        );
        let page = service.get(&path).await.body;
        assert!(page["text"].as_str().unwrap().contains(citation["quote"].as_str().unwrap()), "{citation}");
        assert_eq!(page["page"], citation["page"]);
        for region in citation["regions"].as_array().unwrap() {
            let rect: Vec<f64> = region["rect"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
            let [x0, y0, x1, y1] = rect[..] else { panic!("{region}") };
            assert!(0.0 <= x0 && x0 < x1 && x1 <= 1.0 && 0.0 <= y0 && y0 < y1 && y1 <= 1.0, "{region}");
            assert_eq!(region["page"], citation["part"]);
        }
    }
    let first = &answer["citations"][0]["span"];
    let said: String = text[first["start"].as_u64().unwrap() as usize..first["end"].as_u64().unwrap() as usize].iter().collect();
    assert!(said.contains(says), "`{says}` is not in `{said}`, {question}");
    answer
}

#[tokio::test]
async fn spans_count_code_points_whatever_bytes_a_character_takes() {
    let service = Service::start().await;
    service.ingest("简报.md", WIDE).await;
    check(&service, "𠮷野精机2023年的营业收入是多少？", "7.31亿元🎉").await;
}

#[tokio::test]
async fn reports_alike_but_for_the_year_are_told_apart_and_a_missing_year_is_named() {
    let service = Service::start().await;
    for (year, revenue, profit) in [(2021, "31.07", "2.15"), (2022, "36.84", "2.96"), (2023, "40.19", "3.38")] {
        service.ingest(&format!("栎川重工{year}.md"), twin(year, revenue, profit)).await;
    }
    for (question, says, other) in [
        ("栎川重工2022年的营业收入是多少？", "36.84", "40.19"),
        ("栎川重工2023年的净利润是多少？", "3.38", "2.96"),
        ("栎川重工2021年的营业收入是多少？", "31.07", "36.84"),
    ] {
        let answer = check(&service, question, says).await;
        assert!(!answer["text"].as_str().unwrap().contains(other), "{answer}");
    }
    let refused = service.ask("栎川重工2018年的营业收入是多少？").await;
    assert_eq!(refused["verdict"], "refused", "{refused}");
    assert!(refused["refusal"]["message"].as_str().unwrap().contains("2018"), "{refused}");
    assert!(!refused["refusal"]["nearest"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_figure_of_a_pdf_is_marked_on_its_page() {
    let service = Service::start().await;
    let name = "栖霁传动-2023年年度报告.pdf";
    let bytes = std::fs::read(repository("examples/reports").join(name)).unwrap();
    assert_eq!(service.ingest(name, bytes).await["pages"], 10);
    let answer = check(&service, "2023年末栖霁传动的应收账款是多少？", "46,203.58").await;
    let citation = &answer["citations"][0];
    assert!(citation["page"]["index"].is_number() && !citation["regions"].as_array().unwrap().is_empty(), "{citation}");
}
