//! Word, Excel and PowerPoint, in their XML and their old binary forms: what a reader sees of them, as pages.
//!
//! A workbook gives one page a sheet and a presentation one page a slide; a Word file has no pages until it is printed
//! and flows on. Numbers are taken as they are displayed, never as they are stored.

use std::io::Cursor;

use index::page::BlockKind;
use office_oxide::{
    Document, DocumentFormat, OfficeError,
    ir::{DocumentIR, Element, List, Paragraph, Section, Table, inline_to_text},
    options::ParseOptions,
};

use super::{
    About, Format, Sink,
    flow::{Flow, Grid, GridCell, Placer, clean, is_amount, join_lines, numbered_heading},
};
use crate::{IngestError, sniff::extension};

/// Reads an office file; `name` breaks the tie between the old binary formats where the bytes leave one.
pub(super) fn parse(format: Format, bytes: &[u8], name: &str, sink: &mut Sink) -> Result<About, IngestError> {
    let (kind, word) = kind_of(format, bytes, name)?;
    let mut options = ParseOptions::strict();
    // Strict about what a small file may unfold to, not about a picture that could not be read.
    options.on_incomplete = office_oxide::options::OnIncomplete::Report;
    options.limits.part_bytes = 256 << 20;
    options.limits.package_bytes = 512 << 20;
    options.limits.package_entries = 50_000;
    options.limits.text_chars = 64 << 20;
    let document = Document::from_reader_with(Cursor::new(bytes.to_vec()), kind, &options).map_err(|e| explain(&e, word))?;
    let ir = document.to_ir();
    drop(document);
    let mut about = about(&ir);
    let (stated, heading) = match kind {
        DocumentFormat::Xlsx | DocumentFormat::Xls => sheets(&ir, sink, &mut about)?,
        DocumentFormat::Pptx | DocumentFormat::Ppt => slides(&ir, sink, &mut about)?,
        _ => flowing(&ir, sink)?,
    };
    // The title a reader sees comes before the one in the properties, which is often the template's.
    about.title = stated.or(about.title.take()).or(heading);
    Ok(about)
}

fn kind_of(format: Format, bytes: &[u8], name: &str) -> Result<(DocumentFormat, &'static str), IngestError> {
    let has = |stream: &str| {
        let wide: Vec<u8> = stream.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.windows(wide.len()).any(|w| w == wide)
    };
    Ok(match format {
        Format::Docx => (DocumentFormat::Docx, "DOCX file"),
        Format::Xlsx => (DocumentFormat::Xlsx, "XLSX file"),
        Format::Pptx => (DocumentFormat::Pptx, "PPTX file"),
        _ if has("EncryptedPackage") => return Err(IngestError::Encrypted { format: "office file" }),
        _ if has("PowerPoint Document") => (DocumentFormat::Ppt, "PPT file"),
        _ if has("Workbook") => (DocumentFormat::Xls, "XLS file"),
        _ if has("WordDocument") => (DocumentFormat::Doc, "DOC file"),
        _ if extension(name) == "xls" || has("Book") => (DocumentFormat::Xls, "XLS file"),
        _ => return Err(IngestError::Unsupported { what: "an OLE file without a Word, Excel or PowerPoint document".into() }),
    })
}

/// Says in the reader's words what the library said.
fn explain(error: &OfficeError, format: &'static str) -> IngestError {
    let said = error.to_string();
    let lower = said.to_ascii_lowercase();
    if lower.contains("encrypt") || lower.contains("password") {
        return IngestError::Encrypted { format };
    }
    if lower.contains("limit") {
        return IngestError::ParserLimit { limit: said };
    }
    IngestError::Corrupt { format, reason: said }
}

fn about(ir: &DocumentIR) -> About {
    let meta = &ir.metadata;
    let set = |s: &Option<String>| s.as_deref().map(clean).filter(|s| !s.is_empty());
    let mut warnings: Vec<String> = meta.warnings.iter().take(5).cloned().collect();
    if meta.text_truncated {
        warnings.push("some of its text could not be read".into());
    }
    About {
        title: set(&meta.title).filter(|t| is_title(t)),
        author: set(&meta.author),
        created: set(&meta.created),
        paged: false,
        warnings,
    }
}

