//! Compiles tables of system calls to a filter program: first a branch for the architecture, then a balanced tree of
//! comparisons over the ranges of numbers that are treated alike, so that every call takes about ten steps.
//!
//! The program is classic BPF over `struct seccomp_data`; see `seccomp(2)` and the kernel's
//! `Documentation/userspace-api/seccomp_filter.rst`.

use libc::sock_filter;

use super::abi::{Abi, CLONE3, REFUSED};

/// Offsets in `struct seccomp_data`. Both architectures are little-endian: the low half of an argument comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// The flags of `clone` that make namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// The personalities that a program may ask for: Linux, 32-bit Linux, both with the `uname` of 2.6, and none (a question).
const PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// The socket families that are refused: the kernel's cryptography, and the hypervisor's sockets.
const FAMILIES: [u32; 2] = [libc::AF_ALG as u32, libc::AF_VSOCK as u32];

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// As if the kernel did not have it: what libraries take as a hint to use an older call.
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The same, whatever its arguments.
    Always(u32),
    /// Allowed without [`NAMESPACES`].
    Clone,
    /// Allowed with one of [`PERSONALITIES`].
    Personality,
    /// Allowed but for [`FAMILIES`].
    Socket,
}

/// The program for a process that may use several binary interfaces. Calls by any other end the process.
pub(super) fn compile(abis: &[Abi]) -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE)];
    for abi in abis {
        let mut body = vec![load(NUMBER)];
        body.extend(tree(&ranges(abi)));
        // A conditional jump reaches 255 instructions far; this one has to reach over the whole tree.
        program.push(jump(libc::BPF_JEQ, abi.architecture, 1, 0));
        program.push(statement(libc::BPF_JMP | libc::BPF_JA, body.len() as u32));
        program.extend(body);
    }
    program.push(answer(libc::SECCOMP_RET_KILL_PROCESS));
    program
}

