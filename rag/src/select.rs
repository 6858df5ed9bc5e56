//! How likely does a sentence answer the question? Each sentence of the evidence is described by numbers that an analyst
//! would look at (how many of the question's telling words it holds and how rare those are that it lacks, how closely it
//! follows the question's wording, whether it holds the kind of thing that is asked for, whether it denies or turns around
//! what is asked, how its passage was found). A forest per language, grown on public
//! questions, weighs them (`dossier eval learn`, `rag/src/select/*.trees`): the Chinese one on CMRC 2018 (its dev and trial parts,
//! CC BY-SA 4.0) and on three quarters of the passages of the dev and test parts of DRCD (CC BY-SA 3.0, in simplified
//! characters), the English one on the questions about new Wikipedia articles of SQuAD-shifts (Miller et al. 2020, CC BY 4.0).

use std::{collections::HashSet, ops::Range, sync::LazyLock};

use index::{
    hit::Hit,
    lexical::{fold, running, term, tokens},
    lexicon,
    page::{BlockKind, Page},
};

use crate::{
    cite,
    evidence::Evidence,
    forest::Forest,
    period::periods,
    quantity::{Unit, quantities},
    question::{Kind, Question},
    sentence::{is_han, one_line, surroundings},
};

/// A sentence of the evidence, weighed.
#[derive(Debug, Clone)]
pub struct Weighed {
    /// Which hit holds it, from 0.
    pub hit: usize,
    /// The stored page.
    pub part: u32,
    /// Where it stands in the page's text.
    pub place: Range<usize>,
    /// Its text on one line.
    pub text: String,
    /// What describes it, in the order of [`FEATURES`].
    pub features: Vec<f32>,
    /// The chance that it answers, in a language for which trees were grown.
    pub chance: Option<f32>,
}

impl Weighed {
    fn of(&self, name: &str) -> f32 {
        FEATURES.iter().position(|feature| *feature == name).map_or(0.0, |at| self.features[at])
    }

    fn set(&mut self, name: &str, value: f32) {
        if let Some(at) = FEATURES.iter().position(|feature| *feature == name) {
            self.features[at] = value;
        }
    }

    /// Whether its passage and title lack a name that the question holds.
    pub(crate) fn lacks_names(&self) -> bool {
        self.of("names_missing_passage") > 0.0
    }

    /// The share of what is asked that it holds, words counted that are translated alike.
    pub(crate) fn share_alike(&self) -> f32 {
        self.of("share_alike")
    }

    /// Whether the sentence affirms or denies what a yes-or-no question asks; `None` if it does not surely say either.
    pub(crate) fn affirms(&self) -> Option<bool> {
        let of = |name: &str| self.of(name);
        let all = of("share_own") >= 0.8 && of("missing") < 0.2 && of("names_missing") == 0.0 && of("figures_missing") == 0.0;
        let turned = of("opposite") > 0.0 || of("denies") != 0.0;
        all.then_some(!turned)
    }
}

/// What describes a sentence. "Share" is by weight of the question's words, rare ones weigh more.
pub const FEATURES: [&str; 68] = [
    // Words: the share that the sentence holds, alone and with its neighbours; what its passage and title hold.
    "share",
    "share_before",
    "share_after",
    "share_around",
    "share_passage",
    "share_title",
    "share_own", // words of the title count less: all sentences speak of them
    "near",      // with what it leans on: the title and the sentence before count less, the rest of the passage least
    "below_best",
    "below_passage_best",
    // The heaviest word that is missing, in the sentence and in the passage; unknown to the whole scope.
    "missing",
    "missing_passage",
    "unknown",
    // The wording: shares of one, two and three neighbouring units; the longest run; before and after what asks.
    "grams1",
    "grams2",
    "grams3",
    "run",
    "run_before",
    "run_after",
    // Its form.
    "length",
    "fresh", // share of its words that the question does not hold
    "place",
    "place_share",
    "sentences",
    "in_table",
    "asks",
    // The kind that is asked for.
    "when",
    "number",
    "who",
    "where",
    "why",
    "which",
    "how",
    "list",
    "yes_no",
    // What it holds, and whether that is what is asked for (1), is not (-1), or there is nothing to look for (0).
    "dates",
    "numbers",
    "causes",
    "places",
    "names",
    "quotes",
    "lists",
    "typed",
    "counted",
    "sought",
    // Names and figures of the question that the sentence, or its passage, lacks; what turns it around.
    "names_missing",
    "names_missing_passage",
    "figures_missing",
    "figures_missing_passage",
    "denies",
    "opposite",
    // How its passage was found; nothing that depends on the encoder.
    "rank",
    "score_share",
    "words_found",
    // With words counted that a dictionary translates alike (`died`, `passed away`): the share, and the heaviest word missing.
    "share_alike",
    "missing_alike",
    // How close together: the share in one clause, right beside something of the kind that is asked for, in the question's
    // order, and how many words stand between them.
    "share_clause",
    "share_beside",
    "in_order",
    "dense",
    // Its standing among all sentences, and how long the question is.
    "better",
    "asked_words",
    // Further kinds of things: a person in Chinese, a span of time, a share, money; the unit that is asked for.
    "people",
    "measured",
    // Whether it points back (`he`, `this`), and what its names lack with the title and the sentence before.
    "points_back",
    "names_missing_near",
    // Whether the kind that is asked for stands in the sentence before or after.
    "typed_before",
    "typed_after",
];

