//! OpenPGP: what OSTree and git in the field verify.

use chancery_tests::{KeyHost, OstreeRepo, Publisher, Setup, program, run, tool};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const STABLE: &str = "os/x86_64/stable";

fn certified(mut host: KeyHost, keys: &[&str]) -> KeyHost {
    for key in keys {
        let mut certify = host.chanceryd(&["key", "certify", key, "--user-id", "Example <release@example.org>"]);
        let _ = run(certify.arg("--dir").arg(host.dir())).ok();
    }
    host.serve();
    host
}

fn export(host: &KeyHost, key: &str, format: &str) -> PathBuf {
    let path = host.temp().join(format!("{key}.{format}"));
    fs::write(&path, run(&mut host.chanceryd_plain(&["key", "export", key, "--format", format])).ok().stdout).unwrap();
    path
}

fn ostree_host() -> KeyHost {
    let refs = "refs = [\"os/x86_64/*\"]";
    let host = Setup::new()
        .key("ed", "ostree-summary,ostree-commit")
        .key("pgp", "ostree-summary/openpgp,ostree-commit/openpgp")
        .key("pgp2", "ostree-summary/openpgp")
        .grant("web1", "ed", &["ostree-summary", "ostree-commit"], "prod", refs)
        .grant("web1", "pgp", &["ostree-summary", "ostree-commit"], "prod", refs)
        .make();
    certified(host, &["pgp", "pgp2"])
}

fn sign(publisher: &Publisher, repo: &OstreeRepo, keys: &str) {
    let common = ["--key", keys, "--subject", "prod"];
    let _ = run(publisher.chancery(&["ostree", "sign-commit"]).args(common).arg(repo.path()).arg(STABLE)).ok();
    repo.summary();
    let _ = run(publisher.chancery(&["ostree", "sign-summary"]).args(common).arg(repo.path())).ok();
}

/// Pulls with signatures required; whether it succeeded.
fn pulls(host: &KeyHost, repo: &OstreeRepo, certificate: &Path) -> bool {
    let dir = tempfile::tempdir_in(host.temp()).unwrap();
    let ostree = |arguments: &[&str]| {
        let mut command = tool("ostree").unwrap();
        run(command.arg(format!("--repo={}", dir.path().join("clone").display())).args(arguments))
    };
    let _ = ostree(&["init", "--mode=archive"]).ok();
    let url = format!("file://{}", repo.path().display());
    let import = format!("--gpg-import={}", certificate.display());
    let _ = ostree(&["remote", "add", "--set=gpg-verify=true", "--set=gpg-verify-summary=true", &import, "origin", &url]).ok();
    ostree(&["pull", "origin", STABLE]).code == 0
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn debians_ostree_pulls_what_is_signed_with_openpgp_and_nothing_else() {
    let host = ostree_host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE]) else { return };
    let (certificate, other) = (export(&host, "pgp", "openpgp"), export(&host, "pgp2", "openpgp"));
    assert!(!pulls(&host, &repo, &certificate), "nothing is signed yet");
    sign(&publisher, &repo, "ed,pgp");
    assert!(pulls(&host, &repo, &certificate));
    assert!(!pulls(&host, &repo, &other), "another key");
    for key in ["ed", "pgp"] {
        let said = run(publisher.chancery(&["verify", "ostree-summary", "--key", key]).arg(repo.path())).ok().stdout;
        assert!(said.starts_with("good: the summary of"), "{said}");
    }
    let (summary, signatures) = (repo.path().join("summary"), repo.path().join("summary.sig"));
    let length = fs::metadata(&signatures).unwrap().len() as usize;
    for (file, at) in [(&summary, 100), (&signatures, length / 2 + 60)] {
        let before = fs::read(file).unwrap();
        flip(file, at);
        let refused = !pulls(&host, &repo, &certificate);
        fs::write(file, before).unwrap();
        assert!(refused, "bit flipped in {}", file.display());
    }
    // A new summary replaces our signature of the old one, and signing the same again changes nothing.
    repo.commit(STABLE, "second");
    sign(&publisher, &repo, "ed,pgp");
    assert!(pulls(&host, &repo, &certificate));
    let before = fs::read(&signatures).unwrap();
    let again = run(publisher.chancery(&["ostree", "sign-summary", "--key", "ed,pgp", "--subject", "prod"]).arg(repo.path())).ok();
    assert!(again.stdout.contains("was not touched"), "{again:?}");
    assert_eq!(fs::read(&signatures).unwrap(), before);
}

