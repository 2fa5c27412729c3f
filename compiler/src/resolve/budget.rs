//! [`Budget`]: how much a file may grow into while it is resolved.
//!
//! Variables, inheritance and triggers repeat what was written once, each of them any number of times: without a bound, a
//! file of a few kilobytes takes all memory.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    /// What a file without this much is refused with, once.
    is_spent: bool,
}

/// In bytes. Some hundred times what the largest of real files comes to; 5,000 commands may still see 5,000 variables.
const WHOLE: usize = 256 << 20;

impl Budget {
    /// What a file begins with.
    pub(super) fn new() -> Self {
        Self { bytes: WHOLE, is_spent: false }
    }

    /// Takes what an instruction makes.
    ///
    /// # Errors
    /// If there is not as much left.
    pub(super) fn spend(&mut self, bytes: usize, at: Span) -> Result<(), Box<Diagnostic>> {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => {
                self.is_spent = true;
                let message = format!("the file grows to more than {WHOLE} bytes here");
                let error = Diagnostic::error(Code::TooLarge, at, message);
                Err(Box::new(
                    error.help("repeat less: variables, what stages inherit, and triggers are counted each time"),
                ))
            }
        }
    }

    /// Whether something was refused: then nothing more is to be made.
    pub(super) fn is_spent(&self) -> bool {
        self.is_spent
    }
}
