//! The right report among look-alikes: fifteen companies, six years, half of them Chinese, all in the same words. Names that begin
//! alike or hold one another, fiscal years that end in June or January, quarters beside years: the report that is asked about
//! comes first.

use serde_json::json;

use crate::service::Service;

const YEARS: std::ops::RangeInclusive<i32> = 2018..=2023;

/// Name, short name, code, English name.
const CHINESE: [[&str; 4]; 8] = [
    ["澜沧精机股份有限公司", "澜沧精机", "688901", "LANCANG PRECISION MACHINERY CO., LTD."],
    ["澜沧精工科技股份有限公司", "澜沧精工", "301902", "LANCANG FINE WORKS TECHNOLOGY CO., LTD."],
    ["北岭储能技术股份有限公司", "北岭储能", "300903", "BEILING STORAGE TECHNOLOGY CO., LTD."],
    ["沐野食品集团股份有限公司", "沐野食品", "603904", "MUYE FOODS GROUP CO., LTD."],
    ["江渚港口股份有限公司", "江渚港口", "600905", "JIANGZHU PORT CO., LTD."],
    ["云栈汽车股份有限公司", "云栈汽车", "601906", "YUNZHAN AUTOMOBILE CO., LTD."],
    ["云栈汽车零部件股份有限公司", "云栈零部", "603907", "YUNZHAN AUTO PARTS CO., LTD."],
    ["北岭股份有限公司", "北岭股份", "600908", "BEILING CO., LTD."],
];
/// Name, ticker, and the month in which its fiscal year ends.
const ENGLISH: [(&str, &str, u8); 7] = [
    ("Halden Marine Corporation", "HLDM", 12),
    ("Halden Aerospace, Inc.", "HLDA", 6),
    ("Corvane Semiconductor Corporation", "CRVN", 9),
    ("Brightmoor Foods, Inc.", "BRMF", 12),
    ("Pellworm Logistics Group, Inc.", "PLWG", 12),
    ("Halden, Inc.", "HLDN", 12),
    // Fiscal 2021 ends in January 2022.
    ("Castine Stores, Inc.", "CSTN", 1),
];

fn figure(seed: usize, year: i32, row: usize) -> f64 {
    ((seed * 7919 + year as usize * 104_729 + row * 1_299_709) % 900_000 + 100_000) as f64 / 100.0
}

fn chinese(at: usize, period: &str, date: &str, year: i32) -> String {
    let [name, short, code, english] = CHINESE[at];
    let row = |label: &str, n: usize| format!("| {label} | {:.2} | {:.2} |\n", figure(at, year, n), figure(at, year - 1, n));
    let rows: String = ["营业收入", "归属于上市公司股东的净利润", "研发费用", "资产总额"]
        .iter()
        .zip(1..)
        .map(|(label, n)| row(label, n))
        .collect();
    format!(
        "# {name}{period}报告\n\n公司代码：{code}　公司简称：{short}\n\n{english}\n\n{date}\n\n## 主要会计数据\n\n单位：万元\n\n\
         | 项目 | 本期 | 上年同期 |\n|---|---|---|\n{rows}\n## 经营情况讨论与分析\n\n报告期内，公司实现营业收入{:.2}万元，\
         主要产品销量保持增长，公司员工总数为{}人，前五名客户销售额占比为{:.1}%。\n",
        figure(at, year, 1),
        figure(at, year, 9) as u32,
        figure(at, year, 10) / 200.0
    )
}

