//! Boot entries of the Boot Loader Specification (type 1): names of their files, and their text.

/// The name of an entry's file: `STEM[+LEFT[-DONE]].conf`, or one that the boot loader ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    /// The name without counter and ending.
    pub stem: String,
    /// Attempts left; `None` for an entry that is not counted.
    pub left: Option<u32>,
    /// Attempts that were made.
    pub done: u32,
    /// Its place: in the menu or outside of it.
    pub place: Place,
}

/// The place of an entry: the boot loader reads it or ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is in the menu.
    Live,
    /// It is not in the menu yet.
    Staged,
    /// It is not in the menu any longer, and must not be removed: another name may share its
    /// clusters.
    Aside,
}

/// The ending of an entry in the menu.
const LIVE: &str = ".conf";
/// The ending of a staged entry.
const STAGED: &str = ".conf.tiu";
/// The ending of an entry that was set aside.
const ASIDE: &str = ".conf.tiu-aside";

impl EntryName {
    /// Returns the name of an entry that is not in the menu yet.
    pub fn staged(stem: &str) -> Self {
        EntryName { stem: stem.to_owned(), left: None, done: 0, place: Place::Staged }
    }

    /// Reads the name of a file. Returns `None` if it is not an entry's.
    pub fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let endings = [(ASIDE, Place::Aside), (STAGED, Place::Staged), (LIVE, Place::Live)];
        let (ending, place) = endings.into_iter().find(|(ending, _)| lower.ends_with(ending))?;
        let name = name.get(..name.len() - ending.len())?;
        // Such names are the loader's own, or hidden.
        let place = if lower.starts_with('.') || lower.starts_with("auto-") { Place::Aside } else { place };
        let counter = name.rsplit_once('+').and_then(|(stem, counter)| {
            let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
            Some((stem, number(left)?, number(done)?))
        });
        Some(match counter {
            Some((stem, left, done)) => EntryName { stem: stem.to_owned(), left: Some(left), done, place },
            None => EntryName { stem: name.to_owned(), left: None, done: 0, place },
        })
    }

    /// Returns the same entry's name in another place.
    pub fn moved(&self, place: Place) -> Self {
        EntryName { place, ..self.clone() }
    }
}

impl std::fmt::Display for EntryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.stem)?;
        match (self.left, self.done) {
            (None, _) => {}
            (Some(left), 0) => write!(f, "+{left}")?,
            (Some(left), done) => write!(f, "+{left}-{done}")?,
        }
        f.write_str(match self.place {
            Place::Live => LIVE,
            Place::Staged => STAGED,
            Place::Aside => ASIDE,
        })
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The text of an entry, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Title in the menu.
    pub title: String,
    /// Key of the order.
    pub sort_key: Option<String>,
    /// Machine ID.
    pub machine_id: String,
    /// Version.
    pub version: String,
    /// The kernel or another program, with slashes, without the first one.
    pub kernel: Option<String>,
    /// The initrds.
    pub initrds: Vec<String>,
    /// Arguments of the kernel.
    pub options: String,
    /// The architecture that it is for.
    pub architecture: Option<String>,
    /// The snapshot that it boots, if tiu wrote it.
    pub owner: Option<Owner>,
}

/// The note of tiu in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// UUID of the host's filesystem.
    pub host: String,
    /// UUID of the snapshot's subvolume.
    pub snapshot: String,
    /// The generation: each entry that tiu writes has the next one.
    pub generation: u64,
}

/// The comment with the [`Owner`].
const OWNER: &str = "# tiu:";

impl Entry {
    /// Reads an entry. Ignores keys that do not matter here.
    pub fn parse(text: &str) -> Self {
        let mut entry = Entry::default();
        for line in text.lines().map(str::trim) {
            if let Some(note) = line.strip_prefix(OWNER) {
                entry.owner = Owner::parse(note);
                continue;
            }
            let Some((key, value)) = line.split_once([' ', '\t']) else { continue };
            let value = value.trim();
            let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
            let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
            let path = || value.replace('\\', "/").trim_start_matches('/').to_owned();
            match key {
                "title" => entry.title = value.to_owned(),
                "sort-key" => entry.sort_key = Some(value.to_owned()),
                "machine-id" => entry.machine_id = value.to_owned(),
                "version" => entry.version = value.to_owned(),
                "linux" | "efi" | "uki" => entry.kernel = Some(path()),
                "initrd" => entry.initrds.push(path()),
                "options" if entry.options.is_empty() => entry.options = value.to_owned(),
                "options" => entry.options = format!("{} {value}", entry.options),
                "architecture" => entry.architecture = Some(value.to_owned()),
                _ => {}
            }
        }
        entry
    }

