//! From the events of the scanner to a tree: aliases and merge keys resolved, scalars typed.

use std::{borrow::Cow, collections::HashMap};

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{
    YamlError,
    node::{Content, Key, Node, Place},
    quote, scalar,
};

/// The most values of a document, those that aliases repeat among them.
const MAX_NODES: usize = 1_000_000;

/// The deepest nesting.
const MAX_DEPTH: usize = 256;

/// The bytes that are scanned again for escapes of YAML 1.1, at most.
const MAX_RESCANNED: usize = 1 << 26;

/// The most duplicate keys that are reported: their paths must not cost more memory than the text.
const MAX_DUPLICATES: usize = 100;

/// A document that was read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The document.
    pub node: Node,
    /// Keys that are given twice; the last one counts.
    pub duplicates: Vec<Duplicate>,
}

/// A key that is given again later in its mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The path of the field: `spec.containers[0].name`.
    pub path: String,
    /// The place of the key that does not count.
    pub place: Place,
}

/// Reads the first document of a text that begins at a place of its source; an empty text is null.
pub(super) fn read(text: &str, begin: Place) -> Result<Parsed, YamlError> {
    let filler = quote::filler(text);
    let mut text = Cow::Borrowed(text);
    let mut scanned = 0;
    let read = loop {
        let error = match read_once(&text, filler) {
            Ok(read) => break Ok(read),
            Err(error) => error,
        };
        scanned += text.len();
        let rewritten = match (&error, filler) {
            (Failed::Scan(ErrorKind::UnknownQuotedScalarEscape, place), Some(filler)) if scanned < MAX_RESCANNED => {
                quote::rewrite(&text, *place, filler)
            }
            _ => None,
        };
        match rewritten {
            Some(rewritten) => text = Cow::Owned(rewritten),
            None => break Err(error),
        }
    };
    let mut parsed = read.map_err(|failed| failed.error(begin))?;
    move_to(&mut parsed, begin);
    Ok(parsed)
}

/// The reason why a text could not be read.
enum Failed {
    Scan(ErrorKind, Place),
    Value(String, Place),
}

impl Failed {
    fn error(self, begin: Place) -> YamlError {
        let (message, place) = match self {
            Self::Scan(kind, place) => (kind.to_string(), place),
            Self::Value(message, place) => (message, place),
        };
        YamlError::new(message, Some(moved(place, begin)))
    }
}

impl From<ScanError> for Failed {
    fn from(error: ScanError) -> Self {
        Self::Scan(error.kind().clone(), place(error.marker()))
    }
}

fn place(marker: &Marker) -> Place {
    Place {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

fn moved(place: Place, begin: Place) -> Place {
    Place {
        line: place.line + begin.line - 1,
        column: match place.line {
            1 => place.column + begin.column - 1,
            _ => place.column,
        },
    }
}

fn move_to(parsed: &mut Parsed, begin: Place) {
    if begin == (Place { line: 1, column: 1 }) {
        return;
    }
    for duplicate in &mut parsed.duplicates {
        duplicate.place = moved(duplicate.place, begin);
    }
    let mut nodes = vec![&mut parsed.node];
    while let Some(node) = nodes.pop() {
        node.place = moved(node.place, begin);
        match &mut node.content {
            Content::List(items) => nodes.extend(items),
            Content::Map(members) => {
                for (key, member) in members {
                    key.place = moved(key.place, begin);
                    nodes.push(member);
                }
            }
            _ => {}
        }
    }
}

/// A collection that is being read.
struct Open {
    place: Place,
    anchor: usize,
    content: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        members: Vec<(Key, Node)>,
        known: HashMap<String, Known>,
        /// The key whose value comes next.
        key: Option<MapKey>,
    },
}

/// A key that a mapping has already.
struct Known {
    /// The index among the members.
    index: usize,
    /// It comes from a merge key.
    is_merged: bool,
}

enum MapKey {
    Name(Key),
    Merge,
}

struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    /// The anchors of collections that are not closed yet.
    unfinished: Vec<usize>,
    duplicates: Vec<Duplicate>,
    nodes: usize,
    filler: Option<char>,
}

