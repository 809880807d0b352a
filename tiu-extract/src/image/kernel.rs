//! The kernel way: a loop device over the opened descriptor, dm-verity over it, squashfs mounted
//! detached.
//!
//! Nothing may be left behind, however the process ends. Therefore each layer disappears with the
//! one above it. The loop device has *autoclear*. The removal of the device-mapper device is
//! *deferred*: requested as soon as the device can be opened. The mount is detached: it lives as
//! long as its descriptor, unless `tiu-extract mount` attaches it. A kill between the making of a
//! device and its deferred removal leaves an unused device named after the dead process, which the
//! next run removes.
//!
//! There may be no udev: device nodes are the kernel's own (devtmpfs).
//! Source:
//! Documentation/admin-guide/device-mapper/verity.rst, mount_setattr(2), fsopen in mount(2).

use super::error::ImageError;
use super::reader::Image;
use devicemapper::{DM, DevId, DmFlags, DmName, DmNameBuf, DmOptions};
use rustix::fs::OFlags;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::bundle::Bundle;
use tiu_system::beneath::Beneath;
use tiu_system::ioctl;
use tiu_system::path::TreePath;

/// The prefix of the names of tiu's device-mapper devices: `tiu-PID-NUMBER`.
const PREFIX: &str = "tiu-";
/// The number of attempts to take a free loop device before another process does.
const ATTEMPTS: u32 = 64;

/// An image that the kernel verifies.
pub struct KernelImage {
    mount: OwnedFd,
}

impl KernelImage {
    /// Sets up loop device, dm-verity and mount. Fails with [`ImageError::NoKernelWay`] if the
    /// kernel cannot.
    pub fn open(bundle: &Bundle) -> Result<Self, ImageError> {
        let no_way = |reason: String| ImageError::NoKernelWay { reason };
        let backing =
            bundle.source.as_file().ok_or_else(|| no_way("the bundle is not a local file".into()))?;
        let mapper = mapper()?;
        let (device, number) = loop_device(backing, bundle.layout.cms_offset())?;
        let verity = VerityDevice::new(mapper, bundle, number)?;
        // dm-verity holds the loop device now, the mount will hold dm-verity.
        drop(device);
        let mount = mount(&verity.node)?;
        Ok(KernelImage { mount })
    }
}

/// Attaches the image at `directory`, visibly, until it is unmounted there.
pub fn mount_at(bundle: &Bundle, directory: &Path) -> Result<(), ImageError> {
    let image = KernelImage::open(bundle)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&image.mount, "", rustix::fs::CWD, directory, flags)
        .map_err(|e| ImageError::Attach { directory: directory.to_owned(), source: e.into() })
}

/// Returns true if the mount at `directory` is on a dm-verity device of tiu, as after [`mount_at`].
pub fn is_mounted_at(directory: &Path) -> io::Result<bool> {
    let device = std::fs::symlink_metadata(directory)?.dev();
    let name = format!("/sys/dev/block/{}:{}/dm/name", rustix::fs::major(device), rustix::fs::minor(device));
    // A device without such a name is not a device-mapper device.
    Ok(std::fs::read_to_string(name).is_ok_and(|name| name.starts_with(PREFIX)))
}

impl Image for KernelImage {
    fn open(&self, path: &TreePath) -> Result<Box<dyn Read + Send + '_>, ImageError> {
        let shown = || path.as_path().to_owned();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = match Beneath::new(self.mount.as_fd()).open(path.as_bytes(), flags) {
            Ok(descriptor) => File::from(descriptor),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
                return Err(ImageError::NotFound { path: shown() });
            }
            Err(e) => return Err(ImageError::Read { path: shown(), source: e.into() }),
        };
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Box::new(file)),
            Ok(_) => Err(ImageError::NotFound { path: shown() }),
            Err(source) => Err(ImageError::Read { path: shown(), source }),
        }
    }

    /// Files lie in the image in the order of their paths, which is the order in which the engine
    /// has them anyway.
    fn position(&self, _path: &TreePath) -> u64 {
        0
    }
}

/// Opens device-mapper, and removes devices that dead processes left.
fn mapper() -> Result<DM, ImageError> {
    let mapper = DM::new()
        .map_err(|e| ImageError::NoKernelWay { reason: format!("device-mapper cannot be used: {e}") })?;
    for (name, ..) in mapper.list_devices().unwrap_or_default() {
        let text = String::from_utf8_lossy(name.as_ref().as_bytes()).into_owned();
        let process = text.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        let dead = process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists());
        if dead {
            // Deferred: a mounted device (`tiu-extract mount`) stays until it is unmounted.
            let _ = mapper.device_remove(&DevId::Name(&name), deferred());
        }
    }
    Ok(mapper)
}

fn deferred() -> DmOptions {
    DmOptions::default().set_flags(DmFlags::DM_DEFERRED_REMOVE)
}

