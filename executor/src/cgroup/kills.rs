//! [`Kills`]: how many processes of the whole machine the kernel has ended for want of memory.

use std::fs;

/// The count at one time; `None` where the kernel does not tell. It is the machine's, so that it says that there was a kill,
/// not whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kills(Option<u64>);

impl Kills {
    /// The count of now. `/proc/vmstat` has it since Linux 4.13.
    pub(crate) fn now() -> Self {
        Self(count(&fs::read_to_string("/proc/vmstat").unwrap_or_default()))
    }

    /// How many there have been since `earlier`; `None` where that is not known.
    pub(crate) fn since(self, earlier: Self) -> Option<u64> {
        Some(self.0?.saturating_sub(earlier.0?))
    }
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_counts() {
        assert_eq!(count("nr_free_pages 5\noom_kill 12\n"), Some(12));
        assert_eq!(count("nr_free_pages 5\n"), None);
        assert_eq!(Kills(Some(5)).since(Kills(Some(3))), Some(2));
        assert_eq!(Kills(None).since(Kills(Some(3))), None);
    }
}
