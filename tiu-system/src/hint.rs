//! Advice for the person who sees an error.

/// An error that a user can meet, and what to do next.
///
/// `Display` says what happened, with the found and the expected value. [`hint`](Self::hint) says
/// the next step. Errors implement it with [`hints!`](crate::hints).
pub trait Hint: std::error::Error {
    /// Returns one sentence for the person at the terminal, or `None` if there is nothing useful to
    /// add.
    fn hint(&self) -> Option<String>;

    /// Returns true if the work did not fail, but stopped because it was cancelled.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A value that can stand on the right side of an arm of [`hints!`](crate::hints).
#[doc(hidden)]
pub trait IntoHint {
    fn into_hint(self) -> Option<String>;
}

impl IntoHint for &str {
    fn into_hint(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl IntoHint for String {
    fn into_hint(self) -> Option<String> {
        Some(self)
    }
}

impl IntoHint for Option<String> {
    fn into_hint(self) -> Option<String> {
        self
    }
}

/// Implements [`Hint`] for an error enum, or for a struct (below).
///
/// Arms are those of a `match`, without the enum's name. Their right side is a `&str`, a `String`
/// or an `Option<String>`. Every arm ends in a comma. Two lists can stand before the arms, in this
/// order:
///
/// - `forward` lists variants that hold another error with hints. Hint and cancellation are those
///   of the inner error. `Name` is a variant with one unnamed field, `Name.field` a variant with
///   named fields.
/// - `cancelled` lists variants that have an arm of their own for the hint, but forward the
///   cancellation.
///
/// Arms are tried before the forwarded variants, so an arm can treat one case of a forwarded
/// variant. An arm `_` comes after both. A variant that is neither forwarded nor matched is an
/// error of the compiler.
///
/// ```
/// use tiu_system::progress::{Cancel, Cancelled};
/// use tiu_system::{Hint, hints};
///
/// #[derive(Debug, thiserror::Error)]
/// enum CopyError {
///     #[error("{path}: {source}")]
///     Read { path: String, source: std::io::Error },
///     #[error("the disk is full")]
///     Full,
///     #[error(transparent)]
///     Cancelled(#[from] Cancelled),
/// }
///
/// hints! { CopyError {
///     forward Cancelled;
///     Read { path, .. } => format!("check that {path} exists"),
///     Full => "delete something",
/// } }
///
/// fn copy(cancel: &Cancel) -> Result<(), CopyError> {
///     cancel.check()?;
///     Err(CopyError::Full)
/// }
///
/// let cancel = Cancel::new();
/// assert_eq!(copy(&cancel).unwrap_err().hint().as_deref(), Some("delete something"));
/// cancel.cancel();
/// assert!(copy(&cancel).unwrap_err().is_cancelled());
/// ```
///
/// A struct has one arm, whose pattern is of the whole error, or forwards to one of its fields. A
/// list `cancelled` with one field can stand before the arm. The struct may have one type parameter
/// `E`, which is an error with hints itself.
///
/// ```
/// use tiu_system::{Hint, hints};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("{0} is in use")]
/// struct InUse(String);
///
/// hints! { struct InUse { Self(name) => format!("end what uses {name}"), } }
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("line {line}: {source}")]
/// struct AtLine<E> {
///     line: usize,
///     source: E,
/// }
///
/// hints! { struct AtLine<E> { forward source; } }
///
/// let error = AtLine { line: 1, source: InUse("the disk".into()) };
/// assert_eq!(error.hint().as_deref(), Some("end what uses the disk"));
/// ```
#[macro_export]
macro_rules! hints {
    (struct $name:ident $(<$error:ident>)? { forward $field:ident ; }) => {
        $crate::hints! { struct $name $(<$error>)? {
            cancelled $field;
            Self { $field: inner, .. } => $crate::Hint::hint(inner),
        } }
    };
    (struct $name:ident $(<$error:ident>)? { cancelled $field:ident ; $pattern:pat => $text:expr, }) => {
        $crate::hints! { @struct $name [$($error)?] [$field] $pattern => $text }
    };
    (struct $name:ident $(<$error:ident>)? { $pattern:pat => $text:expr, }) => {
        $crate::hints! { @struct $name [$($error)?] [] $pattern => $text }
    };
    (@struct $name:ident [$($error:ident)?] [$($field:ident)?] $pattern:pat => $text:expr) => {
        impl $(<$error: $crate::Hint + 'static>)? $crate::Hint for $name $(<$error>)? {
            fn hint(&self) -> ::std::option::Option<::std::string::String> {
                #[allow(unused_imports)]
                use $crate::hint::{Hint as _, IntoHint as _};
                let $pattern = self;
                ($text).into_hint()
            }

            $(
                fn is_cancelled(&self) -> bool {
                    self.$field.is_cancelled()
                }
            )?
        }
    };
    ($name:ident { forward $($forward:ident $(. $field:ident)?),+ ; cancelled $($own:ident $(. $part:ident)?),+ ; $($arms:tt)* }) => {
        $crate::hints! { @impl $name [$($forward $(. $field)?),+] [$($own $(. $part)?),+] $($arms)* }
    };
    ($name:ident { forward $($forward:ident $(. $field:ident)?),+ ; $($arms:tt)* }) => {
        $crate::hints! { @impl $name [$($forward $(. $field)?),+] [] $($arms)* }
    };
    ($name:ident { cancelled $($own:ident $(. $part:ident)?),+ ; $($arms:tt)* }) => {
        $crate::hints! { @impl $name [] [$($own $(. $part)?),+] $($arms)* }
    };
    ($name:ident { $($arms:tt)* }) => {
        $crate::hints! { @impl $name [] [] $($arms)* }
    };
    (@impl $name:ident [$($forward:ident $(. $field:ident)?),*] [$($own:ident $(. $part:ident)?),*]
        $(
            $($variant:ident $({ $($named:tt)* })? $(( $($unnamed:tt)* ))?)|+ $(if $guard:expr)? => $text:expr,
        )*
        $(_ => $other:expr,)?
    ) => {
        impl $crate::Hint for $name {
            fn hint(&self) -> ::std::option::Option<::std::string::String> {
                #[allow(unused_imports)]
                use $crate::hint::{Hint as _, IntoHint as _};
                match self {
                    $(
                        $(Self::$variant $({ $($named)* })? $(( $($unnamed)* ))?)|+ $(if $guard)? => ($text).into_hint(),
                    )*
                    $($crate::hints!(@pattern inner $forward $(. $field)?) => inner.hint(),)*
                    $(_ => ($other).into_hint(),)?
                }
            }

            fn is_cancelled(&self) -> bool {
                #[allow(unused_imports)]
                use $crate::Hint as _;
                #[allow(unreachable_patterns)]
                match self {
                    $($crate::hints!(@pattern inner $forward $(. $field)?) => inner.is_cancelled(),)*
                    $($crate::hints!(@pattern inner $own $(. $part)?) => inner.is_cancelled(),)*
                    _ => false,
                }
            }
        }
    };
    (@pattern $inner:ident $variant:ident) => { Self::$variant { 0: $inner, .. } };
    (@pattern $inner:ident $variant:ident . $field:ident) => { Self::$variant { $field: $inner, .. } };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Cancelled;

    #[derive(Debug, thiserror::Error)]
    enum Lower {
        #[error(transparent)]
        Cancelled(#[from] Cancelled),
        #[error("damaged at {at}")]
        Damaged { at: u64 },
        #[error("strange")]
        Strange,
    }

    hints! { Lower {
        cancelled Cancelled;
        Cancelled(_) => "run again",
        Damaged { at } if *at == 0 => "fetch it again",
        Damaged { at } => format!("look at byte {at}"),
        Strange => None,
    } }

    #[derive(Debug, thiserror::Error)]
    enum Upper {
        #[error(transparent)]
        Lower(#[from] Lower),
        #[error("{path}: {source}")]
        At { path: String, source: Box<Lower> },
        #[error("removing failed too: {cleanup}")]
        CleanUp { error: Box<Upper>, cleanup: String },
        #[error("one")]
        First,
        #[error("two {0}")]
        Second(u8),
        #[error("three")]
        Third,
    }

    hints! { Upper {
        forward Lower, At.source;
        cancelled CleanUp.error;
        At { source, path } if matches!(**source, Lower::Strange) => format!("compare {path}"),
        CleanUp { error, .. } => error.hint().map(|hint| format!("{hint}; then clean up")),
        First | Second(1..) => "wait",
        _ => "ask",
    } }

    fn at(source: Lower) -> Upper {
        Upper::At { path: "/x".into(), source: Box::new(source) }
    }

    #[test]
    fn arms_give_texts_in_every_form() {
        let hints = [Lower::Damaged { at: 0 }, Lower::Damaged { at: 7 }, Lower::Strange].map(|e| e.hint());
        assert_eq!(hints, [Some("fetch it again".into()), Some("look at byte 7".into()), None]);
        let hints = [Upper::First, Upper::Second(1), Upper::Second(0), Upper::Third].map(|e| e.hint());
        assert_eq!(hints.map(Option::unwrap), ["wait", "wait", "ask", "ask"]);
    }

    #[test]
    fn a_forwarded_variant_has_the_hint_of_its_cause_unless_an_arm_matches_first() {
        assert_eq!(Upper::Lower(Lower::Damaged { at: 0 }).hint().unwrap(), "fetch it again");
        assert_eq!(at(Lower::Damaged { at: 3 }).hint().unwrap(), "look at byte 3");
        assert_eq!(at(Lower::Strange).hint().unwrap(), "compare /x");
    }

    #[test]
    fn a_cancellation_is_seen_through_every_level() {
        let cancelled = || Lower::from(Cancelled);
        let clean_up =
            |error: Upper| Upper::CleanUp { error: Box::new(error), cleanup: "no such file".into() };
        assert!(cancelled().is_cancelled());
        assert!(Upper::from(cancelled()).is_cancelled());
        assert!(at(cancelled()).is_cancelled());
        assert!(clean_up(at(cancelled())).is_cancelled());
        assert_eq!(clean_up(at(cancelled())).hint().unwrap(), "run again; then clean up");
        assert!(!clean_up(Upper::First).is_cancelled());
        assert!(!at(Lower::Strange).is_cancelled());
        assert!(!Upper::Third.is_cancelled());
    }

    #[derive(Debug, thiserror::Error)]
    enum Simple {
        #[error("a")]
        Only,
    }

    hints! { Simple { Only => "b", } }

    #[derive(Debug, thiserror::Error)]
    #[error("{source}, and the end of the list is missing")]
    struct Cut<E> {
        source: Box<E>,
    }

    hints! { struct Cut<E> {
        cancelled source;
        Self { source } => format!("{}; fetch the list", source.hint()?),
    } }

    #[derive(Debug, thiserror::Error)]
    #[error("{source}")]
    struct Wrapped {
        source: Lower,
    }

    hints! { struct Wrapped { forward source; } }

    #[derive(Debug, thiserror::Error)]
    #[error("d")]
    struct Fieldless;

    hints! { struct Fieldless { _ => "e", } }

    #[test]
    fn structs_have_one_arm_or_forward() {
        let cut = |source: Lower| Cut { source: Box::new(source) };
        assert_eq!(cut(Lower::Damaged { at: 0 }).hint().as_deref(), Some("fetch it again; fetch the list"));
        assert_eq!(cut(Lower::Strange).hint(), None);
        assert!(cut(Cancelled.into()).is_cancelled());
        assert!(!cut(Lower::Strange).is_cancelled());
        let wrapped = |source: Lower| Wrapped { source };
        assert_eq!(wrapped(Lower::Damaged { at: 7 }).hint().as_deref(), Some("look at byte 7"));
        assert!(wrapped(Cancelled.into()).is_cancelled());
        assert_eq!((Fieldless.hint().as_deref(), Fieldless.is_cancelled()), (Some("e"), false));
    }

    #[test]
    fn an_enum_without_inner_errors_is_never_cancelled() {
        assert_eq!((Simple::Only.hint().as_deref(), Simple::Only.is_cancelled()), (Some("b"), false));
    }
}