/// Programs write their own name or the file's into the title.
fn is_title(title: &str) -> bool {
    let lower = title.to_lowercase();
    let program = [
        "microsoft word",
        "microsoft powerpoint",
        "powerpoint presentation",
        "powerpoint 演示文稿",
        "untitled",
        "document",
        "book1",
        "工作簿",
        "文档",
        "幻灯片",
        "title",
    ];
    let file = [".doc", ".docx", ".ppt", ".pptx", ".xls", ".xlsx", ".pdf", ".tmp"].iter().any(|e| lower.ends_with(e));
    title.chars().count() > 3 && !file && !program.iter().any(|p| lower.starts_with(p)) && title.chars().any(char::is_alphabetic)
}

/// A title that is marked as one, and a heading that may serve.
type Titles = (Option<String>, Option<String>);

fn flowing(ir: &DocumentIR, sink: &mut Sink) -> Result<Titles, IngestError> {
    let mut flow = Flow::unpaged(sink);
    let mut title = None;
    for section in &ir.sections {
        let mut writer = Writer { flow: &mut flow, title: &mut title, notes: Vec::new() };
        writer.elements(&section.elements)?;
        writer.notes()?;
    }
    let heading = flow.finish()?;
    Ok((title, heading))
}

fn slides(ir: &DocumentIR, sink: &mut Sink, about: &mut About) -> Result<Titles, IngestError> {
    about.paged = true;
    let mut flow = Flow::paged(sink);
    let (mut title, mut first) = (None, None);
    for (n, section) in ir.sections.iter().enumerate() {
        let heading = section.title.as_deref().map(clean).filter(|t| !t.is_empty());
        if n == 0 {
            first.clone_from(&heading);
        }
        flow.begin(Some((n + 1).to_string()));
        if section.hidden {
            about.warnings.push(format!("slide {} is hidden and was left out", n + 1));
        } else {
            if let Some(heading) = &heading
                && !begins_with(section, heading)
            {
                flow.block(BlockKind::Heading(1), heading)?;
            }
            let mut writer = Writer { flow: &mut flow, title: &mut title, notes: Vec::new() };
            writer.elements(&section.elements)?;
            writer.notes()?;
            // What the speaker says is not on the slide, and is often where the numbers are explained.
            for element in section.speaker_notes.iter().flatten() {
                flow.block(BlockKind::Footnote, &clean(&element_text(element)))?;
            }
        }
        flow.end()?;
    }
    flow.finish()?;
    Ok((None, first))
}

/// Whether the title of a slide already stands among its elements.
fn begins_with(section: &Section, title: &str) -> bool {
    section.elements.iter().take(8).any(|e| {
        matches!(e, Element::Heading(_) | Element::Paragraph(_) | Element::TextBox(_)) && clean(&element_text(e)) == title
    })
}

fn sheets(ir: &DocumentIR, sink: &mut Sink, about: &mut About) -> Result<Titles, IngestError> {
    about.paged = true;
    let mut flow = Flow::paged(sink);
    for section in &ir.sections {
        let name = section.title.as_deref().map(clean).unwrap_or_default();
        if section.hidden {
            about.warnings.push(format!("the sheet `{name}` is hidden and was left out"));
            continue;
        }
        flow.begin(Some(name).filter(|n| !n.is_empty()));
        let mut title = None;
        let mut writer = Writer { flow: &mut flow, title: &mut title, notes: Vec::new() };
        for element in &section.elements {
            match element {
                // The name of the sheet, which is its label.
                Element::Heading(h) if Some(inline_to_text(&h.content).trim()) == section.title.as_deref().map(str::trim) => {}
                Element::Table(table) => writer.sheet(table)?,
                other => writer.element(other)?,
            }
        }
        writer.notes()?;
        flow.end()?;
    }
    flow.finish()?;
    // The library takes the first sheet's name for a title.
    about.title.take_if(|t| ir.sections.iter().any(|s| s.title.as_deref().map(clean).as_ref() == Some(t)));
    Ok((None, None))
}

struct Writer<'w, 'a, 'b> {
    flow: &'w mut Flow<'a, 'b>,
    /// The paragraph in the style `Title`.
    title: &'w mut Option<String>,
    /// Foot- and endnotes, which go to the end of the section.
    notes: Vec<String>,
}

