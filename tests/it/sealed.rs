//! What gets out of the processes that know secrets: no core when they crash, nothing to whoever attaches to them, nothing when they ended.

use crate::token;
use crate::wire::{block_on, digest_header, sign};
use chancery_proto::v1::SignBatchRequest;
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_tests::{KeyHost, PASSPHRASE, Setup, run, skipped, tool, within};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// Attacks a process of its own, to show that it can, and then those that it is told; a line each: who, how, and the kernel's answer.
const ATTACK: &str = r#"
import ctypes, errno, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
def called(result):
    return "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]
def opened(path, flags):
    try:
        fd = os.open(path, flags)
        return "done" if os.read(fd, 1) or "mem" in path else "nothing"
    except OSError as e:
        # The lowest page of a process is not mapped; who is told that may read.
        return "done" if e.errno == errno.EIO else errno.errorcode[e.errno]
def traced(pid, request):
    # PTRACE_ATTACH stops the process, and PTRACE_DETACH lets it go on.
    answer = called(libc.ptrace(request, pid, None, None))
    if answer == "done" and request == 16:
        os.waitpid(pid, 0)
    if answer == "done":
        libc.ptrace(17, pid, None, None)
    return answer
def copied(pid, address):
    here = ctypes.create_string_buffer(8)
    near, far = Part(ctypes.cast(here, ctypes.c_void_p), 8), Part(address, 8)
    return called(libc.process_vm_readv(pid, ctypes.byref(near), 1, ctypes.byref(far), 1, 0))
def descriptor(pid):
    return called(libc.syscall(438, os.pidfd_open(pid), 0, 0))
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
own = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
# A process that begins has no environment yet.
while not open(f"/proc/{own.pid}/environ", "rb").read():
    pass
def attack(who, pid):
    address = 4096
    if who == "own":
        address = int(open(f"/proc/{pid}/maps").readline().split("-")[0], 16)
    print(who, "mem", opened(f"/proc/{pid}/mem", os.O_RDONLY))
    print(who, "mem-write", opened(f"/proc/{pid}/mem", os.O_RDWR))
    for file in ["maps", "environ", "auxv"]:
        print(who, file, opened(f"/proc/{pid}/{file}", os.O_RDONLY))
    print(who, "process_vm_readv", copied(pid, address))
    print(who, "pidfd_getfd", descriptor(pid))
    print(who, "attach", traced(pid, 16))
attack("own", own.pid)
own.kill()
for pid in sys.argv[1:]:
    attack(pid, int(pid))
"#;
/// Requests of the one who has many, as many streams as it takes to have them all under way.
const CROWD: u64 = 6000;
const CROWD_STREAMS: u64 = 6;
/// How often the script attacks each process.
const ATTACKS: usize = 8;
/// Who runs the key host when the test is run by root.
const NOBODY: u32 = 65534;
const NEIGHBOUR: u32 = 65533;

fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Words that let a process in this directory leave a core of any size.
pub(crate) fn with_cores(dir: &Path) -> Vec<String> {
    let script = "cd \"$1\"; shift; ulimit -c \"$(ulimit -H -c)\"; exec \"$@\"";
    ["sh", "-euc", script, "sh", dir.to_str().unwrap()].map(str::to_owned).to_vec()
}

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let below = |entry: fs::DirEntry| if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { vec![entry.path()] };
    entries.flat_map(below).collect()
}

/// Those files below a directory that are cores, by name or by content.
fn cores(dir: &Path) -> Vec<PathBuf> {
    let is_core = |path: &PathBuf| {
        let begin = if fs::metadata(path).is_ok_and(|m| m.is_file()) { fs::read(path).unwrap_or_default() } else { Vec::new() };
        // ELF with the type ET_CORE.
        let is_elf_core = begin.starts_with(b"\x7fELF") && begin.get(16..18) == Some(&[4, 0]);
        is_elf_core || path.file_name().unwrap().to_string_lossy().starts_with("core")
    };
    files(dir).into_iter().filter(is_core).collect()
}

/// Whether a process without our measures leaves a core in this environment; takes it away.
fn others_leave_cores(dir: &Path) -> bool {
    let mut crashes = Command::new("sh");
    crashes.args(["-c", "kill -SEGV $$"]);
    let status = within(&with_cores(dir), &crashes).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    let found = cores(dir);
    found.iter().for_each(|core| fs::remove_file(core).unwrap());
    if found.is_empty() {
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
        println!("no core is written here for anybody (core_pattern is {}): only the limits of the processes are checked", pattern.trim());
    }
    !found.is_empty()
}

