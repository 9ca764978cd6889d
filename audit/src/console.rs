//! `chancery-audit serve`: the record as pages, read-only.

mod assets;
mod desk;
mod entries;
mod inventory;
mod overview;
mod page;
mod plot;

pub(crate) use assets::verifier_file;

use crate::book::BookArgs;
use crate::error::AuditError;
use crate::web::WebArgs;
use axum::Router;
use axum::extract::{Path as UrlPath, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chancery_tlog::{KeyType, VerifierKey};
use clap::Args;
use desk::{Desk, Parameters};
use maud::Markup;
use page::Problem;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    book: BookArgs,
    #[command(flatten)]
    web: WebArgs,
    /// Verification key of a witness, whose cosignatures are shown; may be given more than once
    #[arg(long = "witness", value_name = "VKEY")]
    witnesses: Vec<VerifierKey>,
    /// A directory with policy files, old and new: those that the log names by their SHA-256 are shown, with what changed
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
}

/// Nothing is loaded from elsewhere, nothing of it is framed elsewhere, and what publishers named cannot run.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                              form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

type Shared = Arc<Desk>;

impl Serve {
    pub(crate) fn run(&self) -> Result<(), AuditError> {
        if let Some(other) = self.witnesses.iter().find(|key| key.key_type() != KeyType::CosignatureV1) {
            return Err(AuditError::Usage(format!("{} is not the key of a witness (type 4)", other.name())));
        }
        let desk: Shared = Arc::new(Desk::open(&self.book, &self.witnesses, self.policies.as_deref())?);
        let app = Router::new()
            .route("/", get(overview))
            .route("/entries", get(entries))
            .route("/entry/{index}", get(entry))
            .route("/entry/{index}/receipt", get(receipt))
            .route("/keys", get(keys))
            .route("/policies", get(policies))
            .route("/witnesses", get(witnesses))
            .route("/live", get(live))
            .route("/live.json", get(live_json))
            .route("/style.css", get(|| async { assets::style() }))
            .route("/receipt.js", get(|| async { assets::receipt_script() }))
            .route("/console.js", get(|| async { assets::console_script() }))
            .route("/verify.html", get(|| async { assets::verifier() }))
            .fallback(|| async { page::problem(&Problem::NotFound) })
            .layer(from_fn(headers))
            .with_state(desk);
        self.web.serve("console", app)
    }
}

/// What every answer carries.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Makes a page out of the newest state of the log, away from the threads that serve.
async fn answer(desk: Shared, make: impl FnOnce(&Desk) -> Result<Markup, Problem> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(move || make(&desk)).await {
        Ok(Ok(page)) => page::html(StatusCode::OK, page),
        Ok(Err(problem)) => page::problem(&problem),
        Err(_) => page::problem(&Problem::Broken("a page could not be made".to_owned())),
    }
}

async fn overview(State(desk): State<Shared>, Query(parameters): Query<Parameters>) -> Response {
    answer(desk, move |desk| desk.read(|book| overview::page(desk, book, &parameters))).await
}

async fn entries(State(desk): State<Shared>, Query(parameters): Query<Parameters>) -> Response {
    answer(desk, move |desk| desk.read(|book| entries::page(book, &parameters))).await
}

async fn entry(State(desk): State<Shared>, UrlPath(index): UrlPath<String>) -> Response {
    answer(desk, move |desk| desk.read(|book| entries::one(book, &index))).await
}

async fn keys(State(desk): State<Shared>) -> Response {
    answer(desk, |desk| desk.read(inventory::keys)).await
}

async fn policies(State(desk): State<Shared>) -> Response {
    answer(desk, |desk| desk.read(|book| inventory::policies(desk, book))).await
}

async fn witnesses(State(desk): State<Shared>) -> Response {
    answer(desk, |desk| desk.read(|book| inventory::witnesses(desk, book))).await
}

async fn live(State(desk): State<Shared>) -> Response {
    answer(desk, |desk| desk.read(entries::live)).await
}

async fn live_json(State(desk): State<Shared>, Query(parameters): Query<Parameters>) -> Response {
    let made = tokio::task::spawn_blocking(move || desk.read(|book| entries::live_json(book, &parameters))).await;
    match made {
        Ok(Ok(json)) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Ok(Err(problem)) => page::problem(&problem),
        Err(_) => page::problem(&Problem::Broken("no answer could be made".to_owned())),
    }
}

async fn receipt(State(desk): State<Shared>, UrlPath(index): UrlPath<String>) -> Response {
    let name = format!("attachment; filename=\"entry-{}.tlog-proof\"", index.parse::<u64>().unwrap_or(0));
    let made = tokio::task::spawn_blocking(move || desk.read(|book| entries::receipt(book, &index))).await;
    match made {
        Ok(Ok(receipt)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)], receipt).into_response()
        }
        Ok(Err(problem)) => page::problem(&problem),
        Err(_) => page::problem(&Problem::Broken("no receipt could be made".to_owned())),
    }
}
