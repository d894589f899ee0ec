//! Reads lines: CSV records under their header, or JSON objects, as one type.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use super::Format;
use crate::invalid::{self, Invalid};
use crate::store::imports::BadLine;

/// What a line says of a field: absent, it says nothing; `Some(None)`, that it be unset.
pub type Given<T> = Option<Option<T>>;

/// A line of the file with what it says.
#[derive(Debug)]
pub struct Line<T> {
    /// Its number in the file.
    pub number: i64,
    /// What it says.
    pub item: T,
}

/// Tells null from absent: for [`Given`], with `default`.
///
/// # Errors
/// As `T`.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Refuses a line.
#[must_use]
pub fn bad(line: i64, code: &str, invalid: Invalid) -> BadLine {
    BadLine { line, code: code.to_owned(), message: invalid.to_string(), field: invalid.field }
}

/// A document: JSON lines hold it as it is, a CSV cell as text.
///
/// # Errors
/// What is wanted where, below `field`.
pub fn document<T: DeserializeOwned>(field: &str, cell: &Value) -> Result<T, Invalid> {
    let read = match cell {
        Value::String(text) => {
            serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        }
        value => {
            let text = value.to_string();
            serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text))
        }
    };
    read.map_err(|error| match error.inner().classify() {
        serde_json::error::Category::Data => {
            invalid::at_path(Some(field), error.path(), &said(error.inner()))
        }
        _ => Invalid::new(field, format!("wanted JSON: {}", error.inner())),
    })
}

/// What the reader says, without the position, which says less than the path does.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(text, _)| text.to_owned())
}

/// The columns of a CSV file, from its first record.
///
/// # Errors
/// A column that isn't one of `known`, or is there twice.
pub fn header(record: &[u8], known: &[&str]) -> Result<csv::StringRecord, Invalid> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(record);
    let mut names = csv::StringRecord::new();
    let wanted = || Invalid::new("header", format!("wanted the columns' names: {}", known.join(", ")));
    if !reader.read_record(&mut names).map_err(|_| wanted())? {
        return Err(wanted());
    }
    for (place, name) in names.iter().enumerate() {
        if !known.contains(&name) {
            let wanted = format!("unknown column `{name}`, wanted some of: {}", known.join(", "));
            return Err(Invalid::new("header", wanted));
        }
        if names.iter().take(place).any(|before| before == name) {
            return Err(Invalid::new("header", format!("column `{name}` stands twice")));
        }
    }
    Ok(names)
}

/// The lines of a piece that begins with line `first` of the file, and those that can't be read.
#[must_use]
pub fn read<T: DeserializeOwned>(
    format: Format,
    header: Option<&csv::StringRecord>,
    bytes: &[u8],
    first: i64,
) -> (Vec<Line<T>>, Vec<BadLine>) {
    match format {
        Format::Csv => read_csv(header, bytes, first),
        Format::Jsonl => read_jsonl(bytes, first),
    }
}

fn read_csv<T: DeserializeOwned>(
    header: Option<&csv::StringRecord>,
    bytes: &[u8],
    first: i64,
) -> (Vec<Line<T>>, Vec<BadLine>) {
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut record = csv::StringRecord::new();
    let columns = header.map_or(0, csv::StringRecord::len);
    let mut place = Place { bytes, at: 0, line: first };
    loop {
        let number = place.line_at(usize::try_from(reader.position().byte()).unwrap_or(usize::MAX));
        match reader.read_record(&mut record) {
            Ok(false) => return (lines, refused),
            Ok(true) => {}
            Err(_) => {
                refused.push(bad(number, "invalid_line", Invalid::new("line", "wanted UTF-8")));
                continue;
            }
        }
        if record.len() != columns {
            let wanted = format!("wanted {columns} fields as in the header, found {}", record.len());
            refused.push(bad(number, "invalid_line", Invalid::new("line", wanted)));
            continue;
        }
        match record.deserialize(header) {
            Ok(item) => lines.push(Line { number, item }),
            Err(error) => refused.push(bad(number, "invalid_field", csv_invalid(&error, header))),
        }
    }
}

/// Which line of the file a byte of a piece is in.
struct Place<'a> {
    bytes: &'a [u8],
    at: usize,
    line: i64,
}

