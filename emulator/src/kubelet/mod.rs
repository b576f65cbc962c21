//! TODO kubelet
