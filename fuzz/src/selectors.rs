//! Selectors of labels and fields, as the API server reads them; and the templates of `-o jsonpath=`,
//! `-o custom-columns=` and `-o go-template=`.

use std::fmt::Write as _;
use std::sync::LazyLock;

use kubectl_pod::cli::output::Template;
use kubectl_pod::view::machine::templated::Templated;
use serde_json::{Value, json};

use crate::api_server::{PODS, ask, put};

/// Templates whose parts stand in each other have as many results as the parts' multiplied; whoever types them, waits.
const MOST_LOOPS: usize = 3;

/// The pods that are selected from.
static ALL: LazyLock<Value> = LazyLock::new(|| {
    for (name, labels, phase) in [
        ("a", json!({"app": "web", "tier": "front", "n": "5"}), "Running"),
        ("b", json!({"app": "db", "in": "in", "empty": ""}), "Pending"),
        ("c", json!(null), "Failed"),
    ] {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"nodeName": "emulator", "restartPolicy": "Always", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": phase, "podIP": "10.0.0.1"},
        });
        put(name, &pod);
    }
    list("", "").expect("everything can be listed")
});

/// The first line selects labels, the second fields, the rest is a template. What is selected is there; a selector
/// selects the same with spaces around it, and said twice.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let all = &*ALL;
    let mut lines = text.splitn(3, '\n');
    let (labels, fields) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if let Some(some) = list(labels, fields) {
        let known = all["items"].as_array().expect("a list");
        let items = some["items"].as_array().expect("a list");
        assert!(items.iter().all(|item| known.contains(item)), "{some}");
        assert_eq!(
            list(&format!(" {labels} "), fields).expect("spaces change nothing")["items"],
            some["items"]
        );
        if !labels.trim().is_empty() {
            let twice = list(&format!("{labels},{labels}"), fields).expect("it can be said twice");
            assert_eq!(twice["items"], some["items"]);
        }
    }
    let template = lines.next().unwrap_or_default();
    let loops = template.matches("range").count() + template.matches("..").count() + template.matches('*').count();
    if loops <= MOST_LOOPS {
        for kind in ["jsonpath", "jsonpath-as-json", "custom-columns", "go-template"] {
            if let Some(Ok(template)) = Template::parse(&format!("{kind}={template}")) {
                let mut answer = Templated::new(&template, true, "PodList");
                answer.add(all.clone());
                let Ok(text) = answer.end(None) else { continue };
                let is_json = serde_json::from_str::<Value>(&text).is_ok();
                assert!(is_json || kind != "jsonpath-as-json", "no JSON: {text}");
            }
        }
    }
}

/// The pods that are selected; nothing where the server refuses the selector.
fn list(labels: &str, fields: &str) -> Option<Value> {
    let (labels, fields) = (escaped(labels), escaped(fields));
    let (code, pods) = ask(
        "GET",
        &format!("{PODS}?labelSelector={labels}&fieldSelector={fields}"),
        "",
        &[],
    );
    assert!(matches!(code, 200 | 400), "{pods}");
    (code == 200).then_some(pods)
}

/// As a part of a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        // Writing into a text does not fail.
        let _ = write!(escaped, "%{byte:02X}");
        escaped
    })
}
