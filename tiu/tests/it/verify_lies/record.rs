//! A record that claims too much.

use super::*;

#[test]
fn the_record_says_that_a_kernel_was_made_on_the_host() {
    is_found(
        |root| {
            let kernel = "usr/lib/modules/6.1.1-test/vmlinuz";
            fs::write(root.join(kernel), "evil").unwrap();
            noted(root, kernel);
        },
        &["usr/lib/modules/6.1.1-test/vmlinuz: content", "usr/lib/sysimage/tiu/generated.json: generated"],
    );
}

#[test]
fn the_record_says_that_an_initrd_of_another_kernel_was_made_on_the_host() {
    is_found(
        |root| {
            fs::write(root.join("boot/initramfs-6.2.img"), "evil").unwrap();
            noted(root, "boot/initramfs-6.2.img");
        },
        &["boot/initramfs-6.2.img: extra", "usr/lib/sysimage/tiu/generated.json: generated"],
    );
}

#[test]
fn the_record_says_that_a_boot_loader_s_file_was_made_on_the_host() {
    is_found(
        |root| {
            tree::file(root, "boot/grub2/grub.cfg", "evil");
            noted(root, "boot/grub2/grub.cfg");
        },
        &["boot/grub2: extra", "boot/grub2/grub.cfg: extra"],
    );
}

#[test]
fn an_initrd_that_others_own_or_can_write() {
    is_found(
        |root| {
            chown(root.join(INITRD), Some(1000), None).unwrap();
            fs::set_permissions(root.join(INITRD), PermissionsExt::from_mode(0o4666)).unwrap();
        },
        &["boot/initramfs-6.1.1-test.img: owner", "boot/initramfs-6.1.1-test.img: mode"],
    );
}
