//! What does a PDF say, page by page?
//!
//! Pages are interpreted one after the other into compact sheets ([`glyphs`]); a window of sheets is held so that
//! running headers can be told from text ([`margins::Margins`]), then each is laid out and sent on. Text that cannot be
//! trusted ([`quality`]) is left out with a warning: the page is sent, empty.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro_interpret::InterpreterCache;
use hayro_interpret::hayro_syntax::object::{Array, Dict, Name, String as PdfString};
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use index::page::{BlockKind, Page};

use super::{About, Sink};
use crate::IngestError;
use glyphs::{CidMaps, Sheet};
use quality::{Quality, page_list};

mod glyphs;
mod layout;
mod margins;
mod quality;
mod role;
mod table;
mod write;

/// Sheets held at once: enough to see what repeats, little enough for memory.
const WINDOW: usize = 64;
/// Pages beyond which a file is refused.
const PAGES: usize = 10_000;
/// Bytes of text beyond which a file is refused.
const TEXT: usize = 64 << 20;

/// Reads a PDF and sends its pages.
///
/// # Errors
/// `encrypted_document`, `corrupt_document`, `parser_limit`; and whatever `sink` returns.
pub fn parse(bytes: &[u8], sink: &mut Sink) -> Result<About, IngestError> {
    let pdf = open(bytes)?;
    let count = pdf.pages().len();
    if count == 0 {
        return Err(corrupt("it has no pages"));
    }
    if count > PAGES {
        return Err(limit(format!("{count} pages; at most {PAGES} are read")));
    }
    let labels = guarded(|| page_labels(&pdf, count)).unwrap_or_default();
    let mut reader = Reader {
        cids: guarded(|| CidMaps::of(&pdf)).unwrap_or_default(),
        cache: InterpreterCache::new(),
        margins: margins::Margins::default(),
        body: None,
        title: None,
        text: 0,
        foot: None,
        findings: Vec::new(),
    };
    for from in (0..count).step_by(WINDOW) {
        reader.window(&pdf, from..(from + WINDOW).min(count), &labels, sink)?;
    }
    Ok(reader.about(&pdf))
}

fn open(bytes: &[u8]) -> Result<Pdf, IngestError> {
    match guarded(|| Pdf::new(bytes.to_vec())) {
        Some(Ok(pdf)) => Ok(pdf),
        Some(Err(LoadPdfError::Decryption(DecryptionError::PasswordProtected))) => Err(IngestError::Encrypted { format: "PDF" }),
        Some(Err(LoadPdfError::Decryption(_))) => Err(corrupt("its encryption is of a kind that cannot be read")),
        Some(Err(LoadPdfError::Invalid)) if !bytes.windows(5).take(2048).any(|w| w == b"%PDF-") => {
            Err(corrupt("it does not begin like a PDF"))
        }
        Some(Err(LoadPdfError::Invalid)) => Err(corrupt("its list of pages cannot be found; it may be cut off")),
        None => Err(corrupt("its structure contradicts itself")),
    }
}

fn corrupt(reason: &str) -> IngestError {
    IngestError::Corrupt { format: "PDF", reason: reason.into() }
}

fn limit(limit: String) -> IngestError {
    IngestError::ParserLimit { limit }
}

/// Runs something that may panic on a damaged file.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

/// What is known of the document while its pages go by.
struct Reader<'a> {
    cids: CidMaps,
    cache: InterpreterCache<'a>,
    margins: margins::Margins,
    body: Option<f32>,
    title: Option<String>,
    text: usize,
    /// The table at the foot of the last page.
    foot: Option<table::Grid>,
    findings: Vec<(Finding, u32)>,
}

/// Something a person should know about a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Damaged,
    Scan,
    Unmapped,
    Garbled,
    Holes,
}

impl<'a> Reader<'a> {
    /// Reads some pages, compares their margins, and sends them.
    fn window(
        &mut self,
        pdf: &'a Pdf,
        range: std::ops::Range<usize>,
        labels: &[Option<String>],
        sink: &mut Sink,
    ) -> Result<(), IngestError> {
        let mut sheets = Vec::with_capacity(range.len());
        for index in range {
            let number = index as u32 + 1;
            let sheet = self.sheet(pdf, index)?;
            self.margins.note(number, &sheet);
            sheets.push((number, sheet));
        }
        let body = *self.body.get_or_insert_with(|| layout::body_size(sheets.iter().map(|(_, sheet)| sheet)));
        let words = write::Vocabulary::of(sheets.iter().map(|(_, sheet)| sheet));
        for (number, sheet) in sheets {
            let mut blank = Page { number, width: sheet.width, height: sheet.height, ..Page::default() };
            blank.label = labels.get(number as usize - 1).cloned().flatten();
            let page = self.page(blank, sheet, body, &words);
            self.text += page.text.len();
            if self.text > TEXT {
                return Err(limit(format!("more than {} MB of text", TEXT >> 20)));
            }
            sink(page)?;
        }
        self.margins.fade();
        Ok(())
    }

