//! What somebody says a document is, in a manifest or a request: each field checked and written in one form, and laid over what
//! was read. A said fact is certain and keeps what was read beneath it, so that it can be taken back.

use index::nearest::nearest;
use serde_json::{Map, Value, json};

use super::{FiscalPeriod, Part, ReportKind, date, kind, lines::Line};

/// The facts that can be said.
pub const FIELDS: [&str; 10] =
    ["company", "aliases", "ticker", "kind", "form", "period", "date", "currency", "scale", "language"];

/// Most characters of a name.
const LONGEST: usize = 300;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Whoever sent it, or the manifest it came with.
    Manifest,
    /// A request to change it.
    Patch,
}

impl Said {
    fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Patch => "patch",
        }
    }
}

/// Checks the fields; each value comes back in the form in which facts are kept, null as it is.
///
/// # Errors
/// What is wrong with each field, with what to write instead.
pub fn check(fields: &Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
    let mut checked = Map::new();
    let mut wrong = Vec::new();
    for (field, value) in fields {
        let result = if value.is_null() && FIELDS.contains(&field.as_str()) { Ok(Value::Null) } else { one(field, value) };
        match result {
            Ok(value) => drop(checked.insert(field.clone(), value)),
            Err(problem) => wrong.push(problem),
        }
    }
    if let (Some(year), Some(date)) = (checked.get("period").and_then(|p| p["year"].as_i64()), checked.get("date"))
        && date.as_str().and_then(|date| date[..4].parse::<i64>().ok()).is_some_and(|dated| dated + 1 < year)
    {
        let date = date.as_str().unwrap_or_default();
        wrong.push(format!("a report dated {date} cannot be on {year}; correct `date` or `period`"));
    }
    if wrong.is_empty() { Ok(checked) } else { Err(wrong) }
}

/// Checked fields as facts: certain, with who said so. Null stays null.
pub fn facts(fields: &Map<String, Value>, said: Said) -> Map<String, Value> {
    let fact = |value: &Value| json!({ "value": value, "confidence": 1.0, "from": said.word() });
    let fact = |value: &Value| if value.is_null() { Value::Null } else { fact(value) };
    fields.iter().map(|(field, value)| (field.clone(), fact(value))).collect()
}

/// Lays said facts over what was read, which stays beneath as `read`; null takes back what was said before.
pub fn overlay(facts: &mut Map<String, Value>, said: &Map<String, Value>) {
    for (field, fact) in said {
        let before = facts.remove(field).unwrap_or_default();
        let read = if is_said(&before) { before["read"].clone() } else { before };
        let mut now = fact.clone();
        match now.as_object_mut() {
            Some(fact) => drop(fact.insert("read".into(), read)),
            None => now = read,
        }
        facts.insert(field.clone(), now);
    }
}

fn is_said(fact: &Value) -> bool {
    fact["from"].as_str().is_some_and(|from| [Said::Manifest.word(), Said::Patch.word()].contains(&from))
}

fn one(field: &str, value: &Value) -> Result<Value, String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) if field == "aliases" => String::new(),
        Value::Object(_) if field == "period" => String::new(),
        _ => return Err(format!("`{field}` is {value}; write a text")),
    };
    let long = text.chars().count() > LONGEST;
    if long || text.is_empty() && !matches!(value, Value::Array(_) | Value::Object(_)) {
        return Err(format!("`{field}` is {}; leave it out instead", if long { "too long" } else { "empty" }));
    }
    match field {
        "company" | "ticker" | "form" => Ok(text.into()),
        "aliases" => aliases(value, &text),
        "kind" => report_kind(&text),
        "period" => period(value, &text),
        "date" => iso_date(&text).map(Value::from).ok_or_else(|| format!("`{text}` is no date; write one such as 2023-12-31")),
        "currency" => currency(&text),
        "scale" => known("scale", &text, &SCALES),
        "language" => language(&text),
        other => {
            let hint = nearest(other, FIELDS)
                .map_or_else(|| format!("there are {}", FIELDS.join(", ")), |near| format!("did you mean `{near}`?"));
            Err(format!("`{other}` is no fact of a document; {hint}"))
        }
    }
}

fn aliases(value: &Value, text: &str) -> Result<Value, String> {
    let list: Vec<&str> = match value {
        Value::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            texts.ok_or("`aliases` must be a list of texts")?
        }
        _ => text.split([';', '；', '|']).collect(),
    };
    Ok(list.into_iter().map(str::trim).filter(|name| !name.is_empty()).collect())
}

const KINDS: [(&str, ReportKind); 12] = [
    ("annual", ReportKind::Annual),
    ("half_year", ReportKind::HalfYear),
    ("quarterly", ReportKind::Quarterly),
    ("prospectus", ReportKind::Prospectus),
    ("current_report", ReportKind::CurrentReport),
    ("earnings_release", ReportKind::EarningsRelease),
    ("sustainability", ReportKind::Sustainability),
    ("research", ReportKind::Research),
    ("white_paper", ReportKind::WhitePaper),
    ("market_report", ReportKind::MarketReport),
    ("announcement", ReportKind::Announcement),
    ("other", ReportKind::Other),
];

