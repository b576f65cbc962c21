//! TODO probe
