//! Columns of text.

pub use tiu_system::text::printable;

/// Lays `rows` out in columns with two blanks between them. The last column is not padded. Each
/// line starts with `indent`.
pub fn columns(rows: &[Vec<String>], indent: &str) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (i, cell) in row.iter().enumerate() {
            match widths.get_mut(i) {
                Some(width) => *width = (*width).max(cell.chars().count()),
                None => widths.push(cell.chars().count()),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(indent);
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!("{cell:<width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Returns a time to the minute, in UTC, as people read it.
pub fn minute(rfc3339: &str) -> String {
    rfc3339.get(..16).map_or_else(|| rfc3339.to_owned(), |time| time.replacen('T', " ", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            [vec!["a".into(), "long".into(), "x".into()], vec!["äöü".into(), "b".into(), String::new()]];
        assert_eq!(columns(&rows, "> "), "> a    long  x\n> äöü  b\n");
    }

    #[test]
    fn times_are_cut_to_the_minute_and_anything_else_is_left() {
        assert_eq!(minute("2024-01-31T12:30:59Z"), "2024-01-31 12:30");
        assert_eq!(minute(""), "");
    }
}
