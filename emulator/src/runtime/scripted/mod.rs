//! A runtime that runs nothing: containers live by a script, in virtual time.
