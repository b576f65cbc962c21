//! TODO volumes
