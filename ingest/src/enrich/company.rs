//! Whose report is it? Names with a legal form, weighed by where they stand: the registrant's line of a form and the
//! definition of "the Company" decide, the cover and the running headers support, everybody who only serves (sponsor,
//! auditor, lawyer, exchange) is left aside.

use std::collections::{HashMap, HashSet};

use index::page::{BlockKind, Page};

use super::{
    Fact, ReportKind, Seen, Where, date, fact,
    lines::{Line, fold, has_han, is_han},
    on, quote,
};

/// The names of a document.
#[derive(Default)]
pub(super) struct Named {
    pub company: Option<Fact<String>>,
    pub aliases: Vec<String>,
    pub ticker: Option<Fact<String>>,
}

struct Candidate {
    name: String,
    /// The name without legal form, folded, without blanks: what two spellings share.
    brand: String,
    weight: f32,
    from: Where,
}

pub(super) fn read(seen: &Seen, pages: &[Page], kind: Option<ReportKind>, chinese: bool) -> Named {
    let mut pool = Pool::default();
    registrant(seen, &mut pool);
    defined(seen, &mut pool);
    covered(seen, kind, &mut pool);
    announced(seen, kind, &mut pool);
    studied(seen, kind, &mut pool);
    subject(seen, kind, &mut pool);
    audited(pages, &mut pool);

    let given = seen.given(&["company", "company_name", "issuer", "publisher", "公司", "公司名称", "发布机构"]);
    let best = pool.best(chinese);
    let mut company = best.map(|(candidate, score)| fact(spelled(seen, &candidate.name), score, candidate.from.clone()));
    let mut aliases = Vec::new();
    match (&mut company, given) {
        (Some(company), Some((said, _))) if same(&company.value, &said) => {
            company.confidence = company.confidence.max(0.97);
            aliases.push(said);
        }
        (_, Some((said, from))) => company = Some(fact(said, 0.9, from)),
        (None, None) => company = by_file(seen),
        _ => (),
    }
    let ticker = ticker(seen, kind, company.as_ref().map(|c| c.value.as_str()));
    if let Some(company) = &company {
        aliases.extend(other_names(seen, &company.value, &pool));
        aliases.retain(|a| a != &company.value);
        let mut known = HashSet::new();
        aliases.retain(|a| a.chars().count() >= 2 && known.insert(fold(a)));
        aliases.truncate(8);
    }
    Named { company, aliases, ticker }
}

/// Whether one name is the other without its legal form or in short.
fn same(full: &str, short: &str) -> bool {
    let (a, b) = (brand(full), brand(short));
    !b.is_empty() && (a.starts_with(&b) || b.starts_with(&a) || has_han(&b) && a.contains(&b)) && !a.is_empty()
}

#[derive(Default)]
struct Pool(Vec<Candidate>);

impl Pool {
    fn add(&mut self, name: &str, weight: f32, from: Where) {
        let name = name.trim_matches(|c: char| c.is_whitespace() || ",;:-|\"'".contains(c));
        let brand = brand(name);
        let letters = name.chars().filter(|c| c.is_alphabetic()).count();
        let regulator = REGULATORS.iter().any(|r| fold(name).contains(r));
        if (2..=90).contains(&letters) && !brand.is_empty() && !regulator {
            self.0.push(Candidate { name: name.into(), brand, weight, from });
        }
    }

    /// The name with the most support, if it is enough and no other comes near.
    fn best(&self, chinese: bool) -> Option<(&Candidate, f32)> {
        let mut scored: Vec<(&Candidate, f32)> = Vec::new();
        for candidate in &self.0 {
            if scored.iter().any(|(c, _)| c.brand == candidate.brand) {
                continue;
            }
            let against = self.0.iter().filter(|c| c.brand == candidate.brand).fold(1.0, |left, c| left * (1.0 - c.weight));
            scored.push((candidate, 1.0 - against));
        }
        for entry in &mut scored {
            let head = self.0.iter().filter(|c| c.brand == entry.0.brand).max_by(|a, b| a.weight.total_cmp(&b.weight));
            entry.0 = head.unwrap_or(entry.0);
            // A document in Chinese calls its company by the Chinese name first.
            entry.1 = (entry.1 - if chinese && !has_han(&entry.0.name) { 0.1 } else { 0.0 }).min(0.99);
        }
        // A name cut at a line's end is the tail of the whole one.
        let tails: Vec<bool> = scored
            .iter()
            .map(|(c, _)| scored.iter().any(|(o, s)| o.brand.len() > c.brand.len() && o.brand.ends_with(&c.brand) && *s > 0.4))
            .collect();
        let mut kept: Vec<(&Candidate, f32)> = scored.into_iter().zip(tails).filter(|(_, tail)| !tail).map(|(s, _)| s).collect();
        kept.sort_by(|a, b| b.1.total_cmp(&a.1));
        let first = *kept.first()?;
        let rival = kept.get(1).filter(|r| has_han(&r.0.name) == has_han(&first.0.name) && !same(&r.0.name, &first.0.name));
        let clear = rival.is_none_or(|r| first.1 - r.1 > 0.02 || first.1 >= 0.9);
        (first.1 >= 0.5 && clear).then_some(first)
    }
}

