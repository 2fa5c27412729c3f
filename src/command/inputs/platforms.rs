//! What `--platform` says: the platforms to build for.

use layercake_compiler::platform::{InvalidPlatform, Platform, specifier};

use super::host_platform;
use crate::failure::Failure;

/// What buildx calls the platform of the machine.
const LOCAL: &str = "local";

/// The platforms that are named, each once, in their order; without any, this machine's.
///
/// Source: buildx's `util/platformutil/parse.go`, and containerd's `platforms.Parse`.
///
/// # Errors
/// If one is none.
pub fn read(arguments: &[String]) -> Result<Vec<Platform>, Failure> {
    let mut platforms: Vec<Platform> = Vec::new();
    for text in arguments.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let platform = one(text)?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(if platforms.is_empty() { vec![host_platform()] } else { platforms })
}

/// The platform of this name: `linux/arm64`, or `arm64` alone, or `local`.
///
/// # Errors
/// If it is none.
pub fn one(text: &str) -> Result<Platform, Failure> {
    if text.eq_ignore_ascii_case(LOCAL) {
        return Ok(host_platform());
    }
    specifier::parse(text, &host_platform()).map_err(|_| {
        Failure::input(InvalidPlatform(text.to_owned()))
            .help("write platforms like `linux/amd64,linux/arm64,linux/arm/v7`")
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn names(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        read(&arguments).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_platform_counts_once_however_it_is_spelled() {
        let spelled = ["linux/arm64", "linux/aarch64", "linux/arm64/v8", "linux/arm", "linux/arm/v7", "linux/arm64"];
        assert_eq!(names(&spelled), ["linux/arm64", "linux/arm/v7"]);
        assert_eq!(names(&["riscv64", "arm"]), ["linux/riscv64", "linux/arm/v7"]);
        assert_eq!(names(&["local", "", " linux/s390x"]), [host_platform().to_string(), "linux/s390x".to_owned()]);
        assert_eq!(names(&[]), [host_platform().to_string()]);
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for wrong in ["linucks", "linux/", "linux/amd64/v2/x", "linux amd64"] {
            assert!(read(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
