//! What `--cache-from` and `--cache-to` may say.

use crate::support::Home;

#[test]
fn what_means_nothing_is_refused() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\n");
    for (argument, message) in [
        ("--cache-to=type=local", "`dest=FOLDER` is missing"),
        ("--cache-from=type=local", "`src=FOLDER` is missing"),
        ("--cache-to=type=registry", "`ref=NAME` is missing"),
        ("--cache-to=dest=x", "the type is missing"),
        ("--cache-to=type=locl,dest=x", "there is no type `locl`"),
        ("--cache-to=type=s3,bucket=x", "`--cache-to type=s3` is not built yet"),
        ("--cache-from=type=gha,scope=x", "`--cache-from type=gha` is not built yet"),
        ("--cache-to=type=inline,mode=max", "only `mode=min`"),
        ("--cache-to=type=inline,mounts=true", "no place in an image"),
        ("--cache-from=type=inline", "is read from the image that has it"),
        ("--cache-to=type=local,dest=x,skip=no", "`no` is nothing that `skip` can be"),
        ("--cache-to=type=registry,ref=x,dist=y", "`dist` means nothing"),
        ("--cache-to=type=local,dest=x,mode=most", "`most` is nothing that `mode` can be"),
        ("--cache-from=type=local,src=x,mode=max", "`mode` means nothing"),
        ("--cache-from=type=local,src=x,digest=abc", "abc"),
        ("--cache-from=UPPER/Case", "UPPER/Case"),
        ("--cache-to=local", "`local` has no value"),
    ] {
        let ran = home.layercake(["build", argument, "ctx"]).exits(2);
        assert!(ran.stderr.contains(message), "{argument}: {}", ran.stderr);
    }
}