fn git_host() -> KeyHost {
    let constructions = ["git-tag", "git-commit"];
    let names = "names = [\"v*\"]";
    let host = Setup::new()
        .key("git-ssh", "git-tag/sshsig,git-commit/sshsig")
        .key("git-pgp", "git-tag/openpgp,git-commit/openpgp")
        .grant("web1", "git-ssh", &constructions, "project", names)
        .grant("web1", "git-pgp", &constructions, "project", names)
        .make();
    certified(host, &["git-pgp"])
}

/// A repository in a directory that is called as the policy calls it.
struct Project {
    dir: PathBuf,
    home: PathBuf,
    profile: PathBuf,
}

impl Project {
    fn make(host: &KeyHost, publisher: &Publisher, format: &str, drop_in: &str) -> Option<Self> {
        let base = host.temp().join(format!("{format}-{drop_in}"));
        let (dir, home) = (base.join("project"), base.join("home"));
        fs::create_dir_all(&dir).unwrap();
        fs::create_dir_all(&home).unwrap();
        let mut permissions = fs::metadata(&home).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
        fs::set_permissions(&home, permissions).unwrap();
        symlink(program("chancery"), base.join(drop_in)).unwrap();
        let project = Self { dir, home, profile: publisher.profile().to_owned() };
        let _ = run(project.git()?.args(["init", "-q", "--initial-branch=main", "--object-format", format])).ok();
        for (name, value) in [("user.name", "A U Thor"), ("user.email", "author@example.org")] {
            let _ = run(project.git()?.args(["config", name, value])).ok();
        }
        Some(project)
    }

    fn drop_in(&self, name: &str) -> String {
        self.dir.with_file_name(name).display().to_string()
    }

    fn config(&self, name: &str, value: &str) {
        let _ = run(self.git().unwrap().args(["config", name, value])).ok();
    }

    fn git(&self) -> Option<Command> {
        let mut git = tool("git")?;
        git.current_dir(&self.dir).env("HOME", &self.home).env("GNUPGHOME", &self.home).env("CHANCERY_PROFILE", &self.profile);
        git.env("GIT_CONFIG_NOSYSTEM", "1");
        Some(git)
    }

    fn commits_and_tags(&self) {
        fs::write(self.dir.join("file"), "content\n").unwrap();
        let _ = run(self.git().unwrap().args(["add", "file"])).ok();
        let _ = run(self.git().unwrap().args(["commit", "-q", "-S", "-m", "A change"])).ok();
        let _ = run(self.git().unwrap().args(["tag", "-s", "v1.0", "-m", "Version 1.0"])).ok();
        let refused = run(self.git().unwrap().args(["tag", "-s", "nightly", "-m", "Not granted"]));
        // git 2.39 takes the tag without its signature when ssh-keygen or what stands for it fails, and says so on standard error only;
        // when gpg fails it takes nothing, and does not repeat why.
        assert!(refused.code != 0 || refused.stderr.contains("name-not-granted"), "{refused:?}");
        assert_ne!(run(self.git().unwrap().args(["verify-tag", "nightly"])).code, 0);
    }

