//! Whether an address is one of this host's own: nobody asks Windows yet, so that a port decides alone.

use crate::address::Address;

/// Yes: the loop guard, which asks, holds where nobody can tell.
pub fn is_own_address(_fd: Option<i32>, _address: Address) -> bool {
    true
}
