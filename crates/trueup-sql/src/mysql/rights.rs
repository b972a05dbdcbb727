//! stub
pub(super) fn control(_: &super::session::Connection) -> trueup_core::Result<Vec<String>> { Ok(Vec::new()) }
