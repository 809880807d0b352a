//! `boot: bls`: entries for systemd-boot on a boot partition in a file, through the program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tiu_testing::esp::{self, Esp};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::live;
use tiu_testing::program::json;
use tiu_testing::tree;

/// Size of the boot partition: an update expects an initrd of 64 MiB where it knows no other.
const MIB: u64 = 128;
const ASIDE: &str = "debian-6.1.conf.tiu-aside";

/// A host whose entries tiu writes, and its boot partition.
fn host(kit: &Kit) -> (LoopHost, Esp) {
    let host = kit.host_with(512, |root| {
        esp::system(root);
        let config = root.join("etc/tiu/tiu.yaml");
        let text = fs::read_to_string(&config).unwrap() + "boot: bls\n";
        fs::write(config, text).unwrap();
    });
    let esp = Esp::new(&host, MIB);
    (host, esp)
}

fn bundle(kit: &Kit, version: u32) -> PathBuf {
    kit.bundle(version, esp::system)
}

fn reboot(host: &mut LoopHost, esp: &Esp) {
    host.reboot();
    esp.mount(host);
}

/// Returns what boots next and after that, as `tiu status` says.
fn boots(host: &LoopHost) -> (Option<u64>, Option<u64>) {
    esp::boots(host)
}

/// Marks the entry on trial as good, as systemd-bless-boot does.
fn bless(host: &LoopHost, esp: &Esp, entry: &str) {
    let directory = esp.root(host).join("loader/entries");
    let good = entry.split('+').next().unwrap().to_owned() + ".conf";
    fs::rename(directory.join(entry), directory.join(good)).unwrap();
}

fn has_line(text: &str, key: &str, value: &str) -> bool {
    text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.trim().contains(value)))
}

#[test]
fn the_first_update_keeps_what_an_installer_left_as_the_way_back() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    assert_eq!(boots(&host), (Some(1), Some(1)));
    let bundle = bundle(&kit, 1);
    host.tiu("apply", [&bundle]).succeeded();
    assert_eq!(host.default(), 2);
    assert_eq!(boots(&host), (Some(2), Some(1)));
    assert_eq!(esp.names(&host), [ASIDE, "tiu-1-1.conf", "tiu-2-2+3.conf"]);
    assert_eq!(esp.kernels(&host), ["initrd", "linux"]);
    let entries = esp.entries(&host);
    let old = &entries["tiu-1-1.conf"];
    assert!(has_line(old, "linux", "/debian/linux") && has_line(old, "initrd", "/debian/initrd"), "{old}");
    assert!(has_line(old, "options", "rootflags=subvol=@/.snapshots/1/snapshot"), "{old}");
    assert!(has_line(old, "options", "quiet ro"), "{old}");
    let new = &entries["tiu-2-2+3.conf"];
    let wanted =
        "rootflags=subvol=@/.snapshots/2/snapshot panic=10 rd.shell=0 rd.emergency=reboot rd.timeout=90";
    assert!(has_line(new, "options", wanted), "{new}");
    assert!(has_line(new, "version", "2.2") && has_line(new, "sort-key", "tiu"), "{new}");
    assert!(has_line(new, "machine-id", "0123456789abcdef0123456789abcdef"), "{new}");
    // The kernel of the entry is that of the snapshot.
    let kernel = new.lines().find_map(|line| line.strip_prefix("linux /")).unwrap();
    let copy = fs::read(esp.root(&host).join(kernel)).unwrap();
    assert_eq!(copy, fs::read(host.snapshot(2).join("usr/lib/modules/6.1.1-test/vmlinuz")).unwrap());
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("Boot loader: bls, entries in "), "{shown}");
    assert!(
        shown
            .contains("  boots snapshot 2 (on trial, 3 attempts left); if that does not start, snapshot 1\n"),
        "{shown}"
    );
    host.tiu("verify", ["2"]).succeeded();
    let again = host.tiu("apply", [&bundle]);
    assert_eq!(again.code, Some(77), "{}", again.stderr);
}

