//! With a real registry.

use std::process::Command;

use layercake_cache::Digest;
use layercake_executor::fault::Fault;
use layercake_executor::image::descriptor::Descriptor;
use layercake_executor::image::local::Images;
use layercake_executor::image::manifest::Index;
use layercake_executor::image::media::{Compression, Family, MediaType};
use layercake_executor::registry::error::Error;
use layercake_executor::registry::event::{Event, How, ignore};

use crate::fixture::{image, image_of, index, layer, name, platform, store, tar, two_platforms};
use crate::registry::{PROGRAM, Registry};
use crate::tools::{available, run};
use crate::{Notes, client};

#[test]
fn what_is_pushed_is_pulled() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (from, to, amd64) = (store(), store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let target = name(&format!("{}/team/app:1", registry.host()));
    assert_eq!(client().push(&from, &descriptor, &target, &ignore).unwrap(), descriptor.digest);
    let pulled = client().pull(&to, &target, &amd64, &ignore).unwrap();
    assert_eq!((&pulled.descriptor, pulled.manifest_digest), (&descriptor, descriptor.digest));
    assert_eq!(pulled.missing_layers(&to).count(), 0);
    let found = Images::new(&to).resolve(&target, &amd64).unwrap().unwrap();
    assert_eq!(found, pulled);
    for blob in found.manifest.blobs() {
        assert_eq!(to.read_blob(&blob.digest).unwrap(), from.read_blob(&blob.digest).unwrap());
    }
}

#[test]
fn documents_come_without_layers_and_layers_come_one_by_one() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (from, to, amd64) = (store(), store(), platform("linux/amd64"));
    let target = name(&format!("{}/app", registry.host()));
    client().push(&from, &image(&from, "a", &amd64), &target, &ignore).unwrap();
    let client = client();
    let resolved = client.resolve(&to, &target, &amd64, &ignore).unwrap();
    assert_eq!(resolved.missing_layers(&to).count(), 2);
    assert!(Images::new(&to).list().unwrap().is_empty(), "only a pull gives a name");
    let layer = &resolved.manifest.layers[1];
    client.fetch_layers(&to, &target, std::slice::from_ref(layer), &ignore).unwrap();
    assert_eq!(resolved.missing_layers(&to).collect::<Vec<_>>(), [&resolved.manifest.layers[0]]);
    let moved = Notes::default();
    client.fetch_layers(&to, &target, &resolved.manifest.layers, &|event| moved.take(event)).unwrap();
    let ends = moved.ends();
    assert!(ends.contains(&How::Present) && ends.contains(&How::Moved), "{ends:?}");
    // A second look costs one question and fetches nothing.
    let before = registry.requests().len();
    client.resolve(&to, &target, &amd64, &ignore).unwrap();
    let after = registry.requests().split_off(before);
    assert_eq!(after, ["HEAD /v2/app/manifests/latest 200"]);
    client.resolve(&to, &target.at_digest(resolved.descriptor.digest), &amd64, &ignore).unwrap();
    assert_eq!(registry.requests().len(), before + 1, "what is known by its digest needs no network");
}