    fn sheet(&mut self, pdf: &'a Pdf, index: usize) -> Result<Sheet, IngestError> {
        let Some(page) = pdf.pages().get(index) else { return Ok(Sheet::default()) };
        let number = index as u32 + 1;
        let Some(sheet) = guarded(|| glyphs::sheet(page, pdf, &self.cache, &self.cids)) else {
            self.findings.push((Finding::Damaged, number));
            // The cache may be half-changed.
            self.cache = InterpreterCache::new();
            let (width, height) = guarded(|| page.render_dimensions()).unwrap_or_default();
            return Ok(Sheet { width, height, ..Sheet::default() });
        };
        if sheet.overflow {
            return Err(limit(format!("more than {} characters on page {number}", glyphs::GLYPHS_PER_PAGE)));
        }
        Ok(sheet)
    }

    fn page(&mut self, blank: Page, sheet: Sheet, body: f32, words: &write::Vocabulary) -> Page {
        let number = blank.number;
        let finding = match sheet.tally.quality(sheet.picture) {
            Quality::Good if sheet.tally.unmapped > 0 => Some(Finding::Holes),
            Quality::Good | Quality::Blank => None,
            Quality::Picture => Some(Finding::Scan),
            Quality::Unmapped => Some(Finding::Unmapped),
            Quality::Garbled => Some(Finding::Garbled),
        };
        self.findings.extend(finding.map(|finding| (finding, number)));
        if matches!(finding, Some(Finding::Unmapped | Finding::Garbled)) {
            return blank;
        }
        let slanted: String = sheet.slanted.concat();
        let empty = blank.clone();
        let margins = &self.margins;
        let foot = self.foot.take();
        let laid_out = guarded(|| {
            let mut parts = layout::drafts(number, sheet, margins, body);
            let foot = carry_over(&mut parts, foot);
            let title = if number <= 2 { title_of(&parts) } else { None };
            let mut writer = write::Writer::new(blank, words);
            for (turn, drafts) in parts {
                writer.write(turn, drafts);
            }
            if !slanted.trim().is_empty() {
                writer.aside(&slanted);
            }
            (writer.finish(), title, foot)
        });
        let Some((page, title, foot)) = laid_out else {
            self.findings.push((Finding::Damaged, number));
            return empty;
        };
        self.title = self.title.take().or(title);
        self.foot = foot;
        page
    }

    fn about(mut self, pdf: &Pdf) -> About {
        let meta = pdf.metadata();
        let said = |bytes: &Option<Box<[u8]>>| {
            bytes.as_deref().map(decode).map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|s| !s.is_empty())
        };
        let title = better_title(self.title.take(), said(&meta.title).filter(|t| is_title(t)));
        let author = said(&meta.author)
            .filter(|a| a.chars().count() <= 200 && a.chars().any(char::is_alphabetic) && !a.to_lowercase().contains("untitled"));
        let created = meta
            .creation_date
            .as_ref()
            .filter(|d| (1985..2100).contains(&d.year) && (1..=12).contains(&d.month) && (1..=31).contains(&d.day));
        About {
            title,
            author,
            created: created.map(|d| format!("{:04}-{:02}-{:02}", d.year, d.month, d.day)),
            paged: true,
            warnings: self.warnings(),
        }
    }

    fn warnings(&mut self) -> Vec<String> {
        self.findings.sort_unstable();
        self.findings
            .chunk_by(|a, b| a.0 == b.0)
            .map(|group| {
                let pages = page_list(&group.iter().map(|(_, page)| *page).collect::<Vec<_>>());
                match group[0].0 {
                    Finding::Damaged => format!("{pages}: damaged, left out"),
                    Finding::Scan => format!("{pages}: no text layer (a scan?); text recognition is not built in"),
                    Finding::Unmapped => format!("{pages}: the font does not say which characters it shows, text left out"),
                    Finding::Garbled => format!("{pages}: the font's character map is wrong, text left out"),
                    Finding::Holes => format!("{pages}: some characters could not be read and are missing"),
                }
            })
            .collect()
    }
}

