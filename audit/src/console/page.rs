//! The frame of all pages.

use super::desk::Trouble;
use crate::error::AuditError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};
use std::cell::RefCell;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Problem {
    NotFound,
    /// What was asked cannot be answered.
    Asked(String),
    /// The log or its index.
    Broken(String),
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Beyond { .. } | AuditError::NoRequest(_) => Self::NotFound,
            AuditError::Usage(text) => Self::Asked(text),
            error => Self::Broken(error.text()),
        }
    }
}

thread_local! {
    /// What every page made on this thread says above all else.
    static TROUBLE: RefCell<Option<Trouble>> = const { RefCell::new(None) };
}

/// Makes a page that says what is wrong with the log, if anything is.
pub(super) fn with_trouble<T>(trouble: Option<Trouble>, make: impl FnOnce() -> T) -> T {
    TROUBLE.set(trouble);
    let made = make();
    TROUBLE.set(None);
    made
}

/// A whole page.
pub(super) fn frame(title: &str, here: &str, body: &Markup) -> Markup {
    let links = [
        ("/", "Overview"),
        ("/entries", "Entries"),
        ("/live", "Live"),
        ("/keys", "Keys"),
        ("/policies", "Policies"),
        ("/witnesses", "Witnesses"),
    ];
    let trouble = TROUBLE.with_borrow(Clone::clone);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Chancery record" }
                link rel="stylesheet" href="/style.css";
                script src="/receipt.js" defer {}
                script src="/console.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    span.brand { "Chancery record" }
                    nav aria-label="Pages" {
                        @for (href, name) in links {
                            a href=(href) aria-current=[(href == here).then_some("page")] { (name) }
                        }
                        a href="/verify.html" { "Verify a receipt" }
                    }
                }
                main id="main" {
                    h1 { (title) }
                    @if let Some(trouble) = trouble {
                        section.trouble role="alert" {
                            h2 { @if trouble.misbehaved { "The log misbehaved" } @else { "The log is out of reach" } }
                            pre { (trouble.text) }
                            p { "What is shown below is of the last look that went well." }
                        }
                    }
                    (body)
                }
            }
        }
    }
}

pub(super) fn html(status: StatusCode, page: Markup) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.into_string()).into_response()
}

pub(super) fn problem(problem: &Problem) -> Response {
    let (status, title, text) = match problem {
        Problem::NotFound => (StatusCode::NOT_FOUND, "Nothing here", "There is no such page or entry."),
        Problem::Asked(text) => (StatusCode::BAD_REQUEST, "This cannot be asked", text.as_str()),
        Problem::Broken(text) => (StatusCode::INTERNAL_SERVER_ERROR, "This cannot be shown", text.as_str()),
    };
    html(status, frame(title, "", &html! { pre { (text) } p { a href="/" { "Back to the overview" } } }))
}