fn read_once(text: &str, filler: Option<char>) -> Result<Parsed, Failed> {
    let options = granit_parser::options! {
        strict_indentation: false,
        bom_inside_document_as_content: true,
    };
    let mut reader = Reader {
        open: Vec::new(),
        anchors: HashMap::new(),
        unfinished: Vec::new(),
        duplicates: Vec::new(),
        nodes: 0,
        filler,
    };
    let mut begin = Place { line: 1, column: 1 };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        begin = place(&span.start);
        if let Some(node) = reader.event(event, &span)? {
            return Ok(Parsed {
                node,
                duplicates: reader.duplicates,
            });
        }
    }
    Ok(Parsed {
        node: Node {
            place: begin,
            content: Content::Null,
        },
        duplicates: Vec::new(),
    })
}

impl Reader {
    /// Takes an event; returns the document's node where it is complete.
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<Option<Node>, Failed> {
        let place = place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_filler(text);
                let is_plain_merge = style == ScalarStyle::Plain && text == "<<";
                if is_plain_merge && tag.is_none() && self.takes_key() {
                    self.set_key(MapKey::Merge);
                    return Ok(None);
                }
                let tag = tag.as_deref().map(tag_name);
                // A quoted text is text, unless a tag says otherwise.
                let content = match (&tag, style) {
                    (None, ScalarStyle::Plain) => scalar::resolve(&text, None),
                    (None, _) => Ok(Content::Text(text.into_owned())),
                    (Some(tag), _) => scalar::resolve(&text, Some(tag)),
                };
                let content = content.map_err(|message| Failed::Value(message, place))?;
                self.complete(Node { place, content }, anchor)
            }
            Event::Alias(anchor) => {
                let mut node = match self.anchors.get(&anchor) {
                    Some(node) => node.clone(),
                    None if self.unfinished.contains(&anchor) => {
                        return Err(Failed::Value("an anchor's value contains itself".to_owned(), place));
                    }
                    None => return Err(Failed::Value("unknown anchor".to_owned(), place)),
                };
                self.count(size(&node), place)?;
                node.place = place;
                self.complete(node, 0)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Items::List(Vec::new()), anchor, place),
            Event::MappingStart(_, anchor, _) => {
                let (members, known) = (Vec::new(), HashMap::new());
                let items = Items::Map {
                    members,
                    known,
                    key: None,
                };
                self.begin(items, anchor, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(None) };
                let content = match open.content {
                    Items::List(items) => Content::List(items),
                    Items::Map { members, .. } => Content::Map(members),
                };
                self.unfinished.retain(|anchor| *anchor != open.anchor);
                let place = open.place;
                self.complete(Node { place, content }, open.anchor)
            }
            _ => Ok(None),
        }
    }

    fn without_filler<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match self.filler {
            Some(filler) if text.contains(filler) => Cow::Owned(text.replace(filler, "")),
            _ => text,
        }
    }

    fn begin(&mut self, content: Items, anchor: usize, place: Place) -> Result<Option<Node>, Failed> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Failed::Value(format!("more than {MAX_DEPTH} levels of nesting"), place));
        }
        if anchor > 0 {
            self.unfinished.push(anchor);
        }
        self.open.push(Open { place, anchor, content });
        Ok(None)
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Failed> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message = "document contains excessive aliasing".to_owned();
            return Err(Failed::Value(message, place));
        }
        Ok(())
    }

    /// Whether the next node is a key.
    fn takes_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                content: Items::Map { key: None, .. },
                ..
            })
        )
    }

    fn set_key(&mut self, new: MapKey) {
        if let Some(Open {
            content: Items::Map { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = Some(new);
        }
    }

    /// Puts a complete node where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, Failed> {
        self.count(1, node.place)?;
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        if self.takes_key() {
            let place = node.place;
            let name = scalar::key(&node.content).map_err(|message| Failed::Value(message, place))?;
            self.set_key(MapKey::Name(Key { place, name }));
            return Ok(None);
        }
        if let Some(duplicate) = self.duplicate() {
            self.duplicates.push(duplicate);
        }
        let Some(open) = self.open.last_mut() else {
            return Ok(Some(node));
        };
        match &mut open.content {
            Items::List(items) => items.push(node),
            Items::Map { members, known, key } => match key.take() {
                Some(MapKey::Name(key)) => put(members, known, key, node, false),
                Some(MapKey::Merge) => merge(members, known, node)?,
                None => {}
            },
        }
        Ok(None)
    }

    /// The key of which the value that comes next is another one.
    fn duplicate(&self) -> Option<Duplicate> {
        let Some(Open {
            content:
                Items::Map {
                    members,
                    known,
                    key: Some(MapKey::Name(key)),
                },
            ..
        }) = self.open.last()
        else {
            return None;
        };
        let before = known.get(&key.name).filter(|before| !before.is_merged)?;
        (self.duplicates.len() < MAX_DUPLICATES).then(|| Duplicate {
            path: self.path(),
            place: members.get(before.index).map(|(key, _)| key.place).unwrap_or_default(),
        })
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match &open.content {
                Items::List(items) => path.push_str(&format!("[{}]", items.len())),
                Items::Map {
                    key: Some(MapKey::Name(key)),
                    ..
                } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&key.name);
                }
                Items::Map { .. } => {}
            }
        }
        path
    }
}

