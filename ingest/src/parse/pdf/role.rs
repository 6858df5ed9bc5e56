//! What is a block: a heading and of which level, an item of a list, a note, or running text?
//!
//! Told by size relative to the body of the document, weight, numbering and length; Chinese reports number their headings
//! 第X章, 第X节, 一、 and （一）, filings say PART and Item.

use index::page::BlockKind;

use super::glyphs::is_wide;
use super::layout::{Content, Draft, is_han};
use super::table;

/// The role of a block, by size relative to the body, weight, numbering and length.
pub fn kind(draft: &Draft, body: f32) -> BlockKind {
    let Content::Lines(lines) = &draft.content else { return BlockKind::Table };
    let text = draft.text();
    let count = text.chars().count();
    let ratio = draft.size() / body.max(1.0);
    let bold = lines.iter().all(|l| l.bold);
    let ends = text.ends_with(['.', '。', ';', '；', ',', '，', ':', '：', '、']);
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let spoken = letters >= 2 && 3 * letters > count;
    let han = text.chars().filter(|c| is_wide(*c)).count();
    let long = count > if 2 * han > count { 45 } else { 130 };
    if lines.len() <= 3 && !long && spoken && !has_leader(&text) {
        let numbered = numbering(&text);
        let item = text.to_ascii_lowercase().starts_with("item");
        if let Some(n) = &numbered {
            let inside = text.contains(['。', '；', ';']);
            if (n.sure && (!ends || item) && !inside || (bold || ratio > 1.05) && !text.ends_with(['。', '；', ';', '，', ',']))
                && ratio > 0.85
            {
                return BlockKind::Heading(n.level);
            }
        }
        // "2 Background": a lone number counts only in larger type.
        let chapter = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let chapter = (1..=2).contains(&(text.len() - chapter.len()))
            && chapter.starts_with(' ')
            && chapter.trim_start().starts_with(char::is_uppercase);
        if chapter && ratio > 1.05 && lines.len() == 1 && count <= 60 && !ends {
            return BlockKind::Heading(1);
        }
        let dated = text.ends_with(|c: char| c.is_ascii_digit()) && letters < 4;
        if !ends && !dated && numbered.is_none() && !list_marker(&text) {
            if ratio >= 1.6 {
                return BlockKind::Heading(1);
            }
            if ratio >= 1.3 {
                return BlockKind::Heading(2);
            }
            if ratio >= 1.12 {
                return BlockKind::Heading(3);
            }
            if bold && lines.len() <= 2 && ratio > 0.92 && count >= 3 {
                return BlockKind::Heading(if ratio > 1.05 { 3 } else { 4 });
            }
        }
        if numbered.is_none() && ratio > 0.85 && names_statement(&text) {
            return BlockKind::Heading(4);
        }
    }
    if ratio < 0.9 && (text.starts_with(['*', '†', '‡', '注']) || footnote_start(&text)) {
        return BlockKind::Footnote;
    }
    if list_marker(&text) {
        return BlockKind::ListItem;
    }
    if count < 120 && table::is_caption(&text) {
        return BlockKind::Caption;
    }
    BlockKind::Paragraph
}

/// Whether a line is the name of a financial statement, or of the notes to them, and nothing else but whose it is and that it goes
/// on: it heads what follows in whatever type it is set.
fn names_statement(text: &str) -> bool {
    const ZH: [&str; 10] = [
        "资产负债表",
        "财务状况表",
        "利润表",
        "损益表",
        "综合收益表",
        "现金流量表",
        "所有者权益变动表",
        "股东权益变动表",
        "权益变动表",
        "财务报表附注",
    ];
    const ZH_BESIDE: [&str; 14] =
        ["合并", "母公司", "本公司", "公司", "集团", "简要", "备考", "近三年", "近一期", "未经审计", "续", "及", "和", "与"];
    const EN: [&str; 44] = [
        "consolidated",
        "condensed",
        "interim",
        "combined",
        "unaudited",
        "audited",
        "continued",
        "the",
        "of",
        "and",
        "to",
        "in",
        "or",
        "company",
        "group",
        "parent",
        "only",
        "balance",
        "sheet",
        "sheets",
        "income",
        "statement",
        "statements",
        "operations",
        "earnings",
        "financial",
        "position",
        "cash",
        "flow",
        "flows",
        "comprehensive",
        "profit",
        "loss",
        "losses",
        "other",
        "changes",
        "equity",
        "deficit",
        "accumulated",
        "retained",
        "shareholders",
        "stockholders",
        "notes",
        "s",
    ];
    if text.contains(is_han) {
        let mut rest = text.to_owned();
        let named = ZH.iter().filter(|name| text.contains(*name)).count();
        ZH.iter().chain(&ZH_BESIDE).for_each(|word| rest = rest.replace(word, ""));
        return named > 0 && !rest.contains(char::is_alphanumeric);
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let after = |front: &str, nouns: &[&str]| {
        line.split_once(front).is_some_and(|(_, rest)| nouns.iter().any(|noun| rest.trim_start().starts_with(noun)))
    };
    let nouns =
        ["operations", "income", "earnings", "financial position", "cash flow", "comprehensive", "profit", "loss", "changes in"];
    let nouns: Vec<&str> = nouns.into_iter().chain(["shareholders", "stockholders", "equity"]).collect();
    let named = line.contains("balance sheet")
        || line.contains("income statement")
        || line.contains("cash flow statement")
        || after("statements of", &nouns)
        || after("statement of", &nouns)
        || line.starts_with("notes to") && line.contains("financial statements");
    named && text.starts_with(char::is_uppercase) && words.len() <= 14 && words.iter().all(|word| EN.contains(word))
}

fn footnote_start(text: &str) -> bool {
    let digits = text.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '(' | ')' | '（' | '）')).count();
    (1..=4).contains(&digits) && text.chars().nth(digits).is_some_and(|c| c == ' ' || c.is_alphabetic())
}

