//! An emulator that runs: how its parts are put together, and what it leaves.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{Connection, EmulatorError, KUBERNETES_VERSION, NODE, Options};
use crate::{
    api,
    clock::Clock,
    container_config::{Node, immutable_objects::ImmutableObjects},
    controllers,
    data_dir::{DataDir, Running},
    events::Recorder,
    image::{ImageStore, Images},
    kubelet::{Kubelet, KubeletConfig, NodeShutdown},
    network::bring_up_loopback,
    node_edges::NodeEdges,
    overlay,
    runtime::{
        Runtime, SharedRuntime,
        linux::{self, LinuxOptions, LinuxRuntime},
    },
    scheduler::Scheduler,
    static_pods,
    store::Store,
    tokens::Signer,
    volumes::{self, Volumes},
};

/// How many times its back-off a retry waits. A real kubelet waits 1 to 1.5 times, never less than once; a little more
/// than once keeps a retry from being seen earlier than the real one's earliest.
const STRETCH: f64 = 1.1;

fn machine(what: &str, error: &dyn std::fmt::Display) -> EmulatorError {
    EmulatorError::Machine(format!("{what}: {error}"))
}

/// An emulator that runs. Dropped without `stop`, it leaves its containers running, as a crash would.
pub struct Emulator {
    data_dir: DataDir,
    connection: Connection,
    runtime: Arc<LinuxRuntime>,
    limitations: Vec<String>,
    linked: bool,
    node_shutdown: NodeShutdown,
    shutdown: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Emulator {
    /// Starts one, and takes up whatever an earlier one left running in the same folder.
    ///
    /// # Errors
    /// What is in the way; nothing then runs.
    pub async fn start(options: Options) -> Result<Self, EmulatorError> {
        let data_dir = DataDir::open(&options.data_dir)?;
        let listener = listen(options.port, &data_dir)?;
        let address = listener
            .local_addr()
            .map_err(|error| machine("cannot listen", &error))?;
        let clock = Clock::system();
        let folder = data_dir.folder("credentials")?;
        let credentials =
            api::Credentials::load_or_create(&folder, clock.now()).map_err(|error| machine("cannot start", &error))?;
        let signer = Signer::load_or_create(&folder.join("service-account.key"))
            .map_err(|error| machine("cannot start", &error))?;
        let signer = Arc::new(signer);
        let objects = data_dir.path().join("store.redb");
        let store = Store::open(&objects).map_err(|error| {
            let what = format!("cannot open the store of objects {}", objects.display());
            let hint = "if it is damaged, remove it: the emulator then starts without the objects";
            EmulatorError::Machine(format!("{what}: {error}: {hint}"))
        })?;
        let images = ImageStore::open(&data_dir.folder("images")?, options.map_images)
            .map_err(|error| machine("cannot open the images", &error))?;
        let images: Arc<dyn Images> = Arc::new(images);

        let mut linux = LinuxOptions::new(data_dir.path());
        if let Some(name) = &options.pod_infra_container_image {
            linux.infra = Some(infra_image(&*images, name).await?);
        }
        let runtime = LinuxRuntime::new(linux)
            .await
            .map_err(|error| machine("cannot run containers here", &error))?;
        let (limitations, linked) = (runtime.limitations(), runtime.is_linked());
        let runtime = Arc::new(runtime);
        let shared: SharedRuntime = runtime.clone();

        let host_ips = vec![machine_address()];
        let node = Node {
            name: NODE.to_owned(),
            ips: host_ips.clone(),
            store: store.clone(),
            immutable: ImmutableObjects::default(),
            logs: data_dir.folder("pods")?,
            volumes: data_dir.folder("volumes")?,
        };
        let volumes = Volumes::open(node.clone(), clock.clone(), signer.clone())
            .map_err(|error| machine("cannot prepare the folder of volumes", &error))?;
        let edges = Arc::new(NodeEdges::new(node, shared.clone(), volumes));
        let recorder = Recorder::new(store.clone(), clock.clone(), NODE);

        let (name, version) = shared.name();
        let facts = controllers::node::Facts {
            name: NODE.to_owned(),
            addresses: host_ips.clone(),
            container_runtime: format!("{name}://{version}"),
            user_namespaces: !overlay::in_user_namespace(),
            kubelet_version: KUBERNETES_VERSION.to_owned(),
            data_dir: data_dir.path().to_owned(),
        };
        // Before the first request: a pod is refused in a namespace without its service account.
        controllers::namespaces::ensure_built_in(&store, clock.now());
        controllers::priority_classes::ensure_built_in(&store, clock.now());
        for namespace in controllers::namespaces::BUILT_IN {
            controllers::namespaces::provide(&store, namespace, &credentials.certificate_authority, clock.now());
        }
        controllers::node::register(&store, &facts, clock.now());

        let server = format!("https://{address}");
        let (shutdown, ended) = watch::channel(false);
        let over = || {
            let mut ended = ended.clone();
            async move {
                // The sender goes only together with everything else.
                let _ = ended.wait_for(|ended| *ended).await;
            }
        };
        let mut tasks = JoinSet::new();
        let static_pods = options.static_pod_path.map(|directory| {
            let (sender, receiver) = mpsc::channel(4);
            // The emulator's own log is its standard error.
            let report = |fault: &str| log(fault);
            let watching = static_pods::watch(directory, NODE.to_owned(), Ok, report, sender);
            let over = over();
            tasks.spawn(async move {
                tokio::select! {
                    () = watching => {}
                    () = over => {}
                }
            });
            receiver
        });
        let kubelet = Kubelet::new(KubeletConfig {
            store: store.clone(),
            clock: clock.clone(),
            runtime: shared.clone(),
            images,
            edges,
            recorder: recorder.clone(),
            node_name: NODE.to_owned(),
            host_ips,
            stretch: STRETCH,
            features: options.features.clone(),
            eviction_hard: options.eviction_hard,
            sync_frequency: options.sync_frequency,
            static_pods,
        });
        let node_shutdown = kubelet.node_shutdown();
        let root_ca = credentials.certificate_authority.clone();
        tasks.spawn(controllers::run(store.clone(), clock.clone(), root_ca, facts, over()));
        tasks.spawn(Scheduler::new(store.clone(), clock.clone(), recorder, NODE).run(over()));
        tasks.spawn(kubelet.run(over()));
        let answers = Arc::new(api::Api {
            store,
            clock,
            runtime: shared,
            signer,
            features: options.features,
            meter: api::metrics::Meter::default(),
        });
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| machine("cannot listen", &error))?;
        tasks.spawn(api::serve(
            listener,
            credentials.server.clone(),
            credentials.clients.clone(),
            answers,
            over(),
        ));

        let connection = Connection {
            server,
            certificate_authority: credentials.certificate_authority,
            client_certificate: credentials.client_certificate,
            client_key: credentials.client_key,
        };
        data_dir
            .announce(&connection.server)
            .map_err(|error| machine("cannot write to the data folder", &error))?;
        // Kept for the next start; without it that start takes another port.
        let _ = std::fs::write(port_file(&data_dir), address.port().to_string());
        Ok(Self {
            data_dir,
            connection,
            runtime,
            limitations,
            linked,
            node_shutdown,
            shutdown,
            tasks,
        })
    }

