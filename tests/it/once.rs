//! Requests that are sent until they are answered, and whether each of them was signed exactly once.

use chancery::{Client, Error, HashAlgorithm, Options, Profile, Request, StateStore, VerifiedSignature};
use chancery_reqlog::{Decision, Leaf};
use chancery_tests::Publisher;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a client gives a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// A request, and what came of it.
pub(crate) struct Asked {
    request: Request,
    signature: Vec<u8>,
    index: u64,
}

/// What tells that nobody answered in time.
pub(crate) struct Late;

/// A client of its own, as a program that is started anew.
pub(crate) async fn client(publisher: &Publisher, deadline: Duration) -> Client {
    let mut options = Options::default();
    (options.deadline, options.connect_timeout, options.state) = (deadline, CONNECT, Some(StateStore::Memory));
    Client::connect(Profile::load(publisher.profile()).unwrap(), options).await.unwrap()
}

/// The `n`th request, with an id that nobody else has.
pub(crate) fn request(n: u64) -> Request {
    let digest = Sha256::digest(n.to_be_bytes());
    Request::sshsig("tarballs", &format!("tool-{n}"), "file", HashAlgorithm::Sha256, &digest).unwrap()
}

/// Sends it once, with the tries that the client makes by itself. It is answered within the deadline, or may be sent again.
pub(crate) async fn ask(client: &Client, request: &Request, deadline: Duration) -> Result<Asked, Late> {
    let start = Instant::now();
    let outcome = client.sign(request).await;
    // After the last try the client looks what stands in the way, which takes as long as a connection may.
    let longest = deadline + 2 * CONNECT + Duration::from_secs(1);
    assert!(start.elapsed() < longest, "{:?} for a deadline of {deadline:?}", start.elapsed());
    match outcome {
        Ok(signature) => Ok(Asked::new(request, &signature)),
        Err(Error::Unreachable(_)) => Err(Late),
        Err(Error::Refused(refusal)) if refusal.retry => Err(Late),
        Err(error) => panic!("{} is lost: {error:?}", request.subject()),
    }
}

impl Asked {
    fn new(request: &Request, signature: &VerifiedSignature) -> Self {
        Self { request: request.clone(), signature: signature.framed().to_vec(), index: signature.receipt().index() }
    }

    /// Sent again, it gives the same signature, and names the same entry.
    pub(crate) async fn assert_same_again(&self, client: &Client) {
        let again = client.sign(&self.request).await.unwrap_or_else(|e| panic!("{} again: {e:?}", self.request.subject()));
        assert_eq!(again.framed(), self.signature, "{}", self.request.subject());
        assert_eq!(again.receipt().index(), self.index, "{}", self.request.subject());
    }
}

/// Each of them has exactly one entry, where its receipt says, and nothing else was signed.
pub(crate) fn assert_each_is_signed_once(asked: &[Asked], leaves: &[Leaf]) {
    let mut entries: BTreeMap<[u8; 16], Vec<u64>> = BTreeMap::new();
    for (index, leaf) in (0..).zip(leaves).filter(|(_, leaf)| leaf.decision == Decision::Permit) {
        if let Some(id) = leaf.rid {
            entries.entry(id).or_default().push(index);
        }
    }
    for one in asked {
        assert_eq!(entries.get(&one.request.id().0), Some(&vec![one.index]), "{}", one.request.subject());
    }
    assert_eq!(entries.len(), asked.len(), "nothing that was not asked for is in the log");
}
