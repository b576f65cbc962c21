//! cp: files and folders, into a container and out of it.

use std::fs;

use tests::kubectl::Version;
use tests::output::Output;

use crate::World;

crate::with_either_kubectl! { files folders }

fn files(version: Version) {
    let world = World::with_sleeper(version);
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    // More than fits into one message.
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    fs::write(here("sent"), &content).unwrap();
    copy(&world, &here("sent").display().to_string(), "sleeper:/tmp/there");
    assert_eq!(
        world.kubectl.says("exec sleeper -- wc -c /tmp/there"),
        "4000000 /tmp/there\n"
    );
    copy(
        &world,
        "default/sleeper:/tmp/there",
        &here("back").display().to_string(),
    );
    assert!(fs::read(here("back")).unwrap() == content);
}

fn folders(version: Version) {
    let world = World::with_sleeper(version);
    let folder = tempfile::tempdir().unwrap();
    let sent = folder.path().join("sent");
    fs::create_dir_all(sent.join("deep")).unwrap();
    fs::write(sent.join("deep/file"), "text\n").unwrap();
    copy(&world, &sent.display().to_string(), "sleeper:/tmp");
    assert_eq!(world.kubectl.says("exec sleeper -- cat /tmp/sent/deep/file"), "text\n");
    let back = folder.path().join("back");
    copy(&world, "sleeper:/tmp/sent", &back.display().to_string());
    assert_eq!(fs::read_to_string(back.join("deep/file")).unwrap(), "text\n");
}

fn copy(world: &World, from: &str, to: &str) {
    let mut command = world.kubectl.command_of(&["cp", from, to, "-c", "main"]);
    let _ = Output::of(&mut command).succeeded();
}
