//! A form decoded in the plainest way there is, to compare with.

use super::{FIELDS_MAX, Form, FormError, plain, spare};

/// Names and values in the order received.
fn decode(bytes: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    let mut fields = Vec::new();
    let mut at = 0;
    for part in bytes.split(|byte| *byte == b'&') {
        if fields.len() == FIELDS_MAX && at < bytes.len() {
            return Err(FormError::TooMany);
        }
        let name_end = part.iter().position(|byte| *byte == b'=');
        let (name, value) = part.split_at(name_end.unwrap_or(part.len()));
        let name = decode_text(name, at)?;
        let value = match value {
            [] => Vec::new(),
            [_, value @ ..] => decode_text(value, at + name_end.unwrap() + 1)?,
        };
        if name_end.is_some() || !name.is_empty() {
            fields.push((name, value));
        }
        at += part.len() + 1;
    }
    let text = |bytes| String::from_utf8(bytes).map_err(|_| FormError::Utf8);
    fields.into_iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

fn decode_text(bytes: &[u8], from: usize) -> Result<Vec<u8>, FormError> {
    let mut text = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits =
                    bytes.get(at + 1..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                let digits = digits.ok_or(FormError::Percent { at: from + at })?;
                text.push(u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap());
                at += 2;
            }
            b'+' => text.push(b' '),
            byte => text.push(byte),
        }
        at += 1;
    }
    Ok(text)
}

fn check(bytes: &[u8]) {
    let owned = |form: &Form| form.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let shown = String::from_utf8_lossy(bytes);
    let expected = decode(bytes);
    let form = Form::parse(bytes);
    assert_eq!(form.as_ref().map(owned).map_err(|error| *error), expected, "{shown}");
    let mut decoded = spare::take();
    let plain = plain::decode(bytes, &mut decoded).map(|()| Form(Some(decoded)));
    assert_eq!(plain.as_ref().map(owned).map_err(|error| *error), expected, "{shown}");

    let (Ok(form), Ok(mut fields)) = (form, expected) else { return };
    for (name, _) in &fields {
        let values: Vec<_> = fields.iter().filter(|field| field.0 == *name).map(|field| &*field.1).collect();
        assert_eq!(form.get(name), Some(values[0]), "{name} in {shown}");
        assert_eq!(
            form.is_ambiguous(name),
            values.iter().any(|value| *value != values[0]),
            "{name} in {shown}"
        );
    }
    fields.sort();
    let mut sorted = Vec::new();
    form.each_sorted(|name, value| sorted.push((name.to_owned(), value.to_owned())));
    assert_eq!(sorted, fields, "{shown}");
    fields.dedup();
    let text: String = fields.into_iter().map(|(name, value)| name + &value).collect();
    assert_eq!(form.sorted_text(), text, "{shown}");
}

/// A Twilio webhook, its parameters sorted.
const USUAL: &str = "AccountSid=AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c&ApiVersion=2010-04-01&CallSid=CA8d2f4b6a0c1e3d5f7\
    &CallStatus=ringing&CallToken=%7B%22parentCallInfoToken%22%3A%22eyJhbGci%22%7D&Called=%2B14155550123\
    &CalledCity=SAN+FRANCISCO&CalledCountry=US&CalledState=CA&Caller=%2B15105550198&From=%2b15105550198&To=%2B1415";

#[test]
fn usual_forms_of_any_length_are_read_alike() {
    (0..=USUAL.len()).for_each(|length| check(&USUAL.as_bytes()[..length]));
    (0..=USUAL.len()).for_each(|start| check(&USUAL.as_bytes()[start..]));
}

/// Numbers that look drawn, the same ones each time.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 33) as usize % below
    }
}

#[test]
fn changed_forms_are_read_alike() {
    let mut random = random();
    let other = "a=%c3%a9&name=José&CallSid=%E2%82%AC&=&b".repeat(4);
    for round in 0..30_000 {
        let mut bytes = if round % 4 == 0 { other.clone() } else { USUAL.to_owned() }.into_bytes();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes.insert(at, b"&=%+0"[random(5)]),
                1 => drop(bytes.remove(at)),
                _ => bytes[at] = random(256) as u8,
            }
        }
        check(&bytes);
    }
}

#[test]
fn any_bytes_are_read_alike() {
    let mut random = random();
    // Few bytes that mean something, so that they meet.
    let alphabets: [&[u8]; 3] = [b"ab=&", b"a=&%+4fF0", b"ab=&=&%25\0\x7f\xc3\xa9"];
    for round in 0..30_000 {
        let alphabet = alphabets[round % 3];
        let bytes: Vec<_> = (0..random(200)).map(|_| alphabet[random(alphabet.len())]).collect();
        check(&bytes);
    }
}

#[test]
fn many_parameters_are_read_alike() {
    for count in [1, 60, 62, 63, 64, 65, 100, 999, 1000, 1001] {
        for part in ["a=1&", "=&", "a&", "&", "abcdefgh=%41&", "=", "long-names-that-begin-alike=1&"] {
            let many = part.repeat(count);
            check(many.as_bytes());
            check(many.trim_end_matches('&').as_bytes());
        }
    }
    ["&", "=&", "%", "%26", "="].iter().for_each(|part| check(part.repeat(65_536 / part.len()).as_bytes()));
    let ascending: Vec<_> = (0..64).map(|index| format!("prefix-{index:03}={index}")).collect();
    check(ascending.join("&").as_bytes());
    check(b"a=1&a%00=2&a%00%00=3");
    check(b"a%00=1&a=2");
}
