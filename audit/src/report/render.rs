//! A report in the forms that people and their programs want.

use super::Summary;
use std::fmt::Write as _;

pub(super) fn markdown(summary: &Summary) -> String {
    let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let mut out = format!(
        "# {}: {} to {}\n\nVerified: {} entries, root `{}`.\n",
        cell(&summary.log),
        summary.since,
        summary.until,
        summary.entries_in_log,
        summary.root
    );
    for section in &summary.sections {
        let _ = write!(out, "\n## {}\n\n| what | count |\n| --- | ---: |\n", section.name);
        for (what, count) in &section.counts {
            let _ = writeln!(out, "| {} | {count} |", cell(what));
        }
    }
    if !summary.events.is_empty() {
        out.push_str("\n## Events\n\n| entry | time | what |\n| ---: | --- | --- |\n");
        for event in &summary.events {
            let _ = writeln!(out, "| {} | {} | {} |", event.index, event.time, cell(&event.what));
        }
    }
    let _ = write!(out, "\n## Checkpoint\n\n```\n{}```\n", summary.checkpoint);
    out
}

/// One table: section, what, count; events with their index as the count.
pub(super) fn csv(summary: &Summary) -> String {
    let mut out = String::from("section,what,count\r\n");
    let mut line = |section: &str, what: &str, count: u64| {
        let _ = write!(out, "{},{},{count}\r\n", field(section), field(what));
    };
    line("log", &summary.log, summary.entries_in_log);
    for section in &summary.sections {
        section.counts.iter().for_each(|(what, count)| line(section.name, what, *count));
    }
    summary.events.iter().for_each(|event| line("event", &format!("{} {}", event.time, event.what), event.index));
    out
}

/// RFC 4180; and what a spreadsheet would run as a formula is kept from that.
fn field(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

pub(super) fn html(summary: &Summary) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Report</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;\
         margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}td,th{border:1px solid #8888;padding:.2rem .6rem;text-align:left;\
         overflow-wrap:anywhere}td:last-child{font-variant-numeric:tabular-nums}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}\
         </style>\n",
    );
    let _ = writeln!(
        out,
        "<h1>{}: {} to {}</h1><p>Verified: {} entries, root <code>{}</code>.</p>",
        escape(&summary.log),
        summary.since,
        summary.until,
        summary.entries_in_log,
        escape(&summary.root)
    );
    for section in &summary.sections {
        let _ = writeln!(out, "<h2>{}</h2><table><tr><th scope=col>what<th scope=col>count", section.name);
        for (what, count) in &section.counts {
            let _ = writeln!(out, "<tr><td>{}<td>{count}", escape(what));
        }
        out.push_str("</table>\n");
    }
    if !summary.events.is_empty() {
        out.push_str("<h2>Events</h2><table><tr><th scope=col>entry<th scope=col>time<th scope=col>what\n");
        for event in &summary.events {
            let _ = writeln!(out, "<tr><td>{}<td>{}<td>{}", event.index, event.time, escape(&event.what));
        }
        out.push_str("</table>\n");
    }
    let _ = writeln!(out, "<h2>Checkpoint</h2><pre>{}</pre></html>", escape(&summary.checkpoint));
    out
}

/// Text in HTML, also between quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Section};
    use super::*;

    fn hostile() -> Summary {
        Summary {
            log: "log.example/x".into(),
            since: "2026-11-01T00:00:00Z".into(),
            until: "2026-12-01T00:00:00Z".into(),
            entries_in_log: 9,
            root: "AAAA=".into(),
            checkpoint: "log.example/x\n9\nAAAA=\n".into(),
            sections: vec![Section { name: "Signatures by subject", counts: vec![("<script>|\"=1+1\n".into(), 3), ("=cmd()".into(), 1)] }],
            events: vec![Event { index: 1, time: "2026-11-02T00:00:00Z".into(), what: "start".into() }],
        }
    }

    #[test]
    fn what_publishers_name_breaks_no_form() {
        let html = html(&hostile());
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
        let markdown = markdown(&hostile());
        assert!(markdown.contains("| <script>\\|\"=1+1  | 3 |"), "{markdown}");
        let csv = csv(&hostile());
        assert!(csv.contains("Signatures by subject,\"<script>|\"\"=1+1\n\",3\r\n"), "{csv}");
        assert!(csv.contains(",'=cmd(),1\r\n"), "{csv}");
    }
}