static CHINESE: LazyLock<Option<Forest>> = LazyLock::new(|| Forest::read(include_str!("select/zh.trees"), &FEATURES));
static ENGLISH: LazyLock<Option<Forest>> = LazyLock::new(|| Forest::read(include_str!("select/en.trees"), &FEATURES));

/// Weighs every sentence of the evidence, in the order of the passages.
pub fn weigh(question: &Question, evidence: &Evidence) -> Vec<Weighed> {
    if question.terms.is_empty() {
        return Vec::new();
    }
    let asked = Asked::new(question, evidence);
    let mut weighed = Vec::new();
    let best = evidence.hits.iter().map(|hit| hit.score).fold(1e-3, f32::max);
    for (at, hit) in evidence.hits.iter().enumerate() {
        let passage = asked.passage(evidence, at, hit, best);
        weighed.extend(passage);
    }
    let best = weighed.iter().map(|w| w.features[0]).fold(0.0, f32::max);
    let standing = |w: &Weighed| w.of("near") + w.of("grams2") + w.of("share_beside");
    let standings: Vec<f32> = weighed.iter().map(standing).collect();
    let forest = if question.chinese { CHINESE.as_ref() } else { ENGLISH.as_ref() };
    for (sentence, own) in weighed.iter_mut().zip(&standings) {
        sentence.set("below_best", best - sentence.features[0]);
        sentence.set("better", standings.iter().filter(|other| *other > own).count().min(20) as f32);
        sentence.chance = forest.map(|forest| forest.chance(&sentence.features));
    }
    weighed
}

/// A question with what is looked for in a sentence.
struct Asked<'a> {
    question: &'a Question,
    /// Its words, with their weights.
    words: Vec<(u32, f32)>,
    /// For each of them, the terms of words that a dictionary translates alike.
    alike: Vec<Vec<u32>>,
    unknown: f32,
    /// Its words as they follow each other.
    running: Vec<u32>,
    folded: String,
    /// One, two and three neighbouring units: characters in Chinese, stems in English.
    grams: [HashSet<String>; 3],
    /// What stands before and after the word that asks.
    before: Vec<char>,
    after: Vec<char>,
    /// What is asked for by its noun: `city` in `which city`, `大学` in `哪所大学`.
    sought: Option<String>,
    counted: Option<String>,
    /// Whether a unit is the one that is asked for, if one is: a share, money or a span of time.
    unit: Option<fn(Unit) -> bool>,
    names: Vec<String>,
    figures: Vec<String>,
    denies: bool,
    opposites: Vec<(&'static str, &'static str)>,
}

/// A sentence, read once.
struct Sentence {
    place: Range<usize>,
    part: u32,
    text: String,
    lower: String,
    terms: HashSet<u32>,
    table: bool,
}

impl<'a> Asked<'a> {
    fn new(question: &'a Question, evidence: &Evidence) -> Self {
        let folded = fold(&question.text).into_owned();
        let words: Vec<(u32, f32)> =
            question.terms.iter().map(|token| (term(token), evidence.idf(token) * tells(token))).collect();
        let total: f32 = words.iter().map(|(_, weight)| weight).sum::<f32>().max(1e-6);
        let lacking = |token: &&String| evidence.frequencies.get(*token).copied().unwrap_or(0) == 0;
        let unknown: f32 =
            question.terms.iter().filter(lacking).map(|token| evidence.idf(token) * tells(token)).sum::<f32>() / total;
        let words: Vec<(u32, f32)> = words.into_iter().map(|(term, weight)| (term, weight / total)).collect();
        let alike = question.terms.iter().map(|token| lexicon::alike(token)).collect();
        let asked = |term: &u32| words.iter().any(|(word, _)| word == term);
        let running = running(&folded).terms.into_iter().map(|(term, _)| term).filter(asked).collect();
        let (before, asking, after) = around_asking(&folded, question.chinese);
        let sought = sought(after, asking, question.chinese);
        let plain = |text: &str| -> Vec<char> { text.chars().filter(|c| c.is_alphanumeric()).collect() };
        let units = if question.chinese { Units::Characters } else { Units::Stems };
        let content = if question.chinese { without_asking(&folded) } else { folded.clone() };
        let grams = [1, 2, 3].map(|n| units.grams(&content, n));
        let (before, after) = (plain(before), plain(after));
        Self {
            question,
            words,
            alike,
            unknown,
            running,
            grams,
            before,
            after,
            sought,
            counted: counted(&folded),
            unit: unit(&folded),
            names: names(question),
            figures: figures(&folded),
            denies: denies(&folded),
            opposites: opposites(&folded),
            folded,
        }
    }

