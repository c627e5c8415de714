//! Generates the JSON schema of price files, with which editors complete keys and show mistakes.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use spanledger_price::{
    Meter, Tier,
    grammar::{self, Key, Section, Value},
};

#[cfg(test)]
mod tests;

/// The schema as the text of its file.
pub(super) fn text() -> String {
    let decimal = json!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,9})?$"});
    let by_variant = json!({"type": "object", "additionalProperties": decimal, "minProperties": 1});
    let mut definitions = Map::new();
    definitions.insert("rate".to_owned(), json!({"anyOf": [decimal, by_variant]}));
    definitions.insert("decimal".to_owned(), decimal);
    let mut schema = object(&grammar::FILE, &mut definitions);
    schema.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".to_owned(), "Spanledger price file".into());
    // A file can declare only sources for other files; it has no provider.
    schema.insert("anyOf".to_owned(), json!([{"required": ["provider"]}, {"maxProperties": 1}]));
    schema.insert("definitions".to_owned(), definitions.into());
    format!("{:#}\n", sorted(Json::Object(schema)))
}

/// The value with the keys of its objects in order. A library of another package of the workspace may enable the
/// feature of `serde_json` that keeps the order of insertion.
fn sorted(value: Json) -> Json {
    match value {
        Json::Object(object) => {
            let object: BTreeMap<String, Json> =
                object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            object.into_iter().collect()
        }
        Json::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn object(section: &Section, definitions: &mut Map<String, Json>) -> Map<String, Json> {
    let mut properties = Map::new();
    for key in section.keys {
        let mut schema = value(key, definitions);
        schema["description"] = description(key).into();
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let schema = json!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    schema.as_object().cloned().unwrap_or_default()
}

fn description(key: &Key) -> String {
    match key.value {
        Value::Rate(meter) => format!("US dollars per {}.", meter.unit()),
        _ => key.doc.to_owned(),
    }
}

fn value(key: &Key, definitions: &mut Map<String, Json>) -> Json {
    let text = json!({"type": "string", "minLength": 1});
    let texts = json!({"type": "array", "items": text});
    let names = |names: &[&str]| json!({"type": "string", "enum": names});
    let meters = Meter::ALL.map(Meter::name);
    match key.value {
        Value::Text => text,
        Value::Texts => texts,
        Value::TextLists => json!({"type": "array", "items": texts}),
        Value::Flag => json!({"type": "boolean"}),
        Value::Count => json!({"type": "integer", "minimum": 0}),
        // Editors convert a TOML date to a string before they check it.
        Value::Day => json!({"type": "string", "format": "date"}),
        Value::Decimal => reference("decimal"),
        Value::Rate(_) => reference("rate"),
        Value::Meter => names(&meters),
        Value::Meters => json!({"type": "array", "items": names(&meters)}),
        Value::Tiers => json!({"type": "array", "items": names(&Tier::ALL.map(Tier::as_str))}),
        Value::TextByName => json!({"type": "object", "additionalProperties": text}),
        Value::Table(section) => defined(section, definitions),
        Value::Tables(section) => json!({"type": "array", "items": defined(section, definitions)}),
    }
}

/// A reference to the definition of a section. Adds the definition if it is missing.
fn defined(section: &Section, definitions: &mut Map<String, Json>) -> Json {
    if !definitions.contains_key(section.name) {
        let schema = object(section, definitions);
        definitions.insert(section.name.to_owned(), schema.into());
    }
    reference(section.name)
}

fn reference(definition: &str) -> Json {
    // In draft 7, the keys beside a `$ref` are ignored.
    json!({"allOf": [{"$ref": format!("#/definitions/{definition}")}]})
}
