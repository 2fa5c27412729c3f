//! The system calls of 64-bit x86, as the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` numbers them.

use super::abi::{Abi, numbers};

pub(super) const ABI: Abi = Abi {
    // AUDIT_ARCH_X86_64: EM_X86_64, 64-bit, little-endian.
    architecture: 0xc000_003e,
    assigned: &[(0, 335), (424, 466)],
    refused: numbers! {
        syslog 103, uselib 134, ustat 136, sysfs 139, vhangup 153, pivot_root 155, _sysctl 156, acct 163,
        settimeofday 164, mount 165, umount2 166, swapon 167, swapoff 168, reboot 169, sethostname 170,
        setdomainname 171, iopl 172, ioperm 173, create_module 174, init_module 175, delete_module 176,
        get_kernel_syms 177, query_module 178, quotactl 179, nfsservctl 180, getpmsg 181, putpmsg 182,
        afs_syscall 183, tuxcall 184, security 185, lookup_dcookie 212, clock_settime 227, vserver 236,
        mbind 237, set_mempolicy 238, get_mempolicy 239, kexec_load 246, add_key 248, request_key 249,
        keyctl 250, migrate_pages 256, unshare 272, move_pages 279, perf_event_open 298, fanotify_init 300,
        open_by_handle_at 304, setns 308, kcmp 312, finit_module 313, kexec_file_load 320, bpf 321,
        userfaultfd 323,
    },
    clone: 56,
    personality: 135,
    socket: 41,
};