/// Returns a loop device over the first `size` bytes of `backing`, and its number as `MAJOR:MINOR`.
fn loop_device(backing: &File, size: u64) -> Result<(File, String), ImageError> {
    let failed = |step| move |source| ImageError::Kernel { step, source };
    let control =
        OpenOptions::new().read(true).write(true).open("/dev/loop-control").map_err(|e| {
            ImageError::NoKernelWay { reason: format!("/dev/loop-control cannot be used: {e}") }
        })?;
    for _ in 0..ATTEMPTS {
        let number = ioctl::loop_get_free(control.as_fd()).map_err(failed("finding a free loop device"))?;
        let device = File::open(format!("/dev/loop{number}")).map_err(failed("opening the loop device"))?;
        match ioctl::loop_configure(device.as_fd(), backing.as_fd(), size) {
            Ok(()) => {
                let id = device.metadata().map_err(failed("looking at the loop device"))?.rdev();
                return Ok((device, format!("{}:{}", rustix::fs::major(id), rustix::fs::minor(id))));
            }
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {}
            Err(e) => return Err(failed("setting the loop device up")(e)),
        }
    }
    let source = io::Error::other(format!("another process was faster {ATTEMPTS} times"));
    Err(failed("setting the loop device up")(source))
}

/// A dm-verity device that disappears when its last user closes it.
struct VerityDevice {
    node: PathBuf,
    _open: File,
}

impl VerityDevice {
    fn new(mapper: DM, bundle: &Bundle, data: String) -> Result<Self, ImageError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = DmNameBuf::new(format!("{PREFIX}{}-{count}", std::process::id()))
            .map_err(|e| failed("naming the dm-verity device", e))?;
        let info = mapper
            .device_create(&name, None, DmOptions::default().set_flags(DmFlags::DM_READONLY))
            .map_err(|e| failed("making the dm-verity device", e))?;
        let node = PathBuf::from(format!("/dev/dm-{}", info.device().minor));
        let result = Self::set_up(&mapper, &name, node, bundle, &data);
        if result.is_err() {
            let _ = mapper.device_remove(&DevId::Name(&name), deferred());
        }
        result
    }

    fn set_up(
        mapper: &DM,
        name: &DmName,
        node: PathBuf,
        bundle: &Bundle,
        data: &str,
    ) -> Result<Self, ImageError> {
        let id = DevId::Name(name);
        let (manifest, image_size) = (&bundle.manifest, bundle.layout.image_size);
        let blocks = image_size / BLOCK_SIZE as u64;
        let salt: String = manifest.verity_salt.iter().map(|byte| format!("{byte:02x}")).collect();
        let parameters = format!(
            "1 {data} {data} {BLOCK_SIZE} {BLOCK_SIZE} {blocks} {blocks} sha256 {} {salt}",
            manifest.verity_hash
        );
        let table = [(0, image_size / 512, "verity".to_owned(), parameters)];
        let options = DmOptions::default().set_flags(DmFlags::DM_READONLY);
        mapper.table_load(&id, &table, options).map_err(|e| {
            if has_verity(mapper) {
                failed("loading the dm-verity table", e)
            } else {
                ImageError::NoKernelWay { reason: format!("the kernel has no dm-verity: {e}") }
            }
        })?;
        // The kernel makes the node when the first table is loaded.
        let open = File::open(&node)
            .map_err(|source| ImageError::Kernel { step: "opening the dm-verity device", source })?;
        mapper.device_remove(&id, deferred()).map_err(|e| failed("marking the dm-verity device", e))?;
        // Without DM_SUSPEND this call resumes: the table becomes active.
        mapper.device_suspend(&id, options).map_err(|e| failed("starting the dm-verity device", e))?;
        Ok(VerityDevice { node, _open: open })
    }
}

/// Returns true if the kernel has the target `verity`. (Loading a table loads the target's module,
/// if there is one.)
fn has_verity(mapper: &DM) -> bool {
    mapper.list_versions().is_ok_and(|targets| targets.iter().any(|(name, ..)| name == "verity"))
}

fn failed(step: &'static str, error: devicemapper::DmError) -> ImageError {
    ImageError::Kernel { step, source: io::Error::other(error.to_string()) }
}

/// Mounts the squashfs on `device`, detached.
fn mount(device: &Path) -> Result<OwnedFd, ImageError> {
    let failed = |step| move |e: rustix::io::Errno| ImageError::Kernel { step, source: e.into() };
    let context = rustix::mount::fsopen("squashfs", FsOpenFlags::FSOPEN_CLOEXEC)
        .map_err(|e| ImageError::NoKernelWay { reason: format!("the kernel has no squashfs: {e}") })?;
    rustix::mount::fsconfig_set_string(&context, "source", device)
        .map_err(failed("naming the device to mount"))?;
    rustix::mount::fsconfig_set_flag(&context, "ro").map_err(failed("asking for a read-only mount"))?;
    rustix::mount::fsconfig_create(&context).map_err(failed("reading the squashfs"))?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(failed("mounting the squashfs"))
}
