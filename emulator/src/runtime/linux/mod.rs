//! The runtime that runs real processes on Linux.