/// Tells a table at the head of a page what it continues: caption, header and unit of the table at the foot of the page
/// before. Returns the table at the foot of this page.
fn carry_over(parts: &mut [(glyphs::Turn, Vec<layout::Draft>)], foot: Option<table::Grid>) -> Option<table::Grid> {
    let mut body: Vec<&mut layout::Draft> =
        parts.iter_mut().flat_map(|(_, drafts)| drafts).filter(|d| d.kind != BlockKind::Furniture).collect();
    if let (Some(foot), Some(layout::Draft { content: layout::Content::Grid(head), .. })) = (foot, body.first_mut()) {
        foot.carry_over(head);
    }
    match body.last() {
        Some(layout::Draft { content: layout::Content::Grid(grid), .. }) => Some(grid.clone()),
        _ => None,
    }
}

/// The labels of the pages, where the catalog has them: `iv`, `F-12`.
fn page_labels(pdf: &Pdf, count: usize) -> Vec<Option<String>> {
    let mut ranges: Vec<(usize, Dict<'_>)> = Vec::new();
    let root = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id());
    let Some(tree) = root.and_then(|root| root.get::<Dict<'_>>("PageLabels")) else { return Vec::new() };
    let mut nodes = vec![(tree, 0)];
    let mut visited = 0;
    while let Some((node, depth)) = nodes.pop() {
        visited += 1;
        if visited > 10_000 {
            break;
        }
        if let Some(numbers) = node.get::<Array<'_>>("Nums") {
            let mut entries = numbers.flex_iter();
            while let Some(first) = entries.next::<i32>() {
                let Some(range) = entries.next::<Dict<'_>>() else { break };
                if let Ok(first) = usize::try_from(first) {
                    ranges.push((first, range));
                }
            }
        }
        if depth < 16
            && let Some(kids) = node.get::<Array<'_>>("Kids")
        {
            nodes.extend(kids.iter::<Dict<'_>>().take(10_000).map(|kid| (kid, depth + 1)));
        }
    }
    ranges.sort_by_key(|(first, _)| *first);
    let mut labels = vec![None; count];
    for (k, (first, range)) in ranges.iter().enumerate() {
        let end = ranges.get(k + 1).map_or(count, |(next, _)| (*next).min(count));
        let style = range.get::<Name<'_>>("S").map(|n| n.as_str().to_owned()).unwrap_or_default();
        let prefix = range.get::<PdfString<'_>>("P").map(|p| decode(p.as_bytes())).unwrap_or_default();
        let start = range.get::<i32>("St").and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        for (offset, label) in labels.iter_mut().take(end).skip(*first).enumerate() {
            let text = format!("{}{}", prefix.trim(), numeral(&style, start.saturating_add(offset as u32)));
            *label = Some(text).filter(|t| !t.is_empty() && t.chars().count() <= 40);
        }
    }
    labels
}

fn numeral(style: &str, n: u32) -> String {
    match style {
        "D" => n.to_string(),
        "R" => roman(n),
        "r" => roman(n).to_lowercase(),
        "A" | "a" if (1..=26 * 20).contains(&n) => {
            let letter = char::from(if style == "A" { b'A' } else { b'a' } + ((n - 1) % 26) as u8);
            letter.to_string().repeat((n as usize - 1) / 26 + 1)
        }
        _ => String::new(),
    }
}

fn roman(mut n: u32) -> String {
    const STEPS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if n > 3999 {
        return n.to_string();
    }
    let mut text = String::new();
    for (value, sign) in STEPS {
        while n >= value {
            text.push_str(sign);
            n -= value;
        }
    }
    text
}

/// A text string of the file: UTF-16 or UTF-8 with a byte order mark, else PDFDocEncoding, or GBK if it looks like it.
fn decode(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xFE, 0xFF, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        [0xFF, 0xFE, rest @ ..] => encoding_rs::UTF_16LE.decode_without_bom_handling(rest).0.into_owned(),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ if bytes.is_ascii() => String::from_utf8_lossy(bytes).into_owned(),
        _ => match (std::str::from_utf8(bytes), encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(bytes)) {
            (Ok(text), _) => text.to_owned(),
            (_, Some(text)) if text.chars().filter(|c| layout::is_han(*c)).count() >= 2 => text.into_owned(),
            _ => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        },
    };
    text.chars().filter(|c| !c.is_control() && *c != '\u{FFFD}').collect()
}

