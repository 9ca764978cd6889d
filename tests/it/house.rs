//! The walls of the house: who may depend on whom, what may stand where in the sources, and what documents promise.

use crate::outside::root;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use chancery_tests::run;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The crates of the workspace, by name.
fn packages() -> Vec<Package> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml")).no_deps().other_options(["--locked".into(), "--offline".into()]);
    let mut packages = command.exec().unwrap().packages;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages
}

#[test]
fn the_arrows_between_crates_are_those_of_the_plan() {
    let packages = packages();
    let members: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let mut graph = String::from("# Which crate of the workspace uses which. A new arrow is a change of the architecture.\n");
    for package in &packages {
        let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
        let uses: BTreeSet<&str> = normal.map(|d| d.name.as_str()).filter(|d| members.contains(d)).collect();
        let line = format!("{} -> {}", package.name, uses.into_iter().collect::<Vec<_>>().join(" "));
        writeln!(graph, "{}", line.trim_end()).unwrap();
    }
    golden("crate-graph.txt", &graph);
}

/// Compares with a committed file; `CHANCERY_BLESS=1` writes it.
fn golden(name: &str, made: &str) {
    let path = root().join("tests/golden").join(name);
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = format!("{} differs from what is:\n{made}\nIf that is meant, run with CHANCERY_BLESS=1 and commit it.", path.display());
    assert!(committed == made, "{differs}");
}

/// What a program links, apart from itself: cargo resolves the features as for this program alone.
fn tree(of: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args([
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--package",
        of,
    ]);
    let output = run(&mut cargo).ok();
    let names = output.stdout.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty() && *name != of);
    names.map(str::to_owned).collect()
}

#[test]
fn the_keeper_links_no_network_code_and_the_auditor_no_key_host_code() {
    let network = ["tonic", "opentelemetry", "hyper", "h2", "rustls", "ring", "tokio", "mio", "prost", "ureq", "socket2", "openssl-sys"];
    assert_absent("chancery-keeper", &network);
    assert_absent("chancery-keeper", &["age", "tar"]);
    let sealing = ["argon2", "chacha20poly1305"];
    assert_absent("chancery-audit", &["tonic", "h2", "prost", "chancery-keeper", "chancery-channel", "chancery-proto"]);
    assert_absent("chanceryd", &["chancery-keeper", "chancery-reqlog", "chancery-tlog"]);
    assert_absent("chancery", &["chancery-keeper", "chancery-channel"]);
    for program in ["chancery-audit", "chanceryd", "chancery"] {
        assert_absent(program, &sealing);
    }
    for ground in ["chancery-tlog", "chancery-formats"] {
        assert_absent(ground, &network);
        assert_absent(ground, &["rustix", "libc", "getrandom", "tempfile"]);
    }
}

fn assert_absent(program: &str, absent: &[&str]) {
    let tree = tree(program);
    assert!(tree.len() > 3, "{program} links {tree:?}");
    let found: Vec<_> = absent.iter().filter(|name| tree.contains(**name)).collect();
    assert!(found.is_empty(), "{program} links {found:?}");
}

/// The files of the tree, without what is built, made by others, or no source.
fn files(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut todo = vec![root()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            let last = name.rsplit('/').next().unwrap();
            if path.is_dir() && !["target", ".git", "gen", "corpus", "vectors", "artifacts"].contains(&last) {
                todo.push(path);
            } else if name.ends_with(ending) {
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn files_stay_short_and_every_crate_opts_into_the_lints() {
    for (name, text) in files(".rs") {
        let lines = text.lines().count();
        assert!(lines <= 400, "{name} has {lines} lines: would two rooms be easier to live in?");
    }
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} does not opt into the lints", package.name);
    }
}

/// What may be written in some places only.
struct Wall {
    /// Where it holds, as the beginning of a path.
    below: &'static str,
    words: &'static [&'static str],
    /// Where the words may stand.
    except: &'static [&'static str],
    why: &'static str,
}

