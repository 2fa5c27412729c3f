//! Where the result of a build goes: the store, an archive, a folder, a registry, somebody else's store.

mod parse;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use layercake_compiler::platform::Platform;
use layercake_executor::assemble::index::index;
use layercake_executor::assemble::{Assembled, Assembly, BaseLayers, Layers, assemble};
use layercake_executor::build::site::Site;
use layercake_executor::engine::{Engine, Platforms};
use layercake_executor::fault::reason;
use layercake_executor::image::layout;
use layercake_executor::image::local::Images;
use layercake_executor::image::media::Family;
use layercake_executor::image::reference::Reference;
use layercake_executor::image::save::{self, Saving};
use layercake_executor::layer::blob::Options;
use layercake_executor::layer::compress::Compression;
use layercake_executor::registry::client::Client;
use layercake_executor::unload;
use serde_json::Value;

use super::super::inputs::{host_platform, key_value};
use super::super::registry::show;
use super::super::transport::write_file;
use super::annotation::{self, Shape};
use super::broken;
use super::member::{Image, Member};
use crate::arguments::build::Build;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::output::tell;
use crate::terminal::paint::Paint;

/// One place for the result.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) kind: Kind,
    place: Place,
    /// Further names of the image.
    names: Vec<Reference>,
    push: bool,
    /// Whether an archive is one file; else it is a folder.
    tar: bool,
    pub(super) compression: Compression,
    /// Whether somebody has said how it is compressed.
    is_asked_for: bool,
    pub(super) base_layers: BaseLayers,
    pub(super) family: Family,
    pub(super) times: Times,
    /// In the words of `--annotation`.
    pub(super) annotations: Vec<(String, String)>,
}

/// Where a file or folder is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing is said: the store, an engine, or standard output, as is usual for the kind.
    Usual,
    /// `-`.
    StandardOutput,
    /// The file or folder.
    Path(PathBuf),
}

/// What becomes of the times of files in new layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// None is later than `SOURCE_DATE_EPOCH`, where that is set.
    Clamped,
    /// The same, as somebody has asked for expressly.
    Rewritten,
    /// They stay what they are.
    Kept,
}

/// What is put there.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The image, into the store of this engine.
    Load(Engine),
    /// Nothing.
    None,
}

impl Kind {
    /// Whether an image is put there, and not files.
    pub(super) fn is_image(&self) -> bool {
        matches!(self, Self::Image | Self::Oci | Self::Docker | Self::Load(_))
    }
}

impl Place {
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Usual | Self::StandardOutput => None,
        }
    }
}

impl Output {
    /// All outputs that the arguments name; without any, the store. Whoever is to load the image is looked for now and not
    /// after the build.
    pub(super) fn all(arguments: &Build, settings: &Settings) -> Result<Vec<Self>, Failure> {
        let mut outputs = arguments.output.iter().map(|text| parse::output(text)).collect::<Result<Vec<_>, _>>()?;
        if outputs.is_empty() {
            outputs.push(Self::of(Kind::Image));
        }
        for output in outputs.iter_mut().filter(|output| output.is_handed_over()) {
            output.kind = Kind::Load(Engine::find(settings.load, &settings.docker_sockets)?);
        }
        if arguments.push {
            match outputs.iter_mut().find(|output| output.kind == Kind::Image) {
                Some(output) => output.push = true,
                None => outputs.push(Self { push: true, ..Self::of(Kind::Image) }),
            }
        }
        if arguments.load {
            outputs.push(Self::of(Kind::Load(Engine::find(settings.load, &settings.docker_sockets)?)));
        }
        Ok(outputs)
    }

    /// One of this kind, of which nothing else has been said.
    fn of(kind: Kind) -> Self {
        Self {
            kind,
            place: Place::Usual,
            names: Vec::new(),
            push: false,
            tar: true,
            compression: Compression::GZIP,
            is_asked_for: false,
            base_layers: BaseLayers::Kept,
            family: Family::Oci,
            times: Times::Clamped,
            annotations: Vec::new(),
        }
    }

    /// Whether docker is meant to have the image, and not a file: `type=docker` without a place, as for buildx.
    fn is_handed_over(&self) -> bool {
        self.kind == Kind::Docker && self.place == Place::Usual && self.tar
    }

