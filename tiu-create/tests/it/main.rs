//! The builder as a distributor runs it: the built program, and the bundles that it makes.
//!
//! Needs root and loop devices.

mod hosts;
mod keygen;
mod other_tools;
mod outputs;
mod pack_every_kind;
mod pack_interrupted;
mod pack_recipe;
mod pack_reproducible;
mod pack_var;
mod place;
mod sign;
