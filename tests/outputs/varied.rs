//! Contexts whose images hold everything that layers can express.

use crate::support::Home;

/// Images by name: what makes each of them odd is its name.
pub(crate) const IMAGES: [(&str, &str); 6] = [
    ("plain", "FROM base\nRUN echo x > /x\nENV A=1\nCMD [\"cat\", \"/x\"]\n"),
    (
        "removals",
        "FROM base\nRUN mkdir -p /d/sub && touch /d/a /d/b /d/sub/c /keep\nRUN rm /d/a && rm -r /d/sub && rm /etc/group\n\
         RUN rm -r /d && mkdir /d && touch /d/new\nRUN rm /keep && mkdir /keep && touch /keep/file\n",
    ),
    (
        "links",
        "FROM base\nRUN mkdir /l && cd /l && echo x > a && ln a b && ln -s a soft && ln -s /nowhere dangling && mkfifo pipe \
         && ln -s /l /m && echo through > /m/c\nRUN ln /l/a /l/late && chmod 600 /l/b\n",
    ),
    (
        "owners",
        "FROM base\nRUN mkdir /o && cd /o && touch ann high && chown ann:staff ann && chown 60000:60001 high && chmod 4711 ann \
         && mkdir -m 1777 sticky && mkdir -m 2750 group && chown :50 group && mkdir -m 0 closed && touch closed/inside\n\
         RUN chown 1000 /home && chmod 700 /home/ann\n",
    ),
    (
        "names",
        "FROM base\nRUN mkdir -p \"/n/größe mit raum\" && cd /n && touch -- '-dash' 'quo\"te' 'back\\\\slash' .hidden ..double \
         && p=/n; for i in 1 2 3 4 5 6 7 8; do p=$p/a-long-name-of-a-folder-$i; done; mkdir -p $p && echo deep > $p/file\n",
    ),
    ("scratch", "FROM scratch\nCOPY --from=base /bin/busybox /bin/sh\nCOPY --chown=5:6 file /a/b/\nWORKDIR /w\n"),
];

/// A home with a context for each of them, which is built and has its name.
pub(crate) fn built() -> Option<Home> {
    let home = Home::with_base()?;
    for (name, dockerfile) in IMAGES {
        home.write(&format!("{name}/Dockerfile"), dockerfile).write(&format!("{name}/file"), "file");
        home.dated(["-t", name, name]);
    }
    Some(home)
}