impl Place<'_> {
    /// The line of the record that begins at `byte` or behind the line breaks there, which the reader skips.
    fn line_at(&mut self, byte: usize) -> i64 {
        while self.at < self.bytes.len() && (self.at < byte || matches!(self.bytes[self.at], b'\r' | b'\n')) {
            self.line += i64::from(self.bytes[self.at] == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn csv_invalid(error: &csv::Error, header: Option<&csv::StringRecord>) -> Invalid {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return Invalid::new("line", error.to_string());
    };
    let place = err.field().and_then(|field| usize::try_from(field).ok());
    let field = place.and_then(|place| header?.get(place)).unwrap_or("line");
    Invalid::new(field, wanted(&err.kind().to_string()))
}

fn wanted(said: &str) -> String {
    if said.contains("UUID parsing failed") { "wanted an id, a UUID".to_owned() } else { said.to_owned() }
}

fn read_jsonl<T: DeserializeOwned>(bytes: &[u8], first: i64) -> (Vec<Line<T>>, Vec<BadLine>) {
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    for (number, line) in (first..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if !line.starts_with(b"{") {
            refused.push(bad(number, "invalid_line", Invalid::new("line", "wanted a JSON object")));
            continue;
        }
        let mut reader = serde_json::Deserializer::from_slice(line);
        let item =
            serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.inner().classify() {
                serde_json::error::Category::Data => {
                    ("invalid_field", invalid::at_path(None, error.path(), &said(error.inner())))
                }
                _ => ("invalid_line", Invalid::new("line", format!("wanted JSON: {}", error.inner()))),
            });
        let ended = |item| match reader.end() {
            Ok(()) => Ok(item),
            Err(_) => Err(("invalid_line", Invalid::new("line", "wanted one JSON object a line"))),
        };
        match item.and_then(ended) {
            Ok(item) => lines.push(Line { number, item }),
            Err((code, invalid)) => refused.push(bad(number, code, invalid)),
        }
    }
    (lines, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default, deserialize_with = "given")]
        limit: Given<u32>,
        #[serde(default, deserialize_with = "given")]
        hours: Given<Value>,
    }

    fn csv(head: &str, body: &str) -> (Vec<Line<Sample>>, Vec<BadLine>) {
        let header = header(head.as_bytes(), &["name", "limit", "hours"]).unwrap();
        read(Format::Csv, Some(&header), body.as_bytes(), 2)
    }

    #[test]
    fn both_formats_tell_absent_from_unset() {
        let (lines, bad) = csv("name,limit", "a,5\nb,\n");
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!((lines[0].item.limit, lines[1].item.limit), (Some(Some(5)), Some(None)));
        assert_eq!(lines[0].item.hours, None);
        let (lines, bad) = read::<Sample>(
            Format::Jsonl,
            None,
            b"{\"name\":\"a\",\"limit\":5}\n{\"name\":\"b\",\"limit\":null}\n{\"name\":\"c\"}",
            1,
        );
        assert!(bad.is_empty(), "{bad:?}");
        let limits: Vec<_> = lines.iter().map(|line| line.item.limit).collect();
        assert_eq!(limits, [Some(Some(5)), Some(None), None]);
    }

    #[test]
    fn refusals_name_line_and_field() {
        let (lines, bad) = csv("name,limit", "\"a\nb\",1\nc,x\n\nd\ne,-1\n");
        assert_eq!((lines[0].number, lines[0].item.name.as_str()), (2, "a\nb"));
        let places: Vec<_> = bad.iter().map(|bad| (bad.line, bad.field.as_str())).collect();
        assert_eq!(places, [(4, "limit"), (6, "line"), (7, "limit")]);
        let (_, bad) = read::<Sample>(
            Format::Jsonl,
            None,
            b"\n{\"name\":5}\n{\"nam\":1}\n[]\n{\"name\":\"a\"}{}\n{\"name\"",
            10,
        );
        let places: Vec<_> = bad.iter().map(|bad| (bad.line, bad.field.as_str())).collect();
        assert_eq!(places, [(11, "name"), (12, "nam"), (13, "line"), (14, "line"), (15, "line")]);
    }

    #[test]
    fn headers_name_columns_once() {
        for text in ["name,nam", "name,name", "", "name;limit"] {
            assert_eq!(header(text.as_bytes(), &["name", "limit"]).unwrap_err().field, "header", "{text}");
        }
    }

    #[test]
    fn documents_are_the_same_in_both_formats() {
        let check = |cell: Value| document::<Vec<u8>>("hours", &cell).map_err(|invalid| invalid.field);
        assert_eq!(check(serde_json::json!([1])), Ok(vec![1]));
        assert_eq!(check(serde_json::json!("[1]")), Ok(vec![1]));
        assert_eq!(check(serde_json::json!("[1,300]")), Err("hours[1]".into()));
        assert_eq!(check(serde_json::json!("x")), Err("hours".into()));
    }
}
