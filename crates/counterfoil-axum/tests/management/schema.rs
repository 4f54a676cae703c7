//! Replies against the OpenAPI document: as much of JSON Schema as the document uses.

use counterfoil_axum::management::Management;
use serde_json::{Value, json};

use crate::ask::Reply;

#[derive(Clone)]
pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn of(management: &Management) -> Self {
        Self(serde_json::from_str(&management.openapi().to_json().unwrap()).unwrap())
    }

    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    /// Panics unless the reply is one that the document tells of. What it has no path or method for is not looked at.
    pub(crate) fn check(&self, method: &str, path: &str, reply: &Reply) {
        let Some(operation) = self.item(path).and_then(|item| item.get(method.to_lowercase())) else { return };
        let seen = format!("{method} {path}: {} {}", reply.status, reply.text);
        let told = &operation["responses"][reply.status.to_string()];
        assert!(told.is_object(), "no such status in the document: {seen}");
        for name in told["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            assert!(name == "Idempotent-Replayed" || reply.header(name).is_some(), "{name} is missing: {seen}");
        }
        let Some(content) = told["content"].as_object() else { return assert_eq!(reply.text, "", "{seen}") };
        let kind = reply.header("content-type").unwrap_or_default();
        let schema = &content.get(kind).unwrap_or_else(|| panic!("no {kind} in the document: {seen}"))["schema"];
        let faults = self.faults(schema, &reply.body, "");
        assert!(faults.is_empty(), "{faults:?}: {seen}");
    }

    /// What it tells of a path.
    pub(crate) fn item(&self, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (one, other): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.starts_with('{') || *one == other)
        };
        Some(self.0["paths"].as_object()?.iter().find(|(template, _)| fits(template))?.1)
    }

    /// Where a value is other than its schema says. An object has no members but those that its schema names.
    pub(crate) fn faults(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.strip_prefix('#').unwrap());
            return self.faults(target.expect(reference), value, place);
        }
        for word in ["oneOf", "anyOf"] {
            let Some(choices) = schema[word].as_array() else { continue };
            let fitting = choices.iter().filter(|choice| self.faults(choice, value, place).is_empty()).count();
            if fitting == 0 || word == "oneOf" && fitting > 1 {
                faults.push(format!("{place}: {fitting} of {word} fit"));
            }
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        if !types.is_empty() && !types.iter().any(|kind| is_of(value, kind.as_str().unwrap())) {
            faults.push(format!("{place}: no {types:?}"));
        }
        if let Some(known) = schema["enum"].as_array()
            && !known.contains(value)
        {
            faults.push(format!("{place}: none of {known:?}"));
        }
        let [minimum, maximum] = ["minimum", "maximum"].map(|word| schema[word].as_i64());
        if value
            .as_i64()
            .is_some_and(|found| minimum.is_some_and(|least| found < least) || maximum.is_some_and(|most| found > most))
        {
            faults.push(format!("{place}: {value} is not within {minimum:?} and {maximum:?}"));
        }
        if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
            let each =
                values.iter().enumerate().flat_map(|(at, item)| self.faults(items, item, &format!("{place}[{at}]")));
            faults.extend(each);
        }
        if let Some(members) = value.as_object() {
            let required = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
            faults.extend(
                required.filter(|name| !members.contains_key(*name)).map(|name| format!("{place}.{name}: missing")),
            );
            if let Some(properties) = schema["properties"].as_object() {
                for (name, member) in members {
                    match properties.get(name) {
                        Some(schema) => faults.extend(self.faults(schema, member, &format!("{place}.{name}"))),
                        None => faults.push(format!("{place}.{name}: unknown")),
                    }
                }
            }
        }
        faults
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other}"),
    }
}

#[test]
fn a_value_that_breaks_its_schema_is_found_out() {
    let schemas = json!({ "Id": { "type": "string" }, "Mark": {
        "type": "object", "required": ["at"], "properties": { "at": { "type": "integer", "minimum": 1 } }
    } });
    let document = Document(json!({ "components": { "schemas": schemas } }));
    let schema = json!({ "type": "object", "required": ["id", "mark"], "properties": {
        "id": { "$ref": "#/components/schemas/Id" },
        "mark": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Mark" }] },
        "status": { "type": ["string", "null"], "enum": ["a", "b", null] },
        "tags": { "type": "array", "items": { "type": "string" } },
    } });
    for (value, faults) in [
        (json!({ "id": "1", "mark": null }), 0),
        (json!({ "id": "1", "mark": { "at": 1 }, "status": "a", "tags": ["x"] }), 0),
        (json!({ "id": 1, "mark": null }), 1),
        (json!({ "mark": null }), 1),
        (json!({ "id": "1", "mark": { "at": 0 } }), 1),
        (json!({ "id": "1", "mark": {} }), 1),
        (json!({ "id": "1", "mark": null, "status": "c" }), 1),
        (json!({ "id": "1", "mark": null, "tags": ["x", 1, 2] }), 2),
        (json!({ "id": "1", "mark": null, "more": 1 }), 1),
        (json!([]), 1),
    ] {
        assert_eq!(document.faults(&schema, &value, "").len(), faults, "{value}");
    }
}
