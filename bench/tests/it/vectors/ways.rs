//! The providers' ways of signing, and the wrong ones that their files try.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialplane_bench::signing::{
    bland, elevenlabs, jambonz, jwt, livekit, mac, plivo, retell, signalwire, telnyx, twilio, vapi, vonage,
};

use super::fixture::{Secret, Vector, borrowed};
use super::scheme::{Scheme, Spot};

const NOTHING_SIGNED: Scheme = Scheme { signatures: &[], times: &[], ways: &[] };

pub const TWILIO: Scheme = Scheme {
    signatures: &[Spot::Header("X-Twilio-Signature")],
    times: &[],
    ways: &[
        |covered, _, secret| twilio_sha1(covered, covered.url.clone(), secret),
        |covered, _, secret| {
            let key = of_type(secret, "shared_key")?;
            Some(twilio::sha256_signature(key, &covered.url, &borrowed(&covered.posted())))
        },
        |covered, _, secret| twilio_sha1(covered, without_port(&covered.url)?, secret),
        |covered, _, secret| twilio_sha1(covered, with_port(&covered.url)?, secret),
        // Wrong: fragments stay with the provider; parameters of the query in another order.
        |covered, _, secret| twilio_sha1(covered, format!("{}#rc=2&rp=ct,rt", covered.url), secret),
        |covered, _, secret| {
            let (base, query) = covered.url.split_once('?')?;
            let mut query: Vec<&str> = query.split('&').collect();
            query.sort_unstable();
            twilio_sha1(covered, format!("{base}?{}", query.join("&")), secret)
        },
    ],
};

fn twilio_sha1(covered: &Vector, url: String, secret: &Secret) -> Option<String> {
    Some(twilio::signature(of_type(secret, "auth_token")?, &url, &borrowed(&covered.posted())))
}

/// The URL without its port, where it has one.
fn without_port(url: &str) -> Option<String> {
    let (start, end) = host(url)?;
    let port = url[start..end].find(':').map_or(end, |at| start + at);
    Some(format!("{}{}", &url[..port], &url[end..]))
}

/// The URL with its port: its own, else that of its scheme.
fn with_port(url: &str) -> Option<String> {
    let (start, end) = host(url)?;
    let port = match (url[start..end].contains(':'), url.starts_with("https:")) {
        (true, _) => "",
        (false, true) => ":443",
        (false, false) => ":80",
    };
    Some(format!("{}{port}{}", &url[..end], &url[end..]))
}

/// Where host and port stand.
fn host(url: &str) -> Option<(usize, usize)> {
    let start = url.find("://")? + 3;
    Some((start, start + url[start..].find('/')?))
}

pub const PLIVO: Scheme = Scheme {
    signatures: &[
        Spot::Header("X-Plivo-Signature-V3"),
        Spot::Header("X-Plivo-Signature-Ma-V3"),
        Spot::Header("X-Plivo-Signature-V2"),
        Spot::Header("X-Plivo-Signature-Ma-V2"),
    ],
    times: &[],
    ways: &[
        |covered, _, secret| {
            let nonce = covered.header("X-Plivo-Signature-V3-Nonce")?;
            Some(plivo::v3(&secret.value, &covered.url, &borrowed(&covered.posted()), nonce))
        },
        |covered, _, secret| {
            Some(plivo::v2(&secret.value, &covered.url, covered.header("X-Plivo-Signature-V2-Nonce")?))
        },
        // Wrong: the way of messages, for a call.
        |covered, _, secret| {
            Some(plivo::v2(&secret.value, &covered.url, covered.header("X-Plivo-Signature-V3-Nonce")?))
        },
    ],
};

/// Its headers carry the password itself, and stay as they are.
pub const BANDWIDTH: Scheme = NOTHING_SIGNED;

