//! How a request was signed, found out from the request; and the same done again for another URL at another time.
//!
//! A signature says by itself what it was made of: of all ways of signing, all secrets and all requests in a provider's
//! file, those that give just this text. So a request that went bad goes bad in the same way when it is signed again,
//! without anybody's telling: what was signed is another request than what is sent, or the way isn't the right one.

use dialplane_bench::signing::jwt;

use super::fixture::{Secret, Vector};

/// A place in a request.
#[derive(Clone, Copy)]
pub enum Spot {
    /// A header's value.
    Header(&'static str),
    /// A parameter's value: in the query, a form, or at the top of a JSON object.
    Parameter(&'static str),
}

/// Computes what stands at a signature's place: it covers the first request and is shown by the second, which
/// differ when something was changed after signing. `None` when the secret or the request isn't of this way.
pub type Way = fn(&Vector, &Vector, &Secret) -> Option<String>;

/// How a provider signs.
pub struct Scheme {
    /// Where signatures stand.
    pub signatures: &'static [Spot],
    /// Where a time stands by itself.
    pub times: &'static [Spot],
    /// The right ways of signing, then the wrong ones that somebody tried.
    pub ways: &'static [Way],
}

/// How one signature came to be.
#[derive(Clone)]
struct Made {
    way: Way,
    secret: Secret,
    covers: usize,
    damage: Damage,
}

/// What was done to a signature afterwards.
#[derive(Clone, Copy)]
enum Damage {
    None,
    UpperCase,
    ShortenedTo(usize),
    ChangedAt(usize),
}

/// Where and when a request is to be sent instead.
pub struct Place<'a> {
    pub origin: &'a str,
    pub path: &'a str,
    pub now_s: i64,
}

/// A secret of nobody in a file.
const NOBODY: &str = "a-secret-of-nobody-0123456789";

impl Scheme {
    /// The names of the requests with a signature that nothing in the file explains: made with an unknown secret.
    pub fn unexplained<'v>(&self, vectors: &'v [Vector]) -> Vec<&'v str> {
        let unknown = |index: &usize| {
            let vector = &vectors[*index];
            let mut shown = self.signatures.iter().filter_map(|spot| spot.get(vector));
            shown.any(|text| signatures(&text).any(|one| self.explain(vectors, *index, one).is_none()))
        };
        (0..vectors.len()).filter(unknown).map(|index| &*vectors[index].name).collect()
    }

    /// The same request for another place: as old as it was, signed as it was, gone bad as it had.
    pub fn resigned(&self, vectors: &[Vector], index: usize, place: &Place<'_>) -> Vector {
        self.changed(vectors, index, place, |_| {})
    }

    /// The same, with a change before it is signed.
    pub fn changed(
        &self,
        vectors: &[Vector],
        index: usize,
        place: &Place<'_>,
        change: impl Fn(&mut Vector),
    ) -> Vector {
        let own = &vectors[index];
        let mut moved: Vec<Vector> = vectors.iter().map(|vector| self.moved(vector, own, place)).collect();
        change(&mut moved[index]);
        let mut sent = moved[index].clone();
        for spot in self.signatures {
            let Some(text) = spot.get(own) else { continue };
            let again = |signature: &str| match self.explain(vectors, index, signature) {
                Some(made) => {
                    let (covered, shown) = (&moved[made.covers], &moved[index]);
                    let text = (made.way)(covered, shown, &made.secret);
                    // What says something else now may have to be signed in another way.
                    let text =
                        text.or_else(|| self.ways.iter().find_map(|way| way(covered, shown, &made.secret)));
                    made.damage.apply(text.expect("what was signed can be signed again"))
                }
                None => self.signed_by_nobody(&moved[index]),
            };
            let signed: Vec<String> = signatures(&text).map(again).collect();
            spot.set(&mut sent, &signed.join(","));
        }
        sent
    }

    fn signed_by_nobody(&self, vector: &Vector) -> String {
        let mut secret = vector.secrets.first().expect("a secret").clone();
        (secret.value, secret.seed) = (NOBODY.into(), [7; 32]);
        let text = self.ways.iter().find_map(|way| way(vector, vector, &secret));
        text.expect("there is a way to sign")
    }

    /// How a signature came to be; its own request, its own secrets and the right ways come first.
    fn explain(&self, vectors: &[Vector], index: usize, signature: &str) -> Option<Made> {
        let own = &vectors[index];
        let others = (0..vectors.len()).filter(|other| *other != index);
        let mut near = None;
        for covers in std::iter::once(index).chain(others) {
            let secrets = own.secrets.iter().chain(vectors.iter().flat_map(|vector| &vector.secrets));
            for secret in secrets {
                for way in self.ways {
                    let Some(text) = way(&vectors[covers], own, secret) else { continue };
                    let Some(damage) = Damage::between(&text, signature) else { continue };
                    let made = Made { way: *way, secret: secret.clone(), covers, damage };
                    if matches!(damage, Damage::None) {
                        return Some(made);
                    }
                    near.get_or_insert(made);
                }
            }
        }
        near
    }

    /// A request of the same file beside `own`, which goes to `place`: where their URLs differ they still do.
    fn moved(&self, vector: &Vector, own: &Vector, place: &Place<'_>) -> Vector {
        let mut moved = vector.clone();
        let ((scheme, path), (own_scheme, own_path)) = (parts(&vector.url), parts(&own.url));
        let origin = match scheme == own_scheme {
            true => place.origin.to_owned(),
            false => place.origin.replacen("http:", "https:", 1),
        };
        let path = match (path == own_path, place.path == own_path) {
            (true, _) => place.path.to_owned(),
            (false, true) => path.to_owned(),
            (false, false) => format!("{}/other", place.path),
        };
        let query = vector.url.find('?').map_or("", |at| &vector.url[at..]);
        moved.url = format!("{origin}{path}{query}");
        let shift_s = own.now.map_or(0, |now| place.now_s - now);
        for spot in self.times {
            if let Some(text) = spot.get(vector) {
                spot.set(&mut moved, &later(&text, shift_s));
            }
        }
        for spot in self.signatures {
            if let Some(text) = spot.get(vector) {
                spot.set(&mut moved, &stamped_later(&text, shift_s));
            }
        }
        moved
    }
}