    /// Verifies with plain git, then once more after one letter of the objects was changed.
    fn verifies(&self, ours: &Publisher, key: &str) {
        for (verify, what, kind) in [("verify-commit", "HEAD", "commit"), ("verify-tag", "v1.0", "tag")] {
            let _ = run(self.git().unwrap().args([verify, what])).ok();
            let object = run(self.git().unwrap().args(["cat-file", kind, what])).ok().stdout;
            let file = self.dir.with_file_name("object");
            fs::write(&file, &object).unwrap();
            let verb = format!("git-{kind}");
            let said = run(ours.chancery(&["verify", &verb, "--key", key]).arg(&file)).ok().stdout;
            assert!(said.starts_with("good:"), "{said}");
            let changed = object.replace("A change", "A chance").replace("Version 1.0", "Version 2.0");
            fs::write(&file, &changed).unwrap();
            let _ = run(ours.chancery(&["verify", &verb, "--key", key]).arg(&file)).failed(1, "not well signed");
            let mut write = self.git().unwrap();
            let id = run(write.args(["hash-object", "-w", "-t", kind]).arg(&file)).ok().stdout;
            assert_ne!(run(self.git().unwrap().args([verify, id.trim()])).code, 0, "git takes a changed {kind}");
        }
    }
}

#[test]
fn git_signs_through_the_drop_ins_and_plain_git_verifies() {
    let host = git_host();
    let publisher = host.publisher("web1");
    for format in ["sha1", "sha256"] {
        let Some(ssh) = Project::make(&host, &publisher, format, "chancery-ssh-keygen") else { return };
        let line = fs::read_to_string(export(&host, "git-ssh", "ssh")).unwrap();
        let allowed = ssh.home.join("allowed");
        fs::write(&allowed, format!("author@example.org {line}")).unwrap();
        ssh.config("gpg.format", "ssh");
        ssh.config("gpg.ssh.program", &ssh.drop_in("chancery-ssh-keygen"));
        ssh.config("gpg.ssh.allowedSignersFile", &allowed.display().to_string());
        ssh.config("user.signingkey", &format!("key::{}", line.trim()));
        ssh.commits_and_tags();
        // What verifies is the real ssh-keygen.
        ssh.config("gpg.ssh.program", "ssh-keygen");
        ssh.verifies(&publisher, "git-ssh");

        let Some(pgp) = Project::make(&host, &publisher, format, "chancery-gpg") else { return };
        pgp.config("gpg.program", &pgp.drop_in("chancery-gpg"));
        pgp.config("user.signingkey", "git-pgp");
        pgp.commits_and_tags();
        let mut import = tool("gpg").unwrap();
        let _ = run(import.env("GNUPGHOME", &pgp.home).args(["--batch", "--import"]).arg(export(&host, "git-pgp", "openpgp"))).ok();
        pgp.config("gpg.program", "gpg");
        pgp.verifies(&publisher, "git-pgp");
        let _ = run(tool("gpgconf").unwrap().env("GNUPGHOME", &pgp.home).args(["--kill", "all"]));
    }
}

#[test]
fn a_retry_of_a_signature_that_says_its_time_gives_the_same_bytes_even_after_a_restart() {
    let host = Setup::new().key("pgp", "openpgp-detached").grant("web1", "pgp", &["openpgp-detached"], "*", "").make();
    let mut host = certified(host, &["pgp"]);
    let publisher = host.publisher("web1");
    let mut hasher = chancery_formats::openpgp::Hasher::new(chancery_formats::openpgp::Hash::Sha512);
    hasher.update(b"content");
    let material = chancery::Material::HashState(hasher.state());
    let request = chancery::Request::new("pgp", chancery::Construction::OpenpgpDetached, "tool", material).unwrap();
    let ask = || {
        let profile = chancery::Profile::load(publisher.profile()).unwrap();
        // Its end closes the connection, which the key host waits for when it stops.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = chancery::Client::connect(profile, chancery::Options::default()).await.unwrap();
            client.sign(&request).await.unwrap()
        })
    };
    let first = ask();
    // The clock of signatures counts seconds: wait for the next one.
    let second = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let began = second();
    while second() == began {
        std::thread::yield_now();
    }
    assert_eq!((ask().framed(), ask().receipt().index()), (first.framed(), first.receipt().index()));
    let _ = host.stop();
    host.serve();
    publisher.point_at(&host.endpoint());
    assert_eq!(ask().framed(), first.framed());
}

