//! What `--output` says. The keys are those of BuildKit's exporters (its `exporter/containerimage/exptypes/keys.go`).

use layercake_executor::assemble::BaseLayers;
use layercake_executor::image::media::Family;
use layercake_executor::layer::compress::Compression;

use super::{Kind, Output, Place, Times};
use crate::failure::Failure;
use crate::terminal::output::tell;

/// Reads one `--output`.
///
/// # Errors
/// If it means nothing.
pub(super) fn output(text: &str) -> Result<Output, Failure> {
    let wrong = |what: &str| {
        Failure::input(format!("`--output {text}`: {what}"))
            .help("write `type=image|oci|docker|tar|local|none[,dest=PATH][,name=NAME][,push=true][,compression=gzip|zstd|none]`")
    };
    if !text.contains('=') {
        // As docker: a bare path is a folder, and `-` is a tar on standard output.
        let place = place(text);
        return Ok(Output { place, ..Output::of(if text == "-" { Kind::Tar } else { Kind::Local }) });
    }
    let mut output = Output::of(Kind::None);
    let (mut kind, mut level) = (None, None);
    for part in fields(text).ok_or_else(|| wrong("a quotation mark is not closed"))? {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(&format!("`{part}` has no value")))?;
        let truth = || match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(wrong(&format!("`{name}` is `true` or `false`"))),
        };
        match name {
            "type" => {
                kind = Some(match value {
                    "image" | "registry" => Kind::Image,
                    "oci" => Kind::Oci,
                    "docker" => Kind::Docker,
                    "tar" => Kind::Tar,
                    "local" => Kind::Local,
                    "none" | "cacheonly" => Kind::None,
                    _ => return Err(wrong(&format!("there is no type `{value}`"))),
                });
                output.push |= value == "registry";
            }
            "dest" => output.place = place(value),
            "name" => {
                for name in value.split(',').filter(|name| !name.is_empty()) {
                    output.names.push(name.parse().map_err(Failure::input)?);
                }
            }
            "push" => output.push = truth()?,
            "tar" => output.tar = truth()?,
            "compression" => {
                output.is_asked_for = true;
                output.compression = match value {
                    "gzip" => Compression::GZIP,
                    "zstd" => Compression::ZSTD,
                    "none" | "uncompressed" => Compression::None,
                    _ => {
                        let known = "there are `gzip`, `zstd` and `none`";
                        return Err(wrong(&format!("there is no compression `{value}` here; {known}")));
                    }
                };
            }
            "compression-level" => {
                output.is_asked_for = true;
                level = Some(value.parse::<u32>().map_err(|_| wrong(&format!("`{value}` is no level")))?);
            }
            "force-compression" => {
                output.is_asked_for = true;
                output.base_layers = if truth()? { BaseLayers::Compressed } else { BaseLayers::Kept };
            }
            "oci-mediatypes" => output.family = if truth()? { Family::Oci } else { Family::Docker },
            "rewrite-timestamp" => output.times = if truth()? { Times::Rewritten } else { Times::Kept },
            _ => match name.strip_prefix("annotation").and_then(annotation) {
                Some(key) => output.annotations.push((key, value.to_owned())),
                None => return Err(wrong(&format!("`{name}` means nothing"))),
            },
        }
    }
    output.kind = kind.ok_or_else(|| wrong("the type is missing"))?;
    output.compression = match (output.compression, level) {
        (Compression::Gzip { .. }, Some(level)) => Compression::Gzip { level },
        (Compression::Zstd { .. }, Some(level)) => Compression::Zstd { level: level.cast_signed() },
        (compression, _) => compression,
    };
    // BuildKit makes such images too, and containerd reads them.
    if output.family == Family::Docker && matches!(output.compression, Compression::Zstd { .. }) {
        tell("note: podman, buildah and skopeo read no zstd layers under docker's media types\n");
    }
    // Now, and not after the build.
    output.compression.check().map_err(|error| wrong(&error.to_string()))?;
    if output.kind == Kind::Local && output.place.path().is_none() {
        return Err(wrong("the folder is missing: add `dest=FOLDER`"));
    }
    Ok(output)
}

fn place(text: &str) -> Place {
    if text == "-" { Place::StandardOutput } else { Place::Path(text.into()) }
}

/// The fields of a line of comma-separated values (RFC 4180): `type=image,"name=a,b"` has two. `None` if a quotation mark
/// is not closed.
fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut()?;
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if is_quoted || field.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            letter => field.push(letter),
        }
    }
    (!is_quoted).then_some(fields)
}

/// `-TYPE[PLATFORM].KEY`, what follows `annotation` in the name of an exporter's key, in the words of `--annotation`.
fn annotation(rest: &str) -> Option<String> {
    let (level, key) = rest.split_once('.')?;
    match level.strip_prefix('-') {
        Some(level) => Some(format!("{level}:{key}")),
        None if level.is_empty() => Some(key.to_owned()),
        None if level.starts_with('[') => Some(format!("manifest{level}:{key}")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn values_are_separated_by_commas_unless_they_are_quoted() {
        let fields = |text| fields(text).unwrap();
        assert_eq!(fields("type=image,push=true"), ["type=image", "push=true"]);
        assert_eq!(fields("type=image,\"name=a,b\",push=true"), ["type=image", "name=a,b", "push=true"]);
        assert_eq!(fields("a=\"b,\"c=1\"\"2\""), ["a=\"b", "c=1\"2"]);
        assert!(super::fields("type=image,\"name=a").is_none());
    }

    #[test]
    fn what_an_output_says_is_what_it_means() {
        let parsed = output("type=oci,dest=x.tar,compression=zstd,compression-level=7,force-compression=true").unwrap();
        assert_eq!((parsed.kind, parsed.place), (Kind::Oci, Place::Path("x.tar".into())));
        assert_eq!((parsed.compression, parsed.base_layers), (Compression::Zstd { level: 7 }, BaseLayers::Compressed));
        let parsed = output("type=image,\"name=a,b:2\",oci-mediatypes=false,rewrite-timestamp=false").unwrap();
        let names: Vec<String> = parsed.names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["docker.io/library/a:latest", "docker.io/library/b:2"]);
        assert_eq!((parsed.family, parsed.times), (Family::Docker, Times::Kept));
        let annotated = |name: &str| output(&format!("type=image,{name}=v")).unwrap().annotations[0].0.clone();
        assert_eq!(annotated("annotation.a.b"), "a.b");
        assert_eq!(annotated("annotation-manifest-descriptor.a"), "manifest-descriptor:a");
        assert_eq!(annotated("annotation-manifest[linux/arm64].a"), "manifest[linux/arm64]:a");
        assert_eq!(annotated("annotation[linux/arm64].a"), "manifest[linux/arm64]:a");
        for wrong in ["type=oic", "dest=x", "type=oci,tar=maybe", "type=oci,annotations.a=b", "type=oci,\"dest=x"] {
            assert!(output(wrong).is_err(), "{wrong}");
        }
    }
}
