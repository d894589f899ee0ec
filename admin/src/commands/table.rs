//! What commands print: a table for people, JSON for scripts.

use serde_json::Value;

/// Prints a line.
#[expect(clippy::print_stdout, reason = "what a command answers goes to standard output")]
pub fn print(line: &str) {
    println!("{line}");
}

/// Prints objects, one a row, or all as JSON.
pub fn print_rows(json: bool, columns: &[&str], rows: &[Value]) {
    if json {
        print(&serde_json::to_string_pretty(rows).unwrap_or_default());
    } else {
        aligned(columns, rows).iter().for_each(|line| print(line));
    }
}

fn aligned(columns: &[&str], rows: &[Value]) -> Vec<String> {
    let head: Vec<String> = columns.iter().map(|column| column.to_uppercase().replace('_', " ")).collect();
    let body = rows.iter().map(|row| columns.iter().map(|column| cell(&row[*column])).collect::<Vec<_>>());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_line_up() {
        let rows = [json!({"id": "router-1", "lag": 0}), json!({"id": "b", "lag": null})];
        assert_eq!(aligned(&["id", "lag"], &rows), ["ID        LAG", "router-1  0", "b         -"]);
    }
}
