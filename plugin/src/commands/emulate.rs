//! `kubectl pod lifecycle --emulate`: one file, run from its creation to the end of its life.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io};

use emulator::emulator::{Emulator, Options};
use emulator::features::Features;
use emulator::kubelet::thresholds::Thresholds;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use serde::Serialize;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::follow::{Follow, Followed, follow, interruption};
use super::lifecycle::{Arguments, finish};
use crate::cli::usage::UsageError;
use crate::cluster::error::ClusterError;
use crate::cluster::watch::Query;
use crate::cluster::{Cluster, Kind};
use crate::daemon::keeper::Keeper;
use crate::failure::Failure;
use crate::manifest::{self, Document, Maker, OnePod, Source};
use crate::pod::outcome::Until;
use crate::view::printer::Printer;

/// How long an interrupted pod may take to end.
const GRACE: Duration = Duration::from_secs(30);

/// What is run: a pod, and what it refers to.
pub struct Play {
    /// The pod.
    pub pod: Pod,
    /// The object that such pods are made by, where the file holds that.
    pub maker: Option<Maker>,
    /// What the file holds besides.
    pub companions: Vec<Document>,
}

/// Runs it.
///
/// # Errors
/// What is wrong with the file, or what keeps it from running.
pub fn run(arguments: &Arguments, names: &[String], printer: &mut Printer) -> Result<ExitCode, Failure> {
    let sources = manifest::source::read(names, arguments.selection.recursive)?;
    let what = read(&sources)?;
    if let Some(maker) = &what.maker {
        printer.note(&maker.told());
    }
    let map_images = image_map(&arguments.map_image)?;
    let (folder, keeper) = kept_folder().map_err(Failure::Folder)?;
    // Before the first thread: without root, this process enters a user namespace.
    emulator::emulator::prepare_process(folder.path())?;
    for archive in &arguments.image_archive {
        emulator::emulator::load(folder.path(), archive)?;
    }
    let options = Options {
        data_dir: folder.path().to_owned(),
        port: 0,
        static_pod_path: None,
        pod_infra_container_image: None,
        map_images,
        features: Features::default(),
        eviction_hard: Thresholds::default(),
        sync_frequency: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let played = runtime.block_on(with_emulator(options, what, arguments, printer));
    // Whatever still holds the folder's files open ends before the folder does.
    runtime.shutdown_timeout(Duration::from_secs(2));
    let removed = folder.close().map_err(Failure::Folder);
    keeper.dismiss();
    let code = played?;
    removed?;
    Ok(code)
}

/// A folder for the emulator, and who takes it away where this process is killed: there before the folder is, so that
/// nothing can come between the two.
fn kept_folder() -> io::Result<(TempDir, Keeper)> {
    let name = format!("kubectl-pod-{}{}", emulator::uid::suffix(), emulator::uid::suffix());
    let keeper = Keeper::start(&env::temp_dir().join(&name))?;
    match tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir() {
        Ok(folder) => Ok((folder, keeper)),
        Err(error) => {
            keeper.dismiss();
            Err(error)
        }
    }
}

/// Starts an emulator, plays, and stops it: also when the play is interrupted, and when it fails.
async fn with_emulator(
    options: Options,
    what: Play,
    arguments: &Arguments,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    // From the first moment on, Ctrl-C ends what was begun instead of leaving it behind.
    let interrupted = interruption();
    tokio::pin!(interrupted);
    let emulator = Emulator::start(options).await?;
    for limitation in emulator.limitations() {
        printer.note(limitation);
    }
    let (played, timeout) = tokio::select! {
        played = async {
            let cluster = Cluster::of_emulator(emulator.connection()).await?;
            play(&cluster, what, arguments, printer).await
        } => (played, Duration::ZERO),
        () = &mut interrupted => (Ok(ExitCode::from(130)), GRACE),
    };
    if !timeout.is_zero() {
        printer.note("the pod ends within its grace period: press Ctrl-C again to kill it at once");
    }
    let stopped = emulator.stop(timeout, interruption()).await;
    let code = played?;
    stopped?;
    Ok(code)
}

/// Reads what is to be run.
///
/// # Errors
/// What is wrong with the sources.
pub fn read(sources: &[Source]) -> Result<Play, Failure> {
    let OnePod { pod, maker, companions } = manifest::one_pod(sources)?;
    if pod.metadata.name.as_deref().unwrap_or_default().is_empty() && pod.metadata.generate_name.is_none() {
        let problem = manifest::Problem::new(
            &sources[0],
            "metadata.name: Required value: name or generateName is required",
        );
        return Err(problem.field("metadata.name").help("give the pod a name").into());
    }
    Ok(Play { pod, maker, companions })
}

/// Reads `FROM=TO`.
///
/// # Errors
/// What is no such pair.
pub fn image_map(pairs: &[String]) -> Result<Vec<(String, String)>, UsageError> {
    pairs
        .iter()
        .map(|pair| match pair.rsplit_once('=') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
            _ => Err(UsageError::new(format!(
                "invalid argument {pair:?} for \"--map-image\" flag: must be FROM=TO"
            ))),
        })
        .collect()
}

