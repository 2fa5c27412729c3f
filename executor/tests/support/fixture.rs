//! Small images, made in a store.

#![allow(dead_code, reason = "each test program uses some of it")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write;

use layercake_cache::{Digest, Store};
use layercake_compiler::platform::Platform;
use layercake_executor::image::config::{ImageConfig, RootFs};
use layercake_executor::image::descriptor::{Descriptor, DescriptorPlatform};
use layercake_executor::image::manifest::{Index, Manifest};
use layercake_executor::image::media::{Compression, Family, MediaType};
use layercake_executor::image::reference::Reference;

/// A store in a folder that goes with it.
pub(crate) struct TempStore {
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for TempStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(crate) fn store() -> TempStore {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    TempStore { store, _folder: folder }
}

pub(crate) fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

pub(crate) fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

/// A tar of these files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// `bytes`, compressed by gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Puts a layer into the store; says its descriptor and its diff id.
pub(crate) fn layer(store: &Store, tar: &[u8], compression: Compression) -> (Descriptor, Digest) {
    let bytes = match compression {
        Compression::None => tar.to_vec(),
        Compression::Gzip => gzip(tar),
        Compression::Zstd => zstd::encode_all(tar, 3).unwrap(),
    };
    store.put_blob(&bytes).unwrap();
    (Descriptor::of(MediaType::Layer(Family::Oci, compression), &bytes), Digest::of(tar))
}

/// Puts an image of these layers into the store.
pub(crate) fn image_of(store: &Store, layers: Vec<(Descriptor, Digest)>, platform: &Platform) -> Descriptor {
    let (layers, diff_ids) = layers.into_iter().unzip();
    let config = serde_json::to_vec(&ImageConfig {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone(),
        created: Some("2024-05-01T12:00:00Z".to_owned()),
        rootfs: RootFs { diff_ids, ..RootFs::default() },
        ..ImageConfig::default()
    })
    .unwrap();
    store.put_blob(&config).unwrap();
    let config = Descriptor::of(MediaType::Config(Family::Oci), &config);
    let manifest = Manifest::new(MediaType::Manifest(Family::Oci), config, layers);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    store.put_blob(&bytes).unwrap();
    Descriptor::of(MediaType::Manifest(Family::Oci), &bytes)
}

/// Puts an image of two layers into the store; `salt` makes it differ from others.
pub(crate) fn image(store: &Store, salt: &str, platform: &Platform) -> Descriptor {
    let shared = tar(&[("etc/shared", b"the same in every image")]);
    let own = tar(&[("etc/salt", salt.as_bytes()), ("etc/platform", platform.to_string().as_bytes())]);
    let layers = vec![layer(store, &shared, Compression::Gzip), layer(store, &own, Compression::Gzip)];
    image_of(store, layers, platform)
}

/// Puts an index of images into the store.
pub(crate) fn index(store: &Store, images: &[(Descriptor, Platform)]) -> Descriptor {
    let entry = |(image, platform): &(Descriptor, Platform)| Descriptor {
        platform: Some(DescriptorPlatform::from(platform)),
        ..image.clone()
    };
    let index = Index::new(MediaType::Index(Family::Oci), images.iter().map(entry).collect());
    let bytes = serde_json::to_vec(&index).unwrap();
    store.put_blob(&bytes).unwrap();
    Descriptor::of(MediaType::Index(Family::Oci), &bytes)
}

/// An index of images for amd64 and arm64.
pub(crate) fn two_platforms(store: &Store, salt: &str) -> Descriptor {
    let entry = |text: &str| (image(store, salt, &platform(text)), platform(text));
    index(store, &[entry("linux/amd64"), entry("linux/arm64")])
}
