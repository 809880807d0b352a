//! `tiu media`: an update from a medium that was plugged in. The unit tiu-media@.service calls it.

use super::global::{GlobalArguments, NAME};
use super::update::UpdateArguments;
use std::path::PathBuf;
use tiu::config::{Config, Usb};
use tiu::media::{self, Medium};
use tiu::outcome::NothingToDo;
use tiu::transaction::KnownImage;
use tiu::update::LAST_RESULT;
use tiu_cli::CommandResult;

/// Apply or announce the newest bundle of a medium, as `usb` in tiu.yaml says
///
/// The medium is mounted read-only, without devices, programs and symbolic links. Its folder tiu is
/// a source like that of `tiu update`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  tiu media /dev/sda1

Ends with 77 if there is nothing to do, also where `usb` is `ignore`.")]
pub struct MediaArguments {
    /// Device with the filesystem
    device: PathBuf,
    /// Directory at which the medium is mounted; created if missing
    #[arg(long, value_name = "DIR", default_value = "/run/tiu/media")]
    at: PathBuf,
    /// The facts that become known of the bundle, for the record of a refusal
    #[arg(skip)]
    known: KnownImage,
}

impl MediaArguments {
    pub fn device(&self) -> String {
        self.device.display().to_string()
    }

    pub fn known_image(&self) -> KnownImage {
        self.known.clone()
    }

    pub fn run(self, global: &GlobalArguments) -> CommandResult {
        let opened = global.host.open()?;
        let Config { usb, usb_filesystems, usb_report, .. } = &opened.config;
        if *usb == Usb::Ignore {
            let reason = NothingToDo::MediaIgnored;
            return Ok(tiu_cli::nothing_to_do(NAME, &reason, &reason.hint()));
        }
        let medium = Medium::mount(&self.device, &self.at, usb_filesystems)?;
        let check = *usb == Usb::Announce;
        let folder = medium.path().join(media::FOLDER);
        let outcome = UpdateArguments::of(folder, check, self.known.clone()).run(global);
        drop(medium);
        if *usb_report && !check {
            self.report(&opened.host);
        }
        outcome
    }

    /// Copies the result of the run to the medium. A failure is a warning.
    fn report(&self, host: &tiu::host::Host) {
        let path = host.root().join(LAST_RESULT);
        let written = std::fs::read_to_string(&path).map_err(tiu_cli::CliError::path(&path));
        let written = written.map_err(|error| error.to_string()).and_then(|text| {
            let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let name = format!("report-{}.json", seconds.map_or(0, |since| since.as_secs()));
            media::write_report(&self.device, &self.at, &name, &text).map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            tiu_cli::warn(NAME, &error);
        }
    }
}
