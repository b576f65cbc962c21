//! What is measured.

use std::ffi::CString;
use std::fs;
use std::path::PathBuf;

/// A program that can be PID 1, and how it is called.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) words: Vec<CString>,
}

impl Program {
    /// Ours, as the build script left it.
    pub(crate) fn ours() -> Self {
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let file = PathBuf::from(env!("OUT_DIR")).join(format!("pause-{architecture}"));
        Self {
            name: "this pause".to_owned(),
            words: vec![CString::new(file.to_str().unwrap()).unwrap()],
        }
    }

    /// A peer, from `NAME=PROGRAM[ ARGUMENT…]`.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let (name, line) = text.split_once('=')?;
        let words: Vec<CString> = line.split(' ').map(|word| CString::new(word).unwrap()).collect();
        Some(Self {
            name: name.to_owned(),
            words,
        })
    }

    /// The size of its file, without the libraries that it loads.
    pub(crate) fn bytes(&self) -> u64 {
        let path = self.words[0].to_str().unwrap();
        fs::metadata(path)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
            .len()
    }

    /// Whether it loads libraries.
    pub(crate) fn is_dynamic(&self) -> bool {
        let bytes = fs::read(self.words[0].to_str().unwrap()).unwrap();
        let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        // Of the ELF header: where the program headers begin, their size, and how many there are.
        let (begin, size, count) = (number(32), number(54), number(56));
        // PT_INTERP: the loader's path.
        (0..count).any(|header| number(begin + header * size) == 3)
    }
}
