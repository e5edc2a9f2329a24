//! What people do with logins: who sits at the browser, who confirms a device, what is taken away.

use super::{
    Vendors,
    authorize::Browser,
    device::{self, DeviceState},
    rows::Reuse,
};

impl Vendors {
    /// This account is signed in at the browser and consents to whatever asks; `a@example.com` at first.
    pub fn sign_in(&self, provider: &str, account: &str) {
        self.with(provider, |vendor| vendor.browser = Browser::Consents(account.to_owned()));
    }

    /// Whoever sits at the browser says no from now on.
    pub fn decline(&self, provider: &str) {
        self.with(provider, |vendor| vendor.browser = Browser::Denies);
    }

    /// This account confirms a device's code; false when nobody waits with it.
    pub fn confirm_device(&self, provider: &str, user_code: &str, account: &str) -> bool {
        let verdict = DeviceState::Confirmed(account.to_owned());
        self.with(provider, |vendor| device::decide(vendor, user_code, verdict))
    }

    /// Somebody declines a device's code; false when nobody waits with it.
    pub fn decline_device(&self, provider: &str, user_code: &str) -> bool {
        self.with(provider, |vendor| device::decide(vendor, user_code, DeviceState::Denied))
    }

    /// From now on a single-use refresh token that comes a second time ends the whole login. So it is at `acme` from
    /// the start; of the others nobody knows.
    pub fn revoke_family_on_reuse(&self, provider: &str) {
        self.with(provider, |vendor| vendor.reuse = Reuse::RevokesFamily);
    }

    /// Token replies come inside `{"success": true, "data": …}` from now on, as iFlow's sometimes do.
    pub fn wrap_tokens(&self, provider: &str) {
        self.with(provider, |vendor| vendor.wraps_tokens = true);
    }

    /// What is left of a Google account's quota, from 0 to 1.
    pub fn set_remaining(&self, provider: &str, account: &str, fraction: f64) {
        self.with(provider, |vendor| vendor.account(account).remaining = fraction);
    }
}
