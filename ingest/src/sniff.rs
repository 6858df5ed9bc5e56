//! What is this file, and in which encoding is its text? Told from the bytes; the name only breaks ties.

use encoding_rs::{BIG5, Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::{IngestError, parse::Format};

/// How far into a file the marks of its kind are looked for.
const HEAD: usize = 1024;

/// What kind of file `bytes` are.
///
/// # Errors
/// `empty_document` if there is nothing in it, `unsupported_type` with the kind in plain words if no parser reads it.
pub fn sniff(bytes: &[u8], name: &str) -> Result<Format, IngestError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(IngestError::Empty);
    }
    if find(&bytes[..bytes.len().min(HEAD)], b"%PDF-").is_some() {
        return Ok(Format::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return package(bytes, name).map_err(|what| unsupported(what, name));
    }
    if bytes.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return compound(bytes).map_err(|what| unsupported(what, name));
    }
    if let Some(what) = binary_kind(bytes) {
        return Err(unsupported(what, name));
    }
    let head = decode(&bytes[..char_floor(bytes, 64 * 1024)], None).text;
    if head.trim().is_empty() && bytes.len() <= 64 * 1024 {
        return Err(IngestError::Empty);
    }
    if is_binary(&head) {
        return Err(unsupported("binary data of an unknown kind", name));
    }
    if let Some(what) = text_kind(&head) {
        return Err(unsupported(what, name));
    }
    let extension = extension(name);
    Ok(match extension.as_str() {
        _ if is_html(&head, &extension) => Format::Html,
        "md" | "markdown" | "mdown" | "mkd" => Format::Markdown,
        "csv" | "tsv" | "tab" => Format::Csv,
        "log" => Format::Text,
        _ if is_markdown(&head) => Format::Markdown,
        "txt" | "text" => Format::Text,
        _ if is_separated(&head) => Format::Csv,
        _ => Format::Text,
    })
}

/// The media type that a stored original is served with.
pub fn media_type(format: Format) -> &'static str {
    match format {
        Format::Pdf => "application/pdf",
        Format::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Format::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Format::Ole => "application/x-ole-storage",
        Format::Html => "text/html",
        Format::Markdown => "text/markdown",
        Format::Csv => "text/csv",
        Format::Text => "text/plain",
    }
}

/// Text out of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without a byte order mark.
    pub text: String,
    /// The name of the encoding.
    pub encoding: &'static str,
    /// How many characters could not be read and became U+FFFD.
    pub replaced: usize,
}

/// Reads `bytes` as text; `declared` is what the file or its carrier says about the encoding.
///
/// The order matters: UTF-16 of English text is valid UTF-8 with NULs in it, and a declared `gb2312` means GB18030.
pub fn decode(bytes: &[u8], declared: Option<&str>) -> Decoded {
    if let Some(big_endian) = utf32(bytes) {
        return decode_utf32(bytes, big_endian);
    }
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return decode_as(&bytes[mark..], encoding);
    }
    if let Some(encoding) = utf16(bytes) {
        return decode_as(bytes, encoding);
    }
    if std::str::from_utf8(bytes).is_ok() {
        return decode_as(bytes, UTF_8);
    }
    let declared = declared.and_then(|label| Encoding::for_label(label.trim().as_bytes())).map(widen);
    if let Some(encoding) = declared.filter(|e| *e != UTF_8 && !e.decode_without_bom_handling(bytes).1) {
        return decode_as(bytes, encoding);
    }
    decode_as(bytes, guess(bytes))
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    // Two megabytes decide as well as fifty.
    detector.feed(&bytes[..bytes.len().min(2 << 20)], true);
    let found = widen(detector.guess(None, chardetng::Utf8Detection::Deny));
    // Mostly UTF-8 with a few broken bytes is still UTF-8: the detector only ever answers with what it is allowed to.
    let lossy = String::from_utf8_lossy(&bytes[..bytes.len().min(2 << 20)]);
    let broken = lossy.matches('\u{FFFD}').count();
    let wide = lossy.chars().filter(|c| !c.is_ascii() && *c != '\u{FFFD}').count();
    if wide > 20 * broken {
        return UTF_8;
    }
    // A short Chinese text is easily taken for a Western one; a text that is all common Han characters is not chance.
    if !found.is_single_byte() {
        return if is_western(bytes, found) { WINDOWS_1252 } else { found };
    }
    [GB18030, BIG5].into_iter().find(|e| mostly_han(bytes, e) && !is_western(bytes, e)).unwrap_or(found)
}