const REGULATORS: [&str; 16] = [
    "securities and exchange commission",
    "stock exchange",
    "exchanges and clearing",
    "securities exchange",
    "nasdaq",
    "交易所",
    "结算所",
    "证券登记",
    "computershare",
    "trust company, n.a",
    "ernst & young",
    "pricewaterhouse",
    "deloitte",
    "kpmg",
    "会计师事务所",
    "联合资信评估",
];

/// The registrant's line of an American form; parsers may put lines of a two-column cover between name and label.
fn registrant(seen: &Seen, pool: &mut Pool) {
    let lines = &seen.front.lines;
    let Some(at) = lines.iter().position(|l| {
        ["name of registrant", "exact name of", "name of issuer in its charter"].iter().any(|w| l.key.contains(w))
            && l.page <= seen.front.cover + 7
    }) else {
        return;
    };
    let line = &lines[at];
    let own = line.key.find("(exact").map_or("", |i| &line.shown[..i]);
    if own.trim().chars().any(char::is_alphabetic) {
        return pool.add(own, 0.97, on(line));
    }
    let page = |l: &&Line| l.page == line.page;
    let near = lines[..at].iter().rev().filter(page).take(9).chain(lines[at + 1..].iter().filter(page).take(4));
    let before = lines[..at].last().filter(|l| l.page == line.page && is_name_line(l));
    let named = before.or_else(|| near.filter(|l| is_name_line(l)).find(|l| l.legal_names().next().is_some()));
    if let Some(found) = named {
        pool.add(&found.shown, 0.97, on(found));
    }
}

fn is_name_line(line: &Line) -> bool {
    let digits = line.shown.chars().filter(char::is_ascii_digit).count();
    line.is_short()
        && !line.shown.starts_with(['(', '…'])
        && digits < 5
        && !line.key.contains("commission file")
        && !line.key.starts_with("form ")
}

/// What the text says about itself: `Acme Holdings plc (the "Company")`, `公司、本公司 指 …股份有限公司`, `公司的中文名称 …`.
fn defined(seen: &Seen, pool: &mut Pool) {
    for line in &seen.front.lines {
        if disclaims(&line.key) {
            continue;
        }
        if let Some((label, value)) = labelled(line) {
            let role = [
                "公司的中文名称",
                "公司中文名称",
                "中文名称",
                "公司的法定中文名称",
                "公司法定中文名称",
                "发行人名称",
                "公司名称",
                "法定中文名称",
            ];
            if role.contains(&label) {
                pool.add(&value, 0.9, on(line));
            }
            continue;
        }
        if let Some((short, name)) = meaning(line)
            && short.iter().any(|s| OWN.contains(&fold(s).as_str()))
        {
            pool.add(name, 0.85, on(line));
            continue;
        }
        for range in line.legal_names() {
            let after: String = line.key[range.end..].chars().take(120).collect();
            let bracket = after.trim_start().strip_prefix('(').map(|rest| rest.split(')').next().unwrap_or(rest));
            let own = bracket.is_some_and(|b| {
                b.contains("the company")
                    || b.contains("\"company\"")
                    || b.contains("the \"group\"")
                    || b.contains("the group")
                    || b.contains("本公司")
                    || b.contains("\"we")
                    || b.contains("or \"us\"")
            });
            if own {
                pool.add(&line.shown[range], 0.75, on(line));
            }
        }
    }
}

/// What a company calls itself.
const OWN: [&str; 10] = ["公司", "本公司", "发行人", "上市公司", "本集团", "集团", "本行", "公司、本公司", "我行", "股份公司"];

/// The rows of a list of terms: what is meant, and whose name it is.
fn meaning(line: &Line) -> Option<(Vec<&str>, &str)> {
    let (left, right) = line.shown.split_once('指')?;
    let left = left.trim_matches(|c: char| c == '|' || c == ' ');
    let right = right.trim_start_matches(['|', ' ', ':']);
    let name = &right[legal_names(right).into_iter().next().filter(|r| r.start == 0)?];
    // `董事会 指 …公司董事会` names another thing.
    let rest = right[name.len()..].trim_start();
    let whole = rest.is_empty() || rest.starts_with([',', '(', ';', '。', '及', '|']);
    (whole && left.chars().count() <= 40)
        .then(|| (left.split(['、', ',', '/', ' ', ';', '或', '"']).map(str::trim).filter(|s| !s.is_empty()).collect(), name))
}

/// `label: value` or two cells; the label folded.
fn labelled(line: &Line) -> Option<(&str, String)> {
    let at = line.key.find(['|', ':'])?;
    let label = line.key[..at].trim().trim_start_matches(|c: char| c.is_ascii_digit() || "一二三四五六、.() ".contains(c));
    let value = line.shown[at + 1..].split('|').map(str::trim).find(|v| !v.is_empty())?;
    (has_han(label) && label.chars().count() <= 12 && value.chars().count() <= 80).then(|| (label, value.to_owned()))
}

/// Statements that name an exchange or a regulator only to say that it answers for nothing.
fn disclaims(key: &str) -> bool {
    key.contains("take no responsibility")
        || key.contains("概不负责")
        || key.contains("不承担任何责任")
        || key.contains("makes no representation")
}

