//! Turns this process into the command.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rustix::io::Errno;

use super::failure::Failure;
use super::huge_pages;
use crate::mount::last_error;

/// Where programs are looked for when the environment does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The command as the kernel takes it. Made before privileges are given up, so that nothing can fail late.
pub(super) struct Command {
    name: String,
    /// Where it may lie, in the order of `PATH`.
    candidates: Vec<CString>,
    arguments: Vec<CString>,
    env: Vec<CString>,
}

impl Command {
    pub(super) fn new(arguments: &[String], env: &[(String, String)], home: &str) -> Result<Self, Failure> {
        let name = arguments.first().cloned().unwrap_or_default();
        let env = environment(env, home);
        let path = env.iter().find(|(name, _)| *name == "PATH").map_or(PATH, |(_, value)| value);
        let candidates = candidates(&name, path);
        let text =
            |what: &str, text: String| CString::new(text).map_err(|_| Failure::ZeroByte { what: what.to_owned() });
        Ok(Self {
            candidates: candidates
                .into_iter()
                .map(|path| text("the program's name", path))
                .collect::<Result<_, _>>()?,
            arguments: arguments.iter().map(|word| text("an argument", word.clone())).collect::<Result<_, _>>()?,
            env: env
                .iter()
                .map(|(name, value)| text(&format!("the variable `{name}`"), format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            name,
        })
    }

    /// Where its program may lie, the likeliest place first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Path> {
        self.candidates.iter().map(|path| Path::new(OsStr::from_bytes(path.as_bytes())))
    }

    /// Becomes the command, or says why not: the last candidate that is there and cannot be run, as shells do.
    pub(super) fn execute(self) -> Result<Infallible, Failure> {
        let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
        };
        let (arguments, env) = (pointers(&self.arguments), pointers(&self.env));
        let mut refusal = None;
        huge_pages::restore();
        for candidate in &self.candidates {
            // SAFETY: all strings are terminated, both lists end with a null pointer, and all of them are still alive.
            unsafe { libc::execve(candidate.as_ptr(), arguments.as_ptr(), env.as_ptr()) };
            match last_error() {
                Errno::NOENT | Errno::NOTDIR if !is_there(candidate) => {}
                error => {
                    let program = candidate.to_string_lossy().into_owned();
                    refusal = Some(Failure::Program { program, errno: error.raw_os_error() });
                    // A file that may not be run does not hide one that may, further down the path.
                    if error != Errno::ACCESS {
                        break;
                    }
                }
            }
        }
        let searched = !self.name.contains('/');
        Err(refusal.unwrap_or(Failure::NoProgram { program: self.name, searched }))
    }
}

fn is_there(path: &CString) -> bool {
    rustix::fs::stat(path.as_c_str()).is_ok()
}

/// The variables in order, of each name the last one, and `HOME`.
fn environment<'a>(env: &'a [(String, String)], home: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut kept: Vec<(&str, &str)> = Vec::with_capacity(env.len() + 1);
    for (name, value) in env {
        match kept.iter_mut().find(|(other, _)| other == name) {
            Some(entry) => entry.1 = value,
            None => kept.push((name, value)),
        }
    }
    if !kept.iter().any(|(name, _)| *name == "HOME") {
        kept.push(("HOME", home));
    }
    kept
}

fn candidates(name: &str, path: &str) -> Vec<String> {
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    // An empty entry is the working folder, as ever.
    path.split(':').map(|folder| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_as_shells_do() {
        assert_eq!(candidates("ls", "/a::/b"), ["/a/ls", "ls", "/b/ls"]);
        assert_eq!(candidates("./ls", "/a"), ["./ls"]);
        assert_eq!(candidates("", "/a"), [""; 0]);
    }

    #[test]
    fn the_last_variable_of_a_name_counts_and_home_is_added() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let env = [pair("A", "1"), pair("B", "2"), pair("A", "3")];
        assert_eq!(environment(&env, "/root"), [("A", "3"), ("B", "2"), ("HOME", "/root")]);
        let env = [pair("HOME", "")];
        assert_eq!(environment(&env, "/root"), [("HOME", "")]);
    }
}
