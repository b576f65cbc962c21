//! Users and rights that contradict each other, or that deserve a thought.

use k8s_openapi::api::core::v1::PodSpec;

use super::{Lints, places};
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
        if own.and_then(|own| own.privileged) == Some(true) {
            lints.note(
                place.at("securityContext.privileged"),
                say("lint.privileged").with("container", place.container.name.as_str()),
                say("lint.privileged.help"),
            );
        }
    }
}
