//! A router by hand on `io_uring`: one thread, one ring; what is to be read and written goes to the kernel once a turn.
//!
//! Each connection reads into one buffer and writes from another, and touches them only while none of its operations
//! is with the kernel.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use io_uring::squeue::Entry;
use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use super::webhook::Webhook;
use super::wire::{self, Request};

const ENTRIES: u32 = 1024;
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// What the listener's completions are marked with; a connection's, with its place.
const LISTENER: u64 = u64::MAX;
/// `POLLIN` of poll(2).
const READABLE: u32 = 1;
/// `MSG_WAITALL` of send(2): what is short is sent on by the kernel.
const WHOLE: i32 = 0x100;
/// `IORING_RECVSEND_POLL_FIRST` of `io_uring_enter(2)`: there is nothing to read yet, so it isn't tried.
const POLL_FIRST: u16 = 1;

pub fn serve(listen: SocketAddr, webhook: &Webhook) -> io::Result<()> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut ring = Ring(IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(ENTRIES)?);
    let mut completions = Vec::new();
    ring.listen(&listener)?;
    loop {
        ring.wait(&mut completions)?;
        for (mark, result) in completions.drain(..) {
            if mark == LISTENER {
                accept(&listener, &mut connections, &mut ring)?;
                continue;
            }
            let Some(place) = connections.get_mut(mark as usize / 2) else { continue };
            let Some(connection) = place else { continue };
            connection.done(mark % 2 == Connection::SENT, result);
            if connection.in_flight == 0 && !connection.turn(webhook, mark & !1, &mut ring)? {
                *place = None;
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    connections: &mut Vec<Option<Connection>>,
    ring: &mut Ring,
) -> io::Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nodelay(true)?;
        let place = connections.iter().position(Option::is_none).unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        let connection = connections[place].insert(Connection::new(stream));
        connection.receive(place as u64 * 2, ring)?;
    }
    ring.listen(listener)
}

struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
    filled: usize,
    outbox: Vec<u8>,
    document: Vec<u8>,
    /// Operations that the kernel has.
    in_flight: u8,
    ended: bool,
}

impl Connection {
    /// Added to a connection's mark for what was sent.
    const SENT: u64 = 1;

    fn new(stream: TcpStream) -> Self {
        let (inbox, outbox, document) =
            (vec![0; REQUEST_BYTES_MAX], Vec::with_capacity(1024), Vec::with_capacity(1024));
        Self { stream, inbox, filled: 0, outbox, document, in_flight: 0, ended: false }
    }

    /// Takes note of a completion: bytes, or an error below zero.
    fn done(&mut self, sent: bool, result: i32) {
        self.in_flight -= 1;
        match usize::try_from(result) {
            Ok(1..) if sent => {}
            Ok(bytes @ 1..) => self.filled += bytes,
            _ => self.ended = true,
        }
    }

    /// Answers what has arrived and waits for more; false at the connection's end. Nothing is in flight.
    fn turn(&mut self, webhook: &Webhook, mark: u64, ring: &mut Ring) -> io::Result<bool> {
        if self.ended || self.filled == self.inbox.len() {
            return Ok(false);
        }
        match Request::parse(&self.inbox[..self.filled]) {
            Err(_) => return Ok(false),
            Ok(None) => {}
            Ok(Some(request)) => {
                self.document.clear();
                self.outbox.clear();
                let Request { target, signature, body, length } = request;
                let answered = webhook.answer(target, signature, body, &mut self.document);
                let status = answered.map_or_else(|refused| refused.status(), |()| 200);
                wire::answer(status, &self.document, &mut self.outbox);
                self.inbox.copy_within(length..self.filled, 0);
                self.filled -= length;
                self.send(mark, ring)?;
            }
        }
        self.receive(mark, ring)?;
        Ok(true)
    }

    fn send(&mut self, mark: u64, ring: &mut Ring) -> io::Result<()> {
        self.in_flight += 1;
        let fd = Fd(self.stream.as_raw_fd());
        let length = u32::try_from(self.outbox.len()).map_err(io::Error::other)?;
        let send = opcode::Send::new(fd, self.outbox.as_ptr(), length).flags(WHOLE);
        ring.push(&send.build().user_data(mark | Self::SENT))
    }

    fn receive(&mut self, mark: u64, ring: &mut Ring) -> io::Result<()> {
        self.in_flight += 1;
        let fd = Fd(self.stream.as_raw_fd());
        let free = &mut self.inbox[self.filled..];
        let length = u32::try_from(free.len()).map_err(io::Error::other)?;
        let receive = opcode::Recv::new(fd, free.as_mut_ptr(), length).ioprio(POLL_FIRST);
        ring.push(&receive.build().user_data(mark))
    }
}

struct Ring(IoUring);

impl Ring {
    fn listen(&mut self, listener: &TcpListener) -> io::Result<()> {
        let poll = opcode::PollAdd::new(Fd(listener.as_raw_fd()), READABLE);
        self.push(&poll.build().user_data(LISTENER))
    }

    #[expect(unsafe_code, reason = "the kernel reads and writes the memory that an entry points to")]
    fn push(&mut self, entry: &Entry) -> io::Result<()> {
        if self.0.submission().is_full() {
            self.0.submit()?;
        }
        // SAFETY: buffers are on the heap and live as long as their connection, which is dropped, and touched, only
        // when none of its operations is in flight; so is its file descriptor. At the process's end the ring goes first.
        unsafe { self.0.submission().push(entry) }.map_err(io::Error::other)
    }

    /// Hands over what was pushed and takes what is complete: marks and results.
    fn wait(&mut self, completions: &mut Vec<(u64, i32)>) -> io::Result<()> {
        match self.0.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        completions.extend(self.0.completion().map(|entry| (entry.user_data(), entry.result())));
        Ok(())
    }
}
