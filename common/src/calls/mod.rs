//! What becomes of calls: what providers tell, as [`report::Report`]s; what routers make of it, as [`event::CallEvent`]s; and
//! how those travel to the admin plane, in signed [`batch::Batch`]es.

pub mod batch;
pub mod event;
pub mod report;
