//! Who bears a role in a company: its chief executive, its chairman, its auditor? Reports tell it in many short places: a table of
//! officers, the line under a signature, a sentence on an appointment. Whoever is named beside the role most often in the newest
//! report bears it; if another is named about as often, nobody is told.

use std::{collections::HashSet, ops::Range};

use index::{
    corpus::DocumentId,
    lexical::{fold, tokens},
    page::Page,
};

use super::{Reader, told};
use crate::{
    cite::{self, Statement},
    glossary::{Bearer, Concept},
    period::Period,
    question::Kind,
    sentence::{is_han, one_line},
};

/// How far a name may stand from the role, in bytes.
const NEAR: usize = 40;
/// How many times as often as the next one a name must be told.
const CLEARLY: f32 = 1.5;
/// What a question for a role may say besides.
const BESIDES: &str = "audited financial statements accounts annual report current currently name person company firm 财务报表 年报 年度报告 现任 目前 姓名 名字 哪家";
/// What tells of a bearer before or after.
const OTHERS: &[&str] =
    &["deputy", "vice", "assistant", "former", "acting", "interim", "副", "原", "前任", "前", "拟任", "代理", "候选"];
/// What the name of an audit firm holds.
const FIRMS: &[&str] =
    &["LLP", "Deloitte", "KPMG", "Ernst & Young", "PricewaterhouseCoopers", "Grant Thornton", "BDO", "RSM", "Mazars", "Crowe"];
const FIRM_ZH: &str = "会计师事务所";
/// What stands before that word where no firm is named.
const NO_FIRM: &[&str] = &["境内", "境外", "外部", "其他", "一家", "该", "本", "各", "原"];
/// What the name of a person does not hold.
const OFFICES: &[&str] = &["董事", "监事", "经理", "总监", "秘书", "职务", "姓名", "负责", "先生", "女士"];
/// The commonest Chinese surnames: what begins with one may be a name.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪\
范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷曲盛冉翁蓝骆路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝";

/// A place where somebody is named beside the role.
struct Named {
    /// The name, as written.
    name: String,
    document: DocumentId,
    hit: usize,
    part: u32,
    quote: Range<usize>,
    /// Whether the place is a sentence, to be told as it stands.
    sentence: bool,
}

impl<'a> Reader<'a> {
    /// The role that the question asks the bearer of, if it asks for nothing more.
    pub(super) fn role(&self) -> Option<(&'a Concept, Bearer)> {
        let which = || ["哪家", "哪位"].iter().any(|which| self.folded.contains(which));
        let asks = self.kind == Kind::Who || self.subject.is_some() || told::asks_for_a_name(&self.folded) || which();
        if !self.filed || !asks {
            return None;
        }
        let (mentions, rest) = self.question.pack.glossary.mentions(&fold(&self.question.subject));
        let concept = match mentions.as_slice() {
            [mention] => mention.concept,
            [] if self.folded.contains("who audited") => self.question.pack.glossary.concept("auditor")?,
            _ => return None,
        };
        let besides: HashSet<String> = tokens(BESIDES).into_iter().collect();
        let more = self.telling(&rest).into_iter().any(|token| !besides.contains(&token));
        concept.bearer.filter(|_| !more).map(|bearer| (concept, bearer))
    }

