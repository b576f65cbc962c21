//! What a namespace asks of its pods: Pod Security, LimitRanges, ResourceQuotas; and RuntimeClasses and PodTemplates.

use tests::kubectl::{Kubectl, Version};

use crate::{SLEEPER, World};

crate::with_either_kubectl! {
    pod_security_refuses_and_warns
    pod_security_of_namespaces
    limit_ranges
    resource_quotas
    quotas_under_concurrent_creation
    runtime_classes
    pod_templates
}

/// The pod of that name, with more lines in its container.
fn pod(name: &str, container: &str) -> String {
    let pod = SLEEPER.replace("name: sleeper", &format!("name: {name}"));
    format!("{pod}{container}")
}

/// Creates what a manifest says; what kubectl warned of.
#[track_caller]
fn create(kubectl: &Kubectl, manifest: &str) -> String {
    let output = kubectl.feed("create -f -", manifest);
    assert_eq!(output.code, 0, "{output:#?}");
    output.stderr
}

fn pod_security_refuses_and_warns(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    kubectl.does("label namespace default pod-security.kubernetes.io/enforce=baseline");
    let privileged = "    securityContext: {privileged: true}\n";
    let refused = kubectl.feed("create -f -", &pod("first", privileged)).failed();
    assert!(
        refused.contains(
            "pods \"first\" is forbidden: violates PodSecurity \"baseline:latest\": privileged (container \"main\" must \
             not set securityContext.privileged=true)"
        ),
        "{refused}"
    );
    kubectl.does("label namespace default pod-security.kubernetes.io/warn=restricted");
    kubectl.does("label namespace default pod-security.kubernetes.io/warn-version=v1.20");
    let warned = create(kubectl, &pod("first", ""));
    assert_eq!(
        warned,
        "Warning: would violate PodSecurity \"restricted:v1.20\": allowPrivilegeEscalation != false (container \"main\" \
         must set securityContext.allowPrivilegeEscalation=false), runAsNonRoot != true (pod or container \"main\" must \
         set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"main\" must set \
         securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")\n"
    );
    // What changes neither images nor containers is not looked at.
    assert_eq!(kubectl.run("label pod first a=b").stderr, "");
    let image = kubectl.run("set image pod/first main=busybox:1.0");
    assert!(
        image.stderr.starts_with("Warning: would violate PodSecurity"),
        "{image:#?}"
    );
    let patch =
        r#"{"spec":{"ephemeralContainers":[{"name":"d","image":"busybox:1","securityContext":{"privileged":true}}]}}"#;
    if version == Version::Current {
        let debugged = kubectl.run(&format!("patch pod first --subresource=ephemeralcontainers -p {patch}"));
        let refused = debugged.failed();
        assert!(
            refused.contains("must not set securityContext.privileged=true"),
            "{refused}"
        );
    }
}

fn pod_security_of_namespaces(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    let refused = kubectl
        .run("label namespace default pod-security.kubernetes.io/enforce=strict")
        .failed();
    assert!(
        refused.contains(
            "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one of privileged, \
             baseline, restricted"
        ),
        "{refused}"
    );
    let network = "  hostNetwork: true\n";
    create(kubectl, &pod("b", network));
    create(kubectl, &pod("a", network));
    create(kubectl, &pod("c", ""));
    let labelled = kubectl.run("label namespace default pod-security.kubernetes.io/enforce=baseline");
    assert_eq!(
        labelled.stderr,
        "Warning: existing pods in namespace \"default\" violate the new PodSecurity enforce level \"baseline:latest\"\n\
         Warning: a (and 1 other pod): host namespaces\n"
    );
    let relaxed = kubectl.run("label --overwrite namespace default pod-security.kubernetes.io/enforce=privileged");
    assert_eq!(relaxed.stderr, "");
}

