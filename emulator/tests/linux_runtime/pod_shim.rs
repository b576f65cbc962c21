//! The shim as an executable of its own, for tests whose executable can't be one; and, asked for by name, a rootless
//! emulator's runtime that runs one container, which needs a process that enters a user namespace as it starts.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    emulator::runtime::linux::shim_main_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, config] = arguments.as_slice() else {
        return Err("pod-shim DATA CONFIG.json".into());
    };
    emulator::runtime::linux::enter_user_namespace_if_needed(data.as_ref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(rootless::run(data.as_ref(), config.as_ref()))
}

#[cfg(target_os = "linux")]
mod rootless {
    use std::{error::Error, fs, path::Path, time::Duration};

    use emulator::runtime::{
        ContainerConfig, ContainerState, Runtime, SandboxConfig,
        linux::{LinuxOptions, LinuxRuntime},
    };

    /// Runs the sandbox and the container of a file to their end; a second start goes on with the first one's.
    pub(crate) async fn run(data: &Path, config: &Path) -> Result<(), Box<dyn Error>> {
        let (sandbox, container, leave): (SandboxConfig, ContainerConfig, bool) =
            serde_json::from_slice(&fs::read(config)?)?;
        let runtime = LinuxRuntime::new(LinuxOptions::new(data)).await?;
        if runtime.pods().await?.is_empty()
            && let Err(error) = start(&runtime, &sandbox, &container).await
        {
            runtime.shut_down(true).await?;
            return Err(error);
        }
        if leave {
            return Ok(());
        }
        // Two minutes: longer than anything takes on a busy machine.
        for _ in 0..12_000 {
            let status = runtime.pod_status(&sandbox.pod).await?;
            if status.containers.iter().all(|one| one.state == ContainerState::Exited) {
                fs::write(data.join("status.json"), serde_json::to_vec(&status)?)?;
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(runtime.shut_down(true).await?)
    }

    async fn start(
        runtime: &LinuxRuntime,
        sandbox: &SandboxConfig,
        container: &ContainerConfig,
    ) -> Result<(), Box<dyn Error>> {
        let made = runtime.run_sandbox(sandbox).await?;
        let id = runtime.create_container(&made, container).await?;
        Ok(runtime.start_container(&id).await?)
    }
}