    /// Whoever bears the role that is asked for.
    pub(super) fn borne(&self) -> Option<Vec<Statement>> {
        let (role, bearer) = self.role()?;
        let mut found = self.named_beside(role, bearer);
        let until = |named: &Named| {
            let source = self.evidence.documents.iter().find(|source| source.id == named.document)?;
            crate::holdings::Held::of(source).until()
        };
        let newest = found.iter().filter_map(until).max();
        found.retain(|named| until(named) == newest);
        let mut votes: Vec<(String, f32)> = Vec::new();
        for named in &found {
            let name = bare(&named.name);
            match votes.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1.0,
                None => votes.push((name, 1.0)),
            }
        }
        votes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (first, most) = votes.first()?;
        if votes.get(1).is_some_and(|(_, next)| *most < CLEARLY * next) {
            return None;
        }
        found.retain(|named| bare(&named.name) == *first);
        // The shortest place that tells the role, too, says least besides.
        let page = |named: &Named| self.evidence.page(self.evidence.hit(named.hit)?, named.part);
        let tells = |named: &Named| page(named).is_some_and(|page| spot(&page.text[named.quote.clone()], role).is_some());
        let best = found.into_iter().min_by_key(|named| (!tells(named), !named.sentence, named.quote.len()))?;
        let page = page(&best)?;
        let role = if self.question.chinese { &self.question.subject } else { &role.names[0] };
        let text = match (best.sentence, self.question.chinese) {
            (true, _) => one_line(&page.text[best.quote.clone()]).into_owned(),
            (false, true) => format!("{}：{}", role.trim(), best.name),
            (false, false) => format!("{} ({role})", once(&best.name)),
        };
        Some(vec![Statement { text, hit: best.hit, part: best.part, quote: best.quote, ..Statement::default() }])
    }

    /// Where the evidence names somebody beside a role, in the reports that the question means.
    fn named_beside(&self, role: &Concept, bearer: Bearer) -> Vec<Named> {
        let (named, asked) = (self.question.documents(), &self.question.periods);
        let of = |own: &[Period]| asked.is_empty() || own.iter().any(|own| asked.iter().any(|asked| own.answers(*asked)));
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for (hit, passage) in self.evidence.looked_through().enumerate() {
            let document = passage.passage.document.id;
            let meant = named.as_ref().is_none_or(|named| named.contains(&document));
            if !meant || !of(&self.evidence.held(passage).periods) {
                continue;
            }
            for (part, page, _) in cite::places(self.evidence, passage) {
                if seen.insert((document, part)) {
                    let places = match bearer {
                        Bearer::Person => self.people(page, role),
                        Bearer::Firm => self.firms(page, role),
                    };
                    let named = |(name, quote, sentence)| Named { name, document, hit, part, quote, sentence };
                    found.extend(places.into_iter().map(named));
                }
            }
        }
        found
    }

    /// The people that a page names beside a role.
    fn people(&self, page: &Page, role: &Concept) -> Vec<(String, Range<usize>, bool)> {
        let mut found = Vec::new();
        let pieces = cite::pieces(page, 0..page.text.len());
        for (at, piece) in pieces.iter().enumerate() {
            let text = &page.text[piece.clone()];
            let last = at.checked_sub(1).map(|last| pieces[last].clone());
            let Some(spot) = spot(text, role) else { continue };
            let past = told::PAST.iter().any(|word| text.to_lowercase().contains(word));
            let table = page.blocks.iter().any(|block| block.table.is_some() && block.range().contains(&piece.start));
            if past && !table {
                continue;
            }
            let name = match text.contains(is_han) {
                true => person_zh(text, &spot),
                false => self.person(text, &spot),
            };
            let words = text.split_whitespace().count();
            if let Some(name) = name {
                found.push((text[name].to_owned(), piece.clone(), !table && words > 8 && text.ends_with('.')));
                continue;
            }
            // Under a signature the name stands on the line above, in a directory on the line below.
            let alone = |line: &Range<usize>| {
                let text = &page.text[line.clone()];
                match told::names(text, &self.folded).as_slice() {
                    [name] if text.split_whitespace().count() <= 6 => Some(text[name.clone()].to_owned()),
                    _ => None,
                }
            };
            let above = last.filter(|above| words <= 8 && piece.start - above.end <= 2);
            let below = pieces.get(at + 1).filter(|below| words <= 4 && below.start - piece.end <= 2);
            if let Some((above, name)) = above.and_then(|above| Some((above.clone(), alone(&above)?))) {
                found.push((name, above.start..piece.end, false));
            } else if let Some((below, name)) = below.and_then(|below| Some((below, alone(below)?))) {
                found.push((name, piece.start..below.end, false));
            }
        }
        found
    }

    /// Whether a text names somebody who may bear the role that is asked for.
    pub(super) fn names_bearer(&self, text: &str) -> bool {
        let Some((role, bearer)) = self.role() else { return true };
        match (bearer, text.contains(is_han)) {
            (Bearer::Firm, true) => firm_zh(text).is_some(),
            (Bearer::Firm, false) => self.firm(text).is_some(),
            (Bearer::Person, true) => spot(text, role).is_some_and(|spot| person_zh(text, &spot).is_some()),
            (Bearer::Person, false) => true,
        }
    }

    /// The name of a person beside the role, before it rather than behind.
    fn person(&self, text: &str, spot: &Range<usize>) -> Option<Range<usize>> {
        let names = told::names(text, &self.folded);
        let person = |name: &&Range<usize>| {
            let words = text[(*name).clone()].split_whitespace().count();
            (2..=4).contains(&words) && !FIRMS.iter().any(|firm| text[(*name).clone()].contains(firm))
        };
        let people: Vec<&Range<usize>> = names.iter().filter(person).collect();
        let before = people.iter().rev().find(|name| name.end <= spot.start && spot.start - name.end <= NEAR);
        let behind = || people.iter().find(|name| name.start >= spot.end && name.start - spot.end <= 4);
        before.or_else(behind).map(|name| (*name).clone())
    }

    /// The name of an audit firm in an English text.
    fn firm(&self, text: &str) -> Option<Range<usize>> {
        const FORMS: &[&str] = &["Ltd", "Limited", "Pty", "LLC", "Inc"];
        let holds = |name: &str, words: &[&str]| words.iter().any(|word| name.contains(word));
        let firm = |name: &str| holds(name, FIRMS) || name.contains("Audit") && holds(name, FORMS);
        told::names(text, &self.folded).into_iter().find(|name| firm(&text[name.clone()]))
    }

    /// The audit firms that a page names, where it or its first lines speak of the role.
    fn firms(&self, page: &Page, role: &Concept) -> Vec<(String, Range<usize>, bool)> {
        let top = &page.text[..page.text.floor_char_boundary(600)];
        let headed = spot(top, role).is_some();
        let mut found = Vec::new();
        for piece in cite::pieces(page, 0..page.text.len()) {
            let text = &page.text[piece.clone()];
            if !headed && spot(text, role).is_none() {
                continue;
            }
            let name = match text.contains(is_han) {
                true => firm_zh(text),
                false => self.firm(text),
            };
            if let Some(name) = name {
                found.push((text[name].to_owned(), piece.clone(), text.split_whitespace().count() > 8 && text.ends_with('.')));
            }
        }
        found
    }
}

