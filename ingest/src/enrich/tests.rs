//! Covers and first pages of many kinds, as text: what a reader would say of each.

use std::collections::BTreeMap;

use index::page::{Block, BlockKind, Page};
use serde_json::{Map, Value, json};

use super::{Facts, facts};
use crate::parse::About;

/// A page whose blocks are divided by blank lines; `# ` opens a heading, `~ ` a running header, a line with ` | ` a row.
fn page(number: u32, source: &str) -> Page {
    let mut page = Page { number, width: 595.0, height: 842.0, ..Page::default() };
    for part in source.trim().split("\n\n") {
        let lines: Vec<&str> = part.lines().map(str::trim).collect();
        let text = lines.join("\n");
        let (kind, text) = match (text.strip_prefix("# "), text.strip_prefix("~ ")) {
            (Some(text), _) => (BlockKind::Heading(1), text),
            (_, Some(text)) => (BlockKind::Furniture, text),
            _ if text.contains(" | ") => (BlockKind::Table, text.as_str()),
            _ => (BlockKind::Paragraph, text.as_str()),
        };
        if !page.text.is_empty() {
            page.text.push_str("\n\n");
        }
        let start = page.text.len() as u32;
        page.text.push_str(text);
        page.blocks.push(Block { start, end: page.text.len() as u32, kind, table: None });
    }
    page
}

fn read(name: &str, pages: &[&str], given: &Value) -> Facts {
    let pages: Vec<Page> = pages.iter().enumerate().map(|(at, text)| page(at as u32 + 1, text)).collect();
    let title = pages.iter().flat_map(|p| p.blocks.iter().map(move |b| (p, b)));
    let title = title.filter(|(_, b)| b.kind == BlockKind::Heading(1)).map(|(p, b)| p.text[b.range()].to_owned()).next();
    let given: Map<String, Value> = given.as_object().cloned().unwrap_or_default();
    facts(name, &given, &About { title, paged: true, ..About::default() }, &pages)
}

/// `want` holds `field: value` lines; `-` for what must not be told. Fields it does not name are not looked at.
#[track_caller]
fn check(name: &str, pages: &[&str], want: &str) {
    told(&read(name, pages, &json!({})), want);
}

#[track_caller]
fn told(facts: &Facts, want: &str) {
    let whole = serde_json::to_value(facts).unwrap();
    let value = |field: &str| whole[field].get("value").and_then(Value::as_str).unwrap_or("-").to_owned();
    let mut got: BTreeMap<&str, String> = ["title", "company", "ticker", "kind", "date", "currency", "scale", "language"]
        .into_iter()
        .map(|f| (f, value(f)))
        .collect();
    got.insert("form", facts.form.clone().unwrap_or("-".into()));
    let period = facts.period.as_ref().map(|p| &p.value);
    let part = period.map(|p| serde_json::to_value(p.part).unwrap().as_str().unwrap().to_owned());
    let text = period.zip(part).map_or("-".into(), |(p, part)| format!("{part} {} {}", p.year, p.end.as_deref().unwrap_or("-")));
    got.insert("period", text);
    for line in want.trim().lines() {
        let (field, value) = line.trim().split_once(": ").unwrap();
        if field == "alias" {
            assert!(facts.aliases.iter().any(|a| a == value), "alias {value} in {:?}", facts.aliases);
        } else {
            assert_eq!(got[field], value, "{field} of {facts:#?}");
        }
    }
}

const COMMISSION: &str = "# UNITED STATES\n\n# SECURITIES AND EXCHANGE COMMISSION\n\nWashington, D.C. 20549\n\n";