fn limit_ranges(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    let range = "apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec:
  limits:
  - type: Container
    max: {memory: 64Mi}
    min: {memory: 8Mi}
    defaultRequest: {cpu: 10m}
";
    create(kubectl, range);
    create(kubectl, &pod("first", ""));
    let of_first = |path: &str| kubectl.says(&format!("get pod first -o jsonpath={path}"));
    assert_eq!(of_first("{.spec.containers[0].resources.limits.memory}"), "64Mi");
    assert_eq!(of_first("{.spec.containers[0].resources.requests.cpu}"), "10m");
    assert_eq!(
        of_first("{.metadata.annotations.kubernetes\\.io/limit-ranger}"),
        "LimitRanger plugin set: cpu, memory request for container main; memory limit for container main"
    );
    assert_eq!(of_first("{.status.qosClass}"), "Burstable");
    let large = "    resources: {limits: {memory: 1Gi}, requests: {memory: 1Mi}}\n";
    let refused = kubectl.feed("create -f -", &pod("second", large)).failed();
    assert!(
        refused.contains(
            "pods \"second\" is forbidden: [minimum memory usage per Container is 8Mi, but request is 1Mi, maximum memory \
             usage per Container is 64Mi, but limit is 1Gi]"
        ),
        "{refused}"
    );
    let wrong = range
        .replace("name: limits", "name: wrong")
        .replace("min: {memory: 8Mi}", "min: {memory: 1Gi}");
    let refused = kubectl.feed("create -f -", &wrong).failed();
    assert!(
        refused.contains(
            "spec.limits[0].min[memory]: Invalid value: \"1Gi\": min value 1Gi is greater than max value 64Mi"
        ),
        "{refused}"
    );
    let described = kubectl.says("describe limitrange limits");
    let words: Vec<&str> = described.split_whitespace().collect();
    assert!(
        words
            .windows(4)
            .any(|four| four == ["Container", "memory", "8Mi", "64Mi"]),
        "{described}"
    );
    assert!(
        kubectl
            .says("get limits")
            .starts_with("NAME     CREATED AT\nlimits   2")
    );
}

fn resource_quotas(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    kubectl.does("create quota small --hard=pods=2,requests.cpu=100m,configmaps=3,services=1");
    let unspecified = kubectl.feed("create -f -", &pod("first", "")).failed();
    assert!(
        unspecified.contains("pods \"first\" is forbidden: failed quota: small: must specify requests.cpu for: main"),
        "{unspecified}"
    );
    let cpu = |amount: &str| format!("    resources: {{requests: {{cpu: {amount}}}}}\n");
    create(kubectl, &pod("first", &cpu("60m")));
    assert_eq!(
        kubectl.says("get quota small -o jsonpath={.status.used.pods},{.status.used['requests\\.cpu']}"),
        "1,60m"
    );
    let exceeded = kubectl.feed("create -f -", &pod("second", &cpu("50m"))).failed();
    assert!(
        exceeded.contains(
            "pods \"second\" is forbidden: exceeded quota: small, requested: requests.cpu=50m, used: requests.cpu=60m, \
             limited: requests.cpu=100m"
        ),
        "{exceeded}"
    );
    let dry = kubectl
        .feed("create --dry-run=server -f -", &pod("second", &cpu("50m")))
        .failed();
    assert!(dry.contains("exceeded quota"), "{dry}");
    // One of the three is the root CA's.
    kubectl.does("create configmap one");
    kubectl.does("create configmap two");
    let counted = kubectl.run("create configmap three").failed();
    assert!(
        counted.contains("exceeded quota: small, requested: configmaps=1, used: configmaps=3, limited: configmaps=3"),
        "{counted}"
    );
    let described = kubectl.says("describe quota small");
    let rows: Vec<Vec<&str>> = described
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for row in [
        ["configmaps", "3", "3"],
        ["pods", "1", "2"],
        ["requests.cpu", "60m", "100m"],
        ["services", "0", "1"],
    ] {
        assert!(rows.iter().any(|found| *found == row), "{row:?} in {described}");
    }
    let table = kubectl.says("get quota");
    assert!(
        table.contains("configmaps: 3/3, pods: 1/2, requests.cpu: 60m/100m, services: 0/1"),
        "{table}"
    );
    kubectl.does("delete pod first --wait=false");
    kubectl.until("get quota small -o jsonpath={.status.used.pods}", |used| used == "0");
    let namespace = kubectl.says("describe namespace default");
    assert!(
        namespace.contains("Resource Quotas") && namespace.contains("requests.cpu"),
        "{namespace}"
    );
}