#[test]
fn updates_and_rollbacks_rise_by_a_generation_and_share_files() {
    let kit = Kit::new();
    let (mut host, esp) = host(&kit);
    let first = bundle(&kit, 1);
    host.tiu("apply", [&first]).succeeded();
    reboot(&mut host, &esp);
    bless(&host, &esp, "tiu-2-2+3.conf");
    host.tiu("apply", [bundle(&kit, 2)]).succeeded();
    assert_eq!(boots(&host), (Some(3), Some(2)));
    assert_eq!(esp.names(&host), [ASIDE, "tiu-1-1.conf", "tiu-2-2.conf", "tiu-3-3+3.conf"]);
    // The same image again, by another number.
    reboot(&mut host, &esp);
    bless(&host, &esp, "tiu-3-3+3.conf");
    host.tiu("apply", ["--allow-downgrade".as_ref(), first.as_os_str()]).succeeded();
    assert_eq!(esp.kernels(&host), ["initrd", "initrd", "linux", "linux"]);
    // To one that has started, and is trusted, and to one that has not.
    host.tiu("rollback", ["2"]).succeeded();
    assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(2))));
    let expected = [ASIDE, "tiu-1-1.conf", "tiu-3-3.conf", "tiu-4-4+3.conf", "tiu-5-2.conf"];
    assert_eq!(esp.names(&host), expected);
    host.tiu("rollback", ["4"]).succeeded();
    assert_eq!(boots(&host), (Some(4), Some(2)));
    assert!(esp.names(&host).contains(&"tiu-6-4+3.conf".to_owned()), "{:?}", esp.names(&host));
    // Back to the one that the installer made, whose kernel is not in the snapshot.
    host.tiu("rollback", ["--force", "1"]).succeeded();
    assert_eq!((host.default(), boots(&host)), (1, (Some(1), Some(1))));
    let entries = esp.entries(&host);
    assert!(has_line(&entries["tiu-7-1.conf"], "linux", "/debian/linux"), "{entries:?}");
}

#[test]
fn a_snapshot_that_did_not_start_is_no_longer_the_default() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    host.tiu("apply", [bundle(&kit, 1)]).succeeded();
    let directory = esp.root(&host).join("loader/entries");
    fs::rename(directory.join("tiu-2-2+3.conf"), directory.join("tiu-2-2+0-3.conf")).unwrap();
    assert_eq!((host.default(), boots(&host)), (2, (Some(1), Some(1))));
    host.tiu("cleanup", [""; 0]);
    assert_eq!((host.default(), boots(&host)), (1, (Some(1), Some(1))));
    // It can be tried again.
    host.tiu("rollback", ["2"]).succeeded();
    assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(1))));
    assert!(esp.names(&host).contains(&"tiu-3-2+3.conf".to_owned()), "{:?}", esp.names(&host));
}

#[test]
fn what_another_program_made_the_default_boots_after_the_next_run() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    host.tiu("apply", [bundle(&kit, 1)]).succeeded();
    bless(&host, &esp, "tiu-2-2+3.conf");
    host.tiu("apply", [bundle(&kit, 2)]).succeeded();
    let set = Command::new("btrfs").args(["subvolume", "set-default"]).arg(host.snapshot(2)).status();
    assert!(set.unwrap().success());
    assert_eq!(boots(&host), (Some(3), Some(2)), "the boot loader decides");
    host.tiu("cleanup", [""; 0]);
    assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(2))));
}

