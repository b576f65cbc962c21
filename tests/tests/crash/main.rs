//! The emulator killed at any moment, while pods start, run, crash and are deleted.
//!
//! What a client was told is stored is there afterwards, no container runs twice or is left without its pod, containers
//! that ended meanwhile have their exit codes, and once the emulator is stopped nothing is left.
//!
//! `KUBECTL_POD_CRASH_KILLS` says how often (200), `KUBECTL_POD_CRASH_SEED` repeats a run by the seed that it printed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where something that it needs fails")]

mod load;
mod random;
mod truth;
mod world;

use std::time::Duration;

use crate::{random::Random, world::World};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seed() -> u64 {
    number("KUBECTL_POD_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20 | now())
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::from(since.unwrap().subsec_micros())
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_runs_nothing_twice() {
    let kills = number("KUBECTL_POD_CRASH_KILLS").unwrap_or(200);
    crash(&World::on_the_disk(), kills);
}

#[test]
fn killed_while_the_disk_is_full_it_keeps_what_it_acknowledged() {
    let kills = number("KUBECTL_POD_CRASH_KILLS").unwrap_or(200) / 4;
    crash(&World::on_a_small_disk(), kills);
}

fn crash(world: &World, kills: u64) {
    let seed = seed();
    #[expect(clippy::print_stderr, reason = "the seed repeats the run")]
    {
        eprintln!("KUBECTL_POD_CRASH_SEED={seed}");
    }
    let mut random = Random::new(seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let began = std::time::Instant::now();
        let mut load = load::Load::begin(world, random.next()).await;
        for done in 0..kills {
            if random.below(5) == 0 {
                world.kill_while_it_starts(random.below(60));
            }
            world.start();
            load.resume(world).await;
            if done % 25 == 24 {
                load.settle(world).await;
            }
            world.squeeze(&mut random);
            tokio::time::sleep(Duration::from_millis(random.below(350))).await;
            world.kill();
            load.pause().await;
            world.relieve();
        }
        world.start();
        load.resume(world).await;
        load.settle(world).await;
        load.finish(world).await;
        #[expect(clippy::print_stderr, reason = "how much was tried")]
        {
            eprintln!("{kills} kills in {:.0?}: {}", began.elapsed(), load.summary());
        }
    });
    world.stop();
}
