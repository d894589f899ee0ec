//! Cuts a file, as it arrives, into pieces between its records. What a piece holds can be read by itself.

use super::Format;

/// A piece is taken once it is as long: some thousands of lines, which one transaction writes within a second.
pub const PIECE_BYTES: usize = 256 << 10;
/// No record is longer: as much as the body of any other request.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// A file's bytes as they come.
pub struct Splitter {
    format: Format,
    buffer: Vec<u8>,
    /// So far `buffer` was looked at.
    scanned: usize,
    state: State,
    /// What was looked at and isn't taken yet.
    whole: Extent,
    /// Since the last record's end.
    open_breaks: i64,
    open_is_blank: bool,
}

/// Whole records at the buffer's beginning.
#[derive(Clone, Copy, Default)]
struct Extent {
    bytes: usize,
    line_breaks: i64,
    records: i64,
}

/// Where in a CSV record the scan is. In JSON lines a line break always ends the record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Field,
    Quoted,
    QuoteInQuoted,
}

/// Whole records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Records {
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// How many line breaks they have.
    pub line_breaks: i64,
    /// How many they are, blank lines left out.
    pub records: i64,
}

/// A record that is longer than any may be; or quotes that nobody closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl Splitter {
    /// Nothing has come yet.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        let whole = Extent { bytes: 0, line_breaks: 0, records: 0 };
        Self {
            format,
            buffer: Vec::new(),
            scanned: 0,
            state: State::FieldStart,
            whole,
            open_breaks: 0,
            open_is_blank: true,
        }
    }

    /// Takes what has come.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.buffer.extend_from_slice(bytes);
        while self.scanned < self.buffer.len() {
            if self.scan() {
                self.end_record();
            }
        }
        if self.buffer.len() - self.whole.bytes > RECORD_BYTES_MAX { Err(TooLong) } else { Ok(()) }
    }

    /// The first record by itself, once it is whole.
    pub fn first(&mut self) -> Option<Records> {
        // Scanned again, as a record's end isn't remembered beside later ones.
        let mut alone = Self::new(self.format);
        alone.buffer = std::mem::take(&mut self.buffer);
        while alone.scanned < alone.buffer.len() && alone.whole.records == 0 {
            if alone.scan() {
                alone.end_record();
            }
        }
        if alone.whole.records == 0 {
            self.buffer = alone.buffer;
            return None;
        }
        let first = alone.take_whole();
        self.buffer = std::mem::take(&mut alone.buffer);
        self.scanned -= first.bytes.len();
        self.whole.bytes -= first.bytes.len();
        self.whole.line_breaks -= first.line_breaks;
        self.whole.records -= first.records;
        Some(first)
    }

    /// A piece, once there is enough for one.
    pub fn piece(&mut self) -> Option<Records> {
        (self.whole.bytes >= PIECE_BYTES).then(|| self.take_whole())
    }

    /// All whole records: the file broke off.
    pub fn rest(&mut self) -> Records {
        self.take_whole()
    }

    /// Everything: the file ends here, with or without a line break.
    pub fn end(&mut self) -> Records {
        if self.buffer.len() > self.whole.bytes {
            self.end_record();
        }
        self.take_whole()
    }

    fn take_whole(&mut self) -> Records {
        let rest = self.buffer.split_off(self.whole.bytes);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        self.scanned -= bytes.len();
        let Extent { line_breaks, records, .. } = std::mem::take(&mut self.whole);
        Records { bytes, line_breaks, records }
    }

    /// Looks at one byte; whether it ends a record.
    fn scan(&mut self) -> bool {
        let byte = self.buffer[self.scanned];
        self.scanned += 1;
        self.open_breaks += i64::from(byte == b'\n');
        self.open_is_blank &= matches!(byte, b'\n' | b'\r');
        if self.format == Format::Jsonl {
            return byte == b'\n';
        }
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) | (State::FieldStart | State::QuoteInQuoted, b'"') => State::Quoted,
            (_, b'\n') => {
                self.state = State::FieldStart;
                return true;
            }
            (_, b',') => State::FieldStart,
            _ => State::Field,
        };
        false
    }

    fn end_record(&mut self) {
        self.whole.bytes = self.scanned;
        self.whole.line_breaks += self.open_breaks;
        self.whole.records += i64::from(!self.open_is_blank);
        self.open_breaks = 0;
        self.open_is_blank = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(format: Format, text: &str, at: usize) -> (Vec<Records>, Records) {
        let mut splitter = Splitter::new(format);
        let (mut parts, bytes) = (Vec::new(), text.as_bytes());
        for part in [&bytes[..at], &bytes[at..]] {
            splitter.push(part).unwrap();
            parts.push(splitter.rest());
        }
        (parts, splitter.end())
    }

    fn text(records: &Records) -> &str {
        std::str::from_utf8(&records.bytes).unwrap()
    }

    #[test]
    fn cuts_between_records_wherever_the_bytes_are_cut() {
        let file = "a,\"x\r\ny\",b\n1,\"say \"\"hi\n\"\"\",5\" pipe\n\n2,,\n3,\"\",end";
        let ends = [0, 11, 35, 36, 40, file.len()];
        for at in 0..=file.len() {
            let (parts, end) = split(Format::Csv, file, at);
            let mut place = 0;
            for part in parts.iter().chain([&end]) {
                assert_eq!(text(part), &file[place..place + part.bytes.len()]);
                place += part.bytes.len();
                assert!(ends.contains(&place), "{at}: cut at {place}");
            }
            assert_eq!(place, file.len());
            let all = || parts.iter().chain([&end]);
            assert_eq!(all().map(|part| part.records).sum::<i64>(), 4, "{at}");
            assert_eq!(all().map(|part| part.line_breaks).sum::<i64>(), 6, "{at}");
        }
    }

    #[test]
    fn quotes_are_nothing_to_json_lines() {
        let (parts, end) = split(Format::Jsonl, "{\"a\":\"x\\\"\"}\n{\"b\":1}\r\n\n", 5);
        assert_eq!((text(&parts[0]), parts[1].records, text(&end)), ("", 2, ""));
    }

    #[test]
    fn the_header_comes_by_itself() {
        let mut splitter = Splitter::new(Format::Csv);
        splitter.push(b"a,\"b").unwrap();
        assert_eq!(splitter.first(), None);
        splitter.push(b"\n\"\n1,2\n3").unwrap();
        let header = splitter.first().unwrap();
        assert_eq!((text(&header), header.line_breaks, header.records), ("a,\"b\n\"\n", 2, 1));
        assert_eq!(text(&splitter.rest()), "1,2\n");
        assert_eq!(text(&splitter.end()), "3");
    }

    #[test]
    fn a_record_has_an_end() {
        let mut splitter = Splitter::new(Format::Csv);
        let endless = vec![b'\n'; RECORD_BYTES_MAX];
        splitter.push(b"1,\"").unwrap();
        assert_eq!(splitter.push(&endless), Err(TooLong));
    }
}
