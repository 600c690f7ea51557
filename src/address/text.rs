//! The text of an IP address.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::Address;

/// The longest text is that of an IPv6 address (39 bytes) with `%` and a scope (10 digits).
const CAPACITY: usize = 56;

/// Each octet in decimal with a dot behind it, and the length of that.
static OCTETS: [([u8; 4], u8); 256] = octets();

/// Room on the stack for the text of an IP address.
pub struct IpText {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Default for IpText {
    #[inline]
    fn default() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
        }
    }
}

impl IpText {
    /// The IP of an address as Envoy takes it: without brackets, and with its scope as a number.
    #[inline]
    pub fn format(&mut self, address: Address) -> &[u8] {
        self.length = 0;
        match address.ipv4_bits() {
            Some(ip) => self.push_ipv4(Ipv4Addr::from_bits(ip)),
            None => self.push_ipv6(Ipv6Addr::from_bits(address.ip), address.scope_id),
        }
        &self.bytes[..self.length.min(CAPACITY)]
    }

    #[inline]
    fn push_ipv4(&mut self, ip: Ipv4Addr) {
        let mut length = 0;
        for octet in ip.octets() {
            // Four bytes each time, however many count: a copy of fixed size is one instruction.
            if let Some(free) = self.bytes.get_mut(length..length + 4) {
                let (digits, count) = &OCTETS[usize::from(octet)];
                free.copy_from_slice(digits);
                length += usize::from(*count);
            }
        }
        // Without the last dot.
        self.length = length - 1;
    }

    /// Groups in hexadecimal, the longest run of zero groups as `::` (RFC 5952).
    #[inline(never)]
    fn push_ipv6(&mut self, ip: Ipv6Addr, scope_id: u32) {
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
        if scope_id != 0 {
            self.push(b'%');
            self.push_decimal(scope_id);
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

const fn octets() -> [([u8; 4], u8); 256] {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut number = 0;
    while number < octets.len() {
        let (hundreds, tens, units) = (number / 100, number / 10 % 10, number % 10);
        let (digits, length) = &mut octets[number];
        if number > 99 {
            digits[*length as usize] = b'0' + hundreds as u8;
            *length += 1;
        }
        if number > 9 {
            digits[*length as usize] = b'0' + tens as u8;
            *length += 1;
        }
        digits[*length as usize] = b'0' + units as u8;
        *length += 2;
        number += 1;
    }
    octets
}
