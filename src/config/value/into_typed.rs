//! Values to the types of the options.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::{Reason, Value};

/// Where the kind of value is wrong, the visitor says what it expected; what it got is in the
/// error as the value itself.
const WRONG_KIND: Unexpected = Unexpected::Other("");

impl<'de> Deserializer<'de> for &'de Value {
    type Error = Reason;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        match self {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            // A float-to-integer cast saturates: a number out of range stays out of range.
            Value::Number(value) if value.fract() == 0.0 && *value >= 0.0 => {
                visitor.visit_u64(*value as u64)
            }
            Value::Number(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::List(entries) => visitor.visit_seq(SeqDeserializer::new(entries.iter())),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.as_str(), value));
                visitor.visit_map(MapDeserializer::new(fields))
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        match self {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(Reason::invalid_type(WRONG_KIND, &"true or false")),
        }
    }

    /// An option that is there has a value: `null` is not one.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Reason> {
        visitor.visit_newtype_struct(self)
    }

    /// Structs would also take a list of their fields' values.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Reason> {
        match self {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => Err(Reason::invalid_type(WRONG_KIND, &visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Reason> {
        match self {
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            _ => Err(Reason::unknown_variant("", variants)),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Reason> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
