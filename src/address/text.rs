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
        for (index, group) in groups.into_iter().enumerate() {
            if zeros.contains(&index) {
                if index == zeros.start {
                    text.push(b':');
                    text.push(b':');
                }
                continue;
            }
            if index > 0 && (zeros.is_empty() || index != zeros.end) {
                text.push(b':');
            }
            text.push_hexadecimal(group);
        }
        if scope_id != 0 {
            text.push(b'%');
            text.push_decimal(scope_id);
        }
        text
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push_hexadecimal(&mut self, group: u16) {
        let digits = 4 - (group | 1).leading_zeros() / 4;
        for digit in (0..digits).rev() {
            self.push(b"0123456789abcdef"[usize::from(group >> (4 * digit) & 0xf)]);
        }
    }

    fn push_decimal(&mut self, number: u32) {
        for digit in (0..=number.checked_ilog10().unwrap_or(0)).rev() {
            self.push(b'0' + (number / 10_u32.pow(digit) % 10) as u8);
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(free) = self.bytes.get_mut(self.length) {
            *free = byte;
            self.length += 1;
        }
    }
}

fn longest_zero_run(groups: &[u16; 8]) -> Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (index, group) in groups.iter().enumerate() {
        if *group != 0 {
            start = index + 1;
        } else if index + 1 - start > longest.len() {
            longest = start..index + 1;
        }
    }
    // A single zero group is written as it is.
    if longest.len() > 1 { longest } else { 0..0 }
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
