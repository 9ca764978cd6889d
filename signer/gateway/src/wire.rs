//! From the wire to typed requests, and from answers to the wire. Nothing is decided here.

use bytes::Bytes;
use chancery_channel::{
    Digest, DigestAlgorithm, KeyDescription, KeyState, Namespace, Payload, Principal, Refusal, RefusalKind, RequestId, SignRequest,
};
use chancery_proto::v1;
use prost::Message as _;
use tonic::{Code, Status};

/// The detail of a status that holds a refusal.
const REFUSAL_URL: &str = "type.googleapis.com/chancery.v1.Refusal";

/// A message that is not what the `.proto` files describe. Sending it again gives the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct WireError {
    field: &'static str,
    what: String,
}

fn wrong(field: &'static str, what: impl ToString) -> WireError {
    WireError { field, what: what.to_string() }
}

/// Takes a header apart.
///
/// # Errors
/// [`WireError`] names the field.
pub fn request(principal: &Principal, header: v1::SignHeader) -> Result<SignRequest, WireError> {
    let id: [u8; 16] = header.request_id.as_ref().try_into().map_err(|_| wrong("request_id", "must be 16 random bytes"))?;
    let key = header.key.try_into().map_err(|e| wrong("key", e))?;
    let construction = header.construction.parse().map_err(|e| wrong("construction", e))?;
    let subject = header.subject.try_into().map_err(|e| wrong("subject", e))?;
    let payload = match header.payload.ok_or_else(|| wrong("payload", "is missing: announce content or send a digest"))? {
        v1::sign_header::Payload::Content(content) => Payload::Content {
            len: content.length,
            sha256: content.sha256.as_ref().try_into().map_err(|_| wrong("content.sha256", "must be 32 bytes"))?,
        },
        v1::sign_header::Payload::Sshsig(sshsig) => sshsig_payload(sshsig)?,
    };
    Ok(SignRequest { request_id: RequestId(id), principal: principal.clone(), key, construction, subject, payload })
}

fn sshsig_payload(sshsig: v1::SshsigDigest) -> Result<Payload, WireError> {
    let namespace = Namespace::new(sshsig.namespace).map_err(|e| wrong("sshsig.namespace", e))?;
    let algorithm = match sshsig.hash_algorithm.as_str() {
        "sha256" => DigestAlgorithm::Sha256,
        "sha512" => DigestAlgorithm::Sha512,
        _ => return Err(wrong("sshsig.hash_algorithm", "must be sha256 or sha512")),
    };
    let digest =
        Digest::new(algorithm, &sshsig.digest).ok_or_else(|| wrong("sshsig.digest", "must be as long as the hash algorithm makes it"))?;
    Ok(Payload::Digest { namespace, digest })
}

/// A released signature.
#[must_use]
pub fn signed(signed: chancery_channel::Signed) -> v1::SignResponse {
    v1::SignResponse {
        signature: signed.signature.into(),
        key_version: signed.key_version,
        tbs_sha256: Bytes::copy_from_slice(&signed.tbs_sha256),
        entry_index: signed.entry_index,
        receipt: signed.receipt.into(),
    }
}

/// Why nothing was signed.
#[must_use]
pub fn refusal(refusal: Refusal) -> v1::Refusal {
    v1::Refusal {
        retry: retry(refusal.kind),
        reason: refusal.reason,
        message: refusal.message,
        entry_index: refusal.entry_index,
        receipt: refusal.receipt.into(),
    }
}

/// A refusal that the gateway makes itself: nothing was asked of the keeper, so there is no entry.
#[must_use]
pub fn own_refusal(kind: RefusalKind, reason: &str, message: String) -> Refusal {
    Refusal { kind, reason: reason.to_owned(), message, entry_index: None, receipt: Vec::new() }
}

const fn retry(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::Busy | RefusalKind::Unavailable | RefusalKind::Internal)
}

