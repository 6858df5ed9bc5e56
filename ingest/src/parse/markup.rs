//! HTML and Markdown: which blocks of a marked-up text does a reader see, and in which order?

use index::page::BlockKind;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use scraper::{ElementRef, Html, Node, node::Element};

use super::{
    About, Sink,
    flow::{Flow, Grid, GridCell, Placer, clean, is_wide, numbered_heading},
    text::{paragraphs, warnings},
};
use crate::{IngestError, sniff::decode};

/// HTML of reports is far smaller; the tree of a larger one takes hundreds of megabytes.
const HTML_BYTES: usize = 24 << 20;
/// Open elements. The builder of the tree is quadratic in it.
const DEPTH: usize = 400;
/// Levels of nested quotes and lists in Markdown, which its parser also walks repeatedly.
const MARKDOWN_DEPTH: usize = 60;

/// HTML.
pub(super) fn html(bytes: &[u8], sink: &mut Sink) -> Result<About, IngestError> {
    if bytes.len() > HTML_BYTES {
        return Err(IngestError::ParserLimit { limit: format!("HTML of more than {} MB", HTML_BYTES >> 20) });
    }
    let decoded = decode(bytes, declared_charset(bytes).as_deref());
    if nesting(&decoded.text) > DEPTH {
        return Err(IngestError::ParserLimit { limit: format!("HTML elements nested more than {DEPTH} deep") });
    }
    let tree = Html::parse_document(&decoded.text);
    let mut about = About { warnings: warnings(decoded.replaced, decoded.encoding), ..About::default() };
    let mut flow = Flow::unpaged(sink);
    let mut walk = Walk { flow: &mut flow, inline: String::new(), lists: Vec::new(), main: has_main(&tree) };
    walk.children(tree.root_element())?;
    walk.end_paragraph()?;
    let heading = flow.finish()?;
    let named = |name: &str| tree.root_element().descendent_elements().find(|e| e.value().name() == name);
    let title = named("title").map(|n| clean(&text_of(n))).filter(|t| t.chars().count() > 1);
    about.title = match (title, heading) {
        // A site repeats its name in the title; a heading that stands in it is the title proper.
        (Some(title), Some(heading)) if title.contains(&heading) => Some(heading),
        (title, heading) => title.or(heading),
    };
    for meta in tree.root_element().descendent_elements().map(|e| e.value()).filter(|e| e.name() == "meta") {
        let name = meta.attr("name").or(meta.attr("property")).unwrap_or_default().to_ascii_lowercase();
        let content = meta.attr("content").map(clean).filter(|c| !c.is_empty());
        match name.as_str() {
            "author" if about.author.is_none() => about.author = content,
            "date" | "article:published_time" | "dc.date" if about.created.is_none() => about.created = content,
            _ => {}
        }
    }
    Ok(about)
}

/// The encoding in a `meta` element or an XML declaration near the start.
fn declared_charset(bytes: &[u8]) -> Option<String> {
    let head: String = bytes.iter().take(4096).map(|b| b.to_ascii_lowercase() as char).collect();
    let at = head.find("charset=").map(|at| at + 8).or_else(|| head.find("encoding=").map(|at| at + 9))?;
    let label: String = head[at..]
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    (!label.is_empty()).then_some(label)
}

/// The deepest nesting of elements, by counting tags that need an end.
fn nesting(text: &str) -> usize {
    const VOID: [&str; 14] = ["br", "hr", "img", "input", "meta", "link", "p", "li", "td", "tr", "th", "option", "col", "wbr"];
    let (mut depth, mut deepest) = (0usize, 0usize);
    let mut at = 0;
    while let Some(next) = text[at..].find('<') {
        at += next + 1;
        let rest = &text[at..];
        let (closing, rest) = rest.strip_prefix('/').map_or((false, rest), |r| (true, r));
        let length = rest.bytes().take(12).take_while(u8::is_ascii_alphanumeric).count();
        let tag = &rest[..length];
        let is = |name: &&str| tag.eq_ignore_ascii_case(name);
        if let Some(raw) = ["script", "style"].iter().find(|n| is(n))
            && !closing
        {
            // A comparison in a script opens no element.
            at += end_of_raw(&text[at..], raw);
            continue;
        }
        if length == 0 || VOID.iter().any(is) {
            continue;
        }
        if closing {
            depth = depth.saturating_sub(1);
        } else {
            depth += 1;
            deepest = deepest.max(depth);
        }
    }
    deepest
}

