//! `tiu etc`: a snapshot's `/etc` as it is now, against its image, and changes of it.

pub mod change;
pub mod reset;
pub mod unified;
pub mod view;