    /// The sentences of a passage, described.
    fn passage(&self, evidence: &Evidence, at: usize, hit: &Hit, best: f32) -> Vec<Weighed> {
        let read = read(evidence, hit);
        let title = format!("{} {}", hit.passage.document.title, hit.passage.headings.join(" "));
        let title_terms = terms(&title);
        let title_folded = fold(&title).into_owned();
        let passage_terms: HashSet<u32> = terms(&hit.passage.text).into_iter().chain(title_terms.iter().copied()).collect();
        let passage_folded = format!("{title_folded} {}", fold(&hit.passage.text));
        let shares: Vec<f32> = read.iter().map(|sentence| self.share(&sentence.terms)).collect();
        let best_share = shares.iter().copied().fold(0.0, f32::max);
        let things: Vec<Vec<Range<usize>>> = read.iter().map(|sentence| self.things(&sentence.text)).collect();
        let mut weighed = Vec::with_capacity(read.len());
        for (i, sentence) in read.iter().enumerate() {
            let mut f = Vec::with_capacity(FEATURES.len());
            let neighbour = |j: Option<usize>| j.and_then(|j| read.get(j));
            let (above, below) = (neighbour(i.checked_sub(1)), neighbour(Some(i + 1)));
            let mut around = sentence.terms.clone();
            for other in [above, below].into_iter().flatten() {
                around.extend(&other.terms);
            }
            f.push(shares[i]);
            f.push(above.map_or(0.0, |s| self.share(&s.terms)));
            f.push(below.map_or(0.0, |s| self.share(&s.terms)));
            f.push(self.share(&around));
            f.push(self.share(&passage_terms));
            f.push(self.share(&title_terms));
            f.push(self.own(&sentence.terms, &title_terms));
            let before = above.map(|s| &s.terms);
            f.push(self.near(
                &sentence.terms,
                &|term| title_terms.contains(term) || before.is_some_and(|terms| terms.contains(term)),
                &passage_terms,
            ));
            f.push(0.0); // known when all passages are read
            f.push(best_share - shares[i]);
            f.push(self.missing(&sentence.terms));
            f.push(self.missing(&passage_terms));
            f.push(self.unknown);
            self.wording(sentence, &mut f);
            let asked: HashSet<u32> = self.words.iter().map(|(term, _)| *term).collect();
            let fresh = sentence.terms.iter().filter(|term| !asked.contains(term)).count();
            f.push((sentence.text.chars().count() as f32 + 1.0).ln());
            f.push(fresh as f32 / sentence.terms.len().max(1) as f32);
            f.push(i as f32);
            f.push(i as f32 / read.len() as f32);
            f.push(read.len() as f32);
            f.push(flag(sentence.table));
            f.push(flag(sentence.text.ends_with(['?', '？', ':', '：'])));
            self.kinds(&mut f);
            self.held(sentence, &mut f);
            let lacks = |names: &[String], text: &str| names.iter().filter(|name| !text.contains(name.as_str())).count() as f32;
            f.push(lacks(&self.names, &sentence.lower));
            f.push(lacks(&self.names, &passage_folded));
            f.push(lacks(&self.figures, &sentence.lower));
            f.push(lacks(&self.figures, &passage_folded));
            f.push(flag(self.denies) - flag(denies(&sentence.lower)));
            f.push(flag(
                self.opposites.iter().any(|(asked, turned)| whole(&sentence.lower, turned) && !whole(&sentence.lower, asked)),
            ));
            f.push(at as f32);
            f.push(hit.score / best);
            f.push(hit.why.lexical.unwrap_or(0.0));
            self.alike(&sentence.terms, &mut f);
            f.push(self.in_one_clause(&sentence.text));
            f.push(things[i].iter().take(MOST_THINGS).map(|thing| self.beside(&sentence.text, thing)).fold(0.0, f32::max));
            self.close(&sentence.lower, &mut f);
            f.push(0.0); // known when all passages are read
            f.push(self.words.len() as f32);
            f.push((people(&sentence.text).len() as f32).min(4.0));
            f.push(self.measured(&sentence.text));
            f.push(flag(points_back(&sentence.text)));
            let near = [Some(title_folded.as_str()), above.map(|s| s.lower.as_str()), Some(sentence.lower.as_str())];
            let near = near.into_iter().flatten().collect::<Vec<_>>().join(" ");
            f.push(lacks(&self.names, &near));
            let typed = |at: Option<usize>| {
                let held = at.and_then(|at| things.get(at)).map(|things| sign(!things.is_empty()));
                held.filter(|_| self.typed()).unwrap_or(0.0)
            };
            f.push(typed(i.checked_sub(1)));
            f.push(typed(Some(i + 1)));
            weighed.push(Weighed {
                hit: at,
                part: sentence.part,
                place: sentence.place.clone(),
                text: sentence.text.clone(),
                features: f,
                chance: None,
            });
        }
        weighed
    }

