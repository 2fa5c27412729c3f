//! The arguments that say what every `RUN` may have and do, under docker's names.

use clap::Args;

/// What every `RUN` may have. It is no part of any key.
#[derive(Clone, Debug, Default, Args)]
pub struct Resources {
    /// Limit the memory of each RUN, such as 512m. This, and what follows, takes control groups of version 2 that are the
    /// user's to divide.
    #[arg(short, long, value_name = "BYTES")]
    pub memory: Option<String>,
    /// Limit memory and swap together; -1 is no limit [default: twice the memory].
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub memory_swap: Option<String>,
    /// Limit the processor time of each RUN in a period, in microseconds.
    #[arg(long, value_name = "MICROSECONDS", allow_hyphen_values = true)]
    pub cpu_quota: Option<i64>,
    /// The period of the processor time, in microseconds [default: 100000].
    #[arg(long, value_name = "MICROSECONDS")]
    pub cpu_period: Option<u64>,
    /// The weight of each RUN where processors are short; the usual one is 1024.
    #[arg(short, long, value_name = "NUMBER")]
    pub cpu_shares: Option<u64>,
    /// The processors that each RUN may use, such as 0-2,5.
    #[arg(long, value_name = "LIST")]
    pub cpuset_cpus: Option<String>,
    /// The memory nodes that each RUN may use.
    #[arg(long, value_name = "LIST")]
    pub cpuset_mems: Option<String>,
    /// The control group that those of the RUNs are made in [default: the one that layercake is started in].
    #[arg(long, value_name = "PATH")]
    pub cgroup_parent: Option<String>,
}

/// What is forbidden by default and may be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// The machine's network for a `RUN` where the build has none.
    HostNetwork,
    /// All that the builder itself may do.
    Insecure,
    /// CDI devices: all of them, or those of a name or kind.
    Device(Option<String>),
}

impl std::str::FromStr for Allow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').unwrap_or((text, "")) {
            ("network.host", "") => Ok(Self::HostNetwork),
            ("security.insecure", "") => Ok(Self::Insecure),
            ("device", "") => Ok(Self::Device(None)),
            ("device", name) => Ok(Self::Device(Some(name.to_owned()))),
            _ => Err("it is one of `network.host`, `security.insecure`, `device` and `device=NAME`".to_owned()),
        }
    }
}
