use super::*;
use crate::content::SummaryRef;
use chancery_channel::{Digest, KeyName, Namespace, Payload, Principal, RequestId, Subject};
use chancery_formats::Construction;

const POLICY: &str = r#"
[[grant]]
principal = "spiffe://example.org/web1"
key = "release"
constructions = ["ostree-summary", "ostree-commit"]
subject = "prod"
refs = ["app/*/x86_64/stable", "runtime/**"]
max_content = "1 KiB"

[[grant]]
principal = "spiffe://example.org/builder"
key = "release"
constructions = ["ostree-commit"]
subject = "prod"
refs = ["**"]

[[grant]]
principal = "git.example.org"
key = "files"
constructions = ["sshsig"]
subject = "dist/*"
namespaces = ["file"]
"#;

struct Ask {
    principal: &'static str,
    key: &'static str,
    construction: Construction,
    subject: &'static str,
    facts: Facts,
    len: usize,
}

fn summary(refs: &[&str]) -> Ask {
    let refs = refs.iter().map(|r| match r.split_once(':') {
        Some((c, n)) => SummaryRef { collection: Some(c.into()), name: n.into(), commit: [0; 32] },
        None => SummaryRef { collection: None, name: (*r).into(), commit: [0; 32] },
    });
    let facts = Facts::Summary { refs: refs.collect(), collection_id: None, last_modified: None, expires: None };
    let principal = "spiffe://example.org/web1";
    Ask { principal, key: "release", construction: Construction::OstreeSummaryEd25519, subject: "prod", facts, len: 10 }
}

fn commit(refs: &[&str]) -> Ask {
    let refs = refs.iter().map(|r| (*r).to_owned()).collect();
    let facts = Facts::Commit { refs, collection: None, parent: None, timestamp: 0, version: None };
    Ask { facts, construction: Construction::OstreeCommitEd25519, ..summary(&[]) }
}

fn digest(namespace: &str, subject: &'static str) -> Ask {
    let facts = Facts::Digest { namespace: Namespace::new(namespace).unwrap() };
    Ask { principal: "git.example.org", key: "files", construction: Construction::Sshsig, subject, facts, len: 0 }
}

impl Ask {
    fn checked(self) -> Checked {
        let payload = match &self.facts {
            Facts::Digest { namespace } => Payload::Digest { namespace: namespace.clone(), digest: Digest::Sha256([0; 32]) },
            _ => Payload::Content { len: self.len as u64, sha256: [0; 32] },
        };
        let request = SignRequest {
            request_id: RequestId([7; 16]),
            principal: Principal::new(self.principal).unwrap(),
            key: KeyName::new(self.key).unwrap(),
            construction: self.construction,
            subject: Subject::new(self.subject).unwrap(),
            payload,
        };
        Checked::new(request, self.facts, vec![0; self.len])
    }

    fn decide(self) -> Result<Permit, Denial> {
        let made_for = if self.key == "files" { vec![Construction::Sshsig] } else { Construction::ALL[..2].to_vec() };
        let description = key(self.key, made_for, KeyState::Open);
        decide(&policy(), self.checked(), Some(KeyFacts { description: &description, id: &[9; 32] }), 0)
    }

    fn denied(self) -> (&'static str, String) {
        let denial = self.decide().err().expect("must be denied");
        (denial.reason().code(), denial.message().to_owned())
    }
}

fn key(name: &str, constructions: Vec<Construction>, state: KeyState) -> KeyDescription {
    KeyDescription { name: KeyName::new(name).unwrap(), version: 3, public_key: [1; 32], constructions, created: 0, retires: None, state }
}

fn policy() -> Policy {
    Policy::parse(POLICY, "policy.toml").unwrap()
}

#[test]
fn a_request_that_one_grant_covers_is_permitted_with_what_the_record_needs() {
    let permit = summary(&["app/a/x86_64/stable", "runtime/b/c"]).decide().ok().unwrap();
    assert_eq!((permit.grant(), permit.key_version(), *permit.key_id()), (0, 3, [9; 32]));
    assert_eq!(*permit.policy_digest(), policy().digest());
    assert_eq!(permit.into_checked().len(), 10);
    assert!(commit(&["app/a/x86_64/stable"]).decide().is_ok());
    assert!(digest("file", "dist/a.tar.gz").decide().is_ok());
    assert!(Ask { principal: "spiffe://example.org/builder", ..commit(&["anything/at/all"]) }.decide().is_ok());
}

