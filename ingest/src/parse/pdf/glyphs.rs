//! What is drawn on a PDF page? Runs of characters with their boxes, ruling lines, and how much of the page is picture.
//!
//! Coordinates are points from the top left corner, the page's rotation applied. Text that runs along one of the three
//! other directions is kept in a frame turned upright ([`Turn`]), so that the layout only ever sees lines from left to
//! right. Characters the file gives no Unicode for are counted and left out, never guessed.

use std::collections::HashMap;

use hayro_interpret::font::{Glyph, GlyphRun, OutlineGlyph};
use hayro_interpret::hayro_cmap::{self, BfString, CMap, CMapName, CidFamily, WritingMode};
use hayro_interpret::hayro_syntax::Pdf;
use hayro_interpret::hayro_syntax::object::{Array, Dict, Name, Object, Stream, String as PdfString};
use hayro_interpret::hayro_syntax::page::Page;
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache, InterpreterSettings,
    SoftMask, interpret_page,
};
use kurbo::{Affine, BezPath, PathEl, Point, Rect, Shape};

use super::quality::Tally;

/// Glyphs of one page beyond which the file is refused.
pub const GLYPHS_PER_PAGE: usize = 2_000_000;
/// Ruling lines kept of one page; more is a drawing, not a table.
const RULES_PER_PAGE: usize = 20_000;
/// A filled box thinner than this is a ruling line.
const RULE_THICKNESS: f64 = 3.2;

/// A character with its extent on the line, in the upright frame of its [`Turn`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Char {
    /// The character; a blank put between words has no width.
    pub ch: char,
    /// Left edge.
    pub x0: f32,
    /// Right edge.
    pub x1: f32,
}

/// Characters that follow each other on one baseline without a wide gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The characters, from left to right, blanks included.
    pub chars: Vec<Char>,
    /// Baseline.
    pub y: f32,
    /// Font size in points.
    pub size: f32,
    /// Whether most of it is bold.
    pub bold: bool,
}

/// The direction text runs in, in quarter turns clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn(pub u8);

/// A horizontal or vertical ruling line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Whether it runs from left to right.
    pub horizontal: bool,
    /// The coordinate it stands at: y of a horizontal line, x of a vertical one.
    pub at: f32,
    /// Where it begins.
    pub from: f32,
    /// Where it ends.
    pub to: f32,
}

/// Everything the layout needs to know of one page.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Width in points.
    pub width: f32,
    /// Height in points.
    pub height: f32,
    /// Pieces by direction of text: upright, downward, upside down, upward.
    pub pieces: [Vec<Piece>; 4],
    /// Text along any other angle, as it came.
    pub slanted: Vec<String>,
    /// Ruling lines in page coordinates.
    pub rules: Vec<Rule>,
    /// Share of the page that pictures cover, at most 1.
    pub picture: f32,
    /// Counts for the judgement of the text.
    pub tally: Tally,
    /// Whether the cap on glyphs was hit.
    pub overflow: bool,
}

impl Piece {
    /// Left edge.
    pub fn x0(&self) -> f32 {
        self.chars.first().map_or(0.0, |c| c.x0)
    }

    /// Right edge.
    pub fn x1(&self) -> f32 {
        self.chars.last().map_or(0.0, |c| c.x1)
    }

    /// Width.
    pub fn width(&self) -> f32 {
        self.x1() - self.x0()
    }

    /// The same without characters.
    pub fn bare(&self) -> Self {
        Self { chars: Vec::new(), y: self.y, size: self.size, bold: self.bold }
    }

    /// The characters as text.
    pub fn text(&self) -> String {
        self.chars.iter().map(|c| c.ch).collect()
    }
}

impl Turn {
    /// The box in page coordinates of a box in the upright frame, `width` and `height` being those of the page.
    pub fn to_page(self, rect: [f32; 4], width: f32, height: f32) -> [f32; 4] {
        let [x0, y0, x1, y1] = rect;
        match self.0 {
            0 => rect,
            1 => [width - y1, x0, width - y0, x1],
            2 => [width - x1, height - y1, width - x0, height - y0],
            _ => [y0, height - x1, y1, height - x0],
        }
    }

    /// The point of the upright frame that a point on the page becomes.
    fn upright(self, x: f64, y: f64, width: f64, height: f64) -> (f64, f64) {
        match self.0 {
            0 => (x, y),
            1 => (y, width - x),
            2 => (width - x, height - y),
            _ => (height - y, x),
        }
    }

