//! What the kernel says about a process: proc(5).

use std::{fs, io, time::Duration};

use nix::unistd::{SysconfVar, sysconf};

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor time of its own.
    pub cpu: Duration,
    /// Processor time of its children that have ended and were waited for, and of theirs.
    pub children: Duration,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// The most it ever was, in bytes.
    pub peak: u64,
}

/// Reads it.
///
/// # Errors
/// When there is no such process.
pub fn usage(pid: u32) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, blanks and brackets too; what follows the last bracket is numbers from the 3rd on.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let hertz = sysconf(SysconfVar::CLK_TCK)?.and_then(|hertz| u64::try_from(hertz).ok()).unwrap_or(100);
    let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / hertz);
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_start_matches(':').split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    Ok(Usage {
        cpu: time(ticks(14) + ticks(15)),
        children: time(ticks(16) + ticks(17)),
        resident: kib("VmRSS") * 1024,
        peak: kib("VmHWM") * 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory() {
        let ours = usage(std::process::id()).unwrap();
        assert!(ours.resident > 100_000 && ours.peak >= ours.resident, "{ours:?}");
        assert!(usage(u32::MAX).is_err());
    }
}
