//! `kubectl pod pause-image configure`: which setting makes an engine use the image, by its version.

use clap::{Args, ValueEnum};

use super::{PauseImageError, default_name};
use crate::view::printer::Printer;

/// What `configure` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What runs the pods
    #[arg(value_enum)]
    engine: Engine,
    /// Its version; the newest one known where absent
    #[arg(long, value_name = "MAJOR.MINOR")]
    version: Option<String>,
    /// The image to use
    #[arg(long, value_name = "REF", default_value_t = default_name())]
    image: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The kubelet itself: before 1.24 its flag chose the image
    Kubelet,
    /// containerd
    Containerd,
    /// CRI-O
    Crio,
    /// podman
    Podman,
}

/// Prints the setting.
pub(super) fn run(arguments: &Arguments, printer: &mut Printer) -> Result<(), PauseImageError> {
    let version = match &arguments.version {
        Some(text) => {
            let refused = || PauseImageError::NoSetting(format!("'{text}' is no version: it takes the form 1.30"));
            Some(parse(text).ok_or_else(refused)?)
        }
        None => None,
    };
    let text = setting(arguments.engine, version, &arguments.image).map_err(PauseImageError::NoSetting)?;
    printer.document(&text);
    Ok(())
}

fn parse(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().map_or(Some(0), |minor| minor.parse().ok())?;
    Some((major, minor))
}

/// The setting, or why there is none.
fn setting(engine: Engine, version: Option<(u32, u32)>, image: &str) -> Result<String, String> {
    match engine {
        Engine::Kubelet => kubelet(version, image),
        Engine::Containerd => Ok(containerd(version, image)),
        Engine::Crio => Ok(format!(
            "# /etc/crio/crio.conf.d/10-pause.conf, then: systemctl restart crio\n\
             [crio.image]\npause_image = \"{image}\"\npause_command = \"/pause\"\n"
        )),
        Engine::Podman => Ok(format!(
            "# /etc/containers/containers.conf, or ~/.config/containers/containers.conf\n\
             [engine]\ninfra_image = \"{image}\"\ninfra_command = \"/pause\"\n"
        )),
    }
}

fn kubelet(version: Option<(u32, u32)>, image: &str) -> Result<String, String> {
    let flag = format!("--pod-infra-container-image={image}\n");
    match version {
        Some(version) if version <= (1, 23) => Ok(format!(
            "# with dockershim this is the image of every pod's sandbox; with containerd or CRI-O configure those\n{flag}"
        )),
        Some(version) if version <= (1, 28) => Ok(format!(
            "# this only shields the image from garbage collection: configure containerd or CRI-O to use it\n{flag}"
        )),
        Some(version) if version <= (1, 34) => Ok(format!(
            "# accepted, and without effect since 1.29: configure containerd or CRI-O to use the image\n{flag}"
        )),
        _ => Err(
            "the kubelet has no setting for the pause image since 1.35, and does not start with \
                  --pod-infra-container-image: configure the container runtime (configure containerd, configure crio)"
                .to_owned(),
        ),
    }
}

fn containerd(version: Option<(u32, u32)>, image: &str) -> String {
    let old = version.is_some_and(|(major, _)| major < 2);
    let head = "# /etc/containerd/config.toml, then: systemctl restart containerd\n";
    if old {
        format!("{head}version = 2\n\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"{image}\"\n")
    } else {
        format!("{head}version = 3\n\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = '{image}'\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubelet_at(version: &str) -> Result<String, String> {
        setting(Engine::Kubelet, parse(version), "localhost/pause:1")
    }

    #[test]
    fn the_kubelets_flag_is_given_where_it_is_taken() {
        for version in ["1.20", "v1.23.5", "1.24", "1.28.1", "1.29", "1.34"] {
            assert!(
                kubelet_at(version)
                    .unwrap()
                    .ends_with("\n--pod-infra-container-image=localhost/pause:1\n")
            );
        }
        assert!(kubelet_at("1.20").unwrap().contains("dockershim"));
        assert!(kubelet_at("1.28").unwrap().contains("shields"));
        assert!(kubelet_at("1.29").unwrap().contains("without effect"));
    }

    #[test]
    fn newer_kubelets_are_refused_with_the_reason() {
        for version in ["1.35", "1.36", "2.0"] {
            assert!(kubelet_at(version).unwrap_err().contains("since 1.35"), "{version}");
        }
        assert!(setting(Engine::Kubelet, None, "i").is_err());
    }

    #[test]
    fn containerd_moved_its_setting_in_2() {
        let old = setting(Engine::Containerd, parse("1.6"), "i").unwrap();
        assert!(old.contains("[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"i\"\n"));
        for newer in [parse("2.0"), None] {
            let text = setting(Engine::Containerd, newer, "i").unwrap();
            assert!(text.contains("[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = 'i'\n"));
        }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(parse("v1.30.2"), Some((1, 30)));
        assert_eq!(parse("2"), Some((2, 0)));
        assert_eq!(parse("new"), None);
    }
}
