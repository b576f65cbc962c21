//! Kubernetes quantities (`500m`, `64Mi`, `1e3`) as numbers.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::PodSpec, apimachinery::pkg::api::resource::Quantity};

/// Thousandths of a quantity, rounded up; `None` where it is none.
pub fn milli(text: &str) -> Option<i128> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (factor, power): (i128, i32) = match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let power = power + 3 - i32::try_from(fraction.len()).ok()?;
    let value = digits.checked_mul(factor)?;
    let scale = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        value.checked_mul(scale)
    } else {
        Some(value.div_euclid(scale) + i128::from(value.rem_euclid(scale) != 0))
    }
}

/// A sum of thousandths of the resource `name`, written as Kubernetes does.
pub fn text(name: &str, milli: i128) -> String {
    if milli % 1000 != 0 {
        return format!("{milli}m");
    }
    let value = milli / 1000;
    let binary = name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-");
    if binary && value != 0 {
        for (suffix, shift) in [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)] {
            if value % (1 << shift) == 0 {
                return format!("{}{suffix}", value >> shift);
            }
        }
    }
    value.to_string()
}

/// Amounts by resource name, in thousandths.
pub type Amounts = BTreeMap<String, i128>;

fn amounts(map: Option<&BTreeMap<String, Quantity>>) -> Amounts {
    map.into_iter()
        .flatten()
        .filter_map(|(name, quantity)| Some((name.clone(), milli(&quantity.0)?)))
        .collect()
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        *sum.entry(name.clone()).or_default() += amount;
    }
}

/// Whether a pod as a whole can ask for the resource (`component-helpers/resource`, `IsSupportedPodLevelResource`).
pub fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// Replaces the sums of the containers by what the pod as a whole has.
fn override_with(sum: &mut Amounts, pod_level: Option<&BTreeMap<String, Quantity>>) {
    sum.extend(amounts(pod_level).into_iter().filter(|(name, _)| is_pod_level(name)));
}

/// Returns what a pod requests of the node: its own requests, and of all other resources those of containers and sidecars
/// together, or of its greediest init container if that is more.
pub fn requests(spec: &PodSpec) -> Amounts {
    let of = |container: &k8s_openapi::api::core::v1::Container| {
        amounts(
            container
                .resources
                .as_ref()
                .and_then(|resources| resources.requests.as_ref()),
        )
    };
    let mut sum = Amounts::new();
    for container in &spec.containers {
        add(&mut sum, &of(container));
    }
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let own = of(container);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
        } else {
            let mut during = sidecars.clone();
            add(&mut during, &own);
            for (name, amount) in during {
                let highest = peak.entry(name).or_default();
                *highest = (*highest).max(amount);
            }
        }
    }
    for (name, amount) in peak {
        let total = sum.entry(name).or_default();
        *total = (*total).max(amount);
    }
    override_with(&mut sum, spec.resources.as_ref().and_then(|own| own.requests.as_ref()));
    add(&mut sum, &amounts(spec.overhead.as_ref()));
    sum
}

/// How much of one resource all containers of a pod together may use, in thousandths; none where none has a limit.
pub fn limit(spec: &PodSpec, name: &str) -> Option<i128> {
    let of = |container: &k8s_openapi::api::core::v1::Container| {
        let limits = container.resources.as_ref()?.limits.as_ref()?;
        milli(&limits.get(name)?.0)
    };
    let init = || spec.init_containers.iter().flatten();
    let is_sidecar =
        |container: &&k8s_openapi::api::core::v1::Container| container.restart_policy.as_deref() == Some("Always");
    let together = spec
        .containers
        .iter()
        .chain(init().filter(is_sidecar))
        .filter_map(of)
        .reduce(|a, b| a + b);
    let alone = init().filter(|container| !is_sidecar(container)).filter_map(of).max();
    together.max(alone)
}

/// The requests and limits of a pod as its status shows them. A limit is the pod's only where every container has it.
pub fn of_pod(spec: &PodSpec) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let written = |amounts: Amounts| {
        let write = |(name, amount): (String, i128)| {
            let text = text(&name, amount);
            (name, text)
        };
        amounts.into_iter().map(write).collect::<BTreeMap<_, _>>()
    };
    let mut limits = Amounts::new();
    for (index, container) in spec.containers.iter().enumerate() {
        let own = amounts(
            container
                .resources
                .as_ref()
                .and_then(|resources| resources.limits.as_ref()),
        );
        if index == 0 {
            limits = own;
        } else {
            limits.retain(|name, _| own.contains_key(name));
            for (name, amount) in &mut limits {
                *amount += own.get(name).copied().unwrap_or_default();
            }
        }
    }
    override_with(&mut limits, spec.resources.as_ref().and_then(|own| own.limits.as_ref()));
    (written(requests(spec)), written(limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_a_quantity() {
        for (text, expected) in [
            ("1", 1000),
            ("500m", 500),
            ("0.5", 500),
            (".5", 500),
            ("64Mi", 64 * 1024 * 1024 * 1000),
            ("1.5Gi", 3 * 512 * 1024 * 1024 * 1000),
            ("1e3", 1_000_000),
            ("2k", 2_000_000),
            ("100n", 1),
        ] {
            assert_eq!(milli(text), Some(expected), "{text}");
        }
        assert_eq!(milli("lots"), None);
        assert_eq!(milli(""), None);
    }

    #[test]
    fn pod_level_requests_replace_only_their_own_resources() {
        let spec: PodSpec = serde_json::from_value(serde_json::json!({
            "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "3"}},
            "overhead": {"cpu": "100m"},
            "containers": [{"name": "a", "resources": {
                "requests": {"cpu": "1", "memory": "1k", "example.com/gpu": "1"}, "limits": {"cpu": "1", "example.com/gpu": "1"}}}],
        }))
        .unwrap();
        let text = |name: &str| requests(&spec).get(name).copied();
        assert_eq!(text("cpu"), Some(2100));
        assert_eq!(text("memory"), Some(1_000_000));
        assert_eq!(text("example.com/gpu"), Some(1000));
        assert_eq!(
            of_pod(&spec).1,
            BTreeMap::from([("cpu".into(), "3".into()), ("example.com/gpu".into(), "1".into())])
        );
    }

    #[test]
    fn writes_sums_as_kubernetes_does() {
        assert_eq!(text("cpu", 1500), "1500m");
        assert_eq!(text("memory", 64 * 1024 * 1024 * 1000), "64Mi");
        assert_eq!(text("pods", 110_000), "110");
    }
}
