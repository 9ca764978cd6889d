use super::message::{Fault, FaultKind};
use super::*;
use chancery_channel::KeyName;

#[test]
fn what_a_library_says_is_cut_and_cannot_write_on_a_terminal() {
    let fault = Fault::new(FaultKind::Other, format!("a\x1b[31m\n{}", "b".repeat(10_000)));
    let said = fault.to_string();
    assert!(said.starts_with("it failed (a [31m b") && said.len() < 400, "{said}");
    let long = Fault { kind: FaultKind::Other, text: "\n".repeat(200_000) };
    assert!(long.cut().to_string().len() < 400, "whoever says it, it is cut where it is heard");
}

#[test]
fn a_token_that_was_never_there_is_refused_at_once_and_says_why() {
    let name = KeyName::new("hsm").unwrap();
    let refused = TokenError::Refused { token: name.clone(), fault: Fault::new(FaultKind::NoToken, "") };
    let token = Token::absent(name, &refused);
    assert!(!token.is_in_service());
    for error in [token.sign(b"id", b"bytes").unwrap_err(), token.ping().unwrap_err(), token.generate("a", b"b").unwrap_err()] {
        let said = error.to_string();
        assert!(matches!(error, TokenError::Lost { .. }) && said.contains("hsm") && said.contains("no token of this label"), "{said}");
    }
}
