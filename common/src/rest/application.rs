//! Providers whose numbers have no URLs: those stand on an application, and a number names one.
//!
//! Each account has one application of ours, called [`name`], which is made and set when a number is pointed at it. Where
//! the account's credentials name another, that one is used and left as it is: it may be of a kind that we don't make.

use serde_json::{Map, Value};

use super::numbers::{Held, Webhooks};
use super::{Account, Exchange, Fault, Step};

/// What is set on an application, in the provider's words; empty for what isn't to be set.
pub type Settings = Vec<(&'static str, String)>;

/// An application, as a provider shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Application {
    /// The provider's id of it.
    pub id: String,
    /// What is set on it.
    pub settings: Map<String, Value>,
}

/// How a provider has applications.
pub trait Applications: Copy + Send + Sync + 'static {
    /// What a number calls its application, in [`Held::setup`].
    const LINK: &'static str;

    /// The one that the account's credentials name.
    fn named<'a>(self, account: &Account<'a>) -> Option<&'a str>;

    /// What is to be set on ours.
    fn wanted(self, account: &Account<'_>, webhooks: &Webhooks) -> Settings;

    /// The one of this name.
    ///
    /// # Errors
    /// [`Fault::Stop`] when the account's credentials lack something; here and below.
    fn find(self, account: &Account<'_>, name: &str) -> Result<Exchange<Option<Application>>, Fault>;

    /// Makes one, and tells its id.
    ///
    /// # Errors
    /// As [`Applications::find`].
    fn create(self, account: &Account<'_>, name: &str, wanted: &Settings) -> Result<Exchange<String>, Fault>;

    /// Sets one anew.
    ///
    /// # Errors
    /// As [`Applications::find`].
    fn update(
        self,
        account: &Account<'_>,
        name: &str,
        id: &str,
        wanted: &Settings,
    ) -> Result<Exchange<()>, Fault>;
}

/// The field of [`Held::setup`] under which a number's application is shown, where it is the one that it is to have.
pub const SHOWN: &str = "application";

/// What an account's application is called.
#[must_use]
pub fn name(account: &Account<'_>) -> String {
    format!("dialplane-{}", account.id.0.simple())
}

/// Does what `then` says with the account's application, which is there and set once it is asked.
///
/// # Errors
/// As [`Applications::find`].
pub fn with<A: Applications, T: 'static>(
    applications: A,
    account: &Account<'_>,
    webhooks: &Webhooks,
    then: impl FnOnce(&Account<'_>, &str) -> Result<Exchange<T>, Fault> + Send + 'static,
) -> Result<Exchange<T>, Fault> {
    if let Some(id) = applications.named(account) {
        return then(account, id);
    }
    let (kept, name, wanted) = (account.keep(), name(account), applications.wanted(account, webhooks));
    let found = applications.find(account, &name)?;
    Ok(found.then(move |found| {
        let account = kept.account();
        let set = match found {
            Some(found) if differing(&found.settings, &wanted).is_empty() => {
                return then(&account, &found.id).map(Step::Next);
            }
            Some(Application { id, .. }) => {
                applications.update(&account, &name, &id, &wanted)?.map(move |()| id)
            }
            None => applications.create(&account, &name, &wanted)?,
        };
        Ok(Step::Next(set.then(move |id| then(&kept.account(), &id).map(Step::Next))))
    }))
}

/// Numbers that were read, those that have the account's application with what stands on it.
///
/// # Errors
/// As [`Applications::find`].
pub fn show<A: Applications, T: Send + 'static>(
    applications: A,
    account: &Account<'_>,
    read: Exchange<T>,
    numbers: fn(&mut T) -> &mut [Held],
) -> Exchange<T> {
    let (kept, name) = (account.keep(), name(account));
    read.then(move |mut read| {
        let account = kept.account();
        if let Some(id) = applications.named(&account) {
            let named = Application { id: id.to_owned(), settings: Map::new() };
            show_one::<A>(numbers(&mut read), &named);
            return Ok(Step::Done(read));
        }
        if numbers(&mut read).is_empty() {
            return Ok(Step::Done(read));
        }
        let found = applications.find(&account, &name)?;
        Ok(Step::Next(found.map(move |found| {
            if let Some(found) = found {
                show_one::<A>(numbers(&mut read), &found);
            }
            read
        })))
    })
}

fn show_one<A: Applications>(numbers: &mut [Held], application: &Application) {
    for held in numbers {
        if held.setup.get(A::LINK).and_then(Value::as_str) == Some(&application.id) {
            held.setup.insert(SHOWN.to_owned(), Value::Object(application.settings.clone()));
        }
    }
}

/// What of a number isn't as it is to be: that it has another application, or what isn't set on ours.
pub fn drift<A: Applications>(
    applications: A,
    account: &Account<'_>,
    number: &Held,
    webhooks: &Webhooks,
) -> Vec<String> {
    let shown = number.setup.get(SHOWN).and_then(Value::as_object);
    match (shown, applications.named(account)) {
        (None, _) => vec![A::LINK.to_owned()],
        (Some(_), Some(_)) => Vec::new(),
        (Some(settings), None) => {
            let differing = differing(settings, &applications.wanted(account, webhooks));
            differing.into_iter().map(|name| format!("{SHOWN}.{name}")).collect()
        }
    }
}

/// The settings that are otherwise. What isn't set is null, absent or empty; methods are written in either case.
fn differing(settings: &Map<String, Value>, wanted: &Settings) -> Vec<&'static str> {
    let is_so = |(name, wanted): &&(&'static str, String)| match settings.get(*name) {
        None | Some(Value::Null) => wanted.is_empty(),
        Some(Value::String(is)) if name.ends_with("method") => is.eq_ignore_ascii_case(wanted),
        Some(Value::String(is)) => is == wanted,
        Some(Value::Bool(is)) => wanted.parse() == Ok(*is),
        Some(_) => false,
    };
    wanted.iter().filter(|setting| !is_so(setting)).map(|(name, _)| *name).collect()
}
