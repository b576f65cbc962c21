//! Users and rights that contradict each other, or that deserve a thought.

use emulator::container_config::security::is_capability;
use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, Place, places};
use crate::findings::message::say;

pub(super) fn rules(spec: &PodSpec, lints: &mut Lints) {
    let pod = spec.security_context.as_ref();
    for place in places(spec) {
        let own = place.container.security_context.as_ref();
        let must_not_be_root = own
            .and_then(|own| own.run_as_non_root)
            .or_else(|| pod.and_then(|pod| pod.run_as_non_root))
            == Some(true);
        let user = own
            .and_then(|own| own.run_as_user)
            .or_else(|| pod.and_then(|pod| pod.run_as_user));
        if must_not_be_root && user == Some(0) {
            let path = match own.and_then(|own| own.run_as_user) {
                Some(_) => place.at("securityContext.runAsUser"),
                None => "spec.securityContext.runAsUser".to_owned(),
            };
            lints.error(path, say("lint.root-forbidden"), say("lint.root-forbidden.help"));
        }
        capabilities(&place, lints);
        if own.and_then(|own| own.privileged) == Some(true) {
            lints.note(
                place.at("securityContext.privileged"),
                say("lint.privileged").with("container", place.container.name.as_str()),
                say("lint.privileged.help"),
            );
        }
    }
}

/// Names that no runtime knows are ignored by it, without a word.
fn capabilities(place: &Place<'_>, lints: &mut Lints) {
    let context = place.container.security_context.as_ref();
    let Some(all) = context.and_then(|context| context.capabilities.as_ref()) else {
        return;
    };
    for (list, names) in [("add", &all.add), ("drop", &all.drop)] {
        for (index, name) in names
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, name)| !is_capability(name))
        {
            let path = place.at(&format!("securityContext.capabilities.{list}[{index}]"));
            let upper = name.to_uppercase();
            match upper.strip_prefix("CAP_").filter(|short| is_capability(short)) {
                Some(short) => lints.warn(
                    path,
                    say("lint.capability-prefix").with("name", name.as_str()),
                    say("lint.capability-prefix.help").with("short", short),
                ),
                None => lints.warn(
                    path,
                    say("lint.capability-unknown").with("name", name.as_str()),
                    say("lint.capability-unknown.help"),
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn capability_names_without_effect_are_found() {
        let spec: PodSpec = serde_json::from_value(
            json!({"containers": [{"name": "a", "securityContext": {"capabilities": {
                "add": ["NET_ADMIN", "all", "CAP_NET_ADMIN", "FLY"],
                "drop": ["cap_all", "kill"],
            }}}]}),
        )
        .unwrap();
        let mut lints = Lints::default();
        rules(&spec, &mut lints);
        let found: Vec<String> = lints
            .0
            .iter()
            .map(|lint| format!("{}: {} ({})", lint.path, lint.what, lint.help))
            .collect();
        let at = "spec.containers[0].securityContext.capabilities";
        let prefix = "has no effect on containerd, which puts CAP_ before each name";
        assert_eq!(
            found,
            [
                format!("{at}.add[2]: capability CAP_NET_ADMIN {prefix} (write NET_ADMIN)"),
                format!(
                    "{at}.add[3]: capability FLY has no effect: Linux has none of this name (use a name of capabilities(7) \
                     without CAP_, such as NET_ADMIN, or ALL)"
                ),
                format!("{at}.drop[0]: capability cap_all {prefix} (write ALL)"),
            ]
        );
    }
}
