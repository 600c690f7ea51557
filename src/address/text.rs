//! The text of an IP address.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;

/// The longest text is that of an IPv6 address (39 bytes) with `%` and a scope (10 digits).
const CAPACITY: usize = 56;

/// Each octet in decimal, with a dot behind it.
static OCTETS: [[u8; 4]; 256] = octets();

/// An IP address as Envoy takes it: without brackets, and with its scope as a number. It lives on
/// the stack.
pub struct IpText {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl IpText {
    /// The text of an address' IP.
    pub fn new(address: &SocketAddr) -> Self {
        let mut text = Self {
            bytes: [0; CAPACITY],
            length: 0,
        };
        match address {
            SocketAddr::V4(address) => text.push_ipv4(*address.ip()),
            SocketAddr::V6(address) => {
                text.push_ipv6(*address.ip());
                if address.scope_id() != 0 {
                    text.push(b'%');
                    text.push_decimal(address.scope_id());
                }
            }
        }
        text
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push_ipv4(&mut self, ip: Ipv4Addr) {
        for octet in ip.octets() {
            // Four bytes each time, however many count: a copy of fixed size is one instruction.
            if let Some(free) = self.bytes.get_mut(self.length..self.length + 4) {
                free.copy_from_slice(&OCTETS[usize::from(octet)]);
                self.length += 2 + usize::from(octet > 9) + usize::from(octet > 99);
            }
        }
        self.length -= 1;
    }

    /// Groups in hexadecimal, the longest run of zero groups as `::` (RFC 5952).
    fn push_ipv6(&mut self, ip: Ipv6Addr) {
        let groups = ip.segments();
        let zeros = longest_zero_run(&groups);
        for (index, group) in groups.into_iter().enumerate() {
            if zeros.contains(&index) {
                if index == zeros.start {
                    self.push(b':');
                    self.push(b':');
                }
                continue;
            }
            if index > 0 && (zeros.is_empty() || index != zeros.end) {
                self.push(b':');
            }
            self.push_hexadecimal(group);
        }
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

const fn octets() -> [[u8; 4]; 256] {
    let mut octets = [[b'.'; 4]; 256];
    let mut number = 0;
    while number < octets.len() {
        let (hundreds, tens, units) = (number / 100, number / 10 % 10, number % 10);
        let mut length = 0;
        if number > 99 {
            octets[number][length] = b'0' + hundreds as u8;
            length += 1;
        }
        if number > 9 {
            octets[number][length] = b'0' + tens as u8;
            length += 1;
        }
        octets[number][length] = b'0' + units as u8;
        number += 1;
    }
    octets
}