#[test]
fn a_fiscal_year_that_ends_in_june_is_named_by_the_year_it_ends_in() {
    let cover = "# FORM 10-K\n\n☒ ANNUAL REPORT PURSUANT TO SECTION 13 OR 15(d)\n\nFor the fiscal year ended June 30, 2021\n\n\
        Commission file number 001-11111\n\n# NORTHWIND SOFTWARE CORPORATION\n\n(Exact name of registrant as specified in its charter)\n\n\
        Washington 91-1111111\n\nCommon stock, $0.00001 par value per share NWS NASDAQ";
    check(
        "nws10k.pdf",
        &[&format!("{COMMISSION}{cover}")],
        "company: NORTHWIND SOFTWARE CORPORATION\nticker: NWS\nkind: annual\nform: 10-K\nperiod: FY 2021 2021-06-30\ncurrency: USD\ndate: -\nalias: NORTHWIND SOFTWARE",
    );
}

#[test]
fn a_retailer_calls_its_fiscal_year_by_its_own_words() {
    let cover = "# FORM 10-K\n\nFor the fiscal year ended February 3, 2018\n\n# HARBOR STORES, INC.\n\n(Exact name of registrant as specified in its charter)";
    let later = "Fiscal 2018 ended February 3, 2018 and held 53 weeks. Fiscal 2017 held 52 weeks.";
    check("a.pdf", &[&format!("{COMMISSION}{cover}"), later], "period: FY 2018 2018-02-03");
    let earlier = "Our fiscal year 2017 (\"fiscal 2017\") ended on February 3, 2018; fiscal 2016 ended January 28, 2017.";
    check("a.pdf", &[&format!("{COMMISSION}{cover}"), earlier], "period: FY 2017 2018-02-03");
    check("a.pdf", &[&format!("{COMMISSION}{cover}")], "period: FY 2017 2018-02-03");
}

#[test]
fn a_third_quarter_is_told_by_the_nine_months_beside_it() {
    let cover = "# Form 10-Q\n\n☒ QUARTERLY REPORT\n\nFor the quarterly period ended September 30, 2023\n\n# Bluefin Energy plc\n\n(Exact Name of Registrant as Specified in its Charter)";
    let text = "Condensed statements of income for the three and nine months ended September 30, 2023 and 2022\n\n(in millions, except per share amounts)";
    check(
        "q.pdf",
        &[&format!("{COMMISSION}{cover}"), text],
        "company: Bluefin Energy plc\nkind: quarterly\nform: 10-Q\nperiod: Q3 2023 2023-09-30\nscale: millions",
    );
}

#[test]
fn a_second_quarter_may_end_in_december() {
    let cover = "# FORM 10-Q\n\nFor the quarterly period ended December 31, 2022\n\n# PAPERCO PLC\n\n(Exact name of registrant as specified in its charter)";
    check(
        "q.pdf",
        &[&format!("{COMMISSION}{cover}"), "Three and six months ended December 31, 2022 and 2021"],
        "period: Q2 2023 2022-12-31",
    );
}

#[test]
fn a_first_quarter_closes_no_longer_span() {
    let cover = "# FORM 10-Q\n\nFor the quarterly period ended March 31, 2024\n\n# Alder Inc.\n\n(Exact name of registrant as specified in its charter)";
    let text = "Balance sheets as of March 31, 2024 and December 31, 2023\n\nStatements of operations for the three months ended March 31, 2024 and 2023";
    check("q.pdf", &[&format!("{COMMISSION}{cover}"), text], "period: Q1 2024 2024-03-31");
}

#[test]
fn a_form_is_known_by_its_name_alone() {
    let report = |form: &str, period: &str| format!("# Halden Marine Corporation\n\n{form}\n\n{period}\n\nTrading symbol: HLDM");
    let annual = report("Form 10-K", "For the fiscal year ended June 30, 2020");
    check("a.md", &[&annual], "company: Halden Marine Corporation\nkind: annual\nform: 10-K\nperiod: FY 2020 2020-06-30");
    let quarter = report("Quarterly Report on Form 10-Q", "For the quarterly period ended September 30, 2021");
    check("b.md", &[&quarter], "kind: quarterly\nform: 10-Q\nperiod: Q3 2021 2021-09-30");
    check("c.md", &["# Filing guide\n\nEvery issuer files a Form 10-K each year."], "kind: -\nform: -");
}

