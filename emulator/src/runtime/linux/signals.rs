//! Signals by name and number, as images and manifests write them.

/// The number of `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`.
pub(super) fn number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(offset) = short.strip_prefix("RTMIN") {
        return real_time(libc::SIGRTMIN(), offset, '+');
    }
    if let Some(offset) = short.strip_prefix("RTMAX") {
        return real_time(libc::SIGRTMAX(), offset, '-');
    }
    let long = format!("SIG{short}");
    let long = match long.as_str() {
        "SIGCLD" => "SIGCHLD",
        "SIGPOLL" => "SIGIO",
        other => other,
    };
    long.parse::<nix::sys::signal::Signal>()
        .ok()
        .map(|signal| signal as i32)
}

fn real_time(base: i32, offset: &str, sign: char) -> Option<i32> {
    let offset: i32 = match offset.strip_prefix(sign) {
        None if offset.is_empty() => 0,
        None => return None,
        Some(digits) => digits.parse().ok()?,
    };
    let number = if sign == '+' { base + offset } else { base - offset };
    (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .contains(&number)
        .then_some(number)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_signal_is_known_by_every_form_of_its_name() {
        for name in ["SIGTERM", "TERM", "term", "15"] {
            assert_eq!(number(name), Some(15), "{name}");
        }
        assert_eq!(number("SIGRTMIN+3"), Some(libc::SIGRTMIN() + 3));
        assert_eq!(number("RTMAX-1"), Some(libc::SIGRTMAX() - 1));
        assert_eq!(number("SIGWINCH"), Some(28));
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for name in ["", "SIGNOPE", "0", "65", "SIGRTMIN+99", "RTMIN-1"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
