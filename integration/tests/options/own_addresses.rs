//! Every spelling of an address of this host's own, by every way in. Guarded, none makes Envoy
//! connect to itself; with Envoy's own filter, most do.

mod gateway;
mod guard;
mod place;
mod run;
mod table;

use guard::Guard;
use lab::kernel::Feature;
use run::{Envoys, check};
use table::{Row, parse};

/// Of all the addresses, the one that the kernel does not call this host's own.
const ANYCAST: &str = "fd02::";

/// Envoy on the gateway. It reaches every address, so that it loops wherever it has a destination.
const INSIDE: &str = "
                  direct redirect dnat redirect/crossed transparent tproxy tproxy/crossed direct/untracked transparent/untracked tproxy/untracked tproxy/crossed/untracked
127.0.0.1         L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
127.0.0.5         L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
127.255.255.254   L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
0.0.0.0           L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
::ffff:127.0.0.5  L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
10.1.0.1          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
10.1.0.77         LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
10.9.0.1          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
10.2.0.1          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
198.18.0.10       LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
192.0.2.7         LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
203.0.113.7       LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
::ffff:10.1.0.1   LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
::1               L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
::                L-     L-       L-   L-               L-          L-     L-             ?-               L-                    L-               L-
fd01::1           LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd01::77          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd09::1           LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd02::1           LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
2001:db8:66::10   LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
2001:db8:77::7    LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
2001:db8:78::7    LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd02::            --     aa       aa   aa               --          --     --             --               --                    --               --
fe80::a1%eth0     LL     -L       LL   -L               LL          -L     -L             ??               LL                    -L               -L
fe80::b1%eth1     L-     --       --   --               L-          --     --             ?-               L-                    --               --
";

/// Envoy on the upstream, where loopback and link-local addresses are others' than the gateway's.
/// It cannot ask about addresses of the gateway: a listed port alone decides, of `fd02::` too.
const OUTSIDE: &str = "
                  direct redirect dnat redirect/crossed transparent tproxy tproxy/crossed direct/untracked transparent/untracked tproxy/untracked tproxy/crossed/untracked
127.0.0.1         .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
127.0.0.5         .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
127.255.255.254   .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
0.0.0.0           .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
::ffff:127.0.0.5  .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
10.1.0.1          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
10.1.0.77         LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
10.9.0.1          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
10.2.0.1          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
198.18.0.10       LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
192.0.2.7         LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
203.0.113.7       LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
::ffff:10.1.0.1   LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
::1               .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
::                .-     .-       .-   .-               .-          .-     .-             ?-               .-                    .-               .-
fd01::1           LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd01::77          LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd09::1           LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd02::1           LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
2001:db8:66::10   LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
2001:db8:77::7    LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
2001:db8:78::7    LL     LL       LL   LL               LL          LL     LL             ??               LL                    LL               LL
fd02::            --     ..       ..   ..               --          --     --             --               --                    --               --
fe80::a1%eth0     ..     -.       ..   -.               ..          -.     -.             ??               ..                    -.               -.
fe80::b1%eth1     .-     --       --   --               .-          --     --             ?-               .-                    --               --
";

#[test]
fn envoy_in_the_namespace() {
    let mut rows = parse(INSIDE);
    if Feature::NetnsCookie.is_missing_for("own_addresses::envoy_in_the_namespace, anycast") {
        rows.retain(|row| row.address != ANYCAST);
    }
    check(&rows, Envoys::Inside, Guard::ListenerPorts);
}

#[test]
fn envoy_in_another_namespace() {
    check(&parse(OUTSIDE), Envoys::Outside, Guard::ListenerPorts);
}

/// Nothing redirects, so that nothing marks: no port is listed.
#[test]
fn without_the_mark() {
    if Feature::FwmarkAccept.is_missing_for("own_addresses::without_the_mark") {
        return;
    }
    for (table, envoys) in [(INSIDE, Envoys::Inside), (OUTSIDE, Envoys::Outside)] {
        let rows: Vec<_> = parse(table).into_iter().map(Row::unredirected).collect();
        check(&rows, envoys, Guard::RedirectMark);
    }
}
