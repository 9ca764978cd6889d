//! Memory for secrets: never swapped out, in no core dump, in no child process, wiped before it is given back. Where the kernel has it, it is
//! memory that no other process can read and the kernel itself has not mapped (memfd_secret(2), Linux 5.14).
//!
//! The only `unsafe` code of the keeper. The kernel hands out whole pages, so each secret has pages of its own.
#![expect(
    unsafe_code,
    reason = "memfd_secret, mmap, mlock and madvise have no safe form here; the pages are owned by one `Locked` each and outlive every borrow"
)]

use rustix::fs::ftruncate;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap, mmap_anonymous, munmap};
use rustix::process::{Resource, getrlimit};
use std::ffi::c_void;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::ptr::{self, NonNull};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Memory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The kernel gave no memory, or no way to keep it out of dumps and children.
    #[error("the kernel cannot {step} memory for a key")]
    Kernel {
        /// What was asked for.
        step: &'static str,
        /// Its answer.
        #[source]
        source: io::Error,
    },
    /// Too little memory may be locked.
    #[error(
        "no more memory can be locked against swapping (RLIMIT_MEMLOCK is {limit}); each key takes one page: raise LimitMEMLOCK= in the \
         unit file, or run `ulimit -l` with a larger number"
    )]
    Limit {
        /// The limit, in words.
        limit: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// A secret in locked memory.
pub(super) struct Locked<T: ZeroizeOnDrop> {
    value: NonNull<T>,
    len: usize,
    secret: bool,
}

// SAFETY: the pages belong to this value alone, and it gives out references to `T` under the usual rules only.
unsafe impl<T: ZeroizeOnDrop + Send> Send for Locked<T> {}
// SAFETY: as above.
unsafe impl<T: ZeroizeOnDrop + Sync> Sync for Locked<T> {}

impl<T: ZeroizeOnDrop> Locked<T> {
    /// Locks memory first, then has the secret made and puts it there.
    pub(super) fn new(make: impl FnOnce() -> T) -> Result<Self, LockError> {
        let len = size_of::<T>().max(1).next_multiple_of(rustix::param::page_size());
        let secret = secret_pages(len);
        let page = secret.map_or_else(|| usual_pages(len), Ok)?;
        let Some(value) = NonNull::new(page.cast::<T>()) else {
            return Err(kernel("map", rustix::io::Errno::NOMEM));
        };
        if let Err(error) = protect(page, len, secret.is_some()) {
            // SAFETY: the mapping is ours and nothing refers to it.
            let _ = unsafe { munmap(page, len) };
            return Err(error);
        }
        // SAFETY: the mapping is writable, at least as large as `T`, and aligned to a page.
        unsafe { value.write(make()) };
        Ok(Self { value, len, secret: secret.is_some() })
    }

    /// Whether no other process can read it, not even one of root, and the kernel has not mapped it.
    pub(super) const fn is_secret_memory(&self) -> bool {
        self.secret
    }
}

const PROTECTION: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// `None` where the kernel has none, or no more of it may be locked; the usual pages say so then.
fn secret_pages(len: usize) -> Option<*mut c_void> {
    // SAFETY: the call reads no memory of ours; it gives a new descriptor or a negative number.
    let number = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let number = i32::try_from(number).ok().filter(|number| *number >= 0)?;
    // SAFETY: the descriptor is new, so nobody else owns it.
    let file = unsafe { OwnedFd::from_raw_fd(number) };
    ftruncate(&file, u64::try_from(len).ok()?).ok()?;
    // SAFETY: a mapping at an address that the kernel chooses touches no memory in use, and nobody else has the file.
    unsafe { mmap(ptr::null_mut(), len, PROTECTION, MapFlags::SHARED, &file, 0) }.ok()
}

fn usual_pages(len: usize) -> Result<*mut c_void, LockError> {
    // SAFETY: an anonymous mapping at an address that the kernel chooses touches no memory in use.
    unsafe { mmap_anonymous(ptr::null_mut(), len, PROTECTION, MapFlags::PRIVATE) }.map_err(|e| kernel("map", e))
}

/// Secret pages are locked from their beginning, and refuse to be locked once more.
fn protect(page: *mut c_void, len: usize, is_locked: bool) -> Result<(), LockError> {
    // SAFETY: `page` and `len` are those of a mapping that is ours; none of these calls changes what is in it.
    unsafe {
        if !is_locked {
            mlock(page, len).map_err(limit)?;
        }
        madvise(page, len, Advice::LinuxDontDump).map_err(|e| kernel("keep out of core dumps", e))?;
        madvise(page, len, Advice::LinuxDontFork).map_err(|e| kernel("keep out of child processes", e))
    }
}

impl<T: ZeroizeOnDrop> Deref for Locked<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: `value` was initialised in `new` and lives until `drop`.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ZeroizeOnDrop> DerefMut for Locked<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ZeroizeOnDrop> Drop for Locked<T> {
    fn drop(&mut self) {
        // SAFETY: the value is initialised, nothing borrows it any more, and the mapping is unmapped once. Unmapping unlocks it.
        unsafe {
            self.value.drop_in_place();
            std::slice::from_raw_parts_mut(self.value.cast::<u8>().as_ptr(), self.len).zeroize();
            let _ = munmap(self.value.as_ptr().cast(), self.len);
        }
    }
}

fn kernel(step: &'static str, errno: rustix::io::Errno) -> LockError {
    LockError::Kernel { step, source: errno.into() }
}

fn limit(errno: rustix::io::Errno) -> LockError {
    let limit = getrlimit(Resource::Memlock).current.map_or_else(|| "unlimited".to_owned(), |bytes| format!("{} KiB", bytes / 1024));
    LockError::Limit { limit, source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn locked_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmLck:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn a_secret_is_locked_kept_out_of_dumps_and_children_and_can_be_changed() {
        let before = locked_kib();
        let mut secret = Locked::new(|| Zeroizing::new([7_u8; 32])).unwrap();
        assert!(locked_kib() > before);
        secret[0] = 9;
        assert_eq!((secret[0], secret[31]), (9, 7));
        let address = format!("{:x}-", secret.value.as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let flags = maps.split(&address).nth(1).unwrap().lines().find(|l| l.starts_with("VmFlags:")).unwrap();
        for flag in [" lo", " dd", " dc"] {
            assert!(flags.contains(flag), "{flag}: {flags}");
        }
    }

    #[test]
    fn too_low_a_limit_is_an_error_that_names_the_fix() {
        let error = limit(rustix::io::Errno::NOMEM).to_string();
        assert!(error.contains("LimitMEMLOCK=") && error.contains("ulimit -l"), "{error}");
    }
}
