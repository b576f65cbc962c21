//! The facts of one pod: pure functions of its object, its events, and a moment in time.