fn english(at: usize, form: &str, period: &str, year: i32) -> String {
    let (name, ticker, _) = ENGLISH[at];
    let seed = at + 50;
    let row = |label: &str, n: usize| format!("| {label} | {:.1} | {:.1} |\n", figure(seed, year, n), figure(seed, year - 1, n));
    let rows: String = ["Total revenue", "Net income", "Research and development expenses", "Total assets"]
        .iter()
        .zip(1..)
        .map(|(label, n)| row(label, n))
        .collect();
    format!(
        "# {name}\n\nForm {form}\n\n{period}\n\nTrading symbol: {ticker}\n\n## Selected financial data\n\n(in millions)\n\n\
         | | {year} | {} |\n|---|---|---|\n{rows}\n## Management's discussion\n\nTotal revenue was ${:.1} million. Volumes grew in all \
         regions. We employed {} people, and our five largest customers accounted for {:.1}% of revenue.\n",
        year - 1,
        figure(seed, year, 1),
        figure(seed, year, 9) as u32,
        figure(seed, year, 10) / 200.0
    )
}

/// All reports, each with its id: code and year, with the part of the year where it is one.
fn reports() -> Vec<(String, String)> {
    const MONTHS: [&str; 12] = index::lexical::MONTHS;
    let mut reports = Vec::new();
    for year in YEARS {
        for (at, [_, _, code, _]) in CHINESE.iter().enumerate() {
            let date = format!("{}年3月28日", year + 1);
            reports.push((format!("{code}-{year}"), chinese(at, &format!("{year}年年度"), &date, year)));
            if at < 2 {
                let date = format!("{year}年10月27日");
                reports.push((format!("{code}-{year}-Q3"), chinese(at, &format!("{year}年第三季度"), &date, year)));
                let date = format!("{year}年8月25日");
                reports.push((format!("{code}-{year}-H1"), chinese(at, &format!("{year}年半年度"), &date, year)));
            }
        }
        for (at, (_, ticker, ends)) in ENGLISH.iter().enumerate() {
            let month = MONTHS[*ends as usize - 1];
            let (day, ended) = if *ends == 1 { (28, year + 1) } else { (if *ends == 12 { 31 } else { 30 }, year) };
            let period = format!("For the fiscal year ended {month} {day}, {ended}");
            reports.push((format!("{ticker}-{year}"), english(at, "10-K", &period, year)));
            if at == 0 {
                let period = format!("For the quarterly period ended September 30, {year}");
                reports.push((format!("{ticker}-{year}-Q3"), english(at, "10-Q", &period, year)));
            }
        }
    }
    reports
}

