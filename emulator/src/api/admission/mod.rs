//! What the API server does to an object before it is stored: reads it, fills in what is left out, and refuses
//! what can't be. Pure: from the object, the request and the objects it refers to.

mod app_armor;
mod decode;
mod defaults;
mod document;
mod field_error;
mod fields;
mod go_words;
mod label_keys;
mod limit_range;
mod names;
mod omit;
pub mod pod_security;
mod priority;
mod qos;
mod quantity;
mod rejection;
pub mod resource_quota;
mod runtime_class;
mod schema;
mod service_account;
mod tolerations;
mod tree;
mod update;
mod validate;
mod warnings;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::field_error::{Errors, Path};
use crate::{
    features::Features,
    store::{Key, Resource},
};

pub(super) use self::names::{label_value, qualified};
pub use self::{
    app_armor::annotations as app_armor_annotations,
    decode::{Decoded, FieldValidation, decode, decode_document},
    defaults::apply as apply_defaults,
    document::Document,
    field_error::{FieldError, Kind},
    fields::{WrongType, check},
    names::random_suffix,
    priority::SYSTEM_CLASSES,
    qos::qos_class,
    quantity::{Quantity, QuantityError},
    rejection::Rejection,
    update::{Resizing, admit_ephemeral_containers, admit_resize, admit_status, admit_update},
    validate::{validate, validate_static_pod},
    warnings::{Warning, warnings, warnings_before_admission},
};

/// What an object is judged by, besides itself.
pub struct AdmissionContext<'a> {
    /// The namespace in the request's path; empty for what belongs to none.
    pub namespace: &'a str,
    /// The moment of the request.
    pub now: Timestamp,
    /// Looks up an object that another refers to.
    pub lookup: &'a dyn Fn(&Key) -> Option<Arc<Value>>,
    /// Every PriorityClass.
    pub priority_classes: &'a [Arc<Value>],
    /// The LimitRanges of the namespace.
    pub limit_ranges: &'a [Arc<Value>],
}

/// Makes a decoded object ready to be stored as a new one.
///
/// Sets everything but `uid`, `creationTimestamp`, `managedFields` and the version. A `generateName` gets its
/// random end, so a name that is taken is worth another try.
///
/// # Errors
/// Why it is refused.
pub fn admit_create(resource: Resource, object: &mut Value, context: &AdmissionContext<'_>) -> Result<(), Rejection> {
    place(resource, object, context.namespace)?;
    generate_name(object);
    defaults::apply(resource, object);
    let metadata = tree::object_or_new(object, "metadata");
    for field in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "resourceVersion",
    ] {
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.shift_remove(field);
        }
    }
    match resource {
        Resource::Pods => prepare_pod(object, context)?,
        Resource::Namespaces => {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        Resource::ResourceQuotas => object["status"] = json!({}),
        Resource::PriorityClasses => only_default(object, context)?,
        _ => {}
    }
    validate(resource, object)?;
    if resource == Resource::Pods {
        let errors = validate::on_create(object);
        Rejection::of_fields(resource, object, errors)?;
    }
    check_policies(resource, None, object, context)
}

/// Checks an object that is valid in itself against the policies of its namespace: the plugins that only validate.
fn check_policies(
    resource: Resource,
    old: Option<&Value>,
    object: &Value,
    context: &AdmissionContext<'_>,
) -> Result<(), Rejection> {
    match resource {
        Resource::Namespaces => Rejection::of_fields(resource, object, pod_security::label_errors(old, object)),
        Resource::Pods => {
            let limits = || limit_range::refusal(object, context.limit_ranges);
            let security = || pod_security::refusal(&*context.own_namespace()?, old, object);
            // An update can't change what a pod asks for.
            let why = old.map_or_else(limits, |_| None).or_else(security);
            why.map_or(Ok(()), |why| Err(Rejection::forbidden(resource, object, why)))
        }
        _ => Ok(()),
    }
}

/// What the policy of its namespace warns of in an object that was taken.
///
/// `pods` are those of a namespace that is the object itself.
pub fn policy_warnings(
    resource: Resource,
    old: Option<&Value>,
    object: &Value,
    namespace: Option<&Value>,
    pods: &[Arc<Value>],
) -> Vec<String> {
    let warning = match (resource, old, namespace) {
        (Resource::Namespaces, Some(old), _) => return pod_security::namespace_warnings(old, object, pods),
        (Resource::Pods, _, Some(namespace)) => pod_security::warning(namespace, old, object),
        (Resource::PodTemplates, _, Some(namespace)) => pod_security::warning(namespace, None, &object["template"]),
        _ => None,
    };
    warning.into_iter().collect()
}

impl AdmissionContext<'_> {
    /// The namespace of the request.
    fn own_namespace(&self) -> Option<Arc<Value>> {
        (self.lookup)(&Key::new(Resource::Namespaces, "", self.namespace))
    }
}