/// What to look up where a role's bearer is asked for: the table of officers, the signatures, the report of the auditor.
pub(super) fn places(role: &Concept, chinese: bool) -> Vec<String> {
    let own = role.names.iter().filter(|name| name.contains(is_han) == chinese);
    let name = own.max_by_key(|name| name.chars().count()).unwrap_or(&role.names[0]);
    let places: &[&str] = match (role.bearer, chinese) {
        (Some(Bearer::Firm), true) => &["聘任会计师事务所", "审计报告 注册会计师"],
        (Some(Bearer::Firm), false) => &["opinion on the financial statements, we have served as the company's auditor since"],
        (_, true) => &["姓名 职务 任职状态", "签字"],
        (_, false) => &["name, age, position, executive officers", "signatures /s/"],
    };
    places.iter().map(|place| format!("{name} {place}")).collect()
}

/// A name to count by: the first and the last word of a person's, without marks.
fn bare(name: &str) -> String {
    const TITLES: &[&str] = &["mr", "ms", "mrs", "dr", "sir"];
    let plain = name.replace("/s/", " ").to_lowercase();
    let words: Vec<&str> = plain
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '&')
        .filter(|word| !word.is_empty() && !TITLES.contains(word))
        .collect();
    match words.as_slice() {
        [first, .., last] => format!("{first} {last}"),
        words => words.concat(),
    }
}

/// A name that stands twice, as signature and below it, once.
fn once(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let (first, second) = words.split_at(words.len() / 2);
    if first == second { first.join(" ") } else { name.to_owned() }
}

/// Where a text speaks of a role itself, not of a deputy's or a former one.
fn spot(text: &str, role: &Concept) -> Option<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut names: Vec<&String> = role.names.iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut spots = names.into_iter().flat_map(|name| lower.match_indices(name.as_str()).map(move |(at, _)| at..at + name.len()));
    spots.find(|spot| {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let ascii = text[spot.clone()].is_ascii();
        let front = lower[..spot.start].trim_end_matches([' ', '-']);
        let whole = !ascii || !letter(lower[..spot.start].chars().next_back()) && !letter(lower[spot.end..].chars().next());
        whole && !OTHERS.iter().any(|other| front.ends_with(other))
    })
}