    /// Returns the text of an entry that tiu writes.
    pub fn text(&self) -> String {
        let mut text = String::from("# Written by tiu, which replaces it. Changes here are lost.\n");
        if let Some(Owner { host, snapshot, generation }) = &self.owner {
            text += &format!("{OWNER} host={host} snapshot={snapshot} generation={generation}\n");
        }
        let mut line = |key: &str, value: &str| {
            if !value.is_empty() {
                text += &format!("{key} {value}\n");
            }
        };
        line("title", &self.title);
        line("sort-key", self.sort_key.as_deref().unwrap_or_default());
        line("machine-id", &self.machine_id);
        line("version", &self.version);
        line("linux", &self.kernel.as_ref().map(|path| format!("/{path}")).unwrap_or_default());
        self.initrds.iter().for_each(|path| line("initrd", &format!("/{path}")));
        line("options", &self.options);
        text
    }

    /// Returns the files that it boots.
    pub fn files(&self) -> impl Iterator<Item = &String> {
        self.kernel.iter().chain(&self.initrds)
    }
}

impl Owner {
    fn parse(note: &str) -> Option<Self> {
        let value = |key: &str| {
            note.split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
                .map(str::to_owned)
        };
        let generation = value("generation")?.parse().ok()?;
        Some(Owner { host: value("host")?, snapshot: value("snapshot")?, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let parsed =
            |name: &str| EntryName::parse(name).map(|name| (name.stem, name.left, name.done, name.place));
        let live = |stem: &str, left, done| Some((stem.to_owned(), left, done, Place::Live));
        assert_eq!(parsed("tiu-5-2.conf"), live("tiu-5-2", None, 0));
        assert_eq!(parsed("tiu-5-2+3.conf"), live("tiu-5-2", Some(3), 0));
        assert_eq!(parsed("tiu-5-2+0-3.CONF"), live("tiu-5-2", Some(0), 3));
        assert_eq!(parsed("a+b.conf"), live("a+b", None, 0));
        assert_eq!(parsed("a+1-.conf"), live("a+1-", None, 0));
        assert_eq!(parsed("a+99999999999.conf"), live("a+99999999999", None, 0));
        assert_eq!(parsed("a+1+2.conf"), live("a+1", Some(2), 0));
        assert_eq!(parsed("x.conf.tiu"), Some(("x".into(), None, 0, Place::Staged)));
        assert_eq!(parsed("x+1-2.conf.tiu-aside"), Some(("x".into(), Some(1), 2, Place::Aside)));
        assert_eq!(parsed("auto-windows.conf"), Some(("auto-windows".into(), None, 0, Place::Aside)));
        for name in ["x.con", "conf", "x.conf.bak", "é", ""] {
            assert_eq!(parsed(name), None, "{name}");
        }
        for name in ["tiu-5-2.conf", "tiu-5-2+3.conf", "a+0-3.conf", "x.conf.tiu", "x+2.conf.tiu-aside"] {
            assert_eq!(EntryName::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry = Entry {
            title: "Test OS 2 (snapshot 2)".into(),
            sort_key: Some("tiu".into()),
            machine_id: "0123".into(),
            version: "5.2".into(),
            kernel: Some("tiu/h/linux-1".into()),
            initrds: vec!["tiu/h/initrd-1".into()],
            options: "root=UUID=1 ro".into(),
            architecture: None,
            owner: Some(Owner { host: "h".into(), snapshot: "s".into(), generation: 5 }),
        };
        assert_eq!(Entry::parse(&entry.text()), entry);
    }

    #[test]
    fn entries_of_others_are_read() {
        let text = "# comment\ntitle\t\"Quoted \"\nlinux \\EFI\\x\\linux\noptions a=1\noptions  b\nodd\n initrd /i\n# tiu: x\n";
        let entry = Entry::parse(text);
        assert_eq!(entry.title, "Quoted ");
        assert_eq!(entry.kernel.as_deref(), Some("EFI/x/linux"));
        assert_eq!((entry.options.as_str(), &entry.initrds[..]), ("a=1 b", &["i".to_owned()][..]));
        assert_eq!((entry.owner, entry.sort_key), (None, None));
        assert_eq!(Entry::parse(""), Entry::default());
    }
}