#[test]
fn each_miss_has_its_code_and_names_what_was_missed() {
    let stable = "app/a/x86_64/stable";
    for (ask, code, names) in [
        (Ask { principal: "spiffe://example.org/web2", ..summary(&[]) }, "no-grant", "spiffe://example.org/web2"),
        (Ask { key: "other", ..summary(&[]) }, "key-not-granted", "other"),
        (Ask { construction: Construction::Sshsig, ..summary(&[]) }, "construction-not-granted", "sshsig"),
        (Ask { subject: "staging", ..summary(&[]) }, "subject-not-granted", "staging"),
        (Ask { len: 1025, ..summary(&[]) }, "too-large", "1025"),
        (summary(&[stable, "app/a/x86_64/beta", "app/b/x86_64/beta"]), "ref-not-granted", "app/a/x86_64/beta"),
        (summary(&["org.example.Other:runtime/a"]), "ref-not-granted", "org.example.Other:runtime/a"),
        (commit(&[stable, "app/a/arm/stable"]), "ref-not-granted", "app/a/arm/stable"),
        (commit(&[]), "no-ref-binding", "line 2"),
        (digest("git", "dist/a"), "namespace-not-granted", "git"),
        (digest("file", "dist/a/b"), "subject-not-granted", "dist/a/b"),
    ] {
        let (got, message) = ask.denied();
        assert_eq!(got, code, "{message}");
        assert!(message.contains(names), "{message}");
    }
}

#[test]
fn a_commit_without_ref_binding_needs_a_grant_for_every_ref() {
    assert!(Ask { principal: "spiffe://example.org/builder", ..commit(&[]) }.decide().is_ok());
}

#[test]
fn the_key_must_exist_be_open_and_be_made_for_it() {
    let with = |description: Option<KeyDescription>| {
        let facts = description.as_ref().map(|description| KeyFacts { description, id: &[9; 32] });
        let denial = decide(&policy(), commit(&["runtime/a"]).checked(), facts, 0).err().unwrap();
        (denial.reason(), denial.into_request().request_id)
    };
    let id = RequestId([7; 16]);
    assert_eq!(with(None), (Reason::KeyUnknown, id));
    let (summary, commit) = (vec![Construction::OstreeSummaryEd25519], vec![Construction::OstreeCommitEd25519]);
    assert_eq!(with(Some(key("release", summary, KeyState::Open))), (Reason::ConstructionNotForKey, id));
    assert_eq!(with(Some(key("release", commit, KeyState::Locked))), (Reason::KeyLocked, id));
}

#[test]
fn two_grants_do_not_add_up_to_one() {
    let half = |refs: &str| {
        format!(
            "[[grant]]\nprincipal = \"a.org\"\nkey = \"k\"\nconstructions = [\"ostree-summary\"]\nsubject = \"s\"\nrefs = [\"{refs}\"]\n"
        )
    };
    let policy = Policy::parse(&(half("a") + &half("b")), "p").unwrap();
    let description = key("k", vec![Construction::OstreeSummaryEd25519], KeyState::Open);
    let decide_refs = |refs: &[&str]| {
        let ask = Ask { principal: "a.org", key: "k", subject: "s", ..summary(refs) };
        decide(&policy, ask.checked(), Some(KeyFacts { description: &description, id: &[0; 32] }), 0).is_ok()
    };
    assert!(decide_refs(&["a"]) && decide_refs(&["b"]) && !decide_refs(&["a", "b"]));
}

#[test]
fn without_grants_everything_is_denied() {
    let policy = Policy::parse("", "policy.toml").unwrap();
    assert_eq!(decide(&policy, summary(&[]).checked(), None, 0).err().unwrap().reason(), Reason::NoGrant);
}

#[test]
fn a_hostile_ref_cannot_paint_or_flood_the_message() {
    let name = "app/\x1b[31m".to_owned() + &"x".repeat(100_000);
    let (_, message) = commit(&[&name]).denied();
    assert!(message.len() < 500 && message.is_ascii() && !message.contains('\x1b'), "{message}");
}