/// Names on the cover, in the properties' title and in running headers.
fn covered(seen: &Seen, kind: Option<ReportKind>, pool: &mut Pool) {
    let largest = seen.front.cover().filter(|l| l.is_short()).map(|l| l.size).fold(0.0, f32::max);
    let cover: Vec<&Line> = seen.front.cover().collect();
    let research = kind == Some(ReportKind::Research);
    let mut first = true;
    for (at, line) in cover.iter().enumerate().filter(|(_, l)| l.is_short()) {
        // A form of the Commission names its registrant; banks and agents beside it are none.
        let serves =
            cover[at.saturating_sub(2)..=at].iter().any(|l| l.page == line.page && agent(&l.key)) || disclaims(&line.key);
        let place = ["incorporated", "注册成立", "registered in"].iter().any(|w| line.key.contains(w));
        if serves || place {
            continue;
        }
        for range in line.legal_names() {
            let alone = range.start == 0;
            let mut weight = if line.page == seen.front.cover { 0.6 } else { 0.4 };
            weight += if line.size > 0.0 && line.size > 0.6 * largest { 0.1 } else { 0.0 };
            weight += if first && alone { 0.1 } else { 0.0 };
            weight *= if research { 0.5 } else { 1.0 };
            // A name in the middle of a sentence is anybody's.
            let most = range.len() * 2 >= line.shown.len();
            weight *= if most || alone && line.names() { 1.0 } else { 0.5 };
            first = false;
            pool.add(&line.shown[range], weight, on(line));
        }
    }
    for range in seen.file.legal_names() {
        pool.add(&seen.file.shown[range], 0.5, Where::FileName);
    }
    if let Some(title) = &seen.title {
        for range in title.legal_names() {
            pool.add(&title.shown[range], 0.3, Where::Properties);
        }
    }
    for (line, count) in &seen.front.running {
        let from = Where::Header { quote: quote(&line.raw) };
        for range in line.legal_names() {
            pool.add(&line.shown[range], if *count >= 5 { 0.65 } else { 0.5 }, from.clone());
        }
    }
    for (line, from) in seen.naming() {
        if let Some(name) = before_year(line) {
            pool.add(name, 0.55, from);
        }
    }
}

/// Labels under which those stand who only serve.
fn agent(key: &str) -> bool {
    const WORDS: [&str; 24] = [
        "保荐",
        "承销",
        "受托管理",
        "会计师",
        "律师",
        "评级",
        "财务顾问",
        "托管人",
        "簿记管理",
        "评估机构",
        "auditor",
        "sponsor",
        "underwriter",
        "bookrunner",
        "lead manager",
        "registrar",
        "adviser",
        "advisor",
        "counsel",
        "solicitor",
        "banker",
        "share regist",
        "broker",
        "trustee",
    ];
    WORDS.iter().any(|w| key.contains(w))
}

/// `招商银行2022年度报告`: a name without legal form before the year of a report's own title.
fn before_year(line: &Line) -> Option<&str> {
    let (at, _) = date::years(&line.key).next()?;
    let rest = &line.key[at + 4..];
    let own = ["年年度报告", "年度报告", "年报", "年半年度报告", "年中期报告", "年第", "年一季度", "年三季度", "半年度报告"]
        .iter()
        .any(|w| rest.starts_with(w));
    let name = line.shown[..at].trim();
    let noun = ["银行", "集团", "控股", "证券", "保险", "信托", "股份", "科技", "公司"].iter().any(|n| name.ends_with(n));
    (own && noun && (2..=20).contains(&name.chars().count()) && name.chars().all(is_han)).then_some(name)
}

/// Releases: `Acme, Inc. (NYSE: ACME) today announced`; `Acme Reports Second Quarter Results`.
fn announced(seen: &Seen, kind: Option<ReportKind>, pool: &mut Pool) {
    if kind == Some(ReportKind::Research) {
        return;
    }
    for line in seen.front.page(seen.front.cover) {
        if let Some(at) = listed(&line.key).first().map(|l| l.0) {
            let head = line.shown[..at].trim_end();
            let legal = legal_names(head).into_iter().last().filter(|r| r.end + 2 >= head.len());
            let name = legal.map_or_else(|| capitals(head), |r| &head[r]);
            pool.add(name, 0.8, on(line));
        }
        if kind != Some(ReportKind::EarningsRelease) || !line.is_short() {
            continue;
        }
        for verb in [" reports ", " announces ", " delivers ", " posts "] {
            if let Some(at) = line.key.find(verb).filter(|at| *at <= 60) {
                let name = &line.shown[..at];
                if name.starts_with(char::is_uppercase) && name.split(' ').count() <= 6 {
                    pool.add(name, 0.6, on(line));
                }
            }
        }
    }
}

/// Whom an auditor reports to: `To the members of Brightwater plc`, `海岚股份有限公司全体股东：`.
fn audited(pages: &[Page], pool: &mut Pool) {
    const HEAD: usize = 2000;
    const OWNERS: &[&str] = &["members of ", "shareholders of ", "stockholders of ", "shareowners of ", "unitholders of "];
    for page in pages {
        let head = &page.text[..page.text.floor_char_boundary(HEAD)];
        let key = fold(head);
        if !["independent auditor", "independent registered public", "审计报告"].iter().any(|word| key.contains(word)) {
            continue;
        }
        for raw in head.lines() {
            let key = raw.to_ascii_lowercase();
            let to = |at: &usize| key[..*at].split(' ').any(|word| word == "to");
            let after = |owners: &&str| key.find(*owners).filter(to).map(|at| at + owners.len());
            let at = match raw.contains("全体股东") {
                true => Some(0),
                false => OWNERS.iter().find_map(after),
            };
            let Some(addressed) = at.map(|at| &raw[at..]) else { continue };
            if let Some(name) = legal_names(addressed).into_iter().next() {
                pool.add(&addressed[name], 0.7, Where::Page { page: page.number, quote: quote(raw) });
            }
        }
    }
}