    /// How to reach it.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What this machine does not let the emulator do, a sentence each.
    pub fn limitations(&self) -> &[String] {
        &self.limitations
    }

    /// How pods are reached where the machine's programs do not reach their addresses, in a sentence.
    pub fn reach(&self) -> Option<String> {
        (!self.linked).then(|| {
            "the pods' addresses are reached by pods and probes alone, since the machine's network is root's: use \
             `kubectl port-forward` or a hostPort"
                .to_owned()
        })
    }

    /// How long the pods may take to end, where whoever asks it to stop has said so.
    pub fn stop_timeout(&self) -> Option<Duration> {
        self.data_dir.stop_timeout()
    }

    /// Stops everything. The pods end as on a node that shuts down, within `timeout`; once `at_once` resolves, or without
    /// any time, what still runs is killed, and its pods are as after a power failure. The objects stay, for the next start.
    ///
    /// # Errors
    /// What could not be taken back from the machine.
    pub async fn stop(mut self, timeout: Duration, at_once: impl Future<Output = ()>) -> Result<(), EmulatorError> {
        if !timeout.is_zero() {
            tokio::select! {
                () = self.node_shutdown.end_pods(timeout) => {}
                () = at_once => {}
            }
        }
        self.shutdown.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        let removed = self.runtime.shut_down(true).await;
        give_back(&self.data_dir, removed.map_err(|error| error.to_string()))
    }
}