/// A header may have several, with commas between. A comma before a name is part of one signature.
fn signatures(text: &str) -> impl Iterator<Item = &str> {
    let named = text.contains(",v") || text.contains(",d=");
    text.split(move |character| character == ',' && !named).filter(|signature| !signature.is_empty())
}

/// Scheme and path of a URL.
fn parts(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").expect("an absolute URL");
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    (scheme, path.split('?').next().unwrap_or_default())
}

/// Digits of a time in seconds, or in milliseconds where there are thirteen.
fn later(digits: &str, shift_s: i64) -> String {
    match digits.parse::<i64>() {
        Ok(time) if digits.len() == 13 => (time + shift_s * 1_000).to_string(),
        Ok(time) => (time + shift_s).to_string(),
        Err(_) => digits.to_owned(),
    }
}

/// A signature that holds its time, with a later one; it doesn't match any more.
fn stamped_later(text: &str, shift_s: i64) -> String {
    if let Some((header, claims)) = text.rsplit(' ').next().and_then(jwt::parts) {
        let mut claims = claims;
        for name in ["iat", "nbf", "exp"] {
            claims = replaced_digits(&claims, &format!("\"{name}\":"), shift_s);
        }
        let prefix = text.rfind(' ').map_or("", |at| &text[..=at]);
        return format!("{prefix}{}", jwt::token(b"", &header, &claims));
    }
    let stamped = ["t=", "v="].into_iter().find(|name| text.starts_with(name));
    stamped.map_or_else(|| text.to_owned(), |name| replaced_digits(text, name, shift_s))
}

fn replaced_digits(text: &str, name: &str, shift_s: i64) -> String {
    let Some(start) = text.find(name).map(|at| at + name.len()) else { return text.to_owned() };
    let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text[start..].split_at(digits);
    format!("{}{}{rest}", &text[..start], later(digits, shift_s))
}

impl Spot {
    fn get(self, vector: &Vector) -> Option<String> {
        match self {
            Self::Header(name) => vector.header(name).map(str::to_owned),
            Self::Parameter(name) => {
                vector.parameters().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
            }
        }
    }

    /// Only where something stood.
    fn set(self, vector: &mut Vector, text: &str) {
        let Some(old) = self.get(vector) else { return };
        match self {
            Self::Header(name) => {
                for (_, value) in
                    vector.headers.iter_mut().filter(|(known, _)| known.eq_ignore_ascii_case(name))
                {
                    text.clone_into(value);
                }
            }
            Self::Parameter(name) => {
                let json = |value: &str| format!("\"{name}\":\"{value}\"");
                let field = |value: &str| format!("&{name}={value}");
                vector.body =
                    vector.body.replace(&json(&old), &json(text)).replace(&field(&old), &field(text));
                vector.url = vector.url.replace(&field(&old), &field(text));
            }
        }
    }
}

impl Damage {
    fn between(right: &str, shown: &str) -> Option<Self> {
        let differences = || right.bytes().zip(shown.bytes()).enumerate().filter(|(_, (a, b))| a != b);
        if right == shown {
            Some(Self::None)
        } else if right.starts_with(shown) && shown.len() > right.len() / 2 {
            Some(Self::ShortenedTo(shown.len()))
        } else if right.eq_ignore_ascii_case(shown) {
            Some(Self::UpperCase)
        } else if right.len() == shown.len() && differences().count() == 1 {
            differences().next().map(|(at, _)| Self::ChangedAt(at))
        } else {
            None
        }
    }

    fn apply(self, mut text: String) -> String {
        match self {
            Self::None => {}
            Self::UpperCase => text.make_ascii_uppercase(),
            Self::ShortenedTo(length) => text.truncate(length),
            Self::ChangedAt(at) => {
                let other = if text[at..].starts_with('A') { "B" } else { "A" };
                text.replace_range(at..=at, other);
            }
        }
        text
    }
}