#[test]
fn a_trading_symbol_and_the_name_of_a_bank_are_read() {
    let text = "# Ardley Bancorp\n\nForm 10-K\n\nFor the fiscal year ended December 31, 2020\n\nTrading symbol: ARDB";
    check("a.md", &[text], "company: Ardley Bancorp\nticker: ARDB\nkind: annual\nperiod: FY 2020 2020-12-31");
}

#[test]
fn whom_the_auditor_reports_to_is_the_company() {
    let cover = "# Annual Report 2022";
    let audit = "# INDEPENDENT AUDITOR’S REPORT TO THE MEMBERS OF BRIGHTWATER MILLS GROUP PLC\n\nWe have audited the financial statements of Brightwater Mills Group plc for the year ended 31 December 2022.";
    check("a.pdf", &[cover, "Chairman's review", audit], "company: Brightwater Mills Group plc\nalias: Brightwater Mills");
    let audit = "# 审计报告\n\n海岚新材料股份有限公司全体股东：\n\n我们审计了海岚新材料股份有限公司的财务报表。";
    check("a.pdf", &["# 2022 年年度报告", "重要提示", audit], "company: 海岚新材料股份有限公司");
}

#[test]
fn a_current_report_has_a_date_and_no_period() {
    let cover = "# FORM 8-K\n\nCURRENT REPORT\n\nDate of Report (Date of earliest event reported): August 19, 2022 (August 16, 2022)\n\n\
        Corner Shoes, Inc.\n\n(Exact name of registrant as specified in charter)";
    check(
        "x.pdf",
        &[&format!("{COMMISSION}{cover}")],
        "company: Corner Shoes, Inc.\nkind: current_report\nform: 8-K\ndate: 2022-08-19\nperiod: -\nalias: Corner Shoes",
    );
}

#[test]
fn a_foreign_issuer_files_a_20_f() {
    let cover = "# FORM 20-F\n\n☒ ANNUAL REPORT\n\nFor the fiscal year ended March 31, 2023.\n\n# Lantern Group Holding Limited\n\n(Exact name of Registrant as specified in its charter)";
    let text = "In fiscal year 2023, which ended March 31, 2023, our revenue was RMB868,687 million (US$126,491 million).";
    check(
        "20f.pdf",
        &[&format!("{COMMISSION}{cover}"), text],
        "company: Lantern Group Holding Limited\nkind: annual\nform: 20-F\nperiod: FY 2023 2023-03-31",
    );
}

#[test]
fn a_release_names_quarter_and_fiscal_year_in_its_headline() {
    let text = "# Vertex Tools Reports Third Quarter Fiscal 2024 Results\n\nAUSTIN, Texas, May 2, 2024 (GLOBE NEWSWIRE) -- Vertex Tools, Inc. (NYSE: VTX) today announced results for its third quarter ended March 31, 2024.";
    check(
        "VERTEX_2024Q3_EARNINGS.pdf",
        &[text],
        "company: Vertex Tools, Inc.\nticker: VTX\nkind: earnings_release\nperiod: Q3 2024 2024-03-31\ndate: 2024-05-02\nalias: Vertex Tools",
    );
}

#[test]
fn a_release_may_close_the_year() {
    let text = "February 8, 2024\n\n# Orchard Foods Announces Fourth Quarter and Full Year 2023 Financial Results\n\nOrchard Foods Corp. (NASDAQ: ORCH) today reported financial results for the fourth quarter and full year ended December 31, 2023.";
    check(
        "r.pdf",
        &[text],
        "company: Orchard Foods Corp.\nticker: ORCH\nkind: earnings_release\nperiod: FY 2023 2023-12-31\ndate: 2024-02-08",
    );
}

