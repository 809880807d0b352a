//! Every interruption of a change, explored on paper: a FAT partition with the boot loader's model,
//! a default subvolume, and the steps of the door. After each interruption the old or the new
//! snapshot boots, no name leads to freed clusters, and the next run puts everything in order.

use super::disk::{Disk, EntryFile, EntryTarget, HostNames, target};
use super::entry::{Entry, EntryName};
use super::error::BlsError;
use super::variables::Variables;
use super::work::{self, BootFile, BootFiles, BootTarget, Partition, attempts, state};
use crate::boot::error::BootError;
use crate::boot::loader::{Boots, Decides, EntryState, Standing};
use crate::boot::sequence::{Reconciled, Steps, reconcile, switch};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use tiu_bundle::content_digest::Digest;
use tiu_system::progress::Cancel;

/// The order in which the two writes of a rename reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RenameOrder {
    AddFirst,
    RemoveFirst,
}

/// The content of the disks. Names lead to chains of clusters; a freed chain is `None`.
#[derive(Clone, Debug, Default)]
struct Disks {
    chains: Vec<Option<String>>,
    entries: BTreeMap<String, usize>,
    files: BTreeMap<String, usize>,
    default: u32,
    note: Option<u32>,
    /// The snapshot that runs.
    running: Option<u32>,
    /// The snapshot that is remembered as failed, and its boots.
    failed: Option<(u32, u32)>,
}

/// A machine whose power fails when its budget of writes is used up.
struct Machine {
    disks: RefCell<Disks>,
    budget: Cell<usize>,
    order: RenameOrder,
}

const LAST: u32 = 4;

fn names() -> HostNames {
    HostNames { filesystem: "fs".into(), token: "tiu".into(), machine_id: "m".into() }
}

fn uuid(number: u32) -> String {
    format!("uuid-{number}")
}

/// Kernels are shared by two snapshots each.
fn boot_target(number: u32) -> BootTarget {
    let file = |kind, content: u32| BootFile {
        kind,
        digest: Digest::compute(format!("{kind} {content}").as_bytes()),
        size: 1,
        source: None,
    };
    let files = BootFiles::Copy { kernel: file("linux", number / 2), initrd: Some(file("initrd", number)) };
    BootTarget { number, snapshot: uuid(number), title: "t".into(), files, options: "root=UUID=fs".into() }
}

fn cut() -> BlsError {
    BlsError::NotReadBack { path: "power cut".into() }
}

impl Machine {
    fn new(disks: Disks, order: RenameOrder) -> Self {
        Machine { disks: RefCell::new(disks), budget: Cell::new(usize::MAX), order }
    }

    /// One write that is whole or absent after a power cut.
    fn write(&self, change: impl FnOnce(&mut Disks)) -> Result<(), BlsError> {
        let left = self.budget.get().checked_sub(1).ok_or_else(cut)?;
        self.budget.set(left);
        change(&mut self.disks.borrow_mut());
        Ok(())
    }

    fn create(
        &self,
        pick: fn(&mut Disks) -> &mut BTreeMap<String, usize>,
        name: &str,
        text: String,
    ) -> Result<(), BlsError> {
        assert!(!pick(&mut self.disks.borrow_mut()).contains_key(name), "{name} exists");
        self.write(|disks| {
            disks.chains.push(Some(String::new()));
            let chain = disks.chains.len() - 1;
            pick(disks).insert(name.to_owned(), chain);
        })?;
        self.write(|disks| *disks.chains.last_mut().unwrap() = Some(text))
    }

    fn remove(
        &self,
        pick: fn(&mut Disks) -> &mut BTreeMap<String, usize>,
        name: &str,
    ) -> Result<(), BlsError> {
        self.write(|disks| {
            let chain = pick(disks).remove(name).unwrap();
            disks.chains[chain] = None;
        })
    }

