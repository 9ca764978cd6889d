//! `chancery self-test`.

use super::error::CliError;
use super::output::Output;
use super::{Global, session};
use chancery::{Construction, HashAlgorithm};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};
use std::time::Instant;

/// What no verifier of anything else asks for.
const NAMESPACE: &str = "chancery-self-test";
const SUBJECT: &str = "self-test";

const AFTER_HELP: &str =
    "A whole request on the whole way: decided, recorded, signed, and checked here with its receipt. It is an SSH signature of the \
present time in the namespace chancery-self-test, so the key must be made for sshsig, and a grant like this one lets a monitor \
have it and nothing else:

  [[grant]]
  principal     = \"spiffe://signer.example.org/monitor/watch1\"
  key           = \"canary\"
  constructions = [\"sshsig\"]
  subject       = \"self-test\"
  namespaces    = [\"chancery-self-test\"]

Exits with 1 when the key host refuses, 3 when it cannot be reached, 4 when signature or log misbehave.

Example:
  chanceryd enroll watch1 --role monitor --csr watch1.csr
  chancery self-test --key canary --timeout 10 --json";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct SelfTest {
    /// Name of the key
    #[arg(long, value_name = "KEY")]
    key: String,
}

impl SelfTest {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let keys = session::pinned(&profile, &self.key)?;
        if !keys.iter().any(|key| key.constructions.contains(&Construction::Sshsig)) {
            return Err(CliError::Usage(format!("key {} was not made for sshsig; `chancery keys` shows what each is for", self.key)));
        }
        let text = format!("{} at {}", profile.principal(), Timestamp::now());
        let digest = Sha512::digest(text.as_bytes());
        let begun = Instant::now();
        let signature = session::wait(async {
            let client = session::client(global, profile).await?;
            Ok(client.sign_digest(&self.key, SUBJECT, NAMESPACE, HashAlgorithm::Sha512, &digest).await?)
        })?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
        let text = format!("recorded, signed and checked in {milliseconds:.0} ms ({})\n", session::by(&signature));
        let mut facts = session::facts(&signature);
        if let Value::Object(facts) = &mut facts {
            facts.insert("milliseconds".to_owned(), json!(milliseconds));
        }
        output.result(text, &facts)
    }
}
