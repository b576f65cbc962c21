//! What a registry that wants credentials asks for (`WWW-Authenticate`).

use reqwest::{
    Url,
    header::{HeaderMap, WWW_AUTHENTICATE},
};

/// How it wants them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token, which the service at this address gives.
    Bearer(Url),
}

impl Challenge {
    /// The first challenge that can be met, for reading one repository of a registry.
    pub(super) fn of(headers: &HeaderMap, repository: &str) -> Option<Self> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter();
        texts
            .filter_map(|text| http_auth::parse_challenges(text.to_str().ok()?).ok())
            .flatten()
            .find_map(|challenge| {
                let of = |name: &str| {
                    let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped())
                };
                if challenge.scheme.eq_ignore_ascii_case("Basic") {
                    return Some(Self::Basic);
                }
                if !challenge.scheme.eq_ignore_ascii_case("Bearer") {
                    return None;
                }
                let mut realm = Url::parse(&of("realm")?).ok()?;
                let mut query = realm.query_pairs_mut();
                query.append_pair("scope", &format!("repository:{repository}:pull"));
                if let Some(service) = of("service") {
                    query.append_pair("service", &service);
                }
                drop(query);
                Some(Self::Bearer(realm))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(text: &str) -> Option<Challenge> {
        let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, text.parse().unwrap())]);
        Challenge::of(&headers, "a/b")
    }

    #[test]
    fn a_token_is_asked_for_where_the_registry_says_and_for_one_repository() {
        let Some(Challenge::Bearer(url)) = challenge(r#"Bearer realm="https://t.example/token?a=b",service="r""#)
        else {
            panic!("it asks for a token");
        };
        assert_eq!(
            url.as_str(),
            "https://t.example/token?a=b&scope=repository%3Aa%2Fb%3Apull&service=r"
        );
        assert_eq!(challenge(r#"Basic realm="r""#), Some(Challenge::Basic));
        assert_eq!(
            challenge(r#"Digest realm="r", Basic realm="r""#),
            Some(Challenge::Basic)
        );
        for nonsense in ["Bearer", r#"Bearer realm="no address""#, "Negotiate", "\"", ""] {
            assert_eq!(challenge(nonsense), None, "{nonsense}");
        }
    }
}