/// The one place where refusals become gRPC codes.
#[must_use]
pub fn status(refused: Refusal) -> Status {
    let code = match refused.kind {
        RefusalKind::Denied => Code::PermissionDenied,
        RefusalKind::Invalid => Code::InvalidArgument,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::TooLarge => Code::OutOfRange,
        RefusalKind::Conflict => Code::AlreadyExists,
        RefusalKind::Busy => Code::ResourceExhausted,
        RefusalKind::Unavailable => Code::Unavailable,
        RefusalKind::Internal => Code::Internal,
    };
    let message = refused.message.clone();
    let detail = prost_types::Any { type_url: REFUSAL_URL.to_owned(), value: refusal(refused).encode_to_vec() };
    let details = tonic_types::pb::Status { code: code.into(), message: message.clone(), details: vec![detail] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

/// The public half of a key.
#[must_use]
pub fn key(key: KeyDescription) -> v1::Key {
    let state = match key.state {
        KeyState::Open => v1::KeyState::Open,
        KeyState::Locked => v1::KeyState::Locked,
    };
    v1::Key {
        name: key.name.into(),
        version: key.version,
        algorithm: "ed25519".to_owned(),
        public_key: Bytes::copy_from_slice(&key.public_key),
        constructions: key.constructions.iter().map(|c| c.name().to_owned()).collect(),
        created: key.created,
        state: state.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn publisher() -> Principal {
        Principal::new("spiffe://example.org/publisher/web1").unwrap()
    }

    fn header() -> v1::SignHeader {
        v1::SignHeader {
            request_id: vec![7; 16].into(),
            key: "release".into(),
            construction: "sshsig".into(),
            subject: "tarballs".into(),
            payload: Some(v1::sign_header::Payload::Sshsig(v1::SshsigDigest {
                namespace: "file".into(),
                hash_algorithm: "sha512".into(),
                digest: vec![1; 64].into(),
            })),
        }
    }

    #[test]
    fn each_malformed_field_is_named() {
        assert!(request(&publisher(), header()).is_ok());
        type Spoil = fn(&mut v1::SignHeader);
        let wrong: [(&str, Spoil); 6] = [
            ("request_id", |h| h.request_id = vec![7; 15].into()),
            ("key", |h| h.key = "../release".into()),
            ("construction", |h| h.construction = "gpg".into()),
            ("subject", |h| h.subject = String::new()),
            ("payload", |h| h.payload = None),
            ("sshsig.digest", |h| {
                let Some(v1::sign_header::Payload::Sshsig(s)) = &mut h.payload else { return };
                s.digest = vec![1; 63].into();
            }),
        ];
        for (field, spoil) in wrong {
            let mut h = header();
            spoil(&mut h);
            assert_eq!(request(&publisher(), h).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_refusal_comes_out_of_the_status_as_it_went_in() {
        let refused = Refusal {
            kind: RefusalKind::Denied,
            reason: "ref-not-granted".into(),
            message: "no".into(),
            entry_index: Some(17),
            receipt: b"receipt".to_vec(),
        };
        let status = status(refused);
        assert_eq!(status.code(), Code::PermissionDenied);
        let details = tonic_types::pb::Status::decode(status.details()).unwrap();
        assert_eq!((details.code, details.message.as_str(), details.details[0].type_url.as_str()), (7, "no", REFUSAL_URL));
        let refusal = v1::Refusal::decode(details.details[0].value.as_slice()).unwrap();
        assert_eq!((refusal.entry_index, refusal.reason.as_str(), refusal.retry), (Some(17), "ref-not-granted", false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(header) = v1::SignHeader::decode(bytes.as_slice()) {
                let _ = request(&publisher(), header);
            }
        }

        #[test]
        fn any_text_in_any_field_is_a_request_or_an_error(key in ".{0,80}", construction in ".{0,30}", subject in ".{0,300}") {
            let _ = request(&publisher(), v1::SignHeader { key, construction, subject, ..header() });
        }
    }
}