#[test]
fn a_snapshot_that_is_gone_takes_its_entry_and_its_files_along() {
    let kit = Kit::new();
    let (mut host, esp) = host(&kit);
    host.tiu("apply", [bundle(&kit, 1)]).succeeded();
    reboot(&mut host, &esp);
    bless(&host, &esp, "tiu-2-2+3.conf");
    host.tiu("apply", [bundle(&kit, 2)]).succeeded();
    host.tiu("rollback", ["2"]).succeeded();
    assert_eq!(esp.kernels(&host), ["initrd", "initrd", "linux", "linux"]);
    host.snapper(&["delete", "3"]).succeeded();
    // An interrupted copy, and an entry that was not selected.
    let home = esp.root(&host).join("tiu").join(esp.filesystem(&host));
    fs::write(home.join("linux-half"), "half").unwrap();
    let entry = esp.entries(&host)["tiu-4-2.conf"].replace("generation=4", "generation=5");
    fs::write(esp.root(&host).join("loader/entries/tiu-5-2.conf.tiu"), entry).unwrap();
    host.tiu("cleanup", [""; 0]);
    assert_eq!(esp.names(&host), [ASIDE, "tiu-1-1.conf", "tiu-4-2.conf"]);
    assert_eq!(esp.kernels(&host), ["initrd", "linux"]);
    assert_eq!(boots(&host), (Some(2), Some(2)));
}

#[test]
fn an_image_that_cannot_say_that_it_started_is_not_counted() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    let plain = kit.bundle(1, |root| fs::create_dir_all(root.join(esp::PLACE)).unwrap());
    host.tiu("apply", [plain]).succeeded();
    assert_eq!(esp.names(&host), [ASIDE, "tiu-1-1.conf", "tiu-2-2.conf"]);
    assert_eq!(boots(&host), (Some(2), Some(2)));
}

#[test]
fn a_full_or_read_only_boot_partition_is_refused_before_anything_is_touched() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    let stat = rustix::fs::statvfs(esp.root(&host)).unwrap();
    let free = stat.f_bavail * stat.f_frsize;
    let filler = fs::File::create(esp.root(&host).join("filler")).unwrap();
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, free - (600 << 10)).unwrap();
    let (before, names) = (host.outline(), esp.names(&host));
    let bundle = bundle(&kit, 1);
    for arguments in [&["--dry-run".as_ref(), bundle.as_os_str()][..], &[bundle.as_os_str()]] {
        host.tiu("apply", arguments).refused(&["the boot partition needs", "KiB are free"]);
    }
    assert_eq!((host.outline(), esp.names(&host), esp.kernels(&host)), (before, names, vec![]));
    drop(filler);
    fs::remove_file(esp.root(&host).join("filler")).unwrap();
    let remount = |how: &str| {
        let option = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &option]).arg(esp.root(&host)).status().unwrap().success());
    };
    remount("ro");
    for arguments in [&["--dry-run".as_ref(), bundle.as_os_str()][..], &[bundle.as_os_str()]] {
        host.tiu("apply", arguments).refused(&["the boot partition is mounted read-only", "fsck.vfat"]);
    }
    remount("rw");
    host.tiu("apply", [bundle]).succeeded();
}

#[test]
fn an_entry_or_a_default_that_would_come_first_is_refused_and_named() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    let root = esp.root(&host);
    let bundle = bundle(&kit, 1);
    let foreign =
        |key: &str| format!("title Other\nsort-key {key}\nlinux /debian/linux\noptions root=UUID=1-2\n");
    tree::file(&root, "loader/entries/arch.conf", foreign("arch"));
    let refused = ["a new snapshot would not boot next", "arch.conf", "sort-key"];
    host.tiu("apply", [&bundle]).refused(&refused);
    fs::remove_file(root.join("loader/entries/arch.conf")).unwrap();

    tree::file(&root, "loader/entries/zorin.conf", foreign("zorin"));
    tree::file(&root, "loader/loader.conf", "timeout 3\ndefault zorin*\n");
    host.tiu("apply", [&bundle]).refused(&["zorin.conf would", "the default in loader.conf is zorin*"]);
    tree::file(&root, "loader/loader.conf", "default tiu-2-*\n");
    host.tiu("apply", [&bundle]).refused(&["could not go back", "loader.conf is tiu-2-*"]);
    tree::file(&root, "loader/loader.conf", "default @saved\n");
    host.tiu("apply", [&bundle]).refused(&["could not go back", "@saved"]);
    assert_eq!((host.default(), host.snapshots()), (1, vec![1]));

    // A default that names nothing.
    tree::file(&root, "loader/loader.conf", "default gone.conf\n");
    host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).succeeded();

    // A pattern that leaves the order alone, and entries of others, stay.
    let text = "default tiu-*\n#default zorin*\n";
    tree::file(&root, "loader/loader.conf", text);
    host.tiu("apply", [&bundle]).succeeded();
    assert_eq!(fs::read_to_string(root.join("loader/loader.conf")).unwrap(), text);
    assert_eq!(esp.entries(&host)["zorin.conf"], foreign("zorin"));
    assert_eq!(boots(&host), (Some(2), Some(1)));
}

