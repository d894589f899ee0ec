//! The folder of certificates: `NAME.key` is the key of the certificate in `NAME.crt`.
//!
//! Other files are left alone: `ca.crt` as cert-manager writes it, or what an editor keeps. A pair in
//! Kubernetes is a secret mounted as a folder; certbot's `fullchain.pem` and `privkey.pem` want two links.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use dialplane_common::secret::Secret;

use super::pair::{Pair, PairError, PairText};

/// The pairs of a folder by name, as text.
pub type Texts = BTreeMap<String, Result<PairText, Unusable>>;

/// A file that can't be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unusable {
    /// Its name in the folder; empty for the folder itself.
    pub file: String,
    /// What was wanted instead.
    pub wanted: String,
}

/// Reads all pairs. A file that can't be read spoils its own pair only.
///
/// # Errors
/// When the folder can't be read, or holds no key.
pub fn read(folder: &Path) -> Result<Texts, Unusable> {
    let wanted = |reason: &str| Unusable {
        file: String::new(),
        wanted: format!("wanted a folder with NAME.crt and NAME.key ({reason})"),
    };
    let names = names(folder).map_err(|error| wanted(&error.to_string()))?;
    if names.is_empty() {
        return Err(wanted("it holds no file with a name that ends in .key"));
    }
    Ok(names.into_iter().map(|name| (name.clone(), text(folder, &name))).collect())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(OsStr::to_str);
        if let Some(name) =
            name.filter(|name| !name.starts_with('.') && path.extension() == Some(OsStr::new("key")))
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn text(folder: &Path, name: &str) -> Result<PairText, Unusable> {
    let read = |extension: &str| {
        let file = format!("{name}.{extension}");
        std::fs::read(folder.join(&file))
            .map_err(|error| Unusable { file, wanted: format!("wanted a file that can be read ({error})") })
    };
    Ok(PairText { certificates: read("crt")?, key: Secret::new(read("key")?) })
}

/// Reads the pair of this name from its text.
///
/// # Errors
/// Names the file that is wrong.
pub fn pair(name: &str, text: &Result<PairText, Unusable>) -> Result<Pair, Unusable> {
    let text = text.as_ref().map_err(Clone::clone)?;
    Pair::read(text).map_err(|error| {
        let extension = if matches!(error, PairError::Certificates(_)) { "crt" } else { "key" };
        Unusable { file: format!("{name}.{extension}"), wanted: error.to_string() }
    })
}