    /// A ruling line of the page in the upright frame.
    pub fn rule(self, rule: &Rule, width: f32, height: f32) -> Rule {
        let (horizontal, at, from, to) = (rule.horizontal, rule.at, rule.from, rule.to);
        match (self.0, horizontal) {
            (0, _) => *rule,
            (1, true) => Rule { horizontal: false, at, from: width - to, to: width - from },
            (1, false) => Rule { horizontal: true, at: width - at, from, to },
            (2, true) => Rule { horizontal, at: height - at, from: width - to, to: width - from },
            (2, false) => Rule { horizontal, at: width - at, from: height - to, to: height - from },
            (_, true) => Rule { horizontal: false, at: height - at, from, to },
            (_, false) => Rule { horizontal: true, at, from: height - to, to: height - from },
        }
    }
}

/// Reads what a page draws.
pub fn sheet<'a>(page: &Page<'a>, pdf: &'a Pdf, cache: &InterpreterCache<'a>, cids: &CidMaps) -> Sheet {
    let (width, height) = page.render_dimensions();
    let bounds = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let transform = Affine::new(page.initial_transform(true).as_coeffs());
    let mut context = Context::new(transform, bounds, cache, pdf.xref(), InterpreterSettings::default());
    let mut pen = Pen { bounds, cids, glyphs: 0, runs: Default::default(), sheet: Sheet { width, height, ..Sheet::default() } };
    interpret_page(page, &mut context, &mut pen);
    pen.finish()
}

/// Listens to the interpreter and keeps what matters.
struct Pen<'c> {
    bounds: Rect,
    cids: &'c CidMaps,
    glyphs: usize,
    runs: [Composer; 4],
    sheet: Sheet,
}

impl Pen<'_> {
    fn finish(mut self) -> Sheet {
        for (pieces, composer) in self.sheet.pieces.iter_mut().zip(self.runs) {
            *pieces = composer.finish();
        }
        if self.sheet.tally.is_western_noise()
            && let Some(pieces) = self.sheet.pieces[0].iter().map(as_gbk).collect::<Option<Vec<_>>>()
        {
            self.sheet.pieces[0] = pieces;
            let mut tally = Tally::default();
            self.sheet.pieces[0].iter().flat_map(|p| &p.chars).for_each(|c| tally.mapped(c.ch));
            self.sheet.tally = tally;
        }
        self.sheet.picture = self.sheet.picture.min(1.0);
        self.sheet
    }

    fn rule(&mut self, horizontal: bool, at: f64, from: f64, to: f64) {
        let (from, to) = (from.min(to), from.max(to));
        if to - from >= 2.0 && self.sheet.rules.len() < RULES_PER_PAGE && at.is_finite() && from.is_finite() && to.is_finite() {
            self.sheet.rules.push(Rule { horizontal, at: at as f32, from: from as f32, to: to as f32 });
        }
    }

    fn filled(&mut self, bounds: Rect) {
        let (w, h) = (bounds.width(), bounds.height());
        if h < RULE_THICKNESS && w > 4.0 * h {
            self.rule(true, bounds.center().y, bounds.x0, bounds.x1);
        } else if w < RULE_THICKNESS && h > 4.0 * w {
            self.rule(false, bounds.center().x, bounds.y0, bounds.y1);
        }
    }

    fn stroked(&mut self, a: Point, b: Point) {
        if (a.y - b.y).abs() < 0.5 {
            self.rule(true, a.y, a.x, b.x);
        } else if (a.x - b.x).abs() < 0.5 {
            self.rule(false, a.x, a.y, b.y);
        }
    }

    fn glyph(&mut self, glyph: &Glyph<'_>, t: Affine, style: RunStyle) {
        let (advance, em) = match glyph {
            Glyph::Outline(o) => (f64::from(o.advance_width().unwrap_or(500.0)), 1000.0),
            Glyph::Type3(t3) => (f64::from(t3.advance_width().unwrap_or(0.0)), 1.0),
        };
        let (start, end, up) = (t * Point::ZERO, t * Point::new(advance, 0.0), t * Point::new(0.0, em));
        let mut size = (up - start).hypot();
        // Browser-made Type 3 fonts live in a glyph space of thousandths.
        if matches!(glyph, Glyph::Type3(_)) && size < 0.5 {
            size *= 1000.0;
        }
        if !(size.is_finite() && start.x.is_finite() && start.y.is_finite() && end.x.is_finite() && end.y.is_finite())
            || size < 0.5
        {
            return;
        }
        let middle = start.midpoint(end);
        if !self.bounds.inflate(1.0, 1.0).contains(middle) {
            return;
        }
        let mut text = [' '; 8];
        let length = match unicode(glyph, self.cids) {
            Some(found) => printable(&found, &mut text),
            None => {
                self.sheet.tally.unmapped(style.solitary);
                return;
            }
        };
        for ch in &mut text[..length] {
            self.sheet.tally.mapped(*ch);
            if super::quality::is_private(*ch) {
                *ch = bullet(*ch);
            }
        }
        let angle = (end.y - start.y).atan2(end.x - start.x).to_degrees();
        let quarter = if advance.abs() < 1e-9 { 0.0 } else { (angle / 90.0).round() };
        if (angle - quarter * 90.0).abs() > 8.0 && advance.abs() >= 1e-9 {
            self.slant(&text[..length]);
            return;
        }
        let turn = Turn(if style.vertical { 1 } else { quarter.rem_euclid(4.0) as u8 });
        let (w, h) = (self.bounds.width(), self.bounds.height());
        let (x0, x1, y) = if style.vertical {
            // The character stands upright, the line runs down: in the turned frame it lies on its side.
            let (x, y) = turn.upright(middle.x, start.y, w, h);
            (x, x + size, y + 0.35 * size)
        } else {
            let (a, b) = (turn.upright(start.x, start.y, w, h), turn.upright(end.x, end.y, w, h));
            (a.0, b.0, a.1)
        };
        let share = (x1 - x0) / length.max(1) as f64;
        for (i, ch) in text[..length].iter().enumerate() {
            if *ch == '\0' {
                continue;
            }
            let (from, to) = (x0 + share * i as f64, x0 + share * (i + 1) as f64);
            let char = Char { ch: *ch, x0: from.min(to) as f32, x1: from.max(to) as f32 };
            self.runs[turn.0 as usize].push(char, y as f32, size as f32, style.bold);
        }
    }

    fn slant(&mut self, text: &[char]) {
        if self.sheet.slanted.len() < 10_000 {
            self.sheet.slanted.push(text.iter().filter(|c| **c != '\0').collect());
        }
    }
}

