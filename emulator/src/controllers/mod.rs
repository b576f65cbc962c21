//! TODO controllers
