//! Models that think aloud: `<think>…</think>` inside the text is no part of the answer.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes thoughts out of a text that comes in pieces.
#[derive(Debug, Default)]
pub struct Thought {
    inside: bool,
    /// What may be the beginning of a tag.
    held: String,
}

impl Thought {
    /// The part of a piece that is answer.
    pub fn strip(&mut self, piece: &str) -> String {
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        let mut answer = String::new();
        let mut rest = text.as_str();
        loop {
            let tag = if self.inside { CLOSE } else { OPEN };
            // A close without an open: the template had opened it, and nothing tells where the thought began.
            let stray =
                if self.inside { None } else { rest.find(CLOSE).filter(|at| rest.find(OPEN).is_none_or(|open| *at < open)) };
            match stray.map(|at| (at, CLOSE)).or(rest.find(tag).map(|at| (at, tag))) {
                Some((at, found)) => {
                    if !self.inside {
                        answer.push_str(&rest[..at]);
                    }
                    self.inside = found == OPEN;
                    rest = &rest[at + found.len()..];
                }
                None => break,
            }
        }
        let kept = rest.len() - beginning(rest);
        if !self.inside {
            answer.push_str(&rest[..kept]);
        }
        self.held = rest[kept..].to_owned();
        answer
    }

    /// What was held back and is text after all.
    pub fn rest(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.inside { String::new() } else { held }
    }
}

/// Bytes at the end that may be the beginning of a tag.
fn beginning(text: &str) -> usize {
    let most = CLOSE.len().min(text.len() + 1);
    (1..most).rev().find(|n| [OPEN, CLOSE].iter().any(|tag| *n < tag.len() && text.ends_with(&tag[..*n]))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(pieces: &[&str]) -> String {
        let mut thought = Thought::default();
        let mut answer: String = pieces.iter().map(|piece| thought.strip(piece)).collect();
        answer.push_str(&thought.rest());
        answer
    }

    #[test]
    fn thoughts_are_taken_out_wherever_the_text_is_cut() {
        for (text, answer) in [
            ("<think>let me see</think>The margin is 31%.", "The margin is 31%."),
            ("<think>嗯</think>\n毛利率为31%。[1]", "\n毛利率为31%。[1]"),
            ("a < b <thin c", "a < b <thin c"),
            ("a<think>x</think>b<think>y", "ab"),
            ("x</think>y", "xy"),
            ("<think></think>", ""),
            ("利润<", "利润<"),
        ] {
            assert_eq!(strip(&[text]), answer, "{text}");
            let single: Vec<String> = text.chars().map(String::from).collect();
            assert_eq!(strip(&single.iter().map(String::as_str).collect::<Vec<_>>()), answer, "{text}, one by one");
        }
    }
}
