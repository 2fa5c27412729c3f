//! The same bytes, whoever builds and whenever: `SOURCE_DATE_EPOCH`, and the times of what is copied.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use serde_json::Value;

use super::varied;
use crate::support::Home;
use crate::support::archive::Files;
use crate::support::home::{EPOCH, run};
use crate::support::image::{document, json, tars};
use crate::support::ran::Built;

/// Everything at once: stages side by side, removals, links, copies of all kinds, layers that are large and empty.
const DOCKERFILE: &str = "FROM base AS one\nRUN mkdir /one && seq 1 20000 > /one/numbers && ln /one/numbers /one/again\n\
     FROM base AS two\nRUN mkdir /two && dd if=/dev/zero of=/two/zeros bs=1M count=3 2> /dev/null\n\
     FROM base AS three\nRUN for i in $(seq 1 200); do echo $i > /tmp/$i; done\n\
     FROM base\nCOPY --from=one /one /one\nCOPY --from=two --link /two/ /two/\nCOPY --from=three /tmp/1* /some/\n\
     COPY odd /odd/\nADD capable.tar /\nRUN rm -r /some && mkdir /some && rm /one/again\nENV A=1\nRUN true\nWORKDIR /made\n\
     COPY <<text /text\nhere\ntext\nLABEL a=b\n";

#[test]
fn any_number_of_jobs_at_any_time_makes_the_same_image() {
    let mut digests = Vec::new();
    for jobs in ["1", "8", "1", "8"] {
        let Some(home) = Home::with_base() else { return };
        varied::write(&home, "ctx", DOCKERFILE);
        let jobs = format!("--jobs={jobs}");
        let mut build = home.command(["build", "--progress=json", &jobs, "-t", "x", "ctx"]);
        // What computes has as many threads as there are jobs, too.
        let threads = jobs.trim_start_matches("--jobs=").to_owned();
        let built = Built::of(run(build.env("SOURCE_DATE_EPOCH", EPOCH).env("RAYON_NUM_THREADS", threads)));
        digests.push((built.digest, home.diff_ids("x")));
        let zstd = home.dated(["-o", "type=oci,dest=x.tar,compression=zstd", "ctx"]);
        digests.last_mut().unwrap().1.push(zstd.digest);
    }
    assert!(digests.iter().all(|other| *other == digests[0]), "{digests:#?}");
}