    fn share(&self, held: &HashSet<u32>) -> f32 {
        self.words.iter().filter(|(term, _)| held.contains(term)).map(|(_, weight)| weight).sum()
    }

    /// The share of the words that the title does not hold already.
    fn own(&self, held: &HashSet<u32>, title: &HashSet<u32>) -> f32 {
        let (all, kept) = self
            .words
            .iter()
            .filter(|(term, _)| !title.contains(term))
            .fold((0.0, 0.0), |(all, kept), (term, w)| (all + w, if held.contains(term) { kept + w } else { kept }));
        if all > 0.0 { kept / all } else { 1.0 }
    }

    fn near(&self, held: &HashSet<u32>, leant: &dyn Fn(&u32) -> bool, passage: &HashSet<u32>) -> f32 {
        let of = |term: &u32| match (held.contains(term), leant(term), passage.contains(term)) {
            (true, ..) => 1.0,
            (_, true, _) => 0.8,
            (.., true) => 0.4,
            _ => 0.0,
        };
        self.words.iter().map(|(term, weight)| weight * of(term)).sum()
    }

    fn missing(&self, held: &HashSet<u32>) -> f32 {
        self.words.iter().filter(|(term, _)| !held.contains(term)).map(|(_, weight)| *weight).fold(0.0, f32::max)
    }

    /// How closely a sentence follows the question's wording.
    fn wording(&self, sentence: &Sentence, f: &mut Vec<f32>) {
        let units = if self.question.chinese { Units::Characters } else { Units::Stems };
        for (n, asked) in self.grams.iter().enumerate() {
            let held = units.grams(&sentence.lower, n + 1);
            f.push(asked.iter().filter(|gram| held.contains(*gram)).count() as f32 / asked.len().max(1) as f32);
        }
        let plain: Vec<char> = sentence.lower.chars().filter(|c| c.is_alphanumeric()).collect();
        let holds = |run: &[char]| !run.is_empty() && plain.windows(run.len()).any(|window| window == run);
        let most = 12;
        let all: Vec<char> = self.folded.chars().filter(|c| c.is_alphanumeric()).collect();
        let longest = (1..=all.len().min(24)).rev().find(|n| all.windows(*n).any(holds)).unwrap_or(0);
        f.push(longest as f32 / all.len().max(1) as f32);
        let before = (1..=self.before.len().min(most)).rev().find(|n| holds(&self.before[self.before.len() - n..]));
        let after = (1..=self.after.len().min(most)).rev().find(|n| holds(&self.after[..*n]));
        f.push(before.unwrap_or(0) as f32);
        f.push(after.unwrap_or(0) as f32);
    }

    /// The share with words counted that are translated alike, and the heaviest word that is missing even so.
    fn alike(&self, held: &HashSet<u32>, f: &mut Vec<f32>) {
        let (mut share, mut missing) = (0.0, 0.0_f32);
        for ((term, weight), alike) in self.words.iter().zip(&self.alike) {
            if held.contains(term) {
                share += weight;
            } else if alike.iter().any(|term| held.contains(term)) {
                share += ALIKE * weight;
            } else {
                missing = missing.max(*weight);
            }
        }
        f.extend([share, missing]);
    }

    /// The most that one clause holds.
    fn in_one_clause(&self, text: &str) -> f32 {
        let ends = |c: char| matches!(c, ',' | ';' | '，' | '；' | '。' | '：' | '(' | ')' | '（' | '）' | '—');
        text.split(ends).filter(|clause| clause.len() > 3).map(|clause| self.share(&terms(clause))).fold(0.0, f32::max)
    }

    /// What stands right beside a thing.
    fn beside(&self, text: &str, thing: &Range<usize>) -> f32 {
        self.share(&terms(&text[surroundings(text, thing)]))
    }