/// What holds for all glyphs of a run.
#[derive(Clone, Copy)]
struct RunStyle {
    bold: bool,
    vertical: bool,
    /// One or two glyphs shown alone: a bullet or an icon, if unmapped.
    solitary: bool,
}

impl<'a> Device<'a> for Pen<'_> {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        let glyphs = run.glyphs();
        let style = RunStyle {
            bold: glyphs.first().is_some_and(|g| is_bold(g)),
            vertical: run.writing_mode() == WritingMode::Vertical,
            solitary: glyphs.len() <= 2,
        };
        for glyph in glyphs {
            self.glyphs += 1;
            if self.glyphs > GLYPHS_PER_PAGE {
                self.sheet.overflow = true;
                return;
            }
            self.glyph(glyph, props.transform * glyph.transform(), style);
        }
    }

    fn draw_path(&mut self, path: &BezPath, props: DrawProps<'a>, mode: &DrawMode) {
        let elements = path.elements();
        if elements.len() > 400 {
            return;
        }
        let t = props.transform;
        match mode {
            DrawMode::Fill(_) => {
                // One fill may hold many thin boxes, each a sub-path.
                for part in elements.split_inclusive(|e| matches!(e, PathEl::ClosePath)) {
                    let part = BezPath::from_vec(part.to_vec());
                    if matches!(part.elements().first(), Some(PathEl::MoveTo(_))) {
                        self.filled((t * part).bounding_box());
                    }
                }
            }
            DrawMode::Stroke(_) | DrawMode::FillAndStroke(..) => {
                let (mut at, mut first) = (Point::ZERO, Point::ZERO);
                for element in elements {
                    match *element {
                        PathEl::MoveTo(p) => {
                            at = t * p;
                            first = at;
                        }
                        PathEl::LineTo(p) => {
                            self.stroked(at, t * p);
                            at = t * p;
                        }
                        PathEl::ClosePath => {
                            self.stroked(at, first);
                            at = first;
                        }
                        PathEl::QuadTo(_, p) | PathEl::CurveTo(_, _, p) => at = t * p,
                    }
                }
            }
            DrawMode::Invisible => {}
        }
    }

    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let unit = Rect::new(0.0, 0.0, f64::from(image.width()), f64::from(image.height()));
        let shown = props.transform.transform_rect_bbox(unit).intersect(self.bounds);
        let area = self.bounds.area();
        if shown.area() > 0.0 && area > 0.0 {
            self.sheet.picture += (shown.area() / area) as f32;
        }
    }

    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_clip_rect(&mut self, _: &Rect) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