/// Whether a short text read as East Asian has its wide characters inside Latin words, as `können` read as Big5 has.
fn is_western(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let (text, _) = encoding.decode_without_bom_handling(&bytes[..bytes.len().min(4096)]);
    let chars: Vec<char> = text.chars().collect();
    let wide = chars.iter().filter(|c| !c.is_ascii()).count();
    let inside = chars.windows(2).filter(|w| w[0].is_ascii_lowercase() && !w[1].is_ascii()).count();
    bytes.len() <= 4096 && inside * 2 >= wide && wide * 4 < chars.len()
}

fn mostly_han(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let head = &bytes[..bytes.len().min(64 * 1024)];
    let high = head.iter().filter(|b| **b >= 0x80).count();
    let (text, _) = encoding.decode_without_bom_handling(head);
    let han = text.chars().filter(|c| is_common_chinese(*c) && !c.is_ascii()).count();
    let other = text.chars().filter(|c| !is_common_chinese(*c)).count();
    high >= 6 && other * 50 <= han && han * 2 + 2 >= high * 9 / 10
}

/// GB2312 and GBK files use characters of GB18030 all the time, and it reads both.
fn widen(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == GBK { GB18030 } else { encoding }
}

fn decode_as(bytes: &[u8], encoding: &'static Encoding) -> Decoded {
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    let replaced = text.matches('\u{FFFD}').count();
    Decoded { text: text.into_owned(), encoding: encoding.name(), replaced }
}

/// Whether the bytes are UTF-32, and if so whether big endian.
fn utf32(bytes: &[u8]) -> Option<bool> {
    if bytes.len() < 8 || !bytes.len().is_multiple_of(4) {
        return None;
    }
    let fits =
        |big_endian: bool| units32(&bytes[..bytes.len().min(4096)], big_endian).all(|u| u != 0 && char::from_u32(u).is_some());
    [false, true].into_iter().find(|e| fits(*e))
}

fn units32(bytes: &[u8], big_endian: bool) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(move |b| {
        let four = [b[0], b[1], b[2], b[3]];
        if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    })
}

fn decode_utf32(bytes: &[u8], big_endian: bool) -> Decoded {
    let text: String =
        units32(bytes, big_endian).map(|u| char::from_u32(u).unwrap_or('\u{FFFD}')).filter(|c| *c != '\u{FEFF}').collect();
    let replaced = text.matches('\u{FFFD}').count();
    Decoded { text, encoding: if big_endian { "UTF-32BE" } else { "UTF-32LE" }, replaced }
}

/// UTF-16 without a mark: every second byte NUL as in English, or units that are nearly all common Chinese characters.
fn utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(64 * 1024) & !1];
    if head.len() < 4 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let nuls = |odd: usize| head.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, pairs) = (nuls(0), nuls(1), head.len() / 2);
    if odd * 5 > pairs && even * 20 < odd {
        return Some(UTF_16LE);
    }
    if even * 5 > pairs && odd * 20 < even {
        return Some(UTF_16BE);
    }
    if std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let plausible = |encoding: &'static Encoding| {
        let (text, broken) = encoding.decode_without_bom_handling(head);
        let common = text.chars().filter(|c| is_common_chinese(*c)).count();
        let all = text.chars().count();
        // A cut surrogate pair at the end of the head is not broken text.
        (!broken || head.len() < bytes.len()) && common * 100 >= all * 95
    };
    [UTF_16LE, UTF_16BE].into_iter().find(|e| plausible(e))
}

fn is_common_chinese(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF5E}' | '\u{2010}'..='\u{2026}' | '·' | '\t' | '\n' | '\r' | ' '..='~')
}

fn unsupported(what: &str, name: &str) -> IngestError {
    let name: String = name.rsplit(['/', '\\']).next().unwrap_or(name).chars().take(120).collect();
    let what = if name.is_empty() { what.to_owned() } else { format!("{what} named {name}") };
    IngestError::Unsupported { what }
}

