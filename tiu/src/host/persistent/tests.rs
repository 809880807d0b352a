//! Every combination of what an image says and what a host has, on paper.

use super::*;
use tiu_bundle::index::Kind;
use tiu_system::path::{TreePath, TreePathBuf};

fn path(text: &'static str) -> TreePathBuf {
    TreePath::literal(text).to_owned()
}

/// Decides about `data`.
fn with(
    declared: bool,
    recorded: bool,
    host: &[&str],
    found: DirectoryContent,
    was_other: bool,
) -> Result<PersistentDecision, PersistentError> {
    let list = |there: bool| if there { vec![path("data")] } else { vec![] };
    decide(&PersistentFacts {
        declared: &list(declared),
        recorded: &list(recorded),
        mounted: &[],
        host_paths: &host.iter().map(|path| TreePathBuf::new(*path).unwrap()).collect::<Vec<_>>(),
        found: &|_| found.clone(),
        was_other: &|_| was_other,
        commands: &|path| vec![format!("mount {path}")],
    })
}

fn link() -> DirectoryContent {
    DirectoryContent::Other { at: path("data"), kind: Kind::Symlink }
}

fn state(decision: &PersistentDecision) -> Option<(PersistentState, bool)> {
    decision.paths.first().map(|path| (path.state, !decision.host_paths.is_empty()))
}

#[test]
fn a_declared_path() {
    for (host, found, expected) in [
        (&["data"][..], DirectoryContent::Holds, (PersistentState::Host, false)),
        (&["data"], link(), (PersistentState::Host, false)),
        (&[], DirectoryContent::Nothing, (PersistentState::Empty, true)),
        (&["data/below", "database"], DirectoryContent::Empty, (PersistentState::Empty, true)),
        (&[], DirectoryContent::Holds, (PersistentState::InSnapshot, true)),
    ] {
        let decision = with(true, false, host, found.clone(), false).unwrap();
        assert_eq!(state(&decision), Some(expected), "{host:?} {found:?}");
        assert_eq!(decision.to_record, [path("data")]);
        let told = decision.paths[0].warning().is_some() && !decision.paths[0].commands.is_empty();
        assert_eq!(told, expected.0 != PersistentState::Host);
    }
}

#[test]
fn something_else_where_the_image_wants_a_directory() {
    let error = with(true, false, &[], link(), false).unwrap_err();
    assert!(matches!(error, PersistentError::NotOnHost { found: Kind::Symlink, .. }), "{error}");
    // The older image's own goes like everything of it.
    let decision = with(true, false, &[], link(), true).unwrap();
    assert_eq!(state(&decision), Some((PersistentState::Empty, false)));
}

#[test]
fn what_was_declared_once_stays_as_long_as_it_holds_something() {
    let decision = with(false, true, &[], DirectoryContent::Holds, false).unwrap();
    assert_eq!(state(&decision), Some((PersistentState::InSnapshot, true)));
    assert!(!decision.paths[0].declared);
    for (host, found) in [
        (&["data"][..], DirectoryContent::Holds),
        (&[], DirectoryContent::Empty),
        (&[], DirectoryContent::Nothing),
        (&[], link()),
    ] {
        assert_eq!(
            with(false, true, host, found.clone(), false).unwrap(),
            PersistentDecision::default(),
            "{host:?} {found:?}"
        );
    }
    assert_eq!(with(true, true, &[], DirectoryContent::Holds, false).unwrap().paths.len(), 1);
}

#[test]
fn what_is_mounted_now_is_the_host_s() {
    let none = |_: &TreePath| Vec::new();
    let decision = decide(&PersistentFacts {
        declared: &[path("data")],
        recorded: &[],
        mounted: &[path("data"), path("more")],
        host_paths: &[],
        found: &|_| DirectoryContent::Holds,
        was_other: &|_| false,
        commands: &none,
    })
    .unwrap();
    assert_eq!(state(&decision), Some((PersistentState::Host, true)));
    assert_eq!(decision.host_paths, [path("data"), path("more")]);
    assert_eq!(decision.to_record, [path("data"), path("more")]);
}
