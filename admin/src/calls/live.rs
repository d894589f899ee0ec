//! Calls as they are under way: what changed is published in Redis once it is committed, for all processes' streams.
//!
//! The channels are `calls:{tenant_id}`, and `calls:nobody` for calls that are no tenant's. A message is a [`News`]. To a
//! stream of ours it is no more than a doorbell: what it tells of is read in Postgres. One that is lost costs the few seconds
//! until the stream looks again ([`RESYNC`]).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dialplane_common::feed::keys::Keys;
use dialplane_common::ids::TenantId;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use redis::{Msg, RedisResult};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use super::storing::Stored;
use crate::redis_link::RedisLink;
use crate::store::calls::{self, Call};
use crate::store::{Scope, Store, StoreError};

/// How often a stream looks at what is there: what it wasn't told it learns then.
pub const RESYNC: Duration = Duration::from_secs(10);
/// A view has no more calls than these: the newest.
pub const SHOWN_MAX: i64 = 1_000;
/// How often what messages are about is read, at most.
const READ_INTERVAL: Duration = Duration::from_millis(100);
const READ_MAX: usize = 1_000;
/// Messages that are sent at a time.
const MESSAGES_MAX: usize = 500;

/// What is told of a call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A call as it is now. One that has ended says so, and isn't told of again.
    Call(Box<Call>),
    /// The record of this id has become part of another, which is told of by itself.
    Gone(Uuid),
}

/// Publishes what changed.
pub struct Announcer {
    link: RedisLink,
    keys: Keys,
}

impl Announcer {
    /// Over a connection of its own.
    #[must_use]
    pub fn new(redis: &redis::Client, keys: Keys) -> Self {
        Self { link: RedisLink::new(redis.clone()), keys }
    }

    /// Publishes what changed. What can't be published is seen later, by who looks again.
    pub async fn announce(&self, stored: &Stored) {
        let calls = stored.changed.iter().filter(|call| call.direction != "message");
        let calls = calls.map(|call| (call.tenant_id, News::Call(Box::new(call.clone()))));
        let gone = stored.gone.iter().map(|(id, tenant)| (*tenant, News::Gone(*id)));
        let news: Vec<_> = calls.chain(gone).collect();
        for part in news.chunks(MESSAGES_MAX) {
            let mut pipeline = redis::pipe();
            for (tenant, news) in part {
                let Ok(json) = serde_json::to_string(news) else { continue };
                pipeline.publish(channel(&self.keys, *tenant), json).ignore();
            }
            if self.link.pipe::<()>(&pipeline).await.is_err() {
                return;
            }
        }
    }
}

fn channel(keys: &Keys, tenant: Option<Uuid>) -> String {
    keys.realtime(&tenant.map_or_else(|| "calls:nobody".to_owned(), |tenant| format!("calls:{tenant}")))
}

/// Opens views.
#[derive(Clone)]
pub struct Live {
    /// Redis.
    pub link: Arc<RedisLink>,
    /// Its names.
    pub keys: Keys,
}

/// Calls under way, of a tenant or of all, and what becomes of them.
pub struct View {
    store: Store,
    scope: Scope,
    tenant: Option<Uuid>,
    messages: BoxStream<'static, Msg>,
    /// Calls that were told of as under way, and how new.
    known: HashMap<Uuid, crate::store::instant::Instant>,
    waiting: VecDeque<News>,
    /// Calls that messages were about.
    rung: HashSet<Uuid>,
    next_read: Instant,
    next_look: Instant,
}

impl Live {
    /// A view: it begins with all calls under way.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn view(&self, store: Store, scope: Scope, tenant: Option<TenantId>) -> RedisResult<View> {
        let tenant = tenant.map(|tenant| tenant.0);
        let messages = match tenant {
            Some(_) => self.link.subscribe(&channel(&self.keys, tenant)).await?,
            None => self.link.subscribe_pattern(&self.keys.realtime("calls:*")).await?,
        };
        let messages = messages.into_on_message().boxed();
        let now = Instant::now();
        let (known, waiting, rung) = Default::default();
        Ok(View { store, scope, tenant, messages, known, waiting, rung, next_read: now, next_look: now })
    }
}

impl View {
    /// The next news; `None` when there is nothing to learn from any more: Redis is away. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn next(&mut self) -> Result<Option<News>, StoreError> {
        loop {
            if let Some(news) = self.waiting.pop_front() {
                return Ok(Some(news));
            }
            let now = Instant::now();
            if self.next_look <= now {
                self.look().await?;
                continue;
            }
            if !self.rung.is_empty() && self.next_read <= now {
                self.read().await?;
                continue;
            }
            let until =
                if self.rung.is_empty() { self.next_look } else { self.next_look.min(self.next_read) };
            let message = tokio::select! {
                message = self.messages.next() => message,
                () = tokio::time::sleep_until(until) => continue,
            };
            let Some(message) = message else { return Ok(None) };
            match serde_json::from_slice(message.get_payload_bytes()) {
                Ok(News::Call(call)) => self.rung.insert(call.id),
                Ok(News::Gone(id)) => self.rung.insert(id),
                Err(_) => continue,
            };
        }
    }

    /// Reads what messages were about: whoever can write to Redis tells nobody of calls.
    async fn read(&mut self) -> Result<(), StoreError> {
        let ids: Vec<_> = self.rung.iter().copied().take(READ_MAX).collect();
        let mut tx = self.store.read(self.scope).await?;
        let calls = calls::again(tx.conn(), &ids).await?;
        drop(tx);
        ids.iter().for_each(|id| {
            self.rung.remove(id);
        });
        let there: HashSet<_> = calls.iter().map(|call| call.id).collect();
        calls.into_iter().for_each(|call| self.take(News::Call(Box::new(call))));
        for id in ids {
            if !there.contains(&id) && self.known.contains_key(&id) {
                self.take(News::Gone(id));
            }
        }
        self.next_read = Instant::now() + READ_INTERVAL;
        Ok(())
    }

    /// Takes in news, unless it is older than what was told.
    fn take(&mut self, news: News) {
        match &news {
            News::Call(call) => {
                let is_old = self.known.get(&call.id).is_some_and(|known| call.updated_at <= *known);
                if is_old || self.tenant.is_some_and(|tenant| call.tenant_id != Some(tenant)) {
                    return;
                }
                match call.ended_at {
                    None => self.known.insert(call.id, call.updated_at),
                    Some(_) => self.known.remove(&call.id),
                };
            }
            News::Gone(id) => {
                self.known.remove(id);
            }
        }
        self.waiting.push_back(news);
    }

    /// Looks at what is there, and takes in what it wasn't told.
    async fn look(&mut self) -> Result<(), StoreError> {
        let mut tx = self.store.read(self.scope).await?;
        let calls = calls::under_way(tx.conn(), self.tenant, SHOWN_MAX).await?;
        let there: HashSet<_> = calls.iter().map(|call| call.id).collect();
        let over: Vec<_> = self.known.keys().copied().filter(|id| !there.contains(id)).collect();
        let mut again: HashMap<_, _> =
            calls::again(tx.conn(), &over).await?.into_iter().map(|call| (call.id, call)).collect();
        drop(tx);
        // The oldest first, as they came.
        calls.into_iter().rev().for_each(|call| self.take(News::Call(Box::new(call))));
        for id in over {
            match again.remove(&id) {
                Some(call) => self.take(News::Call(Box::new(call))),
                None => self.take(News::Gone(id)),
            }
            // Not under way any more, or for too long.
            self.known.remove(&id);
        }
        self.next_look = Instant::now() + RESYNC;
        Ok(())
    }
}
