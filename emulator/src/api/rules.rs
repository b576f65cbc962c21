//! The rules of RBAC that every cluster has, for an emulator where nobody grants roles
//! (`plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`).

use serde_json::{Value, json};

use super::user::User;

/// Verbs on resources of API groups, or on paths that are about no object.
pub(super) struct Rule {
    verb: &'static str,
    group: &'static str,
    resources: &'static [&'static str],
    paths: &'static [&'static str],
}

/// `cluster-admin`.
const ADMIN: &[Rule] = &[Rule::resources("*", "*", &["*"]), Rule::paths("*", &["*"])];

/// `system:basic-user` and `system:discovery`, for every user that has a name.
const AUTHENTICATED: &[Rule] = &[
    Rule::resources(
        "create",
        "authorization.k8s.io",
        &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    ),
    Rule::resources("create", "authentication.k8s.io", &["selfsubjectreviews"]),
    Rule::paths(
        "get",
        &[
            "/api",
            "/api/*",
            "/apis",
            "/apis/*",
            "/healthz",
            "/livez",
            "/openapi",
            "/openapi/*",
            "/readyz",
            "/version",
            "/version/",
        ],
    ),
];

/// `system:public-info-viewer`, for everybody.
const EVERYBODY: &[Rule] = &[Rule::paths(
    "get",
    &["/healthz", "/livez", "/readyz", "/version", "/version/"],
)];

/// Returns the rules that apply to a user.
pub(super) fn of(user: &User) -> impl Iterator<Item = &'static Rule> {
    let lists: &[&'static [Rule]] = match user {
        user if user.may() => &[ADMIN, AUTHENTICATED, EVERYBODY],
        User::Certified { .. } | User::ServiceAccount(_) => &[AUTHENTICATED, EVERYBODY],
        User::Anonymous => &[EVERYBODY],
    };
    lists.iter().flat_map(|rules| rules.iter())
}

impl Rule {
    const fn resources(verb: &'static str, group: &'static str, resources: &'static [&'static str]) -> Self {
        Self {
            verb,
            group,
            resources,
            paths: &[],
        }
    }

    const fn paths(verb: &'static str, paths: &'static [&'static str]) -> Self {
        Self {
            verb,
            group: "",
            resources: &[],
            paths,
        }
    }

    /// Returns whether the rule is about resources, and not about paths.
    pub(super) fn is_about_resources(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns whether it allows the verb on a path that is about no object.
    pub(super) fn allows_path(&self, verb: &str, path: &str) -> bool {
        let covers = |pattern: &&str| {
            pattern
                .strip_suffix('*')
                .map_or(*pattern == path, |prefix| path.starts_with(prefix))
        };
        matches(self.verb, verb) && self.paths.iter().any(covers)
    }

    /// Returns whether it allows the verb on a resource; a subresource is named as `pods/log`.
    pub(super) fn allows_resource(&self, verb: &str, group: &str, resource: &str) -> bool {
        self.is_about_resources()
            && matches(self.verb, verb)
            && matches(self.group, group)
            && self.resources.iter().any(|name| matches(name, resource))
    }

    /// Returns the rule as a SelfSubjectRulesReview shows it.
    pub(super) fn to_value(&self) -> Value {
        if self.is_about_resources() {
            json!({"verbs": [self.verb], "apiGroups": [self.group], "resources": self.resources})
        } else {
            json!({"verbs": [self.verb], "nonResourceURLs": self.paths})
        }
    }
}

fn matches(pattern: &str, value: &str) -> bool {
    pattern == "*" || pattern == value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Subject;

    #[test]
    fn each_user_may_read_what_its_rules_name() {
        let robot = User::ServiceAccount(Subject::default());
        let may = |user: &User, path| of(user).any(|rule| rule.allows_path("get", path));
        for (path, anonymous, service_account) in [
            ("/version", true, true),
            ("/livez", true, true),
            ("/api", false, true),
            ("/apis/metrics.k8s.io/v1beta1", false, true),
            ("/openapi/v3", false, true),
            ("/metrics", false, false),
        ] {
            assert_eq!(may(&User::Anonymous, path), anonymous, "{path}");
            assert_eq!(may(&robot, path), service_account, "{path}");
            assert!(may(&User::administrator(), path), "{path}");
        }
        assert!(!of(&robot).any(|rule| rule.allows_path("post", "/api")));
    }

    #[test]
    fn service_account_may_only_ask_about_itself() {
        let robot = User::ServiceAccount(Subject::default());
        let may = |user: &User, group, resource| of(user).any(|rule| rule.allows_resource("create", group, resource));
        assert!(may(&robot, "authentication.k8s.io", "selfsubjectreviews"));
        assert!(!may(&robot, "", "pods"));
        assert!(may(&User::administrator(), "", "pods/exec"));
    }
}