#[test]
fn a_british_annual_report_may_end_in_march() {
    let cover = "# Fenwick Water plc\n\nAnnual Report and Accounts 2022/23";
    let text =
        "for the year ended 31 March 2023\n\nRevenue rose to £412m (2022: £398m), and £31m was paid to shareholders of £1,200m.";
    check(
        "f.pdf",
        &[cover, text],
        "company: Fenwick Water plc\nkind: annual\nperiod: FY 2023 2023-03-31\ncurrency: GBP\nlanguage: en",
    );
}

#[test]
fn an_interim_report_covers_half_a_year() {
    let cover = "# Interim Report 2023\n\nHalden Maritime ASA";
    let text = "for the six months ended 30 June 2023\n\nThe interim financial statements are presented in US dollars, the functional currency of the Group.";
    check("i.pdf", &[cover, text], "company: Halden Maritime ASA\nkind: half_year\nperiod: H1 2023 2023-06-30\ncurrency: USD");
}

#[test]
fn an_australian_half_year_belongs_to_the_year_it_opens() {
    let cover = "# QUARRY RESOURCES LIMITED\n\nABN 11 222 333 444\n\n# Half-Year Financial Report\n\nfor the half-year ended 31 December 2022";
    check("h.pdf", &[cover], "company: QUARRY RESOURCES LIMITED\nkind: half_year\nperiod: H1 2023 2022-12-31");
}

#[test]
fn a_sustainability_report_is_none_on_the_year_s_money() {
    let cover = "# 2023 Environmental, Social and Governance Report\n\nSilverline Semiconductor Co., Ltd.";
    check("esg.pdf", &[cover], "company: Silverline Semiconductor Co., Ltd.\nkind: sustainability\nperiod: FY 2023 -");
}

#[test]
fn an_english_white_paper_has_a_year_and_no_company_by_guess() {
    check(
        "w.pdf",
        &["# The State of Edge Computing\n\nWhite Paper 2024\n\nOctober 2024"],
        "kind: white_paper\ncompany: -\ndate: 2024-10\nperiod: FY 2024 -",
    );
}

#[test]
fn a_number_of_an_address_is_no_year_of_a_report() {
    check("x.pdf", &["# Notes on heat pumps\n\n2010 Main Street, Springfield"], "kind: -\nperiod: -\ncompany: -\ndate: -");
}

#[test]
fn the_caller_s_words_help_where_the_text_is_silent() {
    let given = json!({"company": "Brightwater", "fiscal_year": 2021, "date": "2022-03-01", "doc_type": "10k"});
    told(
        &read("scan.pdf", &["Contents"], &given),
        "company: Brightwater\nkind: annual\nform: 10-K\nperiod: FY 2021 -\ndate: 2022-03-01",
    );
}

#[test]
fn the_caller_s_short_name_confirms_the_printed_one() {
    let facts = read("a.pdf", &["# Brightwater Holdings plc\n\nAnnual Report 2021"], &json!({"company": "Brightwater"}));
    told(&facts, "company: Brightwater Holdings plc\nalias: Brightwater");
    assert!(facts.company.unwrap().confidence > 0.95);
}

// --- 中文 ----------------------------------------------------------------------------------------------------------

#[test]
fn 年度报告封面有代码简称和名称() {
    let cover = "~ 2021年年度报告\n\n公司代码：600999 公司简称：海岚股份\n\n# 海岚新材料股份有限公司\n\n# 2021 年年度报告";
    let terms = "公司、本公司、海岚股份 | 指 | 海岚新材料股份有限公司\n报告期 | 指 | 2021年1月1日至2021年12月31日\n\n单位：万元 币种：人民币";
    check(
        "600999.pdf",
        &[cover, terms],
        "company: 海岚新材料股份有限公司\nticker: 600999\nkind: annual\nperiod: FY 2021 2021-12-31\ncurrency: CNY\nscale: 万元\nlanguage: zh\nalias: 海岚股份\nform: -",
    );
}

