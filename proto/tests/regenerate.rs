//! The committed code is what the `.proto` files say. `CHANCERY_BLESS=1` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test stops at its first fault")]

use std::fs;
use std::path::{Path, PathBuf};

const PROTOS: [&str; 4] =
    ["chancery/v1/signing.proto", "chancery/v1/key.proto", "chancery/v1/request_log.proto", "chancery/v1/offline.proto"];

#[test]
fn the_committed_code_is_generated_from_the_proto_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = generate(root);
    let committed = root.join("src/gen/chancery.v1.rs");
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        let mut file = tempfile::NamedTempFile::new_in(root.join("src/gen")).unwrap();
        std::io::Write::write_all(&mut file, made.as_bytes()).unwrap();
        file.persist(&committed).unwrap();
        return;
    }
    let found = fs::read_to_string(&committed).unwrap_or_default();
    assert!(found == made, "proto/src/gen differs from the .proto files: run CHANCERY_BLESS=1 cargo test -p chancery-proto, and commit");
}

fn generate(root: &Path) -> String {
    let out = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = PROTOS.iter().map(|p| root.join(p)).collect();
    let set = protox::compile(files, [root]).unwrap();
    tonic_prost_build::configure().bytes(".chancery.v1").out_dir(out.path()).compile_fds(set).unwrap();
    let raw = fs::read_to_string(out.path().join("chancery.v1.rs")).unwrap();
    prettyplease::unparse(&syn::parse_file(&raw).unwrap())
}
