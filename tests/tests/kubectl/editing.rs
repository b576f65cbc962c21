//! create, run, apply, label, annotate, patch, set, edit, replace, diff.

use tests::kubectl::Version;
use tests::output::Output;

use crate::{SLEEPER, World};

crate::with_either_kubectl! { creation client_side_apply pruning server_side_apply labels_and_annotations patches images edit_and_replace differences conflicts }

fn creation(version: Version) {
    let world = World::new(version);
    assert_eq!(
        world.kubectl.feed("create --dry-run=server -f -", SLEEPER).succeeded(),
        "pod/sleeper created (server dry run)\n"
    );
    assert_eq!(world.kubectl.says("get pods -o name"), "");
    assert_eq!(
        world.kubectl.feed("create -f -", SLEEPER).succeeded(),
        "pod/sleeper created\n"
    );
    let again = world.kubectl.feed("create -f -", SLEEPER).failed();
    assert!(again.contains("pods \"sleeper\" already exists"), "{again}");
    assert_eq!(
        world
            .kubectl
            .says("run other --image=busybox:1 --image-pull-policy=Never --restart=Never -- sleep 1000"),
        "pod/other created\n"
    );
    world.kubectl.until_ready("other");
}

fn client_side_apply(version: Version) {
    let world = World::new(version);
    assert_eq!(
        world.kubectl.feed("apply -f -", SLEEPER).succeeded(),
        "pod/sleeper created\n"
    );
    assert_eq!(
        world.kubectl.feed("apply -f -", SLEEPER).succeeded(),
        "pod/sleeper unchanged\n"
    );
    let labelled = SLEEPER.replace("{app: sleeper}", "{app: sleeper, tier: back}");
    assert_eq!(
        world.kubectl.feed("apply -f -", &labelled).succeeded(),
        "pod/sleeper configured\n"
    );
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.metadata.labels.tier}"),
        "back"
    );
    assert_eq!(
        world.kubectl.feed("apply -f -", SLEEPER).succeeded(),
        "pod/sleeper configured\n"
    );
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.metadata.labels.tier}"),
        ""
    );
}

/// By default kubectl prunes kinds that only a whole cluster has, and does not start where one of them is missing.
fn pruning(version: Version) {
    let world = World::new(version);
    let allowlist = match version {
        Version::Current => "--prune-allowlist=core/v1/Pod",
        Version::Old => "--prune-whitelist=core/v1/Pod",
    };
    let apply = format!("apply --prune -l app=sleeper {allowlist} -f -");
    let both = format!("{SLEEPER}---\n{}", SLEEPER.replace("name: sleeper", "name: other"));
    let _ = world.kubectl.feed(&apply, &both).succeeded();
    assert_eq!(world.kubectl.says("get pods -o name"), "pod/other\npod/sleeper\n");
    let said = world.kubectl.feed(&apply, SLEEPER).succeeded();
    assert_eq!(said, "pod/sleeper unchanged\npod/other pruned\n");
    world.kubectl.until("get pods -o name", |pods| pods == "pod/sleeper\n");
}

fn server_side_apply(version: Version) {
    let world = World::new(version);
    let apply = "apply --server-side -f -";
    assert_eq!(
        world.kubectl.feed(apply, SLEEPER).succeeded(),
        "pod/sleeper serverside-applied\n"
    );
    let labelled = SLEEPER.replace("{app: sleeper}", "{app: sleeper, tier: back}");
    assert_eq!(
        world.kubectl.feed(apply, &labelled).succeeded(),
        "pod/sleeper serverside-applied\n"
    );
    let other = labelled.replace("tier: back", "tier: front");
    let conflict = world
        .kubectl
        .feed("apply --server-side --field-manager=other -f -", &other)
        .failed();
    assert!(conflict.contains("conflict with \"kubectl\""), "{conflict}");
    let forced = world.kubectl.feed(
        "apply --server-side --field-manager=other --force-conflicts -f -",
        &other,
    );
    let _ = forced.succeeded();
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.metadata.labels.tier}"),
        "front"
    );
    // What one applies no more, and nobody else owns, goes.
    let _ = world
        .kubectl
        .feed("apply --server-side --field-manager=other -f -", SLEEPER)
        .succeeded();
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.metadata.labels.tier}"),
        ""
    );
}

