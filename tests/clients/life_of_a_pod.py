"""A pod's life through Kubernetes' client for Python: create, watch, log, exec, patch, delete.

Talks to the cluster of $KUBECONFIG; prints a line for each step that went as it should, and fails at the first that did not.
"""

import json

from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

NAMESPACE = "default"
NAME = "from-python"
COMMAND = "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": NAME, "labels": {"app": NAME}},
    "spec": {
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {
                "name": "main",
                "image": "busybox:1",
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", COMMAND],
            }
        ],
    },
}


def refused(call, status, reason):
    """The refusal that a call has to end with."""
    try:
        call()
    except ApiException as error:
        said = json.loads(error.body)
        assert (error.status, said["reason"]) == (status, reason), error
        return said["message"]
    raise AssertionError(f"nothing was refused: {reason} was expected")


def main():
    config.load_kube_config()
    core = client.CoreV1Api()

    created = core.create_namespaced_pod(NAMESPACE, POD)
    assert created.metadata.uid and created.status.phase == "Pending"
    refused(lambda: core.create_namespaced_pod(NAMESPACE, POD), 409, "AlreadyExists")
    print("created")

    phases = []
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_pod, NAMESPACE, label_selector=f"app={NAME}", timeout_seconds=60):
        phase = event["object"].status.phase
        if phase not in phases:
            phases.append(phase)
        if phase == "Running":
            watcher.stop()
    assert phases in (["Pending", "Running"], ["Running"]), phases
    print("watched")

    lines = watch.Watch().stream(core.read_namespaced_pod_log, NAME, NAMESPACE, follow=True)
    assert next(lines) == "started"
    assert core.read_namespaced_pod_log(NAME, NAMESPACE, tail_lines=1) == "started\n"
    print("logged")

    said = stream(
        core.connect_get_namespaced_pod_exec,
        NAME,
        NAMESPACE,
        command=["sh", "-c", "echo out; echo err >&2"],
        stdout=True,
        stderr=True,
        stdin=False,
        tty=False,
    )
    assert sorted(said.split()) == ["err", "out"], said
    shell = stream(
        core.connect_get_namespaced_pod_exec,
        NAME,
        NAMESPACE,
        command=["sh", "-c", "read line; echo heard $line; exit 7"],
        stdout=True,
        stderr=True,
        stdin=True,
        tty=False,
        _preload_content=False,
    )
    shell.write_stdin("this\n")
    heard = ""
    while shell.is_open():
        shell.update(timeout=1)
        heard += shell.read_stdout() if shell.peek_stdout() else ""
    assert heard == "heard this\n", heard
    assert shell.returncode == 7, shell.returncode
    print("executed")

    patched = core.patch_namespaced_pod(NAME, NAMESPACE, {"metadata": {"annotations": {"by": "python"}}})
    assert patched.metadata.annotations["by"] == "python"
    message = refused(
        lambda: core.patch_namespaced_pod(NAME, NAMESPACE, {"spec": {"restartPolicy": "Never"}}), 422, "Invalid"
    )
    assert "pod updates may not change fields" in message, message
    print("patched")

    version = core.read_namespaced_pod(NAME, NAMESPACE).metadata.resource_version
    core.delete_namespaced_pod(NAME, NAMESPACE)
    kinds = []
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_pod, NAMESPACE, resource_version=version, timeout_seconds=60):
        kinds.append(event["type"])
        if event["type"] == "DELETED":
            watcher.stop()
    assert kinds[0] == "MODIFIED" and kinds[-1] == "DELETED", kinds
    message = refused(lambda: core.read_namespaced_pod(NAME, NAMESPACE), 404, "NotFound")
    assert message == f'pods "{NAME}" not found', message
    print("deleted")


if __name__ == "__main__":
    main()