/// Sets a member: the last value of a key counts.
fn put(members: &mut Vec<(Key, Node)>, known: &mut HashMap<String, Known>, key: Key, node: Node, is_merged: bool) {
    match known.get_mut(&key.name) {
        Some(before) => {
            before.is_merged = is_merged;
            if let Some(member) = members.get_mut(before.index) {
                *member = (key, node);
            }
        }
        None => {
            let index = members.len();
            known.insert(key.name.clone(), Known { index, is_merged });
            members.push((key, node));
        }
    }
}

/// Adds the members of what a merge key names: of several mappings, the first one counts.
fn merge(members: &mut Vec<(Key, Node)>, known: &mut HashMap<String, Known>, node: Node) -> Result<(), Failed> {
    let place = node.place;
    let wrong = || {
        Failed::Value(
            "map merge requires map or sequence of maps as the value".to_owned(),
            place,
        )
    };
    let sources = match node.content {
        Content::Map(_) => vec![node],
        Content::List(items) => items,
        _ => return Err(wrong()),
    };
    for source in sources.into_iter().rev() {
        let Content::Map(source) = source.content else {
            return Err(wrong());
        };
        for (key, member) in source {
            put(members, known, key, member, true);
        }
    }
    Ok(())
}

fn size(node: &Node) -> usize {
    match &node.content {
        Content::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Content::Map(members) => 1 + members.iter().map(|(_, member)| size(member)).sum::<usize>(),
        _ => 1,
    }
}

fn tag_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{YamlError, document};
    use super::*;

    fn value(text: &str) -> Value {
        document(text).unwrap().node.value()
    }

    fn refused(text: &str) -> YamlError {
        document(text).unwrap_err()
    }

    #[test]
    fn escaped_single_quotes_are_read_without_moving_places() {
        let parsed = document("a: \"don\\'t \\\\\\' x\"\nb: ['\\', \"\\'\", {c: 1}]\nd: it\\'s\n").unwrap();
        assert_eq!(
            parsed.node.value(),
            json!({"a": "don't \\' x", "b": ["\\", "'", {"c": 1}], "d": "it\\'s"})
        );
        assert_eq!(parsed.node.place_of("b[2].c"), Place { line: 2, column: 17 });
    }

    #[test]
    fn last_of_duplicate_keys_counts_and_first_is_reported() {
        let parsed = document("spec:\n  containers:\n  - name: a\n    name: b\n").unwrap();
        assert_eq!(parsed.node.value(), json!({"spec": {"containers": [{"name": "b"}]}}));
        assert_eq!(
            parsed.duplicates,
            [Duplicate {
                path: "spec.containers[0].name".to_owned(),
                place: Place { line: 3, column: 5 }
            }]
        );
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        let text = "base: &b {x: 1, z: 2}\nown:\n  <<: *b\n  z: 3\nlist: [*b]\nquoted: {\"<<\": 1}\n";
        assert_eq!(
            value(text),
            json!({"base": {"x": 1, "z": 2}, "own": {"x": 1, "z": 3}, "list": [{"x": 1, "z": 2}], "quoted": {"<<": 1}})
        );
        assert!(document(text).unwrap().duplicates.is_empty());
        assert_eq!(
            value("{<<: [{a: 1}, {a: 2, b: 3}], c: 4}"),
            json!({"a": 1, "b": 3, "c": 4})
        );
    }

    #[test]
    fn keys_become_text() {
        assert_eq!(
            value("{yes: a, 010: b, 1.5: c}"),
            json!({"true": "a", "8": "b", "1.5": "c"})
        );
        assert!(refused("{~: a}").message.contains("key"));
        assert!(refused("? [a]\n: b\n").message.contains("key"));
    }

    #[test]
    fn bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
        }
        assert_eq!(refused(&text).message, "document contains excessive aliasing");
        assert!(refused("a: &a [*a]\n").message.contains("anchor"));
        assert!(document(&"[".repeat(100_000)).is_err());
    }
}
