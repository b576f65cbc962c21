//! Files: good ones, and every kind of bad one.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod support;

use support::transcript;

fn described(text: &str) -> String {
    transcript(&["describe", "-f", "-"], text)
}

#[test]
fn a_manifest_is_described_without_a_cluster() {
    insta::assert_snapshot!(described(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels: {app: web}\nspec:\n  containers:\n  - name: app\n    \
         image: nginx:1\n    ports:\n    - containerPort: 80\n    readinessProbe:\n      httpGet: {path: /, port: 80}\n    \
         resources:\n      limits: {cpu: 1, memory: 64Mi}\n"
    ));
}

#[test]
fn no_yaml() {
    insta::assert_snapshot!(described("apiVersion: v1\nkind: Pod\nmetadata: [\n"));
}

#[test]
fn tabs_are_explained() {
    insta::assert_snapshot!(described("apiVersion: v1\nkind: Pod\nmetadata:\n\tname: web\n"));
}

#[test]
fn a_key_that_is_there_twice() {
    let text =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, name: b}\nspec: {containers: [{name: c, image: 'i:1'}]}\n";
    let said = described(text);
    assert!(said.contains("exit code: 0") && said.contains("b"), "{said}");
    let said = transcript(&["explain", "-f", "-", "--lang", "en"], text);
    assert!(
        said.contains("metadata.name is given twice: only the last value counts"),
        "{said}"
    );
    assert!(said.contains("standard input:3:12"), "{said}");
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(described(""));
}

const SHOP: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: nginx:1
        livenessProbe: {httpGet: {port: web}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front}
";

#[test]
fn of_a_deployment_a_pod_is_told_by_every_command() {
    insta::assert_snapshot!(described(SHOP));
    insta::assert_snapshot!(transcript(&["explain", "-f", "-"], SHOP));
    let lived = transcript(&["lifecycle", "--simulate", "-f", "-", "--timeout", "1m"], SHOP);
    assert!(lived.starts_with("exit code: 0"), "{lived}");
    assert!(
        lived.contains("Deployment web: told is one pod, as it is made from spec.template"),
        "{lived}"
    );
    assert!(lived.contains("the file's Ingress is left out"), "{lived}");
}

#[test]
fn a_deployment_without_what_it_needs() {
    insta::assert_snapshot!(described(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector: {}\n"
    ));
}

#[test]
fn an_explained_manifest_is_data_too() {
    let said = transcript(
        &[
            "explain",
            "-f",
            "-",
            "-o",
            "jsonpath={.madeBy} {.lints[0].line} {.lints[0].field}",
        ],
        SHOP,
    );
    assert!(
        said.contains("Deployment/web 12 spec.template.spec.containers[0].livenessProbe.httpGet.port"),
        "{said}"
    );
}

#[test]
fn a_template_of_go_takes_out_what_it_names_and_says_what_is_not_there() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: web:1}]}\n";
    for command in ["describe", "lifecycle"] {
        let said = |template: &str| transcript(&[command, "-f", "-", "-o", template], pod);
        let found = said("go-template={{.name}}:{{len .name}}{{\"\\n\"}}");
        assert!(
            found.starts_with("exit code: 0") && found.contains("web:3\n"),
            "{found}"
        );
        let missing = said("go-template={{.name.x}}");
        assert!(missing.starts_with("exit code: 1"), "{missing}");
        assert!(
            missing.contains("error: error executing template \"{{.name.x}}\": "),
            "{missing}"
        );
    }
}

#[test]
fn an_unknown_field() {
    insta::assert_snapshot!(described(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    imagePullPolcy: Never\n"
    ));
}

#[test]
fn a_field_that_belongs_elsewhere() {
    insta::assert_snapshot!(described(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    image: nginx\n  \
         livenessProbe:\n    httpGet: {port: 80}\n"
    ));
}

#[test]
fn a_number_where_a_string_belongs() {
    insta::assert_snapshot!(described(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: app\n    env:\n    - name: PORT\n      \
         value: 8080\n"
    ));
}

#[test]
fn several_pods_cannot_be_run_at_once() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: nginx}]}\n";
    insta::assert_snapshot!(transcript(
        &["lifecycle", "--emulate", "-f", "-"],
        &format!("{pod}---\n{pod}")
    ));
}

#[test]
fn a_path_that_does_not_exist() {
    insta::assert_snapshot!(transcript(&["describe", "-f", "/no/such/file.yaml"], ""));
}

#[test]
fn a_folder_without_manifests() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "hello").unwrap();
    let said = transcript(&["describe", "-f", folder.path().to_str().unwrap()], "");
    assert!(
        said.contains("recognized file extensions are [.json .yaml .yml]"),
        "{said}"
    );
}

#[test]
fn a_folder_of_manifests_is_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "a"] {
        let pod = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: c, image: i}}]}}\n"
        );
        std::fs::write(folder.path().join(format!("{name}.yaml")), pod).unwrap();
    }
    let said = transcript(&["describe", "-o", "name", "-f", folder.path().to_str().unwrap()], "");
    assert!(said.contains("pod/a\npod/b\n"), "{said}");
}

#[test]
fn terminal_escapes_are_shown_and_not_obeyed() {
    let said = described(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  annotations: {evil: \"\\e[31mred\\e[0m\"}\nspec:\n  containers:\n  \
         - name: app\n    image: nginx\n",
    );
    assert!(said.contains("\\u{1b}[31mred"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[test]
fn every_command_refuses_a_bad_file_in_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.yaml");
    let name = path.to_str().unwrap();
    for (text, said) in [
        ("apiVersion: v1\nkind: Pod\nmetadata: [\n", "bad.yaml:3:11"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n", "bad.yaml:2:7"),
        (
            "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: c}\nspec: {replicas: 1}\n",
            "this ReplicationController has no template of a pod",
        ),
        (
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: c}\n",
            "no pods found (the first object is an Ingress)",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: b, prots: []}]}\n",
            "unknown field \"spec.containers[0].prots\"",
        ),
        ("", "the file is empty"),
    ] {
        std::fs::write(&path, text).unwrap();
        let expected = transcript(&["describe", "-f", name], "");
        assert!(
            expected.starts_with("exit code: 1") && expected.contains(said),
            "{expected}"
        );
        for command in [
            &["explain", "-f", name][..],
            &["lifecycle", "-f", name],
            &["lifecycle", "--emulate", "-f", name],
        ] {
            assert_eq!(transcript(command, ""), expected, "{command:?}");
        }
        // And the same through a pipe.
        let piped = transcript(&["describe", "-f", "-"], text);
        assert_eq!(piped, expected.replace(name, "standard input"));
    }
}
