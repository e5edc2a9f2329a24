//! Proof Key for Code Exchange (RFC 7636), method S256: who redeems a code is who asked for it.

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};

use crate::secret::Secret;

/// A verifier, and the challenge that is made of it. The verifier leaves in the token request alone.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    verifier: Secret,
}

impl Proof {
    /// 256 random bits.
    pub(super) fn new() -> Self {
        let (_, verifier) = PkceCodeChallenge::new_random_sha256();
        Self { verifier: Secret::new(verifier.into_secret()) }
    }

    /// What is sent first.
    pub(super) fn challenge(&self) -> PkceCodeChallenge {
        let verifier = PkceCodeVerifier::new(self.verifier.expose().to_owned());
        PkceCodeChallenge::from_code_verifier_sha256(&verifier)
    }

    /// What is sent last.
    pub(super) fn verifier(&self) -> &Secret {
        &self.verifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_standards_example() {
        let proof = Proof { verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") };
        assert_eq!(proof.challenge().as_str(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(proof.challenge().method().as_str(), "S256");
    }

    #[test]
    fn each_has_a_verifier_of_its_own() {
        let (one, other) = (Proof::new(), Proof::new());
        assert_ne!(one.verifier(), other.verifier());
        assert!((43..=128).contains(&one.verifier().expose().len()));
    }
}
