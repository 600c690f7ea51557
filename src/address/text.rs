//! The text of an IP address, on the stack.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// The text of an IPv6 address, at most 39 bytes, with `%` and a scope of at most 10 digits if it has
/// one.
pub struct Ipv6Text {
    bytes: [u8; 50],
    length: usize,
}

/// An octet in decimal with a dot behind it.
#[repr(align(8))]
struct Octet {
    digits: [u8; 4],
    length: Length,
}

/// How many bytes of an octet's text count. Of a number that can only be one of these, the compiler
/// knows that the text of four octets has room, and checks no bounds.
#[derive(Clone, Copy)]
enum Length {
    Two = 2,
    Three = 3,
    Four = 4,
}

static OCTETS: [Octet; 256] = octets();

/// Gives the text of an IPv4 address to `with`.
#[inline(always)]
pub fn with_ipv4_text<T>(ip: Ipv4Addr, with: impl FnOnce(&[u8]) -> T) -> T {
    let (mut text, mut length) = ([0; 16], 0);
    for octet in ip.octets() {
        let octet = &OCTETS[usize::from(octet)];
        // Four bytes each time, however many count: a copy of fixed size is one instruction.
        text[length..length + 4].copy_from_slice(&octet.digits);
        length += octet.length as usize;
    }
    // Without the last dot.
    with(&text[..length - 1])
}

impl Ipv6Text {
    /// Groups in hexadecimal, the longest run of zero groups as `::` (RFC 5952). A scope of 0 is
    /// none.
    #[inline(never)]
    pub fn new(ip: Ipv6Addr, scope_id: u32) -> Self {
        let mut text = Self {
            bytes: [0; 50],
            length: 0,
        };
        let groups = ip.segments();
        let zeros = longest_zero_run(&groups);
        let before = groups.get(..zeros.start).unwrap_or_default();
        let after = groups.get(zeros.end..).unwrap_or_default();
        before.iter().for_each(|group| text.push_group(*group));
        if !zeros.is_empty() {
            // A group before has its colon already.
            text.push(*b"::", if before.is_empty() { 2 } else { 1 });
        }
        after.iter().for_each(|group| text.push_group(*group));
        if !after.is_empty() {
            // The last group has no colon behind it.
            text.length -= 1;
        }
        if scope_id != 0 {
            text.push(*b"%", 1);
            text.push_decimal(scope_id);
        }
        text
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// A group in hexadecimal, and a colon.
    fn push_group(&mut self, group: u16) {
        // A digit in each byte, all four at once.
        let group = u32::from(group);
        let pairs = (group << 8 | group) & 0x00ff_00ff;
        let digits = (pairs << 4 | pairs) & 0x0f0f_0f0f;
        let are_letters = (digits + 0x0606_0606) >> 4 & 0x0101_0101;
        let letters = u32::from(b'a' - b'9' - 1) * are_letters;
        let text = digits + 0x3030_3030 + letters;
        let leading_zeros = (group | 1).leading_zeros() / 4 - 4;
        let text = (u64::from(text) << 8 | u64::from(b':')) << (24 + 8 * leading_zeros);
        self.push(text.to_be_bytes(), 5 - leading_zeros as usize);
    }

    fn push_decimal(&mut self, number: u32) {
        for digit in (0..=number.checked_ilog10().unwrap_or(0)).rev() {
            self.push([b'0' + (number / 10_u32.pow(digit) % 10) as u8], 1);
        }
    }

    /// Writes all of these bytes, of which so many count: a copy of fixed size is one instruction.
    /// There is room: the last group begins at byte 35 at most.
    fn push<const N: usize>(&mut self, bytes: [u8; N], count: usize) {
        if let Some(free) = self.bytes.get_mut(self.length..self.length + N) {
            free.copy_from_slice(&bytes);
            self.length += count;
        }
    }
}

/// The first of the longest runs of two or more zero groups: a single one is written as it is.
fn longest_zero_run(groups: &[u16; 8]) -> Range<usize> {
    // In round n, bit i says whether the n groups from the one at i on are zero.
    let mut runs = groups
        .iter()
        .rev()
        .fold(0_u8, |runs, group| runs << 1 | u8::from(*group == 0));
    let (mut start, mut length) = (0, 0);
    while runs != 0 {
        start = runs.trailing_zeros() as usize;
        length += 1;
        runs &= runs >> 1;
    }
    if length > 1 {
        start..start + length
    } else {
        0..0
    }
}

const fn octets() -> [Octet; 256] {
    let mut octets = [const { octet(0) }; 256];
    let mut number = 0;
    while number < octets.len() {
        octets[number] = octet(number as u8);
        number += 1;
    }
    octets
}

const fn octet(number: u8) -> Octet {
    let (hundreds, tens) = (b'0' + number / 100, b'0' + number / 10 % 10);
    let units = b'0' + number % 10;
    let (digits, length) = match number {
        0..10 => ([units, b'.', 0, 0], Length::Two),
        10..100 => ([tens, units, b'.', 0], Length::Three),
        100.. => ([hundreds, tens, units, b'.'], Length::Four),
    };
    Octet { digits, length }
}