#[test]
fn 半年度报告和季度报告() {
    check(
        "b.pdf",
        &["# 远川机电股份有限公司\n\n# 2023年半年度报告\n\n二〇二三年八月"],
        "company: 远川机电股份有限公司\nkind: half_year\nperiod: H1 2023 -",
    );
    check(
        "c.pdf",
        &["证券代码：002999 证券简称：远川机电 公告编号：2023-055\n\n# 远川机电股份有限公司\n\n# 2023年第三季度报告"],
        "ticker: 002999\nkind: quarterly\nperiod: Q3 2023 -\nalias: 远川机电",
    );
    check("d.pdf", &["# 远川机电股份有限公司\n\n# 二〇二二年第一季度报告"], "kind: quarterly\nperiod: Q1 2022 -");
}

#[test]
fn 中文数字的年度也读得出() {
    check(
        "e.pdf",
        &["# 北岭化工股份有限公司\n\n# 二〇一八年年度报告"],
        "company: 北岭化工股份有限公司\nkind: annual\nperiod: FY 2018 -",
    );
}

#[test]
fn 民国纪年换算成公元() {
    check(
        "t.pdf",
        &["# 晶磊科技股份有限公司\n\n# 民國一百一十二年度年報\n\n股票代號：2999"],
        "company: 晶磊科技股份有限公司\nticker: 2999\nkind: annual\nperiod: FY 2023 -",
    );
}

#[test]
fn 银行年报的页眉没有法律形式() {
    let cover = "# 江州银行\n\n# 2022年度报告";
    let page = "~ 江州银行2022年度报告\n\n本行及本集团";
    check("bank.pdf", &[cover, page, page, page], "company: 江州银行\nkind: annual\nperiod: FY 2022 -");
}

#[test]
fn 港股双语封面的注册地一行不是公司名() {
    let cover = "# HARVEST INSURANCE COMPANY LIMITED\n\n# 豐收人壽保險股份有限公司\n\n(於中華人民共和國註冊成立的股份有限公司)\n\n(股份代號：2999)\n\n\
        # 截至二零二三年十二月三十一日止年度之全年業績公告";
    let text = "香港交易及結算所有限公司及香港聯合交易所有限公司對本公告的內容概不負責，對其準確性或完整性亦不發表任何聲明。\n\n\
        豐收人壽保險股份有限公司董事會欣然公布本公司及其附屬公司截至二零二三年十二月三十一日止年度的業績。人民幣百萬元\n\n人民幣百萬元";
    check(
        "h.pdf",
        &[cover, text],
        "company: 豐收人壽保險股份有限公司\nticker: 2999\nkind: earnings_release\nperiod: FY 2023 2023-12-31\nscale: 百万元\ncurrency: CNY\nlanguage: zh\nalias: HARVEST INSURANCE COMPANY LIMITED",
    );
}

#[test]
fn 港股中期报告() {
    check(
        "i.pdf",
        &[
            "# 海港物流集團有限公司\n\n(於開曼群島註冊成立之有限公司)\n\n股份代號：0999\n\n# 2023 中期報告",
            "截至2023年6月30日止六個月 港幣千元",
        ],
        "company: 海港物流集團有限公司\nticker: 0999\nkind: half_year\nperiod: H1 2023 2023-06-30",
    );
}

#[test]
fn 招股说明书的公司不是保荐人() {
    let cover = "# 明泰光学股份有限公司\n\n（住所：苏州市工业园区星湖街1号）\n\n# 首次公开发行股票并在创业板上市招股说明书\n\n# 保荐机构（主承销商）\n\n# 东海证券股份有限公司\n\n（住所：常州市延陵西路23号）";
    let page = "发行股票类型： 人民币普通股（A股）\n\n招股说明书签署日期： 2021年6月18日";
    check(
        "p.pdf",
        &[cover, page],
        "company: 明泰光学股份有限公司\nkind: prospectus\nform: 招股说明书\nperiod: -\ndate: 2021-06-18",
    );
}

