//! `kubectl pod emulator start`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use emulator::data_dir::{DataDir, Running};
use emulator::emulator::Options;
use emulator::features::Features;
use emulator::kubelet::thresholds::Thresholds;

use super::DataDirFlag;
use crate::cli::connection::Connection;
use crate::cli::duration;
use crate::daemon::{context, kubeconfig, process};
use crate::failure::Failure;
use crate::view::printer::Printer;
use crate::view::text::Line;

/// Pods that are synced more often than this keep the machine busy.
const SHORTEST_FREQUENCY: Duration = Duration::from_secs(1);

/// What `start` takes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data_dir: DataDirFlag,
    /// The port on 127.0.0.1; by default the one used before, or a free one
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// A directory of pods that run without the API server
    #[arg(long, value_name = "DIR")]
    static_pod_path: Option<PathBuf>,
    /// The image that holds each pod's sandbox, instead of the built-in pause
    #[arg(long, value_name = "IMAGE")]
    pod_infra_container_image: Option<String>,
    /// Run image TO wherever a container asks for FROM; FROM may end in *
    #[arg(long, value_name = "FROM=TO", value_parser = image_pair)]
    map_image: Vec<(String, String)>,
    /// Feature gates that concern pods, as NAME=true|false,… ; without it they stand as Kubernetes 1.36 ships them
    #[arg(long, value_name = "GATES", value_parser = feature_gates)]
    feature_gates: Vec<String>,
    /// Have pods make room when less than this is left of the machine, as memory.available<100Mi,nodefs.available<10% ;
    /// without it only what pods limit themselves to is watched
    #[arg(long, value_name = "SIGNAL<QUANTITY,…", value_parser = eviction_hard)]
    eviction_hard: Vec<String>,
    /// Refresh volumes at pod syncs alone, this far apart (a kubelet as shipped: 1m)
    #[arg(long, value_name = "DURATION", value_parser = frequency)]
    kubelet_sync_frequency: Option<Duration>,
}

fn frequency(text: &str) -> Result<Duration, String> {
    let frequency = duration::parse(text)?;
    if frequency < SHORTEST_FREQUENCY {
        return Err("it must be at least 1s".to_owned());
    }
    Ok(frequency)
}

fn eviction_hard(text: &str) -> Result<String, String> {
    match Thresholds::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn feature_gates(text: &str) -> Result<String, String> {
    match Features::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn image_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("it takes the form FROM=TO, as in 'busybox=localhost/host'".to_owned()),
    }
}

impl Arguments {
    /// How to start, in the emulator's own terms.
    pub(super) fn options(&self) -> Options {
        Options {
            data_dir: self.data_dir.path(),
            port: self.port,
            static_pod_path: self.static_pod_path.clone(),
            pod_infra_container_image: self.pod_infra_container_image.clone(),
            map_images: self.map_image.clone(),
            // Each has been read once already.
            features: Features::parse(&self.feature_gates.join(",")).unwrap_or_default(),
            eviction_hard: Thresholds::parse(&self.eviction_hard.join(",")).unwrap_or_default(),
            sync_frequency: self.kubelet_sync_frequency,
        }
    }

    /// The same flags again, for the process that will be the emulator; paths no longer depend on the working directory.
    fn again(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["--data-dir".into(), self.data_dir.path().into()];
        words.extend(["--port".into(), self.port.to_string().into()]);
        if let Some(path) = &self.static_pod_path {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            words.extend(["--static-pod-path".into(), path.into()]);
        }
        if let Some(image) = &self.pod_infra_container_image {
            words.extend(["--pod-infra-container-image".into(), image.into()]);
        }
        for (from, to) in &self.map_image {
            words.extend(["--map-image".into(), format!("{from}={to}").into()]);
        }
        if !self.feature_gates.is_empty() {
            words.extend(["--feature-gates".into(), self.feature_gates.join(",").into()]);
        }
        if !self.eviction_hard.is_empty() {
            words.extend(["--eviction-hard".into(), self.eviction_hard.join(",").into()]);
        }
        if let Some(frequency) = self.kubelet_sync_frequency {
            let frequency = format!("{}ms", frequency.as_millis());
            words.extend(["--kubelet-sync-frequency".into(), frequency.into()]);
        }
        words
    }
}

/// Starts the emulator, or says that it runs, and makes its context the current one.
pub(super) fn run(arguments: &Arguments, connection: &Connection, printer: &mut Printer) -> Result<ExitCode, Failure> {
    let data_dir = arguments.data_dir.path();
    if let Some(running) = process::running(&data_dir)? {
        check_port(arguments.port, &running)?;
        return already_runs(&data_dir, &running, connection, printer);
    }
    if let Some(path) = arguments.static_pod_path.as_deref().filter(|path| !path.is_dir()) {
        let why = format!("--static-pod-path {}: there is no such directory", path.display());
        return Err(Failure::Emulator(why));
    }
    // Made here, not only by the emulator: its log lies in it.
    DataDir::make(&data_dir)?;
    let started = process::start(&data_dir, arguments.again());
    let process::Started {
        connection: answer,
        limitations,
    } = match started {
        Ok(started) => started,
        // Another `start` was faster.
        Err(error) => match process::running(&data_dir)? {
            Some(running) => return already_runs(&data_dir, &running, connection, printer),
            None => return Err(error.into()),
        },
    };
    let kubeconfig = context::path(connection.kubeconfig.as_deref());
    if let Err(error) = context::switch(&data_dir, &kubeconfig, &answer) {
        // An emulator that nobody can reach is of no use: nothing half-done.
        if let Some(running) = DataDir::running(&data_dir) {
            let wait = || {
                std::thread::sleep(Duration::from_millis(5));
                false
            };
            process::stop(&data_dir, &running, Duration::ZERO, wait)?;
        }
        return Err(error.into());
    }
    let text = format!("The emulator runs: {}", answer.server);
    printer.line(&Line::from(text.as_str()));
    say_switched(&kubeconfig, printer);
    for limitation in &limitations {
        printer.note(limitation);
    }
    Ok(ExitCode::SUCCESS)
}

/// One that runs keeps its port.
fn check_port(wanted: u16, running: &Running) -> Result<(), Failure> {
    if wanted == 0 || running.server.ends_with(&format!(":{wanted}")) {
        return Ok(());
    }
    Err(Failure::Emulator(format!(
        "the emulator already runs: {} (process {}): to start it on port {wanted}, stop it first with \
         `kubectl pod emulator stop`",
        running.server, running.pid
    )))
}

/// Says so, and sees to it that this kubeconfig leads there too: the start before may not have come so far.
fn already_runs(
    data_dir: &Path,
    running: &Running,
    connection: &Connection,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let text = format!(
        "The emulator already runs: {} (process {})",
        running.server, running.pid
    );
    printer.line(&Line::from(text.as_str()));
    let kubeconfig = context::path(connection.kubeconfig.as_deref());
    if !context::leads_to(&kubeconfig, &running.server) {
        let answer = emulator::emulator::connection(data_dir, running)?;
        context::switch(data_dir, &kubeconfig, &answer)?;
        say_switched(&kubeconfig, printer);
    }
    Ok(ExitCode::SUCCESS)
}

fn say_switched(kubeconfig: &Path, printer: &mut Printer) {
    let text = format!(
        "Switched to context \"{}\" in {}",
        kubeconfig::NAME,
        kubeconfig.display()
    );
    printer.line(&Line::from(text.as_str()));
}