/// Where the closing tag of a script or style stands; the end of the text if there is none.
fn end_of_raw(text: &str, name: &str) -> usize {
    let closes =
        |at: &usize| text.as_bytes()[at + 2..].get(..name.len()).is_some_and(|t| t.eq_ignore_ascii_case(name.as_bytes()));
    text.match_indices("</").map(|(at, _)| at).find(closes).map_or(text.len(), |at| at + 2)
}

/// Whether the page says which part of it is the content.
fn has_main(tree: &Html) -> bool {
    tree.root_element().descendent_elements().map(|e| e.value()).any(|e| e.name() == "main" || e.attr("role") == Some("main"))
}

struct Walk<'f, 'a, 'b> {
    flow: &'f mut Flow<'a, 'b>,
    /// Text of the paragraph being read; a line feed is a `<br>`.
    inline: String,
    /// Open lists: `None` for bullets, the next number otherwise.
    lists: Vec<Option<usize>>,
    main: bool,
}

impl Walk<'_, '_, '_> {
    fn children(&mut self, node: ElementRef) -> Result<(), IngestError> {
        for child in node.children() {
            match child.value() {
                Node::Text(text) => push_folded(&mut self.inline, text),
                _ => ElementRef::wrap(child).map_or(Ok(()), |e| self.element(e))?,
            }
        }
        Ok(())
    }

    fn element(&mut self, node: ElementRef) -> Result<(), IngestError> {
        let element = node.value();
        if is_hidden(element) || (self.is_boilerplate(node, element)) {
            return Ok(());
        }
        match element.name() {
            "br" => {
                self.inline.push('\n');
                Ok(())
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_paragraph()?;
                let level = element.name().as_bytes()[1] - b'0';
                self.flow.block(BlockKind::Heading(level), &clean(&text_of(node)))
            }
            "table" => {
                self.end_paragraph()?;
                if is_layout(node) {
                    self.children(node).and_then(|()| self.end_paragraph())
                } else {
                    self.flow.table(table(node)?)
                }
            }
            "ul" | "ol" => {
                self.end_paragraph()?;
                let start = element.attr("start").and_then(|s| s.parse().ok()).unwrap_or(1);
                self.lists.push((element.name() == "ol").then_some(start));
                self.children(node)?;
                self.end_paragraph()?;
                self.lists.pop();
                Ok(())
            }
            "li" => self.item(node),
            "pre" => {
                self.end_paragraph()?;
                self.flow.block(BlockKind::Paragraph, &text_of(node))
            }
            "figcaption" | "caption" => {
                self.end_paragraph()?;
                self.flow.block(BlockKind::Caption, &clean(&text_of(node)))
            }
            "td" | "th" | "dt" | "dd" | "p" | "div" | "section" | "article" | "main" | "body" | "html" | "blockquote" | "tr"
            | "address" | "details" | "summary" | "figure" | "dl" | "hr" | "center" | "fieldset" => {
                self.end_paragraph()?;
                self.children(node)?;
                self.end_paragraph()
            }
            _ => self.children(node),
        }
    }

    fn item(&mut self, node: ElementRef) -> Result<(), IngestError> {
        self.end_paragraph()?;
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.inline = format!("{number}. ");
                *number += 1;
            }
            _ => self.inline = "- ".into(),
        }
        let marker = self.inline.len();
        // The item's own first paragraph carries the marker.
        for child in node.children() {
            let bare = self.inline.len() == marker;
            match (child.value(), ElementRef::wrap(child)) {
                (Node::Text(text), _) => push_folded(&mut self.inline, text),
                (_, Some(e)) if bare && matches!(e.value().name(), "p" | "div" | "span") => self.children(e)?,
                (_, Some(e)) => self.element(e)?,
                _ => {}
            }
        }
        self.end_paragraph()
    }

    fn end_paragraph(&mut self) -> Result<(), IngestError> {
        let text = std::mem::take(&mut self.inline);
        let text = text.trim();
        if text.is_empty() || text == "-" {
            return Ok(());
        }
        if text.starts_with("- ") || (!self.lists.is_empty() && text.starts_with(|c: char| c.is_ascii_digit())) {
            return self.flow.block(BlockKind::ListItem, &clean(text));
        }
        if text.contains('\n') {
            return paragraphs(self.flow, text);
        }
        let text = clean(text);
        let kind = numbered_heading(&text).map_or(BlockKind::Paragraph, BlockKind::Heading);
        self.flow.block(kind, &text)
    }

    /// Navigation, page headers and footers, forms, and lists that are nothing but links.
    fn is_boilerplate(&self, node: ElementRef, element: &Element) -> bool {
        match element.name() {
            "nav" | "aside" | "form" | "button" | "select" | "textarea" | "input" | "menu" | "dialog" => true,
            "header" | "footer" => {
                !node
                    .ancestors()
                    .filter_map(ElementRef::wrap)
                    .any(|e| matches!(e.value().name(), "article" | "main" | "blockquote"))
                    || element.name() == "footer"
            }
            "ul" | "ol" => is_link_list(node),
            _ => {
                let role = element.attr("role").unwrap_or_default();
                matches!(role, "navigation" | "banner" | "contentinfo" | "search" | "complementary" | "menu")
                    || (self.main && element.name() == "div" && is_named_boilerplate(element))
            }
        }
    }
}

