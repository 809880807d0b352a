//! The stages of tukit and their arguments.

use super::error::TukitError;
use std::path::PathBuf;

/// A stage of tukit, as far as tiu needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TukitEvent {
    /// A snapshot was made and is mounted.
    Opened {
        /// Where it is mounted, with its submounts.
        bind: PathBuf,
        /// Its number.
        number: u32,
    },
    /// The snapshot is about to become the default.
    Closing {
        /// Where it is mounted, with its submounts.
        bind: PathBuf,
        /// Its number.
        number: u32,
    },
    /// The snapshot is the default, or was discarded.
    Closed(u32),
    /// The snapshot was removed.
    Aborted(u32),
    /// Any other stage, known or to come.
    Other,
}

impl TukitEvent {
    /// Reads the arguments of a plugin.
    pub fn parse(arguments: &[String]) -> Result<Self, TukitError> {
        let Some((stage, rest)) = arguments.split_first() else {
            return Err(TukitError::Arguments { stage: String::new(), found: Vec::new() });
        };
        let invalid = || TukitError::Arguments { stage: stage.clone(), found: rest.to_vec() };
        let number = |text: Option<&String>| text.and_then(|text| text.parse().ok()).ok_or_else(invalid);
        let bind =
            || rest.first().filter(|bind| bind.starts_with('/')).map(PathBuf::from).ok_or_else(invalid);
        Ok(match stage.as_str() {
            "init-post" => TukitEvent::Opened { bind: bind()?, number: number(rest.get(1))? },
            "finalize-pre" => TukitEvent::Closing { bind: bind()?, number: number(rest.get(1))? },
            "finalize-post" => TukitEvent::Closed(number(rest.first())?),
            "abort-post" => TukitEvent::Aborted(number(rest.first())?),
            _ => TukitEvent::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<TukitEvent, TukitError> {
        TukitEvent::parse(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_stages_of_tukit_6_1() {
        let bind = PathBuf::from("/tmp/transactional-update-abc");
        let opened = TukitEvent::Opened { bind: bind.clone(), number: 7 };
        assert_eq!(parse(&["init-post", "/tmp/transactional-update-abc", "7"]).unwrap(), opened);
        let closing = TukitEvent::Closing { bind, number: 7 };
        assert_eq!(parse(&["finalize-pre", "/tmp/transactional-update-abc", "7"]).unwrap(), closing);
        assert_eq!(parse(&["finalize-post", "7"]).unwrap(), TukitEvent::Closed(7));
        assert_eq!(parse(&["finalize-post", "7", "discarded"]).unwrap(), TukitEvent::Closed(7));
        assert_eq!(parse(&["abort-post", "7"]).unwrap(), TukitEvent::Aborted(7));
        for other in [
            &["init-pre"][..],
            &["resume-pre", "7"],
            &["resume-post", "/tmp/x", "7"],
            &["execute-pre", "/tmp/x", "7", "dracut", "--force"],
            &["callExt-post", "/tmp/x", "7", "zypper"],
            &["keep-pre", "/tmp/x", "7"],
            &["keep-post", "7"],
            &["reboot-pre"],
            &["a-stage-to-come", "x"],
        ] {
            assert_eq!(parse(other).unwrap(), TukitEvent::Other, "{other:?}");
        }
    }

    #[test]
    fn missing_arguments_are_an_error_that_shows_them() {
        for wrong in [
            &[][..],
            &["init-post"],
            &["init-post", "/tmp/x"],
            &["init-post", "7", "/tmp/x"],
            &["finalize-pre", "x", "7"],
            &["finalize-post", "seven"],
            &["abort-post"],
        ] {
            assert!(matches!(parse(wrong), Err(TukitError::Arguments { .. })), "{wrong:?}");
        }
    }
}
