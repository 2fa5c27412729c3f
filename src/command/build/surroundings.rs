//! The surroundings of every `RUN`, from the arguments and the settings.

use layercake_compiler::operation::Network;
use layercake_executor::build::site::{Allowed, Surroundings};
use layercake_executor::sandbox::{Access, Mount, MountKind, Spec};

use super::super::inputs::{bytes, host_line, limit, secret};
use crate::arguments::build::Build;
use crate::failure::Failure;
use crate::settings::{self, Settings};

/// The build argument that names the host, as BuildKit has it.
const HOSTNAME: &str = "BUILDKIT_SANDBOX_HOSTNAME";

/// What every command gets that the plan does not say.
///
/// # Errors
/// If an argument means nothing, or a secret or file is not there.
pub(super) fn read(arguments: &Build, settings: &Settings) -> Result<Surroundings, Failure> {
    let inputs = &arguments.inputs;
    let build_args: Vec<_> = inputs.build_arg.iter().filter_map(|text| settings::assignment(text)).collect();
    let hostname = build_args.iter().rev().find(|(name, _)| name == HOSTNAME).map(|(_, value)| value.clone());
    let own = inputs.host_file.iter().map(|text| settings::host_file(text)).collect::<Result<Vec<_>, _>>()?;
    let mut files = Vec::new();
    for (source, target) in settings.host.files.iter().chain(&own) {
        if !source.exists() {
            return Err(Failure::input(format!("there is no `{}` to show to every RUN", source.display()))
                .help("correct `--host-file`, or the section `[host]` of your `config.toml`"));
        }
        // The later one of a target counts.
        files.retain(|mount: &Mount| mount.target != *target);
        let kind = MountKind::Bind { source: source.clone(), access: Access::ReadOnly };
        files.push(Mount { target: target.clone(), kind });
    }
    Ok(Surroundings {
        hostname: hostname.unwrap_or_else(|| "layercake".to_owned()),
        network: match inputs.network.as_deref() {
            Some("none") => Network::None,
            _ => Network::Host,
        },
        hosts: inputs.add_host.iter().map(|text| host_line(text)).collect::<Result<_, _>>()?,
        limits: inputs.ulimit.iter().map(|text| limit(text)).collect::<Result<_, _>>()?,
        shm_size: inputs.shm_size.as_deref().map_or(Ok(Spec::SHM_SIZE), bytes)?,
        files,
        env: variables(&build_args, arguments, settings),
        secrets: inputs.secret.iter().map(|text| secret(text)).collect::<Result<_, _>>()?,
        allowed: Allowed {
            host_network: inputs.allow.iter().any(|allowed| allowed == "network.host"),
            insecure: inputs.allow.iter().any(|allowed| allowed == "security.insecure"),
        },
    })
}

/// Variables that are no part of any key: proxies and what the user lends. Those of the arguments go first.
fn variables(build_args: &[(String, String)], arguments: &Build, settings: &Settings) -> Vec<(String, String)> {
    let is_proxy = |name: &str| settings::PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name));
    let given = build_args.iter().filter(|(name, _)| is_proxy(name));
    // Programs read one spelling or the other.
    let spellings = given.flat_map(|(name, value)| {
        [name.clone(), name.to_ascii_uppercase(), name.to_ascii_lowercase()].map(|name| (name, value.clone()))
    });
    let mut all: Vec<(String, String)> = spellings.collect();
    all.extend(arguments.inputs.host_env.iter().filter_map(|text| settings::assignment(text)));
    all.extend(settings.host.env.iter().cloned());
    all.extend(settings::proxies());
    let mut seen = std::collections::HashSet::new();
    all.retain(|(name, _)| seen.insert(name.clone()));
    all
}