/// Creates the objects, tells what happens until the end, and deletes the pod again.
///
/// # Errors
/// The API server refuses the objects.
pub async fn play(
    cluster: &Cluster,
    play: Play,
    arguments: &Arguments,
    printer: &mut Printer,
) -> Result<ExitCode, Failure> {
    let namespace = play
        .pod
        .metadata
        .namespace
        .clone()
        .unwrap_or_else(|| cluster.namespace().to_owned());
    for companion in &play.companions {
        create(cluster, &namespace, companion).await?;
    }
    let began = Arc::new(Notify::new());
    let name = play.pod.metadata.name.clone();
    let request = Follow {
        query: Query {
            namespace: Some(namespace.clone()),
            labels: None,
            fields: name.as_ref().map(|name| format!("metadata.name={name}")),
        },
        name,
        until: Some(arguments.until.unwrap_or(Until::Succeeded)),
        timeout: arguments.timeout,
        awaited: Some(Arc::clone(&began)),
        shows_logs: arguments.logs,
        containers: arguments.containers.clone(),
        is_silent: arguments.output.is_document(),
        record: arguments.record.clone(),
    };
    let followed = follow_creation(cluster, &namespace, &play.pod, &began, &request, printer).await?;
    let code = finish(arguments, &followed, printer);
    for facts in followed
        .pods
        .iter()
        .filter(|history| history.gone.is_none())
        .map(|history| &history.facts)
    {
        // Without grace: the story is over, and stopping the emulator ends whatever still runs.
        cluster.delete::<Pod>(&facts.namespace, &facts.name, Some(0)).await?;
    }
    Ok(code?)
}

/// Creates the pod when the watch has begun, so that nothing is missed.
async fn follow_creation(
    cluster: &Cluster,
    namespace: &str,
    pod: &Pod,
    began: &Notify,
    request: &Follow,
    printer: &mut Printer,
) -> Result<Followed, Failure> {
    let telling = follow(cluster, request, printer);
    let creating = async {
        began.notified().await;
        cluster.create(namespace, pod).await
    };
    tokio::pin!(telling);
    tokio::select! {
        told = &mut telling => told,
        created = creating => {
            created?;
            telling.await
        }
    }
}

async fn create(cluster: &Cluster, namespace: &str, document: &Document) -> Result<(), Failure> {
    async fn as_kind<K: Kind + Serialize>(
        cluster: &Cluster,
        namespace: &str,
        document: &Document,
    ) -> Result<(), Failure> {
        let object: K = serde_json::from_value(document.value.clone())
            .map_err(|error| ClusterError::Unexpected(format!("{}: {error}", document.kind)))?;
        let own = object.meta().namespace.clone();
        cluster.create(own.as_deref().unwrap_or(namespace), &object).await?;
        Ok(())
    }
    match document.kind.as_str() {
        "ConfigMap" => as_kind::<ConfigMap>(cluster, namespace, document).await,
        "Secret" => as_kind::<Secret>(cluster, namespace, document).await,
        "ServiceAccount" => as_kind::<ServiceAccount>(cluster, namespace, document).await,
        "Service" => as_kind::<Service>(cluster, namespace, document).await,
        "PersistentVolumeClaim" => as_kind::<PersistentVolumeClaim>(cluster, namespace, document).await,
        kind => Err(Failure::Unsupported {
            what: format!("a {kind} beside the pod"),
            why: "the emulator of --emulate creates what a pod refers to in its own namespace, and nothing else"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_mapped_by_the_last_equals_sign() {
        assert_eq!(
            image_map(&["*=localhost/host".into(), "a/b:1=c".into()]),
            Ok(vec![
                ("*".into(), "localhost/host".into()),
                ("a/b:1".into(), "c".into())
            ])
        );
        assert!(image_map(&["nonsense".into()]).is_err());
    }
}
