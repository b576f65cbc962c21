//! JSON patch (RFC 6902), with the limits of the API server: a patch of a few kilobytes must not make gigabytes.

use serde_json::Value;

use super::PatchError;

/// The most operations in one patch (`apiserver/pkg/endpoints/handlers/patch.go`).
const MAX_OPERATIONS: usize = 10_000;
/// The most bytes that the `copy` operations of one patch may add (`JSONPatchMaxCopyBytes`).
const MAX_COPIED: usize = 3 * 1024 * 1024;

/// Applies the patch in `body` to `object`.
///
/// # Errors
/// Where it is no patch, does not fit the object, or goes beyond a limit. The object may be changed in part then.
pub(super) fn apply(object: &mut Value, body: &[u8]) -> Result<(), PatchError> {
    let operations: Vec<Value> = serde_json::from_slice(body)
        .map_err(|error| PatchError::Unreadable(format!("error decoding patch: {error}")))?;
    if operations.len() > MAX_OPERATIONS {
        let count = operations.len();
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}"
        )));
    }
    let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations))
        .map_err(|error| PatchError::Unreadable(format!("error decoding patch: {error}")))?;
    let mut copied = 0;
    for operation in patch.0 {
        if let json_patch::PatchOperation::Copy(copy) = &operation {
            let size = copy.from.resolve(object).map_or(0, written_size);
            copied += size;
            if copied > MAX_COPIED {
                return Err(PatchError::TooLarge(format!(
                    "Unable to complete the copy, the accumulated size increase of copy is {copied}, exceeding the limit \
                     {MAX_COPIED}"
                )));
            }
        }
        json_patch::patch(object, &[operation]).map_err(|error| {
            PatchError::Unfit(format!(
                "the server rejected our request due to an error in our request: {error}"
            ))
        })?;
    }
    Ok(())
}

/// The bytes of a value as JSON, counted without writing them.
fn written_size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value can always be written, and counting does not fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn applied(object: &Value, patch: &Value) -> Result<Value, PatchError> {
        let mut object = object.clone();
        apply(&mut object, patch.to_string().as_bytes()).map(|()| object)
    }

    #[test]
    fn copies_beyond_the_limit_are_refused() {
        let object = json!({"a": {"x": "y".repeat(1000)}});
        // Each copies all that is there so far: 22 of them would make gigabytes.
        let patch: Vec<Value> = (0..22)
            .map(|index| json!({"op": "copy", "from": "", "path": format!("/n{index}")}))
            .collect();
        let refused = applied(&object, &json!(patch));
        let Err(PatchError::TooLarge(why)) = refused else {
            panic!("it was applied, or refused for another reason")
        };
        assert!(why.ends_with("exceeding the limit 3145728"), "{why}");
    }

    #[test]
    fn operations_beyond_the_limit_are_refused() {
        let test = json!({"op": "test", "path": "/a", "value": 1});
        let object = json!({"a": 1});
        assert!(applied(&object, &json!(vec![test.clone(); 10_000])).is_ok());
        assert_eq!(
            applied(&object, &json!(vec![test; 10_001])),
            Err(PatchError::TooLarge(
                "The allowed maximum operations in a JSON patch is 10000, got 10001".into()
            ))
        );
    }

    #[test]
    fn small_copies_and_moves_are_made() {
        let patch = json!([
            {"op": "copy", "from": "/a", "path": "/b"}, {"op": "move", "from": "/a", "path": "/c"},
            {"op": "add", "path": "/d", "value": 2}, {"op": "remove", "path": "/b"},
        ]);
        assert_eq!(applied(&json!({"a": 1}), &patch), Ok(json!({"c": 1, "d": 2})));
        let missing = json!([{"op": "copy", "from": "/x", "path": "/b"}]);
        assert!(matches!(applied(&json!({}), &missing), Err(PatchError::Unfit(_))));
        assert!(matches!(
            applied(&json!({}), &json!({})),
            Err(PatchError::Unreadable(_))
        ));
    }
}
