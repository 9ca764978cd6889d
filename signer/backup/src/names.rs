//! Which files a backup has. A name that is not one of these is neither sealed nor restored, so none leads out of the directory.

use chancery_channel::KeyName;

/// What is known of a file by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    /// Permission bits.
    pub(super) mode: u32,
    /// Greatest length, in bytes.
    pub(super) max: u64,
}

const SMALL: u64 = 1 << 20;
const LARGE: u64 = 1 << 33;

/// What a file of this name, relative to the key host's directory, is. `None` when no backup has such a file.
pub(super) fn expected(name: &str) -> Option<Expected> {
    let public = Some(Expected { mode: 0o644, max: SMALL });
    let private = Some(Expected { mode: 0o600, max: SMALL });
    match name.split_once('/') {
        None => public.filter(|_| matches!(name, "signer.toml" | "policy.toml")),
        Some(("pki", "ca.crt" | "server.crt" | "clients.crl")) => public,
        Some(("pki", "server.key") | ("ca", "ca.key")) => private,
        Some(("ca", file)) => public.filter(|_| file.strip_prefix("issued/").is_some_and(is_certificate)),
        Some(("keys", file)) => private.filter(|_| is_key_file(file)),
        Some(("log", file)) => log_file(file),
        Some(_) => None,
    }
}

/// `ROLE.NAME.SERIAL.crt`, as `enroll` keeps copies.
fn is_certificate(file: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    file.strip_suffix(".crt").is_some_and(|stem| stem.len() <= 200 && stem.split('.').count() == 3 && stem.split('.').all(plain))
}

fn is_key_file(file: &str) -> bool {
    // A token: its PIN is sealed in the file, and the secrets of its keys are in the token.
    if let Some(token) = file.strip_suffix(".token.toml") {
        return KeyName::new(token).is_ok();
    }
    let Some((stem, "toml" | "pgp")) = file.rsplit_once('.') else { return false };
    let (name, version) = stem.split_once(".v").unwrap_or((stem, "1"));
    KeyName::new(name).is_ok() && version.len() <= 10 && version.bytes().all(|b| b.is_ascii_digit()) && !version.is_empty()
}

fn log_file(file: &str) -> Option<Expected> {
    match file.split_once('/')? {
        ("public", "checkpoint") => Some(Expected { mode: 0o644, max: SMALL }),
        ("public", tile) => Some(Expected { mode: 0o644, max: LARGE }).filter(|_| is_tile(tile)),
        ("witness", id) if id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()) => Some(Expected { mode: 0o600, max: SMALL }),
        ("wal", segment) => Some(Expected { mode: 0o600, max: LARGE }).filter(|_| is_segment(segment)),
        _ => None,
    }
}

/// `tile/LEVEL/x001/234` and `tile/entries/x001/234.p/5`, as C2SP tlog-tiles names them.
fn is_tile(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    let part = |part: &str| number(part.strip_prefix('x').unwrap_or(part)) || part.strip_suffix(".p").is_some_and(number);
    let mut parts = name.split('/');
    parts.next() == Some("tile")
        && parts.next().is_some_and(|level| level == "entries" || number(level))
        && parts.clone().count() > 0
        && parts.all(part)
}

fn is_segment(name: &str) -> bool {
    name.strip_suffix(".wal").is_some_and(|digits| digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_key_host_are_expected() {
        for name in [
            "signer.toml",
            "policy.toml",
            "pki/ca.crt",
            "pki/server.key",
            "pki/clients.crl",
            "ca/ca.key",
            "ca/issued/publisher.web-1.1a2b.crt",
            "keys/keyring.toml",
            "keys/release-2.toml",
            "keys/release.v2.toml",
            "keys/release.pgp",
            "keys/hsm.token.toml",
            "log/public/checkpoint",
            "log/public/tile/0/x001/234",
            "log/public/tile/entries/000.p/17",
            "log/wal/00000000000000000000.wal",
            "log/witness/20324abe",
        ] {
            assert!(expected(name).is_some(), "{name}");
        }
        assert_eq!(expected("keys/log.toml").unwrap().mode, 0o600);
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for name in [
            "",
            "/etc/passwd",
            "../signer.toml",
            "keys/../signer.toml",
            "keys/../../x.toml",
            "keys/a/b.toml",
            "keys/.toml",
            "keys/a.v.toml",
            "keys/.token.toml",
            "keys/a.b.token.toml",
            "keys/a.v2.token.toml",
            "keys/a.token.pgp",
            "keys/a.v1/../x.toml",
            "keys/A.toml",
            "keys//a.toml",
            "./signer.toml",
            "pki/ca.crt/",
            "pki/ca.key",
            "ca/issued/../ca.key",
            "ca/issued/a.b.crt",
            "ca/issued/x/a.b.c.crt",
            "log/restored",
            "log/lock",
            "log/public/tile/../../wal/00000000000000000000.wal",
            "log/public/tile/0//1",
            "log/public/tile/0",
            "log/public/tile/0/..",
            "log/wal/reserve",
            "log/wal/00000000000000000000.wal/x",
            "log/witness/../aaaa",
        ] {
            assert_eq!(expected(name), None, "{name}");
        }
    }
}
