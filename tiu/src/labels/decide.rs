//! The decision whether the new snapshot must and can be labelled.

use tiu_bundle::selinux::{CONFIG_PATH, LABEL, SelinuxPolicy, Unlabelled};
use tiu_system::hints;

/// The facts that decide about labels.
#[derive(Clone, Debug)]
pub struct LabelFacts {
    /// True if the host uses SELinux; `None` if that is not known.
    pub host: Option<bool>,
    /// The policy that the configuration of the new snapshot names.
    pub policy: Option<SelinuxPolicy>,
    /// True if the policy has a file of contexts.
    pub contexts: bool,
    /// The image's setfiles(8).
    pub setfiles: Option<&'static str>,
    /// The entries of the image without a label. Only asked for if the policy has contexts.
    pub unlabelled: Option<Unlabelled>,
}

/// The decision about labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labelling {
    /// Nothing: the new snapshot has no policy, and the host does not use SELinux.
    None,
    /// By this policy and program.
    By(Labeller),
    /// Nothing, for this reason, which the administrator should know.
    Impossible(Unlabelable),
}

/// The policy and the program by which files are labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labeller {
    /// The policy.
    pub policy: SelinuxPolicy,
    /// The path of setfiles(8) in the image.
    pub setfiles: &'static str,
    /// True if the host itself uses SELinux.
    pub in_use: bool,
}

/// The reason for which the new snapshot cannot be labelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Unlabelable {
    /// SELinux is disabled in it.
    #[error("/{CONFIG_PATH} is missing or disables SELinux")]
    Disabled,
    /// The policy does not exist.
    #[error("/{CONFIG_PATH} names the policy {name}, but the file /{path} does not exist")]
    Contexts { name: String, path: String },
    /// Nothing can label what is made on the host.
    #[error(
        "the image has no setfiles: found no program at {}",
        SETFILES.map(|path| format!("/{path}")).join(" or ")
    )]
    Setfiles,
    /// Files of the image have no label.
    #[error(
        "files and directories of the image without a label ({LABEL}): found {entries}, expected none; the first is \
         {first}"
    )]
    Files { entries: u64, first: String },
}

hints! { Unlabelable {
    Disabled => "put a policy and its configuration into the image, or disable SELinux on the host first",
    Contexts { .. } => "install the policy that SELINUXTYPE names in the image, or correct SELINUXTYPE",
    Setfiles => "install setfiles (package policycoreutils) in the image",
    Files { .. } =>
        "label the tree before it is packed: setfiles -F -m -r TREE \
         TREE/etc/selinux/TYPE/contexts/files/file_contexts TREE",
} }

/// The paths at which distributions have setfiles(8).
pub(crate) const SETFILES: [&str; 2] = ["usr/sbin/setfiles", "sbin/setfiles"];

/// Decides whether labels are made. A host that uses SELinux gets a labelled snapshot or none.
pub fn decide(facts: LabelFacts) -> Result<Labelling, Unlabelable> {
    let LabelFacts { host, policy, contexts, setfiles, unlabelled } = facts;
    // Where the host's configuration cannot be read, the image's says what will be used.
    let has_policy = policy.is_some() && contexts;
    let in_use = host.unwrap_or(has_policy);
    let labelled = match (policy, setfiles, unlabelled) {
        _ if !has_policy && !in_use => return Ok(Labelling::None),
        (None, ..) => Err(Unlabelable::Disabled),
        (Some(policy), ..) if !contexts => {
            Err(Unlabelable::Contexts { name: policy.name().to_owned(), path: policy.contexts() })
        }
        (Some(_), _, Some(Unlabelled { entries, first })) => {
            Err(Unlabelable::Files { entries, first: first.absolute().to_string() })
        }
        (Some(_), None, _) => Err(Unlabelable::Setfiles),
        (Some(policy), Some(setfiles), None) => Ok(Labelling::By(Labeller { policy, setfiles, in_use })),
    };
    match labelled {
        Err(why) if !in_use => Ok(Labelling::Impossible(why)),
        other => other,
    }
}

impl Labelling {
    /// Returns what the administrator of a host without SELinux should know.
    pub fn warning(&self) -> Option<String> {
        match self {
            Labelling::By(Labeller { in_use: false, policy, .. }) => Some(format!(
                "the image has the SELinux policy {}, and this host does not use SELinux: the new snapshot is \
                 labelled, /var, /home and other directories of the host are not: label them (restorecon -R) before \
                 SELinux is enforced",
                policy.name()
            )),
            Labelling::Impossible(why) => Some(format!(
                "the new snapshot is not labelled for SELinux, of which it has a policy: {why}: do not boot it with \
                 SELinux"
            )),
            Labelling::None | Labelling::By(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::path::TreePathBuf;

    fn policy() -> SelinuxPolicy {
        SelinuxPolicy::from_config("SELINUX=enforcing\nSELINUXTYPE=mine\n").unwrap()
    }

    fn labelled(host: bool) -> LabelFacts {
        LabelFacts {
            host: Some(host),
            policy: Some(policy()),
            contexts: true,
            setfiles: Some("sbin/setfiles"),
            unlabelled: None,
        }
    }

    #[test]
    fn a_labelled_image_with_a_policy_is_labelled_on_every_host() {
        for in_use in [true, false] {
            let by = Labelling::By(Labeller { policy: policy(), setfiles: "sbin/setfiles", in_use });
            assert_eq!(by.warning().is_some(), !in_use);
            assert_eq!(decide(labelled(in_use)), Ok(by));
        }
    }

    #[test]
    fn a_host_with_selinux_refuses_what_another_is_warned_about() {
        let first = TreePathBuf::new("etc/a").unwrap();
        let cases: [(LabelFacts, Unlabelable); 2] = [
            (LabelFacts { setfiles: None, ..labelled(true) }, Unlabelable::Setfiles),
            (
                LabelFacts { unlabelled: Some(Unlabelled { entries: 3, first }), ..labelled(true) },
                Unlabelable::Files { entries: 3, first: "/etc/a".into() },
            ),
        ];
        for (facts, why) in cases {
            for host in [Some(true), None] {
                assert_eq!(decide(LabelFacts { host, ..facts.clone() }), Err(why.clone()));
            }
            let other = decide(LabelFacts { host: Some(false), ..facts }).unwrap();
            assert!(other.warning().unwrap().contains(&why.to_string()));
            assert_eq!(other, Labelling::Impossible(why));
        }
    }

    #[test]
    fn without_a_policy_nothing_is_labelled_and_a_host_with_selinux_refuses() {
        let path = "etc/selinux/mine/contexts/files/file_contexts".to_owned();
        let cases = [
            (LabelFacts { policy: None, contexts: false, ..labelled(false) }, Unlabelable::Disabled),
            (
                LabelFacts { contexts: false, ..labelled(false) },
                Unlabelable::Contexts { name: "mine".into(), path },
            ),
        ];
        for (facts, why) in cases {
            for host in [Some(false), None] {
                assert_eq!(decide(LabelFacts { host, ..facts.clone() }), Ok(Labelling::None));
            }
            assert_eq!(decide(LabelFacts { host: Some(true), ..facts }), Err(why));
        }
    }
}