#[test]
fn an_index_keeps_its_digest_and_gives_each_platform_its_image() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let from = store();
    let index = two_platforms(&from, "a");
    let target = name(&format!("{}/app:multi", registry.host()));
    assert_eq!(client().push(&from, &index, &target, &ignore).unwrap(), index.digest);
    for text in ["linux/amd64", "linux/arm64"] {
        let to = store();
        let pulled = client().pull(&to, &target, &platform(text), &ignore).unwrap();
        assert_eq!(pulled.descriptor, index);
        assert_eq!(pulled.config.platform(), platform(text));
        // Only this platform's image came; pushed on, it stands alone.
        let other = name(&format!("{}/other:{}", registry.host(), text.replace('/', "-")));
        assert_eq!(client().push(&to, &index, &other, &ignore).unwrap(), pulled.manifest_digest);
    }
    let error = client().pull(&store(), &target, &platform("linux/s390x"), &ignore).unwrap_err();
    assert_eq!(error.fault(), Fault::Input);
    let message = error.to_string();
    for part in ["`linux/s390x`", "`linux/amd64`", "`linux/arm64`", "app:multi"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn an_index_within_an_index_may_become_shorter() {
    if !available(&[PROGRAM]) {
        return;
    }
    let (registry, from) = (Registry::open(), store());
    let entry = |text: &str| (image(&from, "a", &platform(text)), platform(text));
    let gone = entry("linux/arm64");
    let inner = index(&from, &[entry("linux/amd64"), gone.clone(), entry("linux/s390x")]);
    let beside = index(&from, &[entry("linux/riscv64")]);
    let bytes = serde_json::to_vec(&Index::new(MediaType::Index(Family::Oci), vec![inner, beside])).unwrap();
    let outer = Descriptor::of(MediaType::Index(Family::Oci), &bytes);
    from.put_blob(&bytes).unwrap();
    std::fs::remove_file(from.blob_path(&gone.0.digest)).unwrap();
    let target = name(&format!("{}/app:nested", registry.host()));
    let pushed = client().push(&from, &outer, &target, &ignore).unwrap();
    assert_ne!(pushed, outer.digest);
    for text in ["linux/amd64", "linux/s390x", "linux/riscv64"] {
        assert_eq!(client().pull(&store(), &target, &platform(text), &ignore).unwrap().descriptor.digest, pushed);
    }
    assert!(client().pull(&store(), &target, &platform("linux/arm64"), &ignore).is_err());
}

#[test]
fn a_layer_is_mounted_from_where_it_is_known_to_be() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (from, amd64) = (store(), platform("linux/amd64"));
    let base = name(&format!("{}/library/base", registry.host()));
    client().push(&from, &image(&from, "a", &amd64), &base, &ignore).unwrap();
    // Somebody else builds on the base and has not even fetched its layers.
    let to = store();
    let resolved = client().resolve(&to, &base, &amd64, &ignore).unwrap();
    let own = layer(&to, &tar(&[("own", b"file")]), Compression::Zstd);
    let inherited = resolved.manifest.layers.iter().cloned().zip(resolved.config.rootfs.diff_ids);
    let descriptor = image_of(&to, inherited.chain([own]).collect(), &amd64);
    let target = name(&format!("{}/me/app", registry.host()));
    let (notes, before) = (Notes::default(), registry.requests().len());
    client().push(&to, &descriptor, &target, &|event| notes.take(event)).unwrap();
    let mounted =
        notes.ends().into_iter().filter(|how| matches!(how, How::Mounted(from) if from.path == "library/base"));
    assert_eq!(mounted.count(), 2);
    let requests = registry.requests().split_off(before);
    assert!(requests.iter().all(|request| !request.starts_with("GET /v2/library/base/blobs")), "{requests:?}");
    assert_eq!(requests.iter().filter(|request| request.contains("mount=") && request.ends_with("201")).count(), 2);
    assert_eq!(requests.iter().filter(|request| request.starts_with("PUT /v2/me/app/blobs")).count(), 2);
    client().pull(&store(), &target, &amd64, &ignore).unwrap();
    // Pushed once more, everything is there.
    let again = Notes::default();
    client().push(&to, &descriptor, &target, &|event| again.take(event)).unwrap();
    assert!(again.ends().iter().all(|how| *how == How::Present));
}

#[test]
fn to_another_registry_an_unfetched_layer_is_carried() {
    if !available(&[PROGRAM]) {
        return;
    }
    let (one, two) = (Registry::open(), Registry::open());
    let (from, amd64) = (store(), platform("linux/amd64"));
    let base = name(&format!("{}/base", one.host()));
    let descriptor = image(&from, "a", &amd64);
    client().push(&from, &descriptor, &base, &ignore).unwrap();
    let between = store();
    client().resolve(&between, &base, &amd64, &ignore).unwrap();
    let target = name(&format!("{}/copy", two.host()));
    assert_eq!(client().push(&between, &descriptor, &target, &ignore).unwrap(), descriptor.digest);
    client().pull(&store(), &target, &amd64, &ignore).unwrap();
}