    /// Whether the words follow each other as in the question, and how many others stand between them.
    fn close(&self, lower: &str, f: &mut Vec<f32>) {
        let held: Vec<u32> = running(lower).terms.into_iter().map(|(term, _)| term).collect();
        let places: Vec<usize> = self.running.iter().filter_map(|term| held.iter().position(|other| other == term)).collect();
        // The longest run of places that only rises.
        let mut longest: Vec<usize> = vec![1; places.len()];
        for i in 0..places.len() {
            longest[i] += (0..i).filter(|&j| places[j] < places[i]).map(|j| longest[j]).max().unwrap_or(0);
        }
        f.push(longest.iter().copied().max().unwrap_or(0) as f32 / self.running.len().max(1) as f32);
        let (first, last) = (places.iter().min().copied().unwrap_or(0), places.iter().max().copied().unwrap_or(0));
        f.push(places.len() as f32 / (last - first + 1) as f32);
    }

    /// Whether things of the kind that is asked for can be told by their form.
    fn typed(&self) -> bool {
        let names = matches!(self.question.kind, Kind::Who | Kind::Where);
        matches!(self.question.kind, Kind::When | Kind::Number) || names && !self.question.chinese
    }

    /// Where a text holds things of the kind that is asked for, which the question does not name itself.
    fn things(&self, text: &str) -> Vec<Range<usize>> {
        let new = |range: &Range<usize>| !self.folded.contains(fold(text[range.clone()].trim()).as_ref());
        let mut things: Vec<Range<usize>> = match self.question.kind {
            Kind::When => periods(text).into_iter().map(|(range, _)| range).collect(),
            Kind::Number => quantities(text).into_iter().filter(|q| q.is_amount()).map(|q| q.range).collect(),
            Kind::Why | Kind::How | Kind::YesNo => Vec::new(),
            Kind::Who if self.question.chinese => people(text),
            _ => {
                let start = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
                let marked = text.match_indices(['《', '“', '「', '"']).map(|(at, mark)| at..at + mark.len());
                capitals(text).map(|word| start(word)..start(word) + word.len()).chain(marked).collect()
            }
        };
        things.retain(new);
        things
    }

    /// Whether it holds the unit that is asked for.
    fn measured(&self, text: &str) -> f32 {
        self.unit.map_or(0.0, |is| sign(quantities(text).iter().any(|q| is(q.unit))))
    }

    fn kinds(&self, f: &mut Vec<f32>) {
        use Kind::{How, List, Number, When, Where, Which, Who, Why, YesNo};
        f.extend([When, Number, Who, Where, Why, Which, How, List, YesNo].map(|kind| flag(self.question.kind == kind)));
    }

    /// What a sentence holds beyond the question, and whether it is of the kind that is asked for.
    fn held(&self, sentence: &Sentence, f: &mut Vec<f32>) {
        let text = &sentence.text;
        let new = |range: &Range<usize>| !self.folded.contains(fold(text[range.clone()].trim()).as_ref());
        let dates = periods(text).iter().filter(|(range, _)| new(range)).count();
        let numbers: Vec<_> = quantities(text).into_iter().filter(|q| q.is_amount() && new(&q.range)).collect();
        let has = |words: &[&str]| words.iter().any(|word| sentence.lower.contains(word));
        let causes = has(CAUSES);
        let places = has(WHERE);
        let capitals = capitals(text).filter(|word| !self.folded.contains(&word.to_lowercase())).count();
        let quotes = text.chars().filter(|c| matches!(c, '《' | '“' | '「' | '"')).count();
        let lists = text.chars().filter(|c| matches!(c, '、' | ',')).count();
        let counted = self.counted.as_ref().map_or(0.0, |noun| {
            let counts = numbers.iter().any(|q| {
                let end = text.floor_char_boundary((q.range.end + noun.len() + 24).min(text.len()));
                text.get(q.range.start..end).is_some_and(|behind| behind.to_lowercase().contains(noun.as_str()))
            });
            if counts { 1.0 } else { -1.0 }
        });
        let typed = match self.question.kind {
            Kind::When => sign(dates > 0),
            Kind::Number => sign(!numbers.is_empty()),
            Kind::Why => sign(causes),
            Kind::Where => sign(places || capitals > 0),
            Kind::Who if !self.question.chinese => sign(capitals > 0),
            Kind::List => sign(lists > 0),
            _ => 0.0,
        };
        f.push((dates as f32).min(3.0));
        f.push((numbers.len() as f32).min(5.0));
        f.push(flag(causes));
        f.push(flag(places));
        f.push((capitals as f32).min(5.0));
        f.push((quotes as f32).min(4.0));
        f.push((lists as f32).min(6.0));
        f.push(typed);
        f.push(counted);
        f.push(self.sought.as_ref().map_or(0.0, |noun| sign(sentence.lower.contains(noun.as_str()))));
    }
}