/// The extension in lower case, without the dot.
pub(crate) fn extension(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    file.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// A cut of at most `max` bytes that does not split a UTF-8 character or a pair of bytes.
fn char_floor(bytes: &[u8], max: usize) -> usize {
    if bytes.len() <= max {
        return bytes.len();
    }
    let mut end = max & !3;
    while end > max - 8 && std::str::from_utf8(&bytes[end - 4..end]).is_err() && bytes[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    end
}

/// Which office format a ZIP holds, by the folders inside.
fn package(bytes: &[u8], name: &str) -> Result<Format, &'static str> {
    let mut names: Vec<String> = Vec::new();
    let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes));
    match &archive {
        Ok(archive) => names.extend(archive.file_names().flatten().take(2000).map(|n| n.into_owned())),
        // A cut-off package still names its first parts; the parser then says what is damaged.
        Err(_) => names.extend(local_names(bytes)),
    }
    let has = |prefix: &str| names.iter().any(|n| n.trim_start_matches('/').starts_with(prefix));
    match () {
        () if has("word/") => Ok(Format::Docx),
        () if has("xl/") => Ok(Format::Xlsx),
        () if has("ppt/") => Ok(Format::Pptx),
        () if archive.is_err() && extension(name) == "docx" => Ok(Format::Docx),
        () if archive.is_err() && extension(name) == "xlsx" => Ok(Format::Xlsx),
        () if archive.is_err() && extension(name) == "pptx" => Ok(Format::Pptx),
        () if has("META-INF/container.xml") => Err("an EPUB book"),
        () if has("content.xml") && has("META-INF/") => Err("an OpenDocument file"),
        () => Err("a ZIP archive without an office document in it"),
    }
}

fn local_names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while let Some(next) = bytes.get(at..).and_then(|rest| find(rest, b"PK\x03\x04")) {
        let header = at + next;
        let Some(length) = bytes.get(header + 26..header + 28) else { break };
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        if let Some(name) = bytes.get(header + 30..header + 30 + length) {
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        at = header + 30;
    }
    names
}

/// Whether an OLE file holds a Word, Excel or PowerPoint document, by the names of its streams.
fn compound(bytes: &[u8]) -> Result<Format, &'static str> {
    let has = |name: &str| {
        let wide: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        find(bytes, &wide).is_some()
    };
    if has("WordDocument") || has("Workbook") || has("PowerPoint Document") || has("EncryptedPackage") {
        return Ok(Format::Ole);
    }
    if has("__properties_version1.0") {
        return Err("an Outlook message");
    }
    // `Book` (Excel 5) is too short a name to look for in the whole file: the parser decides.
    Ok(Format::Ole)
}

fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 24] = [
        (b"\x89PNG\r\n\x1A\n", "a PNG picture"),
        (b"\xFF\xD8\xFF", "a JPEG picture"),
        (b"GIF87a", "a GIF picture"),
        (b"GIF89a", "a GIF picture"),
        (b"II*\0", "a TIFF picture"),
        (b"MM\0*", "a TIFF picture"),
        (b"8BPS", "a Photoshop picture"),
        (b"\x7FELF", "a program"),
        (b"MZ\x90", "a program"),
        (b"\xCA\xFE\xBA\xBE", "a program"),
        (b"\xCF\xFA\xED\xFE", "a program"),
        (b"\0asm", "a program"),
        (b"\x1F\x8B", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xFD7zXZ\0", "an xz archive"),
        (b"\x28\xB5\x2F\xFD", "a zstd archive"),
        (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
        (b"Rar!\x1A\x07", "a RAR archive"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"ID3", "a sound file"),
        (b"OggS", "a sound file"),
        (b"fLaC", "a sound file"),
        (b"\0\0\x01\0", "an icon"),
        (b"%!PS", "a PostScript file"),
    ];
    if let Some((_, what)) = KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(what);
    }
    match bytes.get(..12) {
        Some(head) if head.starts_with(b"RIFF") && head.ends_with(b"WEBP") => Some("a WebP picture"),
        Some(head) if head.starts_with(b"RIFF") => Some("a sound or video file"),
        Some(head) if &head[4..8] == b"ftyp" => Some("a video file"),
        Some(head) if head.starts_with(b"BM") && head[6..10] == [0; 4] => Some("a BMP picture"),
        _ => None,
    }
}

/// Kinds that are text outside and something else inside.
fn text_kind(head: &str) -> Option<&'static str> {
    let start = head.trim_start();
    if start.starts_with("{\\rtf") {
        return Some("an RTF document");
    }
    if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) {
        return Some("an SVG picture");
    }
    let header = |name: &str| start.lines().take(40).any(|l| l.len() > name.len() && l[..].starts_with(name));
    if header("MIME-Version:") && (header("From:") || header("Subject:") || header("Received:")) {
        return Some("an e-mail message");
    }
    None
}

