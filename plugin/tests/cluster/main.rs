//! What is asked of an API server, and what is made of its answers.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod naming;
mod pages;
mod requests;
mod round;
#[path = "../support/mod.rs"]
mod support;
mod watching;