fn is_bold(glyph: &Glyph<'_>) -> bool {
    let Glyph::Outline(outline) = glyph else { return false };
    outline.font_data().is_some_and(|font| {
        font.weight.is_some_and(|w| w >= 600)
            || font
                .postscript_name
                .is_some_and(|name| ["Bold", "bold", "Black", "Heavy", "SimHei"].iter().any(|b| name.contains(b)))
    })
}

fn unicode(glyph: &Glyph<'_>, cids: &CidMaps) -> Option<BfString> {
    let known = glyph.as_unicode().filter(|found| match found {
        BfString::Char(c) => *c != '\u{FFFD}' && *c != '\0',
        BfString::String(s) => !s.is_empty() && !s.contains('\u{FFFD}'),
    });
    match (known, glyph) {
        (Some(found), _) => Some(found),
        (None, Glyph::Outline(outline)) => cids.unicode(outline),
        (None, Glyph::Type3(_)) => None,
    }
}

/// Writes the characters to show for a glyph into `text` and returns how many there are; `\0` stands for nothing.
/// Ligatures are spelled out and Kangxi radicals become the characters they look like: both come from fonts, not authors.
fn printable(found: &BfString, text: &mut [char; 8]) -> usize {
    let mut one = [0u8; 4];
    let found = match found {
        BfString::Char(c) => &*c.encode_utf8(&mut one),
        BfString::String(s) => s.as_str(),
    };
    let mut length = 0;
    let mut put = |c: char| {
        if length < text.len() {
            text[length] = c;
            length += 1;
        }
    };
    for c in found.chars() {
        match c {
            '\u{AD}' => put('-'),
            '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{202A}'..='\u{202E}' => put('\0'),
            // Unicode folds it to the traditional form, fonts draw the simplified one with it.
            '\u{2F3E}' => put('户'),
            '\u{FB00}'..='\u{FB06}' | '\u{2F00}'..='\u{2FD5}' => {
                use unicode_normalization::UnicodeNormalization;
                std::iter::once(c).nfkc().for_each(&mut put);
            }
            '\u{2E80}'..='\u{2EF3}' => put(radical(c)),
            c if c.is_whitespace() => put(' '),
            c if c.is_control() => put('\0'),
            c => put(c),
        }
    }
    length
}

/// The character that a radical looks like, which Unicode does not say for these.
fn radical(c: char) -> char {
    const LOOKS: [(char, char); 31] = [
        ('⺟', '母'),
        ('⺠', '民'),
        ('⺮', '竹'),
        ('⺁', '厂'),
        ('⻁', '虎'),
        ('⻄', '西'),
        ('⻅', '见'),
        ('⻆', '角'),
        ('⻉', '贝'),
        ('⻋', '车'),
        ('⻓', '长'),
        ('⻔', '门'),
        ('⻘', '青'),
        ('⻙', '韦'),
        ('⻚', '页'),
        ('⻛', '风'),
        ('⻜', '飞'),
        ('⻝', '食'),
        ('⻢', '马'),
        ('⻣', '骨'),
        ('⻤', '鬼'),
        ('⻥', '鱼'),
        ('⻦', '鸟'),
        ('⻧', '卤'),
        ('⻨', '麦'),
        ('⻩', '黄'),
        ('⻬', '齐'),
        ('⻮', '齿'),
        ('⻰', '龙'),
        ('⻳', '龟'),
        ('⻑', '長'),
    ];
    LOOKS.iter().find(|(radical, _)| *radical == c).map_or(c, |(_, looks)| *looks)
}

/// The bullets of the symbol fonts are private characters; other private characters mean nothing to a reader.
fn bullet(ch: char) -> char {
    match ch {
        '\u{F0B7}' | '\u{F0A7}' | '\u{F06C}' | '\u{F06E}' | '\u{F0D8}' | '\u{F0FC}' | '\u{F076}' | '\u{F075}' | '\u{F09F}' => '•',
        _ => '\0',
    }
}

