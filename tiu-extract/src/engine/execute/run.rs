//! The order of a run: each list of steps on all cores, one list after the other.

use super::context::ExecuteContext;
use super::worker::Worker;
use crate::engine::beneath;
use crate::engine::error::EngineError;
use crate::engine::flags;
use crate::engine::job::{Job, Summary};
use crate::engine::plan::{FileContent, FileStep, Plan};
use crate::engine::pool;
use crate::engine::rules::Lookup;
use crate::engine::scan::open_seed;
use crate::engine::temporary_names::TemporaryNames;
use crate::engine::tree::Ownership;
use rustix::fs::OFlags;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use tiu_bundle::index::Kind;
use tiu_bundle::read_at::Reads;
use tiu_system::errno;
use tiu_system::path::TreePathBuf;
use tiu_system::progress::Unit;

/// Files of this size in bytes and more start first, each as a job of its own, so that none is left
/// for the end.
const BIG: u64 = 8 << 20;
/// The most content in bytes, and the most files, that one thread takes at once.
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_FILES: usize = 64;

/// A part of a list of steps, which one thread takes.
enum Piece<'a> {
    Early(&'a [FileStep]),
    Files(&'a [FileStep]),
    Specials(&'a [u32]),
    Fixes(&'a [u32]),
    Remove(&'a [u32]),
    DirMeta(&'a [u32]),
}

/// Carries out `plan`. An error or a crash leaves the target between its old state and the index;
/// another run completes it.
pub fn execute(job: &Job, plan: &Plan) -> Result<Summary, EngineError> {
    let job = &Job { index: plan.index(job.index), ..*job };
    if plan.places.len() != job.index.len() {
        return Err(EngineError::OtherIndex { found: job.index.len(), expected: plan.places.len() });
    }
    if let Some((node, unreadable)) = plan.tree.all_unreadable().find(|(_, part)| part.is_metadata()) {
        return Err(unreadable.into_damaged(&plan.tree.path(node)));
    }
    let seeds = job.seeds.iter().map(|seed| open_seed(seed)).collect::<Result<_, _>>()?;
    let context = ExecuteContext {
        job,
        plan,
        rules: Lookup::new(job.rules),
        names: TemporaryNames::new(),
        seeds,
        done: AtomicU64::new(0),
    };
    let total = plan.steps.all_files().map(|file| file.size).sum();
    let owned = |ownership, _| matches!(ownership, Ownership::Ours | Ownership::Opaque);
    flags::clear(job.target, &plan.tree, owned)?;
    // Something may be made or removed in a directory of the host's.
    let around = |ownership, kind| ownership == Ownership::Kept && kind == Kind::Dir;
    let directories = flags::clear(job.target, &plan.tree, around)?;
    let result = job.watch.phase("Writing", total, Unit::Bytes, || {
        let result = context.run();
        if result.is_err() {
            context.clean_early();
        }
        result
    });
    let mut sum = result.map_err(|error| context.explain(error))?;
    flags::restore_flags(job.target, &directories)?;
    sum.unchanged = plan.steps.unchanged.saturating_add(plan.proved);
    Ok(sum)
}

impl<'a> ExecuteContext<'a> {
    fn run(&'a self) -> Result<Summary, EngineError> {
        let steps = &self.plan.steps;
        if self.job.image.is_remote() {
            self.job.image.announce(&self.read_from_image(), Reads::Once);
        }
        let mut sum = Summary::default();
        let mut own = Worker::new(self);
        for dir in &steps.dirs {
            self.job.watch.check()?;
            own.make_dir(dir)?;
        }
        let early = self.in_image_order(&steps.early);
        let pieces: Vec<_> = batches(&early).map(Piece::Early).collect();
        self.pieces(&pieces, &mut sum)?;
        for file in &early {
            own.rename_early(file)?;
        }
        let files = self.in_image_order(&steps.files);
        let pieces: Vec<_> = batches(&files)
            .map(Piece::Files)
            .chain(steps.specials.chunks(BATCH_FILES).map(Piece::Specials))
            .chain(steps.fixes.chunks(BATCH_FILES).map(Piece::Fixes))
            .collect();
        self.pieces(&pieces, &mut sum)?;
        let pieces: Vec<_> = steps.remove.chunks(BATCH_FILES).map(Piece::Remove).collect();
        self.pieces(&pieces, &mut sum)?;
        for dir in &steps.remove_dirs {
            own.remove_dir(*dir)?;
        }
        let late = self.in_image_order(&steps.late);
        let pieces: Vec<_> = batches(&late)
            .map(Piece::Files)
            .chain(steps.late_specials.chunks(BATCH_FILES).map(Piece::Specials))
            .collect();
        self.pieces(&pieces, &mut sum)?;
        let copies = self.in_image_order(&steps.copies);
        let pieces: Vec<_> = batches(&copies).map(Piece::Files).collect();
        self.pieces(&pieces, &mut sum)?;
        own.parents.forget();
        for link in &steps.links {
            self.job.watch.check()?;
            own.link(link)?;
        }
        let pieces: Vec<_> = steps.dir_meta.rchunks(BATCH_FILES).map(Piece::DirMeta).collect();
        self.pieces(&pieces, &mut sum)?;
        add(&mut sum, &own.sum);
        // The plan counts the metadata of directories: most steps of this list only restore a time.
        sum.metadata += steps.wrong_dirs;
        Ok(sum)
    }

    fn pieces(&self, pieces: &[Piece], sum: &mut Summary) -> Result<(), EngineError> {
        let workers = pool::run(
            pool::cores(),
            pieces,
            self.job.watch.cancel(),
            || Worker::new(self),
            |worker, piece| match piece {
                Piece::Early(files) => files.iter().try_for_each(|file| worker.make_file(file, true)),
                Piece::Files(files) => files.iter().try_for_each(|file| worker.make_file(file, false)),
                Piece::Specials(entries) => entries.iter().try_for_each(|i| worker.make_special(*i)),
                Piece::Fixes(entries) => entries.iter().try_for_each(|i| worker.fix(*i)),
                Piece::Remove(nodes) => nodes.iter().try_for_each(|i| worker.remove(*i)),
                Piece::DirMeta(entries) => entries.iter().try_for_each(|i| worker.dir_meta(*i)),
            },
        )?;
        workers.iter().for_each(|worker| add(sum, &worker.sum));
        Ok(())
    }

    /// Returns the files whose content is read from the image, in the order of the reads.
    fn read_from_image(&self) -> Vec<TreePathBuf> {
        let steps = &self.plan.steps;
        let lists = [&steps.early, &steps.files, &steps.late, &steps.copies];
        let files = lists.into_iter().flat_map(|list| self.in_image_order(list));
        files.filter_map(|file| file.read_from_image(self.job.index)).collect()
    }

    /// Returns big files first, then files that need no reading from the image, then the others by
    /// their position in it, so that neighbours are decompressed together.
    fn in_image_order(&self, files: &[FileStep]) -> Vec<FileStep> {
        let mut keyed: Vec<_> = files
            .iter()
            .map(|file| {
                let key = match file.content {
                    FileContent::Reflink(_) => (1, 0),
                    _ if file.size >= BIG => (0, u64::MAX - file.size),
                    _ => (2, self.job.image.position(&file.path_in_image(self.job.index))),
                };
                (key, *file)
            })
            .collect();
        keyed.sort_by_key(|(key, file)| (*key, file.entry));
        keyed.into_iter().map(|(_, file)| file).collect()
    }

    /// Makes an error of a full filesystem say how much space is missing.
    fn explain(&self, error: EngineError) -> EngineError {
        // A read that waited for a server ends with an error of its own.
        if let (EngineError::Read { .. } | EngineError::Image(_), Err(cancelled)) =
            (&error, self.job.watch.check())
        {
            return cancelled.into();
        }
        let EngineError::Io { operation, path, source } = &error else { return error };
        // A quota is another matter: free space says nothing about it.
        if !errno::is_full(source) {
            return error;
        }
        let free =
            rustix::fs::fstatvfs(self.job.target).map_or(0, |fs| fs.f_frsize.saturating_mul(fs.f_bavail));
        let needed = self.plan.space_needed().saturating_sub(self.done.load(Ordering::Relaxed));
        let path = path.clone();
        if free >= needed {
            return EngineError::NoMetadataSpace { operation, path, free, needed };
        }
        EngineError::NoSpace { path, free, missing: needed - free }
    }

    /// Removes the files that were made under temporary names and not renamed yet, after an error.
    fn clean_early(&self) {
        for file in &self.plan.steps.early {
            let entry = self.job.index.entry(file.entry as usize);
            let (parent, _) = beneath::split(entry.path.as_bytes());
            if let Ok(parent) = beneath::open(self.job.target, parent, OFlags::PATH | OFlags::DIRECTORY) {
                let name = self.names.name(file.entry);
                // The file may not exist, and an error here must not hide the first one.
                let _ = rustix::fs::unlinkat(parent.as_fd(), name, rustix::fs::AtFlags::empty());
            }
        }
    }
}

/// Cuts files into batches: big ones alone, others by number and size.
fn batches(files: &[FileStep]) -> impl Iterator<Item = &[FileStep]> {
    let mut rest = files;
    std::iter::from_fn(move || {
        let mut bytes = 0u64;
        let fits = |file: &&FileStep| {
            bytes = bytes.saturating_add(file.size);
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH_FILES).take_while(fits).count().max(1).min(rest.len());
        let (run, others) = rest.split_at(count);
        rest = others;
        (!run.is_empty()).then_some(run)
    })
}

fn add(sum: &mut Summary, other: &Summary) {
    sum.unchanged += other.unchanged;
    sum.reflinked += other.reflinked;
    sum.written += other.written;
    sum.bytes_written += other.bytes_written;
    sum.bytes_shared += other.bytes_shared;
    sum.metadata += other.metadata;
    sum.removed += other.removed;
    sum.made += other.made;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_bounded_by_bytes_and_number_and_leave_nothing_out() {
        let sizes = [BIG * 3, BIG, 1, 2, BATCH_BYTES - 4, 5, BATCH_BYTES, BATCH_BYTES + 1, 0];
        let files: Vec<FileStep> = (0u32..)
            .zip(sizes)
            .map(|(entry, size)| FileStep { entry, size, content: FileContent::Write })
            .collect();
        let entries: Vec<Vec<u32>> =
            batches(&files).map(|run| run.iter().map(|file| file.entry).collect()).collect();
        assert_eq!(entries, [vec![0], vec![1], vec![2, 3, 4], vec![5], vec![6], vec![7], vec![8]]);
        let many = vec![FileStep { entry: 0, size: 0, content: FileContent::Write }; BATCH_FILES * 2 + 1];
        assert_eq!(batches(&many).map(<[FileStep]>::len).collect::<Vec<_>>(), [BATCH_FILES, BATCH_FILES, 1]);
    }
}
