//! `chancery relay`: where key hosts park that nobody can reach.

use super::error::CliError;
use super::output::Output;
use super::{Global, seconds, session};
use chancery::{Error, Front, Profile, Relay, RelayOptions, RelayReloader};
use chancery_exporter::MetricsAt;
use chancery_journal::{Format, Journal, Level, Wanted};
use clap::Args;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

const AFTER_HELP: &str =
    "Key hosts dial the relay (`chanceryd serve --dial RELAY:7443`) and need no port of their own; clients have the relay as \
their endpoint, and the key host's name as server_name. TLS goes from client to key host: the relay cannot read it. \
Prints `chancery relay ready: signer=ADDRESS client=ADDRESS …` once it listens, with metrics=ADDRESS at the end where it has one. \
SIGTERM stops it; SIGHUP has it read its profiles and their keys again.

Example:
  chancery enroll-request relay1
  # then, on the key host: chanceryd enroll relay1 --role relay --csr relay1.csr
  chancery relay --profile relay1.toml --listen-signer 0.0.0.0:7443 --listen 127.0.0.1:7444";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Where key hosts park
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7443")]
    listen_signer: SocketAddr,
    /// Where clients connect, and to which key host, by a name of its certificate, and by its trust domain where it is not of the first
    /// profile's authority [default: 127.0.0.1:7444]; may be given more than once
    #[arg(long, value_name = "ADDRESS[=NAME[@DOMAIN]]")]
    listen: Vec<Front>,
    /// One more profile of role relay, for key hosts of another authority; may be given more than once
    #[arg(long, value_name = "FILE")]
    also: Vec<PathBuf>,
    /// Where to have numbers for Prometheus, on this machine alone, also as unix:/PATH [default: none]
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<MetricsAt>,
    /// How long a client waits for a key host
    #[arg(long, value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    wait: Duration,
    /// How often a parked key host is asked whether it is there; at most 60
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = ping_interval)]
    ping_interval: Duration,
    /// How long it may take to answer
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    answer_timeout: Duration,
    /// Connections that one key host may park
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    parked: u16,
    /// Clients that may be connected or waiting
    #[arg(long, value_name = "N", default_value = "1024", value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,
    /// So many of them from one address, or one /64 network of IPv6
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..))]
    clients_per_address: u16,
    /// How much is said on standard error: off, error, warn, info, debug or trace, also for parts of the program
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = Level::parse)]
    log: Level,
    /// In which form: text, or json with one object on each line
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = log_format)]
    log_format: Format,
}

fn log_format(text: &str) -> Result<Format, &'static str> {
    Format::named(text).ok_or("write text or json")
}

pub(super) fn run(global: &Global, arguments: Arguments, output: Output) -> Result<(), CliError> {
    let _ = Journal::start(&Wanted { level: arguments.log, format: arguments.log_format });
    let mut identities = vec![session::profile(global)?];
    for path in &arguments.also {
        identities.push(Profile::load(path).map_err(Error::from)?);
    }
    let fronts = match arguments.listen {
        none if none.is_empty() => vec![Front { address: SocketAddr::from(([127, 0, 0, 1], 7444)), key_host: None, authority: None }],
        some => some,
    };
    let mut options = RelayOptions::new(identities, arguments.listen_signer, fronts);
    (options.wait, options.ping_interval, options.answer_timeout) = (arguments.wait, arguments.ping_interval, arguments.answer_timeout);
    (options.parked, options.clients) = (arguments.parked.into(), arguments.clients.into());
    options.clients_per_address = arguments.clients_per_address.into();
    options.metrics = arguments.metrics;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(CliError::Runtime)?;
        let relay = Relay::bind(options).await?;
        let reloader = relay.reloader();
        let clients: String = relay.client_side().iter().map(|address| format!(" client={address}")).collect();
        let metrics = relay.metrics_side().map(|address| format!(" metrics={address}")).unwrap_or_default();
        let text = format!("chancery relay ready: signer={}{clients}{metrics}\n", relay.signer_side());
        let facts = json!({ "signer": relay.signer_side(), "clients": relay.client_side(), "metrics": relay.metrics_side().map(ToString::to_string) });
        output.result(text, &facts)?;
        let told = async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => return,
                    _ = terminate.recv() => return,
                    Some(()) = hangup.recv() => reload(&reloader),
                }
            }
        };
        relay.serve(told).await.map_err(CliError::Runtime)
    })
}

fn reload(reloader: &RelayReloader) {
    match reloader.reload() {
        Ok(()) => tracing::info!("the profiles were read again; who parks from now on meets them"),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "the profiles were read again and cannot be used; those from before stay");
        }
    }
}

fn ping_interval(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(60);
    let interval = seconds(text)?;
    if (Duration::from_millis(1)..=longest).contains(&interval) { Ok(interval) } else { Err("expected 0.001 to 60 seconds".to_owned()) }
}
