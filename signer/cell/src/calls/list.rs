//! The system calls.

use crate::{Network, Plan};
use libc::*;

/// A system call that is allowed.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) number: i64,
    /// What its arguments must be; several entries of one call are alternatives.
    pub(super) checks: Vec<Check>,
}

/// The bits of `mask` in an argument must be those of `value`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    pub(super) argument: u8,
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// Arguments that the kernel takes as 32 bits: what stands above them does not matter to it.
const INT: u64 = 0xffff_ffff;
/// `prctl`: a name for a mapping.
const PR_SET_VMA: u64 = 0x5356_4d41;

#[cfg(target_arch = "x86_64")]
const RENAMEAT: c_long = SYS_renameat;
/// On arm64, which libc has no name for.
#[cfg(not(target_arch = "x86_64"))]
const RENAMEAT: c_long = 38;

/// Everything that the plan allows.
pub(super) fn calls(plan: &Plan) -> Vec<Call> {
    let mut all: Vec<Call> = [FILES, MEMORY, THREADS, TIME, SIGNALS, CONNECTED].concat().into_iter().map(plain).collect();
    all.extend(limited());
    if plan.write.is_empty() {
        let changes = bits(&[O_ACCMODE, O_CREAT, O_TRUNC]);
        all.push(checked(SYS_openat, 2, changes, 0));
        #[cfg(target_arch = "x86_64")]
        all.push(checked(SYS_open, 1, changes, 0));
    } else {
        all.extend(CHANGES.iter().copied().chain([SYS_openat]).map(plain));
    }
    if !plan.children.is_empty() {
        all.push(plain(SYS_wait4));
        all.push(plain(SYS_waitid));
        all.extend(plan.children.iter().map(|child| checked(SYS_kill, 0, INT, u64::from(*child))));
    }
    if plan.hosts_library {
        // Code out of files, as the dynamic linker maps it. What can be written is still never code.
        all.push(checked(SYS_mmap, 2, bits(&[PROT_WRITE]), 0));
        all.extend(LIBRARY.iter().copied().map(plain));
    }
    if matches!(plan.network, Network::Serving(_)) {
        all.extend(SERVING.iter().copied().map(plain));
        // A thread may change its own priority, and nobody else's.
        all.push(Call { number: SYS_setpriority, checks: vec![int(0, bits(&[PRIO_PROCESS as c_int])), int(1, 0)] });
    }
    if plan.network == Network::Door {
        all.push(plain(SYS_accept4));
    }
    if plan.network.connects() {
        all.push(plain(SYS_connect));
        all.extend([AF_INET, AF_INET6, AF_UNIX].map(|family| checked(SYS_socket, 0, INT, bits(&[family]))));
    }
    all
}

/// What is allowed to both processes with certain arguments only.
fn limited() -> Vec<Call> {
    let own = u64::from(std::process::id());
    let thread = bits(&[CLONE_THREAD]);
    let mut all = vec![
        // A thread, not a process.
        checked(SYS_clone, 0, thread, thread),
        // Signals to itself: that is how a program aborts.
        checked(SYS_tgkill, 0, INT, own),
        checked(SYS_kill, 0, INT, own),
        // Limits can be read and not changed.
        checked(SYS_prlimit64, 2, u64::MAX, 0),
        checked(SYS_socketpair, 0, INT, bits(&[AF_UNIX])),
        // No memory is ever made executable.
        checked(SYS_mmap, 2, bits(&[PROT_EXEC]), 0),
        checked(SYS_mprotect, 2, bits(&[PROT_EXEC]), 0),
        // Without an address: only to the other end.
        checked(SYS_sendto, 4, u64::MAX, 0),
    ];
    all.extend([bits(&[PR_SET_NAME]), bits(&[PR_GET_NAME]), PR_SET_VMA].map(|what| checked(SYS_prctl, 0, INT, what)));
    all.extend([TCGETS, TIOCGWINSZ, FIONBIO, FIONREAD].map(|what| checked(SYS_ioctl, 1, INT, what)));
    all
}

const FILES: &[c_long] = &[
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_close,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_fcntl,
    SYS_flock,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fstatfs,
    SYS_statfs,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_getcwd,
    SYS_fadvise64,
    #[cfg(target_arch = "x86_64")]
    SYS_stat,
    #[cfg(target_arch = "x86_64")]
    SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    SYS_access,
    #[cfg(target_arch = "x86_64")]
    SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    SYS_dup2,
];

const CHANGES: &[c_long] = &[
    SYS_fsync,
    SYS_fdatasync,
    SYS_syncfs,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fadvise64,
    SYS_copy_file_range,
    RENAMEAT,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_linkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_utimensat,
    SYS_umask,
    #[cfg(target_arch = "x86_64")]
    SYS_open,
    #[cfg(target_arch = "x86_64")]
    SYS_rename,
    #[cfg(target_arch = "x86_64")]
    SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    SYS_link,
    #[cfg(target_arch = "x86_64")]
    SYS_chmod,
];

const MEMORY: &[c_long] =
    &[SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_membarrier, SYS_memfd_secret];

const THREADS: &[c_long] = &[
    // Refused by the other filter in a way that makes glibc take clone.
    SYS_clone3,
    SYS_futex,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_exit,
    SYS_exit_group,
    SYS_restart_syscall,
];

const TIME: &[c_long] =
    &[SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_getrandom, SYS_uname, SYS_sysinfo];

const SIGNALS: &[c_long] = &[SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack];

/// What can be done with sockets that exist.
const CONNECTED: &[c_long] = &[
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_shutdown,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
];

const SERVING: &[c_long] = &[
    SYS_listen,
    SYS_accept4,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_recvmmsg,
    SYS_sendmmsg,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
];

/// How libraries in C have their threads wait for each other and for sockets, and ask what they use.
const LIBRARY: &[c_long] = &[
    SYS_pipe2,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_pselect6,
    SYS_getrusage,
    SYS_sched_getscheduler,
    SYS_sched_getparam,
    #[cfg(target_arch = "x86_64")]
    SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    SYS_select,
];

const fn plain(number: c_long) -> Call {
    Call { number, checks: Vec::new() }
}

fn checked(number: c_long, argument: u8, mask: u64, value: u64) -> Call {
    Call { number, checks: vec![Check { argument, mask, value }] }
}

const fn int(argument: u8, value: u64) -> Check {
    Check { argument, mask: INT, value }
}

/// Constants of the kernel are never negative.
fn bits(constants: &[c_int]) -> u64 {
    constants.iter().fold(0, |all, one| all | u64::from(one.unsigned_abs()))
}
