//! Pods' network on machines whose own network is in the way. Each test has a network of its own as the machine's.

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use emulator::runtime::{ContainerConfig, PodRef, Runtime, SandboxConfig, SandboxId};
use nix::sched::{CloneFlags, unshare};

use crate::machine::{Machine, output, pod};

fn run(command: &str) {
    let output = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A network for this thread and for what it starts, prepared by a shell command.
fn own_network(command: &str) {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    run(&format!("ip link set lo up; {command}"));
}

fn links() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

async fn sandbox(machine: &Machine, name: &str) -> (SandboxId, Ipv4Addr) {
    let config = SandboxConfig {
        pod: PodRef {
            name: name.to_owned(),
            uid: name.to_owned(),
            ..pod().pod
        },
        ..pod()
    };
    let id = machine.runtime.run_sandbox(&config).await.unwrap();
    let status = machine.runtime.pod_status(&config.pod).await.unwrap();
    let address = status.sandboxes[0].ips[0].to_string().parse().unwrap();
    (id, address)
}

/// A pod that serves the word `served` on port 8080.
async fn server(machine: &Machine) -> Ipv4Addr {
    let (id, address) = sandbox(machine, "server").await;
    let config = ContainerConfig {
        log_path: machine.data.path().join("server.log"),
        ..machine.container("exec nc -ll -p 8080 -e echo served")
    };
    machine.start(&id, &config).await;
    let target = SocketAddr::from((address, 8080));
    for _ in 0..1000 {
        // What probes and host ports do.
        if machine.runtime.dial(target).await.is_ok() {
            return address;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the node does not reach {target}")
}

/// What a pod reads from this address.
async fn read_from_pod(machine: &Machine, address: Ipv4Addr) -> String {
    let (id, _) = sandbox(machine, "client").await;
    let config = ContainerConfig {
        log_path: machine.data.path().join("client.log"),
        ..machine.container(&format!("nc -w 5 {address} 8080"))
    };
    let container = machine.start(&id, &config).await;
    machine.ended(&container).await;
    let text = output(&config.log_path);
    machine.runtime.remove_sandbox(&id).await.unwrap();
    text
}

/// What the machine reads from this address.
fn read_from_machine(address: Ipv4Addr) -> String {
    let timeout = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, 8080)), timeout).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn filter_rules_do_not_apply_between_pods() {
    own_network(
        "iptables -P FORWARD DROP
         iptables -P INPUT DROP
         iptables -A INPUT -i lo -j ACCEPT
         iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
         echo 1 >/proc/sys/net/ipv4/ip_forward
         [ ! -e /proc/sys/net/bridge ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables",
    );
    let before = links();
    let machine = Machine::new().await;
    let address = server(&machine).await;
    assert_eq!(read_from_pod(&machine, address).await, "served\n");
    assert_eq!(read_from_machine(address), "served\n");
    let added: Vec<String> = links().difference(&before).cloned().collect();
    assert!(
        matches!(added.as_slice(), [one] if one.starts_with("kpod-")),
        "{added:?}"
    );
    machine.close().await;
    assert_eq!(links(), before);
}

#[tokio::test]
async fn filter_rules_for_output_do_not_apply_to_probes() {
    own_network("iptables -P OUTPUT DROP; iptables -P INPUT DROP");
    let machine = Machine::new().await;
    let address = server(&machine).await;
    assert_eq!(read_from_pod(&machine, address).await, "served\n");
    machine.close().await;
}

#[tokio::test]
async fn pod_address_lies_outside_of_routed_networks() {
    own_network("ip route add 10.0.0.0/8 dev lo; ip route add 172.16.0.0/12 dev lo");
    let machine = Machine::new().await;
    let address = server(&machine).await;
    assert_eq!(address.octets()[..2], [192, 168], "{address}");
    assert_eq!(read_from_machine(address), "served\n");
    machine.close().await;
}

#[tokio::test]
async fn pod_reaches_addresses_of_machine() {
    own_network("ip address add 192.0.2.2/32 dev lo");
    let machine = Machine::new().await;
    let listener = std::net::TcpListener::bind("192.0.2.2:8080").unwrap();
    let answer = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, peer) = listener.accept().unwrap();
        stream.write_all(b"machine\n").unwrap();
        peer
    });
    assert_eq!(read_from_pod(&machine, Ipv4Addr::new(192, 0, 2, 2)).await, "machine\n");
    assert_ne!(answer.join().unwrap().ip(), Ipv4Addr::new(192, 0, 2, 2));
    machine.close().await;
}

#[tokio::test]
async fn link_to_machine_gets_its_lost_address_back() {
    own_network("");
    let machine = Machine::new().await;
    let address = server(&machine).await;
    run("ip address flush dev $(ls /proc/sys/net/ipv4/conf | grep ^kpod-)");
    let route = || {
        fs::read_to_string("/proc/thread-self/net/route")
            .unwrap()
            .contains("kpod-")
    };
    machine.until(route).await;
    assert_eq!(read_from_machine(address), "served\n");
    machine.close().await;
}

#[tokio::test]
async fn new_emulator_restores_link_to_machine() {
    own_network("");
    let machine = Machine::new().await;
    let address = server(&machine).await;
    run("ip link delete $(ls /proc/sys/net/ipv4/conf | grep ^kpod-)");
    let machine = machine.again(|_| {}).await;
    assert_eq!(read_from_pod(&machine, address).await, "served\n");
    assert_eq!(read_from_machine(address), "served\n");
    machine.close().await;
}
