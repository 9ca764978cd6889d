use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is written while `say` runs.
fn written(format: Format, level: &str, say: impl FnOnce(&reload::Handle<EnvFilter, Registry>)) -> String {
    let paper = Paper::default();
    let ours = paper.clone();
    let (filter, handle) = reload::Layer::new(Level::parse(level).unwrap().filter());
    let subscriber = tracing_subscriber::registry().with(filter).with(layer(format, false, move || ours.clone()));
    tracing::subscriber::with_default(subscriber, || say(&handle));
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_is_no_level_is_refused_with_what_to_write() {
    for good in ["info", "DEBUG", "off", "info,chanceryd::accept=debug", "warn, chancery_keeper = trace"] {
        assert!(Level::parse(good).is_ok(), "{good}");
    }
    for (bad, said) in [
        ("", "such as \"info\""),
        ("  ", "such as \"info\""),
        ("inof", "`inof` is no level; there are off, error"),
        ("info,chanceryd", "`chanceryd` is no level"),
        ("info,", "`` is no level"),
        ("chanceryd[span]=info", "is no part of a program"),
        ("chanceryd=loud", "`loud` is no level"),
        ("=info", "is no part of a program"),
        (&"i".repeat(2000), "such as \"info\""),
    ] {
        let error = Level::parse(bad).unwrap_err().to_string();
        assert!(error.contains(said), "{bad}: {error}");
    }
}

#[test]
fn another_level_counts_at_once() {
    let text = written(Format::Text, "info", |handle| {
        tracing::debug!("before");
        handle.reload(Level::parse("debug").unwrap().filter()).unwrap();
        tracing::debug!("after");
    });
    assert!(!text.contains("before") && text.contains("after"), "{text}");
}

#[test]
fn several_lines_become_one() {
    assert_eq!(one_line("a.toml:1: wrong\n  write b\na.toml:2: wrong"), "a.toml:1: wrong; write b; a.toml:2: wrong");
}

proptest! {
    #[test]
    fn whatever_a_name_holds_an_event_is_one_line(name: String, json: bool) {
        let format = if json { Format::Json } else { Format::Text };
        let text = written(format, "info", |_| tracing::info!(shown = %name, quoted = name, "somebody said {name}"));
        prop_assert_eq!(text.matches('\n').count(), 1);
        prop_assert!(text.ends_with('\n'));
        prop_assert!(!text.trim_end_matches('\n').contains(|c: char| c.is_control()));
        if json {
            let line: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&line["quoted"], &serde_json::Value::from(name.clone()));
            prop_assert_eq!(&line["message"], &serde_json::Value::from(format!("somebody said {name}")));
        }
    }
}

#[test]
fn a_forged_line_is_told_apart() {
    let name = "web1\n2026-01-01T00:00:00Z  INFO chanceryd: signed\r\u{9b}31m\u{202e}";
    let text = written(Format::Text, "info", |_| tracing::warn!(name = %name, "connected"));
    assert!(text.lines().count() == 1 && text.contains("web1\\n2026") && text.contains("\\r"), "{text}");
}
