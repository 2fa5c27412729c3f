//! Resource limits.

use rustix::io::Errno;
use rustix::process::{Resource as Kernel, Rlimit, getrlimit, setrlimit};

use super::spec::{Limit, Resource};

/// Sets a limit, as far as this process may: only a privileged one may raise the hard limit.
pub(super) fn set(limit: &Limit) -> Result<(), Errno> {
    let resource = kernel(limit.resource);
    let wanted = Rlimit { current: limit.soft, maximum: limit.hard };
    match setrlimit(resource, wanted) {
        Err(Errno::PERM) => setrlimit(resource, clamp(wanted, getrlimit(resource).maximum)),
        result => result,
    }
}

/// Lowers both to `most`, where `None` is no limit.
fn clamp(wanted: Rlimit, most: Option<u64>) -> Rlimit {
    let lower = |value: Option<u64>| match (value, most) {
        (Some(value), Some(most)) => Some(value.min(most)),
        (value, most) => value.or(most),
    };
    Rlimit { current: lower(wanted.current), maximum: lower(wanted.maximum) }
}

fn kernel(resource: Resource) -> Kernel {
    match resource {
        Resource::Core => Kernel::Core,
        Resource::Cpu => Kernel::Cpu,
        Resource::Data => Kernel::Data,
        Resource::Fsize => Kernel::Fsize,
        Resource::Locks => Kernel::Locks,
        Resource::Memlock => Kernel::Memlock,
        Resource::Msgqueue => Kernel::Msgqueue,
        Resource::Nice => Kernel::Nice,
        Resource::Nofile => Kernel::Nofile,
        Resource::Nproc => Kernel::Nproc,
        Resource::Rss => Kernel::Rss,
        Resource::Rtprio => Kernel::Rtprio,
        Resource::Rttime => Kernel::Rttime,
        Resource::Sigpending => Kernel::Sigpending,
        Resource::Stack => Kernel::Stack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_lowered_to_what_may_be_given() {
        let lowered = |soft, hard, most| {
            let limit = clamp(Rlimit { current: soft, maximum: hard }, most);
            (limit.current, limit.maximum)
        };
        assert_eq!(lowered(Some(10), Some(20), Some(15)), (Some(10), Some(15)));
        assert_eq!(lowered(None, None, Some(15)), (Some(15), Some(15)));
        assert_eq!(lowered(Some(1), None, None), (Some(1), None));
    }
}