fn labels_and_annotations(version: Version) {
    let world = World::with_sleeper(version);
    assert_eq!(
        world.kubectl.says("label pod sleeper tier=back"),
        "pod/sleeper labeled\n"
    );
    let refused = world.kubectl.run("label pod sleeper tier=front").failed();
    assert!(refused.contains("--overwrite is false"), "{refused}");
    world.kubectl.does("label pod sleeper tier=front --overwrite");
    world.kubectl.does("label pod sleeper tier-");
    assert_eq!(
        world.kubectl.says("get pod sleeper -o jsonpath={.metadata.labels}"),
        r#"{"app":"sleeper"}"#
    );
    world.kubectl.does("annotate pod sleeper example.com/note=one");
    assert_eq!(
        world
            .kubectl
            .says(r"get pod sleeper -o jsonpath={.metadata.annotations.example\.com/note}"),
        "one"
    );
}

fn patches(version: Version) {
    let world = World::with_sleeper(version);
    let label = || {
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.metadata.labels.tier}")
    };
    for (kind, patch, value) in [
        ("strategic", r#"{"metadata":{"labels":{"tier":"a"}}}"#, "a"),
        ("merge", r#"{"metadata":{"labels":{"tier":"b"}}}"#, "b"),
        (
            "json",
            r#"[{"op":"replace","path":"/metadata/labels/tier","value":"c"}]"#,
            "c",
        ),
    ] {
        assert_eq!(
            world
                .kubectl
                .says(&format!("patch pod sleeper --type={kind} -p {patch}")),
            "pod/sleeper patched\n"
        );
        assert_eq!(label(), value, "{kind}");
    }
    let image = r#"{"spec":{"containers":[{"name":"main","image":"docker.io/library/busybox:1"}]}}"#;
    world.kubectl.does(&format!("patch pod sleeper -p {image}"));
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.spec.containers[*].image}"),
        "docker.io/library/busybox:1"
    );
    let command = r#"{"spec":{"containers":[{"name":"main","command":["true"]}]}}"#;
    let refused = world.kubectl.run(&format!("patch pod sleeper -p {command}")).failed();
    assert!(
        refused.contains("pod updates may not change fields other than"),
        "{refused}"
    );
}

fn images(version: Version) {
    let world = World::with_sleeper(version);
    let image = "docker.io/library/busybox:1";
    assert_eq!(
        world.kubectl.says(&format!("set image pod/sleeper main={image}")),
        "pod/sleeper image updated\n"
    );
    // The container is made anew from it.
    let restarts = "get pod sleeper -o jsonpath={.status.containerStatuses[0].restartCount}";
    world.kubectl.until(restarts, |count| count == "1");
    assert_eq!(
        world
            .kubectl
            .says("get pod sleeper -o jsonpath={.spec.containers[0].image}"),
        image
    );
}

fn edit_and_replace(version: Version) {
    let world = World::with_sleeper(version);
    let mut edit = world.kubectl.command("edit pod sleeper");
    edit.env("KUBE_EDITOR", "sed -i s/app:.sleeper/app:\\ edited/");
    let edited = Output::of(&mut edit).succeeded();
    assert!(edited.contains("pod/sleeper edited"), "{edited}");
    let object = world
        .kubectl
        .says("get pod sleeper -o json")
        .replace("\"edited\"", "\"replaced\"");
    assert_eq!(
        world.kubectl.feed("replace -f -", &object).succeeded(),
        "pod/sleeper replaced\n"
    );
    assert_eq!(
        world.kubectl.says("get pod sleeper -o jsonpath={.metadata.labels.app}"),
        "replaced"
    );
    let uid = || world.kubectl.says("get pod sleeper -o jsonpath={.metadata.uid}");
    let before = uid();
    let _ = world.kubectl.feed("replace --force -f -", SLEEPER).succeeded();
    assert_ne!(uid(), before);
}

fn differences(version: Version) {
    let world = World::with_sleeper(version);
    assert_eq!(world.kubectl.feed("diff -f -", SLEEPER).succeeded(), "");
    let labelled = SLEEPER.replace("{app: sleeper}", "{app: sleeper, tier: back}");
    let output = world.kubectl.feed("diff -f -", &labelled);
    assert_eq!(output.code, 1, "{output:#?}");
    assert!(output.stdout.contains("+    tier: back"), "{output:#?}");
}

fn conflicts(version: Version) {
    let world = World::with_sleeper(version);
    let stale = world.kubectl.says("get pod sleeper -o json");
    world.kubectl.does("label pod sleeper tier=back");
    let refused = world.kubectl.feed("replace -f -", &stale).failed();
    assert!(refused.contains("the object has been modified"), "{refused}");
}
