//! `kubectl pod pause-image configure`: which setting makes an engine use the image, by its version.

use clap::{Args, ValueEnum};

use super::version::Version;
use super::{PauseImageError, default_name, name};
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
    name::check(&arguments.image)?;
    let version = arguments.version.as_deref().map(str::parse::<Version>).transpose();
    let version = version.map_err(PauseImageError::Version)?;
    let text = setting(arguments.engine, version, &arguments.image).map_err(PauseImageError::NoSetting)?;
    printer.document(&text);
    Ok(())
}

/// The setting, or why there is none.
fn setting(engine: Engine, version: Option<Version>, image: &str) -> Result<String, String> {
    match engine {
        Engine::Kubelet => kubelet(version, image),
        Engine::Containerd => containerd(version, image),
        Engine::Crio => Ok(crio(version, image)),
        Engine::Podman => Ok(podman(version, image)),
    }
}

/// kubernetes/kubernetes: dockershim went with 1.24, the sandbox image's exemption from garbage collection with 1.29 (pull
/// request 118544), the flag itself with 1.35.
fn kubelet(version: Option<Version>, image: &str) -> Result<String, String> {
    let flag = format!("--pod-infra-container-image={image}\n");
    match version {
        Some(version) if version < Version::new(1, 24) => Ok(format!(
            "# with dockershim this is the image of every pod's sandbox; with containerd or CRI-O it only shields the image\n\
             # from garbage collection: configure those to use it\n{flag}"
        )),
        Some(version) if version < Version::new(1, 29) => Ok(format!(
            "# deprecated; it only shields the image from garbage collection: configure containerd or CRI-O to use it\n{flag}"
        )),
        Some(version) if version < Version::new(1, 35) => Ok(format!(
            "# accepted, and without effect since 1.29: configure containerd or CRI-O to use the image\n{flag}"
        )),
        _ => Err(
            "the kubelet has no setting for the pause image since 1.35, and does not start with \
                  --pod-infra-container-image: configure the container runtime (configure containerd, configure crio)"
                .to_owned(),
        ),
    }
}

/// containerd/containerd: `docs/cri/config.md`; the second form of the file came with 1.3, the third with 2.0; images pinned
/// against garbage collection with 1.7.3 (pull request 8718).
fn containerd(version: Option<Version>, image: &str) -> Result<String, String> {
    let head = "# /etc/containerd/config.toml, then: systemctl restart containerd\n";
    let unpinned = "# before 1.7.3 it does not keep the image from the kubelet's garbage collection; up to kubelet 1.28 its flag\n\
                    # --pod-infra-container-image does\n";
    match version {
        Some(version) if version < Version::new(1, 0) => Err(format!(
            "containerd {}.{} runs no pods: they came with its CRI plugin, in 1.0",
            version.major, version.minor
        )),
        Some(version) if version < Version::new(1, 3) => Ok(format!(
            "{head}{unpinned}[plugins.cri]\n  sandbox_image = \"{image}\"\n"
        )),
        Some(version) if version < Version::new(2, 0) => Ok(format!(
            "{head}{unpinned}version = 2\n\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"{image}\"\n"
        )),
        _ => Ok(format!(
            "{head}version = 3\n\n[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = '{image}'\n"
        )),
    }
}

/// cri-o/cri-o: `docs/crio.conf.5.md`; the folder of partial files came with 1.18.
fn crio(version: Option<Version>, image: &str) -> String {
    let file = match version {
        Some(version) if version < Version::new(1, 18) => "crio.conf",
        _ => "crio.conf.d/10-pause.conf",
    };
    format!(
        "# /etc/crio/{file}, then: systemctl restart crio\n\
         [crio.image]\npause_image = \"{image}\"\npause_command = \"/pause\"\n"
    )
}

