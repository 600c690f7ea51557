//! An upstream that is cheap per connection: it tells each client at which address it was reached.

use std::io::{self, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use lab::Netns;
use lab::address::canonical;
use socket2::{Domain, Socket, Type};

const THREADS_PER_PORT: u32 = 2;

/// Serves these ports, until the process ends.
pub fn start(host: &Netns, ports: &[u16]) {
    for &port in ports {
        let listener = host.run(|| listen(port));
        let listener = Arc::new(listener.unwrap_or_else(|e| panic!("listen on {port}: {e}")));
        for _ in 0..THREADS_PER_PORT {
            let listener = Arc::clone(&listener);
            thread::spawn(move || {
                // A client that goes away early is the client's business: it counts.
                listener
                    .incoming()
                    .flatten()
                    .for_each(|stream| drop(answer(stream)));
            });
        }
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    socket.bind(&std::net::SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// Speaks first and closes first: no port of Envoy is left in TIME_WAIT.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let reached = canonical(stream.local_addr()?);
    stream.write_all(reached.to_string().as_bytes())
}
