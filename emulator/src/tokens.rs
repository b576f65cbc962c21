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

/// Shorter-lived tokens are not given out (`TokenRequest`: 10 minutes).
pub const MIN_EXPIRATION: SignedDuration = SignedDuration::from_mins(10);

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

/// Whom a token is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// `metadata.namespace` of the service account.
    pub namespace: String,
    /// `metadata.name` of the service account.
    pub service_account: String,
    /// `metadata.uid` of the service account.
    pub service_account_uid: String,
    /// Name and UID of the pod that the token is bound to.
    pub pod: Option<(String, String)>,
}

impl Subject {
    /// `system:serviceaccount:NAMESPACE:NAME`.
    pub fn user_name(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.service_account)
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

    /// A token for `subject`, valid from `now` for `lifetime`, and when it expires.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn mint(
        &self,
        subject: &Subject,
        audiences: &[String],
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> io::Result<(String, Timestamp)> {
        self.mint_again(None, subject, audiences, now, lifetime)
    }

    /// The same, but `previous` once more where it says the same: signatures differ each time.
    ///
    /// # Errors
    /// As `mint`.
    pub fn mint_again(
        &self,
        previous: Option<&str>,
        subject: &Subject,
        audiences: &[String],
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> io::Result<(String, Timestamp)> {
        let lifetime = lifetime.max(MIN_EXPIRATION);
        let expires = now.checked_add(lifetime).unwrap_or(Timestamp::MAX);
        let issuer = vec![ISSUER.to_owned()];
        let audiences = if audiences.is_empty() { &issuer } else { audiences };
        let mut bound = json!({
            "namespace": subject.namespace,
            "serviceaccount": {"name": subject.service_account, "uid": subject.service_account_uid},
        });
        if let Some((name, uid)) = &subject.pod {
            bound["pod"] = json!({"name": name, "uid": uid});
        }
        let claims = json!({
            "aud": audiences,
            "exp": expires.as_second(),
            "iat": now.as_second(),
            "iss": ISSUER,
            "kubernetes.io": bound,
            "nbf": now.as_second(),
            "sub": subject.user_name(),
        });
        let signed = format!("{}.{}", encode(&json!({"alg": "ES256", "typ": "JWT"})), encode(&claims));
        if let Some(previous) = previous.filter(|token| self.is_signed(token, &signed)) {
            return Ok((previous.to_owned(), expires));
        }
        let signature = self
            .key
            .sign(&self.random, signed.as_bytes())
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        Ok((
            format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)),
            expires,
        ))
    }

    fn is_signed(&self, token: &str, signed: &str) -> bool {
        token.rsplit_once('.').is_some_and(|(found, signature)| {
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref());
            found == signed && public.verify(signed.as_bytes(), &signature).is_ok()
        })
    }

    /// Whom the token is for, if this signer made it for this API server and it is valid at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<Subject> {
        let (signed, _) = token.rsplit_once('.')?;
        if !self.is_signed(token, signed) {
            return None;
        }
        let (_, claims) = signed.split_once('.')?;
        let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let audience = claims["aud"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == ISSUER));
        let valid = claims["nbf"].as_i64()? <= now.as_second() && now.as_second() < claims["exp"].as_i64()?;
        if !audience || !valid {
            return None;
        }
        let bound = &claims["kubernetes.io"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Subject {
            namespace: text(&bound["namespace"])?,
            service_account: text(&bound["serviceaccount"]["name"])?,
            service_account_uid: text(&bound["serviceaccount"]["uid"])?,
            pod: text(&bound["pod"]["name"]).zip(text(&bound["pod"]["uid"])),
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

    fn subject() -> Subject {
        Subject {
            namespace: "shop".to_owned(),
            service_account: "default".to_owned(),
            service_account_uid: "u1".to_owned(),
            pod: Some(("web".to_owned(), "u2".to_owned())),
        }
    }

    #[test]
    fn a_token_names_whom_it_was_made_for_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let signer = Signer::load_or_create(&path).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (token, expires) = signer
            .mint(&subject(), &[], now, SignedDuration::from_hours(1))
            .unwrap();
        assert_eq!(
            Signer::load_or_create(&path).unwrap().verify(&token, now),
            Some(subject())
        );
        assert_eq!(signer.verify(&token, expires), None);
        let again = |now| {
            signer
                .mint_again(Some(&token), &subject(), &[], now, SignedDuration::from_hours(1))
                .unwrap()
                .0
        };
        assert_eq!(again(now), token);
        assert_ne!(again(expires), token);
    }

    #[test]
    fn a_changed_or_foreign_token_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::load_or_create(&folder.path().join("key")).unwrap();
        let other = Signer::load_or_create(&folder.path().join("other")).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let (token, _) = other.mint(&subject(), &[], now, SignedDuration::from_hours(1)).unwrap();
        assert_eq!(signer.verify(&token, now), None);
        let (token, _) = signer
            .mint(&subject(), &["vault".to_owned()], now, SignedDuration::from_hours(1))
            .unwrap();
        assert_eq!(signer.verify(&token, now), None);
        for garbage in ["", ".", "a.b", "a.b.c", &token.replace('.', "")] {
            assert_eq!(signer.verify(garbage, now), None);
        }
    }
}
