//! `chancery-audit witness`: cosigns checkpoints of logs that never go back (C2SP tlog-witness).

mod key;
mod memory;
mod request;

use crate::error::AuditError;
use crate::web::WebArgs;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use chancery_tlog::VerifierKey;
use clap::{Args, Subcommand};
use key::WitnessKey;
use memory::Memory;
use request::{Refusal, Request};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A checkpoint with 63 hashes and many signatures is smaller.
const MAX_BODY: usize = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum Witness {
    /// Make a witness: a key of its own, and a directory for what it saw.
    #[command(after_help = "Example:\n  chancery-audit witness init /var/lib/chancery-witness --name witness.example.org/w1")]
    Init {
        /// The directory to make.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Its name, like a URL without scheme; it cannot be changed later.
        #[arg(long)]
        name: String,
    },
    /// Answer `add-checkpoint`.
    #[command(
        after_help = "Example:\n  chancery-audit witness serve /var/lib/chancery-witness --log-vkey-file log.vkey \\\n      --listen 127.0.0.1:8081\n\nPrints `chancery-audit witness ready on URL` once it answers. Key hosts reach it over a web server that speaks TLS, or with the TLS options."
    )]
    Serve(ServeWitness),
}

#[derive(Debug, Args)]
pub(crate) struct ServeWitness {
    /// The directory that `witness init` made
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// A file with the verification key of a log; checkpoints of other logs are not cosigned
    #[arg(long, value_name = "FILE", required = true)]
    log_vkey_file: Vec<PathBuf>,
    #[command(flatten)]
    web: WebArgs,
}

/// Why there is no witness.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessError {
    #[error("{} is there already; a witness that forgets what it saw is none", .0.display())]
    Exists(PathBuf),
    #[error("{name:?} cannot be the name of a witness: no spaces, no +")]
    Name { name: String },
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    #[error("{} is not the key of a witness; restore it from its backup", .0.display())]
    Key(PathBuf),
    #[error("another process serves the witness in {}", .0.display())]
    InUse(PathBuf),
    #[error("{} does not hold what this witness cosigned last: it was changed or damaged. Restore it from a backup that is not older, or begin with a new name and key: \
             a witness that forgets vouches for nothing", .0.display())]
    Damaged(PathBuf),
    #[error("two of the logs have the name {0}")]
    Twice(String),
}

type Shared = Arc<Mutex<Memory>>;

impl Witness {
    pub(crate) fn run(self, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        match self {
            Self::Init { dir, name } => say(&format!("{}\n", WitnessKey::make(&dir, &name)?.verifier())),
            Self::Serve(serve) => serve.run(),
        }
    }
}

impl ServeWitness {
    fn run(&self) -> Result<(), AuditError> {
        let key = WitnessKey::read(&self.dir)?;
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).map_err(|source| AuditError::Read { path: path.clone(), source })?;
            text.trim().parse::<VerifierKey>().map_err(AuditError::Key)
        };
        let logs = self.log_vkey_file.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let memory: Shared = Arc::new(Mutex::new(Memory::open(&self.dir, key, logs)?));
        let app = Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{log}/checkpoint", get(newest))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(memory);
        self.web.serve("witness", app)
    }
}

async fn add_checkpoint(State(memory): State<Shared>, body: Bytes) -> Response {
    let judged = tokio::task::spawn_blocking(move || {
        let request = Request::parse(&body)?;
        // One at a time: what was seen is compared and replaced as one step.
        memory.lock().unwrap_or_else(PoisonError::into_inner).add(&request, crate::time::now().div_euclid(1000).unsigned_abs())
    });
    match judged.await {
        Ok(Ok(line)) => (StatusCode::OK, line).into_response(),
        Ok(Err(refusal)) => refused(refusal),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refused(refusal: Refusal) -> Response {
    let text = format!("{refusal}\n");
    let status = match refusal {
        Refusal::Malformed(_) | Refusal::OldBeyond => StatusCode::BAD_REQUEST,
        Refusal::UnknownLog => StatusCode::NOT_FOUND,
        Refusal::Signature => StatusCode::FORBIDDEN,
        Refusal::OtherSize(size) => {
            return (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n")).into_response();
        }
        Refusal::Proof | Refusal::Fork => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Storage(error) => {
            crate::complain(&AuditError::Save(error), false);
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    (status, text).into_response()
}

async fn newest(State(memory): State<Shared>, UrlPath(log): UrlPath<String>) -> Response {
    let found = memory.lock().unwrap_or_else(PoisonError::into_inner).newest(&log).map(str::to_owned);
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |note| note.into_response())
}
