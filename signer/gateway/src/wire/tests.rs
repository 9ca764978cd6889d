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
    assert!(request(publisher(), header()).is_ok());
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
        assert_eq!(request(publisher(), h).unwrap_err().field, field);
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

fn refused(kind: RefusalKind) -> Refusal {
    own_refusal(kind, "reason", "message".into())
}

#[test]
fn each_kind_of_refusal_has_its_code_and_says_whether_to_try_again() {
    use RefusalKind as K;
    let table = [
        (K::Denied, Code::PermissionDenied, false),
        (K::Invalid, Code::InvalidArgument, false),
        (K::NotFound, Code::NotFound, false),
        (K::TooLarge, Code::OutOfRange, false),
        (K::Conflict, Code::AlreadyExists, false),
        (K::Busy, Code::ResourceExhausted, true),
        (K::Unavailable, Code::Unavailable, true),
        (K::Internal, Code::Internal, true),
    ];
    for (kind, code, again) in table {
        assert_eq!((status(refused(kind)).code(), refusal(refused(kind)).retry), (code, again), "{kind:?}");
    }
}

#[test]
fn a_status_stays_small_enough_for_the_trailers_that_clients_take() {
    let long = Refusal { message: "\u{e9}".repeat(10_000), receipt: vec![1; 20_000], ..refused(RefusalKind::Denied) };
    let short = Refusal { receipt: vec![1; 4096], ..refused(RefusalKind::Denied) };
    let found = |status: &Status| {
        let details = tonic_types::pb::Status::decode(status.details()).unwrap();
        v1::Refusal::decode(details.details[0].value.as_slice()).unwrap()
    };
    let long = status(long);
    let trailers = long.message().len() * 3 + long.details().len().div_ceil(3) * 4;
    assert!(trailers < 14_000, "{trailers}");
    assert_eq!((found(&long).message.chars().count(), found(&long).receipt.len()), (STATUS_MESSAGE_MAX, 0));
    assert_eq!(found(&status(short)).receipt.len(), 4096, "an ordinary receipt is there");
}

#[test]
fn content_has_a_digest_of_32_bytes() {
    let content = |len: usize| {
        let payload = v1::sign_header::Payload::Content(v1::DeclaredContent { length: 5, sha256: vec![1; len].into() });
        request(publisher(), v1::SignHeader { payload: Some(payload), ..header() })
    };
    assert_eq!(content(32).unwrap().payload, Payload::Content { len: 5, sha256: [1; 32] });
    assert_eq!([content(31).unwrap_err().field, content(33).unwrap_err().field], ["content.sha256"; 2]);
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(header) = v1::SignHeader::decode(bytes.as_slice()) {
            let _ = request(publisher(), header);
        }
    }

    #[test]
    fn any_text_in_any_field_is_a_request_or_an_error(key in ".{0,80}", construction in ".{0,30}", subject in ".{0,300}") {
        let _ = request(publisher(), v1::SignHeader { key, construction, subject, ..header() });
    }
}
