//! A key host that misbehaves: nothing is written, and the exit code says so.

use crate::support::{FakeHost, Fault, KEY, Publisher};

/// Signs with a key host of this fault, and gives what was said.
fn signing(fault: Fault) -> String {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    publisher.write("a", b"alpha", 0o644);
    host.misbehave(fault);
    let ran = publisher.chancery(&["sign", "a", "--key", KEY, "--as", "sshsig"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(!publisher.made().iter().any(|n| n.starts_with("a.sig")), "{:?}", publisher.made());
    assert!(ran.err.contains("nothing was written"), "{ran:?}");
    assert_eq!(host.state().asked.len(), 1, "there is no point in trying again");
    ran.err
}

#[test]
fn a_wrong_signature_is_not_written() {
    assert!(signing(Fault::WrongSignature).contains("a signature that does not fit the pinned key release version 1"));
}

#[test]
fn a_signature_by_a_key_that_is_not_pinned_is_not_written() {
    assert!(signing(Fault::NewKeyVersion).contains("signed with release version 2, which this profile does not pin"));
}

#[test]
fn a_receipt_that_proves_something_else_is_not_accepted() {
    assert!(signing(Fault::OtherReceipt).contains("another rid than this signature: 0909"));
    assert!(signing(Fault::OtherBytesRecorded).contains("another tbs than this signature"));
    assert!(signing(Fault::DenialReceipt).contains("another kind than this signature: deny, expected was sign"));
    assert!(signing(Fault::NoReceipt).contains("no valid proof that the request was recorded"));
}

#[test]
fn a_reply_that_contradicts_its_receipt_is_not_accepted() {
    assert!(signing(Fault::OtherIndex).contains("the entry is number 2, its receipt proves number 1"));
    assert!(signing(Fault::OtherDigest).contains("signed other bytes than those that were sent"));
}

#[test]
fn a_refusal_with_the_receipt_of_another_request_is_not_accepted() {
    assert!(signing(Fault::RefuseWithOtherReceipt).contains("another rid than this request"));
}

#[test]
fn one_wrong_signature_of_many_is_reason_enough_to_write_none() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    for name in ["a", "b"] {
        publisher.write(name, name.as_bytes(), 0o644);
    }
    host.misbehave(Fault::WrongSignature);
    assert_eq!(publisher.chancery(&["sign", "a", "b", "--key", KEY, "--as", "sshsig"]).code, 4);
    assert!(!publisher.made().iter().any(|n| n.contains(".sig")));
}