#[test]
fn 债券募集说明书() {
    let cover = "# 临江城市建设投资集团有限公司\n\n# 2024年面向专业投资者公开发行公司债券（第一期）募集说明书\n\n发行人 | 临江城市建设投资集团有限公司\n主承销商 | 国海证券股份有限公司\n\n签署日期：2024年3月12日";
    check(
        "bond.pdf",
        &[cover],
        "company: 临江城市建设投资集团有限公司\nkind: prospectus\nform: 募集说明书\ndate: 2024-03-12\nperiod: -",
    );
}

#[test]
fn 券商研报讲的是它研究的公司() {
    let cover = "证券研究报告 | 公司深度报告\n\n2024年03月28日\n\n# 澜岳酒业（600998.SH）：品牌势能向上，渠道改革深化\n\n投资评级：买入（维持）\n\n分析师：王某\n\n华岭证券股份有限公司";
    check("r.pdf", &[cover], "company: 澜岳酒业\nticker: 600998\nkind: research\ndate: 2024-03-28\nperiod: -");
}

#[test]
fn 白皮书有发布机构和年份() {
    let cover = "# 中国人工智能算力发展白皮书（2024年）\n\n华夏信息通信研究院\n\n2024年10月";
    check("w.pdf", &[cover], "company: 华夏信息通信研究院\nkind: white_paper\nperiod: FY 2024 -\ndate: 2024-10");
}

#[test]
fn 行业的年度报告不是公司的年报() {
    check(
        "o.pdf",
        &["# 2023中国开源年度报告\n\n发布单位：开源促进会"],
        "kind: market_report\nperiod: FY 2023 -\ncompany: 开源促进会",
    );
}

#[test]
fn 社会责任报告() {
    check(
        "csr.pdf",
        &["# 远川机电股份有限公司\n\n# 2022年度环境、社会及公司治理（ESG）报告"],
        "company: 远川机电股份有限公司\nkind: sustainability\nperiod: FY 2022 -",
    );
}

#[test]
fn 业绩快报与一般公告() {
    check(
        "k.pdf",
        &["证券代码：300999 证券简称：辰光电子\n\n# 辰光电子股份有限公司\n\n# 2023年度业绩快报"],
        "kind: earnings_release\nperiod: FY 2023 -\nticker: 300999",
    );
    check(
        "n.pdf",
        &["# 辰光电子股份有限公司\n\n# 关于2023年度利润分配预案的公告"],
        "company: 辰光电子股份有限公司\nkind: announcement\nperiod: -",
    );
}

#[test]
fn 文件名只在别处都没有时说话() {
    check("澜海集团2021年报.pdf", &["目录"], "kind: annual\nperiod: FY 2021 -\ncompany: -");
    check("ACME_2019.pdf", &["# 海岚新材料股份有限公司\n\n# 2021 年年度报告"], "period: FY 2021 -");
}

#[test]
fn a_year_of_whole_weeks_may_end_in_the_first_days_of_january() {
    let cover = "# FORM 10-K\n\n☑ Annual Report pursuant to Section 13\n\nfor the fiscal year ended January 1, 2023\n\n# WARREN & WARREN\n\n(Exact name of registrant as specified in its charter)\n\nCommon Stock, Par Value $1.00 | WNW | New York Stock Exchange";
    check(
        "WW_2022_10K.pdf",
        &[&format!("{COMMISSION}{cover}")],
        "company: WARREN & WARREN\nticker: WNW\nperiod: FY 2022 2023-01-01",
    );
}

#[test]
fn a_year_may_be_announced_on_one_line_and_dated_on_the_next() {
    let cover = "# FORM 10-K\n\nFor the fiscal year ended\n\nSaturday, January 28, 2023\n\nKestrel Brands, Inc.\n\n(Exact name of registrant as specified in its charter)";
    check(
        "k.pdf",
        &[&format!("{COMMISSION}{cover}"), "fiscal 2022 and fiscal 2021. In fiscal 2022, fiscal 2021"],
        "company: Kestrel Brands, Inc.\nperiod: FY 2022 2023-01-28",
    );
}

