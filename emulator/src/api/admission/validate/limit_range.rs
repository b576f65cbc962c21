//! LimitRanges (`pkg/apis/core/validation`, `ValidateLimitRange`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::resource_names;
use crate::api::admission::{
    field_error::{Errors, Path},
    names,
    quantity::Quantity,
};

/// The kinds of limits without a prefix.
const TYPES: [&str; 3] = ["Pod", "Container", "PersistentVolumeClaim"];

/// Amounts of one item by resource.
type Amounts = BTreeMap<String, Quantity>;

/// Checks a LimitRange.
pub(super) fn check(range: &Value, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    let path = Path::new("spec").child("limits");
    for (index, item) in range["spec"]["limits"].as_array().into_iter().flatten().enumerate() {
        let path = path.index(index);
        let kind = item["type"].as_str().unwrap_or_default();
        check_type(kind, &path.child("type"), errors);
        if !seen.insert(kind) {
            errors.duplicate(&path.child("type"), kind);
        }
        check_item(kind, item, &path, errors);
    }
}

fn check_type(kind: &str, path: &Path, errors: &mut Errors) {
    let wrong = names::qualified(kind);
    if wrong.is_empty() && !kind.contains('/') && !TYPES.contains(&kind) {
        errors.invalid(path, kind, "must be a standard limit type or fully qualified");
    }
    errors.invalid_each(path, kind, wrong);
}

fn check_item(kind: &str, item: &Value, path: &Path, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    let mut amounts = |field: &str, errors: &mut Errors| -> Amounts {
        let mut amounts = Amounts::new();
        for (name, amount) in item[field].as_object().into_iter().flatten() {
            let path = path.child(field).key(name);
            match kind {
                "Pod" | "Container" => resource_names::of_container(name, &path, errors),
                _ => drop(resource_names::any(name, &path, errors)),
            }
            names.insert(name.clone());
            let amount = amount.as_str().and_then(|text| text.parse().ok());
            amounts.insert(name.clone(), amount.unwrap_or(Quantity::ZERO));
        }
        amounts
    };
    let max = amounts("max", errors);
    let min = amounts("min", errors);
    let (mut default, mut request) = (Amounts::new(), Amounts::new());
    if kind == "Pod" {
        for field in ["default", "defaultRequest"] {
            if item[field].as_object().is_some_and(|amounts| !amounts.is_empty()) {
                errors.forbidden(&path.child(field), "may not be specified when `type` is 'Pod'");
            }
        }
    } else {
        default = amounts("default", errors);
        request = amounts("defaultRequest", errors);
    }
    if kind == "PersistentVolumeClaim" && !min.contains_key("storage") && !max.contains_key("storage") {
        errors.required(
            &path.child("limits"),
            "either minimum or maximum storage value is required, but neither was provided",
        );
    }
    let ratio = amounts("maxLimitRequestRatio", errors);
    for name in names {
        let of = |amounts: &Amounts| amounts.get(&name).copied();
        let one = OneResource {
            name: &name,
            max: of(&max),
            min: of(&min),
            default: of(&default),
            request: of(&request),
            ratio: of(&ratio),
        };
        one.check(path, errors);
    }
}

/// What one item says about one resource.
struct OneResource<'a> {
    name: &'a str,
    max: Option<Quantity>,
    min: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

impl OneResource<'_> {
    /// Checks the amounts against each other.
    fn check(&self, path: &Path, errors: &mut Errors) {
        let (max, min, default, request) = (self.max, self.min, self.default, self.request);
        // Each: the smaller amount and its name, the larger and its name, the field to blame and the value to show.
        let (min_word, max_word) = ("min value", "max value");
        let (request_word, limit_word) = ("default request value", "default limit value");
        for ((small, small_word), (large, large_word), field, shown) in [
            ((min, min_word), (max, max_word), "min", min),
            ((min, min_word), (request, request_word), "defaultRequest", request),
            ((request, request_word), (max, max_word), "defaultRequest", request),
            (
                (request, request_word),
                (default, limit_word),
                "defaultRequest",
                request,
            ),
            ((min, min_word), (default, "default value"), "default", min),
            ((default, "default value"), (max, max_word), "default", max),
        ] {
            if let (Some(small), Some(large), Some(shown)) = (small, large, shown)
                && small > large
            {
                errors.invalid(
                    &path.child(field).key(self.name),
                    shown.to_string(),
                    format!("{small_word} {small} is greater than {large_word} {large}"),
                );
            }
        }
        self.check_ratio(path, errors);
        if let (Some(default), Some(request)) = (default, request)
            && !resource_names::can_be_overcommitted(self.name)
            && default != request
        {
            errors.invalid(
                &path.child("defaultRequest").key(self.name),
                request.to_string(),
                format!(
                    "default value {default} must equal to defaultRequest value {request} in {}",
                    self.name
                ),
            );
        }
    }

    fn check_ratio(&self, path: &Path, errors: &mut Errors) {
        let Some(ratio) = self.ratio else { return };
        let path = path.child("maxLimitRequestRatio").key(self.name);
        if ratio < Quantity::from_units(1) {
            errors.invalid(&path, ratio.to_string(), format!("ratio {ratio} is less than 1"));
        }
        if let (Some(min), Some(max)) = (self.min, self.max) {
            let most = max.ratio_to(min);
            if ratio.ratio_to(Quantity::from_units(1)) > most {
                let words = format!("ratio {ratio} is greater than max/min = {most:.6}");
                errors.invalid(&path, ratio.to_string(), words);
            }
        }
    }
}