#[test]
fn what_is_not_an_entry_is_named_or_ignored() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    let entries = esp.root(&host).join("loader/entries");
    let bundle = bundle(&kit, 1);
    fs::write(entries.join("huge.conf"), vec![b'#'; 100 << 10]).unwrap();
    host.tiu("apply", [&bundle]).refused(&["huge.conf: the boot entry cannot be read", "larger than"]);
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("what boots is not known: ") && shown.contains("huge.conf"), "{shown}");
    fs::remove_file(entries.join("huge.conf")).unwrap();
    tree::file(&esp.root(&host), "EFI/Linux/other.efi", "MZ");
    host.tiu("apply", [&bundle]).refused(&["EFI/Linux/other.efi", "unified kernel images"]);
    fs::remove_dir_all(esp.root(&host).join("EFI/Linux")).unwrap();

    // systemd-boot ignores these, or they sort last.
    fs::create_dir(entries.join("directory.conf")).unwrap();
    fs::create_dir(entries.join("tiu-2-2.conf.tiu")).unwrap();
    fs::write(entries.join("no-kernel.conf"), "sort-key a\nlinux /none\n").unwrap();
    fs::write(entries.join("empty.conf"), "").unwrap();
    fs::write(entries.join("notes.txt"), "").unwrap();
    fs::write(entries.join("n".repeat(200) + ".conf"), "linux /debian/linux\n").unwrap();
    host.tiu("apply", [&bundle]).succeeded();
    assert_eq!(boots(&host), (Some(2), Some(1)));
    assert_eq!(esp.names(&host).len(), 9);
}

#[test]
fn without_a_boot_partition_entries_cannot_be_written_and_it_says_so() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    let unmounted = Command::new("umount").arg(esp.root(&host)).status().unwrap();
    assert!(unmounted.success());
    let bundle = bundle(&kit, 1);
    host.tiu("apply", [&bundle]).refused(&["boot: bls is configured, but nothing", "boot: none"]);
    let shown = host.tiu("status", [""; 0]).succeeded().stdout;
    assert!(shown.contains("what boots is not known"), "{shown}");
    host.tiu("list", [""; 0]).succeeded();
    assert_eq!((host.default(), host.snapshots()), (1, vec![1]));
}

/// The installer's kernel lies only on the boot partition. Without it, the snapshot cannot boot,
/// and nothing must be stuck because of that.
#[test]
fn a_default_without_a_kernel_stops_no_update() {
    let kit = Kit::new();
    let (host, esp) = host(&kit);
    host.tiu("apply", [bundle(&kit, 1)]).succeeded();
    bless(&host, &esp, "tiu-2-2+3.conf");
    host.tiu("rollback", ["--force", "1"]).succeeded();
    assert_eq!((host.default(), boots(&host)), (1, (Some(1), Some(1))));
    fs::remove_file(esp.root(&host).join("debian/linux")).unwrap();
    assert_eq!(boots(&host), (Some(2), Some(2)), "the boot loader ignores an entry without a kernel");
    host.tiu("cleanup", [""; 0]);
    assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(2))));

    // All is gone: nothing boots, and an update mends it.
    host.tiu("rollback", ["--force", "1"]).refused(&["no kernel that a boot entry could name"]);
    for name in ["tiu", "loader/entries", "debian"] {
        fs::remove_dir_all(esp.root(&host).join(name)).unwrap();
    }
    let set = Command::new("btrfs").args(["subvolume", "set-default"]).arg(host.snapshot(1)).status();
    assert!(set.unwrap().success());
    assert_eq!(boots(&host), (None, None));
    host.tiu("apply", [bundle(&kit, 2)]).succeeded();
    let next = host.default();
    assert_eq!(boots(&host).0, Some(next.into()));
    // The others come back from their own kernels.
    host.tiu("rollback", ["2"]).succeeded();
    assert_eq!(boots(&host).0, Some(2));
}

