//! What the codes mean that services refuse an account with, in words for whoever owns it.
//!
//! Sources: `ineligibleTiers` and `google.rpc.ErrorInfo` as google-gemini/gemini-cli lists them
//! (`packages/core/src/code_assist/types.ts`), and what was seen besides (docs/providers.md).

/// What a reason code means and what a person can do; `None` for a code that nobody has explained.
pub fn meaning_of(code: &str) -> Option<&'static str> {
    Some(match code.split([';', ':']).next().unwrap_or(code).trim() {
        "VALIDATION_REQUIRED" => {
            "the account's owner has to verify it under a link, which operators see in `/settings credential` and with \
             `cortana status --links`"
        }
        "TOS_VIOLATION" => {
            "the account is suspended for a breach of terms; its owner may appeal with the form that operators see in \
             `/settings credential` and with `cortana status --links`, and a second suspension is final"
        }
        "SUBSCRIPTION_REQUIRED" => {
            "the account has no licence for this product, or its chats name a project that has none"
        }
        "UNSUPPORTED_CLIENT" => "accounts of this kind are no longer served through this login",
        "UNSUPPORTED_LOCATION" | "UNKNOWN_LOCATION" => "the service is not offered where this machine is",
        "RESTRICTED_AGE" => {
            "the owner's age does not allow it; it may have to be confirmed in the account's settings"
        }
        "RESTRICTED_NETWORK" => "the account's organisation does not allow it from this network",
        "DASHER_USER" => "it is an organisation's account, whose administrator has to turn the service on",
        "INELIGIBLE_ACCOUNT" => "accounts of this kind do not get the service",
        "NON_USER_ACCOUNT" => "it is no person's account; log in as one",
        "INELIGIBLE" => "the service offers this account no tier, and does not say why",
        "SECURITY_POLICY_VIOLATED" => "the organisation's service controls forbid it from here",
        "NO_PROJECT" | "PROJECT_REQUIRED" => "chats need the id of a project that has a licence",
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => {
            "the login lacks a permission; log in again and grant all that is asked for"
        }
        "SERVICE_DISABLED" => "the API is not turned on in the project",
        "BILLING_DISABLED" => "the project has no billing account",
        "CONSUMER_INVALID" | "USER_PROJECT_DENIED" => {
            "the account has no right to the project that its chats name"
        }
        "CONSUMER_SUSPENDED" => "the project is suspended",
        "IFLOW_434" | "IFLOW_438" => "the service has blocked this account's key",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_whatever_follows_it() {
        let project =
            meaning_of("PROJECT_REQUIRED; set GEMINI_CLI_PROJECT to the id of a project with a licence");
        assert_eq!(project, meaning_of("PROJECT_REQUIRED"));
        assert!(project.is_some());
        assert_eq!(
            meaning_of("ACCESS_TOKEN_SCOPE_INSUFFICIENT: cloud-platform"),
            meaning_of("ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        );
        assert_eq!(meaning_of("SOMETHING_NEW"), None);
    }
}
