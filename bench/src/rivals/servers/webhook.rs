//! A Twilio webhook with nothing around it: one pass over the form, one HMAC, one lookup, one document.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::numbers::Numbers;
use crate::calls::{AUTH_TOKEN, PUBLIC_URL};

/// The media type of documents.
pub const MEDIA_TYPE: &str = "text/xml; charset=utf-8";

/// What answers webhooks.
pub struct Webhook {
    numbers: Numbers,
    /// The token's block is hashed already.
    token: Hmac<Sha1>,
}

/// Why there is no document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The signature isn't the account's: 403.
    Signature,
    /// Nobody has the number: 404.
    Number,
}

impl Refused {
    pub fn status(self) -> u16 {
        match self {
            Self::Signature => 403,
            Self::Number => 404,
        }
    }
}

impl Webhook {
    /// Answers for these numbers.
    ///
    /// # Errors
    /// When the token is no key: HMAC takes keys of any length, so never.
    pub fn new(numbers: Numbers) -> Result<Self, String> {
        let token = Hmac::new_from_slice(AUTH_TOKEN.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self { numbers, token })
    }

    /// Appends the document of the call to `document`.
    pub fn answer(
        &self,
        target: &str,
        signature: &[u8],
        body: &[u8],
        document: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let form = Form::decode(body);
        self.verify(target, signature, &form)?;
        let [call_sid, from, to] = [&b"CallSid"[..], b"From", b"To"].map(|name| form.value(name));
        let url = self.numbers.stream_url(to).ok_or(Refused::Number)?;
        let parts: [&[u8]; 9] = [
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream url=\"",
            url.as_bytes(),
            b"\"><Parameter name=\"call_id\" value=\"",
            call_sid,
            b"\"/><Parameter name=\"from\" value=\"",
            from,
            b"\"/><Parameter name=\"to\" value=\"",
            to,
            b"\"/></Stream></Connect></Response>",
        ];
        parts.iter().for_each(|part| document.extend_from_slice(part));
        Ok(())
    }

    /// Source: <https://www.twilio.com/docs/usage/security>.
    fn verify(&self, target: &str, signature: &[u8], form: &Form) -> Result<(), Refused> {
        let mut sent = [0; 24];
        let length = STANDARD.decode_slice(signature, &mut sent).map_err(|_| Refused::Signature)?;
        let mut mac = self.token.clone();
        mac.update(PUBLIC_URL.as_bytes());
        mac.update(target.as_bytes());
        form.sign(&mut mac);
        mac.verify_slice(&sent[..length]).map_err(|_| Refused::Signature)
    }
}

/// A form, decoded: names and values one after the other, and where each begins.
struct Form {
    text: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone, Copy)]
struct Field {
    name: usize,
    value: usize,
    end: usize,
}

impl Form {
    /// Source: <https://url.spec.whatwg.org/#urlencoded-parsing>.
    fn decode(body: &[u8]) -> Self {
        let mut form = Self { text: Vec::with_capacity(body.len()), fields: Vec::with_capacity(32) };
        let mut field = Field { name: 0, value: 0, end: 0 };
        let mut in_name = true;
        let mut at = 0;
        while at < body.len() {
            match body[at] {
                b'=' if in_name => {
                    field.value = form.text.len();
                    in_name = false;
                }
                b'&' => {
                    form.end_field(field, in_name);
                    field.name = form.text.len();
                    in_name = true;
                }
                b'+' => form.text.push(b' '),
                b'%' => match body.get(at + 1..at + 3).and_then(escaped) {
                    Some(byte) => {
                        form.text.push(byte);
                        at += 2;
                    }
                    None => form.text.push(b'%'),
                },
                byte => form.text.push(byte),
            }
            at += 1;
        }
        form.end_field(field, in_name);
        form
    }

    fn end_field(&mut self, field: Field, in_name: bool) {
        let end = self.text.len();
        if end > field.name {
            self.fields.push(Field { value: if in_name { end } else { field.value }, end, ..field });
        }
    }

    fn value(&self, name: &[u8]) -> &[u8] {
        let found = self.fields.iter().find(|field| &self.text[field.name..field.value] == name);
        found.map_or(b"", |field| &self.text[field.value..field.end])
    }

    /// Names and values, sorted by name. Twilio sends them sorted: then they already are the text to sign.
    fn sign(&self, mac: &mut Hmac<Sha1>) {
        let pair = |field: &Field| (&self.text[field.name..field.value], &self.text[field.value..field.end]);
        if self.fields.is_sorted_by_key(pair) {
            return mac.update(&self.text);
        }
        let mut pairs: Vec<_> = self.fields.iter().map(pair).collect();
        pairs.sort_unstable();
        for (name, value) in pairs {
            mac.update(name);
            mac.update(value);
        }
    }
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::TempDir;
    use crate::{calls, workload};

    fn webhook() -> Webhook {
        let dir = TempDir::new();
        let path = dir.path("numbers");
        std::fs::write(&path, "+12125550001 wss://a.example/1\n+12125550002 wss://a.example/2\n").unwrap();
        Webhook::new(Numbers::read(&path).unwrap()).unwrap()
    }

    fn answer(signature: &str, body: &str) -> Result<String, Refused> {
        let target = format!("/webhooks/twilio/voice/{}", workload::ACCOUNT);
        let mut document = Vec::new();
        let answered = webhook().answer(&target, signature.as_bytes(), body.as_bytes(), &mut document);
        answered.map(|()| String::from_utf8(document).unwrap())
    }

    #[test]
    fn a_signed_call_gets_its_numbers_stream_in_any_order_of_its_fields() {
        let (signature, body) = calls::signed("CA1", "+12125550002");
        let document = answer(&signature, &body).unwrap();
        assert!(document.contains("url=\"wss://a.example/2\"") && document.contains("value=\"CA1\""));
        let reversed: Vec<&str> = body.split('&').rev().collect();
        assert_eq!(answer(&signature, &reversed.join("&")).unwrap(), document);
    }

    #[test]
    fn what_is_not_signed_or_not_known_is_refused() {
        let (signature, body) = calls::signed("CA1", "+12125550002");
        let altered = body.replace("SAN+FRANCISCO", "SAN+FRANCISC0");
        assert_eq!(answer(&signature, &altered), Err(Refused::Signature));
        assert_eq!(answer("", &body), Err(Refused::Signature));
        let (signature, body) = calls::signed("CA1", "+12125550003");
        assert_eq!(answer(&signature, &body), Err(Refused::Number));
    }
}