/// Studies: the subject of a broker's research by its code, the publisher of a paper by its label or its own line.
fn studied(seen: &Seen, kind: Option<ReportKind>, pool: &mut Pool) {
    if kind == Some(ReportKind::Research) {
        for line in seen.front.page(seen.front.cover) {
            for (at, _) in listed(&line.key) {
                let head = line.shown[..at].trim_end();
                let start = head
                    .char_indices()
                    .rev()
                    .take_while(|(_, c)| is_han(*c) || c.is_ascii_alphanumeric() || *c == '*')
                    .last()
                    .map_or(head.len(), |(i, _)| i);
                let name = head[start..].rsplit(['|', ':']).next().unwrap_or_default();
                if (2..=10).contains(&name.chars().count()) && has_han(name) {
                    pool.add(name, 0.8, on(line));
                }
            }
        }
    }
    if !matches!(kind, Some(ReportKind::WhitePaper | ReportKind::MarketReport | ReportKind::Research)) {
        return;
    }
    for line in seen.front.cover() {
        if let Some((label, value)) = labelled(line)
            && ["发布单位", "发布机构", "编制单位", "主办单位", "编写单位", "出品", "出品方", "出版单位", "牵头单位", "主编单位"]
                .contains(&label)
        {
            pool.add(&value, 0.7, on(line));
        }
        for label in ["published by", "issued by", "a report by"] {
            if let Some(at) = line.key.find(label).filter(|at| *at <= 2 && line.is_short()) {
                pool.add(capitals_after(&line.shown[at + label.len()..]), 0.6, on(line));
            }
        }
        // `华夏研究院 2024年10月`: the publisher and the date on one line.
        let shown = date::dates(&line.key).first().map_or(line.shown.as_str(), |(r, _)| line.shown[..r.start].trim());
        let length = shown.chars().count();
        let body = [
            "研究院",
            "研究所",
            "研究中心",
            "协会",
            "学会",
            "联盟",
            "委员会",
            "大学",
            "实验室",
            "基金会",
            "咨询",
            "智库",
            "证券",
        ];
        if line.is_short() && (4..=25).contains(&length) && shown.chars().all(is_han) && body.iter().any(|b| shown.ends_with(b)) {
            pool.add(shown, 0.6, on(line));
        }
    }
}

/// A brand without legal form, where a report names its company in no other way: what its sentences are about, on several
/// pages and far more often than anything else (`Acme Foods operates …`, `Acme Foods’s customers`).
fn subject(seen: &Seen, kind: Option<ReportKind>, pool: &mut Pool) {
    let own = matches!(
        kind,
        Some(ReportKind::Annual | ReportKind::HalfYear | ReportKind::Sustainability | ReportKind::EarningsRelease)
    );
    if !own || pool.0.iter().any(|c| c.weight >= 0.5) {
        return;
    }
    const VERBS: [&str; 12] =
        ["is", "has", "was", "will", "operates", "continues", "delivered", "remains", "provides", "serves", "employs", "had"];
    let mut found: HashMap<&str, (usize, HashSet<u32>)> = HashMap::new();
    for line in seen.front.lines.iter().filter(|l| matches!(l.kind, BlockKind::Paragraph | BlockKind::ListItem)) {
        let words: Vec<(usize, &str)> = words(&line.shown).collect();
        for (at, (_, word)) in words.iter().enumerate() {
            let (begin, end) = match word.strip_suffix("'s").filter(|w| is_capital(w)) {
                Some(bare) => (at, words[at].0 + bare.len()),
                None if at > 0 && VERBS.contains(word) => (at - 1, words[at - 1].0 + words[at - 1].1.len()),
                None => continue,
            };
            let mut first = begin;
            while first > 0 && is_capital(words[first - 1].1) && words[first - 1].1.ends_with(char::is_alphanumeric) {
                first -= 1;
            }
            let phrase = &line.shown[words[first].0..end];
            let common = fold(phrase).split(' ').any(|w| PLAIN_WORDS.contains(&w));
            if is_capital(words[begin].1) && (1..=4).contains(&(begin + 1 - first)) && phrase.len() >= 4 && !common {
                let entry = found.entry(phrase).or_default();
                entry.0 += 1;
                entry.1.insert(line.page);
            }
        }
    }
    let mut ranked: Vec<(&str, usize, usize)> = found.into_iter().map(|(name, (n, pages))| (name, n, pages.len())).collect();
    ranked.sort_by_key(|(name, n, _)| (std::cmp::Reverse(*n), *name));
    let second = ranked.get(1).map_or(0, |r| r.1);
    if let Some((name, n, pages)) = ranked.first()
        && *n >= 4
        && *pages >= 3
        && *n >= 2 * second
    {
        pool.add(name, 0.55, Where::Text);
    }
}

/// Words that begin sentences of every report.
const PLAIN_WORDS: [&str; 40] = [
    "the",
    "this",
    "that",
    "it",
    "there",
    "what",
    "which",
    "who",
    "he",
    "she",
    "we",
    "our",
    "company",
    "group",
    "board",
    "management",
    "chairman",
    "committee",
    "report",
    "director",
    "directors",
    "year",
    "audit",
    "strategy",
    "market",
    "government",
    "covid-19",
    "revenue",
    "bank",
    "fund",
    "trust",
    "council",
    "shareholders",
    "executive",
    "officer",
    "mr",
    "mr.",
    "ms",
    "mrs",
    "dr",
];

