//! What a table of system calls says about one binary interface of the kernel's.

/// A list of numbers, with the names that people know them by.
macro_rules! numbers {
    ($($name:ident $number:literal,)*) => { &[$($number),*] };
}
pub(super) use numbers;

/// One binary interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abi {
    /// The kernel's name for it (`linux/audit.h`).
    pub(super) architecture: u32,
    /// The numbers that are in use, from and to, both included, ascending. All others are unknown here.
    pub(super) assigned: &'static [(u32, u32)],
    /// Which of them are refused, besides [`REFUSED`], ascending.
    pub(super) refused: &'static [u32],
    /// Makes processes, and namespaces, which is refused.
    pub(super) clone: u32,
    /// Changes how programs are run.
    pub(super) personality: u32,
    /// Opens a socket, of whatever family.
    pub(super) socket: u32,
}

/// `clone3`, on every architecture. Its arguments lie in memory, where a filter cannot look.
pub(super) const CLONE3: u32 = 435;

/// What is refused of the numbers that are the same on every architecture, which all are since 424.
pub(super) const REFUSED: &[u32] = numbers! {
    io_uring_setup 425, io_uring_enter 426, io_uring_register 427, open_tree 428, move_mount 429, fsopen 430,
    fsconfig 431, fsmount 432, fspick 433, pidfd_getfd 438, process_madvise 440, mount_setattr 442, quotactl_fd 443,
    set_mempolicy_home_node 450, lsm_get_self_attr 459, lsm_set_self_attr 460, lsm_list_modules 461,
};
