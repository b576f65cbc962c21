//! Times as Kubernetes writes them.

use jiff::Timestamp;

/// Whole seconds; what is beyond is cut off.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
