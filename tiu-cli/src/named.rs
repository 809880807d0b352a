//! Arguments with a fixed set of names, which the libraries define without clap.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use tiu_system::named::Named;

/// Returns the parser of an argument of type `T`. Its names and their help appear in `--help`.
pub fn named<T: Named>() -> impl TypedValueParser<Value = T> {
    let values = T::NAMES.iter().map(|(_, name, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(values).try_map(|name| T::from_name(&name).ok_or("not one of the names"))
}
