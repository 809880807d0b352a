//! The variables of the boot loader interface (systemd.io/BOOT_LOADER_INTERFACE).

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The directory in which the kernel shows variables of the firmware.
pub const DIRECTORY: &str = "/sys/firmware/efi/efivars";
/// The vendor of the boot loader interface.
const VENDOR: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
/// Largest variable that is read, in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// The variables that decide what boots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// For one boot.
    pub one_shot: Option<String>,
    /// Preferred while it has attempts left.
    pub preferred: Option<String>,
    /// The default.
    pub default: Option<String>,
}

impl Variables {
    /// Reads them from `directory`. A variable that cannot be read counts as not set.
    pub fn read(directory: &Path) -> Self {
        Variables {
            one_shot: text(directory, "LoaderEntryOneShot"),
            preferred: text(directory, "LoaderEntryPreferred"),
            default: text(directory, "LoaderEntryDefault"),
        }
    }
}

/// Returns the name and version of the boot loader that started the system.
pub fn loader_info(directory: &Path) -> Option<String> {
    text(directory, "LoaderInfo")
}

/// Reads a variable that holds text: four bytes of attributes, then UTF-16 with a NUL.
fn text(directory: &Path, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(directory.join(format!("{name}-{VENDOR}"))).ok()?;
    file.take(MAX_SIZE).read_to_end(&mut bytes).ok()?;
    let units = bytes.get(4..)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Some(String::from_utf16_lossy(&units)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_utf_16_after_four_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let units = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
            let bytes: Vec<u8> = [7, 0, 0, 0].into_iter().chain(units).collect();
            std::fs::write(dir.path().join(format!("{name}-{VENDOR}")), bytes).unwrap();
        };
        write("LoaderEntryDefault", "tiu-1-1.conf");
        write("LoaderInfo", "systemd-boot 252.39");
        write("LoaderEntryPreferred", "");
        std::fs::write(dir.path().join(format!("LoaderEntryOneShot-{VENDOR}")), [1, 2]).unwrap();
        let found = Variables::read(dir.path());
        let default = Some("tiu-1-1.conf".to_owned());
        assert_eq!(found, Variables { default, ..Variables::default() });
        assert_eq!(loader_info(dir.path()).as_deref(), Some("systemd-boot 252.39"));
        assert_eq!(Variables::read(Path::new("/nonexistent")), Variables::default());
    }
}
