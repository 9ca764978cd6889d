//! `chancery carry`.

use super::error::CliError;
use super::output::Output;
use super::{Global, session};
use chancery::Client;
use clap::Args;
use serde_json::json;
use std::io::Read as _;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use ureq::Agent;

/// More of an answer is not read, in bytes; the key host refuses what is as long as this.
const ANSWER_MAX: u64 = (16 << 10) + 1;
/// A witness that knows another size than it was said to is asked again at once, so often.
const ROUNDS: usize = 3;

const AFTER_HELP: &str =
    "For a key host that has no route to its witnesses. What is carried is public, and signed by the log on its way there and by the \
witness on its way back; who carries it can delay it and nothing else. In signer.toml the witness stands without a url.

Example:
  chancery carry --witness witness.example/w1+20324abe+BCms...=https://witness.example/ --every 60";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Carry {
    /// A witness: its verification key, =, and the prefix of its /add-checkpoint
    #[arg(long = "witness", required = true, value_name = "VKEY=URL", value_parser = witness)]
    witnesses: Vec<Witness>,
    /// Go on, and look so often, in seconds; without this once
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: Option<u64>,
}

#[derive(Debug, Clone)]
struct Witness {
    vkey: String,
    url: String,
}

fn witness(text: &str) -> Result<Witness, String> {
    // A key is base64, which may end in = itself.
    let at = ["=https://", "=http://"].iter().find_map(|scheme| text.find(scheme)).ok_or("expected VKEY=URL, with an http or https URL")?;
    let (vkey, url) = text.split_at(at);
    vkey.parse::<chancery_tlog::VerifierKey>().map_err(|e| format!("{vkey:?} is no verification key: {e}"))?;
    Ok(Witness { vkey: vkey.to_owned(), url: url.trim_start_matches('=').trim_end_matches('/').to_owned() })
}

/// What became of one witness.
enum Carried {
    UpToDate,
    /// The witness answered, with this status.
    Answered(u16),
}

impl Carry {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(global.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        session::wait(async {
            let client = session::client(global, profile).await?;
            let Some(seconds) = self.every else { return self.once(&client, &agent, output).await };
            let mut clock = interval(Duration::from_secs(seconds));
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                if let Err(error) = self.once(&client, &agent, output).await {
                    output.explain(&error);
                }
            }
        })
    }

    async fn once(&self, client: &Client, agent: &Agent, output: Output) -> Result<(), CliError> {
        let (mut failed, mut code) = (0_usize, 0);
        for witness in &self.witnesses {
            let name = witness.vkey.split('+').next().unwrap_or_default();
            match carry(client, agent, witness).await {
                Ok(carried) => {
                    let (text, status) = match carried {
                        Carried::UpToDate => ("has cosigned the newest checkpoint".to_owned(), None),
                        Carried::Answered(status) => (format!("answered {status}; the key host has the answer"), Some(status)),
                    };
                    output.result(format!("{name} {text}\n"), &json!({ "witness": name, "status": status }))?;
                }
                Err(error) => {
                    output.explain(&error);
                    failed = failed.saturating_add(1);
                    code = code.max(error.exit_code());
                }
            }
        }
        if failed == 0 {
            Ok(())
        } else {
            Err(CliError::Several { failed, all: self.witnesses.len(), what: "witnesses were not served", code })
        }
    }
}

async fn carry(client: &Client, agent: &Agent, witness: &Witness) -> Result<Carried, CliError> {
    let mut carried = Carried::UpToDate;
    for _ in 0..ROUNDS {
        let Some(body) = client.witness_request(&witness.vkey).await? else { break };
        let (agent, url) = (agent.clone(), format!("{}/add-checkpoint", witness.url));
        let posted = tokio::task::spawn_blocking(move || post(&agent, &url, &body)).await;
        let (status, content_type, body) = posted.map_err(|e| CliError::Runtime(e.into()))??;
        carried = Carried::Answered(status);
        if !client.witness_answer(&witness.vkey, status, &content_type, &body).await? {
            break;
        }
    }
    Ok(carried)
}

fn post(agent: &Agent, url: &str, body: &[u8]) -> Result<(u16, String, Vec<u8>), CliError> {
    let failed = |source| CliError::Witness { url: url.to_owned(), source };
    let response = agent.post(url).content_type("text/plain; charset=utf-8").send(body).map_err(failed)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mut body = Vec::new();
    let read = response.into_body().into_reader().take(ANSWER_MAX).read_to_end(&mut body);
    read.map_err(|e| failed(e.into()))?;
    Ok((status, content_type, body))
}
