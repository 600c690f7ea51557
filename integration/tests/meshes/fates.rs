//! The table: a row is a mesh, a column a call, as text.

use crate::call::Call;

/// Every mesh and every call: what becomes of it with Envoy's own filter, by IPv4 and IPv6.
///
/// The only ones that the guard takes away are `P`: peers in Consul dial the public listener on
/// purpose. Nobody redirected them, and it is no loop only because the cluster behind leads to the
/// application, whatever the destination. At such a listener the guard is out of place.
///
/// With `use_original_dst` Envoy hands what asks for another host's port 15006 by IPv4 to the listener
/// that is bound to that port of any address: the pod's own.
const FATES: &str = "
                  outside>pod outside>peer outside>service outside>pod:in outside>pod:out pod>peer pod>peer:in pod>pod pod>lo pod>service pod>pod:in pod>pod:out pod>lo:in pod>lo:out
istio             11          --           --              LL             LL              11       x1          00      00     2'2'        LL         LL          LL        LL
istio/tproxy      11          --           --              LL             LL              11       x1          00      00     2'2'        LL         LL          LL        LL
ambient           11          --           --              LL             LL              11       11          00      00     11          LL         LL          LL        LL
kuma              1'1'        --           --              LL             LL              11       x1          00      00     2''2''      LL         LL          LL        LL
consul            10          --           --              P-             P-              10       1-          10      00     1-          P-         L-          P-        L-
app-mesh          10          --           --              L-             L-              10       1-          00      00     1-          L-         L-          L-        L-
open-service-mesh 10          --           --              x-             x-              10       1-          10      00     1-          x-         L-          x-        L-
cilium            11          11           --              xx             xx              00       00          00      00     --          xx         xx          LL        LL
host-network      00          11           SS              --             LL              00       00          00      00     SS          --         LL          --        LL
";

/// What becomes of a call with Envoy's own filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A digit: it is answered, and so many connections come to Envoy; as many of them as apostrophes
    /// follow are handed to the listener of their destination.
    Reaches { connections: u64, handed_over: u64 },
    /// `P`: it is answered, although nobody redirected it.
    ReachesUnredirected,
    /// `L`: Envoy connects to itself, over and over.
    Loops,
    /// `S`: the same, by way of a service's address: no port tells.
    LoopsByService,
    /// `x`: it ends without an answer.
    Ends,
}

/// The calls of a mesh, with their fates by IPv4 and IPv6; none where the mesh has no such call.
pub fn of(mesh: &str) -> Vec<(Call, [Option<Fate>; 2])> {
    let (names, rows) = lines();
    let row = rows.iter().find(|row| row[0] == mesh).expect("a row");
    assert_eq!(row.len(), names.len() + 1, "a cell for each column: {mesh}");
    let calls = names.iter().map(|name| Call::parse(name));
    calls.zip(row[1..].iter().map(|cell| fates(cell))).collect()
}

/// The names of the rows.
pub fn names() -> Vec<&'static str> {
    lines().1.iter().map(|row| row[0]).collect()
}

fn lines() -> (Vec<&'static str>, Vec<Vec<&'static str>>) {
    let lines = FATES.lines().filter(|line| !line.trim().is_empty());
    let mut lines = lines.map(|line| line.split_whitespace().collect());
    (lines.next().expect("the calls"), lines.collect())
}

fn fates(cell: &str) -> [Option<Fate>; 2] {
    let mut signs = cell.chars().peekable();
    let mut fate = || {
        let sign = signs.next().expect("two families");
        let handed_over = std::iter::from_fn(|| signs.next_if_eq(&'\'')).count();
        match sign {
            '0'..='9' => Some(Fate::Reaches {
                connections: u64::from(sign) - u64::from('0'),
                handed_over: handed_over as u64,
            }),
            'P' => Some(Fate::ReachesUnredirected),
            'L' => Some(Fate::Loops),
            'S' => Some(Fate::LoopsByService),
            'x' => Some(Fate::Ends),
            '-' => None,
            _ => panic!("no fate: {sign}"),
        }
    };
    let fates = [fate(), fate()];
    assert_eq!(signs.next(), None, "two families: {cell}");
    fates
}
