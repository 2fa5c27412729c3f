//! The command's terminal: made in the command's own `/dev/pts`, so that its name is right there.

use std::os::fd::{AsFd, OwnedFd};

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::device::Devices;
use super::failure::{Doing, Failure};
use super::spec::TerminalSize;
use crate::mount;

/// Both sides of a terminal.
pub(super) struct Terminal {
    /// The side that the parent reads and writes.
    pub(super) control: OwnedFd,
    /// The side that the command has.
    pub(super) line: OwnedFd,
}

/// Makes one.
pub(super) fn open(devices: &Devices, size: TerminalSize) -> Result<Terminal, Failure> {
    let control = devices.open_terminal().doing("open a terminal")?;
    rustix::pty::unlockpt(&control).doing("unlock the terminal")?;
    let line = rustix::pty::ioctl_tiocgptpeer(&control, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .doing("open the terminal's other side")?;
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&line, size).doing("set the terminal's size")?;
    Ok(Terminal { control, line })
}

impl Terminal {
    /// Shows it as `/dev/console` too, as Docker does.
    pub(super) fn attach_console(&self, devices: &Devices) -> Result<(), Failure> {
        let path = mount::path_of(&self.line);
        let line = mount::clone(rustix::fs::CWD, &path, mount::Depth::Single).doing("take along the terminal")?;
        super::place::attach(devices.folder(), "console".as_ref(), &line, super::place::Missing::Make)
    }

    /// Makes it the terminal that controls this process's new session.
    pub(super) fn control(&self) -> Result<(), Failure> {
        rustix::process::ioctl_tiocsctty(self.line.as_fd()).doing("take control of the terminal")
    }
}
