//! Images of a scripted life: all are there, unless the script says otherwise.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::image::{Credentials, Image, ImageConfig, ImageError, Images, Root, reference::Reference};

/// Has every image, but those that are missing.
#[derive(Default)]
pub struct ScriptedImages {
    missing: HashSet<String>,
    unpulled: Mutex<HashSet<String>>,
    takes: HashMap<String, Duration>,
}

impl ScriptedImages {
    /// These can't be had, not even by a pull.
    pub fn without(missing: &[&str]) -> Self {
        Self {
            missing: missing.iter().map(|name| (*name).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// That one can't be had either.
    #[must_use]
    pub fn missing(mut self, name: &str) -> Self {
        self.missing.insert(name.to_owned());
        self
    }

    /// That one is there once it has been pulled, and each pull takes so long.
    #[must_use]
    pub fn pulled_in(mut self, name: &str, takes: Duration) -> Self {
        self.takes.insert(name.to_owned(), takes);
        self.unpulled
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned());
        self
    }

    /// These are there once they have been pulled.
    #[must_use]
    pub fn unpulled(self, names: &[&str]) -> Self {
        Self {
            unpulled: Mutex::new(names.iter().map(|name| (*name).to_owned()).collect()),
            ..self
        }
    }
}

fn image(reference: &str) -> Image {
    Image {
        id: format!("sha256:{:064x}", reference.len()),
        reference: reference.to_owned(),
        size: 1024,
        config: ImageConfig::default(),
        root: Root::Host,
    }
}

#[async_trait]
impl Images for ScriptedImages {
    async fn status(&self, reference: &str) -> Result<Option<Image>, ImageError> {
        if !reference.is_empty() {
            Reference::parse(reference).map_err(ImageError::InvalidName)?;
        }
        let unpulled = self.unpulled.lock().unwrap_or_else(PoisonError::into_inner);
        let absent = self.missing.contains(reference) || unpulled.contains(reference);
        Ok((!absent).then(|| image(reference)))
    }

    async fn pull(&self, reference: &str, _: &[Credentials]) -> Result<Image, ImageError> {
        if let Some(takes) = self.takes.get(reference) {
            tokio::time::sleep(*takes).await;
        }
        if self.missing.contains(reference) {
            return Err(ImageError::Pull(format!("{reference}: not found")));
        }
        self.unpulled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(reference);
        Ok(image(reference))
    }

    async fn list(&self) -> Vec<Image> {
        Vec::new()
    }
}
