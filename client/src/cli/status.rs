//! `chancery status`.

use super::error::CliError;
use super::output::Output;
use super::{Global, keys, session};
use chancery::{Cell, EndpointStatus, Error, KeyState, KeyVerdict, WitnessStatus, WitnessVerdict, hex};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

const AFTER_HELP: &str =
    "Exits with 3 when an endpoint cannot be reached, with 4 when a key or the log is not the one that was seen before, with 1 \
when a pinned key is locked or missing or nothing is signed. A witness that has not cosigned the newest entries is shown, and no fault: it is \
asked from time to time.

Example:
  chancery status --timeout 5 --json";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Status {}

impl Status {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let expires = profile.certificate_expires().and_then(|s| Timestamp::from_second(s).ok());
        let mut text = format!("principal {}\n", profile.principal());
        if let Some(expires) = expires {
            let _ = writeln!(text, "certificate valid until {expires}");
        }
        let mut facts = json!({ "principal": profile.principal(), "certificate_expires": expires.map(|t| t.to_string()) });
        let endpoints: Vec<_> = profile.endpoints().iter().map(ToString::to_string).collect();
        let list = session::wait(async { Ok(session::client(global, profile).await?.status().await?) })?;
        let list: Vec<_> = list.into_iter().map(|s| s.map_err(CliError::from)).collect();
        let mut described = Vec::new();
        for (endpoint, status) in endpoints.iter().zip(&list) {
            text.push_str(&describe(endpoint, status));
            described.push(describe_json(endpoint, status));
        }
        if let Value::Object(facts) = &mut facts {
            facts.insert("endpoints".to_owned(), Value::Array(described));
        }
        output.result(text, &facts)?;
        judge(list, output)
    }
}

fn describe(endpoint: &str, status: &Result<EndpointStatus, CliError>) -> String {
    let status = match status {
        Ok(status) => status,
        // Why is said once, on standard error.
        Err(_) => return format!("{endpoint}  FAILED\n"),
    };
    let history = status
        .log_size_before
        .map_or_else(|| "is seen for the first time".to_owned(), |before| format!("is the one that had {before} when it was last seen"));
    let milliseconds = status.round_trip.as_secs_f64() * 1000.0;
    let mut text = format!("{endpoint}  answers in {milliseconds:.1} ms; the log has {} entries and {history}\n", status.log_size);
    if let Some(why) = &status.not_signing {
        let _ = writeln!(text, "  NOTHING IS SIGNED: {why}");
    }
    for key in &status.keys {
        let _ = writeln!(text, "  {}", keys::line(key));
    }
    for witness in &status.witnesses {
        let _ = writeln!(text, "  witness {}  {}", witness.name, cosigned(witness, status.log_size));
    }
    for (process, cell) in [("keeper", &status.keeper_cell), ("gateway", &status.gateway_cell)] {
        let _ = writeln!(text, "  key host: cell of the {process}: {}", cell.as_ref().map_or_else(|| "not said".to_owned(), in_words));
    }
    text
}

fn cosigned(witness: &WitnessStatus, size: u64) -> String {
    let when = age(witness).map_or_else(String::new, |seconds| format!("cosigned all {size} entries {seconds} s ago, "));
    match witness.verdict {
        WitnessVerdict::Verified => format!("{when}verified with the pinned key"),
        WitnessVerdict::NotPinned => format!("{when}unverified: the profile does not pin its key"),
        WitnessVerdict::Wrong => "ITS COSIGNATURE DOES NOT FIT THE PINNED KEY".to_owned(),
        WitnessVerdict::Absent => "has not cosigned the newest entries".to_owned(),
    }
}

/// Seconds since it cosigned, by the clock here; its own may be ahead.
fn age(witness: &WitnessStatus) -> Option<u64> {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    witness.cosigned.map(|time| now.saturating_sub(time))
}

fn witness_json(witness: &WitnessStatus, size: u64) -> Value {
    let time = witness.cosigned.and_then(|s| Timestamp::from_second(i64::try_from(s).ok()?).ok());
    let verdict = match witness.verdict {
        WitnessVerdict::Verified => "verified",
        WitnessVerdict::NotPinned => "not-pinned",
        WitnessVerdict::Wrong => "wrong",
        WitnessVerdict::Absent => "absent",
    };
    json!({
        "name": witness.name,
        "key_id": hex(&witness.key_id),
        "verdict": verdict,
        "size": witness.cosigned.map(|_| size),
        "cosigned": time.map(|t| t.to_string()),
        "age_s": age(witness),
    })
}

fn in_words(cell: &Cell) -> String {
    let missing = if cell.missing.is_empty() { String::new() } else { format!("; missing {}", cell.missing.join(", ")) };
    format!("{}{missing}", cell.layers.join(", "))
}

fn cell_json(cell: Option<&Cell>) -> Value {
    cell.map_or(Value::Null, |cell| json!({ "layers": cell.layers, "missing": cell.missing }))
}

fn describe_json(endpoint: &str, status: &Result<EndpointStatus, CliError>) -> Value {
    match status {
        Ok(s) => json!({
            "endpoint": endpoint,
            "reached": true,
            "round_trip_ms": s.round_trip.as_secs_f64() * 1000.0,
            "log_size": s.log_size,
            "log_size_before": s.log_size_before,
            "not_signing": s.not_signing,
            "keys": s.keys.iter().map(keys::facts).collect::<Vec<_>>(),
            "witnesses": s.witnesses.iter().map(|witness| witness_json(witness, s.log_size)).collect::<Vec<_>>(),
            "cell": { "keeper": cell_json(s.keeper_cell.as_ref()), "gateway": cell_json(s.gateway_cell.as_ref()) },
        }),
        Err(error) => json!({ "endpoint": endpoint, "reached": false, "error": error.json() }),
    }
}

/// The gravest fault decides how the command ends; the others are in the text already.
fn judge(list: Vec<Result<EndpointStatus, CliError>>, output: Output) -> Result<(), CliError> {
    let all = list.len();
    let (mut failed, mut code) = (0_usize, 0);
    for status in list {
        let fault = match status {
            Err(error) => Err(error),
            Ok(status) => {
                keys::judge(&status.keys).and_then(|()| witnessed(&status)).and_then(|()| locked(&status)).and_then(|()| signing(&status))
            }
        };
        match fault {
            Ok(()) => {}
            Err(error @ CliError::Client(Error::Misbehaved(_))) => return Err(error),
            Err(error) => {
                output.explain(&error);
                failed = failed.saturating_add(1);
                code = code.max(error.exit_code());
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(CliError::Several { failed, all, what: "endpoints are not well", code }) }
}

fn witnessed(status: &EndpointStatus) -> Result<(), CliError> {
    let misbehaviour = status.witnesses.iter().find_map(WitnessStatus::misbehaviour);
    misbehaviour.map_or(Ok(()), |misbehaviour| Err(Error::from(misbehaviour).into()))
}

fn signing(status: &EndpointStatus) -> Result<(), CliError> {
    let Some(why) = &status.not_signing else { return Ok(()) };
    Err(CliError::NotSigning { endpoint: status.endpoint.clone(), why: why.clone() })
}

fn locked(status: &EndpointStatus) -> Result<(), CliError> {
    let failed = status
        .keys
        .iter()
        .filter(|k| k.verdict == KeyVerdict::Pinned && matches!(k.state, KeyState::Locked | KeyState::Unreachable))
        .count();
    if failed == 0 {
        return Ok(());
    }
    Err(CliError::Several {
        failed,
        all: status.keys.len(),
        what: "keys are locked or unreachable; unlock them on the key host, or mend their token",
        code: 1,
    })
}
