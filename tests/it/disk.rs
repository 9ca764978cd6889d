//! Disks that are full, fail, or become read-only while a key host serves: with a real kernel, on a file system of its own.
//!
//! Each time: requests are refused with their reason, nothing is signed, health is red, and status and metrics say why. Once the disk is
//! well again the key host goes on by itself; whatever was acknowledged is in the log, and nothing was signed that is not.

use crate::auditor::audit;
use crate::bad_host::{ask, fill, recorded, setup};
use crate::wire::{assert_refused, block_on, digest_header, sign, wait_health};
use chancery_proto::v1::SignResponse;
use chancery_reqlog::{Decision, Directory, Leaf, StaticLog};
use chancery_tests::{KeyHost, Publisher, http, program, run, skipped, tool};
use chancery_tlog::TlogProof;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};

const PATIENCE: Duration = Duration::from_secs(30);

/// A file system without journal, so that what fails on its disk is all that fails; in a file beside the log, so that it outlives the
/// processes. Mount and loop device go with the last of them, whatever becomes of the test.
const DISK: &str = "mkdir -p \"$LOG\"
[ -e \"$LOG.img\" ] || { truncate -s 64M \"$LOG.img\"; mkfs.ext4 -q -F -b 4096 -m 0 -O ^has_journal \"$LOG.img\"; }
mount -o loop,errors=continue \"$LOG.img\" \"$LOG\"";

/// The same on storage that promises more than it has.
const THIN: &str = "mkdir -p \"$LOG\" \"$LOG.thin\"
mount -t tmpfs -o size=24m tmpfs \"$LOG.thin\"
truncate -s 64M \"$LOG.thin/img\"
mkfs.ext4 -q -F -b 4096 -m 0 -O ^has_journal -E nodiscard \"$LOG.thin/img\"
mount -o loop,errors=continue \"$LOG.thin/img\" \"$LOG\"";

const FULL: &str = "mkdir -p \"$LOG\"; mount -t tmpfs -o size=16m tmpfs \"$LOG\"";

/// One as it is usual: at a fault of its own the kernel makes it read-only. It is checked before it is mounted, as at a boot.
const CAREFUL: &str = "mkdir -p \"$LOG\"
if [ -e \"$LOG.img\" ]; then e2fsck -p \"$LOG.img\" > /dev/null || [ $? -le 1 ]
else truncate -s 64M \"$LOG.img\"; mkfs.ext4 -q -F -m 0 \"$LOG.img\"; fi
mount -o loop,errors=remount-ro \"$LOG.img\" \"$LOG\"";

/// Has a loop device end here, in bytes; 0: where its file ends. Whatever lies beyond fails then.
const END_AT: &str = "import fcntl, os, struct, sys
GET, SET, SIZE_LIMIT = 0x4C05, 0x4C04, 32
device, info = os.open(sys.argv[1], os.O_RDWR), bytearray(232)
fcntl.ioctl(device, GET, info)
struct.pack_into('Q', info, SIZE_LIMIT, int(sys.argv[2]))
fcntl.ioctl(device, SET, bytes(info))";

/// A key host on such a disk, one publisher, and what it was told.
struct Bed {
    host: KeyHost,
    publisher: Publisher,
    acknowledged: Vec<SignResponse>,
}

impl Bed {
    /// `None` where file systems cannot be mounted here.
    fn new(mount: &str) -> Option<Self> {
        // Only root may mount a device.
        if skipped(if mount == FULL { "tmpfs" } else { "loop" }) {
            return None;
        }
        let metrics = ("[keeper]\n", "[metrics]\nlisten = \"127.0.0.1:0\"\n\n[keeper]\n");
        let mut host = setup().config("segment = \"64 MiB\"", "segment = \"1 MiB\"").config(metrics.0, metrics.1).make();
        host.mount_log(Some(mount));
        host.serve();
        let publisher = host.publisher("web1");
        Some(Self { host, publisher, acknowledged: Vec::new() })
    }

    async fn channel(&self) -> Channel {
        self.publisher.connections(&self.host.endpoint(), 1).await.remove(0)
    }

    async fn signed(&mut self, channel: &Channel, n: u64) {
        self.acknowledged.push(ask(channel, n).await.unwrap_or_else(|e| panic!("request {n}: {e}")));
    }

    /// Has some requests signed, and waits until they are published: nothing is under way on the disk then.
    async fn work(&mut self, channel: &Channel, numbers: std::ops::Range<u64>) {
        for n in numbers {
            self.signed(channel, n).await;
        }
        let _ = recorded(&self.host, self.acknowledged.last().unwrap().entry_index);
    }

    fn metric(&self, name: &str) -> String {
        let line = self.host.wait_said(0, "metrics are at");
        let address = line.split("at=").nth(1).unwrap().split_whitespace().next().unwrap();
        let numbers = http("GET", address, "/metrics", "").body;
        numbers.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')).unwrap_or_else(|| panic!("no {name}: {numbers}")).to_owned()
    }

    /// Nothing is signed, and everything says why.
    async fn assert_red(&self, channel: &Channel, n: u64, why: &str) {
        let r = assert_refused(ask(channel, n).await, Code::Unavailable, "log-unavailable", why);
        assert!(r.retry && r.entry_index.is_none(), "{r:?}");
        for name in ["", "tarballs"] {
            wait_health(channel, name, NotServing, PATIENCE).await;
        }
        let status = run(&mut self.publisher.chancery(&["status"]));
        assert!(status.code == 1 && status.stdout.contains("NOTHING IS SIGNED") && status.stdout.contains(why), "{status:?}");
        assert_eq!((self.metric("chancery_signing"), self.metric("chancery_keeper_up")), ("0".to_owned(), "1".to_owned()));
        let _ = self.host.wait_said(0, "the keeper signs nothing");
    }

    /// It signs again, though nobody asked it to.
    async fn assert_green(&self, channel: &Channel) {
        for name in ["", "tarballs"] {
            wait_health(channel, name, Serving, PATIENCE).await;
        }
        let _ = self.host.wait_said(0, "the keeper signs again");
        assert_eq!(self.metric("chancery_signing"), "1");
        let _ = run(&mut self.publisher.chancery(&["status"])).ok();
    }

    /// Everything acknowledged is in the log, each request once; the log is sound, also to an auditor. Gives its entries.
    fn assert_sound(&self) -> Vec<Leaf> {
        let newest = self.acknowledged.iter().map(|signed| signed.entry_index).max().unwrap();
        let _ = recorded(&self.host, newest);
        let (inside, vkey) = (self.host.inside(), self.host.vkey());
        let fsck = run(Command::new(program("chanceryd")).args(["log", "fsck", "--dir"]).arg(&inside)).ok();
        assert!(fsck.stdout.contains("sound: "), "{fsck:?}");
        let _ = audit(&inside.join("log/public"), &vkey, None).ok();
        let log = StaticLog::open(Directory::new(inside.join("log/public")), &vkey.parse().unwrap()).unwrap();
        log.verify(None, |_| ()).unwrap();
        let leaves: Vec<Vec<u8>> = log.entries(0..log.checkpoint().checkpoint.size).map(|entry| entry.unwrap().1).collect();
        for signed in &self.acknowledged {
            let proof: TlogProof = std::str::from_utf8(&signed.receipt).unwrap().parse().unwrap();
            assert_eq!(proof.extra.as_deref(), Some(leaves[usize::try_from(signed.entry_index).unwrap()].as_slice()));
        }
        let leaves: Vec<Leaf> = leaves.iter().map(|leaf| Leaf::parse(leaf).unwrap()).collect();
        let permitted: Vec<_> = leaves.iter().filter(|leaf| leaf.decision == Decision::Permit).map(|leaf| leaf.rid).collect();
        assert_eq!(permitted.len(), permitted.iter().collect::<BTreeSet<_>>().len(), "a request has two entries");
        assert!(leaves.windows(2).all(|pair| pair[0].time <= pair[1].time));
        leaves
    }

    fn device(&self) -> String {
        let log = self.host.dir().join("log");
        let mounts = fs::read_to_string(format!("/proc/{}/mounts", self.host.gateway_pid())).unwrap();
        let words = mounts.lines().map(|l| l.split(' ').collect::<Vec<_>>()).find(|w| w[1] == log.to_str().unwrap());
        words.unwrap_or_else(|| panic!("{mounts}"))[0].to_owned()
    }

    /// From the newest segment on, each write to the disk fails.
    fn break_disk(&self) {
        let wal = self.host.inside().join("log/wal");
        let segments = fs::read_dir(wal).unwrap().map(|entry| entry.unwrap().path());
        let newest = segments.filter(|path| path.extension().is_some_and(|e| e == "wal")).max().unwrap();
        let extents = run(Command::new("filefrag").args(["-v", "-b4096"]).arg(newest)).ok().stdout;
        let first = extents.lines().find(|line| line.trim_start().starts_with("0:")).unwrap_or_else(|| panic!("{extents}"));
        let block: u64 = first.split(':').nth(2).unwrap().split("..").next().unwrap().trim().parse().unwrap();
        self.end_disk_at(block * 4096);
    }

    /// The disk is as it was.
    fn mend_disk(&self) {
        self.end_disk_at(0);
    }

    fn end_disk_at(&self, end: u64) {
        let _ = run(Command::new("python3").args(["-c", END_AT, &self.device(), &end.to_string()])).ok();
    }

    /// Runs a command with the mounts of the key host.
    fn within(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.host.gateway_pid())).args(words);
        command
    }
}

