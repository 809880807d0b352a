//! A bundle on a server, and what reading it must give.

use std::sync::Arc;
use std::time::Duration;
use tiu_bundle::bundle::Bundle;
use tiu_bundle::read_at::{ReadAt, Reads};
use tiu_bundle::trust::Trust;
use tiu_source::{Limits, Location, Network, OpenError, open_bundle};
use tiu_system::progress::Cancel;
use tiu_testing::bundles::{Parts, tiny_index};
use tiu_testing::pki::Certificate;
use tiu_testing::tree::noise;

/// Bytes of a CMS and a trailer that the first request asks for.
pub const END: usize = 64 * 1024 + 8;

/// A signed bundle, and who is trusted.
pub struct Kit {
    pub bytes: Vec<u8>,
    pub trust: Trust,
    pub image_size: usize,
}

impl Kit {
    /// A bundle whose image has `blocks` blocks: the head of a squashfs, and noise.
    pub fn new(blocks: usize) -> Self {
        let signer = Certificate::new("Test Signer").authority().signing_authority().self_signed();
        let mut image = noise(1, blocks * 4096);
        image[..4].copy_from_slice(b"hsqs");
        image[40..48].copy_from_slice(&(blocks as u64 * 4096).to_le_bytes());
        let bytes = Parts::new(image, &tiny_index(b"x")).bytes(&signer.certificate, &signer.key);
        let dir = tempfile::tempdir().unwrap();
        let (certificate, _) = signer.write(dir.path(), "ca");
        let mut trust = Trust::from_paths(&[certificate]).unwrap();
        trust.set_purpose(tiu_bundle::trust::Purpose::Any);
        Kit { bytes, trust, image_size: blocks * 4096 }
    }

    /// Opens the bundle at `url`.
    pub fn open(&self, url: &str) -> Result<Bundle, OpenError> {
        self.open_with(url, &network())
    }

    pub fn open_with(&self, url: &str, network: &Network) -> Result<Bundle, OpenError> {
        open_bundle(&Location::parse(url.as_ref()).unwrap(), network, &self.trust, &mut |_| {})
    }

    /// The error of opening, in words.
    #[track_caller]
    pub fn refused(&self, url: &str, needle: &str) {
        let error = self.open_with(url, &impatient()).err().expect("an error");
        assert!(error.to_string().contains(needle), "{error}");
        assert!(tiu_system::Hint::hint(&error).is_some(), "no hint: {error}");
    }

    /// Reads the whole image through the hash tree, as announced, and compares it.
    pub fn read(&self, bundle: &Bundle) -> std::io::Result<()> {
        let image = bundle.image();
        image.announce(&[0..self.image_size as u64], Reads::Once);
        let mut found = vec![0; self.image_size];
        for (at, piece) in found.chunks_mut(512 * 1024).enumerate() {
            image.read_exact_at(piece, at as u64 * 512 * 1024)?;
        }
        assert!(found == self.bytes[..self.image_size], "other bytes");
        Ok(())
    }

    /// Reads the whole image; returns the message of the error.
    #[track_caller]
    pub fn read_fails(&self, bundle: &Bundle, needle: &str) {
        let error = self.read(bundle).expect_err("an error");
        assert!(error.to_string().contains(needle), "{error}");
    }
}

/// Few attempts with short pauses: a test must not take minutes.
pub fn network() -> Network {
    let limits = Limits {
        connect: Duration::from_secs(10),
        answer: Duration::from_secs(10),
        idle: Duration::from_secs(10),
        slowest: 100_000,
        largest: 1 << 30,
        attempts: 3,
        pause: Duration::from_millis(10),
    };
    Network { limits, ..Network::default() }
}

/// The same with little patience, for servers that are silent.
pub fn impatient() -> Network {
    let mut network = network();
    network.limits.answer = Duration::from_millis(500);
    network.limits.idle = Duration::from_millis(500);
    network
}

/// A cancellation that lives as long as the test run.
pub fn cancel() -> &'static Cancel {
    Box::leak(Box::new(Cancel::new()))
}

/// The bytes of a source.
pub fn all(source: &Arc<dyn ReadAt>) -> Vec<u8> {
    let mut bytes = vec![0; source.size() as usize];
    source.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