/// Does to a decoded object what `POST` does before it is stored: drops what belongs to features that are off, and
/// admits the rest. Returns the texts of `Warning:` headers.
///
/// # Errors
/// Why it is refused.
pub fn admit_new(
    resource: Resource,
    object: &mut Value,
    context: &AdmissionContext<'_>,
    features: &Features,
) -> Result<Vec<String>, Rejection> {
    let mut told = match resource {
        Resource::Pods => features.drop_disabled(object),
        _ => Vec::new(),
    };
    let before = warnings_before_admission(resource, object);
    admit_create(resource, object, context)?;
    check_features(resource, object, None, features)?;
    let found = before.into_iter().chain(warnings(resource, object));
    told.extend(found.map(|warning| warning.to_string()));
    let own = (context.lookup)(&Key::new(Resource::Namespaces, "", context.namespace));
    told.extend(policy_warnings(resource, None, object, own.as_deref(), &[]));
    Ok(told)
}

/// Refuses a pod that asks for what belongs to a feature that is off, unless it was so before (`pkg/api/pod/util.go`).
///
/// # Errors
/// The field that asks for it.
pub fn check_features(
    resource: Resource,
    object: &Value,
    before: Option<&Value>,
    features: &Features,
) -> Result<(), Rejection> {
    if resource != Resource::Pods || before.is_some_and(|before| features.forbidden(before).is_some()) {
        return Ok(());
    }
    let mut errors = Errors::default();
    if let Some(forbidden) = features.forbidden(object) {
        errors.not_supported(&Path::new(&forbidden.path), &forbidden.value, forbidden.supported);
    }
    Rejection::of_fields(resource, object, errors.into_inner())
}

/// Refuses a second default PriorityClass.
fn only_default(class: &Value, context: &AdmissionContext<'_>) -> Result<(), Rejection> {
    let why = priority::second_default(class, context.priority_classes);
    why.map_or(Ok(()), |why| {
        Err(Rejection::forbidden(Resource::PriorityClasses, class, why))
    })
}

/// Puts the object into the request's namespace, and refuses one that says it is elsewhere.
fn place(resource: Resource, object: &mut Value, namespace: &str) -> Result<(), Rejection> {
    let metadata = tree::object_or_new(object, "metadata");
    let given = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if !resource.namespaced() {
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.shift_remove("namespace");
        }
        return Ok(());
    }
    if given.is_empty() {
        metadata["namespace"] = namespace.into();
    } else if given != namespace {
        return Err(Rejection::BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request".into(),
        ));
    }
    Ok(())
}

/// The longest part of a generated name that is kept before its random end.
const LONGEST_PREFIX: usize = 58;

fn generate_name(object: &mut Value) {
    let metadata = tree::object_or_new(object, "metadata");
    let named = metadata
        .get("name")
        .and_then(Value::as_str)
        .is_some_and(|name| !name.is_empty());
    if named {
        return;
    }
    if let Some(prefix) = metadata
        .get("generateName")
        .and_then(Value::as_str)
        .filter(|prefix| !prefix.is_empty())
    {
        let kept: String = prefix.chars().take(LONGEST_PREFIX).collect();
        metadata["name"] = format!("{kept}{}", random_suffix()).into();
    }
}

/// Account, tolerations, priority and the first status of a pod.
fn prepare_pod(pod: &mut Value, context: &AdmissionContext<'_>) -> Result<(), Rejection> {
    let forbidden = |pod: &Value, why: String| Rejection::forbidden(Resource::Pods, pod, why);
    limit_range::apply_defaults(pod, context.limit_ranges);
    if service_account::is_mirror(pod) {
        service_account::check_mirror(pod).map_err(|why| forbidden(pod, why))?;
    } else {
        let name = service_account::name(pod);
        let key = Key::new(Resource::ServiceAccounts, context.namespace, name.as_str());
        let account = (context.lookup)(&key).ok_or_else(|| {
            let namespace = context.namespace;
            let why =
                format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
            forbidden(pod, why)
        })?;
        service_account::apply(pod, &account);
    }
    tolerations::apply(pod);
    priority::apply(pod, context.priority_classes).map_err(|why| forbidden(pod, why))?;
    let class = runtime_class::name(pod).map(|name| Key::new(Resource::RuntimeClasses, "", name));
    let class = class.and_then(|key| (context.lookup)(&key));
    runtime_class::apply(pod, class.as_ref()).map_err(|why| forbidden(pod, why))?;
    label_keys::apply(pod);
    app_armor::apply(pod);
    pod["metadata"]["generation"] = 1.into();
    pod["status"] = first_status(&pod["spec"], context.now);
    Ok(())
}

fn first_status(spec: &Value, now: Timestamp) -> Value {
    let mut status = json!({"phase": "Pending", "qosClass": qos_class(spec)});
    let gated = spec["schedulingGates"]
        .as_array()
        .is_some_and(|gates| !gates.is_empty());
    if gated {
        status["conditions"] = json!([{
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": null,
            "lastTransitionTime": format!("{now:.0}"),
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }]);
    }
    status
}

#[cfg(test)]
mod tests;