/// The unit that a folded question asks for, as what knows it.
fn unit(folded: &str) -> Option<fn(Unit) -> bool> {
    let asks = |words: &[&str]| words.iter().any(|word| folded.contains(word));
    if asks(&["percent", "%", "百分", "占比", "比例", "proportion of"]) {
        Some(|unit| matches!(unit, Unit::Percent | Unit::Point))
    } else if asks(&["how much money", " cost", "price", "$", "dollar", "元", "多少钱", "金额"]) {
        Some(|unit| matches!(unit, Unit::Money(_)))
    } else if asks(&["how long", "how old", "多久", "多长时间", "几天", "几年", "多少年", "多少天"]) {
        Some(|unit| matches!(unit, Unit::Measure("year" | "month" | "day" | "hour" | "minute")))
    } else {
        None
    }
}

/// What a word counts that is only translated alike.
const ALIKE: f32 = 0.7;
/// Most things of a sentence that are looked at.
const MOST_THINGS: usize = 6;

/// Where a Chinese text seems to name people: foreign names with their dot, and a family name with one or two characters
/// where a name may begin and end.
fn people(text: &str) -> Vec<Range<usize>> {
    const FAMILIES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤";
    const BEFORE: &str = "由为是和与及、任经被让对向者人长员授师";
    const BEHIND: &str = "是为任在于和与及、的说表认指等担当执主饰创发出率曾于将也";
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let char_at = |at: usize| chars.get(at).map(|&(_, c)| c);
    let han = |at: usize| char_at(at).is_some_and(is_han);
    let mut people = Vec::new();
    for (at, &(byte, c)) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(char_at);
        if matches!(c, '·' | '•' | '‧') && before.is_some_and(is_han) && han(at + 1) {
            people.push(byte..byte + c.len_utf8());
        } else if FAMILIES.contains(c) && before.is_none_or(|c| !is_han(c) || BEFORE.contains(c)) {
            let ends = |n: usize| char_at(at + n).is_none_or(|c| !is_han(c) || BEHIND.contains(c));
            if let Some(n) = [2, 3].into_iter().find(|&n| (1..n).all(|i| han(at + i)) && ends(n)) {
                people.push(byte..chars.get(at + n).map_or(text.len(), |&(byte, _)| byte));
            }
        }
    }
    people
}

/// Whether a sentence begins with a word that points back.
fn points_back(text: &str) -> bool {
    const BACK: &[&str] = &["他", "她", "它", "其", "该", "此", "这", "因此", "所以", "同时", "另外", "此外"];
    const BACK_EN: &[&str] = &["he", "she", "it", "they", "this", "these", "that", "those", "his", "her", "its", "their", "such"];
    let first = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_lowercase();
    BACK.iter().any(|word| text.starts_with(word)) || BACK_EN.contains(&first.as_str())
}

/// The sentences of a passage in order, rows of tables as one each.
fn read(evidence: &Evidence, hit: &Hit) -> Vec<Sentence> {
    let mut read = Vec::new();
    for (part, page, range) in cite::places(evidence, hit) {
        for place in cite::pieces(page, range) {
            let block = page.blocks.iter().find(|b| b.range().contains(&place.end.saturating_sub(1)));
            if block.is_some_and(|b| matches!(b.kind, BlockKind::Heading(_))) {
                continue;
            }
            read.push(sentence(page, part, place, block.is_some_and(|b| b.table.is_some())));
        }
    }
    read
}

fn sentence(page: &Page, part: u32, place: Range<usize>, table: bool) -> Sentence {
    let text = one_line(&page.text[place.clone()]).into_owned();
    let lower = fold(&text).into_owned();
    let terms = terms(&lower);
    Sentence { place, part, text, lower, terms, table }
}

fn terms(text: &str) -> HashSet<u32> {
    index::lexical::analyse(text).terms.into_iter().map(|(term, _)| term).collect()
}

/// What is counted as a unit of wording.
#[derive(Clone, Copy)]
enum Units {
    Characters,
    Stems,
}

impl Units {
    fn grams(self, text: &str, n: usize) -> HashSet<String> {
        match self {
            Self::Stems => {
                let stems: Vec<String> = tokens(text).into_iter().filter(|token| !token.starts_with('#')).collect();
                stems.windows(n).map(|window| window.join(" ")).collect()
            }
            Self::Characters => {
                let mut grams = HashSet::new();
                for run in text.split(|c: char| !c.is_alphanumeric()) {
                    let chars: Vec<char> = run.chars().collect();
                    grams.extend(chars.windows(n).map(|window| window.iter().collect::<String>()));
                }
                grams
            }
        }
    }
}