    /// The names that the image gets here: those of all outputs, and its own.
    pub(super) fn names(&self, names: &[Reference]) -> Vec<Reference> {
        let mut all = names.to_vec();
        all.extend(self.names.iter().filter(|name| !names.contains(name)).cloned());
        all
    }

    /// How new layers are packed in builds with this time.
    pub(super) fn packing(&self, epoch: Option<i64>) -> Options {
        Options { compression: self.compression, epoch: epoch.filter(|_| self.times != Times::Kept) }
    }

    /// What new layers become. Those of an image that stays on this machine stay plain: nobody may ever want them compressed. A
    /// cache that travels is of compressed layers, and so is an image that is to be the same wherever it is built with one.
    fn layers(&self, arguments: &Build, epoch: Option<i64>) -> Layers {
        let packing = self.packing(epoch);
        let stays = matches!(self.kind, Kind::Image | Kind::Load(_)) && !self.push && !self.is_asked_for;
        if stays && arguments.inputs.cache_from.is_empty() && arguments.inputs.cache_to.is_empty() {
            Layers::Plain { epoch: packing.epoch }
        } else {
            Layers::Packed(packing)
        }
    }

    /// Whether it is an image whose new layers are plain and have the times that their files have: what is only a layer may then be
    /// a pack from the start.
    pub(super) fn stays_as_it_is(&self, arguments: &Build, epoch: Option<i64>) -> bool {
        self.layers(arguments, epoch) == Layers::Plain { epoch: None }
    }

    /// Refuses what cannot be put there: an index where there is place for one image only.
    ///
    /// # Errors
    /// What to do instead.
    pub(super) fn check(&self, platforms: &[Platform]) -> Result<(), Failure> {
        let message = match &self.kind {
            _ if platforms.len() < 2 => return Ok(()),
            // BuildKit's words.
            Kind::Docker => {
                "docker exporter does not currently support exporting manifest lists: an archive of docker's holds \
                             the image for one platform"
                    .to_owned()
            }
            Kind::Load(engine) if engine.holds_several() => return Ok(()),
            Kind::Load(engine) => format!(
                "`--load` hands over the image for one platform, and not {} to {}",
                platforms.len(),
                engine.name()
            ),
            Kind::Image | Kind::Oci | Kind::Tar | Kind::Local | Kind::None => return Ok(()),
        };
        Err(Failure::input(message).help(
            "build for one platform, or put the images for all of them elsewhere: `--output type=oci,dest=FILE`, or `--push`",
        ))
    }

