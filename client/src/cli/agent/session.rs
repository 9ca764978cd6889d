//! What is answered to programs that connect.

use super::listener::Listener;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use chancery::{Client, PinnedKey, VerifiedSignature};
use chancery_formats::sshsig::Tbs;
use chancery_reqlog::durable;
use ssh_agent_lib::agent;
use ssh_agent_lib::error::AgentError;
use ssh_agent_lib::proto::{Identity, PublicCredential, SignRequest};
use ssh_agent_lib::ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_agent_lib::ssh_key::{Algorithm, Signature};
use std::path::PathBuf;
use std::sync::Arc;

/// What all connections share.
pub(super) struct Served {
    pub(super) client: Client,
    pub(super) keys: Vec<PinnedKey>,
    pub(super) subject: String,
    pub(super) receipts: Option<PathBuf>,
    pub(super) output: Output,
}

#[derive(Clone)]
pub(super) struct Agent(pub(super) Arc<Served>);

impl agent::Agent<Listener> for Agent {
    fn new_session(&mut self, _: &<Listener as agent::ListeningSocket>::Stream) -> impl agent::Session {
        self.clone()
    }
}

#[ssh_agent_lib::async_trait]
impl agent::Session for Agent {
    async fn request_identities(&mut self) -> Result<Vec<Identity>, AgentError> {
        let identity = |key: &PinnedKey| Identity {
            credential: PublicCredential::Key(KeyData::Ed25519(Ed25519PublicKey(*key.public.as_bytes()))),
            comment: format!("chancery {} version {}", key.name, key.version),
        };
        Ok(self.0.keys.iter().map(identity).collect())
    }

    async fn sign(&mut self, request: SignRequest) -> Result<Signature, AgentError> {
        let signature = match self.0.sign(&request).await {
            Ok(signature) => signature,
            Err(error) => {
                // The protocol has no room for why.
                self.0.output.explain(&error);
                return Err(AgentError::Failure);
            }
        };
        Signature::new(Algorithm::Ed25519, signature.raw().to_vec()).map_err(AgentError::other)
    }
}

impl Served {
    async fn sign(&self, request: &SignRequest) -> Result<VerifiedSignature, CliError> {
        let PublicCredential::Key(KeyData::Ed25519(asked)) = &request.credential else {
            return Err(CliError::Usage("asked for a signature by a key that is not an Ed25519 key".to_owned()));
        };
        let key = self.keys.iter().find(|key| *key.public.as_bytes() == asked.0);
        let key = key.ok_or_else(|| CliError::Usage("asked for a signature by a key that this agent does not offer".to_owned()))?;
        let tbs = Tbs::parse(&request.data).map_err(CliError::NoSshSignature)?;
        let signature = self.client.sign_digest(&key.name, &self.subject, &tbs.namespace, tbs.algorithm, &tbs.digest).await?;
        if signature.key().public != key.public {
            return Err(CliError::Usage(format!(
                "the key host signs with a newer version of {}; enroll again, or offer that one",
                key.name
            )));
        }
        if let Some(dir) = &self.receipts {
            let path = dir.join(format!("{}.tlog-proof", signature.receipt().index()));
            durable::write_atomic(&path, signature.receipt_file(), 0o644)?;
        }
        Ok(signature)
    }
}
