//! To be filled by the pages that need it.
