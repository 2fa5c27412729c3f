//! Contexts whose images hold everything that layers can express.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{XattrFlags, setxattr};
use tar::{Builder, EntryType, Header};

use crate::support::Home;

/// Images by name: what makes each of them odd is its name. Their contexts hold what [`fill`] makes.
pub(crate) const IMAGES: [(&str, &str); 20] = [
    ("plain", "FROM base\nRUN echo x > /x\nENV A=1\nCMD [\"cat\", \"/x\"]\n"),
    (
        "removals",
        "FROM base\nRUN mkdir -p /d/sub && touch /d/a /d/b /d/sub/c /keep\nRUN rm /d/a && rm -r /d/sub && rm /etc/group\n\
         RUN rm -r /d && mkdir /d && touch /d/new\nRUN rm /keep && mkdir /keep && touch /keep/file\n",
    ),
    (
        "opaque",
        "FROM base\nRUN mkdir -p /d/in/deep && touch /d/1 /d/in/2 /d/in/deep/3\nRUN rm -r /d/in && mkdir -p /d/in/deep && touch /d/in/deep/4\n\
         RUN rm -r /d && mkdir /d\nRUN rm -r /home && mkdir /home && touch /home/bob\nRUN touch /d/in\n",
    ),
    (
        "renamed",
        "FROM base\nRUN mkdir -p /from/sub && echo 1 > /from/a && echo 2 > /from/sub/b && ln /from/a /from/c\n\
         RUN mv /from /to && mv /home/ann/notes /home/ann/moved\nRUN mv /to/sub /sub && mv /sub /to/again\n",
    ),
    (
        "metadata",
        "FROM base\nRUN mkdir -p /m/sub && echo x > /m/f && echo y > /m/sub/g\nRUN chmod 640 /m/f\nRUN chown 7:8 /m/sub\n\
         RUN chmod 711 /m\nRUN touch -d '2001-02-03 04:05:06' /m/sub/g /m\nRUN chmod 755 /root\n",
    ),
    (
        "types",
        "FROM base\nRUN echo x > /a && mkdir /b && ln -s a /c && mkfifo /d && mkdir -p /e/f\n\
         RUN rm /a && mkdir /a && touch /a/in && rmdir /b && ln -s a /b && rm /c && echo y > /c && rm /d && mkdir /d\n\
         RUN rm -r /a && echo z > /a && rm /b && mkfifo /b && rm -r /e && ln -s /a /e\n",
    ),
    (
        "hard-links",
        "FROM base\nRUN mkdir /l && cd /l && echo x > a && ln a b && ln b c\nRUN ln /l/a /l/late && chmod 600 /l/b\n\
         RUN rm /l/a && echo y >> /l/c\nRUN ln /bin/busybox /bin/box && ln /etc/passwd /etc/again\n",
    ),
    (
        "symlinks",
        "FROM base\nRUN mkdir -p /real/dir && echo x > /real/file && ln -s real /one && ln -s one /two && ln -s two/dir /three \
         && ln -s /three/../file /four && ln -s loop /loop && ln -s /nowhere /dangling && ln -s . /real/dot\n\
         RUN echo through > /three/c && mkdir /two/made && ln -sfn real/dir /one\nRUN rm /two && mkdir /two\n",
    ),
    (
        "owners",
        "FROM base\nRUN mkdir /o && cd /o && touch ann high && chown ann:staff ann && chown 60000:60001 high && ln -s high link \
         && chown -h 5:6 link && mkdir group && chown :50 group\nRUN chown 1000 /home && chmod 700 /home/ann\n",
    ),
    (
        "modes",
        "FROM base\nRUN mkdir /m && cd /m && touch user group all none && chmod 4711 user && chmod 2755 group && chmod 7777 all \
         && chmod 0 none && mkdir -m 1777 sticky && mkdir -m 2750 inherits && touch inherits/f && mkdir inherits/d \
         && mkdir -m 0 closed && touch closed/inside\n",
    ),
    (
        "names",
        "FROM base\nRUN mkdir -p \"/n/größe mit raum\" && cd /n && touch -- '-dash' 'quo\"te' 'back\\\\slash' .hidden ..double '*' \
         \"$(printf 'new\\nline')\" ' ' '~' 'a=b' '#'\n",
    ),
    (
        "bytes",
        "FROM base\nRUN cd / && touch \"$(printf 'latin\\344')\" \"$(printf '\\377\\376')\" && mkdir \"$(printf 'd\\200')\" \
         && echo x > \"$(printf 'd\\200/f\\201')\" && ln -s \"$(printf 'to\\377')\" /link\nRUN rm \"$(printf '/latin\\344')\"\n",
    ),
    (
        "long",
        "FROM base\nRUN p=/n; for i in 1 2 3 4 5 6 7 8 9; do p=$p/a-rather-long-name-of-a-folder-$i; done; mkdir -p $p && echo deep > $p/file \
         && ln $p/file /hard && ln -s $p/file /soft && touch /n/$(seq -s x 1 85) && rm $p/file\n",
    ),
    (
        "attributes",
        "FROM base\nCOPY odd/attributes odd/folder /x/\nADD capable.tar /\nRUN mv /x/attributes /x/moved\nRUN chmod 700 /capable\n",
    ),
    (
        "devices",
        "FROM base\nRUN mkfifo /pipe; mknod /null c 1 3; mknod /disk b 8 0; chmod 640 /pipe\nRUN rm -f /null\n",
    ),
    ("sockets", "FROM base\nCOPY odd /odd/\nRUN test ! -e /odd/socket && rm /odd/file\n"),
    (
        "sparse",
        "FROM base\nRUN cd / && echo begin > sparse && echo end | dd of=sparse bs=1M seek=4 conv=notrunc 2> /dev/null \
         && truncate -s 2M hole\nCOPY odd/sparse /copied\n",
    ),
    (
        "empty",
        "FROM base\nRUN true\nRUN touch /x && rm /x\nENV A=1\nRUN true\nWORKDIR /tmp\nRUN echo last > /last\nLABEL a=b\n",
    ),
    (
        "copies",
        "FROM base AS other\nRUN mkdir -p /src/a/b && echo 1 > /src/a/b/f && ln /src/a/b/f /src/g && chown -R ann /src && chmod 4755 /src/g\n\
         FROM base\nCOPY --from=other /src /kept\nCOPY --from=other --chown=3:4 --chmod=u+x,go= /src /set/\n\
         COPY --link --from=other /src/a /linked/\nCOPY --parents odd/./file odd/pair/ /parents/\nADD capable.tar /tar/\n\
         COPY --exclude=pair odd/ /odd/\nCOPY <<one <<two /here/\n1\none\n2\ntwo\n",
    ),
    ("scratch", "FROM scratch\nCOPY --from=base /bin/busybox /bin/sh\nCOPY --chown=5:6 file /a/b/\nWORKDIR /w\n"),
];

