//! Style and scripts: part of the program, so that nothing is loaded from elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("assets/style.css");
const RECEIPT: &str = include_str!("assets/receipt.js");
const CONSOLE: &str = include_str!("assets/console.js");
const VERIFY: &str = include_str!("assets/verify.html");

pub(super) fn style() -> Response {
    text("text/css; charset=utf-8", STYLE)
}

pub(super) fn receipt_script() -> Response {
    text("text/javascript; charset=utf-8", RECEIPT)
}

pub(super) fn console_script() -> Response {
    text("text/javascript; charset=utf-8", CONSOLE)
}

fn text(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// One file that verifies receipts without a server: it may do nothing but run its own script.
pub(crate) fn verifier_file() -> String {
    let page = VERIFY.replace("/*style*/", STYLE).replace("/*receipt*/", RECEIPT);
    page.replace("{policy}", &verifier_policy(&page))
}

pub(super) fn verifier() -> Response {
    let page = verifier_file();
    let policy = verifier_policy(&page);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (header::CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

fn verifier_policy(page: &str) -> String {
    let hash = |begin: &str, end: &str| {
        let inside = page.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(inside, _)| inside);
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(inside))
    };
    let (script, style) = (hash("<script>", "</script>"), hash("<style>", "</style>"));
    format!("default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
}
