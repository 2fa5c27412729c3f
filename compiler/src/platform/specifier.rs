//! `--platform` values: `os/architecture[/variant]`, or one of the two alone.

use super::Platform;
use crate::go;

/// Reads a platform; what is left out is taken from `default`. The texts are those of containerd's `platforms.Parse`.
///
/// # Errors
/// Why it is none, as BuildKit says it.
pub fn parse(text: &str, default: &Platform) -> Result<Platform, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_valid = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if let Some(part) = parts.iter().find(|part| !is_valid(part)) {
        let (part, text) = (go::quote(part), go::quote(text));
        return Err(format!(
            "{part} is an invalid component of {text}: platform specifier component must match \"^[A-Za-z0-9_.-]+$\": \
             invalid argument"
        ));
    }
    match parts.as_slice() {
        [one] if is_os(one) => {
            let variant = if default.os == *one { default.variant.as_str() } else { "" };
            Ok(Platform::new(one, &default.architecture, variant))
        }
        [one] if is_architecture(one) => Ok(Platform::new(&default.os, one, "")),
        [one] => Err(format!("{}: unknown operating system or architecture: invalid argument", go::quote(one))),
        [os, architecture] => Ok(Platform::new(os, architecture, "")),
        [os, architecture, variant] => Ok(Platform::new(os, architecture, variant)),
        _ => Err(format!("{}: cannot parse platform specifier: invalid argument", go::quote(text))),
    }
}

fn is_os(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "aix"
            | "android"
            | "darwin"
            | "dragonfly"
            | "freebsd"
            | "hurd"
            | "illumos"
            | "ios"
            | "js"
            | "linux"
            | "macos"
            | "nacl"
            | "netbsd"
            | "openbsd"
            | "plan9"
            | "solaris"
            | "windows"
            | "zos"
    )
}

fn is_architecture(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "386"
            | "i386"
            | "amd64"
            | "x86_64"
            | "x86-64"
            | "arm"
            | "armhf"
            | "armel"
            | "armbe"
            | "arm64"
            | "aarch64"
            | "arm64be"
            | "amd64p32"
            | "ppc"
            | "ppc64"
            | "ppc64le"
            | "loong64"
            | "mips"
            | "mipsle"
            | "mips64"
            | "mips64le"
            | "mips64p32"
            | "mips64p32le"
            | "riscv"
            | "riscv64"
            | "s390"
            | "s390x"
            | "sparc"
            | "sparc64"
            | "wasm"
    )
}