#[test]
fn a_signing_subkey_under_an_offline_primary_is_imported_and_its_signatures_are_believed() {
    let Some(mut gpg) = tool("gpg") else { return };
    let host = Setup::new().grant("web1", "pgp", &["openpgp-detached"], "*", "").make();
    let home = tempfile::tempdir().unwrap();
    let gpg_home = home.path().to_owned();
    let batch = ["--batch", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""];
    let _ = run(gpg.env("GNUPGHOME", &gpg_home).args(batch).args(["--quick-generate-key", "primary", "ed25519", "cert", "never"])).ok();
    let gpg = |arguments: &[&str]| run(tool("gpg").unwrap().env("GNUPGHOME", &gpg_home).args(batch).args(arguments)).ok();
    let listed = gpg(&["--with-colons", "--list-keys", "primary"]).stdout;
    let fingerprint = listed.lines().find_map(|l| l.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned();
    let _ = gpg(&["--quick-add-key", &fingerprint, "ed25519", "sign", "never"]);
    let (secret, certificate) = (home.path().join("secret"), home.path().join("certificate"));
    let _ = gpg(&["--armor", "--output", secret.to_str().unwrap(), "--export-secret-subkeys", &fingerprint]);
    let _ = gpg(&["--armor", "--output", certificate.to_str().unwrap(), "--export", &fingerprint]);
    let _ = run(tool("gpgconf").unwrap().env("GNUPGHOME", &gpg_home).args(["--kill", "all"]));
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut import = host.chanceryd(&["key", "import", "pgp", "--for", "openpgp-detached"]);
    let _ = run(import.arg("--from").arg(&secret).arg("--certificate").arg(&certificate).arg("--dir").arg(host.dir())).ok();
    let mut host = host;
    host.serve();
    let publisher = host.publisher("web1");
    let file = host.temp().join("file");
    fs::write(&file, "content").unwrap();
    let _ = run(publisher.chancery(&["sign", "--as", "openpgp", "--key", "pgp"]).arg(&file)).ok();
    let elsewhere = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str]| {
        run(tool("gpg").unwrap().env("GNUPGHOME", elsewhere.path()).args(["--batch", "--no-autostart"]).args(arguments))
    };
    let _ = gpg(&["--import", export(&host, "pgp", "openpgp").to_str().unwrap()]).ok();
    let signature = format!("{}.asc", file.display());
    let said = gpg(&["--status-fd", "1", "--verify", &signature, file.to_str().unwrap()]).ok().stdout;
    assert!(said.contains("VALIDSIG") && said.contains(&fingerprint), "{said}");
    // gpg bound the subkey to the primary; we follow the same signatures, and notice a changed one.
    let verify = |certificate: &Path| run(publisher.chancery(&["verify", "openpgp", "--public-key"]).arg(certificate).arg(&file));
    let said = verify(&certificate).ok().stdout;
    assert!(said.contains("belongs to primary"), "{said}");
    let binary = home.path().join("binary");
    let _ = gpg(&["--output", binary.to_str().unwrap(), "--export", &fingerprint]).ok();
    let _ = verify(&binary).ok();
    flip(&binary, usize::try_from(fs::metadata(&binary).unwrap().len()).unwrap() - 1);
    let _ = verify(&binary).failed(2, "not a certificate that can be used");
}

#[test]
fn an_openssh_key_is_imported_and_signs_as_before() {
    let Some(mut keygen) = tool("ssh-keygen") else { return };
    let host = Setup::new().grant("web1", "old", &["sshsig"], "*", "namespaces = [\"file\"]").make();
    let path = host.temp().join("id");
    let _ = run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path)).ok();
    let mut import = host.chanceryd(&["key", "import", "old", "--for", "sshsig"]);
    let _ = run(import.arg("--from").arg(&path).arg("--dir").arg(host.dir())).ok();
    let old = fs::read_to_string(path.with_extension("pub")).unwrap();
    let new = fs::read_to_string(export(&host, "old", "ssh")).unwrap();
    assert_eq!(old.split(' ').nth(1), new.split(' ').nth(1));
}

