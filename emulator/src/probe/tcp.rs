//! A TCP connection: made is success.

use std::{net::SocketAddr, time::Duration};

use super::dial_error;
use crate::{kubelet::edges::Outcome, runtime::SharedRuntime};

/// Connects and hangs up.
pub(super) async fn probe(runtime: &SharedRuntime, address: SocketAddr, timeout: Duration) -> Outcome {
    match tokio::time::timeout(timeout, runtime.dial(address)).await {
        Ok(Ok(_)) => Outcome::Success,
        Ok(Err(error)) => Outcome::Failure(dial_error(address, &error)),
        Err(_) => Outcome::Failure(format!("dial tcp {address}: i/o timeout")),
    }
}
