//! The API server: connecting to it, selecting pods, watching them, and its errors in kubectl's words.
