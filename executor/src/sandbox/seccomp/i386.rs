//! The system calls of 32-bit x86, which 64-bit kernels run too, as the kernel's
//! `arch/x86/entry/syscalls/syscall_32.tbl` numbers them.

use super::abi::{Abi, numbers};

pub(super) const ABI: Abi = Abi {
    // AUDIT_ARCH_I386: EM_386, little-endian.
    architecture: 0x4000_0003,
    assigned: &[(0, 221), (224, 250), (252, 284), (286, 386), (393, 414), (416, 466)],
    refused: numbers! {
        break 17, oldstat 18, mount 21, umount 22, stime 25, oldfstat 28, stty 31, gtty 32, nice 34,
        ftime 35, prof 44, signal 48, acct 51, umount2 52, lock 53, mpx 56, ulimit 58, oldolduname 59,
        ustat 62, sigaction 67, sgetmask 68, ssetmask 69, sigsuspend 72, sigpending 73, sethostname 74,
        settimeofday 79, oldlstat 84, uselib 86, swapon 87, reboot 88, readdir 89, profil 98, ioperm 101,
        syslog 103, olduname 109, iopl 110, vhangup 111, idle 112, vm86old 113, swapoff 115,
        setdomainname 121, create_module 127, init_module 128, delete_module 129, get_kernel_syms 130,
        quotactl 131, bdflush 134, sysfs 135, afs_syscall 137, _sysctl 149, vm86 166, query_module 167,
        nfsservctl 169, getpmsg 188, putpmsg 189, pivot_root 217, lookup_dcookie 253, clock_settime 264,
        vserver 273, mbind 274, get_mempolicy 275, set_mempolicy 276, kexec_load 283, add_key 286,
        request_key 287, keyctl 288, migrate_pages 294, unshare 310, move_pages 317, perf_event_open 336,
        fanotify_init 338, open_by_handle_at 342, setns 346, kcmp 349, finit_module 350, bpf 357,
        userfaultfd 374, clock_settime64 404,
    },
    clone: 120,
    personality: 136,
    socket: 359,
};
