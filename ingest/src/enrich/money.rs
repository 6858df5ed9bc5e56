//! Which money does it count in, and on which scale? A statement about the currency of presentation first, then the unit
//! lines of tables, then the signs that the text uses.

use index::page::Page;

use super::{Fact, Seen, Where, fact, lines::Line, on, quote};

type Counted = Option<Fact<String>>;

pub(super) fn read(seen: &Seen, form: Option<&str>, pages: &[Page]) -> (Counted, Counted) {
    let units: Vec<(&Line, &str)> = seen.front.lines.iter().filter_map(|l| Some((l, unit(&l.key)?))).collect();
    (currency(seen, &units, form), scale_of_tables(pages).or_else(|| scale(&units)))
}

/// The scale that most of the tables with a unit line have: the statements stand far behind the first pages.
fn scale_of_tables(pages: &[Page]) -> Counted {
    let units = pages.iter().flat_map(|page| {
        let tables = page.blocks.iter().filter_map(|block| block.table.as_ref());
        tables.filter_map(|table| {
            Some((page.number, table.unit.as_deref()?, scale_said(&Line::loose(table.unit.as_deref()?).key)?))
        })
    });
    let all: Vec<(u32, &str, &str)> = units.collect();
    let count = |scale: &str| all.iter().filter(|(.., other)| *other == scale).count();
    let (page, unit, scale) = all.iter().max_by_key(|(.., scale)| count(scale))?;
    let share = count(scale) as f32 / all.len() as f32;
    let from = Where::Page { page: *page, quote: quote(unit) };
    (all.len() >= 3 && share >= 0.6).then(|| fact((*scale).to_owned(), (0.5 + 0.45 * share).min(0.9), from))
}

/// The part of a line that states a unit: `单位:万元 币种:人民币`, `(in millions, except per share amounts)`, `$'000`.
fn unit(key: &str) -> Option<&str> {
    if let Some(at) = key.find("单位:").or_else(|| key.find("单位为")) {
        return Some(&key[at..]).filter(|_| key.chars().count() <= 120);
    }
    if !["million", "thousand", "billion", "000", "元", "£m", "€m", "$m"].iter().any(|w| key.contains(w)) {
        return None;
    }
    let open = [
        "(in ",
        "(dollars in ",
        "(amounts in ",
        "(u.s. dollars in ",
        "($ in ",
        "(us$ in ",
        "(expressed in ",
        "(rmb in ",
        "(in thousands",
        "dollars in millions",
        "amounts in millions",
        "in millions of",
        "in thousands of",
    ];
    for word in open {
        if let Some(at) = key.find(word) {
            let part = &key[at..];
            let part = part.find(')').map_or(part, |end| &part[..end]);
            if ["million", "thousand", "billion", "000"].iter().any(|s| part.contains(s)) {
                return Some(part);
            }
        }
    }
    let short = [
        "'000",
        "$000",
        "£000",
        "€000",
        "rmb million",
        "rmb'000",
        "€ million",
        "£m",
        "€m",
        "人民币百万元",
        "人民币千元",
        "百万元",
        "千元",
        "人民币元",
        "hk$ million",
        "$m",
        "usd million",
        "eur million",
    ];
    let stands = key.chars().count() <= 60;
    short.iter().filter(|_| stands).find_map(|s| key.find(s)).map(|_| key)
}

/// The scale that a unit line names.
fn scale_said(unit: &str) -> Option<&'static str> {
    const SCALES: [(&str, &str); 14] = [
        ("百万元", "百万元"),
        ("千元", "千元"),
        ("万元", "万元"),
        ("亿元", "亿元"),
        ("billion", "billions"),
        ("million", "millions"),
        ("thousand", "thousands"),
        ("'000", "thousands"),
        ("$000", "thousands"),
        ("£000", "thousands"),
        ("€000", "thousands"),
        ("£m", "millions"),
        ("€m", "millions"),
        ("$m", "millions"),
    ];
    let known = SCALES.iter().find(|(word, _)| unit.contains(word)).map(|(_, scale)| *scale);
    known.or_else(|| (unit.contains("单位:元") || unit.contains("单位:人民币元")).then_some("元"))
}

fn scale(units: &[(&Line, &str)]) -> Counted {
    let all: Vec<(&Line, &str)> = units.iter().filter_map(|(line, unit)| Some((*line, scale_said(unit)?))).collect();
    let (line, most) = all.iter().max_by_key(|(_, s)| all.iter().filter(|(_, o)| o == s).count())?;
    let share = all.iter().filter(|(_, o)| o == most).count() as f32 / all.len() as f32;
    (share >= 0.7).then(|| fact((*most).to_owned(), if all.len() >= 2 { 0.8 * share } else { 0.65 }, on(line)))
}

