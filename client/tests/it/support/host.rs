//! A key host in this process: honest unless told otherwise.

use super::log::FakeLog;
use super::pki::Pki;
use bytes::Bytes;
use chancery::hex;
use chancery_formats::Construction;
use chancery_formats::ed25519::PublicKey;
use chancery_formats::sshsig;
use chancery_proto::v1;
use chancery_proto::v1::sign_header::Payload;
use chancery_reqlog::{Decision, Leaf, Token};
use chancery_tlog::VerifierKey;
use prost::Message as _;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Status};

mod services;

/// How the key host misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Signs something else.
    WrongSignature,
    /// Signs with a key that is not pinned, and says so.
    NewKeyVersion,
    /// Sends the receipt of another request.
    OtherReceipt,
    /// Records other bytes than it signs.
    OtherBytesRecorded,
    /// Sends a receipt of an entry that says that the request was refused.
    DenialReceipt,
    /// Names another entry than the receipt proves.
    OtherIndex,
    /// Says that it signed other bytes.
    OtherDigest,
    /// Sends no receipt.
    NoReceipt,
    /// Shows another public key.
    OtherPublicKey,
    /// Refuses everything.
    Refuse,
    /// Refuses everything for now.
    Busy,
    /// Refuses, with the receipt of another request.
    RefuseWithOtherReceipt,
    /// Refuses the first of each two requests of a batch.
    RefuseEverySecond,
}

/// What the key host knows.
pub(crate) struct State {
    pub(crate) log: FakeLog,
    key: KeyPair,
    pub(crate) fault: Option<Fault>,
    /// So many replies will be lost after their request was recorded.
    pub(crate) lose: u32,
    /// Index of the entry by request id.
    recorded: BTreeMap<Vec<u8>, u64>,
    /// Every request id that came, in order.
    pub(crate) asked: Vec<String>,
    /// How many streams were opened for batches.
    pub(crate) streams: u32,
    /// Done whenever a signature is asked for.
    pub(crate) meanwhile: Option<Box<dyn FnMut() + Send>>,
    /// How many consistency proofs were asked for.
    pub(crate) proofs: u32,
}

pub(crate) type Shared = Arc<Mutex<State>>;