/// Whether a text can stand as the title of a document: no file name, no number, no program's default.
fn is_title(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let count = text.chars().count();
    let file = [
        ".doc", ".docx", ".pdf", ".xls", ".xlsx", ".ppt", ".pptx", ".indd", ".qxd", ".txt", ".htm", ".html", ".rtf", ".wps",
        ".tex", ".dvi",
    ]
    .iter()
    .any(|end| lower.ends_with(end));
    let default = [
        "microsoft word",
        "microsoft powerpoint",
        "microsoft excel",
        "untitled",
        "无标题",
        "powerpoint presentation",
        "powerpoint 演示文稿",
        "document",
        "title",
        "slide 1",
        "演示文稿",
        "幻灯片 1",
        "word 文档",
        "文档",
    ]
    .iter()
    .any(|d| lower == *d || lower.starts_with("microsoft ") && lower.contains(" - ") || lower.starts_with("untitled"));
    let suffix = ["股份有限公司", "有限公司", "有限责任公司", "inc.", "inc", "ltd", "limited", "corporation", "plc", "company"]
        .contains(&lower.as_str());
    let path = text.contains(['\\', '_']) && !text.contains(' ') || lower.starts_with("http") || text.contains("0000");
    (2..=300).contains(&count) && letters * 2 >= count.min(40) && !file && !default && !suffix && !path
}

/// The title shown on the first page, unless it only names the kind of report and the metadata say whose it is.
fn better_title(shown: Option<String>, said: Option<String>) -> Option<String> {
    const KIND: [&str; 12] = [
        "annual",
        "report",
        "interim",
        "quarterly",
        "half",
        "year",
        "and",
        "accounts",
        "financial",
        "statements",
        "the",
        "results",
    ];
    let bare = |t: &str| {
        let words = t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty() && !w.chars().all(|c| c.is_ascii_digit()));
        words.filter(|w| !KIND.contains(&w.to_lowercase().as_str())).count() == 0
    };
    match (shown, said) {
        (Some(shown), Some(said)) if bare(&shown) && !bare(&said) => Some(said),
        (shown, said) => shown.or(said),
    }
}

/// The title shown on a page: its largest text; for a filing with an authority, the company and the form.
fn title_of(parts: &[(glyphs::Turn, Vec<layout::Draft>)]) -> Option<String> {
    let blocks: Vec<(f32, String)> = parts
        .iter()
        .flat_map(|(_, drafts)| drafts)
        .filter(|d| !matches!(d.kind, BlockKind::Furniture | BlockKind::Table))
        .map(|d| (d.size(), d.text()))
        .filter(|(_, text)| text.chars().filter(|c| c.is_alphanumeric()).count() >= 2)
        .collect();
    if let Some(title) = filing_title(&blocks) {
        return Some(title);
    }
    let candidates = |text: &str| (2..=160).contains(&text.chars().count()) && text.chars().any(char::is_alphabetic);
    let largest = blocks.iter().filter(|(_, t)| candidates(t) && is_title(t)).map(|(size, _)| *size).fold(0.0, f32::max);
    let first = blocks.iter().position(|(size, t)| *size >= 0.97 * largest && candidates(t) && is_title(t))?;
    // A cover spreads its title over a few large lines: the company, the year, the kind of report.
    let mut title = blocks[first].1.clone();
    for (size, text) in blocks[first + 1..].iter().take(3) {
        let long = title.chars().count() + text.chars().count() > 100;
        if *size < 0.72 * largest
            || long
            || !candidates(text)
            || role::is_numbered(text)
            || largest < 12.0
            || text.ends_with(['。', '.', ':', '：'])
        {
            break;
        }
        if !title.contains(text.as_str()) {
            write::join(&mut title, text);
        }
    }
    // The company and the kind of report belong to a title, if they stand on the page in smaller letters.
    let nearby = |words: &[&str]| {
        let says = |t: &str| words.iter().any(|w| t.to_lowercase().contains(w));
        let fits = |size: f32, t: &str| {
            size >= 0.5 * largest && t.chars().count() <= 50 && says(t) && !t.contains(['。', '：', ':', '，'])
        };
        (!says(&title)).then(|| blocks.iter().find(|(size, t)| fits(*size, t)).map(|(_, t)| t.clone())).flatten()
    };
    let company = nearby(&["股份有限公司", "有限公司", "有限责任公司", "集团"]);
    let kind = nearby(&["招股", "报告", "说明书", "意向书", "公告", "白皮书", "report", "prospectus", "outlook"]);
    if largest >= 12.0 && title.chars().any(layout::is_han) {
        title = [company, Some(title), kind].into_iter().flatten().collect::<Vec<_>>().join(" ");
    }
    Some(title)
}

