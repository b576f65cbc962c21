//! The image in its archive: one index, whatever it has been built for.

use std::fs;

use pause::Binary;
use pause::image::Image;
use tests::cluster::Cluster;
use tests::emulator::Emulator;
use tests::podman::Podman;

#[test]
fn an_archive_of_two_architectures_is_taken_by_containerd_podman_and_the_emulator() {
    let (ours, others) = if cfg!(target_arch = "aarch64") {
        ("arm64", "amd64")
    } else {
        ("amd64", "arm64")
    };
    let binaries = [
        Binary {
            architecture: ours,
            bytes: pause::BINARY,
        },
        Binary {
            architecture: others,
            bytes: b"for another machine",
        },
    ];
    let image = Image::new(&binaries);
    let name = "localhost/pause:both";

    let podman = Podman::new();
    let archive = podman.path("both.tar");
    fs::write(&archive, image.archive(name)).unwrap();
    assert!(podman.says(&["load", "--input", &archive]).contains(name));
    let version = podman.says(&["run", "--rm", "--network", "none", name, "-v"]);
    assert_eq!(version, format!("pause {}", pause::VERSION));

    let cluster = Cluster::shared();
    let shown = cluster.path_inside("both.tar");
    fs::copy(&archive, &shown).unwrap();
    let _ = cluster.ctr(&["images", "import", "--snapshotter", "native", &shown.to_string_lossy()]);
    let images = cluster.ctr(&["images", "list", &format!("name=={name}")]);
    assert!(images.contains(&image.index.digest), "{images}");
    assert!(images.contains("linux/amd64,linux/arm64"), "{images}");

    let emulator = Emulator::start();
    let loaded = emulator.command(&["load", &archive]).succeeded();
    assert_eq!(loaded, format!("Loaded {name}\n"));
}
