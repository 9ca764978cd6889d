//! `chancery enroll-request`: a key that never leaves this machine, and the request for its certificate.

use super::error::CliError;
use super::output::Output;
use chancery_reqlog::durable;
use clap::Args;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519};
use serde_json::json;
use std::path::PathBuf;

const AFTER_HELP: &str = "Example:
  chancery enroll-request web1 --out /etc/chancery
  # take web1.csr to the key host, run what is printed, bring the profile back beside web1.key";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Enroll {
    /// Short name of this publisher: a-z, 0-9 and -
    #[arg(value_parser = name)]
    name: String,
    /// Directory for the two files
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

impl Enroll {
    pub(crate) fn run(&self, output: Output) -> Result<(), CliError> {
        let (key_path, request_path) = (self.out.join(format!("{}.key", self.name)), self.out.join(format!("{}.csr", self.name)));
        if key_path.exists() {
            return Err(CliError::Usage(format!(
                "{} exists already and is not overwritten; move it away when it is not needed any more",
                key_path.display()
            )));
        }
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(CliError::Request)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.name.as_str());
        let request = params.serialize_request(&key).and_then(|r| r.pem()).map_err(CliError::Request)?;
        // Whoever was faster with the same name keeps his key.
        durable::write_immutable(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
        durable::write_atomic(&request_path, request.as_bytes(), 0o644)?;
        let (key, csr, name) = (key_path.display(), request_path.display(), &self.name);
        let command = format!("chanceryd enroll {name} --role publisher --csr {name}.csr");
        let text = format!(
            "made {key} (stays here) and {csr}\n\
             next: take {name}.csr to the key host and run there, in its directory:\n  {command}\n\
             then bring {name}.toml back to {}\n",
            self.out.display()
        );
        output.result(text, &json!({ "key": key_path, "request": request_path, "command": command }))
    }
}

/// The alphabet that `chanceryd enroll` takes, which makes the name safe in a path as well.
fn name(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 64 of a-z, 0-9 and -, not beginning or ending with -".to_owned())
    }
}