fn kinds(leaves: &[Leaf], kind: &str) -> usize {
    leaves.iter().filter(|leaf| leaf.kind.as_str() == kind).count()
}

/// What was written is lost in the kernel after such an error, though it can still be read for a while.
#[test]
fn a_disk_that_fails_to_sync_means_no_signature_until_it_is_well_again() {
    let Some(mut bed) = Bed::new(DISK) else { return };
    let keeper = bed.host.keeper_pid();
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 0..5).await;
        for round in 0..3 {
            let n = 10 * (round + 1);
            bed.break_disk();
            let r = assert_refused(ask(&channel, n).await, Code::Unavailable, "log-unavailable", "Input/output error");
            assert!(r.retry && r.entry_index.is_none(), "{r:?}");
            bed.assert_red(&channel, n, "Input/output error").await;
            let denied = sign(channel.clone(), digest_header("tarballs", "elsewhere", n + 1), vec![]).await;
            let _ = assert_refused(denied, Code::Unavailable, "log-unavailable", "Input/output error");
            bed.mend_disk();
            bed.assert_green(&channel).await;
            // What was in doubt was recorded when the disk was well again, and has its signature now.
            bed.work(&channel, n..n + 5).await;
        }
    });
    assert_eq!(bed.host.keeper_pid(), keeper, "it is the same process");
    let leaves = bed.assert_sound();
    assert_eq!((kinds(&leaves, "sign"), kinds(&leaves, "resume"), kinds(&leaves, "start")), (20, 3, 1));

    // From the disk alone.
    assert_eq!(bed.host.stop(), Some(0));
    bed.host.serve();
    bed.publisher.point_at(&bed.host.endpoint());
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 50..51).await;
    });
    let leaves = bed.assert_sound();
    assert_eq!((kinds(&leaves, "sign"), kinds(&leaves, "start")), (21, 2));
}

