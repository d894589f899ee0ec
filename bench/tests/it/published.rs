//! What the measurements write in the publisher's place is what a router follows.

use std::sync::Arc;

use dialplane_bench::feed::{Appender, Feed};
use dialplane_bench::population::Population;
use dialplane_bench::start::{revision, until_ready};
use dialplane_bench::system::{FEED_KEY, Redis, Router, wait_for};
use dialplane_common::feed::keyring::Keyring;

#[test]
fn a_router_follows_a_checkpoint_and_deltas_that_no_admin_plane_wrote() {
    let redis = Redis::start();
    let keyring = Arc::new(Keyring::feed(FEED_KEY).expect("a long key"));
    let population = Population { own_settings: 0.3, ..Population::of(1_000) };
    let (mut feed, checkpoint) = Feed::begin(&redis, keyring, population).expect("Redis takes it");
    assert_eq!(checkpoint.records, 1 + 100 + 100 + 1_000);
    let router = Router::start(&[("REDIS_URL", &redis.url())]);
    until_ready(&router).expect("the router serves the checkpoint");
    assert_eq!(revision(&router), Some(feed.revision()));

    let mut elsewhere = feed.clone();
    let unfollowed = elsewhere.rename(1).expect("there is such a number");
    Appender::new(&redis, false).append(&unfollowed).expect("Redis takes it");
    let mut appender = Appender::new(&redis, true);
    for place in [3, 999, 3] {
        let delta = feed.rename(place).expect("there is such a number");
        appender.append(&delta).expect("Redis takes it");
    }
    wait_for("the router to serve the last delta", || revision(&router) == Some(feed.revision()));
    assert!(!router.process.log().contains("digest differs"), "{}", router.process.log());
}
