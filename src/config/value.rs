//! A configuration as it came: the kinds of value that JSON and `google.protobuf.Value` share.

mod display;
mod from_any;
mod into_any;
mod reason;

pub use reason::Reason;

/// A value whose type has not been checked. It keeps repeated keys, so that they can be refused.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// JSON's integers among them: those that an option takes are exact as `f64`.
    Number(f64),
    /// Text.
    String(String),
    /// Values in order.
    List(Vec<Value>),
    /// Keys and values in order.
    Object(Vec<(String, Value)>),
}