#[test]
fn quarters_of_twelve_weeks() {
    let cover = "# FORM 10-Q\n\nFor the quarterly period ended February 12, 2023\n\n# Depot Wholesale Corporation\n\n(Exact name of registrant as specified in its charter)";
    let text = "12 and 24 Weeks Ended\n\n24 weeks ended February 12, 2023";
    check("d.pdf", &[&format!("{COMMISSION}{cover}"), text], "period: Q2 2023 2023-02-12");
}

#[test]
fn headlines_of_results() {
    check(
        "p.pdf",
        &[
            "# MERIDIAN PHARMA REPORTS SECOND-QUARTER 2023 RESULTS\n\nNEW YORK, NY, Tuesday, August 1, 2023 – Meridian Pharma Inc. (NYSE: MPH) reported financial results for the second quarter of 2023",
        ],
        "company: Meridian Pharma Inc.\nticker: MPH\nkind: earnings_release\nperiod: Q2 2023 -",
    );
    check(
        "p.pdf",
        &["# Lumen Reports Q4 and Full-Year 2022 Results\n\nJanuary 24, 2023"],
        "company: Lumen\nkind: earnings_release\nperiod: FY 2022 -\ndate: 2023-01-24",
    );
    check(
        "ADA_2022Q4_EARNINGS.pdf",
        &[
            "# Ada Reports Record Revenue\n\nSAN JOSE, Calif. — Dec. 15, 2022 — Ada Inc. (Nasdaq: ADA) today reported financial results for its fourth quarter and fiscal year 2022 ended Dec. 2, 2022.",
        ],
        "company: Ada Inc.\nticker: ADA\nkind: earnings_release",
    );
    check(
        "b.pdf",
        &[
            "# Big Box Reports Second Quarter Results\n\nBig Box Co., Inc. (NYSE: BBX) today announced results for the 13-week second quarter ended July 29, 2023 (\"Q2 FY24\"), as compared to the 13-week second quarter ended July 30, 2022 (\"Q2 FY23\"). For FY24 it expects more; FY24 has 53 weeks.",
        ],
        "company: Big Box Co., Inc.\nkind: earnings_release\nperiod: Q2 2024 2023-07-29",
    );
}

#[test]
fn an_english_report_of_a_company_listed_in_hong_kong() {
    let cover = "# Riverside Technology Holdings Limited\n\n(Incorporated in the Cayman Islands with limited liability)\n\n(Stock Code: 2998)\n\n# ANNUAL REPORT 2022";
    let text = "The financial statements are presented in RMB, unless otherwise stated. RMB'000\n\nRMB'000";
    check(
        "2998.pdf",
        &[cover, text],
        "company: Riverside Technology Holdings Limited\nticker: 2998\nkind: annual\nperiod: FY 2022 -\ncurrency: CNY",
    );
}

#[test]
fn european_legal_forms() {
    check("v.pdf", &["# Integrated Report 2022\n\nVossberg SE"], "company: Vossberg SE\nkind: annual\nperiod: FY 2022 -");
    check(
        "n.pdf",
        &["# Annual Report 2023\n\nHelvora S.A.\n\nThe consolidated statements are presented in Swiss francs (CHF)."],
        "company: Helvora S.A.\nkind: annual\ncurrency: CHF",
    );
    check(
        "l.pdf",
        &[&format!(
            "{COMMISSION}# FORM 20-F\n\nFor the fiscal year ended December 31, 2022\n\n# LITHO HOLDING N.V.\n\n(Exact Name of Registrant as Specified in Its Charter)"
        )],
        "company: LITHO HOLDING N.V.\nform: 20-F\nperiod: FY 2022 2022-12-31",
    );
}

