//! Huge pages: the supervisor and what it forks do without, commands have them as the program was started.
//!
//! A process that has just been forked touches little memory, of which the allocator would make pages of 2 MiB, and the kernel would
//! clear those: half a millisecond for each command.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

/// Whether this process gave up what it had. Forked processes know it too.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

/// Does without from now on, as do all processes that are forked from this one.
pub(super) fn give_up() {
    // An older kernel has no such thing, or has them all the same: it is then slower, and right.
    let gives_up = transparent_huge_pages_are_disabled() == Ok(false) && disable_transparent_huge_pages(true).is_ok();
    GIVEN_UP.store(gives_up, Ordering::Relaxed);
}

/// As it was, for the program that this process becomes: the kernel keeps the choice across `execve`.
pub(super) fn restore() {
    if GIVEN_UP.load(Ordering::Relaxed) {
        let _ = disable_transparent_huge_pages(false);
    }
}