impl Writer<'_, '_, '_> {
    fn elements(&mut self, elements: &[Element]) -> Result<(), IngestError> {
        elements.iter().try_for_each(|e| self.element(e))
    }

    fn element(&mut self, element: &Element) -> Result<(), IngestError> {
        match element {
            Element::Heading(h) => self.flow.block(BlockKind::Heading(h.clamped_level()), &clean(&inline_to_text(&h.content))),
            Element::Paragraph(p) => self.paragraph(p),
            Element::Table(t) => {
                let grid = grid(t)?;
                self.flow.table(grid)
            }
            Element::List(l) => self.list(l, 0),
            Element::TextBox(b) => self.elements(&b.content),
            Element::Footnote(n) | Element::Endnote(n) => {
                // Review comments arrive as endnotes; they are talk about the text.
                let comment = n.author.is_some() || n.marker.as_deref().is_some_and(|m| m.starts_with("Comment"));
                let text = clean(&n.content.iter().map(element_text).collect::<Vec<_>>().join("\n"));
                if !comment && !text.is_empty() {
                    self.notes.push(text);
                }
                Ok(())
            }
            Element::CodeBlock(c) => self.flow.block(BlockKind::Paragraph, &c.content),
            _ => Ok(()),
        }
    }

    fn paragraph(&mut self, paragraph: &Paragraph) -> Result<(), IngestError> {
        let raw = inline_to_text(&paragraph.content);
        let style = paragraph.style.as_deref().unwrap_or_default().to_lowercase();
        let role = paragraph.placeholder_role.as_deref().unwrap_or_default();
        if matches!(role, "sldNum" | "ftr" | "hdr" | "dt")
            || style.starts_with("toc ")
            || matches!(style.as_str(), "header" | "footer")
        {
            return Ok(());
        }
        let text = clean(&raw);
        let named_title = style == "title" || style == "标题" || matches!(role, "title" | "ctrTitle");
        if named_title && self.title.is_none() && text.chars().count() > 1 {
            *self.title = Some(text.clone());
        }
        let outline = paragraph.outline_level.filter(|l| *l < 9).map(|l| (l + 1).min(6));
        let kind = match () {
            () if named_title => BlockKind::Heading(1),
            () if outline.is_some() => BlockKind::Heading(outline.unwrap_or(1)),
            () if style == "caption" || style == "题注" => BlockKind::Caption,
            () if raw.trim().contains('\n') => {
                // A line break inside a paragraph is meant: an address, a verse, a list without markers.
                return raw.lines().try_for_each(|l| self.flow.block(BlockKind::Paragraph, &clean(l)));
            }
            () => numbered_heading(&text).map_or(BlockKind::Paragraph, BlockKind::Heading),
        };
        self.flow.block(kind, &text)
    }

    fn list(&mut self, list: &List, depth: usize) -> Result<(), IngestError> {
        let mut number = list.start_number.unwrap_or(1);
        for item in &list.items {
            let text = join_lines(
                item.content
                    .iter()
                    .filter(|e| !matches!(e, Element::Table(_)))
                    .map(element_text)
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str),
            );
            let text = clean(&text);
            if !text.is_empty() {
                let marker = if list.ordered { format!("{number}{} ", list.ordered_delimiter()) } else { "- ".into() };
                self.flow.block(BlockKind::ListItem, &format!("{marker}{text}"))?;
                number += 1;
            }
            for element in item.content.iter().filter(|e| matches!(e, Element::Table(_))) {
                self.element(element)?;
            }
            if let Some(nested) = &item.nested
                && depth < 64
            {
                self.list(nested, depth + 1)?;
            }
        }
        Ok(())
    }

    /// A sheet: blocks of rows divided by empty rows are tables of their own.
    fn sheet(&mut self, table: &Table) -> Result<(), IngestError> {
        let grid = grid(table)?;
        let mut blocks: Vec<Vec<_>> = vec![Vec::new()];
        for row in grid.rows {
            if row.iter().all(|c| c.text.is_empty()) {
                if blocks.last().is_some_and(|b| !b.is_empty()) {
                    blocks.push(Vec::new());
                }
            } else if let Some(block) = blocks.last_mut() {
                block.push(row);
            }
        }
        let mut rows: Vec<_> = Vec::new();
        for block in blocks {
            // A header that an empty row sets off from its numbers belongs to them.
            rows.extend(block);
            if !is_header_alone(&rows) {
                self.flow.table(Grid { rows: std::mem::take(&mut rows), ..Grid::default() })?;
            }
        }
        if !rows.is_empty() {
            self.flow.table(Grid { rows, ..Grid::default() })?;
        }
        Ok(())
    }

    fn notes(&mut self) -> Result<(), IngestError> {
        std::mem::take(&mut self.notes).iter().try_for_each(|n| self.flow.block(BlockKind::Footnote, n))
    }
}

/// A few rows without amounts, over several columns.
fn is_header_alone(rows: &[Vec<GridCell>]) -> bool {
    let filled = |row: &Vec<GridCell>| row.iter().filter(|c| !c.text.is_empty()).count();
    rows.is_empty()
        || (rows.len() <= 3 && rows.iter().any(|r| filled(r) >= 2) && !rows.iter().flatten().any(|c| is_amount(&c.text)))
}

