//! The terminal that the program has: raw while a container has it.

use std::io::{self, IsTerminal};

use rustix::termios::{OptionalActions, Termios, Winsize};

use crate::sandbox::TerminalSize;

/// A terminal that passes everything through; as it was before, when this is dropped.
pub(super) struct Raw {
    before: Termios,
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Makes it raw.
pub(super) fn make_raw() -> io::Result<Raw> {
    let before = rustix::termios::tcgetattr(io::stdin())?;
    let mut raw = before.clone();
    raw.make_raw();
    rustix::termios::tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
    Ok(Raw { before })
}

/// Whether there is one.
pub(super) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Its size, or the one that terminals once had.
pub(super) fn size() -> TerminalSize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stdin()));
    match size {
        Ok(Winsize { ws_row: rows @ 1.., ws_col: columns @ 1.., .. }) => TerminalSize { rows, columns },
        _ => TerminalSize { rows: 24, columns: 80 },
    }
}