/// `flatpak`, with all that it keeps in a directory of its own.
fn flatpak(home: &Path) -> Option<Command> {
    let mut command = tool("flatpak")?;
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home).env("LC_ALL", "C");
    command.env("XDG_DATA_HOME", home.join("data")).env("XDG_CACHE_HOME", home.join("cache")).env("FLATPAK_USER_DIR", home.join("user"));
    Some(command)
}

/// A repository with an application and its runtime that do nothing, and an index.
fn flatpak_repo(dir: &Path) -> Option<PathBuf> {
    let repo = dir.join("flatpak");
    for (kind, id) in [("Runtime", "org.example.Platform"), ("Application", "org.example.App")] {
        let build = dir.join(id);
        for part in ["files", "usr", "var", "export"] {
            fs::create_dir_all(build.join(part)).unwrap();
            fs::write(build.join(part).join("file"), "content").unwrap();
        }
        let platform = "org.example.Platform/x86_64/stable";
        let metadata = format!("[{kind}]\nname={id}\nruntime={platform}\nsdk={platform}\n");
        fs::write(build.join("metadata"), metadata).unwrap();
        let mut export = flatpak(dir)?;
        export.args(["build-export", "--arch=x86_64", "--no-update-summary", "--disable-sandbox"]);
        if kind == "Runtime" {
            export.arg("--runtime");
        }
        let _ = run(export.arg(&repo).arg(&build).arg("stable")).ok();
    }
    let _ = run(flatpak(dir)?.args(["build-update-repo", "--no-update-appstream"]).arg(&repo)).ok();
    Some(repo)
}

/// Whether a client that verifies can add the repository, list it, and install from it.
fn installs(host: &KeyHost, repo: &Path, certificate: &Path) -> [bool; 3] {
    let home = tempfile::tempdir_in(host.temp()).unwrap();
    let flatpak = |arguments: &[&str]| run(flatpak(home.path()).unwrap().args(["--user"]).args(arguments)).code == 0;
    let (import, url) = (format!("--gpg-import={}", certificate.display()), format!("file://{}", repo.display()));
    let added = flatpak(&["remote-add", &import, "origin", &url]);
    let listed = flatpak(&["remote-ls", "origin"]);
    let installed = flatpak(&["install", "--noninteractive", "-y", "--no-deps", "origin", "org.example.App//stable"]);
    [added, listed, installed]
}

#[test]
fn flatpak_lists_and_installs_from_a_repository_that_is_signed_here_and_from_no_other() {
    let constructions = "ostree-summary/openpgp,ostree-commit/openpgp,flatpak-index/openpgp";
    let grants = ["ostree-summary", "ostree-commit", "flatpak-index"];
    let host = Setup::new()
        .key("pgp", constructions)
        .key("pgp2", constructions)
        .grant("web1", "pgp", &grants, "prod", "refs = [\"**\"]\nnames = [\"x86_64\"]")
        .make();
    let host = certified(host, &["pgp", "pgp2"]);
    let publisher = host.publisher("web1");
    let Some(repo) = flatpak_repo(host.temp()) else { return };
    let (certificate, other) = (export(&host, "pgp", "openpgp"), export(&host, "pgp2", "openpgp"));
    let common = ["--key", "pgp", "--subject", "prod"];
    for name in ["app/org.example.App/x86_64/stable", "runtime/org.example.Platform/x86_64/stable"] {
        let _ = run(publisher.chancery(&["ostree", "sign-commit"]).args(common).arg(&repo).arg(name)).ok();
    }
    let _ = run(publisher.chancery(&["ostree", "sign-summary"]).args(common).arg(&repo)).ok();
    assert_ne!(installs(&host, &repo, &certificate), [true; 3], "the index is not signed yet");
    let _ = run(publisher.chancery(&["ostree", "sign-index"]).args(common).arg(&repo)).ok();
    assert_eq!(installs(&host, &repo, &certificate), [true; 3]);
    assert_ne!(installs(&host, &repo, &other), [true; 3], "another key");
    flip(&repo.join("summary.idx"), 20);
    assert_ne!(installs(&host, &repo, &certificate), [true; 3], "a bit was flipped");
}