/// containers/podman: `libpod.conf` before 2.0, `containers.conf` since; some 3.4 ignored it (issues 12245, 12771).
fn podman(version: Option<Version>, image: &str) -> String {
    let setting = format!("infra_image = \"{image}\"\ninfra_command = \"/pause\"\n");
    match version {
        Some(version) if version < Version::new(2, 0) => {
            format!(
                "# /etc/containers/libpod.conf, or ~/.config/containers/libpod.conf; above its first [table]\n{setting}"
            )
        }
        _ => {
            let flags = match version {
                Some(version) if version == Version::new(3, 4) => format!(
                    "# some releases of 3.4 do not read it: there, podman pod create --infra-image {image} --infra-command /pause\n"
                ),
                _ => String::new(),
            };
            format!(
                "# /etc/containers/containers.conf, or ~/.config/containers/containers.conf\n{flags}[engine]\n{setting}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "localhost/pause:1";

    fn at(engine: Engine, version: &str) -> Result<String, String> {
        setting(engine, Some(version.parse().unwrap()), IMAGE)
    }

    #[test]
    fn the_kubelets_flag_is_given_where_it_is_taken() {
        for version in ["1.20", "v1.23.5", "1.24", "1.28.1", "1.29", "1.34"] {
            assert!(
                at(Engine::Kubelet, version)
                    .unwrap()
                    .ends_with("\n--pod-infra-container-image=localhost/pause:1\n")
            );
        }
        assert!(at(Engine::Kubelet, "1.23").unwrap().contains("dockershim"));
        assert!(at(Engine::Kubelet, "1.24").unwrap().contains("only shields"));
        assert!(at(Engine::Kubelet, "1.28").unwrap().contains("only shields"));
        assert!(at(Engine::Kubelet, "1.29").unwrap().contains("without effect"));
    }

    #[test]
    fn newer_kubelets_are_refused_with_the_reason() {
        for version in ["1.35", "1.36", "2.0"] {
            assert!(
                at(Engine::Kubelet, version).unwrap_err().contains("since 1.35"),
                "{version}"
            );
        }
        assert!(setting(Engine::Kubelet, None, IMAGE).is_err());
    }

    #[test]
    fn containerd_moved_its_setting_twice() {
        let oldest = at(Engine::Containerd, "1.2").unwrap();
        assert!(
            oldest.ends_with("\n[plugins.cri]\n  sandbox_image = \"localhost/pause:1\"\n"),
            "{oldest}"
        );
        for version in ["1.3", "1.6", "1.7"] {
            let old = at(Engine::Containerd, version).unwrap();
            let table = "[plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = \"localhost/pause:1\"\n";
            assert!(old.contains(&format!("\nversion = 2\n\n{table}")), "{old}");
        }
        for newer in [at(Engine::Containerd, "2.0"), setting(Engine::Containerd, None, IMAGE)] {
            let newer = newer.unwrap();
            let table = "[plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = 'localhost/pause:1'\n";
            assert!(newer.contains(&format!("\nversion = 3\n\n{table}")), "{newer}");
        }
        assert!(at(Engine::Containerd, "0.2").unwrap_err().contains("runs no pods"));
    }

    #[test]
    fn cri_o_and_podman_are_told_image_and_command() {
        for (engine, version, file) in [
            (Engine::Crio, "1.17", "/etc/crio/crio.conf,"),
            (Engine::Crio, "1.30", "/etc/crio/crio.conf.d/"),
            (Engine::Podman, "1.9", "/etc/containers/libpod.conf"),
            (Engine::Podman, "5.2", "/etc/containers/containers.conf"),
        ] {
            let text = at(engine, version).unwrap();
            assert!(text.contains(file), "{text}");
            assert!(text.contains("_image = \"localhost/pause:1\"\n"), "{text}");
            assert!(text.ends_with("_command = \"/pause\"\n"), "{text}");
        }
        assert!(
            at(Engine::Podman, "3.4")
                .unwrap()
                .contains("--infra-image localhost/pause:1")
        );
        assert!(!at(Engine::Podman, "4.3").unwrap().contains("--infra-image"));
    }
}
