//! The plan as text: one line for each step, in the order of the run.

use super::steps::{ContentSource, FileContent, FileStep, Plan};
use crate::engine::shown::Shown;
use std::fmt::Display;
use std::io::{self, Write};
use tiu_bundle::index::Index;

impl Plan {
    /// Writes one line for each step to `out`, for `--dry-run`. `index` is the one that the plan
    /// was made for.
    pub fn describe(&self, index: &Index, out: &mut dyn Write) -> io::Result<()> {
        let (steps, index) = (&self.steps, self.index(index));
        let path = |i: u32| index.entry(i as usize).path.into_owned();
        let mut line = |verb: &str, path: &dyn Display, more: &str| writeln!(out, "{verb:<9} {path}{more}");
        for dir in &steps.dirs {
            line("mkdir", &path(dir.entry), "")?;
        }
        for file in steps.early.iter().chain(&steps.files) {
            let (verb, more) = self.file(index, file);
            line(verb, &path(file.entry), &more)?;
        }
        for entry in &steps.specials {
            line("make", &path(*entry), &special(index, *entry))?;
        }
        for entry in &steps.fixes {
            line("metadata", &path(*entry), "")?;
        }
        for node in steps.remove.iter().chain(&steps.remove_dirs) {
            line("remove", &self.tree.tree_path(*node), "")?;
        }
        for file in steps.late.iter().chain(&steps.copies) {
            let (verb, more) = self.file(index, file);
            line(verb, &path(file.entry), &more)?;
        }
        for entry in &steps.late_specials {
            line("make", &path(*entry), &special(index, *entry))?;
        }
        for link in &steps.links {
            line("link", &path(link.entry), &format!(" to {}", path(link.to)))?;
        }
        for entry in &steps.dir_meta {
            line("metadata", &path(*entry), "")?;
        }
        Ok(())
    }

    fn file(&self, index: &Index, file: &FileStep) -> (&'static str, String) {
        match file.content {
            FileContent::Write => ("write", format!(" ({} bytes)", file.size)),
            FileContent::Patch(source) => {
                ("write", format!(" ({} bytes, less what equals {})", file.size, self.source(index, source)))
            }
            FileContent::Reflink(source) => {
                ("reflink", format!(" ({} bytes) from {}", file.size, self.source(index, source)))
            }
        }
    }

    fn source(&self, index: &Index, source: ContentSource) -> String {
        match source {
            ContentSource::Target(node) => self.tree.tree_path(node).to_string(),
            ContentSource::Entry(entry) => index.entry(entry as usize).path.to_string(),
            ContentSource::Seed(number, node) => {
                let seed = self.seeds.get(usize::from(number));
                let path = seed.map(|seed| seed.tree_path(node)).unwrap_or_default();
                format!("{path} of seed {}", number + 1)
            }
        }
    }
}

fn special(index: &Index, entry: u32) -> String {
    let entry = index.entry(entry as usize);
    let inode = index.inode_of(&entry);
    match &inode.target {
        Some(target) => format!(" ({} to {})", inode.kind, Shown(target)),
        None => format!(" ({})", inode.kind),
    }
}