/// Sends it until the process is gone: the first one may be caught by who looks for overflown stacks, and be no fault of the process itself.
fn crash(pid: u32) {
    let start = Instant::now();
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z ")) {
        KeyHost::signal(pid, Signal::SEGV);
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} survives SIGSEGV");
        std::thread::yield_now();
    }
}

fn may_leave_no_core(pid: u32) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core: Vec<_> = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap().split_whitespace().collect();
    assert_eq!(core.get(4..6), Some(&["0", "0"][..]), "{core:?}");
    // The files of a process that is not dumpable belong to root, whoever runs it.
    assert_eq!(fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(), 0);
}

#[test]
fn a_crash_of_keeper_or_gateway_writes_no_core() {
    let mut host = setup().make();
    let dir = host.temp().join("crashes");
    fs::create_dir(&dir).unwrap();
    let _ = others_leave_cores(&dir);
    host.place(with_cores(&dir));
    let publisher = host.publisher_of("web1", "https://127.0.0.1:1");
    for (n, victim) in [(1, KeyHost::keeper_pid as fn(&KeyHost) -> u32), (2, KeyHost::gateway_pid)] {
        host.serve();
        let signed = block_on(async {
            let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
            sign(channel, digest_header("tarballs", "prod", n), vec![]).await
        });
        signed.expect("the key is in use");
        let (keeper, gateway) = (host.keeper_pid(), host.gateway_pid());
        may_leave_no_core(keeper);
        may_leave_no_core(gateway);
        if is_root() {
            assert_eq!(fs::read_link(format!("/proc/{gateway}/cwd")).unwrap(), dir, "a core would be here");
        }
        crash(victim(&host));
        let code = host.wait();
        assert_ne!(code, Some(0), "it did not end well");
        KeyHost::wait_gone(keeper);
        assert_eq!(cores(host.temp()), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_crash_of_the_process_of_a_token_writes_no_core() {
    let cores_in = tempfile::tempdir().unwrap();
    let _ = others_leave_cores(cores_in.path());
    let Some(token) = token::Host::start_behind(with_cores(cores_in.path())) else { return };
    let pid = token.token_pid();
    may_leave_no_core(pid);
    crash(pid);
    assert_eq!([cores(cores_in.path()), cores(token.host.temp())].concat(), Vec::<PathBuf>::new());
}

/// What comes of the attacks on these processes, by who stands behind `words`.
fn attack(words: &[String], pids: &[u32]) {
    let mut script = Command::new("/usr/bin/python3");
    script.args(["-c", ATTACK]).args(pids.iter().map(u32::to_string));
    let mut command = if words.is_empty() { script } else { within(words, &script) };
    let said = run(command.current_dir("/")).ok().stdout;
    let (own, others): (Vec<_>, Vec<_>) = said.lines().partition(|line| line.starts_with("own "));
    assert_eq!(
        own.iter().filter(|line| line.ends_with(" done")).count(),
        ATTACKS,
        "the attacks work on another process of the user: {said}"
    );
    assert_eq!(others.len(), ATTACKS * pids.len(), "{said}");
    let refused = |line: &&str| [" EPERM", " EACCES"].iter().any(|answer| line.ends_with(answer));
    assert!(others.iter().all(refused), "{said}");
}

/// A key host of an unprivileged user: of this one, or of nobody when root runs the test.
fn unprivileged() -> KeyHost {
    let mut host = setup().make();
    if is_root() {
        let _ = run(Command::new("chown").arg("-R").arg(NOBODY.to_string()).arg(host.temp())).ok();
        chown(host.temp(), Some(NOBODY), Some(NOBODY)).unwrap();
        host.place(as_user(NOBODY));
    }
    host.serve();
    host
}

fn as_user(uid: u32) -> Vec<String> {
    ["setpriv", &format!("--reuid={uid}"), &format!("--regid={uid}"), "--clear-groups"].map(str::to_owned).to_vec()
}

#[test]
fn nobody_but_root_can_trace_the_running_keeper_or_read_its_memory_not_even_its_own_user() {
    if skipped("python3") || (is_root() && tool("setpriv").is_none()) {
        return;
    }
    let host = unprivileged();
    let pids = [host.keeper_pid(), host.gateway_pid()];
    if is_root() {
        for pid in pids {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let uids = status.lines().find_map(|l| l.strip_prefix("Uid:")).unwrap().trim();
            assert!(uids.split_whitespace().all(|uid| uid == NOBODY.to_string()), "{uids}");
        }
        attack(&as_user(NOBODY), &pids);
        attack(&as_user(NEIGHBOUR), &pids);
    } else {
        attack(&[], &pids);
    }
}

#[test]
fn a_key_host_that_ended_leaves_no_secret_in_any_file() {
    let shared = || fs::read_dir("/dev/shm").map(|d| d.map(|e| e.unwrap().path()).collect::<Vec<_>>()).unwrap_or_default();
    let before = shared();
    let (mut host, secrets) = crate::trouble::with_known_key();
    let (keeper, gateway) = (host.keeper_pid(), host.gateway_pid());
    assert_eq!(host.stop(), Some(0));
    KeyHost::wait_gone(keeper);
    for pid in [keeper, gateway] {
        assert!(!fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z ")), "{pid} is still there");
    }
    let all = files(host.temp());
    let left = all.iter().filter(|path| **path != host.passphrase_file() && **path != host.temp().join("seed"));
    let mut searched = 0;
    for path in left.chain(&shared().into_iter().filter(|path| !before.contains(path)).collect::<Vec<_>>()) {
        let bytes = if fs::metadata(path).is_ok_and(|m| m.is_file()) { fs::read(path).unwrap() } else { continue };
        searched += 1;
        assert_eq!(secrets.found_in(&bytes), None, "{}", path.display());
    }
    assert!(searched > 10, "only {searched} files were searched");
    let passphrase = fs::read(host.passphrase_file()).unwrap();
    assert_eq!(secrets.found_in(&passphrase), Some("the passphrase"), "the search finds {PASSPHRASE}");
}

#[test]
fn one_urgent_request_is_answered_long_before_six_thousand_of_another_principal() {
    let host = Setup::new()
        .key("tarballs", "sshsig")
        .grant("crowd", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .config("in_flight_per_principal = 4096", "in_flight_per_principal = 8192")
        .start();
    let (crowd, urgent) = (host.publisher("crowd"), host.publisher("web1"));
    let answered = Arc::new(AtomicU64::new(0));
    let (asked_after, urgent, mut crowd) = block_on(async {
        let alone = urgent.connections(&host.endpoint(), 1).await.remove(0);
        sign(alone.clone(), digest_header("tarballs", "prod", CROWD), vec![]).await.unwrap();
        let mut streams = JoinSet::new();
        for (n, channel) in (0..CROWD_STREAMS).zip(crowd.connections(&host.endpoint(), CROWD_STREAMS as usize).await) {
            streams.spawn(crowd_stream(channel, n * CROWD / CROWD_STREAMS, Arc::clone(&answered)));
        }
        // The first answers show that the queue is at work.
        while answered.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let asked_after = answered.load(Ordering::SeqCst);
        let urgent = sign(alone, digest_header("tarballs", "prod", CROWD + 1), vec![]).await.unwrap();
        let answered_after = answered.load(Ordering::SeqCst);
        println!("the crowd had {asked_after} answers when the urgent one was asked, and {answered_after} when it was answered");
        (asked_after, urgent.entry_index, streams.join_all().await.concat())
    });
    assert_eq!(crowd.len() as u64, CROWD, "the crowd is served too");
    crowd.sort_unstable();
    let before = crowd.partition_point(|index| *index < urgent) as u64;
    println!("{before} of the crowd's {CROWD} entries stand before the urgent one");
    assert!(asked_after <= before && before < CROWD / 2, "the urgent one waited for most of the crowd");
}

/// Asks for a share of the crowd's signatures as fast as they are taken; gives their entries.
async fn crowd_stream(channel: Channel, first: u64, answered: Arc<AtomicU64>) -> Vec<u64> {
    let all = (first..first + CROWD / CROWD_STREAMS).map(|number| SignBatchRequest {
        number,
        header: Some(digest_header("tarballs", "prod", number)),
        content: Default::default(),
    });
    let mut replies = SigningServiceClient::new(channel).sign_batch(tokio_stream::iter(all)).await.unwrap().into_inner();
    let mut entries = Vec::new();
    while let Some(reply) = replies.message().await.unwrap() {
        let Some(Outcome::Signed(signed)) = reply.outcome else { panic!("{reply:?}") };
        entries.push(signed.entry_index);
        let _ = answered.fetch_add(1, Ordering::SeqCst);
    }
    entries
}