const WALLS: [Wall; 7] = [
    Wall {
        below: "",
        words: &["fs::rename(", ".sync_all()", ".sync_data()", "fs::fsync(", "fs::fdatasync(", "fs::syncfs("],
        except: &["crates/reqlog/src/durable.rs", "signer/gateway/src/admin/files.rs"],
        why: "durable writes go through reqlog's durable.rs; the gateway, which does not link the log, has its own for certificates",
    },
    Wall {
        below: "",
        words: &["unsafe {", "unsafe impl", "unsafe fn"],
        except: &["signer/keeper/src/key/locked.rs", "signer/keeper/src/token/leftover.rs"],
        why: "only locked memory needs it, and closing what was inherited",
    },
    Wall {
        below: "signer/",
        words: &["SigningKey"],
        except: &["signer/keeper/src/key/"],
        why: "only the key room names a private key (I4)",
    },
    Wall {
        below: "signer/keeper/",
        words: &["std::net", "TcpStream", "UdpSocket", "UnixListener"],
        except: &["signer/keeper/src/door.rs"],
        why: "the keeper opens no socket but the door to which the passphrase is brought (I4)",
    },
    Wall {
        below: "signer/keeper/src/policy",
        words: &["SystemTime", "Instant", "std::fs", "std::env", "getrandom", "std::io"],
        except: &[],
        why: "policy is a pure function (I3)",
    },
    Wall {
        below: "crates/tlog/src",
        words: &["SystemTime", "Instant", "std::fs", "std::env", "getrandom", "std::io", "async "],
        except: &[],
        why: "ground crates have no clock, no I/O, no randomness (I5)",
    },
    Wall {
        below: "crates/dial/src",
        words: &["SystemTime", "Instant", "std::fs", "std::env", "std::net", "getrandom", "std::io", "async "],
        except: &[],
        why: "ground crates have no clock, no I/O, no randomness (I5)",
    },
];

#[test]
fn what_is_for_one_room_stands_in_no_other() {
    let sources: Vec<(String, String)> = files(".rs").into_iter().filter(|(name, _)| !is_test(name)).collect();
    for wall in &WALLS {
        let mut allowed = 0;
        for (name, text) in sources.iter().filter(|(name, _)| name.starts_with(wall.below)) {
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let found = wall.words.iter().find(|word| code.contains(**word));
            if wall.except.iter().any(|e| name.starts_with(e)) {
                allowed += usize::from(found.is_some());
            } else if let Some(word) = found {
                panic!("{name} has `{word}`: {}", wall.why);
            }
        }
        assert!(wall.except.is_empty() || allowed > 0, "{:?} stands nowhere any more: is the wall still needed?", wall.words);
    }
}

/// Tests, benches and what only they use.
fn is_test(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    ["tests", "fuzz"].contains(&parts[0])
        || parts.iter().any(|p| ["tests", "benches", "tests.rs", "testing.rs", "vectors.rs", "faulty.rs"].contains(p))
}

#[test]
fn links_in_documents_lead_somewhere() {
    for (name, text) in files(".md") {
        let dir = root().join(&name).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            assert!(dir.join(file).exists(), "{name}: {target} is not there");
        }
    }
}

/// A file or folder of the project that a document names, in backquotes and with a folder before it, is there.
#[test]
fn paths_in_documents_are_there() {
    let mut seen = 0;
    for (name, text) in files(".md") {
        for path in text.split('`').skip(1).step_by(2).filter(|quoted| is_path(quoted)) {
            assert!(root().join(path).exists(), "{name} names `{path}`, which is not there");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} paths");
}

fn is_path(quoted: &str) -> bool {
    let ours = ["audit/", "client/", "crates/", "deploy/", "docs/", "proto/", "signer/", "tests/", ".ci/", "fuzz/"];
    ours.iter().any(|folder| quoted.starts_with(folder)) && !quoted.contains([' ', '*', '…', '<'])
}

/// Each threat and each invariant names the tests that hold it, in backquotes after `Test:`, and these are there.
#[test]
fn tests_that_the_documents_name_exist() {
    let code: String = files(".rs").into_iter().map(|(_, text)| text).collect();
    for (document, heading, least) in [("SECURITY.md", "\n## Threats\n", 20), ("ARCHITECTURE.md", "\n## Invariants\n", 10)] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let (_, after) = text.split_once(heading).unwrap();
        let items: Vec<&str> = after.split("\n## ").next().unwrap().split("\n- *").skip(1).collect();
        assert!(items.len() >= least, "{document} has {} items", items.len());
        for item in items {
            let item = &item[..item.find("\n\n").unwrap_or(item.len())];
            let (_, tests) = item.split_once("Test: ").unwrap_or_else(|| panic!("{document} names no test for {item}"));
            for name in tests.split('`').skip(1).step_by(2) {
                assert!(code.contains(&format!("fn {name}(")), "{document} names the test {name}, which is not there");
            }
        }
    }
}
