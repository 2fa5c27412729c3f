//! Where the result of a build goes: the store, an archive, a folder, a registry.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use layercake_compiler::plan::Plan;
use layercake_executor::assemble::Assembled;
use layercake_executor::build::site::Site;
use layercake_executor::build::tree::Tree;
use layercake_executor::fault::reason;
use layercake_executor::image::layout;
use layercake_executor::image::local::Images;
use layercake_executor::image::reference::Reference;
use layercake_executor::image::save::{self, Saving};
use layercake_executor::layer::compress::Compression;
use layercake_executor::registry::client::Client;
use layercake_executor::unload;

use super::super::inputs::host_platform;
use super::super::registry::show;
use super::super::transport::write_file;
use super::{Products, broken};
use crate::arguments::build::Build;
use crate::failure::Failure;
use crate::terminal::paint::Paint;

/// One place for the result.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) kind: Kind,
    /// The file or folder; `None` is the store, or standard output.
    destination: Option<PathBuf>,
    /// Further names of the image.
    names: Vec<Reference>,
    push: bool,
    /// Whether an archive is one file; else it is a folder.
    tar: bool,
    pub(super) compression: Compression,
}

/// What is put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The image, into the store or a registry.
    Image,
    /// The image as an OCI layout.
    Oci,
    /// The image as docker's archive.
    Docker,
    /// The files, in a tar.
    Tar,
    /// The files, in a folder.
    Local,
    /// Nothing.
    None,
}

impl Kind {
    /// Whether an image is put there, and not files.
    pub(super) fn is_image(self) -> bool {
        matches!(self, Self::Image | Self::Oci | Self::Docker)
    }
}

