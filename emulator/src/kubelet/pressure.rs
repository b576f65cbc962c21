//! Too little left on the node: which conditions it has, which pod goes, and in what words (`pkg/kubelet/eviction`): pure.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};

use super::{
    eviction::StorageUsed,
    pod::Pod,
    thresholds::{Signal, Threshold, Thresholds},
};
use crate::quantity;

/// How long a condition outlives what it came from (`evictionPressureTransitionPeriod`).
const TRANSITION: SignedDuration = SignedDuration::from_mins(5);

/// How much of something there is, and is left, in bytes or inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// What is left.
    pub available: u64,
    /// What there is.
    pub capacity: u64,
}

/// What was measured; nothing where that was not possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// Memory.
    pub memory: Option<Amount>,
    /// Bytes of the file system that the node's files are on.
    pub disk: Option<Amount>,
    /// Its inodes.
    pub inodes: Option<Amount>,
}

impl Observations {
    fn of(&self, signal: Signal) -> Option<Amount> {
        match signal {
            Signal::Memory => self.memory,
            Signal::Disk => self.disk,
            Signal::Inodes => self.inodes,
        }
    }
}

/// What a pod has of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// By name, each container's memory in bytes.
    pub memory: BTreeMap<String, u64>,
    /// Its disk.
    pub storage: StorageUsed,
}

/// A condition of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the Kubernetes condition of that name")]
pub enum Pressure {
    MemoryPressure,
    DiskPressure,
}

impl Pressure {
    /// `type` of the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MemoryPressure => "MemoryPressure",
            Self::DiskPressure => "DiskPressure",
        }
    }

    fn of(signal: Signal) -> Self {
        match signal {
            Signal::Memory => Self::MemoryPressure,
            Signal::Disk | Signal::Inodes => Self::DiskPressure,
        }
    }
}

/// What a threshold that is met asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Starved {
    signal: Signal,
    least: u64,
    available: u64,
}

impl Starved {
    /// The resource, as messages name it.
    pub fn resource(&self) -> &'static str {
        match self.signal {
            Signal::Memory => "memory",
            Signal::Disk => "ephemeral-storage",
            Signal::Inodes => "inodes",
        }
    }
}

/// The first threshold that is met.
pub fn starved(thresholds: &Thresholds, observed: &Observations) -> Option<Starved> {
    let met = |threshold: &Threshold| {
        let amount = observed.of(threshold.signal)?;
        let least = threshold.quantity(amount.capacity);
        (amount.available < least).then_some(Starved {
            signal: threshold.signal,
            least,
            available: amount.available,
        })
    };
    thresholds.iter().find_map(met)
}

/// The node's conditions over time.
#[derive(Clone, Debug, Default)]
pub struct Conditions(BTreeMap<Pressure, Timestamp>);

impl Conditions {
    /// The conditions that hold now.
    pub fn update(&mut self, thresholds: &Thresholds, observed: &Observations, now: Timestamp) -> Vec<Pressure> {
        for threshold in thresholds.iter() {
            let short = observed
                .of(threshold.signal)
                .is_some_and(|amount| amount.available < threshold.quantity(amount.capacity));
            if short {
                self.0.insert(Pressure::of(threshold.signal), now);
            }
        }
        self.0.retain(|_, seen| now.duration_since(*seen) < TRANSITION);
        self.0.keys().copied().collect()
    }
}

/// The pods in the order in which they go: first those that use more than they have requested, then the less important
/// ones, then those that exceed their request the most.
pub fn rank<'a>(starved: &Starved, mut pods: Vec<(&'a Pod, &'a Used)>) -> Vec<(&'a Pod, &'a Used)> {
    pods.sort_by_key(|(pod, used)| {
        let beyond = total(starved, used) - requested(starved, pod);
        (
            Reverse(beyond > 0 || starved.signal == Signal::Inodes),
            pod.spec.priority.unwrap_or(0),
            Reverse(beyond),
        )
    });
    pods
}

fn total(starved: &Starved, used: &Used) -> i128 {
    let sum = |values: &BTreeMap<String, u64>| values.values().map(|bytes| i128::from(*bytes)).sum::<i128>();
    match starved.signal {
        Signal::Memory => sum(&used.memory),
        Signal::Disk | Signal::Inodes => {
            let volumes = used.storage.volumes.values().filter(|volume| !volume.in_memory);
            sum(&used.storage.containers) + volumes.map(|volume| i128::from(volume.bytes)).sum::<i128>()
        }
    }
}