/// The title of a filing: "THE BOEING COMPANY, Form 10-K, fiscal year ended December 31, 2022".
fn filing_title(blocks: &[(f32, String)]) -> Option<String> {
    let named = blocks.iter().position(|(_, text)| {
        let lower = text.to_lowercase();
        lower.contains("exact name of") && lower.contains("registrant")
    })?;
    let own =
        blocks[named].1.to_lowercase().find("(exact name").map(|at| blocks[named].1.get(..at).unwrap_or("").trim().to_owned());
    let elsewhere = ["address", "file number", "transition period", "telephone", "commission"];
    let names: Vec<&str> = blocks[..named]
        .iter()
        .rev()
        .take(7)
        .map(|(_, text)| text.trim())
        .filter(|t| (3..120).contains(&t.len()) && t.chars().filter(|c| c.is_alphabetic()).count() > 2 && !t.starts_with('('))
        .filter(|t| !elsewhere.iter().any(|w| t.to_lowercase().contains(w)))
        .collect();
    let suffixes = [
        "inc",
        "corp",
        "corporation",
        "company",
        "co",
        "ltd",
        "limited",
        "plc",
        "llc",
        "lp",
        "trust",
        "group",
        "holdings",
        "nv",
        "sa",
        "ag",
    ];
    let is_company = |t: &&&str| {
        let last = t.trim_end_matches(['.', ',', ')']).rsplit([' ', '(']).next().unwrap_or("").replace('.', "").to_lowercase();
        suffixes.contains(&last.as_str())
    };
    let above = || names.iter().find(is_company).or(names.first()).map(|t| (*t).to_owned());
    let company = own.filter(|t| t.len() > 2).or_else(above)?;
    let all: String = blocks.iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>().join(" ");
    let lower = all.to_ascii_lowercase();
    let form = lower.find("form ").and_then(|at| {
        let name: String = all.get(at + 5..)?.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        (name.len() <= 8 && name.chars().any(|c| c.is_ascii_digit())).then_some(name)
    });
    let period = ["fiscal year ended", "quarterly period ended", "year ended"].iter().find_map(|lead| {
        let at = lower.find(lead)?;
        let tail: String = all.get(at..)?.chars().take(lead.len() + 24).collect();
        let year = tail.char_indices().find(|(i, c)| {
            c.is_ascii_digit()
                && tail.get(*i..*i + 4).is_some_and(|y| y.starts_with("20") && y.bytes().all(|b| b.is_ascii_digit()))
        });
        year.and_then(|(i, _)| tail.get(..i + 4)).map(str::to_owned)
    });
    let company = company.trim_end_matches(['(', ' ', ',']).to_owned();
    Some([Some(company), form.map(|f| format!("Form {f}")), period].into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn title(text: &str, want: bool) {
        assert_eq!(is_title(text), want, "{text}");
    }

    #[test]
    fn file_names_numbers_and_defaults_are_no_titles() {
        title("Amcor reports fiscal 2023 results", true);
        title("四方科技集团股份有限公司 2019 年年度报告", true);
        title("Microsoft Word - report.doc", false);
        title("0000104169-22-000012", false);
        title("annual_report_final.pdf", false);
        title("股份有限公司", false);
        title("untitled", false);
    }

    #[test]
    fn text_strings_are_decoded_by_their_mark() {
        assert_eq!(decode(b"\xfe\xff\x5e\x74\x62\xa5"), "年报");
        assert_eq!(decode("年报".as_bytes()), "年报");
        assert_eq!(decode(b"Soci\xe9t\xe9"), "Société");
    }

    #[test]
    fn page_labels_are_written_in_their_style() {
        assert_eq!(numeral("r", 4), "iv");
        assert_eq!(numeral("R", 1999), "MCMXCIX");
        assert_eq!(numeral("D", 12), "12");
        assert_eq!(numeral("A", 28), "BB");
    }

    #[test]
    fn a_file_that_is_no_pdf_is_corrupt() {
        let error = parse(b"%PDF-1.7\ncut off", &mut |_| Ok(()));
        assert!(matches!(error, Err(IngestError::Corrupt { format: "PDF", .. })), "{error:?}");
    }

    fn samples() -> Option<PathBuf> {
        let data = std::env::var_os("DOSSIER_TEST_DATA").map(PathBuf::from);
        let data = data.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
        let own = data.parent()?.join("samples/own");
        own.is_dir().then_some(own)
    }

    fn read(path: &std::path::Path) -> (Result<About, IngestError>, Vec<Page>) {
        let mut pages = Vec::new();
        let about = parse(&std::fs::read(path).expect("a sample that was listed"), &mut |page| {
            pages.push(page);
            Ok(())
        });
        (about, pages)
    }

    /// The truth of a family: its paragraphs and headings in order, and the rows of its table.
    fn check(own: &std::path::Path, family: &str, kind: &str) {
        let truth = std::fs::read(own.join(format!("{family}.truth.json"))).expect("the truth beside the samples");
        let truth: serde_json::Value = serde_json::from_slice(&truth).expect("JSON");
        let name = format!("{family}.{kind}.pdf");
        let (about, pages) = read(&own.join(&name));
        assert!(
            about.expect(&name).title.is_some_and(|t| truth["title"].as_str().is_none_or(|want| t.contains(want))),
            "{name}: title"
        );
        let bare = |s: &str| s.split_whitespace().collect::<String>();
        let text: String = pages.iter().map(|p| bare(&p.text)).collect();
        let mut rows: Vec<Vec<String>> = Vec::new();
        for page in &pages {
            let mut last = 0;
            for word in &page.words {
                assert!(last <= word.start && word.start < word.end, "{name}: words in order");
                assert!(word.rect.iter().all(|v| (0.0..=1.0).contains(v)), "{name}: words on the page");
                last = word.end;
            }
            for table in page.blocks.iter().filter_map(|b| b.table.as_ref()) {
                rows.extend(
                    table
                        .rows
                        .iter()
                        .map(|row| row.iter().map(|c| bare(&page.text[c.range()])).filter(|t| !t.is_empty()).collect()),
                );
            }
        }
        let mut at = 0;
        for block in truth["blocks"].as_array().expect("blocks") {
            match (block["text"].as_str(), block["rows"].as_array()) {
                (Some(want), _) => {
                    let found = text[at..].find(&bare(want));
                    at += found.unwrap_or_else(|| panic!("{name}: `{want}` is missing or out of order"));
                }
                (_, Some(wanted)) => {
                    for row in wanted {
                        let want: Vec<String> =
                            row.as_array().expect("a row").iter().filter_map(|c| c.as_str()).map(bare).collect();
                        // The first cell may span rows.
                        assert!(rows.iter().any(|have| have == &want || have[..] == want[1..]), "{name}: row {want:?}");
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn our_samples_are_read_in_order_with_every_cell() {
        let Some(own) = samples() else {
            println!("skipped: no samples beside the test data");
            return;
        };
        for kind in ["onecol", "twocol", "word", "chrome", "enc-owner"] {
            check(&own, "gas-sensors", kind);
            check(&own, "llm-mall", kind);
        }
        check(&own, "llm-mall", "cid-unigb");
        check(&own, "llm-mall", "founder");
    }

    #[test]
    fn text_that_cannot_be_trusted_is_left_out_and_told() {
        let Some(own) = samples() else {
            println!("skipped: no samples beside the test data");
            return;
        };
        for (file, word) in
            [("notounicode", "does not say"), ("pua", "is wrong"), ("shifted", "is wrong"), ("scan", "no text layer")]
        {
            let (about, pages) = read(&own.join(format!("llm-mall.{file}.pdf")));
            let about = about.expect(file);
            assert!(pages.len() == 1 && pages[0].text.is_empty() && pages[0].number == 1, "{file}");
            assert!(about.warnings.iter().any(|w| w.starts_with("page 1:") && w.contains(word)), "{file}: {:?}", about.warnings);
        }
        assert!(matches!(read(&own.join("llm-mall.enc-user.pdf")).0, Err(IngestError::Encrypted { format: "PDF" })));
    }
}