    /// The first entry of the menu, and the number of the snapshot that it boots.
    fn first(&self) -> Option<(String, u32)> {
        let disk = self.read().unwrap();
        let (menu, files) = disk.menu(&Variables::default()).unwrap();
        let file = files[menu.first()?];
        let entry = file.entry.as_ref().unwrap();
        assert!(file.is_complete, "{} has no files", file.file);
        let number = match target(entry, &names()) {
            EntryTarget::Own(snapshot) => (1..=LAST).find(|number| uuid(*number) == snapshot).unwrap(),
            EntryTarget::Default => self.disks.borrow().default,
            other => panic!("{other:?}"),
        };
        Some((file.file.clone(), number))
    }

    /// Returns what would boot if the power came back now. Nothing on the disk is damaged.
    fn boots(&self) -> u32 {
        let disks = self.disks.borrow();
        for (name, chain) in disks.entries.iter().chain(&disks.files) {
            assert!(disks.chains[*chain].is_some(), "{name} leads to freed clusters: {disks:?}");
        }
        drop(disks);
        self.first().expect("something boots").1
    }

    /// Returns what boots after the next boots all failed.
    fn then(&self) -> u32 {
        let disk = self.read().unwrap();
        let (menu, files) = disk.menu(&Variables::default()).unwrap();
        let entry = files[menu.next_and_then().unwrap().1].entry.as_ref().unwrap();
        let EntryTarget::Own(snapshot) = target(entry, &names()) else { panic!("not its own") };
        (1..=LAST).find(|number| uuid(*number) == snapshot).unwrap()
    }
}

impl Partition for Machine {
    fn read(&self) -> Result<Disk, BlsError> {
        let disks = self.disks.borrow();
        let exists = |path: &String| {
            let name = path.rsplit('/').next().unwrap();
            // What an installer left is there.
            path.starts_with("debian/")
                || disks
                    .files
                    .get(name)
                    .is_some_and(|chain| disks.chains[*chain].as_ref().is_some_and(|text| !text.is_empty()))
        };
        let entries = disks.entries.iter().map(|(file, chain)| {
            let entry = Entry::parse(disks.chains[*chain].as_deref().unwrap_or("freed"));
            let has_kernel = entry.kernel.as_ref().is_some_and(exists);
            let is_complete = has_kernel && entry.files().all(exists);
            let name = EntryName::parse(file).unwrap();
            EntryFile { file: file.clone(), name, entry: Ok(entry), has_kernel, is_complete }
        });
        let files = disks.files.keys().map(|name| (name.clone(), 1)).collect();
        Ok(Disk { entries: entries.collect(), files, ..Disk::default() })
    }

    fn create_entry(&self, file: &str, text: &str) -> Result<(), BlsError> {
        self.create(|disks| &mut disks.entries, file, text.to_owned())
    }

    fn rename_entry(&self, from: &str, to: &str) -> Result<(), BlsError> {
        let chain = self.disks.borrow().entries[from];
        assert!(!self.disks.borrow().entries.contains_key(to), "{to} exists");
        let add = |disks: &mut Disks| {
            disks.entries.insert(to.to_owned(), chain);
        };
        let remove = |disks: &mut Disks| {
            disks.entries.remove(from);
        };
        match self.order {
            RenameOrder::AddFirst => self.write(add).and_then(|()| self.write(remove)),
            RenameOrder::RemoveFirst => self.write(remove).and_then(|()| self.write(add)),
        }
    }

    fn remove_entry(&self, file: &str) -> Result<(), BlsError> {
        self.remove(|disks| &mut disks.entries, file)
    }

    fn create_file(&self, name: &str, content: &BootFile) -> Result<(), BlsError> {
        self.create(|disks| &mut disks.files, name, content.digest.to_string())
    }

    fn holds(&self, name: &str, content: &BootFile) -> Result<bool, BlsError> {
        let disks = self.disks.borrow();
        Ok(disks.chains[disks.files[name]] == Some(content.digest.to_string()))
    }

    fn remove_file(&self, name: &str) -> Result<(), BlsError> {
        self.remove(|disks| &mut disks.files, name)
    }

    fn free(&self) -> Result<u64, BlsError> {
        Ok(u64::MAX)
    }
}

impl Steps for Machine {
    fn decides(&self) -> Decides {
        Decides::Loader
    }