/// A piece whose bytes were taken for Western letters, read as GBK; `None` if they are not GBK.
fn as_gbk(piece: &Piece) -> Option<Piece> {
    let mut chars: Vec<Char> = Vec::new();
    let mut shown = piece.chars.iter().filter(|c| c.ch != ' ');
    while let Some(first) = shown.next() {
        let byte = |c: &Char| encoding_rs::WINDOWS_1252.encode(c.ch.encode_utf8(&mut [0; 4])).0.first().copied().unwrap_or(0);
        let lead = byte(first);
        if first.ch.is_ascii() {
            chars.push(*first);
            continue;
        }
        let second = shown.next()?;
        let bytes = [lead, byte(second)];
        let text = encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(&bytes)?;
        let mut decoded = text.chars();
        let ch = decoded.next()?;
        if decoded.next().is_some() {
            return None;
        }
        chars.push(Char { ch, x0: first.x0, x1: second.x1 });
    }
    Some(Piece { chars, ..piece.clone() })
}

/// Puts characters together to pieces in the order they are drawn.
#[derive(Default)]
struct Composer {
    done: Vec<Piece>,
    open: Option<Piece>,
    bold: usize,
    /// A blank was drawn after the last character.
    blank: bool,
    /// The narrowest gap of the open piece where a blank was drawn.
    drawn: Option<f32>,
    /// Where a blank was put for a gap alone, and how wide it is.
    gaps: Vec<(usize, f32)>,
    /// The last characters, to drop those drawn twice for a bold look.
    recent: Vec<(Char, f32)>,
}

impl Composer {
    fn push(&mut self, c: Char, y: f32, size: f32, bold: bool) {
        if c.ch == ' ' {
            self.blank = true;
            return;
        }
        if self.repeats(&c, y, size) {
            return;
        }
        let blank = std::mem::take(&mut self.blank);
        if let Some(piece) = &mut self.open
            && (piece.y - y).abs() < 0.28 * size.min(piece.size)
            && (0.6..1.7).contains(&(piece.size / size))
        {
            let last = piece.chars[piece.chars.len() - 1];
            let gap = c.x0 - last.x1;
            if gap > -0.6 * size && gap < 0.85 * size && c.x0 > last.x0 - 0.3 * size {
                if needs_blank(last.ch, c.ch, gap, size, blank) {
                    if blank {
                        self.drawn = Some(self.drawn.map_or(gap, |least| least.min(gap)));
                    } else {
                        self.gaps.push((piece.chars.len(), gap));
                    }
                    piece.chars.push(Char { ch: ' ', x0: last.x1, x1: last.x1.max(c.x0) });
                }
                piece.chars.push(c);
                self.bold += usize::from(bold);
                return;
            }
        }
        self.close();
        self.bold = usize::from(bold);
        self.open = Some(Piece { chars: vec![c], y, size, bold: false });
    }

    fn repeats(&mut self, c: &Char, y: f32, size: f32) -> bool {
        let near = 0.12 * size;
        let hit = self.recent.iter().any(|(r, ry)| r.ch == c.ch && (r.x0 - c.x0).abs() < near && (ry - y).abs() < near);
        if !hit {
            if self.recent.len() >= 60 {
                self.recent.remove(0);
            }
            self.recent.push((*c, y));
        }
        hit
    }

    fn close(&mut self) {
        let (drawn, gaps) = (std::mem::take(&mut self.drawn), std::mem::take(&mut self.gaps));
        if let Some(mut piece) = self.open.take() {
            // Where drawn blanks are far wider, small gaps are loose type.
            for (at, _) in gaps.into_iter().rev().filter(|(_, gap)| drawn.is_some_and(|least| least > 2.2 * gap)) {
                piece.chars.remove(at);
            }
            piece.bold = 2 * self.bold > piece.chars.len();
            self.done.push(piece);
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.close();
        merge(self.done)
    }
}

/// Whether a blank stands between two neighbours on a line that are `gap` points apart.
fn needs_blank(a: char, b: char, gap: f32, size: f32, drawn: bool) -> bool {
    let least = match (is_wide(a), is_wide(b)) {
        (true, true) => 0.5,
        (true, false) | (false, true) if !drawn => 0.25,
        _ if drawn => 0.06,
        _ => 0.13,
    };
    gap > least * size
}

/// Whether a character belongs to a script that is written without blanks: Han, kana, and their punctuation.
pub fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Joins pieces that touch on one baseline, whatever order they were drawn in.
fn merge(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0().total_cmp(&b.x0())));
    let mut merged: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut row: Vec<Piece> = Vec::new();
    let flush = |row: &mut Vec<Piece>, merged: &mut Vec<Piece>| {
        row.sort_by(|a, b| a.x0().total_cmp(&b.x0()));
        let first = merged.len();
        for piece in row.drain(..) {
            if merged.len() > first
                && let Some(last) = merged.last_mut()
                && (last.size / piece.size - 1.0).abs() < 0.25
            {
                let (a, b) = (last.chars[last.chars.len() - 1], piece.chars[0]);
                let gap = b.x0 - a.x1;
                if gap > -0.25 * piece.size && gap < 0.85 * piece.size {
                    if needs_blank(a.ch, b.ch, gap, piece.size, false) {
                        last.chars.push(Char { ch: ' ', x0: a.x1, x1: a.x1.max(b.x0) });
                    }
                    last.bold = if last.chars.len() >= piece.chars.len() { last.bold } else { piece.bold };
                    last.chars.extend(piece.chars);
                    continue;
                }
            }
            merged.push(piece);
        }
    };
    for piece in pieces {
        if let Some(first) = row.first()
            && piece.y - first.y > 0.2 * piece.size.min(first.size)
        {
            flush(&mut row, &mut merged);
        }
        row.push(piece);
    }
    flush(&mut row, &mut merged);
    merged
}

