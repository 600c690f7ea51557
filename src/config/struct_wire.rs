//! The wire form of `google.protobuf.Struct`, which Envoy 1.37 hands over as it is.
//!
//! ```text
//! Struct    { map<string, Value> fields = 1 }     an entry: { key = 1, value = 2 }
//! Value     { oneof: null = 1 (enum), number = 2 (double), string = 3, bool = 4,
//!             struct = 5, list = 6 }
//! ListValue { repeated Value values = 1 }
//! ```

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::value::Reason;

/// How deep values may lie in each other: protobuf's own limit.
const MAX_DEPTH: u32 = 100;

/// The tag of a field: its number, and how its content is laid out.
const fn tag(field: u64, layout: Layout) -> u64 {
    field << 3 | layout as u64
}

#[derive(Clone, Copy)]
enum Layout {
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
}

const FIELDS: u64 = tag(1, Layout::Bytes);
const KEY: u64 = tag(1, Layout::Bytes);
const VALUE: u64 = tag(2, Layout::Bytes);
const VALUES: u64 = tag(1, Layout::Bytes);
const NULL: u64 = tag(1, Layout::Varint);
const NUMBER: u64 = tag(2, Layout::Fixed64);
const STRING: u64 = tag(3, Layout::Bytes);
const BOOL: u64 = tag(4, Layout::Varint);
const STRUCT: u64 = tag(5, Layout::Bytes);
const LIST: u64 = tag(6, Layout::Bytes);

/// A Struct, from its bytes. It is no Struct if they are in a form that no encoder gives it.
///
/// No JSON text is mistaken for a Struct. An entry has a value, whose tag is the byte 0x12: JSON
/// has no such byte outside of strings, nor inside, where control characters have to be escaped.
pub struct Struct<'a>(Fields<'a>);

/// The fields of an object, from their bytes.
struct Fields<'a> {
    entries: Reader<'a>,
    /// The bytes of the value whose key was read last.
    value: &'a [u8],
    /// How deep values may lie in this one.
    depth: u32,
}

/// The values of a list, from their bytes.
struct Values<'a> {
    values: Reader<'a>,
    depth: u32,
}

/// A value, from its bytes.
struct Value<'a> {
    bytes: &'a [u8],
    depth: u32,
}

/// The bytes of a message that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Struct<'a> {
    /// The Struct that these bytes are to be.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Fields::new(bytes, MAX_DEPTH))
    }
}

impl<'de> Deserializer<'de> for Struct<'de> {
    type Error = Reason;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        visitor.visit_map(self.0)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Reason;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Reason> {
        let kind = kind(self).ok_or_else(malformed)?;
        match kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Number(number) => visitor.visit_f64(number),
            Kind::String(text) => visitor.visit_borrowed_str(text),
            Kind::Bool(value) => visitor.visit_bool(value),
            Kind::Object(fields) => visitor.visit_map(fields),
            Kind::List(values) => visitor.visit_seq(values),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

enum Kind<'a> {
    Null,
    Number(f64),
    String(&'a str),
    Bool(bool),
    Object(Fields<'a>),
    List(Values<'a>),
}

fn malformed() -> Reason {
    Reason::custom("no google.protobuf.Struct")
}

fn kind(Value { bytes, depth }: Value) -> Option<Kind> {
    let depth = depth.checked_sub(1)?;
    let mut reader = Reader(bytes);
    let kind = match reader.varint()? {
        NULL if reader.varint()? == 0 => Kind::Null,
        NUMBER => Kind::Number(reader.double()?),
        STRING => Kind::String(str::from_utf8(reader.bytes()?).ok()?),
        BOOL => match reader.varint()? {
            0 => Kind::Bool(false),
            1 => Kind::Bool(true),
            _ => return None,
        },
        STRUCT => Kind::Object(Fields::new(reader.bytes()?, depth)),
        LIST => Kind::List(Values {
            values: Reader(reader.bytes()?),
            depth,
        }),
        _ => return None,
    };
    reader.end()?;
    Some(kind)
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8], depth: u32) -> Self {
        Self {
            entries: Reader(bytes),
            value: &[],
            depth,
        }
    }

    /// The key of the next entry.
    fn key(&mut self) -> Option<&'a str> {
        let mut entry = Reader(self.entries.expect(FIELDS)?);
        let key = str::from_utf8(entry.expect(KEY)?).ok()?;
        self.value = entry.expect(VALUE)?;
        entry.end()?;
        Some(key)
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Reason;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Reason> {
        if self.entries.is_at_end() {
            return Ok(None);
        }
        let key = self.key().ok_or_else(malformed)?;
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Reason> {
        seed.deserialize(Value {
            bytes: self.value,
            depth: self.depth,
        })
    }
}

impl<'de> SeqAccess<'de> for Values<'de> {
    type Error = Reason;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Reason> {
        if self.values.is_at_end() {
            return Ok(None);
        }
        let bytes = self.values.expect(VALUES).ok_or_else(malformed)?;
        let depth = self.depth;
        seed.deserialize(Value { bytes, depth }).map(Some)
    }
}

impl<'a> Reader<'a> {
    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn end(&self) -> Option<()> {
        self.is_at_end().then_some(())
    }

    /// The content of the field that comes next, if it is the one with this tag.
    fn expect(&mut self, tag: u64) -> Option<&'a [u8]> {
        if self.varint()? == tag {
            self.bytes()
        } else {
            None
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    fn double(&mut self) -> Option<f64> {
        let bytes = self.take(8)?.try_into().ok()?;
        Some(f64::from_le_bytes(bytes)).filter(|number| number.is_finite())
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow. Nine bytes hold
    /// every length there can be.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
