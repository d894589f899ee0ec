//! Buying a number: always an exact one. Nothing but the number tells afterwards who bought it.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::number::{bare, number};
use crate::provider::plivo::api::{fault, request};
use crate::rest::numbers::{Held, HeldState, Order};
use crate::rest::{Account, Exchange, Fault, Reply};

/// Buys a number, for the application of this id.
pub fn buy(account: &Account<'_>, order: &Order, application: &str) -> Result<Exchange<Held>, Fault> {
    #[derive(Deserialize)]
    struct Answer {
        numbers: Vec<Bought>,
        status: String,
    }
    #[derive(Deserialize)]
    struct Bought {
        number: String,
        status: String,
    }
    let wanted = order.exact()?;
    let below = format!("PhoneNumber/{}/", wanted.to_u64());
    let request = request(account, "plivo.numbers.buy", Method::POST, &below)?;
    let setup = [("app_id".to_owned(), application.into())].into_iter().collect();
    Ok(Exchange::last(request.json(&json!({"app_id": application})), move |reply| {
        if !reply.is_success() {
            return Err(refusal(&reply));
        }
        let answer: Answer = reply.json()?;
        let Some(bought) = answer.numbers.iter().find(|bought| number(&bought.number) == Some(wanted)) else {
            return Err(Fault::unclear(format!("bought {wanted}, and the answer is about something else")));
        };
        let state = match (&*answer.status, &*bought.status.to_ascii_lowercase()) {
            ("fulfilled", "success") => HeldState::Active,
            // A person has to provide documents.
            ("pending", _) => HeldState::Pending,
            (order, number) => {
                return Err(Fault::unclear(format!(
                    "bought {wanted}: the order is {order}, the number {number}"
                )));
            }
        };
        Ok(Held { setup, ..bare(wanted.to_u64().to_string(), state) })
    }))
}

/// A number that nobody may buy any more isn't told apart from one that wants documents: another one may do.
fn refusal(reply: &Reply) -> Fault {
    match (reply.status, fault(reply)) {
        (400 | 404 | 409 | 422, Fault::Stop { reason, .. } | Fault::Gone { reason }) => {
            Fault::elsewhere("number_refused", reason)
        }
        (_, fault) => fault,
    }
}
