//! What processes cost: time on the processor and memory, as the kernel counts them.

use chancery_tests::KeyHost;
use std::fs;

/// Ticks of `/proc/PID/stat` in a second, on every Linux in use.
const TICKS: f64 = 100.0;

/// Seconds of processor time that gateway, keeper and this process have used so far.
pub(crate) struct Cpu([f64; 3]);

impl Cpu {
    pub(crate) fn of(host: &KeyHost) -> Self {
        Self([host.gateway_pid(), host.keeper_pid(), std::process::id()].map(seconds))
    }

    /// Microseconds for each of `count` requests since.
    pub(crate) fn since(&self, later: &Self, count: usize) -> [f64; 3] {
        [0, 1, 2].map(|i| (later.0[i] - self.0[i]) * 1e6 / count as f64)
    }
}

fn seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

/// Resident memory, in MiB.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
