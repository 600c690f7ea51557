//! The entries of the rules in the JSON Schema.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::entries::Entries;
use super::places::Places;
use super::ports::PortRange;
use super::rule::{Part, Rule, ScopeAndPorts, ScopePortsAndExcept};
use super::scope::{CLASSES, Scope};

impl<E: JsonSchema> JsonSchema for Entries<E> {
    fn schema_name() -> Cow<'static, str> {
        format!("EntriesOf{}", E::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<E>(),
            "minItems": 1,
        })
    }
}

impl JsonSchema for Places {
    fn schema_name() -> Cow<'static, str> {
        Entries::<Rule>::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Entries::<Rule>::json_schema(generator)
    }
}

impl JsonSchema for Rule {
    fn schema_name() -> Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Addresses; with `ports`, only these ports at them; with `except`, not \
                            all of that.",
            "anyOf": [
                generator.subschema_for::<Scope>(),
                generator.subschema_for::<ScopePortsAndExcept>(),
            ],
        })
    }
}

impl JsonSchema for Part {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Addresses; with `ports`, only these ports at them.",
            "anyOf": [generator.subschema_for::<Scope>(), generator.subschema_for::<ScopeAndPorts>()],
        })
    }
}

impl JsonSchema for Scope {
    fn schema_name() -> Cow<'static, str> {
        "Scope".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
        let ipv4 = format!(r"^{octet}(\.{octet}){{3}}(/(3[0-2]|[12]?[0-9]))?$");
        let ipv6 = "^[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$";
        let classes = CLASSES.map(|(name, _)| name);
        let nets = CLASSES.map(|(name, nets)| {
            let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
            format!("`{name}` is {}", nets.join(", "))
        });
        json_schema!({
            "description": format!(
                "An address, a CIDR without host bits, or a class of addresses: {}. An IPv4-mapped \
                 IPv6 address or CIDR is taken as the IPv4 one. What 127.0.0.1 is in, 0.0.0.0 is in \
                 too, and `::` where `::1` is: Linux connects the one to the other.",
                nets.join("; ")
            ),
            "type": "string",
            "anyOf": [{ "enum": classes }, { "pattern": ipv4 }, { "pattern": ipv6 }],
        })
    }
}

impl JsonSchema for PortRange {
    fn schema_name() -> Cow<'static, str> {
        "PortRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let port = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}\
                    |[1-9][0-9]{0,3})";
        json_schema!({
            "description": "A port, or the first and the last port of a range.",
            "anyOf": [
                { "type": "string", "pattern": format!("^{port}(-{port})?$") },
                { "type": "integer", "minimum": 1, "maximum": 65535 },
            ],
        })
    }
}
