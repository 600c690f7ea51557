//! Values as text, for errors.

use std::fmt::{self, Display, Formatter};

use super::Value;

/// Close to JSON. Characters that could break a log line or hide in it are escaped.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::String(value) => write!(f, "{value:?}"),
            Self::List(entries) => {
                f.write_str("[")?;
                separated(f, entries, |f, entry| write!(f, "{entry}"))?;
                f.write_str("]")
            }
            Self::Object(fields) => {
                f.write_str("{")?;
                separated(f, fields, |f, (key, value)| write!(f, "{key:?}: {value}"))?;
                f.write_str("}")
            }
        }
    }
}

fn separated<T>(
    f: &mut Formatter,
    items: &[T],
    show: impl Fn(&mut Formatter, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    Ok(())
}