fn is_binary(text: &str) -> bool {
    let controls =
        text.chars().filter(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0B' | '\x0C' | '\u{85}')).count();
    let broken = text.matches('\u{FFFD}').count();
    let all = text.chars().count();
    text.contains('\0') && controls * 200 > all || controls * 20 > all || broken * 5 > all
}

const TAGS: [&str; 20] = [
    "html", "head", "body", "title", "meta", "p", "div", "table", "h1", "h2", "h3", "ul", "ol", "span", "section", "article",
    "main", "style", "script", "link",
];

fn is_html(head: &str, extension: &str) -> bool {
    let mut start = head.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
    if extension == "md" || extension == "markdown" {
        // Markdown may begin with a tag.
        return false;
    }
    // Comments and the XML declaration come before the first tag.
    for _ in 0..20 {
        let rest = match start {
            s if s.starts_with("<!--") => s.split_once("-->").map(|(_, r)| r),
            s if s.starts_with("<?") => s.split_once('>').map(|(_, r)| r),
            _ => None,
        };
        let Some(rest) = rest else { break };
        start = rest.trim_start();
    }
    let lower: String = start.chars().take(4096).collect::<String>().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        return true;
    }
    let opens = |tag: &&str| {
        lower
            .strip_prefix('<')
            .and_then(|r| r.strip_prefix(*tag))
            .is_some_and(|r| r.starts_with(['>', ' ', '\n', '\r', '\t', '/']))
    };
    if TAGS.iter().any(opens) {
        return true;
    }
    let named = matches!(extension, "html" | "htm" | "xhtml" | "shtml");
    let all = head.to_ascii_lowercase();
    (named || lower.starts_with("<!doctype"))
        && TAGS.iter().any(|t| all.contains(&format!("<{t}>")) || all.contains(&format!("<{t} ")))
}

/// Clear syntax: headings, a table rule, fences, front matter, or several list items and emphasis.
fn is_markdown(head: &str) -> bool {
    let mut weight = 0;
    for (n, line) in head.lines().take(2000).enumerate() {
        let line = line.trim_end();
        let hashes = line.len() - line.trim_start_matches('#').len();
        weight += match line.trim_start() {
            "---" if n == 0 => 1,
            _ if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') && line.len() > hashes + 1 => 2,
            l if l.starts_with("```") => 1,
            l if l.contains('-') && l.contains('|') && l.chars().all(|c| matches!(c, '-' | '|' | ':' | ' ')) => 2,
            l if l.contains("](http") || l.starts_with("![") => 1,
            l if l.matches("**").count() >= 2 => 1,
            _ => 0,
        };
        if weight >= 2 {
            return true;
        }
    }
    false
}

/// At least three lines, nearly all with the same number of commas, semicolons or tabs outside quotes.
fn is_separated(head: &str) -> bool {
    let lines: Vec<&str> = head.lines().filter(|l| !l.trim().is_empty()).take(200).collect();
    // The last line of a cut head may be half a line.
    let lines = &lines[..lines.len().saturating_sub(usize::from(lines.len() > 3))];
    lines.len() >= 3 && [b',', b';', b'\t'].iter().any(|s| consistent(lines, *s))
}

fn consistent(lines: &[&str], separator: u8) -> bool {
    let counts: Vec<usize> = lines.iter().map(|l| count_outside_quotes(l, separator)).collect();
    let first = counts[0];
    let same = counts.iter().filter(|c| **c == first).count();
    let least = if separator == b'\t' { 1 } else { 2 };
    let prose = lines.iter().any(|l| l.ends_with(['.', '。']) && l.len() > 80);
    first >= least && same * 20 >= counts.len() * 19 && !prose
}

