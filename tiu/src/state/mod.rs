//! What a snapshot says of itself: where its image comes from, and what was made on the host.

pub mod provenance;
pub mod record;