/// The next process must not believe what the kernel still shows of a write that failed.
#[test]
fn a_process_that_dies_on_a_failing_disk_leaves_a_log_that_the_next_one_can_trust() {
    let Some(mut bed) = Bed::new(DISK) else { return };
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 0..5).await;
        bed.break_disk();
        bed.assert_red(&channel, 10, "Input/output error").await;
    });
    let keeper = bed.host.keeper_pid();
    KeyHost::signal(keeper, Signal::KILL);
    assert_eq!(bed.host.wait(), Some(1), "the service manager starts it again");
    bed.host.serve();
    bed.publisher.point_at(&bed.host.endpoint());
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 10..15).await;
    });
    let leaves = bed.assert_sound();
    assert_eq!(kinds(&leaves, "sign"), 10);
}

#[test]
fn storage_that_promised_more_than_it_has_means_no_signature_until_it_has() {
    let Some(mut bed) = Bed::new(THIN) else { return };
    let filler = bed.host.inside().join("log.thin/filler");
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 0..5).await;
        fill(&filler);
        // What is left of the block that was written last takes some requests still.
        let mut n = 5;
        let refused = loop {
            match ask(&channel, n).await {
                Ok(signed) => bed.acknowledged.push(signed),
                Err(status) => break status,
            }
            n += 1;
        };
        let _ = assert_refused(Err(refused), Code::Unavailable, "log-unavailable", "No space left on device");
        bed.assert_red(&channel, n, "No space left on device").await;
        fs::remove_file(&filler).unwrap();
        bed.assert_green(&channel).await;
        bed.work(&channel, n..n + 5).await;
    });
    let leaves = bed.assert_sound();
    assert_eq!((kinds(&leaves, "sign"), kinds(&leaves, "resume")), (bed.acknowledged.len(), 1));
}

