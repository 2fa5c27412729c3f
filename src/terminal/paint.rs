//! Colours, where they are wanted.

use std::fmt::Display;
use std::io::IsTerminal;

use crate::arguments::Color;
use crate::settings;

/// Paints text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// With escape sequences.
    Colour,
    /// Without.
    Plain,
}

impl Paint {
    /// What is right for a stream.
    pub fn new(choice: Color, stream: &impl IsTerminal) -> Self {
        let colour = match choice {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && !settings::is_colourless(),
        };
        if colour { Self::Colour } else { Self::Plain }
    }

    /// The same for results, which are plain where a program reads them.
    pub fn on_standard_output(self) -> Self {
        if std::io::stdout().is_terminal() { self } else { Self::Plain }
    }

    /// For what went wrong.
    pub fn red(self, text: impl Display) -> String {
        self.wrap("1;31", text)
    }

    /// For what went well.
    pub fn green(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    /// For what leads on.
    pub fn cyan(self, text: impl Display) -> String {
        self.wrap("36", text)
    }

    /// For what is doubtful.
    pub fn yellow(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    /// For what matters less.
    pub fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_string(),
        }
    }
}