#[test]
fn an_outlook_on_a_market_is_a_market_report() {
    check(
        "o.pdf",
        &["# Global Battery Storage Market Outlook 2025\n\nNorthgate Research\n\nMarch 2025"],
        "kind: market_report\nperiod: FY 2025 -\ndate: 2025-03",
    );
}

#[test]
fn 科创板招股说明书的提示和申报稿() {
    let cover = "本次发行股票拟在科创板上市，科创板公司具有研发投入大、经营风险高、业绩不稳定、退市风险高等特点，投资者面临较大的市场风险。\n\n# 星桥生物科技股份有限公司\n\nStarbridge Biotech Co., Ltd.\n\n（上海市浦东新区祥科路1号）\n\n# 首次公开发行股票并在科创板上市招股说明书（申报稿）\n\n保荐人（主承销商）\n\n（上海市广东路689号）\n\n海川证券股份有限公司";
    check("p.pdf", &[cover], "company: 星桥生物科技股份有限公司\nkind: prospectus\nform: 招股说明书\nalias: Starbridge Biotech");
}

#[test]
fn 新三板年报封面的主办券商不是公司() {
    let cover = "证券代码：839999 证券简称：青禾农业 主办券商：海川证券\n\n# 青禾农业科技股份有限公司\n\n# 年度报告\n\n# 2022";
    check(
        "x.pdf",
        &[cover],
        "company: 青禾农业科技股份有限公司\nticker: 839999\nkind: annual\nperiod: FY 2022 -\nalias: 青禾农业",
    );
}

#[test]
fn 证券公司自己的年报() {
    check(
        "z.pdf",
        &["# 海川证券股份有限公司\n\nHAICHUAN SECURITIES CO., LTD.\n\n# 2022年年度报告\n\n股票代码：601999"],
        "company: 海川证券股份有限公司\nticker: 601999\nkind: annual\nperiod: FY 2022 -",
    );
}

#[test]
fn 截至三月的年度按年报所称() {
    let cover = "# 寶利控股有限公司\n\n(於百慕達註冊成立之有限公司)\n\n(股份代號：1999)\n\n# 年報 2022/23";
    check(
        "b.pdf",
        &[cover, "截至2023年3月31日止年度"],
        "company: 寶利控股有限公司\nticker: 1999\nkind: annual\nperiod: FY 2023 2023-03-31",
    );
}

#[test]
fn 三季度业绩与前三季度() {
    check(
        "q.pdf",
        &["证券代码：300998 证券简称：辰光电子\n\n# 辰光电子股份有限公司\n\n# 2023年前三季度业绩预告"],
        "kind: earnings_release\nperiod: 9M 2023 -",
    );
}

#[test]
fn 行业简报与统计公报() {
    check(
        "y.pdf",
        &["# 2023年云江市国民经济和社会发展统计公报\n\n云江市统计局\n\n2024年3月15日"],
        "kind: market_report\nperiod: FY 2023 -\ndate: 2024-03-15\ncompany: -",
    );
    check(
        "c.pdf",
        &["# 2023年中国低空经济行业研究报告\n\n澜山咨询"],
        "kind: market_report\ncompany: 澜山咨询\nperiod: FY 2023 -",
    );
}

#[test]
fn 问询回复与法律意见不是年报() {
    check(
        "l.pdf",
        &["# 关于海岚新材料股份有限公司2022年年度报告的信息披露监管问询函的回复公告"],
        "kind: announcement\nperiod: -",
    );
}

#[test]
fn nothing_in_gives_nothing_out_and_no_panic() {
    for text in [
        "",
        "a",
        "（",
        "年年年",
        "2023年",
        "一二三四五六年",
        "(((((",
        "指",
        "有限公司",
        "Inc.",
        "Form",
        "$",
        "fy2",
        "Q",
        "民国年",
        "December 99, 2022",
    ] {
        let facts = read("", &[text], &json!({"company": "", "period": [], "date": "x"}));
        assert_eq!(facts.company, None, "{text}");
    }
}