/// The whole range of numbers, cut where the verdict changes: where each piece starts, and its verdict.
fn ranges(abi: &Abi) -> Vec<(u32, Verdict)> {
    let mut cuts = vec![0];
    let singles = [abi.clone, abi.personality, abi.socket, CLONE3];
    for &number in abi.refused.iter().chain(REFUSED).chain(&singles) {
        cuts.extend([number, number + 1]);
    }
    for &(first, last) in abi.assigned {
        cuts.extend([first, last + 1]);
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut ranges: Vec<_> = cuts.into_iter().map(|start| (start, verdict(abi, start))).collect();
    ranges.dedup_by_key(|(_, verdict)| *verdict);
    ranges
}

fn verdict(abi: &Abi, number: u32) -> Verdict {
    let listed = |list: &[u32]| list.contains(&number);
    match number {
        _ if number == abi.clone => Verdict::Clone,
        _ if number == abi.personality => Verdict::Personality,
        _ if number == abi.socket => Verdict::Socket,
        CLONE3 => Verdict::Always(UNKNOWN),
        _ if listed(abi.refused) || listed(REFUSED) => Verdict::Always(REFUSE),
        _ if abi.assigned.iter().any(|(first, last)| (*first..=*last).contains(&number)) => Verdict::Always(ALLOW),
        _ => Verdict::Always(UNKNOWN),
    }
}

fn tree(ranges: &[(u32, Verdict)]) -> Vec<sock_filter> {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    match (low, high) {
        ([], [(_, verdict), ..]) => leaf(*verdict),
        (_, [(start, _), ..]) => {
            let (low, high) = (tree(low), tree(high));
            let over = u8::try_from(low.len()).expect("a half has fewer than 128 ranges of mostly one instruction");
            let mut program = vec![jump(libc::BPF_JGE, *start, over, 0)];
            program.extend(low);
            program.extend(high);
            program
        }
        (_, []) => vec![answer(UNKNOWN)],
    }
}

fn leaf(verdict: Verdict) -> Vec<sock_filter> {
    match verdict {
        Verdict::Always(result) => vec![answer(result)],
        Verdict::Clone => {
            vec![load(FIRST_ARGUMENT), jump(libc::BPF_JSET, NAMESPACES, 0, 1), answer(REFUSE), answer(ALLOW)]
        }
        Verdict::Personality => among(&PERSONALITIES, ALLOW, REFUSE),
        Verdict::Socket => among(&FAMILIES, REFUSE, ALLOW),
    }
}

/// One result if the first argument is among `values`, and another one if not.
fn among(values: &[u32], yes: u32, no: u32) -> Vec<sock_filter> {
    let mut program = vec![load(FIRST_ARGUMENT)];
    for value in values {
        program.extend([jump(libc::BPF_JEQ, *value, 0, 1), answer(yes)]);
    }
    program.push(answer(no));
    program
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn answer(result: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, result)
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | condition | libc::BPF_K) as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::super::{aarch64, arm, i386, x86_64};
    use super::*;

    /// Runs the few instructions that are used here, and counts them.
    fn run(program: &[sock_filter], architecture: u32, number: u32, argument: u32) -> (u32, usize) {
        let (mut accumulator, mut at) = (0, 0);
        for steps in 1.. {
            let instruction = program[at];
            at += 1;
            let (code, k) = (u32::from(instruction.code), instruction.k);
            let branch = |taken| usize::from(if taken { instruction.jt } else { instruction.jf });
            match code {
                _ if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    accumulator = match k {
                        0 => number,
                        4 => architecture,
                        16 => argument,
                        other => panic!("load of {other}"),
                    }
                }
                _ if code == libc::BPF_RET | libc::BPF_K => return (k, steps),
                _ if code == libc::BPF_JMP | libc::BPF_JA => at += k as usize,
                _ if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => at += branch(accumulator == k),
                _ if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K => at += branch(accumulator >= k),
                _ if code == libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K => at += branch(accumulator & k != 0),
                other => panic!("instruction {other:#x}"),
            }
        }
        unreachable!("the loop has no end but its return")
    }

    #[test]
    fn every_number_gets_its_verdict_in_few_steps() {
        for abis in [[x86_64::ABI, i386::ABI], [aarch64::ABI, arm::ABI]] {
            let program = compile(&abis);
            assert!(program.len() < 1000, "{} instructions", program.len());
            for abi in abis {
                for number in (0..600).chain([0xf_0000, 0xf_0001, 0xf_0006, 0x4000_0000, u32::MAX]) {
                    let expected = match verdict(&abi, number) {
                        Verdict::Always(result) => result,
                        Verdict::Clone | Verdict::Personality | Verdict::Socket => ALLOW,
                    };
                    let (result, steps) = run(&program, abi.architecture, number, 0);
                    assert_eq!(result, expected, "call {number} of {:#x}", abi.architecture);
                    assert!(steps < 24, "call {number} takes {steps} steps");
                }
            }
        }
    }

    /// The numbers that moby's profile lets through, whatever becomes of their arguments: computed from `seccomp/default.json` of
    /// `moby/profiles` (commit cd3bed8, 2026-06) and the kernel's tables, for Docker's default capabilities.
    const MOBY_X86_64: &str = "0-102 104-133 135 137-138 140-152 154 157-162 186-211 213-226 228-235 240-245 247 251-255 257-271 273-278 \
         280-297 299 301-303 305-307 309-311 314-319 322 324-335 424 434 436-437 439 441 444-449 451-458 462-466";
    const MOBY_I386: &str = "0-16 19-20 23-24 26-27 29-30 33 36-43 45-47 49-50 54-55 57 60-61 63-66 70-71 75-78 80-83 85 90-97 99-100 \
         102 104-108 114 116-120 122-126 132-133 136 138-148 150-165 168 170-187 190-216 218-221 224-250 252 \
         254-263 265-272 277-282 284 289-293 295-309 311-316 318-335 337 339-341 343-345 347-348 351-356 358-373 \
         375-386 393-403 405-414 416-424 434 436-437 439 441 444-449 451-458 462-466";

    #[test]
    fn mobys_profile_lets_the_same_through() {
        for (abi, moby) in [(x86_64::ABI, MOBY_X86_64), (i386::ABI, MOBY_I386)] {
            let ranges: Vec<(u32, u32)> = moby
                .split_whitespace()
                .map(|range| range.split_once('-').unwrap_or((range, range)))
                .map(|(first, last)| (first.parse().expect("a number"), last.parse().expect("a number")))
                .collect();
            for number in 0..1000 {
                let moby = ranges.iter().any(|(first, last)| (*first..=*last).contains(&number));
                let ours = !matches!(verdict(&abi, number), Verdict::Always(REFUSE | UNKNOWN));
                assert_eq!(ours, moby, "call {number} of {:#x}", abi.architecture);
            }
        }
    }

    #[test]
    fn arguments_decide_where_they_have_to() {
        let abi = x86_64::ABI;
        let program = compile(&[abi]);
        let result = |number, argument| run(&program, abi.architecture, number, argument).0;
        assert_eq!(result(abi.clone, libc::SIGCHLD as u32), ALLOW);
        assert_eq!(result(abi.clone, (libc::CLONE_NEWUSER | libc::SIGCHLD) as u32), REFUSE);
        assert_eq!(result(abi.personality, 8), ALLOW);
        // ADDR_NO_RANDOMIZE.
        assert_eq!(result(abi.personality, 0x4_0000), REFUSE);
        assert_eq!(result(abi.socket, libc::AF_INET6 as u32), ALLOW);
        assert_eq!(result(abi.socket, libc::AF_ALG as u32), REFUSE);
        assert_eq!(result(abi.socket, libc::AF_VSOCK as u32), REFUSE);
        assert_eq!(result(CLONE3, 0), UNKNOWN);
        assert_eq!(run(&program, i386::ABI.architecture, 1, 0).0, libc::SECCOMP_RET_KILL_PROCESS);
    }

    #[test]
    fn tables_agree_with_the_system_library() {
        #[cfg(target_arch = "x86_64")]
        let abi = x86_64::ABI;
        #[cfg(target_arch = "aarch64")]
        let abi = aarch64::ABI;
        let number = |number: libc::c_long| number as u32;
        assert_eq!(abi.clone, number(libc::SYS_clone));
        assert_eq!(abi.personality, number(libc::SYS_personality));
        assert_eq!(abi.socket, number(libc::SYS_socket));
        assert_eq!(CLONE3, number(libc::SYS_clone3));
        let refused = [libc::SYS_mount, libc::SYS_unshare, libc::SYS_keyctl, libc::SYS_bpf, libc::SYS_setns];
        let refused = refused.into_iter().chain([libc::SYS_kexec_load, libc::SYS_init_module, libc::SYS_reboot]);
        for call in refused.chain([libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_io_uring_setup]) {
            assert_eq!(verdict(&abi, number(call)), Verdict::Always(REFUSE), "{call}");
        }
        let allowed = [libc::SYS_read, libc::SYS_execve, libc::SYS_chroot, libc::SYS_ptrace, libc::SYS_mknodat];
        for call in allowed.into_iter().chain([libc::SYS_rseq, libc::SYS_statx, libc::SYS_openat2]) {
            assert_eq!(verdict(&abi, number(call)), Verdict::Always(ALLOW), "{call}");
        }
    }
}
