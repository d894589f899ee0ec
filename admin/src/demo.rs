//! `demo`: a tenant with a number, made over REST once, and a signed call to it.
use crate::Failure;
use crate::config::DemoArguments;
/// Runs the command.
///
/// # Errors
/// When the admin plane refuses or can't be reached.
pub async fn run(_arguments: DemoArguments) -> Result<(), Failure> {
    Ok(())
}
