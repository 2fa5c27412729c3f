//! What a command sees of the machine, and what it may do to it.

use std::fs;
use std::io::Write;

use layercake_compiler::operation::Security;
use layercake_executor::sandbox::{End, Limit, Network, Resource, Spec};

use crate::harness::tests;
use crate::little::{Little, output, run};

tests![
    is_process_one_and_alone,
    capabilities_are_dockers,
    insecure_keeps_capabilities,
    refused_system_calls,
    masked_and_read_only_paths,
    devices,
    no_network,
    host_network,
    hostname_and_hosts,
    limits_are_lowered_and_umask_is_usual,
    no_descriptor_leaks,
];

fn is_process_one_and_alone() {
    let little = Little::new();
    assert_eq!(little.output("echo $$; echo /proc/[0-9]*"), "1\n/proc/1\n");
}

fn status(spec: &Spec, field: &str) -> String {
    let text = output(spec);
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

fn capabilities_are_dockers() {
    let little = Little::new();
    let mut spec = little.command(&["cat", "/proc/self/status"]);
    // What `docker run busybox cat /proc/self/status` prints.
    for (field, value) in
        [("CapEff", "00000000a80425fb"), ("CapPrm", "00000000a80425fb"), ("CapBnd", "00000000a80425fb")]
    {
        assert_eq!(status(&spec, field), value, "{field}");
    }
    for field in ["CapInh", "CapAmb"] {
        assert_eq!(status(&spec, field), "0000000000000000", "{field}");
    }
    assert_eq!((status(&spec, "NoNewPrivs"), status(&spec, "Seccomp:")), ("0".into(), "2".into()));
    spec.user = "ann".into();
    for field in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(&spec, field), "0000000000000000", "{field}");
    }
    assert_eq!(status(&spec, "CapBnd"), "00000000a80425fb");
}

fn insecure_keeps_capabilities() {
    let little = Little::new();
    let spec = Spec { security: Security::Insecure, ..little.command(&["cat", "/proc/self/status"]) };
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    assert_eq!(status(&spec, "CapEff"), own);
    assert_eq!(status(&spec, "Seccomp:"), "0");
    output(&Spec { security: Security::Insecure, ..little.script("mkdir /m && mount -t tmpfs none /m") });
}

fn refused_system_calls() {
    let little = Little::new();
    for script in ["unshare -m true", "unshare -r true", "mount -t tmpfs none /tmp", "hostname x"] {
        let finished = run(&little.script(script)).unwrap();
        assert_ne!(finished.outcome.end, End::Exited(0), "{script}");
        let words = ["Operation not permitted", "permission denied (are you root?)"];
        assert!(words.iter().any(|words| finished.stderr.contains(words)), "{script}: {finished:?}");
    }
}

fn masked_and_read_only_paths() {
    let little = Little::new();
    for path in ["/proc/kcore", "/proc/keys", "/proc/timer_list"] {
        if fs::metadata(path).is_ok() {
            assert_eq!(little.output(&format!("wc -c < {path}")), "0\n", "{path}");
        }
    }
    if fs::metadata("/sys/firmware").is_ok() {
        assert_eq!(little.output("ls /sys/firmware | wc -l"), "0\n");
    }
    let files =
        ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/sys/kernel/profiling"];
    for path in files.into_iter().filter(|path| fs::exists(path).unwrap()) {
        let finished = run(&little.script(&format!("echo 1 > {path}"))).unwrap();
        assert!(finished.stderr.contains("Read-only file system"), "{path}: {finished:?}");
    }
}

fn devices() {
    let little = Little::new();
    let names = little.output("cd /dev; ls");
    assert_eq!(
        names.split_whitespace().collect::<Vec<_>>(),
        [
            "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
            "urandom", "zero"
        ]
    );
    let script =
        "echo x > /dev/null; cat /dev/full | wc -c & kill %1; echo y > /dev/shm/y; echo z > /dev/stdout; ls /dev/pts";
    assert_eq!(little.output(script), "z\nptmx\n");
    let shm = Spec { shm_size: 8 << 20, ..little.script("grep /dev/shm /proc/mounts") };
    assert!(output(&shm).contains("size=8192k"), "{}", output(&shm));
}

fn no_network() {
    let little = Little::new();
    let text = little.output("ip -o link; ip -o addr; cat /proc/net/dev");
    assert!(text.contains("127.0.0.1") && text.contains("UP"), "{text}");
    assert!(!text.contains("eth0"), "{text}");
    assert_eq!(little.output("ls /sys/class/net"), "lo\n");
    // What listens here cannot be reached from there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let finished = run(&little.script(&format!("nc -w 1 127.0.0.1 {port} < /dev/null"))).unwrap();
    assert_eq!(finished.outcome.end, End::Exited(1));
}

fn host_network() {
    let little = Little::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeter = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello").unwrap());
    let script = format!("nc 127.0.0.1 {port} < /dev/null");
    assert_eq!(output(&Spec { network: Network::Host, ..little.script(&script) }), "hello");
    greeter.join().unwrap();
}

fn hostname_and_hosts() {
    let little = Little::new();
    let hosts = vec![layercake_executor::sandbox::Host { name: "db".into(), address: [192, 0, 2, 7].into() }];
    let spec = Spec { hostname: "box".into(), hosts, ..little.script("hostname; cat /etc/hosts") };
    let text = output(&spec);
    assert!(text.starts_with("box\n127.0.0.1\tlocalhost\n"), "{text}");
    assert!(text.ends_with("127.0.1.1\tbox\n192.0.2.7\tdb\n"), "{text}");
    assert_eq!(little.output("cat /etc/resolv.conf"), fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
}

fn limits_are_lowered_and_umask_is_usual() {
    let little = Little::new();
    let limit = |soft, hard| Limit { resource: Resource::Nofile, soft, hard };
    let spec = |limit| Spec { limits: vec![limit], ..little.script("ulimit -Sn; ulimit -Hn; umask") };
    assert_eq!(output(&spec(limit(Some(100), Some(200)))), "100\n200\n0022\n");
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap();
    let raised = output(&spec(limit(Some(most + 1), Some(most + 1))));
    assert!(raised == format!("{most}\n{most}\n0022\n") || raised == format!("{0}\n{0}\n0022\n", most + 1), "{raised}");
}

fn no_descriptor_leaks() {
    let little = Little::new();
    // 0, 1, 2, and the one that lists them.
    assert_eq!(little.output("exec ls /proc/self/fd"), "0\n1\n2\n3\n");
}
