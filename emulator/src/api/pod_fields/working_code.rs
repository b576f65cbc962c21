//! Whether the emulator's code looks at a field at all.

use std::path::Path;

use super::{entries, verdict::Verdict};

/// All that the emulator's own code says, but for its checks of objects, their wire formats and its tests.
fn working_code() -> String {
    fn add(folder: &Path, code: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let aside = [
                "admission/validate",
                "api/pod_fields",
                "api/protobuf",
                "tests.rs",
                "lives",
            ];
            if aside.iter().any(|aside| path.ends_with(aside)) {
                continue;
            }
            if path.is_dir() {
                add(&path, code);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                code.push_str(text.split("mod tests {").next().unwrap());
            }
        }
    }
    let mut code = String::new();
    add(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut code);
    code
}

/// A field's name as the types have it: `set_hostname_as_fqdn`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && snake.ends_with(|before: char| before.is_lowercase()) {
            snake.push('_');
        }
        snake.push(letter);
    }
    snake.to_lowercase()
}

#[test]
fn a_field_that_is_supported_is_read_somewhere_or_it_is_said_why_not() {
    let code = working_code();
    for (entry, verdict) in entries() {
        let name = entry.rsplit('.').next().unwrap().trim_end_matches("[]");
        let snake = snake(name);
        let is_read = || {
            let spellings = [format!(".{snake}"), format!("\"{name}\"")];
            spellings.iter().any(|spelling| code.contains(spelling.as_str()))
        };
        if verdict == Verdict::Supported(None) {
            assert!(is_read(), "{entry} is read nowhere");
        }
    }
}