/// A running key host; it stops with the value.
pub(crate) struct FakeHost {
    pub(crate) pki: Pki,
    state: Shared,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl FakeHost {
    pub(crate) fn start() -> Self {
        let log = FakeLog::new();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let (recorded, asked) = (BTreeMap::new(), Vec::new());
        let state = State { log, key, fault: None, lose: 0, recorded, asked, streams: 0, proofs: 0, meanwhile: None };
        Self::serve(Pki::new(), Arc::new(Mutex::new(state)))
    }

    /// A second door to the same key host.
    pub(crate) fn door(&self, pki: Pki) -> Self {
        Self::serve(pki, Arc::clone(&self.state))
    }

    fn serve(pki: Pki, state: Shared) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = pki.server();
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(server.certificate, server.key))
            .client_ca_root(Certificate::from_pem(pki.ca()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Server::builder().tls_config(tls).unwrap();
        let router = services::add(router, &state);
        runtime.spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { pki, state, address, _runtime: runtime }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.address.port())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn misbehave(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.state().public()
    }

    pub(crate) fn log_key(&self) -> VerifierKey {
        self.state().log.key().clone()
    }
}

impl State {
    fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.key.public_key_raw().try_into().unwrap()).unwrap()
    }

    /// Records and signs, or gives what was recorded under this id before.
    fn sign(&mut self, header: &v1::SignHeader, content: &[u8]) -> Result<v1::SignResponse, Status> {
        self.asked.push(hex(&header.request_id));
        self.meanwhile.iter_mut().for_each(|act| act());
        if self.fault == Some(Fault::Busy) {
            return Err(status(Code::ResourceExhausted, "busy", "too much at once", None, true));
        }
        if matches!(self.fault, Some(Fault::Refuse | Fault::RefuseWithOtherReceipt)) {
            return Err(self.refuse(header));
        }
        let tbs = tbs(header, content);
        let index = match self.recorded.get(header.request_id.as_ref()) {
            Some(index) => *index,
            None => self.record(header, &tbs),
        };
        if self.lose > 0 {
            self.lose -= 1;
            return Err(Status::unavailable("the reply is lost"));
        }
        let signed: &[u8] = if self.fault == Some(Fault::WrongSignature) { b"something else" } else { &tbs };
        let signature: [u8; 64] = self.key.sign(signed).unwrap().try_into().unwrap();
        Ok(v1::SignResponse {
            signature: frame(header, &self.public(), &signature).into(),
            key_version: if self.fault == Some(Fault::NewKeyVersion) { 2 } else { 1 },
            tbs_sha256: Bytes::copy_from_slice(&Sha256::digest(if self.fault == Some(Fault::OtherDigest) { b"other" } else { &*tbs })),
            entry_index: if self.fault == Some(Fault::OtherIndex) { index + 1 } else { index },
            receipt: if self.fault == Some(Fault::NoReceipt) { Bytes::new() } else { self.log.receipt(index).into() },
        })
    }

    fn record(&mut self, header: &v1::SignHeader, tbs: &[u8]) -> u64 {
        let mut leaf = Leaf::event(Token::SIGN, Decision::Permit, 5);
        if self.fault == Some(Fault::DenialReceipt) {
            leaf = Leaf::event(Token::DENY, Decision::Deny, 5);
        }
        leaf.construction = Some(Token::new(&header.construction).unwrap());
        leaf.key = Some(self.public().key_id());
        leaf.key_version = Some(if self.fault == Some(Fault::NewKeyVersion) { 2 } else { 1 });
        leaf.rid = Some(if self.fault == Some(Fault::OtherReceipt) { [9; 16] } else { rid(header) });
        leaf.tbs = Some(Sha256::digest(if self.fault == Some(Fault::OtherBytesRecorded) { b"other" } else { tbs }).into());
        let index = self.log.append(&leaf);
        self.recorded.insert(header.request_id.to_vec(), index);
        index
    }

    fn refuse(&mut self, header: &v1::SignHeader) -> Status {
        let mut leaf = Leaf::event(Token::DENY, Decision::Deny, 5);
        leaf.reason = Some(Token::new("ref-not-granted").unwrap());
        leaf.rid = Some(if self.fault == Some(Fault::RefuseWithOtherReceipt) { [9; 16] } else { rid(header) });
        let index = self.log.append(&leaf);
        let receipt = Some((index, self.log.receipt(index)));
        status(Code::PermissionDenied, "ref-not-granted", "no grant covers this\u{1b}[2J; ask for one", receipt, false)
    }

    fn batch(&mut self, request: &v1::SignBatchRequest) -> Result<v1::SignBatchResponse, Status> {
        use v1::sign_batch_response::Outcome;
        let header = request.header.as_ref().unwrap();
        let refused = self.fault == Some(Fault::RefuseEverySecond) && request.number.is_multiple_of(2);
        let done = if refused { Err(self.refuse(header)) } else { self.sign(header, &request.content) };
        let outcome = match done {
            Ok(signed) => Outcome::Signed(signed),
            Err(status) if status.details().is_empty() => return Err(status),
            Err(status) => {
                let details = tonic_types::Status::decode(status.details()).unwrap();
                Outcome::Refusal(v1::Refusal::decode(details.details[0].value.as_slice()).unwrap())
            }
        };
        Ok(v1::SignBatchResponse { number: request.number, outcome: Some(outcome) })
    }

    fn keys(&self) -> Vec<v1::Key> {
        let other = [8; 32];
        let public = if self.fault == Some(Fault::OtherPublicKey) { other } else { *self.public().as_bytes() };
        let key = |name: &str, public: [u8; 32], state: v1::KeyState| v1::Key {
            name: name.to_owned(),
            version: 1,
            algorithm: "ed25519".to_owned(),
            public_key: Bytes::copy_from_slice(&public),
            constructions: Construction::ALL.iter().map(|c| c.name().to_owned()).collect(),
            created: 1,
            state: state.into(),
            retires: None,
        };
        vec![key(super::KEY, public, v1::KeyState::Open), key("new-one", [7; 32], v1::KeyState::Locked)]
    }
}

fn rid(header: &v1::SignHeader) -> [u8; 16] {
    header.request_id.as_ref().try_into().unwrap()
}

fn tbs(header: &v1::SignHeader, content: &[u8]) -> Vec<u8> {
    match header.payload.as_ref().unwrap() {
        Payload::Content(declared) => {
            assert_eq!(declared.length, content.len() as u64);
            assert_eq!(declared.sha256.as_ref(), Sha256::digest(content).as_slice());
            content.to_vec()
        }
        Payload::Sshsig(s) => sshsig::tbs(&s.namespace, s.hash_algorithm.parse().unwrap(), &s.digest).unwrap(),
        other => panic!("this host does not sign {other:?}"),
    }
}

fn frame(header: &v1::SignHeader, public: &PublicKey, signature: &[u8; 64]) -> Vec<u8> {
    match header.payload.as_ref().unwrap() {
        Payload::Content(_) => signature.to_vec(),
        Payload::Sshsig(s) => sshsig::armor(public.as_bytes(), &s.namespace, s.hash_algorithm.parse().unwrap(), signature).into_bytes(),
        other => panic!("this host does not sign {other:?}"),
    }
}

fn status(code: Code, reason: &str, message: &str, receipt: Option<(u64, Vec<u8>)>, retry: bool) -> Status {
    let (entry_index, receipt) = receipt.map_or((None, Bytes::new()), |(index, receipt)| (Some(index), receipt.into()));
    let refusal = v1::Refusal { reason: reason.to_owned(), message: message.to_owned(), entry_index, receipt, retry };
    let any = prost_types::Any { type_url: "type.googleapis.com/chancery.v1.Refusal".to_owned(), value: refusal.encode_to_vec() };
    let details = tonic_types::Status { code: code.into(), message: message.to_owned(), details: vec![any] };
    Status::with_details(code, message, details.encode_to_vec().into())
}