impl Output {
    /// All outputs that the arguments name; without any, the store.
    pub(super) fn all(arguments: &Build) -> Result<Vec<Self>, Failure> {
        let mut outputs = arguments.output.iter().map(|text| Self::parse(text)).collect::<Result<Vec<_>, _>>()?;
        if outputs.is_empty() {
            outputs.push(Self::parse("type=image")?);
        }
        if arguments.push {
            match outputs.iter_mut().find(|output| output.kind == Kind::Image) {
                Some(output) => output.push = true,
                None => outputs.push(Self::parse("type=image,push=true")?),
            }
        }
        Ok(outputs)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::input(format!("`--output {text}`: {what}"))
                .help("write `type=image|oci|docker|tar|local|none[,dest=PATH][,name=NAME][,push=true][,compression=gzip|zstd|none]`")
        };
        let mut output = Self {
            kind: Kind::Image,
            destination: None,
            names: Vec::new(),
            push: false,
            tar: true,
            compression: Compression::GZIP,
        };
        if !text.contains('=') {
            // As docker: a bare path is a folder, and `-` is a tar on standard output.
            (output.kind, output.destination) =
                if text == "-" { (Kind::Tar, None) } else { (Kind::Local, Some(text.into())) };
            return Ok(output);
        }
        let (mut kind, mut level) = (None, None);
        for part in text.split(',') {
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
                "dest" => output.destination = Some(value.into()).filter(|path: &PathBuf| path != Path::new("-")),
                "name" => output.names.push(value.parse().map_err(Failure::input)?),
                "push" => output.push = truth()?,
                "tar" => output.tar = truth()?,
                "compression" => {
                    output.compression = match value {
                        "gzip" => Compression::GZIP,
                        "zstd" => Compression::ZSTD,
                        "none" | "uncompressed" => Compression::None,
                        _ => return Err(wrong(&format!("there is no compression `{value}`"))),
                    };
                }
                "compression-level" => {
                    level = Some(value.parse::<u32>().map_err(|_| wrong(&format!("`{value}` is no level")))?);
                }
                "oci-mediatypes" => drop(truth()?),
                "force-compression" | "rewrite-timestamp" => {
                    if truth()? {
                        return Err(Failure::not_built(format!("`--output …,{name}=true`")));
                    }
                }
                _ => return Err(wrong(&format!("`{name}` means nothing"))),
            }
        }
        output.kind = kind.ok_or_else(|| wrong("the type is missing"))?;
        output.compression = match (output.compression, level) {
            (Compression::Gzip { .. }, Some(level)) => Compression::Gzip { level },
            (Compression::Zstd { .. }, Some(level)) => Compression::Zstd { level: level.cast_signed() },
            (compression, _) => compression,
        };
        if output.kind == Kind::Local && output.destination.is_none() {
            return Err(wrong("the folder is missing: add `dest=FOLDER`"));
        }
        Ok(output)
    }

    /// Puts the result there.
    #[expect(clippy::too_many_arguments, reason = "the result, its names, and where they go")]
    pub(super) fn put(
        &self,
        plan: &Plan,
        products: &Products,
        image: Option<&Assembled>,
        names: &[Reference],
        site: &Site<'_>,
        client: Option<&Client>,
        paint: Paint,
    ) -> Result<(), Failure> {
        let names: Vec<Reference> = names.iter().chain(&self.names).cloned().collect();
        let tree = products[plan.result.index()].tree().expect("the result of a plan is a tree");
        match (self.kind, image) {
            (Kind::Image, Some(image)) => self.keep(image, &names, site, client, paint),
            (Kind::Oci | Kind::Docker, Some(image)) => self.archive(image, &names, tree, site),
            (Kind::Tar, _) => self.stream(|out| unload::tar(tree, site, out).map_err(|error| broken(&error))),
            (Kind::Local, _) => {
                let folder = self.destination.as_deref().expect("a local output has a folder");
                unload::folder(tree, site, folder).map_err(|error| broken(&error))
            }
            (Kind::None, _) => Ok(()),
            (_, None) => unreachable!("an image is assembled for these"),
        }
    }

    /// Names the image in the store, and sends it to the registries of its names.
    fn keep(
        &self,
        image: &Assembled,
        names: &[Reference],
        site: &Site<'_>,
        client: Option<&Client>,
        paint: Paint,
    ) -> Result<(), Failure> {
        let images = Images::new(site.store);
        for name in names {
            images.tag(name, &image.descriptor)?;
        }
        if names.is_empty() {
            images.keep(&image.descriptor)?;
        }
        if !self.push {
            return Ok(());
        }
        let client = client.ok_or_else(|| Failure::input("an image cannot be pushed with `--offline`"))?;
        if names.is_empty() {
            return Err(Failure::input("an image without a name cannot be pushed").help("name it with `--tag NAME`"));
        }
        for name in names {
            client.push(site.store, &image.descriptor, name, &|event| show(&event, false, paint))?;
        }
        Ok(())
    }

    fn archive(&self, image: &Assembled, names: &[Reference], tree: &Tree, site: &Site<'_>) -> Result<(), Failure> {
        site.fetch_layers(tree).map_err(|error| broken(&error))?;
        let savings = [Saving { descriptor: image.descriptor.clone(), names: names.to_vec() }];
        if !self.tar {
            let folder = self
                .destination
                .as_deref()
                .ok_or_else(|| Failure::input("`tar=false` needs a folder").help("add `dest=FOLDER`"))?;
            return Ok(layout::write_folder(site.store, &savings, folder, &host_platform())?);
        }
        let format = if self.kind == Kind::Oci { save::Format::Oci } else { save::Format::Docker };
        self.stream(|out| Ok(save::save(site.store, &savings, format, &host_platform(), out)?))
    }

    /// Writes one file, or to standard output.
    fn stream(&self, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
        match &self.destination {
            Some(path) => {
                if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    fs::create_dir_all(parent).map_err(|error| {
                        Failure::environment(format!(
                            "cannot make the folder `{}`: {}",
                            parent.display(),
                            reason(&error)
                        ))
                    })?;
                }
                write_file(path, write)
            }
            None if io::stdout().is_terminal() => {
                Err(Failure::input("an archive is nothing for a terminal")
                    .help("add `dest=FILE`, or redirect the output"))
            }
            None => write(&mut io::stdout().lock()),
        }
    }
}
