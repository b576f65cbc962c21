//! YAML and JSON of every kind, as kubectl reads it and as the plugin does.

use serde_json::Value;
use tests::kubectl::Version;

use crate::World;

/// Begins every manifest.
const BEGIN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";

/// What follows it; kubectl takes these.
const TAKEN: [&str; 14] = [
    "x: \"don\\'t\"\ny: 'it''s'\nz: \"\\x41\\u00e9\\U0001F600\\N\\_\\e\\a\\\"\\  b\"\n",
    "x: [y, n, Y, N, yes, on, off, No, TRUE, yEs, ~, null, Null, NULL]\n",
    "x: [0400, 0o400, 08, 0x1F, 0b11, -0b11, 1_000, +5, 1.0, 1e3, 1.5e-3, .5, 5., 1e999, 1:30, 190:20:30, 12e03, -2E+05, 0., 0o8, 0xg, -0, 0_7]\n",
    "x: [2001-01-01, 2001-01-01T00:00:00Z, 100m, 1.2.3]\n",
    "x: 1\nx: 2\n",
    "b: &b {x: 1, z: 2}\nm1: {<<: *b, z: 3}\nm2: {z: 3, <<: *b}\nm3: {<<: [{a: 1}, {a: 2, b: 3}]}\nal: [*b]\n",
    "x: {yes: a, 010: b, 1.5: c, 0x10: d, 1e3: f}\n",
    "x: [!!str 5, !!int \"7\", !!float 3, !!binary aGk=, !foo 5, !!bool \"yes\"]\n",
    "x: [\n  1,\n  2\n]\nz: \"a\n  b\"\nw: {\"a\":1, b: , c}\nv: {a:1}\nu: [a: 1, b]\n? k\n: v\n",
    "x: http://a:80/b#c\nz: a #b\nw: -a\nv: ?a\nu: b%a\nt: a,b]\n",
    "x: >-\n  a\n  b\n\n  c\nw: |+\n  a\n\nz: |2\n   a\n  b\n",
    "x:\ta\nz: a\tb \t# c\n",
    "x: |\r\n  l1\r\n  l2\r\n--- # next\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: d}\r\n---\n---\n",
    "...\n",
];

/// And kubectl refuses these.
const REFUSED: [&str; 10] = [
    "x: @a\n",
    "x: a: b\n",
    "x: *nope\n",
    "x: !!int a\n",
    "x: .inf\n",
    "x: {~: 1}\n",
    "--- x: 1\n",
    "x:\n\ta: 1\n",
    "labels:\n  a: 1\n b: c\n",
    "x: [1, 2\n",
];

/// Whole files.
const FILES: [&str; 4] = [
    "\u{feff}# c\n---\n# only a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"},\"x\":\"\\ud83d\\ude00\\/\"}\n{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"d\"}}",
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"},\"x\":1,\"x\":2,}",
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, x: [1, 2,], # c\n}\n",
];

/// The objects that kubectl reads from a text.
fn by_kubectl(world: &World, text: &str) -> Option<Vec<Value>> {
    let output = world
        .kubectl
        .command("create --dry-run=client --validate=false -o json -f")
        .arg(world.emulator.file("case.yaml", text))
        .output()
        .unwrap();
    if !output.status.success() {
        return None;
    }
    let objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let objects = objects.map(|object| {
        let mut object = object.unwrap();
        object["metadata"].as_object_mut().unwrap().remove("namespace");
        object
    });
    Some(objects.collect())
}

#[test]
fn yaml_has_same_values_as_in_kubectl() {
    let world = World::new(Version::Current);
    let taken = TAKEN.iter().map(|end| format!("{BEGIN}{end}"));
    for text in taken.chain(FILES.map(str::to_owned)) {
        let expected = by_kubectl(&world, &text).unwrap_or_else(|| panic!("kubectl refuses {text:?}"));
        let read = emulator::yaml::documents(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        let read: Vec<Value> = read.into_iter().map(|parsed| parsed.node.value()).collect();
        assert_eq!(read, expected, "{text}");
    }
    for end in REFUSED {
        let text = format!("{BEGIN}{end}");
        assert!(by_kubectl(&world, &text).is_none(), "kubectl takes {text:?}");
        assert!(emulator::yaml::documents(&text).is_err(), "{text:?}");
    }
}