/// The brand of a file's name, if the text uses it often: `ACME_2023_10K`.
fn by_file(seen: &Seen) -> Option<Fact<String>> {
    let token = seen.file.key.split([' ', '-', '.', '|']).next()?;
    let word = token.len() >= 4 && token.chars().all(|c| c.is_ascii_alphabetic())
        || token.chars().all(is_han) && token.chars().count() >= 3;
    if !word
        || ["annual", "report", "interim", "quarterly", "form", "document", "scan", "final", "draft", "white", "market"]
            .contains(&token)
    {
        return None;
    }
    let mut found: Vec<&str> = Vec::new();
    for line in &seen.front.lines {
        for (at, _) in line.key.match_indices(token) {
            let whole = !line.key[..at].ends_with(|c: char| c.is_ascii_alphanumeric())
                && !line.key[at + token.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
            let shown = &line.shown[at..at + token.len()];
            if whole && shown.starts_with(|c: char| c.is_uppercase() || is_han(c)) {
                found.push(shown);
            }
        }
    }
    let first = *found.first().filter(|_| found.len() >= 5)?;
    Some(fact(first.to_owned(), 0.5, Where::FileName))
}

// --- Names ---------------------------------------------------------------------------------------------------------

/// Legal forms that end an English or European name, folded, without dots.
const FORMS: [&str; 32] = [
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "company",
    "co",
    "ltd",
    "limited",
    "plc",
    "llc",
    "llp",
    "lp",
    "nv",
    "bv",
    "sa",
    "ag",
    "se",
    "gmbh",
    "kgaa",
    "ab",
    "asa",
    "oyj",
    "spa",
    "bhd",
    "berhad",
    "pjsc",
    "tbk",
    "trust",
    "kk",
    "sab",
    "bancorp",
    "bancshares",
];
/// Those that are part of the name: without them little is left of it.
const NAMED: [&str; 3] = ["trust", "bancorp", "bancshares"];
/// Those that are words otherwise and count only in capitals as printed.
const DOUBTFUL: [&str; 9] = ["co", "sa", "ag", "se", "ab", "spa", "trust", "lp", "company"];

/// Names with a legal form in a text, as ranges.
pub(super) fn legal_names(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    if has_han(text) {
        for form in ["有限责任公司", "有限公司", "有限責任公司", "集团公司", "集團公司"] {
            for (at, form) in text.match_indices(form) {
                let end = at + form.len();
                let mut start = at;
                for (i, c) in text[..at].char_indices().rev() {
                    if !(is_han(c) || c.is_ascii_alphabetic() || matches!(c, '(' | ')' | '·')) {
                        break;
                    }
                    start = i;
                }
                let start = start + skipped(&text[start..at]);
                if at > start && text[start..at].chars().count() >= 2 {
                    found.push(start..end);
                }
            }
        }
        found.sort_by_key(|r| r.start);
        found.dedup_by(|b, a| b.start < a.end);
    }
    latin_names(text, &mut found);
    found
}

/// Words before a Chinese name that do not belong to it.
fn skipped(text: &str) -> usize {
    const BEFORE: [&str; 32] = [
        "保荐人",
        "保荐机构",
        "主承销商",
        "发行人",
        "公司名称",
        "本公司",
        "名称",
        "关于",
        "联席",
        "控股股东",
        "由",
        "与",
        "和",
        "及",
        "系",
        "向",
        "对",
        "是",
        "指",
        "在",
        "为",
        "于",
        "即",
        "经",
        "至",
        "从",
        "将",
        "被",
        "年",
        "月",
        "日",
        "之",
    ];
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let Some(word) = BEFORE.iter().find(|w| rest.starts_with(**w)) else { break };
        at += word.len();
    }
    // A bracket that closes what was opened before the name.
    if let Some(close) = text[at..].find(')').filter(|c| !text[at..at + c].contains('(')) {
        at += close + 1;
    }
    at
}

