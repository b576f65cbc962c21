//! What a command plainly says: `sleep 2; echo done` runs two seconds and exits with 0.
//!
//! No shell: what is not as plain as that is not guessed.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};

use crate::cli::duration;

/// What a command does, as far as it says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// How long it runs; for ever where absent.
    pub lasts: Option<Duration>,
    /// Its exit code.
    pub code: i32,
}

/// What the container's command says. Without a command the image decides, and it is not read.
pub fn of_container(container: &Container) -> Option<Said> {
    let command = container.command.as_ref()?;
    let words: Vec<&str> = command
        .iter()
        .chain(container.args.iter().flatten())
        .map(String::as_str)
        .collect();
    of_words(&words)
}

/// How long a hook's command sleeps.
pub fn of_hook(hook: &LifecycleHandler) -> Option<Duration> {
    let command = hook.exec.as_ref()?.command.as_ref()?;
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    of_words(&words)?.lasts
}

fn of_words(words: &[&str]) -> Option<Said> {
    let (program, rest) = words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    match (name, rest) {
        ("sh" | "bash" | "ash" | "dash", [flags, script, ..]) if flags.starts_with('-') && flags.contains('c') => {
            of_script(script)
        }
        ("busybox", rest) => of_words(rest),
        _ => of_command(words),
    }
}

/// One simple command.
fn of_command(words: &[&str]) -> Option<Said> {
    let (program, arguments) = words.split_first()?;
    let at_once = |code| {
        Some(Said {
            lasts: Some(Duration::ZERO),
            code,
        })
    };
    match program.rsplit('/').next().unwrap_or(program) {
        "sleep" => {
            let mut total = Duration::ZERO;
            for length in arguments {
                if matches!(*length, "infinity" | "inf") {
                    return Some(Said { lasts: None, code: 0 });
                }
                total += sleep_time(length)?;
            }
            (!arguments.is_empty()).then_some(Said {
                lasts: Some(total),
                code: 0,
            })
        }
        "tail" if arguments == ["-f", "/dev/null"] => Some(Said { lasts: None, code: 0 }),
        "true" | ":" | "echo" | "printf" | "touch" | "mkdir" | "rm" | "date" | "set" | "export" => at_once(0),
        "false" => at_once(1),
        "exit" => match arguments {
            [] => at_once(0),
            [code] => at_once(code.parse().ok()?),
            _ => None,
        },
        "exec" => of_command(arguments),
        _ => None,
    }
}

fn sleep_time(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => match text.strip_suffix('d') {
            Some(days) => Duration::try_from_secs_f64(days.parse::<f64>().ok()? * 86_400.0).ok(),
            None => duration::parse(text).ok(),
        },
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    Always,
    OnSuccess,
}

/// Commands one after the other, joined by `;`, `&&` or line breaks.
fn of_script(script: &str) -> Option<Said> {
    let begin = script.trim_start();
    if ["while true", "while :", "while sleep"]
        .iter()
        .any(|endless| begin.starts_with(endless))
        && !script.contains("break")
        && !script.contains("exit")
        && script.trim_end().ends_with("done")
    {
        return Some(Said { lasts: None, code: 0 });
    }
    let mut lasts = Duration::ZERO;
    let mut code = 0;
    let mut joint = Joint::Always;
    for (words, next) in commands(script)? {
        let is_skipped = joint == Joint::OnSuccess && code != 0;
        joint = next;
        if words.is_empty() || is_skipped {
            continue;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = of_command(&words)?;
        let Some(took) = said.lasts else { return Some(said) };
        lasts += took;
        code = said.code;
        if matches!(words[0], "exit" | "exec") {
            break;
        }
    }
    Some(Said {
        lasts: Some(lasts),
        code,
    })
}

/// The simple commands of a script and how each is joined to the next; nothing where it holds more than that.
fn commands(script: &str) -> Option<Vec<(Vec<String>, Joint)>> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            quote @ ('\'' | '"') => {
                let text = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        end if end == quote => break,
                        '`' if quote == '"' => return None,
                        '$' if quote == '"' && characters.peek() == Some(&'(') => return None,
                        other => text.push(other),
                    }
                }
            }
            ' ' | '\t' => words.extend(word.take()),
            ';' | '\n' => {
                words.extend(word.take());
                found.push((std::mem::take(&mut words), Joint::Always));
            }
            '&' if characters.next_if_eq(&'&').is_some() => {
                words.extend(word.take());
                found.push((std::mem::take(&mut words), Joint::OnSuccess));
            }
            // What is written elsewhere changes nothing of the time that it takes.
            '>' => {
                let text = word.take().unwrap_or_default();
                if !text.chars().all(|character| character.is_ascii_digit()) {
                    words.push(text);
                }
                while characters.next_if(|next| matches!(next, '>' | ' ' | '&')).is_some() {}
                while characters
                    .next_if(|next| !matches!(next, ' ' | ';' | '\n' | '&'))
                    .is_some()
                {}
            }
            '&' | '|' | '<' | '`' | '(' | ')' | '{' | '}' | '\\' => return None,
            '$' if characters.peek() == Some(&'(') => return None,
            '#' if word.is_none() => while characters.next_if(|next| *next != '\n').is_some() {},
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word.take());
    found.push((words, Joint::Always));
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(script: &str) -> Option<(Option<u64>, i32)> {
        let said = of_words(&["sh", "-c", script])?;
        Some((said.lasts.map(|lasts| lasts.as_secs()), said.code))
    }

    #[test]
    fn sleeps_and_exits_are_read() {
        assert_eq!(script("sleep 2; echo helloworld01;"), Some((Some(2), 0)));
        assert_eq!(script("echo The app is running! && sleep 3600"), Some((Some(3600), 0)));
        assert_eq!(script("sleep 1m\nexit 3\nsleep 9"), Some((Some(60), 3)));
        assert_eq!(script("false && sleep 5; sleep 1; exit 2"), Some((Some(1), 2)));
        assert_eq!(
            script("echo \"cannot find my settings\" >&2; exit 1"),
            Some((Some(0), 1))
        );
        assert_eq!(script("echo 'a; sleep 9' > /tmp/x; sleep 4"), Some((Some(4), 0)));
        assert_eq!(script("while true; do date; sleep 5; done"), Some((None, 0)));
    }

    #[test]
    fn commands_without_a_shell_are_read_too() {
        let said = |words: &[&str]| of_words(words).map(|said| (said.lasts.map(|lasts| lasts.as_secs()), said.code));
        assert_eq!(said(&["/bin/sleep", "1", "2"]), Some((Some(3), 0)));
        assert_eq!(said(&["sleep", "infinity"]), Some((None, 0)));
        assert_eq!(said(&["busybox", "false"]), Some((Some(0), 1)));
    }

    #[test]
    fn what_is_not_plain_is_not_guessed() {
        for unclear in [
            "sleep $TIME",
            "exec nginx -g 'daemon off;'",
            "sleep 5 & wait",
            "if true; then sleep 5; fi",
            "trap 'exit 0' TERM; sleep 60",
            "echo $(sleep 5)",
            "sleep 5 | cat",
        ] {
            assert_eq!(script(unclear), None, "{unclear}");
        }
        assert_eq!(of_words(&["nginx"]), None);
    }
}
