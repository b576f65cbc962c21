//! How a command ended, as the Status that goes over the error channel.

use serde_json::{Value, json};

/// It ended with 0, or an attach is over.
pub(super) fn success() -> Value {
    json!({"metadata": {}, "status": "Success"})
}

/// It ended with another code.
pub(super) fn exit_code(command: &[String], code: i32) -> Value {
    if code == 0 {
        return success();
    }
    let words = command.join(" ");
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: error executing command [{words}], exit code {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// It could not be run, or its end can't be known.
pub(super) fn internal_error(why: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("Internal error occurred: {why}"),
        "reason": "InternalError",
        "details": {"causes": [{"message": why}]},
        "code": 500,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_a_cause() {
        let status = exit_code(&["false".to_owned()], 1);
        assert_eq!(status["reason"], "NonZeroExitCode");
        assert_eq!(
            status["details"]["causes"][0],
            json!({"reason": "ExitCode", "message": "1"})
        );
        assert_eq!(exit_code(&[], 0), success());
    }
}
