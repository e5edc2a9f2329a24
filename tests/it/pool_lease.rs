//! What a lease is made of (P37), and conversations that stay with their credential (P38).

use std::{collections::HashSet, sync::Arc, time::Duration};

use cortana::pool::{Lease, Lent, Outcome, Want};

use crate::support::pool::{World, want};

#[tokio::test(start_paused = true)]
async fn p37_leases_share_what_they_lend_and_copy_no_text() {
    let mut world = World::new();
    world.keys(1);
    let process = world.process().await;
    let want = want("openai", Duration::from_mins(1));
    let one = process.pool.lease(&want).await.unwrap();
    let two = process.pool.lease(&want).await.unwrap();
    let lent = |lease: &Lease| std::ptr::from_ref::<Lent>(lease);
    assert_eq!(lent(&one), lent(&two), "one account, one copy of what is known about it");
    assert!(Arc::ptr_eq(&one.model, &want.model) && Arc::ptr_eq(&two.model, &want.model));
}

#[tokio::test(start_paused = true)]
async fn p38_a_conversation_stays_with_its_credential_until_that_rests() {
    let mut world = World::new();
    world.keys(4);
    world.settings.sticky = Some(Duration::from_mins(30));
    let process = world.process().await;
    let talk = Want { session: Some(7), ..want("openai", Duration::from_mins(1)) };
    let mut served = HashSet::new();
    for _ in 0..6 {
        let lease = process.pool.lease(&talk).await.unwrap();
        served.insert(lease.credential.clone());
        lease.complete(Outcome::Success);
    }
    assert_eq!(served.len(), 1);
    let lease = process.pool.lease(&talk).await.unwrap();
    let first = lease.credential.clone();
    lease.complete(Outcome::CredentialCooling {
        hint: cortana::pool::RetryHint::None,
        reason: "HTTP 429".to_owned(),
    });
    let next = process.pool.lease(&talk).await.unwrap();
    assert_ne!(next.credential, first, "another takes the conversation over at once");
    assert_eq!(process.pool.lease(&talk).await.unwrap().credential, next.credential);
}
