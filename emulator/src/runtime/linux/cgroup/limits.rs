//! Limits as the kernel's files take them.

use crate::runtime::Resources;

/// One value for one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) file: &'static str,
    pub(super) value: String,
    /// The file is not everywhere (no swap accounting), or refuses what is the default anyway.
    pub(super) optional: bool,
}

/// In the order in which they are written.
pub(super) type Writes = Vec<Write>;

fn write(file: &'static str, value: impl ToString) -> Write {
    Write {
        file,
        value: value.to_string(),
        optional: false,
    }
}

pub(super) fn cpu(resources: &Resources, unified: bool) -> Writes {
    let mut writes = Vec::new();
    if let Some(shares) = resources.cpu_shares {
        writes.push(if unified {
            write("cpu.weight", weight(shares))
        } else {
            write("cpu.shares", shares)
        });
    }
    if let Some(quota) = resources.cpu_quota {
        let period = resources.cpu_period.unwrap_or(100_000);
        if unified {
            let quota = if quota > 0 { quota.to_string() } else { "max".into() };
            writes.push(write("cpu.max", format!("{quota} {period}")));
        } else {
            writes.push(write("cpu.cfs_period_us", period));
            writes.push(write("cpu.cfs_quota_us", quota));
        }
    }
    writes
}

/// Shares (2 to 262144) on the scale of version 2 (1 to 10000).
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

pub(super) fn memory(resources: &Resources, unified: bool) -> Writes {
    let Some(limit) = resources.memory_limit else {
        return Vec::new();
    };
    let limit = if limit > 0 {
        limit.to_string()
    } else if unified {
        "max".into()
    } else {
        "-1".into()
    };
    if unified {
        // One process over the limit takes the container with it, and swap does not soften the limit: the kubelet's defaults.
        let optional = |file, value: &str| Write {
            optional: true,
            ..write(file, value)
        };
        vec![
            write("memory.max", limit),
            optional("memory.swap.max", "0"),
            optional("memory.oom.group", "1"),
        ]
    } else {
        vec![write("memory.limit_in_bytes", limit)]
    }
}

pub(super) fn pids(resources: &Resources, _unified: bool) -> Writes {
    let Some(limit) = resources.pids_limit else {
        return Vec::new();
    };
    vec![write(
        "pids.max",
        if limit > 0 { limit.to_string() } else { "max".into() },
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(writes: &Writes) -> Vec<(&str, &str)> {
        writes.iter().map(|write| (write.file, write.value.as_str())).collect()
    }

    #[test]
    fn cpu_limits_are_written_as_each_version_takes_them() {
        let half = Resources {
            cpu_shares: Some(512),
            cpu_quota: Some(50_000),
            ..Resources::default()
        };
        assert_eq!(
            values(&cpu(&half, true)),
            [("cpu.weight", "20"), ("cpu.max", "50000 100000")]
        );
        assert_eq!(
            values(&cpu(&half, false)),
            [
                ("cpu.shares", "512"),
                ("cpu.cfs_period_us", "100000"),
                ("cpu.cfs_quota_us", "50000")
            ]
        );
    }

    #[test]
    fn the_ends_of_the_scale_of_shares_are_the_ends_of_the_scale_of_weights() {
        assert_eq!((weight(2), weight(262_144)), (1, 10_000));
    }

    #[test]
    fn no_limit_writes_nothing() {
        assert!(memory(&Resources::default(), true).is_empty());
        assert!(pids(&Resources::default(), false).is_empty());
    }
}
