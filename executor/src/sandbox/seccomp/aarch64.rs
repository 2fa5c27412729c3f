//! The system calls of 64-bit ARM, as the kernel's `include/uapi/asm-generic/unistd.h` numbers them.

use super::abi::{Abi, numbers};

pub(super) const ABI: Abi = Abi {
    // AUDIT_ARCH_AARCH64: EM_AARCH64, 64-bit, little-endian.
    architecture: 0xc000_00b7,
    assigned: &[(0, 243), (260, 294), (424, 466)],
    refused: numbers! {
        lookup_dcookie 18, umount2 39, mount 40, pivot_root 41, nfsservctl 42, vhangup 58, quotactl 60,
        acct 89, unshare 97, kexec_load 104, init_module 105, delete_module 106, clock_settime 112,
        syslog 116, reboot 142, sethostname 161, setdomainname 162, settimeofday 170, add_key 217,
        request_key 218, keyctl 219, swapon 224, swapoff 225, mbind 235, get_mempolicy 236,
        set_mempolicy 237, migrate_pages 238, move_pages 239, perf_event_open 241, fanotify_init 262,
        open_by_handle_at 265, setns 268, kcmp 272, finit_module 273, bpf 280, userfaultfd 282,
        kexec_file_load 294,
    },
    clone: 220,
    personality: 92,
    socket: 198,
};