    /// Makes the image as this output wants it; of several platforms, an index. `caches` are the fields that make each image a cache,
    /// if they are to be that.
    pub(super) fn assemble(
        &self,
        arguments: &Build,
        members: &[Member<'_>],
        caches: &[(String, Value)],
        site: &Site<'_>,
    ) -> Result<Image, Failure> {
        if self.times == Times::Rewritten && site.epoch.is_none() {
            tell("note: `rewrite-timestamp=true` does nothing, for SOURCE_DATE_EPOCH is not set\n");
        }
        let shape = if members.len() > 1 { Shape::Index } else { Shape::Image };
        let (mut images, mut of_index) = (Vec::new(), None);
        for (index, member) in members.iter().enumerate() {
            let annotations = self.annotations(arguments, &member.plan.platform, shape)?;
            if self.base_layers == BaseLayers::Compressed {
                site.fetch_layers(member.tree()).map_err(|error| broken(&error))?;
            }
            let assembly = Assembly {
                layers: self.layers(arguments, site.epoch),
                base_layers: self.base_layers,
                family: self.family,
                epoch: site.epoch,
                annotations: annotations.image,
                cache: caches.get(index).cloned(),
            };
            let image = assemble(member.plan, &member.products, site, &assembly).map_err(|error| broken(&error))?;
            images.push(image);
            // They are the same for each platform.
            of_index = Some(annotations.index);
        }
        let descriptor = match images.as_slice() {
            [image] => image.descriptor.clone(),
            images => index(site.store, images, self.family, &of_index.unwrap_or_default())?,
        };
        Ok(Image { descriptor, images })
    }

    fn annotations(&self, arguments: &Build, platform: &Platform, shape: Shape) -> Result<annotation::All, Failure> {
        let mut all = annotation::All::default();
        for text in &arguments.inputs.annotation {
            annotation::add(key_value(text, "--annotation")?, platform, shape, &mut all)?;
        }
        for (name, value) in &self.annotations {
            annotation::add((name, value), platform, shape, &mut all)?;
        }
        Ok(all)
    }

    /// Puts the result there.
    pub(super) fn put(
        &self,
        members: &[Member<'_>],
        image: Option<&Image>,
        names: &[Reference],
        site: &Site<'_>,
        client: Option<&Client>,
        paint: Paint,
    ) -> Result<(), Failure> {
        let names = self.names(names);
        match (&self.kind, image) {
            (Kind::Image, Some(image)) => self.keep(image, &names, site, client, paint),
            (Kind::Oci | Kind::Docker, Some(image)) => self.archive(image, &names, members, site),
            (Kind::Load(engine), Some(image)) => {
                fetch(image, members, site)?;
                let savings = [Saving { descriptor: image.descriptor.clone(), names }];
                let write =
                    |out: &mut dyn Write| save::save(site.store, &savings, save::Format::Oci, &host_platform(), out);
                let platforms = if members.len() > 1 { Platforms::Several } else { Platforms::One };
                // Standard output is for the image's digest alone.
                engine.load(platforms, write)?.iter().for_each(|line| tell(&format!("{}: {line}\n", engine.name())));
                Ok(())
            }
            (Kind::Tar, _) => self.stream(|out| {
                let epoch = self.packing(site.epoch).epoch;
                let written = match members {
                    [member] => unload::tar(member.tree(), site, epoch, out),
                    members => {
                        let trees: Vec<_> = members.iter().map(|member| (member.folder(), member.tree())).collect();
                        unload::tar_each(&trees, site, epoch, out)
                    }
                };
                written.map_err(|error| broken(&error))
            }),
            (Kind::Local, _) => {
                let folder = self.place.path().expect("a local output has a folder");
                for member in members {
                    let own = if members.len() > 1 { folder.join(member.folder()) } else { folder.to_owned() };
                    let epoch = self.packing(site.epoch).epoch;
                    unload::folder(member.tree(), site, epoch, &own).map_err(|error| broken(&error))?;
                }
                Ok(())
            }
            (Kind::None, _) => Ok(()),
            (_, None) => unreachable!("an image is assembled for these"),
        }
    }

    /// Names the image in the store, and sends it to the registries of its names.
    fn keep(
        &self,
        image: &Image,
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

    fn archive(
        &self,
        image: &Image,
        names: &[Reference],
        members: &[Member<'_>],
        site: &Site<'_>,
    ) -> Result<(), Failure> {
        fetch(image, members, site)?;
        let savings = [Saving { descriptor: image.descriptor.clone(), names: names.to_vec() }];
        if !self.tar {
            let folder = self
                .place
                .path()
                .ok_or_else(|| Failure::input("`tar=false` needs a folder").help("add `dest=FOLDER`"))?;
            return Ok(layout::write_folder(site.store, &savings, folder, &host_platform())?);
        }
        let format = if self.kind == Kind::Oci { save::Format::Oci } else { save::Format::Docker };
        self.stream(|out| Ok(save::save(site.store, &savings, format, &host_platform(), out)?))
    }

    /// Writes one file, or to standard output.
    fn stream(&self, write: impl FnOnce(&mut dyn Write) -> Result<(), Failure>) -> Result<(), Failure> {
        match self.place.path() {
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
            None if io::stdout().is_terminal() => Err(Failure::input("an archive is nothing for a terminal")
                .help("add `dest=FILE`, redirect the output, or hand the image over with `--load`")),
            None => write(&mut io::stdout().lock()),
        }
    }
}

/// Brings all layers of an image into the store.
fn fetch(image: &Image, members: &[Member<'_>], site: &Site<'_>) -> Result<(), Failure> {
    for (member, Assembled { manifest, .. }) in members.iter().zip(&image.images) {
        site.fetch_all(member.tree(), &manifest.layers).map_err(|error| broken(&error))?;
    }
    Ok(())
}
