//! The system calls of 32-bit ARM, which some 64-bit kernels run too, as the kernel's
//! `arch/arm/tools/syscall.tbl` numbers them.

use super::abi::{Abi, numbers};

pub(super) const ABI: Abi = Abi {
    // AUDIT_ARCH_ARM: EM_ARM, little-endian.
    architecture: 0x4000_0028,
    assigned: &[(0, 414), (416, 466), (0xf0001, 0xf0005)],
    refused: numbers! {
        mount 21, nice 34, acct 51, umount2 52, ustat 62, sigaction 67, sigsuspend 72, sigpending 73,
        sethostname 74, settimeofday 79, uselib 86, swapon 87, reboot 88, syslog 103, vhangup 111,
        swapoff 115, setdomainname 121, init_module 128, delete_module 129, quotactl 131, bdflush 134,
        sysfs 135, _sysctl 149, nfsservctl 169, pivot_root 218, lookup_dcookie 249, clock_settime 262,
        pciconfig_iobase 271, pciconfig_read 272, pciconfig_write 273, add_key 309, request_key 310,
        keyctl 311, vserver 313, mbind 319, get_mempolicy 320, set_mempolicy 321, unshare 337,
        move_pages 344, kexec_load 347, perf_event_open 364, fanotify_init 367, open_by_handle_at 371,
        setns 375, kcmp 378, finit_module 379, bpf 386, userfaultfd 388, migrate_pages 400,
        kexec_file_load 401, clock_settime64 404,
    },
    clone: 120,
    personality: 136,
    socket: 281,
};
