//! [`Limits`]: what a command may have, as `docker build` says it, and as the kernel's files do.

/// What a command may have. What is not said is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Memory and swap together; with a limit of memory and without this, as much swap as memory.
    pub swap: Option<Swap>,
    /// Processor time in each period, in microseconds; none below 1 is no limit.
    pub cpu_quota: Option<i64>,
    /// The period, in microseconds.
    pub cpu_period: Option<u64>,
    /// A share of the processors where they are short: 1024 is the usual one.
    pub cpu_shares: Option<u64>,
    /// Processors, as in `0-2,5`.
    pub cpus: Option<String>,
    /// Memory nodes, in the same form.
    pub memory_nodes: Option<String>,
}

/// A limit of memory and swap together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// As much as there is.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
}

/// Limits that make no sense together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimits {
    /// Less than any command needs.
    #[error("the least memory that a command can have is 6 MiB")]
    TooLittleMemory,
    /// Swap without memory.
    #[error("memory and swap can be limited together only where memory is limited too")]
    SwapWithoutMemory,
    /// Less than the memory that is part of it.
    #[error("the limit of memory and swap together is below that of memory")]
    SwapBelowMemory,
}

/// The least memory that Docker allows (`linuxMinMemory` in moby's `daemon/daemon_unix.go`).
const LEAST_MEMORY: u64 = 6 << 20;

/// The period where none is given, in microseconds: the kernel's default.
const PERIOD: u64 = 100_000;

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Finds what makes no sense. The rules are Docker's.
    ///
    /// # Errors
    /// The first of it.
    pub fn check(&self) -> Result<(), InvalidLimits> {
        match (self.memory, self.swap) {
            (Some(memory), _) if memory < LEAST_MEMORY => Err(InvalidLimits::TooLittleMemory),
            (None, Some(_)) => Err(InvalidLimits::SwapWithoutMemory),
            (Some(memory), Some(Swap::Bytes(both))) if both < memory => Err(InvalidLimits::SwapBelowMemory),
            _ => Ok(()),
        }
    }

    /// The controllers that this takes.
    pub(super) fn controllers(&self) -> Vec<&'static str> {
        let is_cpu = self.cpu_quota.is_some() || self.cpu_period.is_some() || self.cpu_shares.is_some();
        let wanted = [
            ("memory", self.memory.is_some()),
            ("cpu", is_cpu),
            ("cpuset", self.cpus.is_some() || self.memory_nodes.is_some()),
        ];
        wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| name).collect()
    }

    /// The files of a group, and what is written to them.
    pub(super) fn files(&self) -> Vec<(&'static str, String)> {
        let mut files = Vec::new();
        if let Some(memory) = self.memory {
            files.push(("memory.max", memory.to_string()));
            let swap = match self.swap {
                Some(Swap::Unlimited) => "max".to_owned(),
                Some(Swap::Bytes(both)) => both.saturating_sub(memory).to_string(),
                None => memory.to_string(),
            };
            files.push(("memory.swap.max", swap));
        }
        if self.cpu_quota.is_some() || self.cpu_period.is_some() {
            let quota = self.cpu_quota.filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
            files.push(("cpu.max", format!("{quota} {}", self.cpu_period.unwrap_or(PERIOD))));
        }
        if let Some(shares) = self.cpu_shares {
            files.push(("cpu.weight", weight(shares).to_string()));
        }
        files.extend(self.cpus.clone().map(|cpus| ("cpuset.cpus", cpus)));
        files.extend(self.memory_nodes.clone().map(|nodes| ("cpuset.mems", nodes)));
        files
    }
}

/// Shares, from 2 to 262144, as a weight, from 1 to 10000: the line between the ends, as the OCI runtimes have it
/// (`crun.1.md`, "CPU controller").
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_the_kernels() {
        let all = Limits {
            memory: Some(64 << 20),
            swap: Some(Swap::Bytes(96 << 20)),
            cpu_quota: Some(50_000),
            cpu_period: None,
            cpu_shares: Some(1024),
            cpus: Some("0-1".to_owned()),
            memory_nodes: Some("0".to_owned()),
        };
        let text: Vec<_> = all.files().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = "memory.max=67108864 memory.swap.max=33554432 cpu.max=50000 100000 cpu.weight=39 cpuset.cpus=0-1 \
                        cpuset.mems=0";
        assert_eq!(text.join(" "), expected);
        assert_eq!(all.controllers(), ["memory", "cpu", "cpuset"]);
        assert_eq!(Limits::default().files(), []);
    }

    #[test]
    fn what_is_not_said_is_dockers_default() {
        let memory = Limits { memory: Some(8 << 20), ..Limits::default() };
        assert_eq!(memory.files()[1], ("memory.swap.max", (8 << 20).to_string()));
        let unlimited = Limits { swap: Some(Swap::Unlimited), ..memory };
        assert_eq!(unlimited.files()[1].1, "max");
        let period = Limits { cpu_period: Some(20_000), cpu_quota: Some(-1), ..Limits::default() };
        assert_eq!(period.files(), [("cpu.max", "max 20000".to_owned())]);
        assert_eq!([0, 2, 262_144, u64::MAX].map(weight), [1, 1, 10_000, 10_000]);
    }

    #[test]
    fn nonsense_is_named() {
        let check = |memory, swap| Limits { memory, swap, ..Limits::default() }.check();
        assert_eq!(check(Some(6 << 20), None), Ok(()));
        assert_eq!(check(Some(1 << 20), None), Err(InvalidLimits::TooLittleMemory));
        assert_eq!(check(None, Some(Swap::Unlimited)), Err(InvalidLimits::SwapWithoutMemory));
        assert_eq!(check(Some(8 << 20), Some(Swap::Bytes(7 << 20))), Err(InvalidLimits::SwapBelowMemory));
    }
}