/// How often `separator` stands in `line` outside double quotes.
pub(crate) fn count_outside_quotes(line: &str, separator: u8) -> usize {
    let mut quoted = false;
    let mut count = 0;
    for b in line.bytes() {
        match b {
            b'"' => quoted = !quoted,
            _ if b == separator && !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use index::fault::Coded;

    use super::*;

    const CHINESE: &str = "本报告估算，2022年国内行业大模型市场规模为41.6亿元，预计2025年达到213.5亿元。";
    const TRADITIONAL: &str = "毛利率為百分之三十五，較去年同期增加。營業收入總計新台幣一百億元。";

    fn check(bytes: &[u8], name: &str, wanted: Format) {
        assert_eq!(sniff(bytes, name).unwrap(), wanted, "{name}");
    }

    fn refused(bytes: &[u8], name: &str, word: &str) {
        let error = sniff(bytes, name).unwrap_err();
        assert_eq!(error.code(), "unsupported_type");
        assert!(error.to_string().contains(word), "{error}");
    }

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn bytes_decide_and_the_name_breaks_ties() {
        check(b"junk\n%PDF-1.7\n", "report.txt", Format::Pdf);
        check(b"<!-- saved --><!DOCTYPE html><html><body>x", "report.txt", Format::Html);
        check(b"# Results\n\nSales rose.\n", "a", Format::Markdown);
        check(b"Sales rose.\nCosts fell.\n", "a", Format::Text);
        check(b"Sales rose, costs fell.", "a.md", Format::Markdown);
        check(b"name,year,sales\na,2023,5\nb,2023,6\nc,2023,7\n", "lines.jsonl:7", Format::Csv);
        check("甲，乙".as_bytes(), "a.txt", Format::Text);
        check(&utf16("name\tsales\n", false), "a.csv", Format::Csv);
        check("四个汉字".as_bytes(), "", Format::Text);
    }

    #[test]
    fn what_is_no_document_is_named_in_plain_words() {
        refused(b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "folder/report.pdf", "a PNG picture named report.pdf");
        refused(b"\xFF\xD8\xFF\xE0", "x", "a JPEG picture");
        refused(b"\x7FELF\x02\x01", "x", "a program");
        refused(b"{\\rtf1 hello}", "x.doc", "an RTF document");
        refused(&[7u8, 0, 1, 0, 200, 3, 0, 0, 9, 255, 0, 1, 2, 3, 4, 5, 6], "x.txt", "binary data");
        refused(b"From: a@b\nTo: c@d\nMIME-Version: 1.0\n\nhi", "x.eml", "an e-mail message");
        for nothing in [&b" \n "[..], b"", "\u{FEFF}".as_bytes()] {
            assert_eq!(sniff(nothing, "x.txt").unwrap_err().code(), "empty_document");
        }
    }

    #[test]
    fn every_chinese_encoding_reads_the_same() {
        for (encoding, text) in [(GB18030, CHINESE), (BIG5, TRADITIONAL)] {
            let (bytes, _, bad) = encoding.encode(text);
            assert!(!bad);
            let decoded = decode(&bytes, None);
            assert_eq!(decoded.text, text, "read as {}", decoded.encoding);
        }
        for big in [false, true] {
            assert_eq!(decode(&utf16(CHINESE, big), None).text, CHINESE);
            assert_eq!(decode(&utf16("Sales rose by 5%", big), None).text, "Sales rose by 5%");
        }
        let mut marked = vec![0xFF, 0xFE];
        marked.extend(utf16(CHINESE, false));
        assert_eq!(decode(&marked, None).text, CHINESE);
        assert_eq!(decode(CHINESE.as_bytes(), Some("gb2312")).text, CHINESE);
        let utf32: Vec<u8> = CHINESE.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        assert_eq!(decode(&utf32, None).text, CHINESE);
    }

    #[test]
    fn a_declared_gb2312_may_hold_characters_of_gb18030() {
        let text = "朱镕基人物镕㐀";
        let (bytes, _, _) = GB18030.encode(text);
        let decoded = decode(&bytes, Some("GB2312"));
        assert_eq!((decoded.text.as_str(), decoded.encoding, decoded.replaced), (text, "gb18030", 0));
    }

    #[test]
    fn a_short_text_is_taken_for_what_it_is() {
        let (bytes, _, _) = GB18030.encode("营业收入,2023年");
        assert_eq!(decode(&bytes, None).encoding, "gb18030");
        let german = b"## k\xF6nnen\n\nk\xF6nnen\n\n\xE4\xF6\xFC\xDF\n";
        assert_eq!(decode(german, None).text, "## können\n\nkönnen\n\näöüß\n");
    }

    #[test]
    fn a_few_broken_bytes_do_not_change_the_encoding() {
        let mut bytes = CHINESE.repeat(4).into_bytes();
        bytes[3] = 0xFF;
        let decoded = decode(&bytes, None);
        assert_eq!(decoded.encoding, "UTF-8");
        assert!(decoded.replaced > 0);
    }
}
