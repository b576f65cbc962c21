//! The parameters of a request for logs.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::api::{
    admission::{FieldError, Kind, Rejection},
    query::Query,
};

/// Which of a container's streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogStream {
    /// Both.
    #[default]
    All,
    /// Standard output alone.
    Stdout,
    /// Standard error alone.
    Stderr,
}

/// What of a log is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// `container=`.
    pub container: Option<String>,
    /// Go on until the container ends.
    pub follow: bool,
    /// The instance before the present one.
    pub previous: bool,
    /// Each line with its time.
    pub timestamps: bool,
    /// Only the last lines.
    pub tail_lines: Option<u64>,
    /// Only so many bytes.
    pub limit_bytes: Option<u64>,
    /// Only what was written since.
    pub since: Option<Timestamp>,
    /// Only one stream.
    pub stream: LogStream,
}

impl LogOptions {
    /// Reads a query string.
    ///
    /// # Errors
    /// The server's words for each wrong parameter.
    pub fn parse(query: &str, now: Timestamp, pod: &str) -> Result<Self, Rejection> {
        let query = Query::parse(query);
        let number = |name: &str| -> Result<Option<i64>, Rejection> {
            query
                .get(name)
                .map(|text| {
                    text.parse().map_err(|_| {
                        Rejection::BadRequest(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
                    })
                })
                .transpose()
        };
        let mut errors = Vec::new();
        let mut wrong = |path: &str, kind: Kind, value: Value, detail: &str| {
            errors.push(FieldError {
                path: path.to_owned(),
                kind,
                value,
                detail: detail.to_owned(),
            });
        };
        let tail_lines = number("tailLines")?;
        if let Some(lines) = tail_lines.filter(|lines| *lines < 0) {
            wrong(
                "tailLines",
                Kind::Invalid,
                lines.into(),
                "must be greater than or equal to 0",
            );
        }
        let limit_bytes = number("limitBytes")?;
        if let Some(bytes) = limit_bytes.filter(|bytes| *bytes < 1) {
            wrong("limitBytes", Kind::Invalid, bytes.into(), "must be greater than 0");
        }
        let since_seconds = number("sinceSeconds")?;
        let since_time = query
            .get("sinceTime")
            .map(|text| {
                text.parse::<Timestamp>().map_err(|_| {
                    Rejection::BadRequest(format!(
                        "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?}"
                    ))
                })
            })
            .transpose()?;
        if since_seconds.is_some() && since_time.is_some() {
            wrong(
                "",
                Kind::Forbidden,
                Value::Null,
                "at most one of `sinceTime` or `sinceSeconds` may be specified",
            );
        } else if let Some(seconds) = since_seconds.filter(|seconds| *seconds < 1) {
            wrong("sinceSeconds", Kind::Invalid, seconds.into(), "must be greater than 0");
        }
        let stream = match query.get("stream") {
            None | Some("All") => LogStream::All,
            Some("Stdout") => LogStream::Stdout,
            Some("Stderr") => LogStream::Stderr,
            Some(other) => {
                let detail = "supported values: \"All\", \"Stderr\", \"Stdout\"";
                wrong("stream", Kind::NotSupported, other.into(), detail);
                LogStream::All
            }
        };
        if stream != LogStream::All && tail_lines.is_some() {
            wrong(
                "",
                Kind::Forbidden,
                Value::Null,
                "`tailLines` and specific `stream` are mutually exclusive for now",
            );
        }
        if !errors.is_empty() {
            return Err(Rejection::Invalid {
                kind: "PodLogOptions",
                name: pod.to_owned(),
                errors,
            });
        }
        let seconds_ago = |seconds: i64| {
            now.checked_sub(SignedDuration::from_secs(seconds))
                .unwrap_or(Timestamp::MIN)
        };
        Ok(Self {
            container: query.get("container").map(str::to_owned),
            follow: query.flag("follow"),
            previous: query.flag("previous"),
            timestamps: query.flag("timestamps"),
            tail_lines: tail_lines.and_then(|lines| u64::try_from(lines).ok()),
            limit_bytes: limit_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            since: since_time.or(since_seconds.map(seconds_ago)),
            stream,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubectls_parameters_are_read() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        let options = LogOptions::parse(
            "follow=true&tailLines=3&timestamps=true&sinceSeconds=60&container=a",
            now,
            "p",
        )
        .unwrap();
        assert!(options.follow && options.timestamps && !options.previous);
        assert_eq!(options.tail_lines, Some(3));
        assert_eq!(options.since, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_negative_number_of_lines_is_refused() {
        let error = LogOptions::parse("tailLines=-1", Timestamp::UNIX_EPOCH, "p").unwrap_err();
        assert_eq!(
            error.to_string(),
            "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0"
        );
    }
}
