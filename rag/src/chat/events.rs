//! Bytes → JSON values: a reader of server-sent events that takes what endpoints really send.
//!
//! Seen in the wild: `data:` without a space, lines of a megabyte, CRLF, characters and JSON cut anywhere between two reads,
//! no blank line at the end, comments, events with names, several `data` lines without a blank line between them.

use serde_json::Value;

/// Longest event that is read.
const LONGEST: usize = 8 << 20;

/// A reader of one stream.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    data: String,
    /// Whether `[DONE]` came.
    done: bool,
}

/// What a stream says next.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A JSON value.
    Value(Value),
    /// `[DONE]`.
    Done,
    /// Data that is no JSON, or too much of it.
    Garbled(String),
}

impl Events {
    /// Reads more bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() + self.data.len() > LONGEST {
                self.line.clear();
                said.push(Said::Garbled(std::mem::take(&mut self.data)));
            } else if piece.ends_with(b"\n") {
                self.end_line(&mut said);
            }
        }
        said
    }

    /// The stream has ended; an event without an end ends here.
    pub fn finish(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        self.end_line(&mut said);
        self.end_event(&mut said);
        said
    }

    /// Whether `[DONE]` came.
    pub fn done(&self) -> bool {
        self.done
    }

    fn end_line(&mut self, said: &mut Vec<Said>) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']).trim_start_matches('\u{feff}');
        if line.is_empty() {
            return self.end_event(said);
        }
        let Some(data) = line.strip_prefix("data:") else { return };
        self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        if self.data.trim() == "[DONE]" {
            self.data.clear();
            self.done = true;
            said.push(Said::Done);
        } else if let Ok(value) = serde_json::from_str(&self.data) {
            self.data.clear();
            said.push(Said::Value(value));
        } else {
            self.data.push('\n');
        }
    }

    fn end_event(&mut self, said: &mut Vec<Said>) {
        let data = std::mem::take(&mut self.data);
        if !data.trim().is_empty() {
            said.push(Said::Garbled(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Said> {
        let mut events = Events::default();
        let mut said: Vec<Said> = pieces.iter().flat_map(|piece| events.push(piece)).collect();
        said.extend(events.finish());
        said
    }

    fn check(text: &str, wanted: &[Said]) {
        assert_eq!(read(&[text.as_bytes()]), wanted, "{text:?}");
    }

    fn value(n: u32) -> Said {
        Said::Value(json!({ "n": n }))
    }

    #[test]
    fn what_endpoints_send_is_read() {
        check("data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n", &[value(1), value(2), Said::Done]);
        check("data:{\"n\":1}\r\n\r\ndata:[DONE]\r\n\r\n", &[value(1), Said::Done]);
        check(": ping\n\nevent: chunk\nid: 1\nretry: 3\ndata: {\"n\":1}\n\n", &[value(1)]);
        check("data: {\"n\":1}\ndata: {\"n\":2}\n", &[value(1), value(2)]);
        check("data: {\ndata: \"n\":1}\n\n", &[value(1)]);
        check("data: {\"n\":1}", &[value(1)]);
        check("\u{feff}data: {\"n\":1}\n\n", &[value(1)]);
        check("<html><body>502</body></html>", &[]);
        check("data: oops\n\n", &[Said::Garbled("oops\n".into())]);
        check("", &[]);
    }

    #[test]
    fn an_event_without_end_does_not_fill_the_memory() {
        let mut events = Events::default();
        let said: Vec<Said> = (0..20).flat_map(|_| events.push(&[b'x'; 1 << 20])).collect();
        assert!(said.iter().any(|said| matches!(said, Said::Garbled(_))));
        assert!(events.line.len() <= LONGEST);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_a_stream_is_cut(cuts in prop::collection::vec(0usize..400, 0..40)) {
            let text = format!("data: {}\n\n: ping\n\ndata: {}\r\n\r\ndata: [DONE]\n\n", json!({ "t": "毛利率为31.2%，€𝄞" }), json!({ "t": "é".repeat(50) }));
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|two| &bytes[two[0]..two[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}