    fn stage(&self, to: u32) -> Result<(), BootError> {
        let current = self.first().map_or(self.disks.borrow().default, |(_, number)| number);
        work::adopt(self, &names(), &uuid(current), |disk| {
            let found = disk.found(&names()).next().and_then(|(_, entry)| entry.kernel.clone());
            let target = boot_target(current);
            Ok(Some(match found {
                Some(kernel) => {
                    BootTarget { files: BootFiles::Existing { kernel, initrds: Vec::new() }, ..target }
                }
                None => target,
            }))
        })?;
        Ok(work::stage(self, &names(), &boot_target(to))?)
    }

    fn note(&self, to: u32) -> Result<(), BootError> {
        Ok(self.write(|disks| disks.note = Some(to))?)
    }

    fn noted(&self) -> Result<Option<u32>, BootError> {
        Ok(self.disks.borrow().note)
    }

    fn clear_note(&self) -> Result<(), BootError> {
        Ok(self.write(|disks| disks.note = None)?)
    }

    fn select(&self, to: u32, standing: Standing) -> Result<(), BootError> {
        let before = state(&self.read()?, &names(), &uuid(to));
        Ok(work::select(self, &names(), (to, &uuid(to)), attempts(standing, before, false))?)
    }

    fn boots_next(&self) -> Result<Boots, BootError> {
        Ok(self.first().map_or(Boots::Nothing, |(_, number)| Boots::Snapshot { number }))
    }

    fn default(&self) -> Result<Option<u32>, BootError> {
        Ok(Some(self.disks.borrow().default))
    }

    fn set_default(&self, to: u32) -> Result<(), BootError> {
        Ok(self.write(|disks| disks.default = to)?)
    }

    fn entry(&self, number: u32) -> Result<EntryState, BootError> {
        Ok(state(&self.read()?, &names(), &uuid(number)))
    }

    fn is_checked(&self, _number: u32) -> Result<bool, BootError> {
        Ok(false)
    }

    fn runs(&self, number: u32) -> Result<bool, BootError> {
        Ok(self.disks.borrow().running == Some(number))
    }

    fn note_failed(&self, number: u32, boots: u32) -> Result<(), BootError> {
        Ok(self.write(|disks| disks.failed = Some((number, boots)))?)
    }

    fn tidy(&self) -> Result<(), BootError> {
        let first = self.first().map(|(file, _)| file);
        let snapshots: Vec<String> = (1..=LAST).map(uuid).collect();
        Ok(work::tidy(self, &names(), &snapshots, first.as_deref())?)
    }
}

/// A machine as an installer leaves it: its entry boots the default subvolume.
fn installed() -> Disks {
    let text = "sort-key debian\nversion 99\nlinux /debian/linux\noptions root=UUID=fs\n";
    Disks {
        chains: vec![Some(text.into())],
        entries: BTreeMap::from([("debian.conf".into(), 0)]),
        default: 1,
        ..Disks::default()
    }
}

/// A machine after undisturbed changes, each blessed if `bless` says so.
fn after(changes: &[(u32, Standing)], bless: bool, order: RenameOrder) -> Disks {
    let machine = Machine::new(installed(), order);
    for (to, standing) in changes {
        switch(&machine, *to, *standing, &Cancel::new()).unwrap();
        if bless {
            blessed(&machine);
        }
    }
    machine.disks.into_inner()
}

/// Does what systemd-bless-boot does.
fn blessed(machine: &Machine) {
    let (file, _) = machine.first().unwrap();
    let name = EntryName::parse(&file).unwrap();
    if name.left.is_some() {
        machine.rename_entry(&file, &EntryName { left: None, done: 0, ..name }.to_string()).unwrap();
    }
}

/// Interrupts `run` after each of its writes. Returns what lay on the disks then, the last of them
/// after an undisturbed run.
fn interrupted(
    disks: &Disks,
    order: RenameOrder,
    run: impl Fn(&Machine) -> Result<(), BootError>,
) -> Vec<Disks> {
    let mut all = Vec::new();
    for budget in 0.. {
        let machine = Machine::new(disks.clone(), order);
        machine.budget.set(budget);
        let ended = run(&machine);
        all.push(machine.disks.into_inner());
        if ended.is_ok() {
            return all;
        }
    }
    unreachable!()
}

