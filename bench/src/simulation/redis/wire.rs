//! RESP2, as much of it as a server needs: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use bytes::{Bytes, BytesMut};

/// What a server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// Done.
    Ok,
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Bytes),
    /// Several.
    Array(Vec<Reply>),
    /// A refusal, with its code first.
    Error(String),
}

impl Reply {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.extend_from_slice(b"$-1\r\n"),
            Self::Ok => out.extend_from_slice(b"+OK\r\n"),
            Self::Int(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
            Self::Bulk(bytes) => {
                out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Array(replies) => {
                out.extend_from_slice(format!("*{}\r\n", replies.len()).as_bytes());
                replies.iter().for_each(|reply| reply.write(out));
            }
            Self::Error(line) => out.extend_from_slice(format!("-{line}\r\n").as_bytes()),
        }
    }
}

/// Takes a command off the front, once it is there whole.
pub fn command(buffer: &mut BytesMut) -> Option<Vec<Bytes>> {
    let (count, mut at) = number(buffer, 0, b'*')?;
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, from) = number(buffer, at, b'$')?;
        at = from + length + 2;
        if buffer.len() < at {
            return None;
        }
        places.push(from..from + length);
    }
    let whole = buffer.split_to(at).freeze();
    Some(places.into_iter().map(|place| whole.slice(place)).collect())
}

/// A line of `kind` and a number at a place, and where the next line begins.
fn number(buffer: &[u8], at: usize, kind: u8) -> Option<(usize, usize)> {
    let rest = buffer.get(at..)?;
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    let digits = rest[..end].strip_prefix(&[kind])?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, at + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_taken_once_they_are_whole() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n*1\r\n$4\r\nTIME\r\n";
        for cut in 0..23 {
            assert_eq!(command(&mut BytesMut::from(&bytes[..cut])), None, "{cut}");
        }
        let mut buffer = BytesMut::from(&bytes[..]);
        assert_eq!(command(&mut buffer).unwrap(), ["GET", "a\r\nb"]);
        assert_eq!(command(&mut buffer).unwrap(), ["TIME"]);
        assert_eq!(command(&mut buffer), None);
    }
}