/// How to reach the emulator that runs over a folder, for whoever may read the folder.
///
/// # Errors
/// What is wrong with the folder.
pub fn connection(data_dir: &Path, running: &Running) -> Result<Connection, EmulatorError> {
    let credentials = api::Credentials::load_or_create(&data_dir.join("credentials"), Clock::system().now())
        .map_err(|error| machine("cannot reach the emulator", &error))?;
    Ok(Connection {
        server: running.server.clone(),
        certificate_authority: credentials.certificate_authority,
        client_certificate: credentials.client_certificate,
        client_key: credentials.client_key,
    })
}

/// Cleans up what an emulator that was killed has left on the machine; returns whether there was anything.
///
/// # Errors
/// `InUse` while an emulator runs there, or what could not be taken back.
pub async fn clean_up(data_dir: &Path) -> Result<bool, EmulatorError> {
    let data_dir = DataDir::open(data_dir)?;
    let runtime = LinuxRuntime::new(LinuxOptions::new(data_dir.path()))
        .await
        .map_err(|error| machine("cannot look at what was left", &error))?;
    let left = runtime.pods().await.is_ok_and(|pods| !pods.is_empty());
    let removed = runtime.shut_down(true).await;
    give_back(&data_dir, removed.map_err(|error| error.to_string()))?;
    Ok(left)
}

fn give_back(data_dir: &DataDir, removed: Result<(), String>) -> Result<(), EmulatorError> {
    let unmounted = volumes::close(&data_dir.path().join("volumes"));
    removed.map_err(|error| machine("something of the emulator is still there", &error))?;
    unmounted.map_err(|error| machine("a volume is still mounted", &error))
}

/// Imports the images of an archive into the data folder, whether or not an emulator uses it; returns their names.
///
/// # Errors
/// What is wrong with the archive or the disk.
pub fn load(data_dir: &Path, archive: &Path) -> Result<Vec<String>, EmulatorError> {
    let open = || -> io::Result<ImageStore> {
        std::fs::create_dir_all(data_dir)?;
        ImageStore::open(&data_dir.join("images"), Vec::new())
    };
    let images =
        open().map_err(|error| machine(&format!("cannot use the data folder {}", data_dir.display()), &error))?;
    images
        .import(archive)
        .map_err(|error| machine(&format!("cannot load {}", archive.display()), &error))
}

/// Makes this process fit to run containers: it brings loopback up where that is down, and without root it enters a user
/// namespace. Call it before the first thread.
///
/// # Errors
/// Where this machine lets only root run containers, or has no loopback, with what to do about it.
pub fn prepare_process(data_dir: &Path) -> Result<(), EmulatorError> {
    // First, with the rights that this process has come with.
    bring_up_loopback().map_err(EmulatorError::Machine)?;
    linux::enter_user_namespace_if_needed(data_dir).map_err(|error| EmulatorError::Machine(error.to_string()))
}

/// Resolves at the first SIGTERM or SIGINT after the call. Call it within a runtime.
pub fn asked_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

async fn infra_image(images: &dyn Images, name: &str) -> Result<crate::image::Image, EmulatorError> {
    let what = format!("cannot use --pod-infra-container-image {name}");
    match images.status(name).await.map_err(|error| machine(&what, &error))? {
        Some(image) => Ok(image),
        None => images.pull(name, &[]).await.map_err(|error| machine(&what, &error)),
    }
}

/// Listens on 127.0.0.1 alone.
fn listen(port: u16, data_dir: &DataDir) -> Result<TcpListener, EmulatorError> {
    let bind = |port| {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let bound: io::Result<TcpListener> = if port == 0 {
        let before = std::fs::read_to_string(port_file(data_dir))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        before.map_or_else(|| bind(0), |before| bind(before).or_else(|_| bind(0)))
    } else {
        bind(port)
    };
    bound.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => ": another program uses it; choose another with --port, or leave --port out",
            _ => "",
        };
        EmulatorError::Machine(format!("cannot listen on 127.0.0.1:{port}: {error}{hint}"))
    })
}

fn port_file(data_dir: &DataDir) -> PathBuf {
    data_dir.path().join("port")
}

/// The machine's address on the network that leads elsewhere, as a kubelet finds its own; loopback where there is none.
fn machine_address() -> IpAddr {
    // An address for documentation (RFC 5737): connecting a datagram socket sends nothing.
    let asked = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        Ok(socket.local_addr()?.ip())
    };
    asked().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Writes a line to the emulator's log.
fn log(text: &str) {
    use io::Write;
    // A full disk must not stop the emulator.
    let _ = writeln!(io::stderr(), "{} {text}", jiff::Timestamp::now());
}
