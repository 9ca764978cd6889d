//! Clocks that jump under a running key host, and between two runs of one. The system's clock stays as it is: `libfaketime` tells the
//! processes another time, out of a file that both may read in their cells.

use crate::bad_host::ask;
use crate::ledger::{leaves, leaves_of};
use crate::wire::{assert_refused, block_on};
use chancery_reqlog::Leaf;
use chancery_tests::{KeyHost, Publisher, Setup, run, skipped, tool};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use tonic::Code;

/// Where Debian has the library, in a directory named after the machine.
fn library() -> Option<PathBuf> {
    if skipped("faketime") {
        return None;
    }
    let machines = fs::read_dir("/usr/lib").unwrap().map(|dir| dir.unwrap().path().join("faketime/libfaketimeMT.so.1"));
    let found = machines.into_iter().find(|path| path.is_file());
    Some(found.expect("faketime is missing: tests/run.sh installs it, or set CHANCERY_SKIP=faketime"))
}

/// A key host whose clock is off by what a file says, such as `-2y`. `None` where the library is skipped.
struct Clock {
    file: PathBuf,
}

impl Clock {
    fn of(host: &mut KeyHost) -> Option<Self> {
        let library = library()?;
        let clock = Self { file: host.dir().join("pki/clock") };
        clock.jump("+0");
        let set = |name: &str, value: &Path| format!("{name}={}", value.display());
        let mut words = vec!["env".to_owned(), set("LD_PRELOAD", &library), set("FAKETIME_TIMESTAMP_FILE", &clock.file)];
        words.extend(["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"].map(str::to_owned));
        host.place(words);
        Some(clock)
    }

    /// From now on the clock is so far off. The file is there at each moment, whole.
    fn jump(&self, offset: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }
}

fn setup() -> Setup {
    Setup::new()
        .key("tarballs", "sshsig")
        .key("release-pgp", "openpgp-detached")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .grant("web1", "release-pgp", &["openpgp-detached"], "prod", "")
}

/// Whether who connects now gets nothing signed: TLS 1.3 lets a client believe that it is connected before its certificate is checked.
async fn is_out(publisher: &Publisher, host: &KeyHost) -> bool {
    let Ok(channel) = publisher.endpoint(&host.endpoint()).connect().await else { return true };
    ask(&channel, 900).await.is_err()
}

fn clocks(leaves: &[Leaf]) -> usize {
    leaves.iter().filter(|leaf| leaf.kind.as_str() == "clock").count()
}

fn assert_times_never_go_back(leaves: &[Leaf]) {
    assert!(leaves.windows(2).all(|pair| pair[0].time <= pair[1].time), "the log's time goes back");
}

const DAY_MS: u64 = 86_400_000;

#[test]
fn a_clock_that_jumps_while_it_serves_takes_no_time_back_and_lets_nobody_in_who_is_out() {
    let mut host = setup().make();
    let Some(clock) = Clock::of(&mut host) else { return };
    // The first version of the key ends in ten days.
    let ten_days = run(std::process::Command::new("date").args(["-u", "-d", "+10 days", "+%Y-%m-%d"])).ok().stdout;
    let _ = run(host.chanceryd(&["key", "rotate", "tarballs", "--retire", ten_days.trim()]).arg("--dir").arg(host.dir())).ok();
    host.serve();
    let publisher = host.publisher("web1");
    let times = block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let version = async |n| ask(&channel, n).await.unwrap_or_else(|e| panic!("request {n}: {e}")).key_version;
        assert_eq!(version(1).await, 1);

        // Two years back: who is connected goes on, and nobody else comes in, since no certificate is valid yet.
        clock.jump("-2y");
        assert_eq!((version(2).await, version(3).await), (1, 1));
        assert!(is_out(&publisher, &host).await, "its certificate is of the future");
        clock.jump("+0");
        assert_eq!(version(4).await, 1);
        let _ = publisher.connections(&host.endpoint(), 1).await;

        // Ahead: what was to end has ended, and stays so when the clock is put right.
        clock.jump("+20d");
        assert_eq!(version(5).await, 2);
        clock.jump("+0");
        assert_eq!((version(6).await, version(7).await), (2, 2));

        // Ten years ahead: certificates have ended, on connections that stand as well.
        clock.jump("+10y");
        let refused = ask(&channel, 8).await;
        let _ = assert_refused(refused, Code::Unauthenticated, "unauthenticated", "expired");
        assert!(is_out(&publisher, &host).await, "its certificate has ended");
        clock.jump("+0");
        version(8).await
    });
    assert_eq!(times, 2);
    let leaves = leaves_of(&mut host);
    assert_times_never_go_back(&leaves);
    assert_eq!(clocks(&leaves), 2, "one for each jump back");
    let (first, last) = (leaves.first().unwrap().time, leaves.last().unwrap().time);
    assert!((20 * DAY_MS..21 * DAY_MS).contains(&(last - first)), "the log stands where its clock was; what was refused left nothing");
}