fn is_named_boilerplate(element: &Element) -> bool {
    let names = [element.attr("id"), element.attr("class")];
    names
        .into_iter()
        .flatten()
        .flat_map(str::split_whitespace)
        .any(|n| matches!(n, "nav" | "navbar" | "sidebar" | "menu" | "footer" | "breadcrumb" | "breadcrumbs" | "cookie"))
}

fn is_hidden(element: &Element) -> bool {
    let style = element.attr("style").unwrap_or_default().to_ascii_lowercase();
    matches!(
        element.name(),
        "script"
            | "style"
            | "noscript"
            | "template"
            | "head"
            | "svg"
            | "iframe"
            | "object"
            | "math"
            | "canvas"
            | "video"
            | "audio"
            | "ix:header"
    ) || element.attr("hidden").is_some()
        || style.replace(' ', "").contains("display:none")
}

/// Three or more items, nearly all of whose text is links to elsewhere.
fn is_link_list(node: ElementRef) -> bool {
    let items: Vec<_> = node.child_elements().filter(|e| e.value().name() == "li").collect();
    let links = |n: &ElementRef| {
        let anchors = n.descendent_elements().filter(|e| e.value().name() == "a" && e.value().attr("href").is_some());
        let linked: usize = anchors.map(|a| clean(&text_of(a)).len()).sum();
        let all = clean(&text_of(*n));
        linked > 0 && linked * 10 >= all.len() * 9 && all.chars().count() <= 60
    };
    items.len() >= 3 && items.iter().filter(|n| links(n)).count() * 10 >= items.len() * 9
}

/// A table that only arranges other blocks.
fn is_layout(table: ElementRef) -> bool {
    let inside = || table.descendent_elements().skip(1).map(|e| e.value());
    if table.value().attr("role").is_some_and(|r| r == "presentation" || r == "none") {
        return true;
    }
    let cells = inside().filter(|e| matches!(e.name(), "td" | "th")).count();
    let nested = inside().any(|e| e.name() == "table");
    let headed = inside().any(|e| matches!(e.name(), "th" | "caption"));
    let long = || clean(&text_of(table)).chars().count();
    (nested && !headed && (cells <= 6 || long() > 400 * cells))
        || (cells <= 2 && inside().any(|e| matches!(e.name(), "p" | "div" | "ul" | "h1" | "h2" | "h3")) && long() > 500)
}

