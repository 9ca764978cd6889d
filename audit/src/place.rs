//! Where a log's files are: a directory, or a web server.

use chancery_reqlog::{Directory, Fetch, FetchError};
use std::time::Duration;
use ureq::Agent;
use ureq::http::StatusCode;

/// No file of a log is larger: a full bundle has 256 entries of at most 65,535 bytes.
const MAX_FILE: u64 = 256 * (2 + 65_535);
const TIMEOUT: Duration = Duration::from_secs(30);

/// A directory, or a web server.
pub(crate) enum Place {
    Directory(Directory),
    Web { agent: Agent, base: String },
}

impl Place {
    /// Takes `http://…` and `https://…` for a web server, everything else for a directory.
    pub(crate) fn new(place: &str) -> Self {
        if place.starts_with("https://") || place.starts_with("http://") {
            let agent = Agent::config_builder()
                .timeout_global(Some(TIMEOUT))
                .http_status_as_error(false)
                .user_agent(concat!("chancery-audit/", env!("CARGO_PKG_VERSION")))
                .build()
                .into();
            Self::Web { agent, base: place.trim_end_matches('/').to_owned() }
        } else {
            Self::Directory(Directory::new(place))
        }
    }
}

impl Fetch for Place {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        match self {
            Self::Directory(directory) => directory.get(path),
            Self::Web { agent, base } => {
                let url = format!("{base}/{path}");
                // A server may close a connection in the moment it is used again, and a whole log is many files: one more try.
                let file = fetch(agent, &url).or_else(|_| fetch(agent, &url));
                file.map_err(|source| FetchError { path: url, source })
            }
        }
    }
}

fn fetch(agent: &Agent, url: &str) -> Result<Option<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
    let mut response = agent.get(url).call()?;
    match response.status() {
        StatusCode::OK => Ok(Some(response.body_mut().with_config().limit(MAX_FILE).read_to_vec()?)),
        StatusCode::NOT_FOUND => Ok(None),
        other => Err(format!("{url} answers {other}").into()),
    }
}
