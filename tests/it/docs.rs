//! What the documents show: their commands run, and what they say of formats is so.

use chancery_reqlog::{Decision, Leaf, Token};
use chancery_tests::{Setup, program, run, skipped, tool};
use chancery_tlog::Hash;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The documents whose commands are run, each by a test of its own below.
const RUN: [&str; 4] = ["auditing.md", "operations.md", "publisher.md", "runbooks.md"];
const MARK: &str = "<!-- test -->";

#[test]
fn the_operators_commands_run() {
    Document::read("operations.md").run();
}

#[test]
fn the_runbooks_commands_run() {
    Document::read("runbooks.md").run();
}

#[test]
fn the_publishers_commands_run() {
    Document::read("publisher.md").run();
}

#[test]
fn the_auditors_commands_run() {
    Document::read("auditing.md").run();
}

#[test]
fn no_document_has_commands_that_no_test_runs() {
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            let has = !Document::read(&name).blocks.is_empty();
            assert_eq!(has, RUN.contains(&name.as_str()), "{name}: a document with {MARK} needs a test in tests/it/docs.rs");
        }
    }
}

#[test]
fn the_operators_tables_have_every_limit_with_its_default() {
    let host = Setup::new().make();
    let config: toml::Table = host.read("signer.toml").parse().unwrap();
    let document = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let own: toml::Table =
        config.iter().filter(|(_, value)| !value.is_table()).map(|(name, value)| (name.clone(), value.clone())).collect();
    let limits = |process: &str| config[process]["limits"].as_table().unwrap().clone();
    let tables = [
        ("| `signer.toml`, before the first table |", own),
        ("| `[gateway.limits]` |", limits("gateway")),
        ("| `[keeper.limits]` |", limits("keeper")),
    ];
    for (heading, values) in tables {
        let said: BTreeSet<String> = values
            .iter()
            .map(|(name, value)| format!("| `{name}` | {} |", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let (_, table) = document.split_once(heading).unwrap();
        let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
        let shown: BTreeSet<String> = rows.map(|row| row.split_inclusive('|').take(3).collect()).collect();
        assert_eq!(shown, said, "docs/operations.md beside the signer.toml that init writes");
    }
}

#[test]
fn the_readme_shows_what_the_demonstration_prints() {
    if ["ostree", "ssh-keygen", "openssl", "glib"].into_iter().any(skipped) {
        return;
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, after) = readme.split_once("<!-- demo output -->\n```\n").expect("README.md has no demo output");
    let (block, _) = after.split_once("\n```\n").unwrap();
    let programs = program("chanceryd").parent().unwrap().to_owned();
    let demo = run(Command::new(root().join("deploy/demo.sh")).env("CHANCERY_BIN", programs)).ok();
    let printed: Vec<&str> = demo.stdout.lines().filter(|line| !line.trim().is_empty()).collect();
    for (shown, printed) in block.lines().zip(&printed) {
        assert!(fits(shown, printed), "README.md shows\n{shown}\ndeploy/demo.sh prints\n{printed}");
    }
    assert_eq!(block.lines().count(), printed.len(), "README.md shows another number of lines than deploy/demo.sh prints");
}

/// Whether a text is what a document shows of it, where … stands for anything.
fn fits(shown: &str, text: &str) -> bool {
    let Some((head, rest)) = shown.split_once('…') else { return shown == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let parts: Vec<&str> = rest.split('…').collect();
    let (last, middle) = parts.split_last().unwrap();
    for part in middle {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[test]
fn the_schema_of_an_entry_has_the_fields_that_leaves_have() {
    let schema = schema();
    let text = |key: &str| -> BTreeSet<String> { schema[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect() };
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
    let fewest = Leaf::event(Token::STOP, Decision::None, 0);
    assert_eq!(text("required"), fields(&parsed(&fewest.to_bytes())), "required are the fields that every leaf has");
    let token = || Some(Token::new("ostree-summary/ed25519").unwrap());
    let most = Leaf {
        construction: token(),
        decision: Decision::Permit,
        details: Some(Hash([255; 32])),
        key: Some([171; 32]),
        key_version: Some(u32::MAX),
        kind: Token::SIGN,
        policy: Some([0; 32]),
        principal: Some(Hash([0; 32])),
        reason: token(),
        rid: Some([18; 16]),
        subject: Some(Hash([62; 32])),
        tbs: Some([205; 32]),
        time: u64::MAX,
    };
    let most = parsed(&most.to_bytes());
    assert_eq!(fields(&schema["properties"]), fields(&most), "a leaf with everything has all properties");
    assert_eq!(misfits(&schema, &most), Vec::<String>::new());
}

#[test]
fn the_entries_of_a_key_host_are_of_the_schema() {
    let mut host = Setup::new().key("release", "ostree-summary,ostree-commit").start();
    host.stop();
    let bundles = host.public().join("tile/entries/000.p");
    let bundle = fs::read_dir(&bundles).unwrap().map(|e| e.unwrap().path()).max_by_key(|p| fs::metadata(p).unwrap().len()).unwrap();
    let bytes = fs::read(bundle).unwrap();
    let (mut rest, mut kinds) = (&bytes[..], BTreeSet::new());
    while let [a, b, after @ ..] = rest {
        let (entry, next) = after.split_at(usize::from(u16::from_be_bytes([*a, *b])));
        let leaf = parsed(entry);
        assert_eq!(misfits(&schema(), &leaf), Vec::<String>::new(), "{leaf}");
        kinds.insert(leaf["kind"].as_str().unwrap().to_owned());
        rest = next;
    }
    assert_eq!(kinds, ["key", "policy", "start", "stop"].map(str::to_owned).into());
}

#[test]
fn what_is_no_entry_does_not_fit_the_schema() {
    let leaf = parsed(&Leaf::event(Token::STOP, Decision::None, 5).to_bytes());
    for (field, value) in [("more", Value::from(1)), ("key", Value::from("AB")), ("v", Value::from(2)), ("decision", Value::from("maybe"))]
    {
        let mut other = leaf.clone();
        other[field] = value;
        assert_eq!(misfits(&schema(), &other), [field], "{other}");
    }
}

fn schema() -> Value {
    parsed(&fs::read(root().join("docs/schema/entry-v1.json")).unwrap())
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn fields(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// The fields of a leaf that are not as the schema says. Knows as much of JSON Schema as ours uses.
fn misfits(schema: &Value, leaf: &Value) -> Vec<String> {
    let missing = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).filter(|f| leaf.get(f).is_none());
    let wrong = leaf.as_object().unwrap().iter().filter(|(name, value)| !is_of(&schema["properties"][name.as_str()], value));
    missing.map(str::to_owned).chain(wrong.map(|(name, _)| name.clone())).collect()
}

fn is_of(property: &Value, value: &Value) -> bool {
    if let Some(constant) = property.get("const") {
        return constant == value;
    }
    if let Some(words) = property.get("enum") {
        return words.as_array().unwrap().contains(value);
    }
    match property["type"].as_str() {
        Some("integer") => value.as_u64().is_some_and(|n| n <= property["maximum"].as_u64().unwrap()),
        Some("string") => value.as_str().is_some_and(|text| matches(property["pattern"].as_str().unwrap(), text)),
        _ => false,
    }
}

/// Whether a text fits a pattern of the form `^[CLASS]{LEAST,MOST}END$`.
fn matches(pattern: &str, text: &str) -> bool {
    let (class, rest) = pattern.strip_prefix("^[").and_then(|p| p.split_once("]{")).unwrap();
    let (count, end) = rest.strip_suffix('$').and_then(|p| p.split_once('}')).unwrap();
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    let class: Vec<char> = class.chars().collect();
    // A dash stands for itself at the end only.
    let fits = |c: char| {
        let listed = if c == '-' { class.ends_with(&['-']) } else { class.contains(&c) };
        listed || class.windows(3).any(|w| matches!(w, [from, '-', to] if (*from..=*to).contains(&c)))
    };
    let Some(body) = text.strip_suffix(end) else { return false };
    (least.parse().unwrap()..=most.parse().unwrap()).contains(&body.len()) && body.chars().all(fits)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A document, and its blocks of commands that are to be run: line of the first command, and text.
struct Document {
    name: String,
    blocks: Vec<(usize, String)>,
}

impl Document {
    fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join("docs").join(name)).unwrap();
        let mut lines = text.lines().enumerate();
        let mut blocks = Vec::new();
        while lines.by_ref().any(|(_, l)| l == MARK) {
            let (at, fence) = lines.next().unwrap();
            assert_eq!(fence, "```sh", "{name}:{}: {MARK} stands before a block of sh", at + 1);
            let block: Vec<&str> = lines.by_ref().map(|(_, l)| l).take_while(|l| *l != "```").collect();
            blocks.push((at + 2, block.join("\n")));
        }
        Self { name: name.to_owned(), blocks }
    }

    /// Runs all blocks in one directory; each must end well.
    fn run(&self) {
        assert!(!self.blocks.is_empty());
        if ["ostree", "ssh-keygen", "openssl", "softhsm2-util"].into_iter().any(|name| tool(name).is_none()) {
            return;
        }
        let room = Room::new();
        let mut started = Vec::new();
        for (line, block) in &self.blocks {
            let (good, said, group) = room.run(block);
            started.push(group);
            assert!(good, "docs/{}:{line}:\n{block}\n-- said:\n{said}", self.name);
        }
    }
}

/// A directory for the commands of one document, with our programs on the path.
struct Room {
    dir: TempDir,
    path: String,
}

/// What a block started; ended with its document.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = Command::new("bash").arg("-c").arg(format!("kill -KILL -- -{}", self.0)).stderr(Stdio::null()).status();
    }
}

impl Room {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir_all(dir.path().join("work")).unwrap();
        fs::create_dir(&bin).unwrap();
        for name in ["chanceryd", "chancery-keeper", "chancery-backup", "chancery", "chancery-audit"] {
            symlink(program(name), bin.join(name)).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Self { dir, path }
    }

    /// Runs a block in a process group of its own. What it leaves running goes on until the group is dropped.
    fn run(&self, block: &str) -> (bool, String, Group) {
        let said = self.dir.path().join("said");
        let out = File::create(&said).unwrap();
        let mut command = Command::new("timeout");
        command.args(["--foreground", "-k", "5", "120", "bash", "-euo", "pipefail", "-c", block]).process_group(0);
        command.current_dir(self.dir.path().join("work")).env("PATH", &self.path).env("HOME", self.dir.path()).env("SOURCE", root());
        for name in ["CHANCERY_DIR", "CHANCERY_PROFILE", "CHANCERY_STATE", "CHANCERY_LOG"] {
            command.env_remove(name);
        }
        let mut child = command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        let group = Group(child.id());
        let good = child.wait().unwrap().success();
        (good, fs::read_to_string(&said).unwrap(), group)
    }
}