fn table(node: ElementRef) -> Result<Grid, IngestError> {
    let mut placer = Placer::default();
    let mut heads = 0;
    let mut caption = None;
    let (mut still_head, mut rows) = (true, 0);
    // Rows of this table and not of one inside a cell; row groups in the order of the page.
    let mut groups = vec![node];
    groups.extend(node.child_elements().filter(|e| matches!(e.value().name(), "thead" | "tbody" | "tfoot")));
    for group in groups {
        for child in group.child_elements() {
            let e = child.value();
            if e.name() == "caption" {
                caption = Some(clean(&text_of(child))).filter(|c| !c.is_empty());
            }
            if e.name() != "tr" || is_hidden(e) {
                continue;
            }
            let cells: Vec<_> = child
                .child_elements()
                .map(|n| (n, n.value()))
                .filter(|(_, e)| matches!(e.name(), "td" | "th") && !is_hidden(e))
                .collect();
            let in_head = group.value().name() == "thead";
            let all_th = !cells.is_empty() && cells.iter().all(|(_, e)| e.name() == "th");
            still_head &= in_head || all_th;
            heads += usize::from(still_head);
            rows += 1;
            let span = |e: &Element, name: &str| e.attr(name).and_then(|s| s.trim().parse::<usize>().ok());
            placer.row(cells.into_iter().map(|(n, e)| {
                let rows = span(e, "rowspan").map_or(1, |n| if n == 0 { usize::MAX } else { n });
                (clean(&text_of(n)), span(e, "colspan").unwrap_or(1), rows)
            }))?;
        }
    }
    Ok(Grid { caption, header_rows: Some(heads).filter(|h| *h > 0 && *h < rows), rows: merge_signs(placer.finish()) })
}

/// Filings set `$`, `(` and `)` or `%` into cells of their own beside the number: they belong to it.
fn merge_signs(mut rows: Vec<Vec<GridCell>>) -> Vec<Vec<GridCell>> {
    for row in &mut rows {
        for n in 0..row.len() {
            let next = (n + 1..row.len().min(n + 3)).find(|m| !row[*m].text.is_empty());
            let Some(m) = next else { continue };
            let number = |t: &str| t.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '(' | '-' | '—' | '.'));
            if matches!(row[n].text.as_str(), "$" | "€" | "£" | "¥" | "($" | "(") && number(&row[m].text) {
                let sign = std::mem::take(&mut row[n].text);
                row[m].text.insert_str(0, &sign);
            } else if matches!(row[m].text.as_str(), ")" | "%" | ")%" | "%)")
                && row[n].text.ends_with(|c: char| c.is_ascii_digit() || c == ')')
            {
                let sign = std::mem::take(&mut row[m].text);
                row[n].text.push_str(&sign);
            }
        }
    }
    rows
}

/// All text below a node, a line feed where a block or `<br>` divides it.
fn text_of(node: ElementRef) -> String {
    let mut out = String::new();
    collect(node, &mut out);
    out
}

fn collect(node: ElementRef, out: &mut String) {
    for child in node.children() {
        match child.value() {
            Node::Text(text) => out.push_str(text),
            Node::Element(e) if !is_hidden(e) => {
                let divides = matches!(
                    e.name(),
                    "br" | "p" | "div" | "li" | "tr" | "td" | "th" | "table" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4"
                );
                if divides && !out.is_empty() {
                    out.push_str(if matches!(e.name(), "td" | "th") { " " } else { "\n" });
                }
                ElementRef::wrap(child).into_iter().for_each(|c| collect(c, out));
                if divides && e.name() != "br" {
                    out.push('\n');
                }
            }
            _ => {}
        }
    }
}

/// Appends text as a browser shows it: blanks and line feeds of the source fold to one blank.
fn push_folded(out: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_whitespace() && c != '\u{3000}' {
            if !out.is_empty() && !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
    }
}

/// Markdown.
pub(super) fn markdown(bytes: &[u8], sink: &mut Sink) -> Result<About, IngestError> {
    let decoded = decode(bytes, None);
    let text = decoded.text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(IngestError::Empty);
    }
    let (front, body) = front_matter(&text);
    let mut about = About { warnings: warnings(decoded.replaced, decoded.encoding), ..About::default() };
    let mut reader = Reader {
        flow: Flow::unpaged(sink),
        inline: String::new(),
        lists: Vec::new(),
        table: None,
        picture: None,
        html: String::new(),
        depth: 0,
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for event in Parser::new_ext(body, options) {
        reader.event(event)?;
    }
    reader.end_paragraph()?;
    let heading = reader.flow.finish()?;
    about.title = front_value(front, "title").or(heading);
    about.author = front_value(front, "author");
    about.created = front_value(front, "date");
    Ok(about)
}

