//! Can the text of a page be trusted? Three cheap detectors over its characters.
//!
//! A font may bring no map to Unicode, one into the private use area, or a wrong but valid one (a way to hinder
//! copying). In all three cases the text is left out with a warning: no text is better than garbled text.

/// Counts over the characters of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tally {
    /// Characters with a Unicode value.
    pub mapped: u32,
    /// Characters without one, except solitary ones.
    pub unmapped: u32,
    /// Characters without one that stand alone: icons and bullets.
    pub icons: u32,
    private: u32,
    western: u32,
    han: u32,
    frequent: u32,
    frequent_traditional: u32,
}

/// What the detectors say of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// The text can be used.
    Good,
    /// The page shows text, but the file does not say which characters they are.
    Unmapped,
    /// The file says which characters, and is wrong.
    Garbled,
    /// A picture and no text.
    Picture,
    /// Nothing at all.
    Blank,
}

impl Tally {
    /// Counts a character.
    pub fn mapped(&mut self, c: char) {
        if c == ' ' || c == '\0' {
            return;
        }
        self.mapped += 1;
        self.western += u32::from(matches!(c, '\u{A1}'..='\u{FF}'));
        if is_private(c) && !matches!(c, '\u{F020}'..='\u{F0FF}') {
            self.private += 1;
        }
        // A sample is enough.
        if matches!(c, '\u{4E00}'..='\u{9FFF}') && self.han < 400 {
            self.han += 1;
            self.frequent +=
                u32::from(lead(c, encoding_rs::GBK).is_some_and(|(lead, trail)| (0xB0..=0xD7).contains(&lead) && trail >= 0xA1));
            self.frequent_traditional +=
                u32::from(lead(c, encoding_rs::BIG5).is_some_and(|(lead, _)| (0xA4..=0xC6).contains(&lead)));
        }
    }

    /// Whether most characters are accented letters and signs: no language is written so, but bytes of another encoding
    /// look like it.
    pub fn is_western_noise(&self) -> bool {
        self.mapped > 40 && 2 * self.western > self.mapped
    }

    /// Counts a glyph without a Unicode value.
    pub fn unmapped(&mut self, solitary: bool) {
        if solitary {
            self.icons += 1;
        } else {
            self.unmapped += 1;
        }
    }

    /// The judgement; `picture` is the share of the page that pictures cover.
    pub fn quality(&self, picture: f32) -> Quality {
        let unreadable = self.unmapped.max(if self.icons > 4 * self.mapped { self.icons } else { 0 });
        let total = self.mapped + unreadable;
        if total < 12 && picture > 0.5 {
            return Quality::Picture;
        }
        if total == 0 {
            return Quality::Blank;
        }
        if f64::from(unreadable) > 0.05 * f64::from(total) {
            return Quality::Unmapped;
        }
        if f64::from(self.private) > 0.05 * f64::from(total) {
            return Quality::Garbled;
        }
        if self.is_western_noise() {
            return Quality::Garbled;
        }
        let usual = self.frequent.max(self.frequent_traditional);
        if self.han > 50 && f64::from(usual) < 0.90 * f64::from(self.han) {
            return Quality::Garbled;
        }
        Quality::Good
    }
}

/// Whether a character is of a private use area.
pub fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}')
}

/// The two bytes of a character in a double-byte encoding.
fn lead(c: char, encoding: &'static encoding_rs::Encoding) -> Option<(u8, u8)> {
    let mut utf8 = [0u8; 4];
    let (bytes, _, failed) = encoding.encode(c.encode_utf8(&mut utf8));
    match (failed, bytes.as_ref()) {
        (false, &[lead, trail]) => Some((lead, trail)),
        _ => None,
    }
}

/// Page numbers as a person writes them: `3`, `3-5`, `3-5, 9`.
pub fn page_list(pages: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for page in pages {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *page => *last = *page,
            _ => parts.push((*page, *page)),
        }
    }
    let shown: Vec<String> = parts.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect();
    format!("{} {}", if pages.len() == 1 { "page" } else { "pages" }, shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Quality) {
        let mut tally = Tally::default();
        text.chars().for_each(|c| if c == '?' { tally.unmapped(false) } else { tally.mapped(c) });
        assert_eq!(tally.quality(0.0), want, "{text}");
    }

    #[test]
    fn genuine_text_is_good() {
        check("Net sales rose by 5 % to 1,234 million dollars", Quality::Good);
        check(&"公司本年度实现营业收入一千二百三十四万元，较上年同期增长百分之五。".repeat(3), Quality::Good);
        check(&"本公司於報告期內實現營業收入，較上年同期增長百分之五。".repeat(4), Quality::Good);
    }

    #[test]
    fn shifted_han_characters_are_garbled() {
        check(&"倇僩僪僫僬僭僮僯僰僱僲僴僶僷僸".repeat(5), Quality::Garbled);
    }

    #[test]
    fn private_characters_are_garbled_but_symbol_bullets_are_not() {
        check(&"\u{E123}\u{E124}\u{E125} abc ".repeat(5), Quality::Garbled);
        check("\u{F0B7} the first point of a list of points", Quality::Good);
    }

    #[test]
    fn bytes_of_another_encoding_are_garbled_but_french_is_not() {
        check(&"ÖÐ¹úÕþ¸®¹¤×÷±¨¸æ".repeat(4), Quality::Garbled);
        check("Résolution du comité de démolition, présentée à l’église Sainte-Adèle", Quality::Good);
    }

    #[test]
    fn text_without_a_map_is_unmapped() {
        check("a????????? b???????", Quality::Unmapped);
    }

    #[test]
    fn a_scan_is_a_picture_and_an_empty_page_is_blank() {
        assert_eq!(Tally::default().quality(0.97), Quality::Picture);
        assert_eq!(Tally::default().quality(0.0), Quality::Blank);
    }

    #[test]
    fn page_numbers_are_told_as_ranges() {
        assert_eq!(page_list(&[7]), "page 7");
        assert_eq!(page_list(&[3, 4, 5, 9]), "pages 3-5, 9");
    }
}
