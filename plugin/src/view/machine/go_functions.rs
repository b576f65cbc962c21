//! The functions that a template of Go may call: Go's own, and kubectl's two.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gotmpl::parse::{Expr, ListNode, Node, PipeNode};
use gotmpl::{Template, TemplateError, Value as Data};

/// All of them, by name (Go's `text/template/funcs.go`; kubectl's `printers/template.go`).
const NAMES: [&str; 21] = [
    "and",
    "base64decode",
    "call",
    "eq",
    "exists",
    "ge",
    "gt",
    "html",
    "index",
    "js",
    "le",
    "len",
    "lt",
    "ne",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "slice",
    "urlquery",
];

/// The first function that a template calls and that there is not: the line, and the name.
pub(super) fn undefined(template: &Template) -> Option<(usize, &str)> {
    let bodies = template.templates().into_iter();
    bodies.filter_map(|name| template.lookup(name)).find_map(in_list)
}

fn in_list(list: &ListNode) -> Option<(usize, &str)> {
    list.nodes.iter().find_map(|node| match node {
        Node::List(list) => in_list(list),
        Node::Action(action) => in_pipe(&action.pipe),
        Node::If(branch) | Node::Range(branch) | Node::With(branch) => in_pipe(&branch.pipe)
            .or_else(|| in_list(&branch.body))
            .or_else(|| branch.else_body.as_ref().and_then(in_list)),
        Node::Template(call) => call.pipe.as_ref().and_then(in_pipe),
        Node::Define(define) => in_list(&define.body),
        Node::Text(_) | Node::Break(_) | Node::Continue(_) => None,
    })
}

fn in_pipe(pipe: &PipeNode) -> Option<(usize, &str)> {
    pipe.commands.iter().flat_map(|command| &command.args).find_map(in_word)
}

fn in_word(word: &Expr) -> Option<(usize, &str)> {
    match word {
        Expr::Identifier(at, name) => (!NAMES.contains(&name.as_str())).then_some((at.line, name.as_str())),
        Expr::Pipe(_, pipe) => in_pipe(pipe),
        Expr::Chain(_, inner, _) => in_word(inner),
        _ => None,
    }
}

/// `exists ITEM KEY...`: whether there is something at the end of the way (kubectl's `exists`).
pub(super) fn exists(arguments: &[Data]) -> Result<Data, TemplateError> {
    let Some((item, keys)) = arguments.split_first() else {
        return Err(TemplateError::Exec("exists: nothing to look into".to_owned()));
    };
    let found = keys.iter().try_fold(item.clone(), |item, key| match (&item, key) {
        (Data::Map(members), Data::String(name)) => members.get(name).cloned(),
        (Data::List(_), Data::Int(_)) => item.index(key).ok(),
        _ => None,
    });
    Ok(Data::Bool(found.is_some()))
}

/// `base64decode TEXT` (kubectl's `base64decode`).
pub(super) fn base64decode(arguments: &[Data]) -> Result<Data, TemplateError> {
    let [Data::String(text)] = arguments else {
        return Err(TemplateError::Exec("base64decode: expected one string".to_owned()));
    };
    let bytes = STANDARD
        .decode(text.as_bytes())
        .map_err(|error| TemplateError::Exec(format!("base64 decode failed: {error}")))?;
    Ok(Data::String(String::from_utf8_lossy(&bytes).as_ref().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_that_is_named_is_there() {
        for name in NAMES {
            let template = Template::new("t")
                .func("exists", exists)
                .func("base64decode", base64decode)
                .parse(&format!("{{{{{name}}}}}"))
                .unwrap();
            let called = template.execute_to_string(&Data::Nil);
            assert!(!matches!(called, Err(TemplateError::UndefinedFunction(_))), "{name}");
        }
    }
}