fn latin_names(text: &str, found: &mut Vec<std::ops::Range<usize>>) {
    let words: Vec<(usize, &str)> = words(text).collect();
    let shouts = text.chars().any(|c| c.is_ascii_uppercase()) && !text.chars().any(|c| c.is_ascii_lowercase());
    let mut floor = 0;
    for (at, (begin, word)) in words.iter().enumerate() {
        let bare = word.trim_end_matches([',', ';', ':', ')', '"']);
        let capital = bare.starts_with(|c: char| c.is_uppercase()) || matches!(bare, "plc" | "nv" | "p.l.c.");
        if !capital || bare.len() > 14 {
            continue;
        }
        let form = bare.replace('.', "").to_ascii_lowercase();
        if !FORMS.contains(&form.as_str()) {
            continue;
        }
        if DOUBTFUL.contains(&form.as_str()) && form.len() == 2 && form != "co" && bare.chars().any(|c| c.is_lowercase()) {
            continue;
        }
        let mut first = at;
        while first > floor {
            let (_, previous) = words[first - 1];
            let comma = previous.ends_with(',') && first == at;
            let ends = previous.ends_with(['.', ';', ':', ')', '"', '!', '?', '-']) && !abbreviates(previous)
                || previous.ends_with(',') && !comma;
            if ends || previous.starts_with(['(', '"']) && first - 1 > floor && !is_capital(previous) {
                break;
            }
            let form = first - 1 > floor && words[first - 2].1 == "Form";
            if form && previous.chars().any(|c| c.is_ascii_digit()) {
                break;
            }
            let links = ["of", "and", "the", "for", "&", "de", "in"].contains(&previous);
            let linked = links && first - 1 > floor && is_capital(words[first - 2].1);
            if !linked && !is_capital(previous) {
                break;
            }
            first -= 1;
            if previous.starts_with(['(', '"']) {
                break;
            }
        }
        while first < at
            && LEADING.contains(&words[first].1.to_ascii_lowercase().as_str())
            && !(words[first].1.eq_ignore_ascii_case("the") && shouts)
            && !words[first].1.eq("The")
        {
            first += 1;
        }
        // `the Company`, `The Company`, `Limited` alone are no names.
        let said = words[first..at]
            .iter()
            .any(|w| !["the", "our", "this", "such", "parent", "your"].contains(&w.1.to_ascii_lowercase().as_str()));
        floor = at + 1;
        if first < at && at - first <= 9 && said {
            let start = words[first].0 + usize::from(words[first].1.starts_with(['(', '"']));
            let end = begin + bare.len();
            // `Co., Ltd.` and `Best Buy Co., Inc.` are one name.
            match found
                .last_mut()
                .filter(|last| last.end + 2 >= start && text[last.end..start].trim_matches([',', ' ', '.']).is_empty())
            {
                Some(last) => last.end = end,
                None => found.push(start..end),
            }
        } else if first == at
            && let Some(last) = found
                .last_mut()
                .filter(|last| last.end <= *begin && text[last.end..*begin].trim_matches([',', ' ', '.']).is_empty())
        {
            last.end = begin + bare.len();
        }
    }
}

const LEADING: [&str; 22] = [
    "the", "in", "for", "at", "as", "by", "our", "dear", "on", "to", "and", "of", "from", "with", "when", "while", "this",
    "about", "since", "welcome", "under", "&",
];

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split([' ', '|', '/']).filter_map(move |word| {
        let begin = at;
        at += word.len() + 1;
        (!word.is_empty()).then_some((begin, word))
    })
}

fn is_capital(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '"']);
    word == "&"
        || word.starts_with(|c: char| c.is_uppercase() && !is_han(c))
        || word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().any(char::is_alphabetic)
}

fn abbreviates(word: &str) -> bool {
    let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
    letters.chars().count() == 1
        || ["bros.", "co.", "st.", "u.s.", "mt.", "dr."].contains(&word.to_ascii_lowercase().as_str())
        || letters.contains('.')
}

/// The capitalised words that end a text.
fn capitals(head: &str) -> &str {
    let mut start = head.len();
    let all: Vec<(usize, &str)> = words(head).collect();
    for (begin, word) in all.iter().rev() {
        if !is_capital(word) || word.ends_with(['-', '.', ',', ':', ';']) && start != head.len() || *word == "-" {
            break;
        }
        start = *begin;
    }
    head[start..].trim_start_matches(['-', ' ', '('])
}

fn capitals_after(tail: &str) -> &str {
    let tail = tail.trim_start_matches([':', ' ']);
    let mut end = 0;
    for (begin, word) in words(tail).take(8) {
        if !is_capital(word) && !["of", "and", "for", "the"].contains(&word) {
            break;
        }
        end = begin + word.len();
    }
    &tail[..end]
}

/// A name without its legal form and the words that come with it.
fn short(name: &str) -> String {
    let mut text = name.trim().trim_end_matches(['.', ',']);
    if has_han(text) {
        for form in ["股份有限公司", "有限责任公司", "有限責任公司", "集团公司", "集團公司", "有限公司"]
        {
            text = text.strip_suffix(form).unwrap_or(text);
        }
        return text.trim_end_matches("(集团)").trim_end_matches("(集團)").to_owned();
    }
    while let Some((head, last)) = text.rsplit_once([' ', ',']) {
        let form = last.replace('.', "").trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        if (!FORMS.contains(&form.as_str()) || NAMED.contains(&form.as_str())) && !form.is_empty() && form != "&" {
            break;
        }
        text = head.trim_end_matches([',', ' ', '&']);
    }
    let bare = text.strip_prefix("The ").or_else(|| text.strip_prefix("THE ")).unwrap_or(text);
    bare.to_owned()
}