#[test]
fn a_full_disk_turns_health_red_and_space_turns_it_green_though_nobody_asks() {
    let Some(mut bed) = Bed::new(FULL) else { return };
    let filler = bed.host.inside().join("log/filler");
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 0..5).await;
        fill(&filler);
        let mut n = 5;
        let refused = loop {
            match ask(&channel, n).await {
                Ok(signed) => bed.acknowledged.push(signed),
                Err(status) => break status,
            }
            n += 1;
        };
        let _ = assert_refused(Err(refused), Code::Unavailable, "log-unavailable", "the disk is full");
        bed.assert_red(&channel, n, "the disk is full").await;
        // A refusal is recorded still, and changes nothing of that.
        let denied = sign(channel.clone(), digest_header("tarballs", "elsewhere", n + 1), vec![]).await;
        assert!(assert_refused(denied, Code::PermissionDenied, "subject-not-granted", "").entry_index.is_some());
        bed.assert_red(&channel, n, "the disk is full").await;
        fs::remove_file(&filler).unwrap();
        bed.assert_green(&channel).await;
        bed.work(&channel, n..n + 1).await;
    });
    let leaves = bed.assert_sound();
    assert_eq!((kinds(&leaves, "sign"), kinds(&leaves, "deny"), kinds(&leaves, "resume")), (bed.acknowledged.len(), 1, 1));
}

/// A file system that is served from cannot be made read-only by a command. The kernel does it by itself, for good, at a fault.
#[test]
fn a_file_system_that_the_kernel_made_read_only_means_no_signature_until_it_is_mounted_again() {
    let Some(mut bed) = Bed::new(CAREFUL) else { return };
    let log = bed.host.dir().join("log").to_str().unwrap().to_owned();
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 0..5).await;
        let refused = run(&mut bed.within(&["mount", "-o", "remount,ro", &log]));
        assert!(refused.code != 0 && refused.stderr.contains("busy"), "{refused:?}");
        bed.work(&channel, 5..10).await;
        let device = bed.device();
        let trigger = PathBuf::from("/sys/fs/ext4").join(device.trim_start_matches("/dev/")).join("trigger_fs_error");
        fs::write(trigger, "1").unwrap();
        bed.assert_red(&channel, 10, "os error 30").await;
        // What is published is served still.
        let _ = run(&mut bed.within(&["cat", &format!("{log}/public/checkpoint")])).ok();
    });
    // Such a file system is mounted again after it was checked, and nobody may have it open for that.
    let _ = bed.host.stop();
    bed.host.serve();
    bed.publisher.point_at(&bed.host.endpoint());
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 10..15).await;
    });
    let leaves = bed.assert_sound();
    assert_eq!((kinds(&leaves, "sign"), kinds(&leaves, "start")), (15, 2));
}

/// `strace`, which has system calls of the keeper fail; it lets go when it is dropped.
struct Failing(Child);

impl Failing {
    fn start(host: &KeyHost, calls: &str, error: &str) -> Option<Self> {
        let mut strace = tool("strace")?;
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &format!("inject={calls}:error={error}")]);
        let mut child = strace.args(["-p", &host.keeper_pid().to_string()]).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        Some(Self(child))
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        KeyHost::signal(self.0.id(), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Each error that a file system may give for a write or a sync, for a while.
#[test]
fn whatever_error_the_kernel_gives_nothing_is_signed_before_a_write_succeeds() {
    let Some(mut bed) = Bed::new(FULL).filter(|_| !skipped("strace")) else { return };
    block_on(async {
        let channel = bed.channel().await;
        bed.work(&channel, 0..5).await;
        let mut n = 10;
        for (calls, error, number) in [
            ("pwrite64", "EROFS", 30),
            ("pwrite64", "EIO", 5),
            ("fdatasync", "EIO", 5),
            ("fdatasync", "ENOSPC", 28),
            ("pwrite64", "EDQUOT", 122),
        ] {
            let failing = Failing::start(&bed.host, calls, error);
            bed.assert_red(&channel, n, &format!("os error {number}")).await;
            drop(failing);
            bed.assert_green(&channel).await;
            bed.work(&channel, n..n + 3).await;
            n += 10;
        }
    });
    let leaves = bed.assert_sound();
    assert_eq!((kinds(&leaves, "sign"), kinds(&leaves, "resume")), (20, 5));
}
