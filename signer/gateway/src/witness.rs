//! Carries checkpoints to the witnesses and their answers to the keeper (C2SP tlog-witness, `add-checkpoint`), beside everything else.
//!
//! What is sent is signed by the log, and what comes back by the witness; here neither is looked at. Each witness has a task of its own
//! and each exchange a deadline, so one that hangs delays nobody.

use crate::config::{Witness, WitnessServer};
use crate::link::{Link, LinkError};
use chancery_channel::{Answer, ToKeeper};
use std::io::Read as _;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use ureq::Agent;

/// An exchange takes no longer, from looking up the name to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// More of an answer is not read, in bytes; the keeper refuses what is as long as this.
const ANSWER_MAX: u64 = (16 << 10) + 1;
/// A witness that knows another size than it was said to is asked again at once, so often.
const ROUNDS: usize = 3;

/// The running tasks; dropping it ends them.
#[derive(Debug)]
pub struct Witnesses {
    _tasks: JoinSet<()>,
}

impl Witnesses {
    /// Begins to ask each of these witnesses, at once and then at every interval.
    #[must_use]
    pub fn start(link: &Link, config: &Witness) -> Self {
        let mut tasks = JoinSet::new();
        for (server, url) in config.servers.iter().filter_map(|server| Some((server, server.url.clone()?))) {
            let agent = Agent::config_builder()
                .timeout_global(Some(PATIENCE))
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("chanceryd/", env!("CARGO_PKG_VERSION")))
                .build()
                .into();
            let carrier = Carrier { link: link.clone(), server: server.clone(), url, agent };
            let mut clock = interval(config.interval);
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut wanted = link.witness_wanted();
            tasks.spawn(async move {
                loop {
                    tokio::select! {
                        _ = clock.tick() => {}
                        // The link is gone with the sender, and so is the gateway soon.
                        changed = wanted.changed() => if changed.is_err() { return },
                    }
                    carrier.exchange().await;
                }
            });
        }
        Self { _tasks: tasks }
    }
}

struct Carrier {
    link: Link,
    server: WitnessServer,
    url: String,
    agent: Agent,
}

/// An answer as it came.
struct Said {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum CarryError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the witness cannot be reached")]
    Http(#[from] ureq::Error),
    #[error("the answer of the witness broke off")]
    Read(#[from] std::io::Error),
    #[error("there is no thread for it")]
    Thread,
}

impl Carrier {
    async fn exchange(&self) {
        for _ in 0..ROUNDS {
            match self.round().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(url = self.url, %error, cause, "a witness was not asked; it is tried again");
                    return;
                }
            }
        }
    }

    /// One request and its answer, if there is something to cosign; whether the witness is to be asked again at once.
    async fn round(&self) -> Result<bool, CarryError> {
        let witness = &self.server.vkey;
        let asked = self.link.call(|id| ToKeeper::WitnessRequest { id, witness: witness.clone() })?.answer().await?;
        // A refusal was told in the keeper's log.
        let Answer::WitnessRequest(Some(body)) = asked else { return Ok(false) };
        let Said { status, content_type, body } = self.post(body.0).await?;
        let answer = |id| ToKeeper::WitnessAnswer { id, witness: witness.clone(), status, content_type, body: &body };
        let judged = self.link.call(answer)?.answer().await?;
        Ok(judged == Answer::WitnessJudged { again: true })
    }

    /// In a thread that nobody has to wait for: the process may end while a witness hangs.
    async fn post(&self, body: Vec<u8>) -> Result<Said, CarryError> {
        let (agent, url) = (self.agent.clone(), format!("{}/add-checkpoint", self.url.trim_end_matches('/')));
        let (answered, answer) = oneshot::channel();
        let work = move || drop(answered.send(post(&agent, &url, &body)));
        thread::Builder::new().name("witness".to_owned()).spawn(work)?;
        answer.await.unwrap_or(Err(CarryError::Thread))
    }
}

fn post(agent: &Agent, url: &str, body: &[u8]) -> Result<Said, CarryError> {
    let response = agent.post(url).content_type("text/plain; charset=utf-8").send(body)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mut body = Vec::new();
    response.into_body().into_reader().take(ANSWER_MAX).read_to_end(&mut body)?;
    Ok(Said { status, content_type, body })
}