fn brand(name: &str) -> String {
    fold(&short(name)).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A name printed in capitals only, as the text writes it elsewhere.
fn spelled(seen: &Seen, name: &str) -> String {
    if has_han(name) || name.chars().any(|c| c.is_lowercase()) {
        return name.to_owned();
    }
    let key = fold(name);
    let written = seen.front.lines.iter().find_map(|line| {
        line.key.match_indices(&key).map(|(at, _)| &line.shown[at..at + key.len()]).find(|s| s.chars().any(|c| c.is_lowercase()))
    });
    written.unwrap_or(name).to_owned()
}

// --- Other names ---------------------------------------------------------------------------------------------------

fn other_names(seen: &Seen, company: &str, pool: &Pool) -> Vec<String> {
    let mut names = Vec::new();
    let own = brand(company);
    names.push(short(company));
    // `Brightwater Mills` of Brightwater Mills Group plc; what is left has to be a name still.
    let group = |word: &str| matches!(fold(word).as_str(), "group" | "holdings" | "holding");
    let words: Vec<&str> = names[0].split(' ').collect();
    let bare = words.len() - words.iter().rev().take_while(|word| group(word)).count();
    if (2..words.len()).contains(&bare) {
        names.push(words[..bare].join(" "));
    }
    for line in &seen.front.lines {
        if let Some((label, value)) = labelled(line) {
            let is = |labels: &[&str]| labels.iter().any(|l| label == *l || label.ends_with(l));
            if is(&["公司简称", "股票简称", "证券简称", "股份简称", "中文简称", "a股简称"]) && value.chars().count() <= 12
            {
                // Two labels may share a line: `公司代码:600000 公司简称:…` is cut at the next label.
                names.push(cut(&value).to_owned());
            } else if is(&["外文名称", "英文名称", "外文名称缩写", "英文简称", "英文名称缩写"])
                && !["无", "不适用", "-", "/"].contains(&value.as_str())
            {
                let full = value.trim().trim_end_matches(';').to_owned();
                names.push(short(&full));
                names.push(full);
            }
        }
        for label in ["公司简称:", "证券简称:", "股票简称:", "a股简称:", "股份简称:"] {
            if let Some(at) = line.key.find(label) {
                let value = cut(&line.shown[at + label.len()..]);
                if (2..=12).contains(&value.chars().count()) {
                    names.push(value.to_owned());
                }
            }
        }
        if let Some((terms, name)) = meaning(line)
            && brand(name) == own
        {
            names.extend(
                terms.iter().filter(|t| !OWN.contains(&fold(t).as_str()) && t.chars().count() >= 2).map(|t| (*t).to_owned()),
            );
        }
        for range in line.legal_names().filter(|_| line.kind != BlockKind::Table) {
            if brand(&line.shown[range.clone()]) == own {
                names.extend(quoted(&line.shown[range.end..], &own));
            }
        }
    }
    // The name in the other language, from the cover.
    let other = pool.0.iter().find(|c| {
        has_han(&c.name) != has_han(company)
            && c.weight >= 0.5
            && matches!(c.from, Where::Page { page, .. } if page == seen.front.cover)
    });
    if let Some(other) = other {
        names.push(other.name.clone());
        names.push(short(&other.name));
    }
    // A file's name may hold the short name: `海岚股份` of 海岚新材料股份有限公司.
    for token in seen.file.shown.split([' ', '-', '|']).filter(|t| has_han(t) && (2..=8).contains(&t.chars().count())) {
        let mut letters = own.chars();
        if fold(token).chars().all(|c| letters.any(|l| l == c)) {
            names.push(token.to_owned());
        }
    }
    if let Some(token) = seen.file.shown.split([' ', '-', '|']).next().filter(|t| t.chars().count() >= 3) {
        let key: String = fold(token).chars().filter(|c| c.is_alphanumeric()).collect();
        if key.len() >= 3 && key.chars().any(char::is_alphabetic) && own.starts_with(&key) {
            names.push(token.to_owned());
        }
    }
    names
}

/// The value up to the next blank or label.
fn cut(value: &str) -> &str {
    value.trim_start().split([' ', '|', ';', ',', '(']).next().unwrap_or_default()
}

/// Short names in the bracket after a name: `("SMS", the "Group" or the "Company")`.
fn quoted(after: &str, own: &str) -> Vec<String> {
    let Some(bracket) = after.trim_start().strip_prefix('(').and_then(|rest| rest.get(..rest.find(')')?)) else {
        return Vec::new();
    };
    const PLAIN: [&str; 23] = [
        "reit",
        "company",
        "group",
        "the company",
        "the group",
        "we",
        "us",
        "our",
        "registrant",
        "corporation",
        "issuer",
        "parent",
        "trust",
        "the trust",
        "bank",
        "the bank",
        "公司",
        "本公司",
        "集团",
        "本集团",
        "发行人",
        "本行",
        "the corporation",
    ];
    let inner = bracket.split('"').skip(1).step_by(2).map(|n| n.trim().trim_end_matches(','));
    let inner = inner.filter(|n| !PLAIN.contains(&fold(n).as_str()) && (2..=40).contains(&n.chars().count()));
    // A short name is made of letters of the long one, in their order; a role (`Guarantor`) is not.
    let made = |n: &str| {
        let mut letters = own.chars();
        fold(n).chars().filter(|c| c.is_alphanumeric()).all(|c| letters.any(|l| l == c))
    };
    inner.filter(|n| !n.starts_with(|c: char| c.is_lowercase()) && made(n)).map(str::to_owned).collect()
}

// --- Codes ---------------------------------------------------------------------------------------------------------

const EXCHANGES: [&str; 26] = [
    "nasdaq",
    "nyse",
    "nyse american",
    "new york stock exchange",
    "asx",
    "lse",
    "aim",
    "tsx",
    "tsxv",
    "hkex",
    "sehk",
    "hkg",
    "sgx",
    "nse",
    "bse",
    "otcqx",
    "otcqb",
    "euronext",
    "xetra",
    "sse",
    "szse",
    "sh",
    "sz",
    "hk",
    "krx",
    "tse",
];

/// Codes in brackets, `(NYSE: BBY)` and `(600519.SH)`: where the bracket opens, and the code as a range.
fn listed(key: &str) -> Vec<(usize, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    for (at, _) in key.match_indices('(') {
        let Some(end) = key[at..].find([')', ';']).map(|e| at + e).filter(|e| e - at <= 60) else { continue };
        let inner = &key[at + 1..end];
        if let Some((exchange, code)) = inner.split_once(':') {
            let exchange = exchange.trim();
            let known = EXCHANGES.contains(&exchange)
                || EXCHANGES.iter().any(|e| e.len() > 3 && exchange.starts_with(e))
                || exchange.ends_with("exchange")
                || ["股票代码", "证券代码", "股份代号", "股票代号", "stock code"].contains(&exchange);
            let length = code.trim_start().bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'.').count();
            let start = at + 1 + inner.len() - code.trim_start().len();
            if known && (1..=8).contains(&length) {
                found.push((at, start..start + length));
            }
        } else if inner.len() == 6 || inner.len() == 9 || inner.len() == 7 || inner.len() == 8 {
            let (digits, place) = inner.split_once('.').unwrap_or((inner, ""));
            let chinese =
                digits.len() == 6 && ["sh", "sz", "bj", ""].contains(&place) || (4..=5).contains(&digits.len()) && place == "hk";
            // Six digits alone are a code only right after a Chinese name.
            let named = !place.is_empty()
                || key[..at].ends_with(is_han)
                    && ["60", "00", "30", "68", "83", "43", "87"].iter().any(|p| digits.starts_with(p));
            if digits.bytes().all(|b| b.is_ascii_digit()) && chinese && named {
                found.push((at, at + 1..at + 1 + digits.len()));
            }
        }
    }
    found
}