fn requested(starved: &Starved, pod: &Pod) -> i128 {
    let requests = quantity::requests(&pod.spec);
    requests.get(starved.resource()).copied().unwrap_or(0) / 1000
}

/// What the pod's status says: what was lacking, and which of its containers used more than they had requested.
pub fn message(starved: &Starved, pod: &Pod, used: &Used) -> String {
    let resource = starved.resource();
    let shown = |amount: u64| {
        let unit = if starved.signal == Signal::Inodes {
            "inodes"
        } else {
            "memory"
        };
        quantity::text(unit, i128::from(amount) * 1000)
    };
    let (least, available) = (shown(starved.least), shown(starved.available));
    let mut message =
        format!("The node was low on resource: {resource}. Threshold quantity: {least}, available: {available}. ");
    let of_containers = match starved.signal {
        Signal::Memory => &used.memory,
        Signal::Disk => &used.storage.containers,
        Signal::Inodes => return message,
    };
    for declared in pod.init().chain(pod.regular()) {
        let Some(bytes) = of_containers.get(declared.name()) else {
            continue;
        };
        let requests = declared.container.resources.as_ref();
        let requests = requests.and_then(|resources| resources.requests.as_ref());
        let request = requests.and_then(|requests| requests.get(resource));
        let request = request.map_or("0", |request| request.0.as_str());
        if i128::from(*bytes) * 1000 > quantity::milli(request).unwrap_or(0) {
            let (name, usage) = (declared.name(), shown(*bytes));
            message.push_str(&format!(
                "Container {name} was using {usage}, request is {request}, has larger consumption of {resource}. "
            ));
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn observed(memory: u64, disk: u64) -> Observations {
        let of = |available| {
            Some(Amount {
                available,
                capacity: 1 << 30,
            })
        };
        Observations {
            memory: of(memory),
            disk: of(disk),
            inodes: None,
        }
    }

    fn thresholds() -> Thresholds {
        Thresholds::parse("memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%").unwrap()
    }

    fn pod(name: &str, priority: i32, request: &str) -> Pod {
        let resources = json!({"requests": {"memory": request}});
        let spec = json!({"priority": priority, "containers": [{"name": name, "resources": resources}]});
        Pod::read(&json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    fn uses(name: &str, bytes: u64) -> Used {
        Used {
            memory: BTreeMap::from([(name.to_owned(), bytes)]),
            ..Used::default()
        }
    }

    #[test]
    fn memory_comes_before_the_disk_and_the_message_names_what_was_lacking() {
        assert_eq!(starved(&thresholds(), &observed(200 << 20, 200 << 20)), None);
        let both = starved(&thresholds(), &observed(50 << 20, 1 << 20)).unwrap();
        assert_eq!(both.resource(), "memory");
        let (pod, used) = (pod("a", 0, "1Mi"), uses("a", 3 << 20));
        assert_eq!(
            message(&both, &pod, &used),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. \
             Container a was using 3Mi, request is 1Mi, has larger consumption of memory. "
        );
        let disk = starved(&thresholds(), &observed(200 << 20, 1 << 20)).unwrap();
        assert_eq!(
            message(&disk, &pod, &used),
            "The node was low on resource: ephemeral-storage. Threshold quantity: 107374182, available: 1Mi. "
        );
    }

    #[test]
    fn those_beyond_their_requests_go_first_then_the_less_important_then_the_greediest() {
        let starved = starved(&thresholds(), &observed(1, 1 << 30)).unwrap();
        let pods = [
            (pod("within", 0, "9Mi"), uses("within", 5 << 20)),
            (pod("important", 9, "1Mi"), uses("important", 50 << 20)),
            (pod("greedy", 0, "1Mi"), uses("greedy", 8 << 20)),
            (pod("modest", 0, "1Mi"), uses("modest", 2 << 20)),
        ];
        let ranked = rank(&starved, pods.iter().map(|(pod, used)| (pod, used)).collect());
        let names: Vec<&str> = ranked.iter().map(|(pod, _)| pod.name.as_str()).collect();
        assert_eq!(names, ["greedy", "modest", "important", "within"]);
    }

    #[test]
    fn a_condition_outlives_its_cause_by_five_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut conditions = Conditions::default();
        let (low, fine) = (observed(200 << 20, 1), observed(200 << 20, 200 << 20));
        assert_eq!(conditions.update(&thresholds(), &low, at(0)), [Pressure::DiskPressure]);
        assert_eq!(
            conditions.update(&thresholds(), &fine, at(299)),
            [Pressure::DiskPressure]
        );
        assert_eq!(conditions.update(&thresholds(), &fine, at(300)), []);
    }
}