/// A home with a context for each of them, which is built and has its name.
pub(crate) fn built() -> Option<Home> {
    let home = Home::with_base()?;
    for (name, dockerfile) in IMAGES {
        write(&home, name, dockerfile);
        home.dated(["-t", name, name]);
    }
    Some(home)
}

/// Makes the context of one of them.
pub(crate) fn write(home: &Home, name: &str, dockerfile: &str) {
    home.write(&format!("{name}/Dockerfile"), dockerfile).write(&format!("{name}/file"), "file");
    home.write(&format!("{name}/odd/file"), "odd").write(&format!("{name}/odd/pair/a"), "pair");
    fill(&home.path("work").join(name));
}

/// Puts into a context what a text cannot say.
fn fill(context: &Path) {
    let odd = context.join("odd");
    fs::hard_link(odd.join("pair/a"), odd.join("pair/b")).unwrap();
    symlink("pair/a", odd.join("link")).unwrap();
    drop(UnixListener::bind(odd.join("socket")).unwrap());
    fs::write(odd.join("attributes"), "attributes").unwrap();
    fs::create_dir_all(odd.join("folder/in")).unwrap();
    for path in ["attributes", "folder/in"] {
        setxattr(odd.join(path), "user.layercake", b"a\0value", XattrFlags::empty()).unwrap();
    }
    fs::set_permissions(odd.join("attributes"), fs::Permissions::from_mode(0o6755)).unwrap();
    let sparse = fs::File::create(odd.join("sparse")).unwrap();
    sparse.set_len(4 << 20).unwrap();
    let past = SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 987_654_321);
    sparse.set_modified(past).unwrap();
    fs::write(context.join("capable.tar"), archive()).unwrap();
}

/// An archive with what no ordinary user's file can have: owners, and a capability (`cap_net_raw=ep`, as
/// `linux/capability.h` has it on disk).
fn archive() -> Vec<u8> {
    const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut tar = Builder::new(Vec::new());
    let header = |kind, size: usize| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(0o755);
        header.set_uid(1234);
        header.set_gid(4321);
        header.set_mtime(1_111_111_111);
        header
    };
    tar.append_pax_extensions([("SCHILY.xattr.security.capability", &NET_RAW[..])]).unwrap();
    tar.append_data(&mut header(EntryType::Regular, 4), "capable", &b"ping"[..]).unwrap();
    tar.append_link(&mut header(EntryType::Link, 0), "again", "capable").unwrap();
    tar.append_data(&mut header(EntryType::Directory, 0), "folder", &b""[..]).unwrap();
    tar.append_data(&mut header(EntryType::Regular, 1), "folder/one", &b"1"[..]).unwrap();
    tar.into_inner().unwrap()
}
