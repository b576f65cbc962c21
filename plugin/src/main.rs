//! kubectl-pod
fn main() {}
