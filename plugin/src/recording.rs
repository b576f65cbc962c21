//! `--record` and its replay: every change that a watch told, one JSON object a line, each with its moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::problem::Place;
use crate::manifest::{Problem, Source};
use crate::pod::history::History;
use crate::pod::watched::Watched;

const API_VERSION: &str = "kubectl-pod/v1";
const KIND: &str = "LifecycleMoment";

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The object as it is now.
    #[serde(rename = "PRESENT")]
    Present,
    /// The object as it was last.
    #[serde(rename = "DELETED")]
    Deleted,
    /// All that there was at the start has been told.
    #[serde(rename = "SYNCED")]
    Synced,
    /// The recording ends.
    #[serde(rename = "END")]
    End,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    api_version: String,
    kind: String,
    at: Timestamp,
    #[serde(rename = "type")]
    change: Change,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    object: Value,
}

/// Why a recording could not be kept; a sentence.
#[derive(Debug, thiserror::Error)]
#[error("--record {}: {source}", path.display())]
pub struct RecordingError {
    path: PathBuf,
    source: io::Error,
}

/// A file that a watch is being recorded to.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
}

impl Recorder {
    /// Begins a recording. A file that is there already is left alone: it may be the record of something.
    ///
    /// # Errors
    /// The file exists, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, RecordingError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| RecordingError {
                path: path.to_owned(),
                source: match source.kind() {
                    io::ErrorKind::AlreadyExists => {
                        io::Error::other("the file exists already; name another, or remove it")
                    }
                    _ => source,
                },
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Writes an object down, as a line of its own, at once.
    ///
    /// # Errors
    /// The file cannot be written: a full disk, say.
    pub fn object<T: Serialize>(&mut self, at: Timestamp, change: Change, object: &T) -> Result<(), RecordingError> {
        // Kubernetes' objects have text for keys: there is nothing that could fail.
        let object = serde_json::to_value(object).unwrap_or_default();
        self.line(at, change, object)
    }

    /// Writes down what is about no object.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, at: Timestamp, change: Change) -> Result<(), RecordingError> {
        self.line(at, change, Value::Null)
    }

    fn line(&mut self, at: Timestamp, change: Change, object: Value) -> Result<(), RecordingError> {
        let moment = Moment {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            at,
            change,
            object,
        };
        let mut line = serde_json::to_string(&moment).unwrap_or_default();
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|source| RecordingError {
            path: self.path.clone(),
            source,
        })
    }
}

/// Whether a file is a recording.
pub fn is_recording(source: &Source) -> bool {
    let first = source.text.lines().next().unwrap_or_default();
    first.starts_with('{') && first.contains(&format!("\"kind\":\"{KIND}\""))
}

/// Plays a recording: the lives that it tells, as of its last moment.
///
/// # Errors
/// The line that is none of a recording.
pub fn replay(source: &Source) -> Result<Vec<History>, Problem> {
    let mut watched = Watched::default();
    let mut now = Timestamp::UNIX_EPOCH;
    let lines: Vec<&str> = source.text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let is_torn = number + 1 == lines.len() && !source.text.ends_with('\n');
        let moment: Moment = match serde_json::from_str(line) {
            Ok(moment) => moment,
            // Whoever recorded was killed while it wrote; what came before holds.
            Err(_) if is_torn && number > 0 => break,
            Err(error) => return Err(broken(source, number, &error)),
        };
        now = moment.at;
        play(&mut watched, moment).map_err(|error| broken(source, number, &error))?;
    }
    // One that ended before all of its start was known still tells that.
    watched.go_live(now);
    let histories = watched.histories(now);
    if histories.is_empty() {
        return Err(Problem::new(source, "the recording tells of no pod"));
    }
    Ok(histories)
}

fn play(watched: &mut Watched, moment: Moment) -> Result<(), serde_json::Error> {
    let at = moment.at;
    let is_event = moment.object["kind"] == "Event";
    match moment.change {
        Change::Present if is_event => {
            watched.event(serde_json::from_value::<Event>(moment.object)?, at);
        }
        Change::Present => {
            watched.present(serde_json::from_value::<Pod>(moment.object)?, at);
        }
        Change::Deleted => {
            watched.gone(serde_json::from_value::<Pod>(moment.object)?, at);
        }
        Change::Synced => {
            watched.go_live(at);
        }
        Change::End => {}
    }
    Ok(())
}

fn broken(source: &Source, number: usize, error: &serde_json::Error) -> Problem {
    let place = Place {
        line: number + 1,
        column: error.column().max(1),
    };
    Problem::new(source, format!("no line of a recording: {error}"))
        .at(place)
        .help("a recording is what kubectl pod lifecycle --record writes, unchanged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn recording() -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let mut recorder = Recorder::create(&path).unwrap();
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let pod = |phase: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default", "uid": "u",
                "creationTimestamp": at(0).to_string()}, "spec": {"containers": [{"name": "app"}]}, "status": {"phase": phase}})
        };
        recorder.note(at(0), Change::Synced).unwrap();
        recorder.object(at(0), Change::Present, &pod("Pending")).unwrap();
        recorder.object(at(5), Change::Deleted, &pod("Pending")).unwrap();
        recorder.note(at(6), Change::End).unwrap();
        assert!(
            Recorder::create(&path)
                .unwrap_err()
                .to_string()
                .contains("exists already")
        );
        std::fs::read_to_string(path).unwrap()
    }

    fn source(text: String) -> Source {
        Source { name: "r".into(), text }
    }

    #[test]
    fn what_was_recorded_is_told_again() {
        let source = source(recording());
        assert!(is_recording(&source));
        let history = replay(&source).unwrap().remove(0);
        let told: Vec<&str> = history.entries.iter().map(|entry| entry.what.as_str()).collect();
        assert_eq!(told, ["created", "deleted"]);
        assert!(history.is_whole && history.gone.is_some());
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_a_broken_one_is_named() {
        let text = recording();
        let torn = text[..text.len() - 30].to_owned();
        assert_eq!(replay(&source(torn)).unwrap().len(), 1);
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1] = "{nonsense";
        let said = replay(&source(lines.join("\n") + "\n")).unwrap_err().to_string();
        assert!(said.contains("r:2:"), "{said}");
    }
}
