//! Where the traffic goes: a server that takes as little as it can, on one thread.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::thread;

use lab::Netns;
use lab::address::UPSTREAM_V4;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// What a client hears, at the end of the answer.
pub const ANSWER: &str = "hi\n";

/// Serves these ports of a host for as long as the process runs. A line is answered, and the connection
/// closed; an HTTP request is answered, and the connection stays.
pub fn serve(host: &Netns, ports: Range<u16>) {
    let listeners = host.run(|| {
        let listen = |port| TcpListener::bind((UPSTREAM_V4, port));
        ports.map(listen).collect::<io::Result<Vec<_>>>()
    });
    let origin = Origin::new(listeners.expect("ports of the origin"));
    thread::spawn(move || origin.run());
}

struct Origin {
    epoll: Epoll,
    listeners: HashMap<RawFd, TcpListener>,
    open: HashMap<RawFd, TcpStream>,
}

impl Origin {
    fn new(listeners: Vec<TcpListener>) -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("a new epoll");
        for listener in &listeners {
            listener.set_nonblocking(true).expect("an own socket");
            epoll.add(listener, readable(listener)).expect("a new one");
        }
        let by_number = |listener: TcpListener| (listener.as_raw_fd(), listener);
        Self {
            epoll,
            listeners: listeners.into_iter().map(by_number).collect(),
            open: HashMap::new(),
        }
    }

    fn run(mut self) {
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let ready = self
                .epoll
                .wait(&mut events, EpollTimeout::NONE)
                .unwrap_or(0);
            for event in &events[..ready] {
                let number = event.data() as RawFd;
                match self.listeners.get(&number) {
                    Some(listener) => {
                        // One at a time: epoll comes back for the rest.
                        if let Ok((stream, _)) = listener.accept() {
                            self.epoll
                                .add(&stream, readable(&stream))
                                .expect("a new one");
                            self.open.insert(stream.as_raw_fd(), stream);
                        }
                    }
                    None => {
                        let stream = self.open.get_mut(&number);
                        if !stream.is_some_and(|stream| answer(stream).unwrap_or(false)) {
                            self.open.remove(&number);
                        }
                    }
                }
            }
        }
    }
}

fn readable(socket: &impl AsRawFd) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, socket.as_raw_fd() as u64)
}

/// Answers what came; whether the connection stays.
fn answer(stream: &mut TcpStream) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    let came = stream.read(&mut buffer)?;
    if buffer[..came].ends_with(b"\r\n\r\n") {
        let length = ANSWER.len();
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{ANSWER}");
        stream.write_all(response.as_bytes())?;
        return Ok(true);
    }
    if came > 0 {
        stream.write_all(ANSWER.as_bytes())?;
    }
    Ok(false)
}
