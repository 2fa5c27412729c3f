//! Names and ids of stored images.

use layercake_executor::image::error::Error;
use layercake_executor::image::local::{Images, NamedImage};

use crate::fixture::{image, name, platform, store, two_platforms};

#[test]
fn every_spelling_of_a_name_finds_the_image() {
    let store = store();
    let images = Images::new(&store);
    let amd64 = platform("linux/amd64");
    let descriptor = image(&store, "a", &amd64);
    images.tag(&name("busybox"), &descriptor).unwrap();
    for spelling in ["busybox", "busybox:latest", "docker.io/busybox", "docker.io/library/busybox:latest"] {
        let found = images.resolve(&name(spelling), &amd64).unwrap().expect(spelling);
        assert_eq!((found.manifest_digest, &found.descriptor), (descriptor.digest, &descriptor));
        assert_eq!(found.config.platform(), amd64);
    }
    assert_eq!(images.resolve(&name("busybox:1"), &amd64).unwrap(), None);
    assert_eq!(images.resolve(&name("ghcr.io/library/busybox"), &amd64).unwrap(), None);
}

#[test]
fn a_name_of_an_index_leads_to_the_image_for_the_platform() {
    let store = store();
    let images = Images::new(&store);
    let index = two_platforms(&store, "a");
    images.tag(&name("x"), &index).unwrap();
    for text in ["linux/amd64", "linux/arm64"] {
        let found = images.resolve(&name("x"), &platform(text)).unwrap().unwrap();
        assert_eq!(found.config.platform(), platform(text));
        assert_eq!(found.descriptor, index);
        assert_eq!(found.manifest_descriptor(&store).unwrap(), image(&store, "a", &platform(text)));
    }
    assert_eq!(images.resolve(&name("x"), &platform("linux/riscv64")).unwrap(), None);
}

#[test]
fn a_digest_needs_no_name() {
    let store = store();
    let images = Images::new(&store);
    let amd64 = platform("linux/amd64");
    let descriptor = image(&store, "a", &amd64);
    let found = images.resolve(&name("x").at_digest(descriptor.digest), &amd64).unwrap().unwrap();
    assert_eq!(found.descriptor, descriptor);
    let unknown = name("x").at_digest(layercake_cache::Digest::of(b"unknown"));
    assert_eq!(images.resolve(&unknown, &amd64).unwrap(), None);
}

#[test]
fn ids_may_be_short_and_must_not_be_ambiguous() {
    let store = store();
    let images = Images::new(&store);
    let amd64 = platform("linux/amd64");
    // Enough images that two of them have ids that begin alike.
    let all: Vec<_> = (0..20).map(|number| image(&store, &number.to_string(), &amd64)).collect();
    for (number, descriptor) in all.iter().enumerate() {
        images.tag(&name(&format!("image{number}")), descriptor).unwrap();
        images.tag(&name(&format!("alias{number}")), descriptor).unwrap();
    }
    let (wanted, hex) = (&all[7], all[7].digest.hex());
    for id in [&hex[..16], &hex, &format!("sha256:{}", &hex[..16]), &wanted.digest.to_string()] {
        assert_eq!(images.find(id, &amd64).unwrap().unwrap().manifest_digest, wanted.digest, "{id}");
    }
    let by_manifest = images.find(&hex, &amd64).unwrap().unwrap();
    let by_config = images.find(&by_manifest.manifest.config.digest.hex()[..20], &amd64).unwrap().unwrap();
    assert_eq!(by_config.manifest_digest, wanted.digest);
    let ambiguous = "0123456789abcdef".chars().map(|digit| images.find(&digit.to_string(), &amd64));
    let ambiguous: Vec<Error> = ambiguous.filter_map(Result::err).collect();
    assert!(!ambiguous.is_empty());
    assert!(ambiguous.iter().all(|error| matches!(error, Error::AmbiguousId { matches, .. } if matches.len() > 1)));
    assert_eq!(images.find("not-there", &amd64).unwrap(), None);
    // A name goes before an id.
    images.tag(&name(&hex[..8]), &all[3]).unwrap();
    assert_eq!(images.find(&hex[..8], &amd64).unwrap().unwrap().manifest_digest, all[3].digest);
}

#[test]
fn an_image_for_another_platform_is_found_by_its_own_id() {
    let store = store();
    let images = Images::new(&store);
    images.tag(&name("x"), &two_platforms(&store, "a")).unwrap();
    let arm64 = image(&store, "a", &platform("linux/arm64"));
    let found = images.find(&arm64.digest.to_string(), &platform("linux/amd64")).unwrap().unwrap();
    assert_eq!(found.manifest_digest, arm64.digest);
}

#[test]
fn a_name_moves_and_goes_and_blobs_stay() {
    let store = store();
    let images = Images::new(&store);
    let amd64 = platform("linux/amd64");
    let (first, second) = (image(&store, "1", &amd64), image(&store, "2", &amd64));
    images.tag(&name("b"), &first).unwrap();
    images.tag(&name("b"), &second).unwrap();
    images.tag(&name("a"), &first).unwrap();
    images.keep(&first).unwrap();
    let entry = |text: Option<&str>, descriptor: &_| NamedImage {
        reference: text.map(name),
        descriptor: Clone::clone(descriptor),
    };
    assert_eq!(images.list().unwrap(), [entry(None, &first), entry(Some("a"), &first), entry(Some("b"), &second)]);
    assert!(images.untag(&name("b")).unwrap());
    assert!(!images.untag(&name("b")).unwrap());
    assert!(images.unkeep(&first.digest).unwrap());
    assert_eq!(images.list().unwrap(), [entry(Some("a"), &first)]);
    assert_eq!(images.resolve(&name("b"), &amd64).unwrap(), None);
    assert!(store.has_blob(&second.digest));
}

#[test]
fn an_image_whose_documents_are_incomplete_is_not_there_but_its_layers_may_be_elsewhere() {
    let store = store();
    let images = Images::new(&store);
    let amd64 = platform("linux/amd64");
    let descriptor = image(&store, "a", &amd64);
    images.tag(&name("x"), &descriptor).unwrap();
    let found = images.resolve(&name("x"), &amd64).unwrap().unwrap();
    assert_eq!(found.missing_layers(&store).count(), 0);
    std::fs::remove_file(store.blob_path(&found.manifest.layers[1].digest)).unwrap();
    let found = images.resolve(&name("x"), &amd64).unwrap().unwrap();
    assert_eq!(found.missing_layers(&store).collect::<Vec<_>>(), [&found.manifest.layers[1]]);
    std::fs::remove_file(store.blob_path(&found.manifest.config.digest)).unwrap();
    assert_eq!(images.resolve(&name("x"), &amd64).unwrap(), None);
}
