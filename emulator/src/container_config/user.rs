//! Who a container runs as: the security context, else the image's user, looked up in the image's own files.

use std::io;

use super::{Subject, config_error, inside};
use crate::{image::Root, kubelet::start_failure::StartFailure, runtime::User};

/// The user and groups.
///
/// # Errors
/// A user who would be root against `runAsNonRoot`, or whom the image does not know.
pub fn resolve(subject: &Subject<'_>) -> Result<User, StartFailure> {
    let own = subject.declared.container.security_context.as_ref();
    let of_pod = subject.pod.spec.security_context.as_ref();
    let run_as_user = own
        .and_then(|own| own.run_as_user)
        .or_else(|| of_pod.and_then(|pod| pod.run_as_user));
    let run_as_group = own
        .and_then(|own| own.run_as_group)
        .or_else(|| of_pod.and_then(|pod| pod.run_as_group));
    let non_root = own
        .and_then(|own| own.run_as_non_root)
        .or_else(|| of_pod.and_then(|pod| pod.run_as_non_root));
    let image_user = subject.image.config.user.as_str();
    if non_root == Some(true) {
        refuse_root(subject, run_as_user, image_user)?;
    }
    let files = Accounts::of(&subject.image.root);
    // The kubelet hands on the image's user without its group.
    let of_image = image_user.split(':').next().unwrap_or_default();
    let user = run_as_user.map_or_else(|| of_image.to_owned(), |uid| uid.to_string());
    let account = files.user(&user).ok_or_else(|| {
        StartFailure::new(
            "CreateContainerError",
            format!("unable to find user {user}: no matching entries in passwd file"),
        )
    })?;
    let gid = run_as_group.map_or(account.gid, id);
    let strict = of_pod.and_then(|pod| pod.supplemental_groups_policy.as_deref()) == Some("Strict");
    let mut groups = vec![gid];
    if !strict {
        groups.extend(account.name.iter().flat_map(|name| files.memberships(name)));
    }
    if let Some(of_pod) = of_pod {
        groups.extend(of_pod.supplemental_groups.iter().flatten().copied().map(id));
        groups.extend(of_pod.fs_group.map(id));
    }
    let mut seen = Vec::new();
    groups.retain(|group| {
        !seen.contains(group) && {
            seen.push(*group);
            true
        }
    });
    Ok(User {
        uid: account.uid,
        gid,
        supplemental_groups: groups,
    })
}

/// `kuberuntime/security_context.go`, `verifyRunAsNonRoot`.
fn refuse_root(subject: &Subject<'_>, run_as_user: Option<i64>, image_user: &str) -> Result<(), StartFailure> {
    let place = format!(
        "(pod: {:?}, container: {})",
        subject.pod.full_name(),
        subject.declared.name()
    );
    let user = image_user.split(':').next().unwrap_or_default();
    match (run_as_user, user.parse::<u32>()) {
        (Some(0), _) => Err(config_error(format!(
            "container's runAsUser breaks non-root policy {place}"
        ))),
        (Some(_), _) => Ok(()),
        (None, Ok(0)) => Err(config_error(format!(
            "container has runAsNonRoot and image will run as root {place}"
        ))),
        (None, Ok(_)) => Ok(()),
        (None, Err(_)) if user.is_empty() => Err(config_error(format!(
            "container has runAsNonRoot and image will run as root {place}"
        ))),
        (None, Err(_)) => Err(config_error(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root {place}"
        ))),
    }
}

/// The API has refused what is no user or group ID.
fn id(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX - 1)
}

struct Account {
    uid: u32,
    gid: u32,
    name: Option<String>,
}

/// `/etc/passwd` and `/etc/group` of an image.
struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    fn of(root: &Root) -> Self {
        Self {
            passwd: read(root, "etc/passwd"),
            group: read(root, "etc/group"),
        }
    }

    /// By name or number. A number need not be known; its group is then 0.
    fn user(&self, user: &str) -> Option<Account> {
        let wanted = if user.is_empty() { "0" } else { user };
        let number: Option<u32> = wanted.parse().ok();
        let found = self.passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let (name, uid, gid) = (
                *fields.first()?,
                fields.get(2)?.parse().ok()?,
                fields.get(3)?.parse().ok()?,
            );
            (name == wanted || number == Some(uid)).then(|| Account {
                uid,
                gid,
                name: Some(name.to_owned()),
            })
        });
        found.or(number.map(|uid| Account {
            uid,
            gid: 0,
            name: None,
        }))
    }

    fn memberships<'a>(&'a self, user: &'a str) -> impl Iterator<Item = u32> + 'a {
        self.group.lines().filter_map(move |line| {
            let fields: Vec<&str> = line.split(':').collect();
            fields
                .get(3)?
                .split(',')
                .any(|member| member == user)
                .then(|| fields.get(2)?.parse().ok())?
        })
    }
}

/// The file as the topmost layer that has it holds it; what is no file there hides those below.
fn read(root: &Root, path: &str) -> String {
    let host = [std::path::PathBuf::from("/")];
    let layers = match root {
        Root::Host => &host[..],
        Root::Layers(layers) => layers,
    };
    let mut found = layers.iter().rev().map(|layer| inside::read(layer, path));
    let topmost = found.find(|read| !matches!(read, Err(error) if error.kind() == io::ErrorKind::NotFound));
    topmost.and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        let accounts = Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:100::/:/bin/sh\n".to_owned(),
            group: "users:x:100:\ndocker:x:998:web,other\n".to_owned(),
        };
        let ids = |user: &str| accounts.user(user).map(|account| (account.uid, account.gid));
        assert_eq!(ids(""), Some((0, 0)));
        assert_eq!(ids("web"), Some((1000, 100)));
        assert_eq!(ids("1000"), Some((1000, 100)));
        assert_eq!(ids("4242"), Some((4242, 0)));
        assert_eq!(ids("nobody-there"), None);
        assert_eq!(accounts.memberships("web").collect::<Vec<_>>(), [998]);
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn the_users_are_those_of_the_image_wherever_its_links_lead() {
        let outer = tempfile::tempdir().unwrap();
        let etc = |users: &str| {
            std::fs::create_dir_all(outer.path().join(users)).unwrap();
            std::fs::write(outer.path().join(users).join("passwd"), users).unwrap();
        };
        etc("etc");
        etc("below/etc");
        std::fs::create_dir(outer.path().join("above")).unwrap();
        std::os::unix::fs::symlink("../etc", outer.path().join("above/etc")).unwrap();
        let layers = |names: &[&str]| Root::Layers(names.iter().map(|name| outer.path().join(name)).collect());
        assert_eq!(read(&layers(&["below"]), "etc/passwd"), "below/etc");
        // The machine's own would be one folder up.
        assert_eq!(read(&layers(&["above"]), "etc/passwd"), "");
    }
}