/// The block between two `---` at the very start, and the rest.
fn front_matter(text: &str) -> (&str, &str) {
    let body = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    match body {
        Some((front, body)) if front.lines().all(|l| l.is_empty() || l.contains(':') || l.starts_with([' ', '-', '#'])) => {
            (front, body)
        }
        _ => ("", text),
    }
}

fn front_value(front: &str, key: &str) -> Option<String> {
    let line = front.lines().find_map(|l| l.strip_prefix(key)?.trim_start().strip_prefix(':'))?;
    let value = line.trim().trim_matches(['"', '\'']).trim();
    (!value.is_empty()).then(|| value.to_owned())
}

struct Reader<'a, 'b> {
    flow: Flow<'a, 'b>,
    inline: String,
    lists: Vec<Option<u64>>,
    table: Option<(Vec<Vec<String>>, usize)>,
    /// Where the description of the picture being read begins in `inline`.
    picture: Option<usize>,
    /// A run of raw HTML, which reports use for tables Markdown cannot draw.
    html: String,
    depth: usize,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event) -> Result<(), IngestError> {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                if self.depth > MARKDOWN_DEPTH {
                    return Err(IngestError::ParserLimit { limit: format!("Markdown nested more than {MARKDOWN_DEPTH} deep") });
                }
                self.start(tag)
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                self.end(tag)
            }
            Event::Text(text) | Event::Code(text) => {
                self.inline.push_str(&text);
                Ok(())
            }
            Event::SoftBreak | Event::HardBreak => {
                self.inline.push('\n');
                Ok(())
            }
            Event::Html(html) => {
                self.html.push_str(&html);
                Ok(())
            }
            Event::InlineHtml(html) => {
                if html.starts_with("<br") {
                    self.inline.push('\n');
                }
                Ok(())
            }
            Event::TaskListMarker(done) => {
                self.inline.push_str(if done { "[x] " } else { "[ ] " });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, tag: Tag) -> Result<(), IngestError> {
        match tag {
            Tag::Table(_) => {
                self.end_paragraph()?;
                self.table = Some((Vec::new(), 0));
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some((rows, _)) = &mut self.table {
                    rows.push(Vec::new());
                }
            }
            Tag::List(first) => {
                self.end_paragraph()?;
                self.lists.push(first);
            }
            Tag::Item => {
                self.end_paragraph()?;
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        self.inline = format!("{number}. ");
                        *number += 1;
                    }
                    _ => self.inline = "- ".into(),
                }
            }
            Tag::Image { .. } => self.picture = Some(self.inline.len()),
            Tag::CodeBlock(_) | Tag::Heading { .. } | Tag::FootnoteDefinition(_) | Tag::BlockQuote(_) => self.end_paragraph()?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), IngestError> {
        match tag {
            TagEnd::Heading(level) => {
                let text = clean(&std::mem::take(&mut self.inline));
                self.flow.block(BlockKind::Heading(level_of(level)), &text)
            }
            TagEnd::TableCell => {
                let text = clean(&std::mem::take(&mut self.inline));
                if let Some(row) = self.table.as_mut().and_then(|(rows, _)| rows.last_mut()) {
                    row.push(text);
                }
                Ok(())
            }
            TagEnd::TableHead => {
                if let Some((rows, head)) = &mut self.table {
                    *head = rows.len();
                }
                Ok(())
            }
            TagEnd::Table => {
                let Some((rows, head)) = self.table.take() else { return Ok(()) };
                let empty_head = rows.first().is_some_and(|r| r.iter().all(String::is_empty));
                let grid = Grid::of_rows(rows);
                self.flow.table(Grid { header_rows: (!empty_head).then_some(head), ..grid })
            }
            TagEnd::List(_) => {
                self.end_paragraph()?;
                self.lists.pop();
                Ok(())
            }
            TagEnd::CodeBlock => {
                let text = std::mem::take(&mut self.inline);
                self.flow.block(BlockKind::Paragraph, &text)
            }
            TagEnd::Image => {
                // `image001` describes nothing.
                let from = self.picture.take().unwrap_or(self.inline.len());
                let said = self.inline.get(from..).unwrap_or_default();
                if !said.contains([' ', '\u{3000}']) && !said.contains(is_wide) {
                    self.inline.truncate(from);
                }
                Ok(())
            }
            TagEnd::HtmlBlock => self.end_html(),
            TagEnd::FootnoteDefinition => {
                let text = clean(&std::mem::take(&mut self.inline));
                self.flow.block(BlockKind::Footnote, &text)
            }
            TagEnd::Paragraph | TagEnd::Item | TagEnd::BlockQuote(_) => self.end_paragraph(),
            _ => Ok(()),
        }
    }

    fn end_paragraph(&mut self) -> Result<(), IngestError> {
        let text = std::mem::take(&mut self.inline);
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed == "-" {
            return Ok(());
        }
        if !self.lists.is_empty() {
            return self.flow.block(BlockKind::ListItem, &clean(trimmed));
        }
        if text.contains('\n') {
            // Tables drawn without the rule that Markdown asks for.
            return paragraphs(&mut self.flow, &text);
        }
        let kind = numbered_heading(trimmed).map_or(BlockKind::Paragraph, BlockKind::Heading);
        self.flow.block(kind, trimmed)
    }

    fn end_html(&mut self) -> Result<(), IngestError> {
        self.end_paragraph()?;
        let html = std::mem::take(&mut self.html);
        if nesting(&html) > DEPTH {
            return Err(IngestError::ParserLimit { limit: format!("HTML elements nested more than {DEPTH} deep") });
        }
        let tree = Html::parse_fragment(&html);
        let mut walk = Walk { flow: &mut self.flow, inline: String::new(), lists: Vec::new(), main: false };
        walk.children(tree.root_element())?;
        walk.end_paragraph()
    }
}