/// The default and the boot loader agree, and nothing is left of what was interrupted.
fn assert_in_order(disks: &Disks, order: RenameOrder) {
    let machine = Machine::new(disks.clone(), order);
    assert_eq!((machine.boots(), disks.note), (disks.default, None));
    let disk = machine.read().unwrap();
    for (file, _, _) in disk.own(&names()) {
        let aside = file.file.ends_with("-aside") || disk.is_doubled(&file.name.stem);
        assert!(aside || file.file.ends_with(".conf"), "{} was left", file.file);
    }
    for name in disk.files.keys() {
        assert!(disk.is_needed(&format!("tiu/fs/{name}")), "{name} was left");
    }
    assert_eq!(reconcile(&machine).unwrap(), Reconciled::InOrder);
}

/// Interrupts a change from `old` to `new` at each write, then what puts it in order at each write.
/// Returns how many states were looked at.
fn explore(disks: &Disks, (old, new): (u32, u32), standing: Standing, order: RenameOrder) -> usize {
    let change = |machine: &Machine| switch(machine, new, standing, &Cancel::new());
    let mut count = 0;
    for state in interrupted(disks, order, change) {
        let before = Machine::new(state.clone(), order).boots();
        assert!(before == old || before == new, "boots {before}");
        for state in interrupted(&state, order, |machine| reconcile(machine).map(drop)) {
            count += 1;
            let machine = Machine::new(state.clone(), order);
            let boots = machine.boots();
            assert!(boots == old || boots == new, "boots {boots} and not {old} or {new}: {state:?}");
            reconcile(&machine).unwrap();
            let state = machine.disks.into_inner();
            assert_in_order(&state, order);
            // The next update succeeds, and goes back to what booted before it.
            let machine = Machine::new(state.clone(), order);
            switch(&machine, LAST, Standing::Trial, &Cancel::new()).unwrap();
            assert_eq!((machine.boots(), machine.then()), (LAST, state.default));
            reconcile(&machine).unwrap();
            assert_in_order(&machine.disks.into_inner(), order);
        }
    }
    count
}

const ORDERS: [RenameOrder; 2] = [RenameOrder::AddFirst, RenameOrder::RemoveFirst];

#[test]
fn the_first_update_of_an_installed_host_boots_the_old_or_the_new_at_each_step() {
    for order in ORDERS {
        assert!(explore(&installed(), (1, 2), Standing::Trial, order) >= 10);
    }
}

#[test]
fn an_update_boots_the_old_or_the_new_at_each_step() {
    for order in ORDERS {
        for bless in [true, false] {
            let disks = after(&[(2, Standing::Trial)], bless, order);
            assert!(explore(&disks, (2, 3), Standing::Trial, order) >= 10);
        }
    }
}

#[test]
fn a_rollback_boots_the_old_or_the_new_at_each_step() {
    for order in ORDERS {
        let disks = after(&[(2, Standing::Trial), (3, Standing::Trial)], true, order);
        assert!(explore(&disks, (3, 2), Standing::Kept, order) >= 10);
        assert!(explore(&disks, (3, 1), Standing::Kept, order) >= 10);
    }
}

/// The boot loader and systemd-bless-boot rename entries too, and a cut there leaves both names.
#[test]
fn an_entry_with_two_names_is_written_anew_and_neither_is_removed() {
    for (second, expected) in [("tiu-2-2+2-1.conf", Some(2)), ("tiu-2-2.conf", None)] {
        for order in ORDERS {
            let mut disks = after(&[(2, Standing::Trial)], false, order);
            let chain = disks.entries["tiu-2-2+3.conf"];
            disks.entries.insert(second.into(), chain);
            for state in interrupted(&disks, order, |machine| reconcile(machine).map(drop)) {
                let machine = Machine::new(state, order);
                assert_eq!(machine.boots(), 2);
                reconcile(&machine).unwrap();
                assert_eq!(EntryName::parse(&machine.first().unwrap().0).unwrap().left, expected);
                assert_in_order(&machine.disks.into_inner(), order);
            }
            assert!(explore(&disks, (2, 3), Standing::Trial, order) >= 10);
        }
    }
}

