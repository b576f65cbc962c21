//! The plugin beside kubectl: the same flags are taken, and the same mistakes get the same words and exit codes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tests::emulator::Emulator;
use tests::kubectl::{Kubectl, Version};
use tests::output::Output;

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: busybox:1, imagePullPolicy: Never, command: [sleep, '1000']}
";

/// What both programs say to the same arguments, after `describe pod` and `describe`.
struct Pair {
    kubectl: Output,
    plugin: Output,
}

struct World {
    emulator: Emulator,
    kubectl: Kubectl,
}

impl World {
    fn new() -> Self {
        let emulator = Emulator::start();
        let kubectl = emulator.kubectl(Version::Current);
        let _ = kubectl.feed("apply -f -", POD).succeeded();
        Self { emulator, kubectl }
    }

    fn both(&self, arguments: &[&str], kubeconfig: Option<&str>) -> Pair {
        let with_kubeconfig = |mut command: Command| {
            if let Some(path) = kubeconfig {
                command.env("KUBECONFIG", path);
            }
            Output::of(&mut command)
        };
        let kubectl = self.kubectl.command_of(&[&["describe", "pod"], arguments].concat());
        let plugin = self.emulator.plugin_command(&[&["describe"], arguments].concat());
        Pair {
            kubectl: with_kubeconfig(kubectl),
            plugin: with_kubeconfig(plugin),
        }
    }

    /// Both say the same, and end the same.
    #[track_caller]
    fn agree(&self, arguments: &[&str], kubeconfig: Option<&str>) {
        let Pair { kubectl, plugin } = self.both(arguments, kubeconfig);
        // The client's own log goes to standard error too, and each names itself where it points to its help.
        let expected: Vec<String> = kubectl
            .stderr
            .lines()
            .filter(|line| !line.contains(".go:"))
            .map(|line| line.replace("'kubectl describe --help'", "'kubectl pod describe --help'"))
            .collect();
        let said: Vec<&str> = plugin.stderr.lines().collect();
        assert_eq!(said, expected, "{arguments:?}");
        assert_eq!(plugin.code, kubectl.code, "{arguments:?}: {plugin:#?}");
    }
}

#[test]
fn flags_are_taken_and_mistakes_are_said_as_kubectl_has_them() {
    let world = World::new();
    let file = world.emulator.file("no-certificate", "hello\n");
    let folder = world.emulator.folder().to_string_lossy().into_owned();
    for line in [
        "web",
        "we",
        "nope",
        "nope nope2",
        "web -n nowhere",
        "-n nowhere",
        "web --context nope",
        "web --context nope -n x",
        "web --cluster nope",
        "web --user nope",
        "web --kubeconfig /nope",
        &format!("web --kubeconfig {folder}"),
        "web -s 127.0.0.1:1",
        "web -s https://127.0.0.1:1",
        "web -s https://nope.invalid",
        "web -s ://x",
        "web -s ftp://127.0.0.1:1",
        "web --token bad",
        "web --as alice",
        "web --as alice --as-group g --as-uid 7 --as-user-extra k=v",
        "web --as-group g",
        "web --as-uid 7",
        "web --as-user-extra k=v",
        "web --username u --password p",
        "web --username u --token t",
        "web --certificate-authority /nope",
        &format!("web --certificate-authority {file}"),
        "web --client-certificate /nope",
        "web --client-key /nope",
        &format!("web --client-certificate {file} --client-key {file}"),
        "web --tls-server-name other",
        "web --insecure-skip-tls-verify",
        &format!("web --insecure-skip-tls-verify --certificate-authority {file}"),
        "web --insecure-skip-tls-verify=maybe",
        "web --request-timeout 1x",
        "web --request-timeout 500",
        &format!("web --cache-dir {folder}/cache"),
        "web --disable-compression",
        "web --proxy-url http://127.0.0.1:1",
        "web --proxy-url nonsense",
        "web --warnings-as-errors",
        "web -v 0",
        "web --v=0",
        "web -v x",
        "web --vmodule x=1",
        "web --log-flush-frequency 5s",
        "web --log-flush-frequency 5",
        "web --profile none",
        "web --profile nonsense",
        "web --frobnicate",
        "web -Z",
        "web -n",
        "web --namespace",
        "web -l app=web",
        "-l app=web",
        "-l app=none",
        "-l !!x",
        "web -A",
        "-A",
        "-f /nope",
        "--show-events=false web",
        "--show-events=maybe web",
        "--chunk-size=1",
        "--chunk-size=x",
    ] {
        world.agree(&line.split_whitespace().collect::<Vec<_>>(), None);
    }
    world.agree(&["-l", "a in ("], None);
    world.agree(&["-l", "a==b,=c"], None);
    world.agree(&[""], None);
}

/// Users of a kubeconfig, each with one mistake, or none.
const USERS: &str = r#"apiVersion: v1
kind: Config
users:
- {name: gcp, user: {auth-provider: {name: gcp}}}
- {name: azure, user: {auth-provider: {name: azure}}}
- {name: own, user: {auth-provider: {name: own}}}
- {name: absent, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: nosuchplugin, interactiveMode: Never}}}
- {name: hinted, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: nosuchplugin, interactiveMode: Never, installHint: get it there}}}
- {name: failing, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo sorry >&2; exit 3'], interactiveMode: Never}}}
- {name: versionless, user: {exec: {command: sh, interactiveMode: Never}}}
- {name: alpha, user: {exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: sh, interactiveMode: Never}}}
- {name: unsaid, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}}}
- {name: asking, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Always}}}
- {name: stranger, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}"'], interactiveMode: Never}}}
- {name: told, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'test "$A" = B && echo "$KUBERNETES_EXEC_INFO" | grep -q certificate-authority-data && echo "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\"}}"'], env: [{name: A, value: B}], provideClusterInfo: true, interactiveMode: Never}}}
- {name: fileless, user: {tokenFile: /nope}}
- {name: double, user: {token: a, username: b, password: c}}
- {name: certless, user: {client-certificate-data: bm8=, client-key-data: bm8=}}
- {name: keyless, user: {client-certificate: /etc/hostname}}
"#;

