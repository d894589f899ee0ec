//! Tables for spreadsheets (RFC 4180).
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and a text that
//! somebody else chose may be one. Such a cell gets an apostrophe in front, which spreadsheets show as nothing. What is a
//! plain number, with a sign or without, stays as it is: a phone number is its digits, and can do nothing.

use bytes::Bytes;

/// Lines in memory. Writing there doesn't fail.
pub struct Table {
    out: csv::Writer<Vec<u8>>,
}

impl Table {
    /// A table under this header.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        let mut table = Self { out: csv::Writer::from_writer(Vec::new()) };
        table.line(header.iter().map(|name| (*name).to_owned()));
        table
    }

    /// Appends a line.
    pub fn line(&mut self, cells: impl IntoIterator<Item = String>) {
        for cell in cells {
            let _ = self.out.write_field(guarded(cell));
        }
        let _ = self.out.write_record(None::<&[u8]>);
    }

    /// How many bytes wait to be taken.
    pub fn bytes(&mut self) -> usize {
        let _ = self.out.flush();
        self.out.get_ref().len()
    }

    /// Takes what was written.
    pub fn take(&mut self) -> Bytes {
        let written = std::mem::replace(&mut self.out, csv::Writer::from_writer(Vec::new()));
        Bytes::from(written.into_inner().unwrap_or_default())
    }
}

/// A cell that no spreadsheet works out.
fn guarded(cell: String) -> String {
    let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(&cell);
    let is_number = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.matches('.').count() <= 1;
    if begins && !is_number { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let check = |cell: &str, expected: &str| assert_eq!(guarded(cell.into()), expected);
        for harmless in ["", "twilio", "+12125550001", "-0.25", "12.5", "a=b", "2026-11-21"] {
            check(harmless, harmless);
        }
        check("=1+1", "'=1+1");
        check("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0");
        check("-2+3", "'-2+3");
        check("@SUM(A1)", "'@SUM(A1)");
        check("\t=1", "'\t=1");
        check("+", "'+");
        check("-1.2.3", "'-1.2.3");
    }

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let mut table = Table::new(&["a", "b"]);
        table.line(["x,y".to_owned(), "say \"z\"".to_owned()]);
        assert!(table.bytes() > 0);
        assert_eq!(table.take(), "a,b\n\"x,y\",\"say \"\"z\"\"\"\n");
        assert_eq!(table.bytes(), 0);
    }
}
