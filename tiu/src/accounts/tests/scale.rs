//! The work of a merge grows with the number of entries, not with its square.

use super::*;
use crate::accounts::steps;

/// Merges two sides of `n` users, half of them the same, and returns the steps.
fn steps_of_merge(n: u32) -> u64 {
    let passwd = |from: u32| -> String {
        (from..from + n).map(|i| format!("u{i}:x:{}:{}::/home/u{i}:/bin/sh\n", 2000 + i, 2000 + i)).collect()
    };
    let group = |from: u32| -> String {
        let members: Vec<String> = (from..from + n).map(|i| format!("u{i}")).collect();
        (from..from + n).map(|i| format!("u{i}:x:{}:\n", 2000 + i)).collect::<String>()
            + &format!("all:x:1500:{}\n", members.join(","))
    };
    let sub = |from: u32| -> String {
        (from..from + n).map(|i| format!("u{i}:{}:65536\n", 100_000 + 7 * i)).collect()
    };
    let side = |from| [passwd(from), group(from), String::new(), String::new(), sub(from), sub(from)];
    let view = |side: [String; 6]| files(&side.each_ref().map(String::as_str));
    let (host, image) = (view(side(0)), view(side(n / 2)));
    let sides = AccountSides { base: None, host: &host, image: &image, closed: &[] };
    let numbers = used(&(0..2 * n).collect::<Vec<_>>(), &[]);
    steps::reset();
    let result = merge(&sides, &numbers, &Limits::default()).unwrap();
    let total = n as usize * 3 / 2;
    assert_eq!(result.text(AccountFile::Passwd).lines().count(), total);
    let all = result.text(AccountFile::Group).lines().find(|line| line.starts_with("all:")).unwrap();
    assert_eq!(all.split(',').count(), total);
    steps::taken()
}

#[test]
fn ten_times_as_many_users_take_about_ten_times_the_steps() {
    let (few, many) = (steps_of_merge(1000), steps_of_merge(10_000));
    assert!(few > 10_000, "{few} steps: are they counted?");
    assert!(many < 12 * few, "{few} steps for 1000 users, {many} for 10,000");
}