/// The currencies a line names, by code, each as often as it is named.
fn names(key: &str) -> Vec<(&'static str, usize)> {
    let mut found: Vec<(&'static str, usize)> = Vec::new();
    let mut add = |code, n: usize| match found.iter_mut().find(|(c, _)| *c == code) {
        Some(entry) => entry.1 += n,
        None if n > 0 => found.push((code, n)),
        None => (),
    };
    let mut before = "";
    for word in key.split(|c: char| !c.is_ascii_alphabetic() && c != '.').filter(|w| !w.is_empty()) {
        if let Some(code) = worded(word, before) {
            add(code, 1);
        }
        before = word;
    }
    for (at, _) in key.match_indices('$') {
        let head = &key[..at];
        let letters = head.bytes().rev().take_while(|b| b.is_ascii_alphabetic() || *b == b'.').count();
        let code = match head[at - letters..].trim_matches('.') {
            "us" | "u.s" => "USD",
            "hk" => "HKD",
            "a" | "au" => "AUD",
            "c" | "cdn" | "ca" => "CAD",
            "s" => "SGD",
            "nt" => "TWD",
            "nz" => "NZD",
            _ => continue,
        };
        add(code, 1);
    }
    if !key.is_ascii() {
        const SIGNS: [(&str, &str); 11] = [
            ("€", "EUR"),
            ("£", "GBP"),
            ("₹", "INR"),
            ("人民币", "CNY"),
            ("美元", "USD"),
            ("港币", "HKD"),
            ("港元", "HKD"),
            ("欧元", "EUR"),
            ("英镑", "GBP"),
            ("日元", "JPY"),
            ("新台币", "TWD"),
        ];
        for (sign, code) in SIGNS {
            add(code, key.matches(sign).count());
        }
    }
    found
}

/// A currency in words: its code, or its noun after the country it belongs to.
fn worded(word: &str, before: &str) -> Option<&'static str> {
    Some(match word.trim_end_matches('.') {
        "rmb" | "renminbi" | "cny" => "CNY",
        "usd" => "USD",
        "hkd" => "HKD",
        "eur" | "euro" | "euros" => "EUR",
        "gbp" => "GBP",
        "sterling" if before.starts_with("pound") => "GBP",
        "aud" => "AUD",
        "jpy" | "yen" => "JPY",
        "chf" => "CHF",
        "franc" | "francs" if before == "swiss" => "CHF",
        "sgd" => "SGD",
        "nzd" => "NZD",
        "sek" => "SEK",
        "krona" | "kronor" if before == "swedish" => "SEK",
        "inr" => "INR",
        "rupee" | "rupees" if before == "indian" => "INR",
        "dollar" | "dollars" => match before {
            "us" | "u.s." | "u.s" | "states" | "american" => "USD",
            "kong" => "HKD",
            "australian" => "AUD",
            "canadian" => "CAD",
            "singapore" => "SGD",
            "taiwan" => "TWD",
            "zealand" => "NZD",
            _ => return None,
        },
        _ => return None,
    })
}

fn currency(seen: &Seen, units: &[(&Line, &str)], form: Option<&str>) -> Counted {
    let lines = &seen.front.lines;
    let told: Vec<(&Line, Vec<(&str, usize)>)> = lines.iter().map(|l| (l, names(&l.key))).collect();
    for (line, _) in told.iter().filter(|(_, names)| !names.is_empty()) {
        let states = [
            "presentation currency",
            "reporting currency",
            "presented in",
            "expressed in",
            "stated in",
            "记账本位币",
            "are in",
            "references to \"$\"",
            "references to \"dollars\"",
        ];
        let Some(at) = states.iter().filter_map(|s| line.key.find(s)).min() else { continue };
        let end = (at + 160..line.key.len()).find(|i| line.key.is_char_boundary(*i)).unwrap_or(line.key.len());
        if let [(code, _)] = names(&line.key[at..end])[..] {
            return Some(fact(code.into(), 0.92, on(line)));
        }
    }
    // Unit lines of tables, if those that name a currency agree.
    let named: Vec<(&Line, &str)> = units.iter().filter_map(|(line, unit)| Some((*line, names(unit).first()?.0))).collect();
    if let Some((line, code)) = named.first()
        && named.iter().all(|(_, c)| c == code)
    {
        return Some(fact((*code).to_owned(), 0.9, on(line)));
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut dollars = 0;
    let mut yuan = 0;
    for (line, names) in &told {
        for (code, n) in names.iter().copied() {
            match counts.iter_mut().find(|(c, _)| *c == code) {
                Some(entry) => entry.1 += n,
                None => counts.push((code, n)),
            }
        }
        dollars +=
            line.key.match_indices('$').filter(|(at, _)| !line.key[..*at].ends_with(|c: char| c.is_ascii_alphabetic())).count();
        yuan += line.key.matches("万元").count() + line.key.matches("亿元").count();
    }
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let first = counts.first().copied().unwrap_or(("", 0));
    let second = counts.get(1).map_or(0, |c| c.1);
    let says = |word: &str| lines.iter().any(|l| l.key.contains(word));
    // A bare `$` is the filer's own: the Commission's forms count in American dollars, an ABN or the ASX makes it Australian.
    let least = if form.is_some_and(|f| f.starts_with("10-")) { 1 } else { 3 };
    if dollars >= least && dollars > 2 * first.1 {
        if form.is_some_and(|f| {
            f.starts_with(|c: char| c.is_ascii_alphanumeric())
                && !f.starts_with("6-K")
                && !f.starts_with("40-F")
                && !f.starts_with("20-F")
        }) || says("nasdaq:")
            || says("nyse:")
        {
            return Some(fact("USD".into(), 0.85, Where::Text));
        }
        let australian = says("abn ") || says("abn:") || says("australian securities exchange") || says("asx");
        if australian && !matches!(first.0, "USD" | "CAD") {
            return Some(fact("AUD".into(), 0.75, Where::Text));
        }
        let american = says("united states") || says("u.s.") || says("gaap");
        let elsewhere = ["australia", "canada", "hong kong", "singapore", "new zealand", "taiwan"].iter().any(|w| says(w));
        if dollars >= 5 && first.1 == 0 && american && !elsewhere {
            return Some(fact("USD".into(), 0.7, Where::Text));
        }
        return None;
    }
    if first.1 >= 3 && first.1 > 3 * second && first.1 > dollars {
        return Some(fact(first.0.into(), 0.75, Where::Text));
    }
    (yuan >= 3 && second == 0 && matches!(first.0, "" | "CNY")).then(|| fact("CNY".into(), 0.75, Where::Text))
}