fn grid(table: &Table) -> Result<Grid, IngestError> {
    let mut placer = Placer::default();
    for row in &table.rows {
        placer.row(row.cells.iter().map(|cell| {
            let text = cell.content.iter().map(element_text).collect::<Vec<_>>().join("\n");
            (clean(&text), cell.col_span.max(1) as usize, cell.row_span.max(1) as usize)
        }))?;
    }
    let heads = table.rows.iter().take_while(|r| r.is_header || r.repeat_as_header).count();
    // Word marks the first row of nearly every table as its header; more than one row is a statement.
    let header_rows = Some(heads).filter(|h| *h > 1 && *h < table.rows.len());
    Ok(Grid { caption: table.caption.as_deref().map(clean).filter(|c| !c.is_empty()), header_rows, rows: placer.finish() })
}

/// All text of an element, a line for each block in it.
fn element_text(element: &Element) -> String {
    let all = |elements: &[Element]| elements.iter().map(element_text).collect::<Vec<_>>().join("\n");
    match element {
        Element::Heading(h) => inline_to_text(&h.content),
        Element::Paragraph(p) => inline_to_text(&p.content),
        Element::TextBox(b) => all(&b.content),
        Element::CodeBlock(c) => c.content.clone(),
        Element::Table(t) => t
            .rows
            .iter()
            .map(|r| r.cells.iter().map(|c| all(&c.content)).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join("\n"),
        Element::List(l) => list_text(l),
        _ => String::new(),
    }
}

fn list_text(list: &List) -> String {
    let item = |i: &office_oxide::ir::ListItem| {
        let own = i.content.iter().map(element_text).collect::<Vec<_>>().join("\n");
        i.nested.as_ref().map_or(own.clone(), |n| format!("{own}\n{}", list_text(n)))
    };
    list.items.iter().map(item).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use index::{fault::Coded, page::Page};
    use office_oxide::{
        create::create_from_markdown_to_writer,
        xlsx::write::{CellData, CellStyle, XlsxWriter},
    };

    use super::*;

    fn read(format: Format, bytes: &[u8]) -> Result<(Vec<Page>, About), IngestError> {
        let mut pages = Vec::new();
        let about = parse(format, bytes, "a", &mut |page| {
            pages.push(page);
            Ok(())
        })?;
        Ok((pages, about))
    }

    fn blocks(page: &Page) -> Vec<(BlockKind, &str)> {
        page.blocks.iter().map(|b| (b.kind, &page.text[b.range()])).collect()
    }

    /// A Word file with this body.
    fn docx(body: &str) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let parts = [
            (
                "[Content_Types].xml",
                r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#.to_owned(),
            ),
            (
                "_rels/.rels",
                r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#.to_owned(),
            ),
            (
                "word/document.xml",
                format!(r#"<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>"#),
            ),
        ];
        for (name, text) in parts {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn paragraph(text: &str) -> String {
        format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
    }

    fn cell(properties: &str, text: &str) -> String {
        format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", paragraph(text))
    }

    #[test]
    fn a_word_file_gives_headings_paragraphs_and_tables_with_merged_cells() {
        let rows = [
            [cell("<w:vMerge w:val=\"restart\"/>", "企业"), cell("<w:gridSpan w:val=\"2\"/>", "收入")].concat(),
            [cell("<w:vMerge/>", ""), cell("", "2022年"), cell("", "2023年")].concat(),
            [cell("", "云梯"), cell("", "1.5"), cell("", "2.5")].concat(),
        ];
        let table = format!("<w:tbl>{}</w:tbl>", rows.map(|r| format!("<w:tr>{r}</w:tr>")).concat());
        let heading = "<w:p><w:pPr><w:outlineLvl w:val=\"0\"/></w:pPr><w:r><w:t>经营情况</w:t></w:r></w:p>";
        let body =
            [heading.to_owned(), paragraph("（一）主营业务"), paragraph("收入增长。"), paragraph("单位：万元"), table].concat();
        let (pages, about) = read(Format::Docx, &docx(&body)).unwrap();
        let wanted = [
            (BlockKind::Heading(1), "经营情况"),
            (BlockKind::Heading(4), "（一）主营业务"),
            (BlockKind::Paragraph, "收入增长。"),
            (BlockKind::Caption, "单位：万元"),
            (BlockKind::Table, "企业 | 收入\n企业 | 2022年 | 2023年\n云梯 | 1.5 | 2.5"),
        ];
        assert_eq!(blocks(&pages[0]), wanted);
        let table = pages[0].blocks[4].table.as_ref().unwrap();
        assert_eq!((table.unit.as_deref(), table.header_rows, table.rows[0][1].column_span), (Some("单位：万元"), 2, 2));
        assert_eq!((about.title.as_deref(), about.paged), (Some("经营情况"), false));
    }

    #[test]
    fn a_workbook_gives_a_page_a_sheet_with_numbers_as_they_are_shown() {
        let mut writer = XlsxWriter::new();
        let text = |t: &str| CellData::String(t.into());
        {
            let mut sheet = writer.add_sheet("利润表");
            sheet.add_row(vec![text("合并利润表（单位：百万元）")]);
            sheet.add_row(vec![text("项目"), text("2022年"), text("2023年")]);
            sheet.add_row(vec![text("净利润")]);
            sheet.set_cell_styled(2, 1, CellData::Number(-86.4), CellStyle::new().number_format_code("#,##0.0_);(#,##0.0)"));
            sheet.set_cell_styled(2, 2, CellData::Number(0.738), CellStyle::new().number_format_code("0.0%"));
        }
        writer.add_sheet("草稿").add_row(vec![text("秘密"), text("1")]);
        writer.sheet_set_hidden(1, true);
        writer.add_sheet("空");
        let mut bytes = Cursor::new(Vec::new());
        writer.write_to(&mut bytes).unwrap();
        let (pages, about) = read(Format::Xlsx, bytes.get_ref()).unwrap();
        assert_eq!(
            pages.iter().map(|p| (p.number, p.label.as_deref())).collect::<Vec<_>>(),
            [(1, Some("利润表")), (2, Some("空"))]
        );
        let wanted = [
            (BlockKind::Caption, "合并利润表（单位：百万元）"),
            (BlockKind::Table, "项目 | 2022年 | 2023年\n净利润 | (86.4) | 73.8%"),
        ];
        assert_eq!(
            blocks(&pages[0]).iter().map(|(k, t)| (*k, t.replace(" )", ")"))).collect::<Vec<_>>(),
            wanted.map(|(k, t)| (k, t.to_owned()))
        );
        assert!(about.paged && about.title.is_none() && about.warnings.iter().any(|w| w.contains("草稿")), "{about:?}");
    }

    #[test]
    fn a_presentation_gives_a_page_a_slide() {
        let mut bytes = Cursor::new(Vec::new());
        create_from_markdown_to_writer(
            "# Results\n\nSales rose.\n\n# Outlook\n\nCosts fall.\n",
            DocumentFormat::Pptx,
            &mut bytes,
        )
        .unwrap();
        let (pages, about) = read(Format::Pptx, bytes.get_ref()).unwrap();
        assert_eq!(pages.iter().map(|p| p.number).collect::<Vec<_>>(), (1..=pages.len() as u32).collect::<Vec<_>>());
        assert!(pages.len() == 2 && pages[1].text.contains("Costs fall."), "{pages:?}");
        assert_eq!(about.title.as_deref(), Some("Results"));
    }

    #[test]
    fn a_cut_off_package_and_a_bomb_are_refused_in_words() {
        let whole = docx(&paragraph("x"));
        for end in [40, whole.len() / 2, whole.len() - 30] {
            assert_eq!(read(Format::Docx, &whole[..end]).unwrap_err().code(), "corrupt_document");
        }
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let packed = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file("[Content_Types].xml", packed).unwrap();
        zip.write_all(&vec![b' '; 80 << 20]).unwrap();
        let bomb = zip.finish().unwrap().into_inner();
        assert_eq!(read(Format::Docx, &bomb).unwrap_err().code(), "parser_limit");
    }

    /// Files of the evaluation data, where they are at hand.
    fn sample(name: &str) -> Option<Vec<u8>> {
        let root = std::env::var("DOSSIER_TEST_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").into());
        let bytes = std::fs::read(format!("{root}/parser_mess/files/{name}")).ok();
        if bytes.is_none() {
            println!("skipped: {name} is not there");
        }
        bytes
    }

    #[test]
    fn the_old_binary_formats_are_read_and_a_password_is_reported() {
        if let Some(bytes) = sample("markitdown__test.xls") {
            let (pages, _) = read(Format::Ole, &bytes).unwrap();
            assert!(pages.len() == 2 && pages[0].blocks.iter().any(|b| b.kind == BlockKind::Table));
        }
        if let Some(bytes) = sample("unstructured__password_protected.xlsx") {
            assert_eq!(read(Format::Ole, &bytes).unwrap_err().code(), "encrypted_document");
        }
    }
}
