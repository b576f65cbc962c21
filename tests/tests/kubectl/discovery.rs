//! What the server says about itself.

use tests::kubectl::Version;

use crate::World;

crate::with_either_kubectl! { versions resources explanations permissions }

fn versions(version: Version) {
    let world = World::new(version);
    let said = world.kubectl.says("version -o json");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["serverVersion"]["minor"], "36");
}

fn resources(version: Version) {
    let kubectl = World::new(version);
    let said = kubectl.kubectl.says("api-resources --no-headers -o name");
    let names: Vec<&str> = said.lines().collect();
    for name in [
        "configmaps",
        "events",
        "namespaces",
        "nodes",
        "pods",
        "secrets",
        "serviceaccounts",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}

fn explanations(version: Version) {
    let world = World::new(version);
    let said = world.kubectl.says("explain pod.spec.containers.image");
    assert!(
        said.contains("image") && said.contains("Container image name"),
        "{said}"
    );
}

fn permissions(version: Version) {
    let world = World::new(version);
    assert_eq!(world.kubectl.says("auth can-i create pods"), "yes\n");
    assert_eq!(world.kubectl.says("auth can-i delete pods --namespace other"), "yes\n");
}
