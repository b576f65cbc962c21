//! What is refused, in the real API server's words.

use tests::kubectl::Version;

use crate::{SLEEPER, World};

crate::with_either_kubectl! { what_does_not_exist invalid_pods init_containers_with_probes unknown_kinds likely_mistakes }

fn what_does_not_exist(version: Version) {
    let world = World::new(version);
    let missing = world.kubectl.run("get pod nobody").failed();
    assert_eq!(missing, "Error from server (NotFound): pods \"nobody\" not found\n");
    let kind = world.kubectl.run("get deployments").failed();
    assert!(
        kind.contains("the server doesn't have a resource type \"deployments\""),
        "{kind}"
    );
    let namespaced = world.kubectl.feed("-n nowhere create -f -", SLEEPER).failed();
    assert!(namespaced.contains("namespaces \"nowhere\" not found"), "{namespaced}");
}

fn invalid_pods(version: Version) {
    let world = World::new(version);
    for (from, to, words) in [
        ("- name: main", "- args: []", "spec.containers[0].name: Required value"),
        (
            "name: sleeper",
            "name: Sleeper",
            "metadata.name: Invalid value: \"Sleeper\"",
        ),
        (
            "imagePullPolicy: Never",
            "imagePullPolicy: Sometimes",
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Sometimes\"",
        ),
    ] {
        let refused = world
            .kubectl
            .feed("create --validate=false -f -", &SLEEPER.replace(from, to))
            .failed();
        assert!(refused.contains(words), "{words} in {refused}");
    }
    if version == Version::Current {
        let refused = world
            .kubectl
            .feed("create -f -", &SLEEPER.replace("spec:", "spec:\n  contianers: []"))
            .failed();
        assert!(
            refused.contains("strict decoding error: unknown field \"spec.contianers\""),
            "{refused}"
        );
    }
}

fn init_containers_with_probes(version: Version) {
    let world = World::new(version);
    let init = "spec:
  initContainers:
  - name: first
    image: busybox:1
    command: ['true']
    readinessProbe: {exec: {command: ['true']}}
";
    let refused = world
        .kubectl
        .feed("create -f -", &SLEEPER.replace("spec:\n", init))
        .failed();
    assert!(refused.contains("spec.initContainers[0].readinessProbe"), "{refused}");
}

fn unknown_kinds(version: Version) {
    let world = World::new(version);
    for verb in ["apply", "create"] {
        let line = format!("{verb} -f -");
        let refused = world
            .kubectl
            .feed(&line, &SLEEPER.replace("kind: Pod", "kind: Podd"))
            .failed();
        assert!(
            refused.contains("no matches for kind \"Podd\" in version \"v1\""),
            "{refused}"
        );
    }
}

fn likely_mistakes(version: Version) {
    let world = World::new(version);
    let spec = "spec:
  hostAliases: [{ip: 1.1.1.1}, {ip: 1.1.1.1}]
  nodeSelector: {beta.kubernetes.io/os: linux}
";
    let warned = world.kubectl.feed("create -f -", &SLEEPER.replace("spec:\n", spec));
    let said = &warned.stderr;
    for words in [
        "Warning: spec.hostAliases[1].ip: duplicate ip \"1.1.1.1\"\n",
        "Warning: spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead\n",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(warned.succeeded(), "pod/sleeper created\n");
}
