//! One event is one line, whatever is in the names and messages of others.

use std::io::{self, Write};
use tracing_subscriber::fmt::MakeWriter;

/// Makes writers of lines.
pub(crate) struct Lines<W> {
    inner: W,
    colours: bool,
}

/// Gets one event with each write.
pub(crate) struct Line<W> {
    inner: W,
    colours: bool,
}

impl<W> Lines<W> {
    /// `colours` lets the sequences through that a terminal understands; the formatter escapes those that are none of its own.
    pub(crate) const fn new(inner: W, colours: bool) -> Self {
        Self { inner, colours }
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Lines<W> {
    type Writer = Line<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: self.inner.make_writer(), colours: self.colours }
    }
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let body = text.strip_suffix('\n').unwrap_or(&text);
        let is_good = |c: char| !breaks(c) || (self.colours && c == '\x1b');
        if body.chars().all(is_good) {
            self.inner.write_all(event)?;
        } else {
            let mut line: String = body.chars().map(|c| if is_good(c) { c.to_string() } else { escaped(c) }).collect();
            line.push('\n');
            self.inner.write_all(line.as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether it could end a line, or make it look like something else.
fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As JSON has it, so that a line of JSON stays one.
fn escaped(c: char) -> String {
    match c {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other => format!("\\u{:04x}", u32::from(other)),
    }
}
