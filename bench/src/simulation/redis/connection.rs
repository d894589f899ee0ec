//! One connection: what is on its way there and back.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep_until};

use super::server::Port;
use super::wire;
use crate::simulation::link::BLOCKED_LOOK;

/// A bell that rings twice does so the second time up to so much later, in milliseconds.
const SECOND_RING_MS: u64 = 400;

/// The server's end of a connection.
pub struct Connection {
    id: u64,
    port: Port,
    stream: DuplexStream,
    bells: UnboundedReceiver<Bytes>,
    /// Commands by when they arrive; answers likewise. Neither overtakes another.
    there: VecDeque<(Instant, Vec<Bytes>)>,
    back: VecDeque<(Instant, Vec<u8>)>,
    /// Bells may overtake each other. The number tells those of one instant apart.
    ringing: BTreeMap<(Instant, u64), Bytes>,
    rung: u64,
}

impl Connection {
    /// A connection that was just made.
    pub fn new(id: u64, port: Port, stream: DuplexStream, bells: UnboundedReceiver<Bytes>) -> Self {
        let (there, back, ringing) = (VecDeque::new(), VecDeque::new(), BTreeMap::new());
        Self { id, port, stream, bells, there, back, ringing, rung: 0 }
    }

    /// Serves until the other end is gone.
    pub async fn serve(mut self) {
        let mut buffer = BytesMut::new();
        loop {
            let next = self.next_at();
            let done = tokio::select! {
                biased;
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.deliver().await,
                read = self.stream.read_buf(&mut buffer) => match read {
                    Ok(0) => return,
                    Ok(_) => {
                        self.receive(&mut buffer);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Some(bell) = self.bells.recv() => {
                    self.ring(bell);
                    Ok(())
                }
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn next_at(&self) -> Option<Instant> {
        let there = self.there.front().map(|(at, _)| *at);
        let back = self.back.front().map(|(at, _)| *at);
        let ringing = self.ringing.first_key_value().map(|((at, _), _)| *at);
        [there, back, ringing].into_iter().flatten().min()
    }

    fn receive(&mut self, buffer: &mut BytesMut) {
        let at = Instant::now() + self.port.delay();
        let at = self.there.back().map_or(at, |(last, _)| at.max(*last));
        while let Some(command) = wire::command(buffer) {
            self.there.push_back((at, command));
        }
    }

    fn ring(&mut self, bell: Bytes) {
        let lost = self.port.link().way().bells_lost;
        let rings = if lost == 0.0 {
            1
        } else {
            self.port.dice(|dice| if dice.chance(lost) { 0 } else { 1 + u64::from(dice.chance(lost)) })
        };
        for ring in 0..rings {
            let later = self.port.dice(|dice| dice.ms(0..1 + ring * SECOND_RING_MS));
            self.rung += 1;
            self.ringing.insert((Instant::now() + self.port.delay() + later, self.rung), bell.clone());
        }
    }

    /// Takes what is due from its queue. A blocked way keeps it.
    async fn deliver(&mut self) -> io::Result<()> {
        let (now, way) = (Instant::now(), self.port.link().way());
        while let Some((at, _)) = self.there.front_mut().filter(|(at, _)| *at <= now) {
            if way.blocked_there {
                *at = now + BLOCKED_LOOK;
                break;
            }
            let Some((_, command)) = self.there.pop_front() else { break };
            let mut bytes = Vec::new();
            self.port.execute(self.id, &command).write(&mut bytes);
            let at = now + self.port.delay();
            let at = self.back.back().map_or(at, |(last, _)| at.max(*last));
            self.back.push_back((at, bytes));
        }
        while let Some((at, _)) = self.back.front_mut().filter(|(at, _)| *at <= now) {
            if way.blocked_back {
                *at = now + BLOCKED_LOOK;
                break;
            }
            let Some((_, bytes)) = self.back.pop_front() else { break };
            self.stream.write_all(&bytes).await?;
        }
        while let Some(entry) = self.ringing.first_entry().filter(|entry| entry.key().0 <= now) {
            let bell = entry.remove();
            // A bell that a blocked way holds is as good as lost.
            if !way.blocked_back {
                self.stream.write_all(&bell).await?;
            }
        }
        Ok(())
    }
}
