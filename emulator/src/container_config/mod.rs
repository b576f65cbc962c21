//! TODO container_config