fn level_of(level: HeadingLevel) -> u8 {
    level as u8
}

#[cfg(test)]
mod tests {
    use BlockKind::{Caption, Heading, ListItem, Paragraph, Table};
    use index::{fault::Coded, page::Page};

    use super::*;

    fn read(parse: impl Fn(&[u8], &mut Sink) -> Result<About, IngestError>, text: &[u8]) -> (Vec<Page>, About) {
        let mut pages = Vec::new();
        let about = parse(text, &mut |page| {
            pages.push(page);
            Ok(())
        });
        (pages, about.unwrap())
    }

    fn check(parse: impl Fn(&[u8], &mut Sink) -> Result<About, IngestError>, text: &str, wanted: &[(BlockKind, &str)]) {
        let (pages, _) = read(parse, text.as_bytes());
        let got: Vec<(BlockKind, &str)> = pages[0].blocks.iter().map(|b| (b.kind, &pages[0].text[b.range()])).collect();
        assert_eq!(got, wanted);
    }

    #[test]
    fn a_cell_over_two_rows_does_not_shift_its_neighbours() {
        let text =
            "<table><caption>表1 费用（单位：万元）</caption><tr><th rowspan=2>企业<th colspan=2>费用<tr><th>2022年<th>2023年
            <tr><td rowspan=2>云梯<td>1<td>2<tr><td>3<td>4</table>";
        check(
            html,
            text,
            &[(Caption, "表1 费用（单位：万元）"), (Table, "企业 | 费用\n企业 | 2022年 | 2023年\n云梯 | 1 | 2\n云梯 | 3 | 4")],
        );
        let (pages, _) = read(html, text.as_bytes());
        let table = pages[0].blocks[1].table.as_ref().unwrap();
        assert_eq!((table.header_rows, table.unit.as_deref()), (2, Some("单位：万元")));
        assert_eq!(table.rows[0].iter().map(|c| (c.column, c.column_span)).collect::<Vec<_>>(), [(0, 1), (1, 2)]);
        assert_eq!(table.rows[3].iter().map(|c| c.column).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_filing_keeps_its_signs_at_the_numbers() {
        let text = "<table><tr><td></td><td></td><td colspan=2>2023</td><td></td><td colspan=2>2022</td></tr>
            <tr><td>Net sales</td><td></td><td>$</td><td>1,200</td><td></td><td>$</td><td>900</td></tr>
            <tr><td>Loss</td><td></td><td></td><td>(12</td><td>)</td><td></td><td>—</td></tr></table>";
        check(html, text, &[(Table, " | 2023 | 2022\nNet sales | $1,200 | $900\nLoss | (12) | —")]);
    }

    #[test]
    fn navigation_and_scripts_are_left_out() {
        let text = "<html><head><title>Report — Site</title><script>if (a<b) x()</script></head><body><nav>Home</nav>
            <ul><li><a href=/a>A</a><li><a href=/b>B</a><li><a href=/c>C</a></ul><header>Logo</header>
            <main><h1>Report</h1><p>Sales<br>rose.</p><ol start=3><li><p>Third</p><ul><li>Inner</ul></ol>
            <p style='display: none'>x</p></main><footer>©</footer>";
        check(
            html,
            text,
            &[(Heading(1), "Report"), (Paragraph, "Sales"), (Paragraph, "rose."), (ListItem, "3. Third"), (ListItem, "- Inner")],
        );
        assert_eq!(read(html, text.as_bytes()).1.title.as_deref(), Some("Report"));
    }

    #[test]
    fn the_encoding_in_the_page_is_believed() {
        let text = "<html><head><meta charset=gb2312><title>年度报告</title></head><body><p>利润</p></body></html>";
        let (bytes, _, _) = encoding_rs::GBK.encode(text);
        assert_eq!(read(html, &bytes).1.title.as_deref(), Some("年度报告"));
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_parsed() {
        let spans = format!("<table>{}</table>", "<tr><td colspan=1000 rowspan=65534>x".repeat(50_000));
        for text in ["<div>".repeat(100_000), spans] {
            assert_eq!(html(text.as_bytes(), &mut |_| Ok(())).unwrap_err().code(), "parser_limit");
        }
        assert_eq!(markdown("> ".repeat(5_000).as_bytes(), &mut |_| Ok(())).unwrap_err().code(), "parser_limit");
    }

    #[test]
    fn markdown_gives_headings_lists_tables_and_code() {
        let text = "---\ntitle: \"年报\"\ndate: 2023-09-01\n---\n# 一 概述\n\n正文**重点**。\n\n- 甲\n  1. 乙\n\n![image001](a.png)\n\n表1 收入\n\n| 企业 | 2022年 |\n|---|---|\n| 云梯 | 1.5 |\n\n```\nlet x;\n```\n";
        let wanted = [
            (Heading(1), "一 概述"),
            (Paragraph, "正文重点。"),
            (ListItem, "- 甲"),
            (ListItem, "1. 乙"),
            (Caption, "表1 收入"),
            (Table, "企业 | 2022年\n云梯 | 1.5"),
            (Paragraph, "let x;"),
        ];
        check(markdown, text, &wanted);
        let (_, about) = read(markdown, text.as_bytes());
        assert_eq!((about.title.as_deref(), about.created.as_deref()), (Some("年报"), Some("2023-09-01")));
    }

    #[test]
    fn html_tables_in_markdown_are_tables() {
        let text = "Text\n\n<table><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table>\n";
        check(markdown, text, &[(Paragraph, "Text"), (Table, "a | 1\nb | 2")]);
    }

    #[test]
    fn cut_off_and_mixed_up_markup_does_not_panic() {
        let text = "<html><table><tr><td rowspan=3>甲<td>乙<tr><h1>标题<ul><li>x<table><tr><td>&nbsp;</html><p>— 尾";
        for end in (0..text.len()).filter(|n| text.is_char_boundary(*n)) {
            let _ = html(&text.as_bytes()[..end], &mut |_| Ok(()));
            let _ = markdown(&text.as_bytes()[..end], &mut |_| Ok(()));
        }
    }
}