#[test]
fn what_does_not_exist_is_named() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (from, amd64) = (store(), platform("linux/amd64"));
    client().push(&from, &image(&from, "a", &amd64), &name(&format!("{}/app:1", registry.host())), &ignore).unwrap();
    let unknown = Digest::of(b"unknown");
    for text in [format!("{}/app:2", registry.host()), format!("{}/nobody/app:1", registry.host())] {
        let error = client().pull(&store(), &name(&text), &amd64, &ignore).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
        assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        assert_eq!(error.fault(), Fault::Input);
    }
    let reference = name(&format!("{}/app", registry.host())).at_digest(unknown);
    let error = client().pull(&store(), &reference, &amd64, &ignore).unwrap_err();
    assert!(matches!(&error, Error::NotFound { what, .. } if what.contains(&unknown.to_string())), "{error}");
}

#[test]
fn a_digest_in_the_name_must_be_the_images() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    let repository = name(&format!("{}/app", registry.host()));
    let error = client().push(&from, &descriptor, &repository.at_digest(Digest::of(b"x")), &ignore).unwrap_err();
    assert!(matches!(error, Error::OtherDigest { .. }), "{error}");
    let by_digest = repository.at_digest(descriptor.digest);
    client().push(&from, &descriptor, &by_digest, &ignore).unwrap();
    client().pull(&store(), &by_digest, &amd64, &ignore).unwrap();
    assert!(client().pull(&store(), &repository, &amd64, &ignore).is_err(), "no tag was given");
}

#[test]
fn big_blobs_tell_how_far_they_are() {
    if !available(&[PROGRAM]) {
        return;
    }
    let registry = Registry::open();
    let (from, amd64) = (store(), platform("linux/amd64"));
    let noise: Vec<u8> =
        (0..3_000_000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let big = layer(&from, &tar(&[("noise", &noise)]), Compression::None);
    let (digest, size) = (big.0.digest, big.0.size);
    let descriptor = image_of(&from, vec![big], &amd64);
    let target = name(&format!("{}/big", registry.host()));
    let check = |notes: &Notes| {
        let events = notes.0.lock().unwrap();
        let moved = |event: &Event| match event {
            Event::Moved { digest: which, done, total, .. } if *which == digest => Some((*done, *total)),
            _ => None,
        };
        let moved: Vec<(u64, u64)> = events.iter().filter_map(moved).collect();
        assert!(moved.len() > 10 && moved.is_sorted(), "{moved:?}");
        assert_eq!(moved.last(), Some(&(size, size)));
    };
    let (up, down) = (Notes::default(), Notes::default());
    client().push(&from, &descriptor, &target, &|event| up.take(event)).unwrap();
    check(&up);
    client().pull(&store(), &target, &amd64, &|event| down.take(event)).unwrap();
    check(&down);
}

#[test]
fn skopeo_reads_what_was_pushed_and_we_read_what_it_pushes() {
    if !available(&[PROGRAM, "skopeo"]) {
        return;
    }
    let registry = Registry::open();
    let (from, amd64) = (store(), platform("linux/amd64"));
    let descriptor = image(&from, "a", &amd64);
    client().push(&from, &descriptor, &name(&format!("{}/app:1", registry.host())), &ignore).unwrap();
    let skopeo = |arguments: &[&str]| {
        let platform = ["--insecure-policy", "--override-os=linux", "--override-arch=amd64"];
        run(Command::new("skopeo").args(platform).args(arguments))
    };
    let source = format!("docker://{}/app:1", registry.host());
    let inspected = skopeo(&["inspect", "--tls-verify=false", &source]);
    assert!(inspected.contains(&descriptor.digest.to_string()));
    // Docker's own media types come from the old format.
    let copy = format!("docker://{}/copy:2", registry.host());
    skopeo(&["copy", "--format=v2s2", "--src-tls-verify=false", "--dest-tls-verify=false", &source, &copy]);
    let pulled = client().pull(&store(), &name(&copy[9..]), &amd64, &ignore).unwrap();
    assert_ne!(pulled.manifest_digest, descriptor.digest);
    assert_eq!(pulled.config.platform(), amd64);
}