/// Whether a text starts with the marker of a list item.
pub fn list_marker(text: &str) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    match first {
        '•' | '●' | '■' | '◆' | '▪' | '○' | '◦' | '➢' | '✓' | '►' | '▶' | '※' => true,
        '①'..='⑳' => true,
        '-' | '–' | '—' | '*' | '·' => second == Some(' ') && text.chars().count() > 3,
        '(' | '（' => {
            let inner: String = text.chars().skip(1).take_while(|c| !matches!(c, ')' | '）')).take(6).collect();
            let closed = text.chars().nth(inner.chars().count() + 1).is_some_and(|c| matches!(c, ')' | '）'));
            closed
                && !inner.is_empty()
                && inner.chars().count() <= 4
                && (inner.chars().all(|c| c.is_ascii_digit()) && inner.len() <= 2
                    || inner.chars().all(|c| matches!(c, 'i' | 'v' | 'x'))
                    || inner.chars().count() == 1 && inner.chars().all(|c| c.is_ascii_alphabetic())
                    || inner.chars().all(is_han_numeral))
        }
        _ => {
            let digits = text.chars().take_while(char::is_ascii_digit).count();
            if digits > 0 && digits <= 2 {
                let mut rest = text.chars().skip(digits);
                return match (rest.next(), rest.next()) {
                    (Some('.' | ')'), Some(' ')) => true,
                    (Some('、' | '．' | '）'), Some(_)) => true,
                    (Some('.'), Some(c)) => is_wide(c),
                    _ => false,
                };
            }
            first.is_ascii_alphabetic() && matches!(second, Some(')')) && text.chars().nth(2) == Some(' ')
        }
    }
}