#[test]
fn a_trial_that_does_not_start_three_times_is_followed_back() {
    let order = RenameOrder::AddFirst;
    let mut disks = after(&[(2, Standing::Trial)], true, order);
    let machine = Machine::new(disks.clone(), order);
    switch(&machine, 3, Standing::Trial, &Cancel::new()).unwrap();
    disks = machine.disks.into_inner();
    let chain = disks.entries.remove("tiu-3-3+3.conf").unwrap();
    disks.entries.insert("tiu-3-3+0-3.conf".into(), chain);
    for state in interrupted(&disks, order, |machine| reconcile(machine).map(drop)) {
        let machine = Machine::new(state.clone(), order);
        assert_eq!(machine.boots(), 2);
        let expected = match state.default {
            3 => Reconciled::WentBack { to: 2, failed: 3 },
            _ => Reconciled::InOrder,
        };
        assert_eq!(reconcile(&machine).unwrap(), expected);
        let state = machine.disks.into_inner();
        assert_eq!(state.failed, Some((3, 3)), "the default went back, and nothing says why");
        assert_in_order(&state, order);
    }
}

/// The third attempt takes the last one away before it starts: until the system says that it
/// succeeded, its entry looks as after a failure.
#[test]
fn a_last_attempt_that_is_running_is_not_taken_for_a_failure() {
    let order = RenameOrder::AddFirst;
    let machine = Machine::new(after(&[(2, Standing::Trial)], true, order), order);
    switch(&machine, 3, Standing::Trial, &Cancel::new()).unwrap();
    let mut disks = machine.disks.into_inner();
    let chain = disks.entries.remove("tiu-3-3+3.conf").unwrap();
    disks.entries.insert("tiu-3-3+0-3.conf".into(), chain);
    disks.running = Some(3);
    let machine = Machine::new(disks, order);
    assert_eq!(reconcile(&machine).unwrap(), Reconciled::InOrder);
    assert_eq!((machine.disks.borrow().default, machine.disks.borrow().failed), (3, None));
    machine.rename_entry("tiu-3-3+0-3.conf", "tiu-3-3.conf").unwrap();
    assert_eq!(reconcile(&machine).unwrap(), Reconciled::InOrder);
    assert_eq!(machine.boots(), 3);
    assert_in_order(&machine.disks.into_inner(), order);
}

/// An entry with one name or with two, marked as good or bad: what boots is one of the two at each
/// step, and in the end the names of the entry say what they should.
#[test]
fn a_mark_is_one_rename_and_frees_nothing() {
    use crate::boot::loader::Mark;
    for (mark, second) in [Mark::Good, Mark::Bad].into_iter().flat_map(|mark| {
        [None, Some("tiu-2-2+2-1.conf"), Some("tiu-2-2.conf"), Some("tiu-2-2+0-3.conf")]
            .map(|second| (mark, second))
    }) {
        for order in ORDERS {
            let mut disks = after(&[(2, Standing::Trial)], false, order);
            let chain = disks.entries["tiu-2-2+3.conf"];
            disks.entries.extend(second.map(|second| (second.to_owned(), chain)));
            let run = |machine: &Machine| Ok(work::mark(machine, &names(), &uuid(2), mark)?);
            let all = interrupted(&disks, order, run);
            for state in &all {
                let boots = Machine::new(state.clone(), order).boots();
                assert!([1, 2].contains(&boots), "{mark:?} {second:?}: {boots}");
            }
            let machine = Machine::new(all.last().unwrap().clone(), order);
            let expected = match mark {
                Mark::Good => (2, EntryState::Good),
                Mark::Bad => {
                    (1, EntryState::Exhausted(if second == Some("tiu-2-2+0-3.conf") { 3 } else { 0 }))
                }
            };
            let found = state(&machine.read().unwrap(), &names(), &uuid(2));
            if mark == Mark::Good {
                assert_eq!((machine.boots(), found), expected, "{second:?}");
            } else {
                assert_eq!(machine.boots(), expected.0, "{second:?}");
                assert!(matches!(found, EntryState::Exhausted(_)), "{second:?}: {found:?}");
            }
            run(&machine).unwrap();
            assert_eq!(machine.boots(), expected.0);
        }
    }
}