/// The name of a Chinese person beside a role: alone in the cell before it or behind it, or before `先生` and `女士` near it.
fn person_zh(text: &str, spot: &Range<usize>) -> Option<Range<usize>> {
    const ENDS: &[char] = &['|', ' ', '\n', '\t', '　', '：', ':', '，', ',', '。', '；', '、', '（', '）', '(', ')'];
    let name = |range: Range<usize>| {
        let cell = text.get(range.clone())?;
        let start = range.start + cell.len() - cell.trim_start().len();
        let cell = cell.trim();
        let cell = cell.strip_suffix("先生").or_else(|| cell.strip_suffix("女士")).unwrap_or(cell);
        let count = cell.chars().count();
        let office = OFFICES.iter().any(|office| cell.contains(office));
        let whole = (2..=4).contains(&count) && cell.chars().all(is_han) && !office;
        (whole && cell.chars().next().is_some_and(|first| SURNAMES.contains(first))).then_some(start..start + cell.len())
    };
    // Behind the role: `董事长：黄杰`, `财务总监 | 黄杰`.
    let behind = text[spot.end..].trim_start_matches(['：', ':', '|', ' ', '为', '是', '　']);
    let start = text.len() - behind.len();
    let end = behind.find(ENDS).map_or(text.len(), |at| start + at);
    let address = ["先生", "女士"].iter().filter_map(|title| behind.find(title)).min().map(|at| start..start + at);
    // Before it: `黄杰 | 董事长`, `黄杰 | 董事、总经理`, `黄杰先生担任公司董事长`.
    let mut front = text[..spot.start].trim_end_matches(ENDS);
    let mut cell = 0;
    for _ in 0..3 {
        cell = front.rfind(ENDS).map_or(0, |at| at + front[at..].chars().next().map_or(1, char::len_utf8));
        if !OFFICES.iter().any(|office| front[cell..].contains(office)) {
            break;
        }
        front = front[..cell].trim_end_matches(ENDS);
    }
    let cell = cell.min(front.len());
    let title = ["先生", "女士"].iter().filter_map(|title| text[..spot.start].rfind(title)).max();
    let titled = title.filter(|at| spot.start - at <= NEAR).and_then(|at| {
        let last = |n: usize| text[..at].char_indices().rev().nth(n - 1).map(|(from, _)| from..at);
        // Most names have three characters; `任林岚女士` has a verb before one of two.
        let verb = |range: &Range<usize>| text[range.clone()].starts_with(['任', '由', '和', '与', '于', '经']);
        last(3).filter(|range| !verb(range)).and_then(name).or_else(|| name(last(2)?)).or_else(|| name(last(4)?))
    });
    name(cell..front.len()).or(titled).or_else(|| name(start..end)).or_else(|| name(address?))
}

/// The name of an audit firm in a Chinese text.
fn firm_zh(text: &str) -> Option<Range<usize>> {
    const BEFORE: &[char] = &['由', '请', '任', '聘', '续', '经', '为', '是', '所', '的', '与', '和', '及', '构', '师'];
    text.match_indices(FIRM_ZH).find_map(|(at, _)| {
        let start = text[..at].char_indices().rev().take_while(|(_, c)| is_han(*c) && !BEFORE.contains(c)).last()?.0;
        (!NO_FIRM.contains(&&text[start..at])).then_some(start..at + FIRM_ZH.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_counted_by_first_and_last_name() {
        assert_eq!(bare("Ms. Corinna S. Vale"), bare("/s/ Corinna Vale"));
        assert_eq!(bare("林岚"), "林岚");
    }

    #[test]
    fn a_chinese_name_stands_alone_beside_the_role_or_before_a_title() {
        let check = |text: &str, name: Option<&str>| {
            let at = text.find("董事长").unwrap();
            let found = person_zh(text, &(at..at + "董事长".len())).map(|range| &text[range]);
            assert_eq!(found, name, "{text}");
        };
        check("林岚 | 董事长 | 女", Some("林岚"));
        check("董事长：林岚", Some("林岚"));
        check("林岚 | 董事、董事长", Some("林岚"));
        check("公司董事长林岚女士间接持股", Some("林岚"));
        check("选举林岚女士为公司董事长", Some("林岚"));
        check("聘任林于晴女士为公司董事长", Some("林于晴"));
        check("董事长对年度报告负责", None);
        check("公司董事长主持会议", None);
    }

    #[test]
    fn an_audit_firm_is_told_by_what_it_is() {
        let check = |text: &str, name: Option<&str>| assert_eq!(firm_zh(text).map(|range| &text[range]), name, "{text}");
        check("续聘穗衡会计师事务所为审计机构", Some("穗衡会计师事务所"));
        check("会计师事务所的独立性", None);
    }
}
