//! [`Architecture`]: what the programs for a processor look like.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A processor that programs are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are Go's names of processors, as platforms have them")]
pub enum Architecture {
    Amd64,
    I386,
    Arm64,
    Arm,
    Riscv64,
    Ppc64le,
    S390x,
    Mips64le,
    Loong64,
}

use Architecture::{Amd64, Arm, Arm64, I386, Loong64, Mips64le, Ppc64le, Riscv64, S390x};

/// How many bytes of a program say what it is for: up to `e_machine`.
pub(crate) const HEADER: usize = 20;

/// What the head of a program says of its processor.
///
/// Source: elf(5), and `linux/elf-em.h` for the machines.
struct Elf {
    architecture: Architecture,
    class: u8,
    order: u8,
    machine: u16,
}

const BITS_32: u8 = 1;
const BITS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const BIG_ENDIAN: u8 = 2;

const KNOWN: [Elf; 9] = [
    Elf { architecture: Amd64, class: BITS_64, order: LITTLE_ENDIAN, machine: 62 },
    Elf { architecture: I386, class: BITS_32, order: LITTLE_ENDIAN, machine: 3 },
    Elf { architecture: Arm64, class: BITS_64, order: LITTLE_ENDIAN, machine: 183 },
    Elf { architecture: Arm, class: BITS_32, order: LITTLE_ENDIAN, machine: 40 },
    Elf { architecture: Riscv64, class: BITS_64, order: LITTLE_ENDIAN, machine: 243 },
    Elf { architecture: Ppc64le, class: BITS_64, order: LITTLE_ENDIAN, machine: 21 },
    Elf { architecture: S390x, class: BITS_64, order: BIG_ENDIAN, machine: 22 },
    Elf { architecture: Mips64le, class: BITS_64, order: LITTLE_ENDIAN, machine: 8 },
    Elf { architecture: Loong64, class: BITS_64, order: LITTLE_ENDIAN, machine: 258 },
];

impl Elf {
    /// The head of a program, and which of its bits have to be these. A program may be linked to any address (`ET_DYN`) or
    /// not (`ET_EXEC`), and its `EI_OSABI` and what follows are no business of the processor.
    fn pattern(&self) -> ([u8; HEADER], [u8; HEADER]) {
        let number = |number: u16| if self.order == BIG_ENDIAN { number.to_be_bytes() } else { number.to_le_bytes() };
        let (mut head, mut mask) = ([0; HEADER], [0; HEADER]);
        head[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', self.class, self.order, 1]);
        mask[..7].fill(0xff);
        head[16..18].copy_from_slice(&number(2));
        mask[16..18].copy_from_slice(&number(0xfffe));
        head[18..].copy_from_slice(&number(self.machine));
        mask[18..].fill(0xff);
        (head, mask)
    }
}

impl Architecture {
    /// All that are known.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|elf| elf.architecture)
    }

    /// What a program with this head is for; `None` if it is none, or for an unknown processor.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        KNOWN.iter().find(|elf| matches(head, &elf.pattern())).map(|elf| elf.architecture)
    }

    /// The head of its programs, and which of its bits count.
    pub(crate) fn pattern(self) -> ([u8; HEADER], [u8; HEADER]) {
        let elf = KNOWN.iter().find(|elf| elf.architecture == self);
        elf.expect("every architecture is in the table").pattern()
    }

    /// Whether this machine's processor runs its programs.
    #[must_use]
    pub fn is_native(self) -> bool {
        match self {
            Amd64 | I386 => cfg!(target_arch = "x86_64"),
            Arm64 => cfg!(target_arch = "aarch64"),
            Arm => cfg!(target_arch = "aarch64") && runs_32_bits(),
            Riscv64 | Ppc64le | S390x | Mips64le | Loong64 => false,
        }
    }

    /// What qemu calls it.
    #[must_use]
    pub fn qemu(self) -> &'static str {
        match self {
            Amd64 => "x86_64",
            I386 => "i386",
            Arm64 => "aarch64",
            Arm => "arm",
            Riscv64 => "riscv64",
            Ppc64le => "ppc64le",
            S390x => "s390x",
            Mips64le => "mips64el",
            Loong64 => "loongarch64",
        }
    }
}

/// As platforms have it.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Amd64 => "amd64",
            I386 => "386",
            Arm64 => "arm64",
            Arm => "arm",
            Riscv64 => "riscv64",
            Ppc64le => "ppc64le",
            S390x => "s390x",
            Mips64le => "mips64le",
            Loong64 => "loong64",
        })
    }
}

fn matches(head: &[u8], (pattern, mask): &([u8; HEADER], [u8; HEADER])) -> bool {
    head.len() >= HEADER && head.iter().zip(pattern).zip(mask).all(|((byte, wanted), mask)| byte & mask == *wanted)
}

/// Whether a processor of 64 bits runs programs of 32 bits as well: newer ones of ARM's do not, and then the kernel refuses
/// the personality of a 32-bit machine (`arch/arm64/kernel/sys.c`).
fn runs_32_bits() -> bool {
    const PER_LINUX32: libc::c_ulong = 8;
    // SAFETY: changes nothing but what `uname` tells this process, and that for a moment.
    let before = unsafe { libc::personality(PER_LINUX32) };
    if let Ok(before) = libc::c_ulong::try_from(before) {
        // SAFETY: as above.
        unsafe { libc::personality(before) };
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn programs_are_told_by_their_heads() {
        // The patterns of qemu's `scripts/qemu-binfmt-conf.sh`, with another type and another system.
        let head = |text: &[u8]| text.to_vec();
        let arm64 = head(b"\x7fELF\x02\x01\x01\x03\0\0\0\0\0\0\0\0\x03\0\xb7\0");
        assert_eq!(Architecture::of(&arm64), Some(Arm64));
        let s390x = head(b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x16 and more");
        assert_eq!(Architecture::of(&s390x), Some(S390x));
        let object = head(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\xb7\0");
        let short = head(&arm64[..19]);
        for other in [object, short, head(b"#!/bin/sh\n is no program"), Vec::new()] {
            assert_eq!(Architecture::of(&other), None);
        }
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(Architecture::of(&own).unwrap().is_native());
    }

    #[test]
    fn every_head_is_that_of_one_processor() {
        for architecture in Architecture::all() {
            assert_eq!(Architecture::of(&architecture.pattern().0), Some(architecture));
        }
    }
}
