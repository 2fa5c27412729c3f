//! Processes and mounts that a home may have left behind.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::home::Home;

impl Home {
    /// The command lines of processes that belong to this home: that mention `word` or the home, or are at work in it.
    pub(crate) fn processes(&self, word: &str) -> Vec<String> {
        let home = self.path("");
        let home = home.as_os_str().as_bytes();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let numbered = entries.filter(|entry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit));
        let line = |path: &Path| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            let at_work = fs::read_link(path.join("cwd")).unwrap_or_default();
            let mentions =
                |text: &[u8], word: &[u8]| !word.is_empty() && text.windows(word.len()).any(|part| part == word);
            let belongs = mentions(&line, word.as_bytes())
                || mentions(&line, home)
                || at_work.as_os_str().as_bytes().starts_with(home.strip_suffix(b"/").unwrap_or(home));
            belongs.then(|| String::from_utf8_lossy(&line).replace('\0', " "))
        };
        numbered.filter_map(|entry| line(&entry.path())).collect()
    }

    /// Waits until no process of this home is left; the kernel may take a moment to end them.
    #[track_caller]
    pub(crate) fn assert_no_processes(&self, word: &str) {
        let start = Instant::now();
        loop {
            let left = self.processes(word);
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "still there: {left:?}");
            sleep(Duration::from_millis(5));
        }
    }

    /// Makes the store believe that the machine has been started anew before anything was synced. What was still to sync ends with
    /// the machine.
    pub(crate) fn start_anew(&self) {
        const SETTLE: &str = "layercake-settle";
        let store = self.path("store");
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            if line == [SETTLE.as_bytes(), store.as_os_str().as_bytes(), b""].join(&0) {
                let number = process.file_name().to_str().unwrap().parse().unwrap();
                // It may end by itself just now.
                let _ = kill_process(Pid::from_raw(number).unwrap(), Signal::KILL);
            }
        }
        let start = Instant::now();
        while self.processes("").iter().any(|line| line.starts_with(SETTLE)) {
            assert!(start.elapsed() < Duration::from_secs(10), "what was killed is still there");
            sleep(Duration::from_millis(5));
        }
        fs::write(store.join("settled"), "another-boot 0\n").unwrap();
    }

    /// Nothing in this home is mounted, as far as the tests can see.
    #[track_caller]
    pub(crate) fn assert_no_mounts(&self) {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let home = self.path("").display().to_string();
        assert!(!mounts.contains(home.trim_end_matches('/')), "{mounts}");
    }

    /// What is left of unfinished work in the store.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("store/tmp")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}
