//! Patterns for the names of entries: what `default` in loader.conf and the variables can hold.

/// Returns true if `name` matches `pattern`: `*` is any text, `?` one character, `[a-z]` one of a
/// set, `\` takes a special meaning away. Upper and lower case are the same.
pub fn matches(pattern: &str, name: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    glob(&lower(pattern), &lower(name))
}

fn glob(pattern: &[char], name: &[char]) -> bool {
    // Where to go on after the last star, and what it has taken.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match (pattern.get(p), name.get(n)) {
            (Some('*'), _) => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            (Some(_), Some(c)) if let Some(length) = takes(pattern.get(p..).unwrap_or_default(), *c) => {
                p += length;
                n += 1;
                continue;
            }
            _ => {}
        }
        let Some((after, taken)) = star else { return false };
        star = Some((after, taken + 1));
        (p, n) = (after, taken + 1);
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// Returns how much of `pattern` the one character `c` matches.
fn takes(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        ['[', rest @ ..] => {
            // A bracket that comes first is a member.
            let end = rest.iter().skip(1).position(|c| *c == ']')? + 1;
            let set = rest.get(..end)?;
            let range = set.windows(3).any(|w| w[1] == '-' && (w[0]..=w[2]).contains(&c));
            (range || set.contains(&c)).then_some(end + 2)
        }
        [literal, ..] => (*literal == c).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("tiu-5-2.conf", "tiu-5-2.conf", true),
            ("TIU-5-2.conf", "tiu-5-2.conf", true),
            ("tiu-5-2", "tiu-5-2.conf", false),
            ("tiu-*", "tiu-5-2.conf", true),
            ("*", "", true),
            ("*-2*", "tiu-5-2+3.conf", true),
            ("*a*b", "xxaxxbxxb", true),
            ("*a*b", "xxaxxbxxc", false),
            ("t?u", "tiu", true),
            ("t?u", "tu", false),
            ("x[0-9]", "x7", true),
            ("x[0-9]", "xa", false),
            ("x[]a]", "x]", true),
            ("x\\*", "x*", true),
            ("x\\*", "xy", false),
            ("x[", "x[", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