/// By its word here, by the name of a form, or by what a title would call it.
fn report_kind(text: &str) -> Result<Value, String> {
    let plain = text.to_lowercase().replace([' ', '-'], "_");
    let named = KINDS.iter().find(|(name, _)| *name == plain).map(|(_, kind)| *kind);
    let key = Line::loose(text).key;
    let called = || kind::of_file(&key).map(|(kind, _)| kind);
    let kind = named.or_else(called).ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        let hint = nearest(&plain, names.iter().copied()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        format!("`{text}` is no kind of report; {hint}there are {}", names.join(", "))
    })?;
    Ok(json!(kind))
}

/// `FY2022`, `2023H1`, `Q3 2023`, `2023年上半年`, or the fields of a period.
fn period(value: &Value, text: &str) -> Result<Value, String> {
    if value.is_object() {
        let period: FiscalPeriod = serde_json::from_value(value.clone())
            .map_err(|e| format!("`period` cannot be read ({e}); write {{\"year\": 2022, \"part\": \"FY\"}} or \"FY2022\""))?;
        return Ok(json!(period));
    }
    let key = Line::loose(text).key;
    let year = date::years(&key).next();
    let short = || {
        let digits = key.split_once("fy").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>())?;
        (digits.len() == 2).then(|| digits.parse::<i32>().ok()).flatten().map(|year| (digits.clone(), 2000 + year))
    };
    let found = year.map(|(at, year)| (key[at..at + 4].to_owned(), year)).or_else(short);
    let rest = found.as_ref().map(|(written, _)| key.replacen(written.as_str(), "", 1).replace(' ', ""));
    let part = rest.as_deref().and_then(part);
    match (found, part) {
        (Some((_, year)), Some(part)) => Ok(json!(FiscalPeriod { year, part, end: None })),
        _ => Err(format!("`{text}` is no period; write one such as FY2022, 2023H1, Q3 2023 or 2023年上半年")),
    }
}

/// What is left of a period without its year.
fn part(rest: &str) -> Option<Part> {
    const WORDS: [(&str, Part); 30] = [
        ("", Part::Year),
        ("fy", Part::Year),
        ("年", Part::Year),
        ("年度", Part::Year),
        ("财年", Part::Year),
        ("年全年", Part::Year),
        ("h1", Part::H1),
        ("年h1", Part::H1),
        ("年上半年", Part::H1),
        ("年半年度", Part::H1),
        ("年中期", Part::H1),
        ("h2", Part::H2),
        ("年下半年", Part::H2),
        ("q1", Part::Q1),
        ("年q1", Part::Q1),
        ("年一季度", Part::Q1),
        ("年第一季度", Part::Q1),
        ("q2", Part::Q2),
        ("年q2", Part::Q2),
        ("年二季度", Part::Q2),
        ("年第二季度", Part::Q2),
        ("q3", Part::Q3),
        ("年三季度", Part::Q3),
        ("年第三季度", Part::Q3),
        ("q4", Part::Q4),
        ("年四季度", Part::Q4),
        ("年第四季度", Part::Q4),
        ("9m", Part::NineMonths),
        ("年前三季度", Part::NineMonths),
        ("年1-9月", Part::NineMonths),
    ];
    let rest = rest.trim_matches(['-', '_', '/', '\'']);
    let rest = rest.strip_prefix("fy").filter(|part| !part.is_empty()).or_else(|| rest.strip_suffix("fy")).unwrap_or(rest);
    WORDS.iter().find(|(word, _)| *word == rest).map(|(_, part)| *part)
}

/// `2023-12-31`, `2023-12`, `2023`, `2023年12月31日`.
fn iso_date(text: &str) -> Option<String> {
    let valid = |iso: &str| {
        let padded = match iso.len() {
            4 => format!("{iso}-01-01"),
            7 => format!("{iso}-01"),
            _ => iso.to_owned(),
        };
        iso.is_ascii() && padded.len() == 10 && padded.parse::<jiff::civil::Date>().is_ok()
    };
    if valid(text) {
        return Some(text.to_owned());
    }
    let key = Line::loose(text).key;
    let (range, date) = date::dates(&key).into_iter().next()?;
    let rest = format!("{}{}", &key[..range.start], &key[range.end..]);
    let whole = matches!(rest.trim(), "" | "年" | "月" | "日");
    Some(date.iso()).filter(|iso| whole && valid(iso))
}

/// ISO 4217.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
                          CDF CHF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ \
                          GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD \
                          LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP \
                          PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP \
                          TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL";

fn currency(text: &str) -> Result<Value, String> {
    const NAMES: [(&str, &str); 8] = [
        ("人民币", "CNY"),
        ("rmb", "CNY"),
        ("美元", "USD"),
        ("港元", "HKD"),
        ("港币", "HKD"),
        ("欧元", "EUR"),
        ("英镑", "GBP"),
        ("日元", "JPY"),
    ];
    let key = Line::loose(text).key;
    let named = NAMES.iter().find(|(name, _)| *name == key).map(|(_, code)| *code);
    let code = CURRENCIES.split(' ').find(|code| code.eq_ignore_ascii_case(&key));
    let found = named.or(code).ok_or_else(|| format!("`{text}` is no currency; write its code, such as CNY or USD"))?;
    Ok(found.into())
}

