//! Enters a cell as the keeper or the gateway does, tries everything, and prints what came of it: for `tests/cell.rs`, which cannot enter
//! one itself, since a cell is never left.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a helper of a test stops at its first fault and prints what it found"
)]
#![allow(clippy::disallowed_methods, clippy::zombie_processes, reason = "its files and its child are gone when the test is")]

use chancery_cell::{Accepted, Connect, Network, Plan, enter};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, accepted, readable, writable, port] = arguments.as_slice() else { panic!("{arguments:?}") };
    let port: u16 = port.parse().unwrap();
    let accepted = Accepted::parse(accepted.split(',').filter(|n| !n.is_empty())).unwrap();
    let network = match role.as_str() {
        "keeper" | "library" => Network::None,
        "gateway" => Network::Serving(Connect::Nowhere),
        _ => Network::Serving(Connect::Ports(vec![port])),
    };
    let write = if network == Network::None { vec![writable.into()] } else { vec![] };
    // It ends with its input, so at the latest when this process does.
    let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let children = if network == Network::None { vec![] } else { vec![child.id()] };
    let plan = Plan { read: vec![readable.into()], write, network, children, hosts_library: role == "library" };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    match enter(&plan, &accepted) {
        Ok(report) => println!("report: {report}"),
        Err(error) => return println!("refused: {error}"),
    }
    files(Path::new(readable), Path::new(writable));
    others(child);
    sockets(port, &listener);
    calls::all();
    say("pair", UnixStream::pair().and_then(|(mut a, mut b)| a.write_all(b"x").and_then(|()| b.read_exact(&mut [0]))));
    say("thread", std::thread::Builder::new().name("worker".to_owned()).spawn(|| ()).map(|thread| thread.join().unwrap()));
}

fn files(readable: &Path, writable: &Path) {
    let (file, other) = (writable.join("file"), writable.join("other"));
    say("read", fs::read(readable.join("file")));
    say("list", fs::read_dir(readable).map(Iterator::count));
    say("write where only reading is allowed", fs::write(readable.join("file"), "x"));
    say("make where only reading is allowed", File::create(readable.join("new")));
    say("make", File::create(&file).and_then(|mut f| f.write_all(b"x").and_then(|()| f.sync_all()).and_then(|()| f.sync_data())));
    say("append", OpenOptions::new().append(true).open(&file).and_then(|mut f| f.write_all(b"y")));
    say("truncate", OpenOptions::new().write(true).open(&file).and_then(|f| f.set_len(1).and_then(|()| f.try_lock().map_err(Into::into))));
    say("rename", fs::rename(&file, &other));
    say("directory", fs::create_dir(writable.join("dir")).and_then(|()| fs::rename(&other, writable.join("dir/other"))));
    say("sync directory", File::open(writable).and_then(|f| f.sync_all()));
    say("remove", fs::remove_dir_all(writable.join("dir")));
    say("system file", fs::read("/etc/passwd"));
    say("own process", fs::read("/proc/self/status"));
    say("escape", fs::read(readable.join("../outside")));
    say("temporary file", File::create(std::env::temp_dir().join("chancery-cell")));
}

fn others(mut child: std::process::Child) {
    say("exec", Err::<(), _>(Command::new("/bin/true").exec()));
    say("spawn", Command::new("/bin/true").spawn());
    let parent = rustix::process::getppid().unwrap();
    say("signal to another", rustix::process::test_kill_process(parent).map_err(io::Error::from));
    say("end of the child", child.kill().and_then(|()| child.wait()));
}

fn sockets(port: u16, listener: &TcpListener) {
    say("connect", TcpStream::connect(("127.0.0.1", port)));
    // Port 9 is nobody's: refused by the system, if it is not by the cell.
    say("connect elsewhere", TcpStream::connect("127.0.0.1:9"));
    say("bind", TcpListener::bind("127.0.0.1:0"));
    say("datagrams", UdpSocket::bind("127.0.0.1:0"));
    say("local socket", UnixListener::bind("\0chancery-cell").or_else(|_| UnixListener::bind("socket")));
    listener.set_nonblocking(true).unwrap();
    say("accept", listener.accept().map(drop).or_else(|e| if e.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(e) }));
}

fn say<T>(what: &str, result: io::Result<T>) {
    match result {
        Ok(_) => println!("{what}: ok"),
        Err(error) => {
            println!("{what}: {}", error.raw_os_error().map_or_else(|| error.to_string(), |n| nix::errno::Errno::from_raw(n).to_string()))
        }
    }
}

#[expect(unsafe_code, reason = "no safe function makes a call that is to be refused; with arguments of 0 none of them touches memory")]
mod calls {
    use libc::*;

    /// Refused to everybody, whatever the arguments.
    const ALL: &[(&str, c_long)] = &[
        ("execve", SYS_execve),
        ("execveat", SYS_execveat),
        ("clone", SYS_clone),
        ("ptrace", SYS_ptrace),
        ("process_vm_readv", SYS_process_vm_readv),
        ("process_vm_writev", SYS_process_vm_writev),
        ("pidfd_open", SYS_pidfd_open),
        ("pidfd_getfd", SYS_pidfd_getfd),
        ("mount", SYS_mount),
        ("umount2", SYS_umount2),
        ("pivot_root", SYS_pivot_root),
        ("chroot", SYS_chroot),
        ("bpf", SYS_bpf),
        ("io_uring_setup", SYS_io_uring_setup),
        ("keyctl", SYS_keyctl),
        ("add_key", SYS_add_key),
        ("perf_event_open", SYS_perf_event_open),
        ("kexec_load", SYS_kexec_load),
        ("init_module", SYS_init_module),
        ("finit_module", SYS_finit_module),
        ("unshare", SYS_unshare),
        ("setns", SYS_setns),
        ("userfaultfd", SYS_userfaultfd),
        ("memfd_create", SYS_memfd_create),
        ("open_by_handle_at", SYS_open_by_handle_at),
        ("mknodat", SYS_mknodat),
        ("bind", SYS_bind),
        ("setuid", SYS_setuid),
        ("capset", SYS_capset),
        ("seccomp", SYS_seccomp),
        ("prctl", SYS_prctl),
        ("personality", SYS_personality),
        ("sethostname", SYS_sethostname),
        ("clock_settime", SYS_clock_settime),
        ("reboot", SYS_reboot),
    ];

    pub(super) fn all() {
        for (name, number) in ALL {
            // SAFETY: null pointers and zeros; the call is refused before anything is read, and reads nothing where it is not.
            let answer = unsafe { syscall(*number, 0, 0, 0, 0, 0, 0) };
            super::say(&format!("call {name}"), if answer < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) });
        }
        let executable = PROT_READ | PROT_EXEC;
        // SAFETY: a mapping at an address that the kernel chooses, which nobody uses.
        let page = unsafe { mmap(std::ptr::null_mut(), 4096, executable, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
        super::say("executable memory", if page == MAP_FAILED { Err(std::io::Error::last_os_error()) } else { Ok(()) });
        // SAFETY: as above.
        let both = unsafe { mmap(std::ptr::null_mut(), 4096, executable | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
        super::say("writable code", if both == MAP_FAILED { Err(std::io::Error::last_os_error()) } else { Ok(()) });
        // SAFETY: as above.
        let page = unsafe { mmap(std::ptr::null_mut(), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
        // SAFETY: the page is ours, and nothing is in it.
        let made = unsafe { mprotect(page, 4096, executable) };
        super::say("code out of what was written", if made < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) });
    }
}
