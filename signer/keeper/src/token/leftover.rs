//! Closes what a process inherited and did not ask for: the file with the passphrase could be among it.
#![expect(unsafe_code, reason = "descriptors that nobody in this process owns can be closed by their numbers alone")]

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

/// Closes all file descriptors but the first three. To be called before the process opens anything.
pub(super) fn close() -> io::Result<()> {
    let mut numbers: Vec<RawFd> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    // The listing itself was open, and is not any more.
    let open = |number: &RawFd| *number > 2 && std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
    for number in numbers.into_iter().filter(open) {
        // SAFETY: it is open, and nobody else in this process owns it, since nothing was opened yet.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
    Ok(())
}