/// The configuration and the times of each layer of an OCI archive above the base's.
fn looked_into(home: &Home, path: &str) -> (Value, Vec<BTreeMap<String, u64>>) {
    let archive = Files::read(&fs::read(home.path("work").join(path)).unwrap());
    let manifest = document(&archive, &json(&archive, "index.json")["manifests"][0]["digest"]);
    let config = document(&archive, &manifest["config"]["digest"]);
    (config, tars(&archive).iter().skip(1).map(|tar| Files::times(tar)).collect())
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_epoch_is_a_variable_a_build_argument_or_a_default_of_the_file() {
    let Some(home) = Home::with_base() else { return };
    home.write(
        "ctx/Dockerfile",
        "ARG SOURCE_DATE_EPOCH=1000\nFROM base\nARG SOURCE_DATE_EPOCH\nRUN echo ${SOURCE_DATE_EPOCH:-none} > /x\n",
    );
    let built = |arguments: &[&str], variable: Option<&str>| {
        let mut build = home.command(["build", "--progress=json", "-o", "type=oci,dest=x.tar"]);
        build.args(arguments).arg("ctx").envs(variable.map(|value| ("SOURCE_DATE_EPOCH", value)));
        run(&mut build).ok();
        let (config, times) = looked_into(&home, "x.tar");
        (config["created"].as_str().unwrap().to_owned(), times[0]["x"])
    };
    assert_eq!(built(&[], None), ("1970-01-01T00:16:40Z".to_owned(), 1000));
    assert_eq!(built(&[], Some("2000")), ("1970-01-01T00:33:20Z".to_owned(), 2000));
    assert_eq!(built(&["--build-arg=SOURCE_DATE_EPOCH=3000"], Some("2000")), ("1970-01-01T00:50:00Z".to_owned(), 3000));
}

#[test]
fn times_of_layers_are_rewritten_unless_they_are_not_to_be() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x && touch -d '2001-02-03 00:00:00' /old\n");
    let start = seconds(SystemTime::now());
    let built = |option: &str| {
        let output = format!("type=oci,dest=x.tar{option}");
        home.dated(["-o", &output, "ctx"]);
        let (config, times) = looked_into(&home, "x.tar");
        assert_eq!(config["created"], "2023-11-14T22:13:20Z", "{option}");
        assert_eq!(times[0]["old"], 981_158_400, "what is older stays as old as it is");
        times[0]["x"]
    };
    assert_eq!(built(""), 1_700_000_000);
    assert_eq!(built(",rewrite-timestamp=true"), 1_700_000_000);
    assert!(built(",rewrite-timestamp=false") >= start - 1);
    // Files outside of an image are clamped in the same way.
    let modified = |options: &str, path: &str| {
        let _ = fs::remove_dir_all(home.path("work/out"));
        home.dated(["-o", &format!("type=local,dest=out{options}"), "ctx"]);
        seconds(fs::symlink_metadata(home.path("work/out").join(path)).unwrap().modified().unwrap())
    };
    assert_eq!(
        (modified("", "x"), modified("", "old"), modified("", "bin")),
        (1_700_000_000, 981_158_400, 1_700_000_000)
    );
    assert!(modified(",rewrite-timestamp=false", "x") >= start - 1);
    // Without a time there is nothing to rewrite to.
    let ran = home.layercake(["build", "-o", "type=oci,dest=x.tar,rewrite-timestamp=true", "ctx"]).ok();
    assert!(ran.stderr.contains("SOURCE_DATE_EPOCH is not set"), "{}", ran.stderr);
}

#[test]
fn what_is_copied_keeps_its_times_and_what_is_made_is_new() {
    let Some(home) = Home::with_base() else { return };
    varied::write(
        &home,
        "ctx",
        "FROM base AS stage\nRUN mkdir /s && touch -d '2001-02-03 00:00:00' /s/old /s\n\
         FROM base\nCOPY odd /made/odd\nADD capable.tar /unpacked/\nCOPY --from=stage / /stage\nCOPY <<here /\ntext\nhere\n\
         COPY --chmod=600 --chown=1:2 odd/sparse /given\n",
    );
    let odd = home.path("work/ctx/odd");
    symlink("nowhere", odd.join("old-link")).unwrap();
    let time = |seconds| Timespec { tv_sec: seconds, tv_nsec: 999_999_999 };
    let times = |seconds| Timestamps { last_access: time(5), last_modification: time(seconds) };
    utimensat(CWD, odd.join("old-link"), &times(1_000_000_000), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    utimensat(CWD, odd.join("pair"), &times(1_000_000_001), AtFlags::empty()).unwrap();
    utimensat(CWD, &odd, &times(1_000_000_002), AtFlags::empty()).unwrap();
    let start = seconds(SystemTime::now() - Duration::from_secs(1));
    home.build(["-o", "type=oci,dest=x.tar", "ctx"]);
    let (_, layers) = looked_into(&home, "x.tar");
    let copied = &layers[0];
    // Seconds are rounded down, as by everybody.
    assert_eq!(copied["made/odd/sparse"], 1_234_567_890);
    assert_eq!(copied["made/odd/old-link"], 1_000_000_000);
    assert_eq!(copied["made/odd/pair"], 1_000_000_001);
    assert!(copied["made"] >= start, "a folder on the way is made");
    assert!(copied["made/odd"] >= start, "the contents of a folder are copied, not the folder");
    assert_eq!((layers[1]["unpacked/capable"], layers[1]["unpacked/folder"]), (1_111_111_111, 1_111_111_111));
    assert_eq!((layers[2]["stage/s/old"], layers[2]["stage/s"]), (981_158_400, 981_158_400));
    assert!(layers[3]["here"] >= start);
    assert_eq!(layers[4]["given"], 1_234_567_890, "neither mode nor owner are the time's business");
}
