//! Service account tokens: JSON Web Tokens signed by the emulator's own key (ES256).

use std::{fs, io, path::Path};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey},
};
use serde_json::{Value, json};

/// Who issues the tokens, and whom they are for unless somebody else is named (`--service-account-issuer`).
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How far the clocks of whoever made a token and whoever checks it may be apart (`jwt.DefaultLeeway`).
pub(crate) const LEEWAY: SignedDuration = SignedDuration::from_mins(1);

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk refused.
    #[error("cannot keep the service account key: {0}")]
    Io(#[from] io::Error),
    /// The file holds something else.
    #[error("the service account key is damaged; remove it and every token it signed becomes invalid")]
    Damaged,
}

/// The name and the UID of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectReference {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; empty for a node that does not exist.
    pub uid: String,
}

impl ObjectReference {
    /// Returns the claim that names the object.
    fn claim(&self) -> Value {
        let mut claim = json!({"name": self.name});
        if !self.uid.is_empty() {
            claim["uid"] = self.uid.as_str().into();
        }
        claim
    }

    fn parse(claim: &Value) -> Option<Self> {
        Some(Self {
            name: claim["name"].as_str()?.to_owned(),
            uid: claim["uid"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// The service account that a token is for, and the objects that it is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `metadata.namespace` of the service account.
    pub namespace: String,
    /// The service account.
    pub service_account: ObjectReference,
    /// The pod that the token is bound to.
    pub pod: Option<ObjectReference>,
    /// The Secret that the token is bound to.
    pub secret: Option<ObjectReference>,
    /// The node of that pod, or else the node that the token is bound to.
    pub node: Option<ObjectReference>,
    /// The token's own ID (`jti`).
    pub token_id: String,
}

impl Subject {
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub fn user_name(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.service_account.name)
    }
}

/// Signs and checks tokens.
pub struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    /// The key in the file `path`; a new one, readable by its owner alone, where there is none.
    ///
    /// # Errors
    /// Where the file can't be read, written or understood.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let document = match fs::read(path) {
            Ok(document) => document,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                    .map_err(|_| KeyError::Damaged)?;
                write_private(path, made.as_ref())?;
                made.as_ref().to_vec()
            }
            Err(error) => return Err(error.into()),
        };
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document, &random)
            .map_err(|_| KeyError::Damaged)?;
        Ok(Self { key, random })
    }

    /// Returns a token for `subject` that is valid from `now` for `lifetime`. After `warn_after` its use is outdated, though
    /// it is still valid.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn mint(
        &self,
        subject: &Subject,
        audiences: &[String],
        now: Timestamp,
        lifetime: SignedDuration,
        warn_after: Option<SignedDuration>,
    ) -> io::Result<String> {
        let after = |duration| now.checked_add(duration).unwrap_or(Timestamp::MAX).as_second();
        let issuer = vec![ISSUER.to_owned()];
        let audiences = if audiences.is_empty() { &issuer } else { audiences };
        let mut bound = json!({"namespace": subject.namespace});
        for (name, object) in [
            ("node", &subject.node),
            ("pod", &subject.pod),
            ("secret", &subject.secret),
        ] {
            if let Some(object) = object {
                bound[name] = object.claim();
            }
        }
        bound["serviceaccount"] = subject.service_account.claim();
        if let Some(warn_after) = warn_after {
            bound["warnafter"] = after(warn_after).into();
        }
        let claims = json!({
            "aud": audiences,
            "exp": after(lifetime),
            "iat": now.as_second(),
            "iss": ISSUER,
            "jti": subject.token_id,
            "kubernetes.io": bound,
            "nbf": now.as_second(),
            "sub": subject.user_name(),
        });
        let signed = format!("{}.{}", encode(&json!({"alg": "ES256", "typ": "JWT"})), encode(&claims));
        let signature = self
            .key
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Returns the claims of a token that this signer has made.
    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// Returns whom the token is for, if this signer made it for this API server and it is valid at `now`. It does not look
    /// for the objects that the token is bound to: `token_objects` does.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Subject> {
        let claims = self.claims(token)?;
        let audience = claims["aud"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == ISSUER));
        let leeway = LEEWAY.as_secs();
        let valid = claims["nbf"].as_i64()? <= now.as_second() + leeway
            && now.as_second() - leeway <= claims["exp"].as_i64()?;
        if !audience || !valid {
            return None;
        }
        let bound = &claims["kubernetes.io"];
        Some(Subject {
            namespace: bound["namespace"].as_str()?.to_owned(),
            service_account: ObjectReference::parse(&bound["serviceaccount"])?,
            pod: ObjectReference::parse(&bound["pod"]),
            secret: ObjectReference::parse(&bound["secret"]),
            node: ObjectReference::parse(&bound["node"]),
            token_id: claims["jti"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path)?, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn subject() -> Subject {
        let object = |name: &str| ObjectReference {
            name: name.to_owned(),
            uid: format!("uid of {name}"),
        };
        Subject {
            namespace: "shop".to_owned(),
            service_account: object("default"),
            pod: Some(object("web")),
            secret: None,
            node: Some(object("emulator")),
            token_id: "id".to_owned(),
        }
    }

    #[test]
    fn token_names_its_subject_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let signer = Signer::load_or_create(&path).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let token = signer.mint(&subject(), &[], now, HOUR, None).unwrap();
        let later = Signer::load_or_create(&path).unwrap();
        let at = |passed: SignedDuration| later.verify(&token, now + passed);
        assert_eq!(at(SignedDuration::ZERO), Some(subject()));
        assert_eq!(at(HOUR + LEEWAY), Some(subject()));
        assert_eq!(at(HOUR + LEEWAY + SignedDuration::from_secs(1)), None);
        assert_eq!(at(-LEEWAY), Some(subject()));
        assert_eq!(at(-LEEWAY - SignedDuration::from_secs(1)), None);
    }

    #[test]
    fn token_has_the_claims_of_an_api_server() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::load_or_create(&folder.path().join("key")).unwrap();
        let now = Timestamp::from_second(1000).unwrap();
        let token = signer.mint(&subject(), &[], now, HOUR, Some(HOUR / 2)).unwrap();
        let claims = signer.claims(&token).unwrap();
        let expected = json!({
            "aud": [ISSUER], "exp": 4600, "iat": 1000, "iss": ISSUER, "jti": "id", "nbf": 1000,
            "kubernetes.io": {
                "namespace": "shop",
                "node": {"name": "emulator", "uid": "uid of emulator"},
                "pod": {"name": "web", "uid": "uid of web"},
                "serviceaccount": {"name": "default", "uid": "uid of default"},
                "warnafter": 2800,
            },
            "sub": "system:serviceaccount:shop:default",
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn changed_or_foreign_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::load_or_create(&folder.path().join("key")).unwrap();
        let other = Signer::load_or_create(&folder.path().join("other")).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let token = other.mint(&subject(), &[], now, HOUR, None).unwrap();
        assert_eq!(signer.verify(&token, now), None);
        let token = signer.mint(&subject(), &["vault".to_owned()], now, HOUR, None).unwrap();
        assert_eq!(signer.verify(&token, now), None);
        for garbage in ["", ".", "a.b", "a.b.c", &token.replace('.', "")] {
            assert_eq!(signer.verify(garbage, now), None);
        }
    }
}