#[test]
fn a_clock_that_is_wrong_at_the_start_is_recorded_and_what_was_retired_stays_retired() {
    let mut host = setup().make();
    let Some(clock) = Clock::of(&mut host) else { return };
    let _ = run(host.chanceryd(&["key", "rotate", "tarballs", "--retire", "2030-01-01"]).arg("--dir").arg(host.dir())).ok();
    for (offset, starts, jumps) in [("+0", 1, 0), ("-2y", 2, 1), ("+10y", 3, 1), ("-2y", 4, 2)] {
        clock.jump(offset);
        host.serve();
        let leaves = leaves_of(&mut host);
        assert_times_never_go_back(&leaves);
        let begun = leaves.iter().filter(|leaf| leaf.kind.as_str() == "start").count();
        assert_eq!((begun, clocks(&leaves)), (starts, jumps), "{offset}");
    }
    clock.jump("+0");
    host.serve();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let signed = ask(&channel, 1).await.unwrap();
        assert_eq!(signed.key_version, 2, "ten years ahead the first version had ended, and the log knows it");
    });
    assert_eq!(host.stop(), Some(0));
    assert_times_never_go_back(&leaves(&host.public(), &host.vkey()));
}

/// No program believes a signature that says that it was made before its key was.
#[test]
fn an_openpgp_signature_is_never_older_than_its_key() {
    let mut host = setup().make();
    let (Some(clock), Some(_)) = (Clock::of(&mut host), tool("gpg")) else { return };
    let _ =
        run(host.chanceryd(&["key", "certify", "release-pgp", "--user-id", "Example <a@example.org>"]).arg("--dir").arg(host.dir())).ok();
    host.serve();
    let publisher = host.publisher("web1");
    let file = host.temp().join("file");
    fs::write(&file, "content").unwrap();
    // Certificates count from five minutes before they are made.
    clock.jump("-200");
    let sign = ["sign", "--key", "release-pgp", "--as", "openpgp", "--subject", "prod"];
    let _ = run(publisher.chancery(&sign).arg(&file)).ok();
    let home = host.temp().join("gnupg");
    fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
    let gpg =
        |arguments: &[&Path]| run(tool("gpg").unwrap().arg("--homedir").arg(&home).args(["--batch", "--status-fd", "1"]).args(arguments));
    let certificate = host.temp().join("release.pgp");
    fs::write(&certificate, run(&mut host.chanceryd_plain(&["key", "export", "release-pgp", "--format", "openpgp"])).ok().stdout).unwrap();
    let _ = gpg(&[Path::new("--import"), &certificate]).ok();
    let said = gpg(&[Path::new("--verify"), &host.temp().join("file.asc"), &file]).ok();
    assert!(said.stdout.contains("GOODSIG"), "{said:?}");
}
