//! `-o go-template=`: Go's templates over an answer, with kubectl's own two functions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gotmpl::{Template, Value as Data};
use serde_json::Value;

use super::go_functions::{base64decode, exists, undefined};

/// The name that kubectl gives every template, which its errors repeat.
const NAME: &str = "output";

/// A template that has been read.
#[derive(Clone)]
pub struct GoTemplate {
    text: String,
    template: Arc<Template>,
}

impl fmt::Debug for GoTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("GoTemplate").field(&self.text).finish()
    }
}

/// What a template asks for that an answer does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error executing template {template:?}: {why}")]
pub struct Unfilled {
    template: String,
    why: String,
}

impl GoTemplate {
    /// Reads the text of a template.
    ///
    /// # Errors
    /// What is wrong with it, introduced as kubectl introduces it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let template = Template::new(NAME)
            .func("exists", exists)
            .func("base64decode", base64decode)
            .parse(text)
            .map_err(|error| format!("error parsing template {text}, {error}"))?;
        // Go looks functions up when it reads a template, this library when it comes to them.
        if let Some((line, name)) = undefined(&template) {
            return Err(format!(
                "error parsing template {text}, template: {NAME}:{line}: function {name:?} not defined"
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            template: Arc::new(template),
        })
    }

    /// What the template makes of an answer.
    ///
    /// # Errors
    /// The first thing that cannot be made of it.
    pub fn render(&self, value: &Value) -> Result<String, Unfilled> {
        self.template.execute_to_string(&data(value)).map_err(|error| Unfilled {
            template: self.text.clone(),
            why: error.to_string(),
        })
    }
}

/// The answer as Go's templates know it: whole numbers are integers, as they are to kubectl.
fn data(value: &Value) -> Data {
    match value {
        Value::Null => Data::Nil,
        Value::Bool(value) => Data::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Data::Int(number),
            (None, Some(number)) => Data::Uint(number),
            (None, None) => Data::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Data::String(text.as_str().into()),
        Value::Array(items) => Data::List(items.iter().map(data).collect()),
        Value::Object(members) => {
            let members: BTreeMap<_, _> = members
                .iter()
                .map(|(name, member)| (name.as_str().into(), data(member)))
                .collect();
            Data::Map(Arc::new(members))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(text: &str) -> String {
        let answer = json!({
            "name": "web", "labels": {"z": "1", "app": "web"}, "secret": "aGVsbG8=", "grace": 30, "big": 123_456_789,
            "containers": [{"name": "a", "ready": true}, {"name": "b"}],
        });
        GoTemplate::parse(text).unwrap().render(&answer).unwrap()
    }

    /// The second of each pair is what kubectl 1.37 prints.
    #[test]
    fn templates_print_what_kubectl_prints() {
        for (text, printed) in [
            ("{{.name}} {{.grace}} {{.big}}", "web 30 123456789"),
            (
                "{{range .containers}}{{.name}}={{.ready}} {{end}}",
                "a=true b=<no value> ",
            ),
            ("{{if .x}}y{{else}}n{{end}} {{.x}}", "n <no value>"),
            ("{{range $k, $v := .labels}}{{$k}}:{{$v}},{{end}}", "app:web,z:1,"),
            ("{{.labels}} {{len .containers}}", "map[app:web z:1] 2"),
            (
                "{{with index .containers 1}}{{printf \"%q|%5d\" .name 7}}{{end}}",
                "\"b\"|    7",
            ),
            ("{{eq .grace 30}} {{and true .name}} {{not true}}", "true web false"),
            ("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .name}}", "<web>"),
            ("x {{- .name -}} y", "xweby"),
            ("{{base64decode .secret}}", "hello"),
            (
                "{{exists . \"labels\" \"app\"}} {{exists . \"x\"}} {{exists .containers 1}}",
                "true false true",
            ),
        ] {
            assert_eq!(rendered(text), printed, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, said) in [
            ("{{.name", "error parsing template {{.name, template: output:1"),
            (
                "{{range}}x{{end}}",
                "error parsing template {{range}}x{{end}}, template: output:1",
            ),
            ("{{nonsense .name}}", "function \"nonsense\" not defined"),
            (
                "{{if .x}}\n{{len (nonsense)}}{{end}}",
                "template: output:2: function \"nonsense\" not defined",
            ),
        ] {
            assert!(GoTemplate::parse(text).unwrap_err().contains(said), "{text}");
        }
    }

    #[test]
    fn what_an_answer_does_not_have_is_said() {
        let template = GoTemplate::parse("{{.name.x}}").unwrap();
        let said = template.render(&json!({"name": "a"})).unwrap_err().to_string();
        assert!(said.starts_with("error executing template \"{{.name.x}}\": "), "{said}");
    }
}
