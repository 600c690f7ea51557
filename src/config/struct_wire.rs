//! The wire form of `google.protobuf.Struct`, which Envoy 1.37 hands over as it is.
//!
//! ```text
//! Struct    { map<string, Value> fields = 1 }     an entry: { key = 1, value = 2 }
//! Value     { oneof: null = 1 (enum), number = 2 (double), string = 3, bool = 4,
//!             struct = 5, list = 6 }
//! ListValue { repeated Value values = 1 }
//! ```

use super::value::Value;

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

/// The bytes of a message that are still to be read.
struct Reader<'a>(&'a [u8]);

/// The object that the bytes stand for; `None` if they are not a Struct, or in a form that no
/// encoder gives it.
///
/// No JSON text is mistaken for a Struct. An entry has a value, whose tag is the byte 0x12: JSON
/// has no such byte outside of strings, nor inside, where control characters have to be escaped.
pub fn decode(bytes: &[u8]) -> Option<Value> {
    object(bytes, MAX_DEPTH)
}

fn object(bytes: &[u8], depth: u32) -> Option<Value> {
    let mut fields = Vec::new();
    let mut reader = Reader(bytes);
    while !reader.is_at_end() {
        let mut entry = Reader(reader.expect(FIELDS)?);
        let key = text(entry.expect(KEY)?)?;
        let value = value(entry.expect(VALUE)?, depth)?;
        entry.end()?;
        fields.push((key, value));
    }
    Some(Value::Object(fields))
}

fn list(bytes: &[u8], depth: u32) -> Option<Value> {
    let mut values = Vec::new();
    let mut reader = Reader(bytes);
    while !reader.is_at_end() {
        values.push(value(reader.expect(VALUES)?, depth)?);
    }
    Some(Value::List(values))
}

fn value(bytes: &[u8], depth: u32) -> Option<Value> {
    let inner = depth.checked_sub(1)?;
    let mut reader = Reader(bytes);
    let value = match reader.varint()? {
        NULL if reader.varint()? == 0 => Value::Null,
        NUMBER => Value::Number(reader.double()?),
        STRING => Value::String(text(reader.bytes()?)?),
        BOOL => match reader.varint()? {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return None,
        },
        STRUCT => object(reader.bytes()?, inner)?,
        LIST => list(reader.bytes()?, inner)?,
        _ => return None,
    };
    reader.end()?;
    Some(value)
}

fn text(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
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