pub const SIGNALWIRE: Scheme = Scheme {
    signatures: &[Spot::Header("X-SignalWire-Signature"), Spot::Header("X-Twilio-Signature")],
    times: &[],
    ways: &[
        |covered, _, secret| signalwire_form(covered, &covered.url, secret),
        |covered, _, secret| {
            let json = covered.is_json();
            json.then(|| signalwire::json_signature(&secret.value, &covered.url, covered.body.as_bytes()))
        },
        |covered, _, secret| signalwire_form(covered, &without_port(&covered.url)?, secret),
        // Wrong: the digits of JSON, for a form.
        |covered, _, secret| {
            let code = STANDARD.decode(signalwire_form(covered, &covered.url, secret)?).ok()?;
            Some(mac::hex(&code))
        },
    ],
};

fn signalwire_form(covered: &Vector, url: &str, secret: &Secret) -> Option<String> {
    let form = !covered.is_json();
    form.then(|| signalwire::form_signature(&secret.value, url, &borrowed(&covered.posted())))
}

pub const TELNYX: Scheme = Scheme {
    signatures: &[Spot::Header("Telnyx-Signature-Ed25519")],
    times: &[Spot::Header("Telnyx-Timestamp")],
    ways: &[
        |covered, _, secret| {
            let timestamp = covered.header("Telnyx-Timestamp")?;
            Some(telnyx::signature(&secret.seed, timestamp, covered.body.as_bytes()))
        },
        // Wrong: another separator. The first part of what is signed then ends with it.
        |covered, _, secret| {
            let (timestamp, body) = (covered.header("Telnyx-Timestamp")?, &covered.body);
            Some(telnyx::signature_of(&secret.seed, format!("{timestamp}.{body}").as_bytes()))
        },
    ],
};

pub const VONAGE: Scheme = Scheme {
    signatures: &[Spot::Header("Authorization"), Spot::Parameter("sig")],
    times: &[Spot::Parameter("timestamp")],
    ways: &[
        |covered, _, secret| {
            let hash = match &*covered.method {
                "GET" => vonage::query_hash(&covered.url),
                _ => vonage::body_hash(covered.body.as_bytes()),
            };
            token(covered, of_type(secret, "signature_secret")?, "payload_hash", &hash)
        },
        |covered, _, secret| {
            let value = of_type(secret, "sms_signature_secret")?;
            Some(vonage::sms_signature(&secret.method, value, &borrowed(&covered.parameters())))
        },
    ],
};

pub const LIVEKIT: Scheme = Scheme {
    signatures: &[Spot::Header("Authorization")],
    times: &[],
    ways: &[|covered, _, secret| {
        token(covered, &secret.value, "sha256", &livekit::body_hash(covered.body.as_bytes()))
    }],
};

/// The token that a request shows, with another hash of what it covers where it has one.
fn token(covered: &Vector, secret: &str, hash_name: &str, hash: &str) -> Option<String> {
    let shown = covered.header("Authorization")?;
    let at = shown.rfind(' ').map_or(0, |at| at + 1);
    let (header, mut claims) = jwt::parts(&shown[at..])?;
    let name = format!("\"{hash_name}\":\"");
    if let Some(start) = claims.find(&name).map(|at| at + name.len()) {
        let end = start + claims[start..].find('"')?;
        claims.replace_range(start..end, hash);
    }
    Some(format!("{}{}", &shown[..at], jwt::token(secret.as_bytes(), &header, &claims)))
}

pub const JAMBONZ: Scheme = Scheme {
    signatures: &[Spot::Header("Jambonz-Signature")],
    times: &[],
    ways: &[
        |covered, shown, secret| stamped(covered, shown, "Jambonz-Signature", secret, jambonz::signature),
        // Wrong: another name.
        |covered, shown, secret| {
            let text = stamped(covered, shown, "Jambonz-Signature", secret, jambonz::signature)?;
            Some(text.replace("v1=", "v0="))
        },
    ],
};

