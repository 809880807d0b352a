//! The part of JSON Schema (draft 2020-12) that the schemas in docs/format/json use. An unknown
//! keyword fails the test, so no keyword is ignored.
//!
//! A crate for all of JSON Schema needs some fifty other crates; this module has a hundred lines.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Schemas that refer to each other by `NAME.schema.json#/$defs/PART`.
#[derive(Default)]
pub struct Schemas(BTreeMap<String, Value>);

/// The schema of a value, and its place in the document.
struct Place<'a> {
    schemas: &'a Schemas,
    /// The schema that `#` means.
    name: &'a str,
    path: String,
}

impl Schemas {
    /// Adds the schema `name`.
    pub fn add(&mut self, name: &str, schema: Value) {
        self.0.insert(name.to_owned(), schema);
    }

    /// Names of all schemas, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the places at which `value` violates the schema `name`. A field that an object's
    /// schema does not name is a fault.
    pub fn faults(&self, name: &str, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let place = Place { schemas: self, name, path: String::new() };
        place.check(self.schema(name), value, &mut faults);
        faults
    }

    fn schema(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("there is no schema {name}"))
    }
}

impl<'a> Place<'a> {
    fn below(&self, step: impl std::fmt::Display) -> Place<'a> {
        Place { schemas: self.schemas, name: self.name, path: format!("{}/{step}", self.path) }
    }

    fn check(&self, schema: &Value, value: &Value, faults: &mut Vec<String>) {
        let Value::Object(schema) = schema else { panic!("{}: {schema} is not a schema", self.name) };
        for (keyword, rule) in schema {
            if !self.holds(schema, keyword, rule, value, faults) {
                faults.push(format!("  {}: {value} does not have {keyword} {rule}", self.path));
            }
        }
    }

    /// Returns false if `value` breaks `rule`; faults deeper in it go to `faults`.
    fn holds(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        faults: &mut Vec<String>,
    ) -> bool {
        match keyword {
            "$schema" | "$defs" | "title" | "description" => true,
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is(value, name)),
                name => is(value, name),
            },
            "const" => value == rule,
            "enum" => list(rule).contains(value),
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
            "pattern" => value.as_str().is_none_or(|text| matches(text, rule)),
            "items" => {
                let items = value.as_array().into_iter().flatten();
                items.enumerate().for_each(|(i, item)| self.below(i).check(rule, item, faults));
                true
            }
            "required" => {
                let has = |key: &Value| value.as_object().is_none_or(|object| object.contains_key(text(key)));
                list(rule).iter().all(has)
            }
            "properties" => {
                let named = rule.as_object().expect("properties");
                let fields = value.as_object().into_iter().flatten();
                for (key, field) in fields {
                    match named.get(key) {
                        Some(schema) => self.below(key).check(schema, field, faults),
                        None => faults.push(format!("  {}: no schema names the field {key}", self.path)),
                    }
                }
                true
            }
            // Of objects whose keys are data.
            "additionalProperties" | "propertyNames" if !schema.contains_key("properties") => {
                for (key, field) in value.as_object().into_iter().flatten() {
                    match keyword {
                        "propertyNames" => self.below(key).check(rule, &Value::from(key.as_str()), faults),
                        _ => self.below(key).check(rule, field, faults),
                    }
                }
                true
            }
            "oneOf" => {
                let fits = |schema: &&Value| {
                    let mut faults = Vec::new();
                    self.check(schema, value, &mut faults);
                    faults.is_empty()
                };
                list(rule).iter().filter(fits).count() == 1
            }
            "$ref" => {
                let (file, pointer) = text(rule).split_once('#').expect("a reference with #");
                let name = file.strip_suffix(".schema.json").unwrap_or(self.name);
                let part = self.schemas.schema(name).pointer(pointer);
                let part = part.unwrap_or_else(|| panic!("{}: {rule} leads nowhere", self.name));
                Place { schemas: self.schemas, name, path: self.path.clone() }.check(part, value, faults);
                true
            }
            _ => panic!("{}: the keyword {keyword} is not known here", self.name),
        }
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

fn is(value: &Value, name: &Value) -> bool {
    match text(name) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        name => panic!("the type {name} is not known here"),
    }
}

/// Returns true if `text` matches one of the patterns that the schemas have.
fn matches(text: &str, pattern: &Value) -> bool {
    let digits = |text: &str, base| !text.is_empty() && text.chars().all(|c| c.is_digit(base));
    let lower_hex = |text: &str| digits(text, 16) && !text.contains(|c: char| c.is_ascii_uppercase());
    match pattern.as_str().expect("a pattern") {
        "^[0-9a-f]{64}$" => text.len() == 64 && lower_hex(text),
        "^[0-9a-f]+$" => lower_hex(text),
        "^([0-9a-f]{2})*$" => text.is_empty() || text.len().is_multiple_of(2) && lower_hex(text),
        "^[0-7]{4}$" => text.len() == 4 && digits(text, 8),
        "^[0-9]+$" => digits(text, 10),
        "^[0-9]+:[0-9]+$" => text.split_once(':').is_some_and(|(a, b)| digits(a, 10) && digits(b, 10)),
        // RFC 3339 in UTC, without fractions.
        "^-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$" => {
            let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            let year = shape.strip_suffix("0000-00-00T00:00:00Z");
            year.is_some_and(|more| more.trim_start_matches('-').trim_start_matches('0').is_empty())
        }
        other => panic!("the pattern {other} is not known here"),
    }
}
