//! The subordinate ids of a user: `/etc/subuid` and `/etc/subgid`, as `subuid(5)` describes them.

/// Users or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Users.
    Users,
    /// Groups.
    Groups,
}

impl Kind {
    /// The file that has the ranges.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Users => "/etc/subuid",
            Self::Groups => "/etc/subgid",
        }
    }

    /// The program that maps them.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Users => "newuidmap",
            Self::Groups => "newgidmap",
        }
    }

    /// The kernel's map of a process.
    pub(super) fn map(self) -> &'static str {
        match self {
            Self::Users => "uid_map",
            Self::Groups => "gid_map",
        }
    }
}

/// `count` ids from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// The ranges that `text` gives the user, known by `name` or by `id`, in the order of the file. Lines that are no ranges
/// are passed over, as `newuidmap` does.
pub(crate) fn ranges(text: &str, name: Option<&str>, id: u32) -> Vec<Range> {
    let id = id.to_string();
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let range = Range { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        ((Some(owner) == name || owner == id) && range.count > 0).then_some(range)
    };
    text.lines().filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ranges_by_name_and_by_number() {
        let text = "# comment\nann:100000:65536\n1000:300000:10\nbob:1:2\nann:x:1\nann:500000:0\nann:200000:5\n";
        let range = |first, count| Range { first, count };
        assert_eq!(ranges(text, Some("ann"), 1000), [range(100_000, 65_536), range(300_000, 10), range(200_000, 5)]);
        assert_eq!(ranges(text, None, 1000), [range(300_000, 10)]);
        assert_eq!(ranges(text, Some("eve"), 7), []);
    }
}