fn is_han_numeral(c: char) -> bool {
    matches!(c, '一' | '二' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十' | '百' | '零' | '〇')
}

/// A numbering that headings carry.
pub struct Numbering {
    /// 1 is the highest.
    pub level: u8,
    /// Whether the pattern alone makes a short line a heading.
    pub sure: bool,
}

/// Whether a text carries the numbering of a heading.
pub fn is_numbered(text: &str) -> bool {
    numbering(text).is_some_and(|n| n.sure)
}

/// The numbering a text begins with.
pub fn numbering(text: &str) -> Option<Numbering> {
    let text = text.trim_start();
    let mut chars = text.chars();
    let first = chars.next()?;
    let found = |level, sure| Some(Numbering { level, sure });
    if first == '第' {
        let number = text.chars().skip(1).take_while(|c| is_han_numeral(*c) || c.is_ascii_digit() || *c == ' ').count();
        let unit = text.chars().nth(1 + number)?;
        let next = text.chars().nth(2 + number);
        let apart = next.is_none_or(|c| {
            c.is_whitespace() || is_wide(c) && !matches!(c, '，' | '、' | '的' | '至' | '和' | '及' | '条' | '款')
        });
        return match unit {
            '章' | '编' | '部' | '篇' if number > 0 && apart => found(1, true),
            '节' if number > 0 && apart => found(1, true),
            _ => None,
        };
    }
    if is_han_numeral(first) {
        let number = text.chars().take_while(|c| is_han_numeral(*c)).count();
        return match text.chars().nth(number) {
            Some('、' | '．') if number <= 3 => found(2, true),
            _ => None,
        };
    }
    if matches!(first, '(' | '（') {
        let number = text.chars().skip(1).take_while(|c| is_han_numeral(*c)).count();
        return match text.chars().nth(1 + number) {
            Some(')' | '）') if (1..=3).contains(&number) => found(3, true),
            _ => None,
        };
    }
    let upper = text.get(..8).unwrap_or(text).to_ascii_uppercase();
    if let Some(rest) = upper.strip_prefix("PART ") {
        return if rest.starts_with(['I', 'V', 'X']) { found(1, text.len() < 60) } else { None };
    }
    if let Some(rest) = upper.strip_prefix("ITEM") {
        return if rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) { found(2, true) } else { None };
    }
    if upper.starts_with("NOTE ") && upper.chars().nth(5).is_some_and(|c| c.is_ascii_digit()) {
        return found(3, false);
    }
    if first.is_ascii_digit() {
        let head: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let rest = &text[head.len()..];
        let parts: Vec<&str> = head.trim_end_matches('.').split('.').collect();
        let short = parts.iter().all(|p| (1..=2).contains(&p.len()));
        let follows = rest.starts_with(' ') && rest.trim_start().starts_with(|c: char| c.is_alphabetic())
            || rest.starts_with(|c: char| is_wide(c) && c.is_alphabetic());
        if parts.len() >= 2 && short && follows && parts.len() <= 5 && parts[0] != "0" {
            let apart = rest.starts_with(' ') && rest.trim_start().starts_with(is_han) && text.chars().count() <= 25;
            return found((parts.len() as u8).min(4), apart && !text.contains(['，', '。', '；']));
        }
        if parts.len() == 1 && head.len() <= 2 && (rest.starts_with('、') || rest.starts_with('．'))
            || parts.len() == 1 && head.ends_with('.') && head.len() <= 3
        {
            return found(4, false);
        }
        return None;
    }
    None
}

/// Whether a line leads to a page number over dots.
pub fn has_leader(text: &str) -> bool {
    let mut run = 0;
    for c in text.chars() {
        match c {
            '.' | '·' | '…' | '⋯' | '．' | '_' => run += if matches!(c, '…' | '⋯') { 3 } else { 1 },
            ' ' if run > 0 => {}
            _ => run = 0,
        }
        if run >= 5 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(text: &str, want: Option<u8>) {
        assert_eq!(numbering(text).map(|n| n.level), want, "{text}");
    }

    #[test]
    fn headings_are_told_by_their_numbering() {
        numbered("第一节 释义", Some(1));
        numbered("第三章 财务会计信息", Some(1));
        numbered("二、财务报表", Some(2));
        numbered("（一）主要会计数据", Some(3));
        numbered("2.1 模型商店型厂商", Some(2));
        numbered("PART II", Some(1));
        numbered("Item 1A. Risk Factors", Some(2));
        numbered("18.4万元；检索增强", Some(2));
        numbered("11.4% to 3.92 million units", None);
        numbered("第三条 本公司", None);
    }

    #[test]
    fn the_name_of_a_statement_heads_it_in_whatever_type_it_is_set() {
        for text in [
            "合并利润表",
            "母公司资产负债表（续）",
            "合并及公司现金流量表",
            "CONSOLIDATED BALANCE SHEETS",
            "Consolidated Statements of Operations and Comprehensive Loss (continued)",
            "Consolidated statement of changes in equity",
            "Statements of Stockholders’ Equity",
            "NOTES TO THE CONSOLIDATED FINANCIAL STATEMENTS",
        ] {
            assert!(names_statement(text), "{text}");
        }
        for text in [
            "资产负债表日后事项",
            "利润表项目变动的原因",
            "Off-balance sheet arrangements",
            "Balance sheet date",
            "the balance sheet",
            "Other comprehensive income",
            "The balance sheet and the statement of income are shown in Item 8",
        ] {
            assert!(!names_statement(text), "{text}");
        }
    }

    #[test]
    fn items_of_lists_are_told_by_their_markers() {
        for text in ["• first", "（1）采购模式", "(a) the notes", "3) third", "①", "- a point"] {
            assert!(list_marker(text), "{text}");
        }
        for text in ["(1,234) in cash", "2023 was good", "-4.49"] {
            assert!(!list_marker(text), "{text}");
        }
    }

    #[test]
    fn leader_dots_are_told_from_points() {
        assert!(has_leader("第一节 释义..................5"));
        assert!(!has_leader("and so on... said the chairman."));
    }
}