fn quotas_under_concurrent_creation(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    kubectl.does("create quota few --hard=count/secrets=4");
    let created = std::thread::scope(|scope| {
        let creations: Vec<_> = (0..12)
            .map(|number| scope.spawn(move || kubectl.run(&format!("create secret generic s{number}")).code))
            .collect();
        let codes = creations.into_iter().map(|one| one.join().unwrap());
        codes.filter(|code| *code == 0).count()
    });
    assert_eq!(created, 4);
    assert_eq!(
        kubectl.says("get quota few -o jsonpath={.status.used}"),
        "{\"count/secrets\":\"4\"}"
    );
}

fn runtime_classes(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    let class = "apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: usual}
handler: runc
overhead: {podFixed: {memory: 1Mi}}
scheduling: {nodeSelector: {kubernetes.io/os: linux}}
";
    let named = |name: &str, class: &str| pod(name, &format!("  runtimeClassName: {class}\n"));
    let missing = kubectl.feed("create -f -", &named("first", "usual")).failed();
    assert!(
        missing.contains("pods \"first\" is forbidden: pod rejected: RuntimeClass \"usual\" not found"),
        "{missing}"
    );
    create(kubectl, class);
    create(kubectl, &class.replace("usual", "kata").replace("runc", "kata"));
    create(kubectl, &named("first", "usual"));
    let spec = kubectl.says("get pod first -o jsonpath={.spec.overhead.memory},{.spec.nodeSelector}");
    assert_eq!(spec, "1Mi,{\"kubernetes.io/os\":\"linux\"}");
    kubectl.until_ready("first");
    let other = format!("{}  overhead: {{memory: 2Mi}}\n", named("second", "usual"));
    let refused = kubectl.feed("create -f -", &other).failed();
    assert!(
        refused.contains("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        "{refused}"
    );
    create(kubectl, &named("third", "kata"));
    kubectl.until("get events --field-selector involvedObject.name=third", |events| {
        events.contains("no runtime for \"kata\" is configured")
    });
    let table = kubectl.says("get runtimeclass");
    assert!(table.contains("NAME") && table.contains("usual   runc"), "{table}");
    assert!(kubectl.says("describe runtimeclass usual").contains("Handler"));
    let immutable = kubectl.feed("apply -f -", &class.replace("runc", "other")).failed();
    assert!(
        immutable.contains("handler: Invalid value: \"other\": field is immutable"),
        "{immutable}"
    );
}

fn pod_templates(version: Version) {
    let world = World::new(version);
    let kubectl = &world.kubectl;
    let template = "apiVersion: v1
kind: PodTemplate
metadata: {name: web}
template:
  metadata: {labels: {app: web}}
  spec: {containers: [{name: main, image: 'web:1'}]}
";
    create(kubectl, template);
    let table = kubectl.says("get podtemplates");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["web", "main", "web:1", "app=web"]);
    assert_eq!(
        kubectl.says("get podtemplate web -o jsonpath={.template.spec.restartPolicy}"),
        "Always"
    );
    assert!(kubectl.says("describe podtemplate web").contains("web:1"));
    let wrong = template
        .replace("name: main", "name: Main")
        .replace("{name: web}", "{name: wrong}");
    let refused = kubectl.feed("create -f -", &wrong).failed();
    assert!(
        refused.contains("template.spec.containers[0].name: Invalid value: \"Main\""),
        "{refused}"
    );
    kubectl.does("label namespace default pod-security.kubernetes.io/warn=restricted");
    let warned = create(kubectl, &template.replace("{name: web}", "{name: other}"));
    assert!(
        warned.contains("Warning: would violate PodSecurity \"restricted:latest\""),
        "{warned}"
    );
    if version == Version::Current {
        let applied = kubectl.feed("apply --server-side -f -", &template.replace("web:1", "web:2"));
        let _ = applied.failed();
        let forced = kubectl.feed(
            "apply --server-side --force-conflicts -f -",
            &template.replace("web:1", "web:2"),
        );
        assert_eq!(forced.code, 0, "{forced:#?}");
        assert_eq!(
            kubectl.says("get podtemplate web -o jsonpath={.template.spec.containers[0].image}"),
            "web:2"
        );
    }
}