fn ticker(seen: &Seen, kind: Option<ReportKind>, company: Option<&str>) -> Option<Fact<String>> {
    let early = || seen.front.lines.iter().filter(|l| l.page <= seen.front.cover + 7);
    if let Some((said, from)) = seen.given(&["ticker", "stock_code", "股票代码", "证券代码"]) {
        return Some(fact(said, 0.9, from));
    }
    let code = |line: &Line, label: &str| {
        let at = line.key.find(label)?;
        let rest = line.shown[at + label.len()..].trim_start();
        let code = &rest[..rest.bytes().take_while(u8::is_ascii_alphanumeric).count()];
        let plain = code.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
        ((2..=6).contains(&code.len()) && plain).then(|| code.to_owned())
    };
    if matches!(kind, Some(ReportKind::WhitePaper | ReportKind::MarketReport)) {
        return None;
    }
    // A sentence that gives a code may speak of anybody: it has to name the company.
    let brand = company.map(|c| fold(&short(c)));
    let own = |line: &Line| {
        line.is_short() || line.kind == BlockKind::Table || brand.as_ref().is_some_and(|b| line.key.contains(b.as_str()))
    };
    const LABELS: [&str; 11] = [
        "证券代码:",
        "股票代码:",
        "公司代码:",
        "股份代号:",
        "a股代码:",
        "股票代号:",
        "stock code:",
        "asx code:",
        "ticker:",
        "ticker symbol:",
        "trading symbol:",
    ];
    for line in early() {
        if let Some(code) = LABELS.iter().find_map(|label| code(line, label)).filter(|_| own(line)) {
            return Some(fact(code, 0.93, on(line)));
        }
        if let Some(code) = traded(&line.shown) {
            return Some(fact(code.to_owned(), 0.9, on(line)));
        }
        if let Some(code) = code(line, "code:").filter(|_| own(line) && line.key.contains("exchange")) {
            return Some(fact(code, 0.85, on(line)));
        }
    }
    let cover = seen.front.page(seen.front.cover);
    let listed = cover.filter_map(|line| Some((line, listed(&line.key).into_iter().next()?))).next();
    if let Some((line, (_, range))) = listed {
        return Some(fact(line.shown[range].to_uppercase(), 0.88, on(line)));
    }
    // `603339_2019.pdf`: six digits in the name of a company's Chinese report.
    let token = seen
        .file
        .key
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find(|t| t.len() == 6 && t.bytes().all(|b| b.is_ascii_digit()))?;
    let share = ["60", "68", "00", "30", "83", "87", "43", "92"].iter().any(|p| token.starts_with(p));
    let own =
        matches!(kind, Some(ReportKind::Annual | ReportKind::HalfYear | ReportKind::Quarterly | ReportKind::Sustainability));
    (share && own).then(|| fact(token.to_owned(), 0.6, Where::FileName))
}

/// The symbol in a row of securities: capitals between the class and the exchange.
fn traded(shown: &str) -> Option<&str> {
    let key = fold(shown);
    let class =
        ["common stock", "ordinary share", "common share", "class a", "units"].iter().filter_map(|c| key.find(c)).min()?;
    let exchanges =
        ["new york stock exchange", "the nasdaq", "nasdaq", "nyse", "the new york stock", "otcqb", "otcqx", "otc market", "cboe"];
    let at = exchanges.iter().filter_map(|e| key[class..].find(e).map(|i| i + class)).min()?;
    let between = shown[class..at].trim_end_matches([' ', '|', '"', ',']);
    // A cell may hold the symbols of several classes; in a line without cells the symbol stands last.
    let symbol = match between.rsplit_once('|') {
        Some((_, cell)) => cell.trim().split(' ').next()?,
        None => between.rsplit([' ', '"']).next()?,
    };
    let plain = symbol.len() <= 5 && !symbol.is_empty() && symbol.chars().all(|c| c.is_ascii_uppercase() || c == '.');
    (plain && !["THE", "A", "B", "NONE", "PAR"].contains(&symbol)).then_some(symbol)
}
