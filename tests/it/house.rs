//! The walls of the house: who may depend on whom, and what documents promise.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).other_options(["--locked".into(), "--offline".into()]).exec().unwrap()
}

/// Compares with a committed file; `CHANCERY_BLESS=1` writes it.
fn golden(name: &str, made: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "{} differs from what is:\n{made}\nIf that is meant, run with CHANCERY_BLESS=1 and commit it.",
        path.display()
    );
}

#[test]
fn the_arrows_between_crates_are_those_of_the_plan() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|p| p.name.as_str()).collect();
    let mut graph = String::from("# Which crate of the workspace uses which. A new arrow is a change of the architecture.\n");
    let mut packages = metadata.workspace_packages();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    for package in packages {
        let uses: BTreeSet<&str> = normal(package).filter(|d| members.contains(d)).collect();
        writeln!(graph, "{} -> {}", package.name, uses.into_iter().collect::<Vec<_>>().join(" ")).unwrap();
    }
    golden("crate-graph.txt", &graph.replace("-> \n", "->\n"));
}

fn normal(package: &Package) -> impl Iterator<Item = &str> {
    package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.as_str())
}

/// All crates that a crate of the workspace links, itself included.
fn tree(metadata: &Metadata, of: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let names: BTreeMap<_, _> = metadata.packages.iter().map(|p| (&p.id, p.name.to_string())).collect();
    let start = &metadata.packages.iter().find(|p| p.name.as_str() == of).unwrap().id;
    let mut seen = BTreeSet::new();
    let mut todo = vec![start];
    while let Some(id) = todo.pop() {
        if !seen.insert(names[id].clone()) {
            continue;
        }
        let node = resolve.nodes.iter().find(|n| n.id == *id).unwrap();
        todo.extend(node.deps.iter().filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal)).map(|d| &d.pkg));
    }
    seen
}

#[test]
fn the_keeper_links_no_network_code_and_the_auditor_no_key_host_code() {
    let metadata = metadata();
    let keeper = tree(&metadata, "chancery-keeper");
    for absent in ["tonic", "hyper", "h2", "rustls", "tokio", "prost", "ureq", "ring", "openssl-sys"] {
        assert!(!keeper.contains(absent), "the keeper links {absent}");
    }
    let auditor = tree(&metadata, "chancery-audit");
    for absent in ["tonic", "hyper", "tokio", "prost", "chancery-keeper", "chancery-channel", "chancery-proto", "argon2"] {
        assert!(!auditor.contains(absent), "the auditor links {absent}");
    }
    let gateway = tree(&metadata, "chanceryd");
    for absent in ["chancery-keeper", "chancery-reqlog", "chancery-tlog", "argon2", "chacha20poly1305"] {
        assert!(!gateway.contains(absent), "the gateway links {absent}");
    }
    for ground in ["chancery-tlog", "chancery-formats"] {
        let tree = tree(&metadata, ground);
        // Not `getrandom`: the features of the whole workspace come together here, and another crate turns on one of its kind.
        for absent in ["tokio", "rustix", "tempfile", "mio"] {
            assert!(!tree.contains(absent), "{ground} links {absent}: it is to be pure");
        }
    }
}

fn sources(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !["target", ".git", "gen", "corpus", "vectors", "artifacts"].contains(&name.as_str()) {
                todo.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn files_stay_short_and_every_crate_opts_into_the_lints() {
    for path in sources(".rs") {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines: would two rooms be easier to live in?", path.display());
    }
    for package in metadata().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} does not opt into the lints", package.name);
    }
}

#[test]
fn only_one_file_renames_and_syncs_what_the_log_and_the_keys_need() {
    let allowed = [
        "crates/reqlog/src/durable.rs",
        "crates/reqlog/src/store.rs",
        "crates/reqlog/src/wal/writer.rs",
        "signer/gateway/src/admin/files.rs",
    ];
    // A store that fails on purpose, for tests.
    let faulty = "crates/reqlog/src/store/faulty.rs";
    for path in sources(".rs") {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if allowed.contains(&name.as_str())
            || name == faulty
            || name.starts_with("tests/")
            || name.contains("/tests")
            || name.contains("benches")
            || name.starts_with("fuzz/")
        {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for call in ["fs::rename(", ".sync_all(", ".sync_data(", "rustix::fs::fsync", "fdatasync("] {
            assert!(!code.contains(call), "{name} calls {call}…: durable writes go through reqlog/src/durable.rs");
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    for path in sources(".md") {
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            assert!(path.parent().unwrap().join(file).exists(), "{}: {target} is not there", path.display());
        }
    }
}

/// Each validation of the threat model names tests, as `crate::path::name` or a bare test name, in backquotes after `Test:`.
#[test]
fn tests_that_the_documents_name_exist() {
    let code: String = sources(".rs").iter().map(|p| fs::read_to_string(p).unwrap()).collect();
    for document in ["SECURITY.md", "ARCHITECTURE.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let mut named = 0;
        for line in text.lines().filter(|l| l.contains("Test: ")) {
            let tests = line.split("Test: ").nth(1).unwrap();
            for name in tests.split('`').skip(1).step_by(2) {
                let name = name.rsplit("::").next().unwrap();
                assert!(code.contains(&format!("fn {name}(")), "{document} names the test {name}, which is not there");
                named += 1;
            }
        }
        assert!(named > 5, "{document} names {named} tests");
    }
}