/// Code → Unicode for composite fonts that name an Adobe character collection but bring no map of their own.
#[derive(Default)]
pub struct CidMaps {
    /// By font name without its subset tag.
    fonts: HashMap<String, (Option<CMap>, usize)>,
    collections: Vec<CMap>,
}

impl CidMaps {
    /// Looks through the fonts of a document.
    pub fn of(pdf: &Pdf) -> Self {
        let mut maps = Self::default();
        let mut loaded: HashMap<CidFamily, Option<usize>> = HashMap::new();
        for object in pdf.objects().into_iter().take(500_000) {
            if let Object::Dict(font) = object {
                maps.add(&font, &mut loaded);
            }
        }
        maps
    }

    fn add(&mut self, font: &Dict<'_>, loaded: &mut HashMap<CidFamily, Option<usize>>) -> Option<()> {
        let kind = font.get::<Name<'_>>("Subtype")?;
        if kind.as_str() != "Type0" || font.contains_key("ToUnicode") {
            return None;
        }
        let descendant = font.get::<Array<'_>>("DescendantFonts")?.iter::<Dict<'_>>().next()?;
        let system = descendant.get::<Dict<'_>>("CIDSystemInfo")?;
        let (registry, ordering) = (system.get::<PdfString<'_>>("Registry")?, system.get::<PdfString<'_>>("Ordering")?);
        let family = CidFamily::from_registry_ordering(registry.as_bytes(), ordering.as_bytes());
        let collection = (*loaded.entry(family.clone()).or_insert_with(|| {
            let map = load(family.ucs2_cmap()?)?;
            self.collections.push(map);
            Some(self.collections.len() - 1)
        }))?;
        let encoding = match font.get::<Name<'_>>("Encoding") {
            Some(name) if name.as_str().starts_with("Identity") => None,
            Some(name) => Some(load(CMapName::from_bytes(name.as_str().as_bytes()))?),
            None => {
                let data = font.get::<Stream<'_>>("Encoding")?.decoded().ok()?;
                Some(CMap::parse(&data, hayro_cmap::load_embedded)?)
            }
        };
        let base = font.get::<Name<'_>>("BaseFont")?;
        self.fonts.insert(without_tag(base.as_str()).to_owned(), (encoding, collection));
        Some(())
    }

    fn unicode(&self, glyph: &OutlineGlyph) -> Option<BfString> {
        if self.fonts.is_empty() {
            return None;
        }
        let name = glyph.font_data()?.postscript_name?;
        let (encoding, collection) = self.fonts.get(without_tag(&name))?;
        let code = glyph.char_code();
        let cid = match encoding {
            None => code,
            Some(map) => (1..=4).rev().find_map(|length| map.lookup_cid_code(code, length))?,
        };
        self.collections.get(*collection)?.lookup_bf_string(cid)
    }
}

fn load(name: CMapName<'_>) -> Option<CMap> {
    CMap::parse(hayro_cmap::load_embedded(name)?, hayro_cmap::load_embedded)
}

fn without_tag(name: &str) -> &str {
    match name.split_once('+') {
        Some((tag, rest)) if tag.len() == 6 => rest,
        _ => name,
    }
}
