//! Hooks in any order, for any connection, again and again. Only what no module could survive is
//! left out: a configuration that is used after its end, and pointers that point nowhere.

use arbitrary::{Result, Unstructured};
use fake_host::log::{self, Level};
use fake_host::{Connection, Listener, ModuleFilter, Socket, Status};
use original_dst as _;

const NAME: &str = "envoy.filters.listener.original_dst";
const NAMES: [&str; 2] = [
    NAME,
    "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
];
const CLOSING: &[u8] = br#"{
    "hand_off": true,
    "unredirected_connections": "CLOSE",
    "unrecovered_connections": "CLOSE"
}"#;

/// Each accepted connection moves one counter, and nothing else does.
pub fn run(input: &[u8]) {
    log::show(Level::Off);
    let listeners = [b"".as_slice(), CLOSING]
        .map(|options| Listener::new(NAME, options).expect("options that are accepted"));
    let mut accepted = [0; 2];
    // The input ends the run.
    let _ = call(&mut Unstructured::new(input), &listeners, &mut accepted);
    let counted = listeners.each_ref().map(|listener| {
        let counters = listener.counted();
        assert_eq!(listener.counter("original_dst.error"), Some(0));
        counters.iter().map(|(_, count)| count).sum::<u64>()
    });
    assert_eq!(counted, accepted);
}

fn call(
    input: &mut Unstructured,
    listeners: &[Listener; 2],
    accepted: &mut [u64; 2],
) -> Result<()> {
    let mut connections = connections();
    let mut filters: Vec<(usize, ModuleFilter)> = Vec::new();
    while !input.is_empty() {
        let which = input.int_in_range(0..=1)?;
        let Some(index) = filters.len().checked_sub(1) else {
            filters.push((which, filter(&listeners[which])));
            continue;
        };
        let (listener, filter_of_one) = &filters[input.int_in_range(0..=index)?];
        let connection = input.choose_index(connections.len())?;
        let connection = &mut connections[connection];
        match input.int_in_range(0..=7)? {
            0 => filters.push((which, filter(&listeners[which]))),
            1 => configure(input)?,
            2 => filter_of_one.destroy(),
            3 => assert_eq!(
                filter_of_one.on_data(connection, input.arbitrary()?),
                Status::Continue
            ),
            4 => filter_of_one.on_close(connection),
            5 => assert_eq!(filter_of_one.max_read_bytes(connection), 0),
            6 => filter_of_one.on_scheduled(connection, input.arbitrary()?),
            _ => {
                let status = filter_of_one.on_accept(connection);
                assert_eq!(
                    status == Status::StopIteration,
                    connection.closed().is_some()
                );
                accepted[*listener] += 1;
            }
        }
    }
    Ok(())
}

fn filter(listener: &Listener) -> ModuleFilter<'_> {
    ModuleFilter::new(listener).expect("no connection is refused before it is accepted")
}

/// Twelve counters and two gauges.
const METRICS: usize = 14;

/// Makes and ends a configuration, of any name, in an Envoy that may refuse metrics.
fn configure(input: &mut Unstructured) -> Result<()> {
    let name = match input.int_in_range(0..=2)? {
        0 => input.arbitrary()?,
        known => NAMES[known - 1],
    };
    // All metrics, or some of them.
    let room = input.int_in_range(0..=METRICS)?;
    let is_made = Listener::with_room(name, b"", room).is_some();
    assert_eq!(
        is_made,
        room == METRICS && NAMES.contains(&name),
        "{name:?}"
    );
    Ok(())
}

/// One of each kind.
fn connections() -> [Connection; 5] {
    let address = |text: &str| text.parse().expect("an address");
    let at = address("10.1.0.1:15001");
    let other = address("10.2.0.2:80");
    [
        Connection::over(Socket::redirected(other), at),
        Connection::over(Socket::redirected(at), at),
        Connection::over(Socket::transparent(other), other),
        Connection::internal().with_metadata(NAME, "local", "10.2.0.2:80"),
        Connection::pipe(),
    ]
}
