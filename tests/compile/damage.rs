//! Lock files that cannot be used.

use std::fs;

use crate::support::Home;
use crate::support::transcript::assert_transcript;

#[test]
fn each_damage_has_a_message_of_its_own() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nWORKDIR /a\n");
    home.layercake(["compile", "--lock", "ctx"]).ok();
    let good = home.read("ctx/layercake.lock");
    let digest = format!("sha256:{:064}", 1);
    let image = format!("[[image]]\nreference = \"a\"\nplatform = \"linux/amd64\"\ndigest = \"{digest}\"\n");
    for (name, text) in [
        ("other-version", good.replace("version = 1", "version = 7\nnew = true")),
        ("conflict", format!("<<<<<<< ours\n{good}=======\n{good}>>>>>>> theirs\n")),
        ("unknown-table", format!("{good}[[imgae]]\nreference = \"a\"\n")),
        ("twice", format!("{good}{}", image.repeat(2))),
        ("no-digest", format!("{good}[[image]]\nreference = \"a\"\nplatform = \"linux/amd64\"\ndigest = \"latest\"\n")),
    ] {
        home.write("ctx/layercake.lock", &text);
        assert_transcript("compile", &format!("lock-{name}"), &home, &home.layercake(["compile", "ctx"]).exits(2));
        home.layercake(["build", "--locked", "ctx"]).exits(2);
        home.layercake(["compile", "--lock", "ctx"]).exits(2);
        assert_eq!(home.read("ctx/layercake.lock"), text, "what cannot be read is not overwritten");
    }
    home.write("ctx/layercake.lock", [0xff]);
    assert!(home.layercake(["compile", "ctx"]).exits(2).stderr.contains("it is no text"));
    fs::remove_file(home.path("work/ctx/layercake.lock")).unwrap();
    fs::create_dir(home.path("work/ctx/layercake.lock")).unwrap();
    let ran = home.layercake(["compile", "ctx"]).exits(3);
    assert!(ran.stderr.contains("cannot read the lock file `ctx/layercake.lock`"), "{}", ran.stderr);
}