/// How much a token tells beyond how rare it is: a single Chinese character is part of too many words.
fn tells(token: &str) -> f32 {
    if token.chars().all(is_han) && token.chars().count() == 1 { 0.3 } else { 1.0 }
}

/// What asks in a Chinese question, longest first.
const ASKING: &[&str] = &[
    "什么时候",
    "什么时间",
    "什么地方",
    "什么样的",
    "哪一年",
    "哪一个",
    "哪几个",
    "哪些",
    "哪个",
    "哪位",
    "哪里",
    "哪儿",
    "哪年",
    "哪天",
    "哪家",
    "哪种",
    "哪所",
    "哪部",
    "哪座",
    "哪支",
    "哪",
    "多少",
    "多大",
    "多长",
    "多高",
    "多久",
    "几",
    "什么",
    "为何",
    "何时",
    "何处",
    "何年",
    "何地",
    "何人",
    "何种",
    "如何",
    "怎么样",
    "怎么",
    "怎样",
    "谁",
    "是否",
    "何",
];

/// A folded question around the word that asks.
fn around_asking(folded: &str, chinese: bool) -> (&str, &str, &str) {
    if chinese {
        let found = ASKING
            .iter()
            .filter_map(|word| Some((folded.find(word)?, word.len())))
            .min_by_key(|(at, length)| (*at, usize::MAX - length));
        if let Some((at, length)) = found {
            let before = folded[..at].trim_end_matches(['是', '于', '在', '为', '有', '由', '了', '被', '的', '到', '和', '与']);
            let after = folded[at + length..].trim_start_matches(['是', '的', '个', '了']);
            return (before, &folded[at..at + length], after);
        }
        return (folded, "", "");
    }
    const WORDS: &[&str] = &["what", "which", "who", "whom", "whose", "when", "where", "why", "how"];
    let mut at = 0;
    for word in folded.split_inclusive(' ') {
        if WORDS.contains(&word.trim().trim_end_matches("'s")) {
            return (&folded[..at], &folded[at..at + word.trim_end().len()], &folded[at + word.len()..]);
        }
        at += word.len();
    }
    (folded, "", "")
}

fn without_asking(folded: &str) -> String {
    ASKING.iter().chain(&["吗", "呢", "请问"]).fold(folded.to_owned(), |text, word| text.replace(word, " "))
}

/// The noun that names what is asked for, behind the word that asks.
fn sought(after: &str, asking: &str, chinese: bool) -> Option<String> {
    if chinese {
        if !asking.starts_with('哪') && !asking.starts_with("什么") && asking != "何种" {
            return None;
        }
        let noun: String = after.chars().take_while(|c| is_han(*c)).take(2).collect();
        return (noun.chars().count() == 2).then_some(noun);
    }
    if !matches!(asking, "what" | "which") {
        return None;
    }
    let mut words = after.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next()?;
    const PLAIN: &[&str] = &[
        "is", "are", "was", "were", "did", "do", "does", "has", "have", "had", "the", "a", "an", "can", "could", "would",
        "should", "will", "type", "kind", "of",
    ];
    (first.len() > 2 && !PLAIN.contains(&first)).then(|| first.trim_end_matches('s').to_owned())
}

/// What a folded question counts: the noun behind `how many`, the measure word behind `多少`.
fn counted(folded: &str) -> Option<String> {
    if let Some((_, behind)) = folded.split_once("how many ") {
        let noun = behind.split(|c: char| !c.is_alphanumeric()).next()?;
        return (noun.len() > 2).then(|| noun.trim_end_matches('s').to_owned());
    }
    let (_, behind) = folded.split_once("多少").or_else(|| folded.split_once('几'))?;
    let first = behind.chars().next().filter(|c| is_han(*c) && !"是的呢了".contains(*c))?;
    Some(first.to_string())
}

/// The names in a question, folded: sure ones whole, else their capitalised words.
fn names(question: &Question) -> Vec<String> {
    let mut names: Vec<String> =
        question.names.iter().filter(|name| name.sure).map(|name| fold(&name.text).into_owned()).collect();
    let first = question.text.split_whitespace().next().unwrap_or("");
    for word in capitals(&question.text).filter(|word| *word != first) {
        let word = fold(word).into_owned();
        if !names.iter().any(|name| name.contains(&word)) {
            names.push(word);
        }
    }
    names
}

/// The capitalised Latin words of a text that do not begin it.
fn capitals(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '\'' | '&'))).filter(|word| word.len() > 1);
    words.enumerate().filter(|(at, word)| *at > 0 && word.starts_with(|c: char| c.is_ascii_uppercase())).map(|(_, word)| word)
}