#[test]
fn every_way_to_log_in_fails_in_kubectls_words() {
    let world = World::new();
    let users = world.emulator.file("users", USERS);
    let both = format!("{}:{users}", world.emulator.kubeconfig().display());
    let names = USERS.lines().filter_map(|line| line.strip_prefix("- {name: "));
    for name in names.map(|line| line.split(',').next().unwrap()) {
        world.agree(&["web", "--user", name], Some(&both));
    }
    let broken = world.emulator.file(
        "broken",
        "users: [{name: b, user: {client-certificate-data: '???', client-key-data: bm8=}}]\n",
    );
    world.agree(&["web"], Some(&broken));
}

#[test]
fn kubeconfigs_are_merged_and_their_paths_are_relative_to_them() {
    let world = World::new();
    // The emulator's certificates, as files beside a kubeconfig in a folder of its own.
    let folder = world.emulator.folder().join("relative");
    fs::create_dir(&folder).unwrap();
    let flat = |path: &str| {
        world
            .kubectl
            .says(&format!("config view --raw --flatten --minify -o jsonpath={{{path}}}"))
    };
    for (file, path) in [
        ("ca.crt", ".clusters[0].cluster.certificate-authority-data"),
        ("me.crt", ".users[0].user.client-certificate-data"),
        ("me.key", ".users[0].user.client-key-data"),
    ] {
        let mut decode = Command::new("base64");
        let pem = Output::with_input(decode.arg("-d"), &flat(path)).succeeded();
        fs::write(folder.join(file), pem).unwrap();
    }
    let server = flat(".clusters[0].cluster.server");
    fs::write(
        folder.join("clusters"),
        format!(
            "clusters: [{{name: c, cluster: {{server: '{server}', certificate-authority: ca.crt}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, user: u, namespace: default}}}}]\ncurrent-context: x\n"
        ),
    )
    .unwrap();
    fs::write(
        folder.join("users"),
        "users: [{name: u, user: {client-certificate: me.crt, client-key: me.key}}]\ncurrent-context: other\n",
    )
    .unwrap();
    let list = format!("{0}/clusters:{0}/absent:{0}/users", folder.display());
    world.agree(&["web"], Some(&list));
    let mut describe = world.emulator.plugin_command(&["describe", "web", "-o", "name"]);
    let said = Output::of(describe.env("KUBECONFIG", &list)).succeeded();
    assert_eq!(said, "pod/web\n");
}

#[test]
fn a_token_and_a_plugin_log_in_as_whom_they_say() {
    let world = World::new();
    let token = world.kubectl.says("create token default");
    let answer = format!(
        "{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"{token}\"}}}}"
    );
    let answer = world.emulator.file("credential", &answer);
    let token_file = world.emulator.file("token", &token);
    let users = world.emulator.file(
        "users",
        &format!(
            "users:\n- {{name: file, user: {{tokenFile: {token_file}}}}}\n- {{name: plugin, user: {{exec: {{apiVersion: \
             client.authentication.k8s.io/v1, command: cat, args: [{answer}], interactiveMode: Never}}}}}}\n"
        ),
    );
    let both = format!("{}:{users}", world.emulator.kubeconfig().display());
    for user in ["file", "plugin"] {
        // The server knows who asks, and refuses: a service account without a role may read no pods.
        world.agree(&["web", "--user", user], Some(&both));
        let mut describe = world.emulator.plugin_command(&["describe", "web", "--user", user]);
        let said = Output::of(describe.env("KUBECONFIG", &both)).failed();
        assert!(
            said.starts_with("Error from server (Forbidden): pods \"web\" is forbidden: User \"system:serviceaccount:default:default\""),
            "{said}"
        );
    }
}

/// A proxy that connects whoever asks, and counts how often it was asked.
fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            thread::spawn(move || connect_through(client, &count));
        }
    });
    (url, asked)
}

fn connect_through(mut client: TcpStream, asked: &AtomicUsize) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut request = String::new();
    reader.read_line(&mut request).unwrap();
    while reader.read_line(&mut String::new()).is_ok_and(|length| length > 2) {}
    let Some(target) = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else {
        return;
    };
    asked.fetch_add(1, Ordering::Relaxed);
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut answers, &mut back));
    // Ends when the client does.
    let _ = std::io::copy(&mut client, &mut server);
}

#[test]
fn the_server_is_reached_through_a_proxy_where_one_is_named() {
    let world = World::new();
    let (url, asked) = proxy();
    let describe = |flags: &[&str]| {
        let words = [&["describe", "web", "-o", "name"], flags].concat();
        let mut command = world.emulator.plugin_command(&words);
        assert_eq!(Output::of(command.env("HTTPS_PROXY", &url)).succeeded(), "pod/web\n");
    };
    // This machine itself is reached without the proxy of the environment.
    describe(&[]);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    describe(&["--proxy-url", &url]);
    assert_ne!(asked.load(Ordering::Relaxed), 0);
}
