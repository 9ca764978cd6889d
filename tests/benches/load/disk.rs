//! What the disk alone costs: one append of 600 bytes made durable.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::Instant;

const RECORD: usize = 600;
const ROUNDS: usize = 2000;

pub(crate) struct Disk {
    pub(crate) append_us: f64,
    pub(crate) preallocated_us: f64,
}

pub(crate) fn measure() -> Disk {
    // Beside the build's own files: a temporary directory may be in memory.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(dir.path().join("append")).unwrap();
    let append_us = p50(|_| {
        file.write_all(&[7; RECORD]).unwrap();
        file.sync_data().unwrap();
    });
    let file = OpenOptions::new().create_new(true).write(true).open(dir.path().join("preallocated")).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, (RECORD * ROUNDS) as u64).unwrap();
    file.sync_all().unwrap();
    let preallocated_us = p50(|i| {
        file.write_all_at(&[7; RECORD], (i * RECORD) as u64).unwrap();
        file.sync_data().unwrap();
    });
    Disk { append_us, preallocated_us }
}

fn p50(mut once: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|i| {
            let start = Instant::now();
            once(i);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