pub const ELEVENLABS: Scheme = Scheme {
    signatures: &[Spot::Header("ElevenLabs-Signature")],
    times: &[],
    ways: &[
        |covered, shown, secret| {
            stamped(covered, shown, "ElevenLabs-Signature", secret, elevenlabs::signature)
        },
        // Wrong: another name; nothing but the body; the secret without its beginning.
        |covered, shown, secret| {
            let text = stamped(covered, shown, "ElevenLabs-Signature", secret, elevenlabs::signature)?;
            Some(text.replace("v0=", "v1="))
        },
        |covered, shown, secret| {
            stamped(covered, shown, "ElevenLabs-Signature", secret, |secret, time, body| {
                format!("t={time},v0={}", bland::signature(secret, body))
            })
        },
        |covered, shown, secret| {
            let value = secret.value.strip_prefix("wsec_")?.to_owned();
            let secret = Secret { value, ..secret.clone() };
            stamped(covered, shown, "ElevenLabs-Signature", &secret, elevenlabs::signature)
        },
    ],
};

pub const RETELL: Scheme = Scheme {
    signatures: &[Spot::Header("X-Retell-Signature")],
    times: &[],
    ways: &[
        |covered, shown, secret| stamped(covered, shown, "X-Retell-Signature", secret, retell::signature),
        // Wrong: the time before the body.
        |covered, shown, secret| {
            stamped(covered, shown, "X-Retell-Signature", secret, |secret, time, body| {
                format!("v={time},d={}", bland::signature(secret, &[time.as_bytes(), body].concat()))
            })
        },
    ],
};

/// A signature over the covered request's time and body, beside the time that is shown.
fn stamped(
    covered: &Vector,
    shown: &Vector,
    header: &str,
    secret: &Secret,
    sign: fn(&str, &str, &[u8]) -> String,
) -> Option<String> {
    let time = |vector: &Vector| {
        let text = vector.header(header)?.get(2..)?;
        Some(text.split(',').next()?.to_owned())
    };
    let (signed, shown) = (time(covered)?, time(shown)?);
    Some(sign(&secret.value, &signed, covered.body.as_bytes()).replacen(&signed, &shown, 1))
}

pub const BLAND: Scheme = Scheme {
    signatures: &[Spot::Header("X-Webhook-Signature")],
    times: &[],
    ways: &[|covered, _, secret| Some(bland::signature(&secret.value, covered.body.as_bytes()))],
};

pub const VAPI: Scheme = Scheme {
    signatures: &[Spot::Header("x-signature"), Spot::Header("x-vapi-signature")],
    times: &[Spot::Header("x-timestamp")],
    ways: &[
        |covered, _, secret| vapi_hmac(covered, &covered.body, secret),
        // Wrong: the same JSON with blanks.
        |covered, _, secret| vapi_hmac(covered, &spaced(&covered.body), secret),
    ],
};

fn vapi_hmac(covered: &Vector, body: &str, secret: &Secret) -> Option<String> {
    let plan = |name: &str| covered.auth[name].as_str().unwrap_or_default();
    let key = of_type(secret, "hmac_key")?;
    let timestamp = covered.header("x-timestamp").unwrap_or_default();
    let format = plan("payloadFormat");
    let whole = !format.is_empty() && (!timestamp.is_empty() || !format.contains("{timestamp}"));
    whole.then(|| vapi::hmac(key.as_bytes(), plan("signaturePrefix"), format, timestamp, body))
}

/// Compact JSON as Python writes it: a blank behind each colon and comma outside texts.
fn spaced(json: &str) -> String {
    let (mut out, mut text, mut escaped) = (String::new(), false, false);
    for character in json.chars() {
        out.push(character);
        text ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        if !text && matches!(character, ':' | ',') {
            out.push(' ');
        }
    }
    out
}

fn of_type<'s>(secret: &'s Secret, wanted: &str) -> Option<&'s str> {
    (secret.r#type == wanted).then_some(&*secret.value)
}
