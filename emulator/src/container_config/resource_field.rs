//! `resourceFieldRef`: requests and limits of a container as numbers (`pkg/api/v1/resource/helpers.go`).

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, ResourceFieldSelector},
    apimachinery::pkg::api::resource::Quantity,
};
use serde_json::Value;

use crate::quantity::milli;

/// The value divided by its divisor, rounded up. A missing limit is what the node has.
///
/// # Errors
/// A resource that can't be asked for, or a quantity that is none.
pub fn value(container: &Container, selector: &ResourceFieldSelector, node: &Value) -> Result<String, String> {
    let unsupported = || format!("Unsupported container resource : {}", selector.resource);
    let (kind, resource) = selector.resource.split_once('.').ok_or_else(unsupported)?;
    let known = matches!(resource, "cpu" | "memory" | "ephemeral-storage") || resource.starts_with("hugepages-");
    if !known || !matches!(kind, "limits" | "requests") {
        return Err(unsupported());
    }
    let of =
        |map: Option<&BTreeMap<String, Quantity>>| map.and_then(|map| map.get(resource)).map(|found| found.0.clone());
    let resources = container.resources.as_ref();
    let found = match kind {
        "limits" => of(resources.and_then(|resources| resources.limits.as_ref()))
            .or_else(|| node["status"]["allocatable"][resource].as_str().map(str::to_owned)),
        _ => of(resources.and_then(|resources| resources.requests.as_ref())),
    };
    let found = found.unwrap_or_else(|| "0".to_owned());
    let divisor = selector.divisor.as_ref().map_or("1", |divisor| divisor.0.as_str());
    let amount = milli(&found).ok_or_else(|| format!("{found:?} is not a quantity"))?;
    let divisor = match milli(divisor).ok_or_else(|| format!("{divisor:?} is not a quantity"))? {
        0 => 1000, // The API's default, "0", stands for 1.
        divisor => divisor,
    };
    Ok(((amount + divisor - 1).div_euclid(divisor)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(resource: &str, divisor: &str) -> Result<String, String> {
        let container: Container = serde_json::from_value(json!({
            "name": "c", "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}},
        }))
        .unwrap();
        let selector = ResourceFieldSelector {
            resource: resource.to_owned(),
            divisor: Some(Quantity(divisor.to_owned())),
            container_name: None,
        };
        value(
            &container,
            &selector,
            &json!({"status": {"allocatable": {"memory": "8Gi"}}}),
        )
    }

    #[test]
    fn amounts_are_divided_and_rounded_up() {
        assert_eq!(ask("limits.cpu", "0").unwrap(), "2");
        assert_eq!(ask("limits.cpu", "1m").unwrap(), "1500");
        assert_eq!(ask("requests.memory", "1Mi").unwrap(), "64");
        assert_eq!(ask("limits.memory", "1Gi").unwrap(), "8");
        assert_eq!(ask("requests.cpu", "1").unwrap(), "0");
        assert!(ask("limits.gpu", "1").is_err());
    }
}
