//! What takes the room, and making room.

use crate::support::Home;
use crate::support::home::run;
use crate::{PACKED, home, images, of_type, pieces};

#[test]
fn everything_is_told_and_who_needs_it() {
    let Some(home) = home() else { return };
    let all = pieces(&home);
    let layers = of_type(&all, "layer");
    // The base's, three of each build of `x` of which two are the same, and one of the other.
    assert_eq!(layers.len(), 1 + 4 + 1, "{all:#?}");
    let needed_by = |name: &str| layers.iter().filter(|layer| layer["UsedBy"].as_str().unwrap().contains(name)).count();
    assert_eq!((needed_by("x:latest"), needed_by("base:latest"), needed_by("sha256:")), (4, 1, 2));
    assert_eq!(layers.iter().filter(|layer| layer["Reclaimable"] == true).count(), 1);
    assert_eq!(layers.iter().filter(|layer| layer["Shared"] == true).count(), 1, "the base's");
    // What is told of each piece adds up to what is told of all.
    let bytes: u64 = all.iter().map(|piece| piece["Bytes"].as_u64().unwrap()).sum();
    let by_kind = run(&mut home.command(["du", "--format={{.Bytes}}"])).ok().stdout;
    assert_eq!(by_kind.lines().map(|line| line.parse::<u64>().unwrap()).sum::<u64>(), bytes);
    let mounts = of_type(&all, "cachemount");
    assert_eq!(mounts.len(), 1);
    assert!(mounts[0]["Description"].as_str().unwrap().starts_with("mount /cache "), "{mounts:?}");

    let ran = home.layercake(["du"]).ok();
    let headings: Vec<&str> =
        ran.stdout.lines().next().unwrap().split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!(headings, ["ID", "RECLAIMABLE", "SIZE", "LAST ACCESSED", "TYPE"]);
    for part in ["\nTYPE ", "\nlayer ", "\nfolder ", "\nrecord ", "\nReclaimable: ", "\nTotal: "] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let ran = home.layercake(["du", "--verbose", "--filter=type=cachemount"]).ok();
    assert!(
        ran.stdout.contains("Description:  mount /cache ") && !ran.stdout.contains("\nType:         layer"),
        "{}",
        ran.stdout
    );
    let ran = run(&mut home.command(["du", "--filter=image=x", "--filter=type=layer", "--format={{.Size}}"])).ok();
    assert_eq!(ran.stdout.lines().count(), 4);
    home.layercake(["du", "--filter=type=nonsense"]).exits(2);
}

#[test]
fn a_part_that_cannot_be_read_is_named_and_no_more() {
    let Some(home) = home() else { return };
    std::fs::create_dir(home.path("store/left-by-another-version")).unwrap();
    std::fs::write(home.path("store/blobs/sha256/no-digest"), "x").unwrap();
    let all = pieces(&home);
    assert_eq!(of_type(&all, "unknown")[0]["ID"], "left-by-another-version");
    assert_eq!(of_type(&all, "file")[0]["ID"], "no-digest");
    home.layercake(["prune", "--all"]).ok();
    assert!(home.path("store/left-by-another-version").exists());
}

#[test]
fn nothing_goes_while_it_is_not_known_what_images_need() {
    let Some(home) = home() else { return };
    let manifest = home.inspect("x")["Digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let path = home.path("store/blobs/sha256").join(manifest);
    let content = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let ran = home.layercake(["du"]).ok();
    assert!(ran.stderr.contains(&format!("warning: cannot read `{}`", path.display())), "{}", ran.stderr);
    let ran = home.layercake(["prune"]).exits(3);
    assert!(ran.stderr.contains("what images need is not known"), "{}", ran.stderr);
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, content).unwrap();
    assert_eq!(home.layers("x").len(), 4);
}

#[test]
fn what_named_images_need_stays_and_their_next_build_does_nothing() {
    let Some(home) = home() else { return };
    let digest = home.inspect("x")["Id"].clone();
    let before = pieces(&home);
    let would = home.layercake(["prune", "--dry-run"]).ok();
    assert_eq!(pieces(&home).len(), before.len(), "a dry run takes nothing away");
    let ran = home.layercake(["prune"]).ok();
    let last = |text: &str| text.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(last(&would.stdout), last(&ran.stdout));
    assert_eq!(images(&home), ["base:latest", "x:latest"]);
    let after = pieces(&home);
    assert_eq!(of_type(&after, "layer").len(), 4);
    assert!(of_type(&after, "cachemount").is_empty());
    assert!(after.len() < before.len());
    assert_eq!(home.layers("x").len(), 4, "the image is whole");
    // The stage that the image only copies from is gone; what it made is known by what was copied.
    let built = home.dated(PACKED);
    assert_eq!(built.digest, digest);
    assert_eq!(built.ran("/sums") + built.ran("COPY files"), 0, "{:?}", built.started);
    assert_eq!(home.unfinished(), [""; 0]);
    // A second time there is nothing to take.
    let ran = home.layercake(["prune", "--older-than=1h"]).ok();
    assert_eq!(ran.stdout, "Total reclaimed space: 0B\n");
}

#[test]
fn everything_goes_if_all_is_to() {
    let Some(home) = home() else { return };
    let digest = home.inspect("x")["Id"].clone();
    let ran = home.layercake(["prune", "--all"]).ok();
    assert!(
        ran.stdout.contains("Untagged: x:latest\n") && ran.stdout.contains("Untagged: base:latest\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(images(&home), [""; 0]);
    let left = pieces(&home);
    assert!(left.iter().all(|piece| piece["Type"] == "note"), "{left:#?}");
    home.import_base();
    assert_eq!(home.dated(PACKED).digest, digest);
}

#[test]
fn no_more_goes_than_is_said() {
    let Some(home) = home() else { return };
    let before = pieces(&home).len();
    for arguments in [["--keep-storage=10GB"], ["--older-than=1h"], ["--filter=until=24h"]] {
        let ran = run(home.command(["prune", "--all"]).args(arguments)).ok();
        assert_eq!(ran.stdout, "Total reclaimed space: 0B\n", "{arguments:?}");
    }
    assert_eq!(pieces(&home).len(), before);
    // All that may go, and no image that has a name.
    home.layercake(["prune", "--keep-storage=1kB"]).ok();
    assert_eq!(images(&home), ["base:latest", "x:latest"]);
    for wrong in ["--keep-storage=much", "--older-than=soon", "--filter=label=x"] {
        home.layercake(["prune", wrong]).exits(2);
    }
}

#[test]
fn an_empty_store_is_no_error() {
    let home = Home::empty();
    home.layercake(["du"]).ok();
    assert_eq!(home.layercake(["prune"]).ok().stdout, "Total reclaimed space: 0B\n");
    home.layercake(["verify"]).ok();
}