/// The words of a folded text that hold a digit.
fn figures(folded: &str) -> Vec<String> {
    let words = folded.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ',')));
    let words = words.map(|word| word.trim_matches(['.', ',']));
    words.filter(|word| word.contains(|c: char| c.is_ascii_digit())).map(str::to_owned).collect()
}

/// Whether a folded text denies something or leaves something out.
fn denies(folded: &str) -> bool {
    const WORDS: &[&str] = &["not", "never", "no", "without", "cannot", "besides", "except", "neither", "nor", "other"];
    const CHINESE: &[&str] = &["不是", "没有", "并非", "未能", "不能", "不属于", "除了", "除", "不包括", "无法"];
    folded.contains("n't ")
        || folded.contains("n’t ")
        || folded.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
        || CHINESE.iter().any(|word| folded.contains(word))
}

const CAUSES: &[&str] =
    &["因", "由于", "所致", "导致", "为了", "because", "due to", "result", "driven by", "reason", "cause", "since "];
const WHERE: &[&str] =
    &["位于", "地址", "出生于", "分布", "省", "市", "县", "国", "州", "located", "headquarter", " in ", " at ", " near "];

/// Words that turn a sentence around when one stands for the other.
const OPPOSITES: &[(&str, &str)] = &[
    ("most", "least"),
    ("most", "fewest"),
    ("largest", "smallest"),
    ("biggest", "smallest"),
    ("highest", "lowest"),
    ("longest", "shortest"),
    ("oldest", "youngest"),
    ("best", "worst"),
    ("first", "last"),
    ("earliest", "latest"),
    ("more", "less"),
    ("more", "fewer"),
    ("higher", "lower"),
    ("increase", "decrease"),
    ("increased", "decreased"),
    ("increasing", "decreasing"),
    ("rise", "fall"),
    ("rose", "fell"),
    ("gain", "loss"),
    ("before", "after"),
    ("above", "below"),
    ("north", "south"),
    ("northern", "southern"),
    ("east", "west"),
    ("eastern", "western"),
    ("accept", "refuse"),
    ("accepted", "refused"),
    ("accepted", "rejected"),
    ("allow", "prohibit"),
    ("allowed", "prohibited"),
    ("include", "exclude"),
    ("included", "excluded"),
    ("male", "female"),
    ("men", "women"),
    ("begin", "end"),
    ("began", "ended"),
    ("public", "private"),
    ("encouraged", "discouraged"),
    ("support", "oppose"),
    ("supported", "opposed"),
    ("major", "minor"),
    ("import", "export"),
    ("imports", "exports"),
    ("bought", "sold"),
    ("internal", "external"),
    ("maximum", "minimum"),
    ("same", "different"),
    ("always", "never"),
    ("strong", "weak"),
    ("success", "failure"),
    ("positive", "negative"),
    ("win", "lose"),
    ("won", "lost"),
    ("early", "late"),
    ("similar", "different"),
    ("indoor", "outdoor"),
    ("income", "expense"),
    ("asset", "liability"),
    ("assets", "liabilities"),
    ("buyer", "seller"),
    ("domestic", "foreign"),
    ("current", "former"),
    ("最多", "最少"),
    ("最大", "最小"),
    ("最高", "最低"),
    ("最长", "最短"),
    ("最早", "最晚"),
    ("最早", "最后"),
    ("首次", "最后"),
    ("第一", "最后"),
    ("增加", "减少"),
    ("增长", "下降"),
    ("上升", "下降"),
    ("上涨", "下跌"),
    ("提高", "降低"),
    ("买入", "卖出"),
    ("进口", "出口"),
    ("支持", "反对"),
    ("允许", "禁止"),
    ("成功", "失败"),
    ("优点", "缺点"),
    ("优势", "劣势"),
    ("国内", "国外"),
    ("境内", "境外"),
    ("收入", "支出"),
    ("盈利", "亏损"),
    ("开始", "结束"),
    ("男", "女"),
    ("东部", "西部"),
    ("南部", "北部"),
    ("上游", "下游"),
    ("资产", "负债"),
    ("流入", "流出"),
    ("之前", "之后"),
];

/// The opposites of what a folded question says, as (said, turned around).
fn opposites(folded: &str) -> Vec<(&'static str, &'static str)> {
    let both = OPPOSITES.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
    both.filter(|(said, turned)| whole(folded, said) && !whole(folded, turned)).collect()
}

/// Whether a word stands in a text as a whole.
fn whole(text: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    text.match_indices(word).any(|(at, _)| {
        !word.is_ascii() || !letter(text[..at].chars().next_back()) && !letter(text[at + word.len()..].chars().next())
    })
}

fn flag(holds: bool) -> f32 {
    if holds { 1.0 } else { 0.0 }
}

fn sign(holds: bool) -> f32 {
    if holds { 1.0 } else { -1.0 }
}
