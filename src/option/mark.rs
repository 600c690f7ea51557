//! Marks that netfilter and `SO_MARK` put on packets and sockets.

use std::fmt::{self, Display, Formatter};

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A mark, and which of its bits count; as iptables writes it: `0x1`, `0x1/0xff`, or in decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    value: u32,
    mask: u32,
}

struct MarkVisitor;

impl Mark {
    const EXPECTED: &str =
        "a mark, or a mark and a mask, of 32 bits: \"0x1\", \"0x1/0xff\", \"1337\"";

    /// Whether a socket with this mark carries it.
    pub fn is_in(self, mark: u32) -> bool {
        mark & self.mask == self.value
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (value, mask) = match text.split_once('/') {
            Some((value, mask)) => (number(value), number(mask)),
            None => (number(text), Some(u32::MAX)),
        };
        let (Some(value), Some(mask)) = (value, mask) else {
            return Err(format!("expected {}", Self::EXPECTED));
        };
        if value & mask == 0 {
            return Err(
                "expected a mark that is not 0: every unmarked connection carries 0".into(),
            );
        }
        let inside = Self {
            value: value & mask,
            mask,
        };
        if inside.value != value {
            return Err(format!(
                "the mask leaves out bits of the mark: write \"{inside}\""
            ));
        }
        Ok(inside)
    }
}

/// A number in hexadecimal digits behind `0x`, or in decimal digits.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign, and iptables takes a leading zero for an octal number.
    let is_octal = radix == 10 && digits.len() > 1 && digits.starts_with('0');
    if digits.starts_with('+') || is_octal {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

impl Display for Mark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.mask {
            u32::MAX => write!(f, "{:#x}", self.value),
            mask => write!(f, "{:#x}/{mask:#x}", self.value),
        }
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarkVisitor)
    }
}

impl Visitor<'_> for MarkVisitor {
    type Value = Mark;

    fn expecting(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(Mark::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Mark, E> {
        Mark::parse(text).map_err(Error::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Mark, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    #[test]
    fn the_bits_of_the_mask_count() {
        for (text, carrying, others) in [
            ("0x1", &[1][..], &[0, 2, 3, 0x101, u32::MAX][..]),
            ("1337", &[0x539], &[0, 1337 << 8]),
            ("0x1/0xff", &[1, 0x101, 0xffff_ff01], &[0, 2, 3, 0x100]),
            ("0x10/0x10", &[0x10, 0x11, u32::MAX], &[0, 1, 0xf]),
            ("0xffffffff", &[u32::MAX], &[0, 1]),
            ("256/0xFF00", &[0x100, 0x1ff], &[0x200, 1]),
        ] {
            let mark = Mark::parse(text).expect(text);
            for other in carrying {
                assert!(mark.is_in(*other), "{text} in {other:#x}");
            }
            for other in others {
                assert!(!mark.is_in(*other), "{text} in {other:#x}");
            }
        }
    }

    #[test]
    fn is_shown_as_iptables_writes_it() {
        for (text, shown) in [
            ("1337", "0x539"),
            ("0x1/255", "0x1/0xff"),
            ("1/4294967295", "0x1"),
        ] {
            assert_eq!(Mark::parse(text).expect(text).to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_mark_is_refused() {
        for text in [
            "",
            "x",
            "0x",
            "-1",
            "+1",
            "0x+1",
            "1/",
            "/1",
            "1/2/3",
            " 1",
            "0x100000000",
            "010",
            "00",
            "4294967296",
        ] {
            let error = Mark::parse(text).expect_err(text);
            assert_eq!(error, format!("expected {}", Mark::EXPECTED), "{text}");
        }
        for text in ["0", "0x0", "0/0xff", "1/0", "0x100/0xff"] {
            let error = Mark::parse(text).expect_err(text);
            assert!(error.contains("not 0"), "{text}: {error}");
        }
        let error = Mark::parse("0x101/0xff").expect_err("bits outside of the mask");
        assert_eq!(
            error,
            "the mask leaves out bits of the mark: write \"0x1/0xff\""
        );
    }
}
