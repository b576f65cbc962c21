//! Volumes that an image declares.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
};

use emulator::runtime::{ContainerConfig, Mount, Propagation, Runtime, SandboxConfig};

use crate::machine::{Machine, output, pod};

/// A container whose image has a volume with content, one that it does not have yet, and one behind a link.
fn with_volumes(machine: &Machine, command: &str) -> ContainerConfig {
    let layer = machine.data.path().join("layer");
    let data = layer.join("srv/data");
    if !data.exists() {
        fs::create_dir_all(data.join("sub")).unwrap();
        fs::write(data.join("file"), "of the image\n").unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o757)).unwrap();
        chown(&data, Some(1000), Some(2000)).unwrap();
        symlink("/srv/data/sub", layer.join("link")).unwrap();
    }
    let mut config = machine.container(command);
    config.image.config.volumes = ["/srv/data/", "absent/below", "/link"].map(str::to_owned).to_vec();
    config.security.read_only_root_filesystem = true;
    config
}

const LOOK: &str = "cat /srv/data/file; ls -ldn /srv/data | { read mode _ uid gid _; echo $mode $uid $gid; }; echo more >>/srv/data/file; \
                    touch /srv/data/sub/behind && ls /link; touch /absent/below/new && ls /absent/below; \
                    touch /srv/new 2>/dev/null || echo fixed";
const SEEN: &str = "of the image\ndrwxr-xrwx 1000 2000\nbehind\nnew\nfixed\n";

#[tokio::test]
async fn image_volume_is_writable_filled_and_new_for_each_container() {
    let machine = Machine::new().await;
    for _ in 0..2 {
        let (status, output) = machine.run(&with_volumes(&machine, LOOK)).await;
        assert_eq!(output, SEEN, "{status:?}");
    }
    let original = fs::read_to_string(machine.data.path().join("layer/srv/data/file")).unwrap();
    assert_eq!(original, "of the image\n");
    machine.close().await;
}

#[tokio::test]
async fn pods_mount_at_an_image_volumes_path_wins() {
    let machine = Machine::new().await;
    let own = machine.data.path().join("own");
    fs::create_dir(&own).unwrap();
    let mut config = with_volumes(
        &machine,
        "ls /srv/data; touch /srv/data/new 2>/dev/null || echo protected",
    );
    config.mounts.push(Mount {
        host_path: own,
        container_path: "/srv/./data".into(),
        read_only: true,
        propagation: Propagation::Private,
        ids_mapped: false,
    });
    let (_, output) = machine.run(&config).await;
    assert_eq!(output, "protected\n");
    machine.close().await;
}

#[tokio::test]
async fn image_volume_goes_with_its_container() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let id = machine.start(&sandbox, &with_volumes(&machine, "true")).await;
    machine.ended(&id).await;
    let folder = machine
        .data
        .path()
        .join("sandboxes")
        .join(&sandbox.0)
        .join("containers")
        .join(&id.0);
    assert!(folder.join("volumes").is_dir());
    machine.runtime.remove_container(&id).await.unwrap();
    assert!(!folder.exists());
    machine.close().await;
}

#[tokio::test]
async fn image_volume_belongs_to_users_of_a_pod_with_its_own() {
    let machine = Machine::new().await;
    let own_users = SandboxConfig {
        user_namespace: true,
        ..pod()
    };
    let sandbox = machine.runtime.run_sandbox(&own_users).await.unwrap();
    let config = with_volumes(&machine, LOOK);
    let id = machine.start(&sandbox, &config).await;
    machine.ended(&id).await;
    assert_eq!(output(&config.log_path), SEEN);
    machine.close().await;
}

#[tokio::test]
async fn image_volume_on_a_file_is_refused() {
    let machine = Machine::new().await;
    let sandbox = machine.runtime.run_sandbox(&pod()).await.unwrap();
    let mut config = machine.container("true");
    config.image.config.volumes = vec!["/etc/passwd".into()];
    let error = machine.runtime.create_container(&sandbox, &config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to create containerd container: taking runtime copy of volume: source /etc/passwd is not directory"
    );
    machine.close().await;
}