#[tokio::test]
async fn the_report_of_the_named_company_and_period_comes_first() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for (number, (id, text)) in reports().into_iter().enumerate() {
        // The name of the file says nothing.
        let reply = service.upload_with(&format!("r{number:03}.md"), text, &[("external_id", &id)]).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        ids.push(reply.body["document"]["id"].as_str().unwrap().to_owned());
    }
    for id in &ids {
        assert_eq!(service.settled(id).await["status"], "ready");
    }
    let none = None::<&str>;
    let cases = [
        // The whole name, the short one, the code, the English name.
        ("澜沧精机股份有限公司2021年的营业收入是多少？", none, "688901-2021"),
        ("澜沧精机2019年研发费用", none, "688901-2019"),
        ("澜沧精工2019年研发费用", none, "301902-2019"),
        ("688901 2020年净利润是多少", none, "688901-2020"),
        ("2022年沐野食品的员工总数", none, "603904-2022"),
        ("江渚港口截至2018年末的资产总额", none, "600905-2018"),
        ("What was the revenue of Beiling Storage Technology in 2020?", none, "300903-2020"),
        ("北岭储能2023年前五名客户销售额占比", none, "300903-2023"),
        // The year, its half, its quarter.
        ("澜沧精机2022年第三季度营业收入", none, "688901-2022-Q3"),
        ("澜沧精机2022年上半年营业收入", none, "688901-2022-H1"),
        ("澜沧精机2022年半年报中的净利润", none, "688901-2022-H1"),
        ("澜沧精机2022年全年营业收入", none, "688901-2022"),
        // What leans on the day of asking.
        ("澜沧精机去年的营业收入是多少？", Some("2022-05-30"), "688901-2021"),
        ("沐野食品去年的净利润", Some("2020-12-31"), "603904-2019"),
        ("沐野食品的净利润是多少", Some("2021-06-30"), "603904-2020"),
        ("What was Brightmoor Foods' net income last year?", Some("2021-08-01"), "BRMF-2020"),
        // Nothing said of the time: the newest.
        ("江渚港口的员工总数是多少", none, "600905-2023"),
        ("How many people does Pellworm Logistics employ?", none, "PLWG-2023"),
        // Names that begin alike, tickers, fiscal years.
        ("What was Halden Marine's total revenue in 2020?", none, "HLDM-2020"),
        ("What was Halden Aerospace's total revenue in FY2020?", none, "HLDA-2020"),
        ("HLDA research and development expenses for fiscal 2022", none, "HLDA-2022"),
        ("CRVN FY21 net income", none, "CRVN-2021"),
        ("total assets of Corvane Semiconductor for the fiscal year ended September 30, 2019", none, "CRVN-2019"),
        ("Halden Marine revenue in Q3 2021", none, "HLDM-2021-Q3"),
        ("Halden Marine revenue in the third quarter of FY19", none, "HLDM-2019-Q3"),
        ("Halden Marine's annual revenue for 2021", none, "HLDM-2021"),
        ("Brightmoor Foods employees 2018", none, "BRMF-2018"),
        ("云栈汽车2021年的营业收入是多少？", none, "601906-2021"),
        ("2021年云栈汽车零部件的营业收入", none, "603907-2021"),
        ("北岭股份2020年的研发费用是多少", none, "600908-2020"),
        ("What was Halden's net income in 2020?", none, "HLDN-2020"),
        ("Castine Stores total revenue in fiscal 2021", none, "CSTN-2021"),
        ("total assets of Castine Stores for the fiscal year ended January 28, 2020", none, "CSTN-2019"),
        // Across languages.
        ("Brightmoor Foods 2022年的净利润是多少？", none, "BRMF-2022"),
        ("What were the R&D expenses of 澜沧精工 in 2021?", none, "301902-2021"),
    ];
    let mut missed = Vec::new();
    for (question, as_of, wanted) in cases {
        let reply = service.post("/v1/search", json!({ "query": question, "as_of": as_of, "top_k": 5, "explain": true })).await;
        let first = &reply.body["data"][0]["passage"]["document"]["external_id"];
        if first != wanted {
            missed.push(format!("{question}: {first} instead of {wanted}; {}", reply.body["understood"]));
        }
    }
    assert!(missed.is_empty(), "{} of {}\n{}", missed.len(), cases.len(), missed.join("\n"));
    // Two companies, or two years, and both are seen.
    for (question, wanted) in [
        ("比较澜沧精机和澜沧精工2021年的研发费用", ["688901-2021", "301902-2021"]),
        ("Compare Halden Marine and Corvane Semiconductor's net income in 2022", ["HLDM-2022", "CRVN-2022"]),
        ("Did Halden Marine or Halden have more total assets in 2021?", ["HLDM-2021", "HLDN-2021"]),
        ("江渚港口2019年和2022年的营业收入", ["600905-2019", "600905-2022"]),
    ] {
        let hits = service.post("/v1/search", json!({ "query": question, "top_k": 8 })).await.body;
        let found: Vec<&str> = hits["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|hit| hit["passage"]["document"]["external_id"].as_str())
            .collect();
        assert!(wanted.iter().all(|wanted| found.contains(wanted)), "{question}: {found:?}");
    }
    // A company that nobody holds is said so.
    let hits =
        service.post("/v1/search", json!({ "query": "Ravensholt Mining Corp. revenue in 2021", "explain": true })).await.body;
    assert!(hits["understood"]["not_held"].to_string().contains("Ravensholt"), "{}", hits["understood"]);
    // Nor is one that only begins like a company that is held.
    let hits = service.post("/v1/search", json!({ "query": "江渚银行2021年的营业收入", "explain": true })).await.body;
    assert_eq!(hits["understood"]["names"], json!([]), "{}", hits["understood"]);
}
