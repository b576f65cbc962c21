//! A port by number, or by the name that the container gives it.

use k8s_openapi::{api::core::v1::Container, apimachinery::pkg::util::intstr::IntOrString};

/// The number.
///
/// # Errors
/// A name that the container does not have, or a number that is no port.
pub(super) fn resolve(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let named = container
                .ports
                .iter()
                .flatten()
                .find(|port| port.name.as_deref() == Some(name));
            match (named, name.parse()) {
                (Some(port), _) => port.container_port,
                (None, Ok(number)) => number,
                // A name that no port has is read as a number, and that fails.
                (None, Err(_)) => return Err(format!("strconv.Atoi: parsing {name:?}: invalid syntax")),
            }
        }
    };
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("invalid port number: {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_by_number_or_name() {
        let container: Container =
            serde_json::from_value(serde_json::json!({"name": "c", "ports": [{"name": "web", "containerPort": 80}]}))
                .unwrap();
        let by = |port: IntOrString| resolve(&container, &port);
        assert_eq!(by(IntOrString::Int(8080)), Ok(8080));
        assert_eq!(by(IntOrString::String("web".to_owned())), Ok(80));
        assert_eq!(
            by(IntOrString::String("admin".to_owned())).unwrap_err(),
            "strconv.Atoi: parsing \"admin\": invalid syntax"
        );
        assert!(by(IntOrString::Int(70000)).is_err());
    }
}