/// A host whose boot loader names the snapshot, and whose boot partition tiu does not find.
#[test]
fn a_default_that_does_not_decide_is_not_changed() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, live::programs)]).succeeded();
    host.reboot();
    let second = kit.bundle(2, live::programs);
    let arguments = |subvolume: &str| {
        format!(
            "echo root=UUID=1 rootflags=subvol={subvolume} quiet >\"$root/tmp/cmdline\"\n\
             mount --bind \"$root/tmp/cmdline\" \"$root/proc/cmdline\"\n"
        )
    };
    let fixed = arguments("@/.snapshots/2/snapshot");
    let path = second.as_os_str();
    let refused = ["name the subvolume @/.snapshots/2/snapshot", "no FAT partition is mounted", "boot: none"];
    for run in [&["apply".as_ref(), path][..], &["apply".as_ref(), "--dry-run".as_ref(), path]] {
        live::tiu_after(&host, &[&second], &fixed, run).refused(&refused);
    }
    live::tiu_after(&host, &[], &fixed, ["rollback", "--force", "1"]).refused(&refused[..1]);
    let status = live::tiu_after(&host, &[], &fixed, ["status"]).succeeded();
    assert!(status.stdout.contains("what boots is not known: the arguments"), "{}", status.stdout);
    assert_eq!((host.default(), host.snapshots()), (2, vec![1, 2]));
    // Another subvolume, such as that of another system on the disk.
    let run = ["apply".as_ref(), "--dry-run".as_ref(), path];
    live::tiu_after(&host, &[&second], &arguments("@"), run).succeeded();
}

#[test]
fn a_host_is_not_taken_for_one_with_boot_entries() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let boot = json(&host.tiu("status", ["--json"]).succeeded())["boot"].clone();
    assert_eq!((&boot["loader"], &boot["goes_back"]), (&"none".into(), &false.into()));
    assert_eq!((&boot["next"]["number"], &boot["then"]["number"]), (&2.into(), &2.into()));
    assert!(boot["why"].as_str().unwrap().contains("no FAT partition is mounted"), "{boot}");
}

#[test]
fn an_image_without_a_kernel_is_refused_where_entries_start_kernels() {
    let kit = Kit::new();
    let (host, _esp) = host(&kit);
    let bundle = kit.bundle(1, |root| {
        esp::system(root);
        fs::remove_dir_all(root.join("usr/lib/modules")).unwrap();
    });
    host.tiu("apply", [bundle]).refused(&["the image has no kernel", "boot: none"]);
    assert_eq!((host.default(), host.snapshots()), (1, vec![1]));
}

/// Kills an update before each of its renames: what booted before boots, and the next run completes.
#[test]
fn a_run_that_is_killed_at_a_rename_of_an_entry_leaves_the_old() {
    let kit = Kit::new();
    let (mut first, esp) = host(&kit);
    let bundle = bundle(&kit, 1);
    first.shut_down();
    let parent = tempfile::tempdir().unwrap();
    // Its own entry of what boots, that of the installer, the new one.
    for number in 1..=3 {
        let (host, esp) = (first.copy(parent.path()), esp.copy());
        esp.mount(&host);
        assert!(esp::killed_at(&host, &bundle, "renameat2", number), "{number}");
        assert_eq!((host.default(), boots(&host)), (1, (Some(1), Some(1))), "{number}");
        host.tiu("apply", [&bundle]).succeeded();
        assert_eq!((host.default(), boots(&host)), (2, (Some(2), Some(1))), "{number}");
        let names = esp.names(&host);
        assert!(!names.iter().any(|name| name.ends_with(".tiu")), "{number}: {names:?}");
        assert_eq!(esp.kernels(&host), ["initrd", "linux"], "{number}");
    }
}
