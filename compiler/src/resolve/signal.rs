//! `STOPSIGNAL`: which signals there are. Source: signal(7), by way of moby/sys/signal's table for Linux.

const NAMES: [&str; 35] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
    "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "UNUSED",
];

/// Whether a text is a signal: a number, or a name with or without `SIG`.
pub(super) fn is_signal(text: &str) -> bool {
    if text.parse::<i64>().is_ok() {
        return true;
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |prefix: &str, limit: u32| {
        let number = name.strip_prefix(prefix).filter(|number| !number.starts_with('0'));
        number.and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| (1..=limit).contains(&number))
    };
    NAMES.contains(&name) || matches!(name, "RTMIN" | "RTMAX") || offset("RTMIN+", 15) || offset("RTMAX-", 14)
}

#[cfg(test)]
mod tests {
    use super::is_signal;

    #[test]
    fn names_and_numbers() {
        for good in ["9", "SIGTERM", "term", "SIGRTMIN+3", "RTMAX-14"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in ["", "SIGFOO", "9 10", "RTMIN+16", "RTMAX-0"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
