//! Which quantities a text states, in both languages: cases as data, and properties that hold for every number.

use proptest::prelude::*;
use rag::{
    period::{Period, periods},
    quantity::{Quantity, Unit, quantities},
};

const STATED: &str = include_str!("quantities/stated.tsv");
const AGREE: &str = include_str!("quantities/agree.tsv");

/// The lines of a table of cases, cut at tabs.
fn cases(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).map(|line| line.split('\t').collect())
}

/// A quantity as the table writes it.
fn written(quantity: &Quantity) -> (f64, String) {
    let unit = match quantity.unit {
        Unit::Plain => "-",
        Unit::Percent => "%",
        Unit::Point => "pp",
        Unit::Year => "year",
        Unit::Label => "label",
        Unit::Money(code) => code.unwrap_or("?"),
        Unit::Measure(name) => name,
    };
    (quantity.value, quantity.per.map_or_else(|| unit.to_owned(), |per| format!("{unit}/{per}")))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn a_text_states_these_quantities() {
    let mut count = 0;
    let wrong: Vec<String> = cases(STATED)
        .filter_map(|case| {
            count += 1;
            let (text, wanted) = (case[0], case.get(1).copied().unwrap_or_default());
            let wanted: Vec<(f64, String)> = wanted
                .split("; ")
                .filter_map(|part| part.split_once(' '))
                .map(|(value, unit)| (value.parse().expect("a number"), unit.to_owned()))
                .collect();
            let got: Vec<(f64, String)> = quantities(text).iter().map(written).collect();
            let same = got.len() == wanted.len() && got.iter().zip(&wanted).all(|(g, w)| near(g.0, w.0) && g.1 == w.1);
            (!same).then(|| format!("{text}\n    wanted {wanted:?}\n    got    {got:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count + cases(AGREE).count() >= 500, "{count}");
}

fn carries(source: &str, claim: &str) -> bool {
    let (source, claim) = (quantities(source), quantities(claim));
    !claim.is_empty() && claim.iter().all(|c| source.iter().any(|s| s.carries(c)))
}

#[test]
fn one_amount_in_two_spellings_agrees_and_another_does_not() {
    let wrong: Vec<String> = cases(AGREE)
        .filter(|case| carries(case[0], case[1]) != (case[2] == "yes"))
        .map(|case| format!("{} carries {}: wanted {}", case[0], case[1], case[2]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The one quantity of a text.
fn one(text: &str) -> Quantity {
    let found = quantities(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found[0].clone()
}

fn agree(texts: &[String]) {
    for a in texts {
        for b in texts {
            let (first, second) = (one(a), one(b));
            assert!(near(first.value, second.value), "{a} is {}, {b} is {}", first.value, second.value);
            assert!(first.carries(&second) && second.carries(&first), "{a} and {b} do not carry each other");
        }
    }
}

/// A number below ten million with commas between thousands.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// The same in full-width characters.
fn wide(text: &str) -> String {
    text.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).filter(|_| c.is_ascii_graphic()).unwrap_or(c)).collect()
}

/// A number below 100,000,000 in Chinese, in the usual digits or those of cheques.
fn han(n: u64, formal: bool) -> String {
    let digits: Vec<char> = if formal { "零壹贰叁肆伍陆柒捌玖" } else { "零一二三四五六七八九" }.chars().collect();
    let scales = if formal { ["", "拾", "佰", "仟"] } else { ["", "十", "百", "千"] };
    let section = |n: u64| {
        let (mut out, mut gap) = (String::new(), false);
        for place in (0..4).rev() {
            let digit = (n / 10u64.pow(place)) % 10;
            if digit == 0 {
                gap = !out.is_empty();
                continue;
            }
            if std::mem::take(&mut gap) {
                out.push('零');
            }
            out.push(digits[digit as usize]);
            out.push_str(scales[place as usize]);
        }
        out
    };
    let (high, low) = (n / 10_000, n % 10_000);
    let join = if high > 0 && low > 0 && low < 1000 { "零" } else { "" };
    match (high, low) {
        (0, 0) => "零".into(),
        (0, _) => section(low),
        (_, 0) => format!("{}万", section(high)),
        _ => format!("{}万{join}{}", section(high), section(low)),
    }
}

proptest! {
    #[test]
    fn a_number_is_read_as_it_is_written(n in 0u64..10_000_000, cents in 0u64..100, negative: bool) {
        let text = format!("{}.{cents:02}", grouped(n));
        let value = n as f64 + cents as f64 / 100.0;
        let spellings = if negative {
            vec![format!("-{text}"), format!("({text})"), format!("−{text}"), wide(&format!("({text})")), format!("负{text}")]
        } else {
            vec![text.clone(), wide(&text), format!("{n}.{cents:02}"), format!("+{text}")]
        };
        for spelling in spellings {
            let found = one(&spelling);
            prop_assert!(near(found.value, if negative { -value } else { value }), "{}: {:?}", spelling, found);
        }
    }

    #[test]
    fn yuan_are_the_same_in_every_scale(cents in 1u64..1_000_000_000) {
        // In steps of ten thousand, so that each spelling shows all of it.
        let wan = cents as f64;
        agree(&[
            format!("{wan:.0}万元"),
            format!("{:.4}亿元", wan / 1e4),
            format!("人民币{}万元", grouped(cents)),
            format!("{:.2} million yuan", wan / 1e2),
            format!("RMB {:.5} billion", wan / 1e5),
            format!("{}元", grouped(cents * 10_000)),
        ]);
    }

    #[test]
    fn a_shift_of_scale_is_another_amount(n in 1u64..1_000_000, shift in prop::sample::select(vec![10.0, 1e3, 1e4, 1e6])) {
        let source = one(&format!("{n}万元"));
        let claim = one(&format!("{}元", n as f64 * 1e4 * shift));
        prop_assert!(!source.carries(&claim) && !claim.carries(&source));
    }

    #[test]
    fn percent_is_the_same_in_both_languages(tenths in 1u32..1000, negative: bool) {
        let (whole, tenth) = (tenths / 10, tenths % 10);
        let digits: Vec<char> = "零一二三四五六七八九".chars().collect();
        let spoken = format!("百分之{}{}点{}", if negative { "负" } else { "" }, han(u64::from(whole), false), digits[tenth as usize]);
        let sign = if negative { "-" } else { "" };
        agree(&[format!("{sign}{whole}.{tenth}%"), wide(&format!("{sign}{whole}.{tenth}%")), format!("{sign}{whole}.{tenth} percent"), spoken]);
    }

    #[test]
    fn chinese_numerals_are_read_back(n in 10u64..100_000_000) {
        let found = one(&format!("{}元", han(n, false)));
        prop_assert_eq!((found.value, found.unit), (n as f64, Unit::Money(Some("CNY"))), "{}", han(n, false));
        if n > 99 {
            let found = one(&format!("人民币{}元整", han(n, true)));
            prop_assert_eq!(found.value, n as f64, "{}", han(n, true));
        }
    }

    #[test]
    fn a_year_is_one_in_every_spelling(year in 2000i32..2060) {
        let digits: Vec<char> = "〇一二三四五六七八九".chars().collect();
        let spelled: String = year.to_string().chars().map(|c| digits[c as usize - '0' as usize]).collect();
        let spellings = [format!("FY{year}"), format!("{year}年度"), format!("fiscal {year}"), format!("{year}年"), format!("{spelled}年"), format!("FY{:02}", year - 2000)];
        for spelling in spellings {
            let found: Vec<Period> = periods(&spelling).into_iter().map(|(_, period)| period).collect();
            prop_assert_eq!(found, vec![Period::year(year)], "{}", spelling);
        }
        let (amount, dated) = (one(&format!("{}元", grouped(year as u64))), one(&format!("{year}年")));
        prop_assert!(amount.is_amount() && !dated.carries(&amount));
    }

    #[test]
    fn both_ends_of_a_range_have_its_unit(a in 1u32..500, more in 1u32..500, unit in prop::sample::select(vec!["%", "亿元", "万元", " million", "个月", "人"])) {
        let b = a + more;
        for dash in ["-", "–", "~", "至", " to "] {
            let found = quantities(&format!("{a}{dash}{b}{unit}"));
            prop_assert_eq!(found.len(), 2, "{}{}{}{}", a, dash, b, unit);
            let apart = [one(&format!("{a}{unit}")), one(&format!("{b}{unit}"))];
            for (got, wanted) in found.iter().zip(&apart) {
                prop_assert!(near(got.value, wanted.value) && got.unit == wanted.unit, "{:?} for {:?}", got, wanted);
            }
        }
    }

    #[test]
    fn money_per_share_is_read_with_its_sign(cents in 1u32..100_000, loss: bool) {
        let text = format!("{}.{:02}", cents / 100, cents % 100);
        let spelling = if loss { format!("$({text}) per share") } else { format!("${text} per share") };
        let found = one(&spelling);
        prop_assert_eq!((found.unit, found.per), (Unit::Money(Some("$")), Some("share")));
        prop_assert!(near(found.value, f64::from(cents) / if loss { -100.0 } else { 100.0 }), "{}: {:?}", spelling, found);
    }

    #[test]
    fn basis_points_are_hundredths_of_a_point(n in 1u32..2000) {
        agree(&[format!("{n}bps"), format!("{n} basis points"), format!("{n}个基点"), format!("{:.2}个百分点", f64::from(n) / 100.0)]);
    }
}