const SCALES: [&str; 8] = ["元", "千元", "万元", "百万元", "亿元", "thousands", "millions", "billions"];

fn known(field: &str, text: &str, words: &[&str]) -> Result<Value, String> {
    let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    word.map(|word| Value::from(*word)).ok_or_else(|| format!("`{text}` is no {field}; there are {}", words.join(", ")))
}

/// ISO 639-1.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en \
                         eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja \
                         jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb \
                         nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq \
                         sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

fn language(text: &str) -> Result<Value, String> {
    let first = text.split(['-', '_']).next().unwrap_or(text).to_lowercase();
    if LANGUAGES.split(' ').any(|code| code == first) {
        Ok(first.into())
    } else {
        Err(format!("`{text}` is no language; write its code, such as zh or en"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(field: &str, value: Value, kept: Value) {
        let fields = Map::from_iter([(field.to_owned(), value.clone())]);
        let checked = check(&fields).unwrap_or_else(|wrong| panic!("{field} {value}: {wrong:?}"));
        assert_eq!(checked[field], kept, "{field} {value}");
        // What is kept can be said again.
        assert_eq!(check(&checked).unwrap()[field], kept);
    }

    #[test]
    fn each_field_is_kept_in_one_form() {
        let period = |year: i32, part: &str| json!({ "year": year, "part": part, "end": null });
        for (text, kept) in [
            ("FY2022", period(2022, "FY")),
            ("FY22", period(2022, "FY")),
            ("2022", period(2022, "FY")),
            ("2023年度", period(2023, "FY")),
            ("2023H1", period(2023, "H1")),
            ("H1 FY2023", period(2023, "H1")),
            ("2023年上半年", period(2023, "H1")),
            ("Q3 2023", period(2023, "Q3")),
            ("2023-Q3", period(2023, "Q3")),
            ("2023年第三季度", period(2023, "Q3")),
            ("2023年前三季度", period(2023, "9M")),
        ] {
            check_one("period", json!(text), kept);
        }
        check_one("period", json!({ "year": 2023, "part": "FY" }), period(2023, "FY"));
        check_one("kind", json!("10-K"), json!("annual"));
        check_one("kind", json!("半年度报告"), json!("half_year"));
        check_one("kind", json!("White Paper"), json!("white_paper"));
        check_one("date", json!("2023年4月7日"), json!("2023-04-07"));
        check_one("date", json!("2023-04"), json!("2023-04"));
        check_one("currency", json!("人民币"), json!("CNY"));
        check_one("currency", json!("usd"), json!("USD"));
        check_one("aliases", json!("Acme；艾克米"), json!(["Acme", "艾克米"]));
        check_one("language", json!("zh-Hans"), json!("zh"));
        check_one("ticker", json!(600519), json!("600519"));
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        let check = |field: &str, value: Value, words: &str| {
            let wrong = check(&Map::from_iter([(field.to_owned(), value)])).unwrap_err().join("\n");
            assert!(wrong.contains(words), "{wrong}");
        };
        check("period", json!("last year"), "write one such as FY2022");
        check("period", json!("2023 maybe"), "write one such as FY2022");
        check("date", json!("2023-02-30"), "is no date; write one such as 2023-12-31");
        check("date", json!("31/12/2023"), "is no date");
        check("currency", json!("XYZ"), "is no currency; write its code, such as CNY or USD");
        check("kind", json!("anual"), "did you mean `annual`?");
        check("language", json!("xx"), "is no language; write its code, such as zh or en");
        check("scale", json!("dozens"), "there are 元, 千元");
        check("compny", json!("Acme"), "did you mean `company`?");
        check("company", json!(" "), "leave it out instead");
        check("company", json!(["Acme"]), "write a text");
    }

    #[test]
    fn a_report_is_not_dated_before_what_it_reports_on() {
        let fields = json!({ "period": "FY2023", "date": "2021-05-01" });
        let wrong = check(fields.as_object().unwrap()).unwrap_err();
        assert_eq!(wrong, ["a report dated 2021-05-01 cannot be on 2023; correct `date` or `period`"]);
    }

    #[test]
    fn a_said_fact_is_certain_and_can_be_taken_back() {
        let read = json!({ "value": "甲公司", "confidence": 0.8, "from": "file_name" });
        let mut facts = Map::from_iter([("company".to_owned(), read.clone())]);
        let say = |value: Value, said: Said| super::facts(&Map::from_iter([("company".to_owned(), value)]), said);
        overlay(&mut facts, &say(json!("乙公司"), Said::Manifest));
        overlay(&mut facts, &say(json!("丙公司"), Said::Patch));
        assert_eq!(facts["company"], json!({ "value": "丙公司", "confidence": 1.0, "from": "patch", "read": read }));
        overlay(&mut facts, &say(Value::Null, Said::Patch));
        assert_eq!(facts["company"], read);
    }
}
