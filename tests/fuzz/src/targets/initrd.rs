//! An initrd: archives, compressed or not.

use tiu::boot::{Judgement, Needs, judge};
use tiu_system::progress::Cancel;

/// Parts of an initrd.
pub const WORDS: &[&str] =
    &["070701", "070702", "TRAILER!!!", "00000000", "lib/modules/6.1/", "btrfs.ko", "\u{1f}", "\0\0\0\0"];

/// Looks into it. Zeros at its end do not matter: boot loaders pad initrds.
pub fn check(data: &[u8]) -> bool {
    let cancel = Cancel::new();
    let needs = Needs { kernel: "6.1", has_modules: true, builtin: Some("") };
    let of = |bytes: &[u8]| judge(bytes, &needs, &cancel).expect("nobody cancels");
    let found = of(data);
    if found == Judgement::Complete {
        assert_eq!(of(&[data, &[0; 512]].concat()), found);
    }
    found == Judgement::Complete
}
