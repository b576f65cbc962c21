//! TODO scheduler
